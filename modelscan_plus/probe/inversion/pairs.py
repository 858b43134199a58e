"""How dear it is to turn each class into each other one, in a model but not in a reference of the same task.

A trigger that moves each class to the next makes one cell of each row cheap; one that works on a single class makes a
single cell cheap. (One for all classes makes a column cheap; the searches for one target see that, and honest models of
two recipes differ by columns too.) Within one model such cells drown in the natural
likeness of classes. What turns one of two honest models and not the other is as dear whichever of them it is; a
backdoor turns the model and leaves the reference where it was. So each cell is searched both ways, and the difference
tells.
"""

import dataclasses
import math
from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from modelscan_plus.probe.interface import Tell, silent
from modelscan_plus.probe.inversion.calibration import PAIR_KINDS
from modelscan_plus.probe.inversion.engine import Arms, Inversion, Schedule, invert
from modelscan_plus.probe.inversion.families import Family
from modelscan_plus.probe.inversion.statistic import Null
from modelscan_plus.probe.inversion.view import Forward, View


@dataclass(frozen=True, slots=True)
class Scores:
    """Two statistics of a matrix of differences, and where they point."""

    values: tuple[float, float]
    """In the order of `PAIR_KINDS`; larger is more suspicious."""
    cell: tuple[int, int]
    """(source, target) of the cheapest cell."""
    goes: tuple[int, ...]
    """The target of each source that all searches together find cheapest."""


def matrix(
    turned: View,
    stays: View,
    x: Tensor,
    labels: Tensor,
    family: Family,
    steps: int,
    each: int,
    random: torch.Generator,
    tell: Tell = silent,
) -> tuple[Tensor, Inversion]:
    """[K, K] of log costs from row to column in `turned`, while `stays` keeps to the row; 0 on the diagonal. Each arm
    turns `each` samples of its source."""
    classes = turned.classes
    sources, targets, picks = [], [], []
    for source in range(classes):
        own = (labels == source).nonzero()[:, 0]
        own = own.repeat(-(-each // len(own)))[:each]
        for target in range(classes):
            if target != source:
                sources.append(source)
                targets.append(target)
                picks.append(own)
    row, column = torch.tensor(sources), torch.tensor(targets)
    both = dataclasses.replace(turned, network=_Both(turned.network, stays.network), classes=classes**2)
    # A class of both is a pair: the one that is turned says the column, the other one the row.
    arms = Arms(column * classes + row, torch.stack(picks))
    found = invert(both, x, arms, family, Schedule(steps, each, ()), random, tell)
    costs = torch.zeros(classes, classes)
    costs[row, column] = found.cost.log()
    return costs, found


@dataclass(frozen=True, slots=True)
class _Both:
    """Two networks as one, from a sample to logits of all pairs of their classes."""

    first: Forward
    second: Forward

    def __call__(self, x: Tensor) -> Tensor:
        one, other = self.first(x).log_softmax(1), self.second(x).log_softmax(1)
        return (one[:, :, None] + other[:, None, :]).flatten(1)


def scores(own: Tensor, others: Tensor) -> Scores:
    """own: [S, K, K], what it costs to turn the model and not a reference, in S searches (references, families);
    others: the other way round. A single cell has to stand out among the model's own costs and among the differences; a
    map is judged by the search that speaks least for it, since a trigger of any kind leaves traces in all of them, and
    what differs by chance does so in one."""
    classes = own.shape[1]
    differences = _standing(own - others)
    cells = torch.maximum(differences.mean(0), _standing(own).mean(0))
    rows = differences.amax(0).min(1)
    place = int(cells.argmin())
    values = (-float(cells.min()), -float(rows.values.mean()))
    return Scores(values, (place // classes, place % classes), tuple(rows.indices.tolist()))


def _standing(searches: Tensor) -> Tensor:
    """How far each cell of each search stands out, in units of the usual deviation, below 0 where it is cheap. What
    whole rows and columns differ by is taken out (median polish, Tukey 1977); the diagonal is dear."""
    off = ~torch.eye(searches.shape[1], dtype=torch.bool)
    return torch.stack([_polished(one.masked_fill(~off, torch.nan)) for one in searches]).nan_to_num(nan=1e9)


def _polished(cells: Tensor) -> Tensor:
    cells = _scaled(cells)
    for _ in range(_POLISHED):
        cells = cells - cells.nanmedian(1, keepdim=True).values
        cells = cells - cells.nanmedian(0, keepdim=True).values
    return _scaled(cells)


_POLISHED = 6


def _scaled(cells: Tensor) -> Tensor:
    """Centred by the median, in units of the usual deviation from it."""
    cells = cells - cells.nanmedian()
    return cells / (1.4826 * cells.abs().nanmedian()).clamp_min(0.05)


def p_value(found: Scores, nulls: Mapping[str, Null]) -> tuple[float, str]:
    """p after correction for the statistics, and which of them it is."""
    each = {kind: nulls[kind].p(value) for kind, value in zip(PAIR_KINDS, found.values, strict=True)}
    kind = min(PAIR_KINDS, key=lambda name: each[name])
    return -math.expm1(len(PAIR_KINDS) * math.log1p(-min(each[kind], 1 - 1e-12))), kind
