"""What a page does to whom it is shown by itself, and what a server in JavaScript does that anybody may ask.

Told by form, in one text: orders that are put into the clipboard, wallets that are emptied, frames that nobody sees,
addresses that pose as others, coins that are mined. Sources: EIP-20, EIP-721, EIP-1193 and EIP-2612, the documentation of
web3.js of Solana, of express and of nodemailer, the list of URI schemes of Windows.
"""

import bisect
import itertools
import re
from collections.abc import Iterator

from modelscan_plus.core.patterns import lazy
from modelscan_plus.formats.text import prose
from modelscan_plus.formats.text.facts import Remark
from modelscan_plus.formats.text.javascript_flow import closing
from modelscan_plus.formats.text.page_values import MOST, REQUEST_OF_SERVER, Values, remark

_COMMAND_COPIED = lazy(
    r"clipboard\.writeText\s*\(\s*(?P<text>[\"'`][^\"'`\n]{4,600})|\.setData\s*\(\s*[\"'`]text[^,]{0,20},\s*(?P<data>[\"'`][^\"'`\n]{4,600})"
)
_COPIES = lazy(r"addEventListener\s*\(\s*[\"'`](?:copy|cut)[\"'`]|\.on(?:copy|cut)\s*=")
_WALLET_ADDRESS = r"(?:0x[0-9a-fA-F]{40}|bc1[a-z0-9]{20,60}|\b[13][1-9A-HJ-NP-Za-km-z]{25,34}\b|\b[48][0-9AB][1-9A-HJ-NP-Za-km-z]{93}\b|\bT[1-9A-HJ-NP-Za-km-z]{33}\b)"
_PUTS_ADDRESS = lazy(rf"(?:setData|writeText)\s*\([^;]{{0,200}}?[\"'`]\s*{_WALLET_ADDRESS}")
_WALLET = lazy(
    r"\bwindow\.(?:ethereum|solana|phantom|tronWeb|web3|backpack|solflare|keplr)\b|\bethereum\.request\b|eth_requestAccounts|\bWeb3(?:Provider|Modal)\b|"
    r"BrowserProvider|useWallet\b|wagmi|@solana/wallet|tronWeb\b|walletconnect",
    re.I,
)
_UNLIMITED = lazy(
    r"\.(?:approve|increaseAllowance|increaseApproval)\s*\([^;]{0,200}?(?:MaxUint256|MAX_UINT|2n?\s*\*\*\s*256n?|0x[fF]{64}|115792089237316195423570985008687907853269984665640564039457584007913129639935)|"
    r"\.setApprovalForAll\s*\([^;]{0,120}?,\s*(?:true|!0)"
)
_PERMIT = lazy(
    r"signTypedData(?:(?!signTypedData)[\s\S]){0,1500}?\b(?:Permit(?:Single|Batch|2)?|spender|OrderComponents)\b|"
    r"\b(?:Permit(?:Single|Batch)?|spender)\b(?:(?!\bspender\b)[\s\S]){0,1500}?signTypedData"
)
_BALANCE = lazy(r"\b(?:getBalance|balanceOf|eth_getBalance|getTokenAccountsByOwner|getParsedTokenAccountsByOwner)\b")
_TRANSFERS = lazy(
    r"\b(?:sendTransaction|eth_sendTransaction|signAndSendTransaction|signAllTransactions|transferFrom|sendTrx)\b|\bSystemProgram\.transfer\b|\.transfer\s*\("
)
_HELD = lazy(r"(?<![\w$.])([A-Za-z_$][\w$]{0,40})\s*=\s*await\s+[^;\n]{0,80}?(?:getBalance|balanceOf)\b")
_AMOUNT = lazy(
    r"\b(?:value|lamports|amount)\s*:\s*[^,}\n]{0,80}?(?:\bbal\w*|\bbalance\w*|\blamports\b|\bl\b|\bamount\w*)|\.(?:transfer|transferFrom|sendTrx)\s*\([^;]{0,200}?\bbal",
    re.I,
)
_FRAME = lazy(r"<iframe\b(?P<rest>(?:[^<>\"']++|\"[^\"]{0,4000}\"|'[^']{0,4000}'){0,40})", re.I)
_UNSEEN = lazy(
    r"opacity\s*:\s*0(?:\.0\d*)?\s*(?:[;\"'}]|$)|visibility\s*:\s*hidden|\b(?:width|height)\s*=\s*[\"']?[01](?:px)?[\"'\s/>]|"
    r"(?:width|height)\s*:\s*[01](?:px)?\s*[;\"']|(?:left|top)\s*:\s*-\d{3,5}px|clip\s*:\s*rect\(0",
    re.I,
)
_SOURCE = lazy(r"\bsrc\s*=\s*[\"']?\s*(?:https?:)?//(?P<host>[^\s/\"'?#>]{3,200})", re.I)
_LEADS = lazy(
    r"<meta\s[^>]{0,200}?http-equiv\s*=\s*[\"']?refresh[^>]{0,200}?url\s*=\s*[\"']?(?P<meta>https?://[^\s\"'>]{3,400})"
    r"|\blocation(?:\.href)?\s*=\s*[\"'`](?P<set>https?://[^\s\"'`]{3,400})|\blocation\.(?:replace|assign)\s*\(\s*[\"'`](?P<called>https?://[^\s\"'`]{3,400})"
    r"|\bwindow\.open\s*\(\s*[\"'`](?P<opened>https?://[^\s\"'`]{3,400})",
    re.I,
)
_SCHEME = lazy(
    r"(?:\b(?:href|src|action)\s*=\s*[\"']?|location(?:\.href)?\s*=\s*[\"'`]|location\.(?:replace|assign)\s*\(\s*[\"'`]|open\s*\(\s*[\"'`]|url\s*=\s*[\"']?)\s*"
    r"(?:search-ms:|search:query|ms-msdt:|ms-appinstaller:|ms-officecmd:|ms-search:|ms-word:ofe\||ms-excel:ofe\||ms-cxh|ms-gamingoverlay:|powershell:|wscript:|jar:file|shell:)",
    re.I,
)
_STYLE_KEYS = lazy(
    r"\[\s*value\s*[\^$*]=\s*[\"']?[^\]\"']{1,12}[\"']?\s*\][^{}]{0,120}\{[^{}]{0,200}?url\(\s*[\"']?(?:https?:)?//",
    re.I,
)
_EVALUATES = lazy(
    r"(?<![\w$.])(?:new\s+Function|eval|vm\.\w+|[\w$]+\.(?:runInThisContext|runInNewContext|runInContext))\s*\("
)
_SHELLS = lazy(
    r"(?<![\w$.])(?:(?:child_process|cp)\.)?(?:exec|execSync|execAsync|execPromise)\s*\(\s*(?P<name>[A-Za-z_$][\w$]{0,60})\s*[,)]"
)
_FILES_OF_REQUEST = lazy(
    r"\b(?:readFile|readFileSync|writeFile|writeFileSync|createReadStream|createWriteStream|sendFile|download|unlink|unlinkSync)\s*\(\s*(?:String\s*\(\s*)?"
    r"(?:req|request|ctx)\.(?:body|query|params|headers)\b(?:\.\w+|\[[^\]]{1,40}\])?\s*[,)]"
)
_DISK = lazy(
    r"\b(?:express\.static|serveStatic|serve_static|koaStatic|sirv|serve)\s*\(\s*(?:\{\s*root\s*:\s*)?[\"'`]/[\"'`]\s*[,})]"
)
_TELLS_ENVIRONMENT = lazy(
    r"\b(?:res|response|reply|ctx|c|NextResponse|Response)\.(?:json|send|end|write|body)\s*\(\s*(?:JSON\.stringify\s*\(\s*)?(?:\{(?:[^{}]{0,200}?,)?\s*(?:\w+\s*:\s*|\.\.\.))?process\.env\s*[,)}]"
)
_MINES = lazy(
    r"\b(?:cryptonight|coin-?hive|coinimp|crypto-?loot|webmine[rp]|deepminer|jsecoin|monerominer|randomx)\b|"
    r"[\"'`]?\b(?:job_id|site_key)\b[\s\S]{0,300}?(?:\bsubmit\b|[\"'`]job[\"'`])",
    re.I,
)
_COMPUTES = lazy(r"\bWorker\s*\(|importScripts|WebAssembly|wasm")
_COPY_OF_MAIL = lazy(r"[\"']?\bbcc[\"']?\s*[:=]\s*\[?\s*[\"'`][\w.+-]+@[\w-]+\.[\w.]+[\"'`]", re.I)
_MAILS = lazy(
    r"\b(?:sendMail|sendEmail|send_email|send_message|messages\.send|emails\.send|transporter|nodemailer|smtplib|postmark|resend|sendgrid|mailgun)\b",
    re.I,
)
_HIDDEN_SOURCE = lazy(
    r"(?:\.src\s*=\s*|\bimport\s*\(\s*|importScripts\s*\(\s*|fetch\s*\(\s*|sendBeacon\s*\(\s*|location(?:\.href)?\s*=\s*)[\"'`](?P<url>https?://[^\s\"'`]{4,300})"
)
_WHOSE = lazy(
    r"huggingface|hugging-face|github|gitlab|google|gmail|microsoft|office365|outlook|discord|openai|chatgpt|anthropic|facebook|paypal|apple|icloud|amazon|binance|coinbase|metamask|kaggle|telegram|steam"
)
_ENTERING = lazy(r"log-?in|sign-?in|\bsso\b|verif|\bauth|account|secure|session|wallet|confirm|unlock|recover", re.I)


