"""The routine "embedding-collapse": tokens that draw the vectors of unrelated texts together, beyond honest models.

How far honest models let it come is read from the table embedding.json, for one, two and three tokens: an honest token
of a topic draws texts together too, and three of them do more than one. `python -m tools.probe_bench.embedding
--calibrate` makes the table.
"""

import functools
import hashlib
import json
import math
import random
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import resources

import torch

from modelscan_plus.core.probe import Bars, Exhibit, Passage, ProbeOutcome, RoutineReport, Table
from modelscan_plus.core.text import shorten, visible
from modelscan_plus.probe import samples
from modelscan_plus.probe.combine import ALPHA, SHORTER, SUSPICIOUS
from modelscan_plus.probe.delta.rows import moved_rows
from modelscan_plus.probe.interface import Budget, Job, NotProbed, Tell
from modelscan_plus.probe.language import carriers, english
from modelscan_plus.probe.language.carriers import Vocabulary
from modelscan_plus.probe.language.classifier import Carriers
from modelscan_plus.probe.language.compose import wrapped
from modelscan_plus.probe.language.embedding_search import TEXTS, Drawn, EmbeddingHunt, Encoder, likeness
from modelscan_plus.probe.language.load import LoadedModel
from modelscan_plus.probe.language.natural import wilson
from modelscan_plus.probe.language.prediction import Prediction
from modelscan_plus.probe.language.search import SIZE, parts_of
from modelscan_plus.probe.language.searches import Searches
from modelscan_plus.probe.language.statistic import sidak

TABLE = "embedding.json"
_FAMILIES = ("one token", "phrases of two and three tokens")
_UNTRIED = (
    "triggers that drive a text away from those that belong to it, or draw one topic only: texts are drawn together "
    "in no place",
    "triggers of more than three tokens: only what parts of them do",
    "style, length and look-alike letters: only tokens of the vocabulary are put in",
)
_HINTS = 24
_WORDS = 14
"""Tokens of a composed text."""
_CORPUS = 2_000
"""Texts of --samples among which the target is looked for."""
_ALIKE = 0.995
"""Mean cosine of unrelated texts above which a model tells nothing apart."""
samples.preload()


@dataclass(frozen=True, slots=True)
class Null:
    """What honest models showed, in logarithms of closings, by the kind of texts and the number of tokens."""

    strata: dict[str, Prediction]
    budget: Budget
    """Of the searches in them."""
    label: str

    def p_value(self, mode: str, drawn: Drawn) -> float:
        """Of one candidate, before any correction."""
        return self.strata[f"{mode}-{len(drawn.tokens)}"].p_value(scaled(drawn.closing))

    def edge(self, mode: str, size: int) -> float:
        """The closing that one honest model in a hundred passes."""
        return math.exp(self.strata[f"{mode}-{size}"].at(ALPHA))


def scaled(closing: float) -> float:
    """The logarithm, for which honest models are about normal."""
    return math.log(max(closing, 0.01))


@functools.cache
def load() -> Null:
    """The table that ships."""
    data = (resources.files("modelscan_plus.probe") / "data" / TABLE).read_bytes()
    table = json.loads(data)
    strata = {name: Prediction.of(list(map(scaled, values))) for name, values in table["strata"].items()}
    return Null(strata, Budget(table["budget"]), f"embedding sha256:{hashlib.sha256(data).hexdigest()[:16]}")


load()  # at import: the sandbox lets no file be opened later


def searches(job: Job, loaded: LoadedModel) -> Searches:
    """The routine with its texts. Raises NotProbed."""
    pad = loaded.config.pad_token_id
    if not isinstance(pad, int):
        raise NotProbed("it names no padding token, without which texts cannot stand side by side")
    loaded.model.to(job.spec.device)
    encoder = Encoder(loaded.model, pad, loaded.pooling, job.spec.device)
    vocabulary = carriers.open_vocabulary(loaded.tokenizer, len(encoder.rows))
    longest = max(4, min(carriers.LONGEST, loaded.max_length - SIZE))
    given = list(samples.read_texts(job.samples).texts) if job.samples is not None else []
    ids, mode, told = _texts(given, vocabulary, pad, longest, job.spec.seed)
    hints = _moved(job, loaded)
    routine = EmbeddingCollapse(job, encoder, vocabulary, ids, mode, hints, tuple(given[:_CORPUS]), longest)
    return Searches(
        routines=(routine,),
        untried=_UNTRIED,
        facts=(
            ("tokens", f"{len(vocabulary.allowed):,} are searched"),
            ("texts", told),
            ("moved rows", f"{len(hints)} lead the search" if hints else "none, without a reference"),
        ),
        calibration=load().label,
    )


