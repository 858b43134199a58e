"""Functions of Python that find, bind and make things: attributes, partials, classes, scopes."""

from modelscan_plus.formats.text.python.follow import classes, elements, importing, iteration, objects, tables, texts
from modelscan_plus.formats.text.python.follow.modelled import Call, Model
from modelscan_plus.formats.text.python.follow.values import (
    FUNCTION_TYPE,
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
    Table,
    Unknown,
    Value,
    flows_of,
    join,
    options,
)
from modelscan_plus.formats.text.python.library_names import joined_name


def named(call: Call, holder: Value, name: Value | None) -> Value | None:
    """`getattr(holder, name)`."""
    if name is None:
        return None
    found: list[Value] = []
    for text in [*texts.texts(name), *_fitting(holder, name)]:
        value = call.attribute(holder, text)
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


def _getattr(call: Call) -> Value | None:
    if len(call.given) < 2:
        return None
    found = named(call, call.given[0], call.given[1])
    if found is None:
        for option in options(call.given[0]):
            if isinstance(option, Instance):
                call.touch(option, ("__getattribute__", "__getattr__"), [call.given[1]])
            if isinstance(option, Outer):
                return Outer(joined_name(option.dotted, "…"), option.flows)
        return Unknown(flows_of(call.given[0]) | flows_of(call.given[1]))
    return join((found, call.given[2])) if len(call.given) > 2 and not isinstance(call.given[2], Known) else found


def _setattr(call: Call) -> Value | None:
    if len(call.given) < 3:
        return NONE
    names = list(texts.texts(call.given[1]))
    if not names:  # any attribute may be meant
        names = [name for name, _ in _named_in(call.given[0])][:50]
        call.machine.branching += 1
    for name in names:
        objects.store(call.machine, call.given[0], name, call.given[2], call.node, call.scope)
    call.machine.branching -= 0 if any(texts.texts(call.given[1])) else 1
    return NONE


def _object_getattribute(call: Call) -> Value | None:
    if call.given and isinstance(call.given[0], Instance):
        name = next(texts.texts(call.given[1]), "") if len(call.given) > 1 else ""
        return call.given[0].attributes.get(name) or call.given[0].cls.find(name)
    return named(call, call.given[0], call.given[1]) if len(call.given) > 1 else None


def _isinstance(call: Call) -> Value | None:
    for value in call.given[1:2]:
        for option in options(value):
            for each in option.items if isinstance(option, Items) else [option]:
                call.touch(each, ("__instancecheck__", "__subclasscheck__", "__subclasshook__"), [call.given[0]])
                if isinstance(each, Class) and (own := each.find("__subclasshook__")) is not None:
                    call.run(own if isinstance(own, Bound) else Bound(own, each), [UNKNOWN])
    return UNKNOWN


def _partial(call: Call) -> Value | None:
    if not call.given:
        return None
    return join(
        [Partial(option, tuple(call.given[1:]), tuple(call.keywords.items())) for option in options(call.given[0])]
    )


def _partial_method(call: Call) -> Value | None:
    return Partial(Outer("functools.partialmethod"), tuple(call.given), tuple(call.keywords.items()))


def _getter(kind: str) -> Model:
    def model(call: Call) -> Value | None:
        return Partial(Outer(f"operator.{kind}()"), tuple(call.given), tuple(call.keywords.items()))

    return model


def _got_attribute(call: Call) -> Value | None:
    """`operator.attrgetter(names…)(value)`."""
    if len(call.given) < 2:
        return None
    found: list[Value] = []
    for each in call.given[:-1]:
        for dotted in texts.texts(each):
            value: Value = call.given[-1]
            for name in dotted.split("."):
                value = named(call, value, Known(name)) or UNKNOWN
            found.append(value)
    return found[0] if len(found) == 1 else Items(found)


def _got_item(call: Call) -> Value | None:
    found = [elements.item(call.machine, call.given[-1], key, call.node, call.scope) for key in call.given[:-1]]
    return found[0] if len(found) == 1 else Items(found)


def _called_method(call: Call) -> Value | None:
    """`operator.methodcaller(name, …)(value)`."""
    if len(call.given) < 2:
        return None
    found = named(call, call.given[-1], call.given[0])
    return call.run(found, call.given[1:-1], call.keywords) if found is not None else None


def _call(call: Call) -> Value | None:
    """`operator.call(function, …)`, and what else calls its first argument with the others."""
    return call.run(call.given[0], call.given[1:], call.keywords) if call.given else None


