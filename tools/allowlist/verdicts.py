"""A class or function of a library to what a pickle may do with it."""

import ast
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from modelscan_plus.rules.allowlist import Permit
from tools.allowlist.policy import Policy
from tools.allowlist.reach import Level, Reach
from tools.allowlist.symbols import Class, Function, Module, dotted
from tools.allowlist.universe import Order, Universe

_METACLASSES = frozenset({"ABCMeta", "EnumMeta", "EnumType", "type", "ABC"})
_PLAIN = frozenset("builtins abc typing typing_extensions collections enum numbers types argparse contextlib".split())
"""Modules whose classes store or copy what their constructors are given."""
_ENUMS = frozenset({"enum.Enum", "enum.IntEnum", "enum.StrEnum", "enum.Flag", "enum.IntFlag"})


@dataclass(frozen=True, slots=True)
class Verdict:
    """One name, what it may be used for, and why not for more."""

    module: str
    name: str
    permit: Permit
    why_not: str = ""
    unread: bool = False
    """True when a base could not be read, so that this version has no say."""


class Judge:
    """The judgement of one library version."""

    def __init__(self, universe: Universe, policy: Policy) -> None:
        self._universe = universe
        self._policy = policy
        self._targets: set[str] = set()
        self._loading = Reach(universe, policy)
        self._constructing = Reach(universe, policy, constructing=True)

    def collect(self, modules: Iterable[Module]) -> None:
        """Note the targets of `__reduce__` before functions are judged."""
        for module in modules:
            self._targets.update(self.reduces(module))

    def module(self, module: Module, *, functions: bool) -> Iterator[Verdict]:
        """Every class of the module, and its functions where wanted. Nothing when importing it does something."""
        if self._policy.is_excluded(module.name) or self._acts_on_import(module):
            return
        for cls in module.classes.values():
            verdict = self.cls(cls)
            if cls.name.partition(".")[0] in module.imports:
                # A stand-in for a class that could not be imported: the name usually means the other one.
                verdict = replace(verdict, permit=verdict.permit & Permit.IMPORT, why_not="also imported")
            for place in {module.name, *_places(cls.decorators), *_declared(cls)}:
                yield replace(verdict, module=place)
        for name, value in module.assigned.items():
            if _is_named_tuple(value):
                yield Verdict(module.name, name, Permit.IMPORT | Permit.REBUILD | Permit.CALL)
        if functions:
            for function in module.functions.values():
                permit = self.function(function)
                for place in {module.name, *_places(function.decorators)}:
                    yield Verdict(place, function.name, permit)

    def _acts_on_import(self, module: Module) -> bool:
        """True when the top level calls something with a side effect by its own name."""
        for call in module.calls:
            path = ast.unparse(call.func)
            found = self._universe.name(module, path) if path.replace(".", "").isidentifier() else None
            if isinstance(found, str) and self._policy.is_import_effect(found):
                return True
        return False

    def reduces(self, module: Module) -> Iterator[str]:
        """Dotted paths of the functions that `__reduce__` methods of the module hand to the unpickler."""
        for cls in module.classes.values():
            for name in ("__reduce__", "__reduce_ex__"):
                for node in ast.walk(cls.methods[name].node) if name in cls.methods else ():
                    value = node.value if isinstance(node, ast.Return) else None
                    written = dotted(value.elts[0]) if isinstance(value, ast.Tuple) and value.elts else None
                    found = self._universe.name(module, written) if written else None
                    if isinstance(found, Function):
                        yield f"{found.module}.{found.name}"

    def function(self, function: Function) -> Permit:
        """A function may be referred to when it reaches no side effect that can be seen, and called when it is the
        target of a `__reduce__` and is clean whatever its arguments."""
        if function.name.startswith(("test_", "main")) or self._loading.function(function).level is Level.SINK:
            return Permit.NONE
        called = f"{function.module}.{function.name}" in self._targets
        if called and self._constructing.function(function).level is Level.CLEAN:
            return Permit.IMPORT | Permit.CALL
        acts = function.name.lstrip("_").startswith(self._policy.acting)
        return Permit.NONE if acts else Permit.IMPORT

    def cls(self, cls: Class) -> Verdict:
        """Whether a class may be rebuilt, and whether it may be called."""
        order = self._universe.order(cls)
        if order.unknown:
            unknown = ", ".join(sorted(order.unknown))
            return Verdict(cls.module, cls.name, Permit.NONE, f"unknown base {unknown}", unread=True)
        if problem := self._rebuild_problem(order):
            return Verdict(cls.module, cls.name, Permit.NONE, problem)
        permit = Permit.IMPORT | Permit.REBUILD
        problem = self._call_problem(cls, order)
        return Verdict(cls.module, cls.name, permit if problem else permit | Permit.CALL, problem)

    def _rebuild_problem(self, order: Order) -> str:
        strict = self._policy.strict_hooks
        if not self._policy.containers.isdisjoint(order.externals):
            strict |= self._policy.container_hooks
        for hook in sorted(strict | self._policy.lenient_hooks):
            if order.assigned(hook) and hook in strict:
                return f"DOUBT {hook} is assigned"
            method = order.method(hook)
            if method is None:
                continue
            reached = self._loading.function(method, order)
            if reached.level is Level.SINK or (reached.level is Level.DOUBT and hook in strict):
                return f"{reached.level.name} {hook} → {reached.why}"
        for cls in order.classes:
            for name, method in cls.methods.items():
                if not name.endswith(".setter") or name.removesuffix(".setter") in self._policy.reviewed_setters:
                    continue
                if self._loading.function(method, order).level is Level.SINK:
                    return f"SINK {name}"
        return ""

    def _call_problem(self, cls: Class, order: Order) -> str:
        if not _ENUMS.isdisjoint(order.externals):
            missing = order.method("_missing_")
            if missing is not None and self._constructing.function(missing, order).level is not Level.CLEAN:
                return "_missing_"
            return "" if cls.aliases else "an enumeration without members"
        if unseen := [base for base in order.externals if base.partition(".")[0] not in _PLAIN]:
            return f"constructor of {unseen[0]}"
        for base in order.classes:
            if base.metaclass is not None and ast.unparse(base.metaclass).rpartition(".")[2] not in _METACLASSES:
                return "metaclass"
        for hook in ("__new__", "__init__", "__post_init__"):
            method = order.method(hook)
            if method is None:
                continue
            reached = self._constructing.function(method, order)
            if reached.level is not Level.CLEAN:
                return f"{reached.level.name} {hook} → {reached.why}"
        return ""


def _places(decorators: tuple[str, ...]) -> Iterator[str]:
    """Modules that `set_module("numpy")` and its like say the object belongs to."""
    for decorator in decorators:
        name, _, argument = decorator.partition('("')
        if argument and name.rpartition(".")[2] in ("set_module", "export_module"):
            yield argument.removesuffix('")')


def _declared(cls: Class) -> Iterator[str]:
    """The module that a class says it belongs to by `__module__ = "…"`."""
    value = cls.aliases.get("__module__")
    if isinstance(value, ast.Constant) and isinstance(value.value, str):
        yield value.value


def _is_named_tuple(value: ast.expr) -> bool:
    return isinstance(value, ast.Call) and ast.unparse(value.func).rpartition(".")[2] == "namedtuple"
