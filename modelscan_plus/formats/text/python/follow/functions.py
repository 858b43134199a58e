"""Functions of Python that find, bind and make things: attributes, partials, classes, scopes."""

import ast
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from modelscan_plus.formats.text.python.follow import elements, importing, iteration, objects, tables, texts
from modelscan_plus.formats.text.python.follow.iteration import Model
from modelscan_plus.formats.text.python.follow.values import (
    NONE,
    UNKNOWN,
    UNSPOKEN,
    Bound,
    Class,
    Function,
    Instance,
    Items,
    Known,
    Module,
    Outer,
    Partial,
    Patchwork,
    Scope,
    Table,
    Unknown,
    Value,
    flows_of,
    join,
    options,
)
from modelscan_plus.formats.text.python.names import joined_name

if TYPE_CHECKING:
    from modelscan_plus.formats.text.python.follow.machine import Machine


def named(machine: "Machine", holder: Value, given: Sequence[Value], node: ast.AST, scope: Scope) -> Value | None:
    """`getattr(holder, name)`."""
    if not given:
        return None
    found: list[Value] = []
    for name in [*texts.texts(given[0]), *_fitting(holder, given[0])]:
        value = objects.attribute(machine, holder, name, node, scope)
        found += [
            Outer(option.dotted, option.flows, disguised=True) if isinstance(option, Outer) else option
            for option in options(value)
        ]
    return join(found) if found else None


def _fitting(holder: Value, name: Value) -> list[str]:
    """The attributes of an object or file of the repository that a name known in part may mean."""
    if not isinstance(name, Patchwork) or all(isinstance(option, (Outer, Unknown)) for option in options(holder)):
        return []
    first = name.text.partition(UNSPOKEN)[0]  # what follows may come from a call that gave the rest
    return [each for each, _ in _named_in(holder) if each.startswith(first)][:20] if len(first) > 1 else []


def _getattr(
    machine: "Machine", given: Sequence[Value], keywords: Mapping[str, Value], node: ast.AST, scope: Scope
) -> Value | None:
    if len(given) < 2:
        return None
    found = named(machine, given[0], given[1:2], node, scope)
    if found is None:
        for option in options(given[0]):
            if isinstance(option, Instance):
                objects.touch(machine, option, ("__getattribute__", "__getattr__"), [given[1]], node, scope)
            if isinstance(option, Outer):
                return Outer(joined_name(option.dotted, "…"), option.flows)
        return Unknown(flows_of(given[0]) | flows_of(given[1]))
    return join((found, given[2])) if len(given) > 2 and not isinstance(given[2], Known) else found


def _setattr(
    machine: "Machine", given: Sequence[Value], keywords: Mapping[str, Value], node: ast.AST, scope: Scope
) -> Value | None:
    if len(given) < 3:
        return NONE
    names = list(texts.texts(given[1]))
    if not names:  # any attribute may be meant
        names = [name for name, _ in _named_in(given[0])][:50]
        machine.branching += 1
    for name in names:
        objects.store(machine, given[0], name, given[2], node, scope)
    machine.branching -= 0 if any(texts.texts(given[1])) else 1
    return NONE


def _object_getattribute(
    machine: "Machine", given: Sequence[Value], keywords: Mapping[str, Value], node: ast.AST, scope: Scope
) -> Value | None:
    if given and isinstance(given[0], Instance):
        name = next(texts.texts(given[1]), "") if len(given) > 1 else ""
        return given[0].attributes.get(name) or given[0].cls.find(name)
    return named(machine, given[0], given[1:2], node, scope) if len(given) > 1 else None


def _isinstance(
    machine: "Machine", given: Sequence[Value], keywords: Mapping[str, Value], node: ast.AST, scope: Scope
) -> Value | None:
    for value in given[1:2]:
        for option in options(value):
            for each in option.items if isinstance(option, Items) else [option]:
                objects.touch(
                    machine,
                    each,
                    ("__instancecheck__", "__subclasscheck__", "__subclasshook__"),
                    [given[0]],
                    node,
                    scope,
                )
                if isinstance(each, Class) and (own := each.find("__subclasshook__")) is not None:
                    machine.call(own if isinstance(own, Bound) else Bound(own, each), [UNKNOWN], {}, node, scope)
    return UNKNOWN


def _partial(
    machine: "Machine", given: Sequence[Value], keywords: Mapping[str, Value], node: ast.AST, scope: Scope
) -> Value | None:
    if not given:
        return None
    return join([Partial(option, tuple(given[1:]), tuple(keywords.items())) for option in options(given[0])])


def _partial_method(
    machine: "Machine", given: Sequence[Value], keywords: Mapping[str, Value], node: ast.AST, scope: Scope
) -> Value | None:
    return Partial(Outer("functools.partialmethod"), tuple(given), tuple(keywords.items()))


