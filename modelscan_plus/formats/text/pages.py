"""What a page takes from those who visit it: passwords, keys, what they type and what their browser keeps.

The unit is one text: an HTML page with its scripts, a script, a component of React, Vue or Svelte, or a page that stands in
a text of another program. Whether a host belongs to a service is left to the rules. Sources: the HTML standard, the Fetch
and Service Worker standards, MediaStream Recording.
"""

import ast
import html
import itertools
import re
from collections.abc import Iterable, Iterator

import msgspec

from modelscan_plus.core.patterns import lazy
from modelscan_plus.formats.text import page_acts
from modelscan_plus.formats.text.facts import Remark
from modelscan_plus.formats.text.javascript import javascript_remarks
from modelscan_plus.formats.text.javascript_flow import LARGEST, folded, words
from modelscan_plus.formats.text.kept import unread
from modelscan_plus.formats.text.page_values import (
    ASKS_KEY,
    ASKS_PASSWORD,
    FIELD,
    MOST,
    PHRASE,
    Sent,
    Values,
    remark,
    secret_fields,
    sendings,
)

_FORM = lazy(r"<form\b(?P<rest>[^<>]{0,800})>(?P<inside>(?:(?!</form)[\s\S]){0,20000})", re.I)
_ACTION = lazy(r"\b(?:form)?action\s*=\s*\{?[\"'`]?\s*(?P<url>(?:https?:)?//[^\s\"'`<>]{3,400})", re.I)
_SRCDOC = lazy(r"\bsrcdoc\s*=\s*(?:\"(?P<double>[^\"]{1,20000})\"|'(?P<single>[^']{1,20000})')", re.I)
_DOCUMENT = r"(?:document|window|document\.body|document\.documentElement|self|top|parent|[\w$]{1,20})"
_LISTENS = lazy(
    rf"(?:(?P<target>{_DOCUMENT})\.addEventListener\s*\(\s*[\"'`](?P<event>keydown|keyup|keypress|input|change|paste|beforeinput)[\"'`]\s*,\s*"
    r"|\b(?P<on>document|window)\.on(?:keydown|keyup|keypress|input|change|paste)\s*=\s*)(?P<handler>[A-Za-z_$][\w$]{0,60}\s*[,)])?"
)
_EACH = lazy(
    r"(?:querySelectorAll|getElementsByTagName)\s*\(\s*[\"'`](?:input|textarea|form|\*)[^)]{0,40}\)[^;]{0,80}$"
)
_WIDE = lazy(r"^(?:document|window|document\.body|document\.documentElement|self|top|parent)$")
_IS_DOCUMENT = r"\b(?:const|let|var)\s+%s\s*=\s*(?:window\.)?(?:parent|top|self)?\.?document\b"
_GATHERS = lazy(
    r"(?<![\w$.])([A-Za-z_$][\w$]{0,40})\s*\+=\s*[^;\n]{0,60}?(?:\.key\b|\.value\b)|([A-Za-z_$][\w$]{0,40})\.push\s*\(\s*[^;\n]{0,60}?(?:\.key\b|\.value\b)"
)
_KEY = lazy(r"\.key\b(?!\s*(?:[=!]==?|\)\s*\{|\?))")
_TYPED = lazy(
    r"\.key(?:Code)?\b(?!\s*(?:[=!]==?|\)|\?))|\.target\.value\b|\.which\b(?!\s*[=!]=)|clipboardData\.getData|\b\w{1,20}\.value\b"
)
_FETCH_EVENT = lazy(
    r"addEventListener\s*\(\s*[\"'`]fetch[\"'`]\s*,\s*(?:async\s*)?(?:function\s*\w*\s*)?\(?\s*(?P<event>[\w$]{1,30})"
)
_PATCHES = lazy(
    r"(?:\b(?:window|globalThis|self)\.fetch|\bXMLHttpRequest\.prototype\.(?:open|send|setRequestHeader)|\bWebSocket\.prototype\.send|"
    r"\b[\w$]{1,30}\.(?:queuePrompt|fetchApi|generate|sendMessage))\s*=\s*(?:async\s*)?(?:function\b|\(|[\w$]{1,30}\s*=>)"
)
_CAMERA = lazy(r"\bgetUserMedia\s*\(|\bgetDisplayMedia\s*\(")
_RECORDS = lazy(r"\bMediaRecorder\b[\s\S]{0,2000}?\.start\s*\(\s*\d")
_READS_MESSAGE = lazy(
    r"addEventListener\s*\(\s*[\"'`]message[\"'`]\s*,\s*(?:async\s*)?(?:function\s*\w*\s*)?\(?\s*(?P<event>[\w$]{1,30})"
)
_BRANDS = (
    r"hugging\s?face|google|gmail|github|gitlab|microsoft|office\s?365|outlook|onedrive|discord|facebook|instagram|twitter|openai|chatgpt|apple\s?id|icloud|"
    r"amazon|paypal|binance|coinbase|metamask|netflix|telegram|whatsapp|linkedin|steam|roblox|dropbox|yahoo|slack|kaggle|anthropic|claude|civitai|docusign|adobe"
)
_POSES = lazy(
    rf"(?:<title>[^<]{{0,80}}?(?:{_BRANDS})|<h[1-4]\b[^>]{{0,100}}>[^<]{{0,80}}?(?:{_BRANDS})|(?:src|href)\s*=\s*[\"']?https?://[^\s\"'>]{{0,80}}?(?:huggingface|google|gstatic|github|microsoft|facebook|openai)[^\s\"'>]{{0,80}}?logo|"
    rf"(?:sign|log)[\s-]?in\s+(?:to|with)\s+(?:your\s+)?(?:{_BRANDS}|\$\{{)[\s\S]{{0,400}}?password)",
    re.I,
)


