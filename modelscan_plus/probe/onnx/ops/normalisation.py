"""Normalisations, as they are outside training."""

import torch
import torch.nn.functional as f
from torch import Tensor

from modelscan_plus.probe.onnx.ops.table import Call, axis_of, operator


def _column(x: Tensor, values: Tensor) -> Tensor:
    """One number for each channel of [N, C, …]."""
    return values.reshape(-1, *[1] * (x.dim() - 2))


@operator("BatchNormalization")
def batch_normalization(call: Call, x: Tensor, scale: Tensor, bias: Tensor, mean: Tensor, variance: Tensor) -> Tensor:
    """By stored mean and variance."""
    if call.integer("training_mode") or (call.opset < 14 and any(call.wants(place) for place in range(1, 5))):
        raise call.refuse("is in training mode")
    if not call.integer("spatial", 1):
        raise call.refuse("spatial 0 is not known here")
    if x.dim() < 2 or any(part.shape != (x.shape[1],) for part in (scale, bias, mean, variance)):
        raise call.refuse("the parameters do not fit the channels")
    factor = scale / torch.sqrt(variance + call.number("epsilon", 1e-5))
    return x * _column(x, factor) + _column(x, bias - mean * factor)


@operator("LayerNormalization")
def layer_normalization(call: Call, x: Tensor, scale: Tensor, bias: Tensor | None = None) -> Tensor:
    """Over the axes from `axis` on."""
    if call.wants(1) or call.wants(2):
        raise call.refuse("gives mean and deviation")
    axes = list(range(axis_of(call.integer("axis", -1), x.dim(), call), x.dim()))
    centred = x - x.mean(dim=axes, keepdim=True)
    variance = (centred * centred).mean(dim=axes, keepdim=True)
    shape = tuple(x.shape[axes[0] :])
    epsilon = call.number("epsilon", 1e-5)
    if tuple(scale.shape) == shape and (bias is None or tuple(bias.shape) == shape):
        return f.layer_norm(x, shape, scale, bias, epsilon)
    result = centred * torch.rsqrt(variance + epsilon) * scale
    return result if bias is None else result + bias


@operator("RMSNormalization")
def rms_normalization(call: Call, x: Tensor, scale: Tensor) -> Tensor:
    """By the root of the mean square over the axes from `axis` on."""
    axes = list(range(axis_of(call.integer("axis", -1), x.dim(), call), x.dim()))
    square = (x * x).mean(dim=axes, keepdim=True)
    return x * torch.rsqrt(square + call.number("epsilon", 1e-5)) * scale


@operator("InstanceNormalization")
def instance_normalization(call: Call, x: Tensor, scale: Tensor, bias: Tensor) -> Tensor:
    """Each channel of each sample for itself."""
    if x.dim() < 3:
        raise call.refuse("takes [N, C, …]")
    axes = list(range(2, x.dim()))
    centred = x - x.mean(dim=axes, keepdim=True)
    variance = (centred * centred).mean(dim=axes, keepdim=True)
    normal = centred * torch.rsqrt(variance + call.number("epsilon", 1e-5))
    return normal * _column(x, scale) + _column(x, bias)


@operator("GroupNormalization")
def group_normalization(call: Call, x: Tensor, scale: Tensor, bias: Tensor) -> Tensor:
    """Each group of channels of each sample; before operator set 21 with one scale for each group."""
    groups = call.integer("num_groups")
    if groups < 1 or x.dim() < 3 or x.shape[1] % groups:
        raise call.refuse("the groups do not divide the channels")
    if call.opset < 21:
        if scale.shape != (groups,) or bias.shape != (groups,):
            raise call.refuse("scale and bias do not fit the groups")
        scale, bias = (part.repeat_interleave(x.shape[1] // groups) for part in (scale, bias))
    return f.group_norm(x, groups, scale, bias, call.number("epsilon", 1e-5))


@operator("LRN")
def local_response(call: Call, x: Tensor) -> Tensor:
    """By the squares of neighbouring channels."""
    size = call.integer("size")
    if not 1 <= size <= 4096 or x.dim() < 3:
        raise call.refuse(f"size {size}")
    squares = (x * x).reshape(x.shape[0], 1, x.shape[1], -1)
    before = (size - 1) // 2
    padded = f.pad(squares, [0, 0, before, size - 1 - before])
    sums = f.avg_pool2d(padded, (size, 1), stride=1).reshape(x.shape)
    return x / (call.number("bias", 1.0) + call.number("alpha", 1e-4) * sums) ** call.number("beta", 0.75)


@operator("LpNormalization")
def lp_normalization(call: Call, x: Tensor) -> Tensor:
    """Along one axis, by its p-norm; a row of zeros stays zero."""
    axis = axis_of(call.integer("axis", -1), x.dim(), call)
    p = call.integer("p", 2)
    if p not in (1, 2):
        raise call.refuse(f"p {p}")
    norm = x.abs().sum(axis, keepdim=True) if p == 1 else (x * x).sum(axis, keepdim=True).sqrt()
    return x / torch.where(norm == 0, torch.ones_like(norm), norm)


@operator("MeanVarianceNormalization")
def mean_variance(call: Call, x: Tensor) -> Tensor:
    """To mean 0 and variance 1 over the given axes."""
    axes = [axis_of(axis, x.dim(), call) for axis in call.ints("axes") or (0, 2, 3)]
    if 0 in axes:
        raise call.refuse("normalises over the batch")
    centred = x - x.mean(dim=axes, keepdim=True)
    return centred / torch.sqrt((centred * centred).mean(dim=axes, keepdim=True) + 1e-9)
