"""Attributes, items and the methods that Python's syntax calls."""

import ast
from collections.abc import Sequence
from typing import TYPE_CHECKING

from modelscan_plus.formats.text.python.follow import paths, tables
from modelscan_plus.formats.text.python.follow.values import (
    FUNCTION_TYPE,
    NONE,
    UNKNOWN,
    Bound,
    Class,
    Function,
    Instance,
    Items,
    Known,
    Method,
    Module,
    Outer,
    Partial,
    Patchwork,
    Scope,
    Super,
    Table,
    Value,
    identity,
    join,
    options,
)
from modelscan_plus.formats.text.python.library_names import joined_name

if TYPE_CHECKING:
    from modelscan_plus.formats.text.python.follow.machine import Machine

DRIVEN = frozenset(
    """threading multiprocessing logging json html http socketserver cmd ast unittest argparse string pickle _pickle
    codecs contextlib importlib asyncio concurrent collections typing abc builtins io queue sched selectors code bdb
    configparser xml email csv enum weakref copyreg zipimport pkgutil tempfile optparse ctypes functools types""".split()
)
"""Modules of the standard library whose classes call what a class derived from them defines."""
DRIVES = frozenset(
    """sys builtins codecs importlib atexit signal asyncio threading concurrent multiprocessing unittest socketserver sched
    ast gc warnings logging linecache bdb trace site encodings readline rlcompleter contextlib""".split()
)
"""Modules of the standard library whose functions keep what they are given, and call it later."""


# ---- attributes


def attribute(machine: "Machine", value: Value, name: str, node: ast.AST, scope: Scope) -> Value:
    """`value.name`."""
    found = [_attribute(machine, option, name, node, scope) for option in options(value)]
    return found[0] if len(found) == 1 else join(found)


def _attribute(machine: "Machine", value: Value, name: str, node: ast.AST, scope: Scope) -> Value:
    match value:
        case Module():
            return of_module(machine, value, name, node, scope)
        case Class():
            return _of_class(machine, value, name, node, scope)
        case Instance():
            return _of_instance(machine, value, name, node, scope)
        case Super():
            return _of_super(machine, value, name)
        case Outer():
            return _of_outer(machine, value, name)
        case Function():
            return _of_function(value, name)
    if value is machine.program.settings and isinstance(value, Table) and name not in _OF_TABLES:
        return tables.of_table(value, Known(name))
    return _of_anything(value, name)


_OF_TABLES = frozenset("get items keys values pop".split())


def _of_anything(value: Value, name: str) -> Value:
    match value:
        case Bound() if name in ("__self__", "__func__"):
            return value.receiver if name == "__self__" else value.function
        case Partial() if name in ("func", "args"):
            return value.function if name == "func" else Items(list(value.arguments))
        case Known(value=str()) | Patchwork() if name == "parent":
            return paths.folder(value)
    if name == "__call__":
        return value
    return UNKNOWN if name == "__class__" else Method(value, name)


def of_module(machine: "Machine", module: Module, name: str, node: ast.AST, scope: Scope) -> Value:
    """An attribute of a file of the repository."""
    if name in module.names:
        return module.names[name]
    if name == "__dict__":
        return Table(dict(module.names.items()))
    below = machine.program.submodule(module, name)
    if below is not None:
        return below
    getter = module.names.get("__getattr__")
    if getter is not None:
        return machine.call(getter, [Known(name)], {}, node, scope)
    return Patchwork(f"…/{module.path}") if name == "__file__" else UNKNOWN


def _of_class(machine: "Machine", cls: Class, name: str, node: ast.AST, scope: Scope) -> Value:
    found = cls.find(name)
    if found is not None:
        found = join([_got(machine, option, None, cls, node, scope) for option in options(found)])
        return _class_bound(found, cls)
    special = _special(cls, name)
    if special is not None:
        return special
    for meta in options(cls.metaclass) if cls.metaclass else ():
        if isinstance(meta, Class):
            own = meta.find(name)
            if own is not None:
                got = _got(machine, own, cls, meta, node, scope)
                return bound(machine, got, cls, meta) if got is own else got
            if (getter := meta.find("__getattr__") or meta.find("__getattribute__")) is not None:
                return machine.call(bound(machine, getter, cls, meta), [Known(name)], {}, node, scope)
    for base in cls.outer_bases():
        return Bound(Outer(joined_name(base.dotted, name)), cls)
    return UNKNOWN


def _special(cls: Class, name: str) -> Value | None:
    """What every class has."""
    match name:
        case "__dict__":
            return Table(dict(cls.names.items()))
        case "__name__" | "__qualname__":
            return Known(cls.name)
        case "__mro__" | "__bases__":
            return Items(list(cls.bases) or [Outer("builtins.object")])
        case "__base__":
            return cls.bases[0] if cls.bases else Outer("builtins.object")
        case "__class__":
            return cls.metaclass or Outer("builtins.type")
        case "__init_subclass__" | "__subclasses__":
            return UNKNOWN
    return None


def _class_bound(found: Value, cls: Class) -> Value:
    if isinstance(found, Function) and found.role == "class":
        return Bound(found, cls)
    return found