def visitor_remarks(text: str) -> Iterator[Remark]:
    """What the page does to its visitors, at most one remark of each kind."""
    if len(text) > LARGEST and (ASKS_PASSWORD.search(text) or PHRASE.search(text)):
        yield unread(f"a page of more than {LARGEST:,} characters that asks for a password is not followed", runs=False)
    if len(text) > LARGEST or not _MAY.search(text):
        return
    inner = "\n".join(html.unescape(found["double"] or found["single"]) for found in _SRCDOC.finditer(text))
    written = folded(f"{text}\n{inner}" if inner else text)
    told: set[tuple[str, str]] = set()
    for found in [
        *_forms(written),
        *_sent(written),
        *page_acts.acts(written),
        *page_acts.hidden(text, written),
        *page_acts.asked(written),
    ]:
        if (found.what, found.host) not in told:
            told.add((found.what, found.host))
            yield found


_MAY = lazy(
    r"<form|<input|<iframe|<meta|fetch|XMLHttpRequest|sendBeacon|\.src\s*=|\.open\s*\(|axios|\.post\s*\(|clipboard|ethereum|solana|Contract|addEventListener|"
    r"location|process\.env|atob|\burl\(|srcdoc|href|req\.|request\.|bcc|express|WebSocket|emailjs|addDoc|insert|\$_POST|\$_REQUEST",
    re.I,
)


def shifted(remarks: Iterable[Remark], lines: int) -> Iterator[Remark]:
    """The remarks with their lines counted from further up."""
    yield from (msgspec.structs.replace(found, line=found.line + lines) for found in remarks)


def texts_of_python(tree: ast.Module) -> Iterator[Remark]:
    """What the pages and scripts do that stand as texts in a program."""
    parts: set[int] = set()
    count = 0
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr):
            parts |= {id(part) for part in node.values}
            text = "".join(
                part.value if isinstance(part, ast.Constant) and isinstance(part.value, str) else "${x}"
                for part in node.values
            )
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in parts:
            text = node.value
        else:
            continue
        if len(text) > _LEAST and _OF_PAGE.search(text) and count < _PAGES:
            count += 1
            found = (*javascript_remarks(text), *visitor_remarks(text))
            yield from shifted((each for each in found if each.kind != "unread"), node.lineno - 1)


_FEW = 200
"""Listeners of one sort that are looked at."""
_LEAST = 40
_PAGES = 60
"""Texts of one program that are taken for pages."""
_OF_PAGE = lazy(
    r"<(?:script|form|iframe|input|meta|svg|style|img|div|body)\b|\baddEventListener\b|\bfetch\s*\(|sendBeacon|\bdocument\.\w|\bwindow\.\w|"
    r"\blocalStorage\b|=>\s*[{(\w]|\bfunction\s*\w*\s*\(",
)


def _forms(text: str) -> Iterator[Remark]:
    """Forms with a field for a password that are posted to another host."""
    for form in _FORM.finditer(text):
        action = _ACTION.search(form["rest"]) or _ACTION.search(form["inside"])
        if action and (ASKS_PASSWORD.search(form["inside"]) or PHRASE.search(form["inside"])):
            yield _to(text, form, action["url"])
    asks = ASKS_PASSWORD.search(text)
    if asks and (found := re.search(r"\.action\s*=\s*(?P<url>[\"'`]https?://[^\"'`\s]{3,300})", text)):
        yield _to(text, found, found["url"])


def _to(text: str, found: "re.Match[str]", url: str) -> Remark:
    host = re.sub(r"^[\"'`\s]*(?:https?:)?//", "", url, flags=re.I)
    return remark(
        "visitor",
        "gives what visitors enter in secret to another host",
        text,
        found,
        re.split(r"[/?#:\"'`]", host, maxsplit=1)[0].lower(),
    )


