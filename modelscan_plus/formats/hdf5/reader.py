"""The lowest layer of HDF5: superblock, object headers and their messages.

    superblock 0, 1   signature, 5 bytes of versions, sizes of offsets and lengths at 13 and 14, then addresses (base,
                      free space, end of file, driver) and the symbol table entry of the root group
    superblock 2, 3   signature, version, sizes at 9 and 10, then base, extension, end of file, root header
    object header 1   version, reserved, u16 messages, u32 references, u32 size, 4 bytes; messages with u16 type, u16
                      size, u8 flags, 3 bytes
    object header 2   "OHDR", version, flags, optional times and limits, size of chunk 0; messages with u8 type, u16
                      size, u8 flags, optional creation order; a checksum behind each chunk

All numbers are little-endian; addresses are relative to the base address. Source: HDF5 File Format Specification 3.0.
Nothing here raises on hostile bytes but `Malformed`, which the format turns into a gap.
"""

import struct
from collections.abc import Iterator

import msgspec

from modelscan_plus.core.bytesource import ByteSource
from modelscan_plus.core.limits import Budget

SIGNATURE = b"\x89HDF\r\n\x1a\n"
_LARGEST_BLOCK = 64 << 20
_MESSAGES = 20_000
"""Messages of one object."""
DATASPACE, LINK_INFO, DATATYPE, LINK, EXTERNAL_FILES, LAYOUT, FILTERS, ATTRIBUTE = 1, 2, 3, 6, 7, 8, 11, 12
CONTINUATION, SYMBOL_TABLE, ATTRIBUTE_INFO = 16, 17, 21
_SHARED = 2
"""Flag of a message that stands elsewhere."""


class Malformed(Exception):
    """The bytes are not what the specification says."""


class Message(msgspec.Struct, frozen=True):
    """One message of an object header."""

    kind: int
    data: bytes
    shared: bool = False


class Cursor:
    """Fields one after another from a piece of metadata."""

    def __init__(self, data: bytes, file: "File", at: int = 0) -> None:
        self.data = data
        self.at = at
        self._file = file

    def take(self, length: int) -> bytes:
        """The next bytes."""
        if length < 0 or self.at + length > len(self.data):
            raise Malformed("a field reaches behind the end of its block")
        found = self.data[self.at : self.at + length]
        self.at += length
        return found

    def number(self, length: int) -> int:
        """An unsigned number of so many bytes."""
        return int.from_bytes(self.take(length), "little")

    def address(self) -> int | None:
        """An offset in the file; None for the undefined one."""
        value = self.number(self._file.offsets)
        return None if value == (1 << 8 * self._file.offsets) - 1 else value

    def length(self) -> int:
        """A number as long as the file's lengths."""
        return self.number(self._file.lengths)

    def text(self) -> str:
        """A text up to its zero byte."""
        end = self.data.find(b"\0", self.at)
        if end < 0:
            raise Malformed("a text does not end")
        return self.take(end - self.at + 1)[:-1].decode("utf-8", "surrogateescape")


