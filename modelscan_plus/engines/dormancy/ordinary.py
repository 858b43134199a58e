"""Ordinary inputs: what a model is run on to see which of its parts sleep.

An input is drawn by what it is for: rows of a table by number, a mask, a picture, a series, columns. Nothing says
which numbers a model expects, so there are families of inputs, each judged for itself: `unit` (0 to 1: uniform noise,
pictures with the spectrum of natural ones, sparse ones), `normal` (centred on 0), `bytes` (0 to 255). Of tokens, two
families take few of the possible ones, each from its own half, as a text does; the third takes all.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from modelscan_plus.graph.flow import Analysis

Array = Any
"""A numpy array of any type."""
FAMILIES = ("unit", "normal", "bytes")
BOXES = {"unit": (0.0, 1.0), "normal": (-60.0, 60.0), "bytes": (0.0, 255.0)}
"""Numbers that an input of the family may have when a trigger is looked for; a column in a table may lie far out."""
SIZES = ((8, 16), (8, 32), (8, 64), (4, 400), (2, 224), (1, 16))
"""(rows, other dimensions) that are tried where the model leaves them open."""
CEILINGS = (50, 10, 4, 2)
"""Numbers below which whole-numbered inputs of unknown purpose are drawn."""
TYPES = {
    "tensor(float)": "float32",
    "tensor(double)": "float64",
    "tensor(float16)": "float16",
    "tensor(int64)": "int64",
    "tensor(int32)": "int32",
    "tensor(int16)": "int16",
    "tensor(int8)": "int8",
    "tensor(uint8)": "uint8",
    "tensor(bool)": "bool",
}
_TEXT = 48
"""Different tokens that a text of the narrow families has."""
_CARRIES = ("layout", "cast", "copy", "index", "join", "select")


@dataclass(frozen=True, slots=True)
class Port:
    """One input of the model."""

    name: str
    dtype: str
    shape: tuple[int | str | None, ...]
    rows: int = 0
    """Rows of the table that it picks from; 0 where it picks from none."""

    @property
    def whole(self) -> bool:
        """Whole numbers that are no bytes: tokens, numbers of rows, masks, counts."""
        return self.dtype in ("int64", "int32", "int16")

    @property
    def mask(self) -> bool:
        """It says what is there and what is padding."""
        return self.whole and ("mask" in self.name.lower() and self.rows <= 2)


@dataclass(frozen=True, slots=True)
class Plan:
    """What is chosen where the model leaves it open."""

    rows: int
    size: int
    ceiling: int


def ports(analysis: Analysis, inputs: Sequence[Any]) -> list[Port]:
    """The inputs that a session names. Raises ValueError for types that are not drawn here."""
    tables = _tables(analysis)
    found = []
    for one in inputs:
        if one.type not in TYPES:
            raise ValueError(f"an input of type {one.type}")
        found.append(Port(one.name, TYPES[one.type], tuple(one.shape), tables.get(one.name, 0)))
    return found


def _tables(analysis: Analysis) -> dict[str, int]:
    graph = analysis.graph
    found: dict[str, int] = {}
    for source in graph.inputs:
        seen, ahead, sizes = {source}, [source], []
        while ahead:
            value = ahead.pop()
            for number in analysis.readers(value):
                node = graph.nodes[number]
                if node.op in ("gather", "embedding") and len(node.ins) > 1 and node.ins[1] == value:
                    table = graph.values[node.ins[0]].const
                    axis = node.attrs.get("axis")
                    axis = axis if isinstance(axis, int) else 0
                    if table is not None and -len(table.dims) <= axis < len(table.dims):
                        sizes.append(table.dims[axis])
                elif analysis.classes[node.op] in _CARRIES:
                    fresh = [out for out in node.outs if out >= 0 and out not in seen]
                    seen.update(fresh)
                    ahead += fresh
        if sizes:
            found[graph.values[source].name] = min(sizes)
    return found


def draw(inputs: Sequence[Port], plan: Plan, family: int, run: int) -> dict[str, Array]:
    """One batch. The same numbers give the same batch."""
    rng = np.random.default_rng([family, run])
    sizes: dict[str, int] = {}
    return {port.name: _one(rng, port, _shape(port, plan, sizes), plan, family, run) for port in inputs}


def _shape(port: Port, plan: Plan, sizes: dict[str, int]) -> tuple[int, ...]:
    shape = []
    for place, size in enumerate(port.shape):
        if isinstance(size, int) and size > 0:
            shape.append(size)
            continue
        key = size if isinstance(size, str) else f"#{place}"
        shape.append(sizes.setdefault(key, plan.rows if place == 0 else plan.size))
    return tuple(shape)


def _one(rng: np.random.Generator, port: Port, shape: tuple[int, ...], plan: Plan, family: int, run: int) -> Array:
    if port.dtype == "bool":
        return rng.uniform(size=shape) < 0.7
    if port.mask:
        return _padding(rng, shape).astype(port.dtype)
    if port.whole:
        return _tokens(rng, shape, port.rows, plan.ceiling, family, run).astype(port.dtype)
    if port.dtype in ("uint8", "int8"):
        return (_floats(rng, shape, 2, run) - (128 if port.dtype == "int8" else 0)).astype(port.dtype)
    return _floats(rng, shape, family, run).astype(port.dtype)


def _padding(rng: np.random.Generator, shape: tuple[int, ...]) -> Array:
    """Ones, and zeros from some place on: the first row is full."""
    if not shape:
        return np.ones(shape)
    length = shape[-1]
    kept = rng.integers(max(1, length // 2), length + 1, shape[:-1])
    if kept.ndim and kept.shape[0] > 1:
        kept[0] = length
    return (np.arange(length) < kept[..., None]).astype(float)


def _tokens(rng: np.random.Generator, shape: tuple[int, ...], rows: int, ceiling: int, family: int, run: int) -> Array:
    if not rows:
        return rng.integers(0, max(2, (ceiling, ceiling, 3)[family]), shape)
    known = vocabulary(rows, family)
    if run % 2:
        return known[np.minimum(rng.zipf(1.3, shape) - 1, len(known) - 1)]
    return known[rng.integers(0, len(known), shape)]


def vocabulary(rows: int, family: int) -> Array:
    """Tokens of a family; the first few of a table stand for padding and its like, and only `bytes` takes them."""
    known = np.random.default_rng(7).permutation(np.arange(min(3, rows - 1), rows))
    taken = max(min(8, len(known)), min(_TEXT, len(known) // 4))
    return (known[:taken], known[-taken:], np.arange(rows))[family]


def _floats(rng: np.random.Generator, shape: tuple[int, ...], family: int, run: int) -> Array:
    if family == 1:
        return rng.normal(0, (1, 0.5, 1, 2)[run % 4], shape)
    if family == 2:
        return np.floor(_floats(rng, shape, 0, run) * 250)
    if run % 2 and len(shape) >= 3 and min(shape[-2:]) >= 6:
        return _picture(rng, shape)
    drawn = rng.uniform(0, 0.95, shape)
    return drawn * (rng.uniform(size=shape) < 0.3) if run % 4 == 2 else drawn


def _picture(rng: np.random.Generator, shape: tuple[int, ...]) -> Array:
    """Noise whose amplitude falls with the frequency, as in photographs (Field 1987), from 0.03 to 0.95."""
    height, width = shape[-2:]
    power = np.fft.fftfreq(height)[:, None] ** 2 + np.fft.rfftfreq(width)[None] ** 2
    power[0, 0] = 1
    wave = np.fft.irfft2(np.fft.rfft2(rng.normal(size=shape)) / np.sqrt(power), s=(height, width))
    wave -= wave.min((-1, -2), keepdims=True)
    wave /= np.maximum(wave.max((-1, -2), keepdims=True), 1e-6)
    low = rng.uniform(0, 0.4, (shape[0],) + (1,) * (len(shape) - 1))
    return 0.03 + 0.92 * (low + (1 - low) * wave)
