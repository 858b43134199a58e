"""A program: the Python files of a repository, loaded as Python and model loaders would."""

import ast
import posixpath
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager

from modelscan_plus.core.limits import Budget
from modelscan_plus.formats.text.python.commands import unstarted
from modelscan_plus.formats.text.python.facts import Effect
from modelscan_plus.formats.text.python.follow import classes, objects
from modelscan_plus.formats.text.python.follow.emit import Emitter
from modelscan_plus.formats.text.python.follow.machine import Exhausted, Machine, asked_arguments
from modelscan_plus.formats.text.python.follow.values import (
    UNKNOWN,
    Class,
    Function,
    Instance,
    Module,
    Outer,
    Patchwork,
    Scope,
    Table,
    Unknown,
    Value,
    join,
    lifted,
    options,
    texts,
)
from modelscan_plus.formats.text.python.handed import handed
from modelscan_plus.formats.text.python.library_names import everything, joined_name
from modelscan_plus.formats.text.python.names import Names
from modelscan_plus.formats.text.python.sinks import ENTRY_NAMES, PUBLIC_ENTRIES

_CONFIG = frozenset(("config",))
_RECURSION = 5_000
"""Python calls inside of calls, of which one call of the program takes some fifteen; they need no room on the stack."""
_STEPS = 3_000_000
"""Steps of a whole program."""


_GIVEN = Unknown(frozenset(("given",)))


