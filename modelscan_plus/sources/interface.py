"""The interface of a source: what stands under a target, and how to open it safely.

A source lists; it opens lazily, one file at a time, and never reads. What cannot be opened is stated as
`PathFacts` with a coverage reason, so that it is reported and the rest goes on.
"""

import os
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass
from typing import Protocol

from modelscan_plus.core.bytesource import ByteSource, FileSource
from modelscan_plus.core.coverage import CoverageReason
from modelscan_plus.core.facts import Facts, PathFacts
from modelscan_plus.core.text import visible


@dataclass(frozen=True, slots=True)
class Opened:
    """An open regular file, or the end of a socket that gives ranges of a remote one. The taker closes `fd`."""

    fd: int
    size: int
    changed: Callable[[], bool]
    """After reading: True when the file is no longer the one that was opened (size, mtime_ns, inode; or what a
    server says that it is)."""
    link: str = ""
    """Where it leads, when the name is a link to another file of the same target: the file has a second name."""
    named: str = ""
    """The sha256 that its name claims for its content, as caches name files; "" where the name claims nothing."""
    facts: tuple[PathFacts, ...] = ()
    """What opening it showed."""
    fetched: Callable[[], int] | None = None
    """Set for a remote file: the bytes that came over the network so far. `fd` is then a socket (workers/ranges.py)."""


@dataclass(frozen=True, slots=True)
class Unopened:
    """Something that is not scanned, and why."""

    facts: PathFacts | None
    reason: CoverageReason
    state: str = "unreadable"
    """The coverage state it leads to."""
    size: int = 0


@dataclass(frozen=True, slots=True)
class Entry:
    """One name under a target."""

    path: str
    """Relative to the target's root, "/" between parts, raw (surrogate escapes for bad UTF-8)."""
    open: Callable[[], Opened | Unopened]
    note: PathFacts | None = None
    """Something to be said about the name itself, whether or not the file can be opened."""
    inner: str = ""
    """The path below its repository, where the target holds several, or is one file of it; "" where that is `path`."""

    @property
    def place(self) -> str:
        """The path as programs know it that work in the repository."""
        return self.inner or self.path


class Source(Protocol):
    """What a target resolves to."""

    kind: str
    """As in the report's `targets[].kind`: "path", "stdin", …"""
    revision: str | None
    """The exact version that is scanned, for example a commit; known once `entries` has begun."""
    remote: bool
    """True where bytes come over a network, and by threads."""

    def entries(self) -> Iterator[Entry]:
        """Every file below the target, in a stable order; raises `UsageError` when the target does not exist."""

    def facts(self) -> Iterable[Facts]:
        """What the source itself knows about the target; asked after the last entry."""

    def again(self, paths: Collection[str]) -> Iterator[tuple[str, ByteSource]]:
        """Those of the files (paths as in the report) that can be read once more, each open until the next one."""


def opened_again(entries: Iterable[Entry], paths: Collection[str]) -> Iterator[tuple[str, ByteSource]]:
    """`Source.again` for files on disk; one that changed while it was read before is read as it is now."""
    for entry in entries if paths else ():
        path = visible(entry.path)
        opened = entry.open() if path in paths else None
        if isinstance(opened, Opened):
            try:
                yield path, FileSource(opened.fd, opened.size)
            finally:
                os.close(opened.fd)
