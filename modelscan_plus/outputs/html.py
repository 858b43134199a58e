"""The report as one HTML page that needs nothing else: no network, no server, and no script to be read.

Everything that comes from a model is data to this page: Jinja escapes it, characters that act on text are written as
escapes, and a content security policy by hashes lets only the page's own script and style work, should both fail.
The same report gives the same bytes. Each part of the page has a budget, worst entries come first, and the page says
what it leaves out, so no report makes a page above `PAGE_BYTES`.
"""

import base64
import functools
import hashlib
import importlib.resources
import json
import zlib
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import jinja2
import msgspec
from markupsafe import Markup

from modelscan_plus.core.finding import Finding, GraphEvidence, PickleEvidence, Severity, TextEvidence
from modelscan_plus.core.report import ArtifactReport, Decision, Program, ProgramLine, Report
from modelscan_plus.core.text import human_bytes, inert, shorten
from modelscan_plus.outputs import probes, signatures
from modelscan_plus.outputs.graph_picture import picture
from modelscan_plus.outputs.hexdump import HexRow, hex_rows
from modelscan_plus.rules.interface import Rule
from modelscan_plus.rules.registry import all_rules

PAGE_BYTES = 5_000_000
"""No page is larger. What follows are the shares of its parts, in bytes of HTML; about 250 kB stay for the frame."""
FINDING_BYTES = 2_150_000
PROGRAM_BYTES = 450_000
ARTIFACT_BYTES = 450_000
GAP_BYTES = 250_000
LOADER_BYTES = 150_000
PROBE_BYTES, PICTURE_BYTES = 250_000, 300_000
"""For the text of the probes, and for their pictures."""
SUPPRESSED_BYTES = 250_000
JSON_BYTES = 450_000
"""Share of the embedded report: as JSON when it fits, else compressed, else not at all."""

_SHOWN_FILES = 30
"""Files of one loader's lists that are shown."""
_LINES = 300
"""Lines of one program that are shown."""
_EXCERPT = 4
"""Lines of a program shown on either side of a finding."""
_FACETS = 200
"""Values that a filter offers."""
_REASONS, _NOTES, _TARGETS = 20, 100, 50
"""Entries of the short lists."""
_TEXT = 2_000
"""Characters of one entry of the short lists."""

_WORDS = {
    Decision.ALLOWED: ("Allowed", "✓", "This model may come in."),
    Decision.DENIED: ("Denied", "✕", "This model must stay out."),
    Decision.INCOMPLETE: ("Incomplete", "?", "This model was not fully analysed; that is no clean result."),
}
_CHIPS = {"flagged": "high", "suspicious": "medium", "inconclusive": "gap"}
_STATES = {"partial": "partly analysed", "not_analysed": "not analysed", "unreadable": "not readable"}


@dataclass(frozen=True, slots=True)
class Fragments:
    """The entries of one part of the page, and how many did not fit."""

    shown: list[Markup]
    left_out: int
    detailed: int = 0
    """How many of those shown, from the first, are shown in full."""


@dataclass(frozen=True, slots=True)
class Detail:
    """What the template needs beside a finding to explain it."""

    kind: str
    """Of the evidence: pickle, bytes, comparison, graph or text."""
    rule: Rule | None
    excerpt: tuple[ProgramLine, ...]
    program: str | None
    """Id of the decompiled program, when it is on the page."""
    hex_rows: tuple[HexRow, ...]
    picture: Markup | None = None
    """Of a graph."""
    targets: tuple[str, ...] = ()
    """Of a graph: for each node the numbers of those that read it."""


class Programs:
    """The decompiled programs of a report, to find lines in."""

    def __init__(self, programs: Sequence[Program], on_page: int) -> None:
        self._by_id = {program.id: program for program in programs}
        self._on_page = {program.id for program in programs[:on_page]}
        self._line_at = {
            (program.id, line.offset): number
            for program in programs
            for number, line in reversed(list(enumerate(program.lines)))
        }

    def excerpt(self, program: str | None, offset: int | None) -> tuple[ProgramLine, ...]:
        """The lines around the one at `offset`, the first ones when no line is there."""
        if program not in self._by_id:
            return ()
        lines = self._by_id[program].lines
        at = None if offset is None else self._line_at.get((program, offset))
        return lines[: 2 * _EXCERPT] if at is None else lines[max(0, at - _EXCERPT) : at + _EXCERPT + 1]

    def link(self, program: str | None) -> str | None:
        """The id of the program if it is on the page."""
        return program if program in self._on_page else None


@dataclass(frozen=True, slots=True)
class Embedded:
    """The whole report as text that cannot end its script element."""

    type: str
    text: Markup


