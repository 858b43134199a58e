"""`modelscan-plus policy`: check, show, schema."""

from datetime import UTC, datetime

import click
import msgspec

from modelscan_plus.policy.decide import check_dates
from modelscan_plus.policy.load import load_policy, resolve, schema
from modelscan_plus.policy.model import Policy


@click.group("policy")
def command() -> None:
    """Work with policies: TOML files that extend builtin:default, builtin:strict or builtin:registry."""


@command.command("check")
@click.argument("file")
def check(file: str) -> None:
    """Check FILE and everything that it extends; exit 2 with the place of the first fault."""
    policy = resolve(file)
    today = datetime.now(UTC).date()
    check_dates(policy, today)
    for entry in policy.suppress:
        if entry.expires < today:
            click.echo(f"note: the suppression of {entry.spoken()} expired on {entry.expires}", err=True)
    click.echo(f"{file}: valid, {policy.digest}")


@command.command("show")
@click.argument("file", required=False)
@click.option("--format", "-f", "format_", type=click.Choice(["text", "json"]), default="text", show_default=True)
def show(file: str | None, format_: str) -> None:
    """Show the policy of FILE or "builtin:NAME", or the one in force here, with all that it extends."""
    policy = load_policy(file)
    if format_ == "json":
        content = msgspec.to_builtins(policy) | {"digest": policy.digest}
        click.echo(msgspec.json.format(msgspec.json.encode(content), indent=2))
        return
    click.echo(_shown(policy), nl=False)


@command.command("schema")
def print_schema() -> None:
    """Print the JSON Schema of policy files."""
    click.echo(msgspec.json.format(msgspec.json.encode(schema()), indent=2))


def _shown(policy: Policy) -> str:
    incomplete, formats = policy.on_incomplete, policy.formats
    rows = [
        ("policy", policy.name),
        ("digest", policy.digest),
        ("fail-on", policy.fail_on.value),
        (
            "on-incomplete",
            f"{incomplete.executable.value} what a loader could execute, {incomplete.other.value} the rest",
        ),
        *([("formats allow", ", ".join(formats.allow) or "none")] if formats.allow is not None else []),
        *([("formats deny", ", ".join(formats.deny))] if formats.deny else []),
        *(("rule", f"{rule}: {_spoken(it.severity) if it.enabled else 'off'}") for rule, it in policy.rules.items()),
        *(("path", f"{place.glob}: {_spoken(place.fail_on, place.on_incomplete)}") for place in policy.paths),
        *(("pickle allow", name) for name in policy.pickle_allow),
        *(("suppress", f"{entry.spoken()} until {entry.expires}: {entry.reason}") for entry in policy.suppress),
        *(("signature", f"{it.match}: {it.spoken()}, root {it.root}") for it in policy.signatures),
        ("limits", f"{policy.limits.seconds:g} s, {policy.limits.memory >> 20} MB a file; -f json shows all"),
    ]
    return "".join(f"{name:<16}{value}\n" for name, value in rows)


def _spoken(*settings: object) -> str:
    return ", ".join(str(setting) for setting in settings if setting is not None)
