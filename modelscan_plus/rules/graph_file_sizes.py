"""How large the values of an ONNX graph become, as far as constants determine it.

A dimension that is not known counts as one, so that what is said here is a lower bound.
"""

import msgspec

from modelscan_plus.formats.graphs.onnx.model import Graph, Node, Tensor
from modelscan_plus.formats.graphs.onnx.values import values
from modelscan_plus.formats.graphs.onnx.walk import Scope

_CAP = 1 << 128
_ROUND = 1 << 20
"""Elements that a loop's state is taken to have, to see what one round makes of it."""
_SAME = frozenset(
    """Abs Acos Asin Atan Ceil Clip Cos Elu Erf Exp Floor HardSigmoid Identity IsInf IsNaN LeakyRelu Log LogSoftmax Neg
    Not Reciprocal Relu Round Selu Sigmoid Sign Sin Softmax Softplus Softsign Sqrt Tan Tanh Cast Dropout Gelu Mish
    HardSwish CastLike Trilu CumSum LayerNormalization BatchNormalization""".split()
)
_BROADCAST = frozenset(
    """Add Sub Mul Div Pow Mod Min Max Sum Mean And Or Xor Equal Greater Less GreaterOrEqual LessOrEqual Where
    PRelu""".split()
)
_LAYOUT = frozenset({"Reshape", "Flatten", "Squeeze", "Unsqueeze", "Transpose"})
_FILLED = frozenset({"ConstantOfShape", "RandomNormal", "RandomUniform"})

Shape = tuple[int, ...]


class Known(msgspec.Struct):
    """What constants say about the values of one scope."""

    numbers: dict[str, list[float]] = msgspec.field(default_factory=dict)
    """Values of small constants of numbers, flat."""
    shapes: dict[str, Shape] = msgspec.field(default_factory=dict)
    """A lower bound of each dimension."""
    counted: set[str] = msgspec.field(default_factory=set)
    """Values of which only the number of elements is known, whatever their dimensions: it stands as the only one."""
    parent: "Known | None" = None

    def number(self, name: str) -> list[float] | None:
        """The numbers of a small constant."""
        scope: Known | None = self
        for _ in range(16):
            if scope is None:
                return None
            if name in scope.numbers:
                return scope.numbers[name]
            scope = scope.parent
        return None

    def shape(self, name: str) -> Shape | None:
        """Lower bounds of its dimensions."""
        scope: Known | None = self
        for _ in range(16):
            if scope is None:
                return None
            if name in scope.shapes:
                return scope.shapes[name]
            scope = scope.parent
        return None

    def is_counted(self, name: str) -> bool:
        """True when only the number of its elements is known."""
        scope: Known | None = self
        for _ in range(16):
            if scope is None:
                return False
            if name in scope.shapes:
                return name in scope.counted
            scope = scope.parent
        return False


def start(scope: Scope, parent: Known | None) -> Known:
    known = Known(parent=parent)
    body = scope.body
    if isinstance(body, Graph):
        for info in body.input:
            if (shape := info.shape) is not None:
                known.shapes[info.name] = tuple(d if isinstance(d, int) and 0 < d < _CAP else 1 for d in shape)
        for tensor in body.initializer:
            _constant(tensor.name, tensor, known)
    return known


def _constant(name: str, tensor: Tensor, known: Known) -> None:
    known.shapes[name] = tuple(max(size, 0) for size in tensor.dims)
    if tensor.count <= 64 and (found := values(tensor, 64)) is not None:
        known.numbers[name] = [v for v in found if isinstance(v, (int, float))]


def apply(node: Node, known: Known) -> int:
    """Note what the node gives, as far as constants say it; returns the elements of its largest value."""
    if not node.output or node.domain not in ("", "ai.onnx"):
        return 0
    name = node.output[0]
    if node.op_type == "Constant":
        constant_node(node, name, known)
        return 0
    numbers = _fold(node, known)
    if numbers is not None and len(numbers) <= 64:
        known.numbers[name] = numbers
    shape = _grow(node, known)
    if shape is None:
        return 0
    if _loses_dimensions(node, shape, known):
        known.counted.add(name)
        shape = (_elements(shape),)
    known.shapes[name] = shape
    return _elements(shape)


