"""Repositories as hubs hold them: honest ones pass, hostile ones do not, and the report says what loaders do."""

from pathlib import Path

import pytest

from fixtures.make.repository import TREES
from modelscan_plus.core.finding import Severity
from modelscan_plus.core.report import Decision, LoaderView, Report
from modelscan_plus.outputs.registry import render
from modelscan_plus.pipeline import scan
from tests.samples import inspect_tree, tree_of
from tools.bench_repo import scan_repository, wilson
from tools.repo_corpus import honest, hostile

HONEST = honest.repositories()
HOSTILE = hostile.repositories()
DENIES = Severity.HIGH.rank


@pytest.mark.parametrize("name", HONEST)
def test_an_honest_repository_passes(name: str) -> None:
    bad = [
        (found.artifact, found.rule, found.message)
        for found in inspect_tree(HONEST[name])
        if found.severity.rank >= DENIES
    ]
    assert bad == []
    assert [file.path for file in tree_of(HONEST[name]).files.values() if file.coverage.executable_gap] == []


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_repository_does_not_pass(name: str) -> None:
    worst = max((found.severity.rank for found in inspect_tree(HOSTILE[name])), default=0)
    assert worst >= DENIES


def view(report: Report, loader: str) -> LoaderView:
    return next(view for view in report.loaders if view.loader == loader)


def test_the_report_says_what_loaders_would_open_and_run(tmp_path: Path) -> None:
    report = scan_repository(
        HONEST["custom-code"] | {"pytorch_model.bin": HOSTILE["pickle-twin"]["pytorch_model.bin"]}, tmp_path
    )
    transformers = view(report, "transformers")
    assert [file.path for file in transformers.opens][:2] == ["config.json", "model.safetensors"]
    assert [(file.path, file.worst) for file in transformers.fallbacks] == [("pytorch_model.bin", "critical")]
    assert {(code.path, code.when) for code in transformers.runs} == {
        ("modeling_tiny.py", "trust_remote_code"),
        ("configuration_tiny.py", "trust_remote_code"),
        ("pytorch_model.bin", "opened"),
    }
    assert report.verdict.decision is Decision.DENIED


def test_foreign_code_stands_in_the_report_as_absent(tmp_path: Path) -> None:
    report = scan_repository(HOSTILE["foreign-auto-map"], tmp_path)
    (code,) = view(report, "transformers").runs
    assert (code.path, code.present) == ("someone/other--modeling_x.X", False)


def test_every_template_stands_in_the_report_with_its_digest(tmp_path: Path) -> None:
    report = scan_repository(HONEST["chat-jinja"], tmp_path)
    assert [template.artifact for template in report.templates] == [
        "additional_chat_templates/tool_use.jinja", "chat_template.jinja",
    ]  # fmt: skip
    assert all(len(template.sha256) == 64 for template in report.templates)


def test_reach_decides_what_a_started_program_means() -> None:
    helper = next(tree for tree in TREES if tree.path == "hostile/tiny-helper").build()
    severities = {found.severity for found in inspect_tree(helper) if found.rule == "MSP5041"}
    assert severities == {Severity.CRITICAL}
    alone = {found.severity for found in inspect_tree({"helper.py": helper["helper.py"]}) if found.rule == "MSP5041"}
    assert alone == {Severity.MEDIUM}


def test_a_source_that_cannot_be_parsed_is_no_clean_source(tmp_path: Path) -> None:
    (tmp_path / "modeling_x.py").write_text("def f(:\n    pass\n")
    report = scan(tmp_path)
    assert report.verdict.decision is Decision.INCOMPLETE


def test_the_interval_is_wilsons() -> None:
    low, high = wilson(29, 30)
    assert (round(low, 3), round(high, 3)) == (0.833, 0.994)


def test_console_and_page_show_what_loaders_would_do(tmp_path: Path) -> None:
    report = scan_repository(HOSTILE["imported-helper"], tmp_path)
    text, page = render("console", report), render("html", report)
    for shown in (text, page):
        assert "What loaders would do" in shown
        assert "extra.py" in shown
        assert "trust_remote_code" in shown
    assert "Or instead" not in page
