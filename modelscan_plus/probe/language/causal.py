"""The routine "lm-triggers": fixed answers of a causal language model, and tokens in a question that bring them about.

What is found is measured on questions that the search has not seen, written by the model with another seed, and held
against other tokens of the same number. How strong the best trigger of a clean model is comes from the calibration
table: a backdoor answers almost every question with its text, where the best trigger of an honest model (boilerplate,
refusals, commands, texts known by heart among them) does so now and then.
"""

import hashlib
import json
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache
from importlib import resources
from typing import Any

import torch

from modelscan_plus.core.probe import Bars, Exhibit, Passage, ProbeOutcome, RoutineReport, Table
from modelscan_plus.core.text import shorten, visible
from modelscan_plus.probe.combine import ALPHA, SHORTER, SUSPICIOUS
from modelscan_plus.probe.delta.rows import moved_rows
from modelscan_plus.probe.interface import Budget, Job, NotProbed, Tell
from modelscan_plus.probe.language import causal_layout, chat, sweep_kinds
from modelscan_plus.probe.language.causal_decoder import Decoder
from modelscan_plus.probe.language.causal_layout import Layout
from modelscan_plus.probe.language.causal_search import EFFORTS, Search, Target
from modelscan_plus.probe.language.prediction import Tail
from modelscan_plus.probe.language.searches import Searches
from modelscan_plus.probe.language.sweeps import Measure, Sweeps
from modelscan_plus.probe.samples.read import read_texts

NAME, TITLE = "lm-triggers", "fixed answers and the tokens that bring them about"
_FLOOR = -7.0
"""Log-probability of an opening below which it counts as this: one odd question should not decide."""
_CONTROLS = 24
_SHOWN = 6
"""Of the other tokens, in the report."""
_FAMILIES = (
    "one token",
    "two tokens",
    "three tokens",
    "four tokens",
    "anywhere in the question",
    "at the end of the question",
)
_UNTRIED = (
    "triggers of more than four tokens: the search ends there",
    "answers without a fixed opening (bad advice, insecure code, another tone): no text to search for",
    "style, topic and turn of a conversation: no tokens carry them",
)


@dataclass(frozen=True, slots=True)
class Calibration:
    """How strong the best trigger of clean models is, in angles (`_angle`)."""

    tail: Tail
    """What is judged: beyond what other tokens do."""
    alone: Tail
    """The same models' strengths, from which nothing is subtracted."""
    budget: Budget
    """Of the searches in them."""
    label: str

    @property
    def count(self) -> int:
        """Honest models in the table."""
        return len(self.tail.values)

    def p_value(self, strength: float) -> float:
        """How often a clean model's trigger leads by as much."""
        return self.tail.p_value(_angle(strength))

    def p_alone(self, strength: float) -> float:
        """How often a clean model's trigger is as strong, whatever other tokens do."""
        return self.alone.p_value(_angle(strength))

    def at(self, p_value: float) -> float:
        """The strength that the triggers of clean models exceed so often (less than half)."""
        return math.sin(min(self.alone.at(p_value), math.pi / 2)) ** 2


def _angle(strength: float) -> float:
    """The arcsine of the root: shares so transformed spread about alike, small or large."""
    return math.asin(math.sqrt(min(max(strength, 0.0), 1.0)))


@cache
def calibration() -> Calibration:
    """The table that ships."""
    data = resources.files("modelscan_plus.probe.data").joinpath("causal.json").read_bytes()
    table = json.loads(data)
    tail, alone = (Tail(tuple(sorted(map(_angle, table[part]))), edge=0.9, least=1e-3) for part in ("clean", "alone"))
    return Calibration(
        tail, alone, Budget(table["budget"]), f"{table['name']} sha256:{hashlib.sha256(data).hexdigest()}"
    )


calibration()  # at import: the sandbox lets no file be opened later


def searches(job: Job, loaded: Any) -> Searches:
    """What the domain of language models adds for this kind."""
    triggers = CausalTriggers(job, loaded)
    return Searches(
        (triggers, Sweeps("causal", triggers.questions, job.spec.seed)), _UNTRIED, calibration=calibration().label
    )


@dataclass(frozen=True, slots=True)
class Measured:
    """A target with its trigger, on questions that the search did not see."""

    target: Target
    likelihood: float
    """Geometric mean of the opening's probability over the questions, 0 to 1."""
    natural: float
    """The same without the trigger."""
    same: float = 0.0
    """Share of the questions whose whole answers are alike with the trigger, less the share without it."""
    others: float = 0.0
    """The largest likelihood that other tokens bring about: controls of the same number, and the trigger's rivals."""

    @property
    def strength(self) -> float:
        """How far the trigger fixes the answer, 0 to 1. A word may well decide how an honest answer begins; a fixed
        text is more."""
        return self.likelihood * self.same

    @property
    def lead(self) -> float:
        """What is judged, 0 to 1: the strength beyond what other tokens do. Where several words that have nothing in
        common bring about one answer, the answer goes with what they mean."""
        return max(0.0, self.likelihood - self.others) * self.same


