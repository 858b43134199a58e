"""Reading a GGUF header from front to back: never more of it in memory than a buffer, never a list of a vocabulary.

A header of 9 MB holds 280,000 strings, of which nothing but their lengths matters here. Values that matter (chat
templates, short texts, numbers) are kept as they go by.
"""

import struct
from collections.abc import Callable, Mapping

import msgspec

from modelscan_plus.core.bytesource import ByteSource
from modelscan_plus.core.limits import Budget
from modelscan_plus.formats.tensors.gguf_types import ARRAY, INTEGERS, STRING, VALUE_BYTES

_FIRST_READ, _LARGEST_READ = 1 << 16, 1 << 20
LONGEST_TEXT = 4 << 20
"""Bytes of one string value that are kept."""
_MANY = 1 << 16
_FEW = 2048
"""Numbers of an array that are kept: one for each layer, and some more."""
LONGEST_NAME = 1 << 16
"""Bytes of a key or of the name of a tensor, by the specification of GGUF."""
_SENTENCE = 20
"""Bytes from which on a word of a vocabulary could be a sentence."""
WORDS = "tokenizer.ggml.tokens"
MERGES = "tokenizer.ggml.merges"
_LONGEST_WORD = 1 << 20
_LONGEST_VALUE = 1 << 28
_MOST_ITEMS = 1 << 30
"""No converter writes words, values and arrays as long as these: a file that says so and ends before did not break off
while it was downloaded, it lies."""


class GgufFault(Exception):
    """The header cannot be read on. `code` is "cut-off", "length" (more than any file could hold), "dimensions",
    "value-type" (a type out of every table: none was added since 2023) or "malformed"."""

    def __init__(self, code: str, message: str, offset: int) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.offset = offset


class Value(msgspec.Struct):
    """One key and its value, as far as it is kept."""

    key: str
    kind: int
    offset: int
    """Of the key's length field."""
    item: int | None = None
    """The type of an array's items."""
    count: int | None = None
    """How many items an array has."""
    first: bytes = b""
    """The first four bytes of a number or of an array of bytes."""
    last: int = 0
    """Its last byte."""
    numbers: list[int] = msgspec.field(default_factory=list)
    """The items of a short array of integers."""
    number: int | None = None
    text: bytes | None = None
    """A string's bytes."""
    length: int = 0
    """How many there are, with those that are not kept."""
    at: int = 0
    """Where the text begins."""
    texts: list[tuple[int, bytes]] = msgspec.field(default_factory=list)
    """Items of an array of strings and where they stand: for keys that want them, and of words the sentences."""


class Cursor:
    """Reads forward through a source."""

    def __init__(self, source: ByteSource, budget: Budget) -> None:
        self._source = source
        self._budget = budget
        self._buffer = b""
        self._start = 0
        self._next_read = _FIRST_READ
        self.position = 0
        self.size = source.size
        self.order = "<"
        self.wide = True
        """False for version 1, whose counts and lengths have 4 bytes."""

    def take(self, count: int, what: str) -> bytes:
        """The next bytes; raises `GgufFault` where the file ends before."""
        self.need(count, what)
        at = self.position - self._start
        if not 0 <= at <= len(self._buffer) - count:
            self._fill(count)
            at = 0
        self.position += count
        data = self._buffer[at : at + count]
        if len(data) < count:
            raise GgufFault("cut-off", f"The file gives less than it promised inside {what}.", self.position)
        return data

    def _fill(self, count: int) -> None:
        self._budget.check_time()
        sequential = self.position - self._start <= len(self._buffer)
        self._next_read = min(_LARGEST_READ, self._next_read * 2) if sequential and self._buffer else self._next_read
        self._start = self.position
        self._buffer = self._source.pread(self.position, max(count, min(self._next_read, self.size - self.position)))

    def need(self, count: int, what: str, most: int = 1 << 40) -> None:
        """Raise unless `count` more bytes are there; more than `most` are no download that broke off."""
        left = self.size - self.position
        if count > left:
            absurd = count > most or count >= 1 << 62
            message = f"{what} would take {count:,} bytes, but only {left:,} are left."
            raise GgufFault("length" if absurd else "cut-off", message[0].upper() + message[1:], self.position)

    def skip(self, count: int, what: str) -> None:
        """Step over bytes without reading them."""
        self.need(count, what)
        self.position += count

    def u32(self, what: str) -> int:
        """Four bytes."""
        number: int = struct.unpack(self.order + "I", self.take(4, what))[0]
        return number

    def u64(self, what: str) -> int:
        """Eight bytes."""
        number: int = struct.unpack(self.order + "Q", self.take(8, what))[0]
        return number

    def count(self, what: str) -> int:
        """A count or length, as wide as the version has it."""
        return self.u64(what) if self.wide else self.u32(what)

    def text(self, what: str, limit: int, most: int = _LONGEST_VALUE) -> bytes:
        """A string; the bytes beyond `limit` are stepped over."""
        length = self.count(f"the length of {what}")
        self.need(length, what, most)
        data = self.take(min(length, limit), what)
        self.position += max(0, length - limit)
        return data

    def skip_texts(
        self,
        count: int,
        what: str,
        spoken: list[tuple[int, bytes]] | None = None,
        each: Callable[[bytes], None] | None = None,
    ) -> None:
        """Step over an array of strings, as fast as Python can; long ones with blanks are kept in `spoken`, and `each`
        is given every one."""
        width = 8 if self.wide else 4
        self.need(count * width, what, _MOST_ITEMS)
        unpack = struct.Struct(self.order + ("Q" if self.wide else "I")).unpack_from
        buffer, start, size = self._buffer, self._start, self.size
        position = self.position
        for number in range(count):
            at = position - start
            if not 0 <= at <= len(buffer) - width:
                self.position = position
                self.need(width, what)
                self._fill(width)
                buffer, start, at = self._buffer, self._start, 0
                if len(buffer) < width:
                    raise GgufFault("cut-off", f"The file ends inside {what}.", position)
            length = unpack(buffer, at)[0]
            if each is not None:
                if at + length + width > len(buffer) and length <= _FEW:
                    self.position = position
                    self.need(width + length, what, _LONGEST_WORD)
                    self._fill(width + length)
                    buffer, start, at = self._buffer, self._start, 0
                each(buffer[at + width : at + width + min(length, _FEW)])
            if spoken is not None and _SENTENCE <= length <= at + length + width <= len(buffer):
                text = buffer[at + width : at + width + length]
                if text.count(b" ") > 1 and len(spoken) < _FEW:
                    spoken.append((position, text))
            position += width + length
            if position > size:
                self.position = position - length
                self.need(length, f"string {number} of {what}", _LONGEST_WORD)
        self.position = position


