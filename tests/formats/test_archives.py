"""Archives: what the standard library reads must be among what we read, and nothing may throw."""

import bz2
import gzip
import io
import lzma
import random
import struct
import tarfile
import zipfile
import zlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fixtures.make import assemble as asm
from fixtures.make.archives import HONEST, tar_of, torch_zip, zip_of
from fixtures.make.payloads import PAYLOAD
from modelscan_plus.core.artifact import Artifact
from modelscan_plus.core.bytesource import BytesSource
from modelscan_plus.core.coverage import CoverageState
from modelscan_plus.core.limits import Budget, Limits
from modelscan_plus.formats.archives import decompress
from modelscan_plus.formats.archives.decompress import DecompressedSource, Stream
from modelscan_plus.formats.archives.tar import TarFormat
from modelscan_plus.formats.archives.zip import ZipFormat
from modelscan_plus.formats.interface import Format
from tests.samples import inspect, rules

SMALL = Limits(max_entries=500, max_decompressed=8 << 20, max_opcodes=20_000, max_objects=20_000)


def members(format_: Format, data: bytes) -> list[tuple[str, bytes]]:
    """Names and contents that a parser hands on."""
    found = []
    for parsed in format_.parse(Artifact("a", BytesSource(data)), Budget(Limits())):
        found += [(nested.name, nested.source.pread(0, nested.source.size)) for nested in parsed.nested]
    return found


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_zip_members_are_those_of_zipfile(method: int) -> None:
    content = [
        ("a.pkl", HONEST),
        ("sub/b.bin", random.Random(1).randbytes(100_000)),
        ("ü.txt", b""),
        ("c", b"x" * 300_000),
    ]
    assert members(ZipFormat(), zip_of(*content, method=method)) == content


