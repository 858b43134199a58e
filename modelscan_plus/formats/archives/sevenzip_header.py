"""The headers of a 7z archive: where its packed streams stand, how they are coded, which members they hold.

Layout (7zFormat.txt of the LZMA SDK; little endian): signature header of 32 bytes `7z\\xbc\\xaf\\x27\\x1c, u8 major,
u8 minor, u32 CRC of the next 20 bytes, u64 offset, u64 size, u32 CRC` of the end header, offset counted from byte 32.
The end header is a tree of properties, each an id and its fields; id 0x17 instead of 1 says that the header itself is
packed. A NUMBER has as many further bytes as its first byte has leading ones. A folder is a chain of coders over packed
streams; its output, one solid block, is cut into the members in order.
"""

import struct
import zlib
from collections.abc import Callable

import msgspec

SIGNATURE = b"7z\xbc\xaf\x27\x1c"
START = struct.Struct("<6sBBLQQL")
_HEADER, _MAIN, _FILES, _PACK, _UNPACK, _SUBSTREAMS = 1, 4, 5, 6, 7, 8
_SIZE, _CRC, _FOLDER, _CODER_SIZES, _COUNTS, _EMPTY, _EMPTY_FILE = 9, 10, 11, 12, 13, 14, 15
_NAMES, _ATTRIBUTES, ENCODED = 17, 21, 23
_MAX_CODERS, _MAX_STREAMS = 32, 64
_UNIX_EXTENSION = 0x8000


class Malformed(Exception):
    """The header is not what the format says; the text says where."""


class Coder(msgspec.Struct, frozen=True):
    """One step of decoding."""

    codec: bytes
    properties: bytes
    inputs: int
    outputs: int


class Folder(msgspec.Struct):
    """One solid block."""

    coders: tuple[Coder, ...]
    binds: tuple[tuple[int, int], ...]
    """(input, output) numbers, counted over all coders: that output feeds that input."""
    packed: tuple[int, ...]
    """Inputs that packed streams feed, in their order."""
    sizes: tuple[int, ...] = ()
    """Bytes of each output."""
    crc: int | None = None
    members: list[tuple[int, int | None]] = msgspec.field(default_factory=list)
    """(size, CRC-32) of each member in the block."""

    @property
    def main(self) -> int:
        """Number of the output that is the folder's."""
        bound = {output for _, output in self.binds}
        return next(number for number in range(len(self.sizes) - 1, -1, -1) if number not in bound)

    @property
    def size(self) -> int:
        """Bytes of the folder's output."""
        return self.sizes[self.main]


class Name(msgspec.Struct, frozen=True):
    """One file as the header describes it."""

    name: str
    has_data: bool
    folder: bool
    mode: int
    """Unix mode bits, 0 where there are none."""


class Streams(msgspec.Struct):
    """Packed streams and the folders over them."""

    position: int = 0
    """Of the first packed stream, in the file."""
    packed: tuple[int, ...] = ()
    """Bytes of each packed stream, one behind the other."""
    folders: tuple[Folder, ...] = ()


class Contents(msgspec.Struct):
    """A whole header."""

    streams: Streams
    names: list[Name]


