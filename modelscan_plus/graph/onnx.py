"""The first front end: an ONNX model as read by formats/graphs/onnx becomes a `Graph`.

Model-local functions are inlined where they are called, attributes bound; the branches of If are joined by a `phi`,
the body of Loop and Scan stands twice, joined with the values before it. All of it draws on one budget of nodes, so
a function that calls itself, or calls others exponentially often, ends the lowering and not the scan.
"""

import re
import struct
from collections.abc import Callable, Iterable, Mapping, Sequence

from modelscan_plus.core.patterns import lazy
from modelscan_plus.formats.graphs.onnx import model as onnx
from modelscan_plus.formats.graphs.onnx.calls import expansion
from modelscan_plus.formats.graphs.onnx.model import AttributeType, DataType
from modelscan_plus.formats.graphs.onnx.values import first_values
from modelscan_plus.formats.graphs.onnx.walk import scopes
from modelscan_plus.graph.ir import Attribute, Const, Dims, Graph, Node, Number, literal
from modelscan_plus.graph.operators import UNKNOWN, operators

NODES = 300_000
"""Nodes of the lowered graph."""
_DEPTH = 60
"""Functions and subgraphs inside each other."""
_STANDARD = ("", "ai.onnx", "ai.onnx.ml", "com.microsoft", "com.microsoft.nchwc")
_KINDS = {
    DataType.STRING: "string",
    DataType.BOOL: "bool",
} | dict.fromkeys(
    (
        DataType.FLOAT,
        DataType.DOUBLE,
        DataType.FLOAT16,
        DataType.BFLOAT16,
        DataType.FLOAT8E4M3FN,
        DataType.FLOAT8E4M3FNUZ,
        DataType.FLOAT8E5M2,
        DataType.FLOAT8E5M2FNUZ,
        DataType.FLOAT4E2M1,
    ),
    "float",
)
_EXACT: dict[int, str] = {
    DataType.FLOAT: "float32",
    DataType.DOUBLE: "float64",
    DataType.FLOAT16: "float16",
    DataType.INT64: "int64",
    DataType.INT32: "int32",
    DataType.INT16: "int16",
    DataType.INT8: "int8",
    DataType.UINT8: "uint8",
    DataType.UINT16: "uint16",
    DataType.BOOL: "bool",
}
_INTEGERS = range(DataType.UINT8, DataType.INT64 + 1)
_CODES = {DataType.FLOAT: "f", DataType.DOUBLE: "d", DataType.FLOAT16: "e", DataType.INT8: "b", DataType.UINT8: "B"} | {
    DataType.INT64: "q",
    DataType.INT32: "i",
}
_LISTED = 4096
"""Numbers of one attribute that are kept."""

Scope = list[dict[str, int]]


class _Full(Exception):
    """The budget of nodes is used up."""


def lower(model: onnx.Model) -> Graph:
    """The graph of the model; `truncated` says what could not be lowered."""
    return _Lowering(model).run()


def kind_of(data_type: int) -> str:
    """The kind of elements, as `Const` names them."""
    if data_type in _KINDS:
        return _KINDS[DataType(data_type)]
    if data_type in _INTEGERS or data_type in (DataType.UINT32, DataType.UINT64, DataType.INT4, DataType.UINT4):
        return "int"
    return "other" if data_type else ""


def constant(tensor: onnx.Tensor) -> Const:
    """A tensor of the file as a constant, its data still there."""
    dims = tuple(max(int(size), 0) for size in tensor.dims)
    return Const(dims, kind_of(tensor.data_type), lambda start, count: _elements(tensor, start, count))


