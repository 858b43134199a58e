"""The dimensions of results, as far as they follow from the operands; None where they do not.

Declared dimensions count only where this says nothing: a file can declare what it likes.
"""

from collections.abc import Callable, Sequence

from modelscan_plus.graph.ir import Dims, Node
from modelscan_plus.graph.state import Flow

Flows = Sequence[Flow | None]
Infer = Callable[[Node, Flows], Dims | None]


def dims_of(flows: Flows, place: int = 0) -> Dims | None:
    """The dimensions of one operand."""
    flow = flows[place] if place < len(flows) else None
    return flow.dims if flow is not None else None


def ints(flows: Flows, place: int) -> tuple[int | None, ...] | None:
    """The elements of a small operand that the file determines."""
    flow = flows[place] if place < len(flows) else None
    if flow is None or flow.vals is None:
        return None
    return tuple(int(value) if isinstance(value, int | float) and abs(value) < 2**62 else None for value in flow.vals)


def int_list(node: Node, flows: Flows, name: str, place: int) -> tuple[int | None, ...] | None:
    """A list of integers that is an attribute in some versions and an operand in others."""
    given = node.attrs.get(name)
    if isinstance(given, tuple):
        return tuple(int(value) for value in given)
    if isinstance(given, int | float):
        return (int(given),)
    return ints(flows, place)


def integer(node: Node, name: str, default: int) -> int:
    """An integer attribute."""
    value = node.attrs.get(name, default)
    return int(value) if isinstance(value, int | float) else default


def broadcast(flows: Flows) -> Dims | None:
    """Dimensions of an element-wise result."""
    result: list[int | None] = []
    one: list[int | None] = [1]
    for flow in flows:
        if flow is None:
            continue
        if flow.dims is None:
            return None
        dims = flow.dims
        if len(dims) > len(result):
            result = one * (len(dims) - len(result)) + result
        offset = len(result) - len(dims)
        for place, size in enumerate(dims):
            here = result[offset + place]
            if size != here and here == 1:
                result[offset + place] = size
            elif size is None or here is None:
                known = size if here is None else here
                result[offset + place] = known if known not in (None, 1) else None
    return tuple(result)


def _reshape(node: Node, flows: Flows) -> Dims | None:  # noqa: C901 - the rules of one operator
    shape = int_list(node, flows, "shape", 1)
    if shape is None:
        sizes = flows[1].dims if len(flows) > 1 and flows[1] is not None else None
        rank = integer(node, "rank", (sizes[0] or 0) if sizes else 0)
        return (None,) * rank if 0 < rank < 12 else None
    before = dims_of(flows)
    result: list[int | None] = []
    for place, size in enumerate(shape):
        if size == 0:
            size = before[place] if before is not None and place < len(before) else None
        result.append(size)
    if -1 in result:
        place = result.index(-1)
        result[place] = None
        if before is not None and None not in before and result.count(None) == 1:
            total, rest = 1, 1
            for size in before:
                total *= size or 1
            for size in result:
                rest *= size or 1
            result[place] = total // rest if rest else None
        elif before is not None and before and place == 0 and before[0] is None and result.count(None) == 1:
            pass
        elif before is not None and len(result) > 1 and before and before[0] is None:
            # The batch on both sides: what is left of the others follows.
            known = [size for size in before[1:] if size is not None]
            others = [size for at, size in enumerate(result) if at not in (0, place)]
            if len(known) == len(before) - 1 and None not in others:
                total, rest = 1, 1
                for size in known:
                    total *= size
                for size in others:
                    rest *= size or 1
                result[place] = total // rest if rest else None
    return tuple(result)


def _flatten(node: Node, flows: Flows) -> Dims | None:
    before = dims_of(flows)
    if before is None:
        return (None, None)
    axis = integer(node, "axis", integer(node, "start_dim", 1))
    axis += len(before) if axis < 0 else 0
    parts: list[int | None] = []
    for side in (before[:axis], before[axis:]):
        total: int | None = 1
        for size in side:
            total = None if size is None or total is None else total * size
        parts.append(side[0] if len(side) == 1 else total)
    return tuple(parts) if "start_dim" not in node.attrs or axis else (parts[1],)


