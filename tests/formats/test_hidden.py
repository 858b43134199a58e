"""What begins in the middle of unexplained bytes is found; leftovers and raw numbers stay leftovers and numbers."""

import bz2
import gzip
import lzma
import random
import struct

import pytest

from fixtures.make.archives import HONEST, sevenzip_of, tar_of, zip_of
from fixtures.make.payloads import PAYLOAD
from modelscan_plus.core.coverage import CoverageState
from tests.samples import inspect, rules

JUNK = random.Random(5).randbytes(300)
TEXT_PICKLE = b"cposix\nsystem\n(S'true'\ntR."
INST_PICKLE = b"(S'true'\niposix\nsystem\n."
HIDDEN = {
    "pickle": PAYLOAD, "text": TEXT_PICKLE, "inst": INST_PICKLE, "zip": zip_of(("a.pkl", PAYLOAD)),
    "tar": tar_of(("a", PAYLOAD)), "7z": sevenzip_of(("a", PAYLOAD)), "gzip": gzip.compress(PAYLOAD),
    "bzip2": bz2.compress(PAYLOAD), "xz": lzma.compress(PAYLOAD),
}  # fmt: skip


@pytest.mark.parametrize("name", HIDDEN)
@pytest.mark.parametrize("before", [HONEST + JUNK, JUNK, bytes(40) + b"\1", b"\n\0", HONEST + b"some text, " * 30])
def test_it_is_found_behind_whatever_stands_before(name: str, before: bytes) -> None:
    for behind in (b"", JUNK, bytes(70_000)):
        assert "MSP1001" in rules(before + HIDDEN[name] + behind, "model.dat"), len(behind)


def test_several_pickles_with_bytes_between_are_all_found() -> None:
    result = inspect(HONEST + b"".join(JUNK + PAYLOAD for _ in range(20)))
    assert len([finding for finding in result.findings if finding.rule == "MSP1001"]) == 20


@pytest.mark.parametrize("seed", range(40))
def test_random_leftovers_are_leftovers(seed: int) -> None:
    chance = random.Random(seed)
    numbers = struct.pack("<2000f", *(chance.gauss(0, 1) for _ in range(2000)))
    for junk in (chance.randbytes(8000), numbers, b"cat\ndog\n" * 50, b"\x80\x02 and \x80\x04\x95 are marks"):
        result = inspect(HONEST + b"\1" + junk)
        assert [finding.rule for finding in result.findings if finding.severity.rank > 1] == []
        assert result.coverage.state is CoverageState.ANALYSED


@pytest.mark.timeout(60)
def test_names_that_look_like_imports_cost_little() -> None:
    inspect(b"\1" + b"cat\ndog\n" * 500_000, "model.bin")


def test_a_pickle_in_the_comment_of_a_zip_is_found() -> None:
    def commented(comment: bytes) -> bytes:
        data = zip_of(("a.pkl", HONEST))
        return data[:-2] + struct.pack("<H", len(comment)) + comment

    assert "MSP1001" in rules(commented(PAYLOAD), "a.zip")
    quiet = inspect(commented(b"made on a Tuesday"), "a.zip")
    assert (quiet.findings, quiet.coverage.state) == ((), CoverageState.ANALYSED)
