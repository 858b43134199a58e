"""Second opinions: every entry of a scan once more through the children of an engine, after our own verdict stands.

Nothing that becomes of an engine changes what our own scan found or how complete it was. An engine that is missing,
dies, hangs or gives up is named in a note of the report.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from modelscan_plus.core.coverage import CoverageReason
from modelscan_plus.core.limits import Limits
from modelscan_plus.core.report import Reason
from modelscan_plus.core.text import visible
from modelscan_plus.engines.interface import NOT_LOADED, NOT_READ, Engine
from modelscan_plus.engines.registry import engine
from modelscan_plus.inspection import FileResult
from modelscan_plus.rules.engines import SECOND_OPINION
from modelscan_plus.sources.interface import Entry
from modelscan_plus.workers.supervisor import Outcome, Supervisor, WorkerError, available

_NAMED = 3
"""Files that a note names before it counts the rest."""


@dataclass(slots=True)
class Opinion:
    """What one engine said about the files of a scan."""

    name: str
    version: str | None
    outcomes: list[Outcome]
    fault: str = ""
    """Why there is none, or no further one, "" for no fault."""


def ask(name: str, entries: Iterable[tuple[str, Entry]], limits: Limits, jobs: int) -> Opinion:
    """Ask one engine about every entry; raises nothing that the engine could be the cause of."""
    known = engine(name)
    opinion = Opinion(name, known.version(), [])
    if opinion.version is None:
        opinion.fault = _missing(known)
    elif not available():
        opinion.fault = "it is not run on this system, where it could not be shut in"
    else:
        try:
            with Supervisor(limits, jobs=jobs, engine=name) as supervisor:
                opinion.outcomes += supervisor.run(entries)
        except WorkerError as error:
            opinion.fault = f"its process does not start: {error}"
    return opinion


def _missing(known: Engine) -> str:
    return f'it is not installed here ({known.needs}); pip install "modelscan-plus[{known.extra}]" brings it'


def note(opinion: Opinion) -> Reason:
    """One line about what the engine looked at, and where it has no opinion."""
    title = f"{opinion.name} {opinion.version}" if opinion.version else opinion.name
    if opinion.fault:
        return Reason(SECOND_OPINION.id, f"{title} gives no second opinion: {opinion.fault}")
    reasons = [(outcome, _reason(outcome)) for outcome in opinion.outcomes]
    not_loaded = next((reason for _, reason in reasons if reason is not None and reason.code == NOT_LOADED), None)
    if not_loaded is not None:
        return Reason(SECOND_OPINION.id, f"{title} gives no second opinion: {not_loaded.message}")
    looked = sum(reason is None for _, reason in reasons)
    others = sum(reason is not None and reason.code == NOT_READ for _, reason in reasons)
    failed = [f"{visible(o.path)}: {reason.message}" for o, reason in reasons if reason and reason.code != NOT_READ]
    parts = [f"{title} gave its opinion on {looked:,} of {len(reasons):,} {'file' if len(reasons) == 1 else 'files'}"]
    if others:
        parts.append(f"{others:,} {'holds' if others == 1 else 'hold'} nothing of its kind")
    if failed:
        more = f" and {len(failed) - _NAMED:,} more" if len(failed) > _NAMED else ""
        parts.append(f"it gave up, or did not finish, on {len(failed):,} ({'; '.join(failed[:_NAMED])}{more})")
    return Reason(SECOND_OPINION.id, ", ".join(parts))


def _reason(outcome: Outcome) -> CoverageReason | None:
    """The first reason why the engine has no, or no whole, opinion on a file."""
    if not isinstance(outcome.result, FileResult):
        return outcome.result.reason
    return next(iter(outcome.result.coverage.reasons), None)


def results(opinion: Opinion) -> Iterator[tuple[Outcome, FileResult]]:
    """The files about which the engine said something."""
    for outcome in opinion.outcomes:
        if isinstance(outcome.result, FileResult):
            yield outcome, outcome.result
