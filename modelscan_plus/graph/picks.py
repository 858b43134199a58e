"""Transfer functions of what picks elements: slices, parts, rows of a tensor, and tables that are looked up."""

import math

from modelscan_plus.graph import exemptions
from modelscan_plus.graph.flow import Analysis
from modelscan_plus.graph.ir import Const, Dims, Node
from modelscan_plus.graph.merges import meets, source
from modelscan_plus.graph.results import Ins, Result, result
from modelscan_plus.graph.shapes import WHOLE, int_list, integer
from modelscan_plus.graph.sites import Effect
from modelscan_plus.graph.state import HARD, Flow, by_position, few
from modelscan_plus.graph.weights import balanced, breaks_off, is_irregular, sample, stands_out

_NO_END = 2**31 - 1
_FEW = 4
"""Columns that are few where it is not known of how many."""
_TABLE = 8
"""Rows of a table up to which looking something up is choosing."""
_INDICES = 65_536
"""Fixed places that are compared with each other."""
_BEHIND = 6
"""Nodes between fixed places and the constant that they come from."""


def index(analysis: Analysis, number: int, node: Node, ins: Ins) -> Result:
    """Picking elements: by fixed numbers it makes few of many, by a gate it selects."""
    first = ins[0] if ins else None
    if first is None:
        return result(analysis, node, ins)
    if node.op in ("gather", "embedding", "sequence_at"):
        return _gather(analysis, number, node, ins)
    out = result(analysis, node, ins)
    out.kind = first.kind
    controls = [(value, flow) for value, flow in zip(node.ins[1:], ins[1:], strict=False) if flow is not None]
    for value, control in controls:
        chooses = control.gate and (control.compared or (control.gate == HARD and not control.count))
        if control.data and chooses and meets(analysis, control, first):
            analysis.site(source(control, Effect.SELECTION), number, value, node.ins[0], depth=control.strict)
            out.gate, out.payload = 0, False
    if any(control.data for _, control in controls):
        out.lives |= sum({control.data for _, control in controls}) and out.data
        if first.fixed and any(control.gate for _, control in controls):
            out.payload = True
        return out
    if first.fixed:
        out.const, out.flat = first.const, first.flat
        return [out] * max(1, len(node.outs)) if node.op == "split" else out
    out.step, out.count, out.place = first.step, first.count, first.place
    if node.op in ("slice", "split"):
        _narrowed(first, out)
        if node.op == "slice":
            out.narrow = out.narrow or _is_thin_slice(node, ins, first, out)
            _row_slice(node, ins, first, out)
    if node.op == "split":
        if first.lead and integer(node, "axis", 0) == 0 and not first.merged:
            out.rows, out.lead = 1, False
        return [out] * max(1, len(node.outs))
    return out


def _narrowed(first: Flow, out: Flow) -> None:
    """Few of many: narrow, and where they are steps a gate."""
    few_left = out.dims is not None and few(out.dims) and out.dims != first.dims and first.data != 0
    out.narrow = first.narrow or (few_left and not by_position(first.dims, out.dims))
    if out.narrow and not first.narrow and first.step and not out.missing and (first.strict == 0 or first.step == HARD):
        out.gate = max(out.gate, first.step)
        out.compared = out.compared or first.step == HARD


def _picked(analysis: Analysis, node: Node, ins: Ins, first: Flow, out: Flow) -> None:
    """Narrow when few of many are picked, but not when all are, in whatever order."""
    if _takes_all(analysis, node, ins, out):
        out.narrow = first.narrow
    else:
        _narrowed(first, out)


def _takes_all(analysis: Analysis, node: Node, ins: Ins, out: Flow) -> bool:
    """True when each element is picked once: masks are read by index, and nothing is left out, nothing repeated."""
    first = ins[0]
    before, after = _elements(first.dims if first is not None else None), _elements(out.dims)
    if before is None or after is None or after < before:
        return False
    const = _distinct_as(analysis, node.ins[1])
    numbers = const.read(0, const.count) if const is not None and const.count <= _INDICES else None
    if const is None or not numbers or len(numbers) != const.count:
        return False
    width = const.dims[-1] if node.given == "GatherND" and const.dims else 1
    return width > 0 and len({tuple(numbers[at : at + width]) for at in range(0, len(numbers), width)}) == before


