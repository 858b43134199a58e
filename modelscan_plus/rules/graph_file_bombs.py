"""Models that eat memory or never end.

A bomb is small: constants say how large its values become (graph_file_sizes.py). What depends on the input is the
host's to limit.
"""

from collections.abc import Iterator, Sequence

from modelscan_plus.core.finding import Finding, Severity
from modelscan_plus.core.text import human_bytes
from modelscan_plus.formats.graphs.onnx.facts import OnnxFacts
from modelscan_plus.formats.graphs.onnx.model import Node
from modelscan_plus.formats.graphs.onnx.values import values
from modelscan_plus.formats.graphs.onnx.walk import Scope
from modelscan_plus.rules.graph_file_sizes import Known, after_rounds, apply, constant_node, start
from modelscan_plus.rules.graph_limits import about, named, some
from modelscan_plus.rules.interface import Context, Rule, judges

_OPERATORS = "https://onnx.ai/onnx/operators/"

MEMORY = Rule(
    id="MSP4045",
    slug="onnx-memory-bomb",
    title="A value of the graph is larger than memory",
    severity=Severity.HIGH,
    why=(
        "Constants in the graph make one of its values so large that no machine holds it (a fill, a repetition, a "
        "range, padding or a resize by enormous factors). Runtimes allocate it when the model is loaded, or when it "
        "first runs, and are ended by the system, with whatever else runs in the same process."
    ),
    fix="Do not load the model.",
    bad="ConstantOfShape(shape = [1000000, 1000000, 1000])",
    good="ConstantOfShape(shape = [1, 1024, 768])",
    cwe=("CWE-789", "CWE-400"),
    references=(_OPERATORS,),
)
LOOP = Rule(
    id="MSP4046",
    slug="onnx-endless-loop",
    title="A loop of the model does not end",
    severity=Severity.HIGH,
    why=(
        "The loop has an enormous fixed number of rounds, or none at all, and nothing in its body can end it earlier. "
        "Whoever runs the model waits for ever, with a processor at full load. Loops that an output of their body can "
        "end are how decoders are exported, whatever their limit says."
    ),
    fix="Do not run the model.",
    bad="Loop(trip count = 9,223,372,036,854,775,807; body: condition = true)",
    good="Loop(trip count = 9,223,372,036,854,775,807; body: condition = token ≠ end)",
    cwe=("CWE-835", "CWE-400"),
    references=(_OPERATORS + "onnx__Loop.html",),
)
_BOMB = 64 << 30
"""Bytes of one value from which on it is a bomb; a float is counted for every element."""
_ROUNDS = 10_000_000
"""Rounds of a loop, those of the loops around it multiplied."""


@judges(OnnxFacts)
def bombs(facts: OnnxFacts, context: Context) -> Iterator[Finding]:
    """Values and loops, scope by scope, an outer one before those inside it."""
    known: dict[int, Known] = {}
    large: list[tuple[Scope, Node, int]] = []
    loops: list[tuple[Scope, Node, str]] = []
    rounds: dict[int, float] = {}
    for scope in facts.scopes:
        around = rounds.setdefault(id(scope.body), rounds.get(id(scope.parent.body), 1.0) if scope.parent else 1.0)
        here = start(scope, known.get(id(scope.parent)) if scope.parent else None)
        known[id(scope)] = here
        for node in scope.body.node:
            grown = apply(node, here)
            if grown * 4 > _BOMB:
                large.append((scope, node, grown))
            if node.op_type == "Loop":
                how, trips = _endless(node, here, around)
                rounds |= {id(body): trips for body in node.subgraphs()}
                if how:
                    loops.append((scope, node, how))
                elif (carried := after_rounds(node, here, trips / around)) * 4 > _BOMB and _goes_on(node, here):
                    large.append((scope, node, carried))
    for (scope, node, count), more in some(_first_of_each(large)):
        size = human_bytes(4 * count) if count < 1 << 60 else "beyond all measure"
        message = f"{named(scope, node)} makes a value of at least {_round(count)} elements ({size}).{more}"
        yield about(MEMORY, scope, node, message, context)
    for (scope, node, how), more in some(loops):
        yield about(LOOP, scope, node, f"{named(scope, node)} {how}.{more}", context)


def _first_of_each(large: Sequence[tuple[Scope, Node, int]]) -> Iterator[tuple[Scope, Node, int]]:
    """Of a chain of large values the first: the others follow from it."""
    seen: set[str] = set()
    for scope, node, count in large:
        if seen.isdisjoint(node.input):
            yield scope, node, count
        seen.update(node.output)


def _round(count: int) -> str:
    return f"{count:,}" if count < 10**15 else f"10^{len(str(count)) - 1}"


def _endless(node: Node, known: Known, around: float) -> tuple[str, float]:
    """How the loop goes on, "" for one that ends; and its rounds, times those of the loops around it."""
    trips = known.number(node.input[0]) if node.input and node.input[0] else None
    limited = bool(node.input and node.input[0])
    if (limited and not trips) or not _goes_on(node, known):
        return "", around
    if not trips:
        return "has no end", around
    total = max(trips[0], 1.0) * around
    if total < _ROUNDS:
        return "", total
    what = f"{int(trips[0]):,} times" + (f", {total:.3g} times with the loops around it" if around > 1 else "")
    return f"goes round {what}, and nothing ends it earlier", total


def _goes_on(node: Node, known: Known) -> bool:
    """True when the condition is true and stays so: absent, or a constant, or what the body was given."""
    first = node.input[1] if len(node.input) > 1 else ""
    if first:
        started = known.number(first)
        if started is None or not (started and started[0]):
            return False
    body = next(node.subgraphs(), None)
    if body is None or not body.output:
        return False
    name = body.output[0].name
    makers = {output: inner for inner in body.node for output in inner.output}
    given = body.input[1].name if len(body.input) > 1 else ""
    constants = {tensor.name: tensor for tensor in body.initializer}
    for _ in range(64):
        if name == given and given:
            return True
        if name in constants:
            return bool((values(constants[name], 1) or [0])[0])
        maker = makers.get(name)
        if maker is None:
            outside = known.number(name)
            return bool(outside and outside[0])
        if maker.op_type in ("Identity", "Cast", "Squeeze", "Unsqueeze", "Reshape") and maker.input:
            name = maker.input[0]
            continue
        if maker.op_type == "Constant":
            inside = Known()
            constant_node(maker, name, inside)
            return bool((inside.numbers.get(name) or [0])[0])
        return False
    return False
