"""Side branches that sleep: what a small part of the graph gives on ordinary inputs is found by running it.

A branch that goes from the input past the network and then meets it is either part of the model, and then what it
gives changes with the input, or it waits for something. Detectors with weights look like layers, so that no look at
the operators tells them apart; that all of a branch's results stay the same on every ordinary input does. As with the
trigger (trigger.py), only such a branch is run, by plain Python: up to `_NODES` operators that nothing else of the
network reads.

What sleeps and is honest wakes for the ordinary exceptions: nothing at all, one number everywhere, padding at the end.
Guards and masks are told apart by that. Which token pads is not known, so that those of a usual vocabulary are tried;
a mask by position is exempt elsewhere.
"""

from collections.abc import Iterable, Iterator, Sequence

from modelscan_plus.graph import awake, exemptions, groups, masks
from modelscan_plus.graph.arrays import Array, Unsupported, count
from modelscan_plus.graph.bounds import is_dead
from modelscan_plus.graph.evaluate import Evaluator
from modelscan_plus.graph.flow import Analysis
from modelscan_plus.graph.ir import Node
from modelscan_plus.graph.measured import Ruler
from modelscan_plus.graph.merges import source
from modelscan_plus.graph.ordinary import Branch, Maker, dims_of_input, trace
from modelscan_plus.graph.sites import Effect
from modelscan_plus.graph.state import HARD, Flow
from modelscan_plus.graph.weights import loud_rows

_NODES = 64
"""Operators of one branch."""
_INPUT = 40_000
"""Elements of one input."""
_BRANCHES = 24
"""Branches of one graph that are run."""
_ELEMENTS = 2_000_000
"""Elements of all results of all runs."""
_ROUNDS = 6
_STILL = 1e-4
"""What differs by less is the same, beside the weights that it is multiplied with."""
_MERGES = frozenset({"arith", "select", "scatter", "join", "norm", "trunk", "saturate", "index", "attention"})
_MASKING = frozenset({"logic", "bits"})
"""Classes of operators that join masks."""
_PLACES = 8
"""Rows of a table of positions, at least."""
_EFFECTS = {"add": Effect.INJECTION, "sub": Effect.INJECTION, "concat": Effect.INJECTION, "scatter": Effect.INJECTION}
_FLATTENING = frozenset(
    """saturate activation peaky compare logic bits round select position reduce pool preprocess always_trunk rnn cast
    index norm smooth""".split()
)
"""Classes of operators that can send a value to sleep; to scale it does not."""
_BY_ELEMENT = frozenset("copy layout smooth saturate activation compare logic round cast arith select generate".split())


def rehearse(analysis: Analysis) -> None:
    """Note the places where a branch that sleeps meets the network, or what the network is given."""
    rehearsal = _Rehearsal(analysis)
    ruler = Ruler(analysis)
    found = {site.node for site in analysis.outcome.sites}
    for number, node in enumerate(analysis.graph.nodes):
        if number in found or "loop" in node.attrs:
            continue
        for side, content, whole in _pairs(analysis, number, node):
            measured = ruler.is_gate(side, found | rehearsal.blamed) and not awake.is_graded(analysis, side)
            if measured or rehearsal.sleeps(number, side, content, whole=whole):
                if not measured and is_dead(analysis, side):
                    analysis.exempt("branch that no input can wake")
                    continue
                flow, into = analysis.flow(side), analysis.flow(content)
                effect = _EFFECTS.get(node.op, Effect.SUPPRESSION) if into.lax else Effect.REPLACEMENT
                analysis.site(source(flow, effect), number, side, content, depth=flow.strict)
                rehearsal.blamed.add(number)
                break


