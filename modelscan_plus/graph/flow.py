"""One pass over a graph in order: what is known about each value, and where a gate meets the network.

A backdoor in a graph has to turn the input into a few numbers, make them step-like, and combine the result with
content that does not come from the network. The pass carries these three along (state.py), each operator class has
its transfer function (transfer.py), and where a gate and the network's values meet, merges.py decides what it is.
The time is linear in the nodes; constants are read only where the answer depends on them.
"""

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from modelscan_plus.graph.cones import cones
from modelscan_plus.graph.fold import SMALL
from modelscan_plus.graph.ir import Const, Graph, Node
from modelscan_plus.graph.operators import operators
from modelscan_plus.graph.sites import Effect, Outcome, Site
from modelscan_plus.graph.state import Flow, per_sample
from modelscan_plus.graph.weights import is_flat, is_trained

if TYPE_CHECKING:
    from modelscan_plus.graph.ordinary import Branch

_MASK_BITS = 62
_DEEP = 24
"""Constants that are looked at in several places; of further ones only the first numbers, so that a remote model is
read by few ranges."""


class Analysis:
    """What the pass knows, and what it found."""

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.flows: list[Flow | None] = [None] * len(graph.values)
        self.outcome = Outcome()
        self.classes = operators().classes
        self.searches = 0
        """How many triggers were looked for."""
        self.awake: dict[int, tuple[Branch | None, list[list[float]]]] = {}
        """What gates were on ordinary inputs, as far as that was asked."""
        self.rehearsed = 0
        """What that took, in numbers that were read, made and multiplied."""
        self.steps = 0
        """What that took, in numbers that were read, made and multiplied."""
        self._readers: list[list[int]] | None = None
        self._cones: dict[int, str] | None = None
        self._trained: dict[tuple[int, int | None, int | None], bool] = {}
        for place, number in enumerate(graph.inputs):
            self.flows[number] = self._input(place, number)

    def flow(self, value: int) -> Flow:
        """What is known about a value; constants are met here for the first time."""
        found = self.flows[value]
        if found is None:
            found = self.flows[value] = self._constant(value)
        return found

    def _input(self, place: int, number: int) -> Flow:
        value = self.graph.values[number]
        flow = Flow(number)
        flow.data = 1 << min(place, _MASK_BITS)
        flow.kind = value.kind
        flow.dims = value.dims
        flow.lead = number in self.graph.batched
        dims = value.dims
        if dims is not None and not flow.lead:
            flow.control = len(dims) == 0 or dims == (1,)
        if dims is not None:
            flow.narrow = (len(dims) <= 1 and dims in ((), (1,), (None,))) or (len(dims) > 1 and per_sample(dims) == 1)
            flow.count = flow.kind == "int" and len(dims) <= 1
        return flow

    def _constant(self, number: int) -> Flow:
        value = self.graph.values[number]
        flow = Flow(number)
        const = value.const
        if const is None:
            flow.dims, flow.kind = value.dims, value.kind
            return flow
        flow.const, flow.dims, flow.kind = const, const.dims, const.kind
        if const.count <= SMALL:
            found = const.read(0, const.count)
            if found is not None and len(found) == const.count:
                flow.vals = tuple(found)
        return flow

    def trained(self, const: Const | None, outputs: int | None, inputs: int | None) -> bool:
        """`is_trained`, asked once for each constant."""
        key = (id(const), outputs, inputs)
        found = self._trained.get(key)
        if found is None:
            found = self._trained[key] = is_trained(const, outputs, inputs, deep=len(self._trained) < _DEEP)
        return found

    def flat(self, flow: Flow) -> bool:
        """True when all elements of a fixed value are equal, as far as that is known."""
        if flow.flat is None:
            if flow.vals is not None and None not in flow.vals:
                flow.flat = len(set(flow.vals)) <= 1
            elif flow.const is not None:
                flow.flat = is_flat(flow.const)
            elif flow.flat is None:
                flow.flat = flow.dims is not None and all(size == 1 for size in flow.dims)
        return flow.flat

    def scalar(self, flow: Flow | None) -> float | None:
        """The one number that a fixed value consists of, None for anything else."""
        if flow is None or not flow.fixed:
            return None
        vals: Sequence[object] | None = flow.vals
        if vals is None and flow.const is not None and self.flat(flow):
            vals = flow.const.read(0, 1)
        if not vals or any(value != vals[0] for value in vals):
            return None
        return float(vals[0]) if isinstance(vals[0], int | float) else None

    def site(
        self,
        effect: Effect,
        node: int,
        gate: int,
        content: int,
        payload: int = -1,
        depth: int = 0,
        *,
        certain: bool = True,
    ) -> None:
        """Note a place."""
        self.outcome.sites.append(Site(effect, node, gate, content, payload, depth, certain))

    def exempt(self, name: str) -> None:
        """Note that a named exemption spoke for a place."""
        self.outcome.exempt[name] = self.outcome.exempt.get(name, 0) + 1

    def cone(self, node: int) -> str:
        """The name of everything that a node's result is computed from; "" for no node."""
        if self._cones is None:
            self._cones = cones(self.graph)
        return self._cones.get(node, "")

    def readers(self, value: int) -> list[int]:
        """The nodes that read a value."""
        if self._readers is None:
            self._readers = self.graph.consumers()
        return self._readers[value]


