"""What functions of Python and its libraries do with the values of a program: call them, hand them on, look names up."""

import ast
import binascii
import zlib
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from modelscan_plus.formats.text.python.accounts import ELSEWHERE
from modelscan_plus.formats.text.python.constants import DECODERS, FUNCTIONS, Constant, NotConstant
from modelscan_plus.formats.text.python.follow import (
    containers,
    elements,
    expressions,
    functions,
    objects,
    paths,
    texts,
)
from modelscan_plus.formats.text.python.follow.modelled import Call, Model
from modelscan_plus.formats.text.python.follow.values import (
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
from modelscan_plus.formats.text.python.sinks import OBJECTS, kind_of

if TYPE_CHECKING:
    from modelscan_plus.formats.text.python.follow.machine import Machine
_FAILURES = (
    ValueError, TypeError, OverflowError, LookupError, binascii.Error, zlib.error, OSError, EOFError, SyntaxError,
    MemoryError, RecursionError, AttributeError, NotConstant,
)  # fmt: skip
_IDENTITIES = frozenset(
    """builtins.staticmethod builtins.classmethod functools.lru_cache functools.cache functools.wraps functools.singledispatch
    functools.total_ordering contextlib.contextmanager contextlib.asynccontextmanager typing.cast types.coroutine
    dataclasses.dataclass typing.final typing.overload builtins.property functools.update_wrapper copy.copy copy.deepcopy
    builtins.iter builtins.aiter asyncio.run asyncio.ensure_future asyncio.create_task asyncio.gather
    contextlib.nullcontext weakref.ref weakref.proxy typing.runtime_checkable types.MappingProxyType""".split()
)
"""Functions that give what they are given, as far as calls are concerned."""
_DECORATORS = frozenset(
    """functools.lru_cache functools.wraps contextlib.contextmanager dataclasses.dataclass functools.cache
    functools.singledispatch""".split()
)


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
    model = functions.MODELS.get(dotted) or _general(dotted)
    if model is not None:
        made = model(Call(machine, arguments, keywords, node, scope))
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
        return lambda call: functions.named(call, Outer(base), next(iter(call.given), None))
    if dotted.endswith((".__getattribute__", ".__getattr__")) and not dotted.startswith("builtins."):
        base = dotted.rpartition(".__")[0]
        return lambda call: functions.named(call, Outer(base), next(iter(call.given), None))
    if dotted.startswith(("builtins.dict.", "builtins.list.")):
        return lambda call: _of_class(call, dotted)
    return None


def _of_class(call: Call, dotted: str) -> Value | None:
    """`dict.__getitem__(object, key)`."""
    first = call.given[0] if call.given else UNKNOWN
    held = first.held if isinstance(first, Instance) else first
    if not isinstance(held, (Items, Table)):
        return None
    name = dotted.rpartition(".")[2]
    return containers.method(call.machine, held, name, call.given[1:], call.keywords, call.node, call.scope)


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
    except _FAILURES:
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
    if dotted == "functools.wraps":
        return Outer("typing.cast")  # what it is given next comes back
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
        given, _ = elements.items(machine, arguments[0], node, scope)
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
    if isinstance(function, Unknown) and ELSEWHERE in function.flows:
        machine.program.emitter.called(machine, function, arguments, keywords, node, scope)
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
    if isinstance(value, Bound) and isinstance(value.function, Outer):  # self.size, of a class that is not here
        return kind_of(value.function.dotted) is not None
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
