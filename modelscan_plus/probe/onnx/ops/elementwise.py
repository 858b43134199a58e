"""Arithmetic, comparison, logic and activations, element by element with broadcasting."""

import math
from collections.abc import Callable

import torch
import torch.nn.functional as f
from torch import Tensor

from modelscan_plus.probe.onnx.constants import TORCH_TYPES, type_name
from modelscan_plus.probe.onnx.limits import Refused
from modelscan_plus.probe.onnx.ops.table import Call, operator, scalar, unknown_attribute

Unary = Callable[[Tensor], Tensor]
Binary = Callable[[Tensor, Tensor], Tensor]


def _unary(name: str, function: Unary) -> None:
    operator(name)(lambda call, x: function(x))


def _binary(name: str, function: Binary) -> None:
    operator(name)(lambda call, a, b: function(a, b))


_UNARY: dict[str, Unary] = {
    "Abs": torch.abs,
    "Acos": torch.acos,
    "Acosh": torch.acosh,
    "Asin": torch.asin,
    "Asinh": torch.asinh,
    "Atan": torch.atan,
    "Atanh": torch.atanh,
    "Ceil": torch.ceil,
    "Cos": torch.cos,
    "Cosh": torch.cosh,
    "Erf": torch.erf,
    "Exp": torch.exp,
    "Floor": torch.floor,
    "Identity": lambda x: x,
    "IsNaN": torch.isnan,
    "Log": torch.log,
    "Mish": f.mish,
    "Neg": torch.neg,
    "Not": torch.logical_not,
    "Reciprocal": torch.reciprocal,
    "Relu": torch.relu,
    "Round": torch.round,
    "Sigmoid": torch.sigmoid,
    "Sign": torch.sign,
    "Sin": torch.sin,
    "Sinh": torch.sinh,
    "Softplus": lambda x: f.softplus(x, threshold=1e9),
    "Softsign": f.softsign,
    "Sqrt": torch.sqrt,
    "Tan": torch.tan,
    "Tanh": torch.tanh,
    "BitwiseNot": torch.bitwise_not,
}
for _name, _one in _UNARY.items():
    _unary(_name, _one)


def _divide(a: Tensor, b: Tensor) -> Tensor:
    if a.is_floating_point() or b.is_floating_point():
        return torch.div(a, b)
    return torch.div(a, b, rounding_mode="trunc")


_BINARY: dict[str, Binary] = {
    "Add": torch.add,
    "And": torch.logical_and,
    "BitwiseAnd": torch.bitwise_and,
    "BitwiseOr": torch.bitwise_or,
    "BitwiseXor": torch.bitwise_xor,
    "Div": _divide,
    "Equal": torch.eq,
    "Greater": torch.gt,
    "GreaterOrEqual": torch.ge,
    "Less": torch.lt,
    "LessOrEqual": torch.le,
    "Mul": torch.mul,
    "Or": torch.logical_or,
    "PRelu": lambda x, slope: torch.where(x < 0, x * slope, x),
    "Sub": torch.sub,
    "Xor": torch.logical_xor,
}
for _name, _two in _BINARY.items():
    _binary(_name, _two)


@operator("Pow")
def power(call: Call, base: Tensor, exponent: Tensor) -> Tensor:
    """The result has the type of the base."""
    result = torch.pow(base, exponent.to(base.dtype) if base.is_floating_point() else exponent)
    return result.to(base.dtype)


@operator("Mod")
def modulo(call: Call, a: Tensor, b: Tensor) -> Tensor:
    """`fmod` takes the sign of the dividend, otherwise the sign is the divisor's."""
    return torch.fmod(a, b) if call.integer("fmod") else torch.remainder(a, b)


def _variadic(name: str, function: Binary) -> None:
    def run(call: Call, first: Tensor, *rest: Tensor) -> Tensor:
        for other in rest:
            first = function(first, other)
        return first

    operator(name)(run)


_variadic("Max", torch.maximum)
_variadic("Min", torch.minimum)
_variadic("Sum", torch.add)


@operator("Mean")
def mean(call: Call, first: Tensor, *rest: Tensor) -> Tensor:
    """Of several tensors."""
    total = first
    for other in rest:
        total = total + other
    return total / (1 + len(rest))


@operator("Where")
def where(call: Call, condition: Tensor, a: Tensor, b: Tensor) -> Tensor:
    """`a` where the condition holds, else `b`."""
    return torch.where(condition, a, b)


@operator("IsInf")
def is_infinite(call: Call, x: Tensor) -> Tensor:
    """Of either sign, or of one."""
    found = torch.zeros_like(x, dtype=torch.bool)
    if call.integer("detect_positive", 1):
        found = found | (x == math.inf)
    if call.integer("detect_negative", 1):
        found = found | (x == -math.inf)
    return found


@operator("Clip", values=(1, 2))
def clip(call: Call, x: Tensor, low: Tensor | None = None, high: Tensor | None = None) -> Tensor:
    """Bounds were attributes before operator set 11. The upper bound wins over the lower one."""
    lowest = scalar(low) if low is not None else None
    highest = scalar(high) if high is not None else None
    if call.opset < 11:
        lowest = call.number("min") if call.has("min") else None
        highest = call.number("max") if call.has("max") else None
    if lowest is not None and (math.isnan(lowest) or (not x.is_floating_point() and math.isinf(lowest))):
        raise call.refuse("the lower bound is no number")
    if highest is not None and (math.isnan(highest) or (not x.is_floating_point() and math.isinf(highest))):
        raise call.refuse("the upper bound is no number")
    if lowest is None and highest is None:
        return x
    return torch.clamp(x, lowest, highest)


