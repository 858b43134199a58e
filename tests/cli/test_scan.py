"""`scan` from end to end: verdicts, exit codes, outputs, options."""

import json
import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import msgspec
import pytest

from fixtures.make.archives import HONEST, torch_zip
from fixtures.make.payloads import PAYLOAD
from modelscan_plus.core.report import canonical_digest, from_json, json_schema
from tests.cli.commands import run

NOW = "2026-11-23T00:00:00Z"
POINTER = b"version https://git-lfs.github.com/spec/v1\noid sha256:" + b"0" * 64 + b"\nsize 12345\n"


@pytest.fixture
def models(tmp_path: Path) -> Path:
    folder = tmp_path / "models"
    (folder / "sub").mkdir(parents=True)
    (folder / "honest.pkl").write_bytes(HONEST)
    (folder / "sub" / "hostile.pkl").write_bytes(PAYLOAD)
    return folder


def report(*arguments: str | Path) -> dict[str, object]:
    done = run("scan", *arguments, "--format", "json", "--now", NOW)
    return dict(json.loads(done.stdout))


def test_a_hostile_file_is_denied_and_says_what_where_why_and_what_to_do(models: Path) -> None:
    done = run("scan", models)
    assert done.returncode == 1
    text = " ".join(done.stdout.split())
    assert "CRITICAL sub/hostile.pkl, byte" in text
    assert "Calls posix.system('true')" in text
    assert "Why: A pickle is a program" in text
    assert "Do: Do not load this file" in text
    assert "✗ DENIED" in text
    assert text.index("CRITICAL") < text.index("DENIED")
    assert done.stderr == ""


def test_an_honest_file_is_allowed_with_its_ground(models: Path) -> None:
    done = run("scan", models / "honest.pkl")
    assert done.returncode == 0
    assert "✓ ALLOWED  nothing at or above high: no findings, 1 file fully analysed" in done.stdout


@pytest.mark.parametrize(
    ("content", "name", "code"),
    [
        (HONEST, "a.pkl", 0),
        (PAYLOAD, "a.pkl", 1),
        (PAYLOAD, "a.txt", 1),
        (torch_zip(), "a.pt", 0),
        (torch_zip(PAYLOAD), "a.pt", 1),
        (POINTER, "a.pt", 4),
        (b"\x89HDF\r\n\x1a\n" + bytes(100), "a.h5", 4),
        (HONEST[:-5], "a.pkl", 4),
        (b"\x89PNG\r\n\x1a\n" + bytes(100), "a.png", 0),
        (b"plain words\n", "README.md", 0),
        (b"", "empty.pkl", 0),
    ],
)
def test_exit_codes_of_contents(tmp_path: Path, content: bytes, name: str, code: int) -> None:
    (tmp_path / name).write_bytes(content)
    assert run("scan", tmp_path / name).returncode == code


def test_an_lfs_pointer_is_reported_as_not_scanned(tmp_path: Path) -> None:
    (tmp_path / "model.safetensors").write_bytes(POINTER)
    done = run("scan", "-q", tmp_path)
    assert "only a Git LFS pointer is here" in " ".join(done.stdout.split())


def test_nothing_to_scan_is_three_and_denied_outweighs_it(models: Path, tmp_path: Path) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    assert run("scan", empty).returncode == 3
    assert run("scan", empty, "--exit-zero").returncode == 3
    assert run("scan", models, "--include", "*.onnx").returncode == 3
    assert run("scan", empty, models).returncode == 1


def test_exit_zero_maps_only_denied_and_incomplete(models: Path, tmp_path: Path) -> None:
    assert run("scan", models, "--exit-zero").returncode == 0
    assert run("scan", tmp_path / "missing", "--exit-zero").returncode == 2


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["missing"], "missing: no such file or folder"),
        ([".", "--policy", "missing.toml"], "missing.toml: No such file"),
        ([".", "--policy", "builtin:lax"], "built in are default, strict, registry"),
        ([".", "--format", "pdf"], "choose from console, json, html"),
        ([".", "--format", "json=/no/such/folder/x.json"], "does not exist"),
        ([".", "--format", "json", "--format", "html"], "only one format"),
        ([".", "--max-size", "many"], "write a number"),
        ([".", "--now", "tomorrow"], "write a date"),
        ([".", "--baseline", "missing.json"], "baseline missing.json"),
        (["-", "-"], "can be given once"),
        ([".", "--fail-on", "awful"], "awful"),
        (["--no-such-option"], "no-such-option"),
    ],
)
def test_wrong_use_is_two_with_one_clear_line(tmp_path: Path, arguments: list[str], said: str) -> None:
    done = run("scan", *arguments, cwd=tmp_path)
    assert done.returncode == 2
    assert done.stdout == ""
    assert said in done.stderr
    assert "Traceback" not in done.stderr


