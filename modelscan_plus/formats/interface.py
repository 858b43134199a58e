"""The interface of a format, and what parsing returns.

`claims` looks at content only (law 2); every format that claims the bytes is parsed. `parse` turns bytes into
facts: typed, free of judgement, with byte offsets. It must not raise on hostile bytes: what is malformed becomes
a fact or a coverage reason. `BudgetExceeded` may be raised at any point; facts that should survive it belong
into `Parsed` objects already returned, so parsers with much to say catch it and return what they have.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterable

import msgspec

from modelscan_plus.core.artifact import Artifact
from modelscan_plus.core.coverage import CoverageReason
from modelscan_plus.core.facts import Facts
from modelscan_plus.core.limits import Budget
from modelscan_plus.formats.summaries import Summary

HEAD = 4096
"""Bytes of the start that `claims` is given."""
TAIL = 65_557
"""Bytes of the end that `claims` is given: a zip's end record with the longest comment."""


class View(msgspec.Struct, frozen=True):
    """What `claims` may look at without reading more."""

    artifact: Artifact
    head: bytes
    tail: bytes


class Region(msgspec.Struct, frozen=True):
    """Bytes `[start, start + length)` that the format accounts for."""

    start: int
    length: int
    kind: str
    """"structure" (interpreted), "nested" (handed on as an artifact) or "inert" (raw data no loader interprets)."""


class Parsed(msgspec.Struct, frozen=True):
    """One format's account of an artifact."""

    facts: tuple[Facts, ...] = ()
    regions: tuple[Region, ...] = ()
    """What `facts` were read from; bytes in no region of any claiming format are reported as unaccounted for."""
    nested: Iterable[Artifact] = ()
    """Artifacts inside; may be lazy, and may raise `BudgetExceeded` while it is consumed."""
    gaps: tuple[CoverageReason, ...] = ()
    """What could not be read although a loader would interpret it."""
    summaries: tuple[Summary, ...] = ()
    """What rules over the whole tree need to know about the artifact (formats/summaries.py)."""
    skipped: tuple[CoverageReason, ...] = ()
    """What of a remote file was left unread because no loader interprets it: stated, and no gap."""
    variant: str = ""
    """One of the format's `variants`, where the content shows which it is; it then stands for the format's name."""


class Format(ABC):
    """One way to read bytes."""

    name: str
    """As in the report's `formats`: "pickle", "torch-zip", …"""
    title: str
    """For people."""
    extensions: tuple[str, ...]
    """Lower-case file name endings under which this content is expected, with the dot."""
    variants: tuple[str, ...] = ()
    """More exact names that parsing may find: a zip can be a "torch-zip"."""
    executable: bool
    """True when a loader of this format can run code from the file."""
    fallback: bool = False
    """True for a format that is only asked when no other one claims the bytes."""
    description: str
    """What is read, which loaders interpret it, what is out of reach; Markdown, for the generated docs."""

    @abstractmethod
    def claims(self, view: View) -> bool:
        """True when some real loader would take these bytes for this format."""

    def extents(self, view: View) -> list[tuple[int, int]]:
        """The half-open ranges of bytes that a claim is about; parts of all for what may stand among other bytes."""
        return [(0, view.artifact.source.size)]

    @abstractmethod
    def parse(self, artifact: Artifact, budget: Budget) -> Iterable[Parsed]:
        """Read the artifact. Usually one `Parsed`; several where parts should survive a later budget breach."""