def _squeeze(node: Node, flows: Flows) -> Dims | None:
    before = dims_of(flows)
    if before is None:
        return None
    axes = int_list(node, flows, "axes", 1)
    if axes is None:
        return tuple(size for size in before if size != 1)
    gone = {axis % len(before) for axis in axes if axis is not None} if before else set()
    return tuple(size for place, size in enumerate(before) if place not in gone)


def _unsqueeze(node: Node, flows: Flows) -> Dims | None:
    before = dims_of(flows)
    axes = int_list(node, flows, "axes", 1)
    if before is None or axes is None:
        return None
    rank = len(before) + len(axes)
    new = {axis % rank for axis in axes if axis is not None}
    rest = iter(before)
    return tuple(1 if place in new else next(rest, None) for place in range(rank))


def _transpose(node: Node, flows: Flows) -> Dims | None:
    before = dims_of(flows)
    if before is None:
        return None
    order = int_list(node, flows, "perm", 1)
    if order is None:
        return tuple(reversed(before))
    return tuple(before[axis] if axis is not None and -len(before) <= axis < len(before) else None for axis in order)


def _swap(node: Node, flows: Flows) -> Dims | None:
    before = dims_of(flows)
    if before is None or len(before) < 2:
        return before
    first, second = ints(flows, 1), ints(flows, 2)
    result = list(before)
    one = first[0] if first and first[0] is not None else 0
    two = second[0] if second and second[0] is not None else 1
    try:
        result[one], result[two] = result[two], result[one]
    except IndexError:
        return None
    return tuple(result)


def reduced(node: Node, flows: Flows) -> Dims | None:
    """Dimensions after reducing `axes` (attribute or second operand), all of them when there are none."""
    before = dims_of(flows)
    axes = int_list(node, flows, "axes", 1)
    keep = bool(integer(node, "keepdims", 1))
    if axes is None and len(flows) > 1 and flows[1] is not None:
        return (None,) * len(before) if before is not None and keep else None
    if before is None:
        return () if not axes and not keep else None
    gone = {axis % len(before) for axis in axes if axis is not None} if axes and before else set(range(len(before)))
    if keep:
        return tuple(1 if place in gone else size for place, size in enumerate(before))
    return tuple(size for place, size in enumerate(before) if place not in gone)


def _argument(node: Node, flows: Flows) -> Dims | None:
    before = dims_of(flows)
    if before is None or not before:
        return before
    axis = integer(node, "axis", 0) % len(before)
    if integer(node, "keepdims", 1):
        return (*before[:axis], 1, *before[axis + 1 :])
    return (*before[:axis], *before[axis + 1 :])


def _gather(node: Node, flows: Flows) -> Dims | None:
    before, index = dims_of(flows), dims_of(flows, 1)
    if node.given in ("GatherElements", "gather", "take_along_dim"):
        return index
    if node.given == "GatherND":
        skipped = integer(node, "batch_dims", 0)
        width = index[-1] if index else None
        return (*index[:-1], *before[skipped + width :]) if before is not None and index and width is not None else None
    if node.given == "ArrayFeatureExtractor":
        return (*before[:-1], *(index[-1:] if index else (1,))) if before is not None and index is not None else None
    if before is None or index is None or not before:
        return None
    axis = integer(node, "axis", 0) % len(before)
    return (*before[:axis], *index, *before[axis + 1 :])


