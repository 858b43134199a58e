"""Which functions of a model call which, and how many nodes there are once they stand in place of their calls."""

from collections.abc import Mapping, Sequence

import msgspec

from modelscan_plus.formats.graphs.onnx.model import Function, Node
from modelscan_plus.formats.graphs.onnx.walk import Scope

Key = tuple[str, str, str]
"""Domain, name and overload."""
_CAP = 1 << 256


class Expansion(msgspec.Struct, frozen=True):
    """What inlining makes of a model."""

    sizes: Mapping[Key, int]
    """Nodes of each function after inlining, at most 2^256; of those that call themselves only what they hold."""
    circular: tuple[Key, ...]
    """Functions that call themselves, directly or by way of others."""
    total: int
    """Nodes of all graphs after inlining."""
    written: int
    """Nodes that stand in the file."""


def expansion(functions: Sequence[Function], scopes: Sequence[Scope]) -> Expansion:
    """Follow all calls, without recursion; of functions of one key the first counts."""
    known: dict[Key, Function] = {}
    for function in functions:
        known.setdefault(function.key, function)
    inside: dict[Key, list[Node]] = {key: [] for key in known}
    outside: list[Node] = []
    written = 0
    for scope in scopes:
        written += len(scope.body.node)
        owner = _owner(scope)
        if owner is None:
            outside += scope.body.node
        elif known.get(owner.key) is owner:
            inside[owner.key] += scope.body.node
    called = {key: [call for node in nodes if (call := _key(node)) in known] for key, nodes in inside.items()}
    sizes, circular = _sizes({key: len(nodes) for key, nodes in inside.items()}, called)
    total = sum(sizes.get(_key(node), 1) for node in outside)
    return Expansion(sizes, tuple(circular), total, written)


def _key(node: Node) -> Key:
    return node.domain, node.op_type, node.overload


def _owner(scope: Scope) -> Function | None:
    outer = scope
    while outer.parent is not None:
        outer = outer.parent
    return outer.body if isinstance(outer.body, Function) else None


def _sizes(own: Mapping[Key, int], called: Mapping[Key, Sequence[Key]]) -> tuple[dict[Key, int], list[Key]]:
    sizes: dict[Key, int] = {}
    circular: dict[Key, None] = {}
    for first in own:
        if first in sizes:
            continue
        stack = [(first, iter(called[first]))]
        open_keys = {first: None}
        while stack:
            key, rest = stack[-1]
            following = next((callee for callee in rest if callee not in sizes), None)
            if following is None:
                stack.pop()
                del open_keys[key]
                inner = sum(sizes.get(callee, 1) - 1 for callee in called[key])
                sizes[key] = min(own[key] + inner, _CAP)
            elif following in open_keys:
                circular[following] = None
            else:
                open_keys[following] = None
                stack.append((following, iter(called[following])))
    return sizes, list(circular)
