"""`modelscan-plus completion`: the script that makes a shell complete commands and options."""

import click
from click.shell_completion import get_completion_class


@click.command("completion")
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def command(shell: str) -> None:
    """Print the completion script of SHELL; in bash: eval "$(modelscan-plus completion bash)"."""
    from modelscan_plus.cli import NAME, group

    made = get_completion_class(shell)
    if made is None:
        raise click.ClickException(f"click knows no completion for {shell}")
    click.echo(made(group, {}, NAME, "_MODELSCAN_PLUS_COMPLETE").source())