def test_the_json_report_has_the_shape_that_is_published(models: Path) -> None:
    done = run("scan", models, "--format", "json", "--now", NOW, "--hash")
    made = from_json(done.stdout.encode())
    assert done.returncode == 1
    raw = json.loads(done.stdout)
    assert list(raw)[:5] == ["schema_version", "tool", "now", "verdict", "targets"]
    assert raw["schema_version"] == "1"
    assert raw["now"] == NOW
    (finding,) = raw["findings"]
    assert finding["artifact"] == "sub/hostile.pkl"
    assert finding["location"]["members"] == []
    assert finding["evidence"]["kind"] == "pickle"
    assert finding["fingerprint"]
    assert {artifact["sha256"] is not None for artifact in raw["artifacts"]} == {True}
    assert set(json_schema()["$defs"]) >= {"Report", "Finding"}  # type: ignore[arg-type]
    assert msgspec.json.decode(done.stdout, type=type(made)) == made


def test_the_same_input_gives_the_same_report_but_for_the_run(models: Path) -> None:
    first, second = (run("scan", models, "-f", "json", "--now", NOW, "-j", jobs).stdout for jobs in ("1", "4"))
    assert canonical_digest(from_json(first.encode())) == canonical_digest(from_json(second.encode()))
    lines = [line for line in zip(first.splitlines(), second.splitlines(), strict=True) if line[0] != line[1]]
    assert all('"seconds"' in left for left, _ in lines)


def test_many_outputs_of_one_scan(models: Path, tmp_path: Path) -> None:
    done = run(
        "scan",
        models,
        "-f",
        f"json={tmp_path}/r.json",
        "-f",
        f"html={tmp_path}/r.html",
        "-f",
        f"console={tmp_path}/r.txt",
    )
    assert "DENIED" in done.stdout
    assert from_json((tmp_path / "r.json").read_bytes()).verdict.decision.value == "denied"
    assert (tmp_path / "r.html").read_text("utf-8").startswith("<!doctype html>")
    assert "\x1b" not in (tmp_path / "r.txt").read_text("utf-8")


def test_a_report_that_cannot_be_written_leaves_the_old_one(models: Path, tmp_path: Path) -> None:
    target = tmp_path / "r.json"
    target.mkdir()
    done = run("scan", models, "-f", f"json={target}")
    assert done.returncode == 2
    assert list(target.iterdir()) == []


def test_standard_input_is_scanned(models: Path) -> None:
    assert run("scan", "-", stdin=PAYLOAD).returncode == 1
    assert run("scan", "-", stdin=HONEST).returncode == 0


def test_quiet_is_one_line_for_each_finding(models: Path) -> None:
    lines = run("scan", "-q", models).stdout.splitlines()
    assert lines[0].startswith("sub/hostile.pkl, byte")
    assert "critical MSP1001" in lines[0]
    assert lines[1].startswith("✗ DENIED")


def test_colour_only_where_it_is_wanted(models: Path) -> None:
    assert "\x1b[" not in run("scan", models).stdout
    assert "\x1b[" in run("scan", models, FORCE_COLOR="1").stdout
    assert "\x1b[" not in run("scan", models, FORCE_COLOR="1", NO_COLOR="1").stdout


def test_every_option_has_an_environment_variable(models: Path) -> None:
    assert run("scan", models, MODELSCAN_PLUS_EXIT_ZERO="1").returncode == 0
    assert run("scan", models, MODELSCAN_PLUS_EXCLUDE="sub").returncode == 0
    assert run("scan", models, MODELSCAN_PLUS_FAIL_ON="awful").returncode == 2
    strict = run("scan", models / "honest.pkl", "-f", "json", MODELSCAN_PLUS_POLICY="builtin:strict")
    assert json.loads(strict.stdout)["verdict"]["policy_name"] == "builtin:strict"


