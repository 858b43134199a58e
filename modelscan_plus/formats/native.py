"""Machine code: for which machine it is, what a library takes from the system, and the commands among its texts.

Instructions are not read. What a library asks of the system stands in its dynamic symbols, which the loader needs and
which cannot be hidden from it; what it hands to a shell stands among its texts as often as not.

ELF, by its program headers as a loader reads it (section headers may be absent): of the segment PT_DYNAMIC the tags
NEEDED (1), HASH (4), STRTAB (5), SYMTAB (6), STRSZ (10), GNU_HASH (0x6ffffef5); symbols of 24 bytes (16 in 32 bits),
whose section number is 0 where the symbol is taken from elsewhere. Source: System V ABI, chapters 4
and 5; GNU's hash table.
"""

import re
import struct
from collections.abc import Iterator

import msgspec

from modelscan_plus.core.bytesource import ByteSource
from modelscan_plus.core.facts import Facts
from modelscan_plus.core.patterns import lazy
from modelscan_plus.formats.text.prose import hostile_command

_SEARCHED = 64 << 20
_SEARCHED_REMOTE = 4 << 20
"""Bytes of a library that are gone through for commands."""
_PIECE = 1 << 20
_LONGEST = 4_000
_MOST_SYMBOLS = 200_000
_MOST_COMMANDS = 10
_SEGMENTS = 256
_LOAD, _DYNAMIC = 1, 2
_NEEDED, _HASH, _STRTAB, _SYMTAB, _STRSZ, _GNU_HASH = 1, 4, 5, 6, 10, 0x6FFFFEF5
_ACCELERATORS = frozenset((190, 224, 164))
"""Machines of CUDA, AMD's GPUs and Qualcomm's Hexagon: the host can load such code, not run it."""
_TELLING = lazy(
    rb"curl|wget|/dev/tcp|/dev/udp|powershell|iex|certutil|mshta|bitsadmin|base64|mkfifo|nc |ncat|socat|python|perl|"
    rb"bash|sh -|crontab|authorized_keys|xmrig|stratum|chmod|eval",
)
_COMPILED = b"AOTInductorModel"
_KERNEL = lazy(rb"(?:\xb8.[\0\1]\0\0|\x6a.\x58|\x48\xc7\xc0.[\0\1]\0\0).{0,8}?\x0f\x05", re.S)
"""mov or push of the call's number into rax, then syscall."""
_TEXT = lazy(rb"[\t\x20-\x7e]{10,4000}")
_WIDE = lazy(rb"(?:[\t\x20-\x7e]\0){10,2000}")


NATIVE = frozenset(("elf", "pe", "mach-o"))


class NativeFacts(Facts, frozen=True):
    """A program or library in machine code."""

    kind: str
    """"elf", "pe" or "mach-o"."""
    accelerator: bool = False
    """It is for a processor that the host does not have."""
    imports: frozenset[str] = frozenset()
    """Functions and data that it takes from other libraries; of ELF only."""
    exports: frozenset[str] = frozenset()
    needed: tuple[str, ...] = ()
    """Libraries that are loaded with it."""
    linked: bool = False
    """Its dynamic symbols could be read."""
    searched: bool = True
    """All of it was gone through for commands."""
    compiled: bool = False
    """The names that AOTInductor gives what it builds stand in it."""
    calls_kernel: bool = False
    """It calls the kernel of Linux on x86-64 itself, without the system's library."""
    commands: tuple[tuple[str, str, int], ...] = ()
    """What a command among its texts does, the text, and where it stands."""


def read_native(source: ByteSource, kind: str) -> NativeFacts:
    """What can be said of it; never raises on what is broken."""
    most = _SEARCHED_REMOTE if source.remote else _SEARCHED
    if source.remote and source.size > most:
        return NativeFacts(kind, searched=False)
    facts = _search(source, kind, min(source.size, most))
    if kind != "elf":
        return facts
    try:
        return _Elf(source, facts).read()
    except (struct.error, IndexError, OverflowError):
        return facts


def _search(source: ByteSource, kind: str, size: int) -> NativeFacts:
    """The first look, piece by piece: names of AOTInductor, calls of the kernel, commands."""
    commands: dict[str, tuple[str, str, int]] = {}
    compiled = direct = False
    patterns = ((_TEXT, 1), (_WIDE, 2)) if kind == "pe" else ((_TEXT, 1),)
    for start in range(0, size, _PIECE):
        data = source.pread(start, min(_PIECE + _LONGEST, size - start))
        compiled = compiled or _COMPILED in data
        direct = direct or _KERNEL.search(data) is not None
        texts = ((at, text) for pattern, step in patterns for at, text in _texts(data, pattern, step))
        for at, text in texts:
            told = hostile_command(text) if len(commands) < _MOST_COMMANDS else None
            if told is not None:
                commands.setdefault(told[1], (*told, start + at))
    return NativeFacts(
        kind,
        compiled=compiled,
        calls_kernel=direct,
        searched=source.size <= size,
        commands=tuple(commands.values()),
    )


