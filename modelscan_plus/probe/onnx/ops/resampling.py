"""Padding, and images in other sizes.

Resize is linear along each axis: the output is a weighted sum of input elements, with weights that follow from sizes
and attributes alone. Each axis that changes is one small matrix, or, where only the nearest element counts, one list
of places. Source: ONNX operator `Resize`, versions 10 to 19, and its reference implementation's formulas.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
import torch.nn.functional as f
from torch import Tensor

from modelscan_plus.probe.onnx.ops.table import Call, axes_of, integers, operator, scalar, unknown_attribute

_AXIS = 1 << 20
"""Elements of an axis whose places are listed."""
_MATRIX = 1 << 22
"""Elements of the matrix of one axis."""


@operator("Pad", values=(1, 2, 3))
def pad(
    call: Call, x: Tensor, pads: Tensor | None = None, value: Tensor | None = None, axes: Tensor | None = None
) -> Tensor:
    """Before and after each axis; negative numbers cut. Both were attributes before operator set 11."""
    given = integers(pads) if pads is not None else call.ints("pads") or call.ints("paddings")
    places = axes_of(integers(axes), x.dim(), call) if axes is not None else list(range(x.dim()))
    if given is None or len(given) != 2 * len(places) or any(abs(one) >= 1 << 31 for one in given):
        raise call.refuse("pads do not fit")
    sides = dict(zip(places, zip(given[: len(places)], given[len(places) :], strict=True), strict=True))
    mode = call.text("mode", "constant") or "constant"
    if mode == "constant":
        number = scalar(value) if value is not None else call.number("value", 0.0)
        return f.pad(x, [side for axis in reversed(range(x.dim())) for side in sides.get(axis, (0, 0))], value=number)
    if mode not in ("reflect", "edge", "wrap"):
        raise unknown_attribute(call, "mode")
    for axis, (before, after) in sides.items():
        if before or after:
            x = x.index_select(axis, _outside(call, x.shape[axis], before, after, mode).to(x.device))
    return x


def _outside(call: Call, size: int, before: int, after: int, mode: str) -> Tensor:
    """Where each element of a padded axis comes from."""
    count = size + before + after
    if size == 0 or not 0 <= count <= _AXIS:
        raise call.refuse("pads do not fit")
    if mode == "reflect" and max(before, after) >= size:
        raise call.refuse("reflects more than there is")
    places = torch.arange(-before, count - before)
    if mode == "edge":
        return places.clamp(0, size - 1)
    if mode == "wrap":
        return places.remainder(size)
    places = places.abs()
    return torch.where(places >= size, 2 * (size - 1) - places, places)


@dataclass(frozen=True, slots=True)
class _Way:
    """How places of the output and of the input belong together."""

    mode: str
    transform: str
    nearest: str
    cubic: float
    outside: bool
    antialias: bool


_TRANSFORMS: dict[str, Callable[[Tensor, float, int, int], Tensor]] = {
    "half_pixel": lambda at, scale, size, new: (at + 0.5) / scale - 0.5,
    "pytorch_half_pixel": lambda at, scale, size, new: (at + 0.5) / scale - 0.5 if new > 1 else torch.zeros_like(at),
    "asymmetric": lambda at, scale, size, new: at / scale,
    "align_corners": lambda at, scale, size, new: at * ((size - 1) / (new - 1)) if new > 1 else torch.zeros_like(at),
    "half_pixel_symmetric": lambda at, scale, size, new: (
        size / 2 * (1 - new / (scale * size)) + (at + 0.5) / scale - 0.5
    ),
}
_NEAREST: dict[str, Callable[[Tensor], Tensor]] = {
    "round_prefer_floor": lambda at: torch.ceil(at - 0.5),
    "round_prefer_ceil": lambda at: torch.floor(at + 0.5),
    "floor": torch.floor,
    "ceil": torch.ceil,
}


@operator("Resize", values=(1, 2, 3))
def resize(
    call: Call, x: Tensor, roi: Tensor | None = None, scales: Tensor | None = None, sizes: Tensor | None = None
) -> Tensor:
    """To other sizes, given as such or as scales. In operator set 10 the scales stand where the region stands now."""
    if call.opset < 11:
        roi, scales = None, roi
    way = _way(call)
    axes = axes_of(call.ints("axes") or range(x.dim()), x.dim(), call)
    factors, wanted = _targets(call, x, scales, sizes, axes)
    for axis, factor, size in zip(axes, factors, wanted, strict=True):
        if size != x.shape[axis] or factor != 1.0:
            x = _along(call, x, axis, factor, size, way)
    return x


@operator("Upsample", values=(1,))
def upsample(call: Call, x: Tensor, scales: Tensor | None = None) -> Tensor:
    """The older Resize."""
    given = [float(one) for one in scales.tolist()] if scales is not None else call.floats("scales") or []
    mode = call.text("mode", "nearest")
    if len(given) != x.dim() or mode not in ("nearest", "linear"):
        raise call.refuse("scales do not fit, or the mode is not known here")
    way = _Way(mode, "asymmetric", "floor", -0.75, outside=False, antialias=False)
    for axis, factor in enumerate(given):
        size = _scaled(call, x.shape[axis], factor)
        if size != x.shape[axis]:
            x = _along(call, x, axis, factor, size, way)
    return x


def _way(call: Call) -> _Way:
    mode = call.text("mode", "nearest") or "nearest"
    transform = call.text("coordinate_transformation_mode", "half_pixel") or "half_pixel"
    nearest = call.text("nearest_mode", "round_prefer_floor") or "round_prefer_floor"
    if call.opset < 11:
        transform, nearest = "asymmetric", "floor"
    if mode not in ("nearest", "linear", "cubic"):
        raise unknown_attribute(call, "mode")
    if transform not in _TRANSFORMS:
        raise unknown_attribute(call, "coordinate_transformation_mode")
    if nearest not in _NEAREST:
        raise unknown_attribute(call, "nearest_mode")
    cubic = call.number("cubic_coeff_a", -0.75)
    return _Way(mode, transform, nearest, cubic, bool(call.integer("exclude_outside")), bool(call.integer("antialias")))


def _scaled(call: Call, size: int, factor: float) -> int:
    if not (math.isfinite(factor) and 0 < factor < 1 << 31):
        raise call.refuse(f"the scale {factor}")
    new = math.floor(size * factor)
    if not 0 < new <= _AXIS:
        raise call.refuse(f"a size of {new:,}")
    return new


def _targets(
    call: Call, x: Tensor, scales: Tensor | None, sizes: Tensor | None, axes: list[int]
) -> tuple[list[float], list[int]]:
    old = [x.shape[axis] for axis in axes]
    if any(size == 0 for size in old):
        raise call.refuse("takes an empty tensor")
    if sizes is not None and sizes.numel():
        wanted = integers(sizes)
        if len(wanted) != len(axes) or any(not 0 < size <= _AXIS for size in wanted):
            raise call.refuse(f"sizes {wanted[:6]} do not fit")
        policy = call.text("keep_aspect_ratio_policy", "stretch") or "stretch"
        factors = [new / size for new, size in zip(wanted, old, strict=True)]
        if policy != "stretch":
            factor = min(factors) if policy == "not_larger" else max(factors)
            factors = [factor] * len(axes)
            wanted = [_scaled(call, 1, math.floor(factor * size + 0.5)) for size in old]
        return factors, wanted
    if scales is None or scales.numel() != len(axes):
        raise call.refuse("neither sizes nor scales fit")
    factors = [float(one) for one in scales.reshape(-1).tolist()]
    return factors, [_scaled(call, size, factor) for size, factor in zip(old, factors, strict=True)]


def _along(call: Call, x: Tensor, axis: int, factor: float, new: int, way: _Way) -> Tensor:
    old = x.shape[axis]
    at = _TRANSFORMS[way.transform](torch.arange(new, dtype=torch.float64), factor, old, new)
    if way.mode == "nearest":
        places = _NEAREST[way.nearest](at).clamp(0, old - 1).long()
        return x.index_select(axis, places.to(x.device))
    if not x.is_floating_point():
        raise call.refuse("interpolates whole numbers")
    if old * new > _MATRIX:
        raise call.refuse(f"interpolates from {old:,} to {new:,} elements")
    weights = _weights(at, old, factor, way).to(device=x.device, dtype=x.dtype)
    return torch.matmul(x.movedim(axis, -1), weights.t()).movedim(-1, axis)


def _weights(at: Tensor, old: int, factor: float, way: _Way) -> Tensor:
    """new × old: what each element of the input gives to each of the output."""
    stretch = min(1.0, factor) if way.antialias else 1.0
    reach = (1 if way.mode == "linear" else 2) / stretch
    first = torch.floor(at - reach).long() + 1 if way.antialias else torch.floor(at).long() + (1 - int(reach))
    steps = torch.arange(int(2 * math.ceil(reach)) + (1 if way.antialias else 0))
    taps = first[:, None] + steps
    distance = (at[:, None] - taps).abs() * stretch
    part = (1 - distance).clamp_min(0) if way.mode == "linear" else _cubic(distance, way.cubic)
    if way.outside:
        part = torch.where((taps >= 0) & (taps < old), part, 0.0)
    if way.outside or way.antialias:
        part = part / part.sum(1, keepdim=True)
    weights = torch.zeros((len(at), old), dtype=torch.float64)
    return weights.scatter_add(1, taps.clamp(0, old - 1), part)


def _cubic(distance: Tensor, a: float) -> Tensor:
    """Keys' kernel."""
    near = ((a + 2) * distance - (a + 3)) * distance * distance + 1
    far = ((a * distance - 5 * a) * distance + 8 * a) * distance - 4 * a
    return torch.where(distance <= 1, near, torch.where(distance < 2, far, 0.0))
