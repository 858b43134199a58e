"""The interface of a rule family.

A family is one file: it declares its `Rule`s as constants and registers functions that judge one type of facts:

    @judges(ZipFacts)
    def zip_names(facts: ZipFacts, context: Context) -> Iterator[Finding]: ...

`registry.py` lists the families; a test walks it and wants a page, a firing sample and a near-miss for each rule.
"""

from collections.abc import Callable, Iterator
from typing import TypeVar

import msgspec

from modelscan_plus.core.artifact import Artifact
from modelscan_plus.core.coverage import CoverageReason
from modelscan_plus.core.facts import Facts
from modelscan_plus.core.finding import Confidence, Evidence, Finding, HexWindow, Location, Severity
from modelscan_plus.core.report import Program

F = TypeVar("F", bound=Facts)
Judge = Callable[[F, "Context"], Iterator[Finding]]

JUDGES: dict[type[Facts], list[Callable[..., Iterator[Finding]]]] = {}
"""Filled by `judges` when a family is imported."""


class Rule(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that can be found. The id never changes its meaning."""

    id: str
    slug: str
    title: str
    severity: Severity
    why: str
    """Why it matters, in a paragraph for someone who does not know the format."""
    fix: str
    """What the person should do, in one or two sentences."""
    bad: str
    """An example that fires, as readable text (a short program, a listing)."""
    good: str
    """The closest honest thing that must not fire."""
    cwe: tuple[str, ...] = ()
    references: tuple[str, ...] = ()
    """Addresses of advisories, papers, specifications."""

    def finding(
        self,
        message: str,
        evidence: Evidence,
        *,
        subject: str,
        artifact: str = "",
        location: Location | None = None,
        severity: Severity | None = None,
        confidence: Confidence = Confidence.HIGH,
        source: str = "self",
    ) -> Finding:
        """A finding of this rule. `subject` names what was found, free of offsets."""
        return Finding(
            rule=self.id,
            slug=self.slug,
            title=self.title,
            severity=severity or self.severity,
            default_severity=self.severity,
            confidence=confidence,
            source=source,
            artifact=artifact,
            location=location or Location(),
            message=message,
            evidence=evidence,
            remediation=self.fix,
            cwe=self.cwe,
            references=self.references,
            subject=subject,
        )


class Context(msgspec.Struct):
    """Where a judge stands: the artifact, and the means to report."""

    artifact: Artifact
    programs: list[Program] = msgspec.field(default_factory=list)
    room: int = 1000
    """How many more findings will be kept; a judge with many to make counts the rest in `dropped`, mildest first."""
    dropped: int = 0
    gaps: list[CoverageReason] = msgspec.field(default_factory=list)
    """What a judge could not follow although it should have; it makes the coverage partial."""

    def hex_window(self, offset: int, length: int = 1, around: int = 32) -> HexWindow:
        """The bytes around `[offset, offset + length)`, at most 16 lines' worth."""
        start = max(0, offset - around) & ~15
        marked = min(length, 192)
        data = self.artifact.source.pread(start, min(offset - start + marked + around, 256))
        return HexWindow(offset=start, data=data.hex(), mark_start=offset - start, mark_length=marked)

    def finding(
        self,
        rule: Rule,
        message: str,
        evidence: Evidence,
        *,
        subject: str,
        offset: int | None = None,
        length: int | None = None,
        node: str | None = None,
        line: int | None = None,
        severity: Severity | None = None,
        confidence: Confidence = Confidence.HIGH,
        source: str = "self",
    ) -> Finding:
        """A finding of `rule` in this artifact. `subject` names what was found, free of offsets; `node` is a node of a
        graph, by name."""
        location = Location(members=self.artifact.members, offset=offset, length=length, node=node, line=line)
        return rule.finding(
            message,
            evidence,
            subject=subject,
            location=location,
            severity=severity,
            confidence=confidence,
            source=source,
        )


def judges(facts: type[F]) -> Callable[[Judge[F]], Judge[F]]:
    """Register a function as a judge of one type of facts."""

    def register(judge: Judge[F]) -> Judge[F]:
        JUDGES.setdefault(facts, []).append(judge)
        return judge

    return register