class Program:
    """Python files that belong together."""

    def __init__(
        self,
        trees: Mapping[str, ast.Module],
        sources: Mapping[str, str],
        budget: Budget,
        settings: Mapping[str, str] | None = None,
    ) -> None:
        """`trees` and `sources` by path; `settings` are texts of the configuration that loaders hand to the code."""
        self._trees = trees
        self.sources = sources
        self.emitter = Emitter(sources, budget)
        self.texts = 0
        """How deep inside of code in text."""
        self.settings: Value = Unknown(_CONFIG)
        self._settings = {name: lifted(text, _CONFIG) for name, text in (settings or {}).items()}
        if self._settings:
            self.settings = Table(dict(self._settings.items()), [Unknown(_CONFIG)])
        self._modules: dict[str, Module] = {}
        self._machine = Machine(self, budget)
        self.exhausted: list[str] = []
        """What was not followed to its end."""
        self._left = _STEPS

    # ---- from the outside

    def effects(
        self,
        roots: Sequence[str],
        imported: frozenset[str] = frozenset(),
        called: Mapping[str, Sequence[str]] | None = None,
    ) -> list[tuple[str, Effect]]:
        """What happens when these files are imported, and when loaders call what is in them; by path.

        Of those in `imported` nothing is called but what `called` names."""
        with _deep():
            self._follow(roots, imported, called or {})
        return self.told()

    def serve(self, paths: Sequence[str]) -> None:
        """Call what something outside was given in these files (handed.py), with what others ask for."""
        with _deep():
            for path in paths:
                self._part("import", f"the import of {path}", lambda path=path: self.load(path))
                given = handed(self._trees[path], Names(self._trees[path]))
                for name in sorted({*given.hooks, *given.asked}):
                    how = "asked" if name in given.asked else "hook"
                    self._part(
                        "entry", f"{path}: {name}", lambda path=path, name=name, how=how: self._serve(path, name, how)
                    )

    def _serve(self, path: str, name: str, how: str) -> None:
        machine, module = self._machine, self._modules[path]
        machine.handed = how
        try:
            first, _, method = name.partition(".")
            for option in options(module.names.get(first, UNKNOWN)):
                if isinstance(option, Class) and method:
                    self._serve_method(option, method, Scope(module))
                elif isinstance(option, Function):
                    machine.call(option, *asked_arguments(option), ast.Constant(None), Scope(module))
        finally:
            machine.handed = ""

    def _serve_method(self, cls: Class, method: str, scope: Scope) -> None:
        node = ast.Constant(None)
        for made in options(classes.construct(self._machine, cls, [], {}, node, scope)):
            own = cls.find(method)
            if isinstance(made, Instance) and isinstance(own, Function):
                given, keywords = asked_arguments(own, skipped=1)
                self._machine.call(own, [made, *given], keywords, node, scope)

    def _follow(self, roots: Sequence[str], imported: frozenset[str], called: Mapping[str, Sequence[str]]) -> None:
        for path in roots:
            self._part("import", f"the import of {path}", lambda path=path: self.load(path))
        for made in list(self._machine.made)[:500]:
            self._part("import", f"an object of {made.cls.name}", lambda made=made: self._end(made))
        for path in roots:
            module = self._modules.get(path)
            names = frozenset(called.get(path, ()))
            entries = list(self._named(module, names)) if module is not None and names else []
            if module is not None and path not in imported:
                entries += self._entries(module)
            for entry in entries:
                self._part("entry", f"{path}: {entry[0]}", lambda entry=entry: self._enter(*entry))

    def told(self) -> list[tuple[str, Effect]]:
        """What was found so far."""
        return list(self.emitter.effects())

    def _part(self, when: str, what: str, run: object) -> None:
        self._machine.start(when)
        before = self._machine.room
        try:
            if self._left > 0 and callable(run):
                run()
                self._machine.finish()
            else:
                self.exhausted.append(what)
        except Exhausted as reason:
            self.exhausted.append(f"{what} ({reason})")
        finally:
            self._left -= before - self._machine.room
            self._machine.reset()

    def _end(self, made: Instance) -> None:
        objects.touch(self._machine, made, ("__del__",), [], ast.Constant(None), Scope(made.cls.module))

    def _entries(self, module: Module) -> Iterator[tuple[str, Value, Module]]:
        public = PUBLIC_ENTRIES.get(posixpath.basename(module.path))
        unused = unstarted(self._trees[module.path]) if public == "methods" else set[str]()
        for name, value in list(module.names.items()):
            for option in options(value) if name not in unused else ():
                own = isinstance(option, Class) and (
                    option.module is module or (public == "methods" and _is_command(option))
                )
                if own or (
                    isinstance(option, Function)
                    and option.scope.module is module
                    and (name in ENTRY_NAMES or (public == "functions" and not name.startswith("_")))
                ):
                    yield name, option, module

    def _named(self, module: Module, names: frozenset[str]) -> Iterator[tuple[str, Value, Module]]:
        """What settings name in a module; what was imported there stands where it is from."""
        for name, value in list(module.names.items()):
            if name in names or ("*" in names and not name.startswith("_")):
                for option in options(value):
                    if isinstance(option, (Class, Function)) and (name in names or _module_of(option) is module):
                        yield name, option, module

    def _enter(self, name: str, value: Value, module: Module) -> None:
        """Call what loaders call: a function, or an object's methods that they know by name."""
        machine, scope = self._machine, Scope(module)
        node = ast.Constant(None)
        if not isinstance(value, Class):
            machine.hand_over(value, node, scope)
            return
        arguments: list[Value] = []
        keywords: dict[str, Value] = {}
        maker = value.find("__init__")
        if isinstance(maker, Function):
            taken = maker.node.args
            names = [item.arg for item in [*taken.posonlyargs, *taken.args]][1:]
            of_config = value.name.endswith("Config")
            defaults = dict(zip(names[len(names) - len(taken.defaults) :], maker.defaults, strict=False))
            keywords = {
                each: join([self._given(each, of_config=of_config), *([defaults[each]] if each in defaults else [])])
                for each in names
            }
            if of_config and taken.kwarg:
                keywords |= {each: text for each, text in self._settings.items() if each not in names}
        made = classes.construct(machine, value, arguments, keywords, node, scope)
        every = PUBLIC_ENTRIES.get(posixpath.basename(module.path)) == "methods"
        for option in options(made):
            if isinstance(option, Instance):
                self._use(option, node, scope, every=every)

    def _use(self, made: Instance, node: ast.AST, scope: Scope, *, every: bool) -> None:
        for name, own in list(made.attributes.items()):
            if name in ENTRY_NAMES:
                self._machine.hand_over(own, node, scope)
        for line in made.cls.lines():
            for name, own in list(line.names.items()):
                special = name.startswith("__") and name.endswith("__")
                entry = name in ENTRY_NAMES or special or (every and not name.startswith("_"))
                entry = entry or any(
                    isinstance(each, Function) and each.role in ("property", "cached") for each in options(own)
                )
                if entry and name not in ("__init__", "__new__", "__init_subclass__"):
                    objects.call_method(self._machine, made, name, own, made.cls, node, scope)

    def _given(self, name: str, *, of_config: bool) -> Value:
        if of_config:
            return self._settings.get(name, Unknown(_CONFIG))
        return self.parameter(name)

    def parameter(self, name: str, *, of_user: bool = False) -> Value:
        """What a caller outside of the program gives for a parameter; `of_user`: of a method by which a model is used."""
        if name in objects.CONFIG_NAMES:
            return self.settings
        return _GIVEN if of_user else UNKNOWN

    # ---- modules

    def load(self, path: str) -> Module:
        """The module of a file; its body is gone through the first time."""
        known = self._modules.get(path)
        if known is not None:
            return known
        module = self._modules[path] = Module(path)
        module.names |= {
            "__name__": Patchwork(f"….{_dotted(path)}"),
            "__file__": Patchwork(f"…/{path}"),
            "__package__": Patchwork(f"….{_dotted(posixpath.dirname(path))}"),
        }
        module.scope = Scope(module, names=module.names)
        self._machine.aside(lambda: self._machine.block(self._trees[path].body, module.scope or Scope(module)))
        return module

    def imported(self, module: Module, dotted: str, level: int) -> Module | None:
        """The file of the repository that an import leads to; None for a library."""
        path = self._find(module, dotted, level)
        if path is None:
            return None
        for above in _above(path):
            if above in self._trees and above != module.path:
                self.load(above)  # packages are imported first
        return self.load(path)

    def _find(self, module: Module, dotted: str, level: int) -> str | None:
        folder = posixpath.dirname(module.path)
        for _ in range(max(0, level - 1)):
            folder = posixpath.dirname(folder)
        place = dotted.replace(".", "/")
        folders = [folder] if level else list(dict.fromkeys((folder, "")))
        for at in folders:
            base = posixpath.join(at, place) if place else at
            for path in (f"{base}.py", posixpath.join(base, "__init__.py"), posixpath.join(at, f"{dotted}.py")):
                if path in self._trees:
                    return path
        if not level and place and len(dotted) > 1 and dotted.partition(".")[0] not in _LIBRARIES:
            found = [path for path in self._trees if path.endswith((f"/{place}.py", f"/{place}/__init__.py"))]
            return found[0] if len(found) == 1 else None
        return None

    def submodule(self, module: Module, name: str) -> Module | None:
        """A file below a package."""
        if not module.path.endswith("__init__.py"):
            return None
        folder = posixpath.dirname(module.path)
        for path in (posixpath.join(folder, f"{name}.py"), posixpath.join(folder, name, "__init__.py")):
            if path in self._trees:
                return self.load(path)
        return None

    def by_path(self, module: Module, path: str) -> Module | None:
        """The file of the repository that a path leads to, as far as the path is known."""
        place = path.rpartition("…")[2].replace("\\", "/").lstrip("./")
        for folder in dict.fromkeys((posixpath.dirname(module.path), "")):
            if (found := posixpath.normpath(posixpath.join(folder, place))) in self._trees:
                return self.load(found)
        ending = [each for each in self._trees if each.endswith(f"/{posixpath.basename(place)}")]
        return self.load(ending[0]) if len(ending) == 1 else None

    def module_or_outer(self, name: str, *, disguised: bool) -> Value:
        """A module by its name in `sys.modules`."""
        name = name.lstrip(".")
        path = next((each for each in self._modules if f".{_dotted(each)}".endswith(f".{name}")), None)
        return self._modules[path] if path is not None else Outer(name, disguised=disguised)

    def loaded(self) -> list[Value]:
        """All modules that were imported so far."""
        return list(self._modules.values())

    def beside(self, module: Module, below: str = "") -> list[Value]:
        """The modules in the folder of a module, or in one below it, for an import whose name is not known in full."""
        folder = posixpath.join(posixpath.dirname(module.path), below).rstrip("/")
        found = [path for path in self._trees if posixpath.dirname(path) == folder and path != module.path]
        return [self.load(path) for path in found[:30]]

    def from_import(self, module: Module, node: ast.ImportFrom, scope: Scope) -> Iterator[tuple[str, Value]]:
        """The names that an import statement brings, with what they stand for."""
        found = self.imported(module, node.module or "", node.level) if node.module or node.level else None
        outer = "." * node.level + (node.module or "")
        for alias in node.names:
            if alias.name == "*":
                yield from _star(found) if found is not None else _star_of_library(outer, scope)
                continue
            value: Value | None = None
            if found is not None:
                value = found.names.get(alias.name) or self.submodule(found, alias.name)
                if value is None and "__getattr__" in found.names:
                    value = objects.of_module(self._machine, found, alias.name, node, scope)
            elif node.level or node.module is None:
                value = self.imported(module, f"{node.module}.{alias.name}" if node.module else alias.name, node.level)
            if value is None:
                value = UNKNOWN if found is not None else Outer(joined_name(outer, alias.name))
            yield alias.asname or alias.name, value

    def ambient(self, name: str, module: Module) -> Value | None:
        """A name that nobody defines and that is there all the same."""
        return Outer("IPython.get_ipython") if name == "get_ipython" else None

    def note(self, module: Module) -> None:
        """Something of the module changed."""
        module.version += 1


