"""Whatever any reader takes out of a zip has been looked into, and where readers disagree there is a finding.

Archives with one thing changed (zip_readers.py), read by Python's zipfile, PyTorch's reader and Info-ZIP's unzip.
"""

import random
import shutil
import struct
import zipfile
import zlib
from pathlib import Path

import pytest

from fixtures.make.archives import HONEST, zip_of
from fixtures.make.payloads import PAYLOAD
from modelscan_plus.core.coverage import CoverageState
from modelscan_plus.core.finding import Severity
from tests.formats import zip_readers
from tests.formats.zip_readers import by_torch, by_unzip, by_zipfile, inspected, mutated
from tests.samples import inspect, rules

pytestmark = pytest.mark.filterwarnings("ignore:Duplicate name")


def looked_into(content: bytes, seen: set[bytes]) -> bool:
    # A reader that stops early hands out the beginning of what another one does.
    return not content.strip(b"\0") or any(content in known for known in seen)


def disagree(one: set[bytes], other: set[bytes]) -> bool:
    return bool(one and other - one - {b""})


def has_finding(data: bytes) -> bool:
    found = inspected(data)[0].findings
    return any(f.rule.startswith("MSP20") and f.severity.rank >= Severity.MEDIUM.rank for f in found)


@pytest.mark.parametrize("start", range(0, 1200, 100))
def test_what_zipfile_hands_out_was_looked_into(start: int) -> None:
    for seed in range(start, start + 100):
        data = mutated(seed)
        seen = inspected(data)[1]
        assert [seed for content in by_zipfile(data) if not looked_into(content, seen)] == []


def test_what_pytorch_hands_out_was_looked_into(tmp_path: Path) -> None:
    pytest.importorskip("torch", reason="torch is not installed")
    made = {f"{seed:06}": mutated(seed) for seed in range(10_000, 10_800)}
    for name, data in made.items():
        (tmp_path / name).write_bytes(data)
    found = by_torch(tmp_path)
    assert len(found) > 80
    for name, contents in found.items():
        seen = inspected(made[name])[1]
        assert [name for content in contents if not looked_into(content, seen)] == []
        if disagree(set(by_zipfile(made[name])), set(contents)):
            assert has_finding(made[name]), name


@pytest.mark.skipif(shutil.which("unzip") is None, reason="unzip is not installed")
def test_what_unzip_unpacks_was_looked_into(tmp_path: Path) -> None:
    path = tmp_path / "archive.zip"
    for seed in range(20_000, 20_150):
        data = mutated(seed)
        path.write_bytes(data)
        contents, seen = by_unzip(path, tmp_path / "out"), inspected(data)[1]
        assert [seed for content in contents if not looked_into(content, seen)] == []
        if disagree(set(by_zipfile(data)), set(contents)):
            assert has_finding(data), seed


def test_archives_in_which_nothing_was_changed_are_quiet() -> None:
    for seed in range(300):
        data = zip_readers.build(random.Random(seed))
        found = [f.message for f in inspected(data)[0].findings if f.rule.startswith("MSP20") and f.rule != "MSP2007"]
        assert found == [] or all("share this name" in message for message in found), seed


DIRECTORY = b"PK\1\2"


def patched(data: bytes, mark: bytes, offset: int, form: str, value: int) -> bytes:
    at = data.rindex(mark) + offset
    return data[:at] + struct.pack(form, value) + data[at + struct.calcsize(form) :]


def test_a_flag_that_says_encrypted_hides_nothing() -> None:
    data = patched(zip_of(("m/data.pkl", PAYLOAD)), DIRECTORY, 8, "<H", 1)
    assert {"MSP1001", "MSP2001", "MSP2004"} <= rules(data, "model.pt")


def test_a_method_that_only_one_header_names_hides_nothing() -> None:
    data = zip_of(("m/data.pkl", PAYLOAD), method=zipfile.ZIP_DEFLATED)
    for method in (0, 9, 99, 12):
        assert {"MSP1001", "MSP2001"} <= rules(patched(data, DIRECTORY, 10, "<H", method), "model.pt")


