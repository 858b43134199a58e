"""Opening a path beneath a root, one component at a time, so that no link, race or special file leads elsewhere.

`openat` with O_NOFOLLOW refuses a link at every step, O_NONBLOCK keeps a FIFO from blocking, and nothing but a regular
file or a folder is ever opened: the kind is asked first (opening a device can have effects) and asked again of the
descriptor. Where the system has no `openat` (Windows) the same checks run on plain paths, which leaves a race.
"""

import errno
import os
import stat

from modelscan_plus.core.coverage import CoverageReason
from modelscan_plus.core.facts import PathFacts
from modelscan_plus.core.text import visible
from modelscan_plus.sources.interface import Opened, Unopened

HAS_OPENAT = os.open in os.supports_dir_fd and os.stat in os.supports_dir_fd

_FLAGS = (
    os.O_RDONLY
    | getattr(os, "O_NOFOLLOW", 0)
    | getattr(os, "O_NONBLOCK", 0)
    | getattr(os, "O_CLOEXEC", 0)
    | getattr(os, "O_NOCTTY", 0)
    | getattr(os, "O_BINARY", 0)
)
_FOLDER_FLAGS = _FLAGS | getattr(os, "O_DIRECTORY", 0)

_SPECIAL = {
    stat.S_IFIFO: ("fifo", "a FIFO (named pipe)"),
    stat.S_IFCHR: ("device", "a character device"),
    stat.S_IFBLK: ("device", "a block device"),
    stat.S_IFSOCK: ("socket", "a socket"),
}


def open_folder(root: str, parts: tuple[str, ...]) -> int:
    """A descriptor of the folder `parts` beneath `root`. Raises OSError, also where a component is a link."""
    if not HAS_OPENAT:
        return os.open(os.path.join(root, *parts), _FOLDER_FLAGS)
    fd = os.open(root, _FOLDER_FLAGS)
    for part in parts:
        try:
            below = os.open(part, _FOLDER_FLAGS, dir_fd=fd)
        finally:
            os.close(fd)
        fd = below
    return fd


def open_file(root: str, parts: tuple[str, ...]) -> Opened | Unopened:
    """The regular file `parts` beneath `root`, opened for reading; anything else is stated, never opened."""
    folder = None
    try:
        if HAS_OPENAT:
            folder = open_folder(root, parts[:-1])
            name = parts[-1]
        else:
            name = os.path.join(root, *parts)
        return _open_regular(name, folder, os.path.join(root, *parts))
    except OSError as error:
        return unopened(error)
    finally:
        if folder is not None:
            os.close(folder)


def _open_regular(name: str, folder: int | None, path: str) -> Opened | Unopened:
    before = os.stat(name, dir_fd=folder, follow_symlinks=False)
    if not stat.S_ISREG(before.st_mode):
        return special(before)
    fd = os.open(name, _FLAGS, dir_fd=folder)
    try:
        status = os.fstat(fd)
    except OSError:
        os.close(fd)
        raise
    if not stat.S_ISREG(status.st_mode):
        os.close(fd)
        return special(status)
    return Opened(fd, status.st_size, lambda: _changed(fd, path, status))


def _changed(fd: int, path: str, before: os.stat_result) -> bool:
    """True when the open file was written to, or when `path` no longer names it."""
    try:
        after = os.fstat(fd)
    except OSError:
        return True
    if _version(after) != _version(before):
        return True
    try:
        named = os.stat(path)
    except OSError as error:
        return error.errno != errno.ENAMETOOLONG
    return (named.st_dev, named.st_ino) != (before.st_dev, before.st_ino)


def _version(status: os.stat_result) -> tuple[int, int, int]:
    # ctime also moves when someone writes and then sets mtime back.
    return (status.st_size, status.st_mtime_ns, status.st_ctime_ns)


def special(status: os.stat_result) -> Unopened:
    """What is said of something that is no regular file."""
    if stat.S_ISLNK(status.st_mode) or stat.S_ISDIR(status.st_mode):
        return vanished("a link or folder stands where a file was")
    kind, title = _SPECIAL.get(stat.S_IFMT(status.st_mode), ("device", "a special file"))
    reason = CoverageReason("special-file", f"{title}, not a regular file; it was not opened", executable=True)
    return Unopened(PathFacts(kind, title), reason)


def vanished(detail: str) -> Unopened:
    """What was listed is no longer there, or something else is."""
    reason = CoverageReason("vanished", f"it changed while the target was listed: {detail}", executable=True)
    return Unopened(PathFacts("vanished", detail), reason)


def unopened(error: OSError) -> Unopened:
    """The coverage of a path whose opening failed with `error`."""
    what = visible(os.strerror(error.errno) if error.errno else str(error))
    match error.errno:
        case errno.EACCES | errno.EPERM:
            reason = CoverageReason("permission-denied", "this user may not read it", executable=True)
            return Unopened(PathFacts("permission", what), reason)
        case errno.ENOENT | errno.ENOTDIR | errno.ELOOP:
            return vanished(what)
        case _:
            return Unopened(None, CoverageReason("read-error", f"cannot be opened: {what}", executable=True))
