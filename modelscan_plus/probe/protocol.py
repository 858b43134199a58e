"""What the parent and the child of a probe say to each other, in the frames of workers/frames.py.

The parent sends one `Ask`, and then the open files in the order in which the `Ask` names them, `BATCH` descriptors
beside one byte each time. The child answers with what is in `Said`, in this order: `Unable`, or `Ready` and then either
one `Claims`, or one `NotOpened`, or one `Plan`, any number of `Progress` and one `Finished` for each routine, and
`Ended`. The parent believes none of it: what is larger, different or in another order ends the conversation.
"""

import json
from typing import Annotated

import msgspec

from modelscan_plus.core.probe import ProbeOutcome, RoutineReport
from modelscan_plus.probe.interface import Spec
from modelscan_plus.workers.frames import ProtocolError

Count = Annotated[int, msgspec.Meta(ge=0, le=1 << 53)]
BATCH = 64
"""Descriptors in one message; Linux takes 253."""


class Named(msgspec.Struct, frozen=True):
    """An open file: its name in its folder, and its size in bytes."""

    name: str
    size: int


class Ask(msgspec.Struct, frozen=True):
    """Parent to child, once."""

    spec: Spec
    domains: tuple[str, ...]
    """As in `registry.DOMAINS`: those that are asked, or those that claimed the model."""
    seconds: float
    """For all of it, after the imports."""
    memory: int
    """Bytes of address space that may be added after the imports."""
    model: tuple[Named, ...]
    label: str = ""
    samples: tuple[Named, ...] | None = None
    references: tuple[tuple[Named, ...], ...] = ()
    reference_labels: tuple[str, ...] = ()
    only_claims: bool = False
    """Say which of the files are models of which domain, and open none."""


class Unable(msgspec.Struct, frozen=True, tag="unable"):
    """Nothing can be probed on this machine: a library or a device is missing."""

    reason: str
    extra: bool = False
    """It is something that the extra `probe` installs."""


class Ready(msgspec.Struct, frozen=True, tag="ready"):
    """The sandbox is closed; these layers hold."""

    layers: tuple[str, ...]


class Claim(msgspec.Struct, frozen=True):
    """One model among the files."""

    artifact: str
    """A file, a folder, or "." for all of it."""
    domains: tuple[str, ...]


class Claims(msgspec.Struct, frozen=True, tag="claims"):
    """The models among the files."""

    models: tuple[Claim, ...]


class NotOpened(msgspec.Struct, frozen=True, tag="not-opened"):
    """The model was refused."""

    reason: str
    outcome: ProbeOutcome


class Planned(msgspec.Struct, frozen=True):
    """A routine that is going to run."""

    name: str
    title: str
    cost: Count


class Plan(msgspec.Struct, frozen=True, tag="plan"):
    """The model is open; this is what comes."""

    kind: str
    routines: tuple[Planned, ...]
    untried: tuple[str, ...]
    facts: tuple[tuple[str, str], ...]
    calibration: str
    versions: tuple[tuple[str, str], ...]


class Progress(msgspec.Struct, frozen=True, tag="progress"):
    """How far the routine at `routine` of the plan is."""

    routine: Count
    what: str
    done: Count
    total: Count


class Finished(msgspec.Struct, frozen=True, tag="finished"):
    """The routine at `routine` of the plan is done."""

    routine: Count
    report: RoutineReport


class Ended(msgspec.Struct, frozen=True, tag="ended"):
    """All routines are done."""


Said = Unable | Ready | Claims | NotOpened | Plan | Progress | Finished | Ended


def understand(body: bytes | bytearray) -> Said:
    """The child's words in a frame's body; raises ProtocolError for anything else."""
    try:
        said: Said = msgspec.convert(json.loads(body), Said)
    except (ValueError, RecursionError, msgspec.ValidationError) as error:
        raise ProtocolError(f"not the words of a probe: {type(error).__name__}") from None
    return said
