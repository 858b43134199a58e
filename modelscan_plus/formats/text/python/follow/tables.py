"""What lists and dicts hold under which key."""

from typing import cast

from modelscan_plus.formats.text.python.constants import Constant, NotConstant
from modelscan_plus.formats.text.python.follow.values import (
    UNKNOWN,
    Items,
    Known,
    Partial,
    Table,
    Unknown,
    Value,
    constant,
    flows_of,
    join,
    options,
)

_MOST = 400
"""Items that are gone through one by one."""


def view(names: dict[str, Value]) -> Table:
    """The names of a scope as a dict: who changes it changes them."""
    return Table(cast("dict[Constant, Value]", names))


def of_table(table: Table, key: Value) -> Value:
    """What a dict holds under a key, all that it holds where the key is not known."""
    found: list[Value] = []
    for option in options(key):
        known = _key(option)
        if known is not None and known[0] in table.items:
            found.append(table.items[known[0]])
        elif known is None:
            found += table.items.values()
    if not found or table.others:
        found += table.others or [Unknown(flows_of(table))]
    return join(found)


def _key(value: Value) -> tuple[Constant] | None:
    try:
        key = constant(value)
        hash(key)
    except (NotConstant, TypeError):
        return None
    return (key,)


def of_items(value: Items, key: Value) -> Value:
    """What a list holds at a place or slice, all that it holds where that is not known."""
    if isinstance(key, Known) and isinstance(key.value, int):
        if -len(value.items) <= key.value < len(value.items):
            return value.items[key.value]
        return UNKNOWN
    if isinstance(key, Partial):  # a slice, as expressions.py gives it
        bounds = [
            each.value if isinstance(each, Known) and isinstance(each.value, int) else None for each in key.arguments
        ]
        if bounds[2] == 0:
            return UNKNOWN
        return Items(value.items[slice(*bounds)])
    return join(value.items[:_MOST]) if value.items else UNKNOWN


def put_in_table(table: Table, key: Value, given: Value) -> None:
    """Remember an entry of a dict."""
    known = _key(key)
    table.version += 1
    if known is not None:
        before = table.items.get(known[0])
        table.items[known[0]] = given if before is None else join((given, before))
    elif len(table.others) < _MOST:
        table.others.append(given)
