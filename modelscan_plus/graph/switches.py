"""Switches on whole values that carry no content of their own: off, negated, or another function of the same value.

Each is a predicate of structure. What honest models do that comes close is told apart by which way the switch works
(what is silent may be dropped, what is loud may not), by where it stands (dropout stands inside a network, not on its
result), or by what both sides are (padding and reshaping by size changes no number).
"""

from collections.abc import Sequence

from modelscan_plus.graph import exemptions
from modelscan_plus.graph.flow import Analysis
from modelscan_plus.graph.state import HARD, Flow

_BACK = 12
_GREATER = {"greater": 1, "greater_equal": 1, "less": -1, "less_equal": -1}
_MOVED = frozenset({"layout", "copy", "cast", "reduce"})
_CHANGES = frozenset({"smooth", "saturate", "activation", "peaky", "round", "arith"})


def open_when_loud(analysis: Analysis, value: int) -> int | None:
    """Of a number that is zero or one: 1 where it is one for large numbers, -1 where it is zero for them, 0 where it
    depends on equality; None where it is something else."""
    graph, sign = analysis.graph, 1
    for _ in range(_BACK):
        producer = graph.values[value].producer if value >= 0 else -1
        if producer < 0:
            return None
        node = graph.nodes[producer]
        group = analysis.classes[node.op]
        if node.op in _GREATER and len(node.ins) == 2:
            turned = -1 if node.ins[0] >= 0 and analysis.flow(node.ins[0]).fixed else 1
            return sign * turned * _GREATER[node.op]
        if node.op in ("equal", "not_equal"):
            return 0
        if node.op == "sub" and len(node.ins) == 2 and analysis.scalar(analysis.flow(node.ins[0])) == 1:
            sign, value = -sign, node.ins[1]
        elif node.op == "not" or group in _MOVED:
            sign, value = (-sign if node.op == "not" else sign), node.ins[0]
        else:
            return None
    return None


def wipes_input(analysis: Analysis, gate: tuple[int, Flow], content: Flow, *, kept: bool) -> bool:
    """True when a few numbers made of the whole raw input decide that all of it is wiped out, though it is not silent.

    `kept`: the content stays where the gate is true.
    """
    value, flow = gate
    summed = flow.strict == 0 and flow.gate == HARD and flow.compared and _is_single(flow)
    plain = not (flow.control or flow.truth or flow.missing or flow.mutual or flow.payload or flow.empty)
    raw = content.lax == 0 and not content.narrow and not content.step and content.kind == "float"
    if not (summed and plain and raw and flow.data == content.data and flow.root != content.root):
        return False
    loud = open_when_loud(analysis, value)
    return loud is not None and loud != (1 if kept else -1)


def wipes_words(gate: Flow, content: Flow) -> bool:
    """True when one whole number for each row, made of words past every layer, is multiplied with all words of it."""
    plain = not (gate.control or gate.count or gate.truth or gate.missing or gate.mutual or gate.empty)
    words = content.kind == "int" and content.lax == 0 and not content.count and not content.narrow and not content.step
    rows = content.dims is not None and len(content.dims) > 1
    return words and rows and plain and gate.gate == HARD and gate.strict == 0 and _is_single(gate)


def answers_missing(
    analysis: Analysis, gate: Flow, network: Sequence[tuple[int, Flow]], foreign: Sequence[tuple[int, Flow]]
) -> bool:
    """True when a whole result becomes a number of the file's own as soon as any number of the input is missing; that
    the result is then missing, or nothing, is let pass."""
    whole = gate.missing and gate.narrow and gate.step == HARD and gate.strict == 0 and gate.lax == 0
    if not whole or not _is_single(gate) or not network or not foreign:
        return False
    answer = analysis.scalar(foreign[0][1])
    return not analysis.flat(foreign[0][1]) or (answer is not None and answer == answer and answer != 0)


def writes_over(gate: Flow, sides: Sequence[tuple[int, Flow]]) -> bool:
    """True when a condition decides between the raw input and the same with fixed numbers written into it."""
    plain = not (gate.control or gate.count or gate.truth or gate.missing or gate.mutual or gate.place)
    raw = len(sides) == 2 and all(flow.data and flow.lax == 0 and not flow.narrow for _, flow in sides)
    same = raw and sides[0][1].data == sides[1][1].data and sides[0][1].mixed != sides[1][1].mixed
    return same and plain and gate.gate == HARD and gate.compared and gate.strict == 0


def draws_lots(analysis: Analysis, number: int, gate: Flow) -> bool:
    """True when chance switches all of a result on and off; inside a network that is how layers are dropped."""
    lots = gate.random and not gate.data and gate.gate == HARD and gate.dims is not None
    return lots and all(size == 1 for size in gate.dims or ()) and not exemptions.goes_on(analysis, number)


def turns_by_size(
    analysis: Analysis, number: int, condition: tuple[int, Flow], sides: Sequence[tuple[int, Flow]]
) -> bool:
    """True when one size of the input decides between a result and a function of it, by fixed numbers alone.

    A range of sizes may be treated in its own way; a single one is a trigger.
    """
    value, gate = condition
    if open_when_loud(analysis, value) != 0:
        return False
    if gate.data or gate.random or not (gate.shape and gate.compared) or len(sides) != 2:
        return False
    (left, one), (right, other) = sides
    if one.root != other.root or one.root < 0 or one.dims != other.dims or exemptions.goes_on(analysis, number):
        return False
    return _is_changed(analysis, left, right) or _is_changed(analysis, right, left)


def _is_changed(analysis: Analysis, value: int, origin: int) -> bool:
    """True when the value is the other one, or what that is a copy of, changed by fixed numbers."""
    graph, changed = analysis.graph, False
    origins = {origin}
    for _ in range(_BACK):
        producer = graph.values[origin].producer
        if producer < 0 or analysis.classes[graph.nodes[producer].op] != "copy":
            break
        origin = graph.nodes[producer].ins[0]
        origins.add(origin)
    for _ in range(_BACK):
        if value in origins:
            return changed
        producer = graph.values[value].producer if value >= 0 else -1
        if producer < 0:
            return False
        node = graph.nodes[producer]
        moving = [each for each in node.ins if each >= 0 and not analysis.flow(each).fixed]
        group = analysis.classes[node.op]
        if len(set(moving)) != 1 or group not in (_CHANGES | _MOVED):
            return False
        changed, value = changed or group in _CHANGES or node.op == "reorder", moving[0]
    return False


def _is_single(flow: Flow) -> bool:
    return flow.dims is not None and all(size == 1 for size in flow.dims[1:])
