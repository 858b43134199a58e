"""What a pickle sets on its objects: the class behind a call, and the attributes that a state holds."""

from modelscan_plus.formats.pickle.values import Call, Global, Items, Value, sequence

SETTERS = {
    "BUILD": ("__setstate__",),
    "APPEND": ("extend", "append"),
    "APPENDS": ("extend", "append"),
    "ADDITEMS": ("add",),
}
"""Methods that these opcodes look up on the object itself, so that an attribute of the instance goes first; C's
unpickler looks for extend first, and both take append where there is none."""
SHARED = frozenset(
    {
        ("logging", "getLogger"),
        ("builtins", "getattr"),
        ("http", "HTTPStatus"),
        ("http", "HTTPMethod"),
        ("re", "RegexFlag"),
    }
    | {("signal", "Signals"), ("socket", "AddressFamily"), ("socket", "SocketKind"), ("inspect", "_ParameterKind")}
)
"""Callables that give an object which the whole process shares, so that a state on it is a patch."""
IMITATIONS = frozenset({("types", "SimpleNamespace"), ("argparse", "Namespace")})
"""Classes whose attributes can stand for the methods that a caller expects."""
OVERRIDABLE = frozenset(name for names in SETTERS.values() for name in names)
RECONSTRUCTORS = frozenset({"_reconstructor", "__newobj__", "__newobj_ex__"})
_DICTS = frozenset({"dict", "OrderedDict", "defaultdict", "Counter", "UserDict"})


def made_by(target: Call) -> Value:
    """The class of the object that a call gives, as far as it can be told."""
    function = target.function
    arguments = sequence(target.arguments)
    if isinstance(function, Global) and function.name in RECONSTRUCTORS and arguments:
        return arguments[0]
    return function


def made_of(target: Call) -> Value:
    """What the class of `made_by` is called with."""
    arguments = sequence(target.arguments)
    if isinstance(target.function, Global) and target.function.name in RECONSTRUCTORS and arguments:
        inner = arguments[1:]
        return tuple(inner) if target.function.name == "__newobj__" else inner[0] if inner else ()
    return target.arguments


def state_of(value: Value) -> tuple[dict[str, Value], dict[str, Value]]:
    """What BUILD puts into an object's __dict__, and what it sets as attributes: a pair of states means both."""
    pair = value if isinstance(value, tuple) and len(value) == 2 else (value, None)
    attributes, slots = _fields(pair[0]), _fields(pair[1])
    attributes |= _fields(slots.get("__dict__"))
    return attributes, slots


def _fields(value: Value) -> dict[str, Value]:
    """The text keys of a dict, or of something that a call makes like one."""
    if isinstance(value, Call):
        fields: dict[str, Value] = {}
        if isinstance(value.function, Global) and value.function.name in _DICTS:
            for argument in sequence(value.arguments) or ():
                fields |= _fields(argument)
        return fields | (_fields(value.added.arguments) if value.added is not None else {})
    if not isinstance(value, Items):
        return {}
    pairs = (pair if isinstance(pair, tuple) else tuple(sequence(pair) or ()) for pair in value.items or ())
    return {pair[0]: pair[1] for pair in pairs if len(pair) == 2 and isinstance(pair[0], str)}
