"""What another scanner says about an artifact, before any rule has weighed it."""

from modelscan_plus.core.facts import Facts


class Remark(Facts, frozen=True):
    """One objection of an engine."""

    engine: str
    """Name of the engine, as in `--engine`."""
    level: str
    """The engine's own word for how bad it is: "LIKELY_UNSAFE", "CRITICAL", …"""
    message: str
    callable: str = ""
    """The dotted name that it is about, "" when it names none."""


class Listing(Facts, frozen=True):
    """A pickle as an engine decompiles it."""

    engine: str
    offset: int
    """Of the pickle's first byte in its artifact."""
    lines: tuple[str, ...]
    imports: frozenset[str]
    """Dotted names that the listing imports, builtins left out."""