def _getter(kind: str) -> Model:
    def model(
        machine: "Machine", given: Sequence[Value], keywords: Mapping[str, Value], node: ast.AST, scope: Scope
    ) -> Value | None:
        return Partial(Outer(f"operator.{kind}()"), tuple(given), tuple(keywords.items()))

    return model


def _got_attribute(
    machine: "Machine", given: Sequence[Value], keywords: Mapping[str, Value], node: ast.AST, scope: Scope
) -> Value | None:
    """`operator.attrgetter(names…)(value)`."""
    if len(given) < 2:
        return None
    found: list[Value] = []
    for each in given[:-1]:
        for dotted in texts.texts(each):
            value: Value = given[-1]
            for name in dotted.split("."):
                value = named(machine, value, [Known(name)], node, scope) or UNKNOWN
            found.append(value)
    return found[0] if len(found) == 1 else Items(found)


def _got_item(
    machine: "Machine", given: Sequence[Value], keywords: Mapping[str, Value], node: ast.AST, scope: Scope
) -> Value | None:
    found = [elements.item(machine, given[-1], key, node, scope) for key in given[:-1]]
    return found[0] if len(found) == 1 else Items(found)


def _called_method(
    machine: "Machine", given: Sequence[Value], keywords: Mapping[str, Value], node: ast.AST, scope: Scope
) -> Value | None:
    """`operator.methodcaller(name, …)(value)`."""
    if len(given) < 2:
        return None
    found = named(machine, given[-1], given[:1], node, scope)
    return machine.call(found, given[1:-1], keywords, node, scope) if found is not None else None


def _call(
    machine: "Machine", given: Sequence[Value], keywords: Mapping[str, Value], node: ast.AST, scope: Scope
) -> Value | None:
    """`operator.call(function, …)`, and what else calls its first argument with the others."""
    return machine.call(given[0], given[1:], keywords, node, scope) if given else None


def _type(
    machine: "Machine", given: Sequence[Value], keywords: Mapping[str, Value], node: ast.AST, scope: Scope
) -> Value | None:
    if len(given) >= 3:
        bases = given[1].items if isinstance(given[1], Items) else []
        names: dict[str, Value] = {}
        for option in options(given[2]):
            if isinstance(option, Table):
                names |= {key: value for key, value in option.items.items() if isinstance(key, str)}
        name = next(texts.texts(given[0]), "?")
        metaclass = next(
            (each.metaclass for base in bases for each in options(base) if isinstance(each, Class) and each.metaclass),
            None,
        )
        made = Class(name, list(bases), names, scope.module, metaclass)
        for value in names.values():
            if isinstance(value, Function) and value.owner is None:
                value.owner = made
        objects.finish(machine, made, keywords, node, scope)
        return made
    found = [option.cls for value in given[:1] for option in options(value) if isinstance(option, Instance)]
    return join(found) if found else None


def _new_class(
    machine: "Machine", given: Sequence[Value], keywords: Mapping[str, Value], node: ast.AST, scope: Scope
) -> Value | None:
    names = Table({})
    if len(given) > 3:
        machine.call(given[3], [names], {}, node, scope)
    bases = given[1] if len(given) > 1 else Items([])
    return _type(machine, [given[0], bases, names], {}, node, scope) if given else None


def _bound(
    machine: "Machine", given: Sequence[Value], keywords: Mapping[str, Value], node: ast.AST, scope: Scope
) -> Value | None:
    """`types.MethodType(function, object)`."""
    return Bound(given[0], given[1]) if len(given) > 1 else None


def _names(
    machine: "Machine", given: Sequence[Value], keywords: Mapping[str, Value], node: ast.AST, scope: Scope
) -> Value | None:
    """`globals()`, `locals()`, `vars(x)`."""
    if not given:
        return tables.view(scope.names if scope.kind != "function" else scope.module.names)
    return objects.attribute(machine, given[0], "__dict__", node, scope)


def _locals(
    machine: "Machine", given: Sequence[Value], keywords: Mapping[str, Value], node: ast.AST, scope: Scope
) -> Value | None:
    return tables.view(scope.names)


def _namespace(
    machine: "Machine", given: Sequence[Value], keywords: Mapping[str, Value], node: ast.AST, scope: Scope
) -> Value | None:
    """`types.SimpleNamespace(…)`."""
    return Instance(Class("SimpleNamespace", [], {}, scope.module), dict(keywords))


def _finalize(
    machine: "Machine", given: Sequence[Value], keywords: Mapping[str, Value], node: ast.AST, scope: Scope
) -> Value | None:
    """`weakref.finalize(object, function, …)`."""
    return machine.call(given[1], given[2:], keywords, node, scope) if len(given) > 1 else None


