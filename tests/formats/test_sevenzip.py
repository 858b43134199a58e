"""7z: what py7zr writes is read, what is not read is named, and nothing that is broken throws."""

import io
import random
import zlib
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fixtures.make.archives import HONEST, sevenzip_of, torch_zip
from fixtures.make.payloads import PAYLOAD
from modelscan_plus.core.artifact import Artifact
from modelscan_plus.core.bytesource import BytesSource
from modelscan_plus.core.coverage import CoverageState
from modelscan_plus.core.limits import Budget, Limits
from modelscan_plus.formats.archives import optional
from modelscan_plus.formats.archives.sevenzip import SevenZipFormat
from tests.samples import inspect, rules

SMALL = Limits(max_entries=500, max_decompressed=8 << 20, max_opcodes=20_000, max_objects=20_000)
CONTENT = [
    ("a/honest.pkl", HONEST),
    ("b.bin", random.Random(1).randbytes(70_000)),
    ("ü.pkl", PAYLOAD),
    ("zeros", bytes(9999)),
]


def members(data: bytes) -> list[tuple[str, bytes]]:
    found = []
    for parsed in SevenZipFormat().parse(Artifact("a", BytesSource(data)), Budget(Limits())):
        found += [(nested.name, nested.source.pread(0, nested.source.size)) for nested in parsed.nested]
    return found


def test_a_solid_block_is_cut_into_its_members() -> None:
    assert members(sevenzip_of(*CONTENT)) == CONTENT


def written(**options: Any) -> bytes:
    py7zr = pytest.importorskip("py7zr", reason="py7zr is not installed")
    buffer = io.BytesIO()
    with py7zr.SevenZipFile(buffer, "w", **options) as archive:
        for name, content in CONTENT:
            archive.writestr(content, name)
        archive.writestr(b"", "empty.txt")
    return buffer.getvalue()


@pytest.mark.parametrize("chain", ["LZMA2", "LZMA", "COPY", "DEFLATE", "BZIP2", "DELTA LZMA2", "X86 LZMA2"])
def test_members_are_those_that_py7zr_wrote(chain: str) -> None:
    py7zr = pytest.importorskip("py7zr", reason="py7zr is not installed")
    filters = [{"id": getattr(py7zr, f"FILTER_{name}")} for name in chain.split()]
    assert members(written(filters=filters))[: len(CONTENT)] == CONTENT


def test_zstandard_blocks_need_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    py7zr = pytest.importorskip("py7zr", reason="py7zr is not installed")
    data = written(filters=[{"id": py7zr.FILTER_ZSTD}])
    assert members(data)[: len(CONTENT)] == CONTENT
    monkeypatch.setattr(optional, "_library", lambda codec: None)
    reasons = inspect(data, "a.7z").coverage.reasons
    assert ("missing-extra", True) in {(reason.code, reason.executable) for reason in reasons}


@pytest.mark.parametrize("options", [{"password": "x"}, {"password": "x", "header_encryption": True}])
def test_encrypted_archives_are_gaps(options: dict[str, Any]) -> None:
    result = inspect(written(**options), "a.7z")
    assert {"MSP2004"} == {finding.rule for finding in result.findings}
    assert "encrypted" in {reason.code for reason in result.coverage.reasons}
    assert result.coverage.executable_gap


def test_a_packing_that_is_not_read_is_named() -> None:
    py7zr = pytest.importorskip("py7zr", reason="py7zr is not installed")
    result = inspect(written(filters=[{"id": py7zr.FILTER_PPMD, "order": 6, "mem": 16}]), "a.7z")
    assert any("PPMd" in reason.message and reason.executable for reason in result.coverage.reasons)


def test_names_that_climb_and_names_that_stand_twice_are_reported() -> None:
    assert "MSP2002" in rules(sevenzip_of(("../a.pkl", HONEST)), "a.7z")
    assert {"MSP2001", "MSP1001"} <= rules(sevenzip_of(("a.pkl", HONEST), ("a.pkl", PAYLOAD)), "a.7z")


def test_damage_is_reported_and_what_is_left_is_looked_into() -> None:
    data = sevenzip_of(("a.pkl", PAYLOAD), ("b.pkl", HONEST))
    wrong = data.replace(zlib.crc32(HONEST).to_bytes(4, "little"), b"\0\0\0\1")
    assert {"MSP1001", "MSP2005", "MSP2006"} <= rules(wrong, "a.7z")
    cut = inspect(data[:-10], "a.7z")
    assert {"MSP2006"} == {finding.rule for finding in cut.findings}
    assert cut.coverage.executable_gap


def test_bytes_around_are_accounted_for() -> None:
    assert "MSP2007" in rules(sevenzip_of(("a.pkl", HONEST)) + b"\x7fELF" * 40, "a.7z")
    assert inspect(sevenzip_of(("a.pkl", HONEST))).coverage.state is CoverageState.ANALYSED


def test_a_bomb_ends_partial() -> None:
    data = sevenzip_of(("a.pkl", PAYLOAD), ("b", bytes(15_000)), ("c", bytes(15_000)))
    result = inspect(data, "a.7z", Limits(max_decompressed=20_000))
    assert "budget-decompressed" in {reason.code for reason in result.coverage.reasons}


@settings(max_examples=400, deadline=None)
@given(st.randoms(use_true_random=False))
def test_nothing_that_is_broken_throws(chance: random.Random) -> None:
    data = bytearray(sevenzip_of(("a.pkl", HONEST), ("b.pkl", PAYLOAD)))
    for _ in range(chance.randrange(1, 8)):
        place = chance.randrange(len(data) - 120, len(data)) if chance.random() < 0.8 else chance.randrange(32)
        data[place] = chance.choice((0, 1, 2, 0x7F, 0x80, 0xFF, chance.randrange(256)))
    header = int.from_bytes(data[12:20], "little") + 32
    data[28:32] = zlib.crc32(data[header:]).to_bytes(4, "little")
    inspect(bytes(data), "a.7z", SMALL)


def test_a_stored_zip_at_the_end_is_a_member_and_no_second_format() -> None:
    py7zr = pytest.importorskip("py7zr", reason="py7zr is not installed")
    buffer = io.BytesIO()
    with py7zr.SevenZipFile(buffer, "w", filters=[{"id": py7zr.FILTER_COPY}]) as archive:
        archive.writestr(torch_zip(), "model.pt")
    result = inspect(buffer.getvalue(), "a.7z")
    assert (result.formats, result.findings) == (("7z",), ())
