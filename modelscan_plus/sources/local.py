"""Local files and folders.

The name that the user gives is resolved once, links included: the user vouches for it. Below it nothing is trusted:
folders are listed in a stable order (by the bytes of the path), links are followed only to files within the allowed
roots, and what cannot be read becomes an entry that says why. The allowed roots are the target itself and, inside a
model repository of a Hugging Face cache (`models--org--name/snapshots/<revision>/file -> ../../blobs/<hash>`), the
blobs of that repository.

The contents of a folder named `.git` are not scanned: they are git's own compressed objects, and no loader reads
them. The folder is one entry with coverage `not_analysed`.
"""

import errno
import os
import stat
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial

from modelscan_plus.core.bytesource import ByteSource
from modelscan_plus.core.coverage import CoverageReason
from modelscan_plus.core.errors import UsageError
from modelscan_plus.core.facts import NeighbourFacts, PathFacts
from modelscan_plus.core.globs import matches, normal
from modelscan_plus.core.text import human_bytes, visible
from modelscan_plus.sources.beneath import open_file, open_folder, special, unopened, vanished
from modelscan_plus.sources.interface import Entry, Opened, Unopened, opened_again
from modelscan_plus.sources.neighbours import look

MAX_LEVELS = 512
"""Levels of folders that are walked; what lies deeper is reported as not scanned."""

POLICY_NAMES = frozenset({"modelscan-plus.toml", ".modelscan-plus.toml", "modelscan-plus-baseline.json"})
"""Names under which a target could try to bring its own policy; such files are scanned like any other."""

Parts = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Listing:
    """One folder's names, each list in order of the bytes of the path."""

    folders: tuple[str, ...]
    links: frozenset[str]
    names: tuple[str, ...]
    """All names, folders included."""


_FOLDERS = 3
"""Folders above a file given alone by which programs know it (`.github/workflows`, `.cursor/rules/x`)."""


def _folders_of(given: str) -> str:
    """Where a file that is given alone lies, as far as programs look: its name with the folders above it."""
    return "/".join(os.path.abspath(given).lstrip(os.sep).split(os.sep)[-_FOLDERS - 1 :])


class LocalSource:
    """What stands at one path of this machine. Satisfies `Source`."""

    kind = "path"
    revision: str | None = None
    remote = False

    def __init__(
        self,
        given: str,
        *,
        include: Sequence[str] = (),
        exclude: Sequence[str] = (),
        max_size: int | None = None,
        allowed_roots: Sequence[str] = (),
    ) -> None:
        """`include` and `exclude` are globs for files and for folders with all that is in them: one with a slash is
        matched against the path relative to the target, one without against the name; `*` matches slashes too.
        `max_size` is in bytes. `allowed_roots` are further folders into which links may lead.
        """
        self.given = given
        self._include = tuple(map(normal, include))
        self._exclude = tuple(map(normal, exclude))
        self._max_size = max_size
        self._more_roots = tuple(os.path.realpath(root) for root in allowed_roots)
        self._root = ""
        self._allowed: tuple[str, ...] = ()

    def entries(self) -> Iterator[Entry]:
        """Every file below the target, folders in place; raises `UsageError` when nothing is there."""
        try:
            os.lstat(self.given)
        except (OSError, ValueError) as error:
            raise UsageError(f"{visible(self.given)}: {_spoken(error)}") from None
        name = os.path.basename(os.path.abspath(self.given)) or "."
        try:
            status = os.stat(self.given)
            real = os.path.realpath(self.given)
        except OSError as error:
            failure = _broken_link(error, _read_link(self.given))
            yield Entry(name, lambda: failure)
            return
        if stat.S_ISDIR(status.st_mode):
            self._root = real
            self._allowed = (real, *_cache_blobs(real), *self._more_roots)
            yield from self._walk()
        elif not stat.S_ISREG(status.st_mode):
            yield Entry(name, lambda: special(status))
        elif self._selected((name,)):
            self._root, last = os.path.split(real)
            yield Entry(name, partial(self._open, (last,)), _note(name), inner=_folders_of(self.given))

    def look(self, path: str) -> NeighbourFacts:
        """What stands at a path relative to the target, or beside it where the target is a single file."""
        if os.path.isdir(self.given):
            base = os.path.realpath(self.given)
        else:
            base = os.path.dirname(os.path.abspath(self.given))
        return look(base, (*_cache_blobs(base), *self._more_roots), path)

    def again(self, paths: Collection[str]) -> Iterator[tuple[str, ByteSource]]:
        """The files once more."""
        return opened_again(self.entries(), paths)

    def facts(self) -> tuple[()]:
        """Nothing: what is to be said stands beside the entries."""
        return ()

    def _walk(self) -> Iterator[Entry]:
        """Depth first without recursion; at most two descriptors are open at any time."""
        stack: list[Iterator[Entry | Parts]] = [self._list(())]
        while stack:
            item = next(stack[-1], None)
            if item is None:
                stack.pop()
            elif isinstance(item, Entry):
                yield item
            else:
                stack.append(self._list(item))

    def _list(self, parts: Parts) -> Iterator[Entry | Parts]:
        """The entries of one folder, and in their place the parts of each folder to go into."""
        if len(parts) > MAX_LEVELS:
            reason = CoverageReason("too-deep", f"folders nested more than {MAX_LEVELS} deep are not listed", True)
            yield self._fixed(parts, Unopened(None, reason, "not_analysed"))
            return
        try:
            listing = _read_folder(self._root, parts)
        except OSError as error:
            yield self._fixed(parts, unopened(error))
            return
        folders = frozenset(listing.folders)
        for name in listing.names:
            below = (*parts, name)
            if name in folders and self._excluded(below):
                continue
            if name in folders:
                yield self._fixed(below, _GIT) if name == ".git" else below
            elif self._selected(below):
                open_ = self._open_link if name in listing.links else self._open
                yield Entry("/".join(below), partial(open_, below), _note(name))

    @staticmethod
    def _fixed(parts: Parts, unopened: Unopened) -> Entry:
        return Entry("/".join(parts) or ".", lambda: unopened)

    def _open(self, parts: Parts) -> Opened | Unopened:
        return self._limited(open_file(self._root, parts))

    def _open_link(self, parts: Parts) -> Opened | Unopened:
        """Follow a link inside the target to a file within the allowed roots."""
        path = os.path.join(self._root, *parts)
        shown = _read_link(path)
        try:
            status = os.stat(path)
            real = os.path.realpath(path)
        except OSError as error:
            return _broken_link(error, shown)
        root = next((root for root in self._allowed if _beneath(root, real)), None)
        if root is None:
            return _outside(shown)
        inner = tuple(os.path.relpath(real, root).split(os.sep))
        if not stat.S_ISDIR(status.st_mode):
            opened = self._limited(open_file(root, inner))
            return replace(opened, link=shown) if root == self._root and isinstance(opened, Opened) else opened
        if root != self._root or ".git" in inner:
            return _outside(shown)
        return Unopened(None, CoverageReason("link-to-folder", "its files are listed under their own path"), "analysed")

    def _limited(self, opened: Opened | Unopened) -> Opened | Unopened:
        limit = self._max_size
        if limit is None or isinstance(opened, Unopened) or opened.size <= limit:
            return opened
        os.close(opened.fd)
        message = f"{human_bytes(opened.size)}, more than the {human_bytes(limit)} that --max-size allows"
        reason = CoverageReason("too-large", message, executable=True)
        return Unopened(PathFacts("too-large", message), reason, "not_analysed", opened.size)

    def _selected(self, parts: Parts) -> bool:
        return not self._excluded(parts) and (not self._include or matches(parts, self._include))

    def _excluded(self, parts: Parts) -> bool:
        return bool(self._exclude) and matches(parts, self._exclude)


