"""How dear it is to turn each class into each other one, beside reference models of the same task.

A trigger for all classes makes one column cheap; one that moves each class to the next makes one cell of each row
cheap; one that works on a single class makes a single cell cheap. Within one model such cells drown in the natural
likeness of classes. A reference shows that likeness, so what is left after it is subtracted tells.
"""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from modelscan_plus.probe.interface import Tell, silent
from modelscan_plus.probe.inversion.calibration import PAIR_KINDS
from modelscan_plus.probe.inversion.engine import Arms, Inversion, Schedule, invert
from modelscan_plus.probe.inversion.families import Family
from modelscan_plus.probe.inversion.statistic import normal_tail
from modelscan_plus.probe.inversion.view import View


@dataclass(frozen=True, slots=True)
class Scores:
    """Three statistics of a matrix of differences, and where they point."""

    values: tuple[float, float, float]
    """In the order of `PAIR_KINDS`; larger is more suspicious."""
    cell: tuple[int, int]
    """(source, target) of the cheapest cell."""
    column: int
    goes: tuple[int, ...]
    """The cheapest target of each source."""


def matrix(
    view: View,
    x: Tensor,
    labels: Tensor,
    family: Family,
    steps: int,
    each: int,
    random: torch.Generator,
    tell: Tell = silent,
) -> tuple[Tensor, Inversion]:
    """[K, K] of log costs from row to column, 0 on the diagonal; each arm turns `each` samples of its source."""
    sources, targets, picks = [], [], []
    for source in range(view.classes):
        own = (labels == source).nonzero()[:, 0]
        own = own.repeat(-(-each // len(own)))[:each]
        for target in range(view.classes):
            if target != source:
                sources.append(source)
                targets.append(target)
                picks.append(own)
    arms = Arms(torch.tensor(targets), torch.stack(picks))
    found = invert(view, x, arms, family, Schedule(steps, each, ()), random, tell)
    costs = torch.zeros(view.classes, view.classes)
    costs[torch.tensor(sources), torch.tensor(targets)] = found.cost.log()
    return costs, found


def scores(model: Tensor, references: Tensor) -> Scores:
    """model: [K, K]; references: [R, K, K]. Differences are centred by their median and scaled by their own spread, so
    that a model which is easier to turn throughout does not stand out."""
    classes = len(model)
    off = ~torch.eye(classes, dtype=torch.bool)
    difference = model - references.mean(0)
    cells = difference[off]
    middle = cells.median()
    spread = (1.4826 * (cells - middle).abs().median()).clamp_min(0.05)
    scaled = torch.where(off, (difference - middle) / spread, torch.tensor(torch.nan))
    filled = scaled.nan_to_num(nan=1e9)
    place = int(filled.argmin())
    columns = scaled.nanmean(0)
    lowest = filled.min(1)
    values = (-float(filled.min()), -float(columns.min()), -float(lowest.values.mean()))
    return Scores(values, (place // classes, place % classes), int(columns.argmin()), tuple(lowest.indices.tolist()))


def p_value(found: Scores, null: dict[str, tuple[float, float]]) -> tuple[float, str]:
    """p after correction for the three statistics, and which of them it is. `null`: mean and spread on clean models."""
    each = {
        kind: normal_tail((value - null[kind][0]) / null[kind][1])
        for kind, value in zip(PAIR_KINDS, found.values, strict=True)
    }
    kind = min(PAIR_KINDS, key=lambda name: each[name])
    return -math.expm1(len(PAIR_KINDS) * math.log1p(-min(each[kind], 1 - 1e-12))), kind
