"""JavaScript with its constants written out, and what its values come from: a light reading, statement by statement.

Folded are escapes in texts, sums and joins of constant texts, items of constant lists, members that are named by a
text, variables that are assigned a text once, `atob` and `Buffer.from` of constants. Followed are values through
assignments and the parameters of callbacks, in the order of the text and as far as a few thousand characters; scopes,
branches and objects are not told apart. Sources: ECMA-262, the documentation of Node.js, the Fetch and WebSocket
standards.
"""

import array
import base64
import binascii
import bisect
import collections
import functools
import itertools
import re
from collections.abc import Iterable, Iterator

from modelscan_plus.core.patterns import lazy
from modelscan_plus.formats.text.commands import PRIVATE

LARGEST = 400_000
"""Characters of a source that is followed; bundles of libraries are larger."""
_NEAR = 6_000
"""Characters behind an assignment in which a name still stands for it."""
_TEXT = r"(?<!\\)(?:\"(?:\\.|[^\"\\\n]){0,4000}\"|'(?:\\.|[^'\\\n]){0,4000}'|`(?:\\.|[^`\\$]){0,4000}`)"
_SUM = lazy(rf"(?P<left>{_TEXT})\s*\+\s*(?P<right>{_TEXT})")
_JOIN = lazy(
    rf"\[\s*+(?P<items>{_TEXT}(?:\s*+,\s*+{_TEXT}){{0,60}})\s*+(?:,\s*+)?\]\s*+\.\s*+join\s*+\(\s*+(?P<by>{_TEXT})?\s*+\)"
)
_ESCAPE = lazy(r"\\x([0-9A-Fa-f]{2})|\\u\{?([0-9A-Fa-f]{4})\}?")
_MEMBER = lazy(r"(?<=[\w$)\]])\s*\[\s*[\"'`](?P<name>[A-Za-z_$][\w$]{0,60})[\"'`]\s*\]")
_CONSTANT = lazy(
    rf"\b(?:const|let|var)\s+(?P<name>[A-Za-z_$][\w$]*)\s*(?::\s*string\s*)?=\s*(?P<value>{_TEXT})\s*(?=[;,\n]|$)"
)
_LIST = lazy(
    rf"\b(?:const|let|var)\s+(?P<name>[A-Za-z_$][\w$]*)\s*+=\s*+\[\s*+(?P<items>{_TEXT}(?:\s*+,\s*+{_TEXT}){{0,200}})\s*+(?:,\s*+)?\]"
)
_ATOB = lazy(rf"\b(?:window\.|globalThis\.)?atob\s*\(\s*(?P<text>{_TEXT})\s*\)")
_BUFFER = lazy(
    rf"\bBuffer\.from\s*\(\s*(?P<text>{_TEXT})\s*,\s*[\"'`](?P<form>base64|hex)[\"'`]\s*\)\s*(?:\.toString\s*\([^()]{{0,20}}\))?"
)
_CODES = lazy(r"\bString\.fromCharCode\s*\(\s*(?P<codes>\d{1,5}(?:\s*,\s*\d{1,5}){0,2000})\s*\)")
_TEXTS = lazy(_TEXT)
_INDIRECT = lazy(r"\(\s*0\s*,\s*(?:window\.|globalThis\.)?(eval|Function)\s*\)")
_PLAIN = lazy(r"[\w./:@-]{1,80}")
_MODULE = lazy(
    r"(?:\b(?:const|let|var)\s+|,\s*)(?P<name>[\w$]+|\{[^{}]{1,400}\})\s*=\s*(?:await\s+)?(?:require|import)\s*\(\s*[\"'`](?:node:)?(?P<module>[\w/]+)[\"'`]\s*\)"
    r"|\bimport\s+(?P<all>\*\s*as\s+[\w$]+|[\w$]+|\{[^{}]{1,400}\})\s*from\s*[\"'](?:node:)?(?P<from>[\w/]+)[\"']"
)
_STARTS = "exec execSync spawn spawnSync execFile execFileSync fork"
_SENDERS = (
    r"fetch|axios(?:\.\w+)?|got(?:\.\w+)?|\w+\.sendBeacon|sendBeacon|https?\.(?:request|get)|request(?:\.\w+)?|superagent\.\w+|"
    r"[\w$]+\.(?:send|write|end|post|put|emit)|undici\.\w+|new\s+Image|ky(?:\.\w+)?"
)
_SENDS = lazy(rf"(?<![\w$.])(?P<call>{_SENDERS})\s*\(")
_RUNS = lazy(
    r"(?<![\w$])(?:(?:window|globalThis|global|self)\.)?(?P<call>eval|new\s+Function|Function|vm\.\w+|[\w$.]{1,80}\._compile|setTimeout|setInterval|"
    r"(?:globalThis|global|window|self)\s*\[[^\]\n]{1,80}\]|"
    r"[\w$]+\.(?:runInThisContext|runInNewContext))\s*\("
)
_EXECUTES = lazy(r"\.(?:execute|requestExecute)\s*\(")
_ASSIGNED = lazy(
    r"(?<![\w$.])(?:(?:const|let|var)\s+)?(?P<name>[A-Za-z_$][\w$]{0,60})\s*\+?=(?![=>])\s*(?P<value>[^;\n]{1,2000})"
)
_CALLBACK = lazy(
    r"\.then\s*\(\s*(?:async\s*)?(?:function\s*\w*\s*)?\(?\s*(?P<then>[A-Za-z_$][\w$]*)\s*\)?\s*(?:=>|\{)"
    r"|\.on\s*\(\s*[\"'](?:data|message|text)[\"']\s*,\s*(?:async\s*)?(?:function\s*\w*\s*)?\(?\s*(?P<data>[A-Za-z_$][\w$]*)"
    r"|\.onmessage\s*=\s*(?:async\s*)?(?:function\s*\w*\s*)?\(?\s*(?P<message>[A-Za-z_$][\w$]*)"
)
_FETCHED = lazy(
    r"\brequire\s*\(\s*[\"'](?:node:)?https?[\"']\s*\)\.(?:get|request)\s*\(|(?<![\w$.])(?:fetch|axios(?:\.get|\.post)?|got|ky|\$\.get|\$\.ajax|request|https?\.get|https?\.request|undici\.\w+)\s*\(|\.responseText\b|"
    r"\.response\b(?=\s*[;)])"
)
_DECODED = lazy(
    r"\batob\s*\(|\bBuffer\.from\s*\([^;\n]{0,4000}?[\"'`](?:base64|hex)[\"'`]|\bString\.fromCharCode\s*\(|\bdecodeURIComponent\s*\(\s*escape"
)
_ENVIRONMENT = lazy(
    r"\b(?:Deno\.env\.toObject\s*\(|Bun\.env\b(?!\s*(?:\.\s*\w|\[|\?\.)))|\bprocess\.env\b(?!\s*(?:\.\s*\w|\[|\?\.))|\{\s*\.\.\.process\.env"
)
_KEY = lazy(r"\bprocess\.env\s*(?:\.\s*|\[\s*[\"'`])\w*(?:TOKEN|SECRET|PASSW|API_?KEY|ACCESS_KEY|PRIVATE_KEY)\w*", re.I)
_FILES = lazy(
    rf"\b(?:readFile|readFileSync|createReadStream)\s*\([^;\n]{{0,300}}?(?:{PRIVATE}|[\"'`]\.(?:ssh|aws|npmrc|netrc)\b)"
)
_PLACE = lazy(r"\bjoin\s*\([^;\n]{0,200}?[\"'`]\.(?:ssh|aws|npmrc|netrc|gnupg|kube|docker|azure|config/gcloud)\b")
"""The folder of somebody's keys."""
_READS = lazy(r"\b(?:readFile|readFileSync|createReadStream)\s*\(")
_KEPT = lazy(
    r"document\.cookie|\.\.\.\s*(?:local|session)Storage|(?:JSON\.stringify|Object\.(?:entries|assign|fromEntries|keys))\s*\([^()]{0,40}(?:local|session)Storage\b"
    r"|(?:local|session)Storage\.getItem\(\s*[\"'`][^\"'`]{0,40}(?:token|key|secret|passw|auth)",
    re.I,
)
_SOURCES = (
    ("fetched", _FETCHED), ("decoded", _DECODED), ("secret", _ENVIRONMENT), ("secret", _FILES), ("kept", _KEPT),
    ("key", _KEY), ("place", _PLACE), ("reads", _READS),
)  # fmt: skip
_WORD = lazy(r"(?<![\w$.])[A-Za-z_$][\w$]*")
_TALKS = lazy(r"new\s+WebSocket|https?[\"']?\s*\)?\.(?:get|request)|net\.(?:connect|createConnection)|tls\.connect")
"""Connections whose events hand over what another machine sends."""
_PARENTHESIS = lazy(r"[()]")
_MOST = 3_000
_SMALL = 5_000
_ADDRESS = lazy(
    r"(?:https?|wss?)://(?P<host>[^\s/\"'`?#$)]{3,200})|\bhost(?:name)?\s*:\s*[\"'`](?P<named>[\w.-]{3,200})", re.I
)


