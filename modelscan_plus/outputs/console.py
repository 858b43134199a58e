"""The report for a terminal: worst first, then what was not analysed, then the verdict and its reason."""

import shutil
import textwrap
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

import click

from modelscan_plus.core.coverage import CoverageState
from modelscan_plus.core.finding import Finding, GraphEvidence, PickleEvidence, Severity
from modelscan_plus.core.probe import ProbeOutcome, ProbeReport, RoutineReport
from modelscan_plus.core.report import ArtifactReport, Decision, LoaderView, Program, Report
from modelscan_plus.core.text import human_bytes, shorten
from modelscan_plus.outputs import probes, signatures
from modelscan_plus.outputs.graph_table import table
from modelscan_plus.rules.registry import all_rules

_COLOURS = {
    Severity.CRITICAL: "bright_red",
    Severity.HIGH: "red",
    Severity.MEDIUM: "yellow",
    Severity.LOW: "cyan",
    Severity.INFO: "white",
}
_DECISIONS = {
    Decision.ALLOWED: ("✓ ALLOWED", "green"),
    Decision.DENIED: ("✗ DENIED", "bright_red"),
    Decision.INCOMPLETE: ("? INCOMPLETE", "yellow"),
}
_OUTCOMES = {
    ProbeOutcome.FLAGGED: "bright_red",
    ProbeOutcome.SUSPICIOUS: "yellow",
    ProbeOutcome.INCONCLUSIVE: "yellow",
}
_INDENT = "    "
_BAD = frozenset((Severity.CRITICAL.value, Severity.HIGH.value))


@dataclass(frozen=True, slots=True)
class Style:
    """How much, how wide, how colourful."""

    colour: bool = False
    verbosity: int = 0
    """-1: one line per finding; 0: findings explained, long lists cut; 1: everything."""
    width: int = 100


def render(report: Report) -> str:
    """The report without colour, for files and pipes."""
    return render_styled(report, Style())


def terminal_width() -> int:
    """Columns to use: those of the terminal, within what is pleasant to read."""
    return max(60, min(110, shutil.get_terminal_size((100, 24)).columns))


def render_styled(report: Report, style: Style) -> str:
    """The report in the given style, with a final newline."""
    lines = _quiet(report, style) if style.verbosity < 0 else _full(report, style)
    return "\n".join(lines) + "\n"


def _quiet(report: Report, style: Style) -> Iterator[str]:
    for finding in report.findings:
        if finding.severity.rank >= Severity.MEDIUM.rank:
            label = _paint(style, finding.severity.value, _COLOURS[finding.severity], bold=True)
            yield f"{_place(finding)}: {label} {finding.rule} {finding.message}"
    for artifact in _gaps(report):
        if artifact.coverage.executable_gap:
            yield f"{_name(report, artifact)}: {_state(artifact)}: {_because(artifact)}"
    for probe in probes.worst_first(report.probes):
        said = f"{_outcome(probe.outcome, style)}: {probes.line(probe.reason)}"
        yield f"{probes.name(probe, report.targets)}: probe: {said}"
    yield from _verdict(report, style)


def _full(report: Report, style: Style) -> Iterator[str]:
    yield from _findings(report, style)
    yield from _probes(report, style)
    yield from _suppressed(report, style)
    yield from _not_analysed(report, style)
    yield from _signatures(report, style)
    yield from _loaders(report, style)
    for note in report.notes:
        yield _wrap(f"Note: {note.message}", style)
    if report.notes:
        yield ""
    yield from _verdict(report, style)


def _findings(report: Report, style: Style) -> Iterator[str]:
    limit = len(report.findings) if style.verbosity > 0 else 25
    explained: set[str] = set()
    programs = {program.id: program for program in report.programs if style.verbosity > 0}
    for finding in report.findings[:limit]:
        program = programs.pop(getattr(finding.evidence, "program", None) or "", None)
        yield from _finding(finding, style, explain=finding.rule not in explained, program=program)
        explained.add(finding.rule)
    rest = report.findings[limit:]
    if rest:
        counts = Counter(finding.severity.value for finding in rest)
        yield f"… and {len(rest):,} more ({', '.join(f'{n:,} {s}' for s, n in counts.items())}); -v shows all"
        yield ""