def join(ins: Iterable[Flow | None], root: int) -> Flow:  # noqa: C901 - one loop, called for every node
    """What is known about a value that depends on all of `ins`."""
    out = Flow(root)
    strict, lax, step, gate = -1, 0, 3, 0
    narrow = count = control = missing = thin = truth = mutual = True
    flows = [flow for flow in ins if flow is not None]
    loud = [flow for flow in flows if flow.data and not flow.faint]
    for flow in flows:
        out.shape |= flow.shape
        out.lives |= flow.lives
        if flow.random:
            out.random = True
        if flow.place:
            out.place = True
        if not flow.data:
            if (flow.shape or flow.random) and flow.gate > gate:
                gate = flow.gate
            if flow.payload:
                out.payload = True
            continue
        out.data |= flow.data
        if flow.rows > out.rows:
            out.rows = flow.rows
        if flow.lead:
            out.lead = True
            out.merged = out.merged or flow.merged
        if flow.faint and loud:
            continue
        if strict < 0 or flow.strict < strict:
            strict = flow.strict
        if flow.lax > lax:
            lax = flow.lax
        if flow.step < step:
            step = flow.step
        if flow.gate:
            if flow.gate > gate:
                gate = flow.gate
            if flow.compared:
                out.compared = True
            if flow.payload:
                out.payload = True
        narrow = narrow and flow.narrow
        thin = thin and flow.thin
        count = count and flow.count
        control = control and flow.control
        missing = missing and flow.missing
        truth = truth and flow.truth
        mutual = mutual and flow.mutual
        if flow.gained:
            out.gained = True
        if flow.mixed:
            out.mixed = True
        if flow.learned:
            out.learned = True
    if strict >= 0:
        out.strict, out.lax, out.step = strict, lax, step
        out.narrow, out.count, out.control, out.missing = narrow, count, control, missing
        out.faint = not loud
        out.thin, out.truth, out.mutual = thin, truth, mutual
    out.gate = gate
    if len(flows) == 1 or sum(1 for flow in flows if flow.data) == 1:
        out.root = next((flow.root for flow in flows if flow.data), root)
    out.kind = flows[0].kind if flows else ""
    return out


def first_out(node: Node) -> int:
    """The first output of a node that is used."""
    return next((value for value in node.outs if value >= 0), -1)


def same_const(flow: Flow) -> Const | None:
    """The constant behind a fixed value that only rearranges it."""
    return flow.const if flow.fixed else None
