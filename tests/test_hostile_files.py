"""Hostile file systems: every case ends, says what it is, and leaves its neighbours' results alone."""

import os
import socket
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from modelscan_plus.core.finding import Finding
from modelscan_plus.core.limits import Limits
from modelscan_plus.inspection import FileResult
from modelscan_plus.rules.paths import judge_path
from modelscan_plus.sources.interface import Unopened
from modelscan_plus.sources.local import LocalSource
from modelscan_plus.workers.supervisor import Outcome, Supervisor
from tests.workers.hostile import PREFIX, misbehaving

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="makes FIFOs, devices and links")

HONEST = b"\x80\x02}."
HOSTILE = b"cposix\nsystem\n(S'true'\ntR."
NEIGHBOURS = {"!first.pkl": {"MSP1001"}, "!honest.pkl": set(), "~last.pkl": {"MSP1001"}}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A target with two hostile pickles and an honest one, sorted around whatever a test puts between."""
    target = tmp_path / "target"
    target.mkdir()
    for name, rules in NEIGHBOURS.items():
        (target / name).write_bytes(HOSTILE if rules else HONEST)
    return target


def scan(target: Path, limits: Limits | None = None) -> dict[str, Outcome]:
    entries = (("t1", entry) for entry in LocalSource(str(target)).entries())
    with Supervisor(limits or Limits(), jobs=2) as supervisor:
        return {outcome.path: outcome for outcome in supervisor.run(entries)}


def scan_beside(target: Path, limits: Limits | None = None) -> dict[str, Outcome]:
    """What was scanned beside the neighbours, after a look at the neighbours."""
    outcomes = scan(target, limits)
    for name, rules in NEIGHBOURS.items():
        assert {finding.rule for finding in findings(outcomes.pop(name))} == rules, name
    return outcomes


def findings(outcome: Outcome) -> list[Finding]:
    found = [finding for facts in outcome.facts for finding in judge_path(outcome.path, facts)]
    return found + list(outcome.result.findings if isinstance(outcome.result, FileResult) else ())


def stated(outcome: Outcome) -> tuple[str, str, list[str]]:
    """Coverage state, reason and rules of something that was not opened."""
    assert isinstance(outcome.result, Unopened), outcome
    return outcome.result.state, outcome.result.reason.code, [finding.rule for finding in findings(outcome)]


def make_fifo(path: Path) -> None:
    os.mkfifo(path)


def make_socket(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(path.relative_to(Path.cwd())))  # socket paths are short


def make_device(path: Path) -> None:
    try:
        os.mknod(path, 0o20600, os.makedev(1, 5))
    except OSError as error:
        pytest.skip(f"devices cannot be made here: {error}")


@pytest.mark.parametrize("make", [make_fifo, make_socket, make_device])
def test_special_files_are_findings_and_are_not_opened(
    folder: Path, monkeypatch: pytest.MonkeyPatch, make: Callable[[Path], None]
) -> None:
    monkeypatch.chdir(folder)
    make(folder / "special.pkl")
    assert stated(scan_beside(folder)["special.pkl"]) == ("unreadable", "special-file", ["MSP9101"])
    assert stated(scan(folder / "special.pkl")["special.pkl"]) == ("unreadable", "special-file", ["MSP9101"])


@pytest.mark.parametrize("link", ["/dev/zero", "/", "..", "../../outside.pkl", "/etc/passwd"])
def test_links_out_of_the_target_are_findings_and_are_not_followed(folder: Path, link: str) -> None:
    (folder.parent.parent / "outside.pkl").write_bytes(HOSTILE)
    (folder / "link.pkl").symlink_to(link)
    assert stated(scan_beside(folder)["link.pkl"]) == ("unreadable", "link-outside", ["MSP9102"])


def test_a_device_that_the_user_names_through_a_link_is_not_read(tmp_path: Path) -> None:
    (tmp_path / "model.pkl").symlink_to("/dev/zero")
    assert stated(scan(tmp_path / "model.pkl")["model.pkl"]) == ("unreadable", "special-file", ["MSP9101"])


def test_a_link_to_itself_is_unreadable(folder: Path) -> None:
    (folder / "loop.pkl").symlink_to("loop.pkl")
    assert stated(scan_beside(folder)["loop.pkl"]) == ("unreadable", "link-loop", [])
    assert stated(scan(folder / "loop.pkl")["loop.pkl"]) == ("unreadable", "link-loop", [])


def test_folders_that_link_to_each_other_end(folder: Path) -> None:
    for here, there in (("a", "b"), ("b", "a")):
        (folder / here).mkdir()
        (folder / here / "link").symlink_to(f"../{there}")
    assert set(scan_beside(folder)) == {"a/link", "b/link"}


def test_a_sparse_file_of_a_tebibyte_costs_nothing(folder: Path) -> None:
    try:
        os.truncate(_made(folder / "sparse.bin"), 1 << 40)
    except OSError as error:
        pytest.skip(f"this file system has no sparse files of that size: {error}")
    outcome = scan_beside(folder)["sparse.bin"]
    assert outcome.size == 1 << 40
    assert isinstance(outcome.result, FileResult)
    assert outcome.result.coverage.incomplete
    assert outcome.result.coverage.bytes_read < 32 << 20  # the search for a pickle behind a gap has an end


def test_a_pickle_before_a_tebibyte_of_nothing_is_found(folder: Path) -> None:
    try:
        os.truncate(_made(folder / "sparse.pkl", HOSTILE), 1 << 40)
    except OSError as error:
        pytest.skip(f"this file system has no sparse files of that size: {error}")
    outcome = scan_beside(folder, Limits(seconds=5))["sparse.pkl"]
    assert "MSP1001" in {finding.rule for finding in findings(outcome)}


def _made(path: Path, data: bytes = b"") -> Path:
    path.write_bytes(data)
    return path


def test_a_file_that_may_not_be_read_hides_no_neighbour(folder: Path) -> None:
    secret = _made(folder / "secret.pkl", HOSTILE)
    secret.chmod(0)
    if os.access(secret, os.R_OK):
        pytest.skip("root may read everything; tests/sources/test_local.py refuses it by a fake")
    assert stated(scan_beside(folder)["secret.pkl"]) == ("unreadable", "permission-denied", [])


def test_a_file_that_keeps_changing_is_a_finding(folder: Path) -> None:
    target = _made(folder / "changing.pkl", HONEST * 20_000)
    stop = threading.Event()

    def keep_changing() -> None:
        with target.open("r+b") as file:
            while not stop.is_set():
                file.seek(0)
                file.write(HONEST)
                file.flush()

    writer = threading.Thread(target=keep_changing)
    writer.start()
    try:
        outcome = scan_beside(folder)["changing.pkl"]
    finally:
        stop.set()
        writer.join()
    assert "MSP9103" in {finding.rule for finding in findings(outcome)}
    assert isinstance(outcome.result, FileResult)
    assert outcome.result.coverage.executable_gap


@pytest.mark.parametrize(
    "name", [b"\xff\xfe.pkl", b"new\nline.pkl", b"\x1b[2J.pkl", "\u202egnp.pkl".encode(), b"a" * 255]
)
def test_a_hostile_name_changes_nothing(folder: Path, name: bytes) -> None:
    path = os.path.join(os.fsencode(folder), name)
    try:
        with open(path, "wb") as file:
            file.write(HOSTILE)
    except OSError as error:
        pytest.skip(f"this file system takes no such name: {error}")
    assert "MSP1001" in {finding.rule for finding in findings(scan_beside(folder)[os.fsdecode(name)])}


def test_an_empty_file_is_analysed(folder: Path) -> None:
    _made(folder / "empty.pkl")
    outcome = scan_beside(folder)["empty.pkl"]
    assert isinstance(outcome.result, FileResult)
    assert not outcome.result.coverage.incomplete
    assert outcome.size == 0


def test_ten_thousand_small_files_are_each_reported(folder: Path) -> None:
    for number in range(10_000):
        (folder / f"{number}.pkl").write_bytes(HONEST)
    assert len(scan_beside(folder)) == 10_000


def test_a_policy_in_the_target_is_reported_and_read_as_a_file(folder: Path) -> None:
    _made(folder / "modelscan-plus.toml", HOSTILE)
    outcome = scan_beside(folder)["modelscan-plus.toml"]
    assert {"MSP1001", "MSP9104"} <= {finding.rule for finding in findings(outcome)}


@pytest.mark.parametrize("what", ["kill", "exit", "spin", "hog", "nonsense", "raise"])
def test_whatever_a_file_does_to_its_reader_the_neighbours_are_reported(
    folder: Path, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    _made(folder / "bad.bin", PREFIX + what.encode())
    with misbehaving(monkeypatch):
        outcome = scan_beside(folder, Limits(seconds=0.3))["bad.bin"]
    if isinstance(outcome.result, Unopened):
        assert outcome.result.state == "unreadable"
        assert outcome.result.reason.executable
    else:
        assert outcome.result.coverage.executable_gap


def test_a_file_that_vanishes_before_it_is_opened_is_stated(folder: Path) -> None:
    gone = _made(folder / "gone.pkl", HOSTILE)
    source = list(LocalSource(str(folder)).entries())
    gone.unlink()
    with Supervisor(Limits()) as supervisor:
        outcomes = {outcome.path: outcome for outcome in supervisor.run(("t1", entry) for entry in source)}
    assert stated(outcomes["gone.pkl"]) == ("unreadable", "vanished", [])
    assert len(outcomes) == len(NEIGHBOURS) + 1