def _finding(finding: Finding, style: Style, *, explain: bool, program: Program | None = None) -> Iterator[str]:
    label = _paint(style, finding.severity.value.upper(), _COLOURS[finding.severity], bold=True)
    yield f"{label}  {_paint(style, _place(finding), None, bold=True)}"
    yield _wrap(_sentence(finding.message), style, _INDENT)
    evidence = finding.evidence
    if isinstance(evidence, PickleEvidence) and len(evidence.chain) > 1:
        for step in evidence.chain:
            yield f"{_INDENT}  {_paint(style, shorten(step, style.width - 8), 'bright_black')}"
    for reader in program.readers if program is not None else ():
        yield _wrap(f"{reader.loader}: {reader.detail}", style, _INDENT + "  ", hanging="  ")
    if isinstance(evidence, GraphEvidence):
        for line in table(evidence, style.width):
            yield f"{_INDENT}  {_paint(style, line, 'bright_black')}"
    if finding.confirmed_by:
        yield f"{_INDENT}Also objected to by {' and '.join(finding.confirmed_by)}."
    if explain:
        rule = all_rules().get(finding.rule)
        if rule is not None:
            yield _wrap(f"Why: {rule.why}", style, _INDENT)
        yield _wrap(f"Do:  {finding.remediation}", style, _INDENT)
    yield _paint(style, f"{_INDENT}{finding.rule} {finding.slug}", "bright_black")
    yield ""


def _probes(report: Report, style: Style) -> Iterator[str]:
    for probe in probes.worst_first(report.probes):
        name = f"Backdoor probe of {probes.name(probe, report.targets)}"
        head = f"{_paint(style, name, None, bold=True)} ({probes.kind(probe)}): {_outcome(probe.outcome, style)}"
        yield head
        yield _wrap(_sentence(probes.line(probe.reason)), style, _INDENT)
        for routine in probe.routines:
            yield from _routine(routine, style)
        yield from _scope(probe, style)
        yield ""


def _routine(routine: RoutineReport, style: Style) -> Iterator[str]:
    """One line where nothing was found, what was found and how where something was."""
    yield f"  {_outcome(routine.outcome, style)}  {_sentence(probes.line(routine.title))}"
    yield _wrap(_sentence(probes.line(routine.reason)), style, _INDENT)
    telling = routine.outcome.rank >= ProbeOutcome.SUSPICIOUS.rank or style.verbosity > 0
    for label, text in probes.rows(routine) if telling else ():
        yield _wrap(f"{label}: {probes.line(text)}", style, _INDENT + "  ", hanging="  ")


def _scope(probe: ProbeReport, style: Style) -> Iterator[str]:
    families = dict.fromkeys(family for routine in probe.routines for family in routine.families)
    if families:
        yield _wrap(f"Searched: {', '.join(map(probes.line, families))}", style, "  ", hanging="  ")
    for text in probe.untried[: None if style.verbosity > 0 else 5]:
        yield _wrap(f"Not searched: {probes.line(text)}", style, "  ", hanging="  ")
    if len(probe.untried) > 5 and style.verbosity <= 0:
        yield f"  … and {len(probe.untried) - 5:,} more that was not searched; -v shows all"
    facts = "; ".join(f"{label} {probes.line(text)}" for label, text in probes.facts(probe))
    yield _paint(style, _wrap(facts, style, "  ", hanging="  "), "bright_black")


def _outcome(outcome: ProbeOutcome, style: Style) -> str:
    return _paint(style, probes.word(outcome), _OUTCOMES.get(outcome), bold=outcome in _OUTCOMES)


def _place(finding: Finding) -> str:
    parts = [finding.artifact, *finding.location.members]
    place = " › ".join(part for part in parts if part)
    location = finding.location
    if location.offset is not None:
        place += f", byte {location.offset:,}"
    if location.node:
        place += f", node {shorten(location.node, 80)}"
    if location.line is not None:
        place += f", line {location.line}"
    return place


