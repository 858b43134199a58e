"""`modelscan-plus formats`: what is analysed, and what is only recognised."""

import click

from modelscan_plus.formats.kinds import KINDS
from modelscan_plus.formats.registry import FORMATS
from modelscan_plus.outputs.pages import formats_page


@click.command("formats")
@click.option("--format", "-f", "format_", type=click.Choice(["text", "markdown"]), default="text", show_default=True)
def command(format_: str) -> None:
    """List the formats that are analysed, and the contents that are only recognised."""
    if format_ == "markdown":
        click.echo(formats_page(), nl=False)
        return
    click.echo("Analysed:")
    for known in FORMATS:
        _line(known.name, known.title, executable=known.executable)
    click.echo("Recognised, reported as not analysed:")
    for kind in KINDS:
        _line(kind.name, kind.title, executable=kind.executable)
    click.echo("! = a loader or the system can run code from it")


def _line(name: str, title: str, *, executable: bool) -> None:
    click.echo(f"  {'!' if executable else ' '} {name:<18} {title}")
