"""From one file to its findings: identify, parse, judge, go down. Runs in the sandboxed child.

This is the middle of the way of the data (DESIGN: formats → facts → rules); sources stand before it, policy and
outputs behind it.
"""

from collections.abc import Callable

import msgspec

from modelscan_plus.core.artifact import Artifact
from modelscan_plus.core.bytesource import BytesSource, ReadFailed, SliceSource, end_of_zeros
from modelscan_plus.core.coverage import Coverage, CoverageReason, CoverageState
from modelscan_plus.core.facts import Facts
from modelscan_plus.core.finding import Finding
from modelscan_plus.core.limits import Budget, BudgetExceeded, Limits
from modelscan_plus.core.report import Program
from modelscan_plus.core.text import visible
from modelscan_plus.formats import hidden, kinds, registry
from modelscan_plus.formats.identity import IdentityFacts, UnaccountedFacts, unexplained
from modelscan_plus.formats.interface import HEAD, TAIL, Format, Parsed, Region, View
from modelscan_plus.formats.manifests.lfs import read_pointer
from modelscan_plus.formats.native import NATIVE, read_native
from modelscan_plus.formats.summaries import MAX_SUMMARIES, RawNumbers, Stated
from modelscan_plus.formats.tensors.numbers import number_type
from modelscan_plus.rules import registry as rules_registry
from modelscan_plus.rules.interface import JUDGES, Context
from modelscan_plus.rules.native import explained
from modelscan_plus.trust.hashing import hash_source

assert rules_registry.FAMILIES is not None  # importing the registry is what registers the judges

Listener = Callable[[Artifact, tuple[str, ...]], None]
_NO_MEMORY = "needs more memory than one file is given"
_MAX_MEMBERS = 100_000
_REMOTE_TAIL = 512
"""Bytes of the end that are fetched of a remote file whose name and first bytes agree on a format without code."""
_SNIFF_GAPS = 64
"""Unaccounted ranges that are looked at one by one; more of them are one range to the reader anyway."""


class FileResult(msgspec.Struct, frozen=True):
    """What the child says about one file."""

    formats: tuple[str, ...]
    coverage: Coverage
    findings: tuple[Finding, ...] = ()
    programs: tuple[Program, ...] = ()
    sha256: str | None = None
    dropped_findings: int = 0
    summaries: tuple[Stated, ...] = ()
    """For the rules that look at the whole tree."""
    signature: str = ""
    """JSON of a trust.examiner.Answer, from a child that verifies signatures."""


class _Parts(msgspec.Struct):
    """What parsing an artifact gave so far, whichever format it was."""

    regions: list[Region] = msgspec.field(default_factory=list)
    variants: dict[str, str] = msgspec.field(default_factory=dict)
    parsed: set[str] = msgspec.field(default_factory=set)
    members: dict[int, int] = msgspec.field(default_factory=dict)
    """Where artifacts that stand in this one unchanged begin and end."""

    def note(self, artifact: Artifact, nested: Artifact) -> None:
        """Remember a member that is a range of the artifact's own bytes."""
        source = nested.source
        if isinstance(source, SliceSource) and source.parent is artifact.source and len(self.members) < _MAX_MEMBERS:
            self.members[source.start] = source.start + source.size

    def __contains__(self, extent: tuple[int, int]) -> bool:
        """True when a member begins where `extent` does and holds all of it: it is inspected there, as what it is."""
        start, stop = extent
        return self.members.get(start, -1) >= stop