def bound(machine: "Machine", found: Value, receiver: Value, cls: Class) -> Value:
    """A function of a class as a method of one of its objects."""
    results: list[Value] = []
    for option in options(found):
        match option:
            case Function(role="static"):
                results.append(option)
            case Function(role="class"):
                results.append(Bound(option, cls))
            case Function():
                results.append(Bound(option, receiver))
            case Outer() if option.dotted.startswith(_DESCRIPTORS):
                results.append(Bound(option, receiver))
            case Partial(function=Outer(dotted="functools.partialmethod")) if option.arguments:
                results.append(Partial(option.arguments[0], (receiver, *option.arguments[1:]), option.keywords))
            case _:
                results.append(option)
    return results[0] if len(results) == 1 else join(results)


_DESCRIPTORS = ("builtins.dict.", "builtins.list.", "builtins.object.")
"""Methods of built-in classes, which know on what they are called as functions do."""


def _of_instance(machine: "Machine", value: Instance, name: str, node: ast.AST, scope: Scope) -> Value:
    cls = value.cls
    results: list[Value] = []
    getter = cls.find("__getattribute__")
    if getter is not None and scope.instance is not value:
        results.append(machine.call(bound(machine, getter, value, cls), [Known(name)], {}, node, scope))
    if name in value.attributes:
        results.append(value.attributes[name])
    own = cls.find(name)
    if own is not None:
        for option in options(own):
            got = _got(machine, option, value, cls, node, scope)
            results.append(bound(machine, got, value, cls) if got is option else got)
    if results:
        return join(results)
    match name:
        case "__class__":
            return cls
        case "__dict__":
            return Table(dict(value.attributes.items()))
    getter = cls.find("__getattr__")
    if getter is not None:
        return machine.call(bound(machine, getter, value, cls), [Known(name)], {}, node, scope)
    if value.held is not None:
        return Method(value.held, name)
    if name in CONFIG_NAMES:
        return machine.program.settings
    for base in cls.outer_bases():
        return Bound(Outer(joined_name(base.dotted, name)), value)
    return UNKNOWN


def _got(machine: "Machine", found: Value, instance: Value | None, cls: Class, node: ast.AST, scope: Scope) -> Value:
    """What reading a class attribute gives: properties and descriptors run, all else is given as it is."""
    if isinstance(found, Function) and found.role in ("property", "cached"):
        return found if instance is None else machine.call(found, [instance], {}, node, scope)
    if isinstance(found, Instance) and (getter := found.cls.find("__get__")) is not None:
        return machine.call(bound(machine, getter, found, found.cls), [instance or NONE, cls], {}, node, scope)
    return found


def _of_super(machine: "Machine", value: Super, name: str) -> Value:
    lines = value.instance.cls.lines() if isinstance(value.instance, Instance) else []
    behind = lines[lines.index(value.cls) + 1 :] if value.cls in lines else []
    for line in behind:
        if (found := line.names.get(name)) is not None:
            return bound(machine, found, value.instance, line)
    for base in value.cls.bases:
        for option in options(base):
            if isinstance(option, Class) and (found := option.find(name)) is not None:
                return bound(machine, found, value.instance, option)
    for outer in value.cls.outer_bases():
        return Outer(f"{outer.dotted}.{name}")
    return Outer(f"builtins.object.{name}")


def _of_outer(machine: "Machine", value: Outer, name: str) -> Value:
    if name in ("__builtins__", "f_builtins") or (name == "__self__" and value.dotted.startswith("builtins.")):
        return Outer("builtins", value.flows, disguised=True)
    if name in ("__globals__", "f_globals", "f_locals"):
        return Outer(f"{value.dotted}.__dict__", value.flows)
    if name == "__call__":
        return value
    if value.dotted == "sys" and name == "modules":
        return Outer("sys.modules")
    return Outer(joined_name(value.dotted, name), value.flows, value.disguised)


def _of_function(value: Function, name: str) -> Value:
    if name in value.attributes:
        return value.attributes[name]
    match name:
        case "__name__" | "__qualname__":
            return Known(value.name)
        case "__class__":
            return FUNCTION_TYPE
        case "__globals__":
            return Table(dict(value.scope.module.names.items()))
        case "__call__" | "__wrapped__" | "__func__":
            return value
        case "__defaults__":
            return Items(list(value.defaults))
        case "setter" | "getter" | "deleter" if value.role == "property":
            return Outer(f"builtins.property.{name}")
        case "__builtins__":
            return Outer("builtins", disguised=True)
    return Method(value, name)


def store(machine: "Machine", value: Value, name: str, given: Value, node: ast.AST, scope: Scope) -> None:
    """`value.name = given`."""
    for option in options(value):
        match option:
            case Module():
                rebind(option, name, given)
            case Class():
                machine.program.note(option.module)
                option.names[name] = (
                    join((option.names[name], given)) if name in option.names and machine.branching else given
                )
            case Function():
                _store_in_function(option, name, given)
            case Instance():
                _store(machine, option, name, given, node, scope)
            case Outer():
                machine.program.emitter.assigned(machine, option, name, given, node, scope)
                if option.dotted.partition(".")[0] in DRIVES:  # sys.excepthook = f
                    machine.hand_over(given, node, scope, driven=True)
                else:
                    machine.hand_over_later(given, node, scope)


