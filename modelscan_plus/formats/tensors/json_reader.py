"""A strict JSON reader for headers that may be hostile: bounded in depth and in values, and blind to nothing.

It reads what serde_json (the parser of the safetensors library) reads: RFC 8259, at most 127 levels, no NaN, no lone
surrogates. Unlike `json` it works on bytes, so that 100 MB of header stay 100 MB, and it reports keys that occur
twice in one object, wherever they stand. Source: RFC 8259; serde_json's `Deserializer`.
"""

import json
from typing import NoReturn

import msgspec

from modelscan_plus.core.limits import Budget, BudgetExceeded
from modelscan_plus.core.patterns import lazy

MAX_DEPTH = 127
MAX_VALUES = 2_000_000
"""Values read one by one in the whole header; bounds time (a few microseconds each)."""
MAX_HELD = 1_000_000
"""Values below one member of the outermost object; bounds memory, as they are held together."""
LONGEST_TEXT = 1 << 20
"""Bytes of one string value that are kept; keys are kept whole."""
_KEPT_DUPLICATES = 100

_BLANKS = frozenset((b" ", b"\t", b"\n", b"\r"))
_BLANK = lazy(rb"[ \t\n\r]*+")
_STRING = lazy(rb'"((?:[^"\\\x00-\x1f]++|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*+)"')
_NUMBER = lazy(rb"-?(?:0|[1-9][0-9]*+)(\.[0-9]++)?([eE][+-]?[0-9]++)?")
_WORDS: tuple[tuple[bytes, bool | None], ...] = ((b"true", True), (b"false", False), (b"null", None))


class JsonFault(Exception):
    """The bytes are not JSON that the library would accept. `offset` is relative to the reader's first byte."""

    def __init__(self, message: str, offset: int) -> None:
        super().__init__(message)
        self.message = message
        self.offset = offset


class Member(msgspec.Struct, frozen=True):
    """One `"key": value` of an object."""

    key: bytes
    """Unescaped, UTF-8."""
    value: "Json"
    offset: int
    """Of the key's quotation mark."""


class Members(msgspec.Struct, frozen=True):
    """An object, with its members in the order of the file and repeated keys kept."""

    items: tuple[Member, ...]

    def last(self) -> dict[bytes, "Json"]:
        """What most readers see: the last value of each key."""
        return {item.key: item.value for item in self.items}


Json = str | int | float | bool | None | list["Json"] | Members


class Duplicate(msgspec.Struct, frozen=True):
    """A key that stands more than once in one object."""

    path: str
    """The keys that lead to the object and the key itself, joined by " › "."""
    offset: int
    """Of the later occurrence."""


