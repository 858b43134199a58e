"""The progress display on a real terminal: there for long work, absent for short work and where nobody looks."""

import os
import signal
import sys
from pathlib import Path

import pytest

from fixtures.make.archives import HONEST
from modelscan_plus.cli.progress import FileProgress, time_left

pty = pytest.importorskip("pty", reason="this system has no pseudo-terminals")


def on_a_terminal(*arguments: str | Path, **variables: str) -> str:
    """What a terminal shows while the command runs."""
    shown: list[bytes] = []

    def read(descriptor: int) -> bytes:
        data = os.read(descriptor, 1 << 16)
        shown.append(data)
        return data

    command = [sys.executable, "-m", "modelscan_plus", "scan", *map(str, arguments)]
    variables = {"TERM": "xterm", "CI": "", **variables}
    pty.spawn(["/usr/bin/env", *(f"{name}={value}" for name, value in variables.items()), *command], read)
    return b"".join(shown).decode("utf-8", "replace")


@pytest.fixture
def long_work(tmp_path: Path) -> Path:
    """Files that take many blinks, also on a machine that is much faster."""
    data = b"\x80\x04" + b"".join(b"c%d\nx\n0" % number for number in range(190_000)) + b"N."
    for name in "abc":
        (tmp_path / f"{name}.pkl").write_bytes(data)
    return tmp_path


@pytest.mark.skipif(not Path("/usr/bin/env").exists(), reason="needs /usr/bin/env")
def test_long_work_shows_that_it_goes_on_and_cleans_up(long_work: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert " done" in on_a_terminal(long_work, "-j", "1")
    assert "done" not in on_a_terminal(long_work, "--include", "a.pkl", CI="1")
    assert "done" not in on_a_terminal("-q", long_work, "--include", "a.pkl")


@pytest.mark.skipif(not Path("/usr/bin/env").exists(), reason="needs /usr/bin/env")
def test_short_work_shows_nothing(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "a.pkl").write_bytes(HONEST)
    shown = on_a_terminal(tmp_path)
    assert "ALLOWED" in shown
    assert "done" not in shown


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="this system has no interval timers")
def test_a_tick_in_the_middle_of_drawing_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[int] = []

    def open_slowly(self: FileProgress) -> None:
        opened.append(1)
        signal.raise_signal(signal.SIGALRM)

    monkeypatch.setattr(FileProgress, "_open", open_slowly)
    with FileProgress():
        signal.raise_signal(signal.SIGALRM)
    assert opened == [1]


@pytest.mark.parametrize(
    ("share", "seconds", "says"),
    [
        (0.001, 9, ""),
        (0.5, 0.5, ""),
        (0.5, 30, "30 s left"),
        (0.1, 60, "about 9 min left"),
        (0.1, 3600, "about 9 h left"),
    ],
)
def test_time_left_is_told_in_words(share: float, seconds: float, says: str) -> None:
    assert time_left(share, seconds) == says
