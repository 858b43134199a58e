"""Which dotted name an expression stands for, however it is reached.

Imports and their aliases, assignments, `getattr` with a text, `__import__`, `importlib.import_module`, module
dictionaries (`os.__dict__["system"]`, `globals()["x"]`, `sys.modules["os"]`), `functools.partial` and `reduce`, the
getters of `operator`, functions that find an object by its dotted name, small functions of the file, callables held in
lists, tables and attributes. Names are kept for the whole file; a name that stands for several things resolves to the
telling one.
"""

import ast
import builtins
from typing import NamedTuple

from modelscan_plus.formats.text.python.bindings import note_assignment
from modelscan_plus.formats.text.python.fold import Constant, Folder, NotConstant
from modelscan_plus.formats.text.python.inline import Inliner
from modelscan_plus.formats.text.python.library_names import (
    CARRIED,
    MODULES_OF_ANYTHING,
    TELLING,
    everything,
    joined_name,
    of_globals,
    own_name,
)
from modelscan_plus.formats.text.python.sinks import KIND_OF, OBJECTS
from modelscan_plus.formats.text.python.walk import walk

_BUILTINS = frozenset(name for name in dir(builtins) if not name.startswith("_")) | {"__import__", "__builtins__"}
_IMPORTERS = frozenset(
    """builtins.__import__ importlib.import_module importlib.__import__ importlib._bootstrap._gcd_import
    importlib._bootstrap._find_and_load importlib._bootstrap.__import__ _frozen_importlib._gcd_import _frozen_importlib.__import__
    unittest.mock._importer pydoc.safeimport""".split()
)
_TOPS = frozenset(
    ("builtins.__import__", "importlib.__import__", "importlib._bootstrap.__import__", "_frozen_importlib.__import__")
)
"""Those that give the package that a dotted name begins with."""
_OF_SPECS = frozenset(
    ("importlib.util.module_from_spec", "_imp.create_builtin", "importlib._bootstrap.module_from_spec")
)
_SPECS = frozenset(("importlib.util.find_spec", "importlib.machinery.ModuleSpec", "importlib.util.spec_from_loader"))
"""Functions that describe a module by its name, and those that make it from that."""
_LOCATORS = frozenset(
    """pydoc.locate pkgutil.resolve_name hydra.utils.get_method hydra.utils.get_class hydra.utils.get_object
    hydra._internal.utils._locate django.utils.module_loading.import_string werkzeug.utils.import_string
    celery.utils.imports.symbol_by_name zope.dottedname.resolve.resolve twisted.python.reflect.namedAny
    sentence_transformers.util.import_from_string uvicorn.importer.import_from_string kombu.utils.imports.symbol_by_name
    mmengine.utils.get_object_from_string mmengine.utils.misc.get_object_from_string scrapy.utils.misc.load_object logging.config._resolve
    nemo.core.classes.common.import_class_by_path detectron2.utils.registry.locate hydra.utils._locate jsonargparse._util.import_object
    traitlets.utils.importstring.import_item IPython.utils.importstring.import_item transformers.utils.import_utils.direct_transformers_import
    optuna._imports.try_import torch._utils._import_dotted_name sqlalchemy.util.import_ starlette.config.import_string kedro.utils.load_obj
    dagster._utils.load_python_module gunicorn.util.import_app gunicorn.util.load_class airflow.utils.module_loading.import_string
    allennlp.common.util.import_module_and_submodules prefect.utilities.importtools.import_object lightning_utilities.core.imports.import_object""".split()
)
"""Functions that import an object by its dotted name."""
_GETTERS = frozenset(("builtins.getattr", "inspect.getattr_static"))
_ITEMS = frozenset(("__getitem__", "get"))
_SCOPES = frozenset(("__globals__", "f_globals", "f_locals"))
_TABLES = frozenset(("builtins.globals", "builtins.locals", "builtins.vars"))
_DEPTH = 60
_KEPT = 100_000
"""Expressions of which it is kept what they came to."""


class _Answer(NamedTuple):
    """What an expression was found to stand for."""

    node: ast.expr
    """Kept, so that nothing else comes to stand at its address."""
    depth: int
    """How deep in others it stood; much nearer to the outside, more of it is looked at."""
    found: str | None
    disguised: bool
    decoded: bool
    cut: bool
    """Part of it stood too deep."""


