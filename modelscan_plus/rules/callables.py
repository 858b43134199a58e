"""What is known about an importable name: its effect, or that nothing is known."""

import enum
import functools
import importlib.resources
import tomllib
from _compat_pickle import IMPORT_MAPPING, NAME_MAPPING

import msgspec

from modelscan_plus.formats.stdlib import STDLIB
from modelscan_plus.rules.allowlist import Permit, permit


def _modern(module: str, name: str) -> tuple[str, str]:
    """What Python 3's unpicklers import for a name of Python 2, in pickles below protocol 3."""
    if found := NAME_MAPPING.get((module, name)):
        return found
    return IMPORT_MAPPING.get(module, module), name


_STILL_KNOWN = frozenset(("__builtin__", "copy_reg", "exceptions", "cPickle"))
"""Modules of Python 2 that readers know by these names."""


def spoken(module: str, name: str) -> str:
    """The dotted name as a reader knows it: protocol 2 writes `commands.run` for what is `subprocess.run`."""
    if module not in _STILL_KNOWN:
        module, name = _modern(module, name)
    return f"{module}.{name}"


_TORCHSCRIPT = "__torch__"
"""Classes of a TorchScript archive stand under this name, which only its own reader resolves; it is no package."""


class Standing(enum.Enum):
    """How a name is known."""

    DANGEROUS = "dangerous"
    """Its effect is known and does not belong into a model."""
    PERMITTED = "permitted"
    """On the generated allow-list."""
    STDLIB = "stdlib"
    """Standard library, not on the allow-list."""
    UNKNOWN = "unknown"
    """Some other package."""
    IMPOSSIBLE = "impossible"
    """No importable name can be spelled like this."""


class Known(msgspec.Struct, frozen=True):
    """What is known about one name."""

    module: str
    name: str
    standing: Standing
    permit: Permit = Permit.NONE
    does: str = ""
    """For a dangerous name: what a call does, as a verb phrase."""
    exact: bool = False
    """For a dangerous name: listed by itself, not by a wildcard over its module."""
    crosses: str = ""
    """For a dotted name: the part that leads out of the first module, for example "os.system"."""


class _Danger(msgspec.Struct, frozen=True):
    exact: dict[str, str]
    modules: dict[str, str]
    packages: dict[str, str]


@functools.cache
def _danger() -> _Danger:
    table = _Danger({}, {}, {})
    text = (importlib.resources.files("modelscan_plus.rules.data") / "danger.toml").read_text("utf-8")
    for effect in tomllib.loads(text)["effect"]:
        for entry in effect["names"]:
            if entry.endswith(".**"):
                table.packages[entry[:-3]] = effect["does"]
            elif entry.endswith(":*"):
                table.modules[entry[:-2]] = effect["does"]
            else:
                table.exact[entry] = effect["does"]
    return table


def _package_effect(module: str) -> str:
    packages = _danger().packages
    while module:
        if module in packages:
            return packages[module]
        module = module.rpartition(".")[0]
    return ""


@functools.lru_cache(maxsize=65536)
def known(module: str, name: str) -> Known:
    """What is known about `module`:`name`, dotted names included."""
    if not _spellable(module, name):
        return Known(module, name, Standing.IMPOSSIBLE)
    modern, name_now = _modern(module, name)
    danger = _danger()
    does = danger.exact.get(f"{module}:{name}") or danger.exact.get(f"{modern}:{name_now}")
    if does:
        return Known(module, name, Standing.DANGEROUS, does=does, exact=True)
    allowed = permit(module, name) or permit(modern, name_now)
    if allowed:
        return Known(module, name, Standing.PERMITTED, permit=allowed)
    if module.partition(".")[0] == _TORCHSCRIPT:
        return Known(module, name, Standing.PERMITTED, permit=Permit.IMPORT | Permit.REBUILD)
    if "." in name and (crossing := _crossing(module, name)):
        return crossing
    for known_as in (module, modern):
        if does := danger.modules.get(known_as) or _package_effect(known_as):
            return Known(module, name, Standing.DANGEROUS, does=does)
    tops = {module.partition(".")[0], modern.partition(".")[0]}
    return Known(module, name, Standing.UNKNOWN if tops.isdisjoint(STDLIB) else Standing.STDLIB)


def _crossing(module: str, name: str) -> Known | None:
    """A dotted name that walks from its module into another one, or into an object's internals."""
    parts = name.split(".")
    for position, part in enumerate(parts):
        rest = ".".join(parts[position:])
        if part in STDLIB and position + 1 < len(parts):
            inner = known(part, ".".join(parts[position + 1 :]))
            does = inner.does or "reaches another module through an attribute"
            return Known(module, name, Standing.DANGEROUS, does=does, exact=inner.exact, crosses=rest)
        if part.startswith("__") and part.endswith("__"):
            return Known(module, name, Standing.DANGEROUS, does="reaches into an object's internals", crosses=rest)
    return None


def _spellable(module: str, name: str) -> bool:
    """False for names that no import can resolve. A module need not be an identifier: `my-model.py` imports by name,
    and getattr takes any text."""
    if not all(module.split(".")) or not name:
        return False
    return not any(character in "/\\" or not character.isprintable() for character in module + name)
