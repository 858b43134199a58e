"""Findings and their evidence: what a rule saw, where, and how a person can check it."""

import enum
import hashlib
from collections.abc import Iterable

import msgspec


class Severity(enum.StrEnum):
    """critical: code runs or data leaves on load; high: clearly hostile or exploitable; medium: needs a person."""

    CRITICAL = "critical"
    HIGH = "high"
    MEDIUM = "medium"
    LOW = "low"
    INFO = "info"

    @property
    def rank(self) -> int:
        """4 for critical down to 0 for info."""
        return _RANKS[self]


_RANKS = {name: 4 - position for position, name in enumerate(Severity)}


class Confidence(enum.StrEnum):
    """How sure the rule is that its description of the bytes is right."""

    HIGH = "high"
    MEDIUM = "medium"
    LOW = "low"


class Location(msgspec.Struct, frozen=True):
    """Where in a file: down through archive members, then a byte offset, graph node or line."""

    members: tuple[str, ...] = ()
    offset: int | None = None
    length: int | None = None
    node: str | None = None
    line: int | None = None


class HexWindow(msgspec.Struct, frozen=True):
    """A few bytes around a finding. `mark_start` and `mark_length` are relative to the window's first byte."""

    offset: int
    data: str
    """Hexadecimal digits, two per byte."""
    mark_start: int = 0
    mark_length: int = 0


class OpcodeLine(msgspec.Struct, frozen=True):
    """One disassembled pickle opcode."""

    offset: int
    opcode: str
    argument: str = ""
    marked: bool = False


class PickleEvidence(msgspec.Struct, frozen=True, tag_field="kind", tag="pickle"):
    """An import or call that unpickling would perform."""

    callable: str
    """The dotted name, for example "posix.system"."""
    arguments: str = ""
    """Readable, shortened argument list, without the parentheses."""
    opcode: str = ""
    """The opcode that performs it: REDUCE, BUILD, STACK_GLOBAL, …"""
    import_offset: int | None = None
    """Byte at which the callable was imported."""
    chain: tuple[str, ...] = ()
    """From import to call, one readable step each."""
    disassembly: tuple[OpcodeLine, ...] = ()
    hex: HexWindow | None = None
    program: str | None = None
    """Id of the decompiled program in the report's `programs`."""


class BytesEvidence(msgspec.Struct, frozen=True, tag_field="kind", tag="bytes"):
    """Bytes that speak for themselves."""

    note: str
    hex: HexWindow | None = None


class ComparisonEvidence(msgspec.Struct, frozen=True, tag_field="kind", tag="comparison"):
    """Two accounts of the same thing that disagree, for example local header and central directory."""

    what: str
    left_label: str
    left: str
    right_label: str
    right: str
    hex: HexWindow | None = None


class TextEvidence(msgspec.Struct, frozen=True, tag_field="kind", tag="text"):
    """A name, key or value, shortened."""

    text: str


class GraphNode(msgspec.Struct, frozen=True):
    """One operator of a computation graph, or a run of operators that is shown as one."""

    operator: str
    """What the format calls it; for an input "input", for a run of operators how many they are."""
    role: str
    """"input", "trigger", "gate", "network", "payload", "effect", "rest" or "output"."""
    name: str = ""
    scope: str = ""
    """The functions, branches and loops around it."""
    literal: str = ""
    """Constants among its operands, as text."""


class GraphEvidence(msgspec.Struct, frozen=True, tag_field="kind", tag="graph"):
    """The part of a computation graph between a trigger and what it does."""

    effect: str
    nodes: tuple[GraphNode, ...]
    edges: tuple[tuple[int, int], ...]
    """(from, to) as positions in `nodes`; every edge goes forward."""
    trigger: str = ""
    """What opens the gate, where running the weight-free part of the slice told."""
    cone: str = ""
    """Names everything that the effect is computed from: the same in any graph that has the same part."""
    dormancy: str = ""
    """What the model did on random inputs, where it was run."""


Evidence = PickleEvidence | BytesEvidence | ComparisonEvidence | TextEvidence | GraphEvidence


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """One thing a rule found. Ids, target and fingerprint are filled in when the report is put together."""

    id: str = ""
    rule: str
    slug: str
    title: str
    severity: Severity
    default_severity: Severity
    confidence: Confidence = Confidence.HIGH
    source: str = "self"
    confirmed_by: tuple[str, ...] = ()
    """Engines that object to the same thing, where `--engine` asked them."""
    target: str = ""
    artifact: str = ""
    location: Location = Location()
    message: str
    evidence: Evidence
    remediation: str
    cwe: tuple[str, ...] = ()
    references: tuple[str, ...] = ()
    subject: str = ""
    """What was found, in a form that stays the same when offsets move; it goes into the fingerprint."""
    fingerprint: str = ""

    def sort_key(self) -> tuple[int, str, str, tuple[str, ...], int, str, str]:
        """Worst first, then by place; the same order on every machine."""
        offset = -1 if self.location.offset is None else self.location.offset
        place = (self.target, self.artifact, self.location.members, offset)
        return (-self.severity.rank, *place, self.rule, self.subject)


def fingerprint(rule: str, artifact: str, members: tuple[str, ...], subject: str) -> str:
    """Stable name of a finding across runs and versions: no offset and no version goes in."""
    text = "\0".join((rule, artifact, *members, subject))
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:32]


_PLACES = 5
"""Places of one finding that are named."""


def folded(findings: Iterable[Finding]) -> list[Finding]:
    """The findings, those with one fingerprint as one: the worst and first of them, with how often and where.

    What a baseline takes for one finding is one for the reader too, however often it stands in its file.
    """
    groups: dict[tuple[str, str], list[Finding]] = {}
    for number, finding in enumerate(findings):
        key = finding.fingerprint or str(number)
        groups.setdefault((finding.target, key), []).append(finding)
    return [_one(group) for group in groups.values()]


def _one(group: list[Finding]) -> Finding:
    first = min(group, key=lambda finding: (finding.sort_key(), finding.location.line or 0))
    if len(group) == 1:
        return first
    engines = tuple(dict.fromkeys(name for finding in group for name in finding.confirmed_by))
    places = sorted({finding.location for finding in group}, key=lambda place: (place.line or 0, place.offset or 0))
    shown = [text for place in places if (text := _spoken(place))]
    named = ", ".join(shown[:_PLACES]) + (f" and {len(shown) - _PLACES:,} more" if len(shown) > _PLACES else "")
    where = f" in {len(shown):,} places: {named}" if len(shown) > 1 else f" {len(group):,} times"
    message = f"{first.message.rstrip('.')}; this stands{where}."
    return msgspec.structs.replace(first, message=message, confirmed_by=engines)


def _spoken(place: Location) -> str:
    if place.line is not None:
        return f"line {place.line:,}"
    if place.offset is not None:
        return f"byte {place.offset:,}"
    return place.node or ""
