"""The interface of an engine: another scanner that is asked about every artifact that our own parsers find.

An engine is untrusted with our verdict: it may crash, hang, print, write files or eat memory. So it is imported and run
in a child of its own under the sandbox of `workers/`, is handed bytes, never a path, and whatever it raises becomes a
note. It reads nothing from the working directory and loads nothing that it is asked about.
"""

import importlib.metadata
import io
from abc import ABC, abstractmethod
from collections.abc import Iterator
from typing import IO, cast

from modelscan_plus.core.artifact import Artifact
from modelscan_plus.core.bytesource import ByteSource
from modelscan_plus.core.opinion import Listing, Remark

NOT_LOADED, NO_OPINION, NOT_READ = "engine-not-loaded", "engine-no-opinion", "engine-reads-none"
"""Coverage codes in the answers of an engine's child: it does not import, it gave up on something, nothing in the file
is of its kind."""


class NoOpinion(Exception):
    """The engine gives up on an artifact; the text says why."""


class Engine(ABC):
    """One other scanner."""

    name: str
    """As in `--engine` and in a finding's `source`."""
    title: str
    distribution: str
    """Name of the package that installs it."""
    needs: str
    """What it needs of the system, for the message where it is missing."""
    extra: str = "engines"
    """Name of our extra that installs it."""

    def version(self) -> str | None:
        """The installed version, None when it is not installed. Imports nothing of the engine."""
        try:
            return importlib.metadata.version(self.distribution)
        except importlib.metadata.PackageNotFoundError:
            return None

    @abstractmethod
    def load(self) -> None:
        """Import the engine and everything that it imports late; called once, before the sandbox closes."""

    @abstractmethod
    def reads(self, artifact: Artifact, formats: tuple[str, ...]) -> bool:
        """True when the engine has something to say about bytes that our parsers call `formats`."""

    @abstractmethod
    def examine(self, artifact: Artifact, formats: tuple[str, ...]) -> Iterator[Remark | Listing]:
        """What the engine says. May raise anything."""


class _RawSource(io.RawIOBase):
    """A `ByteSource` as a file that can be read and sought, and nothing else."""

    def __init__(self, source: ByteSource) -> None:
        self._source = source
        self._position = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._position

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self._source.size}[whence]
        if base + offset < 0:
            raise OSError("a seek before the beginning")
        self._position = base + offset
        return self._position

    def readinto(self, buffer: "memoryview | bytearray") -> int:  # type: ignore[override]
        data = self._source.pread(self._position, len(buffer))
        buffer[: len(data)] = data
        self._position += len(data)
        return len(data)


def as_file(source: ByteSource) -> IO[bytes]:
    """`source` as a buffered binary file."""
    return cast(IO[bytes], io.BufferedReader(_RawSource(source), 1 << 16))
