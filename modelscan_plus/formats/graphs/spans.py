"""References to values that stay in the file until someone asks: bytes, long text, and the numbers of tensors."""

from array import array
from typing import Any

from modelscan_plus.core.bytesource import ByteSource

INLINE = 256
"""Bytes of each value that are kept when it is read past."""


class Span:
    """`length` bytes at `offset` of the file, of which `head` holds the first ones (all of them up to `INLINE`)."""

    __slots__ = ("_source", "head", "length", "offset")

    def __init__(self, source: ByteSource, offset: int, length: int, head: bytes) -> None:
        self._source = source
        self.offset = offset
        self.length = length
        self.head = head

    def read(self, limit: int = 1 << 20, start: int = 0) -> bytes:
        """At most `limit` bytes from byte `start` of the value on."""
        limit = min(limit, self.length - start)
        if limit <= 0:
            return b""
        if start + limit <= len(self.head):
            return self.head[start : start + limit]
        return self._source.pread(self.offset + start, limit)

    def part(self, start: int, length: int) -> "Span":
        """`length` bytes from byte `start` on."""
        return Span(self._source, self.offset + start, length, self.read(min(length, INLINE), start))

    def text(self, limit: int = 1 << 20) -> str:
        """The first `limit` bytes as text; what is no UTF-8 becomes surrogate escapes."""
        return self.read(limit).decode("utf-8", "surrogateescape")

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Span) and (self.offset, self.length) == (other.offset, other.length)

    def __hash__(self) -> int:
        return hash((self.offset, self.length))

    def __repr__(self) -> str:
        return f"Span({self.offset}, {self.length}, {self.head[:16]!r})"


class Numbers:
    """The numbers of a repeated field, in pieces: packed ones are spans, single ones an array."""

    __slots__ = ("pieces", "typecode")

    def __init__(self, typecode: str) -> None:
        self.typecode = typecode
        self.pieces: list[Span | array[Any]] = []

    def append(self, piece: "Span | array[Any]") -> None:
        """Add what the next field holds."""
        if isinstance(piece, array) and self.pieces and isinstance(self.pieces[-1], array):
            self.pieces[-1].extend(piece)
        else:
            self.pieces.append(piece)

    @property
    def span(self) -> Span | None:
        """Where the packed numbers stand, when there is one piece of them and nothing else."""
        first = self.pieces[0]
        return first if len(self.pieces) == 1 and isinstance(first, Span) else None

    @property
    def size(self) -> int:
        """Bytes that the numbers take in the file, for single ones in memory."""
        return sum(piece.length if isinstance(piece, Span) else len(piece) * piece.itemsize for piece in self.pieces)
