"""`modelscan-plus explain`: the page of a rule, made from its declaration, without any network."""

import difflib

import click

from modelscan_plus.core.errors import UsageError
from modelscan_plus.outputs.pages import rule_page
from modelscan_plus.rules.registry import all_rules, find_rule


@click.command("explain")
@click.argument("rule", required=False)
@click.option("--format", "-f", "format_", type=click.Choice(["text", "markdown"]), default="text", show_default=True)
def command(rule: str | None, format_: str) -> None:
    """Explain RULE, an id such as MSP1001 or a slug; without one, list all rules."""
    if rule is None:
        for known in all_rules().values():
            click.echo(f"{known.id}  {known.severity.value:<8}  {known.slug:<32} {known.title}")
        return
    found = find_rule(rule)
    if found is None:
        raise UsageError(f"there is no rule {rule}{_suggestion(rule)}; `modelscan-plus explain` lists them")
    click.echo(rule_page(found, markdown=format_ == "markdown"), nl=False)


def _suggestion(given: str) -> str:
    names = [name for rule in all_rules().values() for name in (rule.id, rule.slug)]
    close = difflib.get_close_matches(given.upper() if given[:3].upper() == "MSP" else given, names, n=1)
    return f" (did you mean {close[0]}?)" if close else ""
