"""Exemptions of models that treat many things alike: points of a cloud, steps of a series, voters, turns of a loop.

What decides about one of them decides about nothing else, or all of them are decided about in the same way.
"""

from collections.abc import Sequence

from modelscan_plus.graph import awake
from modelscan_plus.graph.flow import Analysis
from modelscan_plus.graph.ir import Node
from modelscan_plus.graph.marks import is_nothing
from modelscan_plus.graph.ordinary import trace
from modelscan_plus.graph.shapes import int_list, integer
from modelscan_plus.graph.sites import Effect, Site
from modelscan_plus.graph.state import HARD, Flow, is_thin

_BACK = 24
_AHEAD = 64
_NODES = 64
_RARE = 0.05
"""Points that are as common as that are not rare."""
_STEPS = 3
_SKIPS = (Effect.SUPPRESSION, Effect.OVERRIDE, Effect.SELECTION)
_ALONG = frozenset("smooth saturate activation compare logic round cast arith select copy norm peaky".split())
"""Classes of operators that leave the first axis where it is."""


def counts_in_a_set(analysis: Analysis, number: int, gate: Flow) -> bool:
    """True when the first axis counts members of a set, as points of a cloud, of which one says by itself whether it
    counts: no output has a row for each, and on ordinary inputs some count and some do not."""
    if gate.gate != HARD or gate.payload or gate.random or not (gate.data and gate.lead and is_thin(gate)):
        return False
    node = analysis.graph.nodes[number]
    value = next((value for value in node.ins if value >= 0 and analysis.flow(value) is gate), -1)
    return value >= 0 and _is_pooled(analysis, number) and awake.is_common(analysis, value, _RARE)


def _is_pooled(analysis: Analysis, number: int) -> bool:
    """True when the rows of a node's result are put together on every way to an output."""
    graph = analysis.graph
    seen: set[int] = set()
    ahead = [out for out in graph.nodes[number].outs if out >= 0]
    for _ in range(_AHEAD):
        if not ahead:
            return bool(seen)
        value = ahead.pop()
        readers = analysis.readers(value)
        if value in graph.outputs or not readers:
            return False
        for reader in readers:
            node = graph.nodes[reader]
            if reader in seen or _pools(analysis, node, value):
                seen.add(reader)
                continue
            group = analysis.classes[node.op]
            weights = group == "trunk" and node.op in ("gemm", "linear", "matmul") and node.ins[0] == value
            if group not in _ALONG and not weights:
                return False
            seen.add(reader)
            ahead += [out for out in node.outs if out >= 0]
    return False


def _pools(analysis: Analysis, node: Node, value: int) -> bool:
    if node.op == "scatter":
        return analysis.flow(node.ins[0]).fixed and node.ins[-1] == value and integer(node, "axis", 0) == 0
    if analysis.classes[node.op] == "reduce" and node.op != "cumsum":
        flows = [analysis.flow(operand) if operand >= 0 else None for operand in node.ins]
        return 0 in (int_list(node, flows, "axes", 1) or ())
    return False


def settles(analysis: Analysis, condition: int, sides: Sequence[tuple[int, Flow]]) -> bool:
    """True when a loop goes on until what it computes hardly differs from what it was."""
    graph = analysis.graph
    starts = {_origin(analysis, value) for value, _ in sides}
    ahead, tests = [condition], 0
    for _ in range(_BACK):
        if not ahead:
            return tests > 0
        value = ahead.pop()
        producer = graph.values[value].producer if value >= 0 else -1
        if producer < 0:
            return False
        node = graph.nodes[producer]
        moving = [operand for operand in node.ins if operand >= 0 and analysis.flow(operand).data]
        if node.op == "sub" and len(moving) == 2:
            before = next((operand for operand in moving if _origin(analysis, operand) in starts), -1)
            after = next((operand for operand in moving if operand != before), -1)
            if before < 0 or after < 0 or analysis.flow(after).lax <= analysis.flow(before).lax:
                return False
            tests += 1
            continue
        if analysis.classes[node.op] not in ("smooth", "reduce", "compare", "logic", "cast", "layout", "copy", "arith"):
            return False
        ahead += moving
    return False


def _origin(analysis: Analysis, value: int) -> int:
    graph = analysis.graph
    for _ in range(_BACK):
        producer = graph.values[value].producer
        if producer < 0 or graph.nodes[producer].op != "identity":
            return value
        value = graph.nodes[producer].ins[0]
    return value


