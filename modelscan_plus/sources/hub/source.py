"""A repository on the hub as a source: its files, opened as ranges, fetched ahead while others are parsed.

A few threads fetch the beginnings of the next files, small files whole, so that children seldom wait. Nothing
is written to disk, and nothing but ranges reaches a child.
"""

import contextlib
import threading
from collections.abc import Collection, Iterable, Iterator, Sequence
from functools import partial
from queue import Empty, SimpleQueue
from types import TracebackType
from typing import Self

from modelscan_plus.core.bytesource import ByteSource
from modelscan_plus.core.coverage import CoverageReason
from modelscan_plus.core.errors import ModelscanPlusError, UsageError
from modelscan_plus.core.facts import Facts, PathFacts
from modelscan_plus.core.globs import matches, normal
from modelscan_plus.core.repository import HubRepositoryFacts, HubVerdict
from modelscan_plus.core.text import human_bytes, visible
from modelscan_plus.formats import kinds
from modelscan_plus.sources.hub import client
from modelscan_plus.sources.hub.api import HubApi, Repository
from modelscan_plus.sources.hub.remote import WHOLE, RemoteFile, RemoteIdentity
from modelscan_plus.sources.hub.target import HubTarget, parse_target
from modelscan_plus.sources.hub.transfer import CONNECTIONS, Transfer
from modelscan_plus.sources.interface import Entry, Opened, Unopened
from modelscan_plus.sources.local import POLICY_NAMES
from modelscan_plus.workers.ranges import serve

DEFAULT_BUDGET = 64 << 20
"""Bytes fetched of one file at most."""
_LOOK_AHEAD = 2 * CONNECTIONS
_WEIGHTS = frozenset(
    ".safetensors .bin .pt .pth .ckpt .pkl .pickle .joblib .gguf .onnx .h5 .keras .npz .npy .msgpack".split()
)
_KEPT = 64
"""Small weight files that are kept to be looked at again."""
_PLAIN_LIMIT = 100_000
"""Bytes above which weights belong into LFS; the hub itself takes larger files only there or in Xet."""


