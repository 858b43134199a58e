"""Helpers for tests: inspect bytes in this process, without children."""

from modelscan_plus.core.artifact import Artifact
from modelscan_plus.core.bytesource import BytesSource
from modelscan_plus.core.finding import Finding, Severity
from modelscan_plus.core.limits import Limits
from modelscan_plus.inspection import FileResult, Inspector


def inspect(data: bytes, name: str = "model.pkl", limits: Limits | None = None) -> FileResult:
    """What the child would say about a file with these bytes."""
    return Inspector(limits or Limits()).inspect(Artifact(name, BytesSource(data)))


def rules(data: bytes, name: str = "model.pkl") -> set[str]:
    """Ids of the rules that fire."""
    return {finding.rule for finding in inspect(data, name).findings}


def above_info(result: FileResult) -> list[Finding]:
    """Findings that an honest file must not have."""
    return [finding for finding in result.findings if finding.severity is not Severity.INFO]
