"""Constant folding over Python's syntax tree: text and bytes however they are put together or encoded.

`"sys" + "tem"`, `"".join(map(chr, [115, 121]))`, `bytes.fromhex(…)`, `base64.b64decode("…").decode()`, reversed,
translated and replaced texts, XOR with a number, tables, small functions of the file: all fold to what they stand for,
within bounds. Nothing is run: each operation is one of the few that are written here.
"""

import ast
import binascii
import lzma
import zlib
from collections.abc import Callable, Mapping

from modelscan_plus.core.limits import BudgetExceeded
from modelscan_plus.formats.text.python.constants import (
    DECODERS,
    FUNCTIONS,
    LONGEST,
    METHODS,
    Constant,
    NotConstant,
    arithmetic,
    codec,
    formatted,
    joined,
    key_of,
    percent,
    size,
    translated,
)
from modelscan_plus.formats.text.python.inline import Inliner
from modelscan_plus.formats.text.python.interpret import Interpreter
from modelscan_plus.formats.text.python.walk import walk

__all__ = ("Constant", "Folder", "NotConstant")
_DEPTH = 120
_ITEMS = 100_000
_MANY, _ALL = 500, 1_000_000
"""Steps of an expression whose constant is kept; steps of all such expressions of one file."""
_SHORT = 1_000
_ROOM = 64 << 20
"""Characters and items of all constants above that length that one file may have made."""


