"""From the routines' reports to one outcome: Holm's correction over those that are tests, then the worst that is left.

Where one routine judges several searches together, most of the error is left to it: a single search of them has to be
far more unusual to say as much.

Source: S. Holm, "A simple sequentially rejective multiple test procedure", Scandinavian Journal of Statistics 6 (1979),
with weights as in its section 5.
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


JOINT = "-joint"
"""How the name of a joint test ends."""
_OTHERS = (JOINT, "-pairs")
"""The same of those that are no part of one."""
_WHOLE, _PART = 4.0, 0.2
"""Weights beside a joint test: of it and of what is no part of it, and of each part."""


def holm(p_values: Sequence[float], weights: Sequence[float] | None = None) -> list[float]:
    """Adjusted p-values in the order given, each at most 1. A test has a share of the error as its weight is."""
    given = list(weights or [1.0] * len(p_values))
    order = sorted(range(len(p_values)), key=lambda place: p_values[place] / given[place])
    adjusted = [1.0] * len(p_values)
    worst, left = 0.0, sum(given)
    for place in order:
        worst = max(worst, min(1.0, left / given[place] * p_values[place]))
        adjusted[place] = worst
        left -= given[place]
    return adjusted


def combine(reports: Sequence[RoutineReport], alpha: float = ALPHA) -> tuple[RoutineReport, ...]:
    """The reports with adjusted p-values. One that was flagged by a test stays so only when the test survives."""
    tested = [place for place, report in enumerate(reports) if report.p_value is not None]
    names = [reports[place].routine for place in tested]
    joint = any(name.endswith(JOINT) for name in names)
    weights = [_PART if joint and not name.endswith(_OTHERS) else _WHOLE for name in names]
    adjusted = holm([reports[place].p_value or 0.0 for place in tested], weights)
    result = list(reports)
    for place, value in zip(tested, adjusted, strict=True):
        report = reports[place]
        outcome, reason = report.outcome, report.reason
        if outcome is ProbeOutcome.FLAGGED and value > alpha:
            outcome = ProbeOutcome.NOTHING_FOUND
            reason += f"; but not beyond chance over all routines (corrected p = {value:.2g})"
        result[place] = msgspec.structs.replace(report, p_adjusted=value, outcome=outcome, reason=reason)
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
