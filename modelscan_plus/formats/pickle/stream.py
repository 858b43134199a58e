"""A window over a `ByteSource` for the opcode machine: sequential, with cheap skips over literal bodies."""

from modelscan_plus.core.bytesource import SEARCHED, ByteSource

WINDOW = 1 << 18
"""Bytes fetched at a time; the first fetch is smaller, so that a peek at a file costs little."""
FIRST = 1 << 14
HOP = 1 << 12
"""Bytes of the first fetch behind a skip in a remote file; they double while reading goes straight on."""
LONGEST_LINE = 1 << 20
"""Bytes of one text argument that are looked at for its newline before the line is skipped as a blob."""


class Window:
    """`buffer` holds the bytes from `base` on; positions handed around are relative to it."""

    __slots__ = ("_next", "base", "buffer", "source")

    def __init__(self, source: ByteSource, start: int) -> None:
        self.source = source
        self.base = start
        self.buffer = b""
        self._next = FIRST

    @property
    def ends(self) -> bool:
        """True when the buffer reaches the end of the source."""
        return self.base + len(self.buffer) >= self.source.size

    def move(self, position: int, at_least: int = 0) -> None:
        """Make `position` the buffer's first byte, with `at_least` bytes behind it where the source has them."""
        if self.source.remote and position > len(self.buffer):
            self._next = HOP
        self.base += position
        length = max(self._next, at_least)
        self._next = min(2 * length, WINDOW) if self.source.remote else WINDOW
        self.buffer = self.source.pread(self.base, length)

    def find_newline(self, position: int) -> int | None:
        """Absolute offset of the next newline from `position` on, None when none is within `SEARCHED` bytes."""
        found = self.buffer.find(b"\n", position)
        if found >= 0:
            return self.base + found
        offset = self.base + len(self.buffer)
        stop = offset + SEARCHED
        while offset < stop and (chunk := self.source.pread(offset, WINDOW)):
            found = chunk.find(b"\n")
            if found >= 0:
                return offset + found
            offset += len(chunk)
        return None
