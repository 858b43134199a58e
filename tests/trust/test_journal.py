"""The import log: the chain shows every change, a recorded head shows truncation, and killed writers tear nothing."""

import hashlib
import json
import os
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from modelscan_plus.core.errors import UsageError
from modelscan_plus.trust.journal import NO_HEAD, Event, LogFault, append, check, entries
from tests.cli.commands import run
from tests.trust.writers import Writers, wait_for

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


def filled(folder: Path, count: int = 5) -> tuple[Path, list[str]]:
    """A log and the head after each entry."""
    path = folder / "log"
    return path, [append(path, [Event(event="scan", target=f"m{number}")], NOW) for number in range(count)]


def test_a_log_is_the_chain_that_the_documentation_describes(tmp_path: Path) -> None:
    path, heads = filled(tmp_path)
    previous = NO_HEAD
    for number, line in enumerate(path.read_bytes().splitlines()):
        entry = json.loads(line)
        assert (entry["seq"], entry["prev"], entry["time"]) == (number, previous, "2026-01-02T03:04:05Z")
        previous = "sha256:" + hashlib.sha256(line).hexdigest()
        assert previous == heads[number]
    checked = check(path, heads)
    assert (checked.entries, checked.head, checked.found) == (5, heads[-1], {h: n for n, h in enumerate(heads)})


def test_several_events_are_appended_in_one_piece(tmp_path: Path) -> None:
    head = append(tmp_path / "log", [Event(event="scan", target="a"), Event(event="scan", target="b")])
    assert check(tmp_path / "log").head == head
    assert [entry.target for entry in entries(tmp_path / "log")] == ["a", "b"]


TAMPER: dict[str, Callable[[list[bytes]], list[bytes]]] = {
    "verdict changed": lambda lines: [lines[0], lines[1].replace(b'"m1"', b'"mx"'), *lines[2:]],
    "first removed": lambda lines: lines[1:],
    "middle removed": lambda lines: [*lines[:2], *lines[3:]],
    "two swapped": lambda lines: [lines[1], lines[0], *lines[2:]],
    "one repeated": lambda lines: [lines[0], *lines],
    "number changed": lambda lines: [*lines[:4], lines[4].replace(b'"seq":4', b'"seq":5')],
    "key twice": lambda lines: [lines[0].replace(b"{", b'{"seq":7,', 1), *lines[1:]],
    "blanked": lambda lines: [lines[0], b"", *lines[2:]],
    "no JSON": lambda lines: [*lines[:4], b"nothing", lines[4]],
    "no JSON at the end": lambda lines: [*lines, b"nothing"],
    "blanks changed": lambda lines: [lines[0].replace(b",", b", ", 1), *lines[1:]],
    "rewritten from the middle": lambda lines: [*lines[:3], _forged(lines[2], 3), lines[4]],
}


def _forged(before: bytes, number: int) -> bytes:
    entry = {
        "seq": number,
        "prev": "sha256:" + hashlib.sha256(before).hexdigest(),
        "time": "t",
        "actor": "a",
        "event": "x",
    }
    return json.dumps(entry, separators=(",", ":")).encode()


@pytest.mark.parametrize("change", TAMPER.values(), ids=TAMPER)
def test_every_change_before_the_end_is_found(tmp_path: Path, change: Callable[[list[bytes]], list[bytes]]) -> None:
    path, _ = filled(tmp_path)
    path.write_bytes(b"".join(line + b"\n" for line in change(path.read_bytes().splitlines())))
    with pytest.raises(LogFault):
        check(path)
    done = run("log", "verify", path)
    assert (done.returncode, "DOES NOT VERIFY: line " in done.stdout) == (1, True)


