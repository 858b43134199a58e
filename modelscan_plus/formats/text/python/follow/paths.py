"""Paths, as far as they are known: `os.path.join(os.path.dirname(__file__), "x.py")` leads to a file of the repository."""

import posixpath
from collections.abc import Callable, Sequence

from modelscan_plus.formats.text.python.follow.values import UNSPOKEN, Known, Patchwork, Value, options, patchwork

_SAME = frozenset(
    """os.path.abspath os.path.realpath os.path.normpath os.path.expanduser os.path.expandvars os.fspath os.fsdecode
    builtins.str pathlib.Path.resolve""".split()
)
_SAME_METHODS = frozenset("resolve absolute expanduser as_posix __str__ __fspath__".split())


def folder(path: Value) -> Value:
    """The folder that a file lies in."""
    return _with(path, posixpath.dirname)


def of_call(dotted: str, arguments: Sequence[Value]) -> Value | None:
    """What a function on paths gives; None for others, and where nothing is known."""
    if not arguments or not all(isinstance(value, (Known, Patchwork)) for value in options(arguments[0])):
        return None
    first = arguments[0]
    if dotted == "os.path.dirname":
        return folder(first)
    if dotted == "os.path.basename":
        return _with(first, posixpath.basename)
    return first if dotted in _SAME and isinstance(first, Patchwork) else None


def of_method(path: Known | Patchwork, name: str, arguments: Sequence[Value]) -> Value | None:
    """What a method of a path gives; None for others."""
    if name in _SAME_METHODS and not arguments:
        return path
    if name == "joinpath":
        return patchwork([path, *arguments], "/")
    if name in ("with_name", "with_suffix") and arguments:
        return patchwork([folder(path), arguments[0]], "/") if name == "with_name" else patchwork([path, arguments[0]])
    return None


def _with(path: Value, change: Callable[[str], str]) -> Value:
    match path:
        case Known(value=str() as text):
            return Known(change(text), path.flows)
        case Patchwork():
            return Patchwork(change(path.text) or UNSPOKEN, path.flows)
    return path
