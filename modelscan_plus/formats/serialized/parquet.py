"""What a Parquet table says about itself: the keys and values that writers leave in its footer, and Arrow's schema.

    PAR1, the columns, the footer (Thrift, compact protocol), u32 length of the footer, PAR1

The footer is FileMetaData of parquet.thrift; its field 5 is a list of pairs of texts. `ARROW:schema` holds a schema
of Arrow in base64; a field of the type arrow.py_extension_type carries a pickle there, which pyarrow before 14.0.1
restores when the table is opened (CVE-2023-47248). Columns are data to their readers, and are only searched for
pickles that call something.
"""

import base64
import binascii
from collections.abc import Iterable, Iterator

import msgspec

from modelscan_plus.core.artifact import Artifact
from modelscan_plus.core.bytesource import BytesSource
from modelscan_plus.core.coverage import CoverageReason
from modelscan_plus.core.facts import Facts
from modelscan_plus.core.limits import Budget
from modelscan_plus.core.text import shorten, visible
from modelscan_plus.formats import hidden
from modelscan_plus.formats.interface import Format, Parsed, Region, View
from modelscan_plus.formats.serialized.reader import Ended, Reader

_LONGEST = 1 << 24
_PAIRS = 5
_SCHEMA = b"ARROW:schema"
_UNPICKLED = b"arrow.py_extension_type"
_FIXED = {1: 0, 2: 0, 3: 1, 7: 8}
"""Bytes of compact types without a length of their own: true, false, byte, double."""
_DEEPEST = 32


class TableFacts(Facts, frozen=True):
    """What a table carries besides its columns."""

    unpickles: bool = False
    """A field has the extension type that pyarrow restores from a pickle."""
    notes: tuple[tuple[str, str], ...] = ()
    """Keys and values that writers left, shortened."""


class ParquetFormat(Format):
    """Parquet tables."""

    name = "parquet"
    title = "Parquet table"
    extensions = (".parquet",)
    executable = False
    description = (
        "The keys and values of the footer, and in Arrow's schema the types that pyarrow restores from "
        "pickles. Columns "
        "are data, and are searched for pickles that call something. Loaders: pyarrow, pandas, datasets."
    )

    def claims(self, view: View) -> bool:
        return not view.artifact.payload and view.head[:4] == b"PAR1" and view.tail[-4:] == b"PAR1"

    def parse(self, artifact: Artifact, budget: Budget) -> Iterable[Parsed]:
        source = artifact.source
        whole = (Region(0, source.size, "structure"),)
        length = int.from_bytes(source.pread(source.size - 8, 4), "little")
        if not 0 < length <= min(_LONGEST, source.size - 12):
            gap = CoverageReason("parquet-footer", f"a footer of {length:,} bytes is not read")
            yield Parsed((TableFacts(),), whole, gaps=(gap,))
            return
        footer = source.pread(source.size - 8 - length, length)
        gaps: tuple[CoverageReason, ...] = ()
        pairs: list[tuple[bytes, bytes]] = []
        try:
            pairs = list(_pairs(Reader(BytesSource(footer), 0, budget)))
        except Ended as fault:
            gaps = (CoverageReason("parquet-footer", f"the footer cannot be read: {fault}"),)
        schema = next((_decoded(value) for key, value in pairs if key == _SCHEMA), b"")
        notes = tuple(
            (visible(key.decode("utf-8", "replace"))[:80], shorten(visible(value.decode("utf-8", "replace")), 4000))
            for key, value in pairs[:500] if key != _SCHEMA
        )  # fmt: skip
        held = hidden.find(
            artifact, 4, source.size - 8 - length, budget
        )  # columns of bytes can hold what others restore
        yield Parsed((TableFacts(_UNPICKLED in schema, notes),), whole, held, gaps=gaps)


class _Field(msgspec.Struct, frozen=True):
    number: int
    kind: int


def _decoded(value: bytes) -> bytes:
    try:
        return base64.b64decode(value)
    except (binascii.Error, ValueError):
        return b""


def _varint(reader: Reader) -> int:
    value = shift = 0
    while shift < 70:
        byte = reader.take(1)[0]
        value |= (byte & 127) << shift
        if byte < 128:
            return value
        shift += 7
    raise Ended("a number does not end")


def _fields(reader: Reader) -> Iterator[_Field]:
    """The fields of a struct; whoever asks reads or skips each before the next."""
    number = 0
    while True:
        reader.budget.take_objects(1)
        head = reader.take(1)[0]
        if not head:
            return
        delta = head >> 4
        coded = 0 if delta else _varint(reader)
        number = number + delta if delta else (coded >> 1) ^ -(coded & 1)
        yield _Field(number, head & 15)


def _list(reader: Reader) -> tuple[int, int]:
    """How many elements follow, and of which type."""
    head = reader.take(1)[0]
    count = head >> 4
    count = _varint(reader) if count == 15 else count
    if count > reader.size:
        raise Ended("more elements than bytes are announced")
    return count, head & 15


def _skip(reader: Reader, kind: int, depth: int = 0, *, element: bool = False) -> None:
    """Go on behind a value; true and false take a byte only as elements of a list."""
    reader.budget.take_objects(1)
    if depth > _DEEPEST:
        raise Ended("it is nested too deeply")
    if kind in _FIXED:
        reader.skip(1 if element and kind in (1, 2) else _FIXED[kind])
    elif kind in (4, 5, 6):
        _varint(reader)
    elif kind == 8:
        reader.skip(_varint(reader))
    elif kind in (9, 10):
        count, inner = _list(reader)
        for _ in range(count):
            _skip(reader, inner, depth + 1, element=True)
    elif kind == 12:
        for field in _fields(reader):
            _skip(reader, field.kind, depth + 1)
    else:
        raise Ended(f"a value is of the unknown type {kind}")


def _pairs(reader: Reader) -> Iterator[tuple[bytes, bytes]]:
    for field in _fields(reader):
        if field.number != _PAIRS or field.kind != 9:
            _skip(reader, field.kind)
            continue
        count, kind = _list(reader)
        if kind != 12:
            raise Ended("what writers left is no list of pairs")
        for _ in range(count):
            held = {1: b"", 2: b""}
            for part in _fields(reader):
                if part.kind == 8 and part.number in held:
                    held[part.number] = reader.take(_varint(reader))
                else:
                    _skip(reader, part.kind)
            yield held[1], held[2]