def _suppressed(report: Report, style: Style) -> Iterator[str]:
    if not report.suppressed:
        return
    yield _paint(style, f"Suppressed: {len(report.suppressed):,}", None, bold=True)
    for entry in report.suppressed[: None if style.verbosity > 0 else 10]:
        until = f" until {entry.expires}" if entry.expires else ""
        text = f"{entry.finding.rule} {entry.finding.artifact}: {entry.reason} (by {entry.by}{until})"
        yield _wrap(text, style, _INDENT)
    yield ""


def _gaps(report: Report) -> list[ArtifactReport]:
    """Files that are not fully analysed, those where code could hide first."""
    incomplete = [artifact for artifact in report.artifacts if artifact.coverage.incomplete]
    return sorted(incomplete, key=lambda artifact: not artifact.coverage.executable_gap)


def _not_analysed(report: Report, style: Style) -> Iterator[str]:
    gaps = _gaps(report)
    if not gaps:
        return
    total = len(report.artifacts)
    yield _paint(style, f"Not fully analysed: {len(gaps):,} of {total:,} {_plural(total, 'file')}", None, bold=True)
    limit = len(gaps) if style.verbosity > 0 else 15
    for artifact in gaps[:limit]:
        mark = _paint(style, "!", "yellow", bold=True) if artifact.coverage.executable_gap else " "
        yield f"  {mark} {_name(report, artifact)}: {_state(artifact)}"
        for reason in artifact.coverage.reasons[: None if style.verbosity > 0 else 3]:
            yield _wrap(reason.message, style, _INDENT + "  ")
        hidden = len(artifact.coverage.reasons) - 3
        if hidden > 0 and style.verbosity <= 0:
            yield f"{_INDENT}  … and {hidden:,} more reasons"
    if len(gaps) > limit:
        yield f"    … and {len(gaps) - limit:,} more files; -v shows all"
    if any(artifact.coverage.executable_gap for artifact in gaps):
        yield _wrap("! = a loader could run code from what was not analysed", style, "  ")
    yield ""


def _signatures(report: Report, style: Style) -> Iterator[str]:
    if not report.signatures:
        return
    yield _paint(style, f"Signatures: {len(report.signatures):,}", None, bold=True)
    for signature in report.signatures[: None if style.verbosity > 0 else 5]:
        covers = f" ({signature.covers})" if signature.covers else ""
        colour = {"verified": "green", "rejected": "red"}.get(signature.state, "yellow")
        yield f"    {signature.path}: {_paint(style, signatures.state(signature), colour, bold=True)}{covers}"
        for label, text in signatures.rows(signature, signatures.day(report.now)):
            yield _wrap(f"{label}: {text}", style, _INDENT + "  ", hanging="  ")
    if len(report.signatures) > 5 and style.verbosity <= 0:
        yield f"    … and {len(report.signatures) - 5:,} more; -v shows all"
    yield ""


def _loaders(report: Report, style: Style) -> Iterator[str]:
    """What each loader would open and run; without -v only where code would run or something bad is opened."""
    telling = [view for view in report.loaders if style.verbosity > 0 or _tells(view)]
    if not telling:
        return
    yield _paint(style, "What loaders would do", None, bold=True)
    limit = len(telling) if style.verbosity > 0 else 6
    for view in telling[:limit]:
        yield from _loader(view, style)
    if len(telling) > limit:
        yield f"    … and {len(telling) - limit:,} more; -v shows all"
    yield ""


def _tells(view: LoaderView) -> bool:
    return bool(view.runs) or any(file.worst in _BAD for file in (*view.opens, *view.fallbacks))


