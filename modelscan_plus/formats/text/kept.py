"""What is kept of the remarks about one text, and what is said where reading it ends early.

A flood of small things must not hide a great one: each deed is told a few times, and what does not fit is said.
"""

import collections
from collections.abc import Iterable

from modelscan_plus.core.coverage import CoverageReason
from modelscan_plus.core.limits import BudgetExceeded
from modelscan_plus.formats.text.facts import Remark

SAME = 60
"""Times that one deed is told, by its kind, its words and its host."""
MOST = 2_000


def unread(why: str, *, runs: bool = True) -> Remark:
    """A part that is not read because that takes too long. `runs`: a program may run it, or obey it."""
    return Remark("unread", why, "", 1, "" if runs else "page")


def kept(found: Iterable[Remark]) -> tuple[tuple[Remark, ...], tuple[CoverageReason, ...]]:
    """The remarks in their order, and what is not known of the text: a budget that is used up ends the reading only."""
    held: list[Remark] = []
    gaps: dict[CoverageReason, None] = {}
    times: collections.Counter[tuple[str, str, str]] = collections.Counter()
    try:
        for remark in found:
            if remark.kind == "unread":
                gaps[CoverageReason("budget-text", remark.what, remark.host != "page")] = None
                continue
            deed = (remark.kind, remark.what, remark.host)
            times[deed] += 1
            if times[deed] > SAME:
                continue
            if len(held) == MOST:
                gaps[
                    CoverageReason("more-remarks", f"more than {MOST:,} places of the text are worth a look", True)
                ] = None
                break
            held.append(remark)
    except BudgetExceeded as breach:
        gaps[CoverageReason(breach.code, breach.message, True)] = None
    return tuple(held), tuple(gaps)