class HubSource:
    """One repository at one commit. Satisfies `Source`."""

    kind = "hub"
    remote = True

    def __init__(
        self,
        given: str,
        *,
        include: Sequence[str] = (),
        exclude: Sequence[str] = (),
        max_size: int | None = None,
        seconds: float = 60.0,
        budget: int = DEFAULT_BUDGET,
        offline: bool = False,
    ) -> None:
        """`include`, `exclude` and `max_size` as for local files; `seconds` and `budget` hold for one file."""
        self.target: HubTarget = parse_target(given)
        self.revision: str | None = None
        self.repository: Repository | None = None
        self._facts: HubRepositoryFacts | None = None
        self._transfer: Transfer | None = None
        self._include = tuple(map(normal, include))
        self._exclude = tuple(map(normal, exclude))
        self._max_size = max_size
        self._seconds = seconds
        self._budget = budget
        self._offline = offline
        self._small: dict[str, RemoteFile] = {}
        """Weights of at most 128 kiB, which are kept in memory."""

    def resolve(self) -> Repository:
        """Ask the hub which commit and which files these are; once."""
        if self.repository is None:
            if self._offline or client.offline():
                why = "--offline" if self._offline else "HF_HUB_OFFLINE"
                raise UsageError(
                    f"{self.target}: {why} is set; scan what is downloaded (cache: or a folder), or go online"
                )
            self.repository = HubApi().repository(self.target)
            self.revision = self.repository.commit
        return self.repository

    def selected(self) -> list[RemoteIdentity]:
        """The files that the options choose, ordered by path."""
        return [file for file in self.resolve().files if self._wanted(file.path)]

    def entries(self) -> Iterator[Entry]:
        """Every file of the commit, by path. Raises `UsageError` where the repository cannot be had."""
        files = self.selected()
        small = [number for number, file in enumerate(files) if self._max_size is None or file.size <= self._max_size]
        remotes: dict[int, RemoteFile] = {}
        pending = iter(small)
        with _Fetchers(CONNECTIONS) as fetchers:
            for number, file in enumerate(files):
                while len(remotes) < _LOOK_AHEAD and (following := next(pending, None)) is not None:
                    remotes[following] = remote = self._file(files[following])
                    fetchers.submit(remote)
                found = remotes.pop(number, None)
                if found is not None and self._keeps(file):
                    self._small[file.path] = found
                name = file.path.rpartition("/")[2]
                note = PathFacts("policy-file", name) if name in POLICY_NAMES else None
                yield Entry(file.path, partial(self._open, file, found), note)

    def again(self, paths: Collection[str]) -> Iterator[tuple[str, ByteSource]]:
        """The files once more, by short ranges; small weights are those that were fetched whole."""
        for file in self.selected() if paths else ():
            path = visible(file.path)
            if path in paths and (self._max_size is None or file.size <= self._max_size):
                remote = self._small.get(file.path) or self._file(file)
                remote.restart_clock()
                yield path, remote

    def facts(self) -> Iterable[Facts]:
        """The repository, with what the hub's own scanners say of files that could run code."""
        if self._facts is None:
            self._facts = self._stated()
        return (self._facts,)

    def _stated(self) -> HubRepositoryFacts:
        repository = self.resolve()
        paths = [file.path for file in repository.files]
        return HubRepositoryFacts(
            asked=self.target.name,
            name=repository.name,
            revision=self.target.revision or "",
            commit=repository.commit,
            pinned=self.target.pinned,
            scanned=repository.scanned,
            flagged=repository.flagged,
            verdicts=tuple(self._verdicts(repository, paths)),
            conversions=tuple(self._conversions(repository, paths)),
            plain_weights=tuple(
                file.path
                for file in repository.files
                if file.sha256 is None and file.size > _PLAIN_LIMIT and kinds.extension(file.path) in _WEIGHTS
            ),
        )

    @staticmethod
    def _verdicts(repository: Repository, paths: list[str]) -> list[HubVerdict]:
        critical = [path for path in paths if kinds.extension(path) in kinds.EXECUTABLE_NAMES]
        try:
            return HubApi().verdicts(repository, critical)
        except ModelscanPlusError:  # everything else is known by now; a second opinion that nobody gave is no opinion
            return [HubVerdict(path, "", "unknown", "") for path in critical]

    @staticmethod
    def _conversions(repository: Repository, paths: list[str]) -> list[tuple[int, str]]:
        """Asked only of a model that has pickled weights at its root and no safetensors: others are not converted."""
        root = [path for path in paths if "/" not in path]
        pickled = any(path.startswith("pytorch_model") and path.endswith(".bin") for path in root)
        if not pickled or any(path.endswith(".safetensors") for path in root) or repository.asked.kind != "model":
            return []
        try:
            return HubApi().conversions(repository)
        except ModelscanPlusError:  # the repository is readable without; who may open discussions can be limited
            return []

    def _file(self, file: RemoteIdentity) -> RemoteFile:
        repository = self.resolve()
        transfer = self._transfer = self._transfer or Transfer(client.endpoint(), client.request_headers())
        target = HubTarget(repository.name, self.target.kind)
        url = transfer.endpoint + target.file(file.path, repository.commit)
        return RemoteFile(transfer, url, repository.commit, file, seconds=self._seconds, budget=self._budget)

    def _open(self, file: RemoteIdentity, remote: RemoteFile | None) -> Opened | Unopened:
        if remote is None:
            limit = human_bytes(self._max_size or 0)
            message = f"{human_bytes(file.size)}, more than the {limit} that --max-size allows"
            reason = CoverageReason("too-large", message, executable=True)
            return Unopened(PathFacts("too-large", message), reason, "not_analysed", file.size)
        remote.restart_clock()
        return Opened(serve(remote), file.size, lambda: remote.changed, fetched=lambda: remote.fetched)

    def _keeps(self, file: RemoteIdentity) -> bool:
        return file.size <= WHOLE and kinds.extension(file.path) in _WEIGHTS and len(self._small) < _KEPT

    def _wanted(self, path: str) -> bool:
        parts = path.split("/")
        if self._exclude and matches(parts, self._exclude):
            return False
        return not self._include or matches(parts, self._include)


class _Fetchers:
    """Threads that fetch beginnings. They are daemons: an end of the program does not wait for a slow server."""

    def __init__(self, count: int) -> None:
        self._count = count
        self._threads = 0
        self._queue: SimpleQueue[RemoteFile | None] = SimpleQueue()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with contextlib.suppress(Empty):
            while True:
                self._queue.get_nowait()
        for _ in range(self._threads):
            self._queue.put(None)

    def submit(self, remote: RemoteFile) -> None:
        """Fetch the beginning of a file, some time soon."""
        if self._threads < self._count:
            self._threads += 1
            threading.Thread(target=self._work, name="fetch", daemon=True).start()
        self._queue.put(remote)

    def _work(self) -> None:
        while (remote := self._queue.get()) is not None:
            remote.warm()
