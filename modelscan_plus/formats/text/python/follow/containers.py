"""Methods of lists, sets and dicts, and what copying and pickling an object calls."""

import ast
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from modelscan_plus.formats.text.python.follow import elements, objects, tables
from modelscan_plus.formats.text.python.follow.values import (
    NONE,
    UNKNOWN,
    Items,
    Scope,
    Table,
    Value,
    join,
    lifted,
    options,
)

if TYPE_CHECKING:
    from modelscan_plus.formats.text.python.follow.machine import Machine

_MOST = 5_000


def method(
    machine: "Machine", held: Items | Table, name: str, arguments: Sequence[Value], keywords: Mapping[str, Value],
    node: ast.AST, scope: Scope,
) -> Value | None:  # fmt: skip
    """What a method of a list, set or dict gives; None for one that is not known."""
    if isinstance(held, Table):
        return _of_table(machine, held, name, arguments, keywords, node, scope)
    return _of_items(machine, held, name, arguments, keywords, node, scope)


def _of_items(
    machine: "Machine", held: Items, name: str, arguments: Sequence[Value], keywords: Mapping[str, Value], node: ast.AST, scope: Scope
) -> Value | None:  # fmt: skip
    match name:
        case "append" | "add" | "appendleft" | "insert" | "put" | "push":
            if arguments and len(held.items) < _MOST:
                held.items.append(arguments[-1])
                held.version += 1
            return NONE
        case "extend" | "update" | "extendleft" | "__iadd__":
            for value in arguments:
                held.items += elements.items(machine, value, node, scope)[0][: _MOST - len(held.items)]
                held.version += 1
            return NONE
        case "pop" | "popleft" | "__getitem__" | "get" | "__next__":
            return elements.item(machine, held, arguments[0] if arguments else UNKNOWN, node, scope)
        case "copy" | "__iter__" | "union" | "difference" | "intersection":
            return Items(list(held.items))
        case "sort" | "index" | "count" | "remove" | "__contains__":
            key = keywords.get("key", NONE)
            for value in [*held.items[:200], *arguments]:
                objects.touch(machine, value, ("__lt__" if name == "sort" else "__eq__",), [UNKNOWN], node, scope)
                if key != NONE:
                    machine.call(key, [value], {}, node, scope)
            return NONE if name == "sort" else UNKNOWN
        case "send" | "throw" | "close":
            return join(held.items[:50]) if held.items else UNKNOWN
    return None


def _of_table(
    machine: "Machine", held: Table, name: str, arguments: Sequence[Value], keywords: Mapping[str, Value], node: ast.AST, scope: Scope
) -> Value | None:  # fmt: skip
    match name:
        case "get" | "pop" | "setdefault" | "__getitem__":
            return _entry(machine, held, name, arguments, node, scope)
        case "items":
            rows: list[Value] = [Items([lifted(key), value]) for key, value in held.items.items()]
            return Items([*rows, *(Items([UNKNOWN, value]) for value in held.others)])
        case "values":
            return Items([*held.items.values(), *held.others])
        case "keys" | "__iter__":
            return Items([lifted(key) for key in held.items])
        case "popitem":
            return Items([UNKNOWN, join([*held.items.values(), *held.others] or [UNKNOWN])])
        case "copy":
            return Table(dict(held.items), list(held.others))
        case "__setitem__" if len(arguments) > 1:
            tables.put_in_table(held, arguments[0], arguments[1])
            return NONE
        case "update" | "__ior__":
            for value in arguments:
                for option in options(value):
                    if isinstance(option, Table):
                        held.items |= option.items
                        held.others += option.others[:_MOST]
                    else:
                        objects.touch(machine, option, ("keys", "__iter__"), [], node, scope)
                        objects.touch(machine, option, ("__getitem__",), [UNKNOWN], node, scope)
            held.items |= dict(keywords.items())
            held.version += 1
            return NONE
    return None


def _entry(
    machine: "Machine", held: Table, name: str, arguments: Sequence[Value], node: ast.AST, scope: Scope
) -> Value:
    key = arguments[0] if arguments else UNKNOWN
    found = elements.item(machine, held, key, node, scope)
    if name == "setdefault" and len(arguments) > 1:
        tables.put_in_table(held, key, arguments[1])
        return join((found, arguments[1]))
    return join((found, arguments[1])) if len(arguments) > 1 and arguments[1] != NONE else found
