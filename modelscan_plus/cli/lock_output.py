"""What `lock` prints."""

import json
from collections.abc import Iterator, Sequence

from modelscan_plus.core.text import human_bytes, shorten, visible
from modelscan_plus.trust.lock import Difference, Entry
from modelscan_plus.trust.lock_check import Checked

_SHOWN = 50
"""Lines of one kind of difference; the rest is counted."""


def locked(name: str, entry: Entry) -> str:
    """The line about what was locked."""
    verdict = f"scan: {entry.scan.verdict}" if entry.scan else "not scanned"
    signer = f", signed by {entry.signer.spoken()}" if entry.signer else ""
    left_out = f", without {', '.join(entry.exclude)}" if entry.exclude else ""
    return visible(f"{name}: locked {_extent(entry)}, {entry.tree}, {verdict}{signer}{left_out}")


def verdicts(checks: Sequence[Checked], *, quiet: bool = False) -> str:
    """The outcome of a verification."""
    return "".join(f"{line}\n" for checked in checks for line in _verdict(checked, quiet=quiet))


def _verdict(checked: Checked, *, quiet: bool) -> Iterator[str]:
    entry = checked.entry
    if checked.verified and not quiet:
        unchecked = f" (left out, unchecked: {', '.join(map(visible, entry.exclude))})" if entry.exclude else ""
        yield f"{visible(checked.name)}: verified {_extent(entry)}, {entry.tree}{unchecked}"
    if checked.verified:
        return
    yield f"{visible(checked.name)}: DOES NOT VERIFY: {why(checked)}"
    yield from _lines(checked.difference)
    for name in checked.pointers:
        yield f"  {visible(name)} is a Git LFS pointer to the locked file: `git lfs pull` fetches it"


def why(checked: Checked) -> str:
    """In one line, why an entry does not verify."""
    if checked.fault:
        return f"the lock contradicts itself: {checked.fault}"
    if checked.earlier is not None:
        return (
            f"this is an earlier version, locked until {checked.earlier.left_at} ({checked.earlier.tree}); "
            "going back takes `lock rollback`"
        )
    found = checked.difference
    counts = {
        "changed": len(found.changed),
        "missing": len(found.missing),
        "added": len(found.added),
        "renamed": len(found.renamed),
        "refused": len(found.refused),
    }
    return ", ".join(f"{count:,} {what}" for what, count in counts.items() if count)


def differences(checks: Sequence[Checked]) -> str:
    """How the files differ, entry by entry."""
    lines = []
    for checked in checks:
        if checked.fault:
            lines.append(f"{visible(checked.name)}: {checked.fault}")
        elif checked.difference:
            lines += [f"{visible(checked.name)}:", *_lines(checked.difference)]
    return "".join(f"{line}\n" for line in lines)


def changes(difference: Difference) -> str:
    """What a new version changed."""
    return "".join(f"{line}\n" for line in _lines(difference))


def as_json(checks: Sequence[Checked]) -> str:
    """The outcome for programs."""
    made = [
        {
            "name": checked.name,
            "target": visible(checked.target),
            "verified": checked.verified,
            "tree": checked.entry.tree,
            "files": len(checked.entry.files),
            "size": checked.entry.size,
            "exclude": list(checked.entry.exclude),
            "why": None if checked.verified else why(checked),
            "changed": _seen(checked.difference.changed),
            "missing": [visible(name) for name in checked.difference.missing],
            "added": [visible(name) for name in checked.difference.added],
            "renamed": _seen(checked.difference.renamed),
            "refused": _seen(checked.difference.refused),
            "earlier": checked.earlier.tree if checked.earlier else None,
        }
        for checked in checks
    ]
    return json.dumps(made, indent=2) + "\n"


def _seen(names: dict[str, str]) -> dict[str, str]:
    return {visible(name): value for name, value in names.items()}


def _lines(found: Difference) -> Iterator[str]:
    yield from _some("changed", [f"{visible(name)}: {how}" for name, how in found.changed.items()])
    yield from _some("renamed", [f"{visible(old)} → {visible(new)}" for old, new in found.renamed.items()])
    yield from _some("missing", [visible(name) for name in found.missing])
    yield from _some("added", [visible(name) for name in found.added])
    yield from _some("refused", [f"{visible(name)}: {reason}" for name, reason in found.refused.items()])


def _some(what: str, items: Sequence[str]) -> Iterator[str]:
    for item in items[:_SHOWN]:
        yield f"  {what:<8} {shorten(item, 300)}"
    if len(items) > _SHOWN:
        yield f"  {what:<8} … and {len(items) - _SHOWN:,} more"


def _extent(entry: Entry) -> str:
    count = len(entry.files)
    return f"{count:,} file{'s' * (count != 1)}, {human_bytes(entry.size)}"
