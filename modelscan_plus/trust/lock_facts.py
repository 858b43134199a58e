"""What a lock says about a target that was just scanned: nothing is read twice."""

from pathlib import Path

from modelscan_plus.rules.locked import LockFacts
from modelscan_plus.trust import lock as locks
from modelscan_plus.trust.lock_check import find, refuse_inside
from modelscan_plus.trust.tree import Measured


def lock_facts(path: Path, target: str, tree: Measured | None, exclude: tuple[str, ...]) -> LockFacts:
    """The entry of `target` in the lock, held against what the scan hashed. Raises `UsageError` for no lock at all."""
    refuse_inside(path, target, "--lock")
    found = find(locks.read(path), path, target, None)
    if found is None or tree is None:
        return LockFacts("")
    name, entry = found
    if problem := entry.fault():
        return LockFacts(name, (("", f"the lock contradicts itself: {problem}"),), tree=entry.tree)
    if set(exclude) != set(entry.exclude):
        left_out = ", ".join(f"--exclude {glob}" for glob in entry.exclude) or "nothing left out"
        return LockFacts(name, (("", f"it was locked with {left_out}; scan it so"),), tree=entry.tree)
    difference = locks.compare(entry.files, tree)
    if not difference:
        return LockFacts(name, tree=entry.tree)
    if earlier := locks.earlier_version(entry, tree):
        return LockFacts(name, earlier=earlier.left_at, tree=entry.tree)
    problems = [
        *((path, f"changed, {how}") for path, how in difference.changed.items()),
        *((new, f"renamed from {old}") for old, new in difference.renamed.items()),
        *((path, "added") for path in difference.added),
        *((path, why) for path, why in difference.refused.items()),
        *(("", f"{path} is missing") for path in difference.missing),
    ]
    return LockFacts(name, tuple(problems), tree=entry.tree)