class Names:
    """The names of one source file."""

    def __init__(self, tree: ast.Module, *, ambient: bool = False) -> None:
        """`ambient`: the code stands in a text, and whoever evaluates it may have imported modules for it."""
        self.aliases: dict[str, str] = {"get_ipython": "IPython.get_ipython"}
        if ambient:
            self.aliases |= {name: name for name in CARRIED}
        self.imports: list[tuple[str, tuple[str, ...]]] = []
        """Module (with leading dots) and imported names of each import statement."""
        self.nodes = list(walk(tree))
        """All nodes of the source."""
        self.defined: set[str] = {
            node.name for node in self.nodes if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef))
        }
        self.functions: set[str] = {
            node.name for node in self.nodes if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))
        }
        self.disguised = False
        """Set when the last resolution went through a name given as text."""
        self.indirect = False
        """Set when a call is made by a function that is given the name of a method."""
        self.constants: dict[str, Constant] = {}
        self.single: dict[str, ast.expr] = {}
        """What a variable that is assigned once is assigned."""
        self.inliner = Inliner(self.nodes)
        self.folder = Folder(self.constants, self.plain, self.inliner)
        self._answers: dict[int, _Answer] = {}
        """By node, what it came to."""
        self._cut = False
        """Set when something stood too deep inside of others to be looked at."""
        self._assigned: dict[str, list[ast.expr | None]] = {}
        self._attributes: dict[str, ast.expr] | None = None
        """What classes set their attributes to; None before anybody asked."""
        self._loops: dict[str, list[ast.expr]] | None = None
        """By variable, what loops take it from; None before anybody asked."""
        self._collect()

    def _collect(self) -> None:
        assigned = self._assigned
        for node in self.nodes:
            if isinstance(node, ast.Import):
                for alias in node.names:
                    self.imports.append((alias.name, ()))
                    name = alias.asname or alias.name.partition(".")[0]
                    self.aliases[name] = own_name(alias.name) if alias.asname else name
            elif isinstance(node, ast.ImportFrom):
                module = "." * node.level + (node.module or "")
                self.imports.append((module, tuple(alias.name for alias in node.names)))
                for alias in node.names:
                    self.aliases[alias.asname or alias.name] = joined_name(own_name(module), alias.name)
                    if alias.name == "*":
                        self.aliases.update(everything(module, self.aliases))
            else:
                note_assignment(assigned, node)
            if isinstance(node, ast.ClassDef):
                for statement in node.body:
                    if isinstance(statement, ast.Assign) and isinstance(statement.targets[0], ast.Name):
                        assigned.setdefault(f".{statement.targets[0].id}", []).append(statement.value)
        self.single = {
            name: values[0] for name, values in assigned.items() if len(values) == 1 and values[0] is not None
        }
        for _ in range(3):
            before = len(self.aliases), len(self.constants)
            self._follow(assigned)
            if before == (len(self.aliases), len(self.constants)):
                break

    def _follow(self, assigned: dict[str, list[ast.expr | None]]) -> None:
        for name, values in assigned.items():
            for value in values[:20]:
                if value is None:
                    continue
                dotted = self.plain(value)
                if dotted is None and isinstance(value, ast.Call):
                    maker = self.plain(value.func)
                    dotted = f"{maker}()" if maker in OBJECTS else None
                if name.startswith(".") and dotted not in KIND_OF:
                    continue
                if dotted and name not in self.aliases and name not in self.defined and dotted != f"builtins.{name}":
                    self.aliases[name] = dotted
                    self.forget()
            if len(values) == 1 and name not in self.constants:
                try:
                    self.constants[name] = self.folder.fold(values[0])
                except NotConstant:
                    continue
                self.forget()

    def texts(self, node: ast.expr | None) -> list[str]:
        """The texts that the expression may stand for: one constant, or what a loop or branches give a variable."""
        if (text := self.folder.text(node)) is not None:
            return [text]
        if not isinstance(node, ast.Name):
            return []
        found = [self.folder.text(value) for value in self._assigned.get(node.id, ())[:50] if value is not None]
        return [text for text in found if text is not None] or self.looped(node.id)

    def assigned(self, name: str) -> list[ast.expr]:
        """What a variable is assigned in the file, as far as that stands there."""
        return [value for value in self._assigned.get(name, [])[:50] if value is not None]

    def looped(self, variable: str) -> list[str]:
        """The constant texts that loops give a variable."""
        if self._loops is None:
            self._loops = {}
            for node in self.nodes:
                if isinstance(node, (ast.For, ast.comprehension)):
                    targets = node.target.elts if isinstance(node.target, ast.Tuple) else [node.target]
                    for target in targets:
                        if isinstance(target, ast.Name):
                            self._loops.setdefault(target.id, []).append(node.iter)
        found: list[str] = []
        for taken in self._loops.get(variable, ())[:5]:
            if isinstance(taken, ast.Call) and getattr(taken.func, "attr", "") in ("items", "values", "keys"):
                taken = taken.func.value if isinstance(taken.func, ast.Attribute) else taken
            try:
                values = self.folder.fold(self.of_class(taken) or taken)
            except NotConstant:
                continue
            items = [*values, *values.values()] if isinstance(values, dict) else values
            for each in list(items)[:200] if isinstance(items, (list, tuple, set)) else []:
                found += map(str, each) if isinstance(each, (list, tuple)) else [str(each)]
        return found

    def of_class(self, node: ast.expr) -> ast.expr | None:
        """What a class of the source sets an attribute to that nothing else sets: `self.fields` of a dataclass."""
        if not isinstance(node, ast.Attribute):
            return None
        if self._attributes is None:
            self._attributes = {}
            changed = {
                each.attr for each in self.nodes if isinstance(each, ast.Attribute) and isinstance(each.ctx, ast.Store)
            }
            for owner in self.nodes:
                for each in owner.body if isinstance(owner, ast.ClassDef) else ():
                    match each:
                        case (
                            ast.AnnAssign(target=ast.Name(id=name), value=ast.expr() as value)
                            | ast.Assign(targets=[ast.Name(id=name)], value=value)
                        ):
                            if name not in changed:
                                self._attributes.setdefault(name, value)
        return self._attributes.get(node.attr)

    def plain(self, node: ast.expr) -> str | None:
        """The dotted name, None for none."""
        return self._resolve(node, 0)

    def resolve(self, node: ast.expr) -> tuple[str | None, bool]:
        """The dotted name, and whether text was looked up on the way."""
        self.disguised = False
        return self._resolve(node, 0), self.disguised

    def forget(self) -> None:
        """Forget what expressions came to: a name came to stand for something else."""
        self._answers.clear()
        self.folder.forget()

    def _resolve(self, node: ast.expr | None, depth: int) -> str | None:
        """As `_looked_at`, but each expression once: a call asks for its function more than once, and so does every call
        in that."""
        if node is None:
            return None
        if depth > _DEPTH:
            self._cut = True
            return None
        if isinstance(node, ast.Name):
            if node.id in self.aliases:
                return self.aliases[node.id]
            return f"builtins.{node.id}" if node.id in _BUILTINS and node.id not in self.defined else None
        known = self._answers.get(id(node))
        if known is None or (known.cut and depth + _DEPTH // 2 <= known.depth):
            known = self._answered(node, depth)
        self.disguised = self.disguised or known.disguised
        self.folder.decoded = self.folder.decoded or known.decoded
        self._cut = self._cut or known.cut
        return known.found

    def _answered(self, node: ast.expr, depth: int) -> "_Answer":
        before = self.disguised, self.folder.decoded, self._cut
        self.disguised = self.folder.decoded = self._cut = False
        found = self._looked_at(node, depth)
        answer = _Answer(node, depth, found, self.disguised, self.folder.decoded, self._cut)
        self.disguised, self.folder.decoded, self._cut = before
        if len(self._answers) > _KEPT:
            self._answers.clear()
        self._answers[id(node)] = answer
        return answer

    def _looked_at(self, node: ast.expr, depth: int) -> str | None:
        match node:
            case ast.Attribute():
                return self._attribute(node.value, node.attr, depth)
            case ast.Call():
                return self._call(node, depth)
            case ast.Subscript():
                return self._subscript(node, depth)
            case ast.IfExp():
                return self._resolve(node.body, depth + 1) or self._resolve(node.orelse, depth + 1)
            case ast.BoolOp():
                return next((found for value in node.values if (found := self._resolve(value, depth + 1))), None)
            case ast.NamedExpr():
                return self._resolve(node.value, depth + 1)
        return None

    def _attribute(self, value: ast.expr, name: str, depth: int) -> str | None:
        if name in ("__builtins__", "f_builtins"):
            return "builtins"
        if name == "__class__" and (made := self._class_of(value, depth)):
            return made
        if name == "__subclasses__" and self._is_object(value, depth):
            self.disguised = True
            return "builtins.object.__subclasses__"
        base = self._resolve(value, depth + 1)
        if name == "__call__" and base in KIND_OF:
            return base
        if name == "__self__" and base and base.startswith("builtins."):
            self.disguised = True
            return "builtins"
        if base is None and f".{name}" in self.aliases:
            return self.aliases[f".{name}"]  # self.run = os.system, or so in a class body
        if base is None and name in MODULES_OF_ANYTHING:
            return name  # whatever it is an attribute of, the module is meant
        if base is None and isinstance(value, ast.Call):
            maker = self._resolve(value.func, depth + 2)
            base = f"{maker}()" if maker in OBJECTS else None
        return None if base is None else joined_name(base, name)

    def _is_object(self, value: ast.expr, depth: int) -> bool:
        """True for the class that all classes come from, by name or as the last of another's bases."""
        if isinstance(value, ast.Subscript):
            value = value.value
        if isinstance(value, ast.Attribute):
            return value.attr in ("__base__", "__bases__", "__mro__")
        return self._resolve(value, depth + 1) == "builtins.object"

    def _call(self, node: ast.Call, depth: int) -> str | None:
        function = self._resolve(node.func, depth + 1)
        if function == "builtins.type" and len(node.args) == 1 and (made := self._class_of(node.args[0], depth)):
            return made
        if function and node.args and (found := self._found(function, node, depth)):
            return found
        if isinstance(node.func, ast.Attribute):
            of = node.func.value.args if isinstance(node.func.value, ast.Call) else []
            if node.func.attr == "load_module" and (module := self._telling(node.args or of)):
                return module
            if node.func.attr in _ITEMS and node.args:
                return self._subscript(ast.Subscript(node.func.value, node.args[0]), depth + 1)
        if (
            isinstance(node.func, ast.Call)
            and node.func.args
            and self._resolve(node.func.func, depth + 1) == "weakref.ref"
        ):
            return self._resolve(node.func.args[0], depth + 1)
        if isinstance(node.func, ast.Call) and node.args and node.func.args:
            return self._got(self._resolve(node.func.func, depth + 2), node.func.args[0], node.args[0], depth)
        inner = self.inliner.returned(node)
        return self._resolve(inner, depth + 10) if inner is not None else None

    def _class_of(self, value: ast.expr, depth: int) -> str | None:
        """The class of a function or of its code: `type(lambda: 0)`, `f.__class__`, `type(f.__code__)`."""
        if isinstance(value, ast.Name) and isinstance(self.single.get(value.id), (ast.Lambda, ast.Attribute)):
            value = self.single[value.id]
        if isinstance(value, ast.Attribute) and value.attr in ("__code__", "gi_code", "cr_code", "f_code", "co_code"):
            return "types.CodeType"
        if isinstance(value, ast.Call) and self._resolve(value.func, depth + 1) == "builtins.compile":
            return "types.CodeType"
        plain = isinstance(value, ast.Name) and value.id in self.functions and value.id not in self._assigned
        of_method = isinstance(value, ast.Attribute) and value.attr == "__func__"
        return "types.FunctionType" if isinstance(value, ast.Lambda) or plain or of_method else None

    def _module_of(self, spec: ast.expr, depth: int) -> str | None:
        """The module that is made from its description: `module_from_spec(find_spec("subprocess"))`."""
        if isinstance(spec, ast.Name):
            spec = self.single.get(spec.id, spec)
        if isinstance(spec, ast.Call) and self._resolve(spec.func, depth + 1) in _SPECS:
            return self._telling(spec.args)
        return None

    def _imported(self, function: str, node: ast.Call) -> str | None:
        modules = self.texts(node.args[0])
        module = next((each for each in modules if each.partition(".")[0] in TELLING), next(iter(modules), None))
        if module is None:
            return None
        if module.startswith(".") and len(node.args) > 1 and (package := self.folder.text(node.args[1])):
            module = package + module
        if function in _TOPS and len(node.args) < 4 and not any(item.arg == "fromlist" for item in node.keywords):
            module = module.partition(".")[0]
        self.disguised = self.disguised or module.partition(".")[0] in TELLING
        return module or None

    def _found(self, function: str, node: ast.Call, depth: int) -> str | None:
        """What a function gives that finds things by name, or hands on what it is given."""
        arguments = node.args
        if function in _IMPORTERS:
            return self._imported(function, node)
        if function in _OF_SPECS or function.endswith(".create_module"):
            return self._module_of(arguments[0], depth)
        if function in _LOCATORS:
            self.disguised = True
            return (self.folder.text(arguments[0]) or "").replace(":", ".") or None
        if function in _GETTERS and len(arguments) >= 2:
            return self._named(arguments[0], arguments[1], depth)
        if function == "functools.partial":
            return self._resolve(arguments[0], depth + 1)
        if function == "functools.reduce" and len(arguments) > 2:
            return self._reduced(arguments, depth)
        if function == "operator.getitem" and len(arguments) > 1:
            return self._subscript(ast.Subscript(arguments[0], arguments[1]), depth + 1)
        if function.endswith((".__getattribute__", ".__dict__.get")):
            return self._by_text(function.rpartition(".__")[0].removesuffix(".__dict__"), arguments, depth)
        return None

    def _telling(self, arguments: list[ast.expr]) -> str | None:
        module = self.folder.text(arguments[0]) if arguments else None
        if module is None or module.partition(".")[0] not in TELLING:
            return None
        self.disguised = True
        return module

    def _named(self, base: ast.expr, name: ast.expr, depth: int) -> str | None:
        """`getattr(base, name)`."""
        text, dotted = self.folder.text(name), self._resolve(base, depth + 1)
        if text == "__builtins__":
            self.disguised = True
            return "builtins"
        if not text or not dotted:
            return None
        self.disguised = True
        return joined_name(dotted, text)

    def _reduced(self, arguments: list[ast.expr], depth: int) -> str | None:
        """`functools.reduce(getattr, ["path", "join"], os)`."""
        dotted, getter = self._resolve(arguments[2], depth + 1), arguments[0]
        if isinstance(getter, ast.Lambda) and isinstance(getter.body, ast.Call):
            getter = getter.body.func
        if self._resolve(getter, depth + 1) not in _GETTERS or dotted is None:
            return None
        try:
            names = self.folder.fold(arguments[1])
        except NotConstant:
            return None
        self.disguised = True
        for name in names if isinstance(names, list) else []:
            dotted = joined_name(dotted, str(name))
        return dotted

    def _got(self, maker: str | None, name: ast.expr, base: ast.expr, depth: int) -> str | None:
        """`operator.attrgetter(name)(base)` and `operator.itemgetter(name)(base)`."""
        if maker == "operator.attrgetter":
            return self._named(base, name, depth)
        if maker == "operator.itemgetter":
            return self._subscript(ast.Subscript(base, name), depth + 1)
        return None

    def _by_text(self, base: str, arguments: list[ast.expr], depth: int) -> str | None:
        """`os.__getattribute__("system")` and `object.__getattribute__(os, "system")`."""
        if base in ("builtins.object", "builtins.type") and len(arguments) > 1:
            base, arguments = self._resolve(arguments[0], depth + 1) or "", arguments[1:]
        name = self.folder.text(arguments[0])
        if not name or not base:
            return None
        self.disguised = True
        return joined_name(base, name)

    def _held(self, holder: ast.expr, depth: int) -> str | None:
        """The telling one of the functions that a literal list or dict holds."""
        if isinstance(holder, ast.Name) and holder.id in self.single:
            holder = self.single[holder.id]
        elif isinstance(holder, ast.Attribute) and f".{holder.attr}" in self.single:
            holder = self.single[f".{holder.attr}"]
        values = (
            holder.values
            if isinstance(holder, ast.Dict)
            else holder.elts
            if isinstance(holder, (ast.List, ast.Tuple))
            else []
        )
        found = [dotted for value in values[:50] if (dotted := self._resolve(value, depth + 5))]
        return next((dotted for dotted in found if dotted in KIND_OF), None)

    def _subscript(self, node: ast.Subscript, depth: int) -> str | None:
        """`vars(os)["system"]`, `os.__dict__["system"]`, `sys.modules["os"]`, `[os.system][0]`."""
        if held := self._held(node.value, depth):
            return held
        key = self.folder.text(node.slice)
        if not key:
            return None
        holder = node.value
        if isinstance(holder, ast.Call) and self._resolve(holder.func, depth + 2) in _TABLES:
            self.disguised = True
            base = self._resolve(holder.args[0], depth + 1) if holder.args else None
            if base:
                return joined_name(base, key)
            return "builtins" if key == "__builtins__" else self.aliases.get(key, f"builtins.{key}")
        if isinstance(holder, ast.Attribute) and holder.attr in _SCOPES and (found := of_globals(key)):
            self.disguised = True
            return found
        dotted = self._resolve(holder, depth + 1)
        if dotted == "plumbum.local":
            return f"plumbum.local.{key}"
        if dotted == "sys.modules":
            self.disguised = True
            return key
        if dotted in ("builtins", "builtins.__builtins__"):
            self.disguised = True
            return f"builtins.{key}"
        if dotted and dotted.endswith(".__dict__"):
            self.disguised = True
            return joined_name(dotted.removesuffix(".__dict__"), key)
        return None
