"""What the commands share: writing results, colour, exit codes."""

import os
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from modelscan_plus.cli.progress import progress_wanted as progress_wanted
from modelscan_plus.core.errors import UsageError
from modelscan_plus.core.report import Decision, Report
from modelscan_plus.outputs import registry
from modelscan_plus.outputs.console import Style, render_styled, terminal_width
from modelscan_plus.rules.verdicts import NOTHING_TO_SCAN

if TYPE_CHECKING:
    from modelscan_plus.probe.run import Watch

_SIZES = {"": 1, "k": 1000, "m": 1000**2, "g": 1000**3, "t": 1000**4}
EXIT_CODES = {Decision.ALLOWED: 0, Decision.DENIED: 1, Decision.INCOMPLETE: 4}


def colour_wanted() -> bool:
    """True when stdout is a terminal that shows colour and nobody asked for none."""
    if os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb":
        return False
    return bool(os.environ.get("FORCE_COLOR")) or sys.stdout.isatty()


def write_outputs(report: Report, formats: Sequence[tuple[str, str | None]], verbosity: int) -> None:
    """Write the report in every wanted format. Where all of them go to files, the console text goes to stdout."""
    for name, path in formats:
        if path is not None:
            write_file(Path(path), registry.render(name, report))
    name = next((name for name, path in formats if path is None), "console")
    style = Style(colour=colour_wanted(), verbosity=verbosity, width=terminal_width())
    text = render_styled(report, style) if name == "console" else registry.render(name, report)
    try:
        click.echo(text, nl=False, color=style.colour)
        sys.stdout.flush()
    except BrokenPipeError:
        drop_stdout()  # the reader has seen enough; the exit code still says the verdict


def drop_stdout() -> None:
    """Let what is left for standard output vanish, after its reader went away."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def check_writable(formats: Sequence[tuple[str, str | None]]) -> None:
    """Raise `UsageError` before a long scan when a report could not be written after it."""
    if sum(path is None for _, path in formats) > 1:
        raise UsageError("--format: only one format can go to standard output; give the others a file, FMT=PATH")
    for _, path in formats:
        if path is None:
            continue
        folder = Path(path).parent
        if not folder.is_dir():
            raise UsageError(f"--format: the folder {folder} does not exist")
        if Path(path).is_dir() or not os.access(folder, os.W_OK):
            raise UsageError(f"--format: cannot write {path}")


def check_log(log: Path, targets: Sequence[str]) -> None:
    """Raise `UsageError` before a long scan when its outcome could not be logged after it."""
    from modelscan_plus.trust.journal import append
    from modelscan_plus.trust.lock_check import refuse_inside

    for target in targets:
        if os.path.exists(target):
            refuse_inside(log, target, "--log")
    append(log, [])


def check_lock(lock: Path, targets: Sequence[str]) -> None:
    """Raise `UsageError` before a long scan for a lock that cannot be read or that a target brings itself."""
    from modelscan_plus.trust import lock as locks
    from modelscan_plus.trust.lock_check import refuse_inside

    locks.read(lock)
    for target in targets:
        refuse_inside(lock, target, "--lock")


def write_file(path: Path, text: str) -> None:
    """Write `text` so that `path` holds either all of it or what it held before; a pipe or device is written to."""
    try:
        if path.exists() and not path.is_file():
            with path.open("w", encoding="utf-8", errors="backslashreplace") as stream:
                stream.write(text)
            return
        path = Path(os.path.realpath(path))
        handle, temporary = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
        try:
            with os.fdopen(handle, "w", encoding="utf-8", errors="backslashreplace") as stream:
                stream.write(text)
            os.chmod(temporary, 0o666 & ~_umask())
            os.replace(temporary, path)
        except BaseException:
            Path(temporary).unlink(missing_ok=True)
            raise
    except OSError as error:
        raise UsageError(f"cannot write {path}: {error.strerror}") from None


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def moment(text: str, option: str) -> datetime:
    """The time that an option gives; raises `UsageError`."""
    try:
        given = datetime.fromisoformat(text)
    except ValueError:
        raise UsageError(f"{option} {text}: write a date or time such as 2026-11-23 or 2026-11-23T12:00:00Z") from None
    return given if given.tzinfo else given.replace(tzinfo=UTC)


def size(text: str, option: str) -> int:
    """The number of bytes that an option gives ("10M", "2G"); raises `UsageError`."""
    number, unit = text.rstrip("kKmMgGtTbB"), text.lstrip("0123456789.").lower().rstrip("b")
    try:
        return int(float(number) * _SIZES[unit])
    except (KeyError, ValueError, OverflowError):
        raise UsageError(f"{option} {text}: write a number with k, M, G or T, for example 2G") from None


@contextmanager
def probe_progress(*, shown: bool) -> Iterator["Watch | None"]:
    """A bar on stderr for a probe."""
    if not shown:
        yield None
        return
    from modelscan_plus.cli.progress import ProbeProgress

    with ProbeProgress() as progress:
        yield progress.show


def exit_code(report: Report, *, exit_zero: bool = False) -> int:
    """The exit code that stands for the report's verdict."""
    if report.run.interrupted:
        return 130
    decision = report.verdict.decision
    if decision is Decision.INCOMPLETE and all(r.code == NOTHING_TO_SCAN.id for r in report.verdict.reasons):
        return 3
    return 0 if exit_zero else EXIT_CODES[decision]
