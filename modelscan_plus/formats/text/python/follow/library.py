"""What functions of Python and its libraries do with the values of a program: call them, hand them on, look names up."""

import ast
import binascii
import zlib
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

from modelscan_plus.formats.text.python.constants import DECODERS, FUNCTIONS, Constant, NotConstant
from modelscan_plus.formats.text.python.follow import containers, expressions, importing, objects, paths, texts
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
    Method,
    Module,
    Outer,
    Partial,
    Patchwork,
    Scope,
    Table,
    Unknown,
    Value,
    about,
    constant,
    flows_of,
    join,
    lifted,
    options,
    patchwork,
    with_flows,
)
from modelscan_plus.formats.text.python.names import joined_name
from modelscan_plus.formats.text.python.sinks import OBJECTS, kind_of

if TYPE_CHECKING:
    from modelscan_plus.formats.text.python.follow.machine import Machine

Model = Callable[["Machine", Sequence[Value], Mapping[str, Value], ast.AST, Scope], Value | None]
"""What a function gives; None where it is treated like any other."""
FAILURES = (
    ValueError, TypeError, OverflowError, LookupError, binascii.Error, zlib.error, OSError, EOFError, SyntaxError,
    MemoryError, RecursionError, AttributeError, NotConstant,
)  # fmt: skip
_IDENTITIES = frozenset(
    """builtins.staticmethod builtins.classmethod functools.lru_cache functools.cache functools.wraps functools.singledispatch
    functools.total_ordering contextlib.contextmanager contextlib.asynccontextmanager typing.cast types.coroutine
    dataclasses.dataclass typing.final typing.overload builtins.property functools.update_wrapper copy.copy copy.deepcopy
    builtins.iter builtins.aiter asyncio.run asyncio.ensure_future asyncio.create_task asyncio.gather contextlib.closing
    contextlib.nullcontext weakref.ref weakref.proxy typing.runtime_checkable types.MappingProxyType""".split()
)
"""Functions that give what they are given, as far as calls are concerned."""
_DECORATORS = frozenset(
    """functools.lru_cache functools.wraps contextlib.contextmanager dataclasses.dataclass functools.cache
    functools.singledispatch""".split()
)
_LATER = frozenset("args kwargs target".split())


def call(
    machine: "Machine",
    function: Outer,
    arguments: Sequence[Value],
    keywords: Mapping[str, Value],
    node: ast.AST,
    scope: Scope,
) -> Value:
    """What calling a function of a library gives."""
    dotted = function.dotted
    flows = machine.program.emitter.called(machine, function, arguments, keywords, node, scope)
    model = MODELS.get(dotted) or _general(dotted)
    if model is not None:
        made = model(machine, arguments, keywords, node, scope)
        if made is not None:
            return with_flows(made, flows) if isinstance(made, Unknown) else made
    folded = _folded(dotted, arguments, flows) or paths.of_call(dotted, arguments)
    if folded is not None:
        return folded
    if dotted in _IDENTITIES:
        return _identity(machine, dotted, arguments, keywords, node, scope)
    hand_over(machine, arguments, keywords, node, scope, driven=dotted.partition(".")[0] in objects.DRIVES)
    if dotted in OBJECTS:
        return Outer(f"{dotted}()", flows)
    return Unknown(flows, about([*arguments, *keywords.values()]))


def _general(dotted: str) -> Model | None:
    if dotted.endswith((".__dict__.get", ".__dict__.__getitem__", ".__dict__.pop")):
        base = dotted.rpartition(".__dict__")[0]
        return lambda machine, given, _k, node, scope: _named(machine, Outer(base), given[:1], node, scope)
    if dotted.endswith((".__getattribute__", ".__getattr__")) and not dotted.startswith("builtins."):
        base = dotted.rpartition(".__")[0]
        return lambda machine, given, _k, node, scope: _named(machine, Outer(base), given[:1], node, scope)
    if dotted.startswith("operator."):
        return _OPERATORS.get(dotted)
    return None


