"""Options that several commands take, each written once."""

import click

from modelscan_plus.core.finding import Severity
from modelscan_plus.outputs.registry import FORMATS

policy = click.option("--policy", metavar="FILE", help='Policy file or "builtin:default|strict|registry".')
formats = click.option(
    "--format", "-f", "formats", multiple=True, metavar="FMT[=PATH]", help=f"{', '.join(FORMATS)}; repeatable."
)
fail_on = click.option(
    "--fail-on", type=click.Choice([severity.value for severity in Severity]), help="Lowest severity that denies."
)
baseline = click.option("--baseline", metavar="FILE", help="Findings that are known and accepted; only new ones count.")
jobs = click.option("--jobs", "-j", type=click.IntRange(1, 256), help="Child processes (default: one per processor).")
now = click.option("--now", metavar="TIME", help="Date and time that decide about expiry (default: the clock).")
log = click.option("--log", metavar="FILE", help="Import log to append the decision to.")
actor = click.option(
    "--actor", metavar="NAME", help="Who is behind this, for the log; the user of the system stands too."
)
exit_zero = click.option("--exit-zero", is_flag=True, help="Exit 0 also for denied and incomplete.")
quiet = click.option("--quiet", "-q", is_flag=True, help="One line per finding.")
verbose = click.option("--verbose", "-v", is_flag=True, help="Cut no list short.")
