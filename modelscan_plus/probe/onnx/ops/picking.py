"""What picks elements by place, and puts them."""

import math

import torch
from torch import Tensor

from modelscan_plus.probe.onnx.ops.table import Call, axis_of, integers, operator, scalar, unknown_attribute

_OPEN = 1 << 62
_LISTED = 1 << 22
"""Places that are listed one by one."""


@operator("Slice", values=(1, 2, 3, 4))
def cut(
    call: Call,
    x: Tensor,
    starts: Tensor | None = None,
    ends: Tensor | None = None,
    axes: Tensor | None = None,
    steps: Tensor | None = None,
) -> Tensor:
    """Along several axes, also backwards. Bounds were attributes before operator set 10."""
    first = integers(starts) if starts is not None else call.ints("starts") or []
    last = integers(ends) if ends is not None else call.ints("ends") or []
    places = call.axes(axes)
    places = list(range(len(first))) if places is None else places
    strides = integers(steps) if steps is not None else [1] * len(first)
    if not len(first) == len(last) == len(places) == len(strides):
        raise call.refuse("starts, ends, axes and steps do not fit one another")
    for start, end, place, step in zip(first, last, places, strides, strict=True):
        axis = axis_of(place, x.dim(), call)
        if step == 0:
            raise call.refuse("a step of 0")
        begin, stop, stride = slice(_bound(start), _bound(end), max(-_OPEN, min(step, _OPEN))).indices(x.shape[axis])
        if step > 0:
            count = max(0, -(-(stop - begin) // stride))
            part = x.narrow(axis, begin if count else 0, min((count - 1) * stride + 1, x.shape[axis]) if count else 0)
            x = part[(slice(None),) * axis + (slice(None, None, min(stride, max(x.shape[axis], 1))),)]
        else:
            count = max(0, -(-(begin - stop) // -stride))
            if not count:
                x = x.narrow(axis, 0, 0)
                continue
            lowest = begin + (count - 1) * stride
            part = x.narrow(axis, lowest, begin - lowest + 1)
            x = part[(slice(None),) * axis + (slice(None, None, -stride if count > 1 else 1),)].flip(axis)
    return x


def _bound(value: int) -> int:
    return max(-_OPEN, min(value, _OPEN))


def _forward(places: Tensor, size: int) -> Tensor:
    """Places from the front: negative ones count from the end."""
    return torch.where(places < 0, places + size, places)


@operator("Gather")
def gather(call: Call, x: Tensor, places: Tensor) -> Tensor:
    """Whole slices along an axis."""
    axis = axis_of(call.integer("axis", 0), x.dim(), call)
    chosen = x.index_select(axis, _forward(places.reshape(-1).long(), x.shape[axis]))
    return chosen.reshape((*x.shape[:axis], *places.shape, *x.shape[axis + 1 :]))


@operator("GatherElements")
def gather_elements(call: Call, x: Tensor, places: Tensor) -> Tensor:
    """Single elements along an axis."""
    axis = axis_of(call.integer("axis", 0), x.dim(), call)
    return x.gather(axis, _forward(places.long(), x.shape[axis]))


@operator("GatherND")
def gather_nd(call: Call, x: Tensor, places: Tensor) -> Tensor:
    """By tuples of places, the last axis of `places`."""
    batch = call.integer("batch_dims", 0)
    depth = places.shape[-1]
    if not 0 <= batch < min(x.dim(), places.dim()) or not 1 <= depth <= x.dim() - batch:
        raise call.refuse("the places do not fit the data")
    if x.shape[:batch] != places.shape[:batch]:
        raise call.refuse("the batch dimensions differ")
    lead = math.prod(x.shape[:batch])
    flat = x.reshape(lead, *x.shape[batch:])
    parts = places.long().reshape(lead, -1, depth)
    index = [torch.arange(lead, device=x.device).reshape(lead, 1).expand(lead, parts.shape[1])]
    index += [_forward(parts[..., place], flat.shape[place + 1]) for place in range(depth)]
    return flat[tuple(index)].reshape((*places.shape[:-1], *x.shape[batch + depth :]))


@operator("ScatterElements", "Scatter")
def scatter_elements(call: Call, x: Tensor, places: Tensor, updates: Tensor) -> Tensor:
    """Single elements along an axis, written or combined."""
    axis = axis_of(call.integer("axis", 0), x.dim(), call)
    index = _forward(places.long(), x.shape[axis])
    kind = call.text("reduction", "none")
    if kind == "none":
        return x.scatter(axis, index, updates)
    names = {"add": "sum", "mul": "prod", "min": "amin", "max": "amax"}
    if kind not in names:
        raise unknown_attribute(call, "reduction")
    return x.scatter_reduce(axis, index, updates, reduce=names[kind])


@operator("ScatterND")
def scatter_nd(call: Call, x: Tensor, places: Tensor, updates: Tensor) -> Tensor:
    """By tuples of places; what is written or added."""
    depth = places.shape[-1]
    kind = call.text("reduction", "none")
    if not 1 <= depth <= x.dim() or kind not in ("none", "add"):
        raise call.refuse("the places do not fit the data, or the reduction is not known here")
    parts = places.long().reshape(-1, depth)
    index = tuple(_forward(parts[:, place], x.shape[place]) for place in range(depth))
    values = updates.reshape(parts.shape[0], *x.shape[depth:])
    return x.index_put(index, values, accumulate=kind == "add")


@operator("OneHot", values=(1,))
def one_hot(call: Call, places: Tensor, depth: Tensor, values: Tensor) -> Tensor:
    """`values` holds what is off and what is on; places outside are off everywhere."""
    count = int(scalar(depth))
    if not 0 < count <= call.limits.tensor or values.shape != (2,):
        raise call.refuse(f"depth {count}")
    rank = places.dim() + 1
    axis = axis_of(call.integer("axis", -1), rank, call)
    index = places.long().unsqueeze(axis)
    index = torch.where(index < 0, index + count, index)
    line = torch.arange(count, device=places.device).reshape([-1 if place == axis else 1 for place in range(rank)])
    return torch.where(index == line, values[1], values[0])


@operator("NonZero", shaped_by_data=True)
def non_zero(call: Call, x: Tensor) -> Tensor:
    """Places, one axis to a row."""
    return torch.nonzero(x).t()


@operator("Compress", values=(1,))
def compress(call: Call, x: Tensor, condition: Tensor) -> Tensor:
    """Slices for which a known condition holds."""
    places = torch.nonzero(condition.reshape(-1)).reshape(-1)
    axis = call.attribute("axis")
    flat = x.reshape(-1) if axis is None else x
    place = 0 if axis is None else axis_of(axis.i, x.dim(), call)
    return flat.index_select(place, places.to(x.device))


@operator("EyeLike")
def eye_like(call: Call, x: Tensor) -> Tensor:
    """Ones on a diagonal."""
    if x.dim() != 2 or call.has("dtype"):
        raise call.refuse("takes a matrix, without dtype")
    rows = torch.arange(x.shape[0], device=x.device).reshape(-1, 1)
    columns = torch.arange(x.shape[1], device=x.device)
    return (columns - rows == call.integer("k", 0)).to(x.dtype)


@operator("ReverseSequence", values=(1,))
def reverse_sequence(call: Call, x: Tensor, lengths: Tensor) -> Tensor:
    """The first elements of each sequence backwards, for known lengths."""
    batch, time = call.integer("batch_axis", 1), call.integer("time_axis", 0)
    sizes = integers(lengths)
    if {batch, time} != {0, 1} or x.dim() < 2 or len(sizes) != x.shape[batch] or x.shape[0] * x.shape[1] > _LISTED:
        raise call.refuse("the axes do not fit")
    line = torch.arange(x.shape[time])
    if any(not 1 <= one <= x.shape[time] for one in sizes):
        raise call.refuse("a length does not fit")
    order = torch.stack([torch.where(line < one, one - 1 - line, line) for one in sizes], dim=batch)
    shaped = order.reshape(*order.shape, *[1] * (x.dim() - 2)).expand(x.shape)
    return x.gather(time, shaped.to(x.device))
