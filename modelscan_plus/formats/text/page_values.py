"""What the names of a page or script hold, and where it sends them: a light reading, by the order of the text.

Fields that ask for something secret are known by their markup, their values by the ways in which scripts read them.
Sources: the HTML standard, ECMA-262, the Fetch standard, the documentation of React, Vue and Svelte.
"""

import itertools
import re
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from modelscan_plus.core.patterns import lazy
from modelscan_plus.core.text import line_at, one_line
from modelscan_plus.formats.text.facts import Remark
from modelscan_plus.formats.text.javascript_flow import Flow, closing, statement_before

FIELD = lazy(
    r"<(?:input|textarea)\b(?P<rest>(?:[^<>\"'{}]++|\"[^\"]{0,400}\"|'[^']{0,400}'|\{[^{}]{0,400}\}|=>){0,60})", re.I
)
ASKS_PASSWORD = lazy(r"\btype\s*=\s*\{?[\"'`]?password\b", re.I)
ASKS_KEY = lazy(
    r"(?:placeholder|aria-label|title)\s*=\s*\{?[\"'`][^\"'`]{0,80}?(?:\bhf_|\bsk-|api[ _-]?key|access token|\btoken\b|private key|(?:seed|recovery) phrase|\bpassword\b)",
    re.I,
)
_NAMED = lazy(
    r"\b(?:id|name|v-model(?:\.\w+)?|bind:value|ref|value)\s*=\s*(?:\{|[\"'`]?\{?)\s*(?P<name>[A-Za-z_$][\w$.-]{0,60})",
    re.I,
)
PHRASE = lazy(
    r"\b(?:(?:secret\s+)?(?:recovery|seed|backup|mnemonic)\s+(?:phrase|words)|(?:12|24)[\s-](?:or[\s-]24[\s-])?words?\s+\w*\s*phrase|private\s+key\s+of\s+your\s+wallet)",
    re.I,
)
_SENDERS = (
    r"(?:window\.|self\.|globalThis\.)?fetch|axios(?:\.\w+)?|navigator\.sendBeacon|sendBeacon|(?:\$|jQuery)\.(?:post|ajax|get|getJSON)|ky(?:\.\w+)?|"
    r"superagent\.\w+|[\w$]{1,30}\.(?:send|emit|postMessage)"
)
_KEPT_FETCH = lazy(
    r"(?:const|let|var)\s+(?P<name>[A-Za-z_$][\w$]{0,40})\s*=\s*(?:window\.|self\.|globalThis\.)?fetch\b(?!\s*\()"
)
"""The function that sends, kept under another name."""
_SENDS = lazy(rf"(?<![\w$.])(?P<call>{_SENDERS})\s*\(")
_KEEPERS = lazy(
    r"\bemailjs\.send(?:Form)?\s*\(|\b(?:addDoc|setDoc)\s*\(|(?<![\w$.])(?:push|set)\s*\(\s*ref\s*\(|\.from\s*\([^()]{1,60}\)\s*\.(?:insert|upsert)\s*\(|"
    r"\.collection\s*\([^()]{1,60}\)\s*\.add\s*\(|\.database\(\)\.ref\([^()]{0,60}\)\.(?:push|set)\s*\("
)
"""Calls by which a page has a service keep something for its author."""
_LOADS = lazy(
    r"(?:new\s+Image\s*\([^)]{0,20}\)|createElement\s*\(\s*[\"'`]img[\"'`]\s*\)|[\w$]{1,30})\.src\s*=\s*(?P<value>[^;\n]{8,600})"
)
_OPEN = lazy(r"\.open\s*\(\s*[\"'`](?:POST|GET|PUT)[\"'`]\s*,\s*(?P<url>[\"'`][^\"'`\n]{3,400})", re.I)
_SOCKET = lazy(r"new\s+WebSocket\s*\(\s*(?P<url>[\"'`][^\"'`\n]{3,400})", re.I)
_FOREIGN = lazy(
    r"\s*[\"'`]\s*(?P<scheme>https?:|wss?:)?//(?P<host>[^\s/\"'`?#$)]{3,200})(?P<rest>[^\"'`\s]{0,300})", re.I
)
_URL_KEY = lazy(r"\burl\s*:\s*(?P<url>[\"'`](?:https?:)?//[^\"'`\n]{3,400})", re.I)
_ASSIGNED = lazy(
    r"(?<![\w$.])(?:(?:(?:const|let|var)\b\s*)?(?P<name>[A-Za-z_$][\w$]{0,60}|\{[^{}=]{1,200}\})\s*\+?=(?![=>])|(?P<list>[A-Za-z_$][\w$]{0,60})\.push\s*\()"
    r"(?=\s*(?P<value>[^;\n]{1,1500}))"
)
_CALLBACK = lazy(
    r"\.then\s*\(\s*(?:async\s*)?(?:function\s*\w*\s*)?\(?\s*(?P<name>[A-Za-z_$][\w$]{0,40})\s*\)?\s*(?:=>|\{)"
)
_READS_PASSWORD = lazy(
    r"[\"'`#]\w{0,20}(?:passw|passwd|pwd|seed_?phrase|mnemonic|recovery)\w{0,20}[\"'`]\s*\)(?:\[0\]|\s*as\s+\w+\s*\)|!)?\.(?:value|val\(\))",
    re.I,
)
_READS_FORM = lazy(r"new\s+FormData\s*\(|\.serialize(?:Array)?\s*\(", re.I)
_READS_ELEMENT = lazy(
    r"(?:getElementById|getElementsByName|querySelector|\$)\(\s*[\"'`](?P<by>[^\"'`]{1,100}?)\]?[\"'`]\s*\)(?:\[0\]|\s*as\s+\w+\s*\)|!)?\.(?:value|val\(\))",
    re.I,
)
_LISTENS_TO = lazy(
    r"(?:getElementById|querySelector|\$)\(\s*[\"'`](?P<by>[^\"'`]{1,100}?)\]?[\"'`]\s*\)(?:\[0\])?\.(?:addEventListener|on)\s*\(|"
    r"(?:getElementById|querySelector)\(\s*[\"'`](?P<of>[^\"'`]{1,100}?)\]?[\"'`]\s*\)\.on(?:change|input|blur|keyup)\s*=",
    re.I,
)
_ITS_VALUE = lazy(r"(?:\.(?:target|currentTarget)|\bthis)\.value\b")
"""What a listener on a field is told."""
_READS_VALUE = lazy(r"(?<![\w$\"'`/-])(?P<name>[\w$-]{1,80}?)(?:\.current)?\.value\b", re.I)
_READS_NAME = lazy(
    r"(?<![\w$.\"'`/-])(?:(?:this|form|state|data|values|formData|credentials|user|self)\.)?(?P<name>[A-Za-z_$][\w$-]*+)(?![\"'`(:.=])",
    re.I,
)
"""Ways in which scripts read a field; which one is meant, its name says."""
_NEAR = 8_000
MOST = 2_000
_LOCAL_ASKED = lazy(
    r"(?:fetch|axios\.get|open)\s*\(\s*(?:[\"'`]GET[\"'`]\s*,\s*)?[\"'`]https?://(?:127\.0\.0\.1|localhost|0\.0\.0\.0|192\.168\.)[^\"'`]{0,200}"
)
_SECRETS_ASKED = lazy(
    r"(?:fetch|fetchApi|\$\.(?:get|post))\s*\(\s*[\"'`](?:/api/secrets/\w+|/api/settings/get|/api/users/\w+|/api/v1/auths?/?|/api/kernels|/api/contents|/api/terminals)\b"
)
_KEPT_WHOLE = lazy(
    r"\b(?:local|session)Storage\s*\[\s*[\w$]+\s*\]|\.\.\.\s*(?:local|session)Storage|Object\.(?:entries|assign|fromEntries)\s*\([^()]{0,40}(?:local|session)Storage|"
    r"JSON\.stringify\s*\(\s*(?:window\.)?(?:local|session)Storage\s*[,)]|(?:local|session)Storage\.key\s*\(|"
    r"(?:local|session)Storage\.(?:getItem\(\s*[\"'`])?\w{0,30}(?:token|secret|passw|auth|api_?key)|"
    r"\b(?:chrome|browser)\.(?:cookies\.getAll|history\.search|tabs\.captureVisibleTab|bookmarks\.getTree|identity\.getAuthToken)|document\.cookie|\bclipboard\.readText\b",
    re.I,
)
_ANSWERED = lazy(r"(?:[=(?:]|\breturn|\bawait\s+\(?\s*await)\s*\(?\s*(?:await\s+)?\(?\s*$|=>\s*(?:await\s+)?$")
_ON = lazy(
    r"(?:\.(?:then|catch|finally|forEach|map)\s*\(|\baddEventListener\s*\(\s*[\"'`]\w{1,30}[\"'`]\s*,)\s*(?:async\s*)?\(?[\w$\s,]{0,60}\)?\s*=>\s*(?:await\s+)?$"
)
"""A request that follows on something, and whose answer nothing follows on."""
_THEN = lazy(
    r"\s*\)?\s*(?:\.catch\([^()]{0,40}\))?\s*\.then\s*\(\s*(?:async\s*)?(?:function\s*\w*\s*)?\(?\s*\{?\s*[A-Za-z_$]"
)
REQUEST_OF_SERVER = lazy(
    r"\bawait\s+(?:req|request|ctx\.req|c\.req)\.(?:json|text|formData)\s*\(|(?<![\w$.])(?:req|request|ctx\.request|event)\.(?:body|query|params|headers)\b|\bctx\.query\b|\bgetQuery\s*\(|\breadBody\s*\("
)

