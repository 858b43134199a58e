"""The graph representation that all front ends lower to: nodes in order, values in single assignment.

A front end (onnx.py, torchscript/) writes each of its operators as one of the canonical operators of
`data/operators.toml`, with attributes named the same way whatever the format calls them: `axes`, `axis`, `keepdims`,
`to`, `starts`, `ends`, `steps`, `shape`. Control flow is gone: a function is inlined, a branch is a `phi` of its
condition and of what both sides give, a loop is its body twice, joined with the values before it by a `phi`.

Values are numbers, so that the analyses can keep what they know in plain lists.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import msgspec

Number = int | float | bool | str
Dims = tuple[int | None, ...]
"""None for a dimension that is only known when the model runs."""
Attribute = Number | None | tuple[int, ...] | tuple[float, ...] | tuple[str, ...]

READ = 1 << 16
"""Elements of one constant that are ever read whole."""


@dataclass(frozen=True, slots=True)
class Const:
    """A tensor that stands in the file. Its bytes are read only when somebody asks."""

    dims: tuple[int, ...]
    kind: str
    """"float", "int", "bool", "string" or "other"."""
    read: Callable[[int, int], Sequence[Number] | None] = field(compare=False)
    """`read(start, count)`: that many elements in row-major order; None when they cannot be had."""

    @property
    def count(self) -> int:
        """Elements."""
        total = 1
        for size in self.dims:
            total *= size
        return total


class Value(msgspec.Struct):
    """One tensor of the graph."""

    name: str
    kind: str = ""
    """As in `Const`; "" where the file does not say."""
    dims: Dims | None = None
    """As declared; None where the file does not say."""
    const: Const | None = None
    exact: str = ""
    """The exact type of its elements, as numpy calls it; of inputs only."""
    producer: int = -1
    """Index of the node that makes it; -1 for inputs and constants."""


class Node(msgspec.Struct):
    """One operator. An input that was left out is -1."""

    op: str
    """Canonical name, or "unknown"."""
    ins: tuple[int, ...]
    outs: tuple[int, ...]
    attrs: dict[str, Attribute] = msgspec.field(default_factory=dict)
    name: str = ""
    given: str = ""
    """What the format calls the operator, with its domain where that is not the usual one."""
    scope: tuple[str, ...] = ()
    """The functions, branches and loops around it, outermost first."""


class Graph(msgspec.Struct):
    """A whole model."""

    values: list[Value] = msgspec.field(default_factory=list)
    nodes: list[Node] = msgspec.field(default_factory=list)
    inputs: list[int] = msgspec.field(default_factory=list)
    outputs: list[int] = msgspec.field(default_factory=list)
    batched: set[int] = msgspec.field(default_factory=set)
    """Inputs whose first dimension is a batch of any size."""
    truncated: str = ""
    """Why not everything was lowered, "" when it was."""

    def value(self, name: str, kind: str = "", dims: Dims | None = None, const: Const | None = None) -> int:
        """A new value; gives its number."""
        self.values.append(Value(name, kind, dims, const))
        return len(self.values) - 1

    def add(self, node: Node) -> None:
        """Append a node and note it as the producer of its outputs."""
        number = len(self.nodes)
        self.nodes.append(node)
        for out in node.outs:
            if out >= 0:
                self.values[out].producer = number

    def consumers(self) -> list[list[int]]:
        """For each value the nodes that read it."""
        readers: list[list[int]] = [[] for _ in self.values]
        for number, node in enumerate(self.nodes):
            for value in dict.fromkeys(node.ins):
                if value >= 0:
                    readers[value].append(number)
        return readers


def literal(values: Sequence[Number], dims: tuple[int, ...], kind: str) -> Const:
    """A constant whose elements are at hand."""
    return Const(dims, kind, lambda start, count: values[start : start + count])
