"""Constant folding over Jinja's syntax tree: the text that an expression stands for, however it is put together.

`"__cl" ~ "ass__"`, `"".join(["__", "class", "__"])`, `"%sclass%s"|format("__", "__")`, `"__ssalc__"[::-1]` and a
variable that is only ever set to one of these all fold to the same name. Every result is bounded in length, so that
`"a" * 9999999` folds to nothing. Only strings, numbers, and lists and dicts of them are known; what depends on the
messages is unknown.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import TypeGuard

from jinja2 import nodes

Constant = None | bool | int | float | str | list["Constant"] | dict[str, "Constant"]

LONGEST = 1 << 16
"""Characters of a folded text; longer ones count as unknown."""
_ITEMS = 4096
_DEPTH = 200


class Unknown:
    """The value of what is not constant."""

    def __repr__(self) -> str:
        return "UNKNOWN"


UNKNOWN = Unknown()
Folded = Constant | Unknown


def known(value: Folded) -> TypeGuard[Constant]:
    """True for a constant."""
    return not isinstance(value, Unknown)


class Folder:
    """Folds expressions; `names` holds the variables that are only ever set to one constant."""

    def __init__(self, names: Mapping[str, Constant]) -> None:
        self.names = names

    def text(self, node: nodes.Node) -> str | None:
        """The text that `node` stands for; None when it is not constant or no text."""
        value = self.fold(node)
        return value if isinstance(value, str) else None

    def fold(self, node: nodes.Node | None, depth: int = 0) -> Folded:
        """The constant that `node` stands for, or UNKNOWN."""
        if node is None or depth > _DEPTH:
            return UNKNOWN
        handler = _HANDLERS.get(type(node))
        value = handler(self, node, depth + 1) if handler else UNKNOWN
        return UNKNOWN if _too_large(value) else value

    def _const(self, node: nodes.Const, depth: int) -> Folded:
        return node.value if isinstance(node.value, (str, int, float, bool, type(None))) else UNKNOWN

    def _data(self, node: nodes.TemplateData, depth: int) -> Folded:
        return node.data

    def _name(self, node: nodes.Name, depth: int) -> Folded:
        return self.names.get(node.name, UNKNOWN)

    def _concat(self, node: nodes.Concat | nodes.Output, depth: int) -> Folded:
        parts = [self.fold(part, depth) for part in node.nodes]
        return "".join(map(_spoken, parts)) if all(map(known, parts)) else UNKNOWN

    def _add(self, node: nodes.Add, depth: int) -> Folded:
        left, right = self.fold(node.left, depth), self.fold(node.right, depth)
        if isinstance(left, str) and isinstance(right, str):
            return left + right
        if isinstance(left, list) and isinstance(right, list):
            return left + right
        if _number(left) and _number(right):
            return left + right
        return UNKNOWN

    def _sub(self, node: nodes.Sub, depth: int) -> Folded:
        left, right = self.fold(node.left, depth), self.fold(node.right, depth)
        return left - right if _number(left) and _number(right) else UNKNOWN

    def _neg(self, node: nodes.Neg, depth: int) -> Folded:
        value = self.fold(node.node, depth)
        return -value if _number(value) else UNKNOWN

    def _mul(self, node: nodes.Mul, depth: int) -> Folded:
        left, right = self.fold(node.left, depth), self.fold(node.right, depth)
        if isinstance(right, str):
            left, right = right, left
        if isinstance(left, str) and isinstance(right, int):
            return left * right if 0 <= right * max(1, len(left)) <= LONGEST else UNKNOWN
        return left * right if _number(left) and _number(right) and abs(left) < 1e9 and abs(right) < 1e9 else UNKNOWN

    def _pow(self, node: nodes.Pow, depth: int) -> Folded:
        left, right = self.fold(node.left, depth), self.fold(node.right, depth)
        small = isinstance(left, int) and isinstance(right, int) and abs(left) <= 1000 and 0 <= right <= 64
        return left**right if small and _number(left) and _number(right) else UNKNOWN

    def _mod(self, node: nodes.Mod, depth: int) -> Folded:
        left, right = self.fold(node.left, depth), self.fold(node.right, depth)
        return _percent(left, list[Folded](right) if isinstance(right, list) else [right])

    def _list(self, node: nodes.List | nodes.Tuple, depth: int) -> Folded:
        if len(node.items) > _ITEMS:
            return UNKNOWN
        items = [self.fold(item, depth) for item in node.items]
        return [item for item in items if known(item)] if all(map(known, items)) else UNKNOWN

    def _dict(self, node: nodes.Dict, depth: int) -> Folded:
        made: dict[str, Constant] = {}
        for pair in node.items[:_ITEMS]:
            key, value = self.fold(pair.key, depth), self.fold(pair.value, depth)
            if not known(key) or not known(value):
                return UNKNOWN
            made[_spoken(key)] = value
        return made

    def _getitem(self, node: nodes.Getitem, depth: int) -> Folded:
        value = self.fold(node.node, depth)
        if isinstance(node.arg, nodes.Slice):
            start, stop, step = (
                self.fold(part, depth) if part else None for part in (node.arg.start, node.arg.stop, node.arg.step)
            )
            if isinstance(value, (str, list)) and _bound(start) and _bound(stop) and _bound(step) and step != 0:
                return value[start:stop:step]
            return UNKNOWN
        key = self.fold(node.arg, depth)
        if isinstance(value, (str, list)) and isinstance(key, int):
            return value[key] if -len(value) <= key < len(value) else UNKNOWN
        return value.get(_spoken(key), UNKNOWN) if isinstance(value, dict) and known(key) else UNKNOWN

    def _getattr(self, node: nodes.Getattr, depth: int) -> Folded:
        if isinstance(node.node, nodes.Name):
            return self.names.get(f"{node.node.name}.{node.attr}", UNKNOWN)
        value = self.fold(node.node, depth)
        return value.get(node.attr, UNKNOWN) if isinstance(value, dict) else UNKNOWN

    def _condition(self, node: nodes.CondExpr, depth: int) -> Folded:
        test = self.fold(node.test, depth)
        if not known(test):
            return UNKNOWN
        return self.fold(node.expr1 if test else node.expr2, depth)

    def _filter(self, node: nodes.Filter, depth: int) -> Folded:
        return self._apply(node.name, self.fold(node.node, depth), node.args, depth)

    def _call(self, node: nodes.Call, depth: int) -> Folded:
        if isinstance(node.node, nodes.Getattr):
            return self._apply(node.node.attr, self.fold(node.node.node, depth), node.args, depth, method=True)
        if isinstance(node.node, nodes.Name) and node.node.name == "dict" and not node.args:
            pairs = [nodes.Pair(nodes.Const(item.key), item.value) for item in node.kwargs]
            return self._dict(nodes.Dict(pairs), depth)
        return UNKNOWN

    def _apply(
        self, name: str, value: Folded, arguments: list[nodes.Expr], depth: int, *, method: bool = False
    ) -> Folded:
        if not known(value):
            return UNKNOWN
        given = [self.fold(argument, depth) for argument in arguments[:64]]
        constants = [argument for argument in given if known(argument)]
        if len(constants) < len(given):
            return UNKNOWN
        if name == "join":
            separator, items = (value, constants[0] if constants else None) if method else (
                constants[0] if constants else "", value)  # fmt: skip
            if isinstance(separator, str) and isinstance(items, (list, str)):
                return separator.join(map(_spoken, items))
            return UNKNOWN
        if name == "format":
            return _braces(value, constants) if method else _percent(value, constants)
        if isinstance(value, str):
            return _string_method(name, value, constants)
        if isinstance(value, (list, dict)):
            return _list_filter(name, value, constants)
        return _spoken(value) if name == "string" else UNKNOWN


Handler = Callable[..., Folded]
"""Takes a folder, a node of its own kind, and how deep it stands."""
_HANDLERS: dict[type[nodes.Node], Handler] = {
    nodes.Const: Folder._const,
    nodes.TemplateData: Folder._data,
    nodes.Name: Folder._name,
    nodes.Concat: Folder._concat,
    nodes.Output: Folder._concat,
    nodes.Add: Folder._add,
    nodes.Sub: Folder._sub,
    nodes.Neg: Folder._neg,
    nodes.Mul: Folder._mul,
    nodes.Mod: Folder._mod,
    nodes.Pow: Folder._pow,
    nodes.List: Folder._list,
    nodes.Tuple: Folder._list,
    nodes.Dict: Folder._dict,
    nodes.Getitem: Folder._getitem,
    nodes.Getattr: Folder._getattr,
    nodes.CondExpr: Folder._condition,
    nodes.Filter: Folder._filter,
    nodes.Call: Folder._call,
}


def _too_large(value: Folded) -> bool:
    return isinstance(value, (str, list, dict)) and len(value) > LONGEST


def _number(value: Folded) -> TypeGuard[int | float]:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _bound(value: Folded) -> TypeGuard[int | None]:
    return value is None or isinstance(value, int)


def _spoken(value: Folded) -> str:
    return value if isinstance(value, str) else str(value)[:LONGEST]


def _percent(value: Folded, arguments: Sequence[Folded]) -> Folded:
    """`"%s%s" % (…)`, for the conversions that make text."""
    if not isinstance(value, str) or not all(map(known, arguments)):
        return UNKNOWN
    pieces = value.replace("%%", "\0").replace("%d", "%s").replace("%c", "%s").split("%s")
    if len(pieces) != len(arguments) + 1 or "%" in "".join(pieces):
        return UNKNOWN
    filled = [
        piece
        + (chr(argument) if isinstance(argument, int) and "%c" in value and argument < 0x110000 else _spoken(argument))
        for piece, argument in zip(pieces, arguments, strict=False)
    ]
    return "".join([*filled, pieces[-1]]).replace("\0", "%")


def _braces(value: Folded, arguments: list[Constant]) -> Folded:
    """`"{}{}".format(…)` and `"{0}{1}"`; fields that reach into objects are left as they are."""
    if not isinstance(value, str):
        return UNKNOWN
    for number, argument in enumerate(arguments):
        place = f"{{{number}}}" if f"{{{number}}}" in value else "{}"
        value = value.replace(place, _spoken(argument), -1 if place != "{}" else 1)
        if len(value) > LONGEST:
            return UNKNOWN
    return value


def _string_method(name: str, value: str, arguments: list[Constant]) -> Folded:
    first = arguments[0] if arguments else None
    match name:
        case "replace" if len(arguments) >= 2 and isinstance(first, str) and isinstance(arguments[1], str):
            grows = value.count(first) * len(arguments[1]) + len(value) if first else LONGEST + 1
            return value.replace(first, arguments[1]) if grows <= LONGEST else UNKNOWN
        case "lower" | "upper" | "title" | "capitalize" | "swapcase" if not arguments:
            return str(getattr(value, name)())
        case "strip" | "lstrip" | "rstrip" | "trim":
            stripped = getattr(value, "strip" if name == "trim" else name)
            return str(stripped(first) if isinstance(first, str) else stripped())
        case "removeprefix" | "removesuffix" if isinstance(first, str):
            return str(getattr(value, name)(first))
        case "reverse" if not arguments:
            return value[::-1]
        case "string" | "safe" | "escape" | "e" | "__str__" if not arguments:
            return value
        case "split" if isinstance(first, (str, type(None))) and first != "":
            return list(value.split(first)[:_ITEMS])
        case "list" if not arguments:
            return list(value[:_ITEMS])
        case "first" | "last" if value:
            return value[0 if name == "first" else -1]
        case _:
            return UNKNOWN


def _list_filter(name: str, value: list[Constant] | dict[str, Constant], arguments: list[Constant]) -> Folded:
    items = list(value)
    match name:
        case "first" | "last" if items:
            return items[0 if name == "first" else -1]
        case "reverse":
            return items[::-1]
        case "list":
            return items
        case "get" if isinstance(value, dict) and arguments:
            return value.get(_spoken(arguments[0]), arguments[1] if len(arguments) > 1 else None)
        case "sort":
            return list[Constant](sorted(map(_spoken, items)))
        case "items" | "dictsort" if isinstance(value, dict):
            return [[key, item] for key, item in value.items()]
        case "keys" if isinstance(value, dict):
            return items
        case "values" if isinstance(value, dict):
            return list(value.values())
        case _:
            return UNKNOWN
