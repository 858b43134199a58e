"""The tree digest: one SHA-256 that stands for a folder of files, with their names, sizes and contents.

    "modelscan-plus-tree-1\\n"
    u64 BE   number of files
    per file, in the order of the bytes of its name:
        u32 BE, n bytes   the path relative to the root, UTF-8, "/" between its parts
        u64 BE            size
        32 bytes          SHA-256 of the content

A name, a size or a byte that changes changes the digest, and so does a file more or less. (The subject digest of an
OpenSSF model signature does not bind names: two files that swap theirs within the sort order keep it.) Not bound are
what loaders do not read: permissions, time stamps, extended attributes, empty folders.

What has no single meaning has no digest: a tree with a link, a special file, a file that cannot be read, a name that
cannot be shown, or two names that are one on another system. A link into the blobs of a Hugging Face cache counts as
the file that it stands for, so that a snapshot there has the digest of the same files anywhere else.
"""

import hashlib
import os
import struct
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from modelscan_plus.core.names import name_fault, twins
from modelscan_plus.core.text import visible
from modelscan_plus.sources.interface import Entry, Opened, Unopened
from modelscan_plus.trust.hashing import Work, hash_files

_DOMAIN = b"modelscan-plus-tree-1\n"


@dataclass(frozen=True, slots=True)
class FileDigest:
    """One file of a tree."""

    size: int
    sha256: str
    """Hexadecimal; "" where it was not worked out because the size already says that it is another file."""


@dataclass(slots=True)
class Measured:
    """What stands under a target: the files with their digests, and what keeps the whole from having one."""

    files: dict[str, FileDigest] = field(default_factory=dict)
    refused: dict[str, str] = field(default_factory=dict)
    """By path (raw), why it has no place in a tree digest."""

    @property
    def digest(self) -> str | None:
        """ "sha256:…", or None when something was refused or not hashed, or nothing is there."""
        if not self.files or self.refused or not all(file.sha256 for file in self.files.values()):
            return None
        return tree_digest(self.files)

    @property
    def size(self) -> int:
        """Bytes of all files."""
        return sum(file.size for file in self.files.values())


def tree_digest(files: Mapping[str, FileDigest]) -> str:
    """ "sha256:…" over names, sizes and contents."""
    digest = hashlib.sha256(_DOMAIN + struct.pack(">Q", len(files)))
    for name, file in sorted((name.encode(), file) for name, file in files.items()):
        digest.update(struct.pack(">I", len(name)) + name + struct.pack(">Q", file.size) + bytes.fromhex(file.sha256))
    return f"sha256:{digest.hexdigest()}"


def refusals(names: Sequence[str], links: Mapping[str, str]) -> dict[str, str]:
    """Why some of these names (raw) cannot stand in a tree. `links` holds where links within the target lead."""
    refused = {name: f"a link to {visible(links[name])}" for name in names if name in links}
    refused |= {name: fault for name in names if (fault := name_fault(name))}
    for first, second in twins(name for name in names if name not in refused):
        refused[second] = f"on some systems this name and {visible(first)} are one"
    return refused


class Collector:
    """Puts a tree together from files that come one by one: first what is there, then the digests."""

    def __init__(self) -> None:
        self.measured = Measured()
        self._links: dict[str, str] = {}

    def file(self, name: str, size: int, sha256: str | None, link: str = "") -> None:
        """A file with its digest; None when it is to come or cannot."""
        self.measured.files[name] = FileDigest(size, sha256 or "")
        if link:
            self._links[name] = link

    def refuse(self, name: str, why: str) -> None:
        """Something that is no file with a digest."""
        self.measured.refused[name] = why

    def refuse_names(self) -> Measured:
        """What was collected, with the names refused that have no place in a tree."""
        self.measured.refused |= refusals(list(self.measured.files), self._links)
        return self.measured


def measure(
    entries: Iterable[Entry],
    *,
    jobs: int = 1,
    expected: Mapping[str, int] | None = None,
    progress: Callable[[int], None] | None = None,
    begin: Callable[[int], None] | None = None,
) -> Measured:
    """Hash every file of a source, up to `jobs` at a time.

    With `expected` (sizes by name) files of other names or sizes are listed and not read. `begin` is told the number
    of bytes to come, `progress` the bytes that were hashed since it was last called.
    """
    collector = Collector()
    readings: dict[str, _Reading] = {}
    for entry in entries:
        opened = entry.open()
        if isinstance(opened, Unopened):
            collector.refuse(entry.path, unhashed(opened))
            continue
        os.close(opened.fd)
        collector.file(entry.path, opened.size, None, opened.link)
        if expected is None or expected.get(entry.path) == opened.size:
            readings[entry.path] = _Reading(entry, opened.size)
    measured = collector.refuse_names()
    works = {name: reading.work() for name, reading in readings.items() if name not in measured.refused}
    if begin is not None:
        begin(sum(work.size for work in works.values()))
    hash_files(list(works.values()), jobs, progress)
    for name, work in works.items():
        reading = readings[name]
        # Each file was looked at before and after it was read; once more is for the time until the last one was.
        problem = reading.problem(work) or (CHANGED if reading.replaced() else "")
        if problem:
            measured.refused[name] = problem
        else:
            measured.files[name] = FileDigest(work.count, work.digests["sha256"])
    return measured


CHANGED = "it changed while the files were hashed"


@dataclass(slots=True)
class _Reading:
    """One file on its way through the hash."""

    entry: Entry
    size: int
    opened: Opened | None = None
    unopened: Unopened | None = None
    changed: bool = False
    status: os.stat_result | None = None

    def work(self) -> Work:
        return Work(self.open, self.size, self.done)

    def open(self) -> tuple[int, int] | None:
        opened = self.entry.open()
        if isinstance(opened, Unopened):
            self.unopened = opened
            return None
        self.opened = opened
        return opened.fd, opened.size

    def done(self, fd: int) -> None:
        self.changed = self.opened is None or self.opened.changed()
        self.status = os.fstat(fd)

    def problem(self, work: Work) -> str:
        if work.error is not None:
            return f"it could not be read: {work.error.strerror or work.error}"
        if self.unopened is not None:
            return unhashed(self.unopened)
        return CHANGED if self.changed or work.count != self.size else ""

    def replaced(self) -> bool:
        again = self.entry.open()
        if isinstance(again, Unopened) or self.status is None:
            return True
        try:
            return _identity(os.fstat(again.fd)) != _identity(self.status)
        finally:
            os.close(again.fd)


def _identity(status: os.stat_result) -> tuple[int, ...]:
    return (status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns)


def unhashed(unopened: Unopened) -> str:
    """Why something that could not be opened has no place in a tree."""
    if unopened.reason.code == "git-folder":
        return "git's own folder, which changes with every command; leave it out with --exclude .git"
    if unopened.reason.code == "link-to-folder":
        return "a link to a folder"
    return unopened.reason.message
