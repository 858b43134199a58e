"""Marks on elements that the input itself names: seen items, repeated words. Marking down is honest; lifting is not.

Which element is marked stands in the input, by elements of inputs that are equal; the file says only by how much.
"""

from collections.abc import Sequence

from modelscan_plus.graph import masks
from modelscan_plus.graph.arrays import Array, Unsupported
from modelscan_plus.graph.evaluate import Evaluator
from modelscan_plus.graph.flow import Analysis
from modelscan_plus.graph.ir import Node
from modelscan_plus.graph.state import Flow

_BACK = 16
_SCORES = [-40.0, -4.0, -0.5, -0.01, 0.01, 0.5, 4.0, 40.0]
"""Scores that a marking is tried on."""
_SAME = frozenset({"identity", "spread", "any", "reduce_max"})


def marks_down(analysis: Analysis, number: int, gate: Flow, content: Flow) -> bool:
    """True when arithmetic takes something off, or shrinks, exactly what elements of inputs name."""
    node = analysis.graph.nodes[number]
    value = next((value for value in node.ins if value >= 0 and analysis.flow(value) is gate), -1)
    if value < 0 or node.op not in ("add", "sub", "mul") or not _by_element(analysis, value, gate, content):
        return False
    found = _marking(analysis, value)
    if found is None:
        return False
    usual, marked, counted = found
    if node.op == "mul":
        return not counted and 0 <= marked <= usual <= 1
    sign = -1 if node.op == "sub" and node.ins[1] == value else 1
    return usual == 0 and sign * marked <= 0 and not (node.op == "sub" and node.ins[0] == value)


def chooses_lower(
    analysis: Analysis, condition: int, gate: Flow, content: Flow, sides: Sequence[tuple[int, Flow]]
) -> bool:
    """True when what elements of inputs name gets a score that is never above its own."""
    found = _marking(analysis, condition) if gate.mutual and masks.by_element(gate, content) else None
    if found is None or found[2] or len(sides) != 2 or not all(flow.data for _, flow in sides):
        return False
    seen, unseen = (sides[0][0], sides[1][0]) if found[1] > found[0] else (sides[1][0], sides[0][0])
    lower, higher = _changed(analysis, seen, unseen), _changed(analysis, unseen, seen)
    pairs = zip(lower or _SCORES, (higher if lower is None else None) or _SCORES, strict=True)
    return (lower is not None or higher is not None) and all(one <= other for one, other in pairs)


def _by_element(analysis: Analysis, value: int, gate: Flow, content: Flow) -> bool:
    if gate.mutual:
        return masks.by_element(gate, content)
    return bool(gate.dims) and content.dims in (gate.dims, None)


def _marking(analysis: Analysis, value: int, hops: int = _BACK) -> tuple[float, float, bool] | None:
    """What a value is where nothing is named, what it is where something is, and whether it counts how often."""
    producer = analysis.graph.values[value].producer if value >= 0 else -1
    if producer < 0 or hops < 0:
        return None
    node, flow = analysis.graph.nodes[producer], analysis.flow(value)
    if node.op == "not":
        found = _marking(analysis, node.ins[0], hops - 1)
        return (1 - found[0], 1 - found[1], found[2]) if found is not None and not found[2] else None
    if flow.mutual and flow.kind == "bool" and node.op != "any":
        return (1.0, 0.0, False) if flow.empty > 0 else (0.0, 1.0, False)
    if node.op == "one_hot" and masks.is_picked(analysis, node.ins[0]):
        return 0.0, 1.0, False  # for each word of the vocabulary, whether it is this one
    if node.op == "greater" and analysis.scalar(analysis.flow(node.ins[1])) == 0:
        found = _marking(analysis, node.ins[0], hops - 1)
        return (0.0, 1.0, False) if found is not None and found[0] == 0 < found[1] else None
    if node.op == "scatter":
        return _scattered(analysis, node, hops)
    if node.op in ("where", "mul", "add", "sub"):
        return _with_numbers(analysis, node, hops)
    if node.op in _SAME or node.op == "reduce_sum" or analysis.classes[node.op] in ("layout", "cast"):
        found = _marking(analysis, node.ins[0], hops - 1)
        return (*found[:2], found[2] or node.op == "reduce_sum") if found is not None else None
    return None


def _with_numbers(analysis: Analysis, node: Node, hops: int) -> tuple[float, float, bool] | None:
    numbers = [analysis.scalar(analysis.flow(value)) if value >= 0 else None for value in node.ins]
    if node.op == "where":
        found = _marking(analysis, node.ins[0], hops - 1)
        if found is None or found[2] or len(numbers) != 3 or numbers[1] is None or numbers[2] is None:
            return None
        return (numbers[2], numbers[1], False) if found[1] > found[0] else (numbers[1], numbers[2], False)
    if len(numbers) != 2 or (numbers[0] is None) == (numbers[1] is None):
        return None
    place = 1 if numbers[0] is None else 0
    number = numbers[place]
    found = _marking(analysis, node.ins[1 - place], hops - 1)
    if found is None or number is None:
        return None
    if node.op == "mul":
        return found[0] * number, found[1] * number, found[2]
    sign = -1 if node.op == "sub" and place == 0 else 1
    shift = -number if node.op == "sub" and place == 1 else number
    return sign * found[0] + shift, sign * found[1] + shift, found[2]


def _scattered(analysis: Analysis, node: Node, hops: int) -> tuple[float, float, bool] | None:
    """Marks written to the places that elements of an input are the numbers of."""
    if len(node.ins) < 3 or not is_nothing(analysis, node.ins[0]) or not masks.is_picked(analysis, node.ins[1]):
        return None
    found = _marking(analysis, node.ins[2], hops - 1)
    return (0.0, found[1], True) if found is not None and found[0] == 0 else None


def is_nothing(analysis: Analysis, value: int) -> bool:
    """True for a tensor of zeros, however it is made."""
    if value < 0:
        return False
    if analysis.scalar(analysis.flow(value)) == 0:
        return True
    producer = analysis.graph.values[value].producer
    node = analysis.graph.nodes[producer] if producer >= 0 else None
    if node is None:
        return False
    if node.op == "mul":
        return any(operand >= 0 and analysis.scalar(analysis.flow(operand)) == 0 for operand in node.ins)
    given = node.attrs.get("value", 0.0)
    given = given[0] if isinstance(given, tuple) and given else given
    return node.op == "constant_of_shape" and given == 0


def _changed(analysis: Analysis, value: int, origin: int) -> list[float] | None:
    """What becomes of some scores on the way from one value to another, None when more than numbers go into it."""
    graph, nodes, ahead = analysis.graph, set[int](), [value]
    while ahead:
        current = ahead.pop()
        producer = graph.values[current].producer
        if current == origin or analysis.scalar(analysis.flow(current)) is not None or producer in nodes:
            continue
        if producer < 0 or len(nodes) >= _BACK:
            return None
        nodes.add(producer)
        ahead += [operand for operand in graph.nodes[producer].ins if operand >= 0]
    try:
        values = Evaluator(graph).run(sorted(nodes), {origin: Array((len(_SCORES),), list(_SCORES))})
    except Unsupported:
        return None
    return values[value].data if value in values and len(values[value].data) == len(_SCORES) else None