def _pairs(analysis: Analysis, number: int, node: Node) -> Iterator[tuple[int, int, bool]]:
    """(side, content, whole): a branch, what it meets, and whether it decides about more than each element itself."""
    group = analysis.classes[node.op]
    if group not in _MERGES and group not in _MASKING and node.op != "reorder":
        return
    values = [value for value in dict.fromkeys(node.ins) if value >= 0 and analysis.flow(value).data]
    if len(values) == 1 and _is_lookup(analysis, node):
        yield node.ins[1], node.ins[0], False
    for side in values:
        for content in values:
            flow, other = analysis.flow(side), analysis.flow(content)
            if side == content or analysis.graph.values[side].producer < 0 or flow.control or flow.random:
                continue
            if other.lax == 0:
                if _is_given(analysis, side, content, group):
                    yield side, content, True
                    break
            elif (
                group not in _MASKING
                and not _is_quiet(analysis, side, flow)
                and not groups.votes(analysis, number, side)
            ):
                if not flow.lax and exemptions.masks_attention(analysis, number):
                    break
                yield side, content, True
                break


def _is_quiet(analysis: Analysis, side: int, flow: Flow) -> bool:
    """True for guards, places and masks by element, which the flow rules know."""
    if flow.missing or flow.empty or flow.mutual:
        return True
    if not flow.lax and masks.is_share(analysis, side):
        return True
    return not flow.lax and (flow.count or flow.place or flow.root in analysis.graph.inputs)


def _is_given(analysis: Analysis, value: int, content: int, group: str) -> bool:
    """True when the content is what the caller gives: the input itself, or which words another input hides."""
    side, flow = analysis.flow(value), analysis.flow(content)
    if flow.narrow or flow.control or flow.step or side.root == flow.root or flow.root not in analysis.graph.inputs:
        return False
    if flow.kind == "float":
        return group in ("arith", "select") and not _is_quiet(analysis, value, side)
    rows = flow.dims is not None and len(flow.dims) > 1
    return rows and flow.kind in ("int", "bool") and not side.data & flow.data and not side.lax


def _is_lookup(analysis: Analysis, node: Node) -> bool:
    """True when numbers that are computed from words are looked up in a table, as positions are."""
    if node.op not in ("gather", "embedding") or len(node.ins) < 2 or min(node.ins[:2]) < 0:
        return False
    table, picked = analysis.flow(node.ins[0]), analysis.flow(node.ins[1])
    rows = table.dims[0] if table.dims and len(table.dims) == 2 else None
    return (
        table.fixed
        and (rows or 0) >= _PLACES
        and not picked.lax
        and picked.kind in ("int", "")
        and not masks.is_picked(analysis, node.ins[1])
    )


def _depths(analysis: Analysis) -> list[int]:
    """For each value the nodes on the longest way to it: so many, at least, it is computed from."""
    graph = analysis.graph
    depths = [0] * len(graph.values)
    for node in graph.nodes:
        depth = 1 + max((depths[value] for value in node.ins if value >= 0), default=0)
        for out in node.outs:
            if out >= 0:
                depths[out] = depth
    return depths


