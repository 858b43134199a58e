"""Small questions to nodes of a template's tree: what a branch sets, what an expression chooses between and writes."""

from collections.abc import Iterator

from jinja2 import nodes

from modelscan_plus.formats.text.jinja.scope import GROWS, key_of
from modelscan_plus.formats.text.jinja.tools import last

_PUTS_IN = frozenset(("replace", "join", "default", "d"))
"""Filters and methods whose arguments end up in what they return."""
_NO_OUTPUT = frozenset(("raise_exception", "strftime_now", "range"))


def picks(node: nodes.Node | None) -> bool:
    """True for those words of a text that pass a test: whether there are any is one as well."""
    while isinstance(node, nodes.Filter):
        if node.name in ("select", "reject"):
            return True
        node = node.node
    return False


def changed(node: nodes.Node) -> str | None:
    """The variable that a statement sets, or that a method such as `append` changes."""
    if isinstance(node, nodes.Assign):
        return key_of(node.target)
    if isinstance(node, nodes.Call) and isinstance(node.node, nodes.Getattr) and node.node.attr in GROWS:
        return key_of(node.node.node)
    return None


def of_mapping(test: nodes.Node) -> bool:
    if isinstance(test, nodes.And):
        return of_mapping(test.left) or of_mapping(test.right)
    return isinstance(test, nodes.Test) and test.name == "mapping"


def of_part(test: nodes.Node) -> bool:
    """True for a test that asks of which type a part of a message is."""
    return isinstance(test, (nodes.Or, nodes.And)) and any(
        last(compare.expr) == "type" for compare in test.find_all(nodes.Compare)
    )


def stops(body: list[nodes.Node]) -> bool:
    """True for a branch that does nothing but raise an error."""
    calls = [call for statement in body for call in statement.find_all(nodes.Call)]
    return len(body) == 1 and any(
        isinstance(call.node, nodes.Name) and call.node.name == "raise_exception" for call in calls
    )


def negated(test: nodes.Node) -> bool:
    """True for a test that holds where something is not there."""
    return isinstance(test, nodes.Not) or any(
        operand.op in ("notin", "ne") for compare in [test, *test.find_all(nodes.Compare)]
        if isinstance(compare, nodes.Compare) for operand in compare.ops
    )  # fmt: skip


def choices(node: nodes.Node) -> Iterator[tuple[nodes.Node, list[nodes.Node]]]:
    """Expressions that choose a text without an `if`: what decides, and what is written then."""
    if isinstance(node, nodes.And):
        yield node.left, [node.right]
    elif isinstance(node, nodes.Mul):
        yield node.right, [node.left]
        yield node.left, [node.right]
    elif isinstance(node, nodes.Getitem):
        yield node.arg, [node.node]
    elif isinstance(node, nodes.Filter) and node.name in _PUTS_IN and node.node is not None:
        yield node.node, list(node.args)
    elif isinstance(node, nodes.Call) and isinstance(node.node, nodes.Getattr) and node.node.attr in _PUTS_IN:
        yield node.node.node, list(node.args)


def written_parts(node: nodes.Node) -> list[nodes.Node]:
    """The parts of a node whose text ends up in what it writes or keeps; tests and targets do not."""
    if isinstance(node, nodes.Call):
        name = node.node.name if isinstance(node.node, nodes.Name) else ""
        shaped = [node.node.node] if isinstance(node.node, nodes.Getattr) and node.node.attr == "format" else []
        return [] if name in _NO_OUTPUT else [*shaped, *node.args, *(item.value for item in node.kwargs)]
    if isinstance(node, nodes.Filter):
        return [part for part in (node.node, *node.args) if part is not None]
    if isinstance(node, nodes.If):
        return [*node.body, *node.elif_, *node.else_]
    if isinstance(node, nodes.CondExpr):
        return [part for part in (node.expr1, node.expr2) if part is not None]
    if isinstance(node, nodes.For):
        return [*node.body, *node.else_]
    if isinstance(node, nodes.Assign):
        return [node.node]
    if isinstance(node, (nodes.Compare, nodes.Test, nodes.Macro, nodes.Not)):
        return []
    return list(node.iter_child_nodes())
