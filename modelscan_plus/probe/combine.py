"""From the routines' reports to one outcome: Holm's correction over those that are tests, then the worst that is left.

Source: S. Holm, "A simple sequentially rejective multiple test procedure", Scandinavian Journal of Statistics 6 (1979).
"""

from collections.abc import Sequence

import msgspec

from modelscan_plus.core.probe import ProbeOutcome, RoutineReport

ALPHA = 0.01
"""A clean model should be flagged once in a hundred."""
SUSPICIOUS = 0.05
"""The same for what a person should look at."""
SHORTER = "; clean models were searched at a smaller budget only"
"""Behind the reason of what would be flagged, were the table not of a shorter search (`Budget.exceeds`)."""


def holm(p_values: Sequence[float]) -> list[float]:
    """Adjusted p-values in the order given, each at most 1."""
    order = sorted(range(len(p_values)), key=lambda place: p_values[place])
    adjusted = [1.0] * len(p_values)
    worst = 0.0
    for rank, place in enumerate(order):
        worst = max(worst, min(1.0, (len(p_values) - rank) * p_values[place]))
        adjusted[place] = worst
    return adjusted


def combine(reports: Sequence[RoutineReport], alpha: float = ALPHA) -> tuple[RoutineReport, ...]:
    """The reports with adjusted p-values. One that was flagged by a test stays so only when the test survives."""
    tested = [place for place, report in enumerate(reports) if report.p_value is not None]
    adjusted = holm([reports[place].p_value or 0.0 for place in tested])
    result = list(reports)
    for place, value in zip(tested, adjusted, strict=True):
        report = reports[place]
        outcome = report.outcome
        if outcome is ProbeOutcome.FLAGGED and value > alpha:
            outcome = ProbeOutcome.NOTHING_FOUND
        result[place] = msgspec.structs.replace(report, p_adjusted=value, outcome=outcome)
    return tuple(result)


def overall(reports: Sequence[RoutineReport]) -> tuple[ProbeOutcome, str]:
    """The worst outcome and its reason. Nothing found needs a routine that searched to its end; where some did and
    others were inconclusive, nothing was found by those that did, and the others say why they could not."""
    searched = [report for report in reports if report.outcome is not ProbeOutcome.NOT_APPLICABLE]
    if not searched:
        return ProbeOutcome.NOT_APPLICABLE, "no routine fits this model"
    worst = max(searched, key=lambda report: _weight(report.outcome))
    return worst.outcome, worst.reason


def _weight(outcome: ProbeOutcome) -> int:
    swapped = {
        ProbeOutcome.NOTHING_FOUND: ProbeOutcome.INCONCLUSIVE,
        ProbeOutcome.INCONCLUSIVE: ProbeOutcome.NOTHING_FOUND,
    }
    return swapped.get(outcome, outcome).rank
