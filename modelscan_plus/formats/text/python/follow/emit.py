"""From a call that leaves the program to its effect, by the code that judges calls where they stand (analyse.py).

The call is written anew as a small syntax tree: the function by the name it resolved to, the arguments as the constants
they are, or as names of which only the origin is known. So an effect is the same effect however the program got there.
"""

import ast
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

import msgspec

from modelscan_plus.core.limits import Budget
from modelscan_plus.formats.text.python.analyse import Finder
from modelscan_plus.formats.text.python.blocks import MODULE, Block
from modelscan_plus.formats.text.python.facts import Effect
from modelscan_plus.formats.text.python.flow import Flow, answering
from modelscan_plus.formats.text.python.follow.values import (
    NO_FLOWS,
    UNKNOWN,
    UNSPOKEN,
    Bound,
    Either,
    Items,
    Known,
    Method,
    Outer,
    Partial,
    Patchwork,
    Scope,
    Table,
    Unknown,
    Value,
    flows_of,
    identity,
    options,
)
from modelscan_plus.formats.text.python.gathered import combined
from modelscan_plus.formats.text.python.names import Names
from modelscan_plus.formats.text.python.walk import walk

if TYPE_CHECKING:
    from modelscan_plus.formats.text.python.follow.machine import Machine

_VARIANTS = 8
"""Calls that one call stands for where its arguments are one of several."""
_ITEMS = 40
_HELD = 120
"""Values inside of one argument that are written out: lists of lists of lists grow by powers."""
_CHAIN = 4
"""Attributes of attributes of something unknown that are written out."""
_KEPT = 1_000
"""Effects of one sort in one function."""


