"""Steps that are measured instead of listed: what a function of a few numbers of the raw input gives along a line.

Which operators are flat somewhere is a list that nobody can finish: a normalisation of two numbers, the difference of
two soft ones, a slope of one in a thousand are steps as well. What a gate must do is one thing, whatever it is made
of: give the same for numbers of the usual size, and something else for larger ones. So the small part of the graph is
run on inputs of one number everywhere, or of one number with changing signs, from far below zero to far above it, in
several sizes of far. Honest functions of the raw input (means, norms, logarithms, unit vectors, bounds) do the
opposite: they move where the numbers are small, and may stand still far off.
"""

import itertools
import random
from collections.abc import Sequence

from modelscan_plus.graph.arrays import Array, Unsupported, count
from modelscan_plus.graph.evaluate import Evaluator
from modelscan_plus.graph.flow import Analysis
from modelscan_plus.graph.ordinary import dims_of_input

_NODES = 40
"""Operators of one function."""
_INPUT = 20_000
"""Elements of one input."""
_POINTS = 32
"""On each line."""
_FAR = (12.0, 1.25, 100.0)
_USUAL = 1 / 8
"""Numbers of the usual size, as a part of those that are far off."""
_FLAT = 2e-5
"""What differs by less, as a part of all that changes, is the same."""
_LEAST = 1e-3
"""Changes below that are nothing."""
_SIDES = 12
"""Functions of one graph that are run."""
_ELEMENTS = 3_000_000
"""Elements of all inputs of all runs."""
_CLAMPS = frozenset({"clip", "max", "min"})


class Ruler:
    """Measures functions of one graph."""

    def __init__(self, analysis: Analysis) -> None:
        self._analysis = analysis
        self._evaluator = Evaluator(analysis.graph)
        self._sides = 0
        self._left = _ELEMENTS
        self._known: dict[int, bool] = {}

    def is_gate(self, value: int, blamed: set[int]) -> bool:
        """True when the value, a function of a few numbers of the raw input, is still for usual numbers only."""
        found = self._known.get(value)
        if found is None:
            found = self._known[value] = self._measure(value, blamed)
        return found

    def _measure(self, value: int, blamed: set[int]) -> bool:
        flow = self._analysis.flow(value)
        few = flow.narrow or flow.thin
        if not few or flow.gate or flow.step or flow.strict or flow.count or flow.place or flow.random or flow.control:
            return False
        parts = self._parts(value := self._core(value))
        if parts is None or blamed & set(parts[0]) or self._sides >= _SIDES:
            return False
        self._sides += 1
        nodes, inputs = parts
        try:
            return any(self._is_still(value, nodes, inputs, far) for far in _FAR)
        except (Unsupported, RecursionError, ArithmeticError, ValueError):
            return False

    def _core(self, value: int) -> int:
        """Where the function itself ends, before it is laid out over a picture, or scaled by fixed numbers."""
        graph, analysis = self._analysis.graph, self._analysis
        for _ in range(_NODES):
            producer = graph.values[value].producer
            node = graph.nodes[producer] if producer >= 0 else None
            moving = [at for at in node.ins if at >= 0 and not analysis.flow(at).fixed] if node is not None else []
            if node is None or len(moving) != 1:
                return value
            linear = node.op in ("add", "sub", "mul", "neg", "spread") or analysis.classes[node.op] == "layout"
            flow = analysis.flow(moving[0])
            if not linear or not (flow.narrow or flow.thin) or not flow.data:
                return value
            value = moving[0]
        return value

    def _parts(self, value: int) -> tuple[tuple[int, ...], tuple[int, ...]] | None:
        """The nodes and inputs that the value is made of; None when there is more to it than a few numbers."""
        graph, analysis = self._analysis.graph, self._analysis
        nodes: set[int] = set()
        inputs: dict[int, None] = {}
        ahead = [value]
        while ahead:
            current = ahead.pop()
            info, flow = graph.values[current], analysis.flow(current)
            if current in graph.inputs:
                if info.kind != "float" or flow.control:
                    return None
                inputs[current] = None
            elif info.producer >= 0 and info.producer not in nodes:
                node = graph.nodes[info.producer]
                if flow.strict or len(nodes) >= _NODES or node.op == "unknown" or "loop" in node.attrs:
                    return None
                nodes.add(info.producer)
                ahead += [operand for operand in node.ins if operand >= 0]
        return (tuple(sorted(nodes)), tuple(inputs)) if inputs else None

    def _is_still(self, value: int, nodes: Sequence[int], inputs: Sequence[int], far: float) -> bool:
        """True when the function moves along a line, and wherever it moves, then far off only."""
        moves = 0
        for turn in range(3):
            curves = self._curves(value, nodes, inputs, far, turn)
            widest = max(curves, key=lambda curve: max(curve) - min(curve))
            steps = [abs(after - before) for before, after in itertools.pairwise(widest)]
            total = sum(steps)
            if not total < float("inf"):
                raise Unsupported
            if total < _LEAST:
                continue
            usual = [step for place, step in enumerate(steps) if abs(2 * place + 2 - _POINTS) <= _USUAL * _POINTS]
            if max(usual) > _FLAT * total:
                return False
            moves += 1
        return moves > 0

    def _curves(
        self, value: int, nodes: Sequence[int], inputs: Sequence[int], far: float, turn: int
    ) -> list[tuple[float, ...]]:
        """For each element of the result its numbers along a line."""
        chance = random.Random(turn)
        dims = {each: dims_of_input(self._analysis.graph.values[each].dims) for each in inputs}
        sizes = {each: count(shape) for each, shape in dims.items()}
        if sum(sizes.values()) > _INPUT:
            raise Unsupported
        signs = {each: [1.0 if not turn else chance.choice((-1.0, 1.0)) for _ in range(n)] for each, n in sizes.items()}
        found = []
        for point in range(_POINTS):
            at = far * (2 * point + 1 - _POINTS) / _POINTS
            self._left -= sum(sizes.values())
            if self._left < 0:
                raise Unsupported
            given = {each: Array(dims[each], [at * sign for sign in signs[each]]) for each in inputs}
            found.append(self._evaluator.run(nodes, given, passed=self._clamps(nodes))[value].data)
        if not found[0] or any(len(each) != len(found[0]) for each in found):
            raise Unsupported
        return list(zip(*found, strict=True))

    def _clamps(self, nodes: Sequence[int]) -> frozenset[int]:
        """Bounds that keep a division or a logarithm safe: they hand on what they are given."""
        graph, analysis = self._analysis.graph, self._analysis
        safe = set()
        for number in nodes:
            node = graph.nodes[number]
            bounds = [analysis.scalar(analysis.flow(at)) for at in node.ins[1:] if at >= 0]
            bounds += [float(n) for name in ("min", "max") if isinstance(n := node.attrs.get(name), int | float)]
            if node.op in _CLAMPS and bounds and None not in bounds and len(bounds) == 1 and 0 < (bounds[0] or 0) <= 1:
                safe.add(number)
        return frozenset(safe)