def _folded(dotted: str, arguments: Sequence[Value], flows: frozenset[str]) -> Value | None:
    """The result where everything is constant; the known part of a path."""
    known = FUNCTIONS.get(dotted)
    if known is None or dotted in ("builtins.map", "builtins.iter"):
        return None
    if dotted in DECODERS and dotted not in (
        "builtins.bytes",
        "builtins.bytearray",
        "builtins.chr",
        "builtins.reversed",
    ):
        flows |= {"decoded"}
    try:
        made: Constant = known([constant(value) for value in arguments])
    except FAILURES:
        if dotted in ("os.path.join", "pathlib.Path", "pathlib.PurePath"):
            return patchwork(arguments, "/")
        return paths.of_call(dotted, arguments)
    return lifted(made, flows)


def _identity(
    machine: "Machine",
    dotted: str,
    arguments: Sequence[Value],
    keywords: Mapping[str, Value],
    node: ast.AST,
    scope: Scope,
) -> Value:
    if dotted in _DECORATORS and not any(
        isinstance(option, (Function, Class)) for each in arguments[:1] for option in options(each)
    ):
        return Outer("typing.cast")  # a decorator with arguments: what it is given next comes back
    for value in arguments:
        for option in options(value):
            if isinstance(option, Instance) and dotted.startswith(("copy.", "asyncio.", "builtins.")):
                objects.expose(machine, option, node, scope)
    if dotted.startswith("weakref."):
        hand_over(machine, arguments[1:], keywords, node, scope)
    if dotted == "typing.cast":
        return arguments[-1] if arguments else UNKNOWN
    if dotted in ("functools.update_wrapper",) and arguments:
        return arguments[0]
    return arguments[0] if arguments else UNKNOWN


def call_method(
    machine: "Machine",
    method: Method,
    arguments: Sequence[Value],
    keywords: Mapping[str, Value],
    node: ast.AST,
    scope: Scope,
) -> Value:
    """What calling a method of something that is no object of the program's classes gives."""
    results: list[Value] = []
    for receiver in options(method.receiver):
        if isinstance(receiver, (Items, Table)):
            made = containers.method(machine, receiver, method.name, arguments, keywords, node, scope)
            if made is not None:
                results.append(made)
                continue
        if isinstance(receiver, (Function, Bound, Partial)) and method.name in ("__get__", "__call__"):
            results.append(Bound(receiver, arguments[0]) if method.name == "__get__" and arguments else
                           machine.call(receiver, arguments, keywords, node, scope))  # fmt: skip
            continue
        if isinstance(receiver, Function):
            called = method.name != "register"  # main.callback(), task.delay(…)
            results.append(
                machine.call(receiver, arguments, keywords, node, scope) if called else _registered(receiver, arguments)
            )
            continue
        if isinstance(receiver, (Known, Patchwork)):
            made = _of_text(machine, receiver, method.name, arguments, keywords, node, scope)
            if made is not None:
                results.append(made)
                continue
        results.append(_of_anything(machine, Method(receiver, method.name), arguments, keywords, node, scope))
    return join(results)


def _registered(function: Function, arguments: Sequence[Value]) -> Value:
    """`f.register(int)`, `f.register(int, g)`: functions that may run in place of `f`."""
    given = [option for value in arguments for option in options(value) if isinstance(option, Function)]
    function.others += given
    return given[-1] if given else Method(function, "register")


def _of_anything(
    machine: "Machine",
    method: Method,
    arguments: Sequence[Value],
    keywords: Mapping[str, Value],
    node: ast.AST,
    scope: Scope,
) -> Value:
    flows = machine.program.emitter.called(machine, method, arguments, keywords, node, scope)
    if method.name == "load_module" or method.name == "exec_module":
        found = [option for each in arguments for option in options(each) if isinstance(option, Module)]
        if found:
            return found[0]
    if method.name in ("query", "eval"):
        texts.queried(machine, arguments, node, scope)
    hand_over(machine, arguments, keywords, node, scope)
    return Unknown(flows, about([method.receiver, *arguments]))


