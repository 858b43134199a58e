"""What settings, scripts and layers of containers have a server give to whoever asks it, told by form.

A console for debugging that asks for no number, a shell in a web page without a password, a server of notebooks without
one that a tunnel shows to everybody, a proxy that runs what is asked, a cluster whose every visitor owns it. Sources:
the documentation of Werkzeug, django-extensions, ttyd, Jupyter Server, OpenResty, Kubernetes, Terraform and OmegaConf.
"""

import itertools
import re
from collections.abc import Iterator

from modelscan_plus.core.patterns import lazy
from modelscan_plus.core.text import line_at, one_line, visible
from modelscan_plus.formats.text.commands import PRIVATE
from modelscan_plus.formats.text.facts import Remark

_WORTH = lazy(
    r"useradd|usermod|localgroup|env:|input\$|params|\$_(?:GET|POST|REQUEST|COOKIE|FILES)|QUERY_STRING|getParameter|Query\(|Json\(|server_addr|serverAddr|nodeIntegration|WERKZEUG|nopin|ttyd|gotty|wetty|shellinabox|webtty|jupyter|code-server|_by_lua|cluster-admin|xmr|miner|stratum|pool\.|\bdata\s+\"external\"|TOKEN|API_?KEY|SECRET",
    re.I,
)
_NO_PIN = lazy(r"^[^\n#]{0,200}?\bWERKZEUG_DEBUG_PIN\b[\"']?\s*[:=,\s]\s*[\"']?off\b", re.I | re.M)
_DEBUGS = lazy(
    r"\bFLASK_DEBUG[\"']?\s*[:=\s]\s*[\"']?(?:1|true|on)\b|\bFLASK_ENV[\"']?\s*[:=\s]\s*[\"']?development|\bflask\b[^\n]{0,80}\s--debug(?:ger)?\b|\bdebug\s*=\s*True",
    re.I,
)
_EVERYWHERE = lazy(r"0\.0\.0\.0|--host[=\s\"',]+::|\bHOST[=:\s]+[\"']?::")
_PLUS = lazy(
    r"\brunserver_plus\b[^\n]{0,200}?--nopin\b[^\n]{0,200}|--nopin\b[^\n]{0,200}?\brunserver_plus\b[^\n]{0,200}", re.I
)
_WEB_SHELL = lazy(
    r"(?:^|[\s\"'`/(;&|,])(?:ttyd|gotty|wetty|webtty)(?=[\s\"',])(?P<rest>[^\n]{0,400}?\b(?:ba|z|da|k|fi)?sh\b|[^\n]{0,400}?\blogin\b)",
    re.I | re.M,
)
_ASKS_FOR = lazy(r"(?:^|[\s\"',])(?:-c|--credential|-A|--ssl-ca|--auth-header|-H|--ssh-\w+|login)\b")
_NO_TOKEN = lazy(
    r"\bjupyter(?:[\s-]+(?:lab|notebook|server|nbclassic))\b[^\n]{0,600}?--(?:\w+App\.|IdentityProvider\.)?token(?:[=\s]+[\\\"']{2,4}|=)(?=[\s&;,\]]|$)|"
    r"\bcode-server\b[^\n]{0,300}?--auth[=\s]+none",
    re.I | re.M,
)
_TUNNEL = lazy(
    r"\bcloudflared\b[^\n]{0,200}?\btunnel\b|\bngrok\b[^\n]{0,80}?\b(?:http|tcp)\b|\blocaltunnel\b|\blt\s+--port|\bserveo\.net\b|\blocalhost\.run\b|\bbore\s+local\b|\bfrpc\b|\bpinggy\b|\bzrok\s+share\b|\bpyngrok\b",
    re.I,
)
_FRP = lazy(
    r"^[^\S\n]*\"?server_?[aA]ddr\"?\s*[=:]\s*[\"']?(?!127\.|localhost|0\.0|10\.|192\.168\.|\{|\$)[\w-]+(?:\.[\w-]+)+",
    re.M,
)
_SHOWN_PORT = lazy(r"^[^\S\n]*\"?local_?[pP]ort\"?\s*[=:]\s*[\"']?(?:22|23|445|3389|5900|5985)\b", re.M)
_INTEGRATED = lazy(r"\bnodeIntegration\s*:\s*true")
_LOADS_PAGE = lazy(r"\.loadURL\s*\(\s*[\"'`]https?://(?!localhost|127\.)")
_POSTS_ENVIRONMENT = lazy(
    r"\b(?:Get-ChildItem|gci|dir|ls)\s+env:"
    r"[\s\S]{0,800}?\bInvoke-(?:RestMethod|WebRequest)\b[^\n]{0,300}?-(?:Body|Method\s+[\"']?Post)",
    re.I,
)
"""In PowerShell: all variables, and a request that carries something away."""
_NEW_ACCOUNT = lazy(
    r"\buseradd\b[^\n]*(?:-G|--groups)[= ]\S*\b(?:sudo|wheel|root|admin)\b"
    r"|\busermod\b[^\n]*-a?G\w*\s+\S*\b(?:sudo|wheel|root|admin)\b|\bnet\s+localgroup\s+administrators\b[^\n]*/add"
)
_CONSTANT_PASSWORD = lazy(
    r"\becho\s+(?:-\w+\s+)?[\"']?[\w.-]+:[^\s\"'$]{3,60}[\"']?\s*\|\s*(?:sudo\s+)?chpasswd|\bnet\s+user\s+\w+\s+[^\s%$/]+\s+/add"
)
_ASKED_PROGRAM = lazy(
    r"\b(?:system2?|shell|source|eval\s*\(\s*parse|parse)\s*\(\s*(?:text\s*=\s*)?(?:(?:substring|substr|sub|gsub|paste0?|trimws|as\.character)\s*\(\s*)*(?:input|req)\$\w+"
    r"|\b(?:eval|instance_eval|system|exec|IO\.popen|Open3\.\w+)[\s(]+(?:params\s*[\[.]|request\.(?:body|params))|`\s*#\{\s*params\s*[\[.][^`]{0,100}`"
    r"|\b(?:system|exec|shell_exec|passthru|popen|proc_open|eval|assert|include|include_once|require|require_once|create_function)[\s(]+(?:base64_decode\s*\(\s*)?\$_(?:GET|POST|REQUEST|COOKIE)\b"
    r"|`\s*\$ENV\{QUERY_STRING\}|\b(?:system|exec|eval)[\s(]+(?:\$ENV\{QUERY_STRING\}|\$\w+->param\()"
    r"|(?:getRuntime\(\)\s*\.exec|new\s+ProcessBuilder)\s*\([^;]{0,80}?\brequest\.getParameter\b|\bProcess\.Start\s*\([^;]{0,80}?\bRequest\.(?:Query|Form)\b",
)
"""What a request holds is the command, code or file of a program in R, Ruby, PHP, Perl, Java or C#."""
_EXTRACTED = lazy(
    r"\b(?:Query|Json|Form|Path)\s*\(\s*(?:mut\s+)?(\w+)\s*\)\s*:|\b(\w+)\s*:\s*(?:web::)?(?:Query|Json|Form|Path)\s*<"
)
_SHELL_OF_RUST = lazy(
    r"Command::new\(\s*\"(?:ba|z|da)?sh\"\s*\)[^;]{0,60}?\.arg\(\s*\"-c\"\s*\)\s*\.arg\(\s*&?\s*(?P<what>\w+)\b"
)
_LUA = lazy(r"\b\w+_by_lua(?:_block|_file)?\b[\s\S]{0,6000}?(?:\bio\.popen|\bos\.execute|\bloadstring|\bload)\s*\(")
_LUA_ASKED = lazy(r"\bngx\.(?:var\.(?:arg_|args|http_|request|query|uri|cookie_)|req\.(?:get_|read_body|socket))")
_BINDING = lazy(r"\bcluster-?admin\b|\bname:\s*admin\b")
_ANYONE = lazy(r"\bsystem:(?:unauthenticated|anonymous|authenticated|serviceaccounts)\b(?!:)")
_EXTERNAL = lazy(rf"\bdata\s+\"external\"\s+\"(?P<name>\w+)\"\s*\{{(?:(?!\n\}})[\s\S]){{0,2000}}?{PRIVATE}")
_MINES = lazy(
    r"(?:^|[\s\"'`/;&|(])(?:\./)?(?:xmrig|xmr-stak\S*|minerd|cpuminer\S*|ccminer|nbminer|lolminer|t-rex|phoenixminer|ethminer|srbminer\S*|teamredminer|gminer)\b[^\n]{0,200}\s-|"
    r"\bstratum\+(?:tcp|ssl|tls)://|\s-o\s+[\w.-]+:\d{2,5}\s[^\n]{0,80}-u\s+\w{30,}|--donate-level\b",
    re.I | re.M,
)
_KEY_IN_ADDRESS = lazy(
    r"\b(?:https?|wss?)://(?:[^\s/@\"'<>]{0,200}@)?(?P<host>[\w-]+(?:\.[\w-]+)+(?::\d+)?)(?P<path>[^\s\"'<>`]{0,200}?)\$\{\{?\s*(?:oc\.env:|env[:.]|ENV[:.]|secrets\.|decrypt:)?\s*"
    r"(?P<key>\w*(?:TOKEN|API_?KEY|SECRET|PASSWORD)\w*)",
    re.I,
)
"""An address of which a credential is a part."""