@contextmanager
def _deep() -> Iterator[None]:
    """Room for calls inside of calls."""
    limit = sys.getrecursionlimit()
    sys.setrecursionlimit(max(limit, _RECURSION))
    try:
        yield
    finally:
        sys.setrecursionlimit(limit)


def _module_of(value: Class | Function) -> Module:
    return value.module if isinstance(value, Class) else value.scope.module


_LIBRARIES = frozenset(
    """os sys re io json math time torch numpy transformers typing logging random copy collections functools itertools
    subprocess pathlib utils types string struct warnings inspect""".split()
)
"""Modules that are not looked for anywhere in the repository."""


def _is_command(cls: Class) -> bool:
    """True for a class of commands of setup.py, wherever it stands."""
    return any(base.dotted.startswith(("setuptools", "distutils")) for base in cls.outer_bases())


def _star(module: Module) -> Iterable[tuple[str, Value]]:
    names = [name for name in module.names if not name.startswith(("_", "§"))]
    held = module.names.get("__all__")
    if held is not None:
        names = [text for option in options(held) for text in _listed(option)] or names
    return [(name, module.names[name]) for name in names if name in module.names]


def _listed(value: Value) -> Iterator[str]:
    for item in getattr(value, "items", ()) if not isinstance(value, Table) else ():
        yield from texts(item)


def _star_of_library(outer: str, scope: Scope) -> Iterable[tuple[str, Value]]:
    return [(name, Outer(dotted)) for name, dotted in everything(outer, {}).items()]


def _dotted(path: str) -> str:
    return path.removesuffix(".py").removesuffix("/__init__").replace("/", ".")


def _above(path: str) -> list[str]:
    """The packages that hold a file, outermost first."""
    parts = path.split("/")[:-1]
    return ["/".join([*parts[:length], "__init__.py"]) for length in range(1, len(parts) + 1)]
