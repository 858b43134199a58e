"""Functions that cloudpickle writes out as bytecode, and that can do nothing but arithmetic.

A learning rate that falls with the progress is a function inside of a function to stable-baselines3 and its like, and
is saved by its bytecode. Bytecode that uses no name, neither a global nor an attribute nor an import, with nothing but
constants in its closure, can only compute with what it is given.
"""

from collections.abc import Sequence

from modelscan_plus.formats.pickle.facts import Effect
from modelscan_plus.formats.pickle.values import Call, Global, Items, Value, sequence, text_of

_MODULE = "cloudpickle.cloudpickle"
_MAKERS = frozenset(
    ("_builtin_type", "_make_function", "_make_cell", "_make_empty_cell", "_function_setstate", "_cell_set")
)
_TYPES = frozenset(("CodeType", "FunctionType", "CellType"))
_CODE_ARGUMENTS = (16, 18)
"""Of types.CodeType in Python 3.8 to 3.10, and since."""
_NAMES = 8
"""Where the names that the code uses stand among them."""


def only_computes(effects: Sequence[Effect]) -> bool:
    """True where the pickle makes functions, and none of them uses a name."""
    calls = [effect for effect in effects if isinstance(effect, Call)]
    names = [effect for effect in effects if isinstance(effect, Global)]
    if len(calls) + len(names) < len(effects):
        return False
    if any(name.module != _MODULE or name.name not in _MAKERS for name in names):
        return False
    made = [call for call in calls if not isinstance(call.function, Global)]
    makers = [call for call in calls if isinstance(call.function, Global)]
    return bool(made) and all(map(_nameless, made)) and all(map(_is_maker, makers))


def _is_maker(call: Call) -> bool:
    """True for a call of cloudpickle's own, which makes a type only of the three that hold code."""
    return call.opcode == "REDUCE" and (_name(call.function) != "_builtin_type" or _first(call) in _TYPES)


def _nameless(call: Call) -> bool:
    """True for a code object whose names are none."""
    function = call.function
    if not isinstance(function, Call) or _name(function.function) != "_builtin_type" or _first(function) != "CodeType":
        return False
    arguments = sequence(call.arguments) or []
    if call.opcode != "REDUCE" or len(arguments) not in _CODE_ARGUMENTS:
        return False
    names = arguments[_NAMES]
    return names == () if isinstance(names, tuple) else isinstance(names, Items) and not names.count


def _name(function: Value) -> str:
    return function.name if isinstance(function, Global) else ""


def _first(call: Call) -> str | None:
    arguments = sequence(call.arguments)
    return text_of(arguments[0]) if arguments else None
