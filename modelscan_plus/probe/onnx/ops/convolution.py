"""Convolutions and pooling over one to three spatial dimensions."""

import math
from collections.abc import Callable, Sequence

import torch
import torch.nn.functional as f
from torch import Tensor

from modelscan_plus.probe.onnx.ops.table import Call, operator, unknown_attribute

_Torch = Callable[..., Tensor]
_CONV: dict[int, _Torch] = {1: f.conv1d, 2: f.conv2d, 3: f.conv3d}
_TRANSPOSED: dict[int, _Torch] = {1: f.conv_transpose1d, 2: f.conv_transpose2d, 3: f.conv_transpose3d}
_MAX_POOL: dict[int, _Torch] = {1: f.max_pool1d, 2: f.max_pool2d, 3: f.max_pool3d}
_AVERAGE: dict[int, _Torch] = {1: f.avg_pool1d, 2: f.avg_pool2d, 3: f.avg_pool3d}


def spatial(call: Call, x: Tensor) -> int:
    """Spatial dimensions of [N, C, …]."""
    rank = x.dim() - 2
    if rank not in _CONV:
        raise call.refuse(f"takes one to three spatial dimensions, not {rank}")
    return rank


def per_axis(call: Call, name: str, rank: int, default: int = 1, lowest: int = 1) -> list[int]:
    """A list of one number for each axis."""
    found = call.ints(name)
    if not found:
        return [default] * rank
    if len(found) != rank or any(not lowest <= value < 1 << 31 for value in found):
        raise call.refuse(f"{name} {found[:6]} does not fit {rank} spatial dimensions")
    return found


def padding(call: Call, sizes: Sequence[int], windows: Sequence[int], strides: Sequence[int]) -> list[tuple[int, int]]:
    """What is added before and after each axis. `windows` are sizes of dilated kernels."""
    rank = len(sizes)
    auto = call.text("auto_pad", "NOTSET") or "NOTSET"
    if auto == "NOTSET":
        pads = call.ints("pads") or [0] * (2 * rank)
        if len(pads) != 2 * rank or any(not 0 <= pad < 1 << 31 for pad in pads):
            raise call.refuse(f"pads {pads[:6]} do not fit")
        return list(zip(pads[:rank], pads[rank:], strict=True))
    if auto == "VALID":
        return [(0, 0)] * rank
    if auto not in ("SAME_UPPER", "SAME_LOWER"):
        raise unknown_attribute(call, "auto_pad")
    result = []
    for size, window, stride in zip(sizes, windows, strides, strict=True):
        total = max(0, (math.ceil(size / stride) - 1) * stride + window - size)
        less, more = total // 2, total - total // 2
        result.append((less, more) if auto == "SAME_UPPER" else (more, less))
    return result


def _apply(x: Tensor, pads: Sequence[tuple[int, int]], value: float = 0.0) -> tuple[Tensor, list[int]]:
    """Pads that are the same on both sides are left to the operation; others are added here."""
    if all(before == after for before, after in pads):
        return x, [before for before, _ in pads]
    flat = [side for pair in reversed(pads) for side in pair]
    return f.pad(x, flat, value=value), [0] * len(pads)


