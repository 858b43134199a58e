"""`RemoteFile`: one file of a pinned commit as a `ByteSource`, fetched by ranges and checked against the tree.

The hub is asked once (HEAD) where the file lies: commit, identity and size must be those that the tree listing gave.
Ranges then come straight from the signed address; when that expires, the hub is asked again and must name the same
file. A file that came in one piece is hashed: sha256 for LFS, the git blob id for the rest.

Blocks of 4 KiB are kept in a bounded cache. What is fetched beyond a question doubles while questions go straight on
and falls back after a jump; missing blocks with little between them are fetched in one range.
"""

import hashlib
import re
import threading
import time
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urljoin, urlsplit

from modelscan_plus.core.bytesource import ByteSource, ReadFailed
from modelscan_plus.core.text import human_bytes
from modelscan_plus.sources.hub.client import Transient
from modelscan_plus.sources.hub.transfer import FORBIDDEN, Answer, Expired, Transfer, patience, pause

BLOCK = 1 << 12
FIRST = 16
"""Blocks of the first fetch at the beginning of a file."""
MOST_AHEAD = 256
"""Blocks to which reading ahead doubles: 1 MiB."""
NEAR = 16
"""Blocks that are fetched again rather than asking twice."""
WHOLE = 1 << 17
"""Bytes of a file up to which it is fetched in one piece."""
_CACHED = 4096
"""Blocks that are kept of one file: 16 MiB."""
_PIECE = 1024
"""Blocks of one range at most."""
_TRIES = 5
_LINKED = ("x-linked-etag", "x-linked-size", "x-repo-commit")
_HASH = re.compile(r"[0-9a-f]+")


@dataclass(frozen=True, slots=True)
class RemoteIdentity:
    """What a file of a commit is, by the tree listing."""

    path: str
    size: int
    blob_id: str
    """Git id: sha1 of "blob SIZE\\0" and the content (of the LFS pointer, where there is one)."""
    sha256: str | None = None
    """Of the content, for files in LFS."""

    @property
    def etag(self) -> str:
        """What the hub gives as the file's ETag."""
        return self.sha256 or self.blob_id

    def denied_by(self, etag: str) -> bool:
        """True for an ETag that names another file: a hash of the same kind, and another one.

        Mirrors and registries that stand in for the hub name files in ways of their own, which says nothing."""
        return etag != self.etag and len(etag) == len(self.etag) and _HASH.fullmatch(etag) is not None

    def matches(self, data: bytes) -> bool:
        """True when `data` is the whole file."""
        if self.sha256:
            return hashlib.sha256(data).hexdigest() == self.sha256
        return hashlib.sha1(b"blob %d\0" % len(data) + data, usedforsecurity=False).hexdigest() == self.blob_id


