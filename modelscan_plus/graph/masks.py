"""Exemptions of decoders, recommenders and samplers: what is hidden, banned, ended or blurred, and by whom.

None of them lets content of the file's own into the result: which elements a mask hides, which token goes on and what
noise is added stands in the input.
"""

from collections.abc import Iterator, Sequence

from modelscan_plus.graph.flow import Analysis
from modelscan_plus.graph.ir import Node
from modelscan_plus.graph.state import HARD, Flow
from modelscan_plus.graph.weights import is_irregular

_BACK = 24
"""Nodes that a search back looks at."""
_HIDDEN = -1e4
"""From here down a score is as good as none."""
_ROW = 1 << 18
"""Scores of one row that are looked at."""
_MOVES = frozenset({"layout", "cast", "copy", "index"})


def is_mutual(analysis: Analysis, node: Node, out: Flow) -> bool:
    """True when a comparison asks whether elements of inputs are equal, or how often others were."""
    operands = [(value, analysis.flow(value)) for value in node.ins if value >= 0]
    data = [flow for _, flow in operands if flow.data]
    if len(data) == len(operands) and len(data) > 1:
        return node.op == "equal" and all(is_picked(analysis, value) for value, _ in operands)
    return out.mutual and all(analysis.scalar(flow) in (0.0, 0.5, 1.0) for _, flow in operands if not flow.data)


def is_picked(analysis: Analysis, value: int) -> bool:
    """True when the elements are those of an input, moved or picked by fixed numbers."""
    graph = analysis.graph
    for _ in range(_BACK):
        producer = graph.values[value].producer
        if producer < 0:
            return value in graph.inputs
        node = graph.nodes[producer]
        if analysis.classes[node.op] not in _MOVES or not node.ins:
            return False
        if any(analysis.flow(other).data for other in node.ins[1:] if other >= 0):
            return False
        value = node.ins[0]
    return False


def by_element(gate: Flow, content: Flow) -> bool:
    """True when the condition has an element for each of those that it decides about."""
    if gate.payload:
        return False
    if not gate.dims or not content.dims:
        return gate.dims is None or content.dims is None
    return gate.dims[-1] == content.dims[-1] and gate.dims[-1] != 1


def hides(analysis: Analysis, sides: Sequence[tuple[int, Flow]]) -> bool:
    """True when all that stands in the file is one very low number."""
    bounds = [analysis.scalar(flow) for _, flow in sides if not flow.data]
    return bool(bounds) and all(bound is not None and bound <= _HIDDEN for bound in bounds)


def bans(analysis: Analysis, number: int, gate: Flow, content: Flow) -> bool:
    """True when a very large number is taken off where elements of the input are equal."""
    node = analysis.graph.nodes[number]
    if not gate.mutual or not by_element(gate, content) or node.op not in ("add", "sub"):
        return False
    for place, value in enumerate(node.ins):
        if value >= 0 and analysis.flow(value) is gate:
            sign = -1 if node.op == "sub" and place == 1 else 1
            return sign * _factor(analysis, value) <= _HIDDEN
    return False


def _factor(analysis: Analysis, value: int) -> float:
    """What a condition was multiplied with."""
    graph, factor = analysis.graph, 1.0
    for node in _back(analysis, value):
        if node.op != "mul":
            if analysis.classes[node.op] not in _MOVES:
                return factor
            continue
        for operand in node.ins:
            factor *= analysis.scalar(analysis.flow(operand)) or 1.0 if operand >= 0 else 1.0
    return factor if graph.nodes else 1.0


def _back(analysis: Analysis, value: int) -> Iterator[Node]:
    """The nodes before a value, each time by way of the first operand that depends on an input."""
    graph = analysis.graph
    for _ in range(_BACK):
        producer = graph.values[value].producer
        if producer < 0:
            return
        node = graph.nodes[producer]
        yield node
        ahead = [operand for operand in node.ins if operand >= 0 and analysis.flow(operand).data]
        if not ahead:
            return
        value = ahead[0]


