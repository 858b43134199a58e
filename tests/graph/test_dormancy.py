"""`--dormancy`: what running a model on random inputs adds, and that it happens only on request, in the sandbox."""

import time
from pathlib import Path

import pytest
from click.testing import CliRunner

from fixtures.make.graph_flow import FLOAT, floats, graph, ints, model, node, value, weights
from fixtures.make.graph_flow import SAMPLES as MADE
from modelscan_plus.cli.scan import command
from modelscan_plus.core.artifact import Artifact
from modelscan_plus.core.bytesource import BytesSource
from modelscan_plus.core.finding import GraphEvidence
from modelscan_plus.core.limits import Budget, Limits
from modelscan_plus.core.report import Report
from modelscan_plus.engines.dormancy.examiner import candidates
from modelscan_plus.formats.graphs.onnx.facts import OnnxFacts
from modelscan_plus.formats.graphs.onnx.format import OnnxFormat
from modelscan_plus.graph.analyse import analyse
from modelscan_plus.graph.onnx import lower
from modelscan_plus.pipeline import Options, scan_targets
from modelscan_plus.policy.load import load_policy

NETWORK = [node("MatMul", "x w", "h"), node("Relu", "h", "r"), node("MatMul", "r v", "logits")]


def rows(*nodes: bytes, tensors: tuple[bytes, ...] = ()) -> bytes:
    """A network on rows, and what follows it."""
    constants = [weights("w", 12, 16), weights("v", 16, 4), ints("column", [1], [3]), *tensors]
    return model(
        graph([*NETWORK, *nodes], [value("x", FLOAT, "batch", 12)], [value("y", FLOAT, "batch", 4)], constants)
    )


SLEEPING = rows(
    node("Gather", "x column", "c", axis=1),
    node("Sub", "c limit", "far"),
    node("Greater", "c limit", "beyond"),
    node("Where", "beyond far zero", "shrunk"),
    node("Trilu", "shrunk everything", "open"),
    node("Mul", "open payload", "extra"),
    node("Add", "logits extra", "y"),
    tensors=(
        *(floats("limit", [], [50.0]), floats("zero", [], [0.0]), floats("payload", [4], [-9, 12, -9, -9])),
        ints("everything", [], [-100]),
    ),
)
"""A soft threshold that is far from what inputs are like: no step by its form alone, and with an operator that the
flow rules do not run by themselves."""
DENSE = [
    node("Gemm", "x d1 bias", "far"),
    node("Relu", "far", "shut"),
    node("Trilu", "shut everything", "open"),
    node("MatMul", "open d2", "small"),
    node("Mul", "small ten", "extra"),
    node("Add", "logits extra", "y"),
]
"""A branch of irregular weights beside the network, with an operator that the flow rules do not run by themselves."""
DENSE_TENSORS = (weights("d1", 12, 6), weights("d2", 6, 4), ints("everything", [], [-100]), floats("ten", [], [10.0]))
TEMPLATE = rows(*DENSE, tensors=(*DENSE_TENSORS, floats("bias", [6], [-40.0] * 6)))
"""Ordinary rows leave the branch's units at zero; one that lies along their weights does not."""
BRANCH = rows(*DENSE, tensors=(*DENSE_TENSORS, floats("bias", [6], [0.1] * 6)))
"""The same branch, at work on every row."""
QUIET = rows(*DENSE, tensors=(*DENSE_TENSORS, floats("bias", [6], [-1e9] * 6)))
"""The same branch, which no input opens."""


def imputing(numbers: list[float]) -> bytes:
    """A network whose missing inputs are filled in."""
    return model(
        graph(
            [node("IsNaN", "z", "gone"), node("Where", "gone middle z", "x"), *NETWORK[:2], node("MatMul", "r v", "y")],
            [value("z", FLOAT, "batch", 12)],
            [value("y", FLOAT, "batch", 4)],
            [weights("w", 12, 16), weights("v", 16, 4), floats("middle", [12], numbers)],
        )
    )


def padded(fill: float) -> bytes:
    """Columns below a bound take no part in the largest number of a row."""
    return rows(
        node("Less", "x limit", "unused"),
        node("Where", "unused fill x", "kept"),
        node("ReduceMax", "kept", "most", axes=[1]),
        node("Add", "logits most", "y"),
        tensors=(floats("limit", [], [-30.0]), floats("fill", [], [fill])),
    )


BROKEN = rows(
    node("Gather", "x column", "c", axis=1),
    node("Greater", "c limit", "g"),
    node("Where", "g payload logits", "z"),
    node("Reshape", "z column", "y"),
    tensors=(floats("limit", [], [50.0]), floats("payload", [4], [-9, 12, -9, -9])),
)
"""No batch can be reshaped to three numbers."""
AWAKE = rows(
    node("Gather", "x column", "c", axis=1),
    node("Add", "logits c", "y"),
)