def _store(machine: "Machine", value: Instance, name: str, given: Value, node: ast.AST, scope: Scope) -> None:
    cls = value.cls
    setter = cls.find("__setattr__")
    if setter is not None and scope.instance is not value:
        machine.call(bound(machine, setter, value, cls), [Known(name), given], {}, node, scope)
    for own in options(cls.find(name) or NONE):
        if isinstance(own, Function) and own.role == "property":
            if "setter" in own.attributes:
                machine.call(own.attributes["setter"], [value, given], {}, node, scope)
            return
        if isinstance(own, Instance) and (setter := own.cls.find("__set__")) is not None:
            machine.call(bound(machine, setter, own, own.cls), [value, given], {}, node, scope)
    known = value.attributes.get(name)
    if known is not None and machine.branching:
        given = join((known, given))
    if known is None or identity(known) != identity(given):
        value.attributes[name] = given
        value.version += 1


def _store_in_function(function: Function, name: str, given: Value) -> None:
    """An attribute of a function; some of them are what it does."""
    function.attributes[name] = given
    if name == "__defaults__" and isinstance(given, Items):
        function.defaults = list(given.items)
    for option in options(given) if name == "__code__" else ():
        if isinstance(option, Method) and isinstance(option.receiver, Function):
            function.others.append(option.receiver)


def rebind(module: Module, name: str, given: Value) -> None:
    """A name of a module, set from elsewhere than its body."""
    known = module.names.get(name)
    if known is None or identity(known) != identity(given):
        module.names[name] = given if known is None else join((known, given))
        module.version += 1


# ---- methods that syntax calls


def touch(
    machine: "Machine", value: Value, names: Sequence[str], arguments: Sequence[Value], node: ast.AST, scope: Scope
) -> Value | None:
    """Call the first of the methods that an object's class has; None where none of the values has any."""
    results: list[Value] = []
    for option in options(value):
        cls = option.cls if isinstance(option, Instance) else None
        if isinstance(option, Class):
            cls = next((meta for meta in options(option.metaclass or NONE) if isinstance(meta, Class)), None)
        for name in names if cls is not None else ():
            own = cls.find(name) if cls is not None else None
            if own is not None and cls is not None:
                results.append(machine.call(bound(machine, own, option, cls), arguments, {}, node, scope))
                break
    return join(results) if results else None


def expose(machine: "Machine", value: Instance, node: ast.AST, scope: Scope, *, driven: bool = False) -> None:
    """Somebody outside gets an object: it may call whatever Python's syntax calls, and what its base class is for.

    `driven`: whoever gets it calls all its methods.
    """
    cls = value.cls
    driven = driven or any(base.dotted.partition(".")[0] in DRIVEN for base in cls.outer_bases())
    called_back = any(not base.dotted.startswith(_USED_BY_NAME) for base in cls.outer_bases())
    for line in cls.lines():
        for name, own in list(line.names.items()):
            special = name.startswith("__") and name.endswith("__") and name not in _NOT_AGAIN
            if special or (driven and not name.startswith("__")):
                call_method(machine, value, name, own, cls, node, scope)
            elif called_back and not name.startswith("_"):
                when, machine.when = machine.when, "entry"
                call_method(machine, value, name, own, cls, node, scope)
                machine.when = when
    reduced(machine, value, node, scope)


def reduced(machine: "Machine", value: Instance, node: ast.AST, scope: Scope) -> None:
    """Copying and unpickling call what `__reduce__` names."""
    for name in ("__reduce_ex__", "__reduce__"):
        made = touch(machine, value, (name,), [], node, scope)
        for option in options(made) if made is not None else ():
            if isinstance(option, Items) and len(option.items) > 1:
                given = option.items[1]
                machine.call(option.items[0], given.items if isinstance(given, Items) else [UNKNOWN], {}, node, scope)


def call_method(
    machine: "Machine", value: Value, name: str, own: Value, cls: Class, node: ast.AST, scope: Scope
) -> None:
    """Call a method with unknown arguments."""
    from modelscan_plus.formats.text.python.follow.machine import unknown_arguments

    for option in options(own):
        if isinstance(option, (Function, Partial, Bound)):
            method = bound(machine, option, value, cls)
            machine.call(method, *unknown_arguments(machine.program, method), node, scope)


_USED_BY_NAME = (
    "torch.nn",
    "nn.",
    "transformers.PreTrained",
    "transformers.modeling",
    "transformers.PretrainedConfig",
    ".",
)
"""Classes of which loaders and users call only methods that are known by name (`ENTRY_NAMES`)."""
_NOT_AGAIN = frozenset(
    ("__init__", "__new__", "__init_subclass__", "__set_name__", "__post_init__", "__class_getitem__")
)


CONFIG_NAMES = frozenset("config cfg model_config hf_config model_args".split())