def _of_text(
    machine: "Machine", receiver: Known | Patchwork, name: str, arguments: Sequence[Value], keywords: Mapping[str, Value],
    node: ast.AST, scope: Scope,
) -> Value | None:  # fmt: skip
    flows = flows_of(receiver).union(*map(flows_of, arguments), *map(flows_of, keywords.values()))
    if isinstance(receiver, Known):
        try:
            names: dict[str, Constant] = {"a": receiver.value}
            names |= {f"b{number}": constant(value) for number, value in enumerate(arguments)}
            names |= {f"c{key}": constant(value) for key, value in keywords.items()}
            made = expressions.folded(
                ast.Call(
                    ast.Attribute(ast.Name("a"), name),
                    [ast.Name(f"b{number}") for number in range(len(arguments))],
                    [ast.keyword(key, ast.Name(f"c{key}")) for key in keywords],
                ),
                **names,
            )
            return lifted(made, flows)
        except NotConstant:
            pass
    if (path := paths.of_method(receiver, name, arguments)) is not None:
        return path
    if name == "join" and arguments:
        given, _ = objects.items(machine, arguments[0], node, scope)
        return patchwork(given[:500], str(receiver.value) if isinstance(receiver, Known) else "")
    if name == "format":
        for value in [*arguments, *keywords.values()]:
            objects.touch(machine, value, ("__format__", "__str__", "__repr__"), [], node, scope)
        return with_flows(patchwork((receiver, *arguments, *keywords.values()), " "), flows)
    if name in ("decode", "encode", "strip", "lower", "upper", "replace", "format_map", "rstrip", "lstrip"):
        return with_flows(receiver, flows)
    return None


def call_unknown(
    machine: "Machine",
    function: Value,
    arguments: Sequence[Value],
    keywords: Mapping[str, Value],
    node: ast.AST,
    scope: Scope,
) -> Value:
    """What calling something unknown gives; it gets its arguments all the same."""
    hand_over(machine, arguments, keywords, node, scope)
    flows = flows_of(function).union(*map(flows_of, arguments), *map(flows_of, keywords.values()))
    return Unknown(flows)


def hand_over(
    machine: "Machine",
    arguments: Sequence[Value],
    keywords: Mapping[str, Value],
    node: ast.AST,
    scope: Scope,
    *,
    driven: bool = False,
) -> None:
    """Functions among the arguments are called, with the arguments behind them or those given as `args`."""
    passed = _passed(keywords)
    for place, value in enumerate(
        [*arguments, *(each for name, each in keywords.items() if name not in ("args", "kwargs"))]
    ):
        for option in options(value):
            if not _is_callable(option):
                machine.hand_over(option, node, scope, driven=driven)
                continue
            rest = list(arguments[place + 1 :]) if place < len(arguments) else []
            given = passed if passed is not None else rest
            if isinstance(option, (Outer, Method)) and not given:
                continue
            if not given:
                machine.hand_over(option, node, scope)
                continue
            machine.call(option, given, {}, node, scope)
            inner = [
                item
                for each in given[:3]
                for choice in options(each)
                if isinstance(choice, Items)
                for item in choice.items[:20]
            ]
            for item in inner:
                machine.call(option, [item], {}, node, scope)
            if len(inner) > 1:
                machine.call(option, inner, {}, node, scope)


def _is_callable(value: Value) -> bool:
    if isinstance(value, Outer):
        return kind_of(value.dotted) is not None and value.dotted not in _TYPES
    if isinstance(value, Method):
        return isinstance(value.receiver, (Outer, Unknown)) and kind_of(value.name) is not None
    return isinstance(value, (Function, Bound, Partial))


