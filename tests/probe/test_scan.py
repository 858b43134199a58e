"""`probe` and `scan --probe` as commands: what is probed, what a finding does to verdict, policy and exit code."""

import json
import os
import sys
from pathlib import Path
from typing import Any

import msgspec
import pytest

from modelscan_plus import cli
from modelscan_plus.core.probe import ProbeOutcome
from modelscan_plus.core.report import from_json, json_schema
from modelscan_plus.probe import registry
from modelscan_plus.probe.run import Glimpse
from tests.cli import commands
from tests.probe import fake

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="the sandbox is tested on Linux only")
HOSTILE = b"cposix\nsystem\n(S'true'\ntR."


@pytest.fixture(autouse=True)
def _domains(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "DOMAINS", (fake.DOMAIN,))


@pytest.fixture
def run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Any:
    """`run(command, path, option…)`: exit code, report (None where there is none), standard error."""

    def run_(*arguments: str | Path) -> tuple[int, Any, str]:
        out = tmp_path.parent / f"{tmp_path.name}.json"
        out.unlink(missing_ok=True)
        command, *rest = map(str, arguments)
        with pytest.raises(SystemExit) as ended:
            cli.main([command, *rest, "--format", f"json={out}"])
        code = ended.value.code
        assert isinstance(code, int)
        return code, from_json(out.read_bytes()) if out.exists() else None, capsys.readouterr().err

    return run_


def model(folder: Path, *does: str, name: str = "model.fake") -> Path:
    (folder / name).write_text(json.dumps(list(does)))
    return folder / name


def fired(report: Any) -> list[tuple[str, str]]:
    return [(finding.rule, finding.severity.value) for finding in report.findings]


@pytest.mark.parametrize(
    ("does", "code", "findings"),
    [
        (["nothing", "flag"], 1, [("MSP8001", "high")]),
        (["suspect"], 0, [("MSP8002", "medium")]),
        (["refuse"], 0, [("MSP8003", "low")]),
        (["nothing", "refuse"], 0, []),
        (["nothing", "needs-samples"], 0, []),
        (["die"], 4, [("MSP8003", "low")]),
    ],
)
def test_outcomes_become_findings_and_an_exit_code(
    run: Any, tmp_path: Path, does: list[str], code: int, findings: list[tuple[str, str]]
) -> None:
    ended, report, _ = run("probe", model(tmp_path, *does))
    assert ended == code
    assert fired(report) == findings
    assert [probe.artifact for probe in report.probes] == ["model.fake"]
    assert {(finding.target, finding.artifact) for finding in report.findings} <= {("t1", "model.fake")}


def test_a_policy_decides_what_a_probe_s_finding_does(run: Any, tmp_path: Path) -> None:
    policy = tmp_path / "policy.toml"
    policy.write_text("schema = 1\n[rules.MSP8003]\nseverity = 'high'\n[rules.MSP8002]\nenabled = false\n")
    (tmp_path / "m").mkdir()
    assert run("probe", model(tmp_path / "m", "refuse"), "--policy", policy)[0] == 1
    code, report, _ = run("probe", model(tmp_path / "m", "suspect"), "--policy", policy)
    assert (code, fired(report)) == (0, [])
    assert report.probes[0].outcome is ProbeOutcome.SUSPICIOUS
    assert run("probe", model(tmp_path / "m", "suspect"), "--fail-on", "medium")[0] == 1


def test_what_the_scan_denies_is_not_run_unless_it_is_asked_for_by_name(run: Any, tmp_path: Path) -> None:
    model(tmp_path, "suspect")
    (tmp_path / "evil.pkl").write_bytes(HOSTILE)
    for command in ("probe", "scan"):
        code, report, _ = run(command, tmp_path, *(["--probe"] if command == "scan" else []))
        assert (code, report.probes) == (1, ())
        assert any("the scan denies it" in note.message for note in report.notes)
    code, report, _ = run("probe", tmp_path, "--run-denied")
    assert code == 1
    assert report.probes[0].outcome is ProbeOutcome.SUSPICIOUS


def test_a_scan_probes_only_when_it_is_asked_to(run: Any, tmp_path: Path) -> None:
    path = model(tmp_path, "suspect")
    assert run("scan", path)[1].probes == ()
    code, report, _ = run("scan", path, "--probe")
    assert (code, len(report.probes), fired(report)) == (0, 1, [("MSP8002", "medium")])


def test_the_end_of_the_child_stands_in_the_coverage_of_the_model(run: Any, tmp_path: Path) -> None:
    model(tmp_path, "suspect", "hang")
    code, report, _ = run("probe", tmp_path, "--deadline", "1")
    assert code == 4
    (artifact,) = report.artifacts
    assert [reason.code for reason in artifact.coverage.reasons] == ["probe-timeout"]
    assert fired(report) == [("MSP8002", "medium")]


