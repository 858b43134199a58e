"""Backdoor probes in words and rows, for the terminal and the page. Nothing is computed but where a bar stands."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from modelscan_plus.core.probe import Bars, Passage, Picture, ProbeOutcome, ProbeReport, RoutineReport, Table
from modelscan_plus.core.report import Target
from modelscan_plus.core.text import shorten
from modelscan_plus.probe import png

_WORDS = {
    ProbeOutcome.FLAGGED: "flagged",
    ProbeOutcome.SUSPICIOUS: "suspicious",
    ProbeOutcome.NOTHING_FOUND: "nothing found",
    ProbeOutcome.INCONCLUSIVE: "inconclusive",
    ProbeOutcome.NOT_APPLICABLE: "not applicable",
}
KINDS = {
    "image-classifier": "image classifier",
    "tabular-classifier": "tabular classifier",
    "text-classifier": "text classifier",
    "causal-lm": "causal language model",
    "embedding": "embedding model",
    "lora": "LoRA adapter",
    "unknown": "no model that a probe knows",
}
SCOPE = (
    "A search for triggers that the weights may have learned. It never shows that a model is clean: what it says holds "
    "for the trigger families and the budget that are named."
)
PICTURE_SIDE = 160
"""Pixels of the screen to which a small picture is enlarged."""
BARS, ROWS = 60, 60
"""Bars of one chart and rows of one table that a page shows."""


def word(outcome: ProbeOutcome) -> str:
    """The outcome for a person."""
    return _WORDS[outcome]


def name(probe: ProbeReport, targets: Sequence[Target]) -> str:
    """The model: its path in the target, or the target where it is all of it."""
    if probe.artifact != ".":
        return probe.artifact
    return next((target.given for target in targets if target.id == probe.target), probe.artifact)


def kind(probe: ProbeReport) -> str:
    """What was probed, in words."""
    return KINDS.get(probe.kind, probe.kind)


def p_value(routine: RoutineReport) -> str:
    """ "p 0.0004, after correction 0.002"; "" where the routine is no test."""
    if routine.p_value is None:
        return ""
    text = f"p {routine.p_value:.2g}"
    return text if routine.p_adjusted is None else f"{text}, after correction {routine.p_adjusted:.2g}"


def rows(routine: RoutineReport) -> list[tuple[str, str]]:
    """A label and a text each: what was found, and how."""
    success = "" if routine.success is None else f"turns {routine.success:.0%} of the samples held out"
    stated = [
        ("leads to", routine.target),
        ("from", routine.sources),
        ("trigger", routine.trigger),
        ("success", success),
        ("test", p_value(routine)),
        ("searched", ", ".join(routine.families)),
        ("steps", f"{routine.steps:,}" if routine.steps else ""),
    ]
    return [(label, text) for label, text in stated if text]


def facts(probe: ProbeReport) -> list[tuple[str, str]]:
    """What the result rests on."""
    versions = ", ".join(f"{name} {version}" for name, version in probe.versions)
    stated = [
        *probe.facts,
        ("budget", f"{probe.budget}, seed {probe.seed}, on {probe.device}"),
        ("calibration", probe.calibration),
        ("libraries", versions),
    ]
    return [(label, text) for label, text in stated if text]


@dataclass(frozen=True, slots=True)
class Bar:
    """One row of a chart; places are in percent of its width."""

    label: str
    value: str
    start: float
    width: float
    marked: bool


@dataclass(frozen=True, slots=True)
class Chart:
    """A chart as rows."""

    bars: Sequence[Bar]
    band: tuple[float, float] | None
    """Start and width."""
    band_text: str
    omitted: int


def chart(exhibit: Bars) -> Chart:
    """Where the bars and the null band stand. The marked bars are among those shown."""
    ends: tuple[float, ...] = (0.0, *exhibit.values, *(exhibit.band or ()))
    low, high = min(ends), max(ends)
    # Halves, because the difference of two finite numbers need not be finite.
    span = (high / 2 - low / 2) or 1.0

    def place(value: float) -> float:
        return round((value / 2 - low / 2) / span * 100, 2)

    def stretch(start: float, end: float) -> tuple[float, float]:
        return place(min(start, end)), max(0.4, round(place(max(start, end)) - place(min(start, end)), 2))

    marked = set(exhibit.marked)
    order = sorted(range(len(exhibit.values)), key=lambda at: (at not in marked, at))[:BARS]
    bars = [
        Bar(exhibit.labels[at], number(exhibit.values[at]), *stretch(0.0, exhibit.values[at]), at in marked)
        for at in sorted(order)
        if at < len(exhibit.labels)
    ]
    band = stretch(*exhibit.band) if exhibit.band is not None else None
    unit = f" {exhibit.unit}" if exhibit.unit else ""
    text = f"{number(exhibit.band[0])} to {number(exhibit.band[1])}{unit}" if exhibit.band is not None else ""
    return Chart(bars, band, text, len(exhibit.values) - len(bars))


def number(value: float) -> str:
    """Four digits of it."""
    return f"{value:,.0f}" if value == int(value) and abs(value) < 1e9 else f"{value:.4g}"


@dataclass(frozen=True, slots=True)
class Shown:
    """An exhibit as the page shows it."""

    kind: str
    """ "picture", "bars", "table", "passage" or "left-out" for a picture that is not shown."""
    exhibit: Picture | Bars | Table | Passage
    chart: Chart | None = None
    width: int = 0
    height: int = 0


class Gallery:
    """Turns exhibits into what is shown, as long as there is room for pictures on the page."""

    def __init__(self, room: int) -> None:
        self._room = room

    def show(self, routine: RoutineReport) -> Iterator[Shown]:
        """The routine's exhibits in their order."""
        for exhibit in routine.exhibits:
            match exhibit:
                case Picture():
                    yield self._picture(exhibit)
                case Bars():
                    yield Shown("bars", exhibit, chart(exhibit))
                case Table():
                    yield Shown("table", exhibit)
                case Passage():
                    yield Shown("passage", exhibit)

    def _picture(self, exhibit: Picture) -> Shown:
        # A report that somebody edited may hold anything where a picture should be.
        if len(exhibit.png) > self._room or not png.is_ours(exhibit.png):
            return Shown("left-out", exhibit)
        self._room -= len(exhibit.png)
        width, height = png.size(exhibit.png)
        factor = max(1, PICTURE_SIDE // max(width, height))
        return Shown("picture", exhibit, None, width * factor, height * factor)


def worst_first(probes: Sequence[ProbeReport]) -> list[ProbeReport]:
    """The reports, those that found something first."""
    return sorted(probes, key=lambda probe: -probe.outcome.rank)


def line(text: str) -> str:
    """One line of it, for the terminal."""
    return shorten(" ".join(text.split()), 300)