def switches_noise(analysis: Analysis, number: int, gate: Flow) -> bool:
    """True when a whole number that the caller sets for each row switches on that an input of its own is added: the
    noise of a diffusion step."""
    graph = analysis.graph
    node = graph.nodes[number]
    if node.op not in ("add", "sub") or gate.payload or gate.narrow or gate.lax:
        return False
    value = next((value for value in node.ins if value >= 0 and analysis.flow(value) is gate), -1)
    while value >= 0:
        producer = graph.values[value].producer
        if producer < 0:
            return False
        parts = [operand for operand in graph.nodes[producer].ins if operand >= 0]
        if graph.nodes[producer].op != "mul":
            return False
        switch = [part for part in parts if analysis.flow(part).gate and analysis.flow(part).narrow]
        noise = [part for part in parts if not analysis.flow(part).gate and analysis.flow(part).data]
        if switch and noise:
            return all(_sets(analysis, part) for part in switch) and all(part in graph.inputs for part in noise)
        value = next((part for part in parts if analysis.flow(part).gate), -1)
    return False


def _sets(analysis: Analysis, value: int) -> bool:
    """True when a value is made of inputs that hold one whole number for each row."""
    data = analysis.flow(value).data
    sources = [flow for flow in map(analysis.flow, analysis.graph.inputs) if flow.data & data]
    return all(flow.kind in ("int", "bool") and flow.dims is not None and len(flow.dims) <= 1 for flow in sources)


def continues_the_end(
    analysis: Analysis, number: int, gate: Flow, content: Flow, sides: Sequence[tuple[int, Flow]]
) -> bool:
    """True when a row that has the token which decoders end with can only go on with the same token."""
    fixed = [(value, flow) for value, flow in sides if not flow.data]
    token = _token(analysis, number, gate)
    if token is None or len(fixed) != 1:
        return False
    if content.kind == "int":
        return analysis.scalar(fixed[0][1]) == token
    return _only_class(analysis, fixed[0][0]) == token


def _token(analysis: Analysis, number: int, gate: Flow) -> int | None:
    """The token that a condition asks for in an input with a vocabulary, None when there is more to it."""
    graph = analysis.graph
    value = next((value for value in graph.nodes[number].ins if value >= 0 and analysis.flow(value) is gate), -1)
    for node in _back(analysis, value) if value >= 0 else ():
        if node.op == "equal" and len(node.ins) == 2:
            asked = [value for value in node.ins if analysis.flow(value).data]
            bounds = [analysis.scalar(analysis.flow(value)) for value in node.ins if not analysis.flow(value).data]
            words = len(asked) == 1 and is_picked(analysis, asked[0]) and _is_embedded(analysis, gate.data)
            return int(bounds[0]) if words and bounds and bounds[0] is not None else None
        if analysis.classes[node.op] not in ("layout", "cast", "copy"):
            return None
    return None


def _is_embedded(analysis: Analysis, data: int) -> bool:
    """True when the input is made of tokens: whole numbers, several of a row, that are looked up in a table."""
    sources = [flow for flow in map(analysis.flow, analysis.graph.inputs) if flow.data & data]
    return (
        bool(sources)
        and all(flow.kind in ("int", "") and not flow.control for flow in sources)
        and any(
            node.op in ("gather", "embedding") and len(node.ins) > 1 and _looks_up(analysis, node, data)
            for node in analysis.graph.nodes
        )
    )


def _looks_up(analysis: Analysis, node: Node, data: int) -> bool:
    table, picked = (analysis.flows[value] if value >= 0 else None for value in node.ins[:2])
    return table is not None and picked is not None and table.fixed and picked.data == data and picked.lax == 0


def _only_class(analysis: Analysis, value: int) -> int | None:
    """The one place of a fixed row of scores that is not hidden: the row itself, or one number and what is written
    into it."""
    graph = analysis.graph
    for _ in range(_BACK):
        info = graph.values[value]
        if info.const is not None:
            found = info.const.read(0, info.const.count) if info.const.count <= _ROW else None
            open_ = [place for place, score in enumerate(found or ()) if not _is_hidden(score)]
            return open_[0] if len(open_) == 1 else None
        node = graph.nodes[info.producer] if info.producer >= 0 else None
        if node is None or not node.ins:
            return None
        if node.op == "scatter" and len(node.ins) > 2:
            place = _written_at(analysis, node)
            ground = _filled_with(analysis, node.ins[0])
            return int(place) if place is not None and ground is not None and ground <= _HIDDEN else None
        if analysis.classes[node.op] not in ("layout", "cast", "copy"):
            return None
        value = node.ins[0]
    return None


