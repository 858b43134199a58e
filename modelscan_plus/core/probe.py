"""What the backdoor probes report: one `ProbeReport` for each probed model, in the report's `probes`.

A probe searches; it never proves that a model is clean. Its outcomes say what was searched for, at which budget, and
what came of it. Evidence is a row of exhibits (pictures, bars, tables, passages) that every output can show without
knowing the routine. All text in them that comes from a model is hostile and is escaped by whoever shows it.
"""

import enum

import msgspec


class ProbeOutcome(enum.StrEnum):
    """What one routine, or all of them together, came to. There is no "clean"."""

    FLAGGED = "flagged"
    """A trigger was found whose strength clean models of the calibration set do not show."""
    SUSPICIOUS = "suspicious"
    """Something that a person should look at, for example a natural word that works like a trigger."""
    NOTHING_FOUND = "nothing-found"
    """At this budget, with the families that are listed."""
    INCONCLUSIVE = "inconclusive"
    NOT_APPLICABLE = "not-applicable"

    @property
    def rank(self) -> int:
        """4 for flagged, 3 for suspicious, 2 for inconclusive, 1 for nothing found, 0 for not applicable."""
        return _RANKS[self]


_RANKS = {
    ProbeOutcome.FLAGGED: 4,
    ProbeOutcome.SUSPICIOUS: 3,
    ProbeOutcome.INCONCLUSIVE: 2,
    ProbeOutcome.NOTHING_FOUND: 1,
    ProbeOutcome.NOT_APPLICABLE: 0,
}


class Picture(msgspec.Struct, frozen=True, kw_only=True, tag_field="kind", tag="picture"):
    """A small PNG: a mask, a pattern, a stamped sample."""

    title: str
    png: str
    """Base64 of a PNG of at most 512 × 512 pixels (modelscan_plus/probe/png.py writes and checks it)."""
    caption: str = ""


class Bars(msgspec.Struct, frozen=True, kw_only=True, tag_field="kind", tag="bars"):
    """One number for each class (or pair, or token), with the band in which clean models lie."""

    title: str
    labels: tuple[str, ...]
    values: tuple[float, ...]
    unit: str = ""
    band: tuple[float, float] | None = None
    """Lower and upper end of the null band, in the same unit."""
    marked: tuple[int, ...] = ()
    """Positions that the verdict rests on."""
    caption: str = ""


class Table(msgspec.Struct, frozen=True, kw_only=True, tag_field="kind", tag="table"):
    """Rows of text."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    omitted: int = 0
    """Rows that were left out."""
    caption: str = ""


class Passage(msgspec.Struct, frozen=True, kw_only=True, tag_field="kind", tag="passage"):
    """Text that a model wrote or was given; hostile."""

    title: str
    text: str
    caption: str = ""


Exhibit = Picture | Bars | Table | Passage


class RoutineReport(msgspec.Struct, frozen=True, kw_only=True):
    """What one routine did and found."""

    routine: str
    """Stable name: "image-patch", "tabular-feature", "text-tokens", "lm-targets", "weights-delta", …"""
    title: str
    outcome: ProbeOutcome
    reason: str
    """One sentence for a person in a hurry."""
    p_value: float | None = None
    """How often a clean model of the calibration set shows as much, after correction for the number of classes; None
    where the routine is not a test."""
    p_adjusted: float | None = None
    """After Holm's correction over the routines of this probe."""
    target: str = ""
    """The class (or the opening of the text) that the trigger leads to."""
    sources: str = ""
    """From which classes; "" for all."""
    trigger: str = ""
    """The trigger in one line: tokens, feature values, "6 × 6 pixels at the lower right"."""
    success: float | None = None
    """Share of held-out samples that the trigger turns, 0 to 1."""
    families: tuple[str, ...] = ()
    """Trigger families that were searched."""
    steps: int = 0
    """Work done: forward or forward-backward passes of one sample each, or tensors compared."""
    exhibits: tuple[Exhibit, ...] = ()


class ProbeReport(msgspec.Struct, frozen=True, kw_only=True):
    """All routines on one model."""

    target: str
    """Id of the report's target."""
    artifact: str
    """The model file, or "." for a folder."""
    kind: str
    """"image-classifier", "tabular-classifier", "text-classifier", "causal-lm", "embedding", "lora" or "unknown"."""
    outcome: ProbeOutcome
    reason: str
    routines: tuple[RoutineReport, ...] = ()
    untried: tuple[str, ...] = ()
    """Trigger families that no routine searched, each with the reason."""
    facts: tuple[tuple[str, str], ...] = ()
    """What was probed, in (name, value) pairs: classes, input, samples, references, coverage."""
    budget: str = "standard"
    seed: int = 0
    device: str = "cpu"
    calibration: str = ""
    """"name sha256:…" of the table that the p-values rest on."""
    versions: tuple[tuple[str, str], ...] = ()
    """Libraries that the result may depend on."""
