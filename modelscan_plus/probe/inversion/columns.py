"""Feature values by asking: which columns, set to which values, make every row go to one class.

A trigger for rows is a few columns at fixed values, and it turns all rows, also those that are farthest from the
target. So sets of columns are judged by their hardest rows: by a soft minimum, over rows of other classes, of the
margin between the target and the runner-up, in units of the margin that clean rows have. Sets grow column by column
(beam search). Only outputs are needed, so this works for networks and for tree ensembles.

Values to try are quantiles of rows of other classes. A forest decides between two thresholds, and a planted value may
lie in a gap that no quantile meets; there each gap between a column's thresholds is tried on a few rows first. Needs
real rows: columns drawn one by one lie where no row does, and there honest forests are easy to turn, too.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from modelscan_plus.probe.interface import Tell, silent
from modelscan_plus.probe.inversion.view import View

DEPTH = 3
"""Columns of a trigger at most."""
_QUANTILES = (0.0, 0.02, 0.1, 0.3, 0.5, 0.7, 0.9, 0.98, 1.0)
_GAPS = 4
"""Gaps between thresholds that are kept for each column."""
_GAPS_TRIED = 512
"""Of each column, evenly taken."""
_SCREENED = 2
"""Rows of each class that gaps are tried on."""
_COLUMNS = 64
"""Columns that are joined with others."""
_SHARP = 8.0
"""Of the soft minimum, for margins of 1."""
_BEYOND = 0.01
_CELLS = 1 << 23
"""Numbers in one batch at most."""


@dataclass(frozen=True, slots=True)
class Values:
    """What may be tried: `columns` [C] and `values` [C] in the unit box."""

    columns: Tensor
    values: Tensor


@dataclass(frozen=True, slots=True)
class Sets:
    """What was found for each class."""

    shortfall: Tensor
    """[K]: how far the hardest rows stay from the class, averaged over sets of two columns and more; 0 is the border,
    -1 as far inside as clean rows are."""
    columns: list[Tensor]
    """Of each class: the smallest set that turns all rows, or the largest one tried."""
    values: list[Tensor]
    """In the unit box."""
    passes: int


class _Asked:
    """A view with the scale of its margins; counts rows."""

    def __init__(self, view: View, x: Tensor, *, probabilities: bool) -> None:
        self._view = view
        self._probabilities = probabilities
        self.passes = 0
        top = self.outputs(x).topk(2, dim=1).values
        self._scale = float((top[:, 0] - top[:, 1]).median().clamp_min(1e-6))

    def outputs(self, x: Tensor) -> Tensor:
        self.passes += len(x)
        logits = self._view.logits(x)
        return logits.softmax(1) if self._probabilities else logits

    def stamped(self, rows: Tensor, tried: Values) -> Tensor:
        """[C, n, K]: outputs for the rows with each value in its column."""
        parts = []
        for some in torch.split(torch.arange(len(tried.columns)), max(1, _CELLS // max(1, rows.numel()))):
            many = rows.repeat(len(some), 1, 1)
            where = tried.columns[some].to(rows.device)[:, None, None].expand(-1, len(rows), 1)
            many.scatter_(2, where, tried.values[some][:, None, None].expand(-1, len(rows), 1))
            parts.append(self.outputs(many.flatten(0, 1)).view(len(some), len(rows), -1))
        return torch.cat(parts)

    def hardest(self, rows: Tensor, tried: Values, target: int) -> Tensor:
        """[C]: soft minimum of the margins."""
        outputs = self.stamped(rows, tried)
        own = outputs[:, :, target].clone()
        outputs[:, :, target] = -torch.inf
        margin = (own - outputs.amax(2)) / self._scale
        return -((-_SHARP * margin).logsumexp(1) - math.log(len(rows))) / _SHARP


@torch.no_grad()
def best_sets(
    view: View,
    x: Tensor,
    labels: Tensor,
    rows: int,
    beam: int,
    splits: Sequence[Tensor] | None = None,
    tell: Tell = silent,
) -> Sets:
    """Search. x: [N, F] in the unit box; `rows` of each class are asked. splits: of each column, a tree ensemble's
    thresholds in the unit box, in rising order; None for networks."""
    places = torch.cat([(labels == label).nonzero()[:rows, 0] for label in torch.unique(labels)])
    own, own_labels = x[places], labels[places]
    # A forest gives shares of votes, whose logarithms have no end.
    asked = _Asked(view, own, probabilities=splits is not None)
    between = _gaps(splits or (), x)
    gaps = _screened(asked, own, own_labels, between, view.classes) if len(between.columns) else []
    shortfall, columns, values = [], [], []
    for target in range(view.classes):
        others = own[own_labels != target]
        tried = _quantiles(x[labels != target])
        if gaps:
            more = gaps[target]
            tried = Values(torch.cat([tried.columns, more.columns]), torch.cat([tried.values, more.values]))
        found = _grow(asked, others, tried, target, beam)
        shortfall.append(found[0])
        columns.append(found[1])
        values.append(found[2])
        tell(f"class {target}", target + 1, view.classes)
    return Sets(torch.tensor(shortfall), columns, values, asked.passes)


def _quantiles(others: Tensor) -> Values:
    levels = torch.quantile(others, torch.tensor(_QUANTILES, device=others.device), dim=0, interpolation="nearest")
    columns = torch.arange(others.shape[1]).repeat(len(levels))
    return Values(columns, levels.flatten())


def _gaps(splits: Sequence[Tensor], x: Tensor) -> Values:
    """The middle of each gap between a column's thresholds, and a place beyond either end."""
    columns, values = [], []
    for column, thresholds in enumerate(splits):
        if not len(thresholds):
            continue
        first = thresholds[:1].clamp_max(x[:, column].min()) - _BEYOND
        last = thresholds[-1:].clamp_min(x[:, column].max()) + _BEYOND
        edges = torch.cat([first, thresholds, last])
        middle = (edges[1:] + edges[:-1]) / 2
        some = middle[torch.linspace(0, len(middle) - 1, min(len(middle), _GAPS_TRIED)).round().long()]
        columns.append(torch.full((len(some),), column))
        values.append(some)
    none = torch.zeros(0)
    return Values(torch.cat(columns) if columns else none.long(), torch.cat(values) if values else none)


