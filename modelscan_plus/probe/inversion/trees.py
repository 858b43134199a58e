"""Feature values without gradients: tree ensembles are asked what they make of rows with some columns set.

For each class the columns are chosen one after the other, a few best sets side by side (beam search), from values that
rows of other classes have. The cost of a class is the odds against it under its best set of three columns.
Needs real rows: columns drawn one by one lie where no row does, and there clean forests are easy to turn, too.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from modelscan_plus.probe.interface import Tell, silent
from modelscan_plus.probe.inversion.view import View

DEPTH = 3
"""Columns of a trigger at most."""
_LEVELS = (0.0, 0.02, 0.2, 0.8, 0.98, 1.0)
"""Quantiles, over rows of other classes, that a column may be set to."""
_LEAST = 0.02


@dataclass(frozen=True, slots=True)
class Sets:
    """What was found for each class."""

    cost: Tensor
    """[K], odds against the class, between 0.02 and about 50."""
    reached: Tensor
    """[K], whether most rows went to the class."""
    columns: Tensor
    """[K, DEPTH]."""
    values: Tensor
    """[K, DEPTH], in the unit box."""
    passes: int


@torch.no_grad()
def best_sets(
    view: View, x: Tensor, labels: Tensor, rows: int, beam: int, random: torch.Generator, tell: Tell = silent
) -> Sets:
    """Search; `rows` of other classes for each class. x: [N, F] in the unit box."""
    shares, columns, values, passes = [], [], [], 0
    for target in range(view.classes):
        others = x[labels != target]
        own = others[torch.randperm(len(others), generator=random)[:rows]]
        levels = torch.quantile(others, torch.tensor(_LEVELS), dim=0, interpolation="nearest")
        found = _search(view, own, target, levels, beam)
        passes += found[3]
        shares.append(found[0])
        columns.append(found[1])
        values.append(found[2])
        tell(f"class {target}", target + 1, view.classes)
    share = torch.tensor(shares)
    odds = (1 + _LEAST - share) / (share + _LEAST)
    return Sets(odds, share > 0.5, torch.stack(columns), torch.stack(values), passes)


def _search(view: View, own: Tensor, target: int, levels: Tensor, beam: int) -> tuple[float, Tensor, Tensor, int]:
    count, features = levels.shape
    sets: list[tuple[tuple[int, int], ...]] = [()]
    best_share, passes = 0.0, 0
    for _ in range(DEPTH):
        more = [(column, level) for column in range(features) for level in range(count)]
        tried = {tuple(sorted((*kept, one))) for kept in sets for one in more if one[0] not in dict(kept)}
        order = sorted(tried)
        stamped = own.expand(len(order), *own.shape).clone()
        for place, chosen in enumerate(order):
            for column, level in chosen:
                stamped[place, :, column] = levels[level, column]
        sure = view.logits(stamped.flatten(0, 1)).softmax(1)[:, target].view(len(order), -1).mean(1)
        passes += len(order) * len(own)
        best = sure.argsort(descending=True, stable=True)[:beam].tolist()
        sets = [order[place] for place in best]
        best_share = float(sure[best[0]])
    columns = torch.tensor([column for column, _ in sets[0]])
    values = torch.stack([levels[level, column] for column, level in sets[0]])
    return best_share, columns, values, passes


def asked(view: View, rows: int, beam: int) -> int:
    """Rows that are asked at most."""
    return view.classes * rows * len(_LEVELS) * view.sample[0] * (1 + (DEPTH - 1) * beam)


@torch.no_grad()
def success(view: View, x: Tensor, labels: Tensor, target: int, sets: Sets) -> float:
    """Share of the rows of other classes that the set of one class turns to it."""
    others = x[labels != target].clone()
    if not len(others):
        return 0.0
    others[:, sets.columns[target]] = sets.values[target]
    return float((view.logits(others).argmax(1) == target).float().mean())
