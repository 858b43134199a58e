"""What the files of a run gave so far, in the terms of the report.

Everything enters here by `Collected`: names are made visible, findings get their place and fingerprint, programs ids
that are unique in the report, and no text keeps a character that a terminal, a browser or a JSON reader could stumble
over.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TypeVar

import msgspec

from modelscan_plus.core.coverage import Coverage, CoverageReason, CoverageState
from modelscan_plus.core.finding import Finding, fingerprint
from modelscan_plus.core.probe import ProbeReport
from modelscan_plus.core.report import ArtifactReport, LoaderView, Program, Reason, SignatureReport, TemplateReport
from modelscan_plus.core.text import inert, visible
from modelscan_plus.formats.summaries import Stated, TemplateSummary
from modelscan_plus.inspection import FileResult
from modelscan_plus.rules.loaders import loader_views
from modelscan_plus.rules.paths import judge_path
from modelscan_plus.rules.tree import Tree, TreeFile, judge_tree, merged
from modelscan_plus.sources.interface import Unopened
from modelscan_plus.trust.tree import CHANGED, Collector, unhashed
from modelscan_plus.workers.supervisor import Outcome

S = TypeVar("S", bound=msgspec.Struct)


@dataclass(slots=True)
class Collected:
    """The parts of the report that grow while targets are read and judged."""

    artifacts: list[ArtifactReport] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)
    programs: list[Program] = field(default_factory=list)
    trees: dict[str, dict[str, TreeFile]] = field(default_factory=dict)
    """By target, the files by path."""
    hashed: dict[str, Collector] = field(default_factory=dict)
    """By target, the files with their digests."""
    loaders: list[LoaderView] = field(default_factory=list)
    templates: list[TemplateReport] = field(default_factory=list)
    bytes_read: int = 0
    engines: dict[str, str] = field(default_factory=dict)
    notes: list[Reason] = field(default_factory=list)
    signatures: list[SignatureReport] = field(default_factory=list)
    probes: list[ProbeReport] = field(default_factory=list)

    def add(self, outcome: Outcome) -> None:
        """One file's result."""
        path = visible(outcome.path)
        result = outcome.result
        findings: list[Finding] = []
        for facts in outcome.facts:
            findings += judge_path(path, facts)
        offset = len(self.programs)
        summaries: tuple[Stated, ...] = ()
        if isinstance(result, Unopened):
            coverage = Coverage(CoverageState(result.state), (result.reason,), 0)
            artifact = ArtifactReport(outcome.key, path, result.size, (), coverage)
        else:
            findings += result.findings
            artifact = ArtifactReport(outcome.key, path, outcome.size, result.formats, result.coverage, result.sha256)
            self.programs += programs_of(result, outcome.key, path, offset)
            summaries = result.summaries
        found = [placed(finding, outcome.key, path, offset) for finding in findings]
        self.trees.setdefault(outcome.key, {})[path] = TreeFile(
            path, artifact.size, artifact.formats, artifact.coverage, artifact.sha256, summaries, tuple(found)
        )
        self.findings += found
        self.artifacts.append(inert_copy(artifact))
        self.bytes_read += artifact.coverage.bytes_read
        _add_digest(outcome, self.hashed.setdefault(outcome.key, Collector()))

    def settle(self, target: str, coverage: dict[str, Coverage]) -> None:
        """Put the coverage in place that only the whole target could tell, by path."""
        for position, artifact in enumerate(self.artifacts):
            if artifact.target == target and artifact.path in coverage:
                settled = msgspec.structs.replace(artifact, coverage=coverage[artifact.path])
                self.artifacts[position] = inert_copy(settled)

    def lessen(self, target: str, gaps: dict[str, CoverageReason]) -> None:
        """Give files of a target, by path, one more reason why they were not fully analysed."""
        for position, artifact in enumerate(self.artifacts if gaps else ()):
            reason = gaps.get(artifact.path) if artifact.target == target else None
            if reason is None:
                continue
            state = artifact.coverage.state
            state = CoverageState.PARTIAL if state is CoverageState.ANALYSED else state
            reasons = (*artifact.coverage.reasons, inert_copy(reason))
            coverage = Coverage(state, reasons, artifact.coverage.bytes_read)
            self.artifacts[position] = msgspec.structs.replace(artifact, coverage=coverage)

    def judge(self, tree: Tree) -> None:
        """Add what only all files of a target together show."""
        found, context = judge_tree(tree)
        self.loaders += map(inert_copy, loader_views(tree))
        self.templates += map(inert_copy, _templates(tree))
        # A raised finding has its place already.
        found = [
            finding if finding.fingerprint else placed(finding, tree.target, finding.artifact) for finding in found
        ]
        self.findings = merged(self.findings, found)
        self.notes += map(inert_copy, context.notes)
        gaps = dict(context.gaps)
        if context.dropped and tree.files:
            # As with a file's own findings: what a policy was never shown must not pass.
            message = f"{context.dropped:,} further findings about the target as a whole"
            gaps.setdefault(next(iter(tree.files)), CoverageReason("more-findings", message, executable=True))
        self.lessen(tree.target, gaps)


def _add_digest(outcome: Outcome, hashed: Collector) -> None:
    if isinstance(outcome.result, Unopened):
        hashed.refuse(outcome.path, unhashed(outcome.result))
    elif outcome.result.sha256 is None:
        hashed.refuse(outcome.path, "it could not be read to its end")
    elif any(facts.kind == "changed" for facts in outcome.facts):
        hashed.refuse(outcome.path, CHANGED)
    else:
        hashed.file(outcome.path, outcome.size, outcome.result.sha256, outcome.link)


def _templates(tree: Tree) -> Iterator[TemplateReport]:
    for file in tree.files.values():
        for stated in file.summaries:
            if isinstance(stated.summary, TemplateSummary):
                members = tuple(map(visible, stated.members))
                yield TemplateReport(tree.target, file.path, members, stated.summary.sha256, stated.summary.length)


def programs_of(result: FileResult, target: str, path: str, offset: int = 0) -> list[Program]:
    """The programs of a file, numbered on from `offset`."""
    return [
        inert_copy(
            msgspec.structs.replace(
                program,
                id=f"p{offset + position}",
                target=target,
                artifact=path,
                members=tuple(map(visible, program.members)),
            )
        )
        for position, program in enumerate(result.programs, 1)
    ]


def placed(finding: Finding, target: str, path: str, program_offset: int = 0) -> Finding:
    """The finding with its target, path, fingerprint, and ids that are unique in the report."""
    members = tuple(map(visible, finding.location.members))
    evidence = finding.evidence
    program = getattr(evidence, "program", None)
    if program is not None:
        evidence = msgspec.structs.replace(evidence, program=f"p{program_offset + int(program[1:])}")
    found = msgspec.structs.replace(
        finding,
        target=target,
        artifact=path,
        evidence=evidence,
        subject=visible(finding.subject),
        location=msgspec.structs.replace(finding.location, members=members),
        fingerprint=fingerprint(finding.rule, path, members, finding.subject),
    )
    return inert_copy(found)


def inert_copy(value: S) -> S:
    """The value without any character that a terminal, a browser or a JSON reader could stumble over."""
    return msgspec.convert(_all_inert(msgspec.to_builtins(value)), type(value))


def _all_inert(value: object) -> object:
    if isinstance(value, str):
        return inert(value)
    if isinstance(value, dict):
        return {key: _all_inert(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_all_inert(item) for item in value]
    return value
