"""Rules that look at all files of a target at once.

A child sees one file. What it says for its neighbours arrives as summaries (formats/summaries.py); when all files of a
target are in, the pipeline builds a `Tree` and asks every judge registered here:

    @judges_tree
    def index_names_a_missing_shard(tree: Tree, context: TreeContext) -> Iterator[Finding]:
        for file in tree.files.values():
            for summary in file.top(ConfigSummary): ...
            yield context.finding(RULE, file.path, message, evidence, subject=…)

A judge may also make a finding of one file worse where the tree shows that it matters more (`TreeContext.raised`): the
pipeline then shows the raised finding in place of the first. Nothing here lowers a severity: that some loader prefers
another file excuses none.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TypeVar

import msgspec

from modelscan_plus.core.coverage import Coverage, CoverageReason
from modelscan_plus.core.facts import Facts
from modelscan_plus.core.finding import Confidence, Evidence, Finding, Location, Severity
from modelscan_plus.core.report import Reason
from modelscan_plus.formats.summaries import Stated
from modelscan_plus.rules.interface import Rule

S = TypeVar("S", bound=msgspec.Struct)


class TreeFile(msgspec.Struct, frozen=True):
    """One file of a target, as far as its child understood it."""

    path: str
    """As in the report: relative to the target, control characters made visible."""
    size: int
    formats: tuple[str, ...]
    coverage: Coverage
    sha256: str | None = None
    summaries: tuple[Stated, ...] = ()
    findings: tuple[Finding, ...] = ()
    """What was found in it alone."""
    digests: Mapping[str, str] = msgspec.field(default_factory=dict)
    """By algorithm, in hexadecimal, where another file says what they should be."""
    container: str = ""
    """Of a member of an archive (rules/inside.py), the path of the archive."""
    members: tuple[str, ...] = ()
    """The way down to it."""

    @property
    def folder(self) -> str:
        """The folder that it stands in, "" for the target's root."""
        return self.path.rpartition("/")[0]

    @property
    def name(self) -> str:
        """The last part of its path."""
        return self.path.rpartition("/")[2]

    @property
    def worst(self) -> Severity | None:
        """The worst severity found in it."""
        return max((finding.severity for finding in self.findings), key=lambda severity: severity.rank, default=None)

    def top(self, kind: type[S]) -> list[S]:
        """The summaries of this kind that are about the file itself, not about a member of it."""
        return [stated.summary for stated in self.summaries if not stated.members and isinstance(stated.summary, kind)]


class Tree(msgspec.Struct, frozen=True):
    """All files of one target."""

    target: str
    """Its id in the report."""
    kind: str
    """As in the report's `targets[].kind`: "path", "hub", …"""
    files: Mapping[str, TreeFile]
    """By path, in the order of the source."""
    revision: str | None = None
    facts: tuple[Facts, ...] = ()
    """What the source knows about the target beside its files (for a hub: owner, verdicts of its scanners, …)."""
    complete: bool = True
    """False where only a part of what stands there was asked for: what is absent then says nothing."""

    def below(self, folder: str) -> dict[str, TreeFile]:
        """The files that stand directly in a folder, by name."""
        return {file.name: file for file in self.files.values() if file.folder == folder}

    def find(self, folder: str, name: str) -> TreeFile | None:
        """The file `name` (which may go down) as seen from `folder`; None when it is not there or leads out."""
        path = joined(folder, name)
        return None if path is None else self.files.get(path)


def joined(folder: str, name: str) -> str | None:
    """`folder`/`name` without "." and ".."; None for an absolute name or one that leaves the target."""
    if name.startswith(("/", "\\")) or ":" in name[:3]:
        return None
    parts = folder.split("/") if folder else []
    for part in name.replace("\\", "/").split("/"):
        if part == "..":
            if not parts:
                return None
            parts.pop()
        elif part not in ("", "."):
            parts.append(part)
    return "/".join(parts)


class TreeContext(msgspec.Struct):
    """The means to report."""

    tree: Tree
    room: int = 2000
    """How many findings the rules over the tree may make in all; more of them are counted in `dropped`."""
    dropped: int = 0
    made: list[Finding] = msgspec.field(default_factory=list)
    gaps: dict[str, CoverageReason] = msgspec.field(default_factory=dict)
    """By path: why a file is no complete account of what it stands for; it is then not called analysed."""
    notes: list[Reason] = msgspec.field(default_factory=list)
    """For the report's `notes`."""

    def finding(
        self,
        rule: Rule,
        path: str,
        message: str,
        evidence: Evidence,
        *,
        subject: str,
        line: int | None = None,
        severity: Severity | None = None,
        confidence: Confidence = Confidence.HIGH,
        members: tuple[str, ...] = (),
    ) -> Finding:
        """A finding of `rule` in the file at `path`, or in one inside of it. `subject` names what was found, free of
        offsets."""
        return rule.finding(
            message,
            evidence,
            subject=subject,
            artifact=path,
            location=Location(members=members, line=line),
            severity=severity,
            confidence=confidence,
        )

    @staticmethod
    def raised(finding: Finding, severity: Severity, because: str) -> Finding:
        """The same finding, worse; `because` is a sentence that says what the tree shows."""
        if finding.severity.rank >= severity.rank:
            return finding
        return msgspec.structs.replace(finding, severity=severity, message=f"{finding.message} {because}")


TreeJudge = Callable[[Tree, TreeContext], Iterator[Finding]]
TREE_JUDGES: list[TreeJudge] = []
"""Filled by `judges_tree` when a family is imported."""


def judges_tree(judge: TreeJudge) -> TreeJudge:
    """Register a function as a judge of whole trees."""
    TREE_JUDGES.append(judge)
    return judge


def judge_tree(tree: Tree) -> tuple[list[Finding], TreeContext]:
    """What all judges say about the tree; the context counts in `dropped` how many findings did not fit."""
    context = TreeContext(tree)
    found = [finding for judge in TREE_JUDGES for finding in judge(tree, context)]
    found.sort(key=Finding.sort_key)
    context.dropped += max(0, len(found) - context.room)
    return found[: context.room], context


def same_place(finding: Finding) -> tuple[object, ...]:
    """What a raised finding has in common with the one that it replaces."""
    return (finding.rule, finding.target, finding.artifact, finding.location, finding.subject)


def merged(findings: Iterable[Finding], of_tree: Iterable[Finding]) -> list[Finding]:
    """The findings of the files with those of the tree; where both say the same, the worse one."""
    raised: dict[tuple[object, ...], Finding] = {}
    for finding in of_tree:
        known = raised.get(same_place(finding))
        if known is None or finding.severity.rank > known.severity.rank:
            raised[same_place(finding)] = finding
    kept = []
    for finding in findings:
        worse = raised.pop(same_place(finding), None)
        kept.append(worse if worse is not None and worse.severity.rank > finding.severity.rank else finding)
    return kept + list(raised.values())
