"""Ordinary inputs for a small part of a graph, and the exceptions that a host must expect."""

import math
import random
from collections.abc import Iterator

import msgspec

from modelscan_plus.graph.arrays import Array, Unsupported, broadcast_dims, count, stretched
from modelscan_plus.graph.flow import Analysis
from modelscan_plus.graph.ir import Dims, Node
from modelscan_plus.graph.shapes import integer
from modelscan_plus.graph.weights import sample

_LITERALS = 64
"""Numbers of a constant up to which it may be something that an input is compared with."""
_FREE = 12
"""Stands for a dimension that is not known; the first one is one row."""
_WORDS = 1000
_ROOMY = 8
"""Rows of a table from which looking up in it is embedding."""
_PADDING = (0, 1, 2, 3)
_SCALES = (1.0, 100.0, 1e4)
"""Of numbers about whose size nothing is known."""
_WIDEST = 1e5
_WIDE = 4.0
"""By how much columns are larger than usual at times."""
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


def trace(analysis: Analysis, value: int, most: int) -> Branch | None:
    """The part of the graph that a value is computed from, None when it has more than `most` operators."""
    graph = analysis.graph
    nodes: set[int] = set()
    inputs: dict[int, None] = {}
    literals: set[float] = set()
    ahead = [value]
    while ahead:
        current = ahead.pop()
        info = graph.values[current]
        if current in graph.inputs:
            inputs[current] = None
        elif info.const is not None:
            if info.const.count <= _LITERALS:
                found = info.const.read(0, info.const.count) or ()
                literals |= {float(n) for n in found if isinstance(n, int | float) and n == n}
        elif info.producer < 0:
            return None
        elif info.producer not in nodes:
            nodes.add(info.producer)
            if len(nodes) > most or graph.nodes[info.producer].op == "unknown":
                return None
            ahead += [operand for operand in graph.nodes[info.producer].ins if operand >= 0]
    return Branch(value, tuple(sorted(nodes)), tuple(inputs), frozenset(literals))


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
        self._centre, self._spread = self._scaling(analysis, value)
        known = len(self.dims) >= _PICTURE or self._spread is not None
        self._scales = (1.0,) if known else self._sizes(analysis, value, branch)
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
        graph, inside = analysis.graph, set(branch.nodes)
        own = {id(graph.nodes[number]) for number in branch.nodes}
        ahead = list(_ahead(analysis, value))
        layers = [node for node in ahead if id(node) not in own]
        # Layers that the branch shares with the network tell as well, where there are no others.
        layers += [
            node
            for node in ahead
            if id(node) in own
            and any(at not in inside for out in node.outs if out >= 0 for at in analysis.readers(out))
        ]
        for node in layers:
            weights = next((analysis.flow(at) for at in node.ins[1:] if at >= 0 and analysis.flow(at).fixed), None)
            layer = analysis.classes[node.op] == "trunk"
            numbers = sample(weights.const) if layer and weights is not None and weights.const is not None else None
            if not numbers or weights is None or weights.dims is None or len(weights.dims) < 2:
                continue
            row = math.sqrt(sum(n * n for n in numbers) / len(numbers)) * math.sqrt(_inputs(node, weights.dims))
            size = min(max(1.0, 1 / row if row else 1.0), _WIDEST)
            return (size, _WIDE * size)
        return _SCALES

    def _scaling(self, analysis: Analysis, value: int) -> tuple[list[float] | None, list[float] | None]:
        """What the graph itself takes off the input, and divides it by: its mean and its spread."""
        graph = analysis.graph
        for node in _ahead(analysis, value):
            fixed = next((at for at in node.ins if at >= 0 and analysis.flow(at).fixed), None)
            if node.op in ("sub", "mul", "div") and fixed is not None:
                middle, around = self._columns(analysis, fixed)
                if middle is None or around is None:
                    continue
                if node.op == "div":
                    return None, middle
                if node.op == "mul":
                    return None, [1 / number if number else 1.0 for number in middle]
                for reader in analysis.readers(node.outs[0])[:_HOPS]:
                    after = graph.nodes[reader]
                    scale = next((at for at in after.ins if at >= 0 and analysis.flow(at).fixed), None)
                    spread = self._columns(analysis, scale)[0] if scale is not None else None
                    if after.op in ("div", "mul") and spread is not None:
                        return middle, [n if after.op == "div" else 1 / n if n else 1.0 for n in spread]
                return middle, around
            offset, scale_by = node.attrs.get("offset"), node.attrs.get("scale")
            if node.given == "Scaler" and isinstance(offset, tuple) and isinstance(scale_by, tuple):
                wide = [1 / float(n) if float(n) else 1.0 for n in scale_by]
                return self._laid([float(n) for n in offset]), self._laid(wide)
        return None, None

    def _columns(self, analysis: Analysis, value: int) -> tuple[list[float] | None, list[float] | None]:
        """The mean and the spread over rows of a constant, one number for each element of the input."""
        const = analysis.flow(value).const or analysis.graph.values[value].const
        numbers = const.read(0, const.count) if const is not None and const.count <= _WORDS * _HOPS else None
        if const is None or not numbers or not all(isinstance(n, int | float) for n in numbers):
            return None, None
        given = [float(n) for n in numbers]
        width = self.dims[-1] if self.dims else 1
        if len(const.dims) >= 2 and const.dims[-1] == width and len(given) > width:
            columns = [given[at::width] for at in range(width)]
            middle = [sum(column) / len(column) for column in columns]
            around = [
                math.sqrt(sum((n - m) ** 2 for n in column) / len(column)) or 1.0
                for column, m in zip(columns, middle, strict=True)
            ]
            return self._laid(middle), self._laid(around)
        try:
            if broadcast_dims(const.dims, self.dims) != self.dims:
                return None, None
            return stretched(Array(const.dims, given), self.dims), [1.0] * count(self.dims)
        except (Unsupported, ValueError):
            return None, None

    def _laid(self, columns: list[float]) -> list[float]:
        width = self.dims[-1] if self.dims else 1
        return [columns[at % width % len(columns)] for at in range(count(self.dims))]

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
        if self._spread is not None:
            wide = _WIDE if turn % 4 > 1 and len(self.dims) < _PICTURE else 1.0
            if self._centre is None and turn % 2 and len(self.dims) < _PICTURE:
                return [2 * wide * abs(s) * chance.random() for s in self._spread]
            centre = self._centre or [0.0] * size
            return [c + abs(s) * chance.gauss(0.0, wide) for c, s in zip(centre, self._spread, strict=True)]
        if turn % 2 and len(self.dims) >= _PICTURE:
            return self._picture()
        scale = self._scales[turn // 2 % len(self._scales)]
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
