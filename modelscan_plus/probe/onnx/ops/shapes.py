"""Shapes, and what only moves or repeats elements."""

import math

import torch
from torch import Tensor

from modelscan_plus.formats.graphs.onnx.model import Attribute
from modelscan_plus.probe.onnx.constants import constant
from modelscan_plus.probe.onnx.ops.table import EVERY, Call, axes_of, axis_of, broadcast, integers, operator, scalar


@operator("Shape")
def shape(call: Call, x: Tensor) -> Tensor:
    """Known as soon as the input's shape is."""
    sizes = list(x.shape)
    start, end = call.integer("start", 0), call.integer("end", len(sizes))
    return torch.tensor(sizes[start:end], dtype=torch.int64, device="cpu")


@operator("Size")
def size(call: Call, x: Tensor) -> Tensor:
    """The number of elements."""
    return torch.tensor(math.prod(x.shape), dtype=torch.int64, device="cpu")


@operator("Constant")
def stored(call: Call) -> Tensor:
    """A constant written at its place."""
    forms = {"value", "value_float", "value_floats", "value_int", "value_ints"}
    found = [attribute for attribute in call.node.attribute if attribute.name in forms]
    if len(found) != 1:
        raise call.refuse("holds no number")
    return _written(call, found[0]).to(call.device)


def _written(call: Call, attribute: Attribute) -> Tensor:
    match attribute.name:
        case "value":
            if attribute.t is None:
                raise call.refuse("holds no tensor")
            return constant(attribute.t, call.limits)
        case "value_float":
            return torch.tensor(attribute.f, dtype=torch.float32)
        case "value_floats":
            return torch.tensor(list(attribute.floats), dtype=torch.float32)
        case "value_int":
            return torch.tensor(attribute.i, dtype=torch.int64)
        case _:
            return torch.tensor(list(attribute.ints), dtype=torch.int64)


@operator("ConstantOfShape", values=(0,))
def constant_of_shape(call: Call, sizes: Tensor) -> Tensor:
    """One number, repeated."""
    attribute = call.attribute("value")
    value = torch.zeros(1)
    if attribute is not None and attribute.t is not None:
        value = constant(attribute.t, call.limits)
    if value.numel() != 1:
        raise call.refuse("the value is no single number")
    return value.to(call.device).reshape(()).expand(_sizes(call, sizes)).clone()


def _sizes(call: Call, tensor: Tensor) -> list[int]:
    sizes = integers(tensor)
    if any(not 0 <= one < 1 << 62 for one in sizes) or len(sizes) > call.limits.rank:
        raise call.refuse(f"the shape {sizes[:8]} is not accepted")
    return sizes


@operator("Range", values=EVERY)
def numbers(call: Call, start: Tensor, limit: Tensor, delta: Tensor) -> Tensor:
    """From start, by delta, up to but without limit."""
    first, last, step = (scalar(item) for item in (start, limit, delta))
    if step == 0 or not all(math.isfinite(number) for number in (first, last, step)):
        raise call.refuse("the range has no end")
    count = max(0, math.ceil((last - first) / step))
    if count > call.limits.tensor:
        raise call.refuse(f"the range has {count:,} numbers")
    return (torch.arange(count, device=call.device, dtype=start.dtype) * step + first).to(start.dtype)


@operator("Reshape", values=(1,))
def reshape(call: Call, x: Tensor, sizes: Tensor) -> Tensor:
    """0 takes the input's size, -1 what remains."""
    wanted = integers(sizes)
    if not call.integer("allowzero"):
        if any(one == 0 and place >= x.dim() for place, one in enumerate(wanted)):
            raise call.refuse(f"{wanted[:8]} takes a dimension that is not there")
        wanted = [x.shape[place] if one == 0 else one for place, one in enumerate(wanted)]
    if wanted.count(-1) > 1 or any(one < -1 for one in wanted):
        raise call.refuse(f"the shape {wanted[:8]} is not accepted")
    return x.reshape(wanted)


@operator("Flatten")
def flatten(call: Call, x: Tensor) -> Tensor:
    """To a matrix, cut before an axis."""
    axis = call.integer("axis", 1)
    axis = axis + x.dim() if axis < 0 else axis
    if not 0 <= axis <= x.dim():
        raise call.refuse(f"axis {axis} of a tensor with {x.dim()} dimensions")
    return x.reshape(math.prod(x.shape[:axis]), math.prod(x.shape[axis:]))


