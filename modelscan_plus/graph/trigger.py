"""What opens a gate: the part of the graph before it is run on inputs made from its own constants.

A gate that no trained layer stands before can be run here. First on random inputs: what it then gives is its usual
state. Then on inputs filled with numbers that the slice itself compares with, alone and one after the other; the first
that changes the gate is the trigger. At last, element by element in halves, everything that does not matter is put
back to random, so that what is left says which values, pixels or tokens fire it.
"""

import random
from collections.abc import Iterator, Sequence

import msgspec

from modelscan_plus.graph.arrays import Array, Unsupported, count
from modelscan_plus.graph.evaluate import Evaluator
from modelscan_plus.graph.flow import Analysis
from modelscan_plus.graph.sites import Site

_NODES = 80
_INPUT = 20_000
_RANDOM = 8
_TRIES = 120
_SHRINK = 300
STEPS = 4_000_000
"""Numbers that all searches of one graph may read, make and multiply: about two seconds."""
_SEARCHES = 4
"""Sites of one graph whose trigger is looked for."""
_MIXED = 60
"""Inputs with a number of the slice in each place, by chance."""
_LITERALS = 24
_FREE = 8
"""Stands for a dimension that is not known; the first one is one row."""


def read_out(analysis: Analysis, site: Site) -> str:
    """One sentence about what opens the gate of a site, "" where running could not tell."""
    if site.gate < 0 or analysis.searches >= _SEARCHES:
        return ""
    analysis.searches += 1
    slice_ = _slice(analysis, site.gate)
    if slice_ is None:
        return ""
    try:
        return _Search(analysis, slice_).sentence()
    except _Spent:
        return "what opens it was not found out: the search is cut off after so many steps"
    except (Unsupported, RecursionError):
        return ""


class _Spent(Exception):
    """The steps of all searches are used up."""


class _Part(msgspec.Struct, frozen=True):
    """A gate and everything before it: one input, nodes in order."""

    gate: int
    source: int
    nodes: tuple[int, ...]
    literals: tuple[float, ...]


def _slice(analysis: Analysis, gate: int) -> _Part | None:
    graph = analysis.graph
    nodes: set[int] = set()
    sources: set[int] = set()
    literals: dict[float, None] = {}
    ahead = [gate]
    while ahead:
        value = ahead.pop()
        info = graph.values[value]
        if value in graph.inputs:
            sources.add(value)
            continue
        if info.const is not None:
            found = info.const.read(0, min(info.const.count, 16)) if info.const.count <= 64 else None
            literals |= {float(number): None for number in found or () if isinstance(number, int | float)}
            continue
        if info.producer in nodes:
            continue
        nodes.add(info.producer)
        if info.producer < 0 or len(nodes) > _NODES:
            return None
        node = graph.nodes[info.producer]
        # What comes after the first operand here are axes, sizes and places: no numbers that an input could have.
        moves = analysis.classes[node.op] in ("layout", "reduce", "index", "copy", "position")
        ahead += [operand for place, operand in enumerate(node.ins) if operand >= 0 and not (place and moves)]
    if len(sources) != 1:
        return None
    return _Part(gate, sources.pop(), tuple(sorted(nodes)), tuple(list(literals)[:_LITERALS]))