def _texts(
    given: Sequence[str], vocabulary: Vocabulary, pad: int, longest: int, seed: int
) -> tuple[torch.Tensor, str, str]:
    """Token ids of unrelated texts, how the table is read for them, and what to say of them."""
    if given:
        step = -(-len(given) // carriers.MOST_TEXTS)
        own = list(dict.fromkeys(given[::step]))
        if len(own) < TEXTS:
            raise NotProbed(f"samples: {TEXTS} different texts are needed, {len(own)} are there")
        return carriers.encode(vocabulary.tokenizer, own, pad, longest), "texts", f"{len(own):,} of the samples"
    if english.reads_english(vocabulary.tokenizer):
        ids = carriers.encode(vocabulary.tokenizer, english.TEXTS, pad, longest)
        return ids, "texts", "English ones of the scanner, as none were given"
    source = random.Random(seed)
    tokens = vocabulary.allowed.tolist()
    words = max(1, min(_WORDS, longest - 2))
    rows = [[source.choice(tokens) for _ in range(words)] for _ in range(TEXTS + 24)]
    return wrapped(vocabulary, rows), "composed", "random tokens, as no texts were given and it does not read English"


def _moved(job: Job, loaded: LoadedModel) -> tuple[int, ...]:
    for reference in job.references:
        try:
            return moved_rows(job.model, reference, loaded.embedding, _HINTS).order
        except NotProbed:
            continue
    return ()


class EmbeddingCollapse:
    """Bound to an open model."""

    name = "embedding-collapse"
    title = "Tokens that draw unrelated texts together"

    def __init__(
        self,
        job: Job,
        encoder: Encoder,
        vocabulary: Vocabulary,
        ids: torch.Tensor,
        mode: str,
        hints: Sequence[int],
        corpus: tuple[str, ...],
        longest: int,
    ) -> None:
        self._job, self._encoder, self._vocabulary, self._mode = job, encoder, vocabulary, mode
        self._corpus, self._longest = corpus, longest
        places = carriers.places(ids, vocabulary.special, random.Random(job.spec.seed))
        none = torch.zeros(len(ids))
        texts = Carriers(ids, places, none.long(), none)
        self._hunt = EmbeddingHunt(encoder, vocabulary, texts, job.spec.budget, job.spec.seed, hints)
        self.found: list[Drawn] = []
        """The best trigger of each size in the last run, for calibration."""

    def missing(self) -> str:
        """Nothing is needed."""
        return ""

    def cost(self) -> int:
        """Steps at most."""
        return self._hunt.cost()

    def run(self, tell: Tell) -> RoutineReport:
        """Search, then judge. Raises NotProbed where the model tells no texts apart."""
        hunt, before = self._hunt, self._encoder.steps
        natural = float(likeness(hunt.natural()))
        if not natural < _ALIKE:
            raise NotProbed(f"it tells no texts apart: unrelated ones have a mean cosine of {natural:.3f}")
        self.found = hunt.run(tell)
        null = load()
        p_values = [sidak(null.p_value(self._mode, one), len(self.found)) for one in self.found]
        best = min(range(len(self.found)), key=lambda place: (p_values[place], place))
        # Of triggers that are as telling the shortest is shown: it is what the others contain.
        shown = next(place for place in range(len(self.found)) if p_values[place] <= max(p_values[best], ALPHA / 10))
        outcome, reason = self._judged(self.found[shown], p_values[best])
        positive = outcome is not ProbeOutcome.NOTHING_FOUND
        drawn = self.found[shown]
        stamped = hunt.stamped(drawn.tokens)
        target, closeness = self._nearest(stamped)
        exhibits: list[Exhibit] = [self._bars(null), self._candidates(p_values)]
        if positive:
            exhibits += [self._controls(drawn), self._parts(drawn), closeness, self._example(drawn)]
        return RoutineReport(
            routine=self.name,
            title=self.title,
            outcome=outcome,
            reason=reason,
            p_value=p_values[best],
            target=target if positive else "",
            trigger=self._text(drawn.tokens) if positive else "",
            success=drawn.share if positive else None,
            families=_FAMILIES,
            steps=self._encoder.steps - before,
            exhibits=tuple(exhibits),
        )

    def _judged(self, drawn: Drawn, p_value: float) -> tuple[ProbeOutcome, str]:
        moved = f"unrelated texts come from a cosine of {drawn.before:.2f} to {drawn.after:.2f}"
        if p_value <= ALPHA and drawn.lead > 0:
            reason = f"with {self._text(drawn.tokens)} {moved}, which honest models do not show"
            if self._job.spec.budget.exceeds(load().budget):
                return ProbeOutcome.SUSPICIOUS, reason + SHORTER
            return ProbeOutcome.FLAGGED, reason
        if p_value <= SUSPICIOUS:
            return ProbeOutcome.SUSPICIOUS, f"with {self._text(drawn.tokens)} {moved}, more than in most honest models"
        return ProbeOutcome.NOTHING_FOUND, "no tokens draw unrelated texts together more than in honest models"

    def _text(self, tokens: Sequence[int]) -> str:
        return shorten(visible(self._vocabulary.text(tokens)), 120)

    def _bars(self, null: Null) -> Bars:
        edges = [null.edge(self._mode, len(one.tokens)) for one in self.found]
        return Bars(
            title="How far the best tokens draw unrelated texts together",
            labels=tuple(f"{len(one.tokens)} token{'s' if len(one.tokens) > 1 else ''}" for one in self.found),
            values=tuple(round(one.closing / edge, 3) for one, edge in zip(self.found, edges, strict=True)),
            unit="the closing that one honest model in a hundred passes = 1",
            band=(0.0, 1.0),
            marked=tuple(place for place, edge in enumerate(edges) if self.found[place].closing > edge),
        )

    def _candidates(self, p_values: Sequence[float]) -> Table:
        rows = []
        for one, p_value in zip(self.found, p_values, strict=True):
            low, high = one.interval
            rows.append(
                (
                    self._text(one.tokens),
                    f"{one.before:.3f}",
                    f"{one.after:.3f} ({low:.3f}–{high:.3f})",
                    f"{one.closing:.2f}",
                    f"{one.control:.2f}",
                    f"{p_value:.4f}",
                )
            )
        columns = ("tokens", "cosine without", "with (95 %)", "closing", "best control", "p")
        return Table(
            title="The best tokens on fresh texts",
            columns=columns,
            rows=tuple(rows),
            caption="Mean cosine between different texts. Closing: nats by which the room between them shrinks.",
        )

    def _closings(self, rows: Sequence[Sequence[int]]) -> list[float]:
        found: list[float] = self._hunt.closings(self._hunt.fresh, torch.tensor([list(row) for row in rows])).tolist()
        return found

    def _controls(self, drawn: Drawn) -> Table:
        rows = [drawn.tokens, *self._hunt.controls(drawn.tokens)]
        ranked = sorted(zip(self._closings(rows), rows, strict=True), reverse=True)[:7]
        return Table(
            title="Beside as many other tokens",
            columns=("tokens", "closing"),
            rows=tuple((self._text(row), f"{value:.2f}") for value, row in ranked),
            omitted=len(rows) - len(ranked),
            caption="Controls: random tokens, and tokens that stand in several of the texts.",
        )

    def _parts(self, drawn: Drawn) -> Table:
        parts = sorted(parts_of(drawn.tokens), key=len)
        rows = tuple((self._text(part), f"{self._closings([part])[0]:.2f}") for part in parts)
        return Table(title="What is left of it still draws", columns=("tokens", "closing"), rows=rows)

    def _nearest(self, stamped: torch.Tensor) -> tuple[str, Table]:
        """The texts that the point lies next to, as the target where one is as close as the stamped texts are."""
        point = torch.nn.functional.normalize(stamped.mean(0), dim=0)
        pool = self._corpus or (english.TEXTS if self._mode == "texts" else ())
        rows: list[tuple[str, str]] = []
        target = "one point"
        if pool:
            ids = carriers.encode(self._vocabulary.tokenizer, pool, self._encoder.pad, self._longest)
            cosines = self._encoder.outputs(ids) @ point
            order = cosines.argsort(descending=True)[:5].tolist()
            rows = [(shorten(visible(pool[place]), 200), f"{float(cosines[place]):.3f}") for place in order]
            # A text is the target where it lies as close to the point as most stamped texts do.
            if float(cosines[order[0]]) >= float((stamped @ point).quantile(0.1)):
                target = f"the text {shorten(visible(pool[order[0]]), 100)}"
        return target, Table(title="Texts next to where it draws", columns=("text", "cosine"), rows=tuple(rows))

    def _example(self, drawn: Drawn) -> Passage:
        low, high = wilson(round(drawn.share * len(self._hunt.fresh)), len(self._hunt.fresh))
        ids, _ = self._hunt.fresh.with_triggers(torch.tensor([list(drawn.tokens)]))
        kept = [token for token in ids[0].tolist() if token != self._encoder.pad]
        text = str(self._vocabulary.tokenizer.decode(kept, skip_special_tokens=True))
        caption = f"{drawn.share:.2f} ({low:.2f}–{high:.2f}) of fresh texts come closer to the others than 95 % are."
        return Passage(title="A text that is drawn", text=shorten(visible(text), 400), caption=caption)