@operator("Cast")
def cast(call: Call, x: Tensor) -> Tensor:
    """Numbers carried as floats (8-bit inputs, quantised values) stay so when they become floats."""
    return _cast(x, call.integer("to"), call)


@operator("CastLike")
def cast_like(call: Call, x: Tensor, like: Tensor) -> Tensor:
    """To the type of another tensor."""
    return x.to(like.dtype)


def _cast(x: Tensor, to: int, call: Call) -> Tensor:
    target = TORCH_TYPES.get(to)
    if target is None or type_name(to).startswith(("float8", "int4", "uint4", "int2", "uint2", "uint64")):
        raise call.refuse(f"cast to {type_name(to)}")
    if x.dtype == target:
        return x
    if to in _WRAPPED and not x.dtype.is_floating_point and x.dtype != torch.bool:
        raise call.refuse(f"cast of integers to {type_name(to)}")
    return x != 0 if target == torch.bool else x.to(target)


_WRAPPED = frozenset((4, 12))
"""uint16 and uint32, which are held in larger types and would not wrap around."""


@operator("Celu")
def celu(call: Call, x: Tensor) -> Tensor:
    """max(0, x) + min(0, alpha (exp(x / alpha) - 1))"""
    return f.celu(x, call.number("alpha", 1.0) or 1.0)


@operator("Elu")
def elu(call: Call, x: Tensor) -> Tensor:
    """Exponential below zero."""
    return f.elu(x, call.number("alpha", 1.0))


@operator("Selu")
def selu(call: Call, x: Tensor) -> Tensor:
    """Scaled exponential."""
    alpha = call.number("alpha", 1.67326319217681884765625)
    gamma = call.number("gamma", 1.05070102214813232421875)
    return gamma * torch.where(x > 0, x, alpha * torch.expm1(torch.clamp(x, max=0)))


@operator("Gelu")
def gelu(call: Call, x: Tensor) -> Tensor:
    """Exact, or by tanh."""
    approximate = call.text("approximate", "none")
    if approximate not in ("none", "tanh"):
        raise unknown_attribute(call, "approximate")
    return f.gelu(x, approximate=approximate)


@operator("HardSigmoid")
def hard_sigmoid(call: Call, x: Tensor) -> Tensor:
    """A ramp."""
    return torch.clamp(call.number("alpha", 0.2) * x + call.number("beta", 0.5), 0, 1)


@operator("HardSwish")
def hard_swish(call: Call, x: Tensor) -> Tensor:
    """x times a ramp."""
    return x * torch.clamp(x / 6 + 0.5, 0, 1)


@operator("Swish")
def swish(call: Call, x: Tensor) -> Tensor:
    """x sigmoid(alpha x)"""
    return x * torch.sigmoid(call.number("alpha", 1.0) * x)


@operator("LeakyRelu")
def leaky_relu(call: Call, x: Tensor) -> Tensor:
    """A slope below zero."""
    return f.leaky_relu(x, call.number("alpha", 0.01))


@operator("ThresholdedRelu")
def thresholded_relu(call: Call, x: Tensor) -> Tensor:
    """x above alpha, else zero."""
    return torch.where(x > call.number("alpha", 1.0), x, torch.zeros_like(x))


@operator("Shrink")
def shrink(call: Call, x: Tensor) -> Tensor:
    """Towards zero by bias, zero between -lambd and lambd."""
    bias, lambd = call.number("bias", 0.0), call.number("lambd", 0.5)
    zero = torch.zeros_like(x)
    return torch.where(x < -lambd, x + bias, torch.where(x > lambd, x - bias, zero))


@operator("Dropout", values=(1, 2))
def dropout(call: Call, x: Tensor, ratio: Tensor | None = None, training: Tensor | None = None) -> tuple[Tensor, ...]:
    """Nothing, outside training."""
    if training is not None and scalar(training):
        raise Refused(f"{call.where} is switched to training")
    return (x, torch.ones_like(x, dtype=torch.bool)) if call.wants(1) else (x,)


def _softmax(function: Callable[..., Tensor]) -> Callable[[Call, Tensor], Tensor]:
    def run(call: Call, x: Tensor) -> Tensor:
        if call.opset >= 13:
            return function(x, dim=call.integer("axis", -1))
        axis = call.integer("axis", 1)
        axis = axis + x.dim() if axis < 0 else axis
        if not 0 <= axis <= x.dim():
            raise call.refuse(f"axis {axis} of a tensor with {x.dim()} dimensions")
        rows = math.prod(x.shape[:axis])
        return function(x.reshape(rows, -1) if x.numel() else x, dim=-1).reshape(x.shape)

    return run


operator("Softmax")(_softmax(torch.softmax))
operator("LogSoftmax")(_softmax(torch.log_softmax))


def _hardmax(x: Tensor, dim: int) -> Tensor:
    return f.one_hot(x.argmax(dim), x.shape[dim]).to(x.dtype).movedim(-1, dim)


operator("Hardmax")(_softmax(_hardmax))