class Folder:
    """Folds expressions. `names` holds variables assigned once, `resolve` gives the dotted name of a function."""

    def __init__(
        self,
        names: Mapping[str, Constant],
        resolve: Callable[[ast.expr], str | None],
        inliner: Inliner | None = None,
    ) -> None:
        self.names = names
        self.resolve = resolve
        self.inliner = inliner
        self.decoded = False
        """Set when a fold went through a decoder."""
        self._steps = 0
        self._folding = False
        self._room = _ROOM
        self._left = _ALL
        self._long: dict[int, tuple[ast.expr | None, tuple[Constant] | None, bool]] = {}
        """By node, what it came to where that took many steps."""

    def fold(self, node: ast.expr | None) -> Constant:
        """The constant; raises `NotConstant`, and `BudgetExceeded` where the file takes too much of this."""
        if self._folding:
            return self._folded(node)
        known = self._long.get(id(node))
        if known is None:
            known = self._worked_out(node)
        self.decoded = self.decoded or known[2]
        if known[1] is None:
            raise NotConstant
        return known[1][0]

    def _worked_out(self, node: ast.expr | None) -> tuple[ast.expr | None, tuple[Constant] | None, bool]:
        """The node, its constant where it has one, and whether that went through a decoder; kept where it took long."""
        before, self.decoded = self.decoded, False
        self._steps, self._folding = 0, True
        try:
            value = (self._folded(node),)
        except NotConstant:
            value = None
        finally:
            self._folding = False
        result = node, value, self.decoded
        self.decoded = before
        if self._steps > _MANY:
            self._long[id(node)] = result
            self._left -= self._steps
            if self._left < 0:
                raise BudgetExceeded("budget-constants", "constants that take too many steps to work out")
        return result

    def forget(self) -> None:
        """Forget what took long: a name came to stand for something else."""
        self._long.clear()

    def _folded(self, node: ast.expr | None) -> Constant:
        try:
            return self._fold(node, {}, 0)
        except (
            ValueError,
            TypeError,
            OverflowError,
            LookupError,
            binascii.Error,
            zlib.error,
            lzma.LZMAError,
            OSError,
            EOFError,
            SyntaxError,
            MemoryError,
            RecursionError,
        ):
            raise NotConstant from None

    def text(self, node: ast.expr | None) -> str | None:
        """The text that the expression stands for, bytes read as Latin letters; None when it is none."""
        try:
            value = self.fold(node)
        except NotConstant:
            return None
        if isinstance(value, bytes):
            return value.decode("utf-8", "backslashreplace")
        return value if isinstance(value, str) else None

    def _fold(self, node: ast.expr | None, local: Mapping[str, Constant], depth: int) -> Constant:
        self._steps += 1
        if node is None or depth > _DEPTH or self._steps > _ITEMS:
            raise NotConstant
        handler = _HANDLERS.get(type(node))
        if handler is None:
            raise NotConstant
        value = handler(self, node, local, depth + 1)
        if isinstance(value, (str, bytes, list)) and len(value) > _SHORT and not isinstance(node, ast.Name):
            self._room -= len(value)
            if self._room < 0:
                raise BudgetExceeded("budget-constants", f"constants of more than {_ROOM:,} characters")
            if len(value) > LONGEST:
                raise NotConstant
        return value

    def _constant(self, node: ast.Constant, local: Mapping[str, Constant], depth: int) -> Constant:
        if isinstance(node.value, (str, bytes, int, float, type(None))):
            return node.value
        raise NotConstant

    def _name(self, node: ast.Name, local: Mapping[str, Constant], depth: int) -> Constant:
        if node.id in local:
            return local[node.id]
        if node.id in self.names:
            return self.names[node.id]
        raise NotConstant

    def _binary(self, node: ast.BinOp, local: Mapping[str, Constant], depth: int) -> Constant:
        left, right = self._fold(node.left, local, depth), self._fold(node.right, local, depth)
        if isinstance(left, (int, float)) and isinstance(right, (int, float)):
            return arithmetic(node.op, left, right)
        match node.op, left, right:
            case ast.Add(), str(), str():
                return left + right
            case ast.Add(), bytes(), bytes():
                return left + right
            case ast.Add(), list(), list():
                return left + right
            case ast.Mult(), str() | bytes() | list(), int() if right * len(left) <= LONGEST:
                return left * right
            case ast.Div(), str(), str():  # pathlib
                return f"{left}/{right}"
            case ast.Mod(), str(), _:
                return percent(left, right if isinstance(right, list) else [right])
        raise NotConstant

    def _joined(self, node: ast.JoinedStr, local: Mapping[str, Constant], depth: int) -> Constant:
        parts = []
        for value in node.values:
            inner = value.value if isinstance(value, ast.FormattedValue) else value
            parts.append(str(self._fold(inner, local, depth)))
        return "".join(parts)

    def _items(self, node: ast.List | ast.Tuple | ast.Set, local: Mapping[str, Constant], depth: int) -> Constant:
        return [self._fold(item, local, depth) for item in node.elts]

    def _subscript(self, node: ast.Subscript, local: Mapping[str, Constant], depth: int) -> Constant:
        value = self._fold(node.value, local, depth)
        if isinstance(value, dict):
            return value[key_of(self._fold(node.slice, local, depth))]
        if not isinstance(value, (str, bytes, list)):
            raise NotConstant
        if isinstance(node.slice, ast.Slice):
            start, stop, step = (
                self._bound(part, local, depth) for part in (node.slice.lower, node.slice.upper, node.slice.step)
            )
            return value[start:stop:step]
        index = self._fold(node.slice, local, depth)
        if isinstance(index, int):
            return value[index]
        raise NotConstant

    def _bound(self, node: ast.expr | None, local: Mapping[str, Constant], depth: int) -> int | None:
        value = self._fold(node, local, depth) if node else None
        if isinstance(value, (int, type(None))):
            return value
        raise NotConstant

    def _table(self, node: ast.Dict, local: Mapping[str, Constant], depth: int) -> Constant:
        if len(node.keys) > 10_000 or None in node.keys:
            raise NotConstant
        return {
            key_of(self._fold(key, local, depth)): self._fold(value, local, depth)
            for key, value in zip(node.keys, node.values, strict=True)
        }

    def _either(self, node: ast.IfExp, local: Mapping[str, Constant], depth: int) -> Constant:
        return self._fold(node.body if self._fold(node.test, local, depth) else node.orelse, local, depth)

    def _walrus(self, node: ast.NamedExpr, local: Mapping[str, Constant], depth: int) -> Constant:
        return self._fold(node.value, local, depth)

    def _comprehension(
        self, node: ast.ListComp | ast.GeneratorExp, local: Mapping[str, Constant], depth: int
    ) -> Constant:
        """`f(x) for x in …` over one constant sequence, without conditions."""
        if len(node.generators) != 1 or node.generators[0].ifs:
            raise NotConstant
        items = self._fold(node.generators[0].iter, local, depth)
        if not isinstance(items, (str, bytes, list)) or len(items) > 10_000:
            raise NotConstant
        target = node.generators[0].target
        return [self._fold(node.elt, {**local, **_taken(target, item)}, depth) for item in list[Constant](items)]

    def _call(self, node: ast.Call, local: Mapping[str, Constant], depth: int) -> Constant:
        dotted = self.resolve(node.func) or ""
        function = FUNCTIONS.get(dotted)
        if function is not None:
            if dotted == "builtins.map":
                return self._map(node, local, depth)
            arguments = [self._fold(argument, local, depth) for argument in node.args]
            if dotted in DECODERS:
                self.decoded = True
            return function(arguments)
        if self.inliner is not None and (inner := self.inliner.returned(node)) is not None:
            return self._fold(inner, local, depth + 10)
        if self.inliner is not None and (body := self.inliner.body(node)) is not None:
            variables = {name: self._fold(value, local, depth + 10) for name, value in body[1].items()}
            result = Interpreter(lambda part, known: self._fold(part, known, depth + 10)).result(body[0], variables)
            loops = any(isinstance(part, ast.For) for statement in body[0] for part in walk(statement))
            self.decoded = self.decoded or loops  # a text that is put together character by character
            return result
        if isinstance(node.func, ast.Attribute):
            value = self._fold(node.func.value, local, depth)
            arguments = [self._fold(argument, local, depth) for argument in node.args]
            if node.func.attr == "format" and isinstance(value, str) and node.keywords:
                named = {item.arg: self._fold(item.value, local, depth) for item in node.keywords if item.arg}
                return formatted(value, arguments, named)
            return self._method(node.func.attr, value, arguments)
        raise NotConstant

    def _map(self, node: ast.Call, local: Mapping[str, Constant], depth: int) -> Constant:
        if len(node.args) != 2:
            raise NotConstant
        items = self._fold(node.args[1], local, depth)
        if not isinstance(items, (str, bytes, list)) or len(items) > 10_000:
            raise NotConstant
        mapped = node.args[0]
        if isinstance(mapped, ast.Lambda) and len(mapped.args.args) == 1:
            name = mapped.args.args[0].arg
            return [self._fold(mapped.body, {**local, name: item}, depth) for item in list[Constant](items)]
        dotted = self.resolve(mapped) or ""
        function = FUNCTIONS.get(dotted)
        self.decoded = self.decoded or dotted in DECODERS
        if function is None:
            raise NotConstant
        return [function([item]) for item in list[Constant](items)]

    def _method(self, name: str, value: Constant, arguments: list[Constant]) -> Constant:
        if isinstance(value, dict):
            return _of_table(name, value, arguments)
        if name == "join" and arguments:
            return joined(value, arguments[0])
        if name == "decode" and isinstance(value, bytes):
            encoding = arguments[0] if arguments and isinstance(arguments[0], str) else "utf-8"
            return codec(value, encoding)
        if name == "hex" and isinstance(value, bytes):
            return value.hex()
        if isinstance(value, str) and name in _TEXT_METHODS:
            self.decoded = self.decoded or name == "translate"
            return _TEXT_METHODS[name](value, arguments)
        if name in METHODS and isinstance(value, (str, bytes)) and sum(map(size, arguments)) + len(value) < LONGEST:
            if name == "replace" and len(arguments) > 1 and len(value) * max(1, size(arguments[1])) > LONGEST:
                raise NotConstant
            result = getattr(value, name)(*arguments)
            if isinstance(result, (str, bytes)):
                return result
            return list[Constant](result)
        raise NotConstant

    def _unary(self, node: ast.UnaryOp, local: Mapping[str, Constant], depth: int) -> Constant:
        value = self._fold(node.operand, local, depth)
        if isinstance(value, (int, float)) and isinstance(node.op, ast.USub):
            return -value
        if isinstance(node.op, ast.Not):
            return not value
        if isinstance(value, int) and isinstance(node.op, ast.Invert):
            return ~value
        raise NotConstant


