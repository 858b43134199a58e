"""What a domain, a routine and the runner know of each other.

A domain (images, tables, language) claims a model's files, opens it as a `Subject` and gives its routines. A routine
is one way to search; adding one is one file and one line in its domain. The runner (modelscan_plus/probe/run.py) goes
through them in order, inside the sandboxed child, and gives every finished report to the parent at once, so that an
interrupt or a death loses only the routine that was under way.
"""

import enum
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import msgspec

from modelscan_plus.core.probe import ProbeOutcome, RoutineReport
from modelscan_plus.probe.files import ModelFiles


class Budget(enum.StrEnum):
    """How long to search, counted in steps: the same on every machine."""

    QUICK = "quick"
    STANDARD = "standard"
    DEEP = "deep"

    def exceeds(self, other: "Budget") -> bool:
        """Whether it searches longer. A longer search gets further in honest models too, so nothing that it finds is
        flagged by a table of a shorter one; what a shorter search finds counts for no more than it should."""
        budgets = list(Budget)
        return budgets.index(self) > budgets.index(other)


class Spec(msgspec.Struct, frozen=True):
    """What the user asked for; it goes to the child as JSON."""

    budget: Budget = Budget.STANDARD
    seed: int = 0
    device: str = "cpu"
    """"cpu" or "cuda"."""


Tell = Callable[[str, int, int], None]
"""`tell(what, done, total)`: what is being done (a class, a stage), and how far, in steps. Cheap; call it often."""


def silent(what: str, done: int, total: int) -> None:
    """A `Tell` that tells nobody."""


class NotProbed(Exception):
    """The model (or an input beside it) cannot be probed; it becomes the report's outcome and reason."""

    def __init__(self, reason: str, outcome: ProbeOutcome = ProbeOutcome.INCONCLUSIVE) -> None:
        super().__init__(reason)
        self.reason = reason
        self.outcome = outcome


class Routine(Protocol):
    """One way to search, bound to an open model."""

    name: str
    title: str

    def missing(self) -> str:
        """Why it cannot run here ("needs samples"), "" when it can; it is then reported as not applicable."""

    def cost(self) -> int:
        """Steps that it will take at most, for the progress bar."""

    def run(self, tell: Tell) -> RoutineReport:
        """Search. May raise NotProbed; anything else is our fault and becomes inconclusive."""


@dataclass(frozen=True, slots=True)
class Subject:
    """An open model with the routines that fit it."""

    kind: str
    """As in `ProbeReport.kind`."""
    routines: Sequence[Routine]
    untried: tuple[str, ...] = ()
    facts: tuple[tuple[str, str], ...] = ()
    calibration: str = ""
    versions: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Job:
    """All that a domain is given. Every file in it is already open; none can be opened later."""

    spec: Spec
    model: ModelFiles
    samples: ModelFiles | None = None
    """A file of samples, or the files of a folder of images."""
    references: Sequence[ModelFiles] = field(default_factory=tuple)


class Domain(Protocol):
    """A kind of model."""

    name: str

    def claims(self, files: ModelFiles) -> bool:
        """Whether these files are its kind, by names and first bytes."""

    def preload(self) -> None:
        """Import what it will need; the sandbox lets no file be opened afterwards. Raises ImportError."""

    def open(self, job: Job) -> Subject:
        """Read the model. Raises NotProbed."""
