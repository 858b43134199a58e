"""`modelscan-plus log`: show and verify the import log."""

import json
import sys
from collections import deque
from pathlib import Path

import click

from modelscan_plus.core.text import inert, visible

_CONTEXT = {"auto_envvar_prefix": "MODELSCAN_PLUS"}


@click.group("log")
def command() -> None:
    """Read the import log that `--log FILE` of scan, fetch and lock writes: who let what in, when, on what ground."""


@command.command("show", context_settings=_CONTEXT)
@click.argument("file", envvar="MODELSCAN_PLUS_LOG")
@click.option("--last", "-n", type=click.IntRange(1), metavar="N", help="Only the last N entries.")
@click.option("--format", "-f", "form", type=click.Choice(["text", "json"]), default="text", show_default=True)
def show(file: str, last: int | None, form: str) -> None:
    """Show the entries of FILE, as far as the chain holds."""
    import msgspec

    from modelscan_plus.trust.journal import LogFault, entries

    kept: deque[object] = deque(maxlen=last)
    fault = None
    try:
        kept.extend(msgspec.to_builtins(entry) for entry in entries(Path(file)))
    except LogFault as error:
        fault = error
    for entry in kept:
        click.echo(json.dumps(entry) if form == "json" else _line(entry))
    if fault is not None:
        _does_not_verify(file, str(fault))


@command.command("verify", context_settings=_CONTEXT)
@click.argument("file", envvar="MODELSCAN_PLUS_LOG")
@click.option("--head", "heads", multiple=True, metavar="DIGEST", help="A head recorded earlier; repeatable.")
@click.option("--report", "reports", multiple=True, metavar="FILE.json", help="A report that recorded a head.")
def verify(file: str, heads: tuple[str, ...], reports: tuple[str, ...]) -> None:
    """Check the chain of FILE and that the recorded heads are in it. Exit code: 0 it verifies, 1 it does not."""
    from modelscan_plus.trust.journal import LogFault, check

    wanted = {_digest(head): "--head" for head in heads}
    wanted |= {_head_of(report): report for report in reports}
    try:
        checked = check(Path(file), list(wanted))
    except LogFault as error:
        _does_not_verify(file, str(error))
    for head, where in wanted.items():
        if head not in checked.found:
            said = f"the head {head} ({visible(where)}) is not in it: its end was cut off, or it was written anew"
            _does_not_verify(file, said)
        click.echo(f"the recorded head {head} is entry {checked.found[head]:,}")
    if checked.torn_tail:
        _does_not_verify(
            file,
            f"{checked.entries:,} entries verify, and {checked.torn_tail:,} bytes behind them are no whole entry: a "
            "writer was interrupted (the next one notes it) or the end was cut off",
        )
    recovered = f" ({checked.recovered:,} of them note an interrupted writer)" if checked.recovered else ""
    click.echo(f"{visible(file)}: verified, {checked.entries:,} entries{recovered}, head {checked.head or 'none'}")


def _digest(head: str) -> str:
    from modelscan_plus.core.errors import UsageError

    digest = head.lower().removeprefix("sha256:")
    if len(digest) != 64 or set(digest) - set("0123456789abcdef"):
        raise UsageError(f"--head {visible(head)}: no digest of 64 hexadecimal digits, as `log verify` prints it")
    return f"sha256:{digest}"


def _head_of(report: str) -> str:
    import msgspec

    from modelscan_plus.core.errors import UsageError
    from modelscan_plus.core.report import from_json

    try:
        head = from_json(Path(report).read_bytes()).run.log_head
    except (OSError, msgspec.DecodeError, msgspec.ValidationError) as error:
        raise UsageError(f"--report {visible(report)}: {error}") from None
    if head is None:
        raise UsageError(f"--report {visible(report)}: it was made without --log and recorded no head")
    return head


def _does_not_verify(file: str, why: str) -> None:
    click.echo(f"{visible(file)}: DOES NOT VERIFY: {why}")
    sys.exit(1)


def _line(entry: object) -> str:
    fields = dict(entry) if isinstance(entry, dict) else {}
    who = fields["actor"] + (f" for {fields['on_behalf']}" if fields.get("on_behalf") else "")
    what = " ".join(str(fields[key]) for key in ("event", "target", "verdict", "tree") if fields.get(key))
    reason = f": {fields['reason']}" if fields.get("reason") else ""
    return inert(f"{fields['seq']:>6}  {fields['time']}  {who}  {what}{reason}")
