"""Values as the following of a program knows them."""

import ast
import itertools
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from modelscan_plus.formats.text.python.constants import Constant, NotConstant

NO_FLOWS: frozenset[str] = frozenset()
_OPTIONS = 12
"""Values that one name may stand for; further ones are forgotten, constants first."""
_ASKED = 24
"""Values that are asked for their origin, with those that they hold, and so on."""
_DEEP = 4
"""How deep inside of others."""
_ATTRIBUTES = 8
"""Attributes of an object that are asked with it: who gets an object does not get all that it knows."""
_JOINED = 64
"""Values that are told apart before one is made of them."""
_LONGEST = 10_000
"""Items of a container that are told apart."""


@dataclass(frozen=True, slots=True)
class Unknown:
    """Anything; `flows` says where it comes from, as in flow.py."""

    flows: frozenset[str] = NO_FLOWS
    about: str = ""
    """A text that stands in the call that gave it: an address, a path."""


@dataclass(frozen=True, slots=True)
class Known:
    """A text, bytes, a number, a truth value or None."""

    value: bool | int | float | str | bytes | None
    flows: frozenset[str] = NO_FLOWS


@dataclass(frozen=True, slots=True)
class Patchwork:
    """A text of which parts are known; an ellipsis stands for the others."""

    text: str
    flows: frozenset[str] = NO_FLOWS


@dataclass(frozen=True, slots=True)
class Outer:
    """Something of a library, by its dotted name; "requests.Session()" is what calling requests.Session gave."""

    dotted: str
    flows: frozenset[str] = NO_FLOWS
    disguised: bool = False
    """Its name was put together or looked up by text."""


@dataclass(eq=False, slots=True)
class Scope:
    """The names of a module, class body or running function."""

    module: "Module"
    parent: "Scope | None" = None
    kind: str = "module"
    names: "dict[str, Value]" = field(default_factory=dict)
    elsewhere: set[str] = field(default_factory=set)
    """Names declared global."""
    outside: set[str] = field(default_factory=set)
    """Names declared nonlocal."""
    function: str = ""
    """As in `Effect.function`."""
    instance: "Value | None" = None
    owner: "Class | None" = None


@dataclass(eq=False, slots=True)
class Module:
    """A file of the repository."""

    path: str
    names: "dict[str, Value]" = field(default_factory=dict)
    scope: Scope | None = None
    version: int = 0
    """Grows when a name comes to stand for something else."""


@dataclass(eq=False, slots=True)
class Function:
    """A function or lambda of the repository."""

    node: ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda
    scope: Scope
    defaults: "list[Value]" = field(default_factory=list)
    keyword_defaults: "dict[str, Value]" = field(default_factory=dict)
    owner: "Class | None" = None
    attributes: "dict[str, Value]" = field(default_factory=dict)
    given: bool = False
    """It is a validator: a library calls it for each object that is made."""
    others: "list[Function]" = field(default_factory=list)
    """Functions that may run in its place: those of `functools.singledispatch`."""
    role: str = ""
    """"static", "class", "property" or "cached" for what a decorator made of it."""

    @property
    def name(self) -> str:
        """Its own name."""
        return "<lambda>" if isinstance(self.node, ast.Lambda) else self.node.name


@dataclass(eq=False, slots=True)
class Class:
    """A class of the repository."""

    name: str
    bases: "list[Value]"
    names: "dict[str, Value]"
    module: Module
    metaclass: "Value | None" = None
    _lines: "list[Class]" = field(default_factory=list)

    def lines(self) -> "list[Class]":
        """Itself and the classes of the repository that it comes from, nearest first."""
        if self._lines:
            return self._lines
        found: list[Class] = []
        todo: list[Class] = [self]
        while todo and len(found) < 50:
            at = todo.pop(0)
            if at not in found:
                found.append(at)
                todo += [base for value in at.bases for base in options(value) if isinstance(base, Class)]
        self._lines = found
        return found

    def find(self, name: str) -> "Value | None":
        """What the class has under the name, by itself or from its bases in the repository."""
        for line in self._lines or self.lines():
            if name in line.names:
                return line.names[name]
        return None

    def outer_bases(self) -> list[Outer]:
        """The classes of libraries that it comes from."""
        return [
            base
            for line in self.lines()
            for value in line.bases
            for base in options(value)
            if isinstance(base, Outer) and base.dotted != "builtins.object"
        ]