def test_a_cut_end_and_a_log_written_anew_are_found_by_a_recorded_head(tmp_path: Path) -> None:
    path, heads = filled(tmp_path)
    lines = path.read_bytes().splitlines(True)
    path.write_bytes(b"".join(lines[:3]))
    assert run("log", "verify", path).returncode == 0
    assert run("log", "verify", path, "--head", heads[1]).returncode == 0
    done = run("log", "verify", path, "--head", heads[4])
    assert (done.returncode, "cut off" in done.stdout) == (1, True)
    path.unlink()
    append(path, [Event(event="scan", target="m0")], datetime(2026, 1, 3, tzinfo=UTC))
    assert run("log", "verify", path, "--head", heads[0].removeprefix("sha256:")).returncode == 1


def test_the_last_entry_changed_is_found_by_a_recorded_head(tmp_path: Path) -> None:
    path, heads = filled(tmp_path)
    path.write_bytes(path.read_bytes().replace(b'"m4"', b'"mx"'))
    assert run("log", "verify", path).returncode == 0
    assert run("log", "verify", path, "--head", heads[-1]).returncode == 1


@pytest.mark.parametrize("kept", [1, 50, -1], ids=["one byte", "half a line", "all but the newline"])
def test_a_line_that_was_never_finished_is_noted_by_the_next_writer(tmp_path: Path, kept: int) -> None:
    path, heads = filled(tmp_path, 3)
    whole = path.read_bytes()
    last = whole.splitlines(True)[-1]
    path.write_bytes(whole[: -len(last)] + last[:kept])
    done = run("log", "verify", path)
    assert (done.returncode, "interrupted" in done.stdout) == (1, True)
    head = append(path, [Event(event="scan", target="next")], NOW)
    checked = check(path, heads[:2])
    assert (checked.head, len(checked.found)) == (head, 2)
    assert checked.recovered == (0 if kept == -1 else 1)
    assert run("log", "verify", path).returncode == 0
    # What was torn stays, and nobody can change it unseen.
    path.write_bytes(path.read_bytes().replace(last[:kept] + b"\n", b"?\n", 1))
    with pytest.raises(LogFault):
        check(path)


def test_two_writers_that_were_interrupted_one_after_the_other(tmp_path: Path) -> None:
    path, _ = filled(tmp_path, 2)
    with path.open("ab") as stream:
        stream.write(b'{"seq":2,"pr\n{"seq":2')
    append(path, [Event(event="scan")], NOW)
    assert [entry.event for entry in entries(path)] == ["scan", "scan", "log-recovered", "scan"]


def test_an_empty_log_has_no_head_and_an_interrupted_first_line_is_noted(tmp_path: Path) -> None:
    path = tmp_path / "log"
    path.touch()
    assert (check(path).entries, check(path).head) == (0, None)
    path.write_bytes(b'{"seq"')
    append(path, [Event(event="scan")], NOW)
    assert check(path).entries == 2