class Flow:
    """What the expressions of a text hold: by what stands in them, and by names that were given a value before."""

    def __init__(self, text: str, marks: Iterable[tuple[int, int, str]], reach: int) -> None:
        """`marks`: stretches of the text, each with its tag; `reach`: characters behind an assignment in which the name
        still stands for the value."""
        self.text = text
        self._marks = sorted(marks)
        self._starts = [start for start, _, _ in self._marks]
        self._reach = reach
        self._held: dict[str, dict[str, list[int]]] = {}

    def note(self, name: str, at: int, tags: Iterable[str]) -> None:
        """The name stands for a value with these tags from there on."""
        held = self._held.setdefault(name, {})
        for tag in tags:
            bisect.insort(held.setdefault(tag, []), at)

    def tags(self, start: int, end: int, at: int) -> set[str]:
        """The tags of the expression from `start` to `end`, which a statement at `at` computes."""
        found = set()
        for begin, stop, tag in itertools.islice(self._marks, bisect.bisect_left(self._starts, start), None):
            if begin >= end:
                break
            if stop <= end:
                found.add(tag)
        for word in words(self.text[start:end]) & self._held.keys():
            for tag, places in self._held[word].items():
                before = bisect.bisect_right(places, at)
                if before and at - places[before - 1] <= self._reach:
                    found.add(tag)
        return found | {"secret"} if {"place", "reads"} <= found else found


