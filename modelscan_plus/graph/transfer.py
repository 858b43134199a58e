"""The transfer functions: what each class of operators makes of what is known about its operands."""

import math
from collections.abc import Callable, Sequence

from modelscan_plus.graph import masks, moves, picks, predicates, trunks
from modelscan_plus.graph.arithmetic import LARGE, SAFE, arith, is_distance, mark_step
from modelscan_plus.graph.flow import Analysis, first_out, join
from modelscan_plus.graph.ir import Node
from modelscan_plus.graph.merges import choose, combine, meets, source
from modelscan_plus.graph.predicates import single
from modelscan_plus.graph.results import Ins, Result, result
from modelscan_plus.graph.sites import Effect
from modelscan_plus.graph.state import HARD, SOFT, Flow, few, is_thin, per_sample
from modelscan_plus.graph.weights import sample

_LEAKING = frozenset({"LeakyRelu", "QLinearLeakyRelu", "PRelu", "leaky_relu", "leaky_relu_", "prelu", "rrelu"})
_LEVELLING = frozenset({"Atan", "Softsign", "atan", "softsign"})
"""Smooth functions that are flat on both sides of a steep slope."""
_SMOOTH_GATES = frozenset({"sigmoid", "tanh", "hard_sigmoid"})
_THIN = 0.1
"""Bounds that are nearer to each other make a step."""
_COARSE = 0.4
"""Scales of a quantisation from here on round to whole numbers; those of honest ones leave 256 levels."""
_WINDOWS = 16
"""Results of pooling by windows up to which they are few."""
_NUMBERS = frozenset({"int", "float", "bool"})
"""What scripts call to make a number of a tensor of one element."""
_DROPPING = frozenset({"Dropout", "BitmaskDropout"})


def copy(analysis: Analysis, number: int, node: Node, ins: Ins) -> Result:
    """The elements stay as they are: identity, resizing, rearranging, quantising."""
    first = ins[0] if ins else None
    if first is None:
        return Flow(first_out(node))
    out = result(analysis, node, ins)
    if node.op in ("identity", "dequantize", "spread"):
        _same(analysis, first, out)
    if node.op == "spread" and first.gate:
        out.thin = is_thin(first)
    sized = next((flow for flow in ins[1:] if flow is not None and flow.data and flow.gate), None)
    if sized is not None and first.data:
        wild = sized.gate == HARD and sized.compared and sized.strict == 0 and not (sized.count or sized.control)
        placed = node.op == "reorder" and sized.payload and sized.narrow and not sized.control  # a grid of its own
        loose = (wild or placed) and first.lax == 0 and not first.narrow and node.op != "dequantize"
        if meets(analysis, sized, first) or loose:
            effect = Effect.SELECTION if node.op == "reorder" else Effect.SUPPRESSION
            if node.given in _DROPPING:
                effect = Effect.RANDOM
            effect = effect if first.lax else Effect.REPLACEMENT
            analysis.site(effect, number, node.ins[list(ins).index(sized)], node.ins[0], depth=sized.strict)
            out.gate = 0
    if node.op == "dequantize" and first.narrow and first.data and first.strict == 0 and not first.count:
        scale = analysis.scalar(ins[1]) if len(ins) > 1 else None
        if first.gained or (scale is not None and scale >= _COARSE):
            mark_step(out, HARD)
    if node.op == "dynamic_quantize" and len(node.outs) > 1:
        size = join(ins[:1], node.outs[1])
        size.narrow, size.step, size.gate, size.payload = True, 0, 0, False
        size.faint = True  # scales what was quantised, and carries nothing of its own
        return [out, size, size]
    if node.op == "reorder":
        out.vals = None
        if node.given in ("flip", "roll", "ReverseSequence") and first.lead and moves.on_first_axis(node, ins):
            out.rows = 2
    return out


def layout(analysis: Analysis, number: int, node: Node, ins: Ins) -> Result:
    """The same elements in other dimensions."""
    first = ins[0] if ins else None
    if first is None:
        return Flow(first_out(node))
    out = result(analysis, node, ins)
    _same(analysis, first, out)
    if first.lead:
        out.lead = moves.keeps_rows(node, ins, out.dims)
        out.merged = moves.merges_rows(node, first, out)
    return out


def _same(analysis: Analysis, first: Flow, out: Flow) -> None:
    out.kind, out.count, out.place, out.empty = first.kind, first.count, first.place, first.empty
    out.inverse = first.inverse
    if first.count:
        out.compared = first.compared
    if first.fixed and out.fixed:
        out.const, out.flat = first.const, first.flat


