"""A routine's report cut to what a report may hold. The parent does it with what comes from the child.

Text is shortened and made harmless later, with the rest of the report; here its amount is bounded, numbers are finite
and pictures are what png.py writes.
"""

import math

import msgspec

from modelscan_plus.core.probe import Bars, Exhibit, Passage, Picture, RoutineReport, Table
from modelscan_plus.core.text import shorten
from modelscan_plus.probe import png

EXHIBITS, FAMILIES = 64, 64
ROWS, COLUMNS, BARS = 300, 32, 1_000
LINE, TEXT, CELL = 400, 6_000, 400
"""Characters of a title or sentence, of a passage, of a cell."""
MOST = 1 << 53
"""The largest number that every reader of JSON understands."""
PICTURE_BYTES = 3 << 20
"""Of all pictures of one routine, as they are written."""


def problem(report: RoutineReport) -> str:
    """What makes the report impossible, "" for a sound one."""
    shares = [value for value in (report.p_value, report.p_adjusted, report.success) if value is not None]
    if not all(0.0 <= value <= 1.0 for value in shares):
        return "a share or a p-value that is none"
    for exhibit in report.exhibits:
        if isinstance(exhibit, Bars):
            ends = exhibit.band or ()
            if not all(map(math.isfinite, (*exhibit.values, *ends))):
                return "a bar without a finite height"
            if len(exhibit.labels) != len(exhibit.values):
                return "bars and labels that do not match"
        elif isinstance(exhibit, Picture) and not png.is_ours(exhibit.png):
            return "a picture that is not one of ours"
    return ""


def tidy(report: RoutineReport) -> RoutineReport:
    """The report within its bounds; raises ValueError where `problem` finds one."""
    if fault := problem(report):
        raise ValueError(fault)
    left = PICTURE_BYTES
    exhibits: list[Exhibit] = []
    for exhibit in report.exhibits[:EXHIBITS]:
        if isinstance(exhibit, Picture):
            left -= len(exhibit.png)
            if left < 0:
                continue
        exhibits.append(_exhibit(exhibit))
    return msgspec.structs.replace(
        report,
        title=shorten(report.title, LINE),
        reason=shorten(report.reason, LINE),
        target=shorten(report.target, LINE),
        sources=shorten(report.sources, LINE),
        trigger=shorten(report.trigger, LINE),
        families=lines(report.families, FAMILIES),
        steps=min(max(0, report.steps), MOST),
        exhibits=tuple(exhibits),
    )


def lines(texts: tuple[str, ...], count: int) -> tuple[str, ...]:
    """At most `count` texts of one line each."""
    return tuple(shorten(text, LINE) for text in texts[:count])


def pairs(items: tuple[tuple[str, str], ...], count: int) -> tuple[tuple[str, str], ...]:
    """At most `count` pairs of one line each."""
    return tuple((shorten(name, CELL), shorten(value, LINE)) for name, value in items[:count])


def _exhibit(exhibit: Exhibit) -> Exhibit:
    named = {"title": shorten(exhibit.title, LINE), "caption": shorten(exhibit.caption, LINE)}
    if isinstance(exhibit, Passage):
        return msgspec.structs.replace(exhibit, text=shorten(exhibit.text, TEXT), **named)
    if isinstance(exhibit, Table):
        rows = tuple(lines(row, COLUMNS) for row in exhibit.rows[:ROWS])
        return msgspec.structs.replace(
            exhibit,
            columns=lines(exhibit.columns, COLUMNS),
            rows=rows,
            omitted=min(max(0, exhibit.omitted), MOST) + max(0, len(exhibit.rows) - ROWS),
            **named,
        )
    if isinstance(exhibit, Bars):
        count = len(exhibit.values[:BARS])
        return msgspec.structs.replace(
            exhibit,
            labels=lines(exhibit.labels, count),
            values=exhibit.values[:count],
            marked=tuple(place for place in exhibit.marked[:BARS] if 0 <= place < count),
            unit=shorten(exhibit.unit, LINE),
            **named,
        )
    return msgspec.structs.replace(exhibit, **named)
