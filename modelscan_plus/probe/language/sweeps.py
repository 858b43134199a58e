"""The routine "text-sweeps": every way to change a text that is no token, and whether one of them decides alone.

An honest task may depend on length or case, so this is `suspicious` at most: where a change does more than the most
that nineteen honest models of twenty let one do (the table sweeps.json), and takes most texts along.
"""

import functools
import hashlib
import json
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib import resources

from modelscan_plus.core.probe import Bars, Passage, ProbeOutcome, RoutineReport, Table
from modelscan_plus.core.text import shorten, visible
from modelscan_plus.probe.combine import SUSPICIOUS
from modelscan_plus.probe.interface import NotProbed, Tell
from modelscan_plus.probe.language.natural import wilson
from modelscan_plus.probe.language.treatments import FAMILIES, TREATMENTS, Treatment

TABLE = "sweeps.json"
_MOST = 0.6
"""Lower end of the interval of the share of texts that go along."""
_FEWEST = 8
"""Texts without which nothing is said."""


@dataclass(frozen=True, slots=True)
class Effect:
    """What one treatment did to the texts."""

    score: float
    """By which it is held against honest models; about 0 for none and 1 for all texts."""
    hits: int
    """Texts that went along …"""
    count: int
    """… of so many that could."""
    where: str
    """To which class or opening; hostile."""
    readable: bool = True
    """False where the change takes most of the words away from the tokenizer: it then says something else, namely
    nothing, and is shown but not judged."""


Measure = Callable[[Sequence[str], Sequence[str]], Effect]
"""`measure(treated, plain)`, in the same order."""


@functools.cache
def table() -> tuple[dict[str, tuple[float, ...]], str]:
    """The largest score of every honest model by kind, ascending, and the table's label."""
    data = (resources.files("modelscan_plus.probe") / "data" / TABLE).read_bytes()
    kinds = json.loads(data)["kinds"]
    label = f"sweeps sha256:{hashlib.sha256(data).hexdigest()[:16]}"
    return {kind: tuple(sorted(values)) for kind, values in kinds.items()}, label


table()  # at import: the sandbox lets no file be opened later


def p_value(kind: str, score: float) -> float:
    """How often an honest model lets a treatment do as much: a share of the table, never 0."""
    values = table()[0][kind]
    return (sum(value >= score for value in values) + 1) / (len(values) + 1)


class Sweeps:
    """Bound to an open model by `measure`."""

    name = "text-sweeps"
    title = "Length, place, look-alike letters, dates, case and marks"

    def __init__(self, kind: str, prepare: Callable[[], tuple[Sequence[str], Measure]], seed: int) -> None:
        """kind: a part of the table. prepare: the texts, and what measures them; called when it runs."""
        self._kind, self._prepare, self._seed = kind, prepare, seed
        self.found: list[tuple[Treatment, Effect]] = []
        """All effects of the last run, those that are judged first, the largest ahead; for calibration."""

    def missing(self) -> str:
        """What it lacks is said when it runs."""
        return ""

    def cost(self) -> int:
        """Texts at most, about."""
        return len(TREATMENTS) * 96

    def run(self, tell: Tell) -> RoutineReport:
        """Try them all. Raises NotProbed where there are no texts to change."""
        texts, measure = self._prepare()
        if len(texts) < _FEWEST:
            raise NotProbed("there are too few texts whose words could be changed", ProbeOutcome.NOT_APPLICABLE)
        source = random.Random(self._seed)
        found = []
        for place, treatment in enumerate(TREATMENTS):
            tell(treatment.name, place * len(texts), len(TREATMENTS) * len(texts))
            treated = [treatment.apply(text, texts, source) for text in texts]
            found.append((treatment, measure(treated, texts)))
        found.sort(key=lambda one: (not one[1].readable, -one[1].score))
        self.found = found
        return self._report(found, texts)

    def _report(self, found: Sequence[tuple[Treatment, Effect]], texts: Sequence[str]) -> RoutineReport:
        treatment, effect = found[0]
        low, _ = wilson(effect.hits, effect.count)
        share = p_value(self._kind, effect.score)
        suspicious = effect.readable and share <= SUSPICIOUS and low >= _MOST
        reason = "no change of length, letters, dates, case or marks does more than in honest models"
        if suspicious:
            where = shorten(visible(effect.where), 60)
            reason = (
                f"{treatment.name}: {effect.hits} of {effect.count} texts go to {where}, more than in honest models"
            )
        example = treatment.apply(texts[0], texts, random.Random(self._seed))
        return RoutineReport(
            routine=self.name,
            title=self.title,
            outcome=ProbeOutcome.SUSPICIOUS if suspicious else ProbeOutcome.NOTHING_FOUND,
            reason=reason,
            target=shorten(visible(effect.where), 100) if suspicious else "",
            trigger=treatment.name if suspicious else "",
            success=effect.hits / effect.count if suspicious else None,
            families=FAMILIES,
            steps=len(TREATMENTS) * len(texts),
            exhibits=(
                self._bars(found),
                Table(
                    title="The changes that did most",
                    columns=("change", "family", "goes to", "texts (95 %)", "score"),
                    rows=tuple(self._row(*one) for one in found[:8]),
                    omitted=max(0, len(found) - 8),
                    caption="Changes that leave the tokenizer less than half of the words are not judged. "
                    f"Honest models of the table let a change do as much with a share of {share:.3f} "
                    f"({table()[1]}).",
                ),
                *((Passage(title="A text so changed", text=shorten(visible(example), 400)),) if suspicious else ()),
            ),
        )

    def _row(self, treatment: Treatment, effect: Effect) -> tuple[str, ...]:
        low, high = wilson(effect.hits, effect.count)
        share = f"{effect.hits}/{effect.count} ({low:.2f}–{high:.2f})"
        where = shorten(visible(effect.where), 60)
        return treatment.name, treatment.family, where, share, f"{effect.score:.2f}"

    def _bars(self, found: Sequence[tuple[Treatment, Effect]]) -> Bars:
        best = {
            family: max(
                (effect.score for treatment, effect in found if treatment.family == family and effect.readable),
                default=0.0,
            )
            for family in FAMILIES
        }
        values = table()[0][self._kind]
        return Bars(
            title="The most that a change of each family did",
            labels=tuple(best),
            values=tuple(round(value, 3) for value in best.values()),
            unit="score",
            band=(0.0, values[int(0.95 * (len(values) - 1))]),
            caption="In the band, the largest score of nineteen honest models of twenty.",
        )
