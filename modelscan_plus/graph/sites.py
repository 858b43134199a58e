"""Where a graph does what a backdoor does: the results of the analysis."""

import enum

import msgspec


class Effect(enum.StrEnum):
    """What becomes of the network's values when the gate opens."""

    OVERRIDE = "override"
    """Numbers from the file take their place."""
    INJECTION = "injection"
    """Something is added to them."""
    SELECTION = "selection"
    """Another computed value, or another element, takes their place."""
    SUPPRESSION = "suppression"
    """They are scaled, switched off, or clipped."""
    REPLACEMENT = "replacement"
    """The input is changed before the network sees it."""
    RANDOM = "random"
    """Chance decides about them."""
    CONSTANT = "constant output"
    """The output does not depend on any input."""
    BYPASS = "bypass"
    """The output depends on the input, but not by way of the network."""
    SHAPE = "shape trigger"
    """The size of the input decides about them."""
    DORMANT = "dormant branch"
    """Running shows a gate that never opens."""
    BATCH = "batch mixing"
    """Rows of a batch that belong to others get into the result."""


class Site(msgspec.Struct, frozen=True):
    """One place where a gate meets the network."""

    effect: Effect
    node: int
    """Index of the node where both meet."""
    gate: int
    """The value that decides; -1 where nothing does."""
    content: int
    """The network's value that is changed."""
    payload: int = -1
    """What comes in instead; -1 where it is the gate itself."""
    depth: int = 0
    """Trained layers before the gate on the shortest way; 0 is the raw input."""
    certain: bool = True
    """False where honest models come close to this."""


class Outcome(msgspec.Struct):
    """All that the analysis found."""

    sites: list[Site] = msgspec.field(default_factory=list)
    unknown: list[int] = msgspec.field(default_factory=list)
    """Nodes whose operator is not in the table and that carry data on."""
    exempt: dict[str, int] = msgspec.field(default_factory=dict)
    """How often each named exemption was used."""
