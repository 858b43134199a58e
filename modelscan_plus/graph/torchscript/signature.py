"""What the code of a module says about its inputs and results: methods, named fields, dictionaries, ranks."""

import ast
from collections.abc import Callable, Mapping

from modelscan_plus.graph.ir import Dims, Graph, Node
from modelscan_plus.graph.operators import operators

_HOPS = 12
"""Operators between an input and the layer that says how many dimensions it has."""
_KEEP = frozenset({"copy", "smooth", "saturate", "activation", "arith", "cast", "norm", "join"})
_MOVES = frozenset({"spread", "reorder", "pad"})


class Given(dict[str, object]):
    """A dictionary that the caller gives: what is asked for becomes an input."""

    def __init__(self, make: Callable[[str], object]) -> None:
        super().__init__()
        self._make = make

    def __missing__(self, key: str) -> object:
        self[key] = self._make(key)
        return self[key]


def called(methods: Mapping[str, ast.FunctionDef], start: str) -> set[str]:
    """The methods that one of them calls, and those that these call: they are looked at where they are called."""
    found: set[str] = set()
    ahead = [start] if start in methods else []
    while ahead:
        for node in ast.walk(methods[ahead.pop()]):
            if isinstance(node, ast.Attribute) and node.attr in methods and node.attr not in found:
                found.add(node.attr)
                ahead.append(node.attr)
    return found


def named_fields(declared: ast.ClassDef) -> tuple[str, ...]:
    """The fields of a named tuple in order, none for any other class."""
    if not any(isinstance(base, ast.Name) and base.id == "NamedTuple" for base in declared.bases):
        return ()
    return tuple(
        item.target.id
        for item in declared.body
        if isinstance(item, ast.AnnAssign) and isinstance(item.target, ast.Name)
    )


def give_ranks(graph: Graph) -> None:
    """Dimensions of inputs that the code says nothing about, by the convolution that they reach: scripts have no
    example. How large the picture is stays open."""
    readers = graph.consumers()
    for value in graph.inputs:
        info = graph.values[value]
        if not info.kind and any(_looks_up(graph.nodes[number], value) for number in readers[value]):
            info.kind = "int"
        if info.dims is None and info.kind in ("", "float"):
            info.dims = _rank(graph, readers, value)
            info.kind = "float" if info.dims is not None else info.kind


def _looks_up(node: Node, value: int) -> bool:
    return node.op == "embedding" and len(node.ins) > 1 and node.ins[1] == value


def _rank(graph: Graph, readers: list[list[int]], value: int) -> Dims | None:
    classes = operators().classes
    ahead, whole, seen = [value], True, {value}
    for _ in range(_HOPS):
        if not ahead:
            return None
        current = ahead.pop(0)
        for number in readers[current]:
            node = graph.nodes[number]
            if node.op == "conv" and node.ins[0] == current:
                return _dims(graph, node, whole=whole and current == value)
            if node.op == "linear" and node.ins[0] == current and _is_table(graph, readers, value):
                return (None, _units(graph, node))
            if classes[node.op] in _KEEP and node.op not in _MOVES and _keeps_rank(graph, node, current):
                whole = whole and node.op != "concat"
                fresh = [out for out in node.outs if out >= 0 and out not in seen]
                ahead += fresh
                seen.update(fresh)
    return None


def _keeps_rank(graph: Graph, node: Node, value: int) -> bool:
    """True when the value is changed by itself, by numbers of the file, or stands beside others."""
    if node.op == "concat":
        return not node.attrs.get("new_axis")
    others = [graph.values[other] for other in node.ins if other >= 0 and other != value]
    return all(other.const is not None for other in others)


def _is_table(graph: Graph, readers: list[list[int]], value: int) -> bool:
    """True when columns of the input are picked, and nothing speaks of a third dimension."""
    picked, ahead = False, [value]
    while ahead:
        for number in readers[ahead.pop()]:
            node = graph.nodes[number]
            if node.op == "identity":
                ahead += [out for out in node.outs if out >= 0]
            elif node.op in ("gather", "slice", "split"):
                axis = node.attrs.get("axis")
                const = graph.values[node.ins[3]].const if node.op == "slice" and len(node.ins) > 3 else None
                axis = (const.read(0, 1) or (None,))[0] if const is not None else axis
                if axis not in (1, -1):
                    return False
                picked = True
            elif node.op not in ("linear", "shape") and operators().classes[node.op] not in _KEEP:
                return False
    return picked


def _units(graph: Graph, node: Node) -> int | None:
    const = graph.values[node.ins[1]].const if len(node.ins) > 1 and node.ins[1] >= 0 else None
    return const.dims[-1] if const is not None and len(const.dims) == 2 else None


def _dims(graph: Graph, node: Node, *, whole: bool) -> Dims | None:
    const = graph.values[node.ins[1]].const if len(node.ins) > 1 and node.ins[1] >= 0 else None
    if const is None or not 3 <= len(const.dims) <= 5:
        return None
    turned = node.given == "conv_transpose"
    channels = const.dims[0] if turned else const.dims[1]
    known = whole and (turned or channels > 1)  # one may be one of several groups
    return (None, channels if known else None, *(None,) * (len(const.dims) - 2))