def service_remarks(role: str, name: str, text: str) -> Iterator[Remark]:
    """What the text has a server give away, at most one remark of each kind."""
    if not _WORTH.search(text):
        return
    page = role in ("markdown", "markup") or (
        role == "text" and name.lower().endswith((".txt", ".rst", ".tex", ".csv"))
    )
    for what, found in _given(text, page=page):
        if found is not None:
            yield _remark("command", what, text, found)
    for found in itertools.islice(_KEY_IN_ADDRESS.finditer(text), 50) if role == "settings" else ():
        what = f"sends {visible(found['key'])} along with a request"
        yield _remark("key", what, text, found, found["host"].lower() + found["path"])


def shown_to_all(commands: str) -> bool:
    """True for commands, one a line, that start a server of notebooks without a password and show it by a tunnel."""
    return _TUNNEL.search(commands) is not None and _NO_TOKEN.search(commands) is not None


def web_shell(command: str) -> bool:
    """True for a command that gives whoever visits a page a shell."""
    found = _WEB_SHELL.search(command)
    return found is not None and not _ASKS_FOR.search(found["rest"])


def _given(text: str, *, page: bool) -> Iterator[tuple[str, "re.Match[str] | None"]]:
    open_to_all = _DEBUGS.search(text) is not None and _EVERYWHERE.search(text) is not None
    console = "lets whoever connects run what they like, from a debugger that asks for nothing"
    yield console, _NO_PIN.search(text) if open_to_all and not page else None
    plus = _PLUS.search(text)
    yield console, plus if plus and _EVERYWHERE.search(plus.group()) else None
    yield "mines coins", None if page else _MINES.search(text)
    if page:
        return
    yield "makes an account with a password of its author's that may do everything", _account(text)
    shell = _WEB_SHELL.search(text)
    yield (
        "gives whoever visits a shell without a password",
        shell if shell and not _ASKS_FOR.search(shell["rest"]) else None,
    )
    yield (
        "shows everybody a server without a password that runs code",
        _NO_TOKEN.search(text) if _TUNNEL.search(text) else None,
    )
    yield "sends secrets or the environment away", _POSTS_ENVIRONMENT.search(text)
    yield "gives another machine a way into this one", _tunnelled(text)
    yield (
        "gives a page of another host the rights of the program",
        _INTEGRATED.search(text) if _LOADS_PAGE.search(text) else None,
    )
    yield "runs what a request says", _ASKED_PROGRAM.search(text) or _rust(text)
    yield "runs what a request says", _LUA.search(text) if _LUA_ASKED.search(text) else None
    yield "makes everybody who reaches it the owner of the cluster", _bound(text)
    read = _EXTERNAL.search(text)
    told = read and re.search(
        rf"https?://[^\s\"]{{0,400}}?\$\{{[^{{}}\"]{{0,80}}data\.external\.{read['name']}\b", text
    )
    yield "sends secrets or the environment away", told or None


