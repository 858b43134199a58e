"""The links of a group, in the three ways in which HDF5 keeps them.

Old groups have a B-tree of version 1 over symbol tables ("SNOD") and a heap of names; new ones have a message for each
link, or, when there are many, a fractal heap with a tree over it.
"""

from collections.abc import Iterator

import msgspec

from modelscan_plus.formats.hdf5.heaps import FractalHeap, local_heap, records
from modelscan_plus.formats.hdf5.reader import LINK, LINK_INFO, SYMBOL_TABLE, Cursor, File, Malformed, Message

_MOST = 100_000
_DEEPEST = 32
_SOFT = 2
"""Cache type of a symbol table entry that is a soft link."""


class Link(msgspec.Struct, frozen=True):
    """One name in a group."""

    name: str
    kind: str
    """"hard", "soft", "external" or "user-defined"."""
    address: int | None = None
    """Of the object header, for a hard link."""
    file: str = ""
    """The file that an external link leads into."""
    path: str = ""
    """The path that a soft or external link names, or the number of a user-defined kind."""


def links(file: File, messages: list[Message]) -> Iterator[Link]:
    """The links of the object that has these messages, at most `_MOST`."""
    for count, link in enumerate(_links(file, messages)):
        if count >= _MOST:
            raise Malformed("a group has too many links")
        yield link


def _links(file: File, messages: list[Message]) -> Iterator[Link]:
    for message in messages:
        if message.kind == SYMBOL_TABLE:
            cursor = Cursor(message.data, file)
            tree, heap = cursor.address(), cursor.address()
            names = local_heap(file, heap)
            yield from _table(file, tree, names)
        elif message.kind == LINK:
            yield _link(file, message.data)
        elif message.kind == LINK_INFO:
            cursor = Cursor(message.data, file, 1)
            if cursor.number(1) & 1:
                cursor.take(8)
            heap, index = cursor.address(), cursor.address()
            if heap is not None:
                store = FractalHeap(file, heap)
                for record in records(file, index):
                    yield _link(file, store.object(record[4 : 4 + store.id_length]))


def _link(file: File, data: bytes) -> Link:
    cursor = Cursor(data, file, 1)
    flags = cursor.number(1)
    kind = cursor.number(1) if flags & 8 else 0
    cursor.take(8 if flags & 4 else 0)
    cursor.take(1 if flags & 16 else 0)
    name = cursor.take(cursor.number(1 << (flags & 3))).decode("utf-8", "surrogateescape")
    if kind == 0:
        return Link(name, "hard", cursor.address())
    value = cursor.take(cursor.number(2))
    if kind == 1:
        return Link(name, "soft", path=value.decode("utf-8", "surrogateescape"))
    if kind == 64:
        target, _, path = value[1:].rstrip(b"\0").partition(b"\0")
        decoded = target.decode("utf-8", "surrogateescape")
        return Link(name, "external", file=decoded, path=path.decode("utf-8", "surrogateescape"))
    return Link(name, "user-defined", path=str(kind))


def _table(file: File, address: int | None, names: bytes) -> Iterator[Link]:
    """The entries below a B-tree of version 1."""
    stack = [(address, _DEEPEST)]
    seen: set[int | None] = set()
    while stack:
        at, room = stack.pop()
        if at is None or at in seen or not room:
            raise Malformed("the tree of a group leads in a circle")
        seen.add(at)
        if file.read(at, 4) == b"SNOD":
            yield from _symbols(file, at, names)
            continue
        head = file.cursor(at, 8 + 2 * file.offsets, b"TREE")
        if head.number(1) != 0:
            raise Malformed("the tree of a group is one of another kind")
        head.take(1)
        count = head.number(2)
        cursor = file.cursor(at + 8 + 2 * file.offsets, count * (file.lengths + file.offsets))
        children = []
        for _ in range(count):
            cursor.length()
            children.append((cursor.address(), room - 1))
        stack += reversed(children)
        file.budget.check_time()


def _symbols(file: File, address: int, names: bytes) -> Iterator[Link]:
    count = file.cursor(address, 8, b"SNOD").data[6:8]
    size = 2 * file.offsets + 24
    cursor = file.cursor(address + 8, int.from_bytes(count, "little") * size)
    heap = Cursor(names, file)
    for _ in range(int.from_bytes(count, "little")):
        at, header = cursor.number(file.offsets), cursor.address()
        kind = cursor.number(4)
        cursor.take(4)
        scratch = cursor.take(16)
        heap.at = at
        name = heap.text()
        if kind == _SOFT:
            heap.at = int.from_bytes(scratch[:4], "little")
            yield Link(name, "soft", path=heap.text())
        else:
            yield Link(name, "hard", header)