class RemoteFile(ByteSource):
    """Ranges of one remote file. Safe to use from several threads, which wait for each other."""

    remote = True

    def __init__(
        self, transfer: Transfer, url: str, commit: str, identity: RemoteIdentity, *, seconds: float, budget: int
    ) -> None:
        """`url` is that of the hub; at most `budget` bytes are fetched, in at most `seconds` from the first on."""
        self.size = identity.size
        self.identity = identity
        self.fetched = 0
        """Bytes that came over the network."""
        self.changed = False
        """True when the server says that the file is another one than the tree's."""
        self._transfer = transfer
        self._url = url
        self._commit = commit
        self._budget = budget
        self._seconds = seconds
        self._deadline: float | None = None
        self._location: str | None = None
        self._host = ""
        self._etag = ""
        self._named: str | None = None
        """The ETag that the hub gave first; "" where it gave none."""
        self._failure: ReadFailed | None = None
        self._blocks: OrderedDict[int, bytes] = OrderedDict()
        self._next = 0
        self._ahead = FIRST
        self._lock = threading.RLock()

    def warm(self) -> None:
        """Fetch the beginning, so that it is there when it is asked for. Failures come up when it is."""
        try:
            self.pread(0, 1)
        except ReadFailed:
            return

    def restart_clock(self) -> None:
        """Count the seconds from now: what was fetched ahead of the file's turn does not eat up its time."""
        with self._lock:
            if self._deadline is not None:
                self._deadline = time.monotonic() + self._seconds

    def pread(self, offset: int, length: int) -> bytes:
        """The bytes asked for, all of them. Raises `ReadFailed`, and from then on always the same."""
        length = min(length, self.size - offset)
        if offset < 0 or length <= 0:
            return b""
        with self._lock:
            if self._failure is not None:
                raise self._failure
            try:
                data = self._read(offset, length)
            except ReadFailed as failure:
                self.changed = self.changed or failure.code == "changed"
                self._failure = failure
                self._blocks.clear()
                raise
        self.bytes_read += len(data)
        return data

    def _read(self, offset: int, length: int) -> bytes:
        first, last = offset // BLOCK, (offset + length - 1) // BLOCK
        parts: list[bytes] = []
        for start in range(first, last + 1, _PIECE):
            stop = min(start + _PIECE, last + 1)
            self._have(start, stop)
            for number in range(start, stop):
                self._blocks.move_to_end(number)
                parts.append(self._blocks[number])
        skip = offset - first * BLOCK
        return b"".join(parts)[skip : skip + length]

    def _have(self, start: int, stop: int) -> None:
        """See that the blocks `[start, stop)` are in the cache."""
        runs: list[list[int]] = []
        for number in range(start, stop):
            if number in self._blocks:
                continue
            if runs and number - runs[-1][1] <= NEAR:
                runs[-1][1] = number + 1
            else:
                runs.append([number, number + 1])
        for begin, end in runs:
            self._fetch(begin, self._plan(begin, end))
        while len(self._blocks) > _CACHED:
            number = next(iter(self._blocks))
            if start <= number < stop:  # never what was just asked for
                self._blocks.move_to_end(number)
                continue
            del self._blocks[number]

    def _plan(self, begin: int, end: int) -> int:
        """Where the fetch for the missing blocks `[begin, end)` should stop."""
        total = -(-self.size // BLOCK)
        if self.size <= WHOLE:
            return total
        if begin and begin == self._next:
            self._ahead = min(2 * self._ahead, MOST_AHEAD)
        elif begin:
            self._ahead = 1
        stop = min(max(end, begin + self._ahead), total)
        room = (self._budget - self.fetched) // BLOCK
        return stop if stop - begin <= room else max(end, min(stop, begin + room))

    def _fetch(self, begin: int, end: int) -> None:
        if self._deadline is None:
            self._deadline = time.monotonic() + self._seconds
        start, stop = begin * BLOCK, min(end * BLOCK, self.size)
        if self.size <= WHOLE:
            start = 0
        if self.fetched + stop - start > self._budget:
            raise ReadFailed(
                "budget-remote",
                f"to go on, more than {human_bytes(self._budget)} of it would have to be fetched; download and scan it",
            )
        answer = self._tried(start, stop)
        self.fetched += len(answer.data)
        if len(answer.data) == self.size and not self.identity.matches(answer.data):
            raise ReadFailed("changed", "its content is not that of the commit: the hash is another one")
        self._keep(answer)
        self._next = end

    def _keep(self, answer: Answer) -> None:
        data = memoryview(answer.data)
        for at in range(0, len(data), BLOCK):
            self._blocks[(answer.start + at) // BLOCK] = bytes(data[at : at + BLOCK])

    def _tried(self, start: int, stop: int) -> Answer:
        """Fetch a range; expired addresses are renewed, and what may pass is tried again a few times."""
        deadline = self._deadline or 0.0
        wait = 0.25
        for attempt in range(_TRIES):
            try:
                if self.size <= WHOLE and not self.identity.sha256:
                    return self._whole(deadline)
                if self._location is None:
                    self._location = self.locate(deadline)
                    host = urlsplit(self._location).netloc
                    if host != self._host:  # another CDN names the same file in its own way
                        self._host, self._etag = host, ""
                answer = self._transfer.read_range(self._location, start, stop, self.size, self._etag, deadline)
                self._etag = answer.etag
                return answer
            except Expired:
                self._location = None
                if attempt == _TRIES - 1:
                    raise ReadFailed("remote-forbidden", "the server refuses to give it (403)") from None
                if attempt:
                    pause(wait, deadline, Transient("remote-forbidden", "the server refuses to give it (403)"))
            except Transient as error:
                if attempt == _TRIES - 1:
                    raise ReadFailed(error.code, str(error)) from None
                pause(wait, deadline, error)
            wait *= 2
        raise AssertionError("the last try returns or raises")

    def _whole(self, deadline: float) -> Answer:
        """A small file that is not in LFS: the hub gives it itself, without being asked for its place first."""
        answer, headers = self._transfer.read_whole(self._url, self.size, deadline)
        self._check(headers, self.size)
        return answer

    def locate(self, deadline: float) -> str:
        """Ask the hub where the file lies; it must be the file of the tree."""
        url, linked = self._url, dict[str, str]()
        for _ in range(4):
            with self._transfer.request("HEAD", url, deadline) as response:
                status, headers = response.status_code, response.headers
            for name in _LINKED:
                if name in headers:
                    linked.setdefault(name, headers[name])
            if status in (301, 302, 303, 307, 308):
                url = urljoin(url, headers.get("location", ""))
                if not self._transfer.at_hub(url):
                    self._check(linked, linked.get("x-linked-size"))
                    return url
            elif status == 200:
                self._check({**headers, **linked}, linked.get("x-linked-size", headers.get("content-length")))
                return url
            else:
                self._refused(status, headers)
        raise ReadFailed("remote-refused", "the hub redirects in a circle")

    def _refused(self, status: int, headers: Mapping[str, str]) -> None:
        if status in (408, 429, 500, 502, 503, 504):
            code = "rate-limited" if status == 429 else "network"
            raise Transient(code, f"the hub answered {status}", patience(headers, status))
        if status in (401, 403):
            raise ReadFailed("remote-forbidden", FORBIDDEN)
        if status == 404:
            raise ReadFailed("remote-missing", "the hub no longer has it")
        raise ReadFailed("remote-refused", f"the hub answered with status {status}")

    def _check(self, headers: Mapping[str, str], size: str | int | None) -> None:
        """The answer of the hub must be about the file of the tree, of the commit that was asked for."""
        etag = (headers.get("x-linked-etag") or headers.get("etag") or "").removeprefix("W/").strip('"')
        commit = headers.get("x-repo-commit", self._commit)
        self._named = etag if self._named is None else self._named
        if commit != self._commit or etag != self._named or self.identity.denied_by(etag):
            raise ReadFailed("changed", "the hub no longer names the same file: it changed while the scan went on")
        if size is not None and str(size) != str(self.size):
            raise ReadFailed("changed", f"the hub says {size} bytes where the commit has {self.size:,}")