_GIT = Unopened(
    None, CoverageReason("git-folder", "git's own objects and settings; no model loader reads them"), "not_analysed"
)


def _read_folder(root: str, parts: Parts) -> _Listing:
    fd = open_folder(root, parts)
    try:
        folders, links, names = set(), set(), []
        with os.scandir(fd if os.scandir in os.supports_fd else os.path.join(root, *parts)) as items:
            for item in items:
                names.append(item.name)
                if item.is_symlink():
                    links.add(item.name)
                elif item.is_dir(follow_symlinks=False):
                    folders.add(item.name)
    finally:
        os.close(fd)
    # A folder sorts as its contents do, with the slash, so that all paths of a target come in one order.
    names.sort(key=lambda name: os.fsencode(name) + (b"/" if name in folders else b""))
    return _Listing(tuple(folders), frozenset(links), tuple(names))


def _note(name: str) -> PathFacts | None:
    if name not in POLICY_NAMES:
        return None
    return PathFacts("policy-file", name)


def _cache_blobs(real: str) -> tuple[str, ...]:
    """The blobs folder, when `real` lies in the snapshots of a repository of a Hugging Face cache."""
    parts = real.split(os.sep)
    for position, part in enumerate(parts[:-1]):
        if part.startswith(("models--", "datasets--", "spaces--")) and parts[position + 1] == "snapshots":
            return (os.sep.join([*parts[: position + 1], "blobs"]),)
    return ()


def _beneath(root: str, real: str) -> bool:
    return real == root or real.startswith(root.rstrip(os.sep) + os.sep)


def _read_link(path: str) -> str:
    try:
        return os.readlink(path)
    except OSError:
        return ""


def _broken_link(error: OSError, shown: str) -> Unopened:
    """A link that cannot be resolved. Nothing stands behind it, so a loader finds nothing either."""
    match error.errno:
        case errno.ELOOP:
            reason = CoverageReason("link-loop", f"a link that leads back to itself: {visible(shown)}")
            return Unopened(PathFacts("link-loop", shown), reason)
        case errno.ENOENT | errno.ENOTDIR:
            reason = CoverageReason("link-broken", f"a link to something that does not exist: {visible(shown)}")
            return Unopened(PathFacts("link-broken", shown), reason)
        case _:
            return unopened(error)


def _outside(shown: str) -> Unopened:
    if not shown:
        return vanished("a link was replaced")
    message = f"a link that leaves the target, to {visible(shown)}; it was not followed"
    return Unopened(PathFacts("link-outside", shown), CoverageReason("link-outside", message, executable=True))


def _spoken(error: OSError | ValueError) -> str:
    if isinstance(error, FileNotFoundError):
        return "no such file or folder"
    return os.strerror(error.errno) if isinstance(error, OSError) and error.errno else str(error)
