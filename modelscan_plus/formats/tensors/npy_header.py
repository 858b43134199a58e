"""The header of an npy file: a Python dict literal with three keys, read by a grammar of its own.

    {'descr': '<f8' | [('name', '<f8'), ('name', '<f8', (2, 2)), …], 'fortran_order': False, 'shape': (3, 4), }

numpy hands the text to `ast.literal_eval`, which accepts far more than numpy ever writes (comments, joined strings,
escapes); what goes beyond this grammar is a fault. Sources: NEP 1; numpy/lib/_format_impl.py, numpy 1.0 to 2.4.
"""

import re
from typing import NoReturn

import msgspec

from modelscan_plus.core.patterns import lazy

Literal = str | int | bool | tuple["Literal", ...] | list["Literal"]

MAX_DEPTH = 32
_TOKEN = lazy(
    r"""\s*+(?:(?P<text>u?'(?:[^'\\\n]|\\.)*+'|u?"(?:[^"\\\n]|\\.)*+")|(?P<number>-?[0-9]++)[lL]?"""
    r"""|(?P<word>True|False)\b|(?P<mark>[(){}\[\],:]))"""
)
_ESCAPE = lazy(r"\\(?:x([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|(.))")
_SIMPLE = {"n": "\n", "t": "\t", "r": "\r", "\\": "\\", "'": "'", '"': '"'}
_LONGEST_NUMBER = 20

_DTYPE = lazy(r"[<>|=]?([?a-zA-Z])([0-9]{0,9})(?:\[[0-9]{0,9}[a-zA-Zμ]{1,7}\])?")
_SIZES_WITH_DIGITS = {
    "b": (1,), "i": (1, 2, 4, 8), "u": (1, 2, 4, 8), "f": (2, 4, 8, 10, 12, 16), "c": (8, 16, 20, 24, 32),
    "M": (8,), "m": (8,),
}  # fmt: skip
_SIZES_ALONE = {
    "?": 1, "b": 1, "B": 1, "c": 1, "h": 2, "H": 2, "e": 2, "i": 4, "I": 4, "f": 4, "l": 8, "L": 8, "q": 8, "Q": 8,
    "p": 8, "P": 8, "d": 8, "F": 8, "M": 8, "m": 8, "g": 16, "D": 16, "G": 32, "S": 0, "U": 0, "V": 0,
}  # fmt: skip
_SIZES_BY_NAME = {
    "bool": 1, "int8": 1, "uint8": 1, "int16": 2, "uint16": 2, "float16": 2, "int32": 4, "uint32": 4, "float32": 4,
    "int64": 8, "uint64": 8, "float64": 8, "complex64": 8, "complex128": 16,
}  # fmt: skip


class HeaderFault(Exception):
    """The header is not what numpy writes. `offset` is a position in its text."""

    def __init__(self, message: str, offset: int = 0) -> None:
        super().__init__(message)
        self.message = message
        self.offset = offset


class Dtype(msgspec.Struct, frozen=True):
    """What matters of a dtype."""

    itemsize: int
    objects: bool = False
    """True when any part of it is a Python object."""


class ArrayHeader(msgspec.Struct, frozen=True):
    """The three values of a header."""

    dtype: Dtype
    shape: tuple[int, ...]
    descr: str
    """As it stands in the text."""
    repeated: bool
    """True when a key stands twice; Python keeps the last one."""
    fortran_order: bool = False


def read_header(text: str) -> ArrayHeader:
    """Read the header's text; raises `HeaderFault`."""
    return _Reader(text).header()


