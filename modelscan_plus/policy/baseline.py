"""The baseline: fingerprints of findings that were there when somebody began, so that only new ones count.

A fingerprint holds the rule, the path and what was found, never an offset, so it survives a new version of the file.
"""

from pathlib import Path

import msgspec

from modelscan_plus.core.errors import UsageError
from modelscan_plus.core.report import Report

_MAX_SIZE = 64 << 20


class Known(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One accepted finding. All but the fingerprint is for the person who reads the file."""

    fingerprint: str
    rule: str
    artifact: str
    message: str = ""


class Baseline(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The content of a baseline file."""

    baseline: int
    """Version of this format: 1."""
    findings: tuple[Known, ...] = ()

    @property
    def fingerprints(self) -> frozenset[str]:
        """What is to be set aside."""
        return frozenset(known.fingerprint for known in self.findings)


def read_baseline(path: Path) -> Baseline:
    """The baseline in `path`; raises `UsageError` with the place of the fault."""
    try:
        with path.open("rb") as stream:
            data = stream.read(_MAX_SIZE)
        baseline = msgspec.json.decode(data, type=Baseline)
    except OSError as error:
        raise UsageError(f"baseline {path}: {error.strerror or error}") from None
    except msgspec.DecodeError as error:
        raise UsageError(f"baseline {path}: {error}") from None
    if baseline.baseline != 1:
        raise UsageError(f"baseline {path}: version {baseline.baseline} is not known to this version; write it anew")
    return baseline


def make_baseline(report: Report) -> bytes:
    """A baseline file that accepts what the report found, and what an older baseline had set aside."""
    accepted = [*report.findings, *(entry.finding for entry in report.suppressed if entry.by == "baseline")]
    known = {
        finding.fingerprint: Known(finding.fingerprint, finding.rule, finding.artifact, finding.message)
        for finding in accepted
    }
    ordered = sorted(known.values(), key=lambda entry: (entry.artifact, entry.rule, entry.fingerprint))
    return msgspec.json.format(msgspec.json.encode(Baseline(1, tuple(ordered))), indent=2) + b"\n"