@dataclass(eq=False, slots=True)
class Instance:
    """An object of a class of the repository."""

    cls: Class
    attributes: "dict[str, Value]" = field(default_factory=dict)
    version: int = 0
    held: "Items | Table | None" = None
    """Its items, where the class comes from list or dict."""


@dataclass(eq=False, slots=True)
class Items:
    """A list, tuple, set, or whatever gives one value after the other."""

    items: "list[Value]"
    version: int = 0


@dataclass(eq=False, slots=True)
class Table:
    """A dict."""

    items: "dict[Constant, Value]"
    others: "list[Value]" = field(default_factory=list)
    """Values under keys that are not known."""
    version: int = 0


@dataclass(frozen=True, slots=True)
class Bound:
    """A function together with the object it is called on."""

    function: "Value"
    receiver: "Value"


@dataclass(frozen=True, slots=True)
class Method:
    """A method, by its name, of something that is no object of the repository's classes."""

    receiver: "Value"
    name: str


@dataclass(frozen=True, slots=True)
class Partial:
    """`functools.partial` and what `operator` makes: a function with its first arguments."""

    function: "Value"
    arguments: "tuple[Value, ...]" = ()
    keywords: "tuple[tuple[str, Value], ...]" = ()


@dataclass(frozen=True, slots=True)
class Super:
    """`super()`."""

    cls: Class
    instance: "Value"


@dataclass(frozen=True, slots=True)
class Either:
    """One of several values."""

    options: "tuple[Value, ...]"


Value = (
    Unknown
    | Known
    | Patchwork
    | Outer
    | Module
    | Function
    | Class
    | Instance
    | Items
    | Table
    | Bound
    | Method
    | Partial
    | Super
    | Either
)
UNKNOWN = Unknown()
FUNCTION_TYPE = Outer("types.FunctionType")
NONE = Known(None)


def options(value: Value) -> tuple[Value, ...]:
    """The values that it may be."""
    return value.options if isinstance(value, Either) else (value,)


def join(values: Iterable[Value]) -> Value:
    """One value that may be any of them."""
    values = list(values)
    if values and all(value is values[0] for value in values):
        return values[0]
    found: dict[object, Value] = {}
    if len(values) > _JOINED:
        told = [value for value in values if not isinstance(value, (Known, Unknown))]
        values = [*told[:_JOINED], *values[:_JOINED]]
    for value in values:
        for option in options(value):
            found.setdefault(identity(option), option)
    kept = list(found.values())
    if len(kept) > _OPTIONS:
        told = [value for value in kept if not isinstance(value, (Known, Unknown))]
        flows = frozenset().union(*map(flows_of, kept)) if kept else NO_FLOWS
        kept = [*told[: _OPTIONS - 1], Unknown(flows)]
    if not kept:
        return UNKNOWN
    return kept[0] if len(kept) == 1 else Either(tuple(kept))


def identity(value: Value, depth: int = 0) -> object:
    """Equal for values between which a call makes no difference."""
    match value:
        case Known():
            return ("k", type(value.value), value.value, value.flows)
        case Unknown():
            return ("u", value.flows, value.about)
        case Patchwork():
            return ("w", value.text, value.flows)
        case Outer():
            return ("o", value.dotted, value.flows, value.disguised)
        case Instance() | Items() | Table():
            return ("m", id(value), value.version)
        case Either():
            return ("e", tuple(identity(option, depth + 1) for option in value.options))
        case Bound() if depth < 5:
            return ("b", identity(value.function, depth + 1), identity(value.receiver, depth + 1))
        case Method() if depth < 5:
            return ("t", identity(value.receiver, depth + 1), value.name)
        case Partial() if depth < 5:
            return (
                "p",
                identity(value.function, depth + 1),
                tuple(identity(each, depth + 1) for each in value.arguments),
            )
        case Super():
            return ("s", id(value.cls))
    return ("i", id(value))


def flows_of(value: Value) -> frozenset[str]:
    """Where a value and what it holds come from."""
    if isinstance(value, (Known, Unknown, Outer, Patchwork)):
        return value.flows
    found = NO_FLOWS
    for each in within(value, _ASKED):
        if isinstance(each, (Known, Unknown, Outer, Patchwork)) and each.flows:
            found |= each.flows
    return found