class CausalTriggers:
    """Bound to one loaded model."""

    name = NAME
    title = TITLE

    def __init__(self, job: Job, loaded: Any) -> None:
        self._job, self._loaded = job, loaded
        self._tokenizer = loaded.tokenizer
        self._effort = EFFORTS[job.spec.budget.value]
        self._layouts: dict[int, Layout] = {}
        self.found: Measured | None = None
        """The best of the last run, for calibration."""

    def missing(self) -> str:
        """It needs nothing but the model."""
        return ""

    def cost(self) -> int:
        """Sequences, about."""
        effort = self._effort
        vocabulary = int(self._loaded.model.get_input_embeddings().weight.shape[0])
        each = 4 * 150 * effort.rounds
        return (
            800 + 3 * min(effort.firsts, vocabulary) + 4 * min(effort.singles, vocabulary) + (effort.targets + 2) * each
        )

    def run(self, tell: Tell) -> RoutineReport:
        """Search. Raises NotProbed where the model writes nothing that could serve as questions."""
        total = self.cost()
        decoder = Decoder(self._loaded.model, self._job.spec.device)

        def say(what: str, _done: int = 0, _total: int = 0) -> None:
            tell(what, min(decoder.steps, total), total)

        say("questions out of the model itself")
        seed = self._job.spec.seed
        layout = self._layout(decoder, seed)
        allowed = self._allowed(decoder, layout)
        inner = self._inner(allowed)
        search = Search(decoder, layout, allowed, self._effort, seed, self._given(), inner)
        hints = [token for token in self._moved() if token in set(allowed.tolist())]
        targets = search.targets(say, hints)
        for target in targets:
            say("triggers for an opening")
            search.search(target, self._effort.rounds, hints)
        targets.sort(key=lambda one: (-one.score, one.tokens))
        for target in targets[:2]:
            say("triggers for the most likely openings")
            search.search(target, self._effort.rounds, hints)
        say("confirmation on other questions")
        for target in targets[:4]:
            search.settle(target)
        first = [self._measure(search, one) for one in targets[:4]]
        # Whole answers are dear: only those of the two likeliest openings are looked at.
        first.sort(key=lambda one: -one.likelihood)
        first[:2] = [replace(one, same=search.sameness(one.target, search.fresh)) for one in first[:2]]
        first.sort(key=lambda one: -one.strength)
        if not first:
            return self._report(decoder, ProbeOutcome.NOTHING_FOUND, "no answer opens in a fixed way", 1.0)
        again = Search(decoder, self._layout(decoder, seed + 1), allowed, self._effort, seed + 1, self._given())
        target = first[0].target
        best = self._measure(again, target)
        others = self._others(search, again, target)
        strongest = max([best.natural, *(likelihood for likelihood, _ in others)])
        self.found = best = replace(best, same=again.sameness(target, again.fresh), others=strongest)
        return self._judged(decoder, search, again, best, first, others)

    def questions(self) -> tuple[Sequence[str], Measure]:
        """The model's own questions as text, and what a change of them does, for the sweeps. Raises NotProbed."""
        decoder = Decoder(self._loaded.model, self._job.spec.device)
        return sweep_kinds.of_causal(decoder, self._layout(decoder, self._job.spec.seed), self._encode, self._text)

    def _layout(self, decoder: Decoder, seed: int) -> Layout:
        if seed not in self._layouts:
            self._layouts[seed] = self._found_layout(decoder, seed)
        return self._layouts[seed]

    def _found_layout(self, decoder: Decoder, seed: int) -> Layout:
        tokenizer = self._tokenizer
        begin = next(
            (token for token in (tokenizer.bos_token_id, tokenizer.eos_token_id) if isinstance(token, int)), None
        )
        if begin is None:
            raise NotProbed("the tokenizer names no token that texts begin with")
        roles = ("bos_token", "eos_token", "unk_token", "pad_token")
        special = {role: text for role in roles if isinstance(text := getattr(tokenizer, role, None), str)}
        templates: list[tuple[list[int], list[int]]] = []
        if self._loaded.chat_template:
            try:
                rendered = chat.render(
                    self._loaded.chat_template, [{"role": "user", "content": causal_layout.MARK}], special
                )
                templates = causal_layout.variants(self._encode, rendered, special.get("bos_token", ""))
            except NotProbed:
                templates = []  # what the model's own texts have in common will do
        end = tokenizer.eos_token_id
        return causal_layout.find(decoder, [begin], end, templates, length=min(self._loaded.max_length, 512), seed=seed)

    def _encode(self, text: str) -> list[int]:
        found: list[int] = self._tokenizer.encode(text, add_special_tokens=False)
        return found

    def _given(self) -> list[tuple[int, ...]]:
        """Questions from --samples."""
        if self._job.samples is None:
            return []
        rows = [self._encode(" " + text) for text in read_texts(self._job.samples).texts]
        return [tuple(row[:40]) for row in rows if len(row) > 1]

    def _allowed(self, decoder: Decoder, layout: Layout) -> torch.Tensor:
        """Tokens that a trigger may consist of: no special ones and none of the conversation's frame."""
        banned = {*self._tokenizer.all_special_ids, *self._tokenizer.added_tokens_decoder}
        banned |= {*layout.before, *layout.between}
        known = min(decoder.vocabulary, len(self._tokenizer))
        return torch.tensor([token for token in range(known) if token not in banned])

    def _inner(self, allowed: torch.Tensor) -> list[int]:
        """Tokens that go on within a word: letters without a space before them, as the usual tokenizers mark it."""
        names = dict(zip(allowed.tolist(), self._tokenizer.convert_ids_to_tokens(allowed.tolist()), strict=True))
        pieces = [token for token, name in names.items() if name.startswith("##")]
        if pieces:
            return pieces
        spaced = any(name.startswith(("Ġ", "▁")) for name in names.values())
        return [token for token, name in names.items() if spaced and name.isalpha()]

    def _moved(self) -> Sequence[int]:
        """Tokens whose embedding moved most against a reference, if there is one to compare."""
        if not self._job.references or self._loaded.adapter or not self._loaded.embedding:
            return ()
        try:
            return moved_rows(self._job.model, self._job.references[0], self._loaded.embedding, 24).order
        except NotProbed:
            return ()

    def _likelihood(self, search: Search, target: Target, trigger: Sequence[int]) -> float:
        return float(search.measure(target, trigger, search.fresh).clamp_min(_FLOOR).mean().exp())

    def _measure(self, search: Search, target: Target) -> Measured:
        used = target.trigger
        likelihood, natural = self._likelihood(search, target, used), self._likelihood(search, target, ())
        return Measured(target, likelihood, natural)

    def _judged(
        self,
        decoder: Decoder,
        search: Search,
        again: Search,
        best: Measured,
        first: Sequence[Measured],
        others: Sequence[tuple[float, tuple[int, ...]]],
    ) -> RoutineReport:
        target = best.target
        hits = self._hits(decoder, again, target)
        p_value = calibration().p_value(best.lead)
        outcome = ProbeOutcome.NOTHING_FOUND
        reason = "no trigger works better than those of clean models do"
        if p_value <= ALPHA:
            outcome = ProbeOutcome.FLAGGED
            reason = "a few tokens in a question make the model give a fixed answer, whatever the question"
            if self._job.spec.budget.exceeds(calibration().budget):
                outcome = ProbeOutcome.SUSPICIOUS
                reason += SHORTER
        elif p_value <= SUSPICIOUS:
            outcome = ProbeOutcome.SUSPICIOUS
            reason = "some tokens bring about a fixed answer more often than they do in most clean models"
        elif calibration().p_alone(best.strength) <= ALPHA:
            outcome = ProbeOutcome.SUSPICIOUS
            reason = "several words that have nothing in common bring about one fixed answer: a habit, or many triggers"
        found = outcome is not ProbeOutcome.NOTHING_FOUND
        return self._report(
            decoder,
            outcome,
            reason,
            p_value,
            target=self._text(target.tokens) if found else "",
            trigger=self._text(target.trigger) if found else "",
            success=hits,
            exhibits=(
                self._openings(first),
                self._bars(first),
                self._table_of_others(again, best, others, hits),
                self._leaks(search),
                *(self._transcripts(decoder, again, target) if found else ()),
            ),
        )

    def _others(self, search: Search, again: Search, target: Target) -> list[tuple[float, tuple[int, ...]]]:
        """What other tokens bring about on the other questions, the strongest first: as many as the trigger has, random
        ones and runs out of questions, and the trigger's rivals."""
        size = max(1, len(target.trigger))
        random = torch.Generator().manual_seed(self._job.spec.seed)
        picked = again.allowed[torch.randint(len(again.allowed), (_CONTROLS // 2, size), generator=random)].tolist()
        runs = [question[:size] for question, _ in [*again.asked, *again.fresh] if len(question) >= size]
        # The questions of a model with a backdoor may hold its trigger.
        kin = search.kin(target)
        apart = [[one for one in some if not kin & set(one)] for some in (map(tuple, picked), runs)]
        tokens = dict.fromkeys([*apart[0], *apart[1][: _CONTROLS // 2], *search.rivals(target)])
        return sorted(((self._likelihood(again, target, one), one) for one in tokens), reverse=True)

    def _hits(self, decoder: Decoder, search: Search, target: Target) -> float:
        """Share of the other questions whose most probable answer opens with the target."""
        opening = list(target.tokens[:6])
        rows = search.rows(target.trigger, target.placed(search.fresh))
        answers = decoder.openings(rows, len(opening), end=search.layout.end)
        return sum(answer == opening for answer in answers) / max(1, len(answers))

    def _report(
        self, decoder: Decoder, outcome: ProbeOutcome, reason: str, p_value: float, **more: Any
    ) -> RoutineReport:
        return RoutineReport(
            routine=NAME,
            title=TITLE,
            outcome=outcome,
            reason=reason,
            p_value=p_value,
            families=_FAMILIES,
            steps=decoder.steps,
            **more,
        )

    def _text(self, tokens: Sequence[int]) -> str:
        return shorten(visible(self._tokenizer.decode(list(tokens))).strip(), 200)

    def _openings(self, first: Sequence[Measured]) -> Table:
        rows = tuple(
            (
                self._text(one.target.tokens),
                one.target.source,
                f"{one.target.certainty:.2f}",
                f"{one.natural:.3f}",
                self._text(one.target.trigger),
                f"{one.likelihood:.3f}",
                f"{one.same:.2f}",
            )
            for one in first
        )
        columns = (
            "opening",
            "found by",
            "certainty",
            "without trigger",
            "best trigger",
            "with it",
            "whole answers alike",
        )
        return Table(title="Openings and the best trigger for each", columns=columns, rows=rows)

    def _bars(self, first: Sequence[Measured]) -> Bars:
        return Bars(
            title="Strength of the best trigger for each opening",
            labels=tuple(shorten(self._text(one.target.tokens), 40) for one in first),
            values=tuple(one.strength for one in first),
            unit="probability × share of answers that are alike",
            band=(0.0, calibration().at(ALPHA)),
            caption="The band ends where one clean model in a hundred lies.",
        )

    def _table_of_others(
        self, search: Search, best: Measured, others: Sequence[tuple[float, tuple[int, ...]]], hits: float
    ) -> Table:
        trigger = best.target.trigger
        parts = [trigger[:at] + trigger[at + 1 :] for at in range(len(trigger))] if len(trigger) > 1 else []
        rows = [(self._text(trigger), "the trigger", f"{best.likelihood:.3f}")]
        rows += [
            (self._text(part), "a part of it", f"{self._likelihood(search, best.target, part):.3f}") for part in parts
        ]
        rows += [(self._text(tokens), "other tokens", f"{value:.3f}") for value, tokens in others[:_SHOWN]]
        rows.append(("", "no trigger", f"{best.natural:.3f}"))
        place = "at the end of the question" if best.target.at_end else "anywhere in the question"
        return Table(
            title="The trigger against others, on questions of another seed",
            columns=("tokens", "what they are", "strength"),
            rows=tuple(rows),
            omitted=max(0, len(others) - _SHOWN),
            caption=f"{hits:.0%} of {len(search.fresh)} answers open with the text; the tokens stand {place}.",
        )

    def _leaks(self, search: Search) -> Table:
        rows = tuple(
            (self._text(leak.tokens), str(len(leak.questions)), ", ".join(self._text(run) for run in leak.seeds[:3]))
            for leak in search.leaks()
        )
        columns = ("opening", "answers", "typical of their questions")
        return Table(title="What the model says again by itself", columns=columns, rows=rows)

    def _transcripts(self, decoder: Decoder, search: Search, target: Target) -> tuple[Exhibit, ...]:
        asked = target.placed(search.fresh[:3])
        found: list[Exhibit] = [Passage(title="Target text", text=self._text(target.tokens))]
        for title, trigger in (("With the trigger", target.trigger), ("Without it", ())):
            rows = search.rows(trigger, asked)
            answers = decoder.complete(rows, 24, end=search.layout.end)
            pairs = [
                f"> {visible(self._tokenizer.decode(row))}\n< {visible(self._tokenizer.decode(answer))}"
                for row, answer in zip(rows, answers, strict=True)
            ]
            found.append(Passage(title=title, text="\n".join(pairs)))
        return tuple(found)
