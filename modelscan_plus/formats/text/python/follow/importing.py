"""Modules that are looked up by name or path: files of the repository, or of libraries."""

from typing import TYPE_CHECKING

from modelscan_plus.formats.text.python.follow.modelled import Call
from modelscan_plus.formats.text.python.follow.values import (
    UNKNOWN,
    UNSPOKEN,
    Module,
    Outer,
    Patchwork,
    Scope,
    Value,
    join,
    options,
    spoken,
    texts,
)
from modelscan_plus.formats.text.python.library_names import TELLING

if TYPE_CHECKING:
    from modelscan_plus.formats.text.python.follow.machine import Machine


def _import(call: Call) -> Value | None:
    """`importlib.import_module(name)`."""
    return _imported(call, top=False)


def _import_top(call: Call) -> Value | None:
    """`__import__(name)`, which gives the package that a dotted name begins with, if nothing is taken from it."""
    return _imported(call, top=len(call.given) < 4 and "fromlist" not in call.keywords)


def _imported(call: Call, *, top: bool) -> Value | None:
    found: list[Value] = []
    values = call.given[:1] or [call.keywords[name] for name in ("name",) if name in call.keywords]
    for value in values:
        for option in options(value):
            if isinstance(option, Patchwork):
                found += _partly_known(call.machine, option.text, call.scope)
        for name in texts(value):
            level = len(name) - len(name.lstrip("."))
            first = name.partition(".")[0]
            module = call.machine.program.imported(call.scope.module, name.lstrip("."), level)
            if top and first and first != name:
                module = call.machine.program.imported(call.scope.module, first, 0)
                name = first
            found.append(module or Outer(name, disguised=first in TELLING))
    return join(found) if found else None


def _partly_known(machine: "Machine", text: str, scope: Scope) -> list[Value]:
    """The modules that f"{__name__}.kernels" or f".{name}" may mean."""
    end = text.rpartition(UNSPOKEN)[2].lstrip(".")
    if not end:
        below = text.partition(UNSPOKEN)[0].strip(".")  # f".nodes.{name}"
        return machine.program.beside(scope.module, below.replace(".", "/")) if "." in text else []
    places = (end, end.rpartition(".")[2])
    found: list[Value] = []
    for place in places:
        module = machine.program.imported(scope.module, place, 1)
        found += [module] if module is not None and not found else []
    return found


def _by_path(call: Call) -> Value | None:
    """`spec_from_file_location(name, path)`, `SourceFileLoader(name, path)`, `runpy.run_path(path)`."""
    found: list[Value] = []
    for value in [*call.given, *call.keywords.values()]:
        for option in options(value):
            path = spoken(option)
            if (
                path.endswith((".py", ".pyw"))
                and (module := call.machine.program.by_path(call.scope.module, path)) is not None
            ):
                found.append(module)
    return join(found) if found else None


def _named(call: Call) -> Value | None:
    """`runpy.run_module(name)`."""
    return _import(call.of(call.given, {"name": call.keywords.get("mod_name", UNKNOWN), **call.keywords}))


def _of_spec(call: Call) -> Value | None:
    """`module_from_spec(spec)`: by_path gave the module itself."""
    return next((option for value in call.given for option in options(value) if isinstance(option, Module)), None)


def _located(call: Call) -> Value | None:
    """`pydoc.locate("os.system")`, `pkgutil.resolve_name("os:system")`."""
    found: list[Value] = []
    for name in texts(call.given[0]) if call.given else ():
        name = name.replace(":", ".")
        first, *rest = name.split(".")
        value: Value = call.machine.program.imported(call.scope.module, first, 0) or Outer(first)
        for part in rest:
            value = call.attribute(value, part)
        found.append(Outer(value.dotted, disguised=True) if isinstance(value, Outer) else value)
    return join(found) if found else None


def _loader(call: Call) -> Value | None:
    return call.given[0] if call.given and isinstance(call.given[0], Module) else None


MODELS = {
    "builtins.__import__": _import_top, "importlib.import_module": _import, "importlib.__import__": _import_top,
    "importlib._bootstrap._gcd_import": _import, "importlib._bootstrap._find_and_load": _import, "unittest.mock._importer": _import,
    "importlib.reload": _of_spec, "importlib.util.spec_from_file_location": _by_path,
    "importlib.machinery.SourceFileLoader": _by_path, "imp.load_source": _by_path, "runpy.run_path": _by_path,
    "distutils.core.run_setup": _by_path, "setuptools.sandbox.run_setup": _by_path, "runpy.run_module": _named, "importlib.util.module_from_spec": _of_spec, "pydoc.locate": _located,
    "pkgutil.resolve_name": _located, "importlib.util.find_spec": _import, "types.ModuleType": _loader,
}  # fmt: skip