_TYPES = frozenset(
    "subprocess.Popen ctypes.CDLL types.FunctionType types.CodeType pickle.Unpickler timeit.Timer".split()
)
"""Classes: given to a function, they are mostly compared with."""


def _passed(keywords: Mapping[str, Value]) -> list[Value] | None:
    """What `args=` holds."""
    value = keywords.get("args")
    if value is None:
        return None
    return [item for option in options(value) if isinstance(option, Items) for item in option.items[:20]]


# ---- functions that are known


def _named(machine: "Machine", holder: Value, given: Sequence[Value], node: ast.AST, scope: Scope) -> Value | None:
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
    found = _named(machine, given[0], given[1:2], node, scope)
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
    return _named(machine, given[0], given[1:2], node, scope) if len(given) > 1 else None


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
                value = _named(machine, value, [Known(name)], node, scope) or UNKNOWN
            found.append(value)
    return found[0] if len(found) == 1 else Items(found)


def _got_item(
    machine: "Machine", given: Sequence[Value], keywords: Mapping[str, Value], node: ast.AST, scope: Scope
) -> Value | None:
    found = [objects.item(machine, given[-1], key, node, scope) for key in given[:-1]]
    return found[0] if len(found) == 1 else Items(found)


def _called_method(
    machine: "Machine", given: Sequence[Value], keywords: Mapping[str, Value], node: ast.AST, scope: Scope
) -> Value | None:
    """`operator.methodcaller(name, …)(value)`."""
    if len(given) < 2:
        return None
    found = _named(machine, given[-1], given[:1], node, scope)
    return machine.call(found, given[1:-1], keywords, node, scope) if found is not None else None


def _call(
    machine: "Machine", given: Sequence[Value], keywords: Mapping[str, Value], node: ast.AST, scope: Scope
) -> Value | None:
    """`operator.call(function, …)`, and what else calls its first argument with the others."""
    return machine.call(given[0], given[1:], keywords, node, scope) if given else None


def _operator(name: str) -> Model:
    def model(
        machine: "Machine", given: Sequence[Value], keywords: Mapping[str, Value], node: ast.AST, scope: Scope
    ) -> Value | None:
        plain = (
            name.strip("_").removeprefix("i")
            if name.startswith("i") and name not in ("inv", "invert", "index")
            else name.strip("_")
        )
        made = [objects.touch(machine, value, (f"__{name.strip('_')}__", f"__{plain}__", f"__r{plain}__"), given[1:], node, scope)
                for value in given[:2]]  # fmt: skip
        found = [each for each in made if each is not None]
        if name in ("add", "concat", "iadd", "iconcat") and len(given) > 1 and not found:
            return expressions.binary(machine, ast.Add(), given[0], given[1], node, scope)
        return join(found) if found else None

    return model


def _reduce(
    machine: "Machine", given: Sequence[Value], keywords: Mapping[str, Value], node: ast.AST, scope: Scope
) -> Value | None:
    if len(given) < 2:
        return None
    found, _ = objects.items(machine, given[1], node, scope)
    values = [*given[2:3], *found]
    if not values:
        return None
    result = values[0]
    for value in values[1:200]:
        result = machine.call(given[0], [result, value], {}, node, scope)
    return result


def _map(
    machine: "Machine", given: Sequence[Value], keywords: Mapping[str, Value], node: ast.AST, scope: Scope
) -> Value | None:
    """`map(f, a, b)`, and what else calls its first argument with the items of the others."""
    if not given:
        return None
    columns = [objects.items(machine, value, node, scope)[0] for value in given[1:]] or [[UNKNOWN]]
    longest = max(map(len, columns), default=0)
    results: list[Value] = []
    for number in range(min(longest, 500) if machine.room > 20_000 else 1):
        row = [column[min(number, len(column) - 1)] if column else UNKNOWN for column in columns]
        results.append(machine.call(given[0], row, {}, node, scope))
    return Items(results)


