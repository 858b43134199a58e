"""Standard input: spooled to where it can be read at any offset, since formats are decided by both ends."""

import os
import shutil
import sys
import tempfile
import weakref
from collections.abc import Collection, Iterator
from contextlib import ExitStack
from typing import BinaryIO

from modelscan_plus.core.bytesource import ByteSource
from modelscan_plus.core.coverage import CoverageReason
from modelscan_plus.core.facts import PathFacts
from modelscan_plus.core.text import human_bytes
from modelscan_plus.sources.interface import Entry, Opened, Unopened, opened_again

DEFAULT_MAX_SIZE = 4 << 30
"""Bytes taken without --max-size: an endless stream must end somewhere."""
_IN_MEMORY = 64 << 20
"""Bytes kept in memory; what is longer moves to a file without a name."""
_CHUNK = 1 << 20


class StdinSource:
    """One stream as one file. Satisfies `Source`."""

    kind = "stdin"
    revision: str | None = None
    remote = False

    def __init__(self, *, max_size: int | None = None, stream: BinaryIO | None = None) -> None:
        """`max_size` is in bytes; `stream` replaces standard input."""
        self._max_size = DEFAULT_MAX_SIZE if max_size is None else max_size
        self._stream = stream
        self._spooled: tuple[int, int] | None = None

    def entries(self) -> Iterator[Entry]:
        """The stream, as an entry named "stdin". It is spooled at the first opening."""
        yield Entry("stdin", self._open)

    def again(self, paths: Collection[str]) -> Iterator[tuple[str, ByteSource]]:
        """The files once more."""
        return opened_again(self.entries(), paths)

    def facts(self) -> tuple[()]:
        """Nothing."""
        return ()

    def _open(self) -> Opened | Unopened:
        try:
            spooled = self._spooled or self._spool(self._stream or sys.stdin.buffer)
        except (OSError, ValueError, AttributeError) as error:  # unreadable, closed, or absent (pythonw)
            message = f"standard input could not be read: {error}"
            return Unopened(None, CoverageReason("read-error", message, executable=True))
        if spooled is None:
            message = f"standard input gave more than the {human_bytes(self._max_size)} allowed; set --max-size"
            reason = CoverageReason("too-large", message, executable=True)
            return Unopened(PathFacts("too-large", message), reason, "not_analysed", self._max_size)
        if self._spooled is None:
            self._spooled = spooled
            weakref.finalize(self, os.close, spooled[0])
        return Opened(os.dup(spooled[0]), spooled[1], lambda: False)

    def _spool(self, stream: BinaryIO) -> tuple[int, int] | None:
        """A descriptor with everything that `stream` gives, and the number of bytes; None when there is too much."""
        with ExitStack() as stack:
            memory = spool = stack.enter_context(_memory())
            size = 0
            while chunk := stream.read(min(_CHUNK, self._max_size + 1 - size)):
                size += len(chunk)
                if size > self._max_size:
                    return None
                if size > _IN_MEMORY and spool is memory:
                    spool = stack.enter_context(tempfile.TemporaryFile())
                    memory.seek(0)
                    shutil.copyfileobj(memory, spool, _CHUNK)
                    memory.truncate(0)
                spool.write(chunk)
            spool.flush()
            return os.dup(spool.fileno()), size


def _memory() -> BinaryIO:
    if hasattr(os, "memfd_create"):
        return os.fdopen(os.memfd_create("modelscan-plus-stdin", os.MFD_CLOEXEC), "w+b")
    return tempfile.TemporaryFile()
