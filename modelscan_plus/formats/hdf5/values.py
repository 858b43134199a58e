"""What HDF5 attributes and datasets are made of: datatypes, dataspaces, attributes, layouts, filters.

Of a datatype it matters whether its elements are bytes in which something else can stand (text, opaque data, bytes,
lists of bytes) or numbers. Numbers are not looked at.
"""

import zlib
from collections.abc import Iterator

import msgspec

from modelscan_plus.formats.hdf5.heaps import FractalHeap, GlobalHeaps, records
from modelscan_plus.formats.hdf5.reader import ATTRIBUTE, ATTRIBUTE_INFO, DATATYPE, Cursor, File, Malformed, Message

_FIXED, _STRING, _OPAQUE, _COMPOUND, _ENUM, _VARIABLE, _ARRAY = 0, 3, 5, 6, 8, 9, 10
_DEEPEST = 16
_MOST_ATTRIBUTES = 20_000
DEFLATE, SHUFFLE, FLETCHER = 1, 2, 3


class Datatype(msgspec.Struct, frozen=True):
    """What one element is."""

    kind: str
    """"text" (of fixed length), "bytes" (opaque, or numbers of one byte), "variable" (text or bytes of any length),
    "mixed" (a compound that holds one of these), "numbers"."""
    size: int
    """Bytes of one element as stored."""


def datatype(file: File, data: bytes, depth: int = 0) -> Datatype:
    """The type that a datatype message describes."""
    if depth > _DEEPEST:
        raise Malformed("a datatype is nested too deeply")
    cursor = Cursor(data, file)
    first, bits, size = cursor.number(1), cursor.take(3), cursor.number(4)
    version, kind = first >> 4, first & 15
    if kind == _STRING:
        return Datatype("text", size)
    if kind == _OPAQUE or (kind == _FIXED and size == 1):
        return Datatype("bytes", size)
    if kind == _VARIABLE:
        is_text = bits[0] & 15 == 1
        base = Datatype("text", 1) if is_text else datatype(file, data[cursor.at :], depth + 1)
        return Datatype("variable" if base.kind != "numbers" else "numbers", size)
    if kind == _ENUM:
        return Datatype("numbers", size)
    if kind == _ARRAY:
        rank = cursor.number(1)
        cursor.take((3 if version < 3 else 0) + 4 * rank + (4 * rank if version < 3 else 0))
        base = datatype(file, data[cursor.at :], depth + 1)
        return Datatype("bytes" if base.kind in ("text", "bytes") else base.kind, size)
    if kind == _COMPOUND:
        return Datatype("mixed" if _telling(data) else "numbers", size)
    return Datatype("numbers", size)


def _telling(data: bytes) -> bool:
    """True for a compound in whose description a text, opaque or variable member could stand."""
    return any(data[at] & 15 in (_STRING, _OPAQUE, _VARIABLE) and 1 <= data[at] >> 4 <= 4 for at in range(8, len(data)))


def elements(file: File, data: bytes) -> tuple[int, ...]:
    """The dimensions that a dataspace message describes; (0,) for an empty one."""
    cursor = Cursor(data, file)
    version, rank = cursor.number(1), cursor.number(1)
    cursor.take(1)
    if version == 1:
        cursor.take(5)
    elif version == 2:
        if cursor.number(1) == 2:
            return (0,)
    else:
        raise Malformed("a dataspace is of no known version")
    if rank > 32:
        raise Malformed("a dataspace has too many dimensions")
    return tuple(cursor.length() for _ in range(rank))


def count_of(shape: tuple[int, ...]) -> int:
    """The product of the dimensions."""
    count = 1
    for size in shape:
        count *= size
    return count


class Attribute(msgspec.Struct, frozen=True):
    """One attribute."""

    name: str
    type: Datatype
    count: int
    data: bytes
    """As stored: of variable elements their places."""


def attributes(file: File, messages: list[Message]) -> Iterator[Attribute]:
    """The attributes of the object that has these messages."""
    for count, data in enumerate(_attribute_data(file, messages)):
        if count >= _MOST_ATTRIBUTES:
            raise Malformed("an object has too many attributes")
        yield _attribute(file, data)


def _attribute_data(file: File, messages: list[Message]) -> Iterator[bytes]:
    for message in messages:
        if message.kind == ATTRIBUTE:
            data = file.resolved(message)
            if data is None:
                raise Malformed("an attribute stands in a heap of shared messages, which is not read")
            yield data
        elif message.kind == ATTRIBUTE_INFO:
            cursor = Cursor(message.data, file, 1)
            cursor.take(2 if cursor.number(1) & 1 else 0)
            heap, index = cursor.address(), cursor.address()
            if heap is None:
                continue
            store = FractalHeap(file, heap)
            for record in records(file, index):
                if record[8] & 2:
                    raise Malformed("an attribute stands in a heap of shared messages, which is not read")
                yield store.object(record[: store.id_length])


def _attribute(file: File, data: bytes) -> Attribute:
    cursor = Cursor(data, file)
    version, flags = cursor.number(1), cursor.number(1)
    sizes = cursor.number(2), cursor.number(2), cursor.number(2)
    cursor.take(1 if version == 3 else 0)
    parts = []
    for size in sizes:
        parts.append(cursor.take(size))
        if version == 1:
            cursor.take(min(-size % 8, len(data) - cursor.at))
    name, kind, space = parts
    if version > 1 and flags & 1:
        kind = file.resolved(Message(DATATYPE, kind, shared=True)) or b""
    if version > 1 and flags & 2:
        raise Malformed("the dataspace of an attribute is shared, which is not read")
    return Attribute(
        name.split(b"\0")[0].decode("utf-8", "surrogateescape"),
        datatype(file, kind),
        count_of(elements(file, space)),
        data[cursor.at :],
    )


