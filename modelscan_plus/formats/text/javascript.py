"""What JavaScript does that no build step or page of a model needs, by form and by what its values come from.

The effects are the same as in Python: the environment or credentials sent away, code that is decoded or fetched and
run, a shell tied to a connection.
"""

import itertools
import re
from collections.abc import Iterator

from modelscan_plus.core.patterns import lazy
from modelscan_plus.core.text import line_at, one_line, visible
from modelscan_plus.formats.text.commands import PRIVATE
from modelscan_plus.formats.text.facts import Remark
from modelscan_plus.formats.text.javascript_flow import Found, folded, followed
from modelscan_plus.formats.text.remarks import script_remarks

_SENDS = lazy(
    r"\b(?:fetch|axios(?:\.\w+)?|got(?:\.\w+)?|https?\.(?:request|get)|request(?:\.post)?|sendBeacon|XMLHttpRequest|"
    r"dns\.(?:resolve\w*|lookup)|net\.(?:connect|createConnection)|new\s+WebSocket)\s*\("
)
_ENVIRONMENT = lazy(
    r"\bDeno\.env\.toObject\s*\(|(?:JSON\.stringify|Object\.(?:entries|keys|assign)|util\.inspect|btoa|querystring\.stringify|new\s+URLSearchParams)\s*\([^;]{0,200}?"
    r"\bprocess\.env\b(?!\s*(?:\.\s*\w|\[))|toJSON\(\s*secrets\s*\)",
    re.I,
)
_READS = lazy(rf"\b(?:readFile|readFileSync|createReadStream|openSync|cp|copyFileSync)\s*\([^;]{{0,200}}?{PRIVATE}")
_KEPT = (
    r"(?:document\.cookie|(?:local|session)Storage\.getItem\(\s*[\"'`][^\"'`]{0,40}"
    r"(?:token|key|secret|passw|auth)[^\"'`]{0,40}[\"'`]\s*\)|\b[\w$]{1,40}\.accessToken\b)"
)
_HUB = lazy(r"^(?:[\w-]+\.)*(?:huggingface\.co|hf\.co|hf\.space)(?:[/\"'`?]|$)", re.I)
"""Where tokens of the hub may go."""
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
    written = folded(text)
    told: set[str] = set()
    for remark in [*_by_form(text), *(_by_form(written) if written != text else ()), *_by_values(written)]:
        if remark.what not in told:
            told.add(remark.what)
            yield remark
    if "child_process" in written and "child_process" not in text:
        at = re.compile("child_process").search(written)
        if at is not None:
            yield _remark("hides that it starts programs", written, at)
    if written != text:
        yield from (
            remark for remark in script_remarks(written) if remark.kind == "command" and remark.what not in told
        )


def _by_values(text: str) -> Iterator[Remark]:
    """What is done with values that were fetched, decoded, or are secret."""
    for found in followed(text):
        at = re.compile(r"[^\n]{1,200}").match(text, found.position)
        if found.what == "sends key":
            yield from _of_key(text, found)
            continue
        if found.what.startswith("sends") and not found.host:
            continue
        if at is not None:
            yield _remark(_WHAT[found.what], text, at)


def _of_key(text: str, found: Found) -> Iterator[Remark]:
    """One credential goes along; whether to its own service, the rules know."""
    if found.host and (key := _KEY.search(text)):
        shown = _remark("", text, key)
        yield Remark("key", f"sends {visible(key['name'])} along with a request", shown.text, shown.line, found.host)


def _by_form(text: str) -> Iterator[Remark]:
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


_WHAT = {
    "runs fetched": "runs what it fetches from the network", "runs decoded": "runs text that it decodes, unseen",
    "sends secret": "sends secrets or the environment away",
    "sends kept": "sends away what the browser keeps of other pages, cookies or keys",
}  # fmt: skip
_KEY = lazy(
    r"\bprocess\.env\s*(?:\.\s*|\[\s*[\"'`])(?P<name>\w*(?:TOKEN|SECRET|PASSW|API_?KEY|ACCESS_KEY|PRIVATE_KEY)\w*)",
    re.I,
)


def _browser_secret(text: str) -> "re.Match[str] | None":
    """The request to another host that takes cookies or stored keys along, directly or through a variable."""
    names = {found["name"] for found in itertools.islice(_KEEPS.finditer(text), 50)}
    carried = re.compile("|".join([_KEPT, *(rf"(?<![\w$]){re.escape(name)}(?![\w$])" for name in sorted(names))]), re.I)
    for found in itertools.islice(_TO_HOST.finditer(text), 500):
        if carried.search(found["rest"]) and not _HUB.match(found["rest"]):
            return found
    return None


def _remark(what: str, text: str, found: "re.Match[str]") -> Remark:
    shown = one_line(text[found.start() : found.end() + 80], 160)
    return Remark("command", what, shown, line_at(text, found.start()))
