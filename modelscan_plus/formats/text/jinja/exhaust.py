"""Work without end: loops, texts and numbers with which a template stops the machine that renders it."""

from collections.abc import Iterator

from jinja2 import nodes

from modelscan_plus.core.patterns import lazy
from modelscan_plus.core.text import shorten, visible
from modelscan_plus.formats.text.jinja.facts import Reach
from modelscan_plus.formats.text.jinja.scope import Scope, key_of

_ENDLESS = 10_000_000
"""Steps of one loop or characters of one text beyond which rendering is an attack on the machine."""
_WIDTHS = frozenset("center indent batch slice wordwrap truncate ljust rjust zfill expandtabs tojson".split())
_MOST_PARAGRAPHS = 10_000
_WIDE = lazy(r"%[-+ #0]*\d{7,}|\{[^{}]*?:[^{}]*?\d{7,}[^{}]*\}")
"""A field of a format that is millions of characters wide."""


def exhausting(tree: nodes.Template, scope: Scope) -> Iterator[Reach]:
    """Every place of the template that takes enormous time or memory, of kind "exhaust"."""
    for node in tree.find_all(nodes.Node):
        what = _endless(node, scope)
        if what:
            yield Reach("exhaust", what, node.lineno)


def _endless(node: nodes.Node, scope: Scope) -> str:
    match node:
        case nodes.Mul() | nodes.Pow() if _large(node, scope):
            return "a text or number of enormous size"
        case nodes.Const(value=str()) if found := _WIDE.search(node.value):
            return f"a field {shorten(visible(found.group()), 40)}"
        case nodes.For() if (rounds := _rounds(node, scope)) > _ENDLESS:
            return f"a loop of {rounds:,} rounds"
        case nodes.Assign() if _doubles(node):
            return "a value that doubles each time"
        case nodes.Macro() if _grows(node):
            return f"{node.name}(), which calls itself with twice as much"
        case nodes.Macro() if _branches_out(node):
            return f"{node.name}(), which calls itself twice for a smaller number"
        case nodes.Filter() if node.name in _WIDTHS:
            return _wide(node.name, [*node.args, *(item.value for item in node.kwargs)], scope)
        case nodes.Call():
            return _called(node, scope)
    return ""


def _called(node: nodes.Call, scope: Scope) -> str:
    if isinstance(node.node, nodes.Getattr) and node.node.attr in _WIDTHS:
        return _wide(node.node.attr, node.args, scope)
    if isinstance(node.node, nodes.Name) and node.node.name in ("range", "lipsum"):
        given = [*node.args, *(item.value for item in node.kwargs)]
        return _wide(node.node.name, given, scope, _ENDLESS if node.node.name == "range" else _MOST_PARAGRAPHS)
    return ""


def _wide(name: str, arguments: list[nodes.Expr], scope: Scope, most: int = _ENDLESS) -> str:
    numbers = [number for argument in arguments if isinstance(number := scope.folder.fold(argument), int)]
    return f"{name}({max(numbers):,})" if numbers and max(numbers) > most else ""


def _rounds(node: nodes.For, scope: Scope, depth: int = 0) -> int:
    """How often the innermost loop runs, as far as that is written; loops over anything else count once."""
    own = max(1, _length(node.iter, scope))
    inner = [each for each in node.find_all(nodes.For) if each is not node] if depth < 8 else []
    return own * max([1, *(_rounds(each, scope, depth + 1) for each in inner[:20])])


def _length(node: nodes.Node, scope: Scope, depth: int = 0) -> int:
    """How many characters, items or numbers an expression stands for; 0 where that is not known."""
    if depth > 30:
        return 0
    if isinstance(node, nodes.Call) and isinstance(node.node, nodes.Name) and node.node.name == "range" and node.args:
        bounds = [scope.folder.fold(argument) for argument in node.args]
        whole = [bound for bound in bounds if isinstance(bound, int)]
        return max(0, whole[1] - whole[0]) if len(whole) > 1 else sum(whole) if len(whole) == len(bounds) else 0
    if isinstance(node, nodes.Filter) and node.name in ("list", "string", "safe") and node.node is not None:
        return _length(node.node, scope, depth + 1)
    if isinstance(node, nodes.Mul):
        for side, other in ((node.left, node.right), (node.right, node.left)):
            times = scope.folder.fold(other)
            if isinstance(times, int) and (length := _length(side, scope, depth + 1)):
                return length * times
        return 0
    if isinstance(node, (nodes.Concat, nodes.Add)):
        parts = node.nodes if isinstance(node, nodes.Concat) else [node.left, node.right]
        return sum(_length(part, scope, depth + 1) for part in parts)
    value = scope.folder.fold(node)
    if isinstance(value, (str, list, dict)):
        return len(value)
    given = [each for each in scope.assigned.get(key_of(node) or "", ()) if each is not None]
    return _length(given[0], scope, depth + 1) if len(given) == 1 else 0


def _doubles(node: nodes.Assign) -> bool:
    """`text = text ~ text`, `number = number * number`."""
    key = key_of(node.target)
    return key is not None and _twice(node.node, key)


def _twice(value: nodes.Node, key: str) -> bool:
    """True for an expression in which the variable stands twice, one behind the other."""
    parts = value.nodes if isinstance(value, nodes.Concat) else []
    if isinstance(value, (nodes.Add, nodes.Mul)):
        parts = [value.left, value.right]
    elif isinstance(value, nodes.Filter) and value.name == "format":
        parts = value.args
    elif isinstance(value, nodes.Filter) and value.name == "join" and isinstance(value.node, (nodes.List, nodes.Tuple)):
        parts = value.node.items
    return sum(key_of(part) == key for part in parts) > 1


def _grows(macro: nodes.Macro) -> bool:
    """True for a macro that calls itself with a parameter doubled."""
    own = [
        call
        for call in macro.find_all(nodes.Call)
        if isinstance(call.node, nodes.Name) and call.node.name == macro.name
    ]
    names = [parameter.name for parameter in macro.args]
    return any(_twice(argument, name) for call in own for argument in call.args for name in names)


def _branches_out(macro: nodes.Macro) -> bool:
    """True for a macro that calls itself more than once with a number one smaller: 2 to the power of its depth."""
    own = [
        call for call in macro.find_all(nodes.Call)
        if isinstance(call.node, nodes.Name) and call.node.name == macro.name
        and any(isinstance(argument, nodes.Sub) and isinstance(argument.right, nodes.Const) for argument in call.args)
    ]  # fmt: skip
    return len(own) > 1


def _large(node: nodes.Mul | nodes.Pow, scope: Scope) -> bool:
    """True for a product or power beyond what a template can want."""
    left, right = scope.folder.fold(node.left), scope.folder.fold(node.right)
    if isinstance(node, nodes.Pow):
        large = (isinstance(right, int) and right > 10_000) or isinstance(node.right, nodes.Pow)
    else:
        large = _length(node, scope) > _ENDLESS or (
            isinstance(left, int) != isinstance(right, int)
            and any(isinstance(number, int) and number > _ENDLESS for number in (left, right))
            and not any(isinstance(number, float) for number in (left, right))
        )
    return large
