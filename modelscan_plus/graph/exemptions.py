"""What honest models do that looks like a gate on the network. Each has a name, a test, and a reason.

Some need no predicate because the analysis itself tells them apart: padding and other masks by position are never
narrow; an index of the end token or a length is a count, no step; centring and scaling by the input's own mean
(RevIN) and clamps from below are not step-like; imputation is a guard of the value itself; what detection and
decoding do afterwards is as deep as what they change.
"""

from collections.abc import Callable, Iterator, Sequence

from modelscan_plus.graph import awake, groups, marks, masks
from modelscan_plus.graph.flow import Analysis
from modelscan_plus.graph.state import Flow, per_sample

ATTENTION = "attention mask"
_SILENT = 1.001e-3
_PARTS = 8
"""Parts of an input from which each of them may be silent by itself."""
_WHOLE = ("layout", "cast", "reduce")
_COMPARES = {"greater": 1, "greater_equal": 1, "less": -1, "less_equal": -1}
_LOUDNESS = frozenset({"abs", "square", "mul", "pow", "sqrt", "log", "identity", "add"})
_BACK = 16
_STEPS = 40
"""Nodes that a search ahead looks at."""
_FAR = 160
"""The same for a search for the next layer: an expert's result is first scattered back into its rows."""
_WEIGHT_FREE = frozenset({"copy", "layout", "arith", "smooth", "select", "cast", "join", "norm"})


def speaks_for(analysis: Analysis, number: int, gate: Flow, content: Flow) -> str:
    """The exemption that explains why this gate is combined with network values, "" for none."""
    if _by_key(gate) and not gate.payload and masks_attention(analysis, number):
        return ATTENTION
    if guards_a_division(analysis, number, gate):
        return "guard of a division"
    if gate.empty == -1 and not gate.payload and analysis.graph.nodes[number].op == "mul":
        return "nothing where nothing is"
    if analysis.graph.nodes[number].op == "div" and is_weight(analysis, number, gate):
        return "weights of a mean"
    if masks.bans(analysis, number, gate, content):
        return "what was seen is banned"
    if marks.marks_down(analysis, number, gate, content):
        return "what was seen is marked down"
    if groups.counts_in_a_set(analysis, number, gate):
        return "members of a set that count"
    if masks.switches_noise(analysis, number, gate):
        return "noise that a time step switches"
    node = analysis.graph.nodes[number]
    if node.op == "mul" and not gate.payload and is_silence(analysis, number):
        return "nothing where the input is silent"
    value = next((value for value in node.ins if value >= 0 and analysis.flow(value) is gate), -1)
    if node.op in ("mul", "min", "max") and value >= 0 and awake.is_awake(analysis, value, gate):
        return "awake on ordinary inputs"
    return ""


def _by_key(gate: Flow) -> bool:
    """True when there is a truth value for each key, of many or of whatever the input marks as there or not."""
    return not gate.narrow or (gate.truth and gate.dims is not None and len(gate.dims) > 1 and gate.dims[-1] != 1)


def speaks_for_choice(
    analysis: Analysis, number: int, gate: Flow, content: Flow, sides: Sequence[tuple[int, Flow]]
) -> str:
    """The same for a choice between values."""
    flat = all(analysis.flat(flow) for _, flow in sides if not flow.data)
    if _by_key(gate) and flat and masks_attention(analysis, number):
        return ATTENTION
    if gate.root == content.root and gate.root >= 0:
        return "guard of the value itself"
    if gate.mutual and masks.by_element(gate, content) and masks.hides(analysis, sides):
        return "what was seen is banned"
    condition = next((value for value in analysis.graph.nodes[number].ins if analysis.flow(value) is gate), -1)
    if gate.mutual and marks.chooses_lower(analysis, condition, gate, content, sides):
        return "what was seen is marked down"
    if analysis.graph.nodes[number].attrs.get("loop") and groups.settles(analysis, condition, sides):
        return "a loop until nothing changes"
    if flat and groups.counts_in_a_set(analysis, number, gate):
        return "members of a set that count"
    if flat and (name := _rule_of_the_model(analysis, condition, gate, sides)):
        return name
    if masks.continues_the_end(analysis, number, gate, content, sides):
        return "what has ended stays ended"
    if fills_the_empty(analysis, gate, sides):
        return "fill where nothing is"
    return ""


