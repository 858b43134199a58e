"""Zip archives with one thing changed, and the readers that may meet them. Shared by the test and by longer runs.

Every reader is asked for the contents of all members, leniently: what it would hand to a loader counts, whatever it
then says about checksums. Members hold random bytes; nothing is ever loaded.
"""

import contextlib
import io
import os
import random
import shutil
import struct
import subprocess
import sys
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO

from modelscan_plus.core.artifact import Artifact
from modelscan_plus.core.bytesource import BytesSource
from modelscan_plus.core.limits import Limits
from modelscan_plus.inspection import FileResult, Inspector

INTERESTING = (0, 1, 2, 8, 9, 12, 14, 20, 45, 63, 0x7F, 0x80, 0xFF, 0x0800, 0x2000, 0xFFFF, 0x10000, 0xFFFFFFFF)
LOCAL = {"version": (4, 2), "flags": (6, 2), "method": (8, 2), "crc": (14, 4), "csize": (18, 4), "usize": (22, 4),
         "namelen": (26, 2), "extralen": (28, 2)}  # fmt: skip
CENTRAL = {"made": (4, 2), "version": (6, 2), "flags": (8, 2), "method": (10, 2), "crc": (16, 4), "csize": (20, 4),
           "usize": (24, 4), "namelen": (28, 2), "extralen": (30, 2), "commentlen": (32, 2), "disk": (34, 2),
           "internal": (36, 2), "external": (38, 4), "offset": (42, 4)}  # fmt: skip
END = {"disk": (4, 2), "cddisk": (6, 2), "here": (8, 2), "total": (10, 2), "size": (12, 4), "offset": (16, 4),
       "comment": (20, 2)}  # fmt: skip


def build(chance: random.Random) -> bytes:
    """An honest archive: a few members, stored or compressed, sometimes streamed or ZIP64."""
    buffer = io.BytesIO()
    target = buffer if chance.random() < 0.7 else _Pipe(buffer)
    with zipfile.ZipFile(target, "w") as archive:  # type: ignore[call-overload]
        for name, content in _content(chance):
            info = zipfile.ZipInfo(name, (2026, 1, 1, 0, 0, 0))
            info.compress_type = chance.choice((0, 0, 0, 8, 8, 12, 14))
            with archive.open(info, "w", force_zip64=chance.random() < 0.2) as member:
                member.write(content)
        if chance.random() < 0.2:
            archive.comment = chance.randbytes(10)
    return buffer.getvalue()


def _content(chance: random.Random) -> Iterator[tuple[str, bytes]]:
    if chance.random() < 0.5:  # what PyTorch's reader opens at all
        yield from (("m/data.pkl", chance.randbytes(40)), ("m/data/0", chance.randbytes(30)), ("m/version", b"3\n"))
        return
    for number in range(chance.randrange(1, 4)):
        name = chance.choice(("m/data.pkl", "a.bin", "b.txt")) + chance.choice(("", str(number)))
        yield name, chance.randbytes(chance.randrange(1, 60)) * chance.randrange(1, 5)


class _Pipe:
    """A file that cannot seek, for which zipfile writes data descriptors."""

    def __init__(self, target: io.BytesIO) -> None:
        self._target = target

    def write(self, data: bytes) -> int:
        return self._target.write(data)

    def flush(self) -> None:
        pass


def places(data: bytes, mark: bytes) -> list[int]:
    found, at = [], data.find(mark)
    while at >= 0:
        found.append(at)
        at = data.find(mark, at + 1)
    return found


def _field(data: bytearray, chance: random.Random, mark: bytes, fields: dict[str, tuple[int, int]]) -> None:
    spots = places(bytes(data), mark)
    if not spots:
        return
    offset, width = fields[chance.choice(sorted(fields))]
    at = chance.choice(spots) + offset
    old = int.from_bytes(data[at : at + width], "little")
    new = chance.choice((*INTERESTING, old + 1, old - 1, old ^ 1, old ^ 8, chance.randrange(300)))
    data[at : at + width] = (new % (1 << 8 * width)).to_bytes(width, "little")


