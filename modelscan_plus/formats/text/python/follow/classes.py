"""Classes: what making one runs, and what making an object of one does."""

import ast
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from modelscan_plus.formats.text.python.follow.objects import DRIVEN, bound, call_method, expose
from modelscan_plus.formats.text.python.follow.values import (
    Bound,
    Class,
    Function,
    Instance,
    Items,
    Known,
    Outer,
    Partial,
    Scope,
    Table,
    Value,
    join,
    options,
)

if TYPE_CHECKING:
    from modelscan_plus.formats.text.python.follow.machine import Machine

_CONTAINERS = frozenset("dict list set tuple deque OrderedDict defaultdict UserDict UserList Counter ChainMap".split())


def construct(
    machine: "Machine",
    cls: Class,
    arguments: Sequence[Value],
    keywords: Mapping[str, Value],
    node: ast.AST,
    scope: Scope,
) -> Value:
    """`cls(…)`."""
    for meta in options(cls.metaclass) if cls.metaclass else ():
        if isinstance(meta, Class) and (maker := meta.find("__call__")) is not None:
            machine.call(bound(machine, maker, cls, meta), arguments, keywords, node, scope)
    if cls.metaclass is None and any(base.dotted == "builtins.type" for base in cls.outer_bases()):
        return _made_class(machine, cls, arguments, node, scope)
    made = Instance(cls)
    machine.made.append(made)
    bases = {base.dotted.rpartition(".")[2] for base in cls.outer_bases()}
    if bases & _CONTAINERS:
        made.held = Table({}) if bases & {"dict", "OrderedDict", "defaultdict", "UserDict", "Counter"} else Items([])
    results: list[Value] = [made]
    if (maker := cls.find("__new__")) is not None:
        given = machine.call(maker, [cls, *arguments], keywords, node, scope)
        results += [option for option in options(given) if isinstance(option, (Instance, Class, Function, Outer))]
    for name in ("__init__", "__post_init__"):
        if (own := cls.find(name)) is not None:
            machine.call(
                bound(machine, own, made, cls),
                arguments if name == "__init__" else [],
                keywords if name == "__init__" else {},
                node,
                scope,
            )
    if cls.find("__init__") is None:
        _fields(cls, made, arguments, keywords)
        for base in cls.outer_bases():
            machine.call(Outer(base.dotted), arguments, keywords, node, scope)
            break
    for name, own in list(cls.names.items()):
        if isinstance(own, Function) and own.given and cls.outer_bases():
            call_method(machine, made, name, own, cls, node, scope)  # a validator
    return join(results)


def _fields(cls: Class, made: Instance, arguments: Sequence[Value], keywords: Mapping[str, Value]) -> None:
    """A dataclass or named tuple: what it is made with becomes its attributes."""
    names = [name for name in cls.names if name.startswith("§")]
    for name, given in zip(names, arguments, strict=False):
        made.attributes[name[1:]] = given
    made.attributes.update(keywords)


def _made_class(machine: "Machine", meta: Class, arguments: Sequence[Value], node: ast.AST, scope: Scope) -> Value:
    """A class that a metaclass makes by being called."""
    bases = arguments[1].items if len(arguments) > 1 and isinstance(arguments[1], Items) else []
    held = arguments[2] if len(arguments) > 2 else None
    names = {key: item for key, item in held.items.items() if isinstance(key, str)} if isinstance(held, Table) else {}
    name = arguments[0].value if arguments and isinstance(arguments[0], Known) else "?"
    made = Class(str(name), list(bases), names, scope.module, meta)
    finish(machine, made, {}, node, scope)
    return made


def finish(machine: "Machine", cls: Class, keywords: Mapping[str, Value], node: ast.AST, scope: Scope) -> None:
    """What making a class runs: its metaclass, `__set_name__` of what it holds, `__init_subclass__` of its bases."""
    for meta in options(cls.metaclass) if cls.metaclass else ():
        _make(machine, cls, meta, keywords, node, scope)
    for name, value in list(cls.names.items()):
        for option in options(value):
            if isinstance(option, Instance) and (own := option.cls.find("__set_name__")) is not None:
                machine.call(bound(machine, own, option, option.cls), [cls, Known(name)], {}, node, scope)
    for base in cls.bases:
        for option in options(base):
            if isinstance(option, Class) and (own := option.find("__init_subclass__")) is not None:
                machine.call(Bound(own, cls), [], keywords, node, scope)
    if any(base.dotted.startswith("enum.") for base in cls.outer_bases()):
        for name in ("__new__", "__init__", "_generate_next_value_"):  # once for each member
            if (own := cls.names.get(name)) is not None:
                call_method(machine, Instance(cls), name, own, cls, node, scope)


def _make(
    machine: "Machine", cls: Class, meta: Value, keywords: Mapping[str, Value], node: ast.AST, scope: Scope
) -> None:
    """What a metaclass does when it makes a class."""
    given: list[Value] = [Known(cls.name), Items(list(cls.bases)), Table(dict(cls.names.items()))]
    match meta:
        case Class():
            if (own := meta.find("__new__")) is not None:
                machine.call(own, [meta, *given], keywords, node, scope)
            if (own := meta.find("__init__")) is not None:
                machine.call(bound(machine, own, cls, meta), given, keywords, node, scope)
        case Function() | Partial() | Bound():
            machine.call(meta, given, keywords, node, scope)
        case Outer():
            machine.program.emitter.called(machine, meta, given[:1], {}, node, scope)


def expose_class(machine: "Machine", cls: Class, node: ast.AST, scope: Scope) -> None:
    """Somebody outside gets a class: if it comes from the standard library, objects of it will be made and used."""
    if any(
        base.dotted.partition(".")[0] in DRIVEN - {"typing", "abc", "enum", "collections"} for base in cls.outer_bases()
    ):
        for made in options(construct(machine, cls, [], {}, node, scope)):
            if isinstance(made, Instance):
                expose(machine, made, node, scope)
