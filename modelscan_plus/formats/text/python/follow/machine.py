"""The means to follow a program: calls, branches, and bounds for all of it."""

import ast
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING

from modelscan_plus.core.limits import Budget
from modelscan_plus.formats.text.python.follow import classes, expressions, library, objects, statements
from modelscan_plus.formats.text.python.follow.values import (
    NONE,
    UNKNOWN,
    Bound,
    Class,
    Either,
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
    Unknown,
    Value,
    flows_of,
    identity,
    join,
    merged,
    options,
    within,
)
from modelscan_plus.formats.text.python.handed import REQUEST
from modelscan_plus.formats.text.python.sinks import GIVEN_NAMES
from modelscan_plus.formats.text.python.walk import walk

if TYPE_CHECKING:
    from modelscan_plus.formats.text.python.follow.program import Program

STEPS = 250_000
"""Expressions and statements that are gone through for one file that is imported or one function that is called."""
_DEEPEST = 60
"""Calls inside of calls."""
_AGAIN = 4
"""Calls of a function inside of itself that are followed with the texts and numbers that they give."""
_TEXT_STEP, _ITEMS_STEP, _NAMES_STEP = 1_000, 100, 100
"""Characters and items that are made, and names that are gone through, for the cost of one step."""
_MAKING = (ast.Call, ast.BinOp, ast.List, ast.Tuple, ast.JoinedStr)
"""Expressions that make something new."""
_FAR = 12
"""Calls of a function inside of itself behind which only the sort of what is given makes a difference."""
_NESTED = 60
"""Expressions inside of expressions."""
_HANDED = 300
"""Values that somebody gets with one that holds them."""
_WAYS, _FEW_WAYS = 25, 4
"""Calls of one function that are followed with the texts and numbers that they give, while there is much room and when
half of it is gone; later ones without."""


_ASKED = Unknown(frozenset((REQUEST,)))


class Exhausted(Exception):
    """The program takes more steps than are gone."""


class Frame:
    """A running function."""

    def __init__(self) -> None:
        self.returned: list[Value] = []
        self.given: list[Value] | None = None
        """What a generator yields."""