def votes(analysis: Analysis, number: int, side: int) -> bool:
    """True when the classes that networks of the same make find are counted: each has one vote."""
    graph = analysis.graph
    if graph.nodes[number].op != "add" or _vote(analysis, side) is None:
        return False
    mine = _vote(analysis, side)
    ahead = [value for value in graph.nodes[number].ins if value >= 0 and value != side]
    for _ in range(_BACK):
        if not ahead:
            return False
        value = ahead.pop()
        if _vote(analysis, value) == mine:
            return True
        producer = graph.values[value].producer
        if producer >= 0 and graph.nodes[producer].op == "add":
            ahead += [operand for operand in graph.nodes[producer].ins if operand >= 0]
    return False


def _vote(analysis: Analysis, value: int) -> tuple[object, ...] | None:
    """What a vote is made by: operators and sizes of constants in order; None for what is no vote."""
    graph = analysis.graph
    for _ in range(_BACK):
        producer = graph.values[value].producer
        if producer < 0:
            return None
        node = graph.nodes[producer]
        if node.op == "one_hot":
            branch = trace(analysis, value, _NODES)
            parts = [graph.nodes[number] for number in branch.nodes] if branch is not None else []
            return tuple((part.op, tuple(analysis.flow(v).dims for v in part.ins if v >= 0)) for part in parts) or None
        if analysis.classes[node.op] not in ("cast", "layout"):
            return None
        value = node.ins[0]
    return None


def every_step(analysis: Analysis) -> None:
    """Drop places where each step of a series decides by itself whether it counts: a mask by position, unrolled.

    A step that does not count is scaled down, or leaves the state as it was."""
    found: dict[tuple[int, int, str], dict[int, list[Site]]] = {}
    for site in analysis.outcome.sites:
        picked = _step(analysis, site.gate) if site.effect in _SKIPS else None
        if picked is not None and not analysis.flow(site.gate).payload:
            key = (*picked[:2], analysis.graph.nodes[site.node].op)
            found.setdefault(key, {}).setdefault(picked[2], []).append(site)
    for (source, axis, _), steps in found.items():
        dims = analysis.graph.values[source].dims
        length = dims[axis] if dims else None
        if length is None or length < _STEPS or set(steps) != set(range(length)):
            continue
        gone = [site for sites in steps.values() for site in sites]
        if all(
            _knows_only(analysis, site.content, steps, place)
            and (site.effect is Effect.SUPPRESSION or _leaves(analysis, site, steps.get(place - 1, ())))
            for place, sites in steps.items()
            for site in sites
        ):
            analysis.outcome.sites = [site for site in analysis.outcome.sites if site not in gone]
            analysis.exempt("each step of a series by itself")


def _leaves(analysis: Analysis, site: Site, before: Sequence[Site]) -> bool:
    """True where the state goes on as the step before left it, or begins with zeros."""
    graph = analysis.graph
    sides = [side for side in graph.nodes[site.node].ins[1:] if side >= 0 and side != site.content]
    if graph.nodes[site.node].op != "where" or len(sides) != 1:
        return False
    if not before:
        return is_nothing(analysis, sides[0])
    return graph.values[sides[0]].producer in {earlier.node for earlier in before}


def _step(analysis: Analysis, value: int) -> tuple[int, int, int] | None:
    """(input, axis, place): the one step of a series that a value looks at past layers, None where it is none or
    several."""
    graph, found = analysis.graph, set[tuple[int, int, int]]()
    ahead, seen = [value], set[int]()
    while ahead:
        current = ahead.pop()
        producer = graph.values[current].producer if current >= 0 else -1
        if current in graph.inputs or len(seen) > _BACK:
            return None
        if producer < 0 or producer in seen or not analysis.flow(current).data:
            continue
        seen.add(producer)
        node = graph.nodes[producer]
        picked = _picks(analysis, node)
        if picked is not None:
            found.add(picked)
        elif analysis.classes[node.op] != "trunk":
            ahead += list(node.ins)
    return found.pop() if len(found) == 1 else None


def _picks(analysis: Analysis, node: Node) -> tuple[int, int, int] | None:
    if node.op != "gather" or len(node.ins) < 2 or node.ins[0] not in analysis.graph.inputs:
        return None
    place = analysis.scalar(analysis.flow(node.ins[1]))
    return (node.ins[0], integer(node, "axis", 0), int(place)) if place is not None else None


def _knows_only(analysis: Analysis, value: int, steps: dict[int, list[Site]], place: int) -> bool:
    """True when a value is made of this step of the series and of those before it."""
    graph, seen, ahead = analysis.graph, set[int](), [value]
    while ahead:
        current = ahead.pop()
        producer = graph.values[current].producer if current >= 0 else -1
        if current in graph.inputs:
            return False
        if producer < 0 or producer in seen:
            continue
        seen.add(producer)
        node = graph.nodes[producer]
        picked = _picks(analysis, node)
        if picked is None and node.op == "shape":
            continue
        if picked is None:
            ahead += list(node.ins)
        elif picked[2] > place:
            return False
    return True