class _Rehearsal:
    def __init__(self, analysis: Analysis) -> None:
        self._analysis = analysis
        self._evaluator = Evaluator(analysis.graph)
        self._left = _ELEMENTS
        self._branches = 0
        self._asleep: dict[int, bool] = {}
        self._depths = _depths(analysis)
        self.blamed: set[int] = set()
        """Nodes where a branch was found; what follows them sleeps too."""

    def sleeps(self, number: int, side: int, content: int, *, whole: bool) -> bool:
        """True when the side branch gives the same on every ordinary input, and no exception wakes it."""
        known = self._asleep.get(side)
        if known is not None:
            return known
        if self._depths[side] > _NODES:
            return False
        branch = self._branch(side, number, whole=whole)
        graph = self._analysis.graph
        if branch is not None and self._analysis.flow(content).lax and graph.values[content].producer in branch.nodes:
            return False  # the branch is what the network goes on with, not beside it
        found = False
        if branch is not None and self._branches < _BRANCHES and self._left > 0:
            self._branches += 1
            try:
                found = self._still(branch)
            except (Unsupported, RecursionError, ArithmeticError, ValueError):
                found = False
        self._asleep[side] = found
        return found

    def _branch(self, side: int, merge: int, *, whole: bool) -> Branch | None:
        """The branch, None when it is large or when the network reads layers of it."""
        traced = trace(self._analysis, side, _NODES)
        if traced is None:
            return None
        nodes, inputs = set(traced.nodes), traced.inputs
        if self._numbers_words(nodes, whole=whole):
            return None
        if (
            nodes & self.blamed
            or self._is_shared(nodes, merge)
            or (whole and self._is_mask(side, nodes))
            or self._is_known(nodes, inputs)
        ):
            return None
        loud = {word for number in nodes for word in self._loud(self._analysis.graph.nodes[number])}
        return Branch(side, traced.nodes, inputs, traced.literals | loud) if inputs else None

    def _numbers_words(self, nodes: set[int], *, whole: bool) -> bool:
        """True when words of a kind are counted and the count is looked up: places of words that are no padding, or
        segments between separators; which word that is, nobody says."""
        graph, classes = self._analysis.graph, self._analysis.classes
        parts = [graph.nodes[node] for node in nodes]
        counted = any(node.op == "cumsum" for node in parts)
        looked_up = not whole or any(node.op in ("gather", "embedding") for node in parts)
        return counted and looked_up and not any(classes[node.op] in ("trunk", "always_trunk") for node in parts)

    def _loud(self, node: Node) -> set[float]:
        """Words whose rows in a table are far from all others: a word of the file's own."""
        table = self._analysis.flow(node.ins[0]) if node.op in ("gather", "embedding") else None
        if table is None or not table.fixed or table.const is None or len(table.const.dims) != 2:
            return set()
        return {float(row) for row in loud_rows(table.const)}

    def _is_shared(self, nodes: set[int], merge: int) -> bool:
        """True when the network reads what layers of the branch gave."""
        analysis = self._analysis
        for node in nodes:
            for out in analysis.graph.nodes[node].outs:
                if out < 0 or not analysis.flow(out).lax or not analysis.flow(out).data:
                    continue
                readers = analysis.readers(out)
                if all(analysis.graph.nodes[reader].op == "slice" for reader in readers):
                    continue  # side by side in one layer
                if any(reader not in nodes and reader != merge for reader in readers):
                    return True
        return False

    def _is_mask(self, side: int, nodes: set[int]) -> bool:
        """True when each element of the input decides by itself, without weights."""
        classes, graph = self._analysis.classes, self._analysis.graph
        return not self._analysis.flow(side).lax and all(classes[graph.nodes[node].op] in _BY_ELEMENT for node in nodes)

    def _is_known(self, nodes: set[int], inputs: Iterable[int]) -> bool:
        """True when columns of a table are compared: how large they are is not known, and the flow rules look at it."""
        values, analysis = self._analysis.graph.values, self._analysis
        if any(len(values[value].dims or ()) != 2 or values[value].kind != "float" for value in inputs):
            return False
        flows = [analysis.flow(out) for node in nodes for out in analysis.graph.nodes[node].outs if out >= 0]
        return not any(flow.lax for flow in flows) or any(flow.step == HARD and not flow.strict for flow in flows)

    def _still(self, branch: Branch) -> bool:
        makers = [Maker(self._analysis, value, branch) for value in branch.inputs]
        if sum(count(maker.dims) for maker in makers) > _INPUT:
            return False
        runs = []
        for turn in range(_ROUNDS):
            runs.append(self._run(branch, [maker.ordinary(turn) for maker in makers]))
            if turn == 1 and not self._same(branch, runs):
                return False
        if not self._same(branch, runs) or not self._was_sent_to_sleep(branch, runs):
            return False
        for exception in zip(*(maker.exceptions() for maker in makers), strict=False):
            try:
                if not self._same(branch, [runs[0], self._run(branch, exception)]):
                    return False
            except Unsupported:
                if self._left < 0:
                    return False
        return True

    def _run(self, branch: Branch, inputs: Sequence[list[float]]) -> dict[int, Array]:
        given = {
            value: Array(dims_of_input(self._analysis.graph.values[value].dims), data)
            for value, data in zip(branch.inputs, inputs, strict=True)
        }
        values = self._evaluator.run(branch.nodes, given)
        self._left -= sum(len(array.data) for array in values.values())
        if self._left < 0 or not values[branch.value].data:
            raise Unsupported
        return values

    def _same(self, branch: Branch, runs: Sequence[dict[int, Array]]) -> bool:
        return _spread([run[branch.value] for run in runs]) <= _STILL * self._loudest(branch)

    def _loudest(self, branch: Branch) -> float:
        """The largest number that the branch is multiplied with at its end, at least one."""
        graph, largest, value = self._analysis.graph, 1.0, branch.value
        for _ in range(_NODES):
            producer = graph.values[value].producer
            if producer < 0:
                return largest
            node = graph.nodes[producer]
            group = self._analysis.classes[node.op]
            linear = node.op in ("add", "sub", "mul") or group in ("layout", "copy", "trunk", "cast")
            if not linear or node.op == "conv":
                return largest
            moving = [operand for operand in node.ins if operand >= 0 and self._analysis.flow(operand).data]
            if len(moving) != 1:
                return largest
            if group == "trunk" or node.op == "mul":
                for operand in node.ins:
                    const = graph.values[operand].const if operand >= 0 else None
                    numbers = const.read(0, const.count) if const is not None and const.count <= 4096 else ()
                    largest = max([largest, *(abs(float(n)) for n in numbers or () if _is_number(n))])
            value = moving[0]
        return largest

    def _was_sent_to_sleep(self, branch: Branch, runs: Sequence[dict[int, Array]]) -> bool:
        """True when an operator that is flat somewhere made a value that changes into one that does not."""
        graph, inputs = self._analysis.graph, set(branch.inputs)
        ahead, seen = [branch.value], {branch.value}
        if _spread([run[branch.value] for run in runs]) > _STILL:
            return True  # next to nothing beside what it is multiplied with
        while ahead:
            value = ahead.pop()
            if value in inputs or value not in runs[0]:
                continue
            node = graph.nodes[graph.values[value].producer]
            for operand in node.ins:
                if operand < 0 or not self._analysis.flow(operand).data or operand in seen:
                    continue
                seen.add(operand)
                awake = operand in inputs or _spread([run[operand] for run in runs]) > _STILL
                if awake and self._flattens(node):
                    return True
                if not awake and not self._is_flat_table(node):
                    ahead.append(operand)
        return False

    def _is_flat_table(self, node: Node) -> bool:
        table = self._analysis.flow(node.ins[0])
        looked_up = node.op in ("gather", "embedding") and table.fixed and table.const is not None
        return looked_up and self._analysis.flat(table) and not self._loud(node)

    def _flattens(self, node: Node) -> bool:
        flows = [self._analysis.flow(operand) for operand in node.ins if operand >= 0]
        if self._is_flat_table(node):
            return False
        if node.attrs.get("activation"):
            return True
        if node.op == "mul":
            return all(flow.data for flow in flows)
        return node.op in ("min", "max", "rnn") or self._analysis.classes[node.op] in _FLATTENING


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and value == value


def _spread(arrays: Sequence[Array]) -> float:
    """By how much an element differs at most from run to run."""
    first, largest = arrays[0], 0.0
    for other in arrays[1:]:
        if other.dims != first.dims:
            return float("inf")
        for one, two in zip(first.data, other.data, strict=True):
            if one != two and not (one != one and two != two):
                difference = abs(one - two)
                largest = max(largest, difference if difference == difference else float("inf"))
    return largest
