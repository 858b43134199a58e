"""The target against the lock that the user named with `--lock`."""

from collections.abc import Iterator

from modelscan_plus.core.facts import Facts
from modelscan_plus.core.finding import Finding, Severity, TextEvidence
from modelscan_plus.core.text import shorten, visible
from modelscan_plus.rules.interface import Rule
from modelscan_plus.rules.tree import Tree, TreeContext, judges_tree

_SHOWN = 50
_CWE = ("CWE-345", "CWE-354")

LOCK_MISMATCH = Rule(
    id="MSP7070",
    slug="lock-mismatch",
    title="The target is not what was locked",
    severity=Severity.HIGH,
    why=(
        "The lock records names, sizes and contents of every file that was let in. Something here was changed, added, "
        "removed or renamed since, or has no place in a lock at all."
    ),
    fix=(
        "If you meant to take a new version, lock it: `modelscan-plus lock update`. Otherwise restore the locked files "
        "and find out who changed them."
    ),
    bad="model.safetensors: sha256 2c26b4… instead of 9f86d0…",
    good="every locked file is there, unchanged, and no other",
    cwe=_CWE,
)
NOT_LOCKED = Rule(
    id="MSP7071",
    slug="not-in-lock",
    title="The target is not in the lock",
    severity=Severity.HIGH,
    why="A lock was named, so everything that comes in should stand in it. Nobody has locked this.",
    fix="Lock it after a look: `modelscan-plus lock add`. Or scan it without --lock.",
    bad="scan models/new --lock model.lock.json, and the lock has no entry models/new",
    good="scan models/bert --lock model.lock.json, and the lock has an entry models/bert",
    cwe=_CWE,
)
LOCK_ROLLBACK = Rule(
    id="MSP7072",
    slug="locked-before",
    title="The target is an earlier version of what is locked",
    severity=Severity.HIGH,
    why=(
        "The files are exactly those of a version that was locked before and replaced. Bringing back an old version "
        "with known faults is an attack that signatures do not stop, because the old signature stays valid."
    ),
    fix="Restore the locked version. If going back is meant: `modelscan-plus lock rollback`, which asks for a reason.",
    bad="the files of the version that was locked until 2026-05-01",
    good="the files of the version that is locked now",
    cwe=("CWE-345",),
)
LOCK_IN_TARGET = Rule(
    id="MSP7073",
    slug="lock-file-in-target",
    title="The target brings its own lock, which was ignored",
    severity=Severity.INFO,
    why="What is checked must not say itself what it should be. A lock counts only when you name it.",
    fix="If it is your lock, keep it outside the model and name it: --lock FILE.",
    bad="model/model.lock.json beside the weights",
    good="model.lock.json in your own repository, and models/bert below it",
    cwe=("CWE-15",),
)


class LockFacts(Facts, frozen=True):
    """What a lock says about a target."""

    name: str
    """Of the entry; "" when there is none."""
    problems: tuple[tuple[str, str], ...] = ()
    """Path (or "") and what is wrong there."""
    earlier: str = ""
    """Until when the version that is found here was locked; "" when it is none."""
    tree: str = ""
    """The locked tree digest."""


@judges_tree
def against_lock(tree: Tree, context: TreeContext) -> Iterator[Finding]:
    """What differs, file by file; an earlier version as a whole."""
    top = next(iter(tree.files), "")
    for facts in tree.facts:
        if not isinstance(facts, LockFacts):
            continue
        if not facts.name:
            message = "The lock that was named has no entry for this target."
            yield context.finding(NOT_LOCKED, top, message, TextEvidence("no entry"), subject="lock")
        elif facts.earlier:
            message = f"This is the version of {facts.name} that was locked until {facts.earlier}."
            yield context.finding(LOCK_ROLLBACK, top, message, TextEvidence(facts.tree), subject=facts.name)
        else:
            yield from _differences(facts, top, context)


def _differences(facts: LockFacts, top: str, context: TreeContext) -> Iterator[Finding]:
    for path, problem in facts.problems[:_SHOWN]:
        rest = len(facts.problems) - _SHOWN
        more = f" ({rest:,} more differences follow.)" if rest > 0 and (path, problem) == facts.problems[-1] else ""
        what = shorten(visible(problem), 200)
        yield context.finding(
            LOCK_MISMATCH,
            visible(path) or top,
            f"It differs from the lock of {facts.name}: {what}.{more}",
            TextEvidence(f"locked: {facts.tree}"),
            subject=f"{facts.name}\0{what.partition(' ')[0]}",
        )


@judges_tree
def own_lock(tree: Tree, context: TreeContext) -> Iterator[Finding]:
    """A lock file among the files."""
    for file in tree.files.values():
        if file.name == "model.lock.json":
            message = "A lock file was found inside the target and has no effect on this scan."
            yield context.finding(LOCK_IN_TARGET, file.path, message, TextEvidence(file.path), subject=file.path)
