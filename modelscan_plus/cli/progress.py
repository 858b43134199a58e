"""The progress display of long scans, on stderr. Rich is imported only once the work takes longer than a blink."""

import os
import signal
import sys
import time
from types import TracebackType
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from signal import _HANDLER

    from rich.progress import Progress, TaskID

    from modelscan_plus.probe.run import Glimpse

_BLINK = 0.7
"""Seconds of work that need no display."""


def progress_wanted() -> bool:
    """True when stderr is a terminal that a progress bar may draw on."""
    return sys.stderr.isatty() and os.environ.get("TERM") != "dumb" and not os.environ.get("CI")


class _Display:
    """What the displays share: Rich's progress, opened late and closed at the end."""

    def __init__(self) -> None:
        self._started = time.monotonic()
        self._display: Progress | None = None
        self._task: TaskID | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._display is not None:
            self._display.stop()


class FileProgress(_Display):
    """Counts finished files and their bytes."""

    def __init__(self) -> None:
        super().__init__()
        self._drawn = 0.0
        self._files = 0
        self._bytes = 0
        self._last = ""
        self._previous: _HANDLER = None
        self._drawing = False

    def __enter__(self) -> Self:
        if hasattr(signal, "setitimer"):
            # A single large file reports nothing for a while; the clock shows that work goes on.
            self._previous = signal.signal(signal.SIGALRM, lambda *_: self._draw())
            signal.setitimer(signal.ITIMER_REAL, _BLINK, 0.2)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if hasattr(signal, "setitimer"):
            signal.setitimer(signal.ITIMER_REAL, 0)
            signal.signal(signal.SIGALRM, self._previous)
        super().__exit__(kind, error, trace)

    def advance(self, path: str, size: int) -> None:
        """One more file is done."""
        self._files += 1
        self._bytes += size
        self._last = path
        now = time.monotonic()
        if now - self._started >= _BLINK and now - self._drawn >= 0.1:
            self._draw()

    def _draw(self) -> None:
        if self._drawing:  # the clock struck in the middle of it, which may be in the middle of importing Rich
            return
        self._drawing = True
        try:
            self._draw_now()
        finally:
            self._drawing = False

    def _draw_now(self) -> None:
        from modelscan_plus.core.text import human_bytes, shorten, visible

        self._drawn = time.monotonic()
        if self._display is None:
            self._open()
        if self._display is not None and self._task is not None:
            done = f"{self._files:,} {'file' if self._files == 1 else 'files'}, {human_bytes(self._bytes)}"
            text = f"{done} done  {shorten(visible(self._last), 50)}"
            self._display.update(self._task, description=text, refresh=True)

    def _open(self) -> None:
        from rich.console import Console
        from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

        columns = (SpinnerColumn(), TextColumn("{task.description}", markup=False), TimeElapsedColumn())
        # No refresh thread: children are forked, and a fork must not meet a second thread.
        self._display = Progress(*columns, console=Console(stderr=True), transient=True, auto_refresh=False)
        self._display.start()
        self._task = self._display.add_task("", total=None)


class ByteProgress(_Display):
    """Counts hashed bytes of a number that is known. Where this is used nothing forks, so Rich may have its thread."""

    def __init__(self) -> None:
        super().__init__()
        self._total = 0
        self._done = 0

    def begin(self, count: int) -> None:
        """So many more bytes are to come."""
        self._total += count

    def advance(self, count: int) -> None:
        """So many more bytes are done."""
        self._done += count
        if time.monotonic() - self._started < _BLINK:
            return
        if self._display is None:
            self._open()
        if self._display is not None and self._task is not None:
            self._display.update(self._task, total=self._total, completed=self._done)

    def _open(self) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, DownloadColumn, Progress, TimeRemainingColumn, TransferSpeedColumn

        columns = (BarColumn(), DownloadColumn(), TransferSpeedColumn(), TimeRemainingColumn())
        self._display = Progress(*columns, console=Console(stderr=True), transient=True)
        self._display.start()
        self._task = self._display.add_task("", total=self._total)


class ProbeProgress(_Display):
    """A bar with the routine, the class and the time left. Nothing forks while it is drawn (probe/run.py)."""

    def __init__(self) -> None:
        super().__init__()
        self._artifact = ""

    def show(self, glimpse: "Glimpse") -> None:
        """How far it is now."""
        from modelscan_plus.core.text import shorten, visible

        now = time.monotonic()
        if glimpse.artifact != self._artifact or not glimpse.of:
            self._artifact, self._started = glimpse.artifact, now
        if self._display is None:
            self._open()
        if self._display is not None and self._task is not None:
            parts = [visible(glimpse.artifact)] if glimpse.artifact != "." else []
            if glimpse.of:
                parts.append(f"{glimpse.number}/{glimpse.of} {visible(glimpse.routine)}")
            parts.append(visible(glimpse.what))
            text = "  ".join(shorten(part, 40) for part in parts if part)
            left = time_left(glimpse.share, now - self._started)
            self._display.update(self._task, description=text, completed=glimpse.share, left=left)

    def _open(self) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn

        columns = (
            BarColumn(bar_width=20),
            TaskProgressColumn(),
            TextColumn("{task.description}", markup=False),
            TextColumn("{task.fields[left]}", markup=False),
        )
        self._display = Progress(*columns, console=Console(stderr=True), transient=True)
        self._display.start()
        self._task = self._display.add_task("", total=1.0, left="")


def time_left(share: float, seconds: float) -> str:
    """In words, from the share of the work that was done in `seconds`; "" while that says too little."""
    if share < 0.02 or seconds < 1.0:
        return ""
    left = seconds * (1.0 - share) / share
    if left >= 5400:
        return f"about {left / 3600:.0f} h left"
    return f"about {left / 60:.0f} min left" if left >= 90 else f"{left:.0f} s left"