def _starmap(
    machine: "Machine", given: Sequence[Value], keywords: Mapping[str, Value], node: ast.AST, scope: Scope
) -> Value | None:
    if len(given) < 2:
        return None
    rows = [
        objects.items(machine, row, node, scope)[0] for row in objects.items(machine, given[1], node, scope)[0][:200]
    ]
    return Items([machine.call(given[0], row, {}, node, scope) for row in rows])


def _filter(
    machine: "Machine", given: Sequence[Value], keywords: Mapping[str, Value], node: ast.AST, scope: Scope
) -> Value | None:
    if len(given) < 2:
        return None
    found, _ = objects.items(machine, given[1], node, scope)
    for value in found[:200]:
        objects.touch(machine, value, ("__bool__", "__len__"), [], node, scope)
        if given[0] != NONE:
            machine.call(given[0], [value], {}, node, scope)
    return Items(found)


def _ordered(
    machine: "Machine", given: Sequence[Value], keywords: Mapping[str, Value], node: ast.AST, scope: Scope
) -> Value | None:
    """`sorted`, `max`, `min`, and their `key`."""
    found = objects.items(machine, given[0], node, scope)[0] if len(given) == 1 else list(given)
    if "key" in keywords and keywords["key"] != NONE:
        for value in found[:200]:
            machine.call(keywords["key"], [value], {}, node, scope)
    for value in found[:50]:
        objects.touch(machine, value, ("__lt__", "__gt__"), [UNKNOWN], node, scope)
    return Items(found)


def _extreme(
    machine: "Machine", given: Sequence[Value], keywords: Mapping[str, Value], node: ast.AST, scope: Scope
) -> Value | None:
    found = _ordered(machine, given, keywords, node, scope)
    return join(found.items) if isinstance(found, Items) and found.items else UNKNOWN


def _listed(
    machine: "Machine", given: Sequence[Value], keywords: Mapping[str, Value], node: ast.AST, scope: Scope
) -> Value | None:
    """`list`, `tuple`, `set`, `any`, `sum` and what else goes through its argument."""
    if not given:
        return Items([])
    found, whole = objects.items(machine, given[0], node, scope)
    for value in found[:50]:
        objects.touch(machine, value, ("__bool__", "__len__", "__hash__"), [], node, scope)
    if not whole and all(isinstance(value, Unknown) for value in found):
        return Unknown(flows_of(given[0]) | machine.program.emitter.origins(given[0]))
    return Items(found)


def _spread(
    machine: "Machine", given: Sequence[Value], keywords: Mapping[str, Value], node: ast.AST, scope: Scope
) -> Value | None:
    """`torch.nn.Sequential(a, b)`."""
    return Items(list(given))


def _next(
    machine: "Machine", given: Sequence[Value], keywords: Mapping[str, Value], node: ast.AST, scope: Scope
) -> Value | None:
    if not given:
        return None
    made = objects.touch(machine, given[0], ("__next__", "__anext__"), [], node, scope)
    if made is not None:
        return made
    found, _ = objects.items(machine, given[0], node, scope)
    return join([*found[:50], *given[1:2]] or [UNKNOWN])


def _zip(
    machine: "Machine", given: Sequence[Value], keywords: Mapping[str, Value], node: ast.AST, scope: Scope
) -> Value | None:
    columns = [objects.items(machine, value, node, scope)[0] for value in given]
    if not columns:
        return Items([])
    return Items([Items(list(row)) for row in zip(*columns, strict=False)])


def _enumerate(
    machine: "Machine", given: Sequence[Value], keywords: Mapping[str, Value], node: ast.AST, scope: Scope
) -> Value | None:
    found = objects.items(machine, given[0], node, scope)[0] if given else []
    return Items([Items([Known(number), value]) for number, value in enumerate(found)])


def _reversed(
    machine: "Machine", given: Sequence[Value], keywords: Mapping[str, Value], node: ast.AST, scope: Scope
) -> Value | None:
    if not given or isinstance(given[0], Known):
        return None
    made = objects.touch(machine, given[0], ("__reversed__",), [], node, scope)
    return made or Items(objects.items(machine, given[0], node, scope)[0][::-1])


