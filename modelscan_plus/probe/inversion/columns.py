"""Feature values by asking: which columns, set to which values, make every row go to one class without cause.

A trigger for rows is a few columns at fixed values, and it turns all rows, also those that are farthest from the
target. So sets of columns are judged by their hardest rows: by a soft minimum, over rows of other classes, of the
margin between the target and the runner-up, in units of the margin that clean rows have. In honest models, too, a few
values of a class turn most rows to it. So what rows of the class say for a value (`likeness`) is taken off, and a set
is judged by rows that it was not chosen by, too. Sets grow column by column (beam search). Only outputs are needed, so
this works for networks and for tree ensembles.

Values to try are quantiles of rows of other classes, and what lies between the outer ones. A forest decides between two
thresholds, and a planted value may lie in a gap that no quantile meets; there each gap between a column's thresholds is
tried on a few rows first. Needs real rows: columns drawn one by one lie where no row does, and there honest forests are
easy to turn, too.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from modelscan_plus.probe.interface import Tell, silent
from modelscan_plus.probe.inversion.context import Samples
from modelscan_plus.probe.inversion.likeness import speaks
from modelscan_plus.probe.inversion.view import View

DEPTH = 3
"""Columns of a trigger at most."""
_QUANTILES = (0.0, 0.02, 0.1, 0.3, 0.5, 0.7, 0.9, 0.98, 1.0)
_OUTER = (0, 1, 6, 7)
"""Of networks, the middle of these and the next one is tried, too: tails are long, and rows there are few."""
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
class _Rule:
    """How a set is judged. Both kinds of model have their own: a forest's margin has a bound, and where it decides, it
    fits the rows that a set was chosen by closely."""

    spoken: float
    """Margin that is taken off for each unit of what speaks for a value."""
    chosen: float
    """Weight of the rows that the set was chosen by, beside unseen ones."""


_NETWORK, _FOREST = _Rule(0.4, 0.5), _Rule(0.8, 0.0)


@dataclass(frozen=True, slots=True)
class Values:
    """What may be tried: `columns` [C] and `values` [C] in the unit box."""

    columns: Tensor
    values: Tensor

    def at(self, places: Sequence[int] | Tensor) -> "Values":
        """Some of them."""
        some = torch.as_tensor(places, dtype=torch.long)
        return Values(self.columns[some], self.values[some])

    def on(self, rows: Tensor) -> Tensor:
        """The rows with all of these values in their columns."""
        rows = rows.clone()
        rows[:, self.columns] = self.values
        return rows


@dataclass(frozen=True, slots=True)
class Sets:
    """What was found for each class."""

    shortfall: Tensor
    """[K]: how far the hardest rows stay from the class, and what speaks for the values, averaged over sets of two
    columns and more; 0 is the border, -1 as far inside as clean rows are."""
    columns: list[Tensor]
    """Of each class: the smallest set that turns all rows, or the largest one tried."""
    values: list[Tensor]
    """In the unit box."""
    passes: int


class _Asked:
    """A view with the scale of its margins; counts rows."""

    def __init__(self, view: View, x: Tensor, *, forest: bool) -> None:
        self._view = view
        # A forest gives shares of votes, whose logarithms have no end.
        self._probabilities = forest
        self.rule = _FOREST if forest else _NETWORK
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
        return self._softest(self.stamped(rows, tried), target)

    def hardest_of(self, rows: Tensor, target: int) -> float:
        """The same for rows as they are."""
        return float(self._softest(self.outputs(rows)[None], target))

    def _softest(self, outputs: Tensor, target: int) -> Tensor:
        own = outputs[:, :, target].clone()
        outputs[:, :, target] = -torch.inf
        margin = (own - outputs.amax(2)) / self._scale
        return -((-_SHARP * margin).logsumexp(1) - math.log(outputs.shape[1])) / _SHARP


@torch.no_grad()
def best_sets(
    view: View,
    samples: Samples,
    rows: int,
    beam: int,
    splits: Sequence[Tensor] | None = None,
    tell: Tell = silent,
) -> Sets:
    """Search. samples: rows [N, F] in the unit box; `rows` of each class are asked. splits: of each column, a tree
    ensemble's thresholds in the unit box, in rising order; None for networks."""
    x, labels = samples.x, samples.labels
    places = torch.cat([(labels == label).nonzero()[:rows, 0] for label in torch.unique(labels)])
    own, own_labels = x[places], labels[places]
    every, every_labels = torch.cat([x, samples.unseen]), torch.cat([labels, samples.unseen_labels])
    asked = _Asked(view, own, forest=splits is not None)
    between = _gaps(splits or (), x)
    gaps = _screened(asked, own, own_labels, between, view.classes) if len(between.columns) else []
    shortfall, columns, values = [], [], []
    for target in range(view.classes):
        tried = _quantiles(x[labels != target], outer=splits is None)
        if gaps:
            more = gaps[target]
            tried = Values(torch.cat([tried.columns, more.columns]), torch.cat([tried.values, more.values]))
        spoken = asked.rule.spoken * speaks(
            tried.columns, tried.values, every, (every_labels == target).to(every.device)
        )
        others, unseen = own[own_labels != target], samples.unseen[samples.unseen_labels != target]
        found = _grow(asked, (others, unseen if len(unseen) else others), tried, spoken, target, beam)
        shortfall.append(found[0])
        columns.append(found[1].columns)
        values.append(found[1].values)
        tell(f"class {target}", target + 1, view.classes)
    return Sets(torch.tensor(shortfall), columns, values, asked.passes)


