"""The progress display of long scans, on stderr. Rich is imported only once the work takes longer than a blink."""

import time
from types import TracebackType
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

_BLINK = 0.7
"""Seconds of work that need no display."""


class FileProgress:
    """Counts finished files and their bytes."""

    def __init__(self) -> None:
        self._started = time.monotonic()
        self._drawn = 0.0
        self._files = 0
        self._bytes = 0
        self._display: Progress | None = None
        self._task: TaskID | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._display is not None:
            self._display.stop()

    def advance(self, path: str, size: int) -> None:
        """One more file is done."""
        self._files += 1
        self._bytes += size
        now = time.monotonic()
        if now - self._started < _BLINK or now - self._drawn < 0.1:
            return
        self._drawn = now
        if self._display is None:
            self._open()
        if self._display is not None and self._task is not None:
            from modelscan_plus.core.text import human_bytes, shorten, visible

            name = shorten(visible(path), 50)
            self._display.update(
                self._task, description=f"{self._files:,} files, {human_bytes(self._bytes)}  {name}", refresh=True
            )

    def _open(self) -> None:
        from rich.console import Console
        from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

        columns = (SpinnerColumn(), TextColumn("{task.description}", markup=False), TimeElapsedColumn())
        # No refresh thread: children are forked, and a fork must not meet a second thread.
        self._display = Progress(*columns, console=Console(stderr=True), transient=True, auto_refresh=False)
        self._display.start()
        self._task = self._display.add_task("", total=None)
