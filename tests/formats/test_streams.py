"""Compressed streams as their loaders read them: several in a row, padding, frames to skip, missing libraries."""

import bz2
import gzip
import lzma
import struct
import zlib
from collections.abc import Callable

import pytest

from fixtures.make.archives import HONEST, sevenzip_of, tar_of, zip_of
from fixtures.make.payloads import PAYLOAD
from modelscan_plus.core.coverage import CoverageState
from modelscan_plus.core.limits import Limits
from modelscan_plus.formats.archives import optional
from tests.samples import inspect, rules

HALF = len(PAYLOAD) // 2
FIRST, SECOND = PAYLOAD[:HALF], PAYLOAD[HALF:]
SKIPPED = b"\x50\x2a\x4d\x18" + struct.pack("<L", 5000) + bytes(5000)


def alone(data: bytes) -> bytes:
    return lzma.compress(data, lzma.FORMAT_ALONE)


@pytest.mark.parametrize(
    ("name", "data", "reader"),
    [
        ("gzip, zeros between", gzip.compress(FIRST) + bytes(100) + gzip.compress(SECOND), gzip.decompress),
        ("gzip, an empty member first", gzip.compress(b"") + gzip.compress(PAYLOAD), gzip.decompress),
        ("bzip2 twice", bz2.compress(FIRST) + bz2.compress(SECOND), bz2.decompress),
        ("bzip2 and no stream", bz2.compress(PAYLOAD) + b"BZh9 no more", bz2.decompress),
        ("xz twice", lzma.compress(FIRST) + lzma.compress(SECOND), lzma.decompress),
        ("xz, then lzma", lzma.compress(FIRST) + alone(SECOND), lzma.decompress),
        ("lzma, then xz", alone(FIRST) + lzma.compress(SECOND), lzma.decompress),
    ],
)
def test_streams_in_a_row_are_one_output_where_python_takes_them_so(
    name: str, data: bytes, reader: Callable[[bytes], bytes]
) -> None:
    assert reader(data) == PAYLOAD, name
    assert "MSP1001" in rules(data, "model.joblib")


def test_xz_streams_with_padding_as_the_xz_tool_takes_them() -> None:
    assert "MSP1001" in rules(lzma.compress(FIRST) + bytes(8) + lzma.compress(SECOND), "model.pkl.xz")


def test_lzma_with_unusual_settings_is_recognised() -> None:
    filters = [{"id": lzma.FILTER_LZMA1, "lc": 0, "lp": 2, "pb": 1, "dict_size": 3 << 15}]
    assert "MSP1001" in rules(lzma.compress(PAYLOAD, lzma.FORMAT_ALONE, filters=filters), "model.bin")


def zstd(data: bytes) -> bytes:
    library = optional._library("Zstandard")
    if library is None:
        pytest.skip("backports.zstd is not installed")
    return bytes(library.compress(data))


def lz4(data: bytes) -> bytes:
    return bytes(pytest.importorskip("lz4.frame", reason="lz4 is not installed").compress(data))


@pytest.mark.parametrize("pack", [zstd, lz4])
def test_frames_of_the_extra_formats(pack: Callable[[bytes], bytes]) -> None:
    halves = pack(FIRST), pack(SECOND)
    for data in (pack(PAYLOAD), b"".join(halves), SKIPPED.join(halves), SKIPPED + pack(PAYLOAD)):
        result = inspect(data, "model.pkl")
        assert "MSP1001" in {finding.rule for finding in result.findings}
        assert result.coverage.state is CoverageState.ANALYSED
    assert "MSP2007" in rules(pack(HONEST) + b"and more of it" * 9, "model.pkl")
    cut = inspect(pack(PAYLOAD + bytes(range(256)) * 40)[:-5], "model.pkl")
    assert cut.coverage.executable_gap


@pytest.mark.parametrize(
    "data", [b"\x28\xb5\x2f\xfd" + bytes(60), b"\x04\x22\x4d\x18" + bytes(60), SKIPPED + b"\x28\xb5\x2f\xfd"]
)
def test_without_the_library_the_content_is_a_named_gap(monkeypatch: pytest.MonkeyPatch, data: bytes) -> None:
    monkeypatch.setattr(optional, "_library", lambda codec: None)
    result = inspect(data, "model.joblib")
    assert [reason.code for reason in result.coverage.reasons] == ["missing-extra"]
    assert "[formats]" in result.coverage.reasons[0].message
    assert result.coverage.executable_gap
    assert result.findings == ()


def test_everything_in_everything_else() -> None:
    packers: list[Callable[[bytes], bytes]] = [
        gzip.compress, bz2.compress, lzma.compress, zlib.compress, alone,
        lambda data: zip_of(("a.bin", data)), lambda data: tar_of(("a.bin", data)),
        lambda data: sevenzip_of(("a.bin", data)),
    ]  # fmt: skip
    for outer in packers:
        for inner in packers:
            assert "MSP1001" in rules(outer(inner(PAYLOAD)), "model.dat"), (outer, inner)
            honest = inspect(outer(inner(HONEST)), "model.dat")
            assert [finding for finding in honest.findings if finding.severity.rank > 1] == []
            assert honest.coverage.state is CoverageState.ANALYSED


@pytest.mark.parametrize(
    "magic", [b"Rar!\x1a\x07\1\0", b"\x1f\x9d\x90", b"LZIP\1\x0c", b"MSCF\0\0\0\0", b"070701", b"!<arch>\n"]
)
def test_archives_that_are_not_read_are_gaps_where_code_could_hide(magic: bytes) -> None:
    result = inspect(magic + bytes(range(200)), "model.bin")
    assert result.coverage.executable_gap
    assert result.coverage.state is CoverageState.NOT_ANALYSED


def test_a_large_honest_stream_is_not_charged_twice_for_being_read_twice() -> None:
    body = b"".join(b"B" + struct.pack("<L", 1 << 20) + bytes(1 << 20) + b"0" for _ in range(60))
    data = gzip.compress(b"\x80\x03" + body + b"N.", 1)
    result = inspect(data, "model.pkl.gz", Limits(max_decompressed=90 << 20))
    assert result.coverage.state is CoverageState.ANALYSED
    less = inspect(data, "model.pkl.gz", Limits(max_decompressed=50 << 20))
    assert "budget-decompressed" in {reason.code for reason in less.coverage.reasons}
