"""In the child: our parsers find the artifacts of a file, an engine is asked about each, and its words are bounded.

The engine so sees pickles in archives and streams that it could not open itself, under the same `members` as our own
findings, and never more than one budget for the file.
"""

import contextlib
import io
import re
from collections.abc import Iterable

import msgspec

from modelscan_plus.core.artifact import Artifact
from modelscan_plus.core.coverage import Coverage, CoverageReason, CoverageState
from modelscan_plus.core.finding import Finding
from modelscan_plus.core.limits import Limits
from modelscan_plus.core.opinion import Listing, Remark
from modelscan_plus.core.report import Program
from modelscan_plus.core.text import shorten, visible
from modelscan_plus.engines import registry
from modelscan_plus.engines.fickling import BUILTINS
from modelscan_plus.engines.interface import NO_OPINION, NOT_LOADED, NOT_READ, Engine, NoOpinion
from modelscan_plus.inspection import FileResult, Inspector
from modelscan_plus.rules.engines import judge_remark
from modelscan_plus.rules.interface import Context

MAX_REMARKS = 200
"""Remarks about one file that are kept."""
_MAX_LISTINGS = 100
_MAX_ASKED = 2_000
"""Artifacts of one file that an engine is asked about."""


class Examiner:
    """An engine at work in its child."""

    def __init__(self, name: str) -> None:
        """Imports the engine; whatever that raises is kept for the answers."""
        self._engine = registry.engine(name)
        self._fault = ""
        try:
            with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
                self._engine.load()
        except (Exception, SystemExit) as error:
            self._fault = f"it does not start: {_spoken(error)}"

    def inspect(self, artifact: Artifact, limits: Limits) -> FileResult:
        """The engine's findings about the file and everything inside it; raises nothing of the engine's."""
        if self._fault:
            reason = CoverageReason(NOT_LOADED, self._fault)
            return FileResult((), Coverage(CoverageState.NOT_ANALYSED, (reason,)))
        asked = _Asked(self._engine)
        ours = Inspector(limits, asked.about).inspect(artifact)
        unreached = [reason for reason in ours.coverage.reasons if reason.code.startswith(("budget", "timeout"))]
        return asked.result(ours.programs, unreached)


class _Asked:
    """One file's worth of questions and answers."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._asked = 0
        self._findings: list[Finding] = []
        self._listings: dict[tuple[tuple[str, ...], int], Listing] = {}
        self._faults: dict[str, None] = {}

    def about(self, artifact: Artifact, formats: tuple[str, ...]) -> None:
        if not self._engine.reads(artifact, formats):
            return
        self._asked += 1
        if self._asked > _MAX_ASKED:
            self._faults[f"it was asked about the first {_MAX_ASKED:,} parts only"] = None
            return
        output = io.StringIO()
        try:
            with contextlib.redirect_stdout(output), contextlib.redirect_stderr(output):
                for said in self._engine.examine(artifact, formats):
                    self._keep(artifact, said)
                    output.seek(0)
                    output.truncate()
        except (Exception, SystemExit) as error:
            self._faults[_spoken(error)] = None

    def _keep(self, artifact: Artifact, said: Remark | Listing) -> None:
        if isinstance(said, Listing):
            if len(self._listings) < _MAX_LISTINGS:
                self._listings[artifact.members, said.offset] = said
        elif len(self._findings) < MAX_REMARKS:
            self._findings += judge_remark(said, Context(artifact))
        else:
            self._faults[f"its first {MAX_REMARKS} remarks are kept"] = None

    def result(self, programs: Iterable[Program], unreached: Iterable[CoverageReason]) -> FileResult:
        """Findings with the engine as source, and our own programs that have a listing of the engine's, without lines.

        `unreached` says what our own parsers did not get to, and the engine therefore neither.
        """
        faults = [*self._faults, *(f"not reached: {reason.message}" for reason in unreached)]
        state, reasons = CoverageState.ANALYSED, tuple(CoverageReason(NO_OPINION, fault) for fault in faults)
        if reasons:
            state = CoverageState.PARTIAL
        elif not self._asked:
            state, reasons = CoverageState.NOT_ANALYSED, (CoverageReason(NOT_READ, "nothing of its kind"),)
        agreeing = [
            msgspec.structs.replace(program, lines=(), second_listing=listing.lines)
            for program in programs
            if (listing := self._listings.get((program.members, program.offset))) and _agrees(program, listing)
        ]
        return FileResult((), Coverage(state, reasons[:10]), tuple(self._findings), tuple(agreeing))


_IMPORT = re.compile(r"from (\S+) import (\S+)")


def _agrees(program: Program, listing: Listing) -> bool:
    """True when both decompilers see the same imports; harmless lines that we leave out may stand in the other."""
    found = (_IMPORT.fullmatch(line.code) for line in program.lines)
    ours = {f"{match[1]}.{match[2]}" for match in found if match and match[1] not in BUILTINS}
    return ours <= listing.imports and (program.omitted > 0 or listing.imports <= ours)


def _spoken(error: BaseException) -> str:
    text = shorten(" ".join(visible(str(error)).split()), 160)
    if isinstance(error, NoOpinion):
        return text
    return f"{type(error).__name__}: {text}" if text else type(error).__name__
