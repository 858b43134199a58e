"""FlatBuffers, read in place and with every offset held against the end of the bytes.

    root     u32 offset of the root table; behind it, in many formats, four letters that name the format
    table    i32 back to its vtable, then the fields that are there
    vtable   u16 its own size, u16 size of the table, then u16 for each field: its place in the table, 0 for absent
    vector   u32 number of elements, then the elements; a text is a vector of bytes with a zero behind it
    offset   u32 forward from where the offset itself stands

All numbers are little-endian. Source: flatbuffers.dev, the page on the internals of the format. Loaders that do not
verify a file follow such offsets wherever they lead; here whatever leaves the bytes is `Malformed`.
"""

import struct
from array import array
from collections.abc import Iterator

from modelscan_plus.core.bytesource import ByteSource
from modelscan_plus.core.limits import Budget

_BLOCK = 16 << 10
_BLOCKS = 256
"""Blocks that are kept: 4 MiB."""
TEXT = 4 << 10
"""Bytes of a text that are read."""
_TABLE = 12
"""Objects that a table counts: many offsets may lead to the same one, so that a small file can hold very many."""
_NUMBERS = 1 << 20
"""Numbers of one vector that are read."""


class Malformed(Exception):
    """An offset leaves the file, or a table is none."""


class Flat:
    """The bytes of one buffer."""

    def __init__(self, source: ByteSource, budget: Budget) -> None:
        self.source = source
        self.size = source.size
        self.end = 0
        """The first byte behind everything that was visited so far."""
        self._budget = budget
        self._blocks: dict[int, bytes] = {}

    def root(self) -> "Table":
        """The outermost table."""
        return Table(self, self.u32(0))

    def read(self, at: int, length: int) -> bytes:
        """Bytes that must be there."""
        if at < 0 or length < 0 or at + length > self.size:
            raise Malformed(f"{length:,} bytes at {at:,} of {self.size:,}")
        self.end = max(self.end, at + length)
        if length > _BLOCK:
            return self.source.pread(at, length)
        first, last = at // _BLOCK, (at + max(length, 1) - 1) // _BLOCK
        start = at - first * _BLOCK
        data = self._block(first) if first == last else self._block(first) + self._block(last)
        return data[start : start + length]

    def _block(self, number: int) -> bytes:
        known = self._blocks.get(number)
        if known is None:
            self._budget.check_time()
            if len(self._blocks) >= _BLOCKS:
                self._blocks.pop(next(iter(self._blocks)))
            known = self._blocks[number] = self.source.pread(number * _BLOCK, _BLOCK)
        return known

    def number(self, at: int, code: str) -> int:
        """One number of a struct code."""
        (value,) = struct.unpack("<" + code, self.read(at, struct.calcsize("<" + code)))
        return int(value)

    def u32(self, at: int) -> int:
        """A number of four bytes without sign."""
        return self.number(at, "I")

    def count(self, at: int, width: int) -> int:
        """Elements of the vector at `at`, which all are there."""
        count = self.u32(at)
        if at + 4 + count * width > self.size:
            raise Malformed(f"a vector of {count:,} elements at {at:,} ends behind the file")
        self.end = max(self.end, at + 4 + count * width)
        return count

    def charge(self, count: int = 1) -> None:
        """Objects that are made."""
        self._budget.take_objects(count)


class Table:
    """A table: its fields are asked for by number, in the order of the schema (a union counts twice)."""

    __slots__ = ("_at", "_fields", "_flat", "_size")

    def __init__(self, flat: Flat, at: int) -> None:
        flat.charge(_TABLE)
        vtable = at - flat.number(at, "i")
        size = flat.number(vtable, "H")
        self._size = flat.number(vtable + 2, "H")
        if size < 4 or size % 2 or self._size < 4:
            raise Malformed(f"the table at {at:,} has no vtable")
        flat.read(at, self._size)
        raw = flat.read(vtable + 4, size - 4)
        self._fields = struct.unpack(f"<{len(raw) // 2}H", raw)
        self._flat = flat
        self._at = at

    def _place(self, field: int, width: int = 4) -> int | None:
        offset = self._fields[field] if field < len(self._fields) else 0
        if not offset:
            return None
        if offset + width > self._size:
            raise Malformed(f"field {field} of the table at {self._at:,} stands outside of it")
        return self._at + offset

    def number(self, field: int, code: str, default: int = 0) -> int:
        """A number."""
        place = self._place(field, struct.calcsize("<" + code))
        return default if place is None else self._flat.number(place, code)

    def vector(self, field: int, width: int) -> tuple[int, int]:
        """Where the elements of a vector begin, and how many there are."""
        place = self._place(field)
        if place is None:
            return 0, 0
        at = place + self._flat.u32(place)
        return at + 4, self._flat.count(at, width)

    def numbers(self, field: int, code: str = "i") -> "array[int]":
        """A vector of numbers."""
        width = struct.calcsize("<" + code)
        start, count = self.vector(field, width)
        count = min(count, _NUMBERS)
        self._flat.charge(count // 16)
        return array(code, struct.unpack(f"<{count}{code}", self._flat.read(start, count * width)))

    def text(self, field: int) -> str | None:
        """A text; what is no UTF-8 becomes surrogate escapes."""
        if self._place(field) is None:
            return None
        start, count = self.vector(field, 1)
        return self._flat.read(start, min(count, TEXT)).decode("utf-8", "surrogateescape")

    def table(self, field: int) -> "Table | None":
        """A table."""
        place = self._place(field)
        return None if place is None else Table(self._flat, place + self._flat.u32(place))

    def tables(self, field: int) -> Iterator["Table"]:
        """A vector of tables."""
        start, count = self.vector(field, 4)
        for place in range(start, start + 4 * count, 4):
            yield Table(self._flat, place + self._flat.u32(place))


def flexible_texts(data: bytes) -> list[bytes]:
    """The texts of a FlexBuffer whose root is a vector of texts; empty where it is something else.

    Its end is read first: the root's bytes, then u8 its type (upper six bits, lower two: width of what it points to as
    a power of two), then u8 the width of the root itself.
    """
    if len(data) < 3:
        return []
    kind, width = data[-2], data[-1]
    step = 1 << (kind & 3)
    if kind >> 2 not in (10, 14, 15) or width not in (1, 2, 4, 8):  # a vector of anything, of keys, of texts
        return []
    root = len(data) - 2 - width
    start = root - int.from_bytes(data[root : root + width], "little")
    count = int.from_bytes(data[max(0, start - step) : max(0, start)], "little")
    if start < step or start + count * step > len(data) or count > 64:
        return []
    kinds = data[start + count * step : start + count * step + count]
    return [_element(data, start + number * step, step, packed) for number, packed in enumerate(kinds)]


def _element(data: bytes, place: int, step: int, packed: int) -> bytes:
    """A text of a vector; its length stands before it, as wide as its type says."""
    at = place - int.from_bytes(data[place : place + step], "little")
    width = 1 << (packed & 3)
    length = int.from_bytes(data[max(0, at - width) : max(0, at)], "little")
    return data[at : at + length] if at >= width else b""
