"""What the body of a function reaches when it runs: nothing outside its arguments, something unknown, or a side effect.

Every statement and every nested function counts as run. Calls are followed through the library by name, to a bounded
depth; a call of a value that the function was handed is a doubt, since a pickle chooses that value.
"""

import ast
import enum
from dataclasses import dataclass

from tools.allowlist.policy import Policy
from tools.allowlist.symbols import Class, Function, Module, dotted, imported
from tools.allowlist.universe import Order, Universe

_DEPTH = 6
"""Calls followed from a hook; what lies deeper is a doubt."""


class Level(enum.IntEnum):
    """The worst that a body reaches."""

    CLEAN = 0
    DOUBT = 1
    SINK = 2


@dataclass(frozen=True, slots=True)
class Reached:
    """A level, and where it comes from."""

    level: Level
    why: str = ""


_CLEAN = Reached(Level.CLEAN)


@dataclass(frozen=True, slots=True)
class _Frame:
    """Where a call stands."""

    module: Module
    imports: dict[str, str]
    local: frozenset[str]
    """Names that the function binds: parameters and assignments."""
    nested: frozenset[str]
    """Functions and classes defined inside it."""
    receiver: str
    """Its first parameter when it is a method, else ""."""
    order: Order | None
    """The resolution order of the class whose object `receiver` is."""
    owner: str
    """The class that defines the method, for super()."""
    depth: int


class Reach:
    """The analysis of one universe; results are kept."""

    def __init__(self, universe: Universe, policy: Policy, *, constructing: bool = False) -> None:
        """`constructing`: the arguments are the attacker's too, so numeric libraries' allocations are doubts."""
        self._universe = universe
        self._policy = policy
        self._constructing = constructing
        self._known: dict[tuple[str, int, str], Reached] = {}

    def function(self, function: Function, order: Order | None = None, depth: int = _DEPTH) -> Reached:
        """What `function` reaches; `order` is that of the object it is called on."""
        key = (function.module, function.node.lineno, order.classes[0].path if order else "")
        if key in self._known:
            return self._known[key]
        if depth <= 0:
            return Reached(Level.DOUBT, "too deep")
        self._known[key] = _CLEAN
        self._known[key] = self._body(function, order, depth)
        return self._known[key]

    def _body(self, function: Function, order: Order | None, depth: int) -> Reached:
        module = self._universe.module(function.module)
        if module is None:
            return Reached(Level.DOUBT, "no source")
        frame = _frame(module, function, order, depth)
        worst = _CLEAN
        for node in _running(function.node):
            reached = _CLEAN
            if isinstance(node, ast.Call):
                reached = self._call(node, frame)
            elif isinstance(node, ast.Attribute) and order and dotted(node.value) == frame.receiver:
                reached = self._attribute(node.attr, order, depth)
            if reached.level > worst.level:
                worst = Reached(reached.level, f"{function.name}: {reached.why}")
        return worst

    def _attribute(self, name: str, order: Order, depth: int) -> Reached:
        method = order.method(name)
        if method is None or not any("property" in decorator for decorator in method.decorators):
            return _CLEAN
        return self.function(method, order, depth - 1)

    def _call(self, call: ast.Call, frame: _Frame) -> Reached:
        function = call.func
        if isinstance(function, ast.Attribute):
            return self._method_call(function, frame)
        if isinstance(function, ast.Name):
            return self._name_call(function.id, call, frame)
        if isinstance(function, ast.Lambda):
            return _CLEAN  # its body is among the nodes of the caller
        if _is_own_type(function, frame.receiver) and frame.order:
            return self._construct(frame.order, frame.depth)
        return Reached(Level.DOUBT, f"calls {ast.unparse(function)[:60]}")

    def _name_call(self, name: str, call: ast.Call, frame: _Frame) -> Reached:
        if name in frame.nested:
            return _CLEAN
        if name == frame.receiver and frame.order:
            return self._construct(frame.order, frame.depth)
        if name in frame.imports:
            return self._path(frame.imports[name], frame)
        if name in frame.local:
            return Reached(Level.DOUBT, f"calls the value {name}")
        if name in ("map", "filter") and call.args and dotted(call.args[0]) in frame.local:
            return Reached(Level.DOUBT, f"{name} calls a value")
        return self._written(name, frame)

    def _method_call(self, function: ast.Attribute, frame: _Frame) -> Reached:
        name = function.attr
        if _is_super(function.value):
            return self._super(name, frame)
        path = dotted(function)
        root = path.partition(".")[0] if path else ""
        if path and frame.order and path == f"{frame.receiver}.__class__":
            return self._construct(frame.order, frame.depth)
        if path and frame.order and path == f"{frame.receiver}.{name}":
            return self._own_method(name, frame.order, frame)
        if path and root in frame.imports:
            return self._path(path.replace(root, frame.imports[root], 1), frame)
        if path and root not in frame.local and root != frame.receiver and self._is_global(root, frame.module):
            return self._written(path, frame)
        return self._unknown_method(name)

    def _is_global(self, root: str, module: Module) -> bool:
        known = (module.imports, module.classes, module.functions, module.assigned)
        return any(root in names for names in known) or root in self._policy.builtins

    def _super(self, name: str, frame: _Frame) -> Reached:
        method = frame.order.method(name, after=frame.owner) if frame.order else None
        if method is not None:
            return self.function(method, frame.order, frame.depth - 1)
        return _CLEAN if frame.order and not frame.order.unknown else Reached(Level.DOUBT, f"super().{name}")

    def _own_method(self, name: str, order: Order, frame: _Frame) -> Reached:
        method = order.method(name)
        if method is not None:
            return self.function(method, order, frame.depth - 1)
        if order.externals and name in self._policy.clean_methods:
            return _CLEAN
        return Reached(Level.DOUBT, f"calls the attribute {name}")

    def _unknown_method(self, name: str) -> Reached:
        if name in self._policy.clean_methods:
            return _CLEAN
        level = Level.SINK if name in self._policy.sink_methods else Level.DOUBT
        return Reached(level, f"calls .{name}() of a value")

    def _written(self, written: str, frame: _Frame) -> Reached:
        """A call of `written`, a dotted name of the function's module."""
        found = self._universe.name(frame.module, written)
        return self._symbol(found if isinstance(found, str) else _path(found), found, frame)

    def _path(self, path: str, frame: _Frame) -> Reached:
        return self._symbol(path, self._universe.find(path), frame)

    def _symbol(self, path: str, found: Class | Function | Module | str, frame: _Frame) -> Reached:
        for name in dict.fromkeys((path, found if isinstance(found, str) else _path(found))):
            if self._policy.is_clean(name, constructing=self._constructing):
                return _CLEAN
            if self._policy.is_sink(name):
                return Reached(Level.SINK, name)
        if isinstance(found, Function):
            return self.function(found, None, frame.depth - 1)
        if isinstance(found, Class):
            return self._construct(self._universe.order(found), frame.depth)
        last = path.rpartition(".")[2]
        if "." in path and last in self._policy.clean_methods:
            return _CLEAN
        return Reached(Level.DOUBT, f"calls {path}")

    def _construct(self, order: Order, depth: int) -> Reached:
        worst = _CLEAN
        for name in ("__new__", "__init__", "__post_init__"):
            method = order.method(name)
            if method is not None:
                worst = max(worst, self.function(method, order, depth - 1), key=lambda reached: reached.level)
        if order.unknown:
            worst = max(worst, Reached(Level.DOUBT, "unknown base"), key=lambda reached: reached.level)
        return worst