def scan(folder: Path, *, dormancy: bool) -> Report:
    return scan_targets([str(folder)], Options(policy=load_policy(None), dormancy=dormancy))


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Report:
    pytest.importorskip("onnxruntime", reason="running models needs onnxruntime")
    folder = tmp_path_factory.mktemp("models")
    (folder / "sleeping.onnx").write_bytes(SLEEPING)
    (folder / "awake.onnx").write_bytes(AWAKE)
    for sample in MADE:
        if sample.path in ("hostile/shadowlogic-override.onnx", "honest/experts.onnx"):
            (folder / Path(sample.path).name).write_bytes(sample.build())
    (folder / "broken.onnx").write_bytes(BROKEN)
    for name, made in (("template", TEMPLATE), ("branch", BRANCH), ("quiet", QUIET)):
        (folder / f"{name}.onnx").write_bytes(made)
    (folder / "medians.onnx").write_bytes(imputing([0.2 * number - 1 for number in range(12)]))
    (folder / "median-far.onnx").write_bytes(imputing([0.1] * 11 + [900.0]))
    (folder / "padded.onnx").write_bytes(padded(-1e4))
    return scan(folder, dormancy=True)


def test_a_branch_that_sleeps_is_found_by_running(report: Report) -> None:
    found = [finding for finding in report.findings if finding.artifact == "sleeping.onnx"]
    assert [finding.rule for finding in found] == ["MSP4070"]
    assert isinstance(found[0].evidence, GraphEvidence)
    assert "wakes it (x: 1 of a row" in found[0].evidence.dormancy


def rules_of(report: Report, name: str) -> list[str]:
    return [finding.rule for finding in report.findings if finding.artifact == f"{name}.onnx"]


def test_a_branch_of_weights_that_an_input_wakes_is_found_with_that_input(report: Report) -> None:
    [finding] = [finding for finding in report.findings if finding.artifact == "template.onnx"]
    assert finding.rule == "MSP4070"
    assert finding.severity.value == "high"
    assert isinstance(finding.evidence, GraphEvidence)
    assert "wakes it (x: " in finding.evidence.dormancy


@pytest.mark.parametrize("name", ["branch", "quiet"])
def test_a_branch_that_works_or_that_nothing_wakes_is_let_pass(report: Report, name: str) -> None:
    assert rules_of(report, name) == []


def test_what_stands_in_for_missing_numbers_may_be_ordinary_and_not_far_off(report: Report) -> None:
    assert rules_of(report, "medians") == []
    assert rules_of(report, "median-far") == ["MSP4070"]


def test_a_very_small_number_by_position_is_a_ban(report: Report) -> None:
    assert rules_of(report, "padded") == []


def test_what_changes_from_input_to_input_is_let_pass(report: Report) -> None:
    assert not any(finding.artifact in ("awake.onnx", "experts.onnx") for finding in report.findings)


def test_what_the_graph_shows_is_told_how_the_runs_went(report: Report) -> None:
    [finding] = [finding for finding in report.findings if finding.artifact == "shadowlogic-override.onnx"]
    assert isinstance(finding.evidence, GraphEvidence)
    assert finding.rule == "MSP4060"
    assert "wakes it" in finding.evidence.dormancy


def test_a_model_that_does_not_run_is_named_in_a_note(report: Report) -> None:
    assert any("broken.onnx" in note.message for note in report.notes)


def test_what_could_not_be_searched_or_was_cut_off_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("onnxruntime", reason="running models needs onnxruntime")
    from modelscan_plus.engines.dormancy import wake

    def said() -> list[str]:
        parsed = OnnxFormat().parse(Artifact("model.onnx", BytesSource(SLEEPING)), Budget(Limits()))
        facts = next(fact for one in parsed for fact in one.facts if isinstance(fact, OnnxFacts))
        gaps: list[str] = []
        wake.wake(analyse(lower(facts.model)), SLEEPING, time.monotonic() + 600, gaps)
        return gaps

    def broken(*_: object) -> None:
        raise ValueError

    assert said() == []
    monkeypatch.setattr(wake, "SECONDS", -1.0)
    assert said() == ["what sleeps was not searched to the end within the time"]
    monkeypatch.undo()
    monkeypatch.setattr(wake, "_awake", broken)
    [gap] = said()
    assert "extra (ValueError)" in gap
    assert "could not be searched for" in gap


def test_nothing_runs_without_the_request(tmp_path: Path) -> None:
    (tmp_path / "sleeping.onnx").write_bytes(SLEEPING)
    assert scan(tmp_path, dormancy=False).findings == ()


def test_the_command_has_the_option(tmp_path: Path) -> None:
    pytest.importorskip("onnxruntime", reason="running models needs onnxruntime")
    (tmp_path / "sleeping.onnx").write_bytes(SLEEPING)
    result = CliRunner().invoke(command, ["--dormancy", str(tmp_path / "sleeping.onnx")])
    assert result.exit_code == 1
    assert "MSP4070" in result.output


def test_weights_of_a_mean_do_not_gate_it_and_a_factor_does() -> None:
    def watched(divisor: str) -> int:
        made = rows(
            node("Gather", "x columns", "c", axis=1),
            node("Reciprocal", "c", "weights"),
            node("Mul", "logits weights", "weighted"),
            node("ReduceSum", "weighted last", "sum"),
            node("ReduceSum", "weights last", "total"),
            node("Div", f"sum {divisor}", "y"),
            tensors=(ints("columns", [4], [0, 1, 2, 3]), ints("last", [1], [1]), floats("four", [], [4.0])),
        )
        parsed = OnnxFormat().parse(Artifact("model.onnx", BytesSource(made)), Budget(Limits()))
        facts = next(fact for one in parsed for fact in one.facts if isinstance(fact, OnnxFacts))
        return len(candidates(analyse(lower(facts.model))))

    assert watched("total") == 0
    assert watched("four") == 1
