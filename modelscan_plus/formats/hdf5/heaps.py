"""Where HDF5 keeps names and values of unknown length: local, global and fractal heaps, and the trees over them.

local heap    "HEAP", version, 3 bytes, size, free list, address of the data: names of old groups
global heap   "GCOL", version, 3 bytes, size; objects with u16 index, u16 references, 4 bytes, length, data: elements
              of variable length
fractal heap  "FRHP" and blocks "FHDB", "FHIB" whose sizes double: links and attributes of new groups
B-tree 2      "BTHD", "BTIN", "BTLF": the index of a fractal heap
"""

from collections.abc import Iterator

import msgspec

from modelscan_plus.formats.hdf5.reader import Cursor, File, Malformed

_LARGEST_HEAP = 64 << 20
_RECORDS = 200_000
_DEEPEST = 32


def local_heap(file: File, address: int | None) -> bytes:
    """The names of an old group."""
    cursor = file.cursor(address, 8 + 2 * file.lengths + file.offsets, b"HEAP")
    cursor.take(4)
    size = cursor.length()
    cursor.length()
    if size > _LARGEST_HEAP:
        raise Malformed("a heap of names is too large")
    return file.read(cursor.address(), size)


class GlobalHeaps:
    """Elements of variable length, by collection and number."""

    def __init__(self, file: File) -> None:
        self._file = file
        self._collections: dict[int, dict[int, tuple[int, int]]] = {}

    def place(self, address: int, number: int) -> tuple[int, int]:
        """Address and length of an element."""
        if address not in self._collections:
            self._collections[address] = dict(self._objects(address))
        found = self._collections[address].get(number)
        if found is None:
            raise Malformed("an element of variable length is not in its heap")
        return found

    def _objects(self, address: int) -> Iterator[tuple[int, tuple[int, int]]]:
        file = self._file
        cursor = file.cursor(address, 8 + file.lengths, b"GCOL")
        cursor.take(4)
        end = address + cursor.length()
        at = address + 8 + file.lengths
        step = 8 + file.lengths
        for _ in range(_RECORDS):
            if at + step > end:
                return
            head = Cursor(file.read(at, step), file)
            number = head.number(2)
            head.take(6)
            length = head.length()
            if number == 0:
                return
            if at + step + length > end:
                raise Malformed("an element reaches behind the end of its heap")
            yield number, (at + step, length)
            at += step + length + -length % 8
        raise Malformed("a heap has too many elements")