class File:
    """One HDF5 file, by its superblock."""

    def __init__(self, source: ByteSource, start: int, budget: Budget) -> None:
        """`start` is where the signature stands. Raises `Malformed`."""
        self.source = source
        self.budget = budget
        self.offsets = self.lengths = 8
        head = source.pread(start, 128)
        if not head.startswith(SIGNATURE) or len(head) < 48:
            raise Malformed("there is no superblock")
        self.version = head[8]
        if self.version > 3:
            raise Malformed(f"superblock version {self.version} is not known")
        sizes = (head[13], head[14]) if self.version < 2 else (head[9], head[10])
        if any(size not in (2, 4, 8, 16) for size in sizes):
            raise Malformed("offsets have an impossible size")
        self.offsets, self.lengths = sizes
        cursor = Cursor(head, self, (24 if self.version == 0 else 28) if self.version < 2 else 12)
        cursor.address()
        self.base = start  # whatever the field says, as the library does with a file that was moved into another
        second, end = cursor.address(), cursor.address()
        self.extension = second if self.version >= 2 else None
        stop = end if end and end > self.base else self.base + (end or 0)
        self.end = min(source.size, stop)
        """Behind the last byte that the file says it has."""
        self.truncated = end is None or stop > source.size
        self.driver = None if self.version >= 2 else cursor.address()
        if self.version < 2:
            cursor.address()  # of the root's name, which it has not
        root = cursor.address()
        if root is None:
            raise Malformed("there is no root group")
        self.root = root

    def read(self, address: int | None, length: int) -> bytes:
        """Exactly `length` bytes. Raises `Malformed`."""
        if address is None or not 0 <= length <= _LARGEST_BLOCK:
            raise Malformed("a block has no address or an impossible size")
        data = self.source.read_exact(self.base + address, length)
        if data is None:
            raise Malformed("a block reaches behind the end of the file")
        return data

    def cursor(self, address: int | None, length: int, signature: bytes = b"") -> Cursor:
        """The fields of a block behind its signature."""
        data = self.read(address, length)
        if not data.startswith(signature):
            raise Malformed(f"there is no {signature.decode()} where one should be")
        return Cursor(data, self, len(signature))

    def available(self, address: int, wanted: int) -> int:
        """How many of the wanted bytes the file has."""
        return max(0, min(wanted, self.source.size - self.base - address))

    def messages(self, address: int) -> list[Message]:
        """All messages of the object whose header stands at `address`."""
        head = self.read(address, 16)
        found = self._second(address, head) if head.startswith(b"OHDR") else self._first(address, head)
        made: list[Message] = []
        for message in found:
            made.append(message)
            if len(made) > _MESSAGES:
                raise Malformed("an object has too many messages")
        self.budget.check_time()
        return made

    def _first(self, address: int, head: bytes) -> Iterator[Message]:
        version, _, count, _, size = struct.unpack_from("<BBHII", head)
        if version != 1:
            raise Malformed("there is no object header where one should be")
        blocks = [(address + 16, size)]
        seen: set[int] = set()
        while blocks and count > 0:
            at, length = blocks.pop(0)
            if at in seen:
                raise Malformed("an object header leads in a circle")
            seen.add(at)
            cursor = self.cursor(at, length)
            while count > 0 and len(cursor.data) - cursor.at >= 8:
                kind, size, flags = struct.unpack("<HHB3x", cursor.take(8))
                data = cursor.take(size)
                count -= 1
                if kind == CONTINUATION:
                    blocks.append(self._continued(data))
                else:
                    yield Message(kind, data, bool(flags & _SHARED))

    def _second(self, address: int, head: bytes) -> Iterator[Message]:
        flags = head[5]
        at = 6 + (16 if flags & 32 else 0) + (4 if flags & 16 else 0)
        width = 1 << (flags & 3)
        size = int.from_bytes(self.read(address + at, width), "little")
        blocks = [(address + at + width, size)]
        seen: set[int] = set()
        while blocks:
            start, length = blocks.pop(0)
            if start in seen:
                raise Malformed("an object header leads in a circle")
            seen.add(start)
            cursor = self.cursor(start, length)
            step = 4 + (2 if flags & 4 else 0)
            while len(cursor.data) - cursor.at >= step:
                kind, size, marks = struct.unpack("<BHB", cursor.take(4))
                cursor.take(step - 4)
                data = cursor.take(size)
                if kind == CONTINUATION:
                    place, whole = self._continued(data)
                    if self.read(place, 4) != b"OCHK" or whole < 8:
                        raise Malformed("there is no OCHK where one should be")
                    blocks.append((place + 4, whole - 8))
                else:
                    yield Message(kind, data, bool(marks & _SHARED))

    def _continued(self, data: bytes) -> tuple[int, int]:
        cursor = Cursor(data, self)
        place, length = cursor.address(), cursor.length()
        if place is None or length > _LARGEST_BLOCK:
            raise Malformed("a header is continued nowhere")
        return place, length

    def resolved(self, message: Message) -> bytes | None:
        """The data of a message, looked up where it is shared; None where it stands in a heap of shared messages."""
        if not message.shared:
            return message.data
        cursor = Cursor(message.data, self)
        version, kind = cursor.number(1), cursor.number(1)
        if version == 1:
            cursor.take(6)
        elif version == 3 and kind == 1:
            return None
        address = cursor.address()
        if address is None:
            raise Malformed("a shared message stands nowhere")
        for found in self.messages(address):
            if found.kind == message.kind and not found.shared:
                return found.data
        raise Malformed("a shared message is not there")