def words(value: str) -> set[str]:
    """Names in an expression, those of members left out."""
    return {found.group() for found in itertools.islice(_WORD.finditer(value), 200)}


class Found:
    """One thing that the code does with a value."""

    def __init__(self, what: str, position: int, host: str = "") -> None:
        self.what = what
        """"runs fetched", "runs decoded", "sends secret", "sends kept" or "sends key"."""
        self.position = position
        self.host = host


def folded(text: str) -> str:
    """The source with its constant texts written out; lines stay lines."""
    if len(text) > LARGEST:
        return text
    text = _INDIRECT.sub(r"\1", _unescaped(text))
    for _ in range(6):
        made = _once(text)
        if made == text:
            break
        text = made
    return text


def _unescaped(text: str) -> str:
    def character(found: "re.Match[str]") -> str:
        letter = chr(int(found[1] or found[2], 16))
        return letter if letter.isprintable() and letter not in "\"'`\\" else found.group()

    return _ESCAPE.sub(character, text)


def _once(text: str) -> str:
    text = _SUM.sub(lambda found: _literal(_inside(found["left"]) + _inside(found["right"]), found), text)
    text = _JOIN.sub(_joined, text)
    text = _ATOB.sub(lambda found: _decoded(found, "base64"), text)
    text = _BUFFER.sub(lambda found: _decoded(found, found["form"]), text)
    text = _CODES.sub(_of_codes, text)
    constants = list(itertools.islice(_CONSTANT.finditer(text), _MOST))
    values = {found["name"]: found["value"] for found in constants if len(found["value"]) > 2}
    if values:
        changed = re.finditer(r"(?<![\w$.])(?P<name>[A-Za-z_$][\w$]*)\s*(?:\+|\?\?|\|\|)?=(?![=>])", text)
        counts = collections.Counter(found["name"] for found in changed)
        values = {name: value for name, value in values.items() if counts[name] < 2}
    lists = {
        found["name"]: [item.group() for item in _TEXTS.finditer(found["items"])]
        for found in itertools.islice(_LIST.finditer(text), 200)
    }
    if lists:
        names = "|".join(re.escape(name) for name in itertools.islice(lists, 200))
        text = re.sub(
            rf"(?<![\w$.])(?P<name>{names})\s*\[\s*(?P<at>\d{{1,3}})\s*\]", lambda found: _item(lists, found), text
        )
    if values:
        names = "|".join(re.escape(name) for name in itertools.islice(values, 500))
        use = rf"(?<![\w$.\"'`])(?P<name>{names})(?![\w$\"'`])(?!\s*[=:(])(?=\s*[+,)\].;\n}}])"
        text = re.sub(use, lambda found: values[found["name"]], text)
    return _MEMBER.sub(lambda found: f".{found['name']}", text)