def after_rounds(node: Node, known: Known, rounds: float) -> int:
    """A lower bound of the elements of what a loop carries on, after so many rounds that each make it some times as
    large; zero for a loop that does not."""
    body, largest = next(node.subgraphs(), None), 0
    if body is None or not rounds >= 1:
        return 0
    inside = Known(parent=known)
    for tensor in body.initializer:
        _constant(tensor.name, tensor, inside)
    carried = [info.name for info in body.input[2:]]
    for name in carried:
        inside.shapes[name] = (_ROUND,)
        inside.counted.add(name)
    for inner in body.node:
        apply(inner, inside)
    for place, info in enumerate(body.output[1 : 1 + len(carried)], 2):
        times = _elements(inside.shape(info.name) or ()) // _ROUND
        if times > 1 and place < len(node.input):
            begun = max(1, _elements(known.shape(node.input[place]) or ()))
            largest = max(largest, min(begun * times ** min(int(rounds), 128), _CAP))
    return largest


def _loses_dimensions(node: Node, shape: Shape, known: Known) -> bool:
    """True when of the result only the number of elements is known."""
    operator = node.op_type
    if operator in _LAYOUT or operator == "Concat":
        if len(shape) == 1 and operator != "Transpose":
            return True
        if operator == "Reshape":
            return False
    followed = operator in _SAME or operator in _BROADCAST or operator in _LAYOUT or operator in ("Expand", "Concat")
    return followed and any(known.is_counted(name) for name in node.input if name)


def _elements(shape: Shape) -> int:
    product = 1
    for size in shape:
        product = min(product * size, _CAP)
    return product


def constant_node(node: Node, name: str, known: Known) -> None:
    for attribute in node.attribute:
        if attribute.t is not None:
            _constant(name, attribute.t, known)
        elif attribute.name in ("value_int", "value_float"):
            known.numbers[name] = [attribute.i if attribute.name == "value_int" else attribute.f]
            known.shapes[name] = ()
        elif attribute.name in ("value_ints", "value_floats"):
            found = attribute.ints if attribute.name == "value_ints" else attribute.floats
            known.numbers[name] = list(found[:64])
            known.shapes[name] = (len(found),)


def _fold(node: Node, known: Known) -> list[float] | None:
    """Small numbers that follow from small constants: what shapes are put together from."""
    inputs = [known.number(name) if name else None for name in node.input]
    if not inputs or inputs[0] is None:
        return None
    first = inputs[0]
    match node.op_type:
        case "Identity" | "Cast" | "Unsqueeze" | "Squeeze" | "Reshape" | "Flatten" | "Neg":
            return [-number for number in first] if node.op_type == "Neg" else first
        case "Concat":
            return None if any(part is None for part in inputs) else [n for part in inputs if part for n in part]
        case "ReduceProd":
            product = 1.0
            for number in first:
                product *= number
            return [product]
        case "Mul" | "Add" | "Sub" | "Pow" | "Max":
            second = inputs[1] if len(inputs) == 2 else None
            if second is None or not first or not second:
                return None
            count = max(len(first), len(second))
            if len(first) not in (1, count) or len(second) not in (1, count):
                return None
            return [_combine(node.op_type, first[i % len(first)], second[i % len(second)]) for i in range(count)]
    return None


def _combine(operator: str, left: float, right: float) -> float:
    match operator:
        case "Mul":
            return left * right
        case "Add":
            return left + right
        case "Sub":
            return left - right
        case "Max":
            return max(left, right)
    return float(left) ** right if 0 <= left <= 1e6 and 0 <= right <= 20 else 0.0


def _whole(numbers: list[float] | None) -> list[int] | None:
    """Numbers as sizes; negative and unknown ones count as one."""
    if numbers is None:
        return None
    return [int(min(n, 1e36)) if n == n and n >= 0 else 1 for n in numbers]


