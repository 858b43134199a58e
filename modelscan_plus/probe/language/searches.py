"""What a kind of language model adds to the domain: its routines, and what none of them tries."""

from collections.abc import Sequence
from dataclasses import dataclass

from modelscan_plus.probe.interface import Routine


@dataclass(frozen=True, slots=True)
class Searches:
    """One kind's part of a `Subject`."""

    routines: Sequence[Routine] = ()
    untried: tuple[str, ...] = ()
    """Trigger families that no routine searches, each with the reason."""
    facts: tuple[tuple[str, str], ...] = ()
    calibration: str = ""