def _rename(data: bytearray, chance: random.Random) -> None:
    mark, skip = chance.choice(((b"PK\3\4", 30), (b"PK\1\2", 46)))
    spots = places(bytes(data), mark)
    if spots:
        at = chance.choice(spots) + skip
        if at < len(data):
            data[at] = chance.choice((0, 0x2F, 0x5C, 0x61, 0xC3, data[at] ^ 0x20))


def _surround(data: bytearray, chance: random.Random) -> None:
    other = build(chance)
    extra = chance.choice(
        (other, other[: other.find(b"PK\1\2")], other[other.find(b"PK\1\2") :], bytes(30), b"#!x\n" * 9)
    )
    if chance.random() < 0.5:
        data[:0] = extra
    else:
        data += extra


def _insert(data: bytearray, chance: random.Random) -> None:
    other = build(chance)
    spots = places(bytes(data), chance.choice((b"PK\1\2", b"PK\5\6", b"PK\3\4"))) or [0]
    piece = chance.choice(
        (other[: other.find(b"PK\1\2")], other[other.find(b"PK\1\2") :], other[other.find(b"PK\5\6") :])
    )
    at = chance.choice(spots)
    data[at:at] = piece


def _zip64_end(data: bytearray, chance: random.Random) -> None:
    at = bytes(data).rfind(b"PK\5\6")
    if at < 0 or len(data) < at + 22:
        return
    _, _, _, _, entries, size, offset, _ = struct.unpack("<4s4H2LH", data[at : at + 22])
    second = bytes(data).find(b"PK\1\2", bytes(data).find(b"PK\1\2") + 1)
    if chance.random() < 0.5 and second > 0:
        entries, size, offset = entries - 1, at - second, second
    record = struct.pack("<4sQ2H2L4Q", b"PK\6\6", 44, 45, 45, 0, 0, entries, entries, size, offset)
    locator = struct.pack("<4sLQL", b"PK\6\7", 0, at if chance.random() < 0.8 else 0, 1)
    if chance.random() < 0.5:
        data[at + 8 : at + 20] = chance.choice((b"\xff" * 12, b"\xff\xff\xff\xff" + bytes(data[at + 12 : at + 20])))
    data[at:at] = record + (bytes(chance.randrange(3)) if chance.random() < 0.2 else b"") + locator


def _extra(data: bytearray, chance: random.Random) -> None:
    """An extra field in a directory entry, or in a local header."""
    mark, skip, spot = chance.choice(((b"PK\1\2", 46, 30), (b"PK\3\4", 30, 28)))
    spots = places(bytes(data), mark)
    if not spots:
        return
    at = chance.choice(spots)
    name = int.from_bytes(data[at + spot - 2 : at + spot], "little")
    old = int.from_bytes(data[at + spot : at + spot + 2], "little")
    body = chance.choice((
        struct.pack("<HHBL", 0x7075, 10, 1, chance.randrange(1 << 32)) + b"other",
        struct.pack("<HHQQ", 1, 16, chance.randrange(100), chance.randrange(100)),
        struct.pack("<HHQQQ", 1, 24, chance.randrange(100), chance.randrange(100), chance.randrange(100)),
        struct.pack("<HH", 0x9901, 7) + b"\2\0AE\3\0\0", struct.pack("<HH", 5, 60),
    ))  # fmt: skip
    data[at + spot : at + spot + 2] = (old + len(body)).to_bytes(2, "little")
    data[at + skip + name : at + skip + name] = body


def _anything(data: bytearray, chance: random.Random) -> None:
    data[chance.randrange(len(data))] = chance.randrange(256)


def _cut(data: bytearray, chance: random.Random) -> None:
    del data[chance.randrange(len(data)) :]


