"""Comparing what stands on disk with a lock: offline, from the lock file and the files alone."""

import os
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from modelscan_plus.core.errors import UsageError
from modelscan_plus.core.text import visible
from modelscan_plus.sources.interface import Unopened
from modelscan_plus.sources.local import LocalSource
from modelscan_plus.trust.lock import (
    Difference,
    Entry,
    Lock,
    Origin,
    Previous,
    compare,
    could_be_earlier,
    earlier_version,
)
from modelscan_plus.trust.tree import Measured, measure

_POINTER = b"version https://git-lfs.github.com/spec/v1\n"
_LONGEST_POINTER = 1024


@dataclass(frozen=True, slots=True)
class Checked:
    """What became of one entry."""

    name: str
    target: str
    entry: Entry
    fault: str = ""
    """What is wrong with the entry itself; then the files were not looked at."""
    difference: Difference = field(default_factory=Difference)
    earlier: Previous | None = None
    """The version locked before that stands there instead."""
    pointers: tuple[str, ...] = ()
    """Changed files that are Git LFS pointers to exactly what is locked."""

    @property
    def verified(self) -> bool:
        """True when the files are those that were locked, all of them and no others."""
        return not self.fault and not self.difference


def check(
    name: str,
    target: str,
    entry: Entry,
    *,
    jobs: int = 1,
    progress: Callable[[int], None] | None = None,
    begin: Callable[[int], None] | None = None,
) -> Checked:
    """Hash what could be the locked files and compare; of a target that is not there, all files are missing."""
    fault = entry.fault()
    if fault:
        return Checked(name, target, entry, fault)
    if not os.path.lexists(target):
        return Checked(name, target, entry, "", compare(entry.files, Measured()))
    source = LocalSource(target, exclude=entry.exclude)
    expected = {file: record.size for file, record in entry.files.items()}
    found = measure(source.entries(), jobs=jobs, expected=expected, progress=progress, begin=begin)
    difference = compare(entry.files, found)
    if not difference:
        return Checked(name, target, entry)
    earlier = None
    if could_be_earlier(entry, found):
        earlier = earlier_version(entry, measure(source.entries(), jobs=jobs, progress=progress, begin=begin))
    return Checked(name, target, entry, "", difference, earlier, _pointers(source, entry, found, difference))


def _pointers(source: LocalSource, entry: Entry, found: Measured, difference: Difference) -> tuple[str, ...]:
    small = {name for name in difference.changed if found.files[name].size <= _LONGEST_POINTER}
    named = []
    for item in source.entries() if small else ():
        if item.path in small and not isinstance(opened := item.open(), Unopened):
            try:
                data = os.read(opened.fd, _LONGEST_POINTER)
            finally:
                os.close(opened.fd)
            wanted = f"\noid sha256:{entry.files[item.path].sha256}\n".encode()
            if data.startswith(_POINTER) and wanted in data:
                named.append(item.path)
    return tuple(named)


def refuse_inside(path: Path, target: str, option: str) -> None:
    """Raise `UsageError` when a file of ours would be part of what it is about."""
    inside, root = os.path.realpath(path), os.path.realpath(target)
    if inside == root or inside.startswith(root.rstrip(os.sep) + os.sep):
        raise UsageError(
            f"{option}: {visible(str(path))} lies inside {visible(target)}; what is checked must not bring its own "
            "record, so name a file outside"
        )


def cached(target: str) -> Origin | None:
    """The repository and commit of a snapshot in a Hugging Face cache, from its path."""
    parts = os.path.realpath(target).split(os.sep)
    if len(parts) < 3 or parts[-2] != "snapshots":
        return None
    kind, *name = parts[-3].split("--")
    if kind not in ("models", "datasets", "spaces") or not name:
        return None
    return Origin(
        kind="hf",
        name="/".join(name) if kind == "models" else f"{kind}/{'/'.join(name)}",
        revision=parts[-1],
        requested=_requested(Path(os.sep.join(parts[:-2]), "refs"), parts[-1]),
    )


def _requested(refs: Path, revision: str) -> str | None:
    try:
        named = sorted(entry for entry in refs.iterdir() if entry.is_file() and entry.stat().st_size <= 100)
        return next((entry.name for entry in named if entry.read_text("ascii").strip() == revision), None)
    except (OSError, UnicodeDecodeError):
        return None


def default_name(target: str, lock: Path) -> str:
    """The name under which `target` stands in a lock when the user gives none."""
    origin = cached(target)
    if origin is not None and origin.name:
        return origin.name
    return relative_path(target, lock) or os.path.basename(os.path.abspath(target))


def relative_path(target: str, lock: Path) -> str | None:
    """`target` as seen from the folder of the lock file; None when it does not stand below it."""
    folder = os.path.dirname(os.path.realpath(lock))
    above, last = os.path.split(os.path.abspath(target))
    relative = os.path.relpath(os.path.join(os.path.realpath(above), last), folder)
    if relative.split(os.sep)[0] == ".." or os.path.isabs(relative):
        return None
    return relative.replace(os.sep, "/")


def find(lock: Lock, path: Path, given: str, name: str | None) -> tuple[str, Entry] | None:
    """The entry that `given` (a name in the lock, or a path) means, or that `name` names."""
    relative = relative_path(given, path)
    for candidate in (name,) if name is not None else (given, default_name(given, path)):
        if candidate in lock.models:
            return candidate, lock.models[candidate]
    by_path = next(((key, entry) for key, entry in lock.models.items() if entry.path == relative and relative), None)
    return by_path if name is None else None


def place(entry: Entry, lock: Path) -> str | None:
    """Where the files of an entry stand, when the lock knows it."""
    return None if entry.path is None else os.path.join(os.path.dirname(lock), entry.path)
