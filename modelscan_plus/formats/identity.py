"""Facts that no single format can state: which formats claim an artifact, and which bytes none of them explains."""

from modelscan_plus.core.facts import Facts
from modelscan_plus.formats.interface import Region


class IdentityFacts(Facts, frozen=True):
    """What an artifact is called and what it is."""

    name: str
    claimed: tuple[str, ...]
    """Names of the formats whose content test accepts the bytes, in registry order."""
    executable: tuple[str, ...]
    """Those of them whose loaders can run code."""
    kind: str
    """Name of the recognised kind (formats/kinds.py) when no format claims the bytes, else ""."""
    expected: tuple[str, ...]
    """Formats and kinds for which the name's extension is usual; empty for an extension without meaning."""


class UnaccountedFacts(Facts, frozen=True):
    """Bytes `[start, start + length)` of an artifact that no claiming format explains."""

    start: int
    length: int
    position: str
    """"prefix", "gap" or "tail"."""
    zeros: bool
    """True when every byte is zero."""
    kind: str
    """What the bytes are recognised as (formats/kinds.py or a format's name), "" for nothing known."""
    executable: bool
    """True when that kind can run code."""


def unexplained(regions: list[Region], size: int) -> list[tuple[int, int]]:
    """The half-open ranges of `[0, size)` that no region covers, in order."""
    holes: list[tuple[int, int]] = []
    end = 0
    for region in sorted(regions, key=lambda region: region.start):
        if region.start > end:
            holes.append((end, min(region.start, size)))
        end = max(end, region.start + region.length)
    if end < size:
        holes.append((end, size))
    return [(start, stop) for start, stop in holes if start < stop]
