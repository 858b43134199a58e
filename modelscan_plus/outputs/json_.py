"""The canonical JSON report."""

from modelscan_plus.core.report import Report, to_json


def render(report: Report) -> str:
    """The report as indented JSON."""
    return to_json(report).decode("utf-8")
