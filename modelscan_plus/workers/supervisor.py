"""The supervisor: opens files, hands them to sandboxed children, and outlives whatever happens to those.

It keeps its own children instead of a process pool because one death must cost one file: a child that dies, overruns
the deadline or talks nonsense is killed and replaced, its file is reported as unreadable, and the rest goes on.
"""

import selectors
import socket
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from types import TracebackType
from typing import Protocol, Self

import msgspec

from modelscan_plus.core.coverage import CoverageReason, CoverageState
from modelscan_plus.core.errors import ModelscanPlusError
from modelscan_plus.core.facts import PathFacts
from modelscan_plus.core.limits import Limits
from modelscan_plus.inspection import FileResult
from modelscan_plus.sources.interface import Entry, Opened, Unopened
from modelscan_plus.workers import child
from modelscan_plus.workers.frames import ProtocolError
from modelscan_plus.workers.interface import Setup
from modelscan_plus.workers.worker import Job, Worker


class WorkerError(ModelscanPlusError):
    """Children do not even start; nothing can be scanned (exit 5)."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one entry."""

    key: str
    path: str
    """As the source gave it, raw."""
    size: int
    result: FileResult | Unopened
    facts: tuple[PathFacts, ...] = ()
    """What is to be judged about the path itself (rules/paths.py)."""
    link: str = ""
    """As in `Opened`."""


def available() -> bool:
    """True when this system can pass descriptors to children, as every POSIX system does."""
    return hasattr(socket, "send_fds")


class Memory(Protocol):
    """Results of earlier runs (modelscan_plus/results.py)."""

    def recall(self, entry: Entry, opened: Opened) -> FileResult | None:
        """What was found in exactly these bytes under this name, None when that is not known."""

    def keep(self, entry: Entry, opened: Opened, result: FileResult) -> None:
        """Remember a result of bytes that did not change while they were read."""