class _Search:
    def __init__(self, analysis: Analysis, part: _Part) -> None:
        self._analysis, self._part = analysis, part
        self._evaluator = Evaluator(analysis.graph)
        info = analysis.graph.values[part.source]
        self._name = info.name
        dims = info.dims if info.dims is not None else (1, _FREE)
        self._dims = tuple((1 if place == 0 else _FREE) if size is None else size for place, size in enumerate(dims))
        self._whole = info.kind == "int"
        self._random = random.Random(0)
        if count(self._dims) > _INPUT:
            raise Unsupported

    def sentence(self) -> str:
        usual = [self._open(self._noise()) for _ in range(_RANDOM)]
        if len(set(usual)) != 1:
            often = max(usual.count(state) for state in usual)
            return f"no rare input: random inputs already differ ({often} of {_RANDOM} alike)"
        for tried, candidate in enumerate(self._candidates()):
            if tried >= _TRIES:
                break
            if self._open(candidate) != usual[0]:
                return self._described(self._shrunk(candidate, usual[0]))
        return f"{_RANDOM} random inputs did not open it, and none of the inputs tried did"

    def _open(self, data: list[float]) -> tuple[float, ...]:
        """The gate's numbers, rounded: what a small difference in the input changes is no opening."""
        if self._analysis.steps > STEPS:
            raise _Spent
        before = self._evaluator.work
        try:
            values = self._evaluator.run(self._part.nodes, {self._part.source: Array(self._dims, data)})
        finally:
            self._analysis.steps += self._evaluator.work - before + 2 * len(data)
        return tuple(round(min(max(number, -1e6), 1e6), 2) for number in values[self._part.gate].data[:64])

    def _noise(self) -> list[float]:
        if self._whole:
            return [float(self._random.randrange(0, 1000)) for _ in range(count(self._dims))]
        return [self._random.random() for _ in range(count(self._dims))]

    def _candidates(self) -> Iterator[list[float]]:
        size = count(self._dims)
        numbers = list(self._part.literals)
        near = [number for given in numbers for number in self._around(given)]
        for number in dict.fromkeys([*near, 0.0, 1.0, -1.0, 255.0, 1e4, -1e4]):
            yield [number] * size
        tokens = [number for number in numbers if number == int(number)] if self._whole else near
        for _ in range(_MIXED if tokens else 0):
            yield [self._random.choice(tokens) for _ in range(size)]
        for start in range(len(tokens)):
            for length in (2, 3, 4):
                run = tokens[start : start + length]
                if len(run) == length:
                    yield [run[place % length] for place in range(size)]
                    yield [*run, *self._noise()[length:]][:size]

    def _around(self, number: float) -> Sequence[float]:
        if self._whole:
            return (number, number + 1, number - 1)
        step = max(abs(number) * 0.01, 0.01)
        return (number, number + step, number - step, number / 255, -number)

    def _shrunk(self, candidate: list[float], usual: tuple[float, ...]) -> list[tuple[int, float]]:
        """The elements that have to stay for the gate to stay open."""
        base = self._noise()
        kept = list(range(len(candidate)))
        step, tries = max(1, len(kept) // 2), 0
        while step and tries < _SHRINK:
            start = 0
            while start < len(kept) and tries < _SHRINK:
                rest = kept[:start] + kept[start + step :]
                mixed = list(base)
                for place in rest:
                    mixed[place] = candidate[place]
                tries += 1
                try:
                    still = self._open(mixed) != usual
                except _Spent:  # what is known by then opens it as well, with more than it needs
                    return [(place, candidate[place]) for place in kept]
                if still:
                    kept = rest
                else:
                    start += step
            step //= 2
        return [(place, candidate[place]) for place in kept]

    def _described(self, needed: list[tuple[int, float]]) -> str:
        values = list(dict.fromkeys(number for _, number in needed))
        what = ", ".join(f"{number:.6g}" for number in values[:6]) + (", …" if len(values) > 6 else "")
        head = f"{_RANDOM} random inputs did not open it; "
        if len(needed) == count(self._dims) or not needed:
            return f"{head}{self._name} filled with {what} does"
        places = "; ".join(f"[{', '.join(map(str, self._index(place)))}]" for place, _ in needed[:4])
        box = self._box([self._index(place) for place, _ in needed])
        where = f"at {places}" if len(needed) <= 4 else f"within {box}"
        share = f"{len(needed)} of {count(self._dims)} elements"
        return f"{head}{self._name} with {what} {where} does, whatever the rest is ({share})"

    def _index(self, place: int) -> list[int]:
        index = []
        for size in reversed(self._dims):
            index.append(place % size)
            place //= size
        return index[::-1]

    @staticmethod
    def _box(indices: list[list[int]]) -> str:
        bounds = [(min(axis), max(axis)) for axis in zip(*indices, strict=True)]
        return "[" + ", ".join(str(low) if low == high else f"{low}:{high + 1}" for low, high in bounds) + "]"
