"""ONNX classifiers through the whole probe: from files, in the sandbox, to findings."""

import json
import sys
from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("sklearn")
pytest.importorskip("onnx")

from modelscan_plus import cli  # noqa: E402
from modelscan_plus.core.bytesource import BytesSource  # noqa: E402
from modelscan_plus.probe.onnx import load  # noqa: E402
from tools.probe_zoo import zoo  # noqa: E402

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="the sandbox is tested on Linux only")


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.set_num_threads(1)
    folder = tmp_path_factory.mktemp("models")
    for model in zoo.load("digits", 51, clean=1, each=1, kinds=("blend",), controls=0):
        zoo.export_onnx(model, folder / f"{model.attack or 'clean'}.onnx", softmax=True)
        zoo.save_samples(model, folder / "samples.npz", each=4)
    for model in zoo.load("digits", 51, clean=1, each=0, kinds=(), controls=0, classes=3):
        zoo.export_onnx(model, folder / "three.onnx")
        zoo.save_samples(model, folder / "three.npz", each=4)
    for model in zoo.load("table", 52, clean=1, each=0, kinds=(), controls=0):
        zoo.export_onnx(model, folder / "table.onnx")
        zoo.save_samples(model, folder / "rows.csv", each=20)
    forest = zoo.load("trees", 61, clean=1, each=0, kinds=(), controls=0, count=1200)[0]
    zoo.export_onnx(forest, folder / "trees.onnx")
    zoo.save_samples(forest, folder / "forest.csv", each=20)
    return folder


def _probe(folder: Path, name: str, *options: str) -> tuple[int, Any]:
    out = folder / "report.json"
    with pytest.raises(SystemExit) as ended:
        cli.main(["probe", str(folder / name), "--budget", "quick", "--format", f"json={out}", *options])
    assert isinstance(ended.value.code, int)
    return ended.value.code, json.loads(out.read_text())


def _routines(report: Any) -> dict[str, str]:
    return {routine["routine"]: routine["outcome"] for routine in report["probes"][0]["routines"]}


def test_a_backdoored_classifier_is_denied_and_a_clean_one_is_not(files: Path) -> None:
    samples = ("--samples", str(files / "samples.npz"))
    code, report = _probe(files, "blend.onnx", *samples)
    probe = report["probes"][0]
    assert (code, probe["kind"], probe["outcome"]) == (1, "image-classifier", "flagged")
    assert len({each["target"] for each in probe["routines"] if each["outcome"] == "flagged"}) == 1
    assert probe["calibration"].startswith("inversion.json sha256:")
    assert any("reference" in line for line in probe["untried"])
    again = _probe(files, "blend.onnx", *samples)[1]
    assert again["probes"] == report["probes"]
    code, report = _probe(files, "clean.onnx", *samples)
    assert (code, report["probes"][0]["outcome"]) == (0, "nothing-found")


def test_without_samples_the_network_makes_its_own(files: Path) -> None:
    code, report = _probe(files, "clean.onnx")
    assert code == 0
    assert ("class impressions", "samples were made from the network itself") in map(
        tuple, report["probes"][0]["facts"]
    )
    assert set(_routines(report).values()) <= {"nothing-found", "not-applicable"}


def test_what_cannot_be_told_is_said(files: Path) -> None:
    code, report = _probe(files, "three.onnx", "--samples", str(files / "three.npz"))
    probe = report["probes"][0]
    assert (code, probe["outcome"]) == (0, "inconclusive")
    assert "3 classes are too few" in probe["reason"]
    wrong = _probe(
        files, "clean.onnx", "--samples", str(files / "three.npz"), "--reference", str(files / "three.onnx")
    )[1]
    assert "reference" in wrong["probes"][0]["reason"]


def test_a_table_needs_rows(files: Path) -> None:
    report = _probe(files, "table.onnx")[1]
    assert "--samples" in report["probes"][0]["reason"]
    code, report = _probe(files, "table.onnx", "--samples", str(files / "rows.csv"))
    assert (code, report["probes"][0]["kind"]) == (0, "tabular-classifier")
    assert _routines(report)["tabular-feature-value"] == "nothing-found"


def test_a_forest_opens_in_the_sandbox_and_needs_rows(files: Path) -> None:
    assert "--samples" in _probe(files, "trees.onnx")[1]["probes"][0]["reason"]
    report = _probe(files, "trees.onnx", "--samples", str(files / "forest.csv"))[1]
    assert _routines(report) == {"tabular-trees": "nothing-found"}
    thresholds = load(BytesSource((files / "trees.onnx").read_bytes()), gradients=False).splits()
    assert len(thresholds) == 16
    assert all(bool((one.diff() > 0).all()) for one in thresholds)
    assert sum(len(one) for one in thresholds) > 100