def render(report: Report) -> str:
    """The page."""
    style, script = _asset("report.css"), _asset("report.js")
    word, sign, sentence = _WORDS[report.verdict.decision]
    given = {target.id: target.given for target in report.targets} if len(report.targets) > 1 else {}
    gaps = sorted(
        (artifact for artifact in report.artifacts if artifact.coverage.incomplete),
        key=lambda artifact: not artifact.coverage.executable_gap,
    )
    files = {path: number for number, path in enumerate(sorted({finding.artifact for finding in report.findings}))}
    ordered = sorted(report.programs, key=lambda program: -_rank(program))
    programs = _fragments(
        "program.html.j2",
        [{"program": program, "worst": _worst(program), "limit": _LINES} for program in ordered],
        PROGRAM_BYTES,
    )
    suppressed = [{"entry": entry, "place": _place(entry.finding)} for entry in report.suppressed]
    rules = _rules(report)
    page = _environment().get_template("report.html.j2")
    return page.render(
        report=report,
        policy=_policy(style, script),
        style=_ours(style),
        script=_ours(script),
        word=word,
        sign=sign,
        sentence=sentence,
        limit={"reasons": _REASONS, "notes": _NOTES, "targets": _TARGETS},
        counts=[(severity, report.summary.by_severity.get(severity.value, 0)) for severity in Severity],
        size=sum(artifact.size for artifact in report.artifacts),
        gaps=_fragments("gap.html.j2", [{"artifact": artifact, "given": given} for artifact in gaps], GAP_BYTES),
        executable_gaps=sum(artifact.coverage.executable_gap for artifact in gaps),
        findings=_findings(report, files, Programs(ordered, len(programs.shown))),
        files=_facet((files[finding.artifact], finding.artifact) for finding in report.findings),
        fired=_facet((finding.rule, finding.rule) for finding in report.findings),
        probes=_probes(report, given),
        scope=probes.SCOPE,
        signatures=_fragments("signature.html.j2", _signatures(report), SUPPRESSED_BYTES),
        suppressed=_fragments("suppressed.html.j2", suppressed, SUPPRESSED_BYTES),
        programs=programs,
        artifacts=_fragments(
            "artifact.html.j2",
            [{"artifact": artifact, "given": given} for artifact in report.artifacts],
            ARTIFACT_BYTES,
        ),
        loaders=_fragments(
            "loader.html.j2", [{"view": view, "limit": _SHOWN_FILES} for view in report.loaders], LOADER_BYTES
        ),
        rules=rules,
        helped={rule.id for rule in rules},
        embedded=_embedded(report),
    )


def _probes(report: Report, given: Mapping[str, str]) -> Fragments:
    """The worst first. Pictures have a budget of their own, so that they cannot crowd out the words."""
    gallery = probes.Gallery(PICTURE_BYTES)
    entries: list[Mapping[str, object]] = []
    for probe in probes.worst_first(report.probes):
        routines = [
            {
                "word": probes.word(routine.outcome),
                "report": routine,
                "rows": probes.rows(routine),
                "exhibits": list(gallery.show(routine)),
            }
            for routine in probe.routines
        ]
        entries.append(
            {
                "probe": probe,
                "word": probes.word(probe.outcome),
                "name": probes.name(probe, report.targets),
                "kind": probes.kind(probe),
                "facts": probes.facts(probe),
                "routines": routines,
                "given": given.get(probe.target, "") if probe.artifact != "." else "",
                "limit": probes.ROWS,
            }
        )
    return _fragments("probe.html.j2", entries, PROBE_BYTES + PICTURE_BYTES)


def _signatures(report: Report) -> list[dict[str, object]]:
    today = signatures.day(report.now)
    return [
        {"signature": one, "state": signatures.state(one), "rows": signatures.rows(one, today)}
        for one in report.signatures
    ]


def _fragments(template: str, entries: Sequence[Mapping[str, object]], budget: int) -> Fragments:
    """The first entries that fit into `budget` bytes."""
    loaded = _environment().get_template(template)
    shown: list[Markup] = []
    for entry in entries:
        text = loaded.render(entry)
        budget -= _size(text)
        if budget < 0:
            break
        shown.append(_ours(text))
    return Fragments(shown, len(entries) - len(shown))


def _findings(report: Report, files: Mapping[str, int], programs: Programs) -> Fragments:
    """A row for each finding, as far as there is room; then evidence for as many as possible, from the worst."""
    entries: list[dict[str, object]] = [
        {
            "f": finding,
            "place": _place(finding),
            "file": files[finding.artifact],
            "known": finding.rule in all_rules(),
            "detail": None,
        }
        for finding in report.findings
    ]
    rows = _fragments("finding.html.j2", entries, FINDING_BYTES)
    template = _environment().get_template("finding.html.j2")
    left = FINDING_BYTES - sum(map(_size, rows.shown))
    detailed = 0
    for position, row in enumerate(rows.shown):
        full = template.render(entries[position] | {"detail": _detail(report.findings[position], programs)})
        left -= _size(full) - _size(row)
        if left < 0:
            break
        rows.shown[position] = _ours(full)
        detailed += 1
    return Fragments(rows.shown, rows.left_out, detailed)