class Emitter:
    """Writes the effects of a program down."""

    def __init__(self, sources: Mapping[str, str], budget: Budget) -> None:
        """`sources` are the texts of the program's files by path."""
        self._sources = sources
        self._budget = budget
        self._names = Names(ast.Module([], []))
        self._flow = Flow(self._names, {})
        self._aliases = dict(self._names.aliases)
        self._finders: dict[str, Finder] = {}
        self._seen: dict[object, frozenset[str]] = {}
        self._found: dict[tuple[str, str, str], dict[Effect, None]] = {}
        self._counted: dict[tuple[str, str, str, str, str], int] = {}
        self._room, self._written_out = _HELD, 0
        self.discarded: ast.expr | None = None
        """An expression that stands as a statement of its own."""
        self.outer: ast.expr | ast.stmt | None = None
        """The call that runs a text, while its code is followed."""

    # ---- what is told

    def called(
        self, machine: "Machine", function: Outer | Method | Unknown, arguments: Sequence[Value],
        keywords: Mapping[str, Value], node: ast.AST, scope: Scope,
    ) -> frozenset[str]:  # fmt: skip
        """Note what the call does; returns where its result comes from."""
        place = self._place(node)
        key = (
            scope.module.path, place.lineno, place.col_offset, machine.when, machine.handed, identity(function),
            tuple(map(identity, arguments)), tuple((name, identity(value)) for name, value in keywords.items()),
        )  # fmt: skip
        if key in self._seen:
            return self._seen[key]
        flows = NO_FLOWS
        for number in range(_variants([*arguments, *keywords.values()])):
            flows |= self._one(machine, function, [_option(value, number) for value in arguments],
                               {name: _option(value, number) for name, value in keywords.items()}, node, scope)  # fmt: skip
        if isinstance(function, Method):
            flows |= answering(flows_of(function.receiver), flows)
        self._seen[key] = flows
        return flows

    def _one(
        self, machine: "Machine", function: Outer | Method | Unknown, arguments: Sequence[Value],
        keywords: Mapping[str, Value], node: ast.AST, scope: Scope,
    ) -> frozenset[str]:  # fmt: skip
        self._forget()
        place = self._place(node)
        call = ast.Call(
            self._expression(function, place),
            [self._written(value, place) for value in arguments[:_ITEMS]],
            [ast.keyword(name, self._written(value, place)) for name, value in keywords.items()],
        )
        self._locate(call, place)
        machine.spend(self._written_out)
        disguised = self.outer is not None or (isinstance(function, Outer) and function.disguised)
        finder, block = self._finder(scope), Block(scope.function, when=machine.when, handed=machine.handed)
        for effect in finder.call(call, block, discarded=node is self.discarded):
            self._keep(effect, scope, disguised=disguised)
        return frozenset(self._flow.origins(call, MODULE))

    def origins(self, value: Value) -> frozenset[str]:
        """Where a value comes from, as the analysis of one file says it."""
        self._forget()
        return frozenset(self._flow.origins(self._written(value, _NOWHERE), MODULE))

    def variable(self, key: Value) -> Value:
        """`os.environ[key]`."""
        self._forget()
        node = ast.Subscript(self._expression(Outer("os.environ"), _NOWHERE), self._expression(key, _NOWHERE))
        return Unknown(frozenset(self._flow.origins(node, MODULE)))

    def assigned(self, machine: "Machine", holder: Outer, name: str, given: Value, node: ast.AST, scope: Scope) -> None:
        """`os.environ.x = …`, `torch.load = …`."""
        self._forget()
        place = self._place(node)
        target = ast.Attribute(self._expression(holder, place), name, ast.Store())
        self._assignment(machine, target, given, place, scope)

    def put(self, machine: "Machine", holder: Outer, key: Value, given: Value, node: ast.AST, scope: Scope) -> None:
        """`os.environ[key] = …`."""
        self._forget()
        place = self._place(node)
        target = ast.Subscript(self._expression(holder, place), self._expression(key, place), ast.Store())
        self._assignment(machine, target, given, place, scope)

    def _assignment(
        self, machine: "Machine", target: ast.expr, given: Value, place: ast.expr | ast.stmt, scope: Scope
    ) -> None:
        made = ast.Assign([target], self._written(given, place))
        self._locate(made, place)
        for effect in self._finder(scope).assignment(
            made, Block(scope.function, when=machine.when, handed=machine.handed)
        ):
            self._keep(effect, scope, disguised=self.outer is not None)

    def effects(self) -> Iterator[tuple[str, Effect]]:
        """Everything that was told, by path."""
        for (path, _, _), found in self._found.items():
            for effect in combined(list(found)):
                yield path, effect

    def _keep(self, effect: Effect, scope: Scope, *, disguised: bool) -> None:
        if disguised and not effect.disguised:
            effect = msgspec.structs.replace(effect, disguised=True)
        sort = (scope.module.path, effect.function, effect.when, effect.kind, effect.hostile)
        self._counted[sort] = self._counted.get(sort, 0) + 1
        if self._counted[sort] <= _KEPT:
            self._found.setdefault(sort[:3], {})[effect] = None

    def _finder(self, scope: Scope) -> Finder:
        path = scope.module.path
        if path not in self._finders:
            self._finders[path] = Finder(self._names, self._flow, self._sources.get(path, ""), self._budget, 0)
        return self._finders[path]

    # ---- values as expressions

    def _place(self, node: ast.AST) -> ast.expr | ast.stmt:
        found = self.outer if self.outer is not None else node
        return found if hasattr(found, "lineno") else _NOWHERE  # type: ignore[return-value]

    @staticmethod
    def _locate(made: ast.AST, place: ast.expr | ast.stmt) -> None:
        for part in walk(made):
            if isinstance(part, (ast.expr, ast.stmt, ast.keyword)):
                part.lineno, part.col_offset = place.lineno, place.col_offset
                part.end_lineno, part.end_col_offset = place.end_lineno, place.end_col_offset

    def _forget(self) -> None:
        self._room, self._written_out = _HELD, 0
        self._names.forget()
        self._flow.forget()
        self._names.aliases.clear()
        self._names.aliases.update(self._aliases)
        self._names.constants.clear()
        self._flow.variables.clear()

    def _named(self, flows: frozenset[str]) -> ast.Name:
        name = f"§{len(self._names.aliases) + len(self._flow.variables) + len(self._names.constants)}"
        self._flow.variables[(MODULE, name)] = set(flows)
        return ast.Name(name, ast.Load())

    def _written(self, value: Value, place: ast.expr | ast.stmt) -> ast.expr:
        """An argument, with as much of what it holds as there is room for; of the rest only the origin."""
        self._room = _HELD
        return self._expression(value, place)

    def _expression(self, value: Value, place: ast.expr | ast.stmt, depth: int = 0) -> ast.expr:
        self._room -= 1
        self._written_out += 1
        if self._room < 0:
            return self._named(flows_of(value))
        match value:
            case Known():
                if not value.flows:
                    return ast.Constant(value.value)
                made = self._named(value.flows)
                self._names.constants[made.id] = value.value
                return made
            case Patchwork():
                return self._patchwork(value)
            case Outer():
                return self._outer(value)
            case Method() if depth < _CHAIN:
                return ast.Attribute(self._expression(value.receiver, place, depth + 1), value.name, ast.Load())
            case Bound(function=Outer() as function) if not depth:
                return self._outer(function)
            case Partial() if depth < 3:
                return self._partial(value, place, depth)
            case Items() if depth < 4:
                return ast.List([self._expression(item, place, depth + 1) for item in value.items[:_ITEMS]], ast.Load())
            case Table() if depth < 4:
                keys = list(value.items)[:_ITEMS]
                held = [*(value.items[key] for key in keys), *value.others[:_ITEMS]]
                names = [ast.Constant(key) if isinstance(key, (str, int, bytes)) else None for key in keys]
                return ast.Dict(
                    [*names, *[None for _ in value.others[:_ITEMS]]],
                    [self._expression(item, place, depth + 1) for item in held],
                )
        named = self._named(flows_of(value))
        if isinstance(value, Unknown) and value.about:
            return ast.Call(ast.Attribute(named, "_", ast.Load()), [ast.Constant(value.about)], [])
        return named

    def _partial(self, value: Partial, place: ast.expr | ast.stmt, depth: int) -> ast.expr:
        inner = self._expression(value.function, place, depth + 1)
        arguments = [self._expression(each, place, depth + 1) for each in value.arguments]
        return ast.Call(self._outer(Outer("functools.partial")), [inner, *arguments], [])

    def _outer(self, value: Outer) -> ast.expr:
        base, _, last = value.dotted.rpartition(".")
        name = self._named(value.flows)
        self._names.aliases[name.id] = base or last
        return ast.Attribute(name, last, ast.Load()) if base else name

    def _patchwork(self, value: Patchwork) -> ast.expr:
        parts: list[ast.expr] = []
        for number, text in enumerate(value.text.split(UNSPOKEN)):
            if number:
                parts.append(ast.FormattedValue(self._named(value.flows), -1))
            if text:
                parts.append(ast.Constant(text))
        return ast.JoinedStr(parts)


_NOWHERE = ast.copy_location(ast.Constant(None), ast.parse("0", mode="eval").body)


def _variants(values: Sequence[Value]) -> int:
    counts = [len(value.options) for value in values if isinstance(value, Either)]
    return min(_VARIANTS, max(counts, default=1))


def _option(value: Value, number: int) -> Value:
    found = options(value)
    return found[number % len(found)] if found else UNKNOWN
