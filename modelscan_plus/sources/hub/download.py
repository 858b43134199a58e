"""Downloading the files of one commit into a folder, each hashed on its way and compared with the commit.

A file grows as `parts/<identity>.part` and gets its own name only when its sha256 (LFS) or git id fits. What was
interrupted goes on where it stopped: the part is hashed again and the rest is asked for as a range, with the same
checks as in a remote scan (transfer.py).
"""

import errno
import hashlib
import os
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from pathlib import Path

from modelscan_plus.core.bytesource import ReadFailed
from modelscan_plus.core.errors import ModelscanPlusError, UsageError
from modelscan_plus.core.text import human_bytes, visible
from modelscan_plus.sources.hub.client import Response, Transient
from modelscan_plus.sources.hub.remote import RemoteFile, RemoteIdentity
from modelscan_plus.sources.hub.transfer import CONTENT_RANGE, Expired, Transfer, pause, refusal

_AT_A_TIME = 4
_TRIES = 6
"""Failures in a row, without a byte between them."""
_PATIENCE = 300.0
"""Seconds that one request may be made to wait."""
_CHUNK = 1 << 20
_RESERVED = frozenset('<>:"|?*\\')


class DownloadFailed(ModelscanPlusError):
    """The download ended before all files were there; what came is kept and goes on with the next try."""


class Mismatch(ModelscanPlusError):
    """The server gave something else than the commit has."""


@dataclass(slots=True)
class Progress:
    """How far the download is; read by another thread."""

    total: int = 0
    done: int = 0
    files: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)

    def add(self, count: int, files: int = 0) -> None:
        """`count` more bytes, `files` more files."""
        with self.lock:
            self.done += count
            self.files += files


def safe_parts(path: str) -> tuple[str, ...]:
    """The parts of a path in a repository. Raises `UsageError` where it would lead out of the folder or be another."""
    parts = tuple(path.split("/"))
    for part in parts:
        bad = part in ("", ".", "..") or part.lower() == ".git" or len(part.encode("utf-8", "surrogatepass")) > 255
        bad = bad or any(0xD800 <= ord(character) < 0xE000 for character in part)
        if bad or any(ord(character) < 32 or character in "\\\x7f" for character in part):
            raise UsageError(f"the repository has a file that cannot be stored safely: {visible(path)}")
        if os.name == "nt" and (any(character in _RESERVED for character in part) or part[-1] in " ."):
            raise UsageError(f"the repository has a file that cannot be stored safely here: {visible(path)}")
    return parts


def check_names(files: Sequence[RemoteIdentity]) -> None:
    """Raise `UsageError` for paths that no folder can hold together."""
    names: dict[str, str] = {}
    for file in files:
        parts = safe_parts(file.path)
        for end in range(1, len(parts) + 1):
            place, kind = "/".join(parts[:end]), "file" if end == len(parts) else "folder"
            if names.setdefault(place, kind) != kind or (kind == "file" and place in names and names[place] != "file"):
                raise UsageError(f"the repository has a file and a folder of one name: {visible(place)}")