def _path(symbol: Class | Function | Module) -> str:
    return symbol.name if isinstance(symbol, Module) else f"{symbol.module}.{symbol.name}"


def _is_own_type(node: ast.expr, receiver: str) -> bool:
    """`type(self)`."""
    called = isinstance(node, ast.Call) and dotted(node.func) == "type"
    return called and bool(receiver) and isinstance(node, ast.Call) and [dotted(arg) for arg in node.args] == [receiver]


def _is_super(node: ast.expr) -> bool:
    return isinstance(node, ast.Call) and dotted(node.func) == "super"


def _running(node: ast.AST) -> list[ast.AST]:
    """Every node of the body that runs, without what only builds an error to raise and without annotations."""
    found: list[ast.AST] = []
    pending: list[ast.AST] = list(getattr(node, "body", []))
    while pending:
        part = pending.pop()
        if isinstance(part, ast.Raise | ast.Assert):
            continue
        found.append(part)
        if isinstance(part, ast.AnnAssign):
            pending.extend(child for child in (part.target, part.value) if child is not None)
            continue
        pending.extend(ast.iter_child_nodes(part))
    return found


def _frame(module: Module, function: Function, order: Order | None, depth: int) -> _Frame:
    node = function.node
    local: set[str] = set()
    nested: set[str] = set()
    imports = dict[str, str]()
    for part in ast.walk(node):
        if isinstance(part, ast.arg):
            local.add(part.arg)
        elif isinstance(part, ast.Name) and isinstance(part.ctx, ast.Store):
            local.add(part.id)
        elif isinstance(part, ast.Import | ast.ImportFrom):
            imports.update(imported(part, module.name, package=module.package))
        elif isinstance(part, ast.FunctionDef | ast.ClassDef) and part is not node:
            nested.add(part.name)
    arguments = [*node.args.posonlyargs, *node.args.args]
    is_method = order is not None and "staticmethod" not in function.decorators and bool(arguments)
    owner = ""
    if order is not None:
        owner = next((cls.path for cls in order.classes if function in cls.methods.values()), "")
    receiver = arguments[0].arg if is_method else ""
    return _Frame(module, imports, frozenset(local - {receiver}), frozenset(nested), receiver, order, owner, depth)