class Supervisor:
    """Runs entries through at most `jobs` children. A context manager: on leaving it no child is left."""

    def __init__(
        self,
        limits: Limits,
        jobs: int = 1,
        *,
        sha256: bool = False,
        engine: str = "",
        signatures: str = "",
        memory: Memory | None = None,
    ) -> None:
        """`engine` names one whose opinion is asked instead of our own rules; with `signatures`, the JSON of what is
        asked about them, the children verify signature files; `memory` is asked before any child."""
        self.recalled = 0
        """Files whose results were known."""
        self._memory = memory
        self._setup = Setup(limits, sha256, engine, signatures)
        self._jobs = max(1, jobs)
        self._workers: list[Worker] = []
        self._selector = selectors.DefaultSelector()
        self._layers: set[str] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for worker in list(self._workers):
            self._end(worker)
            if worker.job is not None:
                worker.job.close()
        self._selector.close()

    @property
    def sandbox(self) -> tuple[str, ...]:
        """The layers that held in every child so far, sorted; empty before the first file."""
        return tuple(sorted(self._layers or ()))

    def probe(self) -> tuple[str, ...]:
        """Start a child only to learn which layers hold."""
        worker = self._start_worker()
        while worker.layers is None:
            self._wait({})
        return self.sandbox

    def prepare(self) -> None:
        """Start all children now: while there is one thread they can be forked, later ones are new interpreters."""
        while len(self._workers) < self._jobs:
            self._start_worker()

    def run(self, entries: Iterable[tuple[str, Entry]]) -> Iterator[Outcome]:
        """Open and inspect every entry, and give the outcomes in the order of the entries."""
        done: dict[int, Outcome] = {}
        turn = 0
        for _ in self._steps(entries, done):
            while turn in done:
                yield done.pop(turn)
                turn += 1

    def _steps(self, entries: Iterable[tuple[str, Entry]], done: dict[int, Outcome]) -> Iterator[None]:
        """Do the work, with a pause wherever outcomes may have come in."""
        for number, (key, entry) in enumerate(entries):
            self._submit(number, key, entry, done)
            yield
        while any(worker.job for worker in self._workers):
            self._wait(done)
            yield

    def _submit(self, number: int, key: str, entry: Entry, done: dict[int, Outcome]) -> None:
        opened = entry.open()
        if isinstance(opened, Unopened):
            done[number] = _outcome(key, entry, opened.size, opened, *([opened.facts] if opened.facts else []))
            return
        job = Job(number, key, entry, opened)
        try:
            known = self._memory.recall(entry, opened) if self._memory is not None else None
            if known is not None:
                self.recalled += 1
                self._finish(job, known, done, fresh=False)
                return
            if available():
                self._hand_over(job, done)
            else:
                self._finish(job, child.inspect(job.task(), opened.fd, self._setup), done)
        except BaseException:
            job.close()
            raise

    def _hand_over(self, job: Job, done: dict[int, Outcome]) -> None:
        while True:
            worker = self._free_worker(done)
            try:
                worker.start(job)
                return
            except OSError:
                self._lose(worker, "crashed", done)  # while it had nothing to do: not this file's doing

    def _free_worker(self, done: dict[int, Outcome]) -> Worker:
        while True:
            for worker in self._workers:
                if worker.job is None:
                    return worker
            if len(self._workers) < self._jobs:
                return self._start_worker()
            self._wait(done)

    def _start_worker(self) -> Worker:
        try:
            worker = Worker(self._setup)
        except OSError as error:
            raise WorkerError(f"no child process could be started: {error}") from error
        self._workers.append(worker)
        self._selector.register(worker.process.channel, selectors.EVENT_READ, worker)
        return worker

    def _wait(self, done: dict[int, Outcome]) -> None:
        """Until a child says something or one of them is out of time."""
        now = time.monotonic()
        deadline = min(worker.deadline for worker in self._workers if worker.waited_for)
        for key, _ in self._selector.select(max(0.0, deadline - now)):
            self._hear(key.data, done)
        now = time.monotonic()
        for worker in list(self._workers):
            if worker.waited_for and now >= worker.deadline:
                self._lose(worker, "timeout", done)

    def _hear(self, worker: Worker, done: dict[int, Outcome]) -> None:
        try:
            reply = worker.hear()
        except (EOFError, OSError):
            self._lose(worker, "crashed", done)
            return
        except ProtocolError:
            self._lose(worker, "protocol", done)
            return
        if worker.layers is not None:
            self._layers = set(worker.layers) if self._layers is None else self._layers & set(worker.layers)
        if reply is None or worker.job is None:
            return
        job, worker.job = worker.job, None
        self._finish(job, reply.result, done)
        if reply.retire:
            self._end(worker)

    def _lose(self, worker: Worker, code: str, done: dict[int, Outcome]) -> None:
        """Give a child up, and its file with it."""
        job, worker.job = worker.job, None
        how = self._end(worker)
        if worker.layers is None:
            if job is not None:
                job.close()
            raise WorkerError(f"a child process ended before it was ready ({how}); its interpreter may be broken")
        if job is not None:
            self._finish(job, _lost(job, code, how, self._setup.limits), done)

    def _end(self, worker: Worker) -> str:
        self._workers.remove(worker)
        self._selector.unregister(worker.process.channel)
        return worker.process.kill()

    def _finish(self, job: Job, result: FileResult | Unopened, done: dict[int, Outcome], *, fresh: bool = True) -> None:
        changed = job.opened.changed()
        if job.opened.fetched is not None and isinstance(result, FileResult):
            coverage = msgspec.structs.replace(result.coverage, bytes_read=job.opened.fetched())
            result = msgspec.structs.replace(result, coverage=coverage)
        if fresh and not changed and self._memory is not None and isinstance(result, FileResult):
            self._memory.keep(job.entry, job.opened, result)
        job.close()
        if not changed:
            outcome = _outcome(job.key, job.entry, job.opened.size, result, *job.opened.facts, *_misnamed(job, result))
            done[job.number] = replace(outcome, link=job.opened.link)
            return
        if isinstance(result, FileResult):
            result = _distrusted(result)
        facts = PathFacts("changed", "size, time or identity differ from before the scan")
        done[job.number] = _outcome(job.key, job.entry, job.opened.size, result, facts)


def _misnamed(job: Job, result: FileResult | Unopened) -> tuple[PathFacts, ...]:
    """A blob of a cache whose bytes are not those that its name stands for."""
    actual = result.sha256 if isinstance(result, FileResult) else None
    if not job.opened.named or actual is None or actual == job.opened.named:
        return ()
    return (PathFacts("blob-differs", f"is named {job.opened.named}, its SHA-256 is {actual}"),)


def _outcome(key: str, entry: Entry, size: int, result: FileResult | Unopened, *facts: PathFacts) -> Outcome:
    noted = (entry.note, *facts) if entry.note is not None else facts
    return Outcome(key, entry.path, size, result, noted)


def _lost(job: Job, code: str, how: str, limits: Limits) -> Unopened:
    message = {
        "crashed": f"the process that read it died ({how})",
        "timeout": f"not finished within {limits.seconds:g} s; the process that read it was ended",
        "protocol": "the process that read it gave no valid answer",
    }[code]
    return Unopened(None, CoverageReason(code, message, executable=True), size=job.opened.size)


def _distrusted(result: FileResult) -> FileResult:
    """The result of a file that was not the same before and after: what was read may be neither version."""
    reason = CoverageReason("changed", "the file changed while it was scanned", executable=True)
    state = result.coverage.state
    coverage = msgspec.structs.replace(
        result.coverage,
        state=CoverageState.PARTIAL if state is CoverageState.ANALYSED else state,
        reasons=(*result.coverage.reasons, reason),
    )
    return msgspec.structs.replace(result, coverage=coverage)
