"""Remarks about lines of a script, a page or a notebook cell: commands, addresses, hidden characters, links."""

import re
from collections.abc import Iterator

from modelscan_plus.core.limits import BudgetExceeded
from modelscan_plus.core.patterns import lazy
from modelscan_plus.core.text import one_line, shorten, visible
from modelscan_plus.formats.text import commands, prose
from modelscan_plus.formats.text.facts import Remark

_MAY_COMMAND = lazy(
    r"curl|wget|useradd|usermod|adduser|iwr\b|irm\b|invoke-|iex\b|powershell|/dev/(?:tcp|udp)|\bnc\b|ncat|netcat|crontab|authorized_keys|base64|\$_(?:get|post|req|cook)|gzinflate|mshta|"
    r"certutil|\brm\s+-|mkfs|schtasks|currentversion|regsvr32|rundll32|bitsadmin|msiexec|downloadstring|mkfifo|bash -i|"
    r"\.bashrc|/etc/cron|launchagents|python[\d.]*\s+-c|\bdd\b|git\s+config|xxd|openssl|uudecode|printf|\brev\b|\beval\b|"
    r"\bdig\b|nslookup|socat|\benv\b|systemctl|chmod|\btail\b|\bstrings\b|<\(|\badd\s+https?:|sh\s|:\s*\(\)\s*\{|\|\s*\S*sh\b|nameserver|\w[:=]\d{1,3}\.\d|pam_exec|stratum|"
    r"\bpython[\d.]*\s+[\w./-]+\.(?!py)\w|\bnode\s+[\w./-]+\.\w|"
    r"\bxmr|miner|donate-level|t-rex|sudoers|/etc/hosts|\bscp\s|rsync|rclone|aws\s+s3|scheduledtask|new-service|\bsc(?:\.exe)?\s+create|startup|scriptblock|assembly|npx|bunx|uvx|pipx|\bssh\s|perl|ruby|\bphp\b|awk|outfile|downloadfile|gsutil|\s+upload\s|\bgit\s+add|\bset\s",
)  # fmt: skip
_ENDPOINT = lazy(
    r"^\s*(?:proxy|https?_proxy|all_proxy)\s*=\s*[\"']?(?:https?|socks\d?h?):|<url>\s*https?:|<add\s+[^>]{0,80}\bvalue=\"https?:|^\s*(?:-\s+|export\s+|ENV\s+|set\s+|\$env:)?[\"']?(?:[A-Z][A-Z0-9_]*_(?:BASE_URL|API_BASE|API_URL|ENDPOINT|PROXY|INDEX_URL|REGISTRY)|"
    r"HTTPS?_PROXY|HF_ENDPOINT|(?i:openai|anthropic)_api_base)[\"']?\s*[:= ]\s*[\"']?https?:"
    r"|^\s*(?:-\s+)?[\"']?\w*(?:webhook|telemetry|callback|collector|tracker|api_base|base_url|endpoint|server_url|report_to|upload_url|registry|tracking_uri|remote_write)\w*[\"']?\s*[:=]\s*[\"']?https?:"
    r"|(?:^|[{,\s])[\"']?resolved[\"']?\s{0,3}[:\s]\s{0,3}[\"']https?:|^\s*(?:wheels|sdist|source)\b.{0,80}\b(?:url|registry)\s*=\s*\"https?:"
)
"""A line by which programs send keys, or take packages, from an address; lock files of npm, yarn and uv among them."""
_COMMENT = lazy(r"\[//\]:\s{0,9}#\s{0,9}[(\"'](.{0,2000}?)[)\"']|\[comment\]:\s{0,9}<>\s{0,9}\((.{0,2000}?)\)")
_LINK = lazy(r"(?<!!)\[([^\]\[]{3,200})\]\(\s*<?(https?://[^)\s>]+)")
_ANCHOR = lazy(
    r"<a\s[^>]{0,200}?href\s{0,3}=\s{0,3}[\"']?(https?://[^\"'\s>]{1,400})[^>]{0,200}>([^<]{3,200})</a>", re.I
)
_HIDES = lazy(
    r"display\s*:\s*none|visibility\s*:\s*hidden|font-size\s*:\s*0|opacity\s*:\s*0(?![.\d])|\shidden\b|color\s*:\s*(?:white|#fff(?:fff)?)\b",
    re.I,
)
_TAG = lazy(r"<\w{1,20}\s")
_WITHIN = lazy(r"[^>]{0,400}>(?P<text>[^<]{1,4000})")
_REACH = 400
"""Characters between the name of a tag and what hides it."""
_ENTITY = lazy(
    r"<!ENTITY\s+(?:%\s+)?[\w.:-]{1,100}\s+(?:SYSTEM|PUBLIC\s+[\"'][^\"']{0,400}[\"'])\s+[\"'][^\"']{1,400}[\"']", re.I
)
_SCRIPT = lazy(
    r"<script[\s>]|<iframe[\s>]|<object[\s>]|<embed[\s>]|<[a-z]{1,20}\s[^<>]{0,200}\bon(?:error|load|click|mouseover)\s*=|"
    r"(?:href|src)\s*=\s*[\"']?\s*(?:javascript|vbscript|data:text/html)\s*:|<foreignObject|<!ENTITY",
    re.I,
)
_OPENS = lazy(
    r"\b(?:search-ms|ms-search|search|ms-officecmd|ms-msdt|ms-appinstaller|shell):(?:query|\?source|/id|displayname|crumb|[^\s)\"'<>]{0,200}\\\\)|<\w+:script\b[^>]{0,200}>[^<]{0,2000}(?:ActiveXObject|WScript)",
    re.I,
)
"""An address that has Windows show another machine's folder as its own, or start something."""
_NESTED_ENTITY = lazy(r"<!ENTITY\s+\w+\s+[\"'](?:&\w+;\s*){5,}[\"']")
_GIVES_PROGRAM = lazy(
    r"<meta\s[^>]{0,100}?http-equiv\s*=\s*[\"']?refresh[^>]{0,100}?url\s*=\s*[^>\s]{0,300}?\.(?:exe|msi|scr|bat|cmd|ps1|vbs|hta|dmg|pkg|apk|jar|iso)\b"
    r"|\blocation(?:\.href)?\s*=\s*[\"'`]https?://[^\"'`\s]{0,300}?\.(?:exe|msi|scr|bat|cmd|ps1|vbs|hta|dmg|pkg|apk|jar|iso)\b",
    re.I,
)
_SENDING = (
    r"(?:fetch\s*\(|XMLHttpRequest|sendBeacon|new\s+Image|\.src\s*=|\.open\s*\(\s*[\"']POST|location\s*=|import\s*\()"
)
_SENDING_HANDLER = lazy(
    rf"<[a-z]{{1,20}}\s[^<>]{{0,400}}?\bon[a-z]{{4,12}}\s*=\s*[\"']?[^>]{{0,400}}?(?:{_SENDING}|document\.cookie|eval\s*\(|atob\s*\()",
    re.I,
)
_OPENS_SCRIPT = lazy(r"<script[^<>]{0,200}>", re.I)
_CLOSES_SCRIPT = lazy(r"</script", re.I)
_SENDING_CODE = lazy(
    rf"(?:document\.cookie|localStorage|sessionStorage)[\s\S]{{0,400}}?{_SENDING}|"
    rf"{_SENDING}[\s\S]{{0,400}}?(?:document\.cookie|localStorage|sessionStorage)|eval\s*\(\s*atob",
    re.I,
)
_FENCED = lazy(r"^[ \t>]{0,8}(```|~~~)[\s\S]{0,40000}?^[ \t>]{0,8}\1|`[^`\n]{1,400}`", re.M)
_PROTECTION = lazy(
    r"\b(?:disable|turn\s+off|switch\s+off|deactivate|whitelist\s+(?:it|this|the\s+\w+)\s+in|add\s+\w*\s*exclusion\w*\s+(?:to|in))\s+(?:\w+\s+){0,3}?"
    r"(?:antivirus|anti-virus|windows\s+defender|defender|smartscreen|real-time\s+protection|firewall|gatekeeper|selinux)"
    r"|Set-MpPreference\b|Add-MpPreference\s+-ExclusionPath|xattr\s+-[rc]+\w*\s+com\.apple\.quarantine|spctl\s+--master-disable"
    r"|amsiInitFailed|AmsiUtils|AmsiScanBuffer"
    r"|netsh\s+advfirewall\s+set\s+\w+\s+state\s+off|setenforce\s+0",
    re.I,
)
_PASSWORD_ARCHIVE = lazy(
    r"\b(?:password|passwd|pass)\s*(?:is\s*:?|:)\s*[\"'`]?\w{3,20}.{0,80}\b(?:zip|rar|7z|archive)\b|\.(?:zip|rar|7z)\b.{0,80}\bpassword\s*(?:is|:)",
    re.I,
)
_RUN_FILE = lazy(
    r"\b(?:run|execute|launch|start|double[- ]click(?:\s+on)?|open)\s+(?:the\s+)?[`\"'*]{0,3}(?P<file>[\w./\\-]+\.(?:bat|cmd|exe|ps1|vbs|scr|msi|hta|jar|lnk|command|pkg|dmg|appimage))\b",
    re.I,
)
POSES = ", whose host carries the shown name"
"""How the remark about a link ends whose host poses as the shown one."""
_WINDOW = 4
_LINE = 2_000
"""Characters of one line that are looked at at once."""
_OVERLAP = 400
_BLANKS = lazy(r"[ \t]{3,}")
_LOOKED = 1_500_000
"""Characters of lines that may hold a command, with the lines behind them, that are looked at in one text."""
_KEPT = 200


