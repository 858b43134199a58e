"""The report as one HTML page that needs nothing else: no network, no server, and no script to be read.

Everything that comes from a model is data to this page: Jinja escapes it, characters that act on text are written as
escapes, and a content security policy by hashes lets only the page's own script and style work, should both fail.
The same report gives the same bytes.
"""

import base64
import functools
import hashlib
import importlib.resources
import json
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import jinja2
import msgspec
from markupsafe import Markup

from modelscan_plus.core.finding import Finding, HexWindow, PickleEvidence, Severity
from modelscan_plus.core.report import ArtifactReport, Decision, Program, ProgramLine, Report
from modelscan_plus.core.text import human_bytes, inert
from modelscan_plus.rules.interface import Rule
from modelscan_plus.rules.registry import all_rules

DETAIL_BYTES = 1_500_000
"""HTML of findings in full; behind it, mildest last, they stand as rows only, and the page says so."""
JSON_BYTES = 2_000_000
"""Embedded JSON; a larger report is not embedded, and the page says so."""
MAX_ROWS = 5_000
"""Rows of the other tables."""
_EXCERPT = 4
"""Lines of a program shown on either side of a finding."""

_WORDS = {
    Decision.ALLOWED: ("Allowed", "✓", "This model may come in."),
    Decision.DENIED: ("Denied", "✕", "This model must stay out."),
    Decision.INCOMPLETE: ("Incomplete", "?", "This model was not fully analysed; that is no clean result."),
}
_STATES = {"partial": "partly analysed", "not_analysed": "not analysed", "unreadable": "not readable"}


@dataclass(frozen=True, slots=True)
class HexRow:
    """Sixteen bytes: their offset, and runs of (hexadecimal, text, marked)."""

    offset: str
    runs: tuple[tuple[str, bool], ...]
    text: tuple[tuple[str, bool], ...]


@dataclass(frozen=True, slots=True)
class FindingView:
    """One finding with what the template needs beside it."""

    finding: Finding
    place: str
    rule: Rule | None
    excerpt: tuple[ProgramLine, ...]
    hex_rows: tuple[HexRow, ...]


def render(report: Report) -> str:
    """The page."""
    environment = _environment()
    style, script = _asset("report.css"), _asset("report.js")
    findings, rows_only = _findings(report)
    embedded = _embedded(report)
    word, sign, sentence = _WORDS[report.verdict.decision]
    incomplete = sorted(
        (artifact for artifact in report.artifacts if artifact.coverage.incomplete),
        key=lambda artifact: not artifact.coverage.executable_gap,
    )
    used = {finding.rule for finding in (*report.findings, *(entry.finding for entry in report.suppressed))}
    used |= {reason.code for reason in (*report.verdict.reasons, *report.notes)}
    return environment.get_template(
        "report.html.j2"
    ).render(
        report=report,
        policy=_policy(style, script),
        style=Markup(style),  # noqa: S704 - our own file; its hash is in the policy
        script=Markup(script),  # noqa: S704 - our own file; its hash is in the policy
        word=word,
        sign=sign,
        sentence=sentence,
        findings=findings,
        rows_only=rows_only,
        rules=[rule for rule in all_rules().values() if rule.id in used],
        counts=[(severity, report.summary.by_severity.get(severity.value, 0)) for severity in Severity],
        files=_facet(finding.artifact for finding in report.findings),
        fired=_facet(finding.rule for finding in report.findings),
        incomplete=incomplete[:MAX_ROWS],
        incomplete_count=len(incomplete),
        executable_gaps=sum(artifact.coverage.executable_gap for artifact in incomplete),
        artifacts=report.artifacts[:MAX_ROWS],
        size=human_bytes(sum(artifact.size for artifact in report.artifacts)),
        given={target.id: target.given for target in report.targets},
        embedded=embedded,
    )


def _findings(report: Report) -> tuple[list[Markup], int]:
    """Each finding as HTML, and how many of them are rows only."""
    full = _environment().get_template("finding.html.j2")
    programs = {program.id: program for program in report.programs}
    parts: list[Markup] = []
    spent, rows_only = 0, 0
    for finding in report.findings:
        detailed = spent < DETAIL_BYTES
        part = full.render(view=_view(finding, report, programs), detailed=detailed)
        spent += len(part)
        rows_only += not detailed
        parts.append(Markup(part))  # noqa: S704 - rendered by our own template with escaping on
    return parts, rows_only


