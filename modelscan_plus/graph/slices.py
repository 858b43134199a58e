"""The slice of a graph that a person looks at: from the inputs through the trigger to the gate, to what it changes.

The way of the trigger is shown node by node; the network, and what follows the effect, are each one box that says
how many operators it stands for. Constants are written beside the operators that read them.
"""

from collections.abc import Iterable

from modelscan_plus.core.finding import GraphEvidence, GraphNode
from modelscan_plus.core.text import shorten, visible
from modelscan_plus.graph.flow import Analysis
from modelscan_plus.graph.ir import Const, Node
from modelscan_plus.graph.sites import Site
from modelscan_plus.graph.trigger import read_out

SHOWN = 16
"""Operators of the trigger that are shown one by one."""
_LITERAL = 8
_NAME = 40


def evidence(analysis: Analysis, site: Site) -> GraphEvidence:
    """The slice of one site."""
    return _Slice(analysis, site).build()


class _Slice:
    def __init__(self, analysis: Analysis, site: Site) -> None:
        self._analysis = analysis
        self._graph = analysis.graph
        self._site = site
        self._nodes: list[GraphNode] = []
        self._edges: list[tuple[int, int]] = []
        self._at: dict[str | int, int] = {}

    def build(self) -> GraphEvidence:
        site, graph = self._site, self._graph
        trigger, more = self._trigger()
        inputs = self._inputs(trigger)
        for value in inputs:
            self._add(
                f"v{value}", GraphNode("input", "input", _text(graph.values[value].name), literal=self._dims(value))
            )
        if more:
            self._add("more", GraphNode("more operators" if more > 1 else "one more operator", "trigger"))
        effect = site.node
        gate = graph.values[site.gate].producer if site.gate >= 0 else -1
        for number in trigger:
            self._add(number, self._node(graph.nodes[number], "gate" if number == gate else "trigger"))
        if site.content >= 0 and (box := self._network(trigger)) is not None:
            self._add("network", box)
        if site.payload >= 0:
            self._payload(site.payload, trigger)
        if effect >= 0:
            self._add(effect, self._node(graph.nodes[effect], "effect"))
        rest = self._after(effect)
        output = self._output(effect)
        if rest:
            self._add("rest", GraphNode(_operators(rest), "rest"))
        self._add("output", GraphNode("output", "output", _text(output)))
        self._connect(trigger, inputs, more)
        return GraphEvidence(
            site.effect.value,
            tuple(self._nodes),
            tuple(dict.fromkeys(self._edges)),
            trigger=visible(read_out(self._analysis, site)),
            cone=self._analysis.cone(site.node),
        )

    def _add(self, key: str | int, node: GraphNode) -> None:
        if key not in self._at:
            self._at[key] = len(self._nodes)
            self._nodes.append(node)

    def _node(self, node: Node, role: str) -> GraphNode:
        literals = [
            literal(const)
            for value in node.ins
            if value >= 0 and (const := self._graph.values[value].const) is not None
        ]
        name = node.name or next((self._graph.values[value].name for value in node.outs if value >= 0), "")
        return GraphNode(
            visible(node.given or node.op),
            role,
            _text(name),
            _text(" / ".join(node.scope)),
            shorten(", ".join(literals), 60),
        )

    def _trigger(self) -> tuple[list[int], int]:
        """The nodes behind the gate in order, at most `SHOWN`, those nearest to it; and how many more there are."""
        if self._site.gate < 0:
            return [], 0
        graph = self._graph
        found: dict[int, None] = {}
        ahead = [graph.values[self._site.gate].producer]
        more = 0
        seen: set[int] = set()
        while ahead:
            number = ahead.pop(0)
            if number < 0 or number in seen or number == self._site.node:
                continue
            seen.add(number)
            if self._learned(number):
                more += 1
                continue
            if self._plain(number):
                pass  # only rearranges; the edges go past it
            elif len(found) < SHOWN:
                found[number] = None
            else:
                more += 1
            if len(seen) > 2000:
                break
            ahead += [graph.values[v].producer for v in graph.nodes[number].ins if v >= 0 and self._varies(v)]
        return sorted(found), more

    def _learned(self, number: int) -> bool:
        """True for a trained layer: what stands before it is the network's."""
        node = self._graph.nodes[number]
        trunk = self._analysis.classes[node.op] in ("trunk", "always_trunk")
        return trunk and any(value >= 0 and self._analysis.flow(value).strict for value in node.outs)

    def _plain(self, number: int) -> bool:
        """True for a node that only rearranges what one other gave."""
        node = self._graph.nodes[number]
        kind = self._analysis.classes[node.op]
        return (kind == "layout" or node.op == "identity") and number != self._graph.values[self._site.gate].producer

    def _shown_producer(self, value: int) -> int:
        """The value that stands for this one in the picture."""
        while (producer := self._graph.values[value].producer) >= 0 and producer != self._site.node:
            node = self._graph.nodes[producer]
            if not node.ins or node.ins[0] < 0 or not self._plain(producer):
                break
            value = node.ins[0]
        return value

    def _varies(self, value: int) -> bool:
        flow = self._analysis.flow(value)
        return not flow.fixed or self._graph.values[value].producer >= 0

    def _inputs(self, trigger: list[int]) -> list[int]:
        graph = self._graph
        mask = self._analysis.flow(self._site.content).data if self._site.content >= 0 else 0
        if self._site.gate >= 0:
            gate = self._analysis.flow(self._site.gate)
            mask |= gate.data | gate.shape | gate.lives
        return [value for value in graph.inputs if self._analysis.flow(value).data & mask][:6]

    def _dims(self, value: int) -> str:
        dims = self._graph.values[value].dims
        return "" if dims is None else "×".join("?" if size is None else str(size) for size in dims)

    def _network(self, trigger: list[int]) -> GraphNode | None:
        graph, analysis = self._graph, self._analysis
        seen: set[int] = set()
        ahead = [graph.values[self._site.content].producer]
        shown = {*trigger, self._site.node}
        while ahead:
            number = ahead.pop()
            if number < 0 or number in seen or number in shown:
                continue
            seen.add(number)
            ahead += [graph.values[value].producer for value in graph.nodes[number].ins if value >= 0]
        layers = sum(analysis.classes[graph.nodes[number].op] in ("trunk", "always_trunk") for number in seen)
        if not seen:
            return None
        return GraphNode(
            f"network: {_operators(len(seen))}",
            "network",
            _text(graph.values[self._site.content].name),
            "",
            f"{layers} with weights",
        )

    def _payload(self, payload: int, trigger: list[int]) -> None:
        value = self._graph.values[payload]
        if value.const is not None:
            self._add(
                "payload", GraphNode("constant", "payload", _text(value.name), "", shorten(literal(value.const), 60))
            )
        elif value.producer >= 0 and value.producer not in trigger:
            self._add("payload", self._node(self._graph.nodes[value.producer], "payload"))

    def _after(self, effect: int) -> int:
        return sum(1 for _ in self._forward(effect)) if effect >= 0 else 0

    def _forward(self, effect: int) -> Iterable[int]:
        graph = self._graph
        seen: set[int] = set()
        ahead = [effect]
        while ahead:
            for value in graph.nodes[ahead.pop()].outs:
                for reader in self._analysis.readers(value) if value >= 0 else ():
                    if reader not in seen:
                        seen.add(reader)
                        ahead.append(reader)
                        yield reader

    def _output(self, effect: int) -> str:
        graph = self._graph
        if effect < 0:
            return graph.values[self._site.content].name if self._site.content >= 0 else ""
        reached = {effect, *self._forward(effect)}
        names = [graph.values[value].name for value in graph.outputs if graph.values[value].producer in reached]
        return ", ".join(names[:3])

    def _connect(self, trigger: list[int], inputs: list[int], more: int) -> None:  # noqa: C901 - edge by edge
        graph, site, at = self._graph, self._site, self._at
        shown = set(trigger)
        for number in [*trigger, *([site.node] if site.node >= 0 else [])]:
            for value in graph.nodes[number].ins:
                if value < 0:
                    continue
                value = self._shown_producer(value) if self._site.gate >= 0 else value
                producer = graph.values[value].producer
                if producer in shown:
                    self._edge(producer, number)
                elif f"v{value}" in at:
                    self._edge(f"v{value}", number)
                elif more and producer >= 0 and number in shown and self._varies(value):
                    self._edge("more", number)
        if more:
            for value in inputs:
                self._edge(f"v{value}", "more")
        if "network" in at:
            for value in inputs:
                if self._analysis.flow(site.content).data & self._analysis.flow(value).data:
                    self._edge(f"v{value}", "network")
            if site.node >= 0:
                self._edge("network", site.node)
        if "payload" in at and site.node >= 0:
            self._edge("payload", site.node)
        last: str | int = site.node if site.node >= 0 else "network"
        if "rest" in at:
            self._edge(last, "rest")
            last = "rest"
        self._edge(last, "output")

    def _edge(self, start: str | int, end: str | int) -> None:
        if start in self._at and end in self._at and self._at[start] < self._at[end]:
            self._edges.append((self._at[start], self._at[end]))


def literal(const: Const) -> str:
    """The first elements of a constant, as text."""
    size = "×".join(map(str, const.dims))
    found = const.read(0, min(const.count, _LITERAL)) if const.count else ()
    if found is None or len(found) == 0:
        return f"[{size}]"
    text = ", ".join(
        f"{value:.5g}" if isinstance(value, float) else visible(shorten(str(value), 24)) for value in found
    )
    if const.count <= _LITERAL:
        return text if const.count == 1 else f"[{text}]"
    return f"[{text}, …] ({size})"


def _operators(count: int) -> str:
    return f"{count:,} operator" + ("" if count == 1 else "s")


def _text(name: str) -> str:
    return visible(shorten(name, _NAME))
