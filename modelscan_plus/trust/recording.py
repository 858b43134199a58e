"""From a report to entries of the import log."""

from pathlib import Path

import msgspec

from modelscan_plus.core.report import Report, canonical_digest
from modelscan_plus.trust.journal import Event, append


def events(report: Report, event: str, on_behalf: str | None = None) -> list[Event]:
    """One entry for each target of the report."""
    digest = canonical_digest(report)
    return [
        Event(
            event=event,
            target=target.given,
            revision=target.revision,
            tree=target.digest,
            verdict=target.decision.value,
            policy=report.verdict.policy,
            ruleset=report.tool.ruleset,
            report=digest,
            on_behalf=on_behalf,
        )
        for target in report.targets
    ]


def record(path: Path, report: Report, event: str = "scan", on_behalf: str | None = None) -> Report:
    """Append what the report decided to the log, and give the report with the head that the log has now."""
    head = append(path, events(report, event, on_behalf))
    return msgspec.structs.replace(report, run=msgspec.structs.replace(report.run, log_head=head))