def _detail(finding: Finding, programs: Programs) -> Detail:
    evidence = finding.evidence
    window = None if isinstance(evidence, TextEvidence | GraphEvidence) else evidence.hex
    program = evidence.program if isinstance(evidence, PickleEvidence) else None
    return Detail(
        kind=str(evidence.__struct_config__.tag),
        rule=all_rules().get(finding.rule),
        excerpt=programs.excerpt(program, finding.location.offset),
        program=programs.link(program),
        hex_rows=tuple(hex_rows(window)) if window is not None else (),
        picture=picture(evidence, finding.message) if isinstance(evidence, GraphEvidence) else None,
        targets=_targets(evidence) if isinstance(evidence, GraphEvidence) else (),
    )


def _targets(evidence: GraphEvidence) -> tuple[str, ...]:
    return tuple(
        ", ".join(str(end + 1) for start, end in evidence.edges if start == number)
        for number in range(len(evidence.nodes))
    )


def _place(finding: Finding) -> str:
    return " › ".join((finding.artifact, *finding.location.members))


def _worst(program: Program) -> str | None:
    """The worst severity of its lines."""
    marked = {line.severity for line in program.lines}
    return next((severity.value for severity in Severity if severity.value in marked), None)


def _rank(program: Program) -> int:
    worst = _worst(program)
    return -1 if worst is None else Severity(worst).rank


def _rules(report: Report) -> list[Rule]:
    """The rules that this report mentions."""
    used = {finding.rule for finding in (*report.findings, *(entry.finding for entry in report.suppressed))}
    used |= {reason.code for reason in (*report.verdict.reasons, *report.notes)}
    return [rule for rule in all_rules().values() if rule.id in used]


def _facet(values: Iterable[tuple[int | str, str]]) -> list[tuple[int | str, str, int]]:
    """(value, label, count) of the most frequent values, at most `_FACETS`."""
    frequent = sorted(Counter(values).items(), key=lambda item: (-item[1], item[0][1]))[:_FACETS]
    return [(value, shorten(label, 80), count) for (value, label), count in frequent]


def _embedded(report: Report) -> Embedded | None:
    """The report as JSON in ASCII, or that JSON compressed (zlib, base64), None when even that is too large."""
    text = json.dumps(msgspec.to_builtins(report), separators=(",", ":"))
    for character in "<>&":
        text = text.replace(character, f"\\u{ord(character):04x}")
    if len(text) <= JSON_BYTES:
        return Embedded("application/json", _ours(text))
    packed = base64.b64encode(zlib.compress(text.encode("ascii"), 9)).decode("ascii")
    return Embedded("application/zlib", _ours(packed)) if len(packed) <= JSON_BYTES else None


def _policy(style: str, script: str) -> str:
    """The content security policy: this style, this script, nothing else."""
    return (
        f"default-src 'none'; style-src '{_hash(style)}'; script-src '{_hash(script)}'; img-src data:; "
        "base-uri 'none'; form-action 'none'"
    )


def _hash(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode("utf-8")).digest()).decode("ascii")


def _size(text: str) -> int:
    return len(text.encode("utf-8"))


def _ours(text: str) -> Markup:
    """Text that is HTML already: our own files, what our templates rendered with escaping on, escaped JSON."""
    return Markup(text)  # noqa: S704 - the one place where text is taken as HTML; see the docstring


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
    environment.filters |= {
        "bytes": human_bytes,
        "grouped": lambda number: f"{number:,}",
        "plural": lambda word, count: word if count == 1 else f"{word}s",
        "state": lambda state: _STATES.get(state, str(state)),
        "sentence": lambda text: text[:1].upper() + text[1:],
        "short": lambda text: shorten(text, _TEXT),
        "gap": _gap_word,
        "https": _links,
        "chip": _CHIPS.get,
    }
    return environment


def _finalize(value: object) -> object:
    return inert(value) if isinstance(value, str) and not isinstance(value, Markup) else value


def _gap_word(artifact: ArtifactReport) -> str:
    return "could run code" if artifact.coverage.executable_gap else "no loader runs it"


def _links(addresses: Sequence[str]) -> list[str]:
    """Addresses that may become links: a report that somebody edited may hold any text."""
    return [address for address in addresses if address.startswith("https://")]
