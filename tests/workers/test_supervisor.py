"""The supervisor outlives its children: one death costs one file, and that file is never reported as clean."""

import importlib
import os
import pkgutil
import signal
import socket
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from fixtures import make
from modelscan_plus.core.artifact import Artifact
from modelscan_plus.core.bytesource import BytesSource
from modelscan_plus.core.coverage import CoverageState
from modelscan_plus.core.limits import Limits
from modelscan_plus.inspection import FileResult, Inspector
from modelscan_plus.sources.interface import Entry, Opened, Unopened
from modelscan_plus.sources.local import LocalSource
from modelscan_plus.workers import child, process, worker
from modelscan_plus.workers.supervisor import Outcome, Supervisor, WorkerError
from tests.workers.hostile import PREFIX, misbehaving

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="children are forked on Linux only")

HONEST = b"\x80\x02}."
HOSTILE = b"cposix\nsystem\n(S'true'\ntR."


@pytest.fixture
def children(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Children that misbehave on command, and a supervisor that loses patience soon."""
    monkeypatch.setattr(worker, "GRACE", 0.2)
    with misbehaving(monkeypatch):
        yield


def scan(folder: Path, jobs: int = 1, limits: Limits | None = None, *, sha256: bool = False) -> dict[str, Outcome]:
    entries = (("t1", entry) for entry in LocalSource(str(folder)).entries())
    with Supervisor(limits or Limits(), jobs, sha256=sha256) as supervisor:
        return {outcome.path: outcome for outcome in supervisor.run(entries)}


def rules(outcome: Outcome) -> set[str]:
    assert isinstance(outcome.result, FileResult), outcome
    return {finding.rule for finding in outcome.result.findings}


def said(outcome: Outcome) -> list[str]:
    assert isinstance(outcome.result, FileResult), outcome
    return [reason.message for reason in outcome.result.coverage.reasons]


@pytest.mark.usefixtures("children")
@pytest.mark.parametrize("jobs", [1, 3])
@pytest.mark.parametrize(
    ("what", "code", "how"),
    [
        ("exit", "crashed", "exit status 7"),
        ("kill", "crashed", "SIGKILL"),
        ("spin", "timeout", "0.3 s"),
        ("mute", "crashed", "SIGKILL"),
        ("nonsense", "protocol", "no valid answer"),
        ("flood", "protocol", "no valid answer"),
    ],
)
def test_a_lost_child_costs_one_file(tmp_path: Path, what: str, code: str, how: str, jobs: int) -> None:
    (tmp_path / "a.pkl").write_bytes(HOSTILE)
    (tmp_path / "b.bin").write_bytes(PREFIX + what.encode())
    (tmp_path / "c.pkl").write_bytes(HOSTILE)
    (tmp_path / "d.pkl").write_bytes(HONEST)
    outcomes = scan(tmp_path, jobs, Limits(seconds=0.3))
    lost = outcomes["b.bin"].result
    assert isinstance(lost, Unopened)
    assert (lost.reason.code, lost.state, lost.reason.executable) == (code, "unreadable", True)
    assert how in lost.reason.message
    assert lost.size == outcomes["b.bin"].size == len(PREFIX) + len(what)
    assert rules(outcomes["a.pkl"]) == rules(outcomes["c.pkl"]) == {"MSP1001"}
    assert rules(outcomes["d.pkl"]) == set()


@pytest.mark.usefixtures("children")
def test_a_file_that_needs_too_much_memory_is_partial(tmp_path: Path) -> None:
    (tmp_path / "a.bin").write_bytes(PREFIX + b"hog")
    (tmp_path / "b.pkl").write_bytes(HOSTILE)
    outcomes = scan(tmp_path)
    result = outcomes["a.bin"].result
    assert isinstance(result, FileResult)
    assert [reason.code for reason in result.coverage.reasons] == ["memory"]
    assert result.coverage.executable_gap
    assert rules(outcomes["b.pkl"]) == {"MSP1001"}


@pytest.mark.usefixtures("children")
def test_a_fault_of_ours_is_no_clean_file(tmp_path: Path) -> None:
    (tmp_path / "a.bin").write_bytes(PREFIX + b"raise")
    (tmp_path / "b.pkl").write_bytes(HOSTILE)
    outcomes = scan(tmp_path)
    result = outcomes["a.bin"].result
    assert isinstance(result, FileResult)
    assert result.coverage.state is CoverageState.UNREADABLE
    assert result.coverage.reasons[0].code == "internal-error"
    assert "LookupError in hostile.py" in result.coverage.reasons[0].message
    assert rules(outcomes["b.pkl"]) == {"MSP1001"}


@pytest.mark.usefixtures("children")
def test_a_child_serves_many_files_until_it_keeps_memory(tmp_path: Path) -> None:
    for number, what in enumerate([b"pid", b"pid", b"keep", b"pid"]):
        (tmp_path / str(number)).write_bytes(PREFIX + what)
    outcomes = scan(tmp_path, limits=Limits(memory=256 << 20))
    first, second, last = (said(outcomes[path])[0] for path in "013")
    assert first == second != last


@pytest.mark.usefixtures("children")
def test_a_child_holds_its_socket_its_file_and_nothing_else(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(PREFIX + b"descriptors")
    with socket.socket() as kept, (tmp_path / "a").open("rb"):
        assert kept.fileno() > 2
        # Standard input, output and error lead to /dev/null; then the socket, /proc/self/statm and the file.
        assert said(scan(tmp_path, jobs=4)["a"]) == ["6"]


@pytest.mark.usefixtures("children")
def test_outcomes_come_in_the_order_of_the_entries(tmp_path: Path) -> None:
    for number in range(40):
        (tmp_path / f"{number:02}.pkl").write_bytes(PREFIX + b"kill" if number % 7 == 0 else HONEST)
    assert list(scan(tmp_path, jobs=4)) == [f"{number:02}.pkl" for number in range(40)]


def test_no_child_is_left_when_the_consumer_stops_early(tmp_path: Path) -> None:
    for number in range(20):
        (tmp_path / f"{number}.pkl").write_bytes(HONEST)
    entries = (("t1", entry) for entry in LocalSource(str(tmp_path)).entries())
    before = len(os.listdir("/dev/fd"))
    with Supervisor(Limits(), jobs=3) as supervisor:
        next(supervisor.run(entries))
        pids = [known.process.pid for known in supervisor._workers]
        assert pids
    for pid in pids:
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)
    assert len(os.listdir("/dev/fd")) == before


def test_ctrl_c_ends_the_children_and_is_passed_on(tmp_path: Path) -> None:
    (tmp_path / "a.pkl").write_bytes(HONEST)

    def interrupted() -> Iterator[tuple[str, Entry]]:
        for entry in LocalSource(str(tmp_path)).entries():
            yield "t1", entry
        signal.raise_signal(signal.SIGINT)

    supervisor = Supervisor(Limits())
    with pytest.raises(KeyboardInterrupt), supervisor:
        list(supervisor.run(interrupted()))
    assert supervisor._workers == []


def test_a_child_that_dies_idle_is_replaced_without_blame(tmp_path: Path) -> None:
    (tmp_path / "a.pkl").write_bytes(HOSTILE)
    entries = (("t1", entry) for entry in LocalSource(str(tmp_path)).entries())
    with Supervisor(Limits()) as supervisor:
        supervisor.probe()
        pid = supervisor._workers[0].process.pid
        os.kill(pid, signal.SIGKILL)
        os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
        (outcome,) = supervisor.run(entries)
    assert rules(outcome) == {"MSP1001"}


def test_children_that_do_not_start_are_an_error_and_not_a_result(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a.pkl").write_bytes(HONEST)
    monkeypatch.setattr(process, "can_fork", lambda: False)
    monkeypatch.setattr(process, "_BOOTSTRAP", "raise SystemExit('no such interpreter')")
    with pytest.raises(WorkerError, match="no such interpreter"):
        scan(tmp_path)


def test_a_process_with_threads_starts_fresh_interpreters(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a.pkl").write_bytes(HOSTILE)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "msgspec.py").write_text("raise SystemExit('code of the target ran')")
    monkeypatch.syspath_prepend("")
    done = threading.Event()
    waiting = threading.Thread(target=done.wait)
    waiting.start()
    try:
        assert not process.can_fork()
        outcomes = scan(tmp_path)
    finally:
        done.set()
        waiting.join()
    assert rules(outcomes["a.pkl"]) == {"MSP1001"}


def test_both_ways_to_start_a_child_give_the_same_results(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a.pkl").write_bytes(HOSTILE)
    (tmp_path / "b.pkl").write_bytes(HONEST)
    monkeypatch.setattr(process, "can_fork", lambda: True)
    forked = scan(tmp_path, sha256=True)
    monkeypatch.setattr(process, "can_fork", lambda: False)
    assert scan(tmp_path, sha256=True) == forked


def test_a_system_that_cannot_pass_descriptors_reads_in_its_own_process(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a.pkl").write_bytes(HOSTILE)
    in_children = scan(tmp_path)
    monkeypatch.delattr(socket, "send_fds")
    monkeypatch.delattr(os, "pread")
    assert scan(tmp_path) == in_children


def test_the_sandbox_changes_no_result(tmp_path: Path) -> None:
    """A table or module that is loaded only at first use would fail behind the sandbox."""
    makers = [importlib.import_module(f"fixtures.make.{found.name}") for found in pkgutil.iter_modules(make.__path__)]
    samples: list[make.Sample] = [sample for maker in makers for sample in getattr(maker, "SAMPLES", ())]
    assert samples
    for number, sample in enumerate(samples):
        (tmp_path / f"{number:03}-{Path(sample.path).name}").write_bytes(sample.build())
    for path, outcome in scan(tmp_path, jobs=2, sha256=True).items():
        data = (tmp_path / path).read_bytes()
        alone = Inspector(Limits()).inspect(Artifact(path, BytesSource(data)), sha256=True)
        assert outcome.result == alone, path


def test_a_file_that_changes_while_it_is_read_is_partial(tmp_path: Path) -> None:
    target = tmp_path / "a.pkl"
    target.write_bytes(HONEST)
    (tmp_path / "b.pkl").write_bytes(HONEST)

    def entries() -> Iterator[tuple[str, Entry]]:
        for entry in LocalSource(str(tmp_path)).entries():
            yield "t1", Entry(entry.path, lambda entry=entry: _opened_then_changed(entry, target))

    with Supervisor(Limits()) as supervisor:
        changed, same = supervisor.run(entries())
    assert isinstance(changed.result, FileResult)
    assert isinstance(same.result, FileResult)
    assert changed.result.coverage.state is CoverageState.PARTIAL
    assert changed.result.coverage.executable_gap
    assert [facts.kind for facts in changed.facts] == ["changed"]
    assert same.result.coverage.state is CoverageState.ANALYSED
    assert same.facts == ()


def _opened_then_changed(entry: Entry, target: Path) -> Opened | Unopened:
    opened = entry.open()
    if entry.path == target.name:
        target.write_bytes(HONEST)
    return opened


def test_more_findings_than_an_answer_can_hold_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    result = Inspector(Limits()).inspect(Artifact("a.pkl", BytesSource(HOSTILE)))
    (finding,) = result.findings
    many = FileResult(result.formats, result.coverage, (finding,) * 64, result.programs)
    monkeypatch.setattr(child, "MAX_REPLY", 20_000)
    frame = child._encode_reply(many, retire=False)
    assert len(frame) <= 20_000
    reply = worker.decode(frame[4:], worker.Reply)
    assert reply.result.findings
    assert len(reply.result.findings) + reply.result.dropped_findings == 64
    assert reply.result.coverage.executable_gap


def test_hashing_a_large_file_takes_what_its_size_takes_beyond_the_deadline_of_its_analysis(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker, "GRACE", 0.0)
    with (tmp_path / "large.safetensors").open("wb") as stream:
        stream.write((54).to_bytes(8, "little") + b'{"w":{"dtype":"U8","shape":[0],"data_offsets":[0,0]}}  ')
        stream.truncate(800_000_000)
    (outcome,) = scan(tmp_path, limits=Limits(seconds=0.2), sha256=True).values()
    result = outcome.result
    assert isinstance(result, FileResult)
    assert result.sha256 is not None
    assert "timeout" not in {reason.code for reason in result.coverage.reasons}