def _touching(*names: str) -> Model:
    """A function that calls one of these methods of what it is given."""

    def model(
        machine: "Machine", given: Sequence[Value], keywords: Mapping[str, Value], node: ast.AST, scope: Scope
    ) -> Value | None:
        made = [objects.touch(machine, value, names, [], node, scope) for value in given]
        found = [each for each in made if each is not None]
        return join(found) if found else None

    return model


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
        return objects.view(scope.names if scope.kind != "function" else scope.module.names)
    return objects.attribute(machine, given[0], "__dict__", node, scope)


def _locals(
    machine: "Machine", given: Sequence[Value], keywords: Mapping[str, Value], node: ast.AST, scope: Scope
) -> Value | None:
    return objects.view(scope.names)


def _namespace(
    machine: "Machine", given: Sequence[Value], keywords: Mapping[str, Value], node: ast.AST, scope: Scope
) -> Value | None:
    """`types.SimpleNamespace(…)`."""
    return Instance(Class("SimpleNamespace", [], {}, scope.module), dict(keywords))


def _dict(
    machine: "Machine", given: Sequence[Value], keywords: Mapping[str, Value], node: ast.AST, scope: Scope
) -> Value | None:
    made = Table(dict(keywords.items()))
    for value in given[-1:]:
        for option in options(value):
            if isinstance(option, Table):
                made.items |= option.items
                made.others += option.others
            elif isinstance(option, Items):
                for row in option.items[:500]:
                    if isinstance(row, Items) and len(row.items) == 2:
                        objects.put_in_table(made, row.items[0], row.items[1])
            elif isinstance(option, (Function, Class, Partial, Bound)):
                made.others.append(machine.call(option, [], {}, node, scope))  # defaultdict
            else:
                objects.touch(machine, option, ("keys", "__iter__"), [], node, scope)
                objects.touch(machine, option, ("__getitem__",), [UNKNOWN], node, scope)
                flows = flows_of(option) | machine.program.emitter.origins(option)
                made.others += [Unknown(flows)] if flows else []
    return made


def _print(
    machine: "Machine", given: Sequence[Value], keywords: Mapping[str, Value], node: ast.AST, scope: Scope
) -> Value | None:
    for value in given:
        objects.touch(machine, value, ("__str__", "__repr__"), [], node, scope)
    objects.touch(machine, keywords.get("file", NONE), ("write", "flush"), [UNKNOWN], node, scope)
    return NONE


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


def _iter(
    machine: "Machine", given: Sequence[Value], keywords: Mapping[str, Value], node: ast.AST, scope: Scope
) -> Value | None:
    """`iter(function, end)`."""
    return Items([machine.call(given[0], [], {}, node, scope)]) if len(given) > 1 else None


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


def _sum(
    machine: "Machine", given: Sequence[Value], keywords: Mapping[str, Value], node: ast.AST, scope: Scope
) -> Value | None:
    for value in objects.items(machine, given[0], node, scope)[0][:50] if given else ():
        objects.touch(machine, value, ("__radd__", "__add__"), [UNKNOWN], node, scope)
    return None


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