def _rule_of_the_model(analysis: Analysis, condition: int, gate: Flow, sides: Sequence[tuple[int, Flow]]) -> str:
    """Why a condition chooses between results of the network, or one of them and one number."""
    if any(flow.payload or (flow.data and not flow.lax) for _, flow in sides):
        return ""
    if asks_for_anything(analysis, condition):
        return "another answer where nothing is"
    sound = asks_for_sound(analysis, condition) if len(sides) == 2 else 0
    if sound and not sides[0 if sound < 0 else 1][1].data:
        return "nothing where the input is silent"
    return "awake on ordinary inputs" if awake.is_awake(analysis, condition, gate) else ""


def asks_for_anything(analysis: Analysis, condition: int) -> bool:
    """True when a condition asks whether any of the whole numbers of a row is not zero: is there anything at all."""
    graph, value, counted = analysis.graph, condition, False
    for _ in range(_BACK):
        producer = graph.values[value].producer if value >= 0 else -1
        if producer < 0:
            return False
        node = graph.nodes[producer]
        bounds = [analysis.scalar(analysis.flow(operand)) for operand in node.ins[1:2] if operand >= 0]
        if node.op in ("reduce_sum", "any", "reduce_max"):
            counted, value = True, node.ins[0]
        elif not counted and abs(analysis.flow(value).empty) == 1:
            value = node.ins[0]
        elif counted and (node.op == "not_equal" or (node.op == "greater" and bounds == [0.0])):
            return bounds == [0.0] and analysis.flow(node.ins[0]).kind == "int"
        elif counted and node.op == "not":
            before = graph.values[node.ins[0]].producer
            return (
                before >= 0
                and graph.nodes[before].op == "equal"
                and analysis.flow(value).truth
                and (0.0 in [analysis.scalar(analysis.flow(operand)) for operand in graph.nodes[before].ins])
            )
        elif analysis.classes[node.op] in ("layout", "cast", "copy") or (not counted and node.op == "not"):
            value = node.ins[0]
        else:
            return False
    return False


def is_silence(analysis: Analysis, number: int) -> bool:
    """True when one factor asks whether the whole input is louder than next to nothing, without picking a part."""
    values = [value for value in analysis.graph.nodes[number].ins if value >= 0 and analysis.flow(value).gate]
    return bool(values) and asks_for_sound(analysis, values[0]) == 1


def asks_for_sound(analysis: Analysis, value: int) -> int:
    """1 for a condition that is true when the whole input, or each of many parts of it, is louder than next to nothing,
    -1 for one that is true when it is not, 0 for any other; a part that is picked is no whole."""
    graph = analysis.graph
    parts = per_sample(analysis.flow(value).dims or ()) >= _PARTS
    sign, asked = 1, 0
    for _ in range(_BACK):
        producer = graph.values[value].producer if value >= 0 else -1
        if producer < 0:
            return asked if value in graph.inputs else 0
        node = graph.nodes[producer]
        if node.op in _COMPARES and len(node.ins) == 2:
            bound = analysis.scalar(analysis.flow(node.ins[1]))
            if asked or bound is None or not 0 <= bound <= _SILENT:
                return 0
            asked = sign * _COMPARES[node.op]
        elif node.op == "not" and not asked:
            sign = -sign
        elif node.op not in _LOUDNESS and analysis.classes[node.op] not in (*_WHOLE, *(("copy",) if parts else ())):
            return 0
        value = node.ins[0]
    return 0


