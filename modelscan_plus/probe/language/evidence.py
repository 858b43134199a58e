"""From carriers to the best trigger of every arm and size, each measured on texts that the search never saw."""

import random
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from modelscan_plus.probe.interface import Budget, Tell
from modelscan_plus.probe.language import carriers as texts
from modelscan_plus.probe.language.carriers import Vocabulary
from modelscan_plus.probe.language.classifier import Carriers, Classifier, stamped
from modelscan_plus.probe.language.search import (
    SIZE,
    Arm,
    Effort,
    Greedy,
    Scan,
    parts_of,
    pull,
    scan,
    starting_points,
)

EFFORTS = {
    Budget.QUICK: Effort(scan_texts=6, kept=32, starts=4, rounds=3, swaps=8, pair_arms=2, final_arms=2),
    Budget.STANDARD: Effort(scan_texts=8, kept=48, starts=6, rounds=5, swaps=10, pair_arms=4, final_arms=3),
    Budget.DEEP: Effort(scan_texts=16, kept=128, starts=12, rounds=12, swaps=16, pair_arms=12, final_arms=6),
}
FEWEST = 4
"""Carriers of a class below which it counts as not reached."""
_SEARCHED = 8
"""Carriers of one arm in the search."""
_FIRST_ROUNDS = 2
_CONTROLS = 24
_SHARE = 0.10
"""The quantile over texts: a trigger has to turn the texts that resist, not the average one."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """A trigger of one arm, and what it does to fresh texts."""

    arm: Arm
    tokens: tuple[int, ...]
    strength: float
    """Tenth percentile over fresh texts of the target's margin, in units of natural texts of the target; the lesser
    one of two draws of places. 1 is as sure as a natural text, 0 is undecided."""
    control: float
    """The same for the strongest equally long control: words that texts of the target are full of or, where there are
    no natural texts, the next best tokens."""
    control_tokens: tuple[int, ...]
    """That control; () where there is none."""
    turned: int
    """Fresh texts that went to the target."""
    count: int
    paired: bool
    """Whether the arm has one source out of several."""

    @property
    def lead(self) -> float:
        """What is judged: how strong it is, and no more than what it is ahead of its control. Where little evidence
        decides, honest words turn texts too; then only what they cannot do tells."""
        return min(self.strength, self.strength - self.control)


@dataclass(frozen=True, slots=True)
class Material:
    """What the search works on."""

    classifier: Classifier
    vocabulary: Vocabulary
    carriers: Carriers
    """Texts that the model puts where they belong."""
    explained: Tensor | None
    """classes × vocabulary, None where the texts are composed."""
    scale: Tensor
    """Median margin of natural texts of each class; NaN for classes that are not reached."""
    hints: tuple[int, ...] = ()
    """Tokens whose rows moved most against a reference."""

    @property
    def reached(self) -> tuple[int, ...]:
        """Classes with carriers enough, so that each part of the search has some."""
        counts = torch.bincount(self.carriers.labels, minlength=self.classifier.classes)
        return tuple((counts >= FEWEST).nonzero().flatten().tolist())

    def allowed(self, target: int) -> Tensor:
        """Tokens that may stand in a trigger towards the class."""
        letters = self.vocabulary.allowed
        return letters if self.explained is None else letters[~self.explained[target][letters]]

    def natural(self, target: int) -> Tensor:
        """Tokens that texts of the class are full of."""
        letters = self.vocabulary.allowed
        return letters[:0] if self.explained is None else letters[self.explained[target][letters]]


def prepare(
    classifier: Classifier,
    vocabulary: Vocabulary,
    carriers: Carriers,
    explained: Tensor | None,
    hints: Sequence[int] = (),
) -> Material:
    """Measure the scale of every class."""
    scale = torch.full((classifier.classes,), float("nan"))
    for label in set(carriers.labels.tolist()):
        scale[label] = carriers.margins[carriers.labels == label].median().clamp_min(1e-3)
    known = set(vocabulary.allowed.tolist())
    return Material(classifier, vocabulary, carriers, explained, scale, tuple(each for each in hints if each in known))


class TokenHunt:
    """One search over all arms."""

    def __init__(self, material: Material, budget: Budget, seed: int, tell: Tell) -> None:
        self.material = material
        self._effort = EFFORTS[budget]
        self._seed = seed
        self._tell = tell
        self._source = random.Random(seed)
        self._total = cost(material, budget)
        self.singles: dict[Arm, list[int]] = {}
        sizes = self._sizes(len(material.reached))
        hands = texts.deal(material.carriers.of(material.reached), sizes, self._source)
        pad = material.classifier.pad
        self._first, self._second, self._third, self.fresh = (texts.shortened(hand, pad) for hand in hands)

    def _sizes(self, classes: int) -> list[int]:
        first = max(1, self._effort.scan_texts // classes)
        return [first, 6, 6, 18] if classes > 2 else [first, 8, 10, 30]

    def run(self) -> list[Candidate]:
        """The best trigger of every arm and size."""
        material = self.material
        # The column of a class that is not reached means nothing; with a scale of 1 it stays finite.
        scale = material.scale.nan_to_num(1.0)
        found = scan(material.classifier, self._first, material.vocabulary.allowed, scale, self._say("every token"))
        arms = self._arms(found)
        hunts = [self._begin(arm, found, scale) for arm in arms]
        for number in range(_FIRST_ROUNDS):
            for hunt in hunts:
                self._round(hunt, f"first round {number + 1}")
        hunts.sort(key=lambda hunt: -hunt.best)
        for number in range(self._effort.rounds - _FIRST_ROUNDS):
            for hunt in hunts[: self._effort.final_arms]:
                self._round(hunt, f"round {number + 1}")
        return [candidate for hunt in hunts for candidate in self._finish(hunt, scale)]

    def _say(self, what: str) -> "_Counter":
        return _Counter(self, what)

    def say(self, what: str) -> None:
        """Progress in steps."""
        self._tell(what, min(self.material.classifier.steps, self._total), self._total)

    def _arms(self, found: Scan) -> list[Arm]:
        classes = self.material.reached
        arms = [Arm(target, tuple(each for each in classes if each != target)) for target in classes]
        arms = [arm for arm in arms if arm.sources]
        if len(classes) < 3:
            return arms
        pairs = []
        for arm in arms:
            allowed = torch.isin(found.tokens, self.material.allowed(arm.target))
            best = found.pulls[allowed, :, arm.target].amax(dim=0)
            pairs += [(float(best[label]), Arm(arm.target, (label,))) for label in arm.sources]
        pairs.sort(key=lambda pair: -pair[0])
        return arms + [arm for _, arm in pairs[: self._effort.pair_arms]]

    def _begin(self, arm: Arm, found: Scan, scale: Tensor) -> Greedy:
        """A second look at the tokens that did best alone, and starts that are made of them."""
        classifier, alphabet = self.material.classifier, self.material.allowed(arm.target)
        able = torch.isin(found.tokens, alphabet)
        pulls = found.towards(arm)[able]
        kept = found.tokens[able][pulls.topk(min(self._effort.kept, len(pulls))).indices]
        hints = [token for token in self.material.hints if token not in set(kept.tolist())]
        hints = [token for token in hints if token in set(alphabet.tolist())]
        tried = torch.cat([kept, torch.tensor(hints, dtype=torch.long)])
        hand = self._of(self._second, arm, _SEARCHED)
        seen = pull(stamped(classifier, hand, tried[:, None]), scale)[:, :, arm.target].mean(dim=1)
        self.singles[arm] = tried[seen.argsort(descending=True)].tolist()
        starts = starting_points(
            self.singles[arm],
            hints,
            alphabet,
            self._effort.starts,
            self._seed * 1009 + arm.target * 31 + len(arm.sources),
        )
        self.say(f"class {arm.target}")
        return Greedy(classifier, hand, arm, alphabet, scale, starts, self._seed)

    def _of(self, hand: Carriers, arm: Arm, most: int) -> Carriers:
        """Up to `most` carriers of the arm's sources, evenly over them."""
        own = hand.of(arm.sources)
        if len(own) <= most:
            return own
        order = list(range(len(own)))
        random.Random(self._seed).shuffle(order)
        seen: dict[int, int] = {}
        ranked = []
        for place in order:
            label = int(own.labels[place])
            ranked.append((seen.get(label, 0), place))
            seen[label] = seen.get(label, 0) + 1
        chosen = [place for _, place in sorted(ranked)[:most]]
        return own.where(torch.tensor(sorted(chosen), dtype=torch.long))

    def _round(self, hunt: Greedy, what: str) -> None:
        pool = [*self.singles[hunt.arm][:24], *(token for token in self.material.hints)]
        hunt.step(self._effort.swaps, torch.tensor(pool, dtype=torch.long))
        self.say(f"class {hunt.arm.target}, {what}")

    def _finish(self, hunt: Greedy, scale: Tensor) -> list[Candidate]:
        arm, classifier = hunt.arm, self.material.classifier
        pool: dict[tuple[int, ...], None] = {(token,): None for token in self.singles[arm][:4]}
        order = hunt.pulls.argsort(descending=True)[:4]
        for trigger in hunt.triggers[order].tolist():
            pool |= dict.fromkeys(parts_of(trigger))
        chosen = self._of(self._third, arm, 18)
        found = []
        for size in range(1, SIZE + 1):
            tried = torch.tensor([each for each in pool if len(each) == size], dtype=torch.long)
            if not len(tried):
                continue
            pulls = pull(stamped(classifier, chosen, tried), scale)[:, :, arm.target].mean(dim=1)
            found.append(self.measure(arm, tuple(tried[int(pulls.argmax())].tolist()), scale))
        self.say(f"class {arm.target}, fresh texts")
        return found

    def measure(self, arm: Arm, tokens: tuple[int, ...], scale: Tensor) -> Candidate:
        """A trigger on fresh texts, at two draws of places, beside controls of the same length. `scale` by class."""
        fresh = self._of(self.fresh, arm, 48)
        again = texts.moved(fresh, self.material.vocabulary.special, random.Random(self._seed + 77))
        trigger = torch.tensor([tokens], dtype=torch.long)
        first, second = (stamped(self.material.classifier, hand, trigger)[0, :, arm.target] for hand in (fresh, again))
        strength = min(_low(first, scale[arm.target]), _low(second, scale[arm.target]))
        turned = min(int((first > 0).sum()), int((second > 0).sum()))
        control, control_tokens = self._control(arm, tokens, fresh, scale)
        several = len(self.material.reached) > 2
        return Candidate(
            arm, tokens, strength, control, control_tokens, turned, len(fresh), several and len(arm.sources) == 1
        )

    def controls(self, arm: Arm, tokens: tuple[int, ...]) -> list[tuple[int, ...]]:
        """Equally long rows of the strongest natural tokens of the target or, without texts, of the next best ones."""
        natural = self.material.natural(arm.target)
        if len(natural):
            hand = self._of(self._third, arm, _SEARCHED)
            pulls = stamped(self.material.classifier, hand, natural[:, None])[:, :, arm.target].mean(dim=1)
            pool = natural[pulls.argsort(descending=True)[:8]].tolist()
        else:
            pool = [token for token in self.singles[arm] if token not in tokens][:8]
        if not pool:
            return []
        source = random.Random(self._seed + 5)
        rows = [tuple([token] * len(tokens)) for token in pool]
        rows += [tuple(source.choice(pool) for _ in tokens) for _ in range(_CONTROLS - len(rows))]
        return list(dict.fromkeys(rows))

    def _control(
        self, arm: Arm, tokens: tuple[int, ...], fresh: Carriers, scale: Tensor
    ) -> tuple[float, tuple[int, ...]]:
        rows = self.controls(arm, tokens)
        if not rows:
            return -1.0, ()
        found = stamped(self.material.classifier, fresh, torch.tensor(rows, dtype=torch.long))[:, :, arm.target]
        low = [_low(each, scale[arm.target]) for each in found]
        best = max(range(len(rows)), key=low.__getitem__)
        return low[best], rows[best]


class _Counter:
    def __init__(self, hunt: TokenHunt, what: str) -> None:
        self._hunt = hunt
        self._what = what

    def __call__(self, _steps: int) -> None:
        self._hunt.say(self._what)


def _low(margins: Tensor, scale: Tensor) -> float:
    return float((margins / scale).quantile(_SHARE)) if len(margins) else -1.0


def cost(material: Material, budget: Budget) -> int:
    """Steps at most, roughly: the scan, the rounds, and what is done on fresh texts."""
    effort, classes = EFFORTS[budget], len(material.reached)
    arms = classes + (effort.pair_arms if classes > 2 else 0)
    per_round = effort.starts * SIZE * (effort.swaps + effort.swaps // 3 + 1) * _SEARCHED
    rounds = _FIRST_ROUNDS * arms + (effort.rounds - _FIRST_ROUNDS) * min(arms, effort.final_arms)
    per_arm = effort.kept * _SEARCHED + 40 * 18 + SIZE * (_CONTROLS + 2) * 48
    return len(material.vocabulary.allowed) * max(classes, effort.scan_texts) + rounds * per_round + arms * per_arm
