"""What a small function of the file gives for constants: its loops and assignments worked through, within bounds.

Text is hidden with a loop as often as with one expression: `for c in text: out += chr(ord(c) - 7)`. Known are
assignments, `+=` and its relatives, `append` and `extend`, `if`, and `for` over a constant; everything else makes the
result unknown. Each expression is folded (fold.py), nothing is run.
"""

import ast
from collections.abc import Callable, Mapping

from modelscan_plus.formats.text.python.constants import Constant, NotConstant

Fold = Callable[[ast.expr, Mapping[str, Constant]], Constant]
_STEPS = 20_000


class Interpreter:
    """Works through one function body."""

    def __init__(self, fold: Fold) -> None:
        self._fold = fold
        self._steps = 0

    def result(self, body: list[ast.stmt], variables: dict[str, Constant]) -> Constant:
        """What the body returns; raises `NotConstant`."""
        for statement in body:
            found = self._statement(statement, variables)
            if found is not None:
                return found[0]
        raise NotConstant

    def _statement(self, statement: ast.stmt, variables: dict[str, Constant]) -> tuple[Constant] | None:
        """The value in a tuple where the statement returns one."""
        self._steps += 1
        if self._steps > _STEPS:
            raise NotConstant
        match statement:
            case ast.Return(value=value) if value is not None:
                return (self._fold(value, variables),)
            case ast.Assign(targets=[ast.Name(id=name)], value=value):
                variables[name] = self._fold(value, variables)
            case ast.AugAssign(target=ast.Name(id=name), op=operator, value=value):
                variables[name] = self._fold(ast.BinOp(ast.Name(name, ast.Load()), operator, value), variables)
            case ast.Expr(value=ast.Call(func=ast.Attribute(value=ast.Name(id=name), attr=method), args=[value])):
                self._grow(name, method, self._fold(value, variables), variables)
            case ast.For(target=ast.Name(id=name), iter=iterated, body=body, orelse=[]):
                return self._loop(name, self._fold(iterated, variables), body, variables)
            case ast.If(test=test, body=body, orelse=other):
                return self._block(body if self._fold(test, variables) else other, variables)
            case ast.Expr(value=ast.Constant()) | ast.Import() | ast.ImportFrom() | ast.Pass():
                return None
            case _:
                raise NotConstant
        return None

    def _block(self, body: list[ast.stmt], variables: dict[str, Constant]) -> tuple[Constant] | None:
        for statement in body:
            if (found := self._statement(statement, variables)) is not None:
                return found
        return None

    def _loop(
        self, name: str, items: Constant, body: list[ast.stmt], variables: dict[str, Constant]
    ) -> tuple[Constant] | None:
        if not isinstance(items, (str, bytes, list)):
            raise NotConstant
        for item in list[Constant](items):
            variables[name] = item
            if (found := self._block(body, variables)) is not None:
                return found
        return None

    @staticmethod
    def _grow(name: str, method: str, value: Constant, variables: dict[str, Constant]) -> None:
        held = variables.get(name)
        if method not in ("append", "extend") or not isinstance(held, list) or len(held) > _STEPS:
            raise NotConstant
        variables[name] = [*held, value] if method == "append" else [*held, *(value if isinstance(value, list) else [])]