def acts(text: str) -> Iterator[Remark]:
    """What a page does by itself to the machine, wallet or attention of its visitor."""
    for found in itertools.islice(_COMMAND_COPIED.finditer(text), 500):
        if prose.hostile_command((found["text"] or found["data"])[1:]):
            yield remark("command", "puts a command where the visitor is to paste it from", text, found)
    for what, told in _deeds(text):
        if told:
            yield remark("command", what, text, told)


def _deeds(text: str) -> Iterator[tuple[str, "re.Match[str] | None"]]:
    yield "exchanges what the visitor has copied", _PUTS_ADDRESS.search(text) if _COPIES.search(text) else None
    yield "has the visitor's wallet hand over all that it holds", _drained(text) if _WALLET.search(text) else None
    yield (
        "has the visitor's machine mine coins",
        _MINES.search(text) if _COMPUTES.search(text) and "WebSocket" in text else None,
    )
    yield "opens an address by which the system starts something", _SCHEME.search(text)
    several = sum(1 for _ in itertools.islice(_STYLE_KEYS.finditer(text), 3)) == 3
    yield "tells another host what is typed, letter by letter", _STYLE_KEYS.search(text) if several else None
    yield (
        "sends a copy of every mail to an address of its author",
        _COPY_OF_MAIL.search(text) if _MAILS.search(text) else None,
    )


