"""Looking at a path that a file of a target names, without opening it: is it there, is it a link, has it more names."""

import os
import stat
from collections.abc import Sequence

from modelscan_plus.core.facts import NeighbourFacts
from modelscan_plus.core.text import visible

_MAX_PARTS = 64


def look(base: str, allowed: Sequence[str], path: str) -> NeighbourFacts:
    """`path` ("/" between its parts, no "..") beneath the folder `base`.

    A link is reported wherever on the way it stands, unless it leads into one of the `allowed` roots.
    """
    shown = visible(path)
    parts = path.split("/")
    if len(parts) > _MAX_PARTS or "\0" in path or any(part in ("", ".", "..") for part in parts):
        return NeighbourFacts(shown, "missing")
    at = base
    status = None
    for part in parts:
        at = os.path.join(at, part)
        try:
            status = os.lstat(at)
        except (OSError, ValueError):
            return NeighbourFacts(shown, "missing")
        if stat.S_ISLNK(status.st_mode):
            return _link(base, allowed, os.path.join(base, *parts), at, shown)
    if status is None or stat.S_ISDIR(status.st_mode):
        return NeighbourFacts(shown, "folder", "a folder")
    if not stat.S_ISREG(status.st_mode):
        return NeighbourFacts(shown, "special", "a FIFO, device or socket")
    return NeighbourFacts(shown, "file", size=status.st_size, names=status.st_nlink)


def _link(base: str, allowed: Sequence[str], path: str, link: str, shown: str) -> NeighbourFacts:
    try:
        leads = visible(os.readlink(link))
    except OSError:
        leads = ""
    try:
        real = os.path.realpath(path, strict=True)
        status = os.stat(real)
    except OSError:
        return NeighbourFacts(shown, "link-broken", leads)
    root = os.path.realpath(base)
    if real.startswith(root.rstrip(os.sep) + os.sep):
        return NeighbourFacts(shown, "link", leads, status.st_size)
    if any(real.startswith(other.rstrip(os.sep) + os.sep) for other in allowed) and stat.S_ISREG(status.st_mode):
        return NeighbourFacts(shown, "file", size=status.st_size)
    return NeighbourFacts(shown, "link-outside", leads, status.st_size)
