"""Reading what the user named: bounded, never blocking on a FIFO, never a device."""

import hashlib
import os
import re
import stat
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from modelscan_plus.core.text import visible
from modelscan_plus.trust.reasons import Cause, Rejected
from modelscan_plus.trust.verify import Content

_FLAGS = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0)


def read_file(path: str | Path, limit: int, what: str) -> bytes:
    """The bytes of a regular file of at most `limit` bytes; raises `Rejected`."""
    fd = _open(path, what)
    with os.fdopen(fd, "rb") as stream:
        data = stream.read(limit + 1)
    if len(data) > limit:
        raise Rejected(Cause.TOO_LARGE, f"{what} {visible(str(path))} is larger than {limit:,} bytes")
    return data


def content_of_file(
    path: str | Path, more: Mapping[str, Callable[[], Any]] | None = None, known: bytes | None = None
) -> Content:
    """A file as the content of a signature, read once for each digest asked for. `more` are hashes beside hashlib's.

    `known` is the SHA-256 that was taken before: what is read must be that file still.
    """

    def digest(algorithm: str) -> bytes:
        if known is not None:
            if algorithm == "sha256":
                return known
            both = _Both((more or {}).get(algorithm, lambda: hashlib.new(algorithm))())
            with os.fdopen(_open(path, "the file"), "rb") as stream:
                hashlib.file_digest(stream, lambda: both)  # type: ignore[arg-type, return-value]
            if both.sha256.digest() != known:
                raise Rejected(Cause.CHANGED, "the file changed since it was read before")
            return both.digest()
        with os.fdopen(_open(path, "the file"), "rb") as stream:
            return hashlib.file_digest(stream, (more or {}).get(algorithm, algorithm)).digest()

    return Content(digest)


class _Both:
    """A hash, and SHA-256 beside it."""

    digest_size = block_size = 0
    name = "both"

    def __init__(self, other: Any) -> None:
        self.sha256 = hashlib.sha256()
        self._other = other

    def update(self, data: Any) -> None:
        self.sha256.update(data)
        self._other.update(data)

    def digest(self) -> bytes:
        return bytes(self._other.digest())


def content_of_argument(argument: str) -> Content:
    """A file, or `sha256:` and 64 hexadecimal digits where no file has that name."""
    match = re.fullmatch(r"sha256:([0-9a-fA-F]{64})", argument)
    if match and not os.path.exists(argument):
        return Content.of_sha256(bytes.fromhex(match[1]))
    return content_of_file(argument)


def _open(path: str | Path, what: str) -> int:
    try:
        fd = os.open(path, _FLAGS)
    except (OSError, ValueError) as error:
        spoken = error.strerror if isinstance(error, OSError) else str(error)
        raise Rejected(Cause.UNREADABLE, f"{what} {visible(str(path))} cannot be opened: {spoken}") from None
    if not stat.S_ISREG(os.fstat(fd).st_mode):
        os.close(fd)
        raise Rejected(Cause.UNREADABLE, f"{what} {visible(str(path))} is no regular file")
    return fd