def _elements(tensor: onnx.Tensor, start: int, count: int) -> Sequence[Number] | None:
    count = min(count, tensor.count - start)
    raw = tensor.raw_data
    code = _CODES.get(DataType(tensor.data_type)) if tensor.data_type in DataType._value2member_map_ else None
    if start and raw is not None and code is not None and not tensor.external:
        width = struct.calcsize("<" + code)
        data = raw.read(count * width, start * width)
        return struct.unpack(f"<{len(data) // width}{code}", data[: len(data) // width * width])
    found = first_values(tensor, start + count)
    if found is None or code is not None:
        return found if found is None or not start else found[start:]  # type: ignore[return-value]
    return [_plain(value) for value in found[start:]]


def _plain(value: object) -> Number:
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    return value if isinstance(value, int | float | str) else 0.0


class _Lowering:
    def __init__(self, model: onnx.Model) -> None:
        self._model = model
        self._graph = Graph()
        self._functions = {function.key: function for function in model.functions}
        self._names = operators().onnx
        self._stack: list[tuple[str, str, str]] = []
        if self._functions and expansion(model.functions, scopes(model)).total > NODES:
            self._functions = {}  # as well now as after a second and a hundred megabytes
            self._graph.truncated = f"more than {NODES:,} nodes once functions stand in their places"

    def run(self) -> Graph:
        main = self._model.graph
        graph = self._graph
        if main is None:
            return graph
        scope: Scope = [{}]
        try:
            self._constants(main, scope)
            for info in main.input:
                if info.name not in scope[-1]:  # an initialiser of the same name is its default, not an input
                    number = graph.value(info.name, kind_of(info.elem_type), _dims(info))
                    scope[-1][info.name] = number
                    graph.inputs.append(number)
                    graph.values[number].exact = _EXACT.get(info.elem_type, "")
                    if _batched(info):
                        graph.batched.add(number)
            self._declared = {info.name: info for info in (*main.value_info, *main.output)}
            self._nodes(main.node, scope, (), {})
        except _Full:
            graph.truncated = f"more than {NODES:,} nodes once functions, branches and loops stand in their places"
        except RecursionError:
            graph.truncated = "functions and subgraphs stand in each other too deeply"
        graph.outputs = [scope[-1][info.name] for info in main.output if info.name in scope[-1]]
        return graph

    def _constants(self, graph: onnx.Graph, scope: Scope) -> None:
        for tensor in graph.initializer:
            const = constant(tensor)
            scope[-1][tensor.name] = self._graph.value(tensor.name, const.kind, const.dims, const)
        for sparse in graph.sparse_initializer:
            if sparse.values is not None:
                dims = tuple(int(size) for size in sparse.dims)
                const = Const(dims, kind_of(sparse.values.data_type), lambda start, count: None)
                scope[-1][sparse.values.name] = self._graph.value(sparse.values.name, const.kind, dims, const)

    def _nodes(
        self, nodes: Iterable[onnx.Node], scope: Scope, path: tuple[str, ...], bound: Mapping[str, onnx.Attribute]
    ) -> None:
        for node in nodes:
            if len(self._graph.nodes) >= NODES:
                raise _Full
            if not node.output:
                continue  # it gives nothing on
            key = (node.domain, node.op_type, node.overload)
            function = self._functions.get(key) if self._functions else None
            if function is not None:
                self._call(function, node, scope, path, bound)
            elif node.op_type == "Constant" and node.domain in _STANDARD:
                self._constant(node, scope, bound)
            elif (special := _SPECIAL.get(node.op_type)) is not None and node.domain in _STANDARD:
                special(self, node, scope, path, bound)
            else:
                self._operator(node, scope, path, bound)

    def _operator(
        self, node: onnx.Node, scope: Scope, path: tuple[str, ...], bound: Mapping[str, onnx.Attribute]
    ) -> None:
        standard = node.domain in _STANDARD
        op = self._names.get(node.op_type, UNKNOWN) if standard else UNKNOWN
        given = node.op_type if standard else f"{node.domain}:{node.op_type}"
        attrs = {attribute.name: value for attribute, value in _attributes(node, bound)} if node.attribute else {}
        if node.op_type == "BitShift" and attrs.get("direction") == "RIGHT":
            op = "shift_right"
        ins = tuple(self._find(name, scope) if name else -1 for name in node.input)
        if op == UNKNOWN or any(True for _ in node.subgraphs()):
            # What its subgraphs read is read by the node, whatever it makes of it.
            ins += tuple(self._captured(node, scope))
        self._emit(op, ins, node.output, attrs, node.name, given, path, scope)

    def _emit(
        self,
        op: str,
        ins: tuple[int, ...],
        outputs: Sequence[str],
        attrs: dict[str, Attribute],
        name: str,
        given: str,
        path: tuple[str, ...],
        scope: Scope,
    ) -> tuple[int, ...]:
        graph = self._graph
        outs: list[int] = []
        for output in outputs:
            if not output:
                outs.append(-1)
                continue
            info = self._declared.get(output) if len(scope) == 1 else None
            number = graph.value(output, kind_of(info.elem_type), _dims(info)) if info else graph.value(output)
            scope[-1][output] = number
            outs.append(number)
        graph.add(Node(op, ins, tuple(outs), attrs, name, given, path))
        return tuple(outs)

    def _find(self, name: str, scope: Scope) -> int:
        for level in reversed(scope):
            number = level.get(name)
            if number is not None:
                return number
        return -1

    def _captured(self, node: onnx.Node, scope: Scope) -> Iterable[int]:
        for graph in node.subgraphs():
            for inner in graph.node:
                for name in inner.input:
                    if name and (number := self._find(name, scope)) >= 0:
                        yield number

    def _constant(self, node: onnx.Node, scope: Scope, bound: Mapping[str, onnx.Attribute]) -> None:
        name = node.output[0] if node.output else ""
        const: Const | None = None
        for attribute in node.attribute:
            attribute = bound.get(attribute.ref_attr_name, attribute) if attribute.ref_attr_name else attribute
            if attribute.t is not None:
                const = constant(attribute.t)
            elif attribute.type in (AttributeType.FLOAT, AttributeType.INT, AttributeType.STRING):
                found = attribute.text if attribute.type == AttributeType.STRING else attribute.value
                const = literal([_plain(found)], (), _LITERALS[AttributeType(attribute.type)])
            elif attribute.type in _LITERALS:
                many = attribute.value
                values = [_plain(value) for value in many] if isinstance(many, Sequence) else []
                const = literal(values, (len(values),), _LITERALS[AttributeType(attribute.type)])
            elif attribute.sparse_tensor is not None:
                const = Const(tuple(map(int, attribute.sparse_tensor.dims)), "other", lambda start, count: None)
        if const is None:
            const = Const((), "other", lambda start, count: None)
        scope[-1][name] = self._graph.value(name, const.kind, const.dims, const)

    def _call(
        self,
        function: onnx.Function,
        node: onnx.Node,
        scope: Scope,
        path: tuple[str, ...],
        bound: Mapping[str, onnx.Attribute],
    ) -> None:
        if function.key in self._stack or len(self._stack) + len(path) > _DEPTH:
            self._graph.truncated = f"the function {function.name} calls itself"
            self._emit(
                UNKNOWN,
                tuple(self._find(name, scope) if name else -1 for name in node.input),
                node.output,
                {},
                node.name,
                function.name,
                path,
                scope,
            )
            return
        inner = {
            name: self._find(given, scope) for name, given in zip(function.input, node.input, strict=False) if given
        }
        here = {attribute.name: attribute for attribute in function.attribute_proto}
        for attribute in node.attribute:
            here[attribute.name] = (
                bound.get(attribute.ref_attr_name, attribute) if attribute.ref_attr_name else attribute
            )
        self._stack.append(function.key)
        frame: Scope = [inner, {}]
        self._nodes(function.node, frame, (*path, node.name or function.name), here)
        self._stack.pop()
        for name, given in zip(function.output, node.output, strict=False):
            if given:
                scope[-1][given] = self._find(name, frame)

    def _body(
        self,
        graph: onnx.Graph,
        arguments: Sequence[int],
        scope: Scope,
        path: tuple[str, ...],
        bound: Mapping[str, onnx.Attribute],
    ) -> list[int]:
        """Lower a subgraph in place; gives the values of its outputs."""
        if len(path) > _DEPTH:
            raise _Full
        inner: Scope = [*scope, {}]
        self._constants(graph, inner)
        for info, value in zip(graph.input, arguments, strict=False):
            inner[-1][info.name] = value
        self._nodes(graph.node, inner, path, bound)
        return [self._find(info.name, inner) for info in graph.output]

    def _if(self, node: onnx.Node, scope: Scope, path: tuple[str, ...], bound: Mapping[str, onnx.Attribute]) -> None:
        condition = self._find(node.input[0], scope) if node.input else -1
        sides: list[list[int]] = []
        for branch in ("then_branch", "else_branch"):
            attribute = node.get(branch)
            graph = attribute.g if attribute is not None else None
            here = (*path, f"{node.name or 'If'}.{branch[:4]}")
            sides.append(self._body(graph, (), scope, here, bound) if graph is not None else [])
        for place, output in enumerate(node.output):
            ins = (condition, *(side[place] if place < len(side) else -1 for side in sides))
            self._emit("phi", ins, (output,), {"controls": 1}, node.name, "If", path, scope)

    def _loop(self, node: onnx.Node, scope: Scope, path: tuple[str, ...], bound: Mapping[str, onnx.Attribute]) -> None:
        attribute = node.get("body")
        if attribute is None or attribute.g is None:
            return self._operator(node, scope, path, bound)
        values = [self._find(name, scope) if name else -1 for name in node.input]
        trips, condition = [*values, -1, -1][:2]
        before = values[2:]
        here = (*path, node.name or "Loop")
        turn = self._graph.value(f"{node.name}.turn", "int", ())
        # The number of the turn is a position: as a range, not as data.
        self._graph.add(Node("range", (trips,), (turn,), {"turn": 1}, "", "Loop", here))
        states, after = list(before), []
        conditions = [condition]
        for _ in range(2):
            after = self._body(attribute.g, [turn, conditions[-1], *states], scope, here, bound)
            conditions.append(after[0] if after else -1)
            states = [
                self._join([trips, *conditions], [old, new], here, node.name)
                for old, new in zip(before, after[1:], strict=False)
            ]
        for place, output in enumerate(node.output):
            if not output:
                continue
            if place < len(before):
                self._emit(
                    "identity", (states[place] if place < len(states) else -1,), (output,), {}, "", "Loop", path, scope
                )
            else:
                last = after[place + 1] if place + 1 < len(after) else -1
                self._emit("collect", (last, trips, conditions[-1]), (output,), {}, node.name, "Loop", path, scope)
        return None

    def _scan(self, node: onnx.Node, scope: Scope, path: tuple[str, ...], bound: Mapping[str, onnx.Attribute]) -> None:
        attribute, count = node.get("body"), node.get("num_scan_inputs")
        if attribute is None or attribute.g is None:
            return self._operator(node, scope, path, bound)
        values = [self._find(name, scope) if name else -1 for name in node.input]
        scanned = count.i if count is not None else 1
        split = max(0, len(values) - scanned)
        before, sequences = values[:split], values[split:]
        axes = node.get("scan_input_axes")
        here = (*path, node.name or "Scan")
        items: list[int] = []
        for place, sequence in enumerate(sequences):
            item = self._graph.value(f"{self._graph.values[sequence].name}[…]" if sequence >= 0 else "item")
            axis = int(axes.ints[place]) if axes is not None and place < len(axes.ints) else 0
            self._graph.add(Node("iterate", (sequence,), (item,), {"axis": axis}, node.name, "Scan", here))
            items.append(item)
        states, after = list(before), []
        for _ in range(2):
            after = self._body(attribute.g, [*states, *items], scope, here, bound)
            states = [self._join([], [old, new], here, node.name) for old, new in zip(before, after, strict=False)]
        for place, output in enumerate(node.output):
            if not output:
                continue
            if place < len(before):
                self._emit(
                    "identity", (states[place] if place < len(states) else -1,), (output,), {}, "", "Scan", path, scope
                )
            else:
                last = after[place] if place < len(after) else -1
                self._emit("collect", (last,), (output,), {}, node.name, "Scan", path, scope)
        return None

    def _join(self, controls: list[int], values: list[int], path: tuple[str, ...], name: str) -> int:
        first = next((value for value in values if value >= 0), -1)
        joined = self._graph.value(self._graph.values[first].name if first >= 0 else name)
        attrs: dict[str, Attribute] = {"controls": len(controls), "loop": 1}
        self._graph.add(Node("phi", (*controls, *values), (joined,), attrs, name, "Loop", path))
        return joined


_LITERALS = {
    AttributeType.FLOAT: "float",
    AttributeType.FLOATS: "float",
    AttributeType.INT: "int",
    AttributeType.INTS: "int",
    AttributeType.STRING: "string",
    AttributeType.STRINGS: "string",
}
_Special = Callable[["_Lowering", onnx.Node, Scope, tuple[str, ...], Mapping[str, onnx.Attribute]], None]
_SPECIAL: dict[str, _Special] = {"If": _Lowering._if, "Loop": _Lowering._loop, "Scan": _Lowering._scan}


def _attributes(node: onnx.Node, bound: Mapping[str, onnx.Attribute]) -> Iterable[tuple[onnx.Attribute, Attribute]]:
    for attribute in node.attribute:
        given = bound.get(attribute.ref_attr_name) if attribute.ref_attr_name else attribute
        if given is None:
            continue
        match given.type:
            case AttributeType.INT:
                yield attribute, given.i
            case AttributeType.FLOAT:
                yield attribute, given.f
            case AttributeType.STRING:
                yield attribute, given.text
            case AttributeType.INTS:
                yield attribute, tuple(int(number) for number in given.ints[:_LISTED])
            case AttributeType.FLOATS:
                yield attribute, tuple(float(number) for number in given.floats[:_LISTED])
            case AttributeType.STRINGS:
                yield attribute, tuple(span.text(256) for span in given.strings[:_LISTED])
            case AttributeType.TENSOR if given.t is not None:
                found = first_values(given.t, 64)
                yield attribute, tuple(float(value) if isinstance(value, int | float) else 0.0 for value in found or ())


_OTHER_AXIS = lazy(r"seq|len|time|frame|token|past|height|width|channel|^[tlhwc]$", re.IGNORECASE)
"""Names of dimensions that are no batch."""


def _batched(info: onnx.ValueInfo) -> bool:
    shape = info.shape
    if not shape:
        return False
    return shape[0] is None or (isinstance(shape[0], str) and _OTHER_AXIS.search(shape[0]) is None)


def _dims(info: onnx.ValueInfo) -> Dims | None:
    shape = info.shape
    if shape is None:
        return None
    return tuple(size if isinstance(size, int) and size >= 0 else None for size in shape)