def _inside(literal: str) -> str:
    return literal[1:-1]


def _literal(text: str, found: "re.Match[str]") -> str:
    quote = next((each for each in "'\"`" if each not in text), "")
    return f"{quote}{text}{quote}" + "\n" * found.group().count("\n") if quote else found.group()


def _joined(found: "re.Match[str]") -> str:
    by = _inside(found["by"]) if found["by"] is not None else ","
    return _literal(by.join(_inside(item.group()) for item in _TEXTS.finditer(found["items"])), found)


def _item(lists: dict[str, list[str]], found: "re.Match[str]") -> str:
    items, at = lists[found["name"]], int(found["at"])
    return items[at] if at < len(items) else found.group()


def _decoded(found: "re.Match[str]", form: str) -> str:
    """A constant that is decoded, where it says a name or an address; code stays what is decoded."""
    try:
        raw = _inside(found["text"])
        data = bytes.fromhex(raw) if form == "hex" else base64.b64decode(raw + "=" * (-len(raw) % 4))
        text = data.decode("utf-8")
    except (ValueError, binascii.Error):
        return found.group()
    return _literal(text, found) if _PLAIN.fullmatch(text) else found.group()


def _of_codes(found: "re.Match[str]") -> str:
    codes = [int(code) for code in re.findall(r"\d+", found["codes"])]
    if len(codes) > 60 or any(code > 0x10FFFF for code in codes):
        return found.group()
    text = "".join(map(chr, codes))
    return _literal(text, found) if _PLAIN.fullmatch(text) else found.group()


def starters(text: str) -> set[str]:
    """Names under which the source calls functions of `child_process`."""
    found = {f"child_process.{name}" for name in _STARTS.split()}
    for module in itertools.islice(_MODULE.finditer(text), 300):
        if (module["module"] or module["from"]) != "child_process":
            continue
        name = re.sub(r"^\*\s*as\s+", "", module["name"] or module["all"])
        if name.startswith("{"):
            for part in name.strip("{} \n").split(","):
                own = re.split(r"\s*(?::|\bas\b)\s*", part.strip())
                if own[0] in _STARTS.split():
                    found.add(own[-1])
        else:
            found |= {f"{name}.{each}" for each in _STARTS.split()}
    return found


