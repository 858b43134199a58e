"""Reference pages made from the registries: one per rule, one for all formats. For `explain`, `formats` and docs/."""

import textwrap

from modelscan_plus.formats import kinds, registry
from modelscan_plus.formats.interface import Format
from modelscan_plus.rules.interface import Rule

_WIDTH = 96


def rule_page(rule: Rule, *, markdown: bool) -> str:
    """The page of one rule, with a final newline."""
    return _markdown(rule) if markdown else _text(rule)


def _text(rule: Rule) -> str:
    parts = [
        f"{rule.id} {rule.slug}  ({rule.severity.value})",
        _filled(rule.title),
        "Why it matters\n" + _filled(rule.why, "  "),
        "What to do\n" + _filled(rule.fix, "  "),
        "This fires\n" + textwrap.indent(rule.bad, "  | "),
        "This does not\n" + textwrap.indent(rule.good, "  | "),
    ]
    links = [*rule.cwe, *rule.references]
    if links:
        parts.append("See\n" + "\n".join(f"  {link}" for link in links))
    return "\n\n".join(parts) + "\n"


def _markdown(rule: Rule) -> str:
    lines = [
        f"# {rule.id} {rule.slug}",
        f"{rule.title}. Severity: **{rule.severity.value}**.",
        "## Why it matters",
        rule.why,
        "## What to do",
        rule.fix,
        "## This fires",
        f"```text\n{rule.bad}\n```",
        "## This does not",
        f"```text\n{rule.good}\n```",
    ]
    links = [f"- [{number}]({_cwe_address(number)})" for number in rule.cwe]
    links += [f"- <{address}>" for address in rule.references]
    if links:
        lines += ["## See also", "\n".join(links)]
    return "\n\n".join(lines) + "\n"


def _cwe_address(name: str) -> str:
    return f"https://cwe.mitre.org/data/definitions/{name.removeprefix('CWE-')}.html"


def formats_page() -> str:
    """All formats in Markdown: those that are analysed, and contents that are only recognised."""
    lines = [
        "# Formats",
        "Made from the registry by `make docs`. What a file is, is decided by its content; the endings are those under "
        "which it is usual. Everything that is not in the first part is reported as not analysed, never as clean.",
        "## Analysed",
    ]
    for known in registry.FORMATS:
        runs = "can run code when it is loaded" if known.executable else "data to its loaders"
        lines += [
            f"### {known.name}",
            f"{known.title}; {runs}.",
            known.description,
            f"Usual endings: {_endings(known)}.",
        ]
    lines += ["## Recognised, not analysed", _kinds_table()]
    return "\n\n".join(lines) + "\n"


def _endings(known: Format) -> str:
    return ", ".join(f"`{ending}`" for ending in known.extensions) or "none"


def _kinds_table() -> str:
    rows = ["| name | content | could run code |", "|---|---|---|"]
    rows += [f"| {kind.name} | {kind.title} | {'yes' if kind.executable else 'no'} |" for kind in kinds.KINDS]
    return "\n".join(rows)


def _filled(text: str, indent: str = "") -> str:
    return textwrap.fill(text, _WIDTH, initial_indent=indent, subsequent_indent=indent, break_on_hyphens=False)
