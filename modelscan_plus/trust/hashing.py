"""SHA-256 of files: beside a scan out of the same read, and of many files at once in threads.

SHA-256 runs at about 2 GB/s on a core with SHA instructions, a copy out of the page cache ten times as fast, so what
costs is the hash; `make bench-hash` measures both. hashlib lets other threads run while it hashes, so threads are
enough. Blocks stay within a processor's second-level cache: larger ones are slower.
"""

import hashlib
import os
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from modelscan_plus.core.bytesource import ByteSource, FileSource

BLOCK = 1 << 18
"""Bytes that are read and hashed at a time."""
SLOWEST = 40_000_000
"""Bytes per second of the slowest disk and processor for which a scan waits: a file's deadline grows with its size."""


class _Hash(Protocol):
    def update(self, data: memoryview, /) -> None: ...


def seconds_to_hash(size: int) -> float:
    """How long hashing `size` bytes may take, beyond the time that the analysis of the file may take."""
    return size / SLOWEST


def processors() -> int:
    """How many files are worth hashing at once here, at most 8."""
    count = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, min(8, count))


class HashedSource(FileSource):
    """An open file that is hashed with the bytes that its parsers read, as long as they read on from where they were.

    What a parser reads at the front of the part not hashed yet goes into the hash as it passes; what it skips is read
    by `hexdigest` at the end. Every byte goes in once and in order, whatever was read, and in which order.
    """

    def __init__(self, fd: int, size: int) -> None:
        super().__init__(fd, size)
        self._hash = hashlib.sha256()
        self._hashed = 0

    def pread(self, offset: int, length: int) -> bytes:
        data = super().pread(offset, length)
        if 0 <= offset <= self._hashed < offset + len(data):
            new = memoryview(data)[self._hashed - offset :]
            self._hash.update(new)
            self._hashed += len(new)
        return data

    def hexdigest(self) -> str:
        """The digest of the whole file. `bytes_read` stays what the analysis read."""
        self._hashed = update_from(self._hash, self._fd, self._hashed, self.size)
        return self._hash.hexdigest()


def update_from(
    digest: _Hash,
    fd: int,
    start: int,
    stop: int,
    progress: Callable[[int], None] | None = None,
    cancelled: Callable[[], bool] | None = None,
) -> int:
    """Feed the bytes `[start, stop)` of an open file to `digest`; returns how far the file went."""
    block = memoryview(bytearray(min(BLOCK, max(1, stop - start))))
    while start < stop and not (cancelled is not None and cancelled()):
        count = _read_into(fd, block[: stop - start], start)
        if count == 0:
            break
        digest.update(block[:count])
        start += count
        if progress is not None:
            progress(count)
    return start


def hash_source(source: ByteSource) -> str:
    """The SHA-256 of any source, with what was already hashed while it was read; `bytes_read` stays as it is."""
    if isinstance(source, HashedSource):
        return source.hexdigest()
    digest = hashlib.sha256()
    analysed = source.bytes_read
    offset = 0
    while chunk := source.pread(offset, 1 << 20):
        digest.update(chunk)
        offset += len(chunk)
    source.bytes_read = analysed
    return digest.hexdigest()


@dataclass(slots=True)
class Work:
    """One file to be hashed."""

    open: Callable[[], tuple[int, int] | None]
    """A descriptor, which is closed here, and the number of bytes; None when there is nothing to hash."""
    size: int
    """About how large it is: the largest go first, so that no thread is left with one at the end."""
    done: Callable[[int], None] = lambda _fd: None
    """Called with the descriptor before it is closed."""
    algorithms: tuple[str, ...] = ("sha256",)
    """Names as in hashlib; all are computed in one read."""
    digests: dict[str, str] = field(default_factory=dict)
    """Filled in: the digests by algorithm, in hexadecimal; empty when the file could not be read."""
    count: int = 0
    """Filled in: bytes that were hashed."""
    error: OSError | None = None
    """Filled in where reading failed."""


class _Many:
    """Several hashes that are fed at once."""

    def __init__(self, algorithms: Sequence[str]) -> None:
        self.hashes = {name: hashlib.new(name, usedforsecurity=False) for name in algorithms}

    def update(self, data: memoryview) -> None:
        for each in self.hashes.values():
            each.update(data)


def hash_files(works: Sequence[Work], jobs: int = 1, progress: Callable[[int], None] | None = None) -> None:
    """Hash all files, up to `jobs` at a time. `progress` is told from the calling thread how many bytes were added.

    An interrupt, or anything else that `progress` raises, ends the threads before it goes on.
    """
    queue = sorted(works, key=lambda work: work.size, reverse=True)
    threads = min(jobs, len(queue))
    if threads <= 1 or sum(work.size for work in queue) < 4 * BLOCK:
        for work in queue:
            _hash_one(work, progress, None)
        return
    _Threads(queue).run(threads, progress)


class _Threads:
    """Threads that take one file after the other from a queue."""

    def __init__(self, queue: list[Work]) -> None:
        self._waiting = iter(queue)
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._counted = 0
        self._failures: list[BaseException] = []

    def run(self, threads: int, progress: Callable[[int], None] | None) -> None:
        running = [threading.Thread(target=self._work, daemon=True) for _ in range(threads)]
        for thread in running:
            thread.start()
        told = 0
        try:
            for thread in running:
                while thread.is_alive():
                    thread.join(0.05)
                    told = self._tell(told, progress)
        finally:
            self._stop.set()
            for thread in running:
                thread.join()
        if self._failures:
            raise self._failures[0]
        self._tell(told, progress)

    def _tell(self, told: int, progress: Callable[[int], None] | None) -> int:
        counted = self._counted
        if progress is not None and counted != told:
            progress(counted - told)
        return counted

    def _work(self) -> None:
        try:
            while not self._stop.is_set():
                with self._lock:
                    work = next(self._waiting, None)
                if work is None:
                    return
                _hash_one(work, self._count, self._stop.is_set)
        except BaseException as error:
            self._failures.append(error)
            self._stop.set()

    def _count(self, added: int) -> None:
        with self._lock:
            self._counted += added


def _hash_one(work: Work, progress: Callable[[int], None] | None, cancelled: Callable[[], bool] | None) -> None:
    try:
        opened = work.open()
    except OSError as error:
        work.error = error
        return
    if opened is None:
        return
    fd, size = opened
    try:
        many = _Many(work.algorithms)
        single = next(iter(many.hashes.values()))
        work.count = update_from(single if len(many.hashes) == 1 else many, fd, 0, size, progress, cancelled)
        work.done(fd)
        if cancelled is None or not cancelled():
            work.digests = {name: each.hexdigest() for name, each in many.hashes.items()}
    except OSError as error:
        work.error = error
    finally:
        os.close(fd)


def _read_into(fd: int, block: memoryview, offset: int) -> int:
    if hasattr(os, "preadv"):
        return os.preadv(fd, [block], offset)
    os.lseek(fd, offset, os.SEEK_SET)
    data = os.read(fd, len(block))
    block[: len(data)] = data
    return len(data)