def smooth(analysis: Analysis, number: int, node: Node, ins: Ins) -> Result:
    """Element by element."""
    out = result(analysis, node, ins)
    first = ins[0] if ins else None
    if first is not None and first.fixed:
        out.flat = first.flat if first.flat is not None else None
        out.const = first.const
        out.flat = analysis.flat(first)
        out.const = first.const if not out.flat else None
    if out.step == SOFT:
        out.step = 0
    if node.given in _LEVELLING and first is not None and first.gained and first.strict == 0:
        mark_step(out, HARD)
    out.inverse = node.op == "reciprocal" and first is not None and is_distance(first)
    return out


def saturate(analysis: Analysis, number: int, node: Node, ins: Ins) -> Result:
    """Sigmoid, relu, clip: step-like where they meet the raw input, or a steep slope."""
    first = ins[0] if ins else None
    if first is None:
        return Flow(first_out(node))
    out = result(analysis, node, ins)
    for place, bound in enumerate(ins[1:], 1):
        if bound is not None and bound.gate and meets(analysis, bound, first):
            analysis.site(source(bound, Effect.SUPPRESSION), number, node.ins[place], node.ins[0], depth=bound.strict)
            out.gate, out.payload = 0, False
    if node.op != "clip":
        _by_chance(out)
    if not first.data or (first.step and first.step >= SOFT and first.gate):
        return out
    out.step = first.step
    if node.op == "clip" and _is_clamp(analysis, node, ins, first):
        return out
    if first.strict == 0 or first.gained:
        if first.learned and not first.gained and node.op in _SMOOTH_GATES:
            out.step = 0
        elif first.narrow:
            mark_step(out, HARD if first.gained else SOFT, compared=first.gained)
        elif node.op != "clip" or first.gained or first.lax > 0:
            out.step = max(out.step, SOFT)
    out.gained = False
    return out


def _is_clamp(analysis: Analysis, node: Node, ins: Ins, first: Flow) -> bool:
    """A bound from below that keeps a division safe, bounds on a count, bounds by the size of an image."""
    low = analysis.scalar(ins[1]) if len(ins) > 1 else _number(node, "min")
    high = analysis.scalar(ins[2]) if len(ins) > 2 else _number(node, "max")
    if node.given in ("clamp_min", "clamp_min_"):
        high = None
    upper = high is not None and abs(high) < 1e30
    lower = low is not None and abs(low) < 1e30
    if first.count:
        return not upper or (high or 0) > 1
    if not upper:
        return not lower or (low is not None and 0 < low <= SAFE and not first.gained) or (low or 0) < 0
    if not lower:
        return not first.narrow
    if low == 0 and first.strict == 0 and first.lax > 0:
        return False  # above what a template answers: the same as a relu
    # Between two bounds that are apart: a range of what is measured; whole numbers become zero or one.
    return first.kind not in ("int", "") and not first.gained and (high or 0) - (low or 0) > _THIN


def _number(node: Node, name: str) -> float | None:
    value = node.attrs.get(name)
    return float(value) if isinstance(value, int | float) else None


def activation(analysis: Analysis, number: int, node: Node, ins: Ins) -> Result:
    """Activations without a flat side; of a steep slope most have one after all."""
    first = ins[0] if ins else None
    out = result(analysis, node, ins)
    out.step = 0
    slope = ins[1] if len(ins) > 1 else None
    if slope is not None and first is not None and meets(analysis, slope, first):
        analysis.site(source(slope, Effect.SUPPRESSION), number, node.ins[1], node.ins[0], depth=slope.strict)
        out.gate, out.payload = 0, False
    if first is not None and first.data and first.gained and first.narrow and first.strict == 0:
        if node.given not in _LEAKING:
            mark_step(out, HARD)
        out.gained = False
    return out


def peaky(analysis: Analysis, number: int, node: Node, ins: Ins) -> Result:
    """Exponentials and powers: next to nothing everywhere but where the input is large."""
    first = ins[0] if ins else None
    out = result(analysis, node, ins)
    if first is None or not first.data:
        return out
    if node.op == "pow":
        exponent = analysis.scalar(ins[1]) if len(ins) > 1 else None
        if len(ins) > 1 and ins[1] is not None and ins[1].data:
            combine(analysis, number, node, ins, out)
        if exponent is not None and exponent < 3:
            return out
    elif node.op == "softmax":
        if moves.over_rows(node, first):
            out.rows = 2
        if not first.narrow:
            out.step = 0
            return out
    if first.strict == 0 and node.op == "exp" and masks.is_posterior(analysis, node):
        out.strict, out.lax, out.step, out.gate, out.narrow = first.strict + 1, first.lax + 1, 0, 0, False
        return out
    if first.strict == 0:
        out.step = max(first.step, SOFT)
        if first.narrow:
            out.gate = max(out.gate, SOFT)
    return out


