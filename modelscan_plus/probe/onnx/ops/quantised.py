"""Quantising to whole numbers and back, as quantised models store their weights and round their activations.

Rounding has no gradient of use: QuantizeLinear gives its whole numbers as floats, and passes gradients on as if it had
not rounded, inside the range (Bengio, Léonard and Courville, arXiv 1308.3432: the straight-through estimator).
"""

import torch
from torch import Tensor

from modelscan_plus.formats.graphs.onnx.model import DataType
from modelscan_plus.probe.onnx.ops.table import Call, axis_of, operator

_RANGES: dict[int, tuple[int, int]] = {
    DataType.UINT8: (0, 255),
    DataType.INT8: (-128, 127),
    DataType.UINT16: (0, 65535),
    DataType.INT16: (-32768, 32767),
    DataType.UINT4: (0, 15),
    DataType.INT4: (-8, 7),
}
_OF_TORCH = {
    torch.uint8: DataType.UINT8,
    torch.int8: DataType.INT8,
    torch.int16: DataType.INT16,
    torch.int32: DataType.UINT16,
}


def _aligned(call: Call, x: Tensor, values: Tensor) -> Tensor:
    """One number for all, one for each place of an axis, or one for each block along it."""
    if values.numel() == 1:
        return values.reshape(())
    axis = axis_of(call.integer("axis", 1), x.dim(), call)
    block = call.integer("block_size", 0)
    if block and values.dim() == x.dim() and values.shape[axis] * block == x.shape[axis]:
        return values.repeat_interleave(block, dim=axis)
    if values.dim() != 1 or values.shape[0] != x.shape[axis]:
        raise call.refuse("the scale does not fit")
    return values.reshape([-1 if place == axis else 1 for place in range(x.dim())])


@operator("QuantizeLinear", counts=True)
def quantize(call: Call, x: Tensor, scale: Tensor, zero: Tensor | None = None) -> Tensor:
    """round(x / scale) + zero, kept within the type's range, to even where it lies between two."""
    kind = _OF_TORCH.get(zero.dtype) if zero is not None else (call.integer("output_dtype") or DataType.UINT8)
    limits = _RANGES.get(kind) if kind is not None else None
    if limits is None:
        raise call.refuse("quantises to a type that is not known here")
    shift = _aligned(call, x, zero).to(x.dtype) if zero is not None else torch.zeros((), device=x.device)
    scaled = x / _aligned(call, x, scale) + shift
    kept = torch.clamp(scaled, *limits)
    rounded = torch.clamp(torch.round(scaled - shift) + shift, *limits)
    return kept + (rounded - kept).detach()


@operator("DequantizeLinear")
def dequantize(call: Call, x: Tensor, scale: Tensor, zero: Tensor | None = None) -> Tensor:
    """(x - zero) scale"""
    numbers = x.to(scale.dtype)
    if zero is not None:
        numbers = numbers - _aligned(call, x, zero).to(scale.dtype)
    return numbers * _aligned(call, x, scale)
