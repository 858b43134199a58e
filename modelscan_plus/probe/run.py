"""The parent's side of a probe: a child that picks the domain, a child that runs it, and one report whatever happens.

Both children are sandboxed like those of the scan (workers/sandbox.py) and are handed open files. The first one knows
no heavy library and only says which files are models of which domain; the second one imports what that domain needs
before its sandbox closes. It gives every finished report at once, so that its death, its deadline or an interrupt loses
only the routine that was under way.
"""

import selectors
import socket
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from modelscan_plus.core.coverage import CoverageReason
from modelscan_plus.core.errors import MissingExtra, ModelscanPlusError, UsageError
from modelscan_plus.core.probe import ProbeOutcome, ProbeReport, RoutineReport
from modelscan_plus.core.text import shorten
from modelscan_plus.probe import child, combine, registry
from modelscan_plus.probe.gather import OpenFiles, describe
from modelscan_plus.probe.interface import Budget, Spec
from modelscan_plus.probe.protocol import (
    BATCH,
    Ask,
    Claim,
    Claims,
    Ended,
    Finished,
    NotOpened,
    Plan,
    Progress,
    Ready,
    Said,
    Unable,
    understand,
)
from modelscan_plus.probe.tidy import LINE, lines, pairs, tidy
from modelscan_plus.workers.frames import HEADER, ProtocolError, encode, frame_length
from modelscan_plus.workers.process import ChildProcess

SECONDS = {Budget.QUICK: 900.0, Budget.STANDARD: 3_600.0, Budget.DEEP: 4 * 3_600.0}
"""Deadline of one model by budget, where the user names none. Budgets count steps; this only ends what hangs."""
MEMORY = 4 << 30
"""Bytes that a probe may take, beside `PER_BYTE` for each byte of the model's files, and at most `MOST_MEMORY`."""
PER_BYTE = 4
MOST_MEMORY = 32 << 30
_STARTUP = 180.0
"""Seconds that the imports may take on a busy machine."""
_PICKING = 60.0
_PICKING_MEMORY = 1 << 30
_TICK = 0.25
"""Seconds between two looks at the clock; a deadline is kept within it."""
_CHUNK = 1 << 20
_ROUTINES = 64
_GPU_STARTUP = 300.0
_NONSENSE = "the process that ran it gave no valid answer"


@dataclass(frozen=True, slots=True)
class Glimpse:
    """How far a probe is."""

    artifact: str
    routine: str
    """Its title; "" while the model is being opened."""
    number: int
    of: int
    what: str
    share: float
    """Of all steps, 0 to 1."""


Watch = Callable[[Glimpse], None]


@dataclass(frozen=True, slots=True)
class Probed:
    """One model's report."""

    report: ProbeReport
    broke: CoverageReason | None = None
    """Set where the child ended otherwise than by itself."""
    layers: tuple[str, ...] = ()
    interrupted: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Setup:
    """What all models of one run have in common."""

    spec: Spec
    samples: OpenFiles | None = None
    references: Sequence[OpenFiles] = ()
    seconds: float | None = None
    memory: int | None = None
    watch: Watch | None = None

    def bounds(self, model: OpenFiles) -> tuple[float, int]:
        """Seconds and bytes for one model."""
        paid = MEMORY + PER_BYTE * (model.size + sum(reference.size for reference in self.references))
        return self.seconds or SECONDS[self.spec.budget], self.memory or min(paid, MOST_MEMORY)


class ProbeFailed(ModelscanPlusError):
    """The child does not even start (exit 5)."""


class _Broken(Exception):
    """The child is lost; `code` and `text` say how."""

    def __init__(self, code: str, text: str) -> None:
        super().__init__(text)
        self.code = code
        self.text = text


@dataclass(frozen=True, slots=True)
class Picked:
    """The models among some files."""

    models: Sequence[Claim]
    broke: CoverageReason | None = None
    """Set where the child that looked for them was lost; there are none then."""


def pick(model: OpenFiles) -> Picked:
    """The models among the files, each with the domains that claim it."""
    ask = Ask(Spec(), registry.DOMAINS, _PICKING, _PICKING_MEMORY, tuple(model.names), model.label, only_claims=True)
    with _Talk(ask, [model]) as talk:
        try:
            talk.ready(_STARTUP)
            said = talk.hear()
            known = {file.name for file in model.names}
            if not isinstance(said, Claims) or not all(_is_there(claim, known) for claim in said.models):
                raise _Broken("protocol", _NONSENSE)
        except _Broken as error:
            return Picked((), CoverageReason(f"probe-{error.code}", error.text, executable=True))
    return Picked(said.models[: child.MODELS])