def own_input(analysis: Analysis, gate: Flow, content: Flow) -> bool:
    """True when the gate is made of whole numbers or truth values, one for each row, that the network does not see:
    which task, which head, which time step the caller wants."""
    if not gate.data or gate.data & content.data:
        return False
    for value in analysis.graph.inputs:
        flow = analysis.flow(value)
        if flow.data & gate.data and not (
            flow.kind in ("int", "bool") and flow.dims is not None and len(flow.dims) <= 1
        ):
            return False
    return True


def masks_attention(analysis: Analysis, number: int) -> bool:
    """True when the result meets a softmax by way of weight-free operators, and that weights other network values."""
    for reader in _readers_ahead(analysis, number, _STEPS, _WEIGHT_FREE.__contains__):
        op = analysis.graph.nodes[reader].op
        if analysis.classes[op] == "attention" or (op == "softmax" and _weights_values(analysis, reader)):
            return True
    return False


def _readers_ahead(analysis: Analysis, number: int, steps: int, through: Callable[[str], bool]) -> Iterator[int]:
    """Nodes that read a result, and what reads theirs where their class is one to look through; `steps` of them."""
    graph = analysis.graph
    seen: set[int] = set()
    ahead = [number]
    while ahead and len(seen) < steps:
        current = ahead.pop(0)
        if current in seen:
            continue
        seen.add(current)
        for out in graph.nodes[current].outs:
            for reader in analysis.readers(out) if out >= 0 else ():
                yield reader
                if through(analysis.classes[graph.nodes[reader].op]):
                    ahead.append(reader)


def _weights_values(analysis: Analysis, number: int) -> bool:
    graph = analysis.graph
    ahead = [number]
    for _ in range(_BACK):
        if not ahead:
            return False
        node = graph.nodes[ahead.pop(0)]
        for out in node.outs:
            for reader in analysis.readers(out) if out >= 0 else ():
                other = graph.nodes[reader]
                if other.op in ("matmul", "einsum"):
                    operands = [graph.values[value] for value in other.ins if value >= 0]
                    if len(operands) == 2 and all(value.const is None for value in operands):
                        return True
                elif analysis.classes[other.op] in ("copy", "layout", "select", "arith", "cast", "join", "index"):
                    ahead.append(reader)
    return False


def is_weight(analysis: Analysis, number: int, gate: Flow) -> bool:
    """True when what is divided by is the sum of the weights that the other side is a sum with."""
    node = analysis.graph.nodes[number]
    if len(node.ins) != 2 or min(node.ins) < 0 or analysis.flow(node.ins[1]) is not gate:
        return False
    return (node.ins[1], number) in masks.weighted_means(analysis, (number,))


def guards_a_division(analysis: Analysis, number: int, gate: Flow) -> bool:
    """True when the gate is added to what is then divided by: no division by zero."""
    node = analysis.graph.nodes[number]
    if node.op not in ("add", "max") or gate.payload:
        return False
    for out in node.outs:
        for reader in analysis.readers(out) if out >= 0 else ():
            other = analysis.graph.nodes[reader]
            if other.op == "div" and len(other.ins) > 1 and other.ins[1] == out and gate.empty:
                return True
    return False


def fills_the_empty(analysis: Analysis, gate: Flow, sides: Sequence[tuple[int, Flow]]) -> bool:
    """True when one number stands in where a count is zero: the mean of nothing, the last of no tokens."""
    if abs(gate.empty) != 1 or len(sides) != 2:
        return False
    filled = sides[0][1] if gate.empty > 0 else sides[1][1]
    return not filled.data and not filled.gate and analysis.flat(filled)


def goes_on(analysis: Analysis, number: int) -> bool:
    """True when a layer with weights follows: the network learned with it."""
    classes = analysis.classes
    ahead = _readers_ahead(analysis, number, _FAR, lambda name: name != "shape")
    return any(classes[analysis.graph.nodes[reader].op] in ("trunk", "always_trunk") for reader in ahead)
