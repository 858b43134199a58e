"""Putting models into a lock: scan them, make the entry, hold it against the one that is there.

Everything that needs a scan stands here; checking a lock (trust/lock_check.py) needs none and imports none of this.
"""

import os
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from modelscan_plus.core.errors import ModelscanPlusError, UsageError
from modelscan_plus.core.report import Report, canonical_digest
from modelscan_plus.core.text import inert, visible
from modelscan_plus.pipeline import Options, scan_targets
from modelscan_plus.sources.local import LocalSource
from modelscan_plus.trust import lock as locks
from modelscan_plus.trust.lock import Alteration, Entry, Lock, Origin, Previous, ScanRecord, Signer
from modelscan_plus.trust.lock_check import cached, default_name, refuse_inside, relative_path
from modelscan_plus.trust.tree import FileDigest, Measured, measure


class Refused(ModelscanPlusError):
    """The lock stays as it is, and why: the command exits with 1."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What is to be locked."""

    target: str
    lock: Path
    name: str | None = None
    origin: Origin | None = None
    """What the user says about where it came from; None for what its path says."""
    scan: Options | None = None
    """None to lock without a scan."""
    exclude: tuple[str, ...] = ()
    jobs: int = 1
    signer: Callable[[Entry], Signer] | None = None
    """Verifies the signature of what the entry holds and says who signed; raises `Refused`."""
    progress: Callable[[int], None] | None = None
    begin: Callable[[int], None] | None = None
    now: datetime | None = None

    @property
    def time(self) -> str:
        """When this is done, RFC 3339."""
        return (self.now or datetime.now(UTC)).astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


@dataclass(frozen=True, slots=True)
class Made:
    """An entry that can be locked, or the report that says why not."""

    name: str
    entry: Entry | None
    report: Report | None = None


def make(request: Request) -> Made:
    """Scan or hash the target and make its entry."""
    if not os.path.exists(request.target):
        raise UsageError(
            f"{visible(request.target)}: no such file or folder; what is locked must be here (see `fetch`)"
        )
    refuse_inside(request.lock, request.target, "--lock")
    name = request.name or default_name(request.target, request.lock)
    if name != inert(name):
        raise UsageError(f"{visible(name)}: give it a name that can be shown, with --name")
    origin = request.origin or cached(request.target) or Origin()
    check_origin(origin)
    report = scan_targets([request.target], request.scan) if request.scan is not None else None
    if report is not None and not report.allowed:
        return Made(name, None, report)
    files = _of_report(report) if report is not None else _hashed(request)
    tree = files.digest
    if tree is None:
        raise Refused(f"{visible(request.target)} cannot be locked: {_why_no_digest(files, report)}")
    entry = Entry(
        tree=tree,
        files=locks.records(files.files),
        locked_at=request.time,
        source=origin,
        path=relative_path(request.target, request.lock),
        exclude=request.exclude,
        scan=_scan_record(report),
    )
    if request.signer is not None:
        entry = msgspec.structs.replace(entry, signer=request.signer(entry))
    return Made(name, entry, report)


def check_origin(origin: Origin) -> None:
    """Raise `UsageError` for a revision that can move."""
    if origin.revision is not None and not locks.REVISION.fullmatch(origin.revision):
        raise UsageError(
            f"{visible(origin.revision)} is no revision to lock: give the commit (40 hexadecimal digits) or the "
            "manifest digest (sha256:…), since branches and tags move"
        )


def _hashed(request: Request) -> Measured:
    entries = LocalSource(request.target, exclude=request.exclude).entries()
    return measure(entries, jobs=request.jobs, progress=request.progress, begin=request.begin)


def _of_report(report: Report) -> Measured:
    """The files as the scan read them. Where the target has a digest, paths in the report are those on disk."""
    if report.targets[0].digest is None:
        return Measured()
    return Measured(
        {item.path: FileDigest(item.size, item.sha256) for item in report.artifacts if item.sha256 is not None}
    )


def _why_no_digest(files: Measured, report: Report | None) -> str:
    if report is not None and report.notes:
        return report.notes[-1].message
    if not files.refused:
        return "there are no files"
    path, why = next(iter(sorted(files.refused.items())))
    return f"{visible(path)}: {why}"


def _scan_record(report: Report | None) -> ScanRecord | None:
    if report is None:
        return None
    return ScanRecord(
        verdict=report.verdict.decision.value,
        tool=f"{report.tool.name} {report.tool.version}",
        ruleset=report.tool.ruleset,
        policy=report.verdict.policy,
        report=canonical_digest(report),
        at=report.now,
    )


def add(request: Request, made: Made) -> Lock:
    """Lock something for the first time."""
    if made.entry is None:
        raise ValueError("only what was let in can be locked")
    return locks.change(request.lock, Alteration(made.name, made.entry, None))


def successor(old: Entry, new: Entry, *, origin_given: bool, accept_signer_change: bool) -> Entry:
    """`new` as the entry that follows `old`. Raises `Refused` where that needs a word of the user."""
    new = msgspec.structs.replace(new, signer=_signer(old, new, accepted=accept_signer_change))
    if not origin_given and new.source == Origin():
        new = msgspec.structs.replace(new, source=old.source)
    if new.tree == old.tree:
        return msgspec.structs.replace(new, locked_at=old.locked_at, previous=old.previous)
    if earlier := next((version for version in reversed(old.previous) if version.tree == new.tree), None):
        raise Refused(
            f"what stands there is the version that was locked until {earlier.left_at} ({earlier.tree}): going back "
            "to it takes `lock rollback`"
        )
    if new.source.revision is not None and new.source.revision == old.source.revision:
        raise Refused(
            f"the files are not those of the locked revision {old.source.revision}; if they come from another one, "
            "name it with --revision"
        )
    return _following(old, new, "update", None)


def _signer(old: Entry, new: Entry, *, accepted: bool) -> Signer | None:
    if accepted or old.signer is None:
        return new.signer
    if new.signer is None and new.tree == old.tree:
        return old.signer
    if new.signer is None:
        raise Refused(
            f"the locked version was signed by {old.signer.spoken()}, and no signature was given for this one; "
            "--accept-signer-change locks it without"
        )
    if not new.signer.same_as(old.signer):
        raise Refused(
            f"it was signed by {new.signer.spoken()}, the locked version by {old.signer.spoken()}; "
            "--accept-signer-change trusts the new signer from now on"
        )
    return new.signer


def restored(old: Entry, found: Entry, reason: str, to: str | None) -> Entry:
    """`found` as the entry that takes the place of `old` by going back. Raises `Refused` when it was never locked."""
    if found.tree == old.tree:
        raise Refused("what stands there is the locked version itself; put the earlier files in place first")
    version = _version(old, found.tree)
    if version is None:
        raise Refused(f"what stands there ({found.tree}) is none of the versions that were locked before")
    if to is not None and not version.tree.removeprefix("sha256:").startswith(to.removeprefix("sha256:")):
        raise Refused(f"what stands there is {version.tree}, not {visible(to)}")
    source = msgspec.structs.replace(old.source, revision=version.revision, requested=None)
    found = msgspec.structs.replace(found, source=source, signer=version.signer)
    return _following(old, found, "rollback", reason)


def _version(entry: Entry, tree: str) -> Previous | None:
    return next((version for version in reversed(entry.previous) if version.tree == tree), None)


def _following(old: Entry, new: Entry, by: str, reason: str | None) -> Entry:
    kept = (*old.previous, locks.left(old, new.locked_at, by, reason))
    return msgspec.structs.replace(new, previous=kept[-locks.KEPT_VERSIONS :])
