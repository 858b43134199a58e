"""`model.lock.json`: what was let in, by name, size and content of every file; one lock for any number of models.

Per model: where it came from and at which revision, the tree digest (tree.py) and the files that it is made of, who
signed it, what the scan said, and the versions that were locked before. The file is made to be committed: keys are
sorted, and every file of a model has a line of its own, so that a review shows what changed.

Checking needs this file and the model, no network and no signature library: the tree was tied to its signature when it
was locked, and is the same tree as long as its digest is.
"""

import json
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from modelscan_plus.core.errors import UsageError
from modelscan_plus.core.names import name_fault, twins
from modelscan_plus.core.text import visible
from modelscan_plus.trust.shared_files import read_whole, update
from modelscan_plus.trust.tree import FileDigest, Measured, tree_digest

NAME = "model.lock.json"
MAX_SIZE = 256 << 20
"""Bytes of a lock file."""
KEPT_VERSIONS = 50
"""Earlier versions of one model that a lock remembers."""
REVISION = re.compile(r"[0-9a-f]{40}|sha256:[0-9a-f]{64}")
"""A git commit, or the digest of an OCI manifest: names that cannot be moved."""
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
_HEX = re.compile(r"[0-9a-f]{64}")


class _Table(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    pass


class Origin(_Table, frozen=True):
    """Where a model came from."""

    kind: str = "path"
    """"hf", "git", "oci", "mlflow", "s3", …, or "path" when nobody said."""
    name: str | None = None
    """The repository, for example "google/bert"."""
    revision: str | None = None
    """A commit of 40 hexadecimal digits or a manifest digest, never a branch or tag."""
    requested: str | None = None
    """The branch or tag that was asked for, for information."""


class Signer(_Table, frozen=True):
    """Who signed the model when it was locked. Trusted on first use: another one is accepted only on request."""

    kind: str
    """"keyless", "key" or "certificate"."""
    identity: str | None = None
    issuer: str | None = None
    key: str | None = None
    """ "sha256:…" of the public key."""
    bundle: str | None = None
    """ "sha256:…" of the signature file."""
    root: str | None = None
    """ "sha256:…" of the trust root that it was verified with."""
    time: str | None = None
    """The proven time of signing, where there is one."""

    def same_as(self, other: "Signer") -> bool:
        """True when it is the same party, whatever was signed and when."""
        return (self.kind, self.identity, self.issuer, self.key) == (
            other.kind,
            other.identity,
            other.issuer,
            other.key,
        )

    def spoken(self) -> str:
        """For a message."""
        if self.identity:
            return f"{self.identity} (issuer {self.issuer})" if self.issuer else self.identity
        return f"key {self.key}" if self.key else self.kind


class ScanRecord(_Table, frozen=True):
    """What the scan said when the model was locked."""

    verdict: str
    tool: str
    ruleset: str
    policy: str
    report: str
    """Canonical digest of the report."""
    at: str


class Previous(_Table, frozen=True):
    """A version that was locked before."""

    tree: str
    size: int
    """Bytes of all files, so that another tree need not be hashed to know that it is not this one."""
    files: int
    locked_at: str
    left_at: str
    left_by: str
    """"update" or "rollback"."""
    reason: str | None = None
    revision: str | None = None
    verdict: str | None = None
    signer: Signer | None = None


class FileRecord(_Table, frozen=True):
    """One file."""

    sha256: str
    size: int


class Entry(_Table, frozen=True):
    """One locked model or data set."""

    tree: str
    files: dict[str, FileRecord]
    locked_at: str
    source: Origin = Origin()
    path: str | None = None
    """Where it stands, relative to the folder of the lock file; None when it stands elsewhere."""
    exclude: tuple[str, ...] = ()
    """Globs of what is left out, unchecked: the choice of who locked it."""
    signer: Signer | None = None
    scan: ScanRecord | None = None
    """None when it was locked without a scan."""
    previous: tuple[Previous, ...] = ()
    """Newest last."""

    @property
    def size(self) -> int:
        """Bytes of all files."""
        return sum(record.size for record in self.files.values())

    def fault(self) -> str:
        """What makes the entry contradict itself, as after a bad merge or a change by hand; "" when nothing does."""
        if not self.files:
            return "it lists no files"
        for name, record in self.files.items():
            if problem := name_fault(name):
                return f"{visible(name)}: {problem}"
            if not _HEX.fullmatch(record.sha256) or not 0 <= record.size < 1 << 63:
                return f"{name}: no SHA-256 with a size"
        if pair := next(twins(self.files), None):
            return f"{pair[0]} and {pair[1]} are one name on some systems"
        if self.tree != tree_digest(digests(self.files)):
            return "the tree digest is not that of the files below it"
        if self.source.revision is not None and not REVISION.fullmatch(self.source.revision):
            return f"{visible(self.source.revision)} is no commit and no digest"
        if any(not _DIGEST.fullmatch(version.tree) for version in self.previous):
            return "an earlier version has no tree digest"
        return ""


class Lock(_Table, frozen=True):
    """The file."""

    models: dict[str, Entry] = {}
    lock_version: int = 1


def digests(files: Mapping[str, FileRecord]) -> dict[str, FileDigest]:
    """The files of an entry as a tree has them."""
    return {name: FileDigest(record.size, record.sha256) for name, record in files.items()}


def records(files: Mapping[str, FileDigest]) -> dict[str, FileRecord]:
    """The files of a tree as an entry has them."""
    return {name: FileRecord(sha256=file.sha256, size=file.size) for name, file in files.items()}


def read(path: Path) -> Lock:
    """The lock in that file. Raises `UsageError` when it is not there or no lock file."""
    return parse(read_whole(path, MAX_SIZE), path)


def parse(data: bytes, path: Path) -> Lock:
    """A lock file's content; `path` is for messages."""
    shown = visible(str(path))
    try:
        # A key that stands twice means different things to different readers, so it means nothing here.
        content = json.loads(data, object_pairs_hook=_without_repeats)
    except (ValueError, RecursionError) as error:
        raise UsageError(f"lock {shown}: {error}") from None
    if isinstance(content, dict) and content.get("lock_version", 1) != 1:
        raise UsageError(f"lock {shown}: version {content['lock_version']} is not known to this program")
    try:
        return msgspec.convert(content, Lock)
    except msgspec.ValidationError as error:
        raise UsageError(f"lock {shown}: {error}") from None


def _without_repeats(pairs: list[tuple[str, object]]) -> dict[str, object]:
    made = dict(pairs)
    if len(made) != len(pairs):
        seen: set[str] = set()
        repeated = next(key for key, _ in pairs if key in seen or seen.add(key))  # type: ignore[func-returns-value]
        raise ValueError(f"the key {visible(repeated)!r} stands twice in one object")
    return made


def change(path: Path, alter: Callable[[Lock], Lock]) -> Lock:
    """Alter the lock in `path` while nobody else does, and give what it is then."""
    result = Lock()

    def bytes_of(data: bytes) -> bytes:
        nonlocal result
        result = alter(parse(data, path))
        return render(result)

    update(path, render(Lock()), bytes_of, MAX_SIZE)
    return result


class Alteration:
    """Puts one entry in place, if what it replaces is still what its maker looked at."""

    def __init__(self, name: str, entry: Entry, expected: Entry | None) -> None:
        self._name = name
        self._entry = entry
        self._expected = expected

    def __call__(self, lock: Lock) -> Lock:
        if lock.models.get(self._name) != self._expected:
            raise UsageError(f"{visible(self._name)}: another process changed its lock meanwhile; try again")
        return msgspec.structs.replace(lock, models={**lock.models, self._name: self._entry})


def render(lock: Lock) -> bytes:
    """The file's content: sorted, one line for each file, the same bytes for the same lock."""
    models = {name: msgspec.to_builtins(entry) for name, entry in sorted(lock.models.items())}
    lines = ["{", f' "lock_version": {lock.lock_version},', ' "models": {']
    for number, (name, entry) in enumerate(models.items(), 1):
        lines.append(f"  {_text(name)}: {{")
        lines += _entry_lines(entry)
        lines.append("  }" + ("," if number < len(models) else ""))
    lines += [" }", "}"]
    return ("\n".join(lines) + "\n").encode("utf-8", "backslashreplace")


def _entry_lines(entry: dict[str, object]) -> list[str]:
    lines = []
    for number, (key, value) in enumerate(sorted(entry.items()), 1):
        comma = "," if number < len(entry) else ""
        if isinstance(value, dict) and key == "files":
            lines.append(f"   {_text(key)}: {{")
            lines += _joined(f"    {_text(name)}: {_text(record)}" for name, record in sorted(value.items()))
            lines.append("   }" + comma)
        elif isinstance(value, (list, tuple)) and value and key == "previous":
            lines.append(f"   {_text(key)}: [")
            lines += _joined(f"    {_text(version)}" for version in value)
            lines.append("   ]" + comma)
        else:
            lines.append(f"   {_text(key)}: {_text(value)}{comma}")
    return lines


def _joined(lines: Iterable[str]) -> list[str]:
    listed = list(lines)
    return [line + "," for line in listed[:-1]] + listed[-1:]


def _text(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, sort_keys=True)


@dataclass(frozen=True, slots=True)
class Difference:
    """What is not as it was locked."""

    changed: dict[str, str] = field(default_factory=dict)
    """How, by name."""
    missing: tuple[str, ...] = ()
    added: tuple[str, ...] = ()
    renamed: dict[str, str] = field(default_factory=dict)
    """New name by old one: the same content."""
    refused: dict[str, str] = field(default_factory=dict)
    """By raw path: why it has no place in a tree."""

    def __bool__(self) -> bool:
        return bool(self.changed or self.missing or self.added or self.renamed or self.refused)


def compare(locked: Mapping[str, FileRecord], found: Measured) -> Difference:
    """How the files on disk differ from the locked ones."""
    changed: dict[str, str] = {}
    for name in sorted(locked.keys() & found.files.keys()):
        want, have = locked[name], found.files[name]
        if have.size != want.size:
            changed[name] = f"{have.size:,} bytes instead of {want.size:,}"
        elif have.sha256 != want.sha256 and name not in found.refused:
            changed[name] = f"sha256 {have.sha256[:12]}… instead of {want.sha256[:12]}…"
    missing = sorted(locked.keys() - found.files.keys() - found.refused.keys())
    added = sorted(name for name in found.files.keys() - locked.keys() if name not in found.refused)
    by_content = {found.files[name].sha256: name for name in added if found.files[name].sha256}
    renamed = {name: by_content[locked[name].sha256] for name in missing if locked[name].sha256 in by_content}
    return Difference(
        changed=changed,
        missing=tuple(name for name in missing if name not in renamed),
        added=tuple(name for name in added if name not in renamed.values()),
        renamed=renamed,
        refused=dict(sorted(found.refused.items())),
    )


def earlier_version(entry: Entry, found: Measured) -> Previous | None:
    """The version locked before that the files on disk are, if they are one."""
    digest = found.digest
    return next((version for version in reversed(entry.previous) if version.tree == digest), None)


def could_be_earlier(entry: Entry, found: Measured) -> bool:
    """True when the sizes fit an earlier version, so that it is worth hashing everything to know."""
    if found.refused:
        return False
    return any((version.size, version.files) == (found.size, len(found.files)) for version in entry.previous)


def left(entry: Entry, at: str, by: str, reason: str | None = None) -> Previous:
    """The record of `entry` as an earlier version."""
    return Previous(
        tree=entry.tree,
        size=entry.size,
        files=len(entry.files),
        locked_at=entry.locked_at,
        left_at=at,
        left_by=by,
        reason=reason,
        revision=entry.source.revision,
        verdict=entry.scan.verdict if entry.scan else None,
        signer=entry.signer,
    )