def _grow(node: Node, known: Known) -> Shape | None:
    """A lower bound of the shape of the first output; None where nothing is known."""
    inputs = list(node.input)
    operator = node.op_type
    shape = known.shape(inputs[0]) if inputs else None
    if operator in _FILLED:
        return _filled(node, known)
    if operator in _SAME:
        return shape
    if operator in _BROADCAST or operator == "Expand":
        shapes = [known.shape(name) or () for name in inputs if name]
        if operator == "Expand":
            wanted = _whole(known.number(inputs[1])) if len(inputs) > 1 else None
            shapes = [shape or (), tuple(wanted or ())]
        if any(known.is_counted(name) for name in inputs if name):
            return (max(_elements(each) for each in shapes),)
        return _broadcast(shapes)
    if operator in _LAYOUT:
        return None if shape is None else _arranged(node, shape, known)
    return _by_operator(node, shape, known)


def _arranged(node: Node, shape: Shape, known: Known) -> Shape:
    """The same elements in other dimensions."""
    numbers = known.number(node.input[1]) if len(node.input) > 1 else None
    match node.op_type:
        case "Reshape":
            return _reshaped(shape, numbers)
        case "Transpose":
            return _transposed(node, shape)
        case "Unsqueeze":
            return _unsqueezed(node, shape, numbers)
    return (_elements(shape),)


def _by_operator(node: Node, shape: Shape | None, known: Known) -> Shape | None:
    """The operators whose output has another size than their inputs."""
    inputs, operator = list(node.input), node.op_type
    second = _whole(known.number(inputs[1])) if len(inputs) > 1 and inputs[1] else None
    match operator:
        case "Range":
            return _range([known.number(name) for name in inputs])
        case "Tile" if second is not None:
            base = shape if shape is not None and len(shape) == len(second) else (1,) * len(second)
            return tuple(size * times for size, times in zip(base, second, strict=True))
        case "Pad":
            return _padded(node, shape, second)
        case "Resize" | "Upsample":
            return _resized(node, shape, known)
        case "Concat":
            return _concatenated(node, known)
        case "OneHot" if second and shape is not None:
            return (*shape, *second[:1])
        case "HannWindow" | "HammingWindow" | "BlackmanWindow":
            return tuple((_whole(known.number(inputs[0])) or [1])[:1]) if inputs else None
        case "MatMul" if len(inputs) == 2:
            return _product(shape, known.shape(inputs[1]))
        case "Conv" | "MaxPool" | "AveragePool" | "LpPool" | "ConvTranspose" | "ConvInteger" | "QLinearConv":
            return _widened(node)
    return None


def _filled(node: Node, known: Known) -> Shape | None:
    if node.op_type != "ConstantOfShape":
        attribute = node.get("shape")
        return tuple(max(size, 0) for size in attribute.ints) if attribute is not None else None
    sizes = _whole(known.number(node.input[0])) if node.input else None
    return None if sizes is None else tuple(sizes)


def _broadcast(shapes: list[Shape]) -> Shape | None:
    if not shapes:
        return None
    rank = max(len(shape) for shape in shapes)
    padded = [(1,) * (rank - len(shape)) + tuple(shape) for shape in shapes]
    return tuple(max(sizes) for sizes in zip(*padded, strict=True))


def _range(numbers: list[list[float] | None]) -> Shape | None:
    if len(numbers) != 3 or any(not part for part in numbers):
        return None
    start, limit, delta = (part[0] for part in numbers if part)
    steps = (limit - start) / delta if delta else 0.0
    if steps != steps or steps <= 0:
        return None
    return (int(min(steps, 1e36)),)


def _padded(node: Node, shape: Shape | None, second: list[int] | None) -> Shape | None:
    attribute = node.get("pads")
    pads = second if second is not None else [max(0, n) for n in attribute.ints] if attribute is not None else None
    if not pads or len(pads) % 2:
        return None
    rank = len(pads) // 2
    base = shape if shape is not None and len(shape) == rank else (1,) * rank
    return tuple(size + pads[i] + pads[i + rank] for i, size in enumerate(base))


