"""What a decorator makes of the function or class that it stands before."""

import ast
from typing import TYPE_CHECKING

from modelscan_plus.formats.text.python.follow import objects
from modelscan_plus.formats.text.python.follow.values import (
    NONE,
    Function,
    Instance,
    Outer,
    Scope,
    Unknown,
    Value,
    join,
    options,
)

if TYPE_CHECKING:
    from modelscan_plus.formats.text.python.follow.machine import Machine

_ROLES = {
    "builtins.staticmethod": "static", "builtins.classmethod": "class", "builtins.property": "property",
    "functools.cached_property": "cached", "abc.abstractproperty": "property", "torch.utils.hooks.unserializable_hook": "",
}  # fmt: skip


def decorated(machine: "Machine", decorator: Value, value: Value, node: ast.expr, scope: Scope) -> Value:
    """What a decorator makes of a function or class."""
    results: list[Value] = []
    for option in options(decorator):
        role = _ROLES.get(option.dotted) if isinstance(option, Outer) else None
        if role and isinstance(value, Function):
            value.role = role
            results.append(value)
        elif isinstance(option, Outer) and option.dotted == "builtins.property.setter" and isinstance(value, Function):
            results.append(_with_setter(value, scope))
        elif isinstance(option, Unknown) or (isinstance(option, Outer) and not _calls(option.dotted)):
            if isinstance(option, Outer):
                machine.program.emitter.called(machine, option, [value], {}, node, scope)
            if isinstance(value, Function) and "valid" in ast.unparse(node)[:200].lower():
                value.given = True
            results.append(value)
        elif isinstance(option, Instance) and _wraps(option):
            objects.touch(machine, option, ("__enter__", "__aenter__"), [], node, scope)
            objects.touch(machine, option, ("__exit__", "__aexit__"), [NONE] * 3, node, scope)
            results.append(value)
        else:
            given = machine.call(option, [value], {}, node, scope)
            results.append(value if isinstance(given, (Unknown, Outer)) else given)
    return join(results)


def _wraps(decorator: Instance) -> bool:
    """True for a block that is a decorator as well: what it is given is called inside of it, whenever somebody does."""
    wraps = ("contextlib.ContextDecorator", "contextlib.AsyncContextDecorator")
    return decorator.cls.find("__call__") is None and any(base.dotted in wraps for base in decorator.cls.outer_bases())


def _calls(dotted: str) -> bool:
    """Whether a decorator of a library calls what it is given, or gives something else back."""
    return (
        dotted.startswith(("builtins.", "operator.", "atexit.", "functools.", "asyncio."))
        and dotted != "builtins.property"
    )


def _with_setter(setter: Function, scope: Scope) -> Value:
    known = scope.names.get(setter.name)
    if isinstance(known, Function) and known.role == "property":
        known.attributes["setter"] = setter
        return known
    return setter
