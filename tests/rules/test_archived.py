"""Programs in archives, distributed checkpoints, and models that are known as data."""

import struct

import pytest

from fixtures.make.archives import zip_of
from fixtures.make.payloads import PAYLOAD
from modelscan_plus.core.coverage import CoverageState
from modelscan_plus.core.finding import Severity
from tests.samples import inspect
from tests.weights import checkpoint

WINDOWS = b"MZ" + bytes(58) + struct.pack("<I", 64) + b"PE\0\0" + bytes(20)
LINK = b"L\0\0\0\1\x14\2\0\0\0\0\0\xc0\0\0\0\0\0\0F" + bytes(80)


def severities(data: bytes, name: str, rule: str) -> list[Severity]:
    return [finding.severity for finding in inspect(data, name).findings if finding.rule == rule]


@pytest.mark.parametrize(("name", "data"), [("setup.exe", WINDOWS), ("a/Read me.lnk", LINK), ("model.bin", LINK)])
def test_a_program_in_an_archive_is_told(name: str, data: bytes) -> None:
    assert severities(zip_of((name, data)), "tools.zip", "MSP5066") == [Severity.HIGH]


@pytest.mark.parametrize(
    ("name", "data"), [("setuptools/cli-64.exe", WINDOWS), ("pages/example.com", b"<p>x</p>"), ("lib/x.dll", WINDOWS)]
)
def test_launchers_of_packages_and_names_of_hosts_are_not(name: str, data: bytes) -> None:
    assert severities(zip_of((name, data)), "tools.zip", "MSP5066") == []


def encrypted(name: str) -> bytes:
    data = bytearray(zip_of((name, bytes(40))))
    data[6] |= 1
    data[data.index(b"PK\1\2") + 8] |= 1
    return bytes(data)


@pytest.mark.parametrize(("name", "severity"), [("setup.exe", Severity.HIGH), ("notes.txt", Severity.MEDIUM)])
def test_a_program_behind_a_password_is_worse(name: str, severity: Severity) -> None:
    assert severities(encrypted(name), "weights.zip", "MSP2004")[0] is severity


TENSORS = [checkpoint({"a": [0.5, 1.5]}), checkpoint({"b": [2.5]})]


def test_the_parts_of_a_distributed_checkpoint_are_read_one_by_one() -> None:
    result = inspect(b"".join(TENSORS), "__0_0.distcp")
    assert result.findings == ()
    assert result.coverage.state is CoverageState.ANALYSED


@pytest.mark.parametrize(
    "parts",
    [
        [TENSORS[0], zip_of(("archive/data.pkl", PAYLOAD)), TENSORS[1]],
        [*TENSORS, PAYLOAD],
        [TENSORS[0], zip_of(("archive/data.pkl", PAYLOAD))],
    ],
)
def test_a_part_that_acts_is_told(parts: list[bytes]) -> None:
    assert Severity.CRITICAL in severities(b"".join(parts), "__0_0.distcp", "MSP1001")


def test_under_another_name_a_row_of_archives_stays_one_that_readers_disagree_about() -> None:
    assert severities(b"".join(TENSORS), "model.pt", "MSP2001")


def test_a_model_of_catboost_is_data() -> None:
    reasons = inspect(b"CBM1" + struct.pack("<I", 60) + bytes(60), "model.cbm").coverage.reasons
    assert [reason.executable for reason in reasons] == [False]