_TAGS = (
    ("kept", _KEPT_WHOLE), ("local", _LOCAL_ASKED), ("local", _SECRETS_ASKED), ("asked", REQUEST_OF_SERVER),
)  # fmt: skip


def secret_fields(text: str) -> set[str]:
    """Names and ids of the fields by which a page asks for something secret, and of the variables that are tied to them."""
    found: set[str] = set()
    phrase = PHRASE.search(text) is not None
    for field in itertools.islice(FIELD.finditer(text), MOST):
        rest = field["rest"]
        if phrase or ASKS_PASSWORD.search(rest) or ASKS_KEY.search(rest):
            found |= {each["name"].rpartition(".")[2] for each in _NAMED.finditer(rest)}
    return found - {
        "value",
        "target",
        "event",
        "e",
        "type",
        "text",
        "password" if not ASKS_PASSWORD.search(text) else "",
    }


class Values:
    """What names hold, by the places at which they are assigned."""

    def __init__(self, text: str, fields: set[str]) -> None:
        known = ((found.start(), found.end(), tag) for tag, each in _TAGS for found in each.finditer(text))
        self._flow = Flow(text, itertools.chain(known, _reads(text, fields)), _NEAR)
        for found in itertools.islice(_ASSIGNED.finditer(text), MOST):
            if tags := self.tags([found.span("value")], found.start()):
                for name in re.findall(r"[A-Za-z_$][\w$]*", found["name"] or found["list"]):
                    self._flow.note(name, found.start(), tags)
        for found in itertools.islice(_CALLBACK.finditer(text), MOST):
            if tags := self.tags([statement_before(text, found.start(), 200)], found.start()):
                self._flow.note(found["name"], found.start(), tags)

    def tags(self, spans: Iterable[tuple[int, int]], at: int) -> set[str]:
        """Where what stands in these stretches comes from: "secret", "kept", "local", "asked"."""
        return {tag for start, end in spans for tag in self._flow.tags(start, end, at)}


