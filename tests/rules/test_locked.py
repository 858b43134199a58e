"""A scan with `--lock`: what it says about a target that is not what was locked."""

import json
import shutil
from pathlib import Path

import pytest

from tests.cli.commands import run


@pytest.fixture
def place(tmp_path: Path) -> Path:
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "a.pkl").write_bytes(b"N.")
    (tmp_path / "model" / "b.pkl").write_bytes(b"K\x01.")
    assert run("lock", "add", "model", cwd=tmp_path).returncode == 0
    return tmp_path


def rules(place: Path, *more: str) -> tuple[int, set[tuple[str, str]]]:
    done = run("scan", "model", "--lock", "model.lock.json", "-f", "json", *more, cwd=place)
    assert done.returncode in (0, 1), done.stderr
    return done.returncode, {(item["rule"], item["artifact"]) for item in json.loads(done.stdout)["findings"]}


def test_what_was_locked_is_allowed(place: Path) -> None:
    assert rules(place) == (0, set())


def test_every_difference_is_a_finding_in_its_place(place: Path) -> None:
    (place / "model" / "a.pkl").write_bytes(b"K\x02.")
    (place / "model" / "b.pkl").unlink()
    (place / "model" / "c.pkl").write_bytes(b"K\x03.")
    code, found = rules(place)
    assert code == 1
    assert found == {("MSP7070", "a.pkl"), ("MSP7070", "c.pkl")} | {("MSP7070", "a.pkl")}
    done = run("scan", "model", "--lock", "model.lock.json", cwd=place)
    assert "b.pkl is missing" in done.stdout


def test_an_earlier_version_is_told_apart(place: Path) -> None:
    shutil.copytree(place / "model", place / "kept")
    (place / "model" / "a.pkl").write_bytes(b"K\x02.")
    assert run("lock", "update", "model", cwd=place).returncode == 0
    shutil.rmtree(place / "model")
    shutil.copytree(place / "kept", place / "model")
    assert rules(place) == (1, {("MSP7072", "a.pkl")})


def test_what_is_not_in_the_lock_is_denied(place: Path) -> None:
    shutil.copytree(place / "model", place / "other")
    done = run("scan", "other", "--lock", "model.lock.json", "-f", "json", cwd=place)
    assert done.returncode == 1
    assert {item["rule"] for item in json.loads(done.stdout)["findings"]} == {"MSP7071"}


def test_a_lock_inside_the_target_is_never_taken(place: Path) -> None:
    shutil.copy(place / "model.lock.json", place / "model" / "model.lock.json")
    done = run("scan", "model", "-f", "json", cwd=place)
    assert [item["rule"] for item in json.loads(done.stdout)["findings"]] == ["MSP7073"]
    done = run("scan", "model", "--lock", "model/model.lock.json", cwd=place)
    assert (done.returncode, "inside" in done.stderr) == (2, True)


def test_a_lock_that_cannot_be_read_is_wrong_use(place: Path) -> None:
    assert run("scan", "model", "--lock", "gone.json", cwd=place).returncode == 2


def test_a_scan_must_leave_out_what_the_lock_left_out(place: Path) -> None:
    code, found = rules(place, "--exclude", "b.pkl")
    assert (code, {rule for rule, _ in found}) == (1, {"MSP7070"})