class Reader:
    """A cursor over header bytes. Everything raises `Malformed` at the end of them."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self.at = 0

    def take(self, count: int) -> bytes:
        """The next `count` bytes."""
        part = self._data[self.at : self.at + count]
        if count < 0 or len(part) < count:
            raise Malformed("the header ends too early")
        self.at += count
        return part

    def rest(self) -> bytes:
        """Everything that is left."""
        return self.take(len(self._data) - self.at)

    def byte(self) -> int:
        """The next byte."""
        return self.take(1)[0]

    def number(self) -> int:
        """A NUMBER, at most 64 bits."""
        first = self.byte()
        value, mask = 0, 0x80
        for position in range(8):
            if not first & mask:
                return value | (first & (mask - 1)) << (8 * position)
            value |= self.byte() << (8 * position)
            mask >>= 1
        return value

    def count(self, each: int = 1) -> int:
        """A number of things that take at least `each` bytes of what is left."""
        value = self.number()
        if value * each > len(self._data) - self.at:
            raise Malformed("a count is larger than its header")
        return value

    def bits(self, count: int) -> list[bool]:
        """A vector of bits, the highest of each byte first."""
        data = self.take((count + 7) // 8)
        return [bool(data[number // 8] & 0x80 >> number % 8) for number in range(count)]

    def flags(self, count: int) -> list[bool]:
        """A vector of bits that one byte can replace when all are set."""
        return [True] * count if self.byte() else self.bits(count)

    def digests(self, count: int) -> list[int | None]:
        """CRC-32 of each of `count` things, None where there is none."""
        return [struct.unpack("<L", self.take(4))[0] if there else None for there in self.flags(count)]

    def expect(self, what: int) -> None:
        """Take a property id that must stand here."""
        if self.byte() != what:
            raise Malformed(f"no property {what} where it must stand")


def read_start(data: bytes) -> tuple[int, int, int, bool] | None:
    """Offset, size and CRC of the end header, and whether the first CRC holds; None for no 7z."""
    if len(data) < START.size or not data.startswith(SIGNATURE):
        return None
    _, major, _, crc, offset, size, header_crc = START.unpack_from(data)
    return None if major else (START.size + offset, size, header_crc, zlib.crc32(data[12:32]) == crc)


def read_header(data: bytes, unpack: Callable[[Streams], bytes], take_entries: Callable[[int], None]) -> Contents:
    """The contents that an end header describes. `unpack` decodes a packed header, `take_entries` charges the budget.

    Raises `Malformed`, and what the two raise.
    """
    for _ in range(4):  # a packed header may be packed again
        reader = Reader(data)
        kind = reader.byte()
        if kind == _HEADER:
            return _contents(reader, take_entries)
        if kind != ENCODED:
            raise Malformed("the header is of no known kind")
        data = unpack(_streams(reader))
    raise Malformed("the header is packed too often")


def _contents(reader: Reader, take_entries: Callable[[int], None]) -> Contents:
    contents = Contents(Streams(), [])
    while (kind := reader.byte()) != 0:
        if kind == _MAIN:
            contents.streams = _streams(reader)
        elif kind == _FILES:
            contents.names = _names(reader, take_entries)
        elif kind == 2:
            while reader.byte():
                reader.take(reader.number())
        elif kind == 3:
            _streams(reader)
        else:
            raise Malformed(f"unknown property {kind}")
    return contents


def _streams(reader: Reader) -> Streams:
    streams = Streams()
    while (kind := reader.byte()) != 0:
        if kind == _PACK:
            _pack_info(reader, streams)
        elif kind == _UNPACK:
            _unpack_info(reader, streams)
            for folder in streams.folders:
                folder.members = [(folder.size, folder.crc)]
        elif kind == _SUBSTREAMS:
            _substreams(reader, streams.folders)
        else:
            raise Malformed(f"unknown property {kind}")
    return streams


def _pack_info(reader: Reader, streams: Streams) -> None:
    streams.position = START.size + reader.number()
    count = reader.count()
    while (kind := reader.byte()) != 0:
        if kind == _SIZE:
            streams.packed = tuple(reader.number() for _ in range(count))
        elif kind == _CRC:
            reader.digests(count)
        else:
            raise Malformed(f"unknown property {kind}")


def _unpack_info(reader: Reader, streams: Streams) -> None:
    reader.expect(_FOLDER)
    count = reader.count()
    reader.expect(0)  # not external
    folders = tuple(_folder(reader) for _ in range(count))
    reader.expect(_CODER_SIZES)
    for folder in folders:
        folder.sizes = tuple(reader.number() for _ in range(sum(coder.outputs for coder in folder.coders)))
        if len({output for _, output in folder.binds}) >= len(folder.sizes):
            raise Malformed("a block without an output")
    while (kind := reader.byte()) != 0:
        if kind != _CRC:
            raise Malformed(f"unknown property {kind}")
        for folder, crc in zip(folders, reader.digests(count), strict=True):
            folder.crc = crc
    streams.folders = folders


def _folder(reader: Reader) -> Folder:
    coders: list[Coder] = []
    count = reader.count(2)
    if not 0 < count <= _MAX_CODERS:
        raise Malformed("a block with no coder, or too many")
    for _ in range(count):
        flags = reader.byte()
        codec = reader.take(flags & 15)
        inputs, outputs = (reader.number(), reader.number()) if flags & 0x10 else (1, 1)
        properties = reader.take(reader.number()) if flags & 0x20 else b""
        if flags & 0xC0 or not 0 < inputs <= _MAX_STREAMS or not 0 < outputs <= _MAX_STREAMS:
            raise Malformed("a coder of a kind that is not defined")
        coders.append(Coder(codec, properties, inputs, outputs))
    total_in, total_out = sum(coder.inputs for coder in coders), sum(coder.outputs for coder in coders)
    binds = tuple((reader.number(), reader.number()) for _ in range(total_out - 1))
    bound = {number for number, _ in binds}
    free = [number for number in range(total_in) if number not in bound]
    if len(bound) != len(binds) or any(i >= total_in or o >= total_out for i, o in binds) or not free:
        raise Malformed("coders that are not connected")
    packed = tuple(free) if len(free) == 1 else tuple(reader.number() for _ in free)
    return Folder(tuple(coders), binds, packed)


def _substreams(reader: Reader, folders: tuple[Folder, ...]) -> None:
    counts = [1] * len(folders)
    kind = reader.byte()
    if kind == _COUNTS:
        counts = [reader.number() for _ in folders]
        if sum(counts) > 1 << 24:
            raise Malformed("more members than any archive has")
        kind = reader.byte()
    sizes = [_sizes(reader, folder, count, stored=kind == _SIZE) for folder, count in zip(folders, counts, strict=True)]
    if kind == _SIZE:
        kind = reader.byte()
    crcs: list[list[int | None]] = [
        [folder.crc] if count == 1 and folder.crc is not None else [None] * count
        for folder, count in zip(folders, counts, strict=True)
    ]
    if kind == _CRC:
        unknown = [crc for crc in crcs if crc and crc[0] is None]
        found = iter(reader.digests(sum(map(len, unknown))))
        for crc in unknown:
            crc[:] = [next(found) for _ in crc]
        kind = reader.byte()
    if kind != 0:
        raise Malformed(f"unknown property {kind}")
    for folder, lengths, crc in zip(folders, sizes, crcs, strict=True):
        folder.members = list(zip(lengths, crc, strict=True))


def _sizes(reader: Reader, folder: Folder, count: int, *, stored: bool) -> list[int]:
    """Sizes of a block's members: all but the last are stored."""
    if count == 0:
        return []
    if count > 1 and not stored:
        raise Malformed("members without sizes")
    sizes = [reader.number() for _ in range(count - 1)]
    rest = folder.size - sum(sizes)
    if rest < 0:
        raise Malformed("members larger than their block")
    return [*sizes, rest]


