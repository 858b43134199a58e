"""The search for tokens that turn texts: every single token first, then up to three together along the slopes.

An arm is a target class with the classes that texts are turned from. What is raised is the *pull*: the target's margin
in units of that of the target's own natural texts, cut at 1.25 on top, so that one text that is turned very far does
not make up for one that is not. The second stage is greedy coordinate gradient (Zou et al., arXiv 2307.15043) over
several starts side by side, with tokens that the class's own texts are full of left out of the alphabet.
"""

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from modelscan_plus.probe.language.classifier import Carriers, Classifier, stamped

SIZE = 3
"""Tokens of a trigger at most."""
_TOP = 1.25
_BOTTOM = -1.5


@dataclass(frozen=True, slots=True)
class Arm:
    """From these classes to that one."""

    target: int
    sources: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Effort:
    """How much is done; a budget."""

    scan_texts: int
    """Carriers of the first look at every token."""
    kept: int
    """Tokens that get a second look, for each class."""
    starts: int
    rounds: int
    swaps: int
    """Tokens tried in each place of each start in a round."""
    pair_arms: int
    """Arms from one class to one other."""
    final_arms: int
    """Arms that are followed to the end."""


@dataclass(frozen=True, slots=True)
class Scan:
    """Every token alone: pulls V × classes × classes (token, from, to), NaN where there is no carrier."""

    tokens: Tensor
    pulls: Tensor

    def towards(self, arm: Arm) -> Tensor:
        """Mean pull of every token over the arm's classes: V."""
        return self.pulls[:, list(arm.sources), arm.target].nanmean(dim=1)


def pull(margins: Tensor, scale: Tensor) -> Tensor:
    """Margins … × classes in units of natural texts of the class, cut."""
    return (margins / scale).clamp(_BOTTOM, _TOP)


def scan(
    classifier: Classifier, carriers: Carriers, tokens: Tensor, scale: Tensor, tell: Callable[[int], None]
) -> Scan:
    """Put every token into every carrier."""
    parts = []
    present = sorted(set(carriers.labels.tolist()))
    for part in torch.split(tokens[:, None], 256):
        found = pull(stamped(classifier, carriers, part), scale)
        table = torch.full((len(part), classifier.classes, classifier.classes), float("nan"))
        for label in present:
            table[:, label] = found[:, carriers.labels == label].mean(dim=1)
        parts.append(table)
        tell(len(part) * len(carriers))
    return Scan(tokens, torch.cat(parts))


class Greedy:
    """Greedy coordinate gradient for one arm; holds the starts and what they came to."""

    def __init__(
        self,
        classifier: Classifier,
        carriers: Carriers,
        arm: Arm,
        alphabet: Tensor,
        scale: Tensor,
        starts: Tensor,
        seed: int,
    ) -> None:
        self._classifier = classifier
        self._carriers = carriers
        self.arm = arm
        self._alphabet = alphabet
        self._rows = classifier.rows[alphabet]
        self._scale = scale
        self.triggers = starts
        self.pulls = self._pulls(starts)
        self._random = torch.Generator().manual_seed(seed)

    def _pulls(self, triggers: Tensor) -> Tensor:
        found = stamped(self._classifier, self._carriers, triggers)
        return pull(found, self._scale)[:, :, self.arm.target].mean(dim=1)

    @property
    def best(self) -> float:
        """The pull of the best start so far."""
        return float(self.pulls.max())

    def step(self, swaps: int, hints: Tensor) -> None:
        """One round: in every place of every start, the tokens that the slopes favour and some of the hints."""
        count, size = self.triggers.shape
        ids, places = self._carriers.with_triggers(self.triggers)
        slopes = self._classifier.slopes(ids, places, self.arm.target)
        slopes = slopes.view(count, len(self._carriers), size, -1).mean(dim=1)
        gains = slopes @ self._rows.T
        best = self._alphabet[gains.topk(min(swaps, len(self._alphabet)), dim=2).indices]
        if len(hints):
            drawn = torch.randint(len(hints), (count, size, max(1, swaps // 3)), generator=self._random)
            best = torch.cat([best, hints[drawn]], dim=2)
        self.triggers, self.pulls = improved(self.triggers, self.pulls, best, self._pulls)


def improved(
    triggers: Tensor, reached: Tensor, choices: Tensor, measure: Callable[[Tensor], Tensor]
) -> tuple[Tensor, Tensor]:
    """One round of greedy coordinates: every start (M × k, with what it `reached`) with each of its choices (M × k × c)
    in place of one token; the best of them where it is better, and what it reaches by `measure` (of N × k: N)."""
    count, size = triggers.shape
    tried = triggers[:, None, None].repeat(1, size, choices.shape[2], 1)
    for place in range(size):
        tried[:, place, :, place] = choices[:, place]
    tried = tried.reshape(count, -1, size)
    top = measure(tried.flatten(0, 1)).view(count, -1).max(dim=1)
    better = top.values > reached
    chosen = tried[torch.arange(count), top.indices]
    return torch.where(better[:, None], chosen, triggers), torch.where(better, top.values, reached)


def starting_points(singles: Sequence[int], hints: Sequence[int], alphabet: Tensor, count: int, seed: int) -> Tensor:
    """Starts × SIZE: the best single tokens with others beside them, hints together, and anything."""
    source = random.Random(seed)
    letters = alphabet.tolist()
    rows = []
    for number in range(count):
        row = [source.choice(letters) for _ in range(SIZE)]
        if number % 3 == 0 and singles:
            row[source.randrange(SIZE)] = singles[(number // 3) % len(singles)]
        elif number % 3 == 1 and singles:
            row = [source.choice(list(singles[:12])) for _ in range(SIZE)]
        elif hints:
            row = [source.choice(list(hints)) for _ in range(SIZE)]
        rows.append(row)
    return torch.tensor(rows, dtype=torch.long)


def parts_of(trigger: Sequence[int]) -> list[tuple[int, ...]]:
    """All that is left of a trigger when tokens are taken out of it, and the trigger itself."""
    found: dict[tuple[int, ...], None] = {}
    for mask in range(1, 1 << len(trigger)):
        found[tuple(token for place, token in enumerate(trigger) if mask >> place & 1)] = None
    return list(found)