@operator("Conv")
def conv(call: Call, x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """Cross-correlation, grouped, dilated."""
    rank = spatial(call, x)
    if weight.dim() != rank + 2 or call.integer("group", 1) < 1:
        raise call.refuse("the weights do not fit the input")
    strides, dilations = per_axis(call, "strides", rank), per_axis(call, "dilations", rank)
    kernel = list(weight.shape[2:])
    if (declared := call.ints("kernel_shape")) and declared != kernel:
        raise call.refuse("kernel_shape contradicts the weights")
    windows = [dilation * (size - 1) + 1 for dilation, size in zip(dilations, kernel, strict=True)]
    padded, pads = _apply(x, padding(call, x.shape[2:], windows, strides))
    return _CONV[rank](padded, weight, bias, strides, pads, dilations, call.integer("group", 1))


@operator("ConvTranspose")
def conv_transpose(call: Call, x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """The gradient of a convolution: computed in full, then cut to the wanted size."""
    rank = spatial(call, x)
    group = call.integer("group", 1)
    if weight.dim() != rank + 2 or group < 1:
        raise call.refuse("the weights do not fit the input")
    strides, dilations = per_axis(call, "strides", rank), per_axis(call, "dilations", rank)
    extra = per_axis(call, "output_padding", rank, default=0, lowest=0)
    windows = [d * (size - 1) + 1 for d, size in zip(dilations, weight.shape[2:], strict=True)]
    full = [(size - 1) * s + w for size, s, w in zip(x.shape[2:], strides, windows, strict=True)]
    cuts = _cuts(call, list(x.shape[2:]), full, strides, extra)
    result = _TRANSPOSED[rank](x, weight, bias, strides, 0, 0, group, dilations)
    grow = [max(0, before + size - have) for (before, size), have in zip(cuts, full, strict=True)]
    if any(grow):
        # What lies beyond the last product is the bias alone.
        result = _TRANSPOSED[rank](x, weight, None, strides, 0, 0, group, dilations)
        result = f.pad(result, [side for more in reversed(grow) for side in (0, more)])
        if bias is not None:
            result = result + bias.reshape(-1, *[1] * rank)
    for axis, (before, size) in enumerate(cuts):
        result = result.narrow(axis + 2, before, size)
    return result


def _cuts(call: Call, sizes: list[int], full: list[int], strides: list[int], extra: list[int]) -> list[tuple[int, int]]:
    """Where the wanted output begins in the full one, and its size."""
    rank = len(sizes)
    shape = call.ints("output_shape")
    auto = call.text("auto_pad", "NOTSET") or "NOTSET"
    if auto not in ("NOTSET", "VALID", "SAME_UPPER", "SAME_LOWER"):
        raise unknown_attribute(call, "auto_pad")
    if shape is None and auto.startswith("SAME"):
        shape = [size * stride for size, stride in zip(sizes, strides, strict=True)]
    if shape is None:
        pads = call.ints("pads") or [0] * (2 * rank)
        if auto == "VALID":
            pads = [0] * (2 * rank)
        if len(pads) != 2 * rank or any(pad < 0 for pad in pads):
            raise call.refuse(f"pads {pads[:6]} do not fit")
        ends = [f + e - a for f, e, a in zip(full, extra, pads[rank:], strict=True)]
        cuts = [(before, end - before) for before, end in zip(pads[:rank], ends, strict=True)]
    else:
        shape = shape[-rank:]
        if len(shape) != rank:
            raise call.refuse("output_shape does not fit")
        cuts = []
        for have, more, want in zip(full, extra, shape, strict=True):
            total = have + more - want
            before = total // 2 if auto != "SAME_LOWER" else total - total // 2
            if auto not in ("SAME_UPPER", "SAME_LOWER"):
                before = total - total // 2
            cuts.append((before, want))
    if any(before < 0 or not 0 < size < 1 << 31 for before, size in cuts):
        raise call.refuse("nothing is left of the output")
    return cuts


def _ceil_pads(
    call: Call, sizes: Sequence[int], windows: list[int], strides: list[int], pads: list[tuple[int, int]]
) -> tuple[list[tuple[int, int]], list[int]]:
    """With `ceil_mode` one more window may begin inside input and padding: pads that reach to its end, and how far they
    go beyond those that are declared."""
    result, beyond = [], []
    for size, window, stride, (before, after) in zip(sizes, windows, strides, pads, strict=True):
        count = math.ceil((size + before + after - window) / stride) + 1
        if (count - 1) * stride >= size + before:
            count -= 1  # it would begin in the padding behind
        reach = max(0, (count - 1) * stride + window - size - before)
        result.append((before, max(after, reach)))
        beyond.append(max(0, reach - after))
    return result, beyond


def _pool_frame(call: Call, x: Tensor) -> tuple[int, list[int], list[int], list[int], list[tuple[int, int]], list[int]]:
    rank = spatial(call, x)
    if not call.ints("kernel_shape"):
        raise call.refuse("kernel_shape is missing")
    kernel = per_axis(call, "kernel_shape", rank)
    strides, dilations = per_axis(call, "strides", rank), per_axis(call, "dilations", rank)
    windows = [d * (size - 1) + 1 for d, size in zip(dilations, kernel, strict=True)]
    pads = padding(call, x.shape[2:], windows, strides)
    if any(max(pair) >= window for pair, window in zip(pads, windows, strict=True)):
        raise call.refuse("the padding is as large as the window")
    beyond = [0] * rank
    if call.integer("ceil_mode"):
        pads, beyond = _ceil_pads(call, x.shape[2:], windows, strides, pads)
    return rank, kernel, strides, dilations, pads, beyond


@operator("MaxPool")
def max_pool(call: Call, x: Tensor) -> Tensor:
    """The largest of each window; what is outside counts for nothing."""
    if call.wants(1):
        raise call.refuse("gives places of maxima")
    rank, kernel, strides, dilations, pads, _ = _pool_frame(call, x)
    if any(before or after for before, after in pads):
        lowest = -math.inf if x.is_floating_point() else torch.iinfo(x.dtype).min
        x = f.pad(x, [side for pair in reversed(pads) for side in pair], value=lowest)
    pooled: Tensor = _MAX_POOL[rank](x, kernel, strides, 0, dilations)
    return pooled


@operator("AveragePool")
def average_pool(call: Call, x: Tensor) -> Tensor:
    """The mean of each window, over the elements inside the input or, on request, inside the declared padding."""
    rank, kernel, strides, dilations, pads, beyond = _pool_frame(call, x)
    include = bool(call.integer("count_include_pad"))
    if any(dilation > 1 for dilation in dilations):
        return _dilated_average(call, x, kernel, strides, dilations, pads, include=include, beyond=beyond)
    flat = [side for pair in reversed(pads) for side in pair]
    padded = f.pad(x, flat) if any(flat) else x
    mean: Tensor = _AVERAGE[rank](padded, kernel, strides)
    if not any(flat) or (include and not any(beyond)):
        return mean
    return mean / _share(x, kernel, strides, [1] * rank, pads, include=include, beyond=beyond)


def _share(
    x: Tensor,
    kernel: list[int],
    strides: list[int],
    dilations: list[int],
    pads: list[tuple[int, int]],
    *,
    include: bool,
    beyond: list[int],
) -> Tensor:
    """The share of each window's elements that counts."""
    rank = len(kernel)
    ones = torch.ones((1, 1, *x.shape[2:]), dtype=x.dtype, device=x.device)
    if include:
        inner = [(before, after - more) for (before, after), more in zip(pads, beyond, strict=True)]
        ones = f.pad(ones, [side for pair in reversed(inner) for side in pair], value=1.0)
        pads = [(0, more) for more in beyond]
    ones = f.pad(ones, [side for pair in reversed(pads) for side in pair])
    if any(dilation > 1 for dilation in dilations):
        weight = torch.full((1, 1, *kernel), 1 / math.prod(kernel), dtype=x.dtype, device=x.device)
        return _CONV[rank](ones, weight, None, strides, 0, dilations)
    return _AVERAGE[rank](ones, kernel, strides)


def _dilated_average(
    call: Call,
    x: Tensor,
    kernel: list[int],
    strides: list[int],
    dilations: list[int],
    pads: list[tuple[int, int]],
    *,
    include: bool,
    beyond: list[int],
) -> Tensor:
    rank, channels = len(kernel), x.shape[1]
    weight = torch.full((1, 1, *kernel), 1 / math.prod(kernel), dtype=x.dtype, device=x.device)
    padded = f.pad(x, [side for pair in reversed(pads) for side in pair])
    planes = padded.reshape(-1, 1, *padded.shape[2:])
    mean: Tensor = _CONV[rank](planes, weight, None, strides, 0, dilations)
    mean = mean.reshape(x.shape[0], channels, *mean.shape[2:])
    return mean / _share(x, kernel, strides, dilations, pads, include=include, beyond=beyond)


@operator("LpPool")
def lp_pool(call: Call, x: Tensor) -> Tensor:
    """The p-norm of each window."""
    rank, kernel, strides, dilations, pads, _ = _pool_frame(call, x)
    if any(dilation > 1 for dilation in dilations):
        raise call.refuse("dilations")
    p = call.integer("p", 2)
    if p < 1:
        raise call.refuse(f"p {p}")
    powers = x.abs() ** p
    padded = f.pad(powers, [side for pair in reversed(pads) for side in pair])
    pooled: Tensor = _AVERAGE[rank](padded, kernel, strides)
    return (pooled * math.prod(kernel)) ** (1 / p)


@operator("GlobalAveragePool")
def global_average_pool(call: Call, x: Tensor) -> Tensor:
    """The mean over all spatial dimensions, which stay as 1."""
    return x.mean(dim=list(range(2, x.dim())), keepdim=True)


@operator("GlobalMaxPool")
def global_max_pool(call: Call, x: Tensor) -> Tensor:
    """The maximum over all spatial dimensions, which stay as 1."""
    return x.amax(dim=list(range(2, x.dim())), keepdim=True)


@operator("GlobalLpPool")
def global_lp_pool(call: Call, x: Tensor) -> Tensor:
    """The p-norm over all spatial dimensions, which stay as 1."""
    p = call.integer("p", 2)
    if p < 1:
        raise call.refuse(f"p {p}")
    powers: Tensor = x.abs() ** p
    return powers.sum(dim=list(range(2, x.dim())), keepdim=True) ** (1 / p)