def probe(model: OpenFiles, claim: Claim, setup: Setup) -> Probed:
    """Run all routines on one model. Raises `UsageError` where a library or a device is missing; hostile bytes raise
    nothing."""
    seconds, memory = setup.bounds(model)
    part = model.part(claim.artifact)
    ask = Ask(
        setup.spec,
        claim.domains,
        seconds,
        memory,
        tuple(part.names),
        part.label,
        samples=tuple(setup.samples.names) if setup.samples is not None else None,
        references=tuple(tuple(reference.names) for reference in setup.references),
        reference_labels=tuple(reference.label for reference in setup.references),
    )
    given = [part, *([setup.samples] if setup.samples is not None else []), *setup.references]
    run = _Run(claim.artifact, setup)
    broke: CoverageReason | None = None
    interrupted = False
    with _Talk(ask, given) as talk:
        try:
            talk.ready(_GPU_STARTUP if setup.spec.device == "cuda" else _STARTUP)
            run.listen(talk)
        except _Broken as error:
            broke = CoverageReason(f"probe-{error.code}", error.text, executable=True)
        except KeyboardInterrupt:
            broke = CoverageReason("probe-interrupted", "interrupted before it was done")
            interrupted = True
        layers = talk.layers
    if broke is None and part.changed():
        broke = CoverageReason("probe-changed", "the model changed while it was probed", executable=True)
    return Probed(run.report(broke), broke, layers, interrupted)


def nothing_picked(broke: CoverageReason | None, setup: Setup) -> ProbeReport:
    """The report on files among which no model was found."""
    return ProbeReport(
        target="",
        artifact=".",
        kind="unknown",
        outcome=ProbeOutcome.NOT_APPLICABLE if broke is None else ProbeOutcome.INCONCLUSIVE,
        reason="there is no model here that a probe knows" if broke is None else broke.message,
        budget=setup.spec.budget.value,
        seed=setup.spec.seed,
        device=setup.spec.device,
    )


@dataclass(slots=True)
class _Run:
    """What the child said so far about one model."""

    artifact: str
    setup: Setup
    plan: Plan | None = None
    refused: NotOpened | None = None
    reports: list[RoutineReport] = field(default_factory=list)

    def listen(self, talk: "_Talk") -> None:
        """Until the child is done. Raises `_Broken`."""
        self._show(0, "opening the model", 0.0)
        said = talk.hear()
        if isinstance(said, NotOpened):
            self.refused = said
            return
        if not isinstance(said, Plan) or len(said.routines) > _ROUTINES:
            raise _Broken("protocol", _NONSENSE)
        self.plan = said
        self._show(0, "", 0.0)
        while not isinstance(said := talk.hear(), Ended):
            self._take(said, said_plan=self.plan)
        if len(self.reports) != len(self.plan.routines):
            raise _Broken("protocol", "the process that ran it left routines out")

    def _take(self, said: Said, said_plan: Plan) -> None:
        at = len(self.reports)
        if not isinstance(said, Progress | Finished) or said.routine != at or at >= len(said_plan.routines):
            raise _Broken("protocol", _NONSENSE)
        if isinstance(said, Progress):
            self._show(at, said.what, min(1.0, max(0.0, said.done / said.total)) if said.total > 0 else 0.0)
            return
        if said.report.routine != said_plan.routines[at].name:
            raise _Broken("protocol", "the process that ran it answered for another routine")
        try:
            self.reports.append(tidy(said.report))
        except ValueError as error:
            raise _Broken("protocol", f"the process that ran it gave {error}") from None
        self._show(at + 1, "", 0.0)

    def _show(self, at: int, what: str, share: float) -> None:
        if self.setup.watch is None:
            return
        routines = self.plan.routines if self.plan is not None else ()
        costs = [max(1, routine.cost) for routine in routines]
        done = sum(costs[:at]) + (costs[at] * share if at < len(costs) else 0.0)
        title = routines[at].title if at < len(routines) else ""
        whole = done / sum(costs) if costs else 0.0
        self.setup.watch(Glimpse(self.artifact, title, min(at + 1, len(routines)), len(routines), what, whole))

    def report(self, broke: CoverageReason | None) -> ProbeReport:
        """The report on as much as was done."""
        spec = self.setup.spec
        plan = self.plan or Plan("unknown", (), (), (), "", ())
        routines = combine.combine(self.reports)
        if broke is not None:
            routines += tuple(self._unfinished(broke))
        if self.refused is not None:
            outcome, reason = self.refused.outcome, self.refused.reason
        elif self.plan is None:
            outcome, reason = ProbeOutcome.INCONCLUSIVE, broke.message if broke is not None else ""
        else:
            outcome, reason = combine.overall(routines)
        if broke is not None and outcome.rank <= ProbeOutcome.INCONCLUSIVE.rank:
            # What was found stands; that nothing was found by a part of the routines says less than it seems.
            outcome, reason = ProbeOutcome.INCONCLUSIVE, broke.message
        return ProbeReport(
            target="",
            artifact=self.artifact,
            kind=shorten(plan.kind, 40),
            outcome=outcome,
            reason=shorten(reason, LINE),
            routines=routines,
            untried=lines(plan.untried, 64),
            facts=(*pairs(plan.facts, 64), *describe(self.setup.samples, self.setup.references)),
            budget=spec.budget.value,
            seed=spec.seed,
            device=spec.device,
            calibration=shorten(plan.calibration, LINE),
            versions=pairs(plan.versions, 32),
        )

    def _unfinished(self, broke: CoverageReason) -> Sequence[RoutineReport]:
        planned = self.plan.routines[len(self.reports) :] if self.plan is not None else ()
        return [
            RoutineReport(
                routine=shorten(routine.name, LINE),
                title=shorten(routine.title, LINE),
                outcome=ProbeOutcome.INCONCLUSIVE,
                reason=broke.message if place == 0 else f"not begun: {broke.message}",
            )
            for place, routine in enumerate(planned)
        ]