class Downloader:
    """One download of some files of a commit."""

    def __init__(self, transfer: Transfer, address: Callable[[RemoteIdentity], str], commit: str, folder: Path) -> None:
        """`address` gives the hub's address of a file; `folder` has "files" and "parts"."""
        self._transfer = transfer
        self._address = address
        self._commit = commit
        self._files = folder / "files"
        self._parts = folder / "parts"
        self._stop = threading.Event()
        self.progress = Progress()

    def run(self, files: Sequence[RemoteIdentity], tick: Callable[[Progress], None]) -> dict[str, str]:
        """Fetch what is missing; `tick` is called ten times a second. Gives the sha256 of every file by path.

        Raises `Mismatch`, `DownloadFailed`, and OSError where the disk refuses.
        """
        self.progress.total = sum(file.size for file in files)
        with ThreadPoolExecutor(_AT_A_TIME, thread_name_prefix="download") as pool:
            try:
                running = {pool.submit(self._file, file): file for file in files}
                pending = set(running)
                while pending:
                    done, pending = wait(pending, timeout=0.1, return_when=FIRST_EXCEPTION)
                    tick(self.progress)
                    for task in done:
                        task.result()
                return {file.path: task.result() for task, file in running.items()}
            except BaseException:
                self._stop.set()
                pool.shutdown(wait=False, cancel_futures=True)
                raise

    def _file(self, file: RemoteIdentity) -> str:
        place = self._files.joinpath(*safe_parts(file.path))
        place.parent.mkdir(parents=True, exist_ok=True)
        if place.exists():
            hashes = _Hashes(file)
            _feed(place, hashes)
            if hashes.fit:
                self.progress.add(file.size, 1)
                return hashes.sha256
            place.unlink()  # damaged since it was verified: it comes again
        name = hashlib.sha256(f"{file.path}\0{file.etag}".encode("utf-8", "surrogatepass")).hexdigest()
        part = self._parts / f"{name}.part"
        hashes = self._fetch(file, part)
        os.replace(part, place)
        self.progress.add(0, 1)
        return hashes.sha256

    def _fetch(self, file: RemoteIdentity, part: Path) -> "_Hashes":
        hashes = _Hashes(file)
        with part.open("ab") as stream:
            if stream.tell() > file.size:
                stream.truncate(0)
            _feed(part, hashes)
            self.progress.add(hashes.size)
            resumed = hashes.size > 0
            self._tried(file, stream.write, stream.flush, hashes)
            stream.flush()
            os.fsync(stream.fileno())
        if hashes.fit:
            return hashes
        part.unlink()
        if resumed:  # the beginning may be what is wrong: once more from the start
            self.progress.add(-hashes.size)
            return self._fetch(file, part)
        raise Mismatch(
            f"{visible(file.path)}: what came has the {hashes.kind} {hashes.named}, the commit says {file.etag}"
        )

    def _tried(
        self, file: RemoteIdentity, write: Callable[[bytes], object], flush: Callable[[], None], hashes: "_Hashes"
    ) -> None:
        """Append the rest of the file, over as many requests as it takes while each brings something."""
        remote = RemoteFile(
            self._transfer, self._address(file), self._commit, file, seconds=_PATIENCE, budget=file.size + 1
        )
        url: str | None = None
        tries = 0
        wait_for = 0.5
        while hashes.size < file.size:
            before, deadline = hashes.size, time.monotonic() + _PATIENCE
            try:
                url = url or remote.locate(deadline)
                self._append(url, file, write, hashes, deadline)
            except ReadFailed as error:
                if error.code == "changed":
                    raise Mismatch(f"{visible(file.path)}: {error.message}") from None
                raise DownloadFailed(f"{visible(file.path)}: {error.message}") from None
            except (Transient, Expired) as error:
                flush()
                tries = 1 if hashes.size > before else tries + 1
                wait_for = 0.5 if hashes.size > before else min(2 * wait_for, 30.0)
                told = error if isinstance(error, Transient) else Transient("remote-forbidden", "the server refuses it")
                url = None
                if tries >= _TRIES:
                    raise DownloadFailed(f"{visible(file.path)}: {told}") from None
                try:
                    pause(wait_for, deadline, told)
                except ReadFailed as failure:
                    raise DownloadFailed(f"{visible(file.path)}: {failure.message}") from None

    def _append(
        self, url: str, file: RemoteIdentity, write: Callable[[bytes], object], hashes: "_Hashes", deadline: float
    ) -> None:
        start = hashes.size
        headers = {"Range": f"bytes={start}-{file.size - 1}"} if start else {}
        with self._transfer.request("GET", url, deadline, headers) as response:
            if response.status_code in (301, 302, 303, 307, 308):
                raise Expired()
            if response.status_code not in (200, 206):
                raise refusal(response.status_code, response, url)
            skip = self._skipped(response, start, file.size)
            for chunk in response.iter_raw(_CHUNK):
                if self._stop.is_set():
                    raise DownloadFailed("another file failed")
                kept = chunk[skip:] if skip < len(chunk) else b""
                skip -= min(skip, len(chunk))
                if hashes.size + len(kept) > file.size:
                    raise Mismatch(f"{visible(file.path)}: the server sends more than {human_bytes(file.size)}")
                write(kept)
                hashes.update(kept)
                self.progress.add(len(kept))
        if hashes.size < file.size:
            raise Transient("short-body", "the connection ended early")

    @staticmethod
    def _skipped(response: Response, start: int, size: int) -> int:
        """Bytes at the beginning of the body that are there already. Raises ReadFailed for a wrong range."""
        encoding = response.headers.get("content-encoding", "identity").strip().lower()
        if encoding not in ("", "identity"):
            raise ReadFailed("remote-inconsistent", "the server encodes what it sends")
        if response.status_code == 200:
            return start
        found = CONTENT_RANGE.fullmatch(response.headers.get("content-range", ""))
        if found is None or tuple(map(int, found.groups())) != (start, size - 1, size):
            raise ReadFailed("remote-inconsistent", "the server sent another range than the one asked for")
        return 0


class _Hashes:
    """Of a file while it comes: sha256, and the git id where that is what names it."""

    def __init__(self, file: RemoteIdentity) -> None:
        self._file = file
        self.size = 0
        self._sha256 = hashlib.sha256()
        self._git = hashlib.sha1(b"blob %d\0" % file.size, usedforsecurity=False)

    def update(self, data: bytes) -> None:
        self.size += len(data)
        self._sha256.update(data)
        if self._file.sha256 is None:
            self._git.update(data)

    @property
    def sha256(self) -> str:
        return self._sha256.hexdigest()

    @property
    def kind(self) -> str:
        return "SHA-256" if self._file.sha256 else "git id"

    @property
    def named(self) -> str:
        """What the file would be called if it were right."""
        return self.sha256 if self._file.sha256 else self._git.hexdigest()

    @property
    def fit(self) -> bool:
        return self.size == self._file.size and self.named == self._file.etag


def _feed(path: Path, hashes: _Hashes) -> None:
    with path.open("rb") as stream:
        while chunk := stream.read(_CHUNK):
            hashes.update(chunk)


def spoken(error: OSError) -> str:
    """A failing disk in words."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return "the disk is full"
    return error.strerror or str(error)
