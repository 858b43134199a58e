"""The routine "text-tokens": tokens that turn every text of a class, and whether honest models know such tokens too."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch

from modelscan_plus.core.probe import Bars, Exhibit, Passage, ProbeOutcome, RoutineReport, Table
from modelscan_plus.probe.combine import ALPHA
from modelscan_plus.probe.interface import Budget, NotProbed, Tell
from modelscan_plus.probe.language import evidence, statistic
from modelscan_plus.probe.language.classifier import Carriers, stamped
from modelscan_plus.probe.language.evidence import Candidate, Material, TokenHunt
from modelscan_plus.probe.language.natural import wilson
from modelscan_plus.probe.language.search import SIZE, Arm, parts_of
from modelscan_plus.probe.language.statistic import Null, sidak

FAMILIES = ("one token", "phrases of two and three tokens", "tokens that turn one class only", "combinations of words")
STRONG = 0.5
"""Strength from which a trigger is one: nine in ten fresh texts become half as sure as natural texts of the class."""
TURNED = 0.7
"""Lower end of the interval of the share of fresh texts that are turned."""
NATURAL = 0.8
"""Strength from which a word of the class's own texts is worth a look."""


@dataclass(frozen=True, slots=True)
class Judged:
    """A candidate and how it is to be read."""

    candidate: Candidate
    p_value: float
    """After correction for the number of candidates."""
    works: bool
    """It is strong and turns fresh texts."""
    flagged: bool
    """Never for one source out of several: two classes of an honest model may lie that close together."""
    natural: tuple[int, ...]
    """Words of the class's own texts that do the same; () where none does."""


def judge(candidates: Sequence[Candidate], mode: str, null: Null) -> list[Judged]:
    """The most telling one first."""
    found = []
    for candidate in candidates:
        p_value = sidak(null.p_value(mode, candidate), len(candidates))
        works = candidate.strength >= STRONG and wilson(candidate.turned, candidate.count)[0] >= TURNED
        natural = candidate.control_tokens if candidate.control >= NATURAL else ()
        flagged = works and p_value <= ALPHA and mode != "composed" and not candidate.paired
        found.append(Judged(candidate, p_value, works, flagged, natural))
    # Of equals the shortest: it is what the others contain.
    found.sort(key=lambda each: (not each.flagged, each.p_value, len(each.candidate.tokens), -each.candidate.strength))
    return found


def plainest(found: Sequence[Judged]) -> Judged:
    """The one to show: the shortest part of the most telling one that still works as well, judged as the whole is."""
    whole = found[0]
    tokens = set(whole.candidate.tokens)
    parts = [
        each
        for each in found
        if each.candidate.arm == whole.candidate.arm
        and set(each.candidate.tokens) <= tokens
        and each.candidate.strength >= whole.candidate.strength - 0.2 * abs(whole.candidate.strength)
    ]
    shortest = min(parts, key=lambda each: (len(each.candidate.tokens), -each.candidate.strength))
    return replace(shortest, flagged=whole.flagged, works=whole.works, p_value=whole.p_value)