class _Talk:
    """A running child and the conversation with it."""

    def __init__(self, ask: Ask, files: Sequence[OpenFiles]) -> None:
        self.layers: tuple[str, ...] = ()
        self._ask = ask
        self._files = files
        self._heard = bytearray()
        self._deadline = 0.0
        # The child that picks the models among the files has a limit of its own, which no option changes.
        self._limit = f"{ask.seconds:g} s" + ("" if ask.only_claims else " (--deadline)")
        self._selector = selectors.DefaultSelector()

    def __enter__(self) -> "_Talk":
        try:
            self._process = ChildProcess(child.MODULE, child.ENVIRONMENT)
        except OSError as error:
            raise ProbeFailed(f"no child process could be started: {error}") from error
        self._selector.register(self._process.channel, selectors.EVENT_READ)
        return self

    def __exit__(self, *_: object) -> None:
        self._selector.close()
        self._process.kill()

    def ready(self, seconds: float) -> None:
        """Hand everything over and wait for the sandbox. Raises `_Broken`, `UsageError` and `ProbeFailed`."""
        self._deadline = time.monotonic() + seconds
        try:
            self._send()
            said = self.hear()
        except OSError as error:
            raise ProbeFailed(f"the child process of the probe ended at its start{self._end()}") from error
        except _Broken as error:
            raise ProbeFailed(f"the child process of the probe did not start: {error.text}") from error
        if isinstance(said, Unable):
            reason = shorten(said.reason, 200)
            raise MissingExtra(f"probe ({reason} is missing)", "probe") if said.extra else UsageError(reason)
        if not isinstance(said, Ready):
            raise ProbeFailed("the child process of the probe gave no valid answer")
        self.layers = said.layers
        self._deadline = time.monotonic() + self._ask.seconds

    def hear(self) -> Said:
        """What the child says next; raises `_Broken` when it says nothing in time, nonsense, or nothing ever."""
        while True:
            if time.monotonic() >= self._deadline:
                raise _Broken("timeout", f"not finished within {self._limit}; it was ended")
            if (said := self._next()) is not None:
                return said
            if not self._selector.select(_TICK):
                continue
            try:
                part = self._process.channel.recv(_CHUNK)
            except OSError:
                part = b""
            if not part:
                raise _Broken("crashed", f"the process that ran it died{self._end()}")
            self._heard += part

    def _next(self) -> Said | None:
        try:
            if len(self._heard) < HEADER.size:
                return None
            end = HEADER.size + frame_length(self._heard)
            if len(self._heard) < end:
                return None
            body = self._heard[HEADER.size : end]
            del self._heard[:end]
            return understand(body)
        except ProtocolError:
            raise _Broken("protocol", _NONSENSE) from None

    def _end(self) -> str:
        self._selector.unregister(self._process.channel)
        how = self._process.kill()
        return f" ({how})" if how else ""

    def _send(self) -> None:
        channel = self._process.channel
        channel.setblocking(True)
        channel.settimeout(_STARTUP)
        channel.sendall(encode(self._ask))
        descriptors = [descriptor for files in self._files for descriptor in files.descriptors]
        for start in range(0, len(descriptors), BATCH):
            socket.send_fds(channel, [b"\0"], descriptors[start : start + BATCH])
        channel.setblocking(False)


def _is_there(claim: Claim, known: set[str]) -> bool:
    """A child may name only what it was given."""
    named = claim.artifact == "." or claim.artifact in known or any(n.startswith(f"{claim.artifact}/") for n in known)
    return named and bool(claim.domains) and set(claim.domains) <= set(registry.DOMAINS)