_OPERATORS: dict[str, Model] = {
    f"operator.{form}": _operator(name)
    for name in """add sub mul matmul truediv floordiv mod pow lshift rshift and or xor concat eq ne lt le gt ge neg pos
    invert inv index not truth contains iadd isub imul imatmul itruediv ifloordiv imod ipow ilshift irshift iand ior
    ixor iconcat length_hint""".split()
    for form in (name, f"{name}_", f"__{name}__")
} | {
    "operator.attrgetter": _getter("attrgetter"), "operator.itemgetter": _getter("itemgetter"),
    "operator.methodcaller": _getter("methodcaller"), "operator.attrgetter()": _got_attribute,
    "operator.itemgetter()": _got_item, "operator.methodcaller()": _called_method, "operator.call": _call,
    "operator.getitem": lambda machine, given, keywords, node, scope: _got_item(machine, given[::-1], keywords, node, scope),
    "operator.__getitem__": lambda machine, given, keywords, node, scope: _got_item(machine, given[::-1], keywords, node, scope),
    "operator.__call__": _call,
}  # fmt: skip
MODELS: dict[str, Model] = {
    "builtins.getattr": _getattr, "inspect.getattr_static": _getattr, "builtins.setattr": _setattr,
    "builtins.object.__getattribute__": _object_getattribute, "builtins.type.__getattribute__": _object_getattribute,
    "builtins.object.__setattr__": _setattr, "builtins.hasattr": _getattr,
    "builtins.isinstance": _isinstance, "builtins.issubclass": _isinstance,
    "functools.partial": _partial, "functools.partialmethod": _partial_method, "functools.reduce": _reduce,
    "builtins.map": _map, "itertools.starmap": _starmap, "builtins.filter": _filter, "itertools.filterfalse": _filter,
    "itertools.takewhile": _filter, "itertools.dropwhile": _filter, "builtins.sorted": _ordered,
    "builtins.max": _extreme, "builtins.min": _extreme, "heapq.nlargest": _ordered,
    "builtins.list": _listed, "builtins.tuple": _listed, "builtins.set": _listed, "builtins.frozenset": _listed,
    "builtins.any": _listed, "builtins.all": _listed, "builtins.sum": _sum, "collections.deque": _listed,
    "itertools.chain": _listed, "torch.nn.ModuleList": _listed, "torch.nn.Sequential": _spread,
    "torch.nn.ModuleDict": _dict, "builtins.next": _next, "builtins.anext": _next, "builtins.zip": _zip,
    "builtins.enumerate": _enumerate, "builtins.reversed": _reversed,
    "builtins.len": _touching("__len__"), "builtins.repr": _touching("__repr__", "__str__"),
    "builtins.str": _touching("__str__", "__repr__"), "builtins.format": _touching("__format__", "__str__"),
    "builtins.ascii": _touching("__repr__"), "builtins.hash": _touching("__hash__"),
    "builtins.bool": _touching("__bool__", "__len__"), "builtins.int": _touching("__int__", "__index__", "__trunc__"),
    "builtins.float": _touching("__float__", "__index__"), "builtins.complex": _touching("__complex__", "__float__"),
    "builtins.bytes": _touching("__bytes__", "__iter__", "__index__"), "builtins.abs": _touching("__abs__"),
    "builtins.round": _touching("__round__"), "builtins.divmod": _operator("divmod"), "builtins.pow": _operator("pow"),
    "builtins.dir": _dir, "inspect.getmembers": _members, "builtins.iter": _iter, "builtins.property": _property, "math.floor": _touching("__floor__", "__float__"),
    "math.ceil": _touching("__ceil__", "__float__"), "math.trunc": _touching("__trunc__"),
    "builtins.range": _touching("__index__"), "builtins.hex": _touching("__index__"), "builtins.bin": _touching("__index__"),
    "builtins.oct": _touching("__index__"), "builtins.chr": _touching("__index__"), "os.fspath": _touching("__fspath__"),
    "builtins.type": _type, "types.new_class": _new_class, "types.MethodType": _bound,
    "builtins.globals": _names, "builtins.vars": _names, "builtins.locals": _locals,
    "types.SimpleNamespace": _namespace, "builtins.dict": _dict, "collections.OrderedDict": _dict,
    "collections.defaultdict": _dict, "collections.ChainMap": _dict, "builtins.print": _print,
    "weakref.finalize": _finalize, "threading.Timer": _timer, "collections.namedtuple": _namedtuple,
}  # fmt: skip
MODELS |= importing.MODELS
MODELS |= texts.MODELS
