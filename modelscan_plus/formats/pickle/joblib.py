"""joblib's raw arrays: bytes in the middle of a pickle that are not opcodes.

joblib.dump (0.10 and later) writes an `NumpyArrayWrapper` object; right behind the BUILD that completes it stands the
array: an optional byte `n` of padding length with `n` bytes of padding (when the state holds
`numpy_array_alignment_bytes`), then `product(shape) * itemsize` bytes, or, for a dtype that holds objects, a pickle.
Source: joblib/numpy_pickle.py, 0.14 to 1.5.
"""

import math

import msgspec

from modelscan_plus.core.bytesource import ByteSource
from modelscan_plus.core.patterns import lazy
from modelscan_plus.formats.pickle.values import Call, Global, Items, Value, sequence, text_of

_WRAPPER = ("joblib.numpy_pickle", "NumpyArrayWrapper")
_VENDORED = ("sklearn.externals.joblib.numpy_pickle", "NumpyArrayWrapper")
_SIMPLE_DTYPE = lazy(r"[<>|=]?([a-zA-Z?])(\d*)")
_ITEM_SIZES = {"b": 1, "B": 1, "?": 1, "h": 2, "H": 2, "e": 2, "i": 4, "I": 4, "f": 4, "l": 8, "L": 8, "q": 8, "Q": 8}
_ITEM_SIZES |= {"d": 8, "g": 16, "F": 8, "D": 16, "G": 32, "M": 8, "m": 8, "p": 8, "P": 8}


class ArrayLayout(msgspec.Struct, frozen=True):
    """What follows the wrapper."""

    skip: int
    """Bytes that are not opcodes."""
    pickled: bool
    """True when a pickle follows instead of raw data."""


def is_array_wrapper(value: Call) -> bool:
    """True for the object whose BUILD is followed by an array."""
    function = value.function
    return isinstance(function, Global) and (function.module, function.name) in (_WRAPPER, _VENDORED)


def array_layout(state: Value, source: ByteSource, offset: int) -> ArrayLayout | None:
    """Layout of the array at `offset`, or None when the state does not determine it."""
    fields = _fields(state)
    shape = sequence(fields.get("shape"))
    itemsize = _itemsize(fields.get("dtype"))
    if shape is None or itemsize is None:
        return None
    if itemsize == 0:
        return ArrayLayout(0, pickled=True)
    sizes = [size for size in shape if isinstance(size, int) and size >= 0]
    if len(sizes) != len(shape):
        return None
    padding = 0
    if isinstance(fields.get("numpy_array_alignment_bytes"), int):
        first = source.pread(offset, 1)
        padding = 1 + (first[0] if first else 0)
    return ArrayLayout(padding + math.prod(sizes) * itemsize, pickled=False)


def _fields(state: Value) -> dict[str, Value]:
    if not isinstance(state, Items) or state.kind != "dict":
        return {}
    pairs = (pair for pair in state.items or () if isinstance(pair, tuple) and len(pair) == 2)
    return {key: value for key, value in pairs if isinstance(key, str)}


def _itemsize(dtype: Value) -> int | None:
    """Bytes of one item of a pickled `numpy.dtype(...)`; 0 for one that holds objects, None when unknown."""
    if not isinstance(dtype, Call):
        return None
    arguments = sequence(dtype.arguments)
    code = text_of(arguments[0]) if arguments else None
    found = _SIMPLE_DTYPE.fullmatch(code) if code is not None else None
    if found is None:
        return None
    letter, digits = found.groups()
    if letter == "O":
        return 0
    if letter == "V" and _holds_objects(dtype):
        return 0
    if not digits:
        return _ITEM_SIZES.get(letter)
    return int(digits) * (4 if letter == "U" else 1) if len(digits) < 10 else None


def _holds_objects(dtype: Call) -> bool:
    """True for a structured dtype with an object field, by the fields in its state."""
    pending: list[Call] = [dtype]
    for _ in range(64):
        if not pending:
            break
        build = pending.pop().state
        state = sequence(build.arguments) if build is not None else None
        fields = _fields(state[4]) if state and len(state) > 4 else {}
        for field in fields.values():
            inner = sequence(field)
            if inner and isinstance(inner[0], Call):
                if _itemsize_letter(inner[0]) == "O":
                    return True
                pending.append(inner[0])
    return False


def _itemsize_letter(dtype: Call) -> str:
    arguments = sequence(dtype.arguments)
    code = text_of(arguments[0]) if arguments else None
    return (code or "").lstrip("<>|=")[:1]
