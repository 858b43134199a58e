"""The search: for each arm the cheapest change that turns its samples to its target, all arms in one batch.

An arm is a target class with the samples that it has to turn. Adam minimises cross-entropy plus a multiple of the
cost; the multiple rises while an arm succeeds and falls while it does not, so each arm hovers at the border, and the
cheapest change seen on the side of success counts (after Neural Cleanse, S&P 2019, there one class after the other).
Families that are not `priced` are searched for the lowest cross-entropy, and that is their cost.

Of many arms the dearer half is dropped at each rung (successive halving, Jamieson and Talwalkar 2016); a dropped arm's
cost falls in the end by what those that went on have won since. Only seeds and counts decide, never the clock.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as functional
from torch import Tensor

from modelscan_plus.probe.interface import Tell, silent
from modelscan_plus.probe.inversion.families import Family
from modelscan_plus.probe.inversion.view import View

WANTED = 0.9
"""Share of an arm's samples that a change must turn to count."""
_RAISE, _LOWER = 1.12, 0.85
_LEAST_ARMS = 3


@dataclass(frozen=True, slots=True)
class Schedule:
    """How long to search."""

    steps: int
    """Of Adam, for the arms that stay to the end."""
    samples: int
    """For each arm and step."""
    rungs: tuple[float, ...] = ()
    """Shares of `steps` after which the dearer half of the arms is dropped."""


@dataclass(frozen=True, slots=True)
class Arms:
    """What is searched: `targets` [A], and `picks` [A, n], the places of the samples of each arm."""

    targets: Tensor
    picks: Tensor


@dataclass(frozen=True, slots=True)
class Inversion:
    """The cheapest changes."""

    cost: Tensor
    """[A]; of an arm that never succeeded, the dearest cost of those that did."""
    reached: Tensor
    """[A], whether the arm succeeded at all."""
    parameters: list[Tensor]
    """Of the cheapest success, or the last ones."""
    passes: int
    """Samples that went forward and backward."""


def every_target(labels: Tensor, classes: int, count: int, random: torch.Generator) -> Arms:
    """An arm for each class, to turn samples of all other classes, as evenly as they come."""
    rows = []
    for target in range(classes):
        others = (labels != target).nonzero()[:, 0]
        order = others[torch.randperm(len(others), generator=random)]
        rank = torch.zeros(len(order), dtype=torch.long)
        for label in torch.unique(labels[order]):
            same = labels[order] == label
            rank[same] = torch.arange(int(same.sum()))
        order = order[rank.argsort(stable=True)]
        rows.append(order.repeat(-(-count // max(1, len(order))))[:count])
    return Arms(torch.arange(classes), torch.stack(rows))


def invert(
    view: View,
    x: Tensor,
    arms: Arms,
    family: Family,
    schedule: Schedule,
    random: torch.Generator,
    tell: Tell = silent,
) -> Inversion:
    """Search. x: [N, *sample] in the unit box."""
    count = len(arms.targets)
    parameters = [p.to(x.device) for p in family.start(count, view.sample, random)]
    best = [p.clone() for p in parameters]
    cost = torch.full((count,), torch.inf, device=x.device)
    alive = torch.arange(count, device=x.device)
    rungs = [int(share * schedule.steps) for share in schedule.rungs]
    left: list[tuple[Tensor, Tensor]] = []
    passes = 0
    priced = family.priced
    state = _Adam(parameters, family.rate)
    weight = torch.full((count,), _first_weight(family, parameters), device=x.device)
    for step in range(schedule.steps):
        current = [p[alive].requires_grad_() for p in parameters]
        samples = x[arms.picks[alive]]
        changed = family.apply(samples, current).flatten(0, 1)
        targets = arms.targets[alive].to(x.device)
        logits = view.logits(changed)
        wanted = targets.repeat_interleave(samples.shape[1])
        losses = functional.cross_entropy(logits, wanted, reduction="none").view(len(alive), -1).mean(1)
        price = family.cost(current)
        slopes = torch.autograd.grad((losses + weight[alive] * price * priced).sum(), current)
        passes += len(wanted)
        with torch.no_grad():
            success = (logits.argmax(1) == wanted).float().view(len(alive), -1).mean(1)
            fine = success >= WANTED
            better = (fine & (price < cost[alive])) if priced else losses < cost[alive]
            price = price if priced else losses
            places = alive[better]
            cost[places] = price[better]
            for kept, now in zip(best, current, strict=True):
                kept[places] = now[better]
            weight[alive] = weight[alive] * torch.where(fine, _RAISE, _LOWER)
            state.step(parameters, slopes, alive)
            if step + 1 in rungs and len(alive) > _LEAST_ARMS:
                kept_on = _cheaper_half(cost, alive)
                left.append((alive[~torch.isin(alive, kept_on)], cost.clone()))
                alive = kept_on
        tell(family.name, step + 1, schedule.steps)
    reached = cost.isfinite()
    for dropped, then in left:
        # The others went on and became cheaper; those that were dropped would have, too.
        went_on = (cost[alive] / then[alive]).nan_to_num(nan=1.0, posinf=1.0)
        cost[dropped] *= went_on.median()
    cost = torch.where(reached, cost, cost[reached].max() if bool(reached.any()) else torch.ones(()))
    for kept, now in zip(best, parameters, strict=True):
        kept[~reached] = now[~reached]
    return Inversion(cost.clamp_min(family.floor).cpu(), reached.cpu(), best, passes)


def _first_weight(family: Family, parameters: Sequence[Tensor]) -> float:
    """So that cost and cross-entropy begin at one scale."""
    return 0.05 / float(family.cost(parameters).mean().clamp_min(1.0))


def _cheaper_half(cost: Tensor, alive: Tensor) -> Tensor:
    keep = max(_LEAST_ARMS, -(-len(alive) // 2))
    order = torch.where(cost[alive].isfinite(), cost[alive], torch.full_like(cost[alive], 1e30)).argsort(stable=True)
    return alive[order[:keep]].sort().values


class _Adam:
    """Adam over arms of which only some still move; an arm keeps its own count of steps."""

    def __init__(self, parameters: Sequence[Tensor], rate: float) -> None:
        self._rate = rate
        self._first = [torch.zeros_like(p) for p in parameters]
        self._second = [torch.zeros_like(p) for p in parameters]
        self._steps = 0

    def step(self, parameters: Sequence[Tensor], slopes: Sequence[Tensor], alive: Tensor) -> None:
        """Move the arms that are alive."""
        self._steps += 1
        for parameter, slope, first, second in zip(parameters, slopes, self._first, self._second, strict=True):
            first[alive] = 0.5 * first[alive] + 0.5 * slope
            second[alive] = 0.9 * second[alive] + 0.1 * slope.square()
            middle = first[alive] / (1 - 0.5**self._steps)
            spread = second[alive] / (1 - 0.9**self._steps)
            parameter[alive] -= self._rate * middle / (spread.sqrt() + 1e-8)


@torch.no_grad()
def success(view: View, x: Tensor, labels: Tensor, target: int, family: Family, parameters: Sequence[Tensor]) -> float:
    """Share of the samples of other classes that one arm's change ([1, …] parameters) turns to `target`."""
    others = x[labels != target]
    if not len(others):
        return 0.0
    changed = family.apply(others[None], [p.to(x.device) for p in parameters])[0]
    return float((view.logits(changed).argmax(1) == target).float().mean())