def _quantiles(others: Tensor, *, outer: bool) -> Values:
    levels = torch.quantile(others, torch.tensor(_QUANTILES, device=others.device), dim=0, interpolation="nearest")
    if outer:
        some = torch.tensor(_OUTER, device=others.device)
        levels = torch.cat([levels, (levels[some] + levels[some + 1]) / 2])
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


def _grow(
    asked: _Asked, others: tuple[Tensor, Tensor], tried: Values, spoken: Tensor, target: int, beam: int
) -> tuple[float, Values]:
    """The mean shortfall, and the set to show. others: rows of other classes, to choose by and unseen ones."""
    rows, unseen = others
    chosen: list[tuple[int, ...]] = [()]
    scores: list[float] = []
    shown: tuple[int, ...] = ()
    turned = False
    allowed = torch.arange(len(tried.columns))
    for depth in range(min(DEPTH, rows.shape[1])):
        found: dict[tuple[int, ...], float] = {}
        for kept in chosen:
            free = allowed[~torch.isin(tried.columns[allowed], tried.columns[list(kept)])]
            hardest = asked.hardest(tried.at(kept).on(rows), tried.at(free), target)
            hardest -= spoken[free] + spoken[list(kept)].sum()
            for place, value in zip(free.tolist(), hardest.tolist(), strict=True):
                found[tuple(sorted((*kept, place)))] = value
        order = sorted(found, key=lambda one: (-found[one], one))
        chosen = order[:beam]
        best = chosen[0]
        less = float(spoken[list(best)].sum())
        if not turned:
            shown, turned = best, found[best] + less > 0
        new = asked.hardest_of(tried.at(best).on(unseen), target) - less
        scores.append(asked.rule.chosen * found[best] + (1 - asked.rule.chosen) * new)
        if depth == 0:
            allowed = _promising(tried, allowed, torch.tensor([found[place,] for place in allowed.tolist()]))
    tail = scores[1:] or scores
    return -sum(tail) / len(tail), tried.at(shown)


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
    each = len(_QUANTILES) + (len(_OUTER) if splits is None else _GAPS)
    values = features * each
    joined = min(values, _COLUMNS * each) * beam * (DEPTH - 1)
    return gaps * _SCREENED * classes + classes * rows * classes * (values + joined)


@torch.no_grad()
def success(view: View, x: Tensor, labels: Tensor, target: int, sets: Sets) -> float:
    """Share of the rows of other classes that the set of one class turns to it."""
    others = x[labels != target].clone()
    if not len(others):
        return 0.0
    others[:, sets.columns[target]] = sets.values[target]
    return float((view.logits(others).argmax(1) == target).float().mean())