class Machine:
    """Follows one program."""

    def __init__(self, program: "Program", budget: Budget) -> None:
        self.program = program
        self.budget = budget
        self.when = "import"
        self.handed = ""
        """As in an effect: why something outside calls what runs."""
        self.made: list[Instance] = []
        """Objects of the repository's classes."""
        self.branching = 0
        """How many branches and loops are around."""
        self.loops: list[list[dict[str, Value]]] = []
        """For each loop around, the names where it is left early."""
        self.frames: list[Frame] = [Frame()]
        self._steps = 0
        self._nested = 0
        self._known: dict[object, Value] = {}
        self._ways: dict[int, int] = {}
        self._running: set[object] = set()
        self._named: dict[int, tuple[str, ...]] = {}
        """By function, the names that stand in it."""
        self._stack: list[int] = []
        """The functions that are running, outermost first."""
        self._waiting: dict[tuple[object, str, bool], Callable[[], None]] = {}
        """What is to be handed over when the calls around are done."""

    # ---- bounds

    def start(self, when: str) -> None:
        """Begin with something that runs at this time."""
        self.when = when
        self._steps = 0

    def step(self) -> None:
        """Count; raises `Exhausted` and `BudgetExceeded`."""
        self._steps += 1
        if self._steps % 500 == 0:
            self.budget.check_time()
        if self._steps > STEPS:
            raise Exhausted("steps")

    def passed(self, scope: Scope, times: int) -> None:
        """Count that all names of a scope are gone through so often, to take branches apart and put them together."""
        self._steps += times * len(scope.names) // _NAMES_STEP

    def spend(self, count: int) -> None:
        """Count work that is done elsewhere."""
        self._steps += count

    def charge(self, made: Value) -> None:
        """Count what making a long text or list costs beyond a step."""
        if isinstance(made, Known):
            self._steps += len(made.value) // _TEXT_STEP if isinstance(made.value, (str, bytes)) else 0
        elif isinstance(made, Items):
            self._steps += len(made.items) // _ITEMS_STEP

    @property
    def steps(self) -> int:
        """Steps that were taken since the start."""
        return self._steps

    @property
    def room(self) -> int:
        """Steps that are left."""
        return STEPS - self._steps

    def reset(self) -> None:
        """Forget where the last start ended, if it ended early."""
        self._nested, self.branching, self.loops, self.frames = 0, 0, [], [Frame()]
        self._running.clear()
        self._stack.clear()
        self._waiting.clear()

    def finish(self) -> None:
        """Hand over what has waited until the calls are done."""
        done: set[object] = set()
        while self._waiting:
            key, run = self._waiting.popitem()
            if key not in done:
                done.add(key)
                self.when = key[1]
                run()

    def aside(self, run: Callable[[], object]) -> None:
        """Go through the body of another module, wherever this one is."""
        nested, self._nested = self._nested, 0
        branching, self.branching = self.branching, 0
        loops, self.loops = self.loops, []
        frames, self.frames = self.frames, [Frame()]
        try:
            run()
        finally:
            self._nested, self.branching, self.loops, self.frames = nested, branching, loops, frames

    # ---- statements and expressions

    def block(self, body: Sequence[ast.stmt], scope: Scope) -> bool:
        """Go through statements; True where nothing behind them is reached."""
        for statement in body:
            self.step()
            if statements.HANDLERS[type(statement)](self, statement, scope):
                return True
        return False

    def value(self, node: ast.expr | None, scope: Scope) -> Value:
        """What an expression stands for."""
        if node is None:
            return NONE
        self.step()
        handler = expressions.HANDLERS.get(type(node))
        if handler is None or self._nested > _NESTED:
            return UNKNOWN
        self._nested += 1
        try:
            made = handler(self, node, scope)
        finally:
            self._nested -= 1
        if isinstance(node, _MAKING):
            self.charge(made)
        return made

    def branches(self, scope: Scope, ways: Sequence[Callable[[], bool]]) -> bool:
        """Go through ways of which the program takes one; True where none leads on."""
        before = scope.names
        self.passed(scope, len(ways))
        after: list[dict[str, Value]] = []
        self.branching += 1
        for way in ways:
            scope.names = dict(before)
            if not way():
                after.append(scope.names)
            self.adopt(scope)
        self.branching -= 1
        scope.names = merged(after) if after else before
        self.adopt(scope)
        return not after

    @staticmethod
    def adopt(scope: Scope) -> None:
        """Names of a module or class body are also those of the module or class."""
        if scope.kind == "module":
            scope.module.names = scope.names
        elif scope.kind == "class" and scope.owner is not None:
            scope.owner.names = scope.names

    # ---- calls

    def call(
        self, function: Value, arguments: Sequence[Value], keywords: Mapping[str, Value], node: ast.AST, scope: Scope
    ) -> Value:
        """What calling a value gives."""
        self.step()
        results = [self._call(option, arguments, keywords, node, scope) for option in options(function)]
        return results[0] if len(results) == 1 else join(results)

    def _call(
        self, function: Value, arguments: Sequence[Value], keywords: Mapping[str, Value], node: ast.AST, scope: Scope
    ) -> Value:
        match function:
            case Function():
                for other in function.others:
                    self.follow(other, arguments, keywords)
                return self.follow(function, arguments, keywords)
            case Bound():
                return self.call(function.function, [function.receiver, *arguments], keywords, node, scope)
            case Class():
                return classes.construct(self, function, arguments, keywords, node, scope)
            case Partial():
                return self.call(
                    function.function,
                    [*function.arguments, *arguments],
                    {**dict(function.keywords), **keywords},
                    node,
                    scope,
                )
            case Instance():
                return self._call_instance(function, arguments, keywords, node, scope)
            case Outer():
                return library.call(self, function, arguments, keywords, node, scope)
            case Method():
                return library.call_method(self, function, arguments, keywords, node, scope)
            case Items():  # torch.nn.Sequential
                for item in function.items[:50]:
                    self.call(item, arguments, keywords, node, scope)
                return UNKNOWN
            case Super() | Module() | Table() | Known() | Patchwork():
                return UNKNOWN
        return library.call_unknown(self, function, arguments, keywords, node, scope)

    def _call_instance(
        self, function: Instance, arguments: Sequence[Value], keywords: Mapping[str, Value], node: ast.AST, scope: Scope
    ) -> Value:
        if (own := function.cls.find("__call__")) is not None:
            return self.call(objects.bound(self, own, function, function.cls), arguments, keywords, node, scope)
        for name in ("forward", "call", "run"):
            if (own := function.cls.find(name)) is not None:
                return self.call(objects.bound(self, own, function, function.cls), arguments, keywords, node, scope)
        return library.call_unknown(self, function, arguments, keywords, node, scope)

    def follow(self, function: Function, arguments: Sequence[Value], keywords: Mapping[str, Value]) -> Value:
        """Go through the body of a function."""
        module = function.scope.module
        ways = self._ways[id(function.node)] = self._ways.get(id(function.node), 0) + 1
        again = self._stack.count(id(function.node))
        key: object
        most = _WAYS if self.room > STEPS // 2 else _FEW_WAYS
        if ways > most or again > _AGAIN or (again and len(self._stack) > _DEEPEST // 2):
            arguments = [_widened(value) for value in arguments]
            keywords = {name: _widened(value) for name, value in keywords.items()}
            kinds = (_kinds(arguments), _kinds(keywords.values()))
            if again > _FAR:
                kinds = (tuple(map(_sort, arguments)), tuple(map(_sort, keywords.values())))
            elif again > _AGAIN:  # each round may write its functions anew
                kinds = (_kinds(map(_written, arguments)), _kinds(map(_written, keywords.values())))
            key = (id(function.node), id(function.scope) if again <= _FAR else 0, self.when, *kinds)
        else:
            key = (
                id(function.node), id(function.scope), module.version, len(module.names), self.when, self.handed,
                self._state(function),
                tuple(map(identity, arguments)), tuple((name, identity(value)) for name, value in keywords.items()),
            )  # fmt: skip
        if key in self._known:
            return self._known[key]
        if key in self._running:
            return UNKNOWN
        if len(self._stack) >= _DEEPEST:
            raise Exhausted("calls inside of calls")
        self._running.add(key)
        self._stack.append(id(function.node))
        nested, self._nested = self._nested, 0
        branching, self.branching = self.branching, 0
        loops, self.loops = self.loops, []
        try:
            result = self._body(function, arguments, keywords)
        except RecursionError:
            raise Exhausted("expressions inside of expressions") from None
        finally:
            self._nested, self.branching, self.loops = nested, branching, loops
            self._running.discard(key)
            self._stack.pop()
        self._known[key] = result
        return result

    def _state(self, function: Function) -> tuple[object, ...]:
        """What the objects that a function names without being given them hold now."""
        node = function.node
        if id(node) not in self._named:
            body = node.body if isinstance(node.body, list) else [node.body]
            inner = (part for statement in body for part in walk(statement))
            names = {part.id for part in inner if isinstance(part, ast.Name) and isinstance(part.ctx, ast.Load)}
            self._named[id(node)] = tuple(sorted(names))[:60]
        around = function.scope.names
        found = (around.get(name) or function.scope.module.names.get(name) for name in self._named[id(node)])
        return tuple(identity(value) for value in found if isinstance(value, (Items, Table, Instance)))

    def _body(self, function: Function, arguments: Sequence[Value], keywords: Mapping[str, Value]) -> Value:
        node = function.node
        where = function.name
        if function.owner is not None:
            where = f"{function.owner.name}.{where}"
        scope = Scope(function.scope.module, function.scope, "function", function=where, owner=function.owner)
        bind(self, function, arguments, keywords, scope)
        if isinstance(node, ast.Lambda):
            return self.value(node.body, scope)
        frame = Frame()
        self.frames.append(frame)
        try:
            ended = self.block(node.body, scope)
        finally:
            self.frames.pop()
        if frame.given is not None:
            return Items(frame.given)
        return join([*frame.returned, *([] if ended else [NONE])]) if frame.returned else NONE

    @contextmanager
    def loop(self) -> Iterator[list[dict[str, Value]]]:
        """Around the body of a loop."""
        left: list[dict[str, Value]] = []
        self.loops.append(left)
        self.branching += 1
        try:
            yield left
        finally:
            self.branching -= 1
            self.loops.pop()

    # ---- what others do with a value

    def hand_over_later(self, value: Value, node: ast.AST, scope: Scope) -> None:
        """Somebody gets the value and calls it when the model is used."""
        when, self.when = self.when, "entry"
        try:
            self.hand_over(value, node, scope)
        finally:
            self.when = when

    def hand_over(self, value: Value, node: ast.AST, scope: Scope, *, driven: bool = False) -> None:
        """Somebody outside of the program gets the value, and may call it; `driven`: and all its methods.

        Deep inside of calls that waits: what is handed over there hands over more, and so on."""
        if len(self._stack) > _DEEPEST // 2:
            key = (identity(value), self.when, driven)
            self._waiting.setdefault(key, partial(self.hand_over, value, node, scope, driven=driven))
            return
        for option in within(value, _HANDED, listed=True):
            match option:
                case Function() | Bound() | Partial():
                    self.call(option, *unknown_arguments(self.program, option), node, scope)
                case Instance():
                    objects.expose(self, option, node, scope, driven=driven)
                case Class():
                    classes.expose_class(self, option, node, scope)


def _written(value: Value) -> Value:
    """A function as it is written, whatever holds around it."""
    if isinstance(value, Either):
        return Either(tuple(map(_written, value.options)))
    return Known(f"§{id(value.node)}") if isinstance(value, Function) else value


def _kinds(values: Iterable[Value]) -> tuple[object, ...]:
    """What arguments have in common with others between which a call makes little difference."""
    return tuple(_kind(value) for value in values)


def _kind(value: Value) -> object:
    match value:
        case Instance():
            return id(value.cls)
        case Items() | Table():
            held = value.items if isinstance(value, Items) else list(value.items.values())
            return (
                type(value),
                *(_kind(item) for item in held[:8] if isinstance(item, (Function, Outer, Class, Bound))),
            )
        case Either():
            return frozenset(map(_kind, value.options))
        case Unknown():
            return ("u", value.flows)
        case Method() | Super():
            return type(value)
        case Bound():
            return (_kind(value.function), _kind(value.receiver))
    return identity(value)


def _widened(value: Value) -> Value:
    """The value without the text or number that it is, or may be."""
    if isinstance(value, Either):
        return join(map(_widened, value.options))
    return Unknown(value.flows) if isinstance(value, (Known, Patchwork)) else value


def _sort(value: Value) -> object:
    """What is left of a value in calls that are far inside of themselves: names, objects and classes may be new in each."""
    return (type(value), flows_of(value))


def unknown_arguments(program: "Program", function: Value) -> tuple[list[Value], dict[str, Value]]:
    """What somebody outside may give a function: something unknown, or what stands there as default."""
    skipped = 0
    while isinstance(function, (Bound, Partial)):
        skipped += 1 if isinstance(function, Bound) else len(function.arguments)
        function = function.function
    if not isinstance(function, Function):
        return [UNKNOWN], {}
    taken = function.node.args
    names = [item.arg for item in [*taken.posonlyargs, *taken.args]]
    of_user = skipped > 0 and function.name in GIVEN_NAMES
    if not function.defaults and not function.keyword_defaults:
        return [program.parameter(name, of_user=of_user) for name in names[skipped:]], {}
    defaults = dict(zip(names[len(names) - len(taken.defaults) :], function.defaults, strict=False))
    given = [
        join((program.parameter(name, of_user=of_user), defaults[name]))
        if name in defaults
        else program.parameter(name, of_user=of_user)
        for name in names[skipped:]
    ]
    keywords = {
        name: join((program.parameter(name, of_user=of_user), value))
        for name, value in function.keyword_defaults.items()
    }
    return given, keywords


def asked_arguments(function: Function, skipped: int = 0) -> tuple[list[Value], dict[str, Value]]:
    """What somebody who asks a program for something gives its function."""
    taken = function.node.args
    names = [item.arg for item in [*taken.posonlyargs, *taken.args]]
    return [_ASKED for _ in names[skipped:]], {item.arg: _ASKED for item in taken.kwonlyargs}


def bind(
    machine: Machine, function: Function, arguments: Sequence[Value], keywords: Mapping[str, Value], scope: Scope
) -> None:
    """Give the parameters of a function what the call gives."""
    taken = function.node.args
    names = [item.arg for item in [*taken.posonlyargs, *taken.args]]
    rest = dict(keywords)
    defaults = dict(zip(names[len(names) - len(taken.defaults) :], function.defaults, strict=False))
    for place, name in enumerate(names):
        if place < len(arguments):
            scope.names[name] = arguments[place]
        elif name in rest:
            scope.names[name] = rest.pop(name)
        else:
            scope.names[name] = defaults[name] if name in defaults else machine.program.parameter(name)
    for item in taken.kwonlyargs:
        known = function.keyword_defaults.get(item.arg, UNKNOWN)
        scope.names[item.arg] = rest.pop(item.arg) if item.arg in rest else known
    if taken.vararg:
        scope.names[taken.vararg.arg] = Items(list(arguments[len(names) :]))
    if taken.kwarg:
        scope.names[taken.kwarg.arg] = Table(dict(rest.items()), [UNKNOWN] if function.owner else [])
    if function.owner is not None and names and arguments:
        scope.instance = arguments[0]


__all__ = ("Either", "Exhausted", "Machine", "Outer")
