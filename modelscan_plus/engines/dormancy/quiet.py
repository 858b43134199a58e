"""Which values sleep: operands that depend on the input, and on ordinary inputs do not change or do not count.

Two kinds. Asleep: bit for bit the same in every run of a family, whatever the input was. Faint: it changes, but next
to what it is combined with, the change is nothing. Both are looked for where an operator joins several values that
depend on the input, because there a part that never counts meets the part that always does.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from modelscan_plus.engines.dormancy.ordinary import FAMILIES, Array
from modelscan_plus.engines.dormancy.runner import ELEMENTS, Model
from modelscan_plus.graph.flow import Analysis
from modelscan_plus.graph.ir import Graph

RUNS = 8
ENOUGH = 4
"""Runs without error that an answer needs."""
FAINT = 3e-3
"""Change of a faint operand, as a part of the change of the result."""
_LARGE = 1 << 20
"""Elements of one value in one run above which it is not watched."""
_WATCHED = 600


@dataclass(frozen=True, slots=True)
class Sleeper:
    """One operand that sleeps in one family of inputs."""

    value: int
    node: int
    """Where it meets the rest; -1 where it is an output."""
    content: int
    """The operand that it meets."""
    family: int
    state: Array
    """What it is, in one run."""
    asleep: bool
    """False where it is faint."""


class Watch:
    """What the values did in the runs of one family: least and greatest, element by element."""

    def __init__(self) -> None:
        self.low: dict[int, Array] = {}
        self.high: dict[int, Array] = {}
        self.odd: set[int] = set()
        """Values whose shape differs from run to run, and those that are no numbers."""
        self.runs = 0

    def add(self, value: int, found: Array) -> None:
        """Another run."""
        if value in self.odd:
            return
        if not isinstance(found, np.ndarray) or found.dtype.kind not in "biuf" or not 0 < found.size <= _LARGE:
            self.odd.add(value)
        elif value not in self.low:
            self.low[value] = self.high[value] = found
        elif self.low[value].shape != found.shape:
            self.odd.add(value)
        else:
            self.low[value] = np.minimum(self.low[value], found)
            self.high[value] = np.maximum(self.high[value], found)

    def asleep(self, value: int) -> bool:
        """The same in all runs."""
        if value in self.odd or value not in self.low:
            return False
        low, high = self.low[value], self.high[value]
        return bool(np.array_equal(low, high, equal_nan=low.dtype.kind == "f"))

    def change(self, value: int) -> float:
        """The largest change of an element; infinite where it is not known."""
        if value in self.odd or value not in self.low:
            return float("inf")
        difference = self.high[value].astype(np.float64) - self.low[value].astype(np.float64)
        return float(np.nanmax(difference)) if np.isfinite(difference).any() else float("inf")


def watched(analysis: Analysis) -> dict[int, list[int]]:
    """By node, its operands that depend on elements of an input; nodes with two and more, not inside functions or
    branches, whose values have names."""
    graph = analysis.graph
    found: dict[int, list[int]] = {}
    for number, node in enumerate(graph.nodes):
        if not _outermost(graph, number) or len(found) >= _WATCHED:
            continue
        operands = [value for value in dict.fromkeys(node.ins) if value >= 0 and analysis.flow(value).data]
        if len(operands) > 1:
            found[number] = operands
    return found


def _outermost(graph: Graph, number: int) -> bool:
    """True for nodes that are neither in a function nor in a branch; what joins two branches has one in its scope."""
    node = graph.nodes[number]
    return len(node.scope) <= (node.op == "phi")


def _made_outermost(graph: Graph, value: int) -> bool:
    producer = graph.values[value].producer
    return producer >= 0 and _outermost(graph, producer)


def watch(model: Model, values: Sequence[int], family: int) -> Watch:
    """Runs ordinary inputs of one family, as many as fit."""
    graph = model.analysis.graph
    seen = Watch()
    names = [graph.values[value].name for value in values]
    width = _width(model, names, family)
    for start in range(0, len(names), width):
        part = slice(start, start + width)
        runs = 0
        for run in range(RUNS):
            try:
                found = model.run(names[part], model.draw(family, run))
            except Exception:  # noqa: S112 - an input that the model does not take; the runs are counted
                continue
            runs += 1
            for value, array in zip(values[part], found, strict=True):
                seen.add(value, array)
        seen.runs = runs if not start else min(seen.runs, runs)
    return seen


def _width(model: Model, names: Sequence[str], family: int) -> int:
    """How many values are fetched at once."""
    try:
        found = model.run(names, model.draw(family, 0))
    except Exception:
        return max(1, len(names))
    total = sum(array.size for array in found if isinstance(array, np.ndarray))
    return max(1, len(names) * ELEMENTS // max(total, ELEMENTS))


def sleepers(model: Model) -> tuple[list[Sleeper], dict[int, Watch]]:
    """Operands that sleep, by node, and what was seen in each family that runs."""
    analysis = model.analysis
    graph = analysis.graph
    nodes = watched(analysis)
    values = list(
        dict.fromkeys(
            value
            for number, operands in nodes.items()
            for value in (*operands, *graph.nodes[number].outs)
            if value >= 0 and graph.values[value].name and _made_outermost(graph, value)
        )
    )
    values += [value for value in graph.outputs if value not in values and analysis.flow(value).data]
    found: list[Sleeper] = []
    seen: dict[int, Watch] = {}
    for family in range(len(FAMILIES)):
        one = watch(model, values, family)
        if one.runs < ENOUGH:
            continue
        seen[family] = one
        for number, operands in nodes.items():
            found += _of_node(model, number, operands, one, family)
    return found, seen


def _of_node(model: Model, number: int, operands: Sequence[int], seen: Watch, family: int) -> list[Sleeper]:
    graph = model.analysis.graph
    node = graph.nodes[number]
    awake = [out for out in node.outs if out >= 0 and not seen.asleep(out)]
    if not awake:
        return []
    found = []
    for value in operands:
        if value not in seen.low:
            continue
        others = [other for other in operands if other != value]
        asleep = seen.asleep(value)
        if asleep or (_is_faint(node.op, value, others, awake[0], seen)):
            found.append(Sleeper(value, number, others[0], family, seen.low[value], asleep))
    return found


def _is_faint(op: str, value: int, others: Sequence[int], out: int, seen: Watch) -> bool:
    change, whole = seen.change(value), seen.change(out)
    if op in ("add", "sub"):
        return change <= FAINT * whole
    if op in ("max", "min"):
        return any(_same(seen, out, other) for other in others)
    if op in ("mul", "div"):
        size = float(np.abs(seen.low[value].astype(np.float64)).max())
        return change <= FAINT * size
    return False


def _same(seen: Watch, one: int, other: int) -> bool:
    """Both range over the same, element by element."""
    if one not in seen.low or other not in seen.low or one in seen.odd or other in seen.odd:
        return False
    return np.array_equal(seen.low[one], seen.low[other]) and np.array_equal(seen.high[one], seen.high[other])