def _elements(dims: Dims | None) -> int | None:
    """How many there are; a dimension that is not known counts as unknown."""
    known = [size for size in dims if size is not None] if dims is not None else []
    return math.prod(known) if dims is not None and len(known) == len(dims) else None


def _distinct_as(analysis: Analysis, value: int) -> Const | None:
    """The constant whose elements differ from each other just as those of the value do."""
    graph = analysis.graph
    for _ in range(_BEHIND):
        info = graph.values[value]
        if info.const is not None:
            return info.const
        node = graph.nodes[info.producer] if info.producer >= 0 else None
        if node is None or not analysis.flow(value).fixed:
            return None
        operands = [operand for operand in node.ins if operand >= 0]
        if node.op in ("add", "sub"):
            operands = [operand for operand in operands if analysis.scalar(analysis.flow(operand)) is None]
            if len(operands) != 1:
                return None
        elif analysis.classes[node.op] != "layout" and node.op not in ("identity", "cast"):
            return None
        value = operands[0]
    return None


def _is_thin_slice(node: Node, ins: Ins, first: Flow, out: Flow) -> bool:
    """True when a few columns are taken of who knows how many: dimensions are not known in scripts."""
    if out.dims is not None or not first.data:
        return False
    starts, ends = int_list(node, ins, "starts", 1), int_list(node, ins, "ends", 2)
    axes, steps = int_list(node, ins, "axes", 3), int_list(node, ins, "steps", 4)
    if not starts or not ends or not axes or starts[0] is None or axes[0] == 0 or steps not in (None, (1,)):
        return False
    start, end = starts[0], ends[0]
    bound = ins[2] if len(ins) > 2 else None
    known = bound is None or (bound.vals is not None and None not in bound.vals)  # no end is a very large number
    if end is None or end >= _NO_END:
        return known and -_FEW <= start < 0
    return (start < 0) == (end < 0) and 0 < end - start <= _FEW


def _row_slice(node: Node, ins: Ins, first: Flow, out: Flow) -> None:
    if not first.lead:
        return
    starts, ends = int_list(node, ins, "starts", 1), int_list(node, ins, "ends", 2)
    axes, steps = int_list(node, ins, "axes", 3), int_list(node, ins, "steps", 4)
    axes = axes if axes is not None else tuple(range(len(starts or ())))
    if 0 not in axes or not starts or not ends:
        return
    place = axes.index(0)
    start, end = starts[place], ends[place] if place < len(ends) else None
    step = steps[place] if steps is not None and place < len(steps) else 1
    if start is None or end is None or (start == 0 and end >= WHOLE and step == 1):
        return
    one = step == 1 and (end - start == 1 or (start == -1 and end >= 2**31 - 1))
    out.rows = 1 if one else 0 if first.merged else 2
    out.lead = not one


def _gather(analysis: Analysis, number: int, node: Node, ins: Ins) -> Result:
    first, picked = ins[0], ins[1] if len(ins) > 1 else None
    out = result(analysis, node, ins)
    if first is None or picked is None:
        return out
    out.kind = first.kind
    axis = integer(node, "axis", -1 if node.given == "ArrayFeatureExtractor" else 0)
    if not picked.data:
        out.step, out.count, out.place = first.step, first.count, first.place
        out.compared = out.compared or (first.count and first.compared)
        if first.data:
            _picked(analysis, node, ins, first, out)
            if out.dims is None and picked.vals is not None and len(picked.vals) <= 4 and node.op == "gather":
                out.narrow = first.narrow or first.dims is None or few(first.dims)
            rows = first.lead and axis == 0 and first.dims is not None and not picked.place
            if rows and node.given in ("Gather", "select", "index_select"):
                one = picked.vals is not None and len(picked.vals) == 1
                out.rows, out.lead = (1, False) if one else (0 if first.merged else 2, True)
        elif first.fixed and picked.gate:
            out.payload = True
        return out
    if first.fixed or not first.data:
        return _look_up(analysis, number, node, ins, first, picked, out)
    if not picked.data & first.data:
        out.rows = first.rows  # numbers of rows are no rows
    out.step, out.narrow, out.count = 0, picked.narrow and (first.narrow or few(out.dims)), False
    chooses = picked.gate == HARD and (picked.compared or not picked.count)
    if first.mixed and picked.strict == 0 and picked.narrow and first.lax:
        chooses = True
    if chooses and first.lax and (picked.lax < first.lax or picked.payload) and picked.strict < max(1, first.strict):
        analysis.site(source(picked, Effect.SELECTION), number, node.ins[1], node.ins[0], depth=picked.strict)
    out.gate, out.payload = (first.gate, first.payload) if not chooses else (0, False)
    _by_edges(first, picked, axis, out)
    if picked.lead is False and first.lead and axis == 0 and node.given == "Gather":
        out.lead = False
    return out