def _names(reader: Reader, take_entries: Callable[[int], None]) -> list[Name]:
    count = reader.number()
    take_entries(count)
    names: list[str] = [""] * count
    empty, empty_file, modes = [False] * count, [False] * count, [0] * count
    while (kind := reader.byte()) != 0:
        fields = Reader(reader.take(reader.number()))
        if kind == _EMPTY:
            empty = fields.bits(count)
        elif kind == _EMPTY_FILE:
            flags = iter(fields.bits(sum(empty)))
            empty_file = [next(flags) if without else False for without in empty]
        elif kind == _NAMES:
            fields.expect(0)
            names = _utf16_names(fields, count)
        elif kind == _ATTRIBUTES:
            there = fields.flags(count)
            fields.expect(0)
            modes = [_mode(struct.unpack("<L", fields.take(4))[0]) if one else 0 for one in there]
    return [
        Name(names[number], not empty[number], empty[number] and not empty_file[number], modes[number])
        for number in range(count)
    ]


def _utf16_names(fields: Reader, count: int) -> list[str]:
    data = fields.rest()
    names = data.decode("utf-16-le", "surrogatepass" if len(data) % 2 == 0 else "replace").split("\0")
    if len(names) < count:
        raise Malformed("fewer names than members")
    return names[:count]


def _mode(attributes: int) -> int:
    return attributes >> 16 if attributes & _UNIX_EXTENSION else 0