class _Reader:
    def __init__(self, text: str) -> None:
        self.text = text
        self.position = 0

    def header(self) -> ArrayHeader:
        values: dict[str, Literal] = {}
        descr = (0, 0)
        repeated = False
        self._mark("{")
        while not self._take("}"):
            key = self._value(1)
            self._mark(":")
            start = self.position
            value = self._value(1)
            if not isinstance(key, str):
                self._fault("a key is not a string")
            repeated = repeated or key in values
            values[key] = value
            if key == "descr":
                descr = (start, self.position)
            if not self._take(","):
                self._mark("}")
                break
        if self.text[self.position :].strip(" \n"):
            self._fault("something stands behind the closing brace")
        if values.keys() != {"descr", "fortran_order", "shape"}:
            self._fault("the keys are not descr, fortran_order and shape")
        fortran = values["fortran_order"]
        if not isinstance(fortran, bool):
            self._fault("fortran_order is not True or False")
        dtype, shape = _dtype(values["descr"], 0), _shape(values["shape"])
        return ArrayHeader(dtype, shape, self.text[descr[0] : descr[1]].strip(), repeated, fortran)

    def _fault(self, message: str) -> NoReturn:
        raise HeaderFault(message, self.position)

    def _token(self) -> "re.Match[str]":
        found = _TOKEN.match(self.text, self.position)
        if not found:
            self._fault("it ends too early or holds what numpy does not write")
        return found

    def _take(self, mark: str) -> bool:
        found = _TOKEN.match(self.text, self.position)
        if not found or found["mark"] != mark:
            return False
        self.position = found.end()
        return True

    def _mark(self, mark: str) -> None:
        if not self._take(mark):
            self._fault(f"expected {mark!r}")

    def _value(self, depth: int) -> Literal:
        found = self._token()
        self.position = found.end()
        if (text := found["text"]) is not None:
            return _unescape(text.lstrip("u")[1:-1]) if "\\" in text else text.lstrip("u")[1:-1]
        if (number := found["number"]) is not None:
            if len(number) > _LONGEST_NUMBER:
                self._fault("a number is too long")
            return int(number)
        if found["word"] is not None:
            return found["word"] == "True"
        if found["mark"] not in ("(", "["):
            self._fault("expected a value")
        if depth > MAX_DEPTH:
            self._fault(f"nested more than {MAX_DEPTH} levels deep")
        return self._tuple(depth) if found["mark"] == "(" else self._items("]", depth)[0]

    def _tuple(self, depth: int) -> Literal:
        items, comma = self._items(")", depth)
        return items[0] if len(items) == 1 and not comma else tuple(items)

    def _items(self, close: str, depth: int) -> tuple[list[Literal], bool]:
        """Values up to `close`, and whether a comma stood before it."""
        items: list[Literal] = []
        comma = False
        while not self._take(close):
            if items and not comma:
                self._fault("expected a comma")
            items.append(self._value(depth + 1))
            comma = self._take(",")
        return items, comma


def _unescape(text: str) -> str:
    def character(found: "re.Match[str]") -> str:
        code = found[1] or found[2] or found[3]
        if code:
            return chr(min(int(code, 16), 0x10FFFF))
        return _SIMPLE.get(found[4], found[0])

    return _ESCAPE.sub(character, text)


def _shape(value: Literal) -> tuple[int, ...]:
    if not isinstance(value, tuple):
        raise HeaderFault("shape is not a tuple")
    sizes = tuple(item for item in value if isinstance(item, int) and item >= 0)
    if len(sizes) != len(value):
        raise HeaderFault("shape holds something else than sizes")
    return sizes


def _dtype(descr: Literal, depth: int) -> Dtype:
    if isinstance(descr, str):
        return _simple(descr)
    if isinstance(descr, tuple) and len(descr) == 2:
        return _repeated(_dtype(descr[0], depth + 1), descr[1])
    if not isinstance(descr, list):
        raise HeaderFault("descr is not a dtype")
    itemsize, objects = 0, False
    for item in descr:
        if not isinstance(item, tuple) or len(item) not in (2, 3) or not _is_name(item[0]):
            raise HeaderFault("a field of descr is not a tuple of name, dtype and shape")
        part = _dtype(item[1], depth + 1)
        part = _repeated(part, item[2]) if len(item) == 3 else part
        itemsize, objects = itemsize + part.itemsize, objects or part.objects
    return Dtype(itemsize, objects)


def _is_name(value: Literal) -> bool:
    """A field's name, or its title and name."""
    return isinstance(value, str) or (
        isinstance(value, tuple) and len(value) == 2 and all(isinstance(part, str) for part in value)
    )


def _repeated(dtype: Dtype, shape: Literal) -> Dtype:
    sizes = _shape((shape,) if isinstance(shape, int) else shape)
    return Dtype(dtype.itemsize * product(sizes), dtype.objects)


def _simple(descr: str) -> Dtype:
    if descr in _SIZES_BY_NAME:
        return Dtype(_SIZES_BY_NAME[descr])
    if descr.lstrip("<>|=") in ("O", "O4", "O8", "object", "object_"):
        return Dtype(0, objects=True)
    found = _DTYPE.fullmatch(descr)
    if found:
        kind, digits = found.groups()
        if not digits and kind in _SIZES_ALONE:
            return Dtype(_SIZES_ALONE[kind])
        if digits and kind in "SVaU":
            return Dtype(int(digits) * (4 if kind == "U" else 1))
        if digits and int(digits) in _SIZES_WITH_DIGITS.get(kind, ()):
            return Dtype(int(digits))
    raise HeaderFault("descr holds a dtype that numpy does not write")


def product(sizes: tuple[int, ...]) -> int:
    """The product of sizes; beyond 2^200 it is no longer exact, so that a long shape makes no giant number."""
    result = 1
    for size in sizes:
        result *= size
        if result >> 200:
            return 0 if 0 in sizes else 1 << 200
    return result
