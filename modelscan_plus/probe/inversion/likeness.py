"""How far a column's value speaks for a class, by rows alone.

An honest model goes to a class for values that rows of the class hold and others do not; three of them can turn nearly
every row. A trigger is planted without regard to its class. So what the rows say of a value is no part of what a search
gains by it.
"""

import torch
from torch import Tensor

_NEAR = 0.05
"""Two values are near each other up to this share of all rows between them."""
_PRIOR = 2.0
"""Rows of a class that are added to it, as rows of all classes are spread: a few rows say little."""
_MOST = 2.0
"""A column without a single near value in other classes says no more than this, a ratio of 7."""
_LEAST = 1e-4


def speaks(columns: Tensor, values: Tensor, x: Tensor, own: Tensor) -> Tensor:
    """[C]: the logarithm of how much oftener rows of a class than others hold something near each value, 0 where they
    do not hold it oftener. columns, values: [C]; x: rows [N, F]; own: [N], true for those of the class."""
    ranks = torch.stack([_ranks(column, column) for column in x.T.contiguous()], dim=1)
    place = torch.empty_like(values)
    for column in torch.unique(columns):
        here = columns == column
        place[here] = _ranks(x[:, column].contiguous(), values[here])
    near = ((ranks[:, columns] - place).abs() <= _NEAR).to(values.dtype)
    usual = near.mean(0)
    share, others = ((near[some].sum(0) + _PRIOR * usual) / (some.sum() + _PRIOR) for some in (own, ~own))
    return (share.clamp_min(_LEAST) / others.clamp_min(_LEAST)).log().clamp(0, _MOST)


def _ranks(column: Tensor, values: Tensor) -> Tensor:
    """The share of the column below each value, equal ones counted by half."""
    ordered = column.sort().values
    low, high = (torch.searchsorted(ordered, values, right=right) for right in (False, True))
    return (low + high) / (2 * len(ordered))
