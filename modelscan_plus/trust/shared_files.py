"""Files that several processes write and any of which may be killed: one writer at a time, whole or not at all.

The lock is `flock` on the file itself, which the system takes back when a process dies. A file that is replaced while
someone waits for its lock is opened again, so that nobody works on what is no longer there. Where there is no `flock`
(Windows) writers are not kept apart; what they write is whole all the same.
"""

import contextlib
import os
import stat
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

from modelscan_plus.core.errors import UsageError
from modelscan_plus.core.text import visible

if sys.platform != "win32":
    import fcntl

_READ = os.O_RDONLY | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
_WRITE = os.O_RDWR | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)


def read_whole(path: Path, limit: int) -> bytes:
    """The bytes of a regular file of at most `limit` bytes; `UsageError` says what is wrong with another."""
    with opened(path, _READ) as fd:
        data = read_from(fd, limit + 1)
    if len(data) > limit:
        raise UsageError(f"{visible(str(path))}: larger than {limit:,} bytes")
    return data


def read_from(fd: int, limit: int) -> bytes:
    """What stands in an open file from where it is, at most `limit` bytes."""
    parts = []
    while limit > 0 and (part := os.read(fd, min(limit, 1 << 20))):
        parts.append(part)
        limit -= len(part)
    return b"".join(parts)


def update(path: Path, empty: bytes, change: Callable[[bytes], bytes], limit: int) -> None:
    """Replace what stands in `path` by what `change` makes of it, while no other process does.

    A file that is not there is made, with `empty`. Whoever reads meanwhile sees the old or the new file, and so does
    everybody after a crash.
    """
    real = Path(os.path.realpath(path))
    with _locked_for_replacement(real, empty) as fd:
        data = read_from(fd, limit + 1)
        if len(data) > limit:
            raise UsageError(f"{visible(str(path))}: larger than {limit:,} bytes")
        new = change(data)
        for stale in real.parent.glob(f".{_glob_escaped(real.name)}.new-*"):
            stale.unlink(missing_ok=True)  # of a writer that was killed; whoever still needs it makes it again
        if new != data:
            _replace(real, new, stat.S_IMODE(os.fstat(fd).st_mode))


def _glob_escaped(name: str) -> str:
    return "".join(f"[{character}]" if character in "*?[" else character for character in name)


@contextlib.contextmanager
def _locked_for_replacement(path: Path, empty: bytes) -> Iterator[int]:
    while True:
        try:
            fd = os.open(path, _WRITE)
        except FileNotFoundError:
            _create(path, empty)
            continue
        except OSError as error:
            raise _unusable(path, error) from None
        try:
            _check_regular(fd, path)
            lock(fd)
            if _still_named(fd, path):
                yield fd
                return
        finally:
            os.close(fd)


def _create(path: Path, content: bytes) -> None:
    """Make `path` with this content, unless someone else is quicker."""
    try:
        temporary = _written_beside(path, content, 0o666 & ~_umask())
    except OSError as error:
        if isinstance(error, FileNotFoundError) and path.parent.is_dir():
            return  # someone was quicker, and cleared up what stood beside
        raise _unusable(path, error) from None
    try:
        # A link refuses to replace, so that no other process's work is lost.
        os.link(temporary, path)
    except (FileExistsError, FileNotFoundError):
        pass
    except OSError:  # a file system without hard links
        with contextlib.suppress(FileNotFoundError):
            os.rename(temporary, path)
    finally:
        Path(temporary).unlink(missing_ok=True)


def _replace(path: Path, content: bytes, mode: int) -> None:
    try:
        temporary = _written_beside(path, content, mode)
        os.replace(temporary, path)
        _sync_folder(path.parent)
    except OSError as error:
        raise _unusable(path, error) from None


def _written_beside(path: Path, content: bytes, mode: int) -> str:
    handle, temporary = tempfile.mkstemp(prefix=f".{path.name}.new-", dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as stream:
            stream.write(content)
            stream.flush()
            os.chmod(temporary, mode)
            os.fsync(stream.fileno())
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
    return temporary


@contextlib.contextmanager
def appending(path: Path) -> Iterator[int]:
    """`path`, made if need be, open for reading and appending, while no other process appends."""
    while True:
        with opened(path, _WRITE | os.O_APPEND | os.O_CREAT) as fd:
            lock(fd)
            if _still_named(fd, path):
                yield fd
                return


@contextlib.contextmanager
def reading(path: Path) -> Iterator[int]:
    """`path` open for reading, while no process appends."""
    with opened(path, _READ) as fd:
        lock(fd, shared=True)
        yield fd


@contextlib.contextmanager
def opened(path: Path, flags: int) -> Iterator[int]:
    """A regular file, closed at the end; `UsageError` for anything else."""
    try:
        fd = os.open(path, flags, 0o666)
    except OSError as error:
        raise _unusable(path, error) from None
    try:
        _check_regular(fd, path)
        yield fd
    finally:
        os.close(fd)


def lock(fd: int, *, shared: bool = False) -> None:
    """Wait until this process holds the file."""
    if sys.platform != "win32":
        fcntl.flock(fd, fcntl.LOCK_SH if shared else fcntl.LOCK_EX)


def _check_regular(fd: int, path: Path) -> None:
    if not stat.S_ISREG(os.fstat(fd).st_mode):
        raise UsageError(f"{visible(str(path))}: not a regular file")


def _still_named(fd: int, path: Path) -> bool:
    held = os.fstat(fd)
    try:
        named = os.stat(path)
    except FileNotFoundError:
        return False
    return (held.st_dev, held.st_ino) == (named.st_dev, named.st_ino)


def _sync_folder(folder: Path) -> None:
    with contextlib.suppress(OSError):  # not every system opens folders
        fd = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(fd)
        finally:
            os.close(fd)


def _unusable(path: Path, error: OSError) -> UsageError:
    if isinstance(error, FileNotFoundError):
        return UsageError(f"{visible(str(path))}: no such file or folder")
    return UsageError(f"{visible(str(path))}: {os.strerror(error.errno) if error.errno else error}")


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