Takers = Mapping[str, Callable[[bytes], None]]
"""By key, what is given each text of an array."""


def read_value(cursor: Cursor, keep_items: frozenset[str], takers: Takers | None = None) -> Value:
    """The next key and value."""
    offset = cursor.position
    raw = cursor.text("a key", _MANY, LONGEST_NAME)
    key = raw.decode("utf-8", "surrogateescape")
    kind = cursor.u32(f"the type of {key[:60]}")
    value = Value(key, kind, offset)
    if kind == STRING:
        length_at = cursor.position
        value.text = cursor.text(f"the value of {key[:60]}", LONGEST_TEXT)
        value.at = length_at + (8 if cursor.wide else 4)
        value.length = cursor.position - value.at
    elif kind == ARRAY:
        _array(cursor, value, keep=key in keep_items, each=(takers or {}).get(key))
    elif kind in VALUE_BYTES:
        data = cursor.take(VALUE_BYTES[kind], f"the value of {key[:60]}")
        value.first = data[:4]
        if kind in INTEGERS:
            (value.number,) = struct.unpack(cursor.order + INTEGERS[kind], data)
    else:
        message = f"The value of {key[:60]!r} has the type {kind}, which does not exist."
        raise GgufFault("value-type", message, offset)
    return value


def _array(cursor: Cursor, value: Value, *, keep: bool, each: Callable[[bytes], None] | None) -> None:
    what = f"the array {value.key[:60]}"
    kind = value.item = cursor.u32(f"the type of {what}")
    count = value.count = cursor.count(f"the count of {what}")
    if kind == STRING:
        if keep and count <= 1000:
            for _ in range(count):
                at = cursor.position + (8 if cursor.wide else 4)
                value.texts.append((at, cursor.text(what, LONGEST_TEXT)))
        else:
            cursor.skip_texts(count, what, value.texts if value.key == WORDS else None, each)
    elif kind in VALUE_BYTES:
        size = count * VALUE_BYTES[kind]
        cursor.need(size, what, _MOST_ITEMS)
        if VALUE_BYTES[kind] == 1 and count > 4:
            value.first = cursor.take(4, what)
            cursor.skip(count - 5, what)
            value.last = cursor.take(1, what)[0]
        elif kind in INTEGERS and count <= _FEW:
            value.numbers = list(struct.unpack(f"{cursor.order}{count}{INTEGERS[kind]}", cursor.take(size, what)))
        else:
            cursor.skip(size, what)
    else:
        message = f"The items of {what} have the type {kind}, which arrays cannot hold."
        raise GgufFault("value-type", message, value.offset)