def script_remarks(text: str, first_line: int = 1, *, unseen: bool = False, whole: bool = False) -> Iterator[Remark]:
    """Remarks about lines that a shell or a person runs; raises `BudgetExceeded` where there are too many.

    `whole`: lines of any length are looked at to their end, as those of scripts are; else to `_LINE` characters."""
    lines = [
        line if len(line) <= _LINE else _BLANKS.sub("  ", line)  # a command may stand far to the right of another
        for line in text.replace("\\\n", " ").replace("^\n", " ").split("\n")
    ]
    seen: set[str] = set()
    windows: set[str] = set()
    looked = 0
    for number, line in _in_parts(lines) if whole else enumerate(lines):
        if not _MAY_COMMAND.search(line[: 2 * _LINE].lower()):
            continue
        window = "\n".join(part[:_LINE] for part in (line, *lines[number + 1 : number + _WINDOW]))
        if window not in windows:
            looked += len(window)
            if looked > _LOOKED:
                raise BudgetExceeded("budget-text", "more text that may be commands than is looked at")
        command = prose.hostile_command(window) if window not in windows else None
        windows.add(window)
        if command and command[1] not in seen and not _is_comment(line):
            seen.add(command[1])
            host = _host(command[1]) or _host(window)  # lines around it may name others
            yield Remark("command", command[0], command[1], first_line + number, host, unseen)
        if (sent := commands.KEY_SENT.search(line[:4000])) and prose.URL.search(line):
            what = f"sends {visible(sent['key'])} along with a request"
            yield Remark("key", what, _cut(line, sent), first_line + number, _host(line), unseen)
    for number, line in enumerate(lines):
        line = line[:8000]
        if found := _PROTECTION.search(line):
            yield Remark(
                "protection", "asks to switch protection off", _cut(line, found), first_line + number, "", unseen
            )
        if ("http" in line or "ftp" in line) and (odd := prose.odd_url(line)):
            kind, does = ("endpoint", "has a client use") if _ENDPOINT.search(line) else ("url", "names")
            yield Remark(kind, f"{does} {odd[1]}", odd[0], first_line + number, _host(line), unseen)