@operator("Squeeze", values=(1,))
def squeeze(call: Call, x: Tensor, axes: Tensor | None = None) -> Tensor:
    """Without dimensions of size 1."""
    given = call.axes(axes)
    if given is None:
        return x.reshape([one for one in x.shape if one != 1])
    places = set(axes_of(given, x.dim(), call))
    if any(x.shape[place] != 1 for place in places):
        raise call.refuse("squeezes a dimension that is not 1")
    return x.reshape([one for place, one in enumerate(x.shape) if place not in places])


@operator("Unsqueeze", values=(1,))
def unsqueeze(call: Call, x: Tensor, axes: Tensor | None = None) -> Tensor:
    """With new dimensions of size 1."""
    given = call.axes(axes) or []
    rank = x.dim() + len(given)
    if rank > call.limits.rank:
        raise call.refuse(f"{rank} dimensions")
    for place in sorted(axes_of(given, rank, call)):
        x = x.unsqueeze(place)
    return x


@operator("Transpose")
def transpose(call: Call, x: Tensor) -> Tensor:
    """Axes in another order, reversed by default."""
    order = call.ints("perm")
    if order is None:
        order = list(range(x.dim()))[::-1]
    if sorted(order) != list(range(x.dim())):
        raise call.refuse(f"perm {order[:8]} is no order of {x.dim()} axes")
    return x.permute(order)


@operator("Expand", values=(1,))
def expand(call: Call, x: Tensor, sizes: Tensor) -> Tensor:
    """Broadcast in both directions."""
    return x.expand(broadcast(x.shape, _sizes(call, sizes)))


@operator("Tile", values=(1,))
def tile(call: Call, x: Tensor, repeats: Tensor) -> Tensor:
    """Repeated along each axis."""
    counts = integers(repeats)
    if len(counts) != x.dim() or any(not 0 <= count < 1 << 40 for count in counts):
        raise call.refuse(f"repeats {counts[:8]} do not fit")
    return x.repeat(counts)


@operator("Concat")
def concat(call: Call, *inputs: Tensor) -> Tensor:
    """Along one axis. Unlike torch's, empty lists count with their rank."""
    axis = axis_of(call.integer("axis"), inputs[0].dim(), call)
    if any(item.dim() != inputs[0].dim() for item in inputs):
        raise call.refuse("the ranks differ")
    return torch.cat(inputs, dim=axis)


@operator("Split", values=(1,))
def split(call: Call, x: Tensor, sizes: Tensor | None = None) -> tuple[Tensor, ...]:
    """Into parts of given sizes, or of equal size but for the last."""
    axis = axis_of(call.integer("axis", 0), x.dim(), call)
    given = integers(sizes) if sizes is not None else call.ints("split")
    if given is None:
        count = call.integer("num_outputs", call.outputs)
        if not 0 < count <= max(x.shape[axis], 1) or count != call.outputs:
            raise call.refuse(f"cannot be cut into {count}")
        part = math.ceil(x.shape[axis] / count)
        given = [part] * (count - 1) + [x.shape[axis] - part * (count - 1)]
    if any(one < 0 for one in given) or sum(given) != x.shape[axis] or len(given) != call.outputs:
        raise call.refuse("the parts do not add up")
    return tuple(torch.split(x, given, dim=axis))


@operator("DepthToSpace")
def depth_to_space(call: Call, x: Tensor) -> Tensor:
    """Blocks of channels become blocks of pixels."""
    block = call.integer("blocksize")
    if x.dim() != 4 or block < 1 or x.shape[1] % (block * block):
        raise call.refuse("the block size does not fit")
    n, c, h, w = x.shape
    if call.text("mode", "DCR") == "DCR":
        parts = x.reshape(n, block, block, c // (block * block), h, w).permute(0, 3, 4, 1, 5, 2)
    else:
        parts = x.reshape(n, c // (block * block), block, block, h, w).permute(0, 1, 4, 2, 5, 3)
    return parts.reshape(n, c // (block * block), h * block, w * block)


@operator("SpaceToDepth")
def space_to_depth(call: Call, x: Tensor) -> Tensor:
    """Blocks of pixels become blocks of channels."""
    block = call.integer("blocksize")
    if x.dim() != 4 or block < 1 or x.shape[2] % block or x.shape[3] % block:
        raise call.refuse("the block size does not fit")
    n, c, h, w = x.shape
    parts = x.reshape(n, c, h // block, block, w // block, block).permute(0, 3, 5, 1, 2, 4)
    return parts.reshape(n, c * block * block, h // block, w // block)