def _taken(target: ast.expr, item: Constant) -> dict[str, Constant]:
    """The variables of a loop in one of its rounds."""
    if isinstance(target, ast.Name):
        return {target.id: item}
    if isinstance(target, ast.Tuple) and isinstance(item, list) and len(target.elts) == len(item):
        return {name.id: value for name, value in zip(target.elts, item, strict=True) if isinstance(name, ast.Name)}
    raise NotConstant


def _of_table(name: str, value: dict[Constant, Constant], arguments: list[Constant]) -> Constant:
    if name == "get" and arguments:
        return value.get(key_of(arguments[0]), arguments[1] if len(arguments) > 1 else None)
    if name in ("values", "keys"):
        return list(value.values() if name == "values" else value)
    raise NotConstant


def _path(value: str, arguments: list[Constant]) -> Constant:
    return "/".join([value, *map(str, arguments)])


_TEXT_METHODS: dict[str, Callable[[str, list[Constant]], Constant]] = {
    "encode": lambda value, given: value.encode(),
    "format": lambda value, given: formatted(value, given, {}),
    "translate": lambda value, given: translated(value, given[0]),
    "__add__": lambda value, given: value + str(given[0]),
    "joinpath": _path, "expanduser": _path, "resolve": _path, "absolute": _path,
}  # fmt: skip

Handler = Callable[..., Constant]
_HANDLERS: dict[type[ast.expr], Handler] = {
    ast.Constant: Folder._constant,
    ast.Name: Folder._name,
    ast.BinOp: Folder._binary,
    ast.UnaryOp: Folder._unary,
    ast.JoinedStr: Folder._joined,
    ast.List: Folder._items,
    ast.Tuple: Folder._items,
    ast.Subscript: Folder._subscript,
    ast.ListComp: Folder._comprehension,
    ast.GeneratorExp: Folder._comprehension,
    ast.Call: Folder._call,
    ast.Dict: Folder._table,
    ast.IfExp: Folder._either,
    ast.NamedExpr: Folder._walrus,
}