def followed(text: str) -> Iterator[Found]:
    """What is run that was fetched or decoded, and what is sent that is secret, through variables and callbacks."""
    if len(text) > LARGEST or not (_RUNS.search(text) or _SENDS.search(text) or _EXECUTES.search(text)):
        return
    held = _flow(text)
    for start, inside in _run(text):
        tags = held.tags(*inside, start)
        yield from (Found(f"runs {tag}", start) for tag in ("fetched", "decoded") if tag in tags)
    addresses = list(_ADDRESS.finditer(text))
    starts = [found.start() for found in addresses]
    for found in itertools.islice(_SENDS.finditer(text), _MOST):
        end = closing(text, found.end())
        tags = held.tags(found.end(), end, found.start())
        # The address is the first of the arguments, or the last one shortly before.
        near = bisect.bisect_left(starts, found.end())
        if not (near < len(starts) and starts[near] < end):
            near = bisect.bisect_left(starts, found.start()) - 1
        to = addresses[near] if near >= 0 and starts[near] >= found.start() - 2_000 else None
        host = (to["host"] or to["named"]).lower() if to else ""
        yield from (Found(f"sends {tag}", found.start(), host) for tag in ("secret", "kept", "key") if tag in tags)


def _run(text: str) -> Iterator[tuple[int, tuple[int, int]]]:
    """Where text is run as code or as a command, with the place of what stands in the parentheses."""
    for found in itertools.islice(_RUNS.finditer(text), _MOST):
        inside = found.end(), closing(text, found.end())
        later = found["call"].startswith(("setTimeout", "setInterval"))
        if not later or _DECODED.match(text[slice(*inside)].lstrip()):
            yield found.start(), inside
    if "ernel" in text:  # what the kernel of a notebook is given to run
        for found in itertools.islice(_EXECUTES.finditer(text), _MOST):
            yield found.start(), (found.end(), closing(text, found.end()))
    names = "|".join(re.escape(name) for name in sorted(starters(text)))
    for found in itertools.islice(re.finditer(rf"(?<![\w$.])(?:{names})\s*\(", text), _MOST):
        yield found.start(), (found.end(), closing(text, found.end()))


def _flow(text: str) -> Flow:
    """Where the values of names come from, by the place of the assignment."""
    marks = ((found.start(), found.end(), tag) for tag, pattern in _SOURCES for found in pattern.finditer(text))
    flow = Flow(text, marks, _NEAR)
    bundled = len(text) > _SMALL and max(map(len, text.split("\n"))) > _SMALL
    least = 3 if bundled else 1  # letters of a name that means one thing: bundles use each short name for hundreds
    assigned = itertools.islice(_ASSIGNED.finditer(text), _MOST)
    events = [(found.start(), found["name"], found.span("value")) for found in assigned]
    talks = _TALKS.search(text) is not None
    for found in itertools.islice(_CALLBACK.finditer(text), _MOST):
        if found["then"]:
            events.append((found.start(), found["then"], statement_before(text, found.start(), 600)))
        elif talks and len(name := found["data"] or found["message"]) >= least:
            flow.note(name, found.start(), ("fetched",))
    for at, name, value in sorted(events):
        if len(name) >= least and (tags := flow.tags(*value, at)):
            flow.note(name, at, tags)
    return flow


def statement_before(text: str, at: int, most: int) -> tuple[int, int]:
    """The place of the statement that ends at `at`, as far as `most` characters."""
    low = max(0, at - most)
    return max(low, text.rfind(";", low, at) + 1), at


def arguments(text: str, start: int) -> str:
    """What stands between the parenthesis before `start` and the one that closes it, as far as 4,000 characters."""
    return text[start : closing(text, start)]


def closing(text: str, start: int) -> int:
    """Where the parenthesis before `start` is closed, at most 4,000 characters on."""
    end = _closing(text)[text.rindex("(", 0, start)] or len(text)
    return min(end, start + 4_000)


@functools.lru_cache(maxsize=2)
def _closing(text: str) -> "array.array[int]":
    """By the place of a parenthesis, where it is closed; 0 where it is not. Calls in calls would be read once each."""
    ends = array.array("i", [0]) * len(text)
    opened = []
    for found in _PARENTHESIS.finditer(text):
        if found.group() == "(":
            opened.append(found.start())
        elif opened:
            ends[opened.pop()] = found.start()
    return ends
