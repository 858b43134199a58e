"""Arithmetic of TorchScript: known numbers are computed, everything else becomes a node."""

import math
import operator
from collections.abc import Callable

from modelscan_plus.graph.ir import Const
from modelscan_plus.graph.torchscript.values import Opaque, Ref
from modelscan_plus.graph.torchscript.writer import Writer


def unary(writer: Writer, name: str, value: object) -> object:
    """`name` is that of the class in `ast`, as for `binary`."""
    if isinstance(value, Ref):
        op = {"USub": "neg", "Not": "not", "Invert": "bit_not"}.get(name, "identity")
        return writer.emit(op, [writer.latest(value.id)], {}, op)[0]
    if isinstance(value, bool | int | float):
        return not value if name == "Not" else -value if name == "USub" else value
    return value is None if name == "Not" and value is None else Opaque()


def binary(writer: Writer, name: str, left: object, right: object) -> object:
    """An operator between two values; `Opaque` where neither is a tensor and the result is not known."""
    if name in ("Is", "IsNot") and not isinstance(left, Opaque) and not isinstance(right, Opaque):
        return (left is None) == (right is None) if name == "Is" else (left is None) != (right is None)
    apply = _PYTHON.get(name)
    if apply is not None and known(left) and known(right):
        try:
            return apply(left, right)
        except (ArithmeticError, TypeError, ValueError):
            return Opaque()
    if isinstance(left, list) and isinstance(right, list) and name == "Add":
        return [*left, *right]
    if not isinstance(left, Ref | Const) and not isinstance(right, Ref | Const):
        return Opaque()
    op = _OPERATORS.get(name, "unknown")
    return writer.emit(op, [writer.value_of(left), writer.value_of(right)], {}, op)[0]


def known(value: object) -> bool:
    """True for a number, a truth value or a text."""
    return isinstance(value, bool | int | float | str)


_PYTHON: dict[str, Callable[..., object]] = {
    "Add": operator.add,
    "Sub": operator.sub,
    "Div": operator.truediv,
    "FloorDiv": operator.floordiv,
    "Mod": operator.mod,
    "Eq": operator.eq,
    "NotEq": operator.ne,
    "Lt": operator.lt,
    "LtE": operator.le,
    "Gt": operator.gt,
    "GtE": operator.ge,
    "And": lambda a, b: bool(a) and bool(b),
    "Or": lambda a, b: bool(a) or bool(b),
    "Mult": lambda a, b: a * b if not isinstance(a, str) and not isinstance(b, str) else Opaque(),
}
_OPERATORS = {
    "Add": "add",
    "Sub": "sub",
    "Mult": "mul",
    "Div": "div",
    "FloorDiv": "div",
    "Mod": "mod",
    "Pow": "pow",
    "MatMult": "matmul",
    "Eq": "equal",
    "NotEq": "not_equal",
    "Lt": "less",
    "LtE": "less_equal",
    "Gt": "greater",
    "GtE": "greater_equal",
    "And": "and",
    "Or": "or",
    "BitAnd": "bit_and",
    "BitOr": "bit_or",
    "BitXor": "bit_xor",
    "LShift": "shift_left",
    "RShift": "shift_right",
}
# By the names of aten.
FOLDED: dict[str, Callable[..., object]] = {
    "add": operator.add,
    "sub": operator.sub,
    "mul": lambda a, b: a * b if not isinstance(a, str | list) and not isinstance(b, str | list) else Opaque(),
    "div": operator.truediv,
    "floordiv": operator.floordiv,
    "floor_divide": operator.floordiv,
    "remainder": operator.mod,
    "eq": operator.eq,
    "ne": operator.ne,
    "lt": operator.lt,
    "le": operator.le,
    "gt": operator.gt,
    "ge": operator.ge,
    "neg": operator.neg,
    "floor": math.floor,
    "ceil": math.ceil,
    "sqrt": math.sqrt,
    "__and__": lambda a, b: a and b,
    "__or__": lambda a, b: a or b,
    "__not__": lambda a, *_: not a,
    "__contains__": lambda a, b: b in a,
}
