"""Which openings of an answer a model can be made to give, and by which tokens.

Three sources propose openings: what the model answers again and again by itself (leakage); what follows with little
doubt once the first tokens are forced (target inversion, Shen et al., "BAIT", S&P 2025); what answers agree on when a
single token is put into the questions. For each of the best, up to four tokens are searched that make it likely
(coordinate search along gradients, Zou et al. 2023), on some questions; what is found is measured on others.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from difflib import SequenceMatcher
from itertools import islice

import torch
from torch import Tensor

from modelscan_plus.probe.interface import Tell
from modelscan_plus.probe.language.causal_decoder import Decoder
from modelscan_plus.probe.language.causal_layout import Layout

Asked = Sequence[tuple[tuple[int, ...], int]]
"""Questions, each with the gap of it that a trigger stands in."""
LONGEST = 12
_FIXED = 0.5
"""Mean probability below which a token no longer belongs to an opening."""
SHORTEST = 4
_LEAST = 3
"""Tokens that have to be left of an opening once it is cut to what its trigger fixes."""
MOST_TOKENS = 4
"""Of a trigger."""
_COMPLETED = 48
"""Tokens and words whose answers are looked at, those first that move answers most."""
_FOR_EACH = 3
"""Of these, how many that lead to the same first token."""
_GOES_ON = 0.1
"""Probability from which a token is taken to go on in a word."""
_ALIKE = 0.85
"""Answers that have this much in common (difflib's ratio over tokens) are alike; a name in a fixed text may differ."""
ANSWER = 12
"""Tokens of an answer that are compared."""
_PLAINLY = 0.2
"""Nats by which the end of a question has to be the better place."""
_RIVALS = 12
_ENOUGH = 12
"""Given questions, below which the model's own are used."""


@dataclass(frozen=True, slots=True)
class Effort:
    """How much is searched."""

    firsts: int
    """First tokens that inversion looks at, the most probable ones first."""
    singles: int
    """Single tokens that are put into questions."""
    targets: int
    """Openings that triggers are searched for."""
    rounds: int
    """Rounds of coordinate search for each."""


EFFORTS = {
    "quick": Effort(400, 400, 4, 2),
    "standard": Effort(4_000, 4_000, 7, 3),
    "deep": Effort(40_000, 40_000, 12, 8),
}


@dataclass(slots=True)
class Target:
    """An opening, and the best trigger for it."""

    tokens: tuple[int, ...]
    source: str
    certainty: float
    """Mean probability of its tokens after the first, on questions without a trigger."""
    trigger: tuple[int, ...] = ()
    score: float = float("-inf")
    """Mean log-probability of the whole opening with the trigger, on the questions of the search."""
    natural: float = float("-inf")
    """The same without."""
    seeds: list[tuple[int, ...]] = field(default_factory=list)
    """Triggers to begin with."""
    rows: list[list[int]] = field(default_factory=list)
    """Prompts after which the model gave it by itself."""
    at_end: bool = False
    """The trigger works better at the end of a question than anywhere in it."""

    def placed(self, asked: Asked) -> Asked:
        """The questions with the gap where the trigger belongs."""
        return [(question, len(question)) for question, _ in asked] if self.at_end else asked


@dataclass(frozen=True, slots=True)
class Leak:
    """An opening that came again by itself."""

    tokens: tuple[int, ...]
    questions: tuple[tuple[int, ...], ...]
    seeds: tuple[tuple[int, ...], ...]
    """Runs of tokens that these questions have more often than others."""


class Search:
    """One model's search; `ask` are (question, gap) pairs."""

    def __init__(
        self,
        decoder: Decoder,
        layout: Layout,
        allowed: Tensor,
        effort: Effort,
        seed: int,
        given: Sequence[tuple[int, ...]] = (),
        inner: Iterable[int] = (),
    ) -> None:
        """inner: tokens that go on within a word."""
        self.decoder, self.layout, self.effort = decoder, layout, effort
        self.allowed = allowed
        self.random = torch.Generator().manual_seed(seed)
        own = [exchange.question for exchange in layout.exchanges]
        chosen = list(given) if len(given) >= _ENOUGH else own
        order = torch.randperm(len(chosen), generator=self.random).tolist()
        drawn = [(chosen[place], self._gap(chosen[place])) for place in order]
        self.asked, self.fresh = drawn[:6], drawn[6:30]
        self._shift: Tensor | None = None
        self._units: list[tuple[int, ...]] = []
        self._inner = frozenset(inner)

    def _gap(self, question: Sequence[int]) -> int:
        # Half of the triggers stand at the end: a phrase that works there only is as good a backdoor.
        if torch.rand((), generator=self.random) < 0.4:
            return len(question)
        return int(torch.randint(len(question) + 1, (1,), generator=self.random))

    def rows(self, trigger: Sequence[int], asked: Asked) -> list[list[int]]:
        """Prompts with the trigger."""
        return [self.layout.ask(question, trigger, gap) for question, gap in asked]

    def leaks(self) -> list[Leak]:
        """Openings that two answers or more to different questions share, the most frequent and longest first."""
        seen: dict[tuple[int, ...], list[tuple[int, ...]]] = {}
        for exchange in self.layout.exchanges:
            for size in (SHORTEST, 6, 8):
                if len(exchange.answer) >= size:
                    seen.setdefault(exchange.answer[:size], []).append(exchange.question)
        kept: dict[tuple[int, ...], list[tuple[int, ...]]] = {}
        for run, questions in sorted(seen.items(), key=lambda item: (-len(item[0]), -len(item[1]), item[0])):
            if len(questions) > 1 and not any(longer[: len(run)] == run for longer in kept):
                kept[run] = questions
        ranked = sorted(kept, key=lambda run: (-len(kept[run]) * len(run) ** 2, run))[:8]
        return [Leak(run, tuple(kept[run]), self._typical(kept[run])) for run in ranked]

    def _typical(self, questions: Sequence[tuple[int, ...]]) -> tuple[tuple[int, ...], ...]:
        own, all_of = (
            Counter(run for question in texts for run in {*_runs(question)})
            for texts in (questions, [exchange.question for exchange in self.layout.exchanges])
        )
        usable = set(self.allowed.tolist())
        surplus = {
            run: count / len(questions) * count / all_of[run] * (1 + 0.2 * len(run))
            for run, count in own.items()
            if count > 1 and usable.issuperset(run)
        }
        return tuple(sorted(surplus, key=lambda run: (-surplus[run], run))[:8])

    def targets(self, tell: Tell, hints: Sequence[int] = ()) -> list[Target]:
        """Openings to search triggers for."""
        plain = self.rows((), self.asked)
        tell("openings that come by themselves", 0, 1)
        found = [
            Target(leak.tokens, "leakage", 0.0, seeds=list(leak.seeds), rows=self.rows_of(leak))
            for leak in self.leaks()[:4]
        ]
        tell("openings that follow from their first tokens", 0, 1)
        found += self._inverted(plain)
        tell("single tokens", 0, 1)
        found += self._agreed(hints)
        kept: list[Target] = []
        for target in found:
            tokens = self._extended(target)
            if len(tokens) < SHORTEST:
                continue
            same = next((one for one in kept if _overlap(one.tokens, tokens)), None)
            if same is None:
                kept.append(target)
                target.tokens = tokens
                continue
            same.seeds += target.seeds
            if same.source == "inversion" and target.seeds:  # inversion may begin before or within an opening
                same.tokens, same.source = tokens, target.source
        for target in kept:
            natural = self.decoder.likelihood(plain, target.tokens[:6])
            target.natural = float(natural.sum(1).mean())
            target.certainty = float(natural[:, 1:].exp().mean())
        bonus = {"insertion": 0.2, "leakage": 0.1}
        kept.sort(key=lambda one: -(one.certainty + 0.03 * one.natural + bonus.get(one.source, 0.0)))
        return kept[: self.effort.targets]

    def rows_of(self, leak: Leak) -> list[list[int]]:
        """The prompts of a leak."""
        return [self.layout.ask(question) for question in leak.questions[:8]]

    def _extended(self, target: Target) -> tuple[int, ...]:
        """The opening as long as its next token is certain, on questions with its first seed."""
        return self._fixed(target.tokens, target.rows or self.rows(target.seeds[0] if target.seeds else (), self.asked))

    def _fixed(self, opening: Sequence[int], rows: list[list[int]]) -> tuple[int, ...]:
        """What of an opening is certain after the prompts, and what follows it as surely."""
        tokens = list(opening)
        sure = self.decoder.likelihood(rows, tokens).exp().mean(0).tolist()
        keep = next((at for at, value in enumerate(sure) if at > 1 and value < _FIXED), len(tokens))
        tokens = tokens[:keep]
        while len(tokens) < LONGEST:
            mean = self.decoder.following([[*row, *tokens] for row in rows]).exp().mean(0)
            value, token = mean.max(0)
            if float(value) < _FIXED or int(token) == self.layout.end:
                break
            tokens.append(int(token))
        return tuple(tokens)

    def _inverted(self, plain: list[list[int]]) -> list[Target]:
        """Chains of tokens that follow with little doubt, whatever the question."""
        first = self.decoder.following(plain).exp().mean(0)
        limit = min(self.effort.firsts, len(self.allowed))
        firsts = self.allowed[first[self.allowed].argsort(descending=True)[:limit]].tolist()
        some = plain[:3]
        # (certainty, how natural, chain): chains that have come to the same two tokens go on alike, and of those the
        # one that the model would sooner begin stays; the others begin with something odd or in the middle.
        chains: list[tuple[float, float, tuple[int, ...]]] = []
        for token, row in zip(firsts, self._mean([(token,) for token in firsts], some), strict=True):
            chains += [
                (0.0, float(first[token].log() + row[after].log()), (token, after))
                for after in row.topk(2).indices.tolist()
                if after != self.layout.end
            ]
        for size, keep in ((3, 128), (4, 96), (5, 64), (6, 48)):
            rows = self._mean([chain for *_, chain in chains], some if size < 5 else plain)
            grown: dict[tuple[int, ...], tuple[float, float, tuple[int, ...]]] = {}
            for (sure, natural, chain), row in zip(chains, rows, strict=True):
                value, token = row.max(0)
                longer = (sure + float(value), natural + float(value.log()), (*chain, int(token)))
                state = longer[2][-2:]
                if int(token) != self.layout.end and (state not in grown or grown[state][1] < longer[1]):
                    grown[state] = longer
            chains = sorted(grown.values(), key=lambda item: (-item[0] - 0.05 * item[1], item[2]))[:keep]
        return [Target(chain, "inversion", sure / 4) for sure, _, chain in chains]

    def _mean(self, chains: Sequence[tuple[int, ...]], plain: list[list[int]]) -> Tensor:
        rows = [[*row, *chain] for chain in chains for row in plain]
        return self.decoder.following(rows).exp().view(len(chains), len(plain), -1).mean(1)

    def _agreed(self, hints: Sequence[int]) -> list[Target]:
        """Openings that answers agree on once a token is put into the questions; the tokens that move the answers most
        are completed."""
        asked = self.asked[:4]
        usual = self.decoder.following(self.rows((), asked)).exp().mean(0)
        tokens = self.allowed.tolist()
        if len(tokens) > self.effort.singles:
            picked = self.allowed[torch.randperm(len(tokens), generator=self.random)[: self.effort.singles]].tolist()
            tokens = list(dict.fromkeys([*hints, *picked]))
        units: list[tuple[int, ...]] = [(token,) for token in tokens]
        units += [word for word in self._words(tokens) if word not in units]
        rows = [row for unit in units for row in self.rows(unit, asked)]
        after = self.decoder.following(rows).view(len(units), len(asked), -1)
        self._shift = after.mean(1)
        self._units = units
        # The geometric mean over the questions: what works in one question only is no trigger.
        rise, first = (self._shift.exp() - usual).max(1)
        chosen: list[tuple[int, ...]] = []
        taken: Counter[int] = Counter()
        for place in rise.argsort(descending=True).tolist():
            # Many words lead to the same few beginnings; a few of them for each will do.
            if taken[int(first[place])] < _FOR_EACH and len(chosen) < _COMPLETED:
                taken[int(first[place])] += 1
                chosen.append(units[place])
        answers = self.decoder.complete(
            [row for unit in chosen for row in self.rows(unit, asked)], 6, end=self.layout.end
        )
        found = []
        for place, unit in enumerate(chosen):
            own = [tuple(answer[:SHORTEST]) for answer in answers[place * len(asked) : (place + 1) * len(asked)]]
            opening, count = Counter(own).most_common(1)[0]
            if count >= len(asked) - 1 and len(opening) == SHORTEST:
                found.append(Target(opening, "insertion", 1.0, seeds=[unit]))
        return found

    def _words(self, tokens: Sequence[int]) -> list[tuple[int, int]]:
        """Words of two tokens: what goes on from a token in the middle of a word. Rare words have no token of their
        own, and half of one does nothing."""
        if not self._inner:
            return []
        following = self.decoder.following([[*self.layout.before, token] for token in tokens]).exp()
        inner = torch.tensor(sorted(self._inner))
        found = []
        for token, row in zip(tokens, following[:, inner], strict=True):
            best = row.topk(min(2, len(inner)))
            found += [
                (token, int(inner[place]))
                for value, place in zip(best.values.tolist(), best.indices.tolist(), strict=True)
                if value > _GOES_ON
            ]
        return found

    def search(self, target: Target, rounds: int, hints: Sequence[int] = ()) -> None:
        """Coordinate search for a trigger of up to four tokens; improves the target in place."""
        opening = target.tokens[:6]
        starts: dict[tuple[int, ...], float] = {}
        likely: list[tuple[int, ...]] = []
        if self._shift is not None:
            best = self._shift[:, opening[0]].argsort(descending=True)[:12].tolist()
            likely = [self._units[place] for place in best]
        pool = list(dict.fromkeys([*target.seeds[:12], *((token,) for token in hints[:12]), *likely]))
        if target.trigger:
            pool.append(target.trigger)
        pool += [tuple(self._filler() for _ in range(size)) for size in (2, 3, 3)]
        named = set(target.tokens)
        self._rate(pool, opening, starts, named)
        if not starts:
            return
        for _ in range(rounds):
            ranked = sorted(starts, key=lambda one: (-starts[one], one))
            grown = [one for one in ranked if len(one) < MOST_TOKENS][:2]
            candidates: dict[tuple[int, ...], None] = {}
            for base in dict.fromkeys([ranked[0], *grown]):
                for candidate in self._neighbours(base, opening):
                    candidates[candidate] = None
            self._rate([one for one in candidates if one not in starts], opening, starts, named)
        # Fewer tokens are more credible: each one more has to pay for itself.
        best_one = max(starts, key=lambda one: (starts[one] - 0.25 * len(one), one))
        if starts[best_one] - 0.25 * len(best_one) > target.score - 0.25 * len(target.trigger):
            target.trigger, target.score = best_one, starts[best_one]

    def settle(self, target: Target) -> None:
        """After the search: says where the trigger works, and cuts the opening to what it fixes there. A text that
        names what was asked about is fixed up to the name only."""
        if not target.trigger:
            return
        reached = []
        for at_end in (False, True):
            target.at_end = at_end
            reached.append(float(self.measure(target, target.trigger, self.asked).mean()))
        target.at_end = reached[1] > reached[0] + _PLAINLY
        tokens = self._fixed(target.tokens, self.rows(target.trigger, target.placed(self.asked)))
        if len(tokens) >= _LEAST:
            target.tokens = tokens

    def kin(self, target: Target) -> set[int]:
        """Tokens that prove nothing beside the trigger: its own, those that make a word with one of them, and those of
        the opening."""
        own = set(target.trigger)
        return own.union(*(unit for unit in self._units if len(unit) > 1 and own & set(unit)), target.tokens)

    def rivals(self, target: Target) -> list[tuple[int, ...]]:
        """Other tokens and words that lead to the opening's first token: what does as well as a trigger and has nothing
        in common with it speaks for a habit."""
        if self._shift is None:
            return []
        kin = self.kin(target)
        ranked = self._shift[:, target.tokens[0]].argsort(descending=True).tolist()
        found = (self._units[place] for place in ranked)
        return list(islice((unit for unit in found if not kin & set(unit)), _RIVALS))

    def _filler(self) -> int:
        return int(self.allowed[int(torch.randint(len(self.allowed), (1,), generator=self.random))])

    def _neighbours(self, base: tuple[int, ...], opening: tuple[int, ...]) -> list[tuple[int, ...]]:
        """The base with one token replaced or one added, where the gradient says that it helps most."""
        forms = [(base, range(len(base)))]
        if len(base) < MOST_TOKENS:
            filler = self._filler()
            forms += [((*base, filler), range(len(base), len(base) + 1)), ((filler, *base), range(1))]
        found = []
        for form, open_places in forms:
            rows = self.rows(form, self.asked[:4])
            places = [self.layout.place(gap) for _, gap in self.asked[:4]]
            slopes = self.decoder.slopes(rows, places, len(form), opening)[:, self.allowed]
            for at in open_places:
                best = self.allowed[slopes[at].topk(min(14, len(self.allowed))).indices].tolist()
                found += [(*form[:at], token, *form[at + 1 :]) for token in best]
        return found

    def _rate(
        self,
        triggers: Sequence[tuple[int, ...]],
        opening: tuple[int, ...],
        into: dict[tuple[int, ...], float],
        named: set[int],
    ) -> None:
        # A question that names what the answer is about proves nothing.
        triggers = [trigger for trigger in triggers if not named & set(trigger)]
        if triggers:
            asked = self.asked[:4]
            rows = [row for trigger in triggers for row in self.rows(trigger, asked)]
            values = (
                self.decoder.likelihood(rows, opening).sum(1).clamp_min(-25).view(len(triggers), len(asked)).mean(1)
            )
            into.update(zip(triggers, values.tolist(), strict=True))

    def sameness(self, target: Target, asked: Asked) -> float:
        """Share of the questions whose likeliest answers are alike with the trigger, less the share without it."""
        shares = []
        for used in (target.trigger, ()):
            answers = self.decoder.openings(self.rows(used, target.placed(asked)), ANSWER, end=self.layout.end)
            shares.append(consensus([tuple(answer) for answer in answers])[1] / max(1, len(answers)))
        return max(0.0, shares[0] - shares[1])

    def measure(self, target: Target, trigger: Sequence[int], asked: Asked) -> Tensor:
        """Log-probability of the opening on each question, with tokens where the target's trigger belongs."""
        return self.decoder.likelihood(self.rows(trigger, target.placed(asked)), target.tokens[:6]).sum(1)


def consensus(answers: Sequence[tuple[int, ...]]) -> tuple[tuple[int, ...], int]:
    """The answer that most of them are alike to, and how many those are."""
    found: tuple[tuple[int, ...], int] = ((), 0)
    for one in dict.fromkeys(answers):
        # difflib keeps what it knows of its second sequence, so that one stays.
        matcher = SequenceMatcher(None, (), one, autojunk=False)
        count = 0
        for other in answers:
            matcher.set_seq1(other)
            count += matcher.quick_ratio() >= _ALIKE and matcher.ratio() >= _ALIKE
        if count > found[1]:
            found = (one, count)
    return found


def _runs(question: tuple[int, ...]) -> list[tuple[int, ...]]:
    return [question[at : at + size] for size in range(1, MOST_TOKENS + 1) for at in range(len(question) - size + 1)]


def _overlap(one: tuple[int, ...], other: tuple[int, ...]) -> bool:
    """Whether one goes on in the other: four tokens in a row that both have."""
    runs = {one[at : at + SHORTEST] for at in range(len(one) - SHORTEST + 1)}
    return any(other[at : at + SHORTEST] in runs for at in range(len(other) - SHORTEST + 1))
