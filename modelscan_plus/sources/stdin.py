"""Standard input: spooled to where it can be read at any offset, since formats are decided by both ends."""

import os
import sys
import tempfile
from collections.abc import Iterator
from typing import BinaryIO

from modelscan_plus.core.coverage import CoverageReason
from modelscan_plus.core.facts import PathFacts
from modelscan_plus.core.text import human_bytes
from modelscan_plus.sources.interface import Entry, Opened, Unopened

DEFAULT_MAX_SIZE = 4 << 30
"""Bytes taken without --max-size: an endless stream must end somewhere."""
_IN_MEMORY = 64 << 20
"""Bytes kept in memory; what is longer moves to a file without a name."""
_CHUNK = 1 << 20


class StdinSource:
    """One stream as one file. Satisfies `Source`."""

    kind = "stdin"
    revision: str | None = None

    def __init__(self, *, max_size: int | None = None, stream: BinaryIO | None = None) -> None:
        """`max_size` is in bytes; `stream` replaces standard input."""
        self._max_size = DEFAULT_MAX_SIZE if max_size is None else max_size
        self._stream = stream

    def entries(self) -> Iterator[Entry]:
        """The stream, as an entry named "stdin". It can be opened once."""
        yield Entry("stdin", self._open)

    def _open(self) -> Opened | Unopened:
        stream = self._stream or sys.stdin.buffer
        try:
            spooled = self._spool(stream)
        except OSError as error:
            message = f"standard input could not be read: {error.strerror or error}"
            return Unopened(None, CoverageReason("read-error", message, executable=True))
        if spooled is None:
            message = f"standard input gave more than the {human_bytes(self._max_size)} allowed; set --max-size"
            reason = CoverageReason("too-large", message, executable=True)
            return Unopened(PathFacts("too-large", message), reason, "not_analysed", self._max_size)
        fd, size = spooled
        return Opened(fd, size, lambda: False)

    def _spool(self, stream: BinaryIO) -> tuple[int, int] | None:
        """A descriptor with everything that `stream` gives, and the number of bytes; None when there is too much."""
        with _memory() as spool:
            size = 0
            on_disk = False
            target = spool
            while chunk := stream.read(min(_CHUNK, self._max_size + 1 - size)):
                size += len(chunk)
                if size > self._max_size:
                    return None
                if size > _IN_MEMORY and not on_disk:
                    target, on_disk = _moved_to_disk(spool), True
                target.write(chunk)
            target.flush()
            fd = os.dup(target.fileno())
            if on_disk:
                target.close()
            return fd, size


def _memory() -> BinaryIO:
    if hasattr(os, "memfd_create"):
        return os.fdopen(os.memfd_create("modelscan-plus-stdin", os.MFD_CLOEXEC), "w+b")
    return tempfile.TemporaryFile()


def _moved_to_disk(spool: BinaryIO) -> BinaryIO:
    import shutil

    disk = tempfile.TemporaryFile()  # noqa: SIM115 (the caller closes it)
    spool.seek(0)
    shutil.copyfileobj(spool, disk, _CHUNK)
    return disk