def _filled_with(analysis: Analysis, value: int) -> float | None:
    """The one number that a fixed tensor consists of, however large it is."""
    producer = analysis.graph.values[value].producer
    node = analysis.graph.nodes[producer] if producer >= 0 else None
    if node is not None and node.op == "constant_of_shape":
        given = node.attrs.get("value", 0.0)
        given = given[0] if isinstance(given, tuple) and given else given
        return float(given) if isinstance(given, int | float) else None
    return analysis.scalar(analysis.flow(value))


def _written_at(analysis: Analysis, node: Node) -> float | None:
    """Where a scatter writes; a copy into a view writes where the view was taken."""
    graph = analysis.graph
    if node.ins[1] >= 0:
        return analysis.scalar(analysis.flow(node.ins[1]))
    views = [graph.nodes[reader] for reader in analysis.readers(node.ins[0])]
    places = [analysis.scalar(analysis.flow(view.ins[1])) for view in views if view.op == "gather" and view.ins[1] >= 0]
    return places[0] if len(places) == 1 else None


def _is_hidden(score: object) -> bool:
    return isinstance(score, int | float) and score <= _HIDDEN


def is_posterior(analysis: Analysis, node: Node) -> bool:
    """True for an exponential that adds up to one over classes, of distances to learned means: a Gaussian naive Bayes
    model, which is a layer."""
    graph = analysis.graph
    before = graph.values[node.ins[0]].producer
    if before < 0 or graph.nodes[before].op != "sub" or len(graph.nodes[before].ins) != 2:
        return False
    scores, total = graph.nodes[before].ins
    if not any(step.op == "reduce_log" and step.ins[0] == scores for step in _back(analysis, total)):
        return False
    for step in _back(analysis, scores):
        for value in step.ins:
            const = graph.values[value].const if value >= 0 else None
            if step.op == "sub" and const is not None and len(const.dims) > 1 and min(const.dims[-2:]) > 1:
                return is_irregular(const)
    return False


def weighted_means(analysis: Analysis, numbers: Sequence[int] | None = None) -> set[tuple[int, int]]:
    """(value, node) where weights stand in a mean by them: what scales all of them alike has no effect. Of all nodes,
    or of those with these numbers."""
    graph = analysis.graph
    found: set[tuple[int, int]] = set()
    for number in range(len(graph.nodes)) if numbers is None else numbers:
        node = graph.nodes[number]
        if node.op != "div" or len(node.ins) != 2 or min(node.ins) < 0:
            continue
        total, weights = _summed(analysis, node.ins[0]), _summed(analysis, node.ins[1])
        producer = graph.values[total].producer
        if producer >= 0 and graph.nodes[producer].op == "mul" and weights in graph.nodes[producer].ins:
            found |= {(node.ins[1], number), (weights, producer)}
    return found


def _summed(analysis: Analysis, value: int) -> int:
    """What a sum is of, the value itself when it is none."""
    graph = analysis.graph
    first = value
    for _ in range(_BACK):
        producer = graph.values[value].producer
        if producer < 0:
            return first
        node = graph.nodes[producer]
        if node.op == "reduce_sum":
            return node.ins[0]
        bound = node.op in ("clip", "max") and analysis.flow(node.ins[0]).data  # against a sum of nothing
        if not (bound or analysis.classes[node.op] in ("layout", "cast")) or not node.ins or node.ins[0] < 0:
            return first
        value = node.ins[0]
    return first


def is_share(analysis: Analysis, value: int) -> bool:
    """True for how much of a row is made of certain words, or what is left of it: it grows evenly with each of them."""
    graph = analysis.graph
    for _ in range(_BACK):
        producer = graph.values[value].producer if value >= 0 else -1
        if producer < 0:
            return False
        node = graph.nodes[producer]
        if node.op == "reduce_mean":
            return _is_marked(analysis, node.ins[0])
        if node.op == "div" and len(node.ins) == 2:
            over = graph.values[_summed(analysis, node.ins[0])]
            return over.producer >= 0 and analysis.flow(node.ins[0]).count and _is_marked(analysis, node.ins[0])
        if node.op == "sub" and len(node.ins) == 2 and analysis.scalar(analysis.flow(node.ins[0])) == 1:
            value = node.ins[1]
        elif analysis.classes[node.op] in ("layout", "cast") or node.op in ("identity", "spread"):
            value = node.ins[0]
        else:
            return False
    return False


def _is_marked(analysis: Analysis, value: int) -> bool:
    """True for truth values by position, or the sum of them."""
    flow = analysis.flow(_summed(analysis, value))
    return flow.step == HARD and not flow.narrow and not flow.payload and flow.lax == 0
