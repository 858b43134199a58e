"""Sums, means, extremes and their places along axes."""

from collections.abc import Callable

import torch
from torch import Tensor

from modelscan_plus.probe.onnx.ops.table import Call, axes_of, axis_of, operator, scalar

Reduce = Callable[[Tensor, list[int], bool], Tensor]


def _product(x: Tensor, axes: list[int], keep: bool) -> Tensor:
    for axis in sorted(axes, reverse=True):
        x = x.prod(axis, keepdim=keep, dtype=x.dtype)
    return x


def _mean(x: Tensor, axes: list[int], keep: bool) -> Tensor:
    if x.is_floating_point():
        return x.mean(axes, keepdim=keep)
    count = 1
    for axis in axes:
        count *= x.shape[axis]
    return torch.div(x.sum(axes, keepdim=keep), count, rounding_mode="trunc").to(x.dtype)


_REDUCTIONS: dict[str, Reduce] = {
    "ReduceL1": lambda x, axes, keep: x.abs().sum(axes, keepdim=keep, dtype=x.dtype),
    "ReduceL2": lambda x, axes, keep: (x * x).sum(axes, keepdim=keep, dtype=x.dtype).sqrt(),
    "ReduceLogSum": lambda x, axes, keep: x.sum(axes, keepdim=keep).log(),
    "ReduceLogSumExp": lambda x, axes, keep: torch.logsumexp(x, axes, keepdim=keep),
    "ReduceMax": lambda x, axes, keep: x.amax(axes, keepdim=keep),
    "ReduceMean": _mean,
    "ReduceMin": lambda x, axes, keep: x.amin(axes, keepdim=keep),
    "ReduceProd": _product,
    "ReduceSum": lambda x, axes, keep: x.sum(axes, keepdim=keep, dtype=x.dtype),
    "ReduceSumSquare": lambda x, axes, keep: (x * x).sum(axes, keepdim=keep, dtype=x.dtype),
}


def _reduction(name: str, reduce: Reduce) -> None:
    def run(call: Call, x: Tensor, axes: Tensor | None = None) -> Tensor:
        given = call.axes(axes)
        if not given:
            if call.integer("noop_with_empty_axes"):
                if name not in ("ReduceSum", "ReduceMax", "ReduceMin", "ReduceMean", "ReduceProd"):
                    raise call.refuse("no axes to reduce over")
                return x
            given = list(range(x.dim()))
        return (
            reduce(x, axes_of(given, x.dim(), call), bool(call.integer("keepdims", 1)))
            if x.dim()
            else reduce(
                x.reshape(1),
                [0],
                False,
            )
        )

    operator(name, values=(1,))(run)


for _name, _reduce in _REDUCTIONS.items():
    _reduction(_name, _reduce)


def _extreme(call: Call, x: Tensor, find: Callable[..., Tensor]) -> Tensor:
    axis = axis_of(call.integer("axis", 0), x.dim(), call)
    keep = bool(call.integer("keepdims", 1))
    if call.integer("select_last_index"):
        return x.shape[axis] - 1 - find(x.flip(axis), axis, keepdim=keep)
    return find(x, axis, keepdim=keep)


@operator("ArgMax")
def arg_max(call: Call, x: Tensor) -> Tensor:
    """The place of the largest, the first or the last of equal ones."""
    return _extreme(call, x, torch.argmax)


@operator("ArgMin")
def arg_min(call: Call, x: Tensor) -> Tensor:
    """The place of the smallest, the first or the last of equal ones."""
    return _extreme(call, x, torch.argmin)


@operator("TopK", values=(1,))
def top_k(call: Call, x: Tensor, k: Tensor | None = None) -> tuple[Tensor, Tensor]:
    """Values and places; of equal ones the first counts as larger."""
    axis = axis_of(call.integer("axis", -1), x.dim(), call)
    count = int(scalar(k)) if k is not None else call.integer("k")
    if not 0 <= count <= x.shape[axis]:
        raise call.refuse(f"k {count} of {x.shape[axis]}")
    values, places = torch.sort(x, dim=axis, descending=bool(call.integer("largest", 1)), stable=True)
    return values.narrow(axis, 0, count), places.narrow(axis, 0, count)


@operator("CumSum", values=(1,))
def cumulative_sum(call: Call, x: Tensor, axis: Tensor) -> Tensor:
    """Running sums, from either end, with or without the element itself."""
    place = axis_of(int(scalar(axis)), x.dim(), call)
    turned = x.flip(place) if call.integer("reverse") else x
    sums = turned.cumsum(place, dtype=x.dtype)
    if call.integer("exclusive"):
        sums = sums - turned
    return sums.flip(place) if call.integer("reverse") else sums
