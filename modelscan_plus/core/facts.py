"""`Facts`: the base of everything a parser or a source can state, and the facts about names in a file system."""

import msgspec


class Facts(msgspec.Struct, frozen=True):
    """Base of typed, judgement-free statements."""


class PathFacts(Facts, frozen=True):
    """Something that stands under a target and cannot be read as an ordinary file."""

    kind: str
    """"fifo", "device", "socket", "link-outside", "link-broken", "link-loop", "permission", "vanished", "changed",
    "too-large", "blob-differs" (a file of a cache that is not what its name says) or "policy-file" (a policy or
    baseline inside the target, which is never obeyed)."""
    detail: str
    """For example where a link points; may hold surrogate escapes."""


class NeighbourFacts(Facts, frozen=True):
    """What stands at a path that a file of the target names; looked at, not opened."""

    path: str
    """As in the report: relative to the target, made visible."""
    kind: str
    """"file", "missing", "folder", "special", "link" (to a file within the target), "link-outside" or "link-broken";
    also where a folder on the way is the link. A link into the blobs of its own Hugging Face cache is a "file"."""
    detail: str = ""
    """Where a link leads, or what a special file is."""
    size: int = 0
    names: int = 1
    """Hard links; 1 inside a Hugging Face cache, whose stores may link."""
