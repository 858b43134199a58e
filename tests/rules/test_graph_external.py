"""External data of ONNX models on a disk: links, hard links, the Hugging Face cache, short and missing files."""

import os
from pathlib import Path

import pytest

from fixtures.make.onnx import linear
from fixtures.make.onnx_writer import external
from modelscan_plus import scan
from modelscan_plus.core.coverage import CoverageState
from modelscan_plus.core.finding import Severity
from modelscan_plus.core.report import Report
from modelscan_plus.rules.graph_file_external import way_out

DATA = bytes(range(16))


def model(location: str = "weights.bin", length: str = "16") -> bytes:
    return linear(weight=external("w", location, length=length))


def found(report: Report) -> dict[str, Severity]:
    return {finding.rule: finding.severity for finding in report.findings}


@pytest.mark.parametrize("what", ["folder", "file"])
def test_a_link_that_leaves_the_folder_is_critical(tmp_path: Path, what: str) -> None:
    folder = tmp_path / "model"
    folder.mkdir()
    (tmp_path / "secret").write_bytes(DATA)
    (folder / "m.onnx").write_bytes(model())
    (folder / "weights.bin").symlink_to("../secret")
    report = scan(folder if what == "folder" else folder / "m.onnx")
    assert found(report)["MSP4012"] is Severity.CRITICAL


@pytest.mark.parametrize("what", ["folder", "file"])
def test_a_link_on_the_way_is_found(tmp_path: Path, what: str) -> None:
    folder = tmp_path / "model"
    folder.mkdir()
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "weights.bin").write_bytes(DATA)
    (folder / "m.onnx").write_bytes(model("data/weights.bin"))
    (folder / "data").symlink_to(tmp_path / "elsewhere")
    report = scan(folder if what == "folder" else folder / "m.onnx")
    assert found(report)["MSP4012"] is Severity.CRITICAL


def test_a_link_within_the_target_is_high(tmp_path: Path) -> None:
    (tmp_path / "m.onnx").write_bytes(model())
    (tmp_path / "other.bin").write_bytes(DATA)
    (tmp_path / "weights.bin").symlink_to("other.bin")
    assert found(scan(tmp_path))["MSP4012"] is Severity.HIGH


@pytest.mark.skipif(not hasattr(os, "link"), reason="no hard links here")
def test_a_hard_link_needs_a_person(tmp_path: Path) -> None:
    folder = tmp_path / "model"
    folder.mkdir()
    (tmp_path / "secret").write_bytes(DATA)
    (folder / "m.onnx").write_bytes(model())
    os.link(tmp_path / "secret", folder / "weights.bin")
    assert found(scan(folder))["MSP4013"] is Severity.MEDIUM


@pytest.mark.parametrize("what", ["folder", "file"])
def test_the_hugging_face_cache_is_no_finding(tmp_path: Path, what: str) -> None:
    repository = tmp_path / "models--org--name"
    (repository / "blobs").mkdir(parents=True)
    snapshot = repository / "snapshots" / "4f2a"
    snapshot.mkdir(parents=True)
    for name, data in (("m.onnx", model()), ("weights.bin", DATA)):
        blob = repository / "blobs" / f"sha-of-{name}"
        blob.write_bytes(data)
        os.link(blob, repository / "blobs" / f"store-{name}")
        (snapshot / name).symlink_to(f"../../blobs/{blob.name}")
    report = scan(snapshot if what == "folder" else snapshot / "m.onnx")
    assert report.findings == ()


def test_data_beside_the_model_is_no_finding_and_no_gap(tmp_path: Path) -> None:
    (tmp_path / "m.onnx").write_bytes(model())
    (tmp_path / "weights.bin").write_bytes(DATA)
    report = scan(tmp_path)
    assert report.findings == ()
    assert {artifact.coverage.state for artifact in report.artifacts} == {CoverageState.ANALYSED}


def test_unknown_bytes_that_no_model_names_stay_a_gap(tmp_path: Path) -> None:
    (tmp_path / "m.onnx").write_bytes(model("other.bin"))
    (tmp_path / "other.bin").write_bytes(DATA)
    (tmp_path / "weights.bin").write_bytes(DATA)
    states = {artifact.path: artifact.coverage.state for artifact in scan(tmp_path).artifacts}
    assert states["weights.bin"] is CoverageState.NOT_ANALYSED


def test_data_that_is_too_short_or_missing(tmp_path: Path) -> None:
    (tmp_path / "m.onnx").write_bytes(model())
    assert found(scan(tmp_path / "m.onnx")) == {"MSP4019": Severity.LOW}
    (tmp_path / "weights.bin").write_bytes(DATA[:7])
    assert found(scan(tmp_path / "m.onnx")) == {"MSP4015": Severity.HIGH}


@pytest.mark.parametrize(
    "location",
    [
        "../x",
        "a/../../x",
        "a/../x",
        "/etc/passwd",
        "\\\\server\\share\\x",
        "//server/x",
        "C:\\x",
        "c:x",
        "file:///etc/passwd",
        "https://example.org/x",
        "~/x",
        "..\\x",
        " ../x",
        "a/.. /../x",
        "*/_ORT_MEM_ADDR_/*",
        "/proc/self/environ",
        "jar:x",
    ],
)
def test_ways_out_of_the_folder(location: str) -> None:
    assert way_out(location)


@pytest.mark.parametrize(
    "location", ["weights.bin", "./weights.bin", "a/b.data", "w..bin", "model.onnx_data", "a b", "é"]
)
def test_names_that_stay_inside(location: str) -> None:
    assert way_out(location) == ""