def _slice(node: Node, flows: Flows) -> Dims | None:
    before = dims_of(flows)
    if before is None:
        return None
    starts, ends = int_list(node, flows, "starts", 1), int_list(node, flows, "ends", 2)
    axes, steps = int_list(node, flows, "axes", 3), int_list(node, flows, "steps", 4)
    if starts is None or ends is None:
        return (None,) * len(before)
    result = list(before)
    for place, (start, end) in enumerate(zip(starts, ends, strict=False)):
        axis = axes[place] if axes is not None and place < len(axes) else place
        step = steps[place] if steps is not None and place < len(steps) else 1
        if axis is None or not before:
            return (None,) * len(before)
        axis %= len(before)
        result[axis] = _length(before[axis], start, end, step)
    return tuple(result)


WHOLE = 1 << 20
"""An end from here on stands for the end of the axis, whatever its size: exporters write 2^31 - 1, 2^63 - 1 or 10^9."""


def _length(size: int | None, start: int | None, end: int | None, step: int | None) -> int | None:
    if start is None or end is None or not step:
        return None
    if size is not None:
        return len(range(size)[slice(start, end if abs(end) < 2**31 else None, step)])
    if 0 <= start < WHOLE <= end:
        return None
    if (start < 0) == (end < 0) and abs(end) < 2**31:
        return max(0, -(-(end - start) // step))
    if start < 0 and end >= 2**31 - 1:
        return -(start // step) if step > 0 else None
    return None


def _concat(node: Node, flows: Flows) -> Dims | None:
    known = [flow.dims for flow in flows if flow is not None]
    if not known or any(dims is None or len(dims) == 0 for dims in known):
        return next((dims for dims in known if dims is not None and None not in dims), None) if not known else None
    first = known[0]
    if first is None:
        return None
    axis = integer(node, "axis", 0)
    if node.attrs.get("new_axis") or node.given == "stack":
        axis %= len(first) + 1
        return (*first[:axis], len(known), *first[axis:])
    axis %= len(first)
    total: int | None = 0
    for dims in known:
        size = dims[axis] if dims is not None and axis < len(dims) else None
        total = None if total is None or size is None else total + size
    return (*first[:axis], total, *first[axis + 1 :])


def matmul(left: Dims | None, right: Dims | None) -> Dims | None:
    """Dimensions of a matrix product."""
    if left is None or right is None or not left or not right:
        return None
    if len(right) == 1:
        return left[:-1]
    if len(left) == 1:
        return (*right[:-2], right[-1])
    longer = left if len(left) >= len(right) else right
    return (*longer[:-2], left[-2], right[-1])


def _matmul(node: Node, flows: Flows) -> Dims | None:
    return matmul(dims_of(flows), dims_of(flows, 1))


def _gemm(node: Node, flows: Flows) -> Dims | None:
    left, right = dims_of(flows), dims_of(flows, 1)
    if left is None or right is None or len(left) != 2 or len(right) != 2:
        return None
    return (
        left[1] if integer(node, "transA", 0) else left[0],
        right[0] if integer(node, "transB", 0) else right[1],
    )


def _linear(node: Node, flows: Flows) -> Dims | None:
    left, right = dims_of(flows), dims_of(flows, 1)
    return (*left[:-1], right[0]) if left and right else None


def _conv(node: Node, flows: Flows) -> Dims | None:
    before, weights = dims_of(flows), dims_of(flows, 1)
    if before is None or weights is None or len(weights) != len(before) or len(before) < 3:
        return None
    transposed = "ranspose" in node.given
    channels = weights[0]
    if transposed:
        group = integer(node, "group", 1)
        channels = weights[1] * group if weights[1] is not None else None
    return (before[0], channels, *_windowed(node, before[2:], weights[2:], transposed=transposed))


def _windowed(node: Node, sizes: Dims, kernel: Dims, *, transposed: bool = False) -> list[int | None]:
    rank = len(sizes)

    def each(name: str, default: int) -> tuple[int, ...]:
        value = node.attrs.get(name)
        values = tuple(int(v) for v in value) if isinstance(value, tuple) else ()
        return values if len(values) >= rank else (default,) * rank

    strides, dilations = each("strides", 1), each("dilations", 1)
    pads = node.attrs.get("pads")
    borders = tuple(int(p) for p in pads) if isinstance(pads, tuple) and len(pads) == 2 * rank else (0,) * (2 * rank)
    same = str(node.attrs.get("auto_pad", "")).startswith("SAME")
    result: list[int | None] = []
    for place, size in enumerate(sizes):
        window = kernel[place] if place < len(kernel) else None
        if size is None or window is None or transposed:
            result.append(None)
        elif same:
            result.append(-(-size // max(1, strides[place])))
        else:
            total = size + borders[place] + borders[rank + place] - dilations[place] * (window - 1) - 1
            result.append(max(1, total // max(1, strides[place]) + 1))
    return result


def _pool(node: Node, flows: Flows) -> Dims | None:
    before = dims_of(flows)
    kernel = node.attrs.get("kernel_shape")
    if before is None or len(before) < 3 or not isinstance(kernel, tuple):
        return (*before[:2], *(None for _ in before[2:])) if before is not None and len(before) > 2 else None
    return (*before[:2], *_windowed(node, before[2:], tuple(int(size) for size in kernel)))


def _global_pool(node: Node, flows: Flows) -> Dims | None:
    before = dims_of(flows)
    return (*before[:2], *(1 for _ in before[2:])) if before is not None else None


def _adaptive(node: Node, flows: Flows) -> Dims | None:
    before, size = dims_of(flows), ints(flows, 1)
    if before is None or size is None:
        return None
    rank = 1 if "1d" in node.given else 3 if "3d" in node.given else 2
    sizes = size if len(size) == rank else size * rank
    return (*before[: len(before) - rank], *sizes[:rank])


def _spread(node: Node, flows: Flows) -> Dims | None:
    before = dims_of(flows)
    shape = ints(flows, 1)
    if node.given == "Expand":
        if before is None or shape is None:
            return None
        return broadcast([_with_dims(before), _with_dims(shape)])
    if node.given in ("expand", "broadcast_to") and before is not None and shape is not None:
        padded = (1,) * (len(shape) - len(before)) + before
        return tuple(old if size == -1 else size for old, size in zip(padded, shape, strict=False))
    if node.given in ("Tile", "tile", "repeat") and before is not None and shape is not None:
        padded = (1,) * (len(shape) - len(before)) + before
        return tuple(None if o is None or r is None else o * r for o, r in zip(padded, shape, strict=False))
    return (*before[:2], *(None for _ in before[2:])) if before is not None else None


def _with_dims(dims: Dims) -> Flow:
    flow = Flow()
    flow.dims = dims
    return flow


def _shape(node: Node, flows: Flows) -> Dims | None:
    before = dims_of(flows)
    if len(flows) > 1 and flows[1] is not None:  # size(dim) of TorchScript
        return ()
    return (len(before),) if before is not None else None


def _of_shape(node: Node, flows: Flows) -> Dims | None:
    return ints(flows, 0)


def _topk(node: Node, flows: Flows) -> Dims | None:
    before, many = dims_of(flows), int_list(node, flows, "k", 1)
    if before is None or not before:
        return None
    axis = integer(node, "axis", -1) % len(before)
    return (*before[:axis], many[0] if many else None, *before[axis + 1 :])


def _one_hot(node: Node, flows: Flows) -> Dims | None:
    before, depth = dims_of(flows), ints(flows, 1)
    if before is None:
        return None
    axis = integer(node, "axis", -1) % (len(before) + 1)
    return (*before[:axis], depth[0] if depth and depth[0] != -1 else None, *before[axis:])


def _iterate(node: Node, flows: Flows) -> Dims | None:
    before = dims_of(flows)
    if before is None or not before:
        return None
    axis = integer(node, "axis", 0) % len(before)
    return (*before[:axis], *before[axis + 1 :])


def _collect(node: Node, flows: Flows) -> Dims | None:
    before = dims_of(flows)
    return (None, *before) if before is not None else None


def _same(node: Node, flows: Flows) -> Dims | None:
    return dims_of(flows)


def _broadcast(node: Node, flows: Flows) -> Dims | None:
    return broadcast(flows)


def _split(node: Node, flows: Flows) -> Dims | None:
    before = dims_of(flows)
    if before is None or not before:
        return None
    axis = integer(node, "axis", 0) % len(before)
    if node.given == "unbind":
        return (*before[:axis], *before[axis + 1 :])
    sizes = int_list(node, flows, "split", 1)
    size = before[axis]
    each = sizes[0] if sizes else size // max(1, len(node.outs)) if size is not None else None
    return (*before[:axis], each, *before[axis + 1 :])


def _pad(node: Node, flows: Flows) -> Dims | None:
    before = dims_of(flows)
    pads = int_list(node, flows, "pads", 1)
    if before is None or pads is None or len(pads) != 2 * len(before):
        return (None,) * len(before) if before is not None else None
    rank = len(before)
    return tuple(
        None if size is None or pads[at] is None or pads[rank + at] is None else size + pads[at] + pads[rank + at]  # type: ignore[operator]
        for at, size in enumerate(before)
    )


_BY_OPERATOR: dict[str, Infer] = {
    "reshape": _reshape,
    "flatten": _flatten,
    "squeeze": _squeeze,
    "unsqueeze": _unsqueeze,
    "transpose": _transpose,
    "swap": _swap,
    "gather": _gather,
    "embedding": _gather,
    "slice": _slice,
    "concat": _concat,
    "matmul": _matmul,
    "quantised_matmul": _matmul,
    "gemm": _gemm,
    "linear": _linear,
    "conv": _conv,
    "pool": _pool,
    "global_pool": _global_pool,
    "adaptive_pool": _adaptive,
    "spread": _spread,
    "shape": _shape,
    "size": lambda node, flows: (),
    "constant_of_shape": _of_shape,
    "random": lambda node, flows: _attr_dims(node) or _of_shape(node, flows),
    "topk": _topk,
    "one_hot": _one_hot,
    "argmax": _argument,
    "argmin": _argument,
    "iterate": _iterate,
    "collect": _collect,
    "split": _split,
    "pad": _pad,
    "range": lambda node, flows: () if "turn" in node.attrs else (None,),
    "nonzero": lambda node, flows: (None, None),
    "any": reduced,
    "all": reduced,
    "variance": reduced,
    "median": reduced,
    "count_nonzero": reduced,
    "cumsum": _same,
    "same": lambda node, flows: (),
    "has_element": lambda node, flows: (),
    "phi": lambda node, flows: _phi(node, flows),
    "scatter": _same,
    "trilu": _same,
    "masked_fill": _same,
}
_SAME = frozenset({"copy", "smooth", "saturate", "activation", "peaky", "round", "cast", "norm", "attention"})
_BROADCAST = frozenset({"compare", "logic", "arith", "select", "bits"})


def _attr_dims(node: Node) -> Dims | None:
    shape = node.attrs.get("shape")
    return tuple(int(size) for size in shape) if isinstance(shape, tuple) else None


def _phi(node: Node, flows: Flows) -> Dims | None:
    sides = [flow.dims for flow in flows[integer(node, "controls", 1) :] if flow is not None]
    if not sides or any(dims is None for dims in sides):
        return None
    first = sides[0]
    return first if all(dims == first for dims in sides) else None


def infer(node: Node, group: str, flows: Flows) -> Dims | None:
    """Dimensions of the first output (of all outputs but those of TopK and Split, which are alike)."""
    if node.given == "unfold":  # windows along one axis, in a new last one
        before = dims_of(flows)
        return (*before[:1], *(None,) * len(before)) if before is not None else None
    found = _BY_OPERATOR.get(node.op)
    if found is not None:
        return found(node, flows)
    if node.op == "pow" or group in _BROADCAST:
        return broadcast(flows)
    if group in _SAME:
        return dims_of(flows)
    if group == "reduce":
        return reduced(node, flows)
    return None