def _view(finding: Finding, report: Report, programs: dict[str, Program]) -> FindingView:
    evidence = finding.evidence
    window = getattr(evidence, "hex", None)
    program = programs.get(evidence.program or "") if isinstance(evidence, PickleEvidence) else None
    return FindingView(
        finding=finding,
        place=" › ".join((finding.artifact, *finding.location.members)),
        rule=all_rules().get(finding.rule),
        excerpt=_excerpt(program, finding.location.offset) if program else (),
        hex_rows=tuple(hex_rows(window)) if window is not None else (),
    )


def _excerpt(program: Program, offset: int | None) -> tuple[ProgramLine, ...]:
    """The lines of the program around the one at `offset`."""
    at = next((number for number, line in enumerate(program.lines) if line.offset == offset), None)
    if at is None:
        return program.lines[: 2 * _EXCERPT]
    return program.lines[max(0, at - _EXCERPT) : at + _EXCERPT + 1]


def hex_rows(window: HexWindow) -> Iterator[HexRow]:
    """The window in rows of sixteen bytes, cut into runs that are marked or not."""
    try:
        data = bytes.fromhex(window.data)
    except ValueError:
        return  # a report that somebody edited
    first = window.mark_start
    marked = range(first, first + window.mark_length)
    for start in range(0, len(data), 16):
        row = data[start : start + 16]
        flags = [start + position in marked for position in range(len(row))]
        cells = [f"{byte:02x} " for byte in row]
        characters = [chr(byte) if 32 <= byte < 127 else "·" for byte in row]
        padding = [("   " * (16 - len(row)), False)] if len(row) < 16 else []
        yield HexRow(
            f"{window.offset + start:08x}",
            (*_runs(cells, flags), *padding),
            tuple(_runs(characters, flags)),
        )


def _runs(parts: Sequence[str], flags: Sequence[bool]) -> list[tuple[str, bool]]:
    runs: list[tuple[str, bool]] = []
    for part, flag in zip(parts, flags, strict=True):
        if runs and runs[-1][1] == flag:
            runs[-1] = (runs[-1][0] + part, flag)
        else:
            runs.append((part, flag))
    return runs


def _facet(values: Iterable[str]) -> list[tuple[str, int]]:
    """The values with their counts, most frequent first, at most 200."""
    return sorted(Counter(values).items(), key=lambda item: (-item[1], item[0]))[:200]


def _embedded(report: Report) -> Markup | None:
    """The report as JSON that cannot end its script element, None when it is too large."""
    text = json.dumps(msgspec.to_builtins(report), separators=(",", ":"))  # ASCII alone: no character that acts on text
    if len(text) > JSON_BYTES:
        return None
    for character in "<>&":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return Markup(text)  # noqa: S704 - every character that HTML could act on has just been escaped


def _policy(style: str, script: str) -> str:
    """The content security policy: this style, this script, nothing else."""
    return (
        f"default-src 'none'; style-src '{_hash(style)}'; script-src '{_hash(script)}'; img-src data:; "
        "base-uri 'none'; form-action 'none'"
    )


def _hash(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode("utf-8")).digest()).decode("ascii")


@functools.cache
def _asset(name: str) -> str:
    return (importlib.resources.files("modelscan_plus.templates") / name).read_text("utf-8")


@functools.cache
def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.FunctionLoader(_asset),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_finalize,
    )
    environment.filters["bytes"] = human_bytes
    environment.filters["state"] = lambda state: _STATES.get(state, str(state))
    environment.filters["sentence"] = lambda text: text[:1].upper() + text[1:]
    environment.filters["gap"] = _gap_word
    return environment


def _finalize(value: object) -> object:
    return inert(value) if isinstance(value, str) and not isinstance(value, Markup) else value


def _gap_word(artifact: ArtifactReport) -> str:
    return "could run code" if artifact.coverage.executable_gap else "no loader runs it"