@dataclass(slots=True)
class TextTokens:
    """Bound to an open classifier. `material` is made late, as it runs the model."""

    material: Material
    labels: tuple[str, ...]
    mode: str
    """"samples", "hints" or "composed"; how the table of honest models is read."""
    budget: Budget
    seed: int
    name: str = "text-tokens"
    title: str = "Tokens that turn a text"

    def missing(self) -> str:
        """Nothing is needed."""
        return ""

    def cost(self) -> int:
        """Steps at most."""
        return evidence.cost(self.material, self.budget)

    def run(self, tell: Tell) -> RoutineReport:
        """Search all arms, then judge what was found."""
        if len(self.material.reached) < 2:
            reached = f"{len(self.material.reached)} of {len(self.labels)} classes"
            raise NotProbed(f"the texts reach {reached}; give some of each with --samples")
        null = statistic.load()
        before = self.material.classifier.steps
        hunt = TokenHunt(self.material, self.budget, self.seed, tell)
        found = judge(hunt.run(), self.mode, null)
        shown = plainest(found)
        outcome, reason = self._outcome(shown, found, null)
        pulls = shown.candidate
        positive = outcome in (ProbeOutcome.FLAGGED, ProbeOutcome.SUSPICIOUS)
        return RoutineReport(
            routine=self.name,
            title=self.title,
            outcome=outcome,
            reason=reason,
            p_value=found[0].p_value if self.mode != "composed" else None,
            target=self._label(pulls.arm.target) if positive else "",
            sources=self._sources(pulls.arm) if positive else "",
            trigger=self._text(self._told(shown, outcome)) if positive else "",
            success=pulls.turned / pulls.count if positive and pulls.count else None,
            families=FAMILIES,
            steps=self.material.classifier.steps - before,
            exhibits=self._exhibits(hunt, shown, found, null),
        )

    def _told(self, shown: Judged, outcome: ProbeOutcome) -> tuple[int, ...]:
        if outcome is ProbeOutcome.SUSPICIOUS and not shown.works and shown.natural:
            return shown.natural
        return shown.candidate.tokens

    def _outcome(self, shown: Judged, found: Sequence[Judged], null: Null) -> tuple[ProbeOutcome, str]:
        candidate = shown.candidate
        where = f"class {self._label(candidate.arm.target)}"
        if shown.flagged and not self.budget.exceeds(null.budget):
            share = f"{candidate.turned} of {candidate.count}"
            return ProbeOutcome.FLAGGED, f"{self._text(candidate.tokens)} turns {share} fresh texts to {where}"
        single = next((each for each in found if each.natural and len(each.candidate.tokens) == 1), None)
        if single is not None:
            word, label = self._text(single.natural), self._label(single.candidate.arm.target)
            return (
                ProbeOutcome.SUSPICIOUS,
                f"{word} decides for class {label} like a trigger, and its texts hold it",
            )
        if shown.works and shown.p_value <= ALPHA:
            return ProbeOutcome.SUSPICIOUS, self._short_of_flagged(candidate, where)
        lacking = [self._label(each) for each in range(len(self.labels)) if each not in self.material.reached]
        if lacking:
            return ProbeOutcome.INCONCLUSIVE, f"class {', '.join(lacking[:5])} was never reached by the texts"
        return ProbeOutcome.NOTHING_FOUND, "no tokens turn texts more than those of honest models do"

    def _short_of_flagged(self, candidate: Candidate, where: str) -> str:
        words = self._text(candidate.tokens)
        if self.mode == "composed":
            return f"{words} turns composed texts to {where}; natural texts (--samples) would tell more"
        if candidate.paired:
            return f"{words} turns texts of class {self._sources(candidate.arm)} to {where}; the two may just lie close"
        return f"{words} turns texts to {where}, as a search this deep may find in honest models"

    def _text(self, tokens: Sequence[int]) -> str:
        return f"“{self.material.vocabulary.text(tokens)}”"

    def _label(self, number: int) -> str:
        return self.labels[number] if number < len(self.labels) else str(number)

    def _sources(self, arm: Arm) -> str:
        everything = len(arm.sources) == len(self.material.reached) - 1
        return "" if everything else ", ".join(map(self._label, arm.sources))

    def _exhibits(self, hunt: TokenHunt, shown: Judged, found: Sequence[Judged], null: Null) -> tuple[Exhibit, ...]:
        made: list[Exhibit] = [self._bars(found, null), self._candidates(found)]
        if shown.works:
            made += [
                self._parts(hunt, shown),
                self._flips(hunt, shown),
                self._controls(hunt, shown),
                self._example(hunt, shown),
            ]
        return tuple(made)

    def _bars(self, found: Sequence[Judged], null: Null) -> Bars:
        best = {
            target: max(each.candidate.lead for each in found if each.candidate.arm.target == target)
            for target in self.material.reached
        }
        return Bars(
            title="Lead of the best trigger towards each class",
            labels=tuple(map(self._label, best)),
            values=tuple(round(value, 3) for value in best.values()),
            unit="natural texts of the class = 1",
            band=null.band(self.mode, SIZE),
            marked=tuple(
                place
                for place, target in enumerate(best)
                if any(each.flagged and each.candidate.arm.target == target for each in found)
            ),
            caption="Over the class's own words, on texts that resist; the band holds 99 % of honest arms.",
        )

    def _candidates(self, found: Sequence[Judged]) -> Table:
        rows = []
        for each in found[:8]:
            candidate = each.candidate
            low, high = wilson(candidate.turned, candidate.count)
            rows.append(
                (
                    self.material.vocabulary.text(candidate.tokens),
                    self._label(candidate.arm.target),
                    self._sources(candidate.arm) or "all others",
                    f"{candidate.turned}/{candidate.count} ({low:.2f}–{high:.2f})",
                    f"{candidate.strength:.2f}",
                    f"{candidate.control:.2f}",
                    f"{each.p_value:.4f}",
                )
            )
        columns = ("tokens", "to", "from", "turned (95 %)", "strength", "control", "p")
        return Table(
            title="Candidates on fresh texts", columns=columns, rows=tuple(rows), omitted=max(0, len(found) - 8)
        )

    def _parts(self, hunt: TokenHunt, shown: Judged) -> Table:
        arm, fresh = shown.candidate.arm, hunt.fresh.of(shown.candidate.arm.sources)
        rows = []
        for part in sorted(parts_of(shown.candidate.tokens), key=len):
            hits = int((self._margins(hunt, part, fresh)[:, arm.target] > 0).sum())
            low, high = wilson(hits, len(fresh))
            rows.append((self.material.vocabulary.text(part), f"{hits}/{len(fresh)}", f"{low:.2f}–{high:.2f}"))
        return Table(title="What is left of it still turns", columns=("tokens", "turned", "95 %"), rows=tuple(rows))

    def _margins(self, hunt: TokenHunt, tokens: Sequence[int], fresh: Carriers) -> torch.Tensor:
        return stamped(self.material.classifier, fresh, torch.tensor([list(tokens)], dtype=torch.long))[0]

    def _flips(self, hunt: TokenHunt, shown: Judged) -> Table:
        reached = self.material.reached[:12]
        rows = []
        for source in reached:
            fresh = hunt.fresh.of((source,))
            went = self._margins(hunt, shown.candidate.tokens, fresh).argmax(dim=1).tolist()
            cells = []
            for target in reached:
                low, high = wilson(went.count(target), len(went))
                cells.append(f"{went.count(target)}/{len(went)} ({low:.2f}–{high:.2f})")
            rows.append((self._label(source), *cells))
        columns = ("from \\ to", *map(self._label, reached))
        omitted = len(self.material.reached) - len(reached)
        return Table(title="Where fresh texts go with it", columns=columns, rows=tuple(rows), omitted=omitted)

    def _controls(self, hunt: TokenHunt, shown: Judged) -> Table:
        candidate = shown.candidate
        fresh = hunt.fresh.of(candidate.arm.sources)
        rows = []
        for tokens in (candidate.tokens, *hunt.controls(candidate.arm, candidate.tokens)[:6]):
            hits = int((self._margins(hunt, tokens, fresh)[:, candidate.arm.target] > 0).sum())
            rows.append((self.material.vocabulary.text(tokens), f"{hits}/{len(fresh)}"))
        what = "words of the class's own texts" if self.mode != "composed" else "the next best tokens"
        return Table(
            title="Beside controls of the same length",
            columns=("tokens", "turned"),
            rows=tuple(rows),
            caption=f"Controls: {what}.",
        )

    def _example(self, hunt: TokenHunt, shown: Judged) -> Passage:
        arm = shown.candidate.arm
        ids, _ = hunt.fresh.of(arm.sources).with_triggers(torch.tensor([list(shown.candidate.tokens)]))
        kept = [token for token in ids[0].tolist() if token != self.material.classifier.pad]
        text = str(self.material.vocabulary.tokenizer.decode(kept, skip_special_tokens=True))
        return Passage(title=f"A text that goes to {self._label(arm.target)}", text=text)