def within(value: Value, most: int, *, listed: bool = False) -> Iterator[Value]:
    """A value and what it holds, nearest first and each container once; `most` of them at most. `listed`: only what
    lists and dicts hold."""
    into = _LISTS if listed else _HOLDERS
    level: list[Value] = [value]
    seen: set[int] = set()
    for _ in range(_DEEP + 1):
        below: list[Value] = []
        for each in level:
            most -= 1
            if most < 0:
                return
            yield each
            if isinstance(each, into) and id(each) not in seen and len(below) < most:
                seen.add(id(each))
                below += _held(each, most - len(below))
        if not below:
            return
        level = below


_LISTS = (Items, Table, Either)
_HOLDERS = (*_LISTS, Instance, Method, Bound, Partial)


def _held(value: Value, most: int) -> Iterable[Value]:
    """What a value holds itself."""
    match value:
        case Items():
            return value.items[:most]
        case Table():
            return itertools.islice(itertools.chain(value.items.values(), value.others), most)
        case Instance():
            return itertools.islice(value.attributes.values(), min(most, _ATTRIBUTES))
        case Either():
            return value.options
        case Method() | Bound():
            return (value.receiver,)
        case Partial():
            return (value.function, *value.arguments)
    return ()


def constant(value: Value, depth: int = 0) -> Constant:
    """The constant that it is; raises `NotConstant`."""
    match value:
        case Known():
            return value.value
        case Items() if depth < 6 and len(value.items) <= _LONGEST:
            return [constant(item, depth + 1) for item in value.items]
        case Table() if depth < 6 and not value.others:
            return {key: constant(item, depth + 1) for key, item in value.items.items()}
    raise NotConstant


def lifted(made: Constant, flows: frozenset[str] = NO_FLOWS, depth: int = 0) -> Value:
    """The value of a constant."""
    if isinstance(made, list):
        return Items([lifted(item, flows, depth + 1) for item in made[:_LONGEST]])
    if isinstance(made, dict):
        return Table({key: lifted(item, flows, depth + 1) for key, item in made.items()})
    return Known(made, flows)


def with_flows(value: Value, flows: frozenset[str]) -> Value:
    """The value, coming from there as well."""
    if not flows:
        return value
    match value:
        case Known() if not flows <= value.flows:
            return Known(value.value, value.flows | flows)
        case Unknown() if not flows <= value.flows:
            return Unknown(value.flows | flows, value.about)
        case Outer() if not flows <= value.flows:
            return Outer(value.dotted, value.flows | flows, value.disguised)
    return value


def merged(branches: "list[dict[str, Value]]") -> "dict[str, Value]":
    """Names after branches of which one was taken."""
    if len(branches) == 1:
        return branches[0]
    result = dict(branches[0])
    for branch in branches[1:]:
        for name, value in branch.items():
            known = result.get(name)
            if known is None:
                result[name] = value
            elif known is not value:
                result[name] = join((known, value))
    return result


def spoken(value: Value) -> str:
    """A value as part of a text."""
    match value:
        case Known(value=bytes() as data):
            return data.decode("utf-8", "backslashreplace")
        case Known():
            return str(value.value)
        case Patchwork():
            return value.text
        case Unknown():
            return UNSPOKEN + value.about
        case Items() if len(value.items) < 40:
            return " ".join(map(spoken, value.items))
    return UNSPOKEN


def about(values: Iterable[Value]) -> str:
    """The first text among what a call is given."""
    for value in values:
        for option in options(value):
            text = option.about if isinstance(option, Unknown) else ""
            if isinstance(option, Method):
                text = about([option.receiver])
            elif isinstance(option, Patchwork) or (
                isinstance(option, Known) and isinstance(option.value, (str, bytes))
            ):
                text = spoken(option)
            if text:
                return text[:300]
    return ""


UNSPOKEN = "…"


def patchwork(parts: Iterable[Value], between: str = "") -> Value:
    """A text put together of values, known or not."""
    parts = list(parts)
    flows = frozenset[str]().union(*map(flows_of, parts)) if parts else NO_FLOWS
    text = between.join(map(spoken, parts))[:_LONGEST]
    if all(isinstance(part, Known) for part in parts):
        return Known(text, flows)
    return Patchwork(text, flows) if text.strip(UNSPOKEN + between) else Unknown(flows)


def texts(value: Value) -> Iterator[str]:
    """The texts that it may be."""
    for option in options(value):
        if isinstance(option, Known) and isinstance(option.value, str):
            yield option.value


def keywords_of(keywords: "Mapping[str, Value]", *names: str) -> "Value | None":
    """The first of the named arguments."""
    return next((keywords[name] for name in names if name in keywords), None)