def _widened(node: Node) -> Shape | None:
    """What padding alone makes of a window operator's output."""
    pads, strides = node.get("pads"), node.get("strides")
    if node.op_type == "ConvTranspose" and (wanted := node.get("output_shape")) is not None:
        return tuple(max(size, 1) for size in wanted.ints)
    if pads is None or len(pads.ints) % 2 or max(pads.ints, default=0) < 1 << 16:
        return None
    rank = len(pads.ints) // 2
    steps = list(strides.ints) if strides is not None and len(strides.ints) == rank else [1] * rank
    return tuple(max(1, (pads.ints[i] + pads.ints[i + rank]) // max(steps[i], 1)) for i in range(rank))


def _resized(node: Node, shape: Shape | None, known: Known) -> Shape | None:
    for position in (3, 2, 1):
        name = node.input[position] if len(node.input) > position else ""
        numbers = known.number(name) if name else None
        if not numbers:
            continue
        if position == 3:
            return tuple(_whole(numbers) or ())
        base = shape if shape is not None and len(shape) == len(numbers) else (1,) * len(numbers)
        scaled = [size * factor for size, factor in zip(base, numbers, strict=True)]
        return tuple(_whole(scaled) or ())
    attribute = node.get("scales")
    if attribute is None or shape is None or len(attribute.floats) != len(shape):
        return None
    return tuple(_whole([size * factor for size, factor in zip(shape, attribute.floats, strict=True)]) or ())


def _concatenated(node: Node, known: Known) -> Shape | None:
    """Side by side along the axis; what nothing is known about is one element at least."""
    shapes = [known.shape(name) for name in node.input]
    if not shapes:
        return None
    attribute = node.get("axis")
    parts = [shape for shape in shapes if shape]
    ranks = {len(shape) for shape in parts}
    exact = len(parts) == len(shapes) and not any(known.is_counted(name) for name in node.input)
    if attribute is None or not exact or len(ranks) != 1:
        return (sum(1 if shape is None else _elements(shape) for shape in shapes),)
    rank = ranks.pop()
    axis = attribute.i + (rank if attribute.i < 0 else 0)
    return tuple((sum if place == axis else max)(sizes) for place, sizes in enumerate(zip(*parts, strict=True)))


def _reshaped(shape: Shape, wanted: list[float] | None) -> Shape:
    """The dimensions asked for; where one is to stay as it was, only the number of elements is known."""
    sizes = [int(number) for number in wanted or () if abs(number) < 1 << 62]
    if wanted is None or len(sizes) != len(wanted) or 0 in sizes or sizes.count(-1) > 1 or min(sizes, default=-2) < -1:
        return (_elements(shape),)
    rest = max(1, _elements(shape) // max(1, _elements(tuple(size for size in sizes if size > 0))))
    return tuple(rest if size < 0 else size for size in sizes)


def _transposed(node: Node, shape: Shape) -> Shape:
    order = node.get("perm")
    if order is None:
        return shape[::-1]
    if sorted(order.ints) != list(range(len(shape))):
        return (_elements(shape),)
    return tuple(shape[place] for place in order.ints)


def _unsqueezed(node: Node, shape: Shape, numbers: list[float] | None) -> Shape:
    attribute = node.get("axes")
    axes = list(attribute.ints) if attribute is not None else [int(each) for each in numbers or () if abs(each) < 64]
    if not axes:
        return (_elements(shape),)
    rank = len(shape) + len(axes)
    places = {axis + rank if axis < 0 else axis for axis in axes}
    sizes = iter(shape)
    return tuple(1 if place in places else next(sizes, 1) for place in range(rank))


def _product(left: Shape | None, right: Shape | None) -> Shape | None:
    if left is None or right is None or len(left) < 2 or len(right) < 2:
        return None
    batch = _broadcast([left[:-2], right[:-2]]) or ()
    return (*batch, left[-2], right[-1])
