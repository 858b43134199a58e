"""Names across modules and libraries: who is meant, and in which order methods are looked up."""

import ast
from collections.abc import Container, Mapping
from dataclasses import dataclass, field

from tools.allowlist.symbols import Class, Function, Module, dotted, parse

_HOPS = 12
"""Re-exports followed from one name."""

External = str
"""The dotted path of something whose source is not here."""
Symbol = Class | Function | Module | External


class ParsedSources:
    """The modules of one version of a library, parsed when asked for."""

    def __init__(self, modules: Mapping[str, str], packages: Container[str]) -> None:
        self.texts = modules
        self._packages = packages
        self._parsed: dict[str, Module | None] = {}

    def __contains__(self, name: str) -> bool:
        return name in self.texts

    def module(self, name: str) -> Module | None:
        """The symbols of one module; None when it is not there or cannot be parsed."""
        if name not in self._parsed:
            text = self.texts.get(name)
            self._parsed[name] = None if text is None else parse(name, text, package=name in self._packages)
        return self._parsed[name]


@dataclass(slots=True)
class Universe:
    """One library version under judgement, and one version of each other library for the bases that it takes."""

    subject: ParsedSources
    context: dict[str, ParsedSources]
    """By top-level package."""
    opaque: frozenset[str]
    """Classes that are judged by hand or known from the standard library: dotted paths."""
    _orders: dict[str, "Order"] = field(default_factory=dict)
    _open: set[str] = field(default_factory=set)
    """Paths being looked up: re-exports may go in circles."""
    _found: dict[str, Symbol] = field(default_factory=dict)

    def module(self, name: str) -> Module | None:
        """A module of any library."""
        if name in self.subject:
            return self.subject.module(name)
        home = self.context.get(name.partition(".")[0])
        return home.module(name) if home else None

    def find(self, path: str, hops: int = _HOPS) -> Symbol:
        """What the dotted `path` means; the path itself when its source is not here."""
        if path in self._open:
            return path
        if not self._open and path in self._found:
            return self._found[path]
        self._open.add(path)
        found = self._search(path, hops)
        self._open.discard(path)
        if not self._open:
            self._found[path] = found
        return found

    def _search(self, path: str, hops: int) -> Symbol:
        parts = path.split(".")
        for length in range(len(parts), 0, -1):
            module = self.module(".".join(parts[:length]))
            if module is not None:
                return self._inside(module, parts[length:], path, hops)
        return path

    def _inside(self, module: Module, rest: list[str], path: str, hops: int) -> Symbol:
        if not rest:
            return module
        name = ".".join(rest)
        if name in module.classes:
            return module.classes[name]
        if len(rest) == 1 and name in module.functions:
            return module.functions[name]
        head, tail = rest[0], rest[1:]
        if hops:
            if head in module.imports and module.imports[head] != path:
                return self.find(".".join([module.imports[head], *tail]), hops - 1)
            alias = dotted(module.assigned.get(head))
            if alias is not None and alias != head:
                return self.name(module, ".".join([alias, *tail]), hops - 1)
        if head in module.classes and len(tail) == 1:
            order = self.order(module.classes[head])
            method = order.method(tail[0])
            if method is not None:
                return method
        return self._starred(module, rest, hops) or path

    def _starred(self, module: Module, rest: list[str], hops: int) -> Symbol | None:
        """A name that came by `from x import *`."""
        for source in reversed(module.stars) if hops else ():
            inner = self.module(source)
            if inner is not None and inner is not module:
                wanted = f"{source}.{'.'.join(rest)}"
                found = self._inside(inner, rest, wanted, hops - 1)
                if not isinstance(found, str):
                    return found
        return None

    def name(self, module: Module, written: str, hops: int = _HOPS) -> Symbol:
        """What `written`, a dotted name, means inside `module`."""
        head, _, tail = written.partition(".")
        known = head in module.classes or head in module.functions or head in module.assigned
        if head in module.imports and not known:
            return self.find(f"{module.imports[head]}.{tail}" if tail else module.imports[head], hops)
        if known or head in module.imports:
            return self._inside(module, written.split("."), f"{module.name}.{written}", hops)
        return self._starred(module, written.split("."), hops) or f"builtins.{written}"

    def order(self, cls: Class) -> "Order":
        """The method resolution order of `cls`, as far as it is known."""
        if cls.path not in self._orders:
            self._orders[cls.path] = Order([cls], [], frozenset({"recursion"}))
            self._orders[cls.path] = self._linearise(cls)
        return self._orders[cls.path]

    def _linearise(self, cls: Class) -> "Order":
        module = self.module(cls.module)
        lists: list[list[Class]] = []
        externals: list[str] = []
        unknown: set[str] = set()
        direct: list[Class] = []
        for base in cls.bases:
            found = self._base(module, base)
            if isinstance(found, Class):
                inner = self.order(found)
                lists.append(list(inner.classes))
                externals.extend(inner.externals)
                unknown |= inner.unknown
                direct.append(found)
            elif found in self.opaque:
                externals.append(found)
            else:
                unknown.add(found)
        return Order([cls, *_merge([*lists, direct])], list(dict.fromkeys(externals)), frozenset(unknown))

    def _base(self, module: Module | None, base: ast.expr) -> Class | External:
        if isinstance(base, ast.Subscript):
            base = base.value
        if isinstance(base, ast.Call):
            maker = dotted(base.func) or "?"
            if maker.rpartition(".")[2] in ("namedtuple", "NamedTuple"):
                return "builtins.tuple"
            if maker.rpartition(".")[2] == "with_metaclass" and len(base.args) > 1:
                return self._base(module, base.args[1])
            return f"{maker}()"
        written = dotted(base)
        if written is None or module is None:
            return "?"
        found = self.name(module, written)
        if isinstance(found, Class):
            return found.path if found.path in self.opaque else found
        if _is_abc(module.assigned.get(written)):
            return "abc.ABC"
        return found if isinstance(found, str) else f"{module.name}.{written}"