def _timer(
    machine: "Machine", given: Sequence[Value], keywords: Mapping[str, Value], node: ast.AST, scope: Scope
) -> Value | None:
    """`threading.Timer(seconds, function, arguments)`."""
    function = given[1] if len(given) > 1 else keywords.get("function")
    held = given[2] if len(given) > 2 else keywords.get("args")
    if function is not None:
        machine.call(function, held.items if isinstance(held, Items) else [], {}, node, scope)
    return UNKNOWN


def _property(
    machine: "Machine", given: Sequence[Value], keywords: Mapping[str, Value], node: ast.AST, scope: Scope
) -> Value | None:
    """`property(getter, setter)`."""
    getter = given[0] if given else keywords.get("fget", NONE)
    setter = given[1] if len(given) > 1 else keywords.get("fset")
    if not isinstance(getter, Function):
        return None
    made = Function(getter.node, getter.scope, getter.defaults, getter.keyword_defaults, getter.owner, role="property")
    if setter is not None:
        made.attributes["setter"] = setter
    return made


def _members(
    machine: "Machine", given: Sequence[Value], keywords: Mapping[str, Value], node: ast.AST, scope: Scope
) -> Value | None:
    """`inspect.getmembers(module)`."""
    return Items([Items([Known(name), value]) for each in given[:1] for name, value in _named_in(each)])


def _dir(
    machine: "Machine", given: Sequence[Value], keywords: Mapping[str, Value], node: ast.AST, scope: Scope
) -> Value | None:
    made = [objects.touch(machine, value, ("__dir__",), [], node, scope) for value in given]
    names: list[Value] = [Known(name) for each in given[:1] for name, _ in _named_in(each)]
    return Items(names) if names else next((each for each in made if each is not None), None)


def _named_in(value: Value) -> list[tuple[str, Value]]:
    found: list[tuple[str, Value]] = []
    for option in options(value):
        if isinstance(option, (Module, Class)):
            found += option.names.items()
        elif isinstance(option, Instance):
            found += [*option.attributes.items(), *option.cls.names.items()]
    return found


def _tests(
    machine: "Machine", given: Sequence[Value], keywords: Mapping[str, Value], node: ast.AST, scope: Scope
) -> Value | None:
    """`unittest.main()`: the tests of the module run."""
    for value in list(scope.module.names.values()):
        if isinstance(value, Class) and any(base.dotted.startswith("unittest.") for base in value.outer_bases()):
            objects.expose_class(machine, value, node, scope)
    return UNKNOWN


def _namedtuple(
    machine: "Machine", given: Sequence[Value], keywords: Mapping[str, Value], node: ast.AST, scope: Scope
) -> Value | None:
    fields: list[str] = []
    for option in options(given[1]) if len(given) > 1 else ():
        if isinstance(option, Items):
            fields += [name for item in option.items for name in texts.texts(item)]
        fields += [name for text in texts.texts(option) for name in text.replace(",", " ").split()]
    return Class(
        next(texts.texts(given[0]), "?") if given else "?", [], {f"§{name}": NONE for name in fields}, scope.module
    )


MODELS: dict[str, Model] = {
    "builtins.getattr": _getattr, "inspect.getattr_static": _getattr, "builtins.setattr": _setattr,
    "builtins.object.__getattribute__": _object_getattribute,
    "builtins.type.__getattribute__": _object_getattribute, "builtins.object.__setattr__": _setattr,
    "builtins.hasattr": _getattr, "builtins.isinstance": _isinstance, "builtins.issubclass": _isinstance,
    "functools.partial": _partial, "functools.partialmethod": _partial_method, "builtins.dir": _dir,
    "inspect.getmembers": _members, "unittest.main": _tests, "builtins.property": _property, "builtins.type": _type,
    "types.new_class": _new_class, "types.MethodType": _bound, "builtins.globals": _names, "builtins.vars": _names,
    "builtins.locals": _locals, "types.SimpleNamespace": _namespace, "weakref.finalize": _finalize,
    "threading.Timer": _timer, "collections.namedtuple": _namedtuple,
    "operator.attrgetter": _getter("attrgetter"), "operator.itemgetter": _getter("itemgetter"),
    "operator.methodcaller": _getter("methodcaller"), "operator.attrgetter()": _got_attribute,
    "operator.itemgetter()": _got_item, "operator.methodcaller()": _called_method, "operator.call": _call,
    "operator.getitem": lambda machine, given, keywords, node, scope: _got_item(machine, given[::-1], keywords, node, scope),
    "operator.__getitem__": lambda machine, given, keywords, node, scope: _got_item(machine, given[::-1], keywords, node, scope),
    "operator.__call__": _call,
}  # fmt: skip
MODELS |= iteration.MODELS | importing.MODELS | texts.MODELS
