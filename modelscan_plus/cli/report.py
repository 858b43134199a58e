"""`modelscan-plus report`: a JSON report in another format, without scanning again."""

import sys
from pathlib import Path

import click
import msgspec

from modelscan_plus.cli import common, flags
from modelscan_plus.core.errors import UsageError
from modelscan_plus.core.report import SCHEMA_VERSION, Report, from_json
from modelscan_plus.outputs.registry import parse_format

_MAX_SIZE = 1 << 30


@click.command("report")
@click.argument("file", metavar="FILE.json")
@flags.formats
@flags.exit_zero
@flags.quiet
@flags.verbose
def command(file: str, formats: tuple[str, ...], exit_zero: bool, quiet: bool, verbose: bool) -> None:
    """Render FILE.json ("-" for standard input), a report of `scan --format json`. Exits as that scan did."""
    wanted = [parse_format(text) for text in formats]
    common.check_writable(wanted)
    report = _read(file)
    common.write_outputs(report, wanted, verbosity=-1 if quiet else int(verbose))
    sys.exit(common.exit_code(report, exit_zero=exit_zero))


def _read(file: str) -> Report:
    try:
        data = sys.stdin.buffer.read(_MAX_SIZE) if file == "-" else Path(file).read_bytes()
        report = from_json(data)
    except OSError as error:
        raise UsageError(f"{file}: {error.strerror or error}") from None
    except msgspec.DecodeError as error:
        raise UsageError(f"{file}: not a report of modelscan-plus: {error}") from None
    if report.schema_version != SCHEMA_VERSION:
        raise UsageError(f"{file}: schema version {report.schema_version} is not known to this version")
    return report
