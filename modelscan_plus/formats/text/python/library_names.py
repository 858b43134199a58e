"""Names of the standard library as other modules carry them: `shutil.os`, `pip._vendor.requests`, `from os import *`."""

from modelscan_plus.formats.text.python.sinks import KIND_OF

TELLING = frozenset(name.partition(".")[0] for name in KIND_OF) - {"torch", "numpy", "pandas", "transformers"}
"""Modules that are imported by text only to hide it."""


CARRIED = frozenset("os subprocess socket ctypes shutil pty builtins sys importlib runpy".split())
"""Modules that other modules import, and so hand on: `torch.serialization.os` is `os`, `random._os` too."""


MODULES_OF_ANYTHING = frozenset("os sys subprocess builtins".split())


_VENDORED = ("._vendor", ".vendored", ".externals", "requests.packages", "six.moves")
"""Where libraries keep copies of others: `pip._vendor.requests` is `requests`."""


def _carried(base: str, name: str) -> bool:
    return (
        name.removeprefix("_") in CARRIED
        and "." not in base[:1]
        and base != name
        and base.partition(".")[0] not in ("asyncio", "builtins")
    )


def everything(module: str, known: dict[str, str]) -> dict[str, str]:
    """What `from module import *` brings, as far as it is telling."""
    names = [name for name in KIND_OF if name.rpartition(".")[0] == module]
    return {name.rpartition(".")[2]: name for name in names if name.rpartition(".")[2] not in known}


def of_globals(key: str) -> str | None:
    """What a function's globals hold under this name, as far as it is telling."""
    if key == "__builtins__" or key in CARRIED:
        return key.strip("_")
    return next(
        (f"{module}.{key}" for module in ("os", "subprocess", "builtins") if f"{module}.{key}" in KIND_OF), None
    )


def joined_name(base: str, name: str) -> str:
    """`base.name`; modules that others carry along count as themselves."""
    if base in ("builtins.__builtins__", "builtins.builtins"):
        base = "builtins"
    if name == "_posixsubprocess" or base.endswith(_VENDORED):
        return name
    return name.removeprefix("_") if _carried(base, name) else f"{base}.{name}"


def own_name(module: str) -> str:
    """The name of a module without that of the library that carries it: `pip._vendor.requests` is `requests`."""
    for place in _VENDORED:
        before, found, after = module.partition(f"{place}.")
        if found and (before or place in ("requests.packages", "six.moves")):
            return after
    return module
