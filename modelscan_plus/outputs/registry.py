"""The output formats by name. Renderers are imported when they are used."""

import importlib
from typing import cast

from modelscan_plus.core.errors import UsageError
from modelscan_plus.core.report import Report

FORMATS: dict[str, str] = {
    "console": "text for a terminal, worst findings first",
    "json": "the canonical report, schema 1",
    "html": "one self-contained page for a browser",
}


def render(format_: str, report: Report) -> str:
    """`report` in one of `FORMATS`, without colour."""
    if format_ not in FORMATS:
        raise UsageError(f"unknown format {format_!r}: choose from {', '.join(FORMATS)}")
    module = importlib.import_module(f"modelscan_plus.outputs.{'json_' if format_ == 'json' else format_}")
    return cast(str, module.render(report))


def parse_format(text: str) -> tuple[str, str | None]:
    """ "FMT" or "FMT=PATH" taken apart; raises `UsageError` for an unknown format or an empty path."""
    name, separator, path = text.partition("=")
    if name not in FORMATS:
        raise UsageError(f"--format {text}: unknown format {name!r}, choose from {', '.join(FORMATS)}")
    if separator and not path:
        raise UsageError(f"--format {text}: a file name is missing behind the '='")
    return name, path or None
