"""onnx.checker as a second opinion: attributed, shut in, and silent about what it cannot see."""

from pathlib import Path

import pytest

from fixtures.make.onnx import linear
from fixtures.make.onnx_writer import external, node
from modelscan_plus.engines.onnx_checker import OnnxChecker
from modelscan_plus.pipeline import Options, scan_targets
from modelscan_plus.policy.load import load_policy

pytestmark = pytest.mark.skipif(not OnnxChecker().version(), reason="onnx is not installed")


def said(path: Path, data: bytes) -> tuple[list[tuple[str, str]], list[str]]:
    path.write_bytes(data)
    report = scan_targets([str(path)], Options(policy=load_policy("builtin:default"), engines=("onnx",)))
    found = [(f.severity.value, f.message) for f in report.findings if f.source == "onnx"]
    return found, [note.message for note in report.notes]


def test_a_valid_model_gets_no_remark(tmp_path: Path) -> None:
    found, notes = said(tmp_path / "m.onnx", linear())
    assert found == []
    assert any("gave its opinion on 1 of 1" in note for note in notes)


def test_a_refused_model_gets_a_low_remark(tmp_path: Path) -> None:
    found, _ = said(tmp_path / "m.onnx", linear(nodes=[node("Relu", ["y", "x"], ["z"])]))
    assert [severity for severity, _ in found] == ["low"]


def test_external_data_is_out_of_its_sight(tmp_path: Path) -> None:
    found, notes = said(tmp_path / "m.onnx", linear(weight=external("w", "w.bin")))
    assert found == []
    assert any("gave up" in note for note in notes)


def test_other_files_are_not_of_its_kind(tmp_path: Path) -> None:
    found, notes = said(tmp_path / "m.pkl", b"\x80\x04}.")
    assert found == []
    assert any("nothing of its kind" in note for note in notes)