def _in_parts(lines: list[str]) -> Iterator[tuple[int, str]]:
    """Each line with its number; a long one in parts that overlap."""
    for number, line in enumerate(lines):
        yield from ((number, line[at : at + _LINE]) for at in range(0, max(1, len(line) - _OVERLAP), _LINE - _OVERLAP))


def page_remarks(text: str, first_line: int = 1) -> Iterator[Remark]:
    """Remarks about a page that people, and agents, read."""
    yield from script_remarks(text, first_line)
    for start, comment in _comments(text):
        yield from _unseen_text(comment, _line(text, start, first_line))
    for found in _COMMENT.finditer(text):
        yield from _unseen_text(next(filter(None, found.groups()), ""), _line(text, found.start(), first_line))
    for start, hidden in hidden_texts(text):
        yield from _unseen_text(hidden, _line(text, start, first_line))
    for found in _LINK.finditer(text):
        yield from _link(found[1], found[2], _line(text, found.start(), first_line))
    for found in _ANCHOR.finditer(text):
        yield from _link(found[2], found[1], _line(text, found.start(), first_line))
    if started := _RUN_FILE.search(text):
        what = "tells the reader to start a program that comes along"
        yield Remark("start", what, _cut(text, started), _line(text, started.start(), first_line), started["file"])
    if opened := _OPENS.search(text):
        what = "has Windows open a folder of another machine or start something"
        yield Remark("active", what, _cut(text, opened), _line(text, opened.start(), first_line))
    if locked := _PASSWORD_ARCHIVE.search(text):
        what = "hands out an archive with a password, which no scanner can open"
        yield Remark("protection", what, _cut(text, locked), _line(text, locked.start(), first_line))
    yield from hidden_remarks(text, first_line)
    for part in prose.encoded_parts(text, limit=20):
        if part.kind != "text" or prose.hostile_command(part.decoded) or prose.addressed_to_agent(part.decoded):
            before = text[max(0, part.position - 40) : part.position]
            if not re.search(r"data:[\w/+.-]+;base64,\s*$", before):
                line = _line(text, part.position, first_line)
                yield Remark("encoded", f"decodes to {part.decoded}", shorten(text[part.position :][:80]), line)