def _loader(view: LoaderView, style: Style) -> Iterator[str]:
    cut = None if style.verbosity > 0 else 4
    yield f"  {view.loader}" + (f" in {view.folder}" if view.folder else "")
    for label, files in (("opens", view.opens), ("or instead", view.fallbacks)):
        shown = [f"{file.path} ({file.worst})" if file.worst in _BAD else file.path for file in files]
        if shown:
            more = f", … {len(shown) - 4:,} more" if cut and len(shown) > cut else ""
            yield _wrap(f"{label}: {', '.join(shown[:cut])}{more}", style, _INDENT)
    for code in view.runs[:cut]:
        when = {"always": "runs", "opened": "runs what is pickled in"}.get(code.when, f"with {code.when} runs")
        missing = "" if code.present else " (not in this target)"
        yield _wrap(f"{when} {code.path}{missing}, by {code.reached_by}", style, _INDENT)
    if view.ignores and style.verbosity > 0:
        yield _wrap(f"ignores: {', '.join(view.ignores)}", style, _INDENT)


def _name(report: Report, artifact: ArtifactReport) -> str:
    if len(report.targets) == 1:
        return artifact.path
    given = next((target.given for target in report.targets if target.id == artifact.target), "")
    return artifact.path if given.endswith(artifact.path) else f"{given}/{artifact.path}"


def _state(artifact: ArtifactReport) -> str:
    names = {
        CoverageState.PARTIAL: "partly analysed",
        CoverageState.NOT_ANALYSED: "not analysed",
        CoverageState.UNREADABLE: "not readable",
    }
    return names.get(artifact.coverage.state, artifact.coverage.state.value)


def _because(artifact: ArtifactReport) -> str:
    return artifact.coverage.reasons[0].message if artifact.coverage.reasons else "no reason given"


def _verdict(report: Report, style: Style) -> Iterator[str]:
    text, colour = _DECISIONS[report.verdict.decision]
    reasons = report.verdict.reasons
    first = reasons[0].message if reasons else ""
    # Wrapped without the colour, whose characters would count.
    wrapped = _wrap(f"{text}  {first}", style, hanging=_INDENT)
    yield _paint(style, text, colour, bold=True) + wrapped.removeprefix(text)
    for reason in reasons[1 : None if style.verbosity > 0 else 4]:
        yield _wrap(reason.message, style, _INDENT)
    if style.verbosity >= 0:
        summary = report.summary
        size = sum(artifact.size for artifact in report.artifacts)
        counts = ", ".join(f"{count:,} {state.replace('_', ' ')}" for state, count in summary.by_coverage.items())
        read = f"{human_bytes(summary.bytes_read)} read of " if summary.bytes_read < size else ""
        files = f"{summary.artifacts:,} {_plural(summary.artifacts, 'file')}"
        known = f"{report.run.recalled:,} known from before, " if report.run.recalled else ""
        policy = report.verdict.policy_name or "default"
        text = f"{files} ({counts or 'none'}), {known}{read}{human_bytes(size)}, policy {policy}"
        yield _paint(style, _wrap(text, style, _INDENT), "bright_black")
        yield from _named(report, style)


def _named(report: Report, style: Style) -> Iterator[str]:
    """By what the targets can be known again, and where the log stands: to be copied, so never wrapped."""
    several = len(report.targets) > 1
    for target in report.targets:
        if target.digest is not None:
            name = f"{target.given}: " if several else ""
            yield _paint(style, f"{_INDENT}{name}digest {target.digest}", "bright_black")
    if report.run.log_head is not None:
        yield _paint(style, f"{_INDENT}log head {report.run.log_head}", "bright_black")


def _plural(count: int, word: str) -> str:
    return word if count == 1 else f"{word}s"


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:]


def _wrap(text: str, style: Style, indent: str = "", *, hanging: str = "") -> str:
    return textwrap.fill(
        text,
        width=style.width,
        initial_indent=indent,
        subsequent_indent=indent + ("     " if text.startswith(("Why: ", "Do:  ")) else hanging),
        break_long_words=False,
        break_on_hyphens=False,
    )


def _paint(style: Style, text: str, colour: str | None, *, bold: bool = False) -> str:
    return click.style(text, fg=colour, bold=bold or None) if style.colour else text