@pytest.mark.parametrize("content", [b"# notes\n", b"\0" * 100, b"{}", b"x" * 3_000_000])
def test_nothing_is_appended_to_a_file_of_another_kind(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "notes"
    path.write_bytes(content)
    with pytest.raises(UsageError):
        append(path, [Event(event="scan")])
    assert path.read_bytes() == content
    assert run("log", "verify", path).returncode == 1


def test_a_log_that_is_no_file_is_an_error_and_does_not_hang(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    for path in (tmp_path / "fifo", tmp_path, tmp_path / "gone" / "log", Path("/dev/full")):
        with pytest.raises(UsageError):
            append(path, [Event(event="scan")])


def test_a_disk_that_is_full_is_an_error_and_leaves_a_log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, heads = filled(tmp_path, 2)
    real, calls = os.write, []

    def full(fd: int, data: bytes) -> int:
        calls.append(fd)
        if len(calls) > 1:
            raise OSError(28, "No space left on device")
        return real(fd, data[:20])

    monkeypatch.setattr(os, "write", full)
    with pytest.raises(UsageError, match="No space"):
        append(path, [Event(event="scan")])
    monkeypatch.undo()
    append(path, [Event(event="scan")])
    assert check(path, heads).recovered == 1


def test_a_log_that_was_moved_away_is_begun_anew_in_its_place(tmp_path: Path) -> None:
    path, _ = filled(tmp_path, 2)
    path.rename(tmp_path / "log.1")
    append(path, [Event(event="scan")])
    assert (check(path).entries, check(tmp_path / "log.1").entries) == (1, 2)


def test_a_scan_is_logged_and_its_report_carries_the_head(tmp_path: Path) -> None:
    (tmp_path / "bad.pkl").write_bytes(b"cposix\nsystem\n(S'id'\ntR.")
    (tmp_path / "good.pkl").write_bytes(b"N.")
    log, report = tmp_path / "log", tmp_path / "report.json"
    targets = (tmp_path / "bad.pkl", tmp_path / "good.pkl")
    done = run("scan", *targets, "--log", log, "--actor", "ci-17", "-f", f"json={report}")
    assert done.returncode == 1, done.stderr
    told = json.loads(report.read_text())
    first, second = entries(log)
    assert (first.verdict, second.verdict) == ("denied", "allowed")
    assert [first.tree, second.tree] == [target["digest"] for target in told["targets"]]
    assert (first.policy, first.ruleset) == (told["verdict"]["policy"], told["tool"]["ruleset"])
    assert first.on_behalf == "ci-17"
    assert "@" in first.actor
    assert told["run"]["log_head"] == check(log).head
    assert f"log head {check(log).head}\n" in done.stdout
    assert f"{targets[1]}: digest {second.tree}\n" in done.stdout
    assert run("log", "verify", log, "--report", report).returncode == 0
    log.write_bytes(log.read_bytes().splitlines(True)[0])
    assert run("log", "verify", log, "--report", report).returncode == 1


def test_a_scan_whose_decision_cannot_be_logged_decides_nothing(tmp_path: Path) -> None:
    (tmp_path / "good.pkl").write_bytes(b"N.")
    for log in (tmp_path / "gone" / "log", tmp_path / "good.pkl", tmp_path / "log"):
        done = run("scan", tmp_path, "--log", log)
        assert (done.returncode, done.stdout) == (2, ""), log


def test_entries_are_shown_and_hostile_names_do_not_reach_the_terminal(tmp_path: Path) -> None:
    path = tmp_path / "log"
    append(path, [Event(event="scan", target="a\x1b[2J", verdict="denied"), Event(event="scan", target="b")], NOW)
    shown = run("log", "show", path).stdout
    assert "\x1b" not in shown
    assert "scan b" in shown
    assert json.loads(run("log", "show", path, "-f", "json", "-n", "1").stdout)["target"] == "b"
    path.write_bytes(path.read_bytes() + b"junk\n")
    done = run("log", "show", path)
    assert (done.returncode, "scan b" in done.stdout, "DOES NOT VERIFY" in done.stdout) == (1, True, True)


def test_writers_that_are_killed_never_tear_the_log_nor_lose_what_they_acknowledged(tmp_path: Path) -> None:
    path = tmp_path / "log"
    writers = Writers("log", path, 3, tmp_path)
    wait_for(path)
    for _ in range(20):
        for _ in writers.work_goes_on():
            check(path)
        writers.kill(replace=True)
    while writers.running:
        writers.kill(replace=False)
    append(path, [Event(event="scan", target="last")])
    targets = [entry.target for entry in entries(path)]
    assert writers.acknowledged() <= set(targets)
    assert len(targets) == len(set(targets))
    assert len(writers.acknowledged()) >= 10
    assert check(path).torn_tail == 0


def test_what_is_no_digest_is_not_said_to_be_cut_off(tmp_path: Path) -> None:
    head = append(tmp_path / "log", [Event(event="scan")])
    for given in (head, head.removeprefix("sha256:"), head.removeprefix("sha256:").upper()):
        assert run("log", "verify", tmp_path / "log", "--head", given).returncode == 0
    for given in ("", "HEAD", head[:20], head + "0", head[:-1] + "g"):
        assert run("log", "verify", tmp_path / "log", "--head", given).returncode == 2
