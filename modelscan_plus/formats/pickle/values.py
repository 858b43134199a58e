"""The values of the opcode machine: what each stack slot would hold, without ever holding it.

Constants are Python's own None, bool, int, float, str, bytes and (short) tuple. Everything else is one of the
classes below. Identity is aliasing, as in the unpickler: a memoised list that is filled later is the same object.
Nothing here may be compared or hashed by value, nor walked by recursion: hostile values are deep and shared.
"""

from __future__ import annotations

from typing import Final

KEPT: Final = 64
"""Constant items kept of a container; more of them say nothing new. Items that are not constant are always kept."""


COMPUTED: Final = "<computed>"
"""The module of a `Global` whose name is the result of a call."""


class Blob:
    """A literal that was not read: `length` bytes at `offset` of the artifact."""

    __slots__ = ("head", "kind", "length", "offset")

    def __init__(self, kind: str, offset: int, length: int, head: bytes) -> None:
        self.kind = kind
        """"str" or "bytes"."""
        self.offset = offset
        self.length = length
        self.head = head
        """The first bytes."""


class Opaque:
    """A value that cannot be known from the stream, for example an out-of-band buffer."""

    __slots__ = ("what",)

    def __init__(self, what: str) -> None:
        self.what = what


class Global:
    """An imported name."""

    __slots__ = ("count", "module", "name", "offset", "opcode")

    def __init__(self, module: str, name: str, offset: int, opcode: str) -> None:
        self.module = module
        self.name = name
        self.offset = offset
        """Of the first opcode that imports it."""
        self.opcode = opcode
        """GLOBAL, STACK_GLOBAL, INST, EXT1, EXT2 or EXT4."""
        self.count = 1

    @property
    def dotted(self) -> str:
        """module.name, for people."""
        return f"{self.module}.{self.name}"


class PersistentId:
    """What `persistent_load` would be asked for."""

    __slots__ = ("offset", "value")

    def __init__(self, value: Value, offset: int) -> None:
        self.value = value
        self.offset = offset


class Items:
    """A list, set, frozenset, dict or large tuple under construction. A dict's items are (key, value) tuples."""

    __slots__ = ("count", "items", "kind")

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self.items: list[Value] | None = None
        self.count = 0
        """Items really added; `items` holds fewer where constants were dropped."""

    def extend(self, values: list[Value]) -> None:
        """Add items, keeping all that are not constant."""
        items = self.items
        if items is None:
            items = self.items = []
        room = KEPT - len(items)
        self.count += len(values)
        if len(values) <= room:
            items += values
        else:
            items += [value for position, value in enumerate(values) if position < room or not is_constant(value)]

    def update(self, pairs: list[Value]) -> None:
        """Add `[key, value, key, value, …]`, keeping all pairs that are not constant."""
        items = self.items
        if items is None:
            items = self.items = []
        for key, value in zip(pairs[::2], pairs[1::2], strict=False):
            self.count += 1
            if len(items) < KEPT or not (is_constant(key) and is_constant(value)):
                items.append((key, value))


class Call:
    """Something the unpickler would run, and its result.

    `opcode` says how: REDUCE, OBJ, INST call `function(*arguments)`; NEWOBJ and NEWOBJ_EX call
    `function.__new__`; BUILD hands a state to `function` (then an object, a class or a module);
    APPEND, APPENDS, SETITEM, SETITEMS and ADDITEMS call a method of `function`.
    """

    __slots__ = ("added", "arguments", "function", "index", "keywords", "offset", "opcode", "state")

    def __init__(
        self, opcode: str, function: Value, arguments: Value, offset: int, keywords: Value | None = None
    ) -> None:
        self.opcode = opcode
        self.function = function
        self.arguments = arguments
        self.keywords = keywords
        self.offset = offset
        self.index = 0
        """Position in the program's effects."""
        self.state: Call | None = None
        """The last BUILD on this result."""
        self.added: Call | None = None
        """The APPENDS, SETITEMS or ADDITEMS on this result; all of them share one."""


Value = (
    None | bool | int | float | str | bytes | tuple["Value", ...] | Blob | Opaque | Global | PersistentId | Items | Call
)

_SCALARS = (str, int, float, bytes, Blob, type(None), bool)


def is_constant(value: Value) -> bool:
    """True for literals, and for short tuples of them."""
    if isinstance(value, _SCALARS):
        return True
    return isinstance(value, tuple) and len(value) <= 4 and all(isinstance(item, _SCALARS) for item in value)


def text_of(value: Value) -> str | None:
    """The text of a str (or ASCII bytes) constant, None for anything else."""
    if isinstance(value, str):
        return value
    if isinstance(value, bytes) and value.isascii():
        return value.decode("ascii")
    return None


def sequence(value: Value) -> list[Value] | None:
    """The kept items of a tuple, list or set value; None for anything else."""
    if isinstance(value, tuple):
        return list(value)
    if isinstance(value, Items) and value.kind != "dict":
        return list(value.items or ())
    return None


def expanded_size(root: Value, cap: int = 1 << 62, nodes: int = 400_000) -> int:
    """How many nodes `root` has when shared parts are counted each time they occur, at most `cap`; 0 for unknown, where
    it has more than `nodes` distinct parts.

    Linear in the number of distinct nodes and free of recursion; a cycle counts as one node.
    """
    sizes: dict[int, int] = {}
    stack: list[tuple[Value, bool]] = [(root, False)]
    while stack:
        node, done = stack.pop()
        children = _children(node)
        if not children:
            continue
        if done:
            sizes[id(node)] = min(cap, 1 + sum(sizes.get(id(child), 1) for child in children))
        elif id(node) not in sizes:
            if len(sizes) >= nodes:
                return 0
            sizes[id(node)] = 1
            stack.append((node, True))
            stack.extend((child, False) for child in children)
    return sizes.get(id(root), 1)


def _children(node: Value) -> tuple[Value, ...] | list[Value]:
    if isinstance(node, tuple):
        return node
    if isinstance(node, Items):
        return node.items or ()
    if isinstance(node, Call):
        return [part for part in (node.function, node.arguments, node.keywords) if part is not None]
    return ()
