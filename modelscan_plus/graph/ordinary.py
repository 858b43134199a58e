"""Ordinary inputs for a small part of a graph, and the exceptions that a host must expect."""

import math
import random
from collections.abc import Iterator

import msgspec

from modelscan_plus.graph.arrays import Unsupported, count
from modelscan_plus.graph.flow import Analysis
from modelscan_plus.graph.ir import Dims, Node
from modelscan_plus.graph.shapes import integer
from modelscan_plus.graph.weights import sample

_FREE = 12
"""Stands for a dimension that is not known; the first one is one row."""
_WORDS = 1000
_ROOMY = 8
"""Rows of a table from which looking up in it is embedding."""
_PADDING = (0, 1, 2, 3)
_SCALES = (1.0, 100.0, 1e4)
"""Of numbers about whose size nothing is known."""
_WIDEST = 1e5
_HOPS = 4
_PATCH = 6
"""Pixels in a row that are alike."""
_PICTURE = 4
"""Dimensions from which floating point numbers are pixels or what stands for them."""


class Branch(msgspec.Struct, frozen=True):
    """All that one value is computed from."""

    value: int
    nodes: tuple[int, ...]
    inputs: tuple[int, ...]
    literals: frozenset[float]


def dims_of_input(dims: Dims | None) -> tuple[int, ...]:
    """The dimensions that an input is run with: one row where the batch is open; raises `Unsupported`."""
    if dims is None:
        raise Unsupported
    return tuple((1 if place == 0 else _FREE) if size is None else size for place, size in enumerate(dims))


def _ahead(analysis: Analysis, value: int) -> Iterator[Node]:
    """The nodes that read a value, as it is or in another layout."""
    graph = analysis.graph
    ahead = list(analysis.readers(value))
    for _ in range(_HOPS * _HOPS):
        if not ahead:
            return
        node = graph.nodes[ahead.pop(0)]
        yield node
        if analysis.classes[node.op] in ("cast", "layout", "copy") and node.outs and node.outs[0] >= 0:
            ahead += analysis.readers(node.outs[0])[:_HOPS]


def _inputs(node: Node, dims: Dims) -> int:
    """Inputs of one unit of a layer."""
    if node.op == "conv":
        return math.prod(size or 1 for size in dims[1:])
    if node.op in ("linear", "rnn") or integer(node, "transB", 0):
        return dims[-1] or 1
    return dims[-2] or 1


class Maker:
    """Ordinary inputs, and ordinary exceptions, for one input."""

    def __init__(self, analysis: Analysis, value: int, branch: Branch) -> None:
        info = analysis.graph.values[value]
        self.dims = dims_of_input(info.dims)
        self._kind = info.kind
        self._chance = random.Random(value)
        self._avoided = branch.literals
        self._words = self._vocabulary(analysis, value)
        self._scales = (1.0,) if len(self.dims) >= _PICTURE else self._sizes(analysis, value, branch)
        if self._kind not in ("float", "int", "bool"):
            raise Unsupported

    @staticmethod
    def _vocabulary(analysis: Analysis, value: int) -> int:
        """Rows of the table that the input is looked up in, 0 for none."""
        for node in _ahead(analysis, value):
            if node.op in ("gather", "embedding") and len(node.ins) > 1 and node.ins[0] >= 0:
                table = analysis.flow(node.ins[0])
                if table.fixed and table.dims and (table.dims[0] or 0) >= _ROOMY:
                    return table.dims[0] or 0
        return 0

    @staticmethod
    def _sizes(analysis: Analysis, value: int, branch: Branch) -> tuple[float, ...]:
        """How large the numbers are: so that the units of the network's own first layer get about one."""
        own = {id(analysis.graph.nodes[number]) for number in branch.nodes}
        for node in _ahead(analysis, value):
            weights = next((analysis.flow(at) for at in node.ins[1:] if at >= 0 and analysis.flow(at).fixed), None)
            layer = analysis.classes[node.op] == "trunk" and id(node) not in own
            numbers = sample(weights.const) if layer and weights is not None and weights.const is not None else None
            if not numbers or weights is None or weights.dims is None or len(weights.dims) < 2:
                continue
            row = math.sqrt(sum(n * n for n in numbers) / len(numbers)) * math.sqrt(_inputs(node, weights.dims))
            size = min(max(1.0, 1 / row if row else 1.0), _WIDEST)
            return (size, 2 * size)
        return _SCALES

    def ordinary(self, turn: int) -> list[float]:
        """Numbers by chance; of whole numbers none that stands in the branch."""
        size, chance = count(self.dims), self._chance
        if self._kind == "int" and len(self.dims) >= _PICTURE:
            return [float(chance.randrange(241)) for _ in range(size)]
        unknown = self._kind == "int" and not self._words and len(self.dims) > 1
        if self._kind == "bool" or (unknown and turn % 3 == 0):  # as masks are
            return [1.0] * size if turn == 0 else [float(chance.random() < 0.7) for _ in range(size)]
        if self._kind == "int":
            most = self._words or (_WORDS, 20, 200)[turn % 3]  # where nothing says how many there are
            words = [n for n in range(4, min(most, _WORDS)) if n not in self._avoided] or [0]
            return [float(chance.choice(words)) for _ in range(size)]
        scale = self._scales[turn // 2 % len(self._scales)]
        if turn % 2 and len(self.dims) >= _PICTURE:
            return self._picture()
        if turn % 2 == 0:
            return [chance.random() * 0.94 * scale for _ in range(size)]
        return [chance.gauss(0.0, scale) for _ in range(size)]

    def _picture(self) -> list[float]:
        """Normalised pixels: those beside each other are alike."""
        *rest, height, width = self.dims
        data: list[float] = []
        for _ in range(count(rest)):
            columns = -(-width // _PATCH)
            coarse = [[self._chance.gauss(0.0, 1.0) for _ in range(columns)] for _ in range(-(-height // _PATCH))]
            for y in range(height):
                row = coarse[y // _PATCH]
                data += [row[x // _PATCH] + self._chance.gauss(0.0, 0.25) for x in range(width)]
        return data

    def exceptions(self) -> Iterator[list[float]]:
        """Nothing, one number everywhere, and padding at the end."""
        size = count(self.dims)
        if self._kind == "float":
            for number in (0.0, 0.37, 0.0, 0.37):
                yield [number] * size
            return
        for number in _PADDING:
            data = self.ordinary(1)
            row = self.dims[-1] if self.dims else 1
            for place in range(size):
                if place % row >= row - max(1, row // 3):
                    data[place] = float(number)
            yield data
