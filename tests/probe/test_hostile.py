"""Models that are made to hurt end as inconclusive, each with its reason, and the honest ones beside them open."""

import sys
from pathlib import Path

import pytest

for needed in ("torch", "transformers", "tokenizers", "onnx", "onnxruntime"):
    pytest.importorskip(needed, reason=f"{needed} is not installed")
pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="the sandbox is tested on Linux only")

from modelscan_plus.core.probe import ProbeOutcome, RoutineReport  # noqa: E402
from modelscan_plus.core.report import from_json  # noqa: E402
from modelscan_plus.probe import gather  # noqa: E402
from modelscan_plus.probe.interface import Spec  # noqa: E402
from modelscan_plus.probe.protocol import Claim  # noqa: E402
from modelscan_plus.probe.run import Setup, probe  # noqa: E402
from tests.cli import commands  # noqa: E402
from tests.probe import hostile_models, readers  # noqa: E402

NAMES = [*(f"{name}.onnx" for name in hostile_models.ONNX), *hostile_models.FOLDERS]


@pytest.fixture(scope="module")
def opened(tmp_path_factory: pytest.TempPathFactory) -> dict[str, RoutineReport]:
    """What became of each model: all of them in one child, so that importing the libraries is paid for once."""
    folder = tmp_path_factory.mktemp("models")
    for name, make in hostile_models.ONNX.items():
        (folder / f"{name}.onnx").write_bytes(make())
    for name, files in hostile_models.FOLDERS.items():
        _write(folder / name, files())
    (folder / "honest.onnx").write_bytes(hostile_models.honest_image())
    _write(folder / "honest-text", hostile_models.honest_text())
    with gather.open_path(str(folder)) as files:
        probed = probe(files, Claim(".", (readers.DOMAIN,)), Setup(spec=Spec(), seconds=100.0))
    assert probed.broke is None
    return {report.routine: report for report in probed.report.routines}


def _write(folder: Path, files: dict[str, bytes]) -> None:
    folder.mkdir()
    for name, data in files.items():
        (folder / name).write_bytes(data)


@pytest.mark.parametrize("name", NAMES)
def test_a_hostile_model_is_inconclusive_with_its_reason(opened: dict[str, RoutineReport], name: str) -> None:
    assert opened[name].outcome is ProbeOutcome.INCONCLUSIVE
    assert opened[name].reason
    assert "failed" not in opened[name].reason  # refused on purpose, not by a fault of ours


@pytest.mark.parametrize("name", ["honest.onnx", "honest-text"])
def test_an_honest_model_beside_them_opens(opened: dict[str, RoutineReport], name: str) -> None:
    assert (opened[name].outcome, opened[name].reason) == (ProbeOutcome.NOTHING_FOUND, "it opened")


def test_a_hostile_folder_goes_through_the_whole_command(tmp_path: Path) -> None:
    _write(tmp_path / "model", hostile_models.FOLDERS["regex"]())
    done = commands.run("probe", tmp_path / "model", "--run-denied", "--deadline", "60", "--format", "json")
    report = from_json(done.stdout.encode())
    assert [(probed.artifact, probed.outcome) for probed in report.probes] == [(".", ProbeOutcome.INCONCLUSIVE)]
    assert "tokenizer.json" in report.probes[0].reason
    assert "MSP8003" in {finding.rule for finding in report.findings}
    assert done.stderr == ""
