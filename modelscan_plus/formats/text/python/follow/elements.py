"""Items of objects: what going through a value gives, and what it holds under a key."""

import ast
from typing import TYPE_CHECKING

from modelscan_plus.formats.text.python.follow import tables
from modelscan_plus.formats.text.python.follow.objects import touch
from modelscan_plus.formats.text.python.follow.values import (
    UNKNOWN,
    Bound,
    Class,
    Instance,
    Items,
    Known,
    Module,
    Outer,
    Scope,
    Table,
    Unknown,
    Value,
    flows_of,
    join,
    lifted,
    options,
)
from modelscan_plus.formats.text.python.library_names import joined_name

if TYPE_CHECKING:
    from modelscan_plus.formats.text.python.follow.machine import Machine

_LOOPED = 5_000


def items(machine: "Machine", value: Value, node: ast.AST, scope: Scope) -> tuple[list[Value], bool]:
    """What going through a value gives, and whether that is all of it."""
    found: list[Value] = []
    whole = True
    for option in options(value):
        given, complete = _items(machine, option, node, scope)
        found += given
        whole = whole and complete
    return found[:_LOOPED], whole and len(found) <= _LOOPED


def _items(machine: "Machine", value: Value, node: ast.AST, scope: Scope) -> tuple[list[Value], bool]:
    match value:
        case Items():
            return list(value.items), True
        case Table():
            return [lifted(key) for key in value.items] + ([UNKNOWN] if value.others else []), not value.others
        case Known(value=str() | bytes() as text):
            return [Known(each, value.flows) for each in text[:_LOOPED]], len(text) <= _LOOPED
        case Instance():
            return _items_of_instance(machine, value, node, scope)
        case Class() if value.metaclass is not None:
            made = touch(machine, value, ("__iter__",), [], node, scope)
            return ([made] if made is not None else []), False
        case Outer(dotted="os.environ"):
            return [Unknown(frozenset(("secret",)))], False
    return [Unknown(flows_of(value))], False


def _items_of_instance(machine: "Machine", value: Instance, node: ast.AST, scope: Scope) -> tuple[list[Value], bool]:
    made = touch(machine, value, ("__iter__", "__aiter__"), [], node, scope)
    found: list[Value] = []
    for option in options(made) if made is not None else (value,):
        if isinstance(option, Instance):
            given = touch(machine, option, ("__next__", "__anext__"), [], node, scope)
            found += [given] if given is not None else []
        elif not isinstance(option, Unknown):
            found += _items(machine, option, node, scope)[0]
    if made is None and not found:
        given = touch(machine, value, ("__getitem__",), [UNKNOWN], node, scope)
        found += [given] if given is not None else []
        touch(machine, value, ("__len__",), [], node, scope)
        if value.held is not None:
            return _items(machine, value.held, node, scope)
    return found or [UNKNOWN], False


def item(machine: "Machine", value: Value, key: Value, node: ast.AST, scope: Scope) -> Value:
    """`value[key]`."""
    touch(machine, key, ("__index__", "__hash__"), [], node, scope)
    found = [_item(machine, option, key, node, scope) for option in options(value)]
    return found[0] if len(found) == 1 else join(found)


def _item(machine: "Machine", value: Value, key: Value, node: ast.AST, scope: Scope) -> Value:
    match value:
        case Instance():
            return _item_of_instance(machine, value, key, node, scope)
        case Class():
            own = value.find("__class_getitem__")
            if own is not None:
                return machine.call(own if isinstance(own, Bound) else Bound(own, value), [key], {}, node, scope)
            made = touch(machine, value, ("__getitem__",), [key], node, scope)
            return value if made is None else made
        case Table():
            return Outer("builtins", disguised=True) if key == Known("__builtins__") else tables.of_table(value, key)
        case Items():
            return tables.of_items(value, key)
        case Module():
            return tables.of_table(tables.view(value.names), key)  # what runpy.run_path gives
        case Outer():
            return _of_outer_item(machine, value, key)
        case Known(value=str() | bytes() as text) if isinstance(key, Known) and isinstance(key.value, int):
            return Known(text[key.value], value.flows) if -len(text) <= key.value < len(text) else UNKNOWN
    return Unknown(flows_of(value) | flows_of(key))


def _item_of_instance(machine: "Machine", value: Instance, key: Value, node: ast.AST, scope: Scope) -> Value:
    given = touch(machine, value, ("__getitem__",), [key], node, scope)
    if given is None and value.held is not None:
        given = _item(machine, value.held, key, node, scope)
        if (missing := touch(machine, value, ("__missing__",), [key], node, scope)) is not None:
            given = join((given, missing))
    return UNKNOWN if given is None else given


def _of_outer_item(machine: "Machine", value: Outer, key: Value) -> Value:
    name = key.value if isinstance(key, Known) else None
    if not isinstance(name, str):
        if value.dotted == "sys.modules":
            return join([*machine.program.loaded()[:10], UNKNOWN])
        return Unknown(value.flows | flows_of(key))
    if value.dotted == "sys.modules":
        return machine.program.module_or_outer(name, disguised=True)
    if value.dotted.endswith(".__dict__"):
        return Outer(joined_name(value.dotted.removesuffix(".__dict__"), name), value.flows, disguised=True)
    if value.dotted in ("builtins", "builtins.__builtins__"):
        return Outer(f"builtins.{name}", disguised=True)
    if value.dotted in ("os.environ", "os.environb"):
        return machine.program.emitter.variable(key)
    return Unknown(value.flows)


def put(machine: "Machine", value: Value, key: Value, given: Value, node: ast.AST, scope: Scope) -> None:
    """`value[key] = given`."""
    touch(machine, key, ("__hash__", "__index__"), [], node, scope)
    for option in options(value):
        if isinstance(option, Instance):
            touch(machine, option, ("__setitem__",), [key, given], node, scope)
            option = option.held if option.held is not None else option
        match option:
            case Table():
                tables.put_in_table(option, key, given)
            case Items():
                _put_in_items(option, key, given)
            case Outer():
                machine.program.emitter.put(machine, option, key, given, node, scope)
                machine.hand_over_later(given, node, scope)


def _put_in_items(held: Items, key: Value, given: Value) -> None:
    held.version += 1
    if isinstance(key, Known) and isinstance(key.value, int) and -len(held.items) <= key.value < len(held.items):
        held.items[key.value] = given
    elif len(held.items) < _LOOPED:
        held.items.append(given)