def test_sizes_that_are_too_small_hide_nothing() -> None:
    stored = zip_of(("m/data.pkl", PAYLOAD))
    assert {"MSP1001", "MSP2001"} <= rules(patched(stored, DIRECTORY, 20, "<L", 3), "model.pt")
    packed = zip_of(("m/data.pkl", PAYLOAD + bytes(99)), method=zipfile.ZIP_DEFLATED)
    for offset in (20, 24):
        assert {"MSP1001", "MSP2001"} <= rules(patched(packed, DIRECTORY, offset, "<L", 3), "model.pt")


def test_a_version_that_nobody_reads_is_a_finding() -> None:
    assert {"MSP1001", "MSP2001"} <= rules(patched(zip_of(("m/data.pkl", PAYLOAD)), DIRECTORY, 6, "<H", 200), "a.pt")


def test_what_comes_before_the_fault_is_looked_into() -> None:
    broken = zlib.compress(PAYLOAD + bytes(10))[:-4] + b"\xff\xff\xff\xff"
    assert "MSP1001" in rules(broken, "model.pkl")
    result = inspect(broken, "model.pkl")
    assert result.coverage.executable_gap


def test_zip_methods_of_newer_writers(monkeypatch: pytest.MonkeyPatch) -> None:
    import lzma

    from modelscan_plus.formats.archives import optional

    def repacked(method: int, content: bytes) -> bytes:
        data = zip_of(("a.pkl", content))
        for mark, at in ((b"PK\3\4", 8), (DIRECTORY, 10)):
            data = patched(data, mark, at, "<H", method)
        for mark, at in ((b"PK\3\4", 22), (DIRECTORY, 24)):
            data = patched(data, mark, at, "<L", len(PAYLOAD))
        for mark, at in ((b"PK\3\4", 14), (DIRECTORY, 16)):
            data = patched(data, mark, at, "<L", zlib.crc32(PAYLOAD))
        return data

    xz = inspect(repacked(95, lzma.compress(PAYLOAD)), "a.zip")
    assert {finding.rule for finding in xz.findings} == {"MSP1001"}
    library = optional._library("Zstandard")
    if library is not None:
        zstd = inspect(repacked(93, library.compress(PAYLOAD)), "a.zip")
        assert {finding.rule for finding in zstd.findings} == {"MSP1001"}
    monkeypatch.setattr(optional, "_library", lambda codec: None)
    absent = inspect(repacked(93, b"\x28\xb5\x2f\xfd" + HONEST), "a.zip")
    assert "missing-extra" in {reason.code for reason in absent.coverage.reasons}


@pytest.mark.parametrize("method", [1, 6, 9, 98])
def test_methods_that_are_not_read_are_gaps_where_code_could_hide(method: int) -> None:
    data = patched(zip_of(("a.pkl", HONEST)), b"PK\3\4", 8, "<H", method)
    result = inspect(patched(data, DIRECTORY, 10, "<H", method), "a.zip")
    assert result.coverage.state is CoverageState.PARTIAL
    assert result.coverage.executable_gap


def test_lzma_members_without_an_end_mark_are_read_by_their_size() -> None:
    data = zip_of(("a.pkl", PAYLOAD), method=zipfile.ZIP_LZMA)
    flags = struct.unpack_from("<H", data, 6)[0]
    assert flags & 2  # CPython marks the end; 7-Zip does not
    bare = patched(patched(data, b"PK\3\4", 6, "<H", 0), DIRECTORY, 8, "<H", 0)
    assert {finding.rule for finding in inspect(bare, "a.zip").findings} == {"MSP1001"}


def test_an_lzma_dictionary_that_is_stated_too_large_hides_nothing() -> None:
    data = bytearray(zip_of(("a.pkl", PAYLOAD), method=zipfile.ZIP_LZMA))
    at = data.index(b"a.pkl") + 5 + 5  # behind the name: two version bytes, the length 5, the property byte
    data[at : at + 4] = struct.pack("<L", 0x7FFFFFFF)
    assert {finding.rule for finding in inspect(bytes(data), "a.zip").findings} == {"MSP1001"}