class _Page:
    """One text, and where in it the code stands that sees what the visitor does."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.values = Values(text, secret_fields(text))
        self.poses = _POSES.search(text) is not None or PHRASE.search(text) is not None or _is_key_page(text)
        self.typed = _typed(text)
        self.events = [(found.start(), found["event"]) for found in itertools.islice(_FETCH_EVENT.finditer(text), _FEW)]
        self.patched = [found.start() for found in itertools.islice(_PATCHES.finditer(text), _FEW)]
        self.messages = [
            (found.start(), found["event"]) for found in itertools.islice(_READS_MESSAGE.finditer(text), _FEW)
        ]
        self.records = _CAMERA.search(text) is not None and _RECORDS.search(text) is not None

    def takes(self, sent: Sent) -> Iterator[str]:
        """What a request carries to another host."""
        found, host, argument, read, spans = sent
        at = found.start()
        tags = self.values.tags(spans, at)
        if "secret" in tags and (self.poses or (not read and host)):
            yield "gives what visitors enter in secret to another host"
        if _carries(argument, [(names, keys) for start, end, names, keys in self.typed if start <= at <= end]):
            yield "sends away what is typed on the page"
        if "kept" in tags and not read:
            yield "sends away what the browser keeps, cookies or keys"
        if "local" in tags:
            yield "sends away what other programs of the visitor's machine answer"
        if self._copies(at, argument, read=read):
            yield "copies the requests of the page to another host"
        if self._told(at, argument):
            yield "sends away what other pages tell this one"
        if self.records and not read and "FormData" in self.text[max(0, at - 400) : at + len(argument) + 300]:
            yield "sends away what camera or microphone record, unasked"

    def _copies(self, at: int, argument: str, *, read: bool) -> bool:
        if not read and any(0 < at - start < 1200 for start in self.patched):
            return True
        return any(
            0 < at - start < 1500
            and (
                re.search(rf"\b{re.escape(event)}\.request\b", argument) is not None
                or _of_clone(self.text[start:at], argument, event)
            )
            for start, event in self.events
        )

    def _told(self, at: int, argument: str) -> bool:
        secret = re.search(r"token|secret|key|auth", argument, re.I) is not None
        return secret and any(
            0 < at - start < 600 and re.search(rf"\b{re.escape(name)}\.data\b", argument)
            for start, name in self.messages
        )


def _sent(text: str) -> Iterator[Remark]:
    """What goes to another host that the visitor entered, typed, or keeps elsewhere."""
    page: _Page | None = None
    for sent in sendings(text):
        page = page or _Page(text)
        for what in page.takes(sent):
            yield remark("visitor", what, text, sent.found, sent.host)


def _is_key_page(text: str) -> bool:
    """True where a page asks for the key of a service by its name or form."""
    return any(
        re.search(r"(?:\bhf_|\bsk-|openai|hugging\s?face|anthropic|\bhf\b|github)[^\"'`]{0,40}", field["rest"], re.I)
        and (ASKS_PASSWORD.search(field["rest"]) or ASKS_KEY.search(field["rest"]))
        for field in itertools.islice(FIELD.finditer(text), MOST)
    )


def _of_clone(between: str, argument: str, event: str) -> bool:
    """True for a request that carries what a copy of the page's own request holds."""
    names = {event}
    for found in re.finditer(
        r"(?:(?:const|let|var)\s+([\w$]{1,30})\s*=\s*|\.then\s*\(\s*(?:async\s*)?\(?\s*([\w$]{1,30})\s*\)?\s*=>)",
        between,
    ):
        before = (
            between[max(0, found.start() - 80) : found.start()]
            if found[2]
            else between[found.end() : found.end() + 120]
        )
        if any(re.search(rf"(?<![\w$.]){re.escape(name)}\b", before) for name in names):
            names.add(found[1] or found[2])
    body = argument.partition(",")[2]
    return any(re.search(rf"(?<![\w$.]){re.escape(name)}\b", body) for name in names)


def _typed(text: str) -> list[tuple[int, int, set[str], bool]]:
    """Where listeners see what is typed: the stretch of their code, the variables that gather keys, and whether only keys
    count, as for a listener on one field, which its page asks for."""
    found: list[tuple[int, int, set[str], bool]] = []
    documents: dict[str, bool] = {}
    definitions: dict[str, int] = {}
    for listens in itertools.islice(_LISTENS.finditer(text), _FEW):
        target = listens["on"] or listens["target"]
        if target not in documents:
            documents[target] = _WIDE.match(target) is not None or _search(_IS_DOCUMENT % re.escape(target), text) >= 0
        wide = documents[target]
        wide = wide or _EACH.search(text[max(0, listens.start() - 160) : listens.start()]) is not None
        start = listens.end()
        if listens["handler"]:
            name = re.escape(listens["handler"].rstrip(" ,)"))
            if name not in definitions:
                definitions[name] = _search(rf"(?:function\s+{name}\b|\b{name}\s*=)", text)
            if definitions[name] < 0:
                continue
            start = definitions[name]
        body = text[start : start + 1200]
        names = {each[1] or each[2] for each in _GATHERS.finditer(body)} if wide else set[str]()
        found.append((start, start + (20_000 if names else 1200), names, not wide))
    return found


def _search(pattern: str, text: str) -> int:
    """Where the first match ends, -1 for none."""
    found = re.search(pattern, text)
    return found.end() if found else -1


def _carries(argument: str, listeners: list[tuple[set[str], bool]]) -> bool:
    """True for an argument with what one of these listeners sees: names that gather it, and whether only keys count."""
    if any((_KEY if only_keys else _TYPED).search(argument) for only_keys in {keys for _, keys in listeners}):
        return True
    return not words(argument).isdisjoint(name for names, _ in listeners for name in names)