def _drained(text: str) -> "re.Match[str] | None":
    """A right without limits, or all that there is, that goes to an address of the page's choice."""
    if found := _UNLIMITED.search(text):
        return found
    constant = _CONSTANT_TARGET.search(text) is not None
    names = {each[1] for each in itertools.islice(_HELD.finditer(text), 20)}
    whole = _AMOUNT.search(text) is not None or any(
        re.search(rf"\b(?:value|lamports|amount)\s*:\s*[^,}}\n]{{0,80}}\b{re.escape(each)}\b", text) for each in names
    )
    if constant and whole and _BALANCE.search(text) and (found := _TRANSFERS.search(text)):
        return found
    return _PERMIT.search(text) if constant else None


_CONSTANT_TARGET = lazy(rf"[\"'`](?:{_WALLET_ADDRESS}|[1-9A-HJ-NP-Za-km-z]{{32,44}})[\"'`]")


def hidden(text: str, written: str) -> Iterator[Remark]:
    """Frames that nobody sees, addresses that pose as others, and addresses that are written so that nobody reads them."""
    for found in itertools.islice(_FRAME.finditer(written), MOST):
        source = _SOURCE.search(found["rest"])
        if source and _UNSEEN.search(found["rest"]):
            yield remark(
                "frame", "holds a page of another host that nobody sees", written, found, source["host"].lower()
            )
    for found in itertools.islice(_LEADS.finditer(written), MOST):
        url = next(filter(None, found.groups()))
        if _is_posed(url):
            yield remark("visitor", "leads to an address that poses as a known service", written, found, _host_of(url))
    low = text.lower()
    for found in itertools.islice(_HIDDEN_SOURCE.finditer(written), MOST):
        host = _host_of(found["url"])
        if host and host not in low and not _in_parts(host, low):
            yield remark("command", "hides the address that it loads something from", written, found)


