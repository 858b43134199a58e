"""numpy's dtypes in pickles: a state that lies about what the bytes are makes numpy follow attacker's pointers.

A dtype is pickled as `dtype("V16", False, True)` and a state `(version, byte order, subarray, names, fields, item size,
alignment, flags, …)`. `__setstate__` believes the flags and the offsets. An object dtype without the flag that says so
lets raw bytes pass for pointers; a field outside of its item reads and writes elsewhere in memory.
Source: numpy/_core/src/multiarray/descriptor.c, arraydescr_setstate, 1.16 to 2.4.
"""

from modelscan_plus.formats.pickle.values import Call, Global, Items, Value, sequence, text_of

_OBJECTS = 1
"""NPY_ITEM_REFCOUNT."""
_SIZES = {"b1": 1, "?": 1, "M8": 8, "m8": 8, "O8": 8, "O": 8, "O4": 4}
_DEPTH = 8
_OBJECT_NAMES = frozenset({"object", "object_", "object0", "ObjectDType", "void"})


def is_dtype(function: Value) -> bool:
    """True for the class numpy.dtype by any of its module names."""
    return isinstance(function, Global) and function.name == "dtype" and function.module.partition(".")[0] == "numpy"


def judge_dtype(arguments: Value, state: Value) -> str | None:
    """What is wrong with setting `state` on the dtype that is made of `arguments`, or None."""
    parts = sequence(state) if isinstance(state, tuple) else None
    if parts is None or len(parts) < 7:
        return "has a state that cannot be read"
    if parts[4] is not None and not isinstance(parts[4], Items):
        return "has fields that cannot be read"
    fields = [sequence(field) for field in _fields(parts[4]).values()]
    inner = [field[0] if field else None for field in fields] + [(sequence(parts[2]) or [None])[0]] * (
        parts[2] is not None
    )
    if not all(isinstance(dtype, Call) and is_dtype(dtype.function) for dtype in inner):
        return "has a part of a type that cannot be read"
    flags = parts[7] if len(parts) > 7 else None
    objects = _of_objects(arguments) or any(_holds(dtype, _DEPTH) for dtype in inner)
    if objects and len(parts) > 7 and not (isinstance(flags, int) and flags & _OBJECTS):
        return "holds objects but says that it does not, so that raw bytes are taken for pointers"
    size = parts[5]
    for field in fields:
        offset = field[1] if field and len(field) > 1 else None
        if not isinstance(offset, int) or offset < 0:
            return "has a field outside of its item, which reaches other memory"
        if isinstance(size, int) and size >= 0 and offset + _size(field[0] if field else None) > size:
            return "has a field outside of its item, which reaches other memory"
    return None


def _of_objects(arguments: Value) -> bool:
    """True for dtype("O8"), dtype(object) and dtype of such a dtype."""
    parts = sequence(arguments)
    first = parts[0] if parts else None
    if isinstance(first, Global):
        return first.name in _OBJECT_NAMES
    if isinstance(first, Call):
        return not is_dtype(first.function) or _of_objects(first.arguments)
    return (text_of(first) or "").lstrip("<>|=")[:1] == "O" or text_of(first) == "object"


def _holds(dtype: Value, depth: int) -> bool:
    """True for a dtype with objects anywhere in it."""
    if not isinstance(dtype, Call) or depth < 0:
        return False
    if _of_objects(dtype.arguments):
        return True
    state = sequence(dtype.state.arguments) if dtype.state is not None else None
    if state is None or len(state) < 7:
        return False
    inner = [found[0] for field in _fields(state[4]).values() if (found := sequence(field))]
    subarray = sequence(state[2])
    return any(_holds(part, depth - 1) for part in (*inner, *(subarray or ())[:1]))


def _code(dtype: Call) -> str:
    arguments = sequence(dtype.arguments)
    return (text_of(arguments[0]) or "").lstrip("<>|=") if arguments else ""


def _size(dtype: Value) -> int:
    """Bytes of one item, 0 where that is unknown."""
    if not isinstance(dtype, Call):
        return 0
    state = sequence(dtype.state.arguments) if dtype.state is not None else None
    if state is not None and len(state) >= 7 and isinstance(state[5], int) and state[5] > 0:
        return state[5]
    code = _code(dtype)
    if code in _SIZES:
        return _SIZES[code]
    digits = code[1:]
    if digits.isdigit() and len(digits) < 19:
        return int(digits) * (4 if code[0] == "U" else 1)
    return 0


def _fields(value: Value) -> dict[str, Value]:
    if not isinstance(value, Items) or value.kind != "dict":
        return {}
    pairs = (pair for pair in value.items or () if isinstance(pair, tuple) and len(pair) == 2)
    return {key: item for key, item in pairs if isinstance(key, str)}