class Inspector:
    """Inspects one top-level file with one budget."""

    def __init__(self, limits: Limits, listener: Listener | None = None) -> None:
        """`listener` is told of every artifact on the way down, with the formats that claim it."""
        self.budget = Budget(limits)
        self._listener = listener
        self.findings: list[Finding] = []
        self.programs: list[Program] = []
        self.summaries: list[Stated] = []
        self.gaps: dict[CoverageReason, None] = {}
        self.unread: dict[CoverageReason, None] = {}
        self.skipped: dict[CoverageReason, None] = {}
        self.names: tuple[str, ...] = ()
        """Formats of the file itself, known even when reading it ends early."""
        self.dropped = 0

    def inspect(self, artifact: Artifact, *, sha256: bool = False) -> FileResult:
        """Inspect `artifact` and everything inside it."""
        formats: tuple[str, ...] = ()
        digest: str | None = None
        try:
            formats = self._inspect(artifact)
        except BudgetExceeded as breach:
            self._gap(artifact, breach.code, breach.message)
        except MemoryError:
            self._gap(artifact, "memory", _NO_MEMORY)
        except OSError as error:
            code = error.code if isinstance(error, ReadFailed) else "read-error"
            self._gap(artifact, code, f"reading failed: {error.strerror or error}")
            formats = self.names
        if sha256:
            digest = self._hash(artifact)
        self._keep_the_worst(self.budget.limits.max_findings)
        if self.dropped:
            # A policy may set aside all that is kept, and must not let in what it was never shown.
            self._gap(artifact, "more-findings", f"{self.dropped:,} further findings are counted, not listed")
        return FileResult(
            formats=formats,
            coverage=self._coverage(artifact, formats),
            findings=tuple(self.findings),
            programs=tuple(self.programs),
            sha256=digest,
            dropped_findings=self.dropped,
            summaries=tuple(self.summaries),
        )

    def _inspect(self, artifact: Artifact) -> tuple[str, ...]:
        source = artifact.source
        head = source.pread(0, HEAD)
        if len(head) < min(HEAD, source.size):
            self._gap(artifact, "malformed", "there is less data than its archive promises")
            artifact = msgspec.structs.replace(artifact, source=BytesSource(head))
            source = artifact.source
        if artifact.payload and not registry.begins_like_something(head):
            if self._listener is not None:
                self._listener(artifact, ())
            return ()
        # Nothing looks for an end in a payload, and a checkpoint has thousands of them.
        tail = head if source.size <= HEAD or artifact.payload else self._tail(artifact, head)
        view = View(artifact=artifact, head=head, tail=tail)
        claiming = registry.claiming(view)
        kind = None if claiming else kinds.recognise(head)
        names = tuple(known.name for known in claiming) or ((kind.name,) if kind else ())
        if self._listener is not None:
            self._listener(artifact, names)
        if not artifact.members:
            self.names = names
        parts = _Parts()
        extents = {known.name: known.extents(view) for known in claiming}
        for known in sorted(claiming, key=lambda known: min(extents[known.name])):
            if any(extent not in parts for extent in extents[known.name]):
                self._parse(known, artifact, parts)
        claiming = [known for known in claiming if known.name in parts.parsed]
        self._judge(
            artifact,
            IdentityFacts(
                name=artifact.name,
                claimed=tuple(known.name for known in claiming),
                executable=tuple(known.name for known in claiming if known.executable),
                kind=kind.name if kind else "",
                expected=registry.expected(artifact.name),
            ),
        )
        if not claiming:
            if not artifact.payload:
                self._search(artifact, 0, source.size, text=kind is not None and kind.name == "text")
            if not self._native(artifact, kind):
                self._not_analysed(artifact, kind)
            return names
        self._account(artifact, parts.regions)
        return tuple(parts.variants.get(known.name, known.name) for known in claiming)

    def _parse(self, known: Format, artifact: Artifact, parts: "_Parts") -> None:
        """Run one format over the artifact; its budget breaches end it, not the other formats' turn."""
        parts.parsed.add(known.name)
        try:
            for parsed in known.parse(artifact, self.budget):
                parts.regions += parsed.regions
                if parsed.variant:
                    parts.variants[known.name] = parsed.variant
                for reason in parsed.gaps:
                    self.gaps[self._placed(artifact, reason)] = None
                self._summarise(artifact, parsed)
                for reason in parsed.skipped:
                    self.skipped[self._placed(artifact, reason)] = None
                for facts in parsed.facts:
                    self._judge(artifact, facts)
                for nested in parsed.nested:
                    parts.note(artifact, nested)
                    self._descend(nested)
        except BudgetExceeded as breach:
            self._gap(artifact, breach.code, breach.message)
            parts.regions.append(Region(0, artifact.source.size, "structure"))
        except MemoryError:
            self._gap(artifact, "memory", _NO_MEMORY)
            parts.regions.append(Region(0, artifact.source.size, "structure"))

    def _summarise(self, artifact: Artifact, parsed: Parsed) -> None:
        room = MAX_SUMMARIES - len(self.summaries)
        if len(parsed.summaries) > room:
            self._gap(artifact, "more-summaries", "too many parts for the rules that look at the whole tree")
        self.summaries += [Stated(artifact.members, summary) for summary in parsed.summaries[:room]]

    def _tail(self, artifact: Artifact, head: bytes) -> bytes:
        """The end of the file, where a zip would have its directory; of a remote one no more than it takes."""
        source, length = artifact.source, TAIL
        if source.remote:
            view = View(artifact=artifact, head=head, tail=b"")
            expected = registry.expected(artifact.name)
            claiming = [known for known in registry.FORMATS if known.name in expected and known.claims(view)]
            if claiming and (artifact.members or not any(known.executable for known in claiming)):
                length = 0 if artifact.members else _REMOTE_TAIL
                end = f"of its end only {length} bytes were" if length else "its end was not"
                message = f"{end} looked at for an archive behind the data"
                self.skipped[self._placed(artifact, CoverageReason("remote-tail", message))] = None
        return source.pread(max(0, source.size - length), length)

    def _descend(self, artifact: Artifact) -> None:
        limit = self.budget.limits.max_depth
        if artifact.depth > limit:
            self._gap(artifact, "budget-depth", f"nested more than {limit} levels deep")
            return
        self.budget.check_time()
        self._inspect(artifact)

    def _judge(self, artifact: Artifact, facts: Facts) -> None:
        limit = self.budget.limits.max_findings
        context = Context(artifact, programs=self.programs, room=limit - len(self.findings))
        for judge in JUDGES.get(type(facts), ()):
            for finding in judge(facts, context):
                self.findings.append(finding)
                if len(self.findings) >= 2 * limit:
                    self._keep_the_worst(limit)
        self.dropped += context.dropped
        for reason in context.gaps:
            self.gaps[self._placed(artifact, reason)] = None

    def _keep_the_worst(self, limit: int) -> None:
        self.findings.sort(key=Finding.sort_key)
        self.dropped += max(0, len(self.findings) - limit)
        del self.findings[limit:]

    def _account(self, artifact: Artifact, regions: list[Region]) -> None:
        size = artifact.source.size
        for start, stop in unexplained(regions, size)[:_SNIFF_GAPS]:
            position = "prefix" if start == 0 else "tail" if stop == size else "gap"
            zeros = end_of_zeros(artifact.source, start, stop) == stop
            kind = None if zeros else kinds.recognise(artifact.source.pread(start, min(HEAD, stop - start)))
            self._judge(
                artifact,
                UnaccountedFacts(
                    start=start,
                    length=stop - start,
                    position=position,
                    zeros=zeros,
                    kind=kind.name if kind else "",
                    executable=bool(kind and kind.executable),
                ),
            )
            if not zeros and not artifact.payload:
                self._search(artifact, start, stop)

    def _search(self, artifact: Artifact, start: int, stop: int, *, text: bool = False) -> None:
        """Inspect what begins somewhere in bytes that no format explains."""
        try:
            for found in hidden.find(artifact, start, stop, self.budget, text=text):
                self._descend(found)
        except BudgetExceeded as breach:
            self._gap(artifact, breach.code, breach.message)

    def _hash(self, artifact: Artifact) -> str | None:
        """The digest, whatever became of the analysis: the name of what was not analysed is wanted most."""
        try:
            return hash_source(artifact.source)
        except OSError as error:
            self._gap(artifact, "read-error", f"reading failed: {error.strerror or error}")
            return None

    def _native(self, artifact: Artifact, kind: kinds.Kind | None) -> bool:
        """Look at machine code; True where it is known why it is no gap."""
        if kind is None or kind.name not in NATIVE:
            return False
        facts = read_native(artifact.source, kind.name)
        self._judge(artifact, facts)
        reason = explained(facts, artifact.members)
        if reason is not None:
            self.skipped[self._placed(artifact, reason)] = None
        return reason is not None

    def _not_analysed(self, artifact: Artifact, kind: kinds.Kind | None) -> None:
        if artifact.payload or artifact.source.size == 0:
            return
        executable = kind.executable if kind and kind.name != "text" else kinds.runs(artifact.name)
        if kind and kind.name == "lfs-pointer" and (pointer := read_pointer(artifact.source.pread(0, HEAD))):
            self.summaries.append(Stated(artifact.members, pointer))
        if kind is None and not artifact.members and (numbers := number_type(artifact.source)):
            self.summaries.append(Stated((), RawNumbers(numbers)))
        code = kind.name if kind and kind.name == "lfs-pointer" else "unknown-format" if kind is None else "no-analyser"
        message = {
            "lfs-pointer": "only a Git LFS pointer is here; the model itself was not scanned",
            "unknown-format": "the content is of no known format",
        }.get(code, f"{kind.title if kind else ''}: recognised, but not analysed by this version")
        self.unread[self._placed(artifact, CoverageReason(code, message, executable))] = None

    def _gap(self, artifact: Artifact, code: str, message: str) -> None:
        self.gaps[self._placed(artifact, CoverageReason(code, message, executable=True))] = None

    @staticmethod
    def _placed(artifact: Artifact, reason: CoverageReason) -> CoverageReason:
        if not artifact.members:
            return reason
        place = " › ".join(visible(member) for member in artifact.members)
        return msgspec.structs.replace(reason, message=f"{place}: {reason.message}")

    def _coverage(self, artifact: Artifact, formats: tuple[str, ...]) -> Coverage:
        known = {name for format_ in registry.FORMATS for name in (format_.name, *format_.variants)}
        read = artifact.source.bytes_read
        reasons = tuple(self.gaps) + tuple(self.unread)
        if not reasons:
            return Coverage(CoverageState.ANALYSED, _fold(tuple(self.skipped)), read)
        reasons += tuple(self.skipped)
        if formats and not known.isdisjoint(formats):
            return Coverage(CoverageState.PARTIAL, _fold(reasons), read)
        state = CoverageState.PARTIAL if self.gaps and formats else CoverageState.NOT_ANALYSED
        return Coverage(state, _fold(reasons), read)


def _fold(reasons: tuple[CoverageReason, ...], limit: int = 50) -> tuple[CoverageReason, ...]:
    """At most `limit` reasons, those that could hide code first; the rest is counted in one more."""
    ordered = sorted(reasons, key=lambda reason: not reason.executable)
    if len(ordered) <= limit:
        return tuple(ordered)
    rest = ordered[limit:]
    executable = any(reason.executable for reason in rest)
    return (*ordered[:limit], CoverageReason("more", f"and {len(rest):,} more", executable))
