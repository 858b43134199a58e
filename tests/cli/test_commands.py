"""The other commands, and what holds for all of them."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

import modelscan_plus
from fixtures.make.payloads import PAYLOAD
from modelscan_plus.cli import COMMANDS
from modelscan_plus.formats.registry import FORMATS
from modelscan_plus.rules.registry import all_rules
from tests.cli.commands import run


def test_version_and_help_import_click_and_nothing_of_ours() -> None:
    for option in ("--version", "--help"):
        code = (
            "import sys\nfrom modelscan_plus.cli import main\ntry:\n main([%r])\nfinally:\n"
            " bad = [m for m in sys.modules if m.split('.')[0] in ('msgspec', 'jinja2', 'rich')"
            " or m.startswith(('modelscan_plus.rules', 'modelscan_plus.formats', 'modelscan_plus.scan'))]\n"
            " assert not bad, bad"
        )
        done = subprocess.run([sys.executable, "-c", code % option], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
    assert run("--version").stdout == f"modelscan-plus {modelscan_plus.__version__}\n"


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help(command: str) -> None:
    done = run(command, "--help")
    assert done.returncode == 0
    assert done.stdout.startswith(f"Usage: modelscan-plus {command}")


def test_no_arguments_show_the_help() -> None:
    done = run()
    assert done.returncode == 2
    assert "Commands" in done.stdout + done.stderr


@pytest.mark.parametrize("rule", list(all_rules()))
def test_explain_has_a_page_for_every_rule(rule: str) -> None:
    from click.testing import CliRunner

    from modelscan_plus.cli.explain import command

    for arguments in ([rule], [all_rules()[rule].slug, "--format", "markdown"]):
        done = CliRunner().invoke(command, arguments)
        assert done.exit_code == 0
        for part in (rule, "What to do", "This fires", "This does not"):
            assert part in done.output


def test_explain_suggests_what_may_be_meant() -> None:
    done = run("explain", "pickle-dangerous-cal")
    assert done.returncode == 2
    assert "did you mean pickle-dangerous-call?" in done.stderr


def test_a_report_is_rendered_again(tmp_path: Path) -> None:
    (tmp_path / "a.pkl").write_bytes(PAYLOAD)
    first = run("scan", tmp_path / "a.pkl", "-f", f"json={tmp_path}/r.json", "-f", f"html={tmp_path}/r.html")
    again = run("report", tmp_path / "r.json")
    assert again.stdout == first.stdout
    assert again.returncode == first.returncode == 1
    html = run("report", tmp_path / "r.json", "--format", "html", "--exit-zero")
    assert html.stdout == (tmp_path / "r.html").read_text("utf-8")
    assert html.returncode == 0
    assert run("report", "-", "-f", "json", stdin=(tmp_path / "r.json").read_bytes()).returncode == 1


@pytest.mark.parametrize("content", [b"", b"{}", b"[1]", b'{"schema_version": "1"}', b"\xff"])
def test_what_is_no_report_is_refused_in_one_line(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "r.json").write_bytes(content)
    done = run("report", tmp_path / "r.json")
    assert done.returncode == 2
    assert len(done.stderr.splitlines()) == 1


def test_policy_commands(tmp_path: Path) -> None:
    (tmp_path / "good.toml").write_text('schema = 1\nextends = "builtin:strict"\n')
    (tmp_path / "bad.toml").write_text('schema = 1\nfail_on = "low"\n')
    assert "valid, sha256:" in run("policy", "check", tmp_path / "good.toml").stdout
    bad = run("policy", "check", tmp_path / "bad.toml")
    assert bad.returncode == 2
    assert "fail_on" in bad.stderr
    assert "fail-on         medium" in run("policy", "show", tmp_path / "good.toml").stdout
    assert json.loads(run("policy", "show", "-f", "json").stdout)["fail_on"] == "high"
    assert "fail-on" in json.loads(run("policy", "schema").stdout)["$defs"]["PolicyFile"]["properties"]


def test_formats_doctor_and_completion_speak() -> None:
    listed = run("formats").stdout
    assert all(known.name in listed for known in FORMATS)
    doctor = run("doctor")
    assert doctor.returncode == 0
    for part in ("sandbox", "child-process", "policy", "builtin:default"):
        assert part in doctor.stdout
    (probes,) = (line for line in doctor.stdout.splitlines() if line.startswith("probes "))
    assert all(name in probes for name in ("torch", "transformers", "safetensors", "onnxruntime", "pillow", "numpy"))
    assert ("absent" in probes) == ('pip install "modelscan-plus[probe]"' in probes)
    for shell in ("bash", "zsh", "fish"):
        assert "_MODELSCAN_PLUS_COMPLETE" in run("completion", shell).stdout
    words = run(_MODELSCAN_PLUS_COMPLETE="bash_complete", COMP_WORDS="modelscan-plus sc", COMP_CWORD="1").stdout
    assert words == "plain,scan\n"


def test_a_fault_of_ours_is_five_and_one_line(tmp_path: Path) -> None:
    code = (
        "import modelscan_plus.cli.scan as s\n"
        "def broken(*a): raise RuntimeError('boom')\n"
        "s.scan_targets = broken\n"
        "from modelscan_plus.cli import main\nmain(['scan', '.'])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, cwd=tmp_path)
    assert done.returncode == 5
    assert done.stderr.startswith("modelscan-plus: this is a fault of modelscan-plus: RuntimeError: boom")
    assert len(done.stderr.splitlines()) == 1
