"""`ByteSource`: the one interface through which every parser reads.

A local file, bytes in memory, a window of another source and (in formats/archives) a decompressed member all
implement it, so each parser works on all of them. A source never raises on reads past the end: it returns
fewer bytes.
"""

import os
from abc import ABC, abstractmethod
from collections.abc import Callable


class ByteSource(ABC):
    """Random access to `size` bytes. `bytes_read` counts what was really fetched from below."""

    size: int
    bytes_read: int = 0
    remote: bool = False
    """True where every separate range is a journey over a network: parsers then leave out what no loader of the
    format interprets, and state it (`Parsed.skipped`)."""

    @abstractmethod
    def pread(self, offset: int, length: int) -> bytes:
        """Up to `length` bytes at `offset`; fewer only where the source ends."""

    def read_pieces(self, offset: int, length: int, most: int, read: Callable[[int, int], bytes]) -> bytes:
        """What `pread` gives, out of pieces of at most `most` bytes; `read(offset, length)` gives b"" where it ends."""
        length = min(length, self.size - offset)
        if offset < 0 or length <= 0:
            return b""
        parts: list[bytes] = []
        while length > 0:
            part = read(offset, min(length, most))
            if not part:
                break
            parts.append(part)
            offset += len(part)
            length -= len(part)
        data = parts[0] if len(parts) == 1 else b"".join(parts)
        self.bytes_read += len(data)
        return data

    def read_exact(self, offset: int, length: int) -> bytes | None:
        """Exactly `length` bytes at `offset`, or None when the source ends before."""
        if offset < 0 or length < 0 or offset + length > self.size:
            return None
        data = self.pread(offset, length)
        return data if len(data) == length else None


class ReadFailed(OSError):
    """A source cannot give the bytes that it has. `code` becomes the coverage reason: "rate-limited", "changed", …"""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


class BytesSource(ByteSource):
    """Bytes that are already in memory."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self.size = len(data)

    def pread(self, offset: int, length: int) -> bytes:
        if offset < 0 or length <= 0:
            return b""
        data = self._data[offset : offset + length]
        self.bytes_read += len(data)
        return data


class FileSource(ByteSource):
    """A regular file behind an open descriptor, which the caller keeps and closes."""

    def __init__(self, fd: int, size: int) -> None:
        self._fd = fd
        self.size = size

    def pread(self, offset: int, length: int) -> bytes:
        return self.read_pieces(offset, length, 1 << 26, lambda start, count: _pread(self._fd, count, start))


SEARCHED = 256 << 20
"""Bytes up to which a gap is read only to see what is in it; a sparse file can claim terabytes."""


def end_of_zeros(source: ByteSource, start: int, stop: int) -> int:
    """Offset of the first byte in `[start, stop)` that is not zero, `stop` when there is none.

    Looks at `SEARCHED` bytes at most, and gives the offset behind them when all those are zero.
    """
    stop = min(stop, start + SEARCHED)
    while start < stop:
        data = source.pread(start, min(1 << 20, stop - start))
        if not data:
            return start
        if data.count(0) != len(data):
            return start + len(data) - len(data.lstrip(b"\0"))
        start += len(data)
    return stop


def _pread(fd: int, length: int, offset: int) -> bytes:
    if hasattr(os, "pread"):
        return os.pread(fd, length, offset)
    os.lseek(fd, offset, os.SEEK_SET)  # Windows; nobody else uses the descriptor
    return os.read(fd, length)


class SliceSource(ByteSource):
    """The window `[start, start + length)` of another source, clipped to that source's end."""

    def __init__(self, parent: ByteSource, start: int, length: int) -> None:
        self.parent = parent
        self.remote = parent.remote
        self.start = max(0, min(start, parent.size))
        self.size = max(0, min(length, parent.size - self.start))

    def pread(self, offset: int, length: int) -> bytes:
        length = min(length, self.size - offset)
        if offset < 0 or length <= 0:
            return b""
        data = self.parent.pread(self.start + offset, length)
        self.bytes_read += len(data)
        return data