def test_a_folder_of_several_models_gives_a_report_for_each(run: Any, tmp_path: Path) -> None:
    model(tmp_path, "nothing", name="a.fake")
    model(tmp_path, "flag", name="b.fake")
    (tmp_path / "notes.txt").write_text("nothing")
    code, report, _ = run("probe", tmp_path)
    assert code == 1
    assert [(probe.artifact, probe.outcome.value) for probe in report.probes] == [
        ("a.fake", "nothing-found"),
        ("b.fake", "flagged"),
    ]
    assert [finding.artifact for finding in report.findings] == ["b.fake"]


def test_files_that_no_domain_knows_are_said_to_be_none(run: Any, tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("nothing")
    code, report, _ = run("probe", tmp_path)
    assert (code, fired(report)) == (0, [])
    assert [(probe.outcome, probe.kind) for probe in report.probes] == [(ProbeOutcome.NOT_APPLICABLE, "unknown")]


def test_the_same_seed_gives_the_same_report_outside_run(run: Any, tmp_path: Path) -> None:
    path = model(tmp_path, "random", "flag", "suspect")
    one, two = (run("probe", path, "--seed", "3", "--now", "2026-11-27")[1] for _ in range(2))
    assert msgspec.structs.replace(one, run=None) == msgspec.structs.replace(two, run=None)
    assert one.run.sandbox


def test_text_of_a_model_is_harmless_in_the_report(run: Any, tmp_path: Path) -> None:
    _, report, _ = run("probe", model(tmp_path, "suspect"))
    text = report.probes[0].routines[0].trigger
    assert "\\u202e" in text
    assert "\u202e" not in text
    assert "\x1b" not in report.probes[0].routines[0].exhibits[0].text
    assert "\n" in report.probes[0].routines[0].exhibits[0].text


@pytest.mark.parametrize("target", ["hf:org/model", "-", "https://example.org/x"])
def test_what_is_not_on_this_machine_is_refused_with_what_to_do(run: Any, target: str) -> None:
    code, report, said = run("probe", target)
    assert (code, report) == (2, None)
    assert "modelscan-plus fetch" in said


def test_samples_and_references_that_are_not_there_are_said_before_the_scan(run: Any, tmp_path: Path) -> None:
    path = model(tmp_path, "nothing")
    assert run("probe", path, "--samples", tmp_path / "none")[2].strip().endswith("none: no such file or folder")
    assert run("probe", path, "--reference", tmp_path / "none")[0] == 2


def test_a_missing_library_is_one_line(run: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "DOMAINS", (fake.NEEDY,))
    code, report, said = run("probe", model(tmp_path, "nothing"))
    assert (code, report) == (2, None)
    assert said == (
        "modelscan-plus: probe (a_library_that_is_missing is missing) needs the [probe] extra: "
        'pip install "modelscan-plus[probe]"\n'
    )


def test_an_interrupt_leaves_the_report_of_what_is_known(
    run: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(self: object, glimpse: Glimpse) -> None:
        if glimpse.number == 2 and glimpse.what:
            raise KeyboardInterrupt

    monkeypatch.setattr("modelscan_plus.cli.common.progress_wanted", lambda: True)
    monkeypatch.setattr("modelscan_plus.cli.progress.ProbeProgress.show", interrupt)
    model(tmp_path, "flag", "hang", name="a.fake")
    model(tmp_path, "flag", name="b.fake")
    code, report, _ = run("probe", tmp_path)
    assert code == 130
    assert report.run.interrupted
    assert any("interrupted" in note.message for note in report.notes)
    assert [probe.artifact for probe in report.probes] == ["a.fake"]
    assert [routine.outcome.value for routine in report.probes[0].routines] == ["flagged", "inconclusive"]


def test_the_report_fits_its_published_schema(run: Any, tmp_path: Path) -> None:
    _, report, _ = run("probe", model(tmp_path, "flag", "suspect", "needs-samples", "refuse"))
    published = json.loads((Path(__file__).parents[2] / "docs" / "report.schema.json").read_text("utf-8"))
    assert published == json.loads(json.dumps(json_schema()))
    assert {"Picture", "Bars", "Table", "Passage", "RoutineReport", "ProbeReport"} <= published["$defs"].keys()
    kinds = [type(exhibit).__name__ for routine in report.probes[0].routines for exhibit in routine.exhibits]
    assert kinds == ["Picture", "Picture", "Bars", "Table", "Passage"]


def test_the_command_explains_its_rules() -> None:
    for rule in ("MSP8001", "MSP8002", "MSP8003"):
        assert "Why it matters" in commands.run("explain", rule).stdout


def test_help_needs_no_heavy_library() -> None:
    said = commands.run("probe", "--help", cwd=Path(os.sep)).stdout
    assert "--samples" in said
    assert "--reference" in said