def _reads(text: str, fields: set[str]) -> Iterator[tuple[int, int, str]]:
    """Where a field for something secret is read, by its name or as a part of its form."""
    names = frozenset(each.lower() for each in fields if each)
    ends = tuple(names)
    found = [*_READS_PASSWORD.finditer(text)]
    if names:
        found += _READS_FORM.finditer(text)
        found += (each for each in _READS_ELEMENT.finditer(text) if each["by"].lower().endswith(ends))
        for each in itertools.islice(_LISTENS_TO.finditer(text), MOST):
            if (each["by"] or each["of"]).lower().endswith(ends):
                found += itertools.islice(_ITS_VALUE.finditer(text, each.end(), each.end() + 1200), 5)
        found += (each for each in _READS_VALUE.finditer(text) if each["name"].lower() in names)
        found += (each for each in _READS_NAME.finditer(text) if each["name"].lower() in names)
    for field in itertools.islice(FIELD.finditer(text), MOST):
        if ASKS_PASSWORD.search(field["rest"]):
            found += itertools.islice(_ITS_VALUE.finditer(text, field.start(), field.end()), 5)
    yield from ((each.start(), each.end(), "secret") for each in found)


class Sent(NamedTuple):
    """A request to another host."""

    found: "re.Match[str]"
    host: str
    argument: str
    """What goes along."""
    read: bool
    """Something is done with the answer."""
    spans: tuple[tuple[int, int], ...]
    """Where the argument stands in the text."""