@dataclass(slots=True)
class Order:
    """A method resolution order."""

    classes: list[Class]
    """Those whose source is here, the class itself first."""
    externals: list[str]
    """Known bases without source, by dotted path."""
    unknown: frozenset[str]
    """Bases about which nothing is known; when there are any, nothing can be said about the class."""

    def method(self, name: str, after: str | None = None) -> Function | None:
        """The first definition of `name`, of those behind class `after` when given."""
        classes = self.classes
        if after is not None:
            position = next((index for index, cls in enumerate(classes) if cls.path == after), -1)
            classes = classes[position + 1 :]
        for cls in classes:
            if name in cls.methods:
                return cls.methods[name]
            if name in cls.aliases:
                return cls.methods.get(dotted(cls.aliases[name]) or "")
        return None

    def assigned(self, name: str) -> bool:
        """True when the first definition of `name` is an assignment of something other than a method or None."""
        for cls in self.classes:
            if name in cls.methods:
                return False
            if name in cls.aliases:
                value = cls.aliases[name]
                harmless = isinstance(value, ast.Constant) or dotted(value) in cls.methods or _of_object(value)
                return not harmless
        return False


def _of_object(value: ast.expr) -> bool:
    """`__hash__ = object.__hash__` and the like."""
    return (dotted(value) or "").partition(".")[0] in ("object", "dict", "list", "tuple", "str", "int", "float", "set")


def _is_abc(value: ast.expr | None) -> bool:
    """`ABC = ABCMeta("ABC", (object,), {})`, as written before Python 3.4."""
    return isinstance(value, ast.Call) and (dotted(value.func) or "").endswith("ABCMeta")


def _merge(lists: list[list[Class]]) -> list[Class]:
    """The C3 merge; where sources of several versions contradict each other, order of appearance."""
    merged: list[Class] = []
    pending = [list(items) for items in lists if items]
    while pending:
        candidates = [items[0] for items in pending]
        tails = {cls.path for items in pending for cls in items[1:]}
        chosen = next((cls for cls in candidates if cls.path not in tails), candidates[0])
        merged.append(chosen)
        pending = [[cls for cls in items if cls.path != chosen.path] for items in pending]
        pending = [items for items in pending if items]
    return merged