def texts(file: File, heaps: GlobalHeaps, kind: Datatype, data: bytes, most: int) -> Iterator[bytes]:
    """The elements of an attribute or dataset that are bytes, at most `most` of them."""
    if kind.kind == "bytes" and kind.size == 1:
        yield data
        return
    if kind.size <= 0:
        return
    for at in range(0, min(len(data), most * kind.size) - kind.size + 1, kind.size):
        element = data[at : at + kind.size]
        if kind.kind in ("text", "bytes"):
            yield element
        elif kind.kind == "variable":
            cursor = Cursor(element, file)
            length, address, number = cursor.number(4), cursor.address(), cursor.number(4)
            if length and address is not None:
                place, size = heaps.place(address, number)
                yield file.read(place, size)


class Layout(msgspec.Struct, frozen=True):
    """Where the elements of a dataset stand."""

    kind: str
    """"compact", "contiguous", "chunked", "virtual" or "other" (an index that is not read here)."""
    address: int | None = None
    """Of the elements, or of the index of the chunks; of a virtual dataset, of the heap that describes it."""
    size: int = 0
    """Bytes of the elements, or the number in the heap; of chunks, the number of dimensions of the index."""
    data: bytes = b""
    """The elements of a compact dataset."""


def layout(file: File, data: bytes) -> Layout:
    """The layout that a message describes."""
    cursor = Cursor(data, file)
    version = cursor.number(1)
    if version < 3:
        rank, kind = cursor.number(1), cursor.number(1)
        cursor.take(5)
        address = cursor.address() if kind else None
        sizes = [cursor.number(4) for _ in range(rank)]
        if kind == 2:
            return Layout("chunked", address, rank)
        return (
            Layout("contiguous", address, count_of(tuple(sizes))) if kind else Layout("compact", data=_compact(cursor))
        )
    kind = cursor.number(1)
    if kind == 0:
        return Layout("compact", data=cursor.take(cursor.number(2)))
    if kind == 1:
        return Layout("contiguous", cursor.address(), cursor.length())
    if kind == 2 and version == 3:
        rank = cursor.number(1)
        return Layout("chunked", cursor.address(), rank)
    if kind == 3:
        return Layout("virtual", cursor.address(), cursor.number(4))
    return Layout(*_single_chunk(cursor)) if kind == 2 else Layout("other")


def _compact(cursor: Cursor) -> bytes:
    return cursor.take(cursor.number(4))


def _single_chunk(cursor: Cursor) -> tuple[str, int | None, int]:
    """Of the indexes of version 4, the one for a dataset that is one chunk."""
    flags, rank, width = cursor.number(1), cursor.number(1), cursor.number(1)
    cursor.take(rank * width)
    if cursor.number(1) != 1:
        return "other", None, 0
    size = 0
    if flags & 2:
        size = cursor.length()
        cursor.take(4)
    return "single", cursor.address(), size


def filters(file: File, data: bytes) -> list[int]:
    """The numbers of the filters that a message names, first to last."""
    cursor = Cursor(data, file)
    version, count = cursor.number(1), cursor.number(1)
    cursor.take(6 if version == 1 else 0)
    found = []
    for _ in range(count):
        number = cursor.number(2)
        named = cursor.number(2) if version == 1 or number >= 256 else 0
        cursor.take(2)
        values = cursor.number(2)
        cursor.take(named + (-named % 8 if version == 1 else 0) + 4 * values)
        cursor.take(4 if version == 1 and values % 2 else 0)
        found.append(number)
    return found


def chunks(file: File, address: int | None, rank: int) -> Iterator[tuple[int, int]]:
    """Address and stored size of the chunks below a B-tree of version 1; `rank` counts the element's size as one."""
    stack: list[int | None] = [address]
    seen = set[int]()
    key = 8 + 8 * rank
    while stack:
        at = stack.pop()
        if at is None:
            continue
        if at in seen:
            raise Malformed("the tree of a dataset leads in a circle")
        seen.add(at)
        head = file.cursor(at, 8 + 2 * file.offsets, b"TREE")
        if head.number(1) != 1:
            raise Malformed("the tree of a dataset is one of another kind")
        level, count = head.number(1), head.number(2)
        cursor = file.cursor(at + 8 + 2 * file.offsets, count * (key + file.offsets))
        below: list[int | None] = []
        for _ in range(count):
            size = cursor.number(4)
            cursor.take(key - 4)
            child = cursor.address()
            if level:
                below.append(child)
            elif child is not None:
                yield child, size
        stack += reversed(below)
        file.budget.check_time()


def unfiltered(file: File, data: bytes, pipeline: list[int], size: int, most: int) -> bytes | None:
    """A chunk as it was before its filters; None where one of them is not known here."""
    for number in reversed(pipeline):
        if number == DEFLATE:
            unpacker = zlib.decompressobj()
            try:
                data = unpacker.decompress(data, most)
            except zlib.error:
                raise Malformed("a chunk cannot be decompressed") from None
            file.budget.take_decompressed(len(data))
        elif number == SHUFFLE and size > 1:
            count = len(data) // size
            rest = data[count * size :]
            data = b"".join(data[at : count * size : count] for at in range(count)) + rest
        elif number == FLETCHER:
            data = data[:-4]
        elif number not in (DEFLATE, SHUFFLE):
            return None
    return data