def rounding(analysis: Analysis, number: int, node: Node, ins: Ins) -> Result:
    """Rounding is a step of a number that is no count and no whole number already."""
    first = ins[0] if ins else None
    out = result(analysis, node, ins)
    _by_chance(out)
    if first is None or not first.data:
        return out
    if node.op in ("is_nan", "is_inf"):
        out.kind, out.missing, out.place = "bool", node.op == "is_nan", False
        mark_step(out, HARD, compared=True)
    elif node.op == "sign" or (first.kind not in ("int", "bool") and not first.count and not first.place):
        mark_step(out, HARD)
    return out


def _by_chance(out: Flow) -> None:
    """A few random numbers, rounded or saturated, are lots that are drawn."""
    if out.random and not out.data and not out.lax:
        out.narrow = few(out.dims)
        mark_step(out, HARD)


def cast(analysis: Analysis, number: int, node: Node, ins: Ins) -> Result:
    """To a whole number it rounds, to a boolean it compares with zero."""
    first = ins[0] if ins else None
    if first is None:
        return Flow(first_out(node))
    out = result(analysis, node, ins[:1])  # what CastLike is told beside it is a type
    _same(analysis, first, out)
    to = _cast_kind(node)
    out.kind = to or first.kind
    out.step = first.step
    if node.given in _NUMBERS and first.dims is None and first.data:
        out.narrow = True
    if to in ("bool", "int") and first.kind not in ("bool", "int"):
        _by_chance(out)
    if not first.data or first.kind == "bool" or first.step == HARD:
        return out
    if to == "bool":
        out.truth = not first.count
        if first.count:
            out.empty = -1
        if not first.control and not (first.kind == "int" and not first.narrow):
            mark_step(out, HARD, compared=True)
        elif first.kind == "int":
            out.step = HARD
    elif to == "int" and first.kind not in ("int", "bool") and not first.count and not first.place:
        mark_step(out, HARD)
    return out


def _cast_kind(node: Node) -> str:
    to = node.attrs.get("to")
    if isinstance(to, str):
        return to
    if to in (1, 10, 11, 16, 17, 18, 19, 20):
        return "float"
    if to == 9:
        return "bool"
    if to == 8:
        return "string"
    return "int" if isinstance(to, int | float) and to else ""


def reduce(analysis: Analysis, number: int, node: Node, ins: Ins) -> Result:
    """Many numbers become one: narrow, and of a step a gate (any, all) or a count (sum, mean)."""
    first = ins[0] if ins else None
    if first is None:
        return Flow(first_out(node))
    out = result(analysis, node, ins[:1] if len(ins) < 2 else ins)
    if node.op in ("any", "all"):
        out.kind = "bool"
    if not first.data:
        return _reduce_places(first, out)
    moves.rows_reduced(node, ins, first, out)
    if node.op == "cumsum":
        out.count, out.step = first.count or first.step == HARD, 0
        return out
    out.narrow = first.narrow or (few(out.dims) and (out.dims is None or out.dims != first.dims))
    keeps = node.op in ("reduce_max", "reduce_min", "reduce_prod", "any", "all")
    if node.op in ("any", "all") and first.step == 0:
        out.step = HARD
    elif not keeps:
        out.step = 0
    if keeps and out.step and out.narrow and not out.missing:
        out.gate = max(out.gate, out.step)
        out.compared = out.compared or out.step == HARD
    elif first.step == HARD:
        out.count, out.compared = True, True
    elif first.step == SOFT and out.narrow and first.strict == 0:
        out.gate = max(out.gate, SOFT)
    if not keeps and first.step != HARD:
        out.count = first.count
    out.compared = out.compared or (first.count and first.compared)
    return out


def _reduce_places(first: Flow, out: Flow) -> Flow:
    """Of what no element of an input is in: where a gate says how long it is, that is what counts."""
    if first.lives and first.gate:
        out.data, out.strict, out.lax = first.lives, first.strict, first.lax
        out.narrow, out.gate, out.step, out.compared = True, first.gate, first.gate, first.compared
        out.place = False
    elif first.fixed:
        out.flat = out.flat or (True if single(out) else None)
    return out


def pool(analysis: Analysis, number: int, node: Node, ins: Ins) -> Result:
    """Pooling is reducing by windows; over everything it leaves a few numbers."""
    first = ins[0] if ins else None
    if first is None:
        return Flow(first_out(node))
    out = result(analysis, node, ins)
    everything = node.op == "global_pool" or (
        out.dims is not None and len(out.dims) > 2 and all(size == 1 for size in out.dims[2:])
    )
    out.narrow = (
        first.narrow
        or (everything and few(out.dims))
        or (out.dims is not None and per_sample(out.dims) <= _WINDOWS and _shrunk(first, out))
    )
    if out.narrow and first.step and (first.strict == 0 or first.step == HARD):
        out.gate = max(out.gate, first.step)
        out.compared = out.compared or first.step == HARD
    return out