def answered(text: str, start: int, end: int) -> bool:
    """True where something is done with what a call gives."""
    statement = re.split(r"[;\n{}]", text[max(0, start - 200) : start])[-1]
    if text.startswith(("navigator.sendBeacon", "sendBeacon"), start):
        return False  # it has none
    kept = _ANSWERED.search(statement) is not None and _ON.search(statement) is None
    return kept or _THEN.match(text[end : end + 120]) is not None


def sendings(text: str) -> Iterator[Sent]:
    """Requests to other hosts, and what a page has a service keep."""
    others = "|".join(sorted({re.escape(found["name"]) for found in itertools.islice(_KEPT_FETCH.finditer(text), 20)}))
    also = (
        re.finditer(rf"(?<![\w$.])(?P<call>{others})(?:\.(?:call|apply)\s*\(\s*\w+\s*,|\s*\()", text)
        if others
        else iter(())
    )
    for found in itertools.islice(itertools.chain(_SENDS.finditer(text), also), MOST):
        end = closing(text, found.end())
        spans = [(found.end(), end)]
        argument = text[found.end() : end]
        place = _FOREIGN.match(argument) or ((key := _URL_KEY.search(argument)) and _FOREIGN.match(key["url"]))
        if not place and found["call"].endswith((".send", ".emit")):
            before = [*_OPEN.finditer(text, max(0, found.start() - 1500), found.start())]
            before = before or [*_SOCKET.finditer(text, max(0, found.start() - 4000), found.start())]
            if before:
                place = _FOREIGN.match(before[-1]["url"])
                opened = text.index("(", before[-1].start()) + 1
                spans.insert(0, (opened, closing(text, opened)))
                argument = f"{text[slice(*spans[0])]}, {argument}"
        if place and not _LOCAL_HOST.match(place["host"]):
            host = place["host"].lower().partition(":")[0]
            yield Sent(found, host, argument, answered(text, found.start(), end), tuple(spans))
    for found in itertools.islice(_KEEPERS.finditer(text), MOST):
        end = closing(text, found.end())
        yield Sent(found, "", text[found.end() : end], False, ((found.end(), end),))
    for found in itertools.islice(_LOADS.finditer(text), MOST):
        place = _FOREIGN.match(found["value"])
        if place and not _LOCAL_HOST.match(place["host"]):
            host = place["host"].lower().partition(":")[0]
            yield Sent(found, host, found["value"], False, (found.span("value"),))


_LOCAL_HOST = lazy(r"(?:localhost|127\.|0\.0\.0\.0|\[::1?\]|10\.\d|192\.168\.)")


def remark(kind: str, what: str, text: str, found: "re.Match[str]", host: str = "") -> Remark:
    shown = one_line(text[found.start() : max(found.end(), found.start() + 80) + 60], 160)
    return Remark(kind, what, shown, line_at(text, found.start()), host)