def _in_parts(host: str, low: str) -> bool:
    """True for a host that is only put together from parts which the text, in small letters, shows."""
    return any(len(part) > 5 and part in low for part in host.split("."))


def _host_of(url: str) -> str:
    return re.split(r"[/?#:]", url.partition("//")[2], maxsplit=1)[0].lower()


def _is_posed(url: str) -> bool:
    """True for an address with a service's name in its host, and words about signing in."""
    return _WHOSE.search(_host_of(url)) is not None and _ENTERING.search(url.partition("//")[2]) is not None


_ASKED_FOR = r"(?:req|request|ctx\.request)\.body\.(?:pass\w*|pwd|pw)\b|\$_(?:POST|REQUEST|GET)(?:\[\s*[\"']?|\.)(?:pass\w*|pwd|pw|userpass\w*|login_?pass\w*)"
_TURNS_AWAY = lazy(
    r"\b(?:res(?:ponse)?|reply|ctx)\.redirect\s*\(\s*(?:30\d\s*,\s*)?[\"'`]https://|\bheader\s*\(\s*[\"']Location:\s*https?://",
    re.I,
)
_PASSWORD_ASKED = lazy(_ASKED_FOR, re.I)
_KEEPS = lazy(
    r"\b(?:mail|file_put_contents|fwrite|fputs|curl_exec|appendFile(?:Sync)?|writeFile(?:Sync)?|insertOne|fetch|sendMail|sendMessage)\s*\(",
    re.I,
)
_ANSWERS = (
    (_DISK, "shows whoever asks the whole disk"),
    (_TELLS_ENVIRONMENT, "answers whoever asks with the environment"),
    (_FILES_OF_REQUEST, "reads or writes any file that a request names"),
)


def _keeps_password(text: str) -> "re.Match[str] | None":
    """Where a password is taken that is kept or sent on behind it, or in the same call."""
    keeps = [found.span() for found in _KEEPS.finditer(text)]
    for found in _PASSWORD_ASKED.finditer(text) if keeps else ():
        behind = bisect.bisect_left(keeps, (found.end(),))
        if behind < len(keeps) and keeps[behind][0] - found.end() <= 3_000:
            return found
        if (
            behind
            and found.start() - keeps[behind - 1][1] <= 600
            and ";" not in text[keeps[behind - 1][1] : found.start()]
        ):
            return found
    return None


def asked(text: str) -> Iterator[Remark]:
    """What a server in JavaScript does that is asked to."""
    for pattern, what in _ANSWERS:
        if told := pattern.search(text):
            yield remark("command", what, text, told)
    if _TURNS_AWAY.search(text) and (kept := _keeps_password(text)):
        yield remark("command", "keeps the password that is entered, and leads to another site", text, kept)
    if not REQUEST_OF_SERVER.search(text):
        return
    values = Values(text, set())
    for found in itertools.islice(_EVALUATES.finditer(text), 200):
        if "asked" in values.tags([(found.end(), closing(text, found.end()))], found.start()):
            yield remark("command", "runs what a request says", text, found)
    for found in itertools.islice(_SHELLS.finditer(text), 200):
        if "asked" in values.tags([found.span("name")], found.start()) and re.search(
            rf"(?:\{{[^{{}}]{{0,100}}\b{re.escape(found['name'])}\b[^{{}}]{{0,100}}\}}|\b{re.escape(found['name'])})\s*=\s*[^;\n`+]{{0,60}}(?:req|request|body|query)\b",
            text,
        ):
            yield remark("command", "runs what a request says", text, found)
