"""What one file of a page says for the others: the fields that it asks by, the values that a script sends, the functions
that send what they are given."""

import itertools
import re
from collections.abc import Iterator

import msgspec

from modelscan_plus.core.patterns import lazy
from modelscan_plus.core.text import line_at, one_line
from modelscan_plus.formats.text.javascript_flow import LARGEST, arguments, folded, words
from modelscan_plus.formats.text.page_values import answered, secret_fields, sendings

_FIELD = lazy(
    r"(?:getElementById\(\s*|querySelector\(\s*|\$\(\s*)[\"'`]#?(?P<by>[\w-]{1,60})[\"'`]\s*\)(?:\[0\]|\s*as\s+\w+\s*\)|!)?\.(?:value\b|val\(\))|(?<![\w$.])(?P<plain>[A-Za-z_$][\w$]{0,60})\.value\b"
)
_ASSIGNED = lazy(
    r"(?<![\w$.])(?:(?:const|let|var)\s+|,\s*)?(?P<name>[A-Za-z_$][\w$]{0,60})\s*=(?![=>])\s*(?P<value>[^;,\n]{1,400})"
)
_FUNCTION = lazy(
    r"\bfunction\s+(?P<name>[A-Za-z_$][\w$]{0,60})\s*\((?P<taken>[^()]{0,200})\)\s*\{|"
    r"\b(?:const|let|var)\s+(?P<arrow>[A-Za-z_$][\w$]{0,60})\s*=\s*(?:async\s*)?\(?(?P<given>[^()=]{0,200})\)?\s*=>"
)
_CALL = lazy(r"(?<![\w$.])(?P<name>[A-Za-z_$][\w$]{2,60})\s*\(")
_GIVEN_BACK = lazy(r"(?:\breturn|=>)\s*\(?\s*(?:await\s+)?$")
_MOST = 50


class Sending(msgspec.Struct, frozen=True):
    """A value that goes to another host, or to a function of another file."""

    field: str
    """The field of a page that holds it, "" for a function's parameter."""
    function: str
    """The function that is given it, "" for a request."""
    host: str
    read: bool
    """Something is done with the answer."""
    line: int
    text: str


class PageParts(msgspec.Struct, frozen=True):
    """What a page or script says for its neighbours."""

    asks: tuple[str, ...] = ()
    """Names of its fields for something secret."""
    sends: tuple[Sending, ...] = ()


def page_parts(text: str) -> PageParts | None:
    """The parts of a page, None where there are none."""
    if len(text) > LARGEST:
        return None
    asks = tuple(sorted(secret_fields(text)))[:_MOST] if "<" in text else ()
    sends: tuple[Sending, ...] = ()
    if ".value" in text or ".val(" in text or "function" in text or "=>" in text:
        written = folded(text)
        sends = tuple(itertools.islice(dict.fromkeys([*_sent(written), *_handed(written), *_giving(written)]), _MOST))
    return PageParts(asks, sends) if asks or sends else None


def _fields(value: str, held: dict[str, set[str]]) -> set[str]:
    found = {each["by"] or each["plain"] for each in itertools.islice(_FIELD.finditer(value), 50)}
    for word in itertools.islice(re.finditer(r"(?<![\w$.\"'`])[A-Za-z_$][\w$]*", value), 100):
        found |= held.get(word.group(), set())
    return found


def _held(text: str) -> dict[str, set[str]]:
    held: dict[str, set[str]] = {}
    for found in itertools.islice(_ASSIGNED.finditer(text), 2_000):
        if fields := _fields(found["value"], held):
            held.setdefault(found["name"], set()).update(fields)
    return held


def _sent(text: str) -> Iterator[Sending]:
    held: dict[str, set[str]] | None = None
    for found, host, argument, read, _ in sendings(text):
        if not host:
            continue
        held = _held(text) if held is None else held
        for field in sorted(_fields(argument, held)):
            yield Sending(field, "", host, read, *_shown(text, found))


def _handed(text: str) -> Iterator[Sending]:
    """Calls of functions that the text imports, with what a field holds."""
    imported = {
        re.split(r"\s+as\s+", part.strip())[-1].strip()
        for found in itertools.islice(re.finditer(r"\bimport\s*\{([^{}]{1,400})\}\s*from\s*[\"'`]\.", text), 50)
        for part in found[1].split(",")
    }
    held: dict[str, set[str]] | None = None
    for found in itertools.islice(_CALL.finditer(text), 2_000):
        if found["name"] in imported:
            held = _held(text) if held is None else held
            argument = arguments(text, found.end())
            used = answered(text, found.start(), found.end() + len(argument))
            for field in sorted(_fields(argument, held)):
                yield Sending(field, found["name"], "", used, *_shown(text, found))


def _giving(text: str) -> Iterator[Sending]:
    """Functions that give a parameter to another host."""
    functions = [
        (
            found.end(),
            found["name"] or found["arrow"],
            re.findall(r"[A-Za-z_$][\w$]*", found["taken"] or found["given"] or ""),
        )
        for found in itertools.islice(_FUNCTION.finditer(text), 500)
    ]
    for found, host, argument, read, _ in sendings(text):
        if not host:
            continue
        around = [each for each in functions if 0 <= found.start() - each[0] < 1_000]
        if _GIVEN_BACK.search(text[max(0, found.start() - 60) : found.start()]):
            read = False  # it is for the caller to read
        for _, name, taken in around[-1:]:
            if not words(argument).isdisjoint(taken):
                yield Sending("", name, host, read, *_shown(text, found))


def _shown(text: str, found: "re.Match[str]") -> tuple[int, str]:
    shown = one_line(text[found.start() : found.end() + 120], 160)
    return line_at(text, found.start()), shown