def _type(call: Call) -> Value | None:
    if len(call.given) >= 3:
        bases = call.given[1].items if isinstance(call.given[1], Items) else []
        names: dict[str, Value] = {}
        for option in options(call.given[2]):
            if isinstance(option, Table):
                names |= {key: value for key, value in option.items.items() if isinstance(key, str)}
        name = next(texts.texts(call.given[0]), "?")
        metaclass = next(
            (each.metaclass for base in bases for each in options(base) if isinstance(each, Class) and each.metaclass),
            None,
        )
        made = Class(name, list(bases), names, call.scope.module, metaclass)
        for value in names.values():
            if isinstance(value, Function) and value.owner is None:
                value.owner = made
        classes.finish(call.machine, made, call.keywords, call.node, call.scope)
        return made
    given = [option for value in call.given[:1] for option in options(value)]
    found: list[Value] = [option.cls for option in given if isinstance(option, Instance)]
    found += [FUNCTION_TYPE for option in given if isinstance(option, Function)]
    return join(found) if found else None


def _new_class(call: Call) -> Value | None:
    names = Table({})
    if len(call.given) > 3:
        call.run(call.given[3], [names])
    bases = call.given[1] if len(call.given) > 1 else Items([])
    return _type(call.of([call.given[0], bases, names])) if call.given else None


def _bound(call: Call) -> Value | None:
    """`types.MethodType(function, object)`."""
    return Bound(call.given[0], call.given[1]) if len(call.given) > 1 else None


def _names(call: Call) -> Value | None:
    """`globals()`, `locals()`, `vars(x)`."""
    if not call.given:
        return tables.view(call.scope.names if call.scope.kind != "function" else call.scope.module.names)
    return call.attribute(call.given[0], "__dict__")


def _locals(call: Call) -> Value | None:
    return tables.view(call.scope.names)


def _namespace(call: Call) -> Value | None:
    """`types.SimpleNamespace(…)`."""
    return Instance(Class("SimpleNamespace", [], {}, call.scope.module), dict(call.keywords))


def _finalize(call: Call) -> Value | None:
    """`weakref.finalize(object, function, …)`."""
    return call.run(call.given[1], call.given[2:], call.keywords) if len(call.given) > 1 else None


def _timer(call: Call) -> Value | None:
    """`threading.Timer(seconds, function, arguments)`."""
    function = call.given[1] if len(call.given) > 1 else call.keywords.get("function")
    held = call.given[2] if len(call.given) > 2 else call.keywords.get("args")
    if function is not None:
        call.run(function, held.items if isinstance(held, Items) else [])
    return UNKNOWN


def _property(call: Call) -> Value | None:
    """`property(getter, setter)`."""
    getter = call.given[0] if call.given else call.keywords.get("fget", NONE)
    setter = call.given[1] if len(call.given) > 1 else call.keywords.get("fset")
    if not isinstance(getter, Function):
        return None
    made = Function(getter.node, getter.scope, getter.defaults, getter.keyword_defaults, getter.owner, role="property")
    if setter is not None:
        made.attributes["setter"] = setter
    return made


def _members(call: Call) -> Value | None:
    """`inspect.getmembers(module)`."""
    return Items([Items([Known(name), value]) for each in call.given[:1] for name, value in _named_in(each)])


def _dir(call: Call) -> Value | None:
    made = [call.touch(value, ("__dir__",)) for value in call.given]
    names: list[Value] = [Known(name) for each in call.given[:1] for name, _ in _named_in(each)]
    return Items(names) if names else next((each for each in made if each is not None), None)


def _named_in(value: Value) -> list[tuple[str, Value]]:
    found: list[tuple[str, Value]] = []
    for option in options(value):
        if isinstance(option, (Module, Class)):
            found += option.names.items()
        elif isinstance(option, Instance):
            found += [*option.attributes.items(), *option.cls.names.items()]
    return found


def _tests(call: Call) -> Value | None:
    """`unittest.main()`: the tests of the module run."""
    for value in list(call.scope.module.names.values()):
        if isinstance(value, Class) and any(base.dotted.startswith("unittest.") for base in value.outer_bases()):
            classes.expose_class(call.machine, value, call.node, call.scope)
    return UNKNOWN


def _namedtuple(call: Call) -> Value | None:
    fields: list[str] = []
    for option in options(call.given[1]) if len(call.given) > 1 else ():
        if isinstance(option, Items):
            fields += [name for item in option.items for name in texts.texts(item)]
        fields += [name for text in texts.texts(option) for name in text.replace(",", " ").split()]
    return Class(
        next(texts.texts(call.given[0]), "?") if call.given else "?",
        [],
        {f"§{name}": NONE for name in fields},
        call.scope.module,
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
    "operator.getitem": lambda call: _got_item(call.of(call.given[::-1])),
    "operator.__getitem__": lambda call: _got_item(call.of(call.given[::-1])),
    "operator.__call__": _call, "imageio_ffmpeg.get_ffmpeg_exe": lambda call: Unknown(about="ffmpeg"),
}  # fmt: skip
MODELS |= iteration.MODELS | importing.MODELS | texts.MODELS