class JsonReader:
    """Reads one value after another from `data`, which it does not copy."""

    def __init__(self, data: bytes, budget: Budget) -> None:
        self.data = data
        self.position = 0
        self.duplicates: list[Duplicate] = []
        self.duplicate_count = 0
        self._budget = budget
        self._values = 0
        self._held = 0
        self._path: list[bytes] = []

    def fault(self, message: str, offset: int | None = None) -> NoReturn:
        """Raise `JsonFault` at `offset`, or at the current position."""
        raise JsonFault(message, self.position if offset is None else offset)

    def peek(self) -> bytes:
        """The next byte that is no blank, b"" at the end; blanks before it are stepped over."""
        first = self.data[self.position : self.position + 1]
        if first in _BLANKS:
            found = _BLANK.match(self.data, self.position)
            self.position = found.end() if found else self.position
            first = self.data[self.position : self.position + 1]
        return first

    def take(self, byte: bytes) -> bool:
        """Step over `byte` when it comes next."""
        if self.peek() != byte:
            return False
        self.position += 1
        return True

    def expect(self, byte: bytes) -> None:
        """Step over `byte`; anything else is a fault."""
        if not self.take(byte):
            self.fault(f"expected {byte.decode()!r}")

    def key(self) -> bytes:
        """A string and the colon behind it."""
        self.peek()
        start = self.position
        raw = self._raw_string()
        if b"\\" in raw:
            raw = self._unescape(raw, start).encode()
        self.expect(b":")
        return raw

    def duplicate(self, key: bytes, offset: int) -> None:
        """Note that `key` stands a second time in the object being read."""
        self.duplicate_count += 1
        if len(self.duplicates) < _KEPT_DUPLICATES:
            path = " › ".join(part.decode("utf-8", "replace") for part in (*self._path, key))
            self.duplicates.append(Duplicate(path, offset))

    def member_value(self, key: bytes) -> Json:
        """The value of `key` in the outermost object."""
        self._held = 0
        self._path.append(key)
        value = self._value(2)
        self._path.pop()
        return value

    def _value(self, depth: int) -> Json:
        self._count()
        first = self.peek()
        if first in (b"{", b"["):
            if depth > MAX_DEPTH:
                self.fault(f"nested more than {MAX_DEPTH} levels deep")
            return self._object(depth) if first == b"{" else self._array(depth)
        if first == b'"':
            start = self.position
            return self._text(self._raw_string(), start)
        for word, meaning in _WORDS:
            if self.data.startswith(word, self.position):
                self.position += len(word)
                return meaning
        return self._number()

    def _object(self, depth: int) -> Members:
        self.expect(b"{")
        members: list[Member] = []
        seen: set[bytes] = set()
        if self.take(b"}"):
            return Members(())
        while True:
            self.peek()
            start = self.position
            key = self.key()
            if key in seen:
                self.duplicate(key, start)
            seen.add(key)
            self._path.append(key)
            members.append(Member(key, self._value(depth + 1), start))
            self._path.pop()
            if not self.take(b","):
                break
        self.expect(b"}")
        return Members(tuple(members))

    def _array(self, depth: int) -> list[Json]:
        self.expect(b"[")
        values: list[Json] = []
        if self.take(b"]"):
            return values
        values.append(self._value(depth + 1))
        while self.take(b","):
            values.append(self._value(depth + 1))
        self.expect(b"]")
        return values

    def _number(self) -> int | float:
        found = _NUMBER.match(self.data, self.position)
        if not found or found.end() == found.start():
            self.fault("expected a value" if self.position < len(self.data) else "ends in the middle of a value")
        self.position = found.end()
        raw = found.group()
        if found.group(1) or found.group(2) or len(raw) > 20:
            return float(raw) if len(raw) <= 400 else float("inf")
        return int(raw)

    def _raw_string(self) -> bytes:
        found = _STRING.match(self.data, self.position)
        if not found:
            self.fault("expected a string, or the string does not end or holds control characters or bad escapes")
        self.position = found.end()
        return found.group(1)

    def _text(self, raw: bytes, start: int) -> str:
        if len(raw) > LONGEST_TEXT:
            raw = raw[:LONGEST_TEXT]
            cut = raw.rfind(b"\\", LONGEST_TEXT - 12)
            raw = raw[:cut] if cut >= 0 else raw
            kept = json.loads('"' + raw.rstrip(b"\\").decode("utf-8", "ignore") + '"')
            return str(kept).encode("utf-8", "replace").decode()
        return self._unescape(raw, start) if b"\\" in raw else raw.decode("utf-8", "replace")

    def _unescape(self, raw: bytes, start: int) -> str:
        text = str(json.loads('"' + raw.decode("utf-8", "replace") + '"'))
        try:
            text.encode()
        except UnicodeEncodeError:
            self.fault("a string holds half of a surrogate pair", start)
        return text

    def _count(self) -> None:
        self._values += 1
        self._held += 1
        if self._values > MAX_VALUES or self._held > MAX_HELD:
            raise BudgetExceeded("budget-header", f"more than {self._values - 1:,} JSON values in the header")
        if not self._values & 0xFFF:
            self._budget.check_time()
