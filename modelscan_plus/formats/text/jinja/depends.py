"""Which expressions come to another value when something else was said, by whatever way: the words themselves, how long
or how many they are, sums over their letters, a variable that was set where such an expression decided.

Whether there is something said at all, and whether it is a text or a list of parts, does not count: that is how
templates work. Neither does the number of messages, which is a matter of its own.
"""

from collections.abc import Collection

from jinja2 import nodes

from modelscan_plus.formats.text.jinja.names import answers, is_content
from modelscan_plus.formats.text.jinja.scope import Scope, key_of

_FORM = frozenset(
    """string mapping none defined undefined iterable sequence number boolean integer float callable true
    false""".split()
)
"""Tests that ask what something is, not what it says."""
_SAME = frozenset("trim string length count list strip safe first last default d".split())
"""Filters and methods behind which nothing is still nothing."""
_DEPTH = 60


def depends(node: nodes.Node | None, scope: Scope, decided: Collection[str], depth: int = 0) -> bool:
    """True for an expression whose value depends on the words; `decided` holds the variables that do."""
    if node is None or depth > _DEPTH or _is_form(node):
        return False
    if key_of(node) in decided:
        return True
    if is_content(node, scope.derived):
        return True
    if isinstance(node, (nodes.Name, nodes.Getattr)):
        return False
    if isinstance(node, nodes.Getitem):  # of `content["type"]` only the key can depend
        return depends(node.arg, scope, decided, depth + 1)
    named = node.node if isinstance(node, nodes.Call) else None
    if isinstance(named, nodes.Getattr) and answers(node) and depends(named.node, scope, decided, depth + 1):
        return True
    macro = scope.macros.get(named.name) if isinstance(named, nodes.Name) else None
    if macro is not None and _mentions(macro, scope):
        return True
    if isinstance(node, nodes.Compare) and _asks_whether(node, scope):
        return False
    return any(depends(child, scope, decided, depth + 1) for child in node.iter_child_nodes())


def bare(node: nodes.Node, scope: Scope) -> bool:
    """True for what was said itself, taken as yes or no: is there anything?"""
    inner: nodes.Node | None = node
    while inner is not None:
        if isinstance(inner, nodes.Not) or (isinstance(inner, nodes.Filter) and inner.name in _SAME):
            inner = inner.node
        elif isinstance(inner, nodes.Call) and isinstance(inner.node, nodes.Getattr) and inner.node.attr in _SAME:
            inner = inner.node.node
        elif isinstance(inner, nodes.Filter) and inner.name in ("map", "selectattr", "rejectattr"):
            return True  # the texts of the messages of somebody
        else:
            return isinstance(inner, (nodes.Name, nodes.Getattr, nodes.Getitem)) and is_content(inner, scope.derived)
    return False


def decides(test: nodes.Node, scope: Scope, decided: Collection[str]) -> bool:
    """True for a test that comes out by what was said, and not only by whether something was."""
    if isinstance(test, (nodes.And, nodes.Or)):
        return decides(test.left, scope, decided) or decides(test.right, scope, decided)
    if isinstance(test, nodes.Not):
        return decides(test.node, scope, decided)
    return not bare(test, scope) and depends(test, scope, decided)


def _is_form(node: nodes.Node) -> bool:
    return isinstance(node, nodes.Test) and node.name in _FORM


def _asks_whether(node: nodes.Compare, scope: Scope) -> bool:
    """`content == ''`, `content|length > 0`: a comparison with nothing."""
    sides = [node.expr, *(operand.expr for operand in node.ops)]
    nothing: list[nodes.Node] = []
    for side in sides:
        value = scope.folder.fold(side)
        if value in ("", None, [], {}, 0, 1, False, True):
            nothing.append(side)
    return bool(nothing) and all(side in nothing or bare(side, scope) for side in sides)


def _mentions(macro: nodes.Macro, scope: Scope) -> bool:
    """True for a macro that looks at what was said."""
    tests = [branch.test for branch in macro.find_all(nodes.If)] + [
        each.test for each in macro.find_all(nodes.CondExpr)
    ]
    return any(
        is_content(part, scope.derived)
        for test in tests for part in [test, *test.find_all((nodes.Name, nodes.Getattr, nodes.Getitem))]
    )  # fmt: skip