def _comments(text: str) -> Iterator[tuple[int, str]]:
    """Comments of HTML; one that does not end, as at the end of a page, goes on to its end."""
    start = text.find("<!--")
    for _ in range(_KEPT * 10):
        if start < 0:
            return
        end = text.find("-->", start + 4)
        yield start, text[start + 4 : end if end >= 0 else start + 20_000]
        start = text.find("<!--", end) if end >= 0 else -1


def hidden_remarks(text: str, first_line: int = 1, *, only_letters: bool = False) -> Iterator[Remark]:
    """Characters that nobody sees; in word lists only invisible letters count."""
    hidden = prose.hidden_characters(text)
    if hidden is None or (only_letters and (hidden.kind != "tags" or hidden.count < 8)):
        return
    around = shorten(visible(text[max(0, hidden.position - 40) : hidden.position + 40]), 200)
    spelt = f" that spell: {hidden.decoded}" if hidden.decoded else ""
    what = f"holds {hidden.count:,} {hidden.kind} characters{spelt}"
    host = "tags" if hidden.kind == "tags" else "bidi" if hidden.kind == "bidi" else ""
    if hidden.kind != "zero-width" or hidden.count > 3:
        yield Remark("hidden", what, around, _line(text, hidden.position, first_line), host)


def markup_remarks(text: str, first_line: int = 1) -> Iterator[Remark]:
    """Markup that runs in a browser or viewer, or has it open something else."""
    if found := _ENTITY.search(text):
        what = "has its reader open another file or address, as an external entity"
        yield Remark("active", what, _cut(text, found), _line(text, found.start(), first_line))
    if found := _NESTED_ENTITY.search(text):
        what = "holds entities that grow without end when they are read"
        yield Remark("active", what, _cut(text, found), _line(text, found.start(), first_line))
    if found := _GIVES_PROGRAM.search(text):
        what = "has the browser fetch a program"
        yield Remark("active", what, _cut(text, found), _line(text, found.start(), first_line))
    if found := _SCRIPT.search(text):
        yield Remark(
            "script", "runs in the program that shows it", _cut(text, found), _line(text, found.start(), first_line)
        )


def output_remarks(text: str, first_line: int = 1) -> Iterator[Remark]:
    """Markup of a saved output or picture, which nobody opens as a program: what would send something, or run code."""
    if found := _SENDING_HANDLER.search(text) or _sending_script(text):
        what = "runs in the program that shows it and sends or fetches something"
        yield Remark("active", what, _cut(text, found), _line(text, found.start(), first_line))
    else:
        yield from markup_remarks(text, first_line)


def _sending_script(text: str) -> "re.Match[str] | None":
    """Where a script sends what the browser keeps; each script is read once, and an opening tag in it is part of it."""
    end = 0
    while opened := _OPENS_SCRIPT.search(text, end):
        closes = _CLOSES_SCRIPT.search(text, opened.end())
        end = closes.start() if closes else len(text)
        if found := _SENDING_CODE.search(text, opened.end(), end):
            return found
    return None


