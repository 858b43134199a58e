"""What JavaScript does that no build step or page of a model needs. Looked for by form, not followed.

The effects are the same as in Python: the environment or credentials sent away, code that is decoded or fetched and
run, a shell tied to a connection.
"""

import itertools
import re
from collections.abc import Iterator

from modelscan_plus.core.patterns import lazy
from modelscan_plus.core.text import shorten, visible
from modelscan_plus.formats.text.commands import PRIVATE
from modelscan_plus.formats.text.facts import Remark

_SENDS = lazy(
    r"\b(?:fetch|axios(?:\.\w+)?|got(?:\.\w+)?|https?\.(?:request|get)|request(?:\.post)?|sendBeacon|XMLHttpRequest|"
    r"dns\.(?:resolve\w*|lookup)|net\.(?:connect|createConnection)|new\s+WebSocket)\s*\("
)
_ENVIRONMENT = lazy(
    r"(?:JSON\.stringify|Object\.(?:entries|keys|assign)|util\.inspect|btoa|querystring\.stringify|new\s+URLSearchParams)\s*\([^;]{0,200}?"
    r"\bprocess\.env\b(?!\s*(?:\.\s*\w|\[))|toJSON\(\s*secrets\s*\)",
    re.I,
)
_READS = lazy(rf"\b(?:readFile|readFileSync|createReadStream|openSync|cp|copyFileSync)\s*\([^;]{{0,200}}?{PRIVATE}")
_KEPT = (
    r"(?:document\.cookie|(?:local|session)Storage\.getItem\(\s*[\"'`][^\"'`]{0,40}"
    r"(?:token|key|secret|passw|auth)[^\"'`]{0,40}[\"'`]\s*\))"
)
_KEEPS = lazy(rf"\b(?:const|let|var)\s+(?P<name>[\w$]{{1,60}})\s*=\s*[^;\n]{{0,200}}?{_KEPT}", re.I)
_TO_HOST = lazy(
    r"(?:\b(?:fetch|sendBeacon|axios(?:\.\w+)?|open)\s*\(\s*|\.(?:src|href)\s*=\s*)[\"'`]https?://(?P<rest>[^;]{0,400})"
)
_RUNS = (
    r"(?:\beval|\bnew\s+Function|\bFunction|\bvm\.\w+|\bexec|\bexecSync|\(['\"]child_process['\"]\)\.\w+|\._compile)"
)
_DECODED = lazy(
    rf"{_RUNS}\s*\(\s*(?:[\w$.]+\(\s*)?(?:Buffer\.from\s*\([^;]{{0,20000}}?['\"](?:base64|hex)['\"]|atob\s*\(|decodeURIComponent\s*\(\s*['\"]%|"
    r"String\.fromCharCode\s*\()"
)
_FETCHED = lazy(
    rf"{_RUNS}\s*\(\s*(?:await\s+)?\(?\s*(?:await\s+)?(?:\(\s*await\s+)?(?:fetch|axios|got|request|httpGet)\b"
    r"|\.then\s*\(\s*(?:async\s*)?(?:eval\b|\(?\s*(?P<text>[\w$]+)\s*\)?\s*=>\s*\{?\s*(?:return\s+)?(?:eval|new\s+Function|Function)\s*\(\s*(?P=text)\b)"
)
_SHELL = lazy(r"(?:spawn|exec|execFile)\s*\(\s*['\"](?:/bin/)?(?:ba|z|da)?sh['\"]|cmd\.exe|powershell", re.I)
_SOCKET = lazy(r"net\.(?:connect|createConnection|Socket)|new\s+WebSocket|tls\.connect")


def javascript_remarks(text: str) -> Iterator[Remark]:
    """What the code does as a whole, at most one remark of each kind."""
    sends = _SENDS.search(text)
    taken = _ENVIRONMENT.search(text) or _READS.search(text)
    if sends and taken:
        yield _remark("sends secrets or the environment away", text, taken)
    if found := _browser_secret(text):
        yield _remark("sends away what the browser keeps of other pages, cookies or keys", text, found)
    if found := _DECODED.search(text):
        yield _remark("runs text that it decodes, unseen", text, found)
    if found := _FETCHED.search(text):
        yield _remark("runs what it fetches from the network", text, found)
    if (found := _SHELL.search(text)) and _SOCKET.search(text) and ".pipe(" in text:
        yield _remark("opens a shell to another machine", text, found)


def _browser_secret(text: str) -> "re.Match[str] | None":
    """The request to another host that takes cookies or stored keys along, directly or through a variable."""
    names = {found["name"] for found in itertools.islice(_KEEPS.finditer(text), 50)}
    carried = re.compile("|".join([_KEPT, *(rf"(?<![\w$]){re.escape(name)}(?![\w$])" for name in sorted(names))]), re.I)
    for found in itertools.islice(_TO_HOST.finditer(text), 500):
        if carried.search(found["rest"]):
            return found
    return None


def _remark(what: str, text: str, found: "re.Match[str]") -> Remark:
    shown = shorten(visible(" ".join(text[found.start() : found.end() + 80].split())), 160)
    return Remark("command", what, shown, text.count("\n", 0, found.start()) + 1)