def test_a_policy_inside_the_target_is_reported_and_ignored(models: Path) -> None:
    (models / "modelscan-plus.toml").write_text('schema = 1\nfail-on = "critical"\n[rules.MSP1001]\nenabled = false\n')
    done = run("scan", models, cwd=models)
    assert done.returncode == 1
    assert "MSP9104" in done.stdout


def test_policy_baseline_and_suppressions_from_the_command_line(models: Path, tmp_path: Path) -> None:
    policy = tmp_path / "team.toml"
    policy.write_text(
        'schema = 1\n[[suppress]]\nrule = "MSP1001"\npath = "sub/hostile.pkl"\n'
        'reason = "a sample"\nexpires = 2026-12-31\n'
    )
    done = run("scan", models, "--policy", policy, "--now", NOW)
    assert done.returncode == 0
    assert "a sample (by policy until 2026-12-31)" in done.stdout
    assert run("scan", models, "--policy", policy, "--now", "2027-01-01").returncode == 1
    baseline = tmp_path / "baseline.json"
    assert run("scan", models, "--write-baseline", baseline).returncode == 1
    assert run("scan", models, "--baseline", baseline).returncode == 0
    (models / "new.pkl").write_bytes(PAYLOAD)
    assert run("scan", models, "--baseline", baseline).returncode == 1


def test_your_own_classes_can_be_vouched_for(tmp_path: Path) -> None:
    from fixtures.make import assemble as asm

    (tmp_path / "own.pkl").write_bytes(asm.pickle(asm.rebuild(asm.name("mycorp.nets", "Net"))))
    policy = tmp_path / "team.toml"
    policy.write_text('schema = 1\nfail-on = "medium"\n[pickle]\nallow = ["mycorp.nets:Net"]\n')
    assert run("scan", tmp_path / "own.pkl", "--fail-on", "medium").returncode == 1
    done = run("scan", tmp_path / "own.pkl", "--policy", policy)
    assert done.returncode == 0
    assert "vouches for mycorp.nets:Net" in done.stdout


def test_a_name_that_is_no_text_is_shown_and_not_fatal(tmp_path: Path) -> None:
    folder = os.fsencode(tmp_path)
    try:
        with open(folder + b"/bad-\xff\x1b[2J\xe2\x80\xae.pkl", "wb") as stream:
            stream.write(PAYLOAD)
    except OSError as error:
        pytest.skip(f"this file system takes no such name: {error}")
    done = run("scan", tmp_path, "-f", f"html={tmp_path}/r.html", "-f", "json")
    assert done.returncode == 1
    assert json.loads(done.stdout)["findings"][0]["artifact"] == "bad-\\xff\\x1b[2J\\u202e.pkl"
    assert "\x1b" not in run("scan", tmp_path).stdout


def test_the_reader_of_a_pipe_may_leave(models: Path) -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "modelscan_plus", "scan", str(models)], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.close()
    assert process.wait(30) == 1
    assert process.stderr.read() == b""
    process.stderr.close()


def test_an_interrupted_scan_is_130(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "slow")
    process = subprocess.Popen(
        [sys.executable, "-m", "modelscan_plus", "scan", "-"], stdin=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert process.stdin is not None
    assert process.stderr is not None
    process.stdin.write(b"\x80\x04")
    process.stdin.flush()
    time.sleep(1.0)  # long enough to be waiting for the rest of its input
    process.send_signal(signal.SIGINT)
    assert process.wait(30) == 130
    assert b"interrupted" in process.stderr.read()
    process.stdin.close()
    process.stderr.close()


def test_a_pipe_stays_a_pipe_and_a_link_a_link(tmp_path: Path) -> None:
    (tmp_path / "m.json").write_text("{}")
    pipe, link, place = tmp_path / "pipe", tmp_path / "link.json", tmp_path / "report.json"
    os.mkfifo(pipe)
    place.write_text("old")
    link.symlink_to(place)
    with ThreadPoolExecutor(1) as reader:
        read = reader.submit(pipe.read_text)
        run("scan", tmp_path / "m.json", "--format", f"json={pipe}", "--format", f"json={link}", "--now", NOW)
        assert json.loads(read.result()) == json.loads(place.read_text())
    assert pipe.is_fifo()
    assert link.is_symlink()
