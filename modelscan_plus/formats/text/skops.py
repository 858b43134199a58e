"""The schema of a skops file: which classes and functions its objects are made of.

A `.skops` is a zip with `schema.json`, a tree of nodes {"__class__", "__module__", "__loader__", …}. The loader
imports the class of every node, calls what reduce nodes and partials name, and takes attributes off objects by name. It
asks its user to trust each name that is not on a list, and many pass on whatever the file itself names. Source:
skops.io 0.16 (`_general.py`, `_audit.py`, `old/`).
"""

from collections.abc import Iterable, Iterator

import msgspec

from modelscan_plus.core.text import shorten, visible

_OPERATORS = "OperatorFuncNode"
_METHODS = "MethodNode"


class SkopsName(msgspec.Struct, frozen=True):
    """One name that the loader imports, calls or takes off an object."""

    place: str
    loader: str
    """The kind of node, for example "FunctionNode"."""
    module: str
    name: str
    """Of a method: its class and it, with a dot."""
    arguments: tuple[str, ...] = ()
    """Texts that a function of `operator` is called with."""
    shown: str = ""
    """What the node calls itself, where the loader goes by another name than that; "" where both are one."""


def is_schema(value: object) -> bool:
    """True for the tree of a skops file."""
    return isinstance(value, dict) and {"__class__", "__module__", "__loader__"} <= value.keys()


def names(held: Iterable[tuple[str, dict[str, object]]]) -> Iterator[SkopsName]:
    """Every name, once for each kind of node."""
    found: set[SkopsName] = set()
    for place, node in held:
        for name in _of_node(shorten(visible(place), 160), node):
            known = msgspec.structs.replace(name, place="")
            if known not in found:
                found.add(known)
                yield name


def _of_node(place: str, node: dict[str, object]) -> Iterator[SkopsName]:
    loader, module, name = (_text(node.get(key)) for key in ("__loader__", "__module__", "__class__"))
    if not loader or loader == "JsonNode":
        return
    content = node.get("content")
    inner = content if isinstance(content, dict) else {}
    if loader == _OPERATORS:
        # the function is taken from `operator` whatever module the node shows; old files name it apart
        function = _text(node.get("class_name")) or name
        other = "" if (module, name) == ("operator", function) else f"{module}.{name}"
        yield SkopsName(place, loader, "operator", function, tuple(_texts(node.get("attrs"))), other)
        return
    if module or name:
        yield SkopsName(place, loader, module, name)
    if loader == _METHODS and isinstance(owner := inner.get("obj"), dict):
        method = f"{_text(owner.get('__class__'))}.{_text(inner.get('func'))}"
        yield SkopsName(place, loader, _text(owner.get("__module__")), method)
    if isinstance(inner.get("function"), str):  # how files of the first protocol name a function
        yield SkopsName(place, loader, _text(inner.get("module_path")), _text(inner["function"]))


def _texts(attrs: object) -> Iterator[str]:
    """The texts among the arguments, which stand as JSON within JSON."""
    held = attrs.get("content") if isinstance(attrs, dict) else None
    for item in held[:20] if isinstance(held, list) else ():
        text = item.get("content") if isinstance(item, dict) else None
        if isinstance(text, str) and text.startswith('"'):
            try:
                yield _text(msgspec.json.decode(text))
            except msgspec.DecodeError:
                yield _text(text)


def _text(value: object) -> str:
    return shorten(visible(value), 200) if isinstance(value, str) else ""
