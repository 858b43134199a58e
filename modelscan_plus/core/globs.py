"""Globs over paths, in one meaning for options and policy.

A glob with a slash is matched against the path, one without against each name of it; a folder that matches takes all
that is in it along; `*` matches slashes too.
"""

from collections.abc import Sequence


def normal(pattern: str) -> str:
    """A glob without what changes nothing about where it matches."""
    return pattern.removeprefix("./").removeprefix("**/").rstrip("/")


def matches(parts: Sequence[str], patterns: Sequence[str]) -> bool:
    """True when one of the (normal) globs matches the path with these parts or a folder above it."""
    from fnmatch import fnmatchcase  # only where there are globs: it imports the regular expressions

    paths = ["/".join(parts[:end]) for end in range(1, len(parts) + 1)]
    return any(fnmatchcase(place, pattern) for pattern in patterns for place in (paths if "/" in pattern else parts))
