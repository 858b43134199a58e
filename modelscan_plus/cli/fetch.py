"""`modelscan-plus fetch`: a repository, scanned and verified before anything lands."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from modelscan_plus.cli import common, flags
from modelscan_plus.core.errors import UsageError
from modelscan_plus.core.finding import Severity
from modelscan_plus.outputs.registry import parse_format

if TYPE_CHECKING:
    from collections.abc import Callable

    from modelscan_plus.core.report import Report


@click.command("fetch")
@click.argument("target", metavar="TARGET")
@click.argument("destination", metavar="DEST", type=click.Path(path_type=Path))
@flags.policy
@flags.formats
@flags.fail_on
@click.option("--include", multiple=True, metavar="GLOB", help="Fetch only files that match; repeatable.")
@click.option("--exclude", multiple=True, metavar="GLOB", help="Leave out files that match; repeatable.")
@flags.jobs
@click.option("--timeout", type=click.FloatRange(0.1), metavar="SECONDS", help="Deadline for the scan of one file.")
@flags.now
@flags.log
@flags.actor
@click.option("--keep", is_flag=True, help="Keep the quarantine folder where files were refused or you interrupt.")
@flags.quiet
@flags.verbose
def command(
    target: str,
    destination: Path,
    policy: str | None,
    formats: tuple[str, ...],
    fail_on: str | None,
    include: tuple[str, ...],
    exclude: tuple[str, ...],
    jobs: int | None,
    timeout: float | None,
    now: str | None,
    log: str | None,
    actor: str | None,
    keep: bool,
    quiet: bool,
    verbose: bool,
) -> None:
    """Fetch TARGET (hf:org/model[@revision]) into DEST, a folder that does not exist yet.

    Scanned remotely, downloaded into a folder beside DEST, compared with the commit, scanned in full, and moved into
    place in one step. Unless all of that says "allowed", DEST stays as it was. Run it again to resume.
    """
    from modelscan_plus.fetch import NotLanded, fetch
    from modelscan_plus.pipeline import Options, default_jobs
    from modelscan_plus.policy.load import load_policy
    from modelscan_plus.sources.hub.client import endpoint
    from modelscan_plus.sources.hub.download import Mismatch

    if not target.startswith(("hf:", "https://", "http://")):
        raise UsageError(f"{target}: only repositories on Hugging Face can be fetched, as hf:org/model")
    endpoint()  # says what to install before anything else is asked
    wanted = [parse_format(text) for text in formats]
    common.check_writable(wanted)
    if log:
        common.check_log(Path(log), [str(destination)])
    shown = not quiet and common.progress_wanted()
    options = Options(
        policy=load_policy(policy),
        fail_on=Severity(fail_on) if fail_on else None,
        include=include,
        exclude=exclude,
        jobs=jobs or default_jobs(),
        seconds=timeout,
        now=common.moment(now, "--now") if now else None,
    )
    line = _Line(shown=shown)
    refused = ""
    try:
        fetched = fetch(
            target, destination, options, keep=keep, tick=line.tick, say=line.say, decided=_recorder(log, actor)
        )
    except (Mismatch, NotLanded) as error:
        refused = str(error)
    finally:
        line.clear()
    if refused:
        _log_refusal(log, actor, target, refused)
        click.echo(f"modelscan-plus: {refused}; {destination} was not touched", err=True)
        sys.exit(1)
    common.write_outputs(fetched.report, wanted, verbosity=-1 if quiet else int(verbose))
    if fetched.landed:
        click.echo(f"fetched to {destination}", err=True)
    else:
        kept = f"; the files are kept in {fetched.quarantine}" if fetched.quarantine else ""
        click.echo(f"{destination} was not touched{kept}", err=True)
    sys.exit(common.exit_code(fetched.report))


def _recorder(log: str | None, actor: str | None) -> "Callable[[Report], Report]":
    """What puts the decision into the import log, before anything lands."""
    if log is None:
        return lambda report: report
    from modelscan_plus.trust.recording import record

    return lambda report: record(Path(log), report, "fetch", actor)


def _log_refusal(log: str | None, actor: str | None, target: str, why: str) -> None:
    if log is None:
        return
    from modelscan_plus.core.text import inert, visible
    from modelscan_plus.trust.journal import Event, append

    event = Event(event="fetch", target=visible(target), verdict="refused", reason=inert(why), on_behalf=actor)
    append(Path(log), [event])


class _Line:
    """One line on stderr that says what goes on."""

    def __init__(self, *, shown: bool) -> None:
        self._shown = shown

    def say(self, text: str) -> None:
        """A new stage."""
        if self._shown:
            click.echo(f"\r\x1b[K{text}", err=True, nl=False)

    def tick(self, progress: "object") -> None:
        """How far the download is."""
        from modelscan_plus.core.text import human_bytes
        from modelscan_plus.sources.hub.download import Progress

        if self._shown and isinstance(progress, Progress) and progress.total:
            share = 100 * progress.done // progress.total
            self.say(f"{human_bytes(progress.done)} of {human_bytes(progress.total)} ({share} %)")

    def clear(self) -> None:
        """Leave the line empty for what follows."""
        self.say("")
