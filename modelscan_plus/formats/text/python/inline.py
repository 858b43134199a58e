"""Calls of small functions replaced by what they return, so that a name or text made by a helper is seen through.

`def pick(a, b): return getattr(__import__(TABLE[a]), TABLE[b])` hides as little as the expression itself once the
arguments stand in it. Followed are lambdas and functions that consist of assignments and one `return`; nothing is run.
"""

import ast
import copy
import itertools
from collections.abc import Iterable

from modelscan_plus.formats.text.python.walk import walk

_LARGEST = 60
"""Nodes of a body that is put in place of a call."""
_MOST = 2000
"""Calls of one file that are replaced."""


class Inliner:
    """The functions of one file that can be seen through."""

    def __init__(self, nodes: Iterable[ast.AST]) -> None:
        """`nodes`: of the whole source."""
        self._bodies: dict[str, ast.FunctionDef | ast.Lambda | None] = {}
        self._done: dict[int, tuple[ast.Call, ast.expr | None]] = {}
        for node in nodes:
            if isinstance(node, ast.FunctionDef):
                self._bodies[node.name] = None if node.name in self._bodies else node
            elif (
                isinstance(node, ast.Assign)
                and isinstance(node.value, ast.Lambda)
                and len(node.targets) == 1
                and isinstance(node.targets[0], ast.Name)
            ):
                name = node.targets[0].id
                self._bodies[name] = None if name in self._bodies else node.value

    def returned(self, call: ast.Call) -> ast.expr | None:
        """What the call returns, as an expression of its arguments; None where that is not to be seen."""
        known = self._done.get(id(call))
        if known is None:
            if len(self._done) >= _MOST:
                return None
            known = self._done[id(call)] = (call, self._returned(call))  # the call is kept so that its id stays its own
        return known[1]

    def body(self, call: ast.Call) -> tuple[list[ast.stmt], dict[str, ast.expr]] | None:
        """The statements of the function that is called, and its parameters with what the call gives them."""
        function = self._bodies.get(call.func.id) if isinstance(call.func, ast.Name) else None
        if not isinstance(function, ast.FunctionDef) or _is_larger(function, 3 * _LARGEST):
            return None
        bound = _bound(function.args, call)
        return None if bound is None else (function.body, bound)

    def _returned(self, call: ast.Call) -> ast.expr | None:
        function: ast.FunctionDef | ast.Lambda | None = None
        if isinstance(call.func, ast.Lambda):
            function = call.func
        elif isinstance(call.func, ast.Name):
            function = self._bodies.get(call.func.id)
        if function is None or _is_larger(function, _LARGEST + 20):
            return None
        bound = _bound(function.args, call)
        if bound is None:
            return None
        if isinstance(function, ast.Lambda):
            return _with(function.body, bound)
        for statement in function.body:
            match statement:
                case ast.Assign(targets=[ast.Name(id=name)], value=value):
                    bound[name] = _with(value, bound)
                case ast.Return(value=value) if value is not None:
                    return _with(value, bound)
                case ast.Expr(value=ast.Constant()) | ast.Import() | ast.ImportFrom():
                    continue
                case _:
                    return None
        return None


def _is_larger(function: ast.FunctionDef | ast.Lambda, most: int) -> bool:
    return next(itertools.islice(walk(function), most, None), None) is not None


def _bound(arguments: ast.arguments, call: ast.Call) -> dict[str, ast.expr] | None:
    """Parameters with what the call gives them."""
    if arguments.vararg or arguments.kwarg or any(isinstance(item, ast.Starred) for item in call.args):
        return None
    names = [item.arg for item in [*arguments.posonlyargs, *arguments.args]]
    bound = dict(zip(names[len(names) - len(arguments.defaults) :], arguments.defaults, strict=False))
    bound |= {item.arg: value for item, value in zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True) if value}
    bound |= dict(zip(names, call.args, strict=False))
    bound |= {item.arg: item.value for item in call.keywords if item.arg}
    return bound if len(call.args) <= len(names) else None


class _Substitute(ast.NodeTransformer):
    def __init__(self, bound: dict[str, ast.expr]) -> None:
        self._bound = bound

    def visit_Name(self, node: ast.Name) -> ast.expr:
        return self._bound.get(node.id, node) if isinstance(node.ctx, ast.Load) else node


def _with(body: ast.expr, bound: dict[str, ast.expr]) -> ast.expr:
    made: ast.expr = _Substitute(bound).visit(copy.deepcopy(body))
    return made
