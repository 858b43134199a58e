"""Binary files of Lua Torch (.t7): objects one inside the other, with functions as Lua byte code.

    i32 type     0 nil, 1 number, 2 text, 3 table, 4 object of torch, 5 boolean, 6, 7 and 8 functions
    number       f64;   text  i32 length, the letters;   boolean  i32
    table        i32 index; where that is new, i32 count and as many keys and values
    object       i32 index; where that is new, a text "V 1", a text with the class, and what the class writes:
                 tensors i32 dimensions, i64 sizes, i64 strides, i64 offset and a storage; storages i64 count and
                 the numbers; all other classes a table
    function     7 and 8: i32 index; then i32 length, the code as `string.dump` writes it, and what it captured

All numbers are little-endian. `torch.load` rebuilds functions with `loadstring`; they run when the model is used.
Source: File.lua, Tensor.lua and serialization of torch7.
"""

import re
from collections.abc import Iterable, Iterator

import msgspec

from modelscan_plus.core.artifact import Artifact
from modelscan_plus.core.coverage import CoverageReason
from modelscan_plus.core.facts import Facts
from modelscan_plus.core.limits import Budget
from modelscan_plus.core.patterns import lazy
from modelscan_plus.core.text import visible
from modelscan_plus.formats.interface import Format, Parsed, Region, View
from modelscan_plus.formats.serialized.reader import Ended, Reader

_WIDTHS = {
    "Double": 8, "Float": 4, "Long": 8, "Int": 4, "Short": 2, "Char": 1, "Byte": 1, "Half": 2, "Cuda": 4,
    "CudaDouble": 8, "CudaHalf": 2, "CudaLong": 8, "CudaInt": 4, "CudaShort": 2, "CudaChar": 1, "CudaByte": 1,
}  # fmt: skip
_NUMBERS = lazy(r"torch\.(\w+?)(Tensor|Storage)")
_RUN = lazy(rb"[\x20-\x7e]{2,400}")
_KEPT = 200


class LuaFunction(msgspec.Struct, frozen=True):
    """One function: the texts in its code."""

    texts: tuple[str, ...]
    offset: int


class Torch7Facts(Facts, frozen=True):
    """One file."""

    functions: tuple[LuaFunction, ...] = ()
    wrong: str = ""


class Torch7Format(Format):
    """Files of Lua Torch."""

    name = "torch7"
    title = "Lua Torch object (.t7)"
    extensions = (".t7", ".net", ".th")
    executable = True
    description = (
        "Every object; of functions the texts in their byte code, which is not decompiled. The form that is "
        "text is not "
        "read. Loaders: `torch.load` of Lua Torch, and readers of it for Python, which leave functions alone."
    )

    def claims(self, view: View) -> bool:
        head = view.head
        if view.artifact.payload or len(head) < 16:
            return False
        kind, index, third = (int.from_bytes(head[place : place + 4], "little") for place in (0, 4, 8))
        if kind == 4:
            return index == 1 and third == 3 and head[12:15] == b"V 1"
        inner = int.from_bytes(head[12:16], "little")
        length = int.from_bytes(head[16:20], "little")
        named = inner == 2 and 0 < length < 200 and head[20 : 20 + min(length, 40)].isascii()
        return kind == 3 and index == 1 and 0 < third < 1 << 24 and (named or inner == 1)

    def parse(self, artifact: Artifact, budget: Budget) -> Iterable[Parsed]:
        reader = Reader(artifact.source, 0, budget)
        functions: list[LuaFunction] = []
        wrong = ""
        gaps: tuple[CoverageReason, ...] = ()
        try:
            for function in _objects(reader):
                if len(functions) < _KEPT:
                    functions.append(function)
        except Ended as fault:
            wrong = f"{fault} at byte {reader.at:,} of {reader.size:,}"
            gaps = (CoverageReason("torch7", f"read up to byte {reader.at:,}: {fault}", executable=True),)
        end = reader.size if wrong else reader.at
        yield Parsed((Torch7Facts(tuple(functions), wrong),), (Region(0, end, "structure"),), gaps=gaps)


def _objects(reader: Reader) -> Iterator[LuaFunction]:
    """The functions of a file; objects that are still to be read are counted, not stacked."""
    seen: set[int] = set()
    waiting = 1
    while waiting:
        waiting -= 1
        reader.budget.take_objects(1)
        kind = reader.number("<i")
        if kind == 1:
            reader.skip(8)
        elif kind == 2:
            reader.skip(reader.number("<i"))
        elif kind == 5:
            reader.skip(4)
        elif kind in (3, 4, 7, 8):
            index = reader.number("<i")
            if index in seen:
                continue
            seen.add(index)
            if kind == 3:
                waiting += 2 * _count(reader)
            elif kind == 4:
                waiting += _object(reader)
            else:
                yield _function(reader)
                waiting += 1
        elif kind == 6:
            yield _function(reader)
            waiting += 1
        elif kind:
            raise Ended(f"an object is of the unknown type {kind}")


def _count(reader: Reader) -> int:
    count = reader.number("<i")
    if not 0 <= count <= reader.size - reader.at:
        raise Ended("more values than bytes are announced")
    return count


def _object(reader: Reader) -> int:
    """Read what the class writes itself; returns how many objects follow."""
    first = reader.take(_count(reader))
    name = reader.take(_count(reader)) if re.fullmatch(rb"V \d+", first) else first
    numbers = _NUMBERS.fullmatch(name.decode("latin-1"))
    if numbers is None:
        return 1
    if numbers[2] == "Tensor":
        dimensions = reader.number("<i")
        reader.skip(16 * dimensions + 8 if 0 <= dimensions < 1 << 16 else -1)
        return 1
    width = _WIDTHS.get(numbers[1])
    if width is None:
        raise Ended(f"the numbers of {visible(numbers[0])} have no known size")
    reader.skip(width * reader.number("<q"))
    return 0


def _function(reader: Reader) -> LuaFunction:
    start = reader.at
    code = reader.take(_count(reader))
    return LuaFunction(tuple(found.group().decode("ascii") for found in _RUN.finditer(code[: 1 << 20])), start)
