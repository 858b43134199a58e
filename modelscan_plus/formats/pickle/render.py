"""Pickle values and effects as readable Python text. Presentation only; every size is bounded."""

from modelscan_plus.core.text import shorten, visible
from modelscan_plus.formats.pickle.facts import Effect
from modelscan_plus.formats.pickle.values import Blob, Call, Global, Items, Opaque, PersistentId, Value

_DEPTH = 4
_ITEMS = 6
_TEXT = 100
_LINE = 240

_BRACKETS = {"list": "[]", "tuple": "()", "set": "{}", "frozenset": "{}", "dict": "{}"}


def value(node: Value, depth: int = _DEPTH) -> str:
    """`node` as a Python expression; results of calls by their variable, `v` and the index of the effect."""
    if isinstance(node, Call):
        return f"v{node.index}"
    if isinstance(node, Global):
        return visible(shorten(node.dotted, _TEXT))
    if isinstance(node, str):
        return _literal(shorten(node, _TEXT), "")
    if isinstance(node, bytes):
        return _literal(shorten(node.decode("latin-1"), _TEXT), "b")
    if isinstance(node, Blob):
        return _blob(node)
    if isinstance(node, PersistentId):
        return f"persistent_load({value(node.value, depth - 1)})" if depth else "persistent_load(…)"
    if isinstance(node, Opaque):
        return f"<{node.what}>"
    if isinstance(node, tuple | Items):
        return _container(node, depth)
    return shorten(repr(node), _TEXT)


def _literal(text: str, prefix: str) -> str:
    quoted = text.replace("'", "\\'") if "'" in text else text
    return f"{prefix}'{visible(quoted)}'"


def _blob(blob: Blob) -> str:
    head = blob.head[:24].decode("latin-1")
    return f"{_literal(head, 'b' if blob.kind == 'bytes' else '')}… ({blob.length:,} bytes)"


def _container(node: "tuple[Value, ...] | Items", depth: int) -> str:
    kind = "tuple" if isinstance(node, tuple) else node.kind
    count = len(node) if isinstance(node, tuple) else node.count
    items = node if isinstance(node, tuple) else node.items or ()
    opening, closing = _BRACKETS[kind][0], _BRACKETS[kind][1]
    if count and depth <= 0:
        return f"{opening}…{closing}"
    if kind == "dict":
        parts = [
            f"{value(pair[0], depth - 1)}: {value(pair[1], depth - 1)}"
            for pair in items[:_ITEMS]
            if isinstance(pair, tuple) and len(pair) == 2
        ]
    else:
        parts = [value(item, depth - 1) for item in items[:_ITEMS]]
    if count > len(parts):
        parts.append(f"… {count - len(parts):,} more")
    comma = "," if kind == "tuple" and count == 1 else ""
    text = f"{opening}{', '.join(parts)}{comma}{closing}"
    return f"frozenset({text})" if kind == "frozenset" else text


def arguments(call: Call) -> str:
    """The argument list of a call, without its parentheses."""
    node = call.arguments
    parts = [value(node)] if not isinstance(node, tuple) else [value(item) for item in node[:_ITEMS]]
    if isinstance(node, tuple) and len(node) > _ITEMS:
        parts.append("…")
    if call.keywords is not None:
        parts.append(f"**{value(call.keywords)}")
    text = ", ".join(parts)
    return text if isinstance(node, tuple) else f"*{text}"


def effect_line(effect: Effect) -> str:
    """One effect as one line of Python."""
    if isinstance(effect, Global):
        return shorten(f"from {visible(effect.module)} import {visible(effect.name)}", _LINE)
    if isinstance(effect, PersistentId):
        return shorten(value(effect), _LINE)
    function = value(effect.function)
    if effect.opcode in ("NEWOBJ", "NEWOBJ_EX"):
        inner = arguments(effect)
        text = f"v{effect.index} = {function}.__new__({function}{', ' + inner if inner else ''})"
    elif effect.opcode == "BUILD":
        text = f"{function}.__setstate__({value(effect.arguments)})"
    elif effect.opcode in _METHODS:
        text = f"{function}.{_METHODS[effect.opcode]}({value(effect.arguments)})"
    else:
        text = f"v{effect.index} = {function}({arguments(effect)})"
    return shorten(text, _LINE)


_METHODS = {
    "APPEND": "append",
    "APPENDS": "extend",
    "ADDITEMS": "update",
    "SETITEM": "update",
    "SETITEMS": "update",
}
