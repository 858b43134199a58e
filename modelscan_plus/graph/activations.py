"""Activation functions of one number, by what ONNX calls them, with the parameters of the node."""

import math
from collections.abc import Callable

from modelscan_plus.graph.arrays import Unsupported
from modelscan_plus.graph.ir import Node

Function = Callable[..., float]
_ROOT = math.sqrt(2.0)
_ALPHA = {"HardSigmoid": 0.2, "LeakyRelu": 0.01, "Selu": 1.67326319, "QuickGelu": 1.702}


def activation(node: Node) -> Function:
    """The function of a number (and of a slope or a bias) that the node applies; raises `Unsupported`."""
    make = _MADE.get(node.given)
    if make is None:
        raise Unsupported
    return make(_number(node, "alpha", _ALPHA.get(node.given, 1.0)), node)


def _number(node: Node, name: str, default: float) -> float:
    value = node.attrs.get(name, default)
    return float(value) if isinstance(value, int | float) else default


def bounded_exp(value: float) -> float:
    """The exponential, of large numbers that of 700."""
    return math.exp(min(value, 700.0))


def _softplus(value: float) -> float:
    return max(value, 0.0) + math.log1p(math.exp(-abs(value)))


def _gelu(value: float) -> float:
    return value * 0.5 * (1 + math.erf(value / _ROOT))


def _hard_sigmoid(alpha: float, node: Node) -> Function:
    beta = _number(node, "beta", 0.5)
    return lambda a: min(max(alpha * a + beta, 0.0), 1.0)


def _shrink(alpha: float, node: Node) -> Function:
    bound, bias = _number(node, "lambd", 0.5), _number(node, "bias", 0.0)
    return lambda a: a + bias if a < -bound else a - bias if a > bound else 0.0


def _selu(alpha: float, node: Node) -> Function:
    gamma = _number(node, "gamma", 1.05070102)
    return lambda a: gamma * (a if a > 0 else alpha * (bounded_exp(a) - 1))


def _relu(alpha: float, node: Node) -> Function:
    return lambda a: max(a, 0.0)


def _swish(alpha: float, node: Node) -> Function:
    return lambda a: a / (1 + bounded_exp(-alpha * a))


def _plain_gelu(alpha: float, node: Node) -> Function:
    return _gelu


_MADE: dict[str, Callable[[float, Node], Function]] = {
    "Relu": _relu,
    "relu": _relu,
    "relu_": _relu,
    "ThresholdedRelu": lambda alpha, node: lambda a: a if a > alpha else 0.0,
    "Shrink": _shrink,
    "HardSigmoid": _hard_sigmoid,
    "LeakyRelu": lambda alpha, node: lambda a: a if a > 0 else alpha * a,
    "PRelu": lambda alpha, node: lambda a, slope: a if a > 0 else slope * a,
    "Elu": lambda alpha, node: lambda a: a if a > 0 else alpha * (bounded_exp(a) - 1),
    "Celu": lambda alpha, node: lambda a: max(a, 0.0) + min(0.0, alpha * (bounded_exp(a / alpha) - 1)),
    "Selu": _selu,
    "Softplus": lambda alpha, node: _softplus,
    "softplus": lambda alpha, node: _softplus,
    "HardSwish": lambda alpha, node: lambda a: a * min(max(a / 6 + 0.5, 0.0), 1.0),
    "Mish": lambda alpha, node: lambda a: a * math.tanh(_softplus(a)),
    "QuickGelu": _swish,
    "Swish": _swish,
    "silu": _swish,
    "Gelu": _plain_gelu,
    "gelu": _plain_gelu,
    "FastGelu": _plain_gelu,
    "BiasGelu": lambda alpha, node: lambda a, bias: _gelu(a + bias),
}