class FractalHeap:
    """The heap that holds links or attributes of an object."""

    def __init__(self, file: File, address: int | None) -> None:
        self._file = file
        size = 26 + 12 * file.lengths + 3 * file.offsets
        cursor = file.cursor(address, size, b"FRHP")
        cursor.take(1)
        self.id_length, filtered = cursor.number(2), cursor.number(2)
        flags, self._largest_object = cursor.number(1), cursor.number(4)
        if filtered:
            raise Malformed("a heap of names or attributes is compressed")
        self._checked = bool(flags & 2)
        cursor.length()
        self._huge = cursor.address()
        cursor.length()
        cursor.address()
        cursor.take(8 * file.lengths)
        self._width, self._start, self._direct = cursor.number(2), cursor.length(), cursor.length()
        bits = cursor.number(2)
        cursor.take(2)
        self._root, self._rows = cursor.address(), cursor.number(2)
        if not self._start or not self._width or not self._direct or bits > 64 or self._direct > _LARGEST_HEAP:
            raise Malformed("a heap has impossible sizes")
        self._offset_length = (bits + 7) // 8
        self._length_length = min(
            (self._direct.bit_length() - 1 + 7) // 8, (self._largest_object.bit_length() + 7) // 8
        )

    def object(self, key: bytes) -> bytes:
        """The object with this id."""
        file = self._file
        kind = key[0] >> 4 & 3 if key else 3
        if kind == 2:
            extended = self.id_length - 1 > 16
            length = (key[0] & 15) + 1 if not extended else ((key[0] & 15) << 8 | key[1]) + 1
            return key[2 if extended else 1 :][:length]
        cursor = Cursor(key, file, 1)
        if kind == 0:
            offset, length = cursor.number(self._offset_length), cursor.number(self._length_length)
            return file.read(self._find(offset), length)
        if kind == 1:
            return self._huge_object(cursor)
        raise Malformed("an id of a heap is of no known kind")

    def _huge_object(self, cursor: Cursor) -> bytes:
        file = self._file
        if self.id_length - 1 >= file.offsets + file.lengths:
            return file.read(cursor.address(), cursor.length())
        wanted = cursor.number(min(file.lengths, self.id_length - 1))
        for record in records(file, self._huge):
            fields = Cursor(record, file)
            address, length, number = fields.address(), fields.length(), fields.length()
            if number == wanted:
                return file.read(address, length)
        raise Malformed("a large object is not in its heap")

    def _find(self, offset: int) -> int:
        """The address of an offset in the heap's own space."""
        if self._root is None:
            raise Malformed("a heap is empty")
        if self._rows == 0:
            return self._root + offset
        address, rows = self._root, self._rows
        for _ in range(_DEEPEST):
            row, column, inside = self._cell(offset)
            if row >= rows:
                raise Malformed("an id leads out of its heap")
            direct_rows = self._row_of(self._direct) + 1
            head = 5 + self._file.offsets + self._offset_length
            place = address + head + (row * self._width + column) * self._file.offsets
            child = Cursor(self._file.read(place, self._file.offsets), self._file).address()
            if child is None:
                raise Malformed("an id leads to a block that is not there")
            if row < direct_rows:
                return child + inside
            address, offset = child, inside
            rows = self._row_of(self._size(row)) - self._width.bit_length() + 1
        raise Malformed("a heap is nested too deeply")

    def _size(self, row: int) -> int:
        return self._start if row < 2 else self._start << (row - 1)

    def _row_of(self, size: int) -> int:
        """The last row whose blocks have this size."""
        return (size // self._start).bit_length()

    def _cell(self, offset: int) -> tuple[int, int, int]:
        """Row and column of the block that holds an offset, and how far into it."""
        before = 0
        for row in range(_DEEPEST * 2):
            whole = self._size(row) * self._width
            if offset < before + whole:
                column, inside = divmod(offset - before, self._size(row))
                return row, column, inside
            before += whole
        raise Malformed("an id leads out of its heap")


class _Tree(msgspec.Struct, frozen=True):
    """The header of a B-tree of version 2."""

    node: int
    record: int
    depth: int
    address: int | None
    count: int
    most: tuple[int, ...]
    """Records that a node of each depth can hold."""
    below: tuple[int, ...]
    """Bytes of the number of all records under a node of each depth."""
    number: int
    """Bytes of the number of records of one node."""


def records(file: File, address: int | None) -> Iterator[bytes]:
    """All records of a B-tree of version 2."""
    if address is None:
        return
    cursor = file.cursor(address, 16 + file.offsets + 2 + file.lengths, b"BTHD")
    cursor.take(2)
    node, record, depth = cursor.number(4), cursor.number(2), cursor.number(2)
    cursor.take(2)
    root, count = cursor.address(), cursor.number(2)
    if not 10 < node <= _LARGEST_HEAP or not record or depth > _DEEPEST:
        raise Malformed("a tree has impossible sizes")
    tree = _measured(file, node, record, depth, root, count)
    for made, found in enumerate(_node(file, tree, tree.address, tree.count, tree.depth)):
        if made >= _RECORDS:
            raise Malformed("a tree has too many records")
        yield found


def _measured(file: File, node: int, record: int, depth: int, root: int | None, count: int) -> _Tree:
    leaf = (node - 10) // record
    number = _bytes_for(leaf)
    most, all_below, sizes = [leaf], [leaf], [0]
    for level in range(1, depth + 1):
        pointer = file.offsets + number + sizes[level - 1]
        most.append(max(0, (node - 10 - pointer) // (record + pointer)))
        all_below.append((most[level] + 1) * all_below[level - 1] + most[level])
        sizes.append(_bytes_for(all_below[level]))
    return _Tree(node, record, depth, root, count, tuple(most), tuple(sizes), number)


def _bytes_for(value: int) -> int:
    return max(1, (max(value, 1).bit_length() - 1) // 8 + 1)


def _node(file: File, tree: _Tree, address: int | None, count: int, depth: int) -> Iterator[bytes]:
    if count > tree.most[depth]:
        raise Malformed("a node of a tree has too many records")
    file.budget.check_time()
    cursor = file.cursor(address, tree.node, b"BTIN" if depth else b"BTLF")
    cursor.take(2)
    for _ in range(count):
        yield cursor.take(tree.record)
    for _ in range(count + 1 if depth else 0):
        child, inside = cursor.address(), cursor.number(tree.number)
        cursor.take(tree.below[depth - 1])
        yield from _node(file, tree, child, inside, depth - 1)