def test_a_zip_written_to_a_pipe_is_read_by_its_directory() -> None:
    class Pipe(io.RawIOBase):
        def __init__(self) -> None:
            self.data = b""

        def writable(self) -> bool:
            return True

        def write(self, data: object) -> int:
            self.data += bytes(data)  # type: ignore[call-overload]
            return len(bytes(data))  # type: ignore[call-overload]

    pipe = Pipe()
    with zipfile.ZipFile(pipe, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.pkl", HONEST)
        archive.writestr("b.pkl", HONEST)
    assert [name for name, _ in members(ZipFormat(), pipe.data)] == ["a.pkl", "b.pkl"]
    assert inspect(pipe.data, "a.zip").findings == ()


def test_zip64_and_comments_are_read() -> None:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        with archive.open("big.pkl", "w", force_zip64=True) as member:
            member.write(HONEST)
        archive.comment = b"PK\5\6 is not the end " * 20
    assert members(ZipFormat(), buffer.getvalue()) == [("big.pkl", HONEST)]


def test_an_archive_behind_something_else_is_found_with_shifted_offsets() -> None:
    data = b"#!/bin/sh\n" + zip_of(("a.pkl", PAYLOAD))
    assert members(ZipFormat(), data) == [("a.pkl", PAYLOAD)]
    assert {"MSP1001", "MSP2007"} <= rules(data, "a.zip")


def test_an_archive_in_an_archive_is_no_second_directory() -> None:
    inner = zip_of(("a.pkl", HONEST))
    assert inspect(zip_of(("inner.zip", inner)), "a.zip").findings == ()


def test_a_second_directory_is_found_with_its_members() -> None:
    first, second = zip_of(("a.pkl", PAYLOAD)), zip_of(("b.pkl", HONEST))
    assert {"MSP2001", "MSP1001"} <= rules(first + second, "a.zip")


@pytest.mark.parametrize(
    ("data", "variant"),
    [
        (torch_zip(), "torch-zip"),
        (zip_of(("m/data.pkl", HONEST), ("m/constants.pkl", HONEST), ("m/code/a.py", b"")), "torchscript"),
        (zip_of(("a.npy", b"")), "npz"),
        (zip_of(("m/archive_format", b"pt2")), "pt2"),
        (zip_of(("a.txt", b"")), "zip"),
    ],
)
def test_an_archive_is_named_after_what_it_holds(data: bytes, variant: str) -> None:
    assert inspect(data, "model.bin").formats == (variant,)


def test_a_pickle_in_place_of_a_storage_is_found() -> None:
    data = zip_of(("m/data.pkl", HONEST), ("m/data/0", PAYLOAD), ("m/version", b"3\n"))
    assert "MSP1001" in rules(data, "model.pt")


@pytest.mark.parametrize("flavour", [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
def test_tar_members_are_those_of_tarfile(flavour: int) -> None:
    content = [("a.pkl", HONEST), ("d/" * 40 + "long-" * 30 + ".bin", b"x" * 1000), ("ü", b"")]
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=flavour) as archive:
        for name, data in content if flavour != tarfile.USTAR_FORMAT else [content[0], content[2]]:
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    with tarfile.open(fileobj=io.BytesIO(buffer.getvalue())) as archive:
        expected = [(info.name, archive.extractfile(info).read()) for info in archive]  # type: ignore[union-attr]
    assert members(TarFormat(), buffer.getvalue()) == expected
    assert inspect(buffer.getvalue(), "a.tar").findings == ()


def test_special_members_and_sizes_that_disagree_are_reported() -> None:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        info = tarfile.TarInfo("pipe")
        info.type = tarfile.FIFOTYPE
        archive.addfile(info)
    assert "MSP2002" in rules(buffer.getvalue(), "a.tar")
    data = bytearray(tar_of(("a.pkl", HONEST)))
    other = tarfile.TarInfo("a.pkl")
    other.size = len(HONEST)
    other.pax_headers = {"size": "3"}
    data = bytearray(other.tobuf(tarfile.PAX_FORMAT)) + HONEST + bytes(-len(HONEST) % 512 + 1024)
    assert "MSP2001" in rules(bytes(data), "a.tar")


def test_checkpoints_of_2016_are_read_between_their_numbers() -> None:
    def storages(program: bytes) -> bytes:
        numbers = struct.pack("<q4f", 4, 1, 2, 3, 4)
        described = b"\x80\x02(X\x01\x00\x00\x000X\x03\x00\x00\x00cpuctorch\nFloatStorage\nt."
        return b"\x80\x02K\x02." + described + numbers + program + numbers

    described = b"\x80\x02(X\x01\x00\x00\x001X\x03\x00\x00\x00cpuctorch\nFloatStorage\nt."
    for program, fires in ((described, False), (PAYLOAD, True)):
        data = tar_of(("sys_info", HONEST), ("pickle", HONEST), ("storages", storages(program)), ("tensors", b"K\x00."))
        result = inspect(data, "model.pt")
        assert result.formats == ("torch-tar",)
        assert ("MSP1001" in {finding.rule for finding in result.findings}) is fires


COMPRESSED = {
    "gzip": gzip.compress(PAYLOAD),
    "gzip-members": gzip.compress(PAYLOAD[:5]) + gzip.compress(PAYLOAD[5:]) + bytes(10),
    "bzip2": bz2.compress(PAYLOAD),
    "xz": lzma.compress(PAYLOAD),
    "lzma": lzma.compress(PAYLOAD, lzma.FORMAT_ALONE),
    "zlib": zlib.compress(PAYLOAD),
    "zlib-raw-level": zlib.compress(PAYLOAD, 0),
    "joblib-zfile": b"ZF" + hex(len(PAYLOAD)).encode().ljust(19) + zlib.compress(PAYLOAD),
}


@pytest.mark.parametrize("name", COMPRESSED)
def test_a_pickle_is_found_in_every_compression(name: str) -> None:
    result = inspect(COMPRESSED[name], "model.joblib")
    assert [finding.rule for finding in result.findings] == ["MSP1001"]
    assert result.coverage.state is CoverageState.ANALYSED


def test_what_stands_behind_a_stream_is_not_part_of_it() -> None:
    assert "MSP2007" in rules(gzip.compress(HONEST) + b"more" * 30, "model.pkl.gz")


def test_a_cut_off_stream_is_looked_into_and_partial() -> None:
    result = inspect(gzip.compress(PAYLOAD + random.Random(1).randbytes(5000))[:-3000], "model.pkl.gz")
    assert "MSP1001" in {finding.rule for finding in result.findings}
    assert result.coverage.executable_gap


def test_a_bomb_ends_partial_and_its_beginning_is_looked_into() -> None:
    data = gzip.compress(PAYLOAD + bytes(20 << 20))
    result = inspect(data, "bomb.gz", Limits(max_decompressed=4 << 20))
    assert "budget-decompressed" in {reason.code for reason in result.coverage.reasons}
    assert "MSP1001" in {finding.rule for finding in result.findings}


def test_text_that_begins_like_a_stream_is_text() -> None:
    for text in (b"x^2 + y^2 = z^2\n", b"ZF0x is a prefix of old files\n", b"BZh9 is how bzip2 begins\n"):
        assert inspect(text, "notes.txt").formats == ("text",)


def test_numbers_that_begin_like_a_stream_are_numbers() -> None:
    for magic in (b"\x1f\x8b\x08\0", b"BZh91AY&SY", b"\xfd7zXZ\0"):
        result = inspect(asm.pickle(asm.raw(magic + random.Random(1).randbytes(200))))
        assert result.findings == ()
        assert result.coverage.state is CoverageState.ANALYSED
    assert "MSP1001" in rules(asm.pickle(asm.raw(gzip.compress(PAYLOAD))))


def test_nesting_is_bounded() -> None:
    data = HONEST
    for _ in range(20):
        data = gzip.compress(data)
    assert "budget-depth" in {reason.code for reason in inspect(data, "deep.gz").coverage.reasons}


@pytest.mark.parametrize("reads", [[(0, 10), (900_000, 100), (5, 10)], [(39_000_000, 10), (0, 4), (38_000_000, 9)]])
def test_random_access_to_decompressed_bytes(reads: list[tuple[int, int]]) -> None:
    data = random.Random(3).randbytes(1000) * 40_000
    packed = zlib.compress(data, 1)
    budget = Budget(Limits())
    source = DecompressedSource(lambda: Stream(BytesSource(packed), budget, decompress.zlib_stream), len(data))
    for offset, length in reads:
        assert source.pread(offset, length) == data[offset : offset + length]


@pytest.mark.parametrize("size", [0, 1, 1 << 31, (1 << 33) - 1])
def test_a_tar_member_of_any_claimed_size_ends(size: int) -> None:
    info = tarfile.TarInfo("a.pkl")
    info.size = size
    inspect(info.tobuf(tarfile.GNU_FORMAT) + HONEST, "a.tar")


SEEDS = [
    torch_zip(PAYLOAD), zip_of(("a.pkl", HONEST), ("b", bytes(300)), method=zipfile.ZIP_DEFLATED),
    tar_of(("a.pkl", HONEST), link=("l", "a.pkl")), *COMPRESSED.values(),
]  # fmt: skip


@settings(max_examples=400, deadline=None)
@given(st.sampled_from(SEEDS), st.randoms(use_true_random=False))
def test_nothing_that_is_broken_throws(seed: bytes, chance: random.Random) -> None:
    data = bytearray(seed)
    for _ in range(chance.randrange(1, 12)):
        data[chance.randrange(len(data))] = chance.choice((0, 1, 0x7F, 0x80, 0xFF, chance.randrange(256)))
    cut = chance.randrange(len(data)) if chance.random() < 0.3 else len(data)
    inspect(bytes(data[:cut]), "model.pt", SMALL)