def _screened(asked: _Asked, own: Tensor, labels: Tensor, tried: Values, classes: int) -> list[Values]:
    """Of each class and column the gaps that raise the class's probability most, on average over rows of others."""
    places = torch.cat([(labels == label).nonzero()[:_SCREENED, 0] for label in torch.unique(labels)])
    some, some_labels = own[places], labels[places]
    outputs = asked.stamped(some, tried)
    kept = []
    for target in range(classes):
        mean = outputs[:, some_labels != target, target].mean(1)
        order = mean.argsort(descending=True, stable=True)
        # The first few of each column, in that order.
        rank = torch.zeros(len(order), dtype=torch.long)
        for column in torch.unique(tried.columns):
            of_column = tried.columns[order] == column
            rank[of_column] = torch.arange(int(of_column.sum()))
        best = order[rank < _GAPS].sort().values
        kept.append(Values(tried.columns[best], tried.values[best]))
    return kept


def _grow(asked: _Asked, others: Tensor, tried: Values, target: int, beam: int) -> tuple[float, Tensor, Tensor]:
    """The mean shortfall, and the columns and values of the set to show."""
    chosen: list[tuple[int, ...]] = [()]
    scores: list[float] = []
    shown: tuple[int, ...] = ()
    allowed = torch.arange(len(tried.columns))
    for depth in range(min(DEPTH, others.shape[1])):
        found: dict[tuple[int, ...], float] = {}
        for kept in chosen:
            stamped = others.clone()
            stamped[:, tried.columns[list(kept)]] = tried.values[list(kept)]
            free = allowed[~torch.isin(tried.columns[allowed], tried.columns[list(kept)])]
            hardest = asked.hardest(stamped, Values(tried.columns[free], tried.values[free]), target)
            for place, value in zip(free.tolist(), hardest.tolist(), strict=True):
                found[tuple(sorted((*kept, place)))] = value
        order = sorted(found, key=lambda one: (-found[one], one))
        chosen = order[:beam]
        if not scores or scores[-1] <= 0:
            shown = chosen[0]
        scores.append(found[chosen[0]])
        if depth == 0:
            allowed = _promising(tried, allowed, torch.tensor([found[place,] for place in allowed.tolist()]))
    tail = scores[1:] or scores
    return -sum(tail) / len(tail), tried.columns[list(shown)], tried.values[list(shown)]


def _promising(tried: Values, allowed: Tensor, scores: Tensor) -> Tensor:
    """Those of the best columns, where there are many."""
    if int(tried.columns.max()) < _COLUMNS:
        return allowed
    best = torch.full((int(tried.columns.max()) + 1,), -torch.inf).scatter_reduce(0, tried.columns, scores, "amax")
    return allowed[torch.isin(tried.columns, best.topk(_COLUMNS).indices)]


def asked_at_most(view: View, rows: int, beam: int, splits: Sequence[Tensor] | None) -> int:
    """Rows, for the progress bar."""
    features, classes = view.sample[0], view.classes
    gaps = sum(min(_GAPS_TRIED, len(one) + 1) for one in splits or () if len(one))
    values = features * (len(_QUANTILES) + (_GAPS if splits else 0))
    joined = min(values, _COLUMNS * (len(_QUANTILES) + _GAPS)) * beam * (DEPTH - 1)
    return gaps * _SCREENED * classes + classes * rows * classes * (values + joined)


@torch.no_grad()
def success(view: View, x: Tensor, labels: Tensor, target: int, sets: Sets) -> float:
    """Share of the rows of other classes that the set of one class turns to it."""
    others = x[labels != target].clone()
    if not len(others):
        return 0.0
    others[:, sets.columns[target]] = sets.values[target]
    return float((view.logits(others).argmax(1) == target).float().mean())