def handler_remarks(text: str) -> Iterator[Remark]:
    """Handlers in a page of Markdown that send or fetch something; code that it shows is none."""
    bare = _FENCED.sub(lambda found: "\n" * found.group().count("\n"), text) if "<" in text else ""
    if found := _SENDING_HANDLER.search(bare):
        what = "runs in the program that shows it and sends or fetches something"
        yield Remark("active", what, _cut(bare, found), _line(bare, found.start(), 1))


def native_remarks(text: str) -> Iterator[Remark]:
    """Programs that C or C++ source starts."""
    if what := prose.native_start(text):
        found = prose.NATIVE_START.search(text)
        at = found.start() if found else 0
        shown = one_line(text[max(0, at - 20) : at + 120], 160)
        yield Remark("native", what, shown, _line(text, at, 1))


def hidden_texts(text: str) -> Iterator[tuple[int, str]]:
    """Texts of tags that are not shown, with the start of the tag.

    Looked for from what hides them: a page of tags that never close would be read 400 characters at each of them."""
    end = 0
    for hides in _HIDES.finditer(text):
        if hides.start() < end:
            continue
        low = max(end, hides.start() - _REACH - 22)
        low = max(low, text.rfind(">", low, hides.start()) + 1)
        tags = _TAG.finditer(text, low, hides.start())
        tag = next((tag.start() for tag in tags if hides.start() - tag.end() <= _REACH), None)
        if tag is not None and (shown := _WITHIN.match(text, hides.end())):
            yield tag, shown["text"]
            end = shown.end()


def _unseen_text(text: str, line: int) -> Iterator[Remark]:
    if prose.addressed_to_agent(text) or prose.hostile_sentence(text):
        what = "gives orders to a model where no reader of the page sees them"
        yield Remark("agent", what, one_line(text, 200), line, "", True)
    yield from script_remarks(text, line, unseen=True)


def _link(shown: str, address: str, line: int) -> Iterator[Remark]:
    named = re.fullmatch(r"[`*_\s]*(?:https?://)?((?:[\w-]+\.)+[a-z]{2,12})(?:[/?#:]\S*)?[`*_\s]*", shown, re.I)
    found = prose.URL.match(address)
    if named is None or found is None:
        return
    left, right = _registered(named.group(1)), _registered(found.group(1))
    if (
        left
        and right
        and left != right
        and not shown.lower().endswith((".py", ".md", ".sh", ".json", ".txt", ".bin", ".ai"))
    ):
        yield Remark(
            "link",
            f"shows {visible(left)} and leads to {visible(right)}{POSES if _poses(named.group(1), found.group(1)) else ''}",
            shorten(visible(f"[{shown}]({address})"), 200),
            line,
            right,
        )


def _poses(shown: str, host: str) -> bool:
    """True when the host is written so that it looks like the shown one: github.com.a.example, github-login.example."""
    left, right = _registered(shown), _registered(host)
    shown, host = ".".join(shown.lower().split(".")[-2:]), host.lower().partition(":")[0]
    name, own = shown.partition(".")[0], right.partition(".")[0]
    # The same name below another ending, or below a host of pages (pytorch.github.io), is mostly the same owner's.
    if left == right or len(name) < 5 or own == name:
        return False
    return f".{shown}." in f".{host.replace('-', '.')}." or name in own.split("-")


def _registered(host: str) -> str:
    parts = host.lower().rpartition("@")[2].partition(":")[0].strip(".").split(".")
    same = {"huggingface.co": "hf.co", "youtu.be": "youtube.com", "twitter.com": "x.com", "github.io": "github.com"}
    name = ".".join(parts[-2:])
    return same.get(name, name)


def _host(text: str) -> str:
    found = prose.URL.search(text)
    if found is None:
        return ""
    scheme = "http:" if found.group().lower().startswith("http:") else ""
    path = "/".join(found.group(2).split("/")[:3])
    return visible(scheme + found.group(1).lower() + path)


def _line(text: str, position: int, first_line: int) -> int:
    return first_line + text.count("\n", 0, position)


def _cut(text: str, found: "re.Match[str]") -> str:
    part = text[max(0, found.start() - 20) : found.end() + 60]
    return one_line(part, 160)


def _is_comment(line: str) -> bool:
    return line.lstrip().startswith(("#", "rem ", "REM ", "::", "//")) and not line.lstrip().startswith(("#!", "//go:"))
