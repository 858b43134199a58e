"""What one module of Python source defines, without running it."""

import ast
import warnings
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

Definition = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(slots=True)
class Function:
    """A function or method."""

    module: str
    name: str
    node: Definition
    decorators: tuple[str, ...]
    """Dotted names of its decorators, as written."""


@dataclass(slots=True)
class Class:
    """A class statement."""

    module: str
    name: str
    """Qualified within its module: "Outer.Inner"."""
    bases: tuple[ast.expr, ...]
    metaclass: ast.expr | None
    decorators: tuple[str, ...]
    methods: dict[str, Function] = field(default_factory=dict)
    """By name; a property's setter under "name.setter"."""
    aliases: dict[str, ast.expr] = field(default_factory=dict)
    """Attributes assigned in the body, for example `append = extend`."""

    @property
    def path(self) -> str:
        """The dotted path."""
        return f"{self.module}.{self.name}"


@dataclass(slots=True)
class Module:
    """The top level of one module."""

    name: str
    package: bool
    """True for a package's __init__."""
    imports: dict[str, str] = field(default_factory=dict)
    """Local name: dotted path of what it was imported as."""
    stars: list[str] = field(default_factory=list)
    """Modules from which everything was imported."""
    classes: dict[str, Class] = field(default_factory=dict)
    """By qualified name, nested ones included."""
    functions: dict[str, Function] = field(default_factory=dict)
    assigned: dict[str, ast.expr] = field(default_factory=dict)
    calls: list[ast.Call] = field(default_factory=list)
    """Calls that importing the module makes."""


def dotted(node: ast.expr | None) -> str | None:
    """ "a.b.c" for names and attributes, None for everything else."""
    parts: list[str] = []
    while isinstance(node, ast.Attribute):
        parts.append(node.attr)
        node = node.value
    if not isinstance(node, ast.Name):
        return None
    return ".".join([node.id, *reversed(parts)])


def parse(name: str, source: str, *, package: bool) -> Module | None:
    """The symbols of one module; None when this Python cannot parse it (Python 2 leftovers, templates)."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            tree = ast.parse(source)
    except (SyntaxError, ValueError, RecursionError):
        return None
    module = Module(name, package)
    for node in flatten(tree.body):
        _top_level(module, node)
    return module


def flatten(body: Iterable[ast.stmt]) -> Iterator[ast.stmt]:
    """Statements with the arms of if, try, with and for opened: any of them may run."""
    for node in body:
        yield node
        if isinstance(node, ast.If | ast.For | ast.While):
            if _main_guard(node):
                continue
            yield from flatten([*node.body, *node.orelse])
        elif isinstance(node, ast.With):
            yield from flatten(node.body)
        elif isinstance(node, ast.Try):
            handlers = [statement for handler in node.handlers for statement in handler.body]
            yield from flatten([*node.body, *handlers, *node.orelse, *node.finalbody])


def _main_guard(node: ast.stmt) -> bool:
    return isinstance(node, ast.If) and any(
        isinstance(part, ast.Name) and part.id == "__name__" for part in ast.walk(node.test)
    )


def _top_level(module: Module, node: ast.stmt) -> None:
    if isinstance(node, ast.Import | ast.ImportFrom):
        names = imported(node, module.name, package=module.package)
        if star := names.pop("*", None):
            module.stars.append(star.removesuffix(".*"))
        module.imports.update(names)
    elif isinstance(node, ast.ClassDef):
        _add_class(module, node, "")
    elif isinstance(node, Definition):
        module.functions.setdefault(node.name, _function(module.name, node))
    elif isinstance(node, ast.Assign):
        for target in node.targets:
            if isinstance(target, ast.Name):
                module.assigned[target.id] = node.value
    elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name) and node.value:
        module.assigned[node.target.id] = node.value
    if isinstance(node, ast.Expr | ast.Assign | ast.AugAssign | ast.AnnAssign):
        module.calls.extend(part for part in ast.walk(node) if isinstance(part, ast.Call))


def imported(node: ast.Import | ast.ImportFrom, module: str, *, package: bool) -> dict[str, str]:
    """Local name: dotted path, for one import statement inside `module`."""
    if isinstance(node, ast.Import):
        return {
            alias.asname or alias.name.partition(".")[0]: alias.name if alias.asname else alias.name.partition(".")[0]
            for alias in node.names
        }
    base = node.module or ""
    if node.level:
        parts = module.split(".")
        keep = len(parts) - node.level + (1 if package else 0)
        base = ".".join([*parts[: max(keep, 0)], *([node.module] if node.module else [])])
    return {alias.asname or alias.name: f"{base}.{alias.name}" for alias in node.names}


def _add_class(module: Module, node: ast.ClassDef, outer: str) -> None:
    name = f"{outer}{node.name}"
    metaclass = next((keyword.value for keyword in node.keywords if keyword.arg == "metaclass"), None)
    found = Class(module.name, name, tuple(node.bases), metaclass, decorator_names(node.decorator_list))
    module.classes.setdefault(name, found)
    for part in flatten(node.body):
        if isinstance(part, Definition):
            method = _function(module.name, part)
            setter = any(decorator.endswith(".setter") for decorator in method.decorators)
            found.methods[f"{part.name}.setter" if setter else part.name] = method
        elif isinstance(part, ast.ClassDef):
            _add_class(module, part, f"{name}.")
        elif isinstance(part, ast.Assign):
            found.aliases.update({target.id: part.value for target in part.targets if isinstance(target, ast.Name)})
        elif isinstance(part, ast.AnnAssign) and isinstance(part.target, ast.Name) and part.value:
            found.aliases[part.target.id] = part.value


def _function(module: str, node: Definition) -> Function:
    return Function(module, node.name, node, decorator_names(node.decorator_list))


def decorator_names(decorators: list[ast.expr]) -> tuple[str, ...]:
    """Dotted names; a decorator with one text argument as `name("text")`, for set_module."""
    names = []
    for decorator in decorators:
        call = decorator if isinstance(decorator, ast.Call) else None
        name = dotted(call.func if call else decorator) or "?"
        first = call.args[0] if call and call.args else None
        if isinstance(first, ast.Constant) and isinstance(first.value, str):
            name = f'{name}("{first.value}")'
        names.append(name)
    return tuple(names)