def _texts(data: bytes, pattern: "re.Pattern[bytes]", step: int) -> Iterator[tuple[int, str]]:
    """Texts with a word that a command may have, each with its place."""
    for found in pattern.finditer(data):
        text = found.group()[::step]
        if _TELLING.search(text):
            yield found.start(), text.decode("ascii")


class _Elf:
    """The dynamic part of an ELF file."""

    def __init__(self, source: ByteSource, facts: NativeFacts) -> None:
        self._source = source
        self._facts = facts
        head = source.pread(0, 64)
        self._wide = head[4] == 2
        self._order = "<" if head[5] == 1 else ">"
        self._machine: int = struct.unpack_from(self._order + "H", head, 18)[0]
        at = struct.unpack_from(self._order + ("Q" if self._wide else "I"), head, 32 if self._wide else 28)[0]
        size, count = struct.unpack_from(self._order + "HH", head, 54 if self._wide else 42)
        self._segments = self._read_segments(at, size, min(count, _SEGMENTS))

    def _read_segments(self, at: int, size: int, count: int) -> list[tuple[int, int, int, int]]:
        """Type, offset in the file, address and bytes in the file of each."""
        found = []
        data = self._source.pread(at, size * count)
        for number in range(count):
            if self._wide:
                kind, _, offset, address, _, length = struct.unpack_from(self._order + "II4Q", data, number * size)
            else:
                kind, offset, address, _, length = struct.unpack_from(self._order + "5I", data, number * size)
            found.append((kind, offset, address, length))
        return found

    def _offset(self, address: int) -> int:
        for kind, offset, start, length in self._segments:
            if kind == _LOAD and start <= address < start + length:
                return offset + address - start
        raise IndexError(address)

    def read(self) -> NativeFacts:
        """The facts with what the dynamic part says."""
        facts = msgspec.structs.replace(self._facts, accelerator=self._machine in _ACCELERATORS)
        tags = self._tags()
        if _STRTAB not in tags or _SYMTAB not in tags:
            return facts
        names = self._source.pread(self._offset(tags[_STRTAB][0]), min(tags.get(_STRSZ, [0])[0], 64 << 20))
        needed = tuple(_name(names, at) for at in tags.get(_NEEDED, [])[:100])
        imports, exports = self._symbols(tags, names)
        return msgspec.structs.replace(
            facts, imports=frozenset(imports), exports=frozenset(exports), needed=needed, linked=True
        )

    def _tags(self) -> dict[int, list[int]]:
        tags: dict[int, list[int]] = {}
        for kind, offset, _, length in self._segments:
            if kind == _DYNAMIC:
                data = self._source.pread(offset, min(length, 1 << 16))
                step = 16 if self._wide else 8
                for at in range(0, len(data) - step + 1, step):
                    tag, value = struct.unpack_from(self._order + ("QQ" if self._wide else "II"), data, at)
                    if tag == 0:
                        break
                    tags.setdefault(tag, []).append(value)
                break
        return tags

    def _symbols(self, tags: dict[int, list[int]], names: bytes) -> tuple[set[str], set[str]]:
        start = self._offset(tags[_SYMTAB][0])
        size = 24 if self._wide else 16
        imports: set[str] = set()
        exports: set[str] = set()
        data = self._source.pread(start, size * min(self._count(tags, start, size), _MOST_SYMBOLS))
        for at in range(size, len(data) - size + 1, size):
            (name,) = struct.unpack_from(self._order + "I", data, at)
            (section,) = struct.unpack_from(self._order + "H", data, at + (6 if self._wide else 14))
            (exports if section else imports).add(_name(names, name))
        return imports, exports

    def _count(self, tags: dict[int, list[int]], start: int, size: int) -> int:
        """How many symbols there are: what the table of hashes says, or as many as fit before the names."""
        if _HASH in tags:
            data = self._source.pread(self._offset(tags[_HASH][0]), 8)
            return int(struct.unpack_from(self._order + "II", data)[1])
        room = self._offset(tags[_STRTAB][0]) - start
        if room > 0:
            return room // size
        if _GNU_HASH in tags:  # symbols that are taken from elsewhere come first
            data = self._source.pread(self._offset(tags[_GNU_HASH][0]), 8)
            return int(struct.unpack_from(self._order + "II", data)[1])
        return 0


def _name(names: bytes, at: int) -> str:
    end = names.find(b"\0", at)
    return names[at : end if end >= 0 else at + 200][:1_000].decode("latin-1")