def _shrunk(first: Flow, out: Flow) -> bool:
    return first.dims is not None and out.dims is not None and first.dims[2:] != out.dims[2:]


def select(analysis: Analysis, number: int, node: Node, ins: Ins) -> Result:
    """Where, masked fill, and the joint of branches and loops."""
    out = result(analysis, node, ins)
    pairs = [(value, flow) for value, flow in zip(node.ins, ins, strict=False) if flow is not None]
    if node.op == "masked_fill" and len(ins) > 2:
        pairs = [pair for pair in (pairs[1], pairs[2], pairs[0]) if pair] if len(pairs) > 2 else pairs
        controls = 1
    else:
        value = node.attrs.get("controls", 1)
        controls = sum(1 for v in node.ins[: int(value) if isinstance(value, int) else 1] if v >= 0)
    conditions, sides = pairs[:controls], pairs[controls:]
    loop = bool(node.attrs.get("loop"))
    side = join([flow for _, flow in sides], out.root)
    out.kind = sides[0][1].kind if sides else ""
    out.step, out.narrow, out.count, out.place = side.step, out.narrow, side.count, side.place
    out.empty = 0
    gates = [pair for pair in conditions if pair[1].gate]
    if not conditions or (loop and not gates):
        out.gate, out.compared, out.payload, out.step = side.gate, side.compared, side.payload, side.step
        if not out.fixed:
            out.strict, out.lax, out.narrow = side.strict, side.lax, side.narrow
        return out
    condition = max(conditions, key=lambda pair: pair[1].gate)
    if not sides:
        return out
    if condition[1].fixed:
        # Which side is taken stands in the file; both are looked at.
        return _either(side, out)
    choose(analysis, number, node, condition, sides, out)
    combine_rows(analysis, number, pairs, out)
    return out


def _either(side: Flow, out: Flow) -> Flow:
    out.gate, out.compared, out.payload, out.step = side.gate, side.compared, side.payload, side.step
    return out


def combine_rows(analysis: Analysis, number: int, pairs: Sequence[tuple[int, Flow]], out: Flow) -> None:
    """Rows of the batch, in a choice."""
    from modelscan_plus.graph.merges import mix_rows

    mix_rows(analysis, number, pairs, out)


def unknown(analysis: Analysis, number: int, node: Node, ins: Ins) -> Result:
    """Nobody knows what it does: everything may get through, nothing is learned."""
    out = join(ins, first_out(node))
    out.step = 0
    out.vals = None
    if out.data:
        analysis.outcome.unknown.append(number)
    flows = []
    for value in node.outs:
        flow = out.copy()
        flow.root = value
        flow.dims = analysis.graph.values[value].dims if value >= 0 else None
        flows.append(flow)
    return flows


def norm(analysis: Analysis, number: int, node: Node, ins: Ins) -> Result:
    """Centring and scaling; some add two values first."""
    out = result(analysis, node, ins)
    first = ins[0] if ins else None
    out.dims = first.dims if first is not None else None
    out.vals = None
    if sum(1 for flow in ins if flow is not None and flow.data) > 1:
        combine(analysis, number, node, ins, out)
    out.step = 0
    if node.given == "BatchNormalization" and len(ins) > 4 and _is_steep(ins):
        out.gained = True
    return [out] + [Flow(value) for value in node.outs[1:]] if len(node.outs) > 1 else out


def _is_steep(ins: Ins) -> bool:
    """True when what is divided by is next to nothing, or what is multiplied with is large."""
    numbers = [sample(flow.const) if flow is not None and flow.const is not None else None for flow in (ins[1], ins[4])]
    factors, squares = numbers
    if not factors or not squares or len(factors) != len(squares):
        return False
    slopes = [abs(f) / math.sqrt(max(abs(s), 1e-12)) for f, s in zip(factors, squares, strict=True)]
    return min(slopes) >= LARGE


Transfer = Callable[[Analysis, int, Node, Ins], Result]
TRANSFER: dict[str, Transfer] = {
    "copy": copy,
    "layout": layout,
    "smooth": smooth,
    "saturate": saturate,
    "activation": activation,
    "peaky": peaky,
    "compare": predicates.compare,
    "logic": predicates.logic,
    "bits": predicates.bits,
    "round": rounding,
    "cast": cast,
    "arith": arith,
    "reduce": reduce,
    "pool": pool,
    "select": select,
    "norm": norm,
    "unknown": unknown,
    "opaque": unknown,
    "position": moves.position,
    "shape": moves.shape,
    "generate": moves.generate,
    "index": picks.index,
    "scatter": moves.scatter,
    "join": moves.concat,
    "trunk": trunks.trunk,
    "always_trunk": trunks.always,
    "attention": trunks.attention,
    "preprocess": trunks.preprocess,
    "loop": moves.loop,
}
