"""The command line. Importing this package imports click and nothing else; each command is imported when it is used."""

import importlib
import os
import sys
from typing import NoReturn

import click

from modelscan_plus.core.errors import ModelscanPlusError, UsageError
from modelscan_plus.core.version import VERSION

NAME = "modelscan-plus"
COMMANDS = {
    "scan": "Scan files and folders and decide whether they may come in.",
    "probe": "Search a model for backdoors, after a scan that lets it in.",
    "fetch": "Fetch a repository from Hugging Face: scanned and verified before anything lands.",
    "lock": "Keep and check model.lock.json: exactly which files were let in.",
    "attest": "Scan and sign the verdict, so that others can admit on it.",
    "log": "Show and check the import log.",
    "explain": "Explain a rule: why it matters, what to do, a bad and a good example.",
    "verify": "Verify who signed a file or folder, and that it is as they signed it.",
    "verify-bundle": "Verify one Sigstore bundle over one file, as sigstore-conformance asks for it.",
    "report": "Render a JSON report again, in any format.",
    "policy": "Check a policy, show what is in force, print its JSON Schema.",
    "formats": "List the formats: analysed, and only recognised.",
    "doctor": "Show what protects a scan on this machine, and what is installed.",
    "completion": "Print the completion script of a shell.",
}
"""Each command's module has its name; these lines are what --help shows without importing them."""


class _LazyGroup(click.Group):
    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        command: click.Command = importlib.import_module(f"modelscan_plus.cli.{cmd_name.replace('-', '_')}").command
        # Variables are named after the option alone: MODELSCAN_PLUS_POLICY serves every command that has --policy.
        command.context_settings.setdefault("auto_envvar_prefix", "MODELSCAN_PLUS")
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


@click.group(
    cls=_LazyGroup,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="Exit codes: 0 allowed, 1 denied, 2 wrong use, 3 nothing to scan, 4 incomplete, 5 our own failure, "
    "130 interrupted. Every option has an environment variable: MODELSCAN_PLUS_FAIL_ON is --fail-on.",
)
@click.version_option(VERSION, "-V", "--version", prog_name=NAME, message="%(prog)s %(version)s")
def group() -> None:
    """Decide whether a machine-learning model may come in, without running any of it."""


def main(arguments: list[str] | None = None) -> NoReturn:
    """The console script: runs the command and turns every error into one line and an exit code."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
    try:
        code = group.main(arguments, prog_name=NAME, standalone_mode=False)
        sys.stdout.flush()
        sys.exit(code if isinstance(code, int) else 0)
    except click.exceptions.NoArgsIsHelpError as error:
        click.echo(error.ctx.get_help() if error.ctx else "", err=True)
        sys.exit(2)
    except click.ClickException as error:
        error.show()
        sys.exit(2)
    except UsageError as error:
        _fail(str(error), 2)
    except ModelscanPlusError as error:
        _fail(str(error), 5)
    except (click.Abort, KeyboardInterrupt):
        _fail("interrupted", 130)
    except BrokenPipeError:
        # The reader went away; there is nobody left to tell, and Python would complain when it flushes at its end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(5)
    except Exception as error:
        if os.environ.get("MODELSCAN_PLUS_DEBUG"):
            raise
        _fail(f"this is a fault of {NAME}: {type(error).__name__}: {error} (MODELSCAN_PLUS_DEBUG=1 shows where)", 5)


def _fail(message: str, code: int) -> NoReturn:
    click.echo(f"{NAME}: {message}", err=True)
    sys.exit(code)