MUTATIONS: tuple[Callable[[bytearray, random.Random], None], ...] = (
    lambda data, chance: _field(data, chance, b"PK\3\4", LOCAL),
    lambda data, chance: _field(data, chance, b"PK\1\2", CENTRAL),
    lambda data, chance: _field(data, chance, b"PK\5\6", END),
    _rename, _surround, _insert, _zip64_end, _extra, _anything, _cut,
)  # fmt: skip


def mutated(seed: int) -> bytes:
    """An archive with one thing changed, sometimes two."""
    chance = random.Random(seed)
    data = bytearray(build(chance))
    for _ in range(1 if chance.random() < 0.75 else 2):
        chance.choice(MUTATIONS)(data, chance)
        if not data:
            break
    return bytes(data)


def inspected(data: bytes) -> tuple[FileResult, set[bytes]]:
    """Our result, and the contents of every artifact that was looked into."""
    seen: set[bytes] = set()

    def listen(artifact: Artifact, formats: tuple[str, ...]) -> None:
        if artifact.members:
            seen.add(artifact.source.pread(0, artifact.source.size))

    result = Inspector(Limits(), listen).inspect(Artifact("model.zip", BytesSource(data)))
    return result, seen


def by_zipfile(data: bytes) -> Iterator[bytes]:
    """What Python's zipfile hands out, as picklescan's and fickling's relaxed readers use it: no CRC, no flags."""
    try:
        archive = zipfile.ZipFile(io.BytesIO(data))
    except Exception:
        return
    for info in archive.infolist():
        for flags in {info.flag_bits, info.flag_bits & ~0x61}:
            info.flag_bits = flags
            try:
                with archive.open(info) as member:
                    member._expected_crc = None  # type: ignore[attr-defined]
                    yield member.read()
            except Exception:  # noqa: S112
                continue


def _read_in_pieces(member: IO[bytes]) -> Iterator[bytes]:
    """All that comes before an error, as an unpickler would get it that reads a little at a time."""
    parts = b""
    with contextlib.suppress(Exception):
        while piece := member.read(1):
            parts += piece
    yield parts


_TORCH = """
import sys, torch, pathlib
for path in sorted(pathlib.Path(sys.argv[1]).iterdir()):
    try:
        reader = torch._C.PyTorchFileReader(str(path))
        names = reader.get_all_records()
    except Exception:
        continue
    for name in names:
        try:
            print(path.name, bytes(reader.get_record(name)).hex() or "-", flush=True)
        except Exception:
            continue
"""


def by_torch(folder: Path) -> dict[str, list[bytes]]:
    """What PyTorch's reader hands out, by file name. Where it fails it gives back memory that it never wrote, so only
    what is the same with two fillings of fresh memory counts."""
    runs = [_torch_records(folder, filling) for filling in ("85", "170")]
    return {name: [c for c in records if c in runs[1].get(name, [])] for name, records in runs[0].items()}


def _torch_records(folder: Path, filling: str) -> dict[str, list[bytes]]:
    command = [sys.executable, "-c", _TORCH, str(folder)]
    environment = {**os.environ, "MALLOC_PERTURB_": filling}
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    found: dict[str, list[bytes]] = {}
    for line in done.stdout.splitlines():
        name, content = line.split(" ")
        found.setdefault(name, []).append(b"" if content == "-" else bytes.fromhex(content))
    return found


def by_unzip(path: Path, scratch: Path) -> list[bytes]:
    """What Info-ZIP unpacks, each member to its own file (-B keeps those of one name apart)."""
    shutil.rmtree(scratch, ignore_errors=True)
    scratch.mkdir()
    command = ["unzip", "-qq", "-o", "-B", "-P", "none", str(path), "-d", str(scratch)]
    with contextlib.suppress(subprocess.TimeoutExpired):
        subprocess.run(command, capture_output=True, check=False, timeout=5, stdin=subprocess.DEVNULL)
    return [found.read_bytes() for found in scratch.rglob("*") if found.is_file() and not found.is_symlink()]