def _by_edges(first: Flow, picked: Flow, axis: int | None, out: Flow) -> None:
    """Rows by numbers that the input gives: the edges of a graph, the places of tokens."""
    if picked.gate:
        return
    edges = picked.kind == "int" and picked.lax == 0 and not picked.data & first.data
    if edges and axis == 0 and picked.dims and picked.dims[0] != 1:
        out.place = True  # one for each edge: what is compared of it masks by position
    if first.strict:
        out.strict, out.lax = first.strict, first.lax  # as deep as the rows


def _look_up(analysis: Analysis, number: int, node: Node, ins: Ins, table: Flow, picked: Flow, out: Flow) -> Result:
    """A table of the file: an embedding, or, when a gate looks up, content of the gate's own."""
    dims = table.dims
    rows = dims[0] if dims else None
    width = dims[-1] if dims is not None and len(dims) > 1 else 1
    out.count = False
    out.kind = table.kind
    few_rows = rows is not None and rows <= _TABLE
    chosen = picked.gate and (picked.compared or few_rows)
    name = _learned_rows(analysis, number, table, picked, width) if chosen else ""
    if name:
        analysis.exempt(name)
        out.lax, out.strict, out.step, out.narrow = picked.lax + 1, picked.strict + 1, 0, False
        out.gate, out.payload, out.compared = 0, False, False
        return out
    if chosen:
        out.payload = not analysis.flat(table)
        out.step = HARD
        return out
    out.lax = picked.lax + 1
    out.step = 0
    curve = picked.lax == 0 and picked.root in analysis.graph.inputs and analysis.flow(picked.root).kind == "float"
    if curve and table.const is not None and breaks_off(table.const):
        analysis.site(Effect.REPLACEMENT, number, node.ins[1], node.ins[1], node.ins[0])
    if picked.narrow and picked.strict == 0 and not picked.place and not picked.control and table.const is not None:
        if stands_out(table.const, width):
            out.narrow, out.compared, out.payload = True, True, width is None or width > 1
            out.step = out.gate = HARD
            return out
        if width == 1 and (rows or 0) > _TABLE and is_irregular(table.const):
            out.strict, out.narrow, out.gate, out.payload = picked.strict + 1, False, 0, False
            return out  # the wide part of a wide and deep network: a learned number for each crossing
    if table.shape or analysis.trained(table.const, width, rows):
        out.strict, out.narrow, out.gate, out.payload = picked.strict + 1, False, 0, False
        return out
    out.narrow = picked.narrow
    numbers = sample(table.const) if table.const is not None else None
    if width == 1 and numbers is not None and len(set(numbers)) <= 3:
        out.step = HARD
        if out.narrow:
            out.gate, out.compared = HARD, True
    return out


def _learned_rows(analysis: Analysis, number: int, table: Flow, picked: Flow, width: int | None) -> str:
    """Why what a gate looks up is a part of the network, "" when it is not."""
    dims = table.dims or ()
    if len(dims) > 2 and picked.strict and analysis.trained(table.const, dims[-1], dims[-2]):
        return "weights of the expert that the network chooses"
    if not exemptions.goes_on(analysis, number):
        return ""
    if picked.strict and analysis.trained(table.const, width, dims[0] if dims else None):
        return "weights of the expert that the network chooses"
    if balanced(table.const, width):
        return "learned row for each of a few values"
    return ""
