"""What the parent of a scan and its children say to each other, in the frames of workers/frames.py.

The parent sends `Setup` once and then one `Task` per file, with the open descriptor beside the first byte; the child
answers `Hello` once and then one `Reply` per file.
"""

import msgspec

from modelscan_plus.core.limits import PATIENCE, Limits
from modelscan_plus.inspection import FileResult
from modelscan_plus.trust.hashing import seconds_to_hash


class Setup(msgspec.Struct, frozen=True):
    """Parent to child, once."""

    limits: Limits
    sha256: bool
    engine: str = ""
    """Name of the engine that gives its opinion instead of our own rules."""
    signatures: str = ""
    """JSON of a trust.examiner.Asked, where the child verifies signatures instead."""

    def seconds_for(self, size: int) -> float:
        """Processor time for a file of `size` bytes: its analysis is limited by itself, hashing it takes what its size
        takes."""
        return self.limits.seconds + (seconds_to_hash(size) if self.sha256 else 0)

    def patience_for(self, size: int) -> float:
        """Seconds by the clock after which a file of `size` bytes is given up."""
        return self.seconds_for(size) + (PATIENCE - 1) * self.limits.seconds


class Hello(msgspec.Struct, frozen=True):
    """Child to parent, once: it is ready, and these layers of the sandbox hold."""

    layers: tuple[str, ...]


class Task(msgspec.Struct, frozen=True):
    """Parent to child: inspect the file whose descriptor comes along."""

    name: str
    size: int
    ranges: bool = False
    """The descriptor is no file but a socket that gives ranges of one (workers/ranges.py)."""
    path: str = ""
    """Where it lies below the target."""


class Reply(msgspec.Struct, frozen=True):
    """Child to parent: what the file is."""

    result: FileResult
    retire: bool = False
    """The child kept so much memory that the next file should have a fresh one."""