def _tunnelled(text: str) -> "re.Match[str] | None":
    """The server of frp, on another machine, that is shown a shell or screen of this one."""
    found = _FRP.search(text)
    return found if found and _SHOWN_PORT.search(text) else None


def _rust(text: str) -> "re.Match[str] | None":
    """A shell that a handler of a web program in Rust gives a field of the request as its script."""
    names = {each for found in itertools.islice(_EXTRACTED.finditer(text), 50) for each in found.groups() if each}
    for found in itertools.islice(_SHELL_OF_RUST.finditer(text), 50) if names else ():
        if found["what"] in names:
            return found
    return None


def _account(text: str) -> "re.Match[str] | None":
    """An account among those that become root, whose password stands there, outside of containers."""
    if re.search(r"^\s*FROM\s+\S", text, re.M):
        return None
    found = _NEW_ACCOUNT.search(text)
    return found if found and _CONSTANT_PASSWORD.search(text) else None


def _bound(text: str) -> "re.Match[str] | None":
    """The group of strangers that one document of a manifest gives all rights."""
    for part in text.split("\n---")[:200] if "ClusterRoleBinding" in text else ():
        if "ClusterRoleBinding" in part and _BINDING.search(part) and (found := _ANYONE.search(part)):
            return re.compile(re.escape(found.group())).search(text)
    return None


def _remark(kind: str, what: str, text: str, found: "re.Match[str]", host: str = "") -> Remark:
    shown = one_line(found.group()[-400:], 160)
    return Remark(kind, what, shown, line_at(text, found.start()), host)
