"""What can be stated of a repository as a whole, by whoever lists it; judged by rules/hub.py."""

import msgspec

from modelscan_plus.core.facts import Facts


class HubVerdict(msgspec.Struct, frozen=True):
    """What one of the hub's own scanners says about a file."""

    path: str
    scanner: str
    """Its name; "" for the hub's summary of all of them."""
    status: str
    """"safe", "unscanned", "queued", "error", "caution", "suspicious", "unsafe", or whatever else the hub says."""
    message: str


class HubRepositoryFacts(Facts, frozen=True):
    """A repository on a hub at one commit."""

    asked: str
    """The name that the user gave."""
    name: str
    """The name that the hub gives."""
    revision: str
    """What the user gave as the revision, "" for the default branch."""
    commit: str
    pinned: bool
    """True when the revision is a commit."""
    scanned: bool | None
    """The hub's scanners are through; None when the hub does not say."""
    flagged: tuple[tuple[str, str], ...]
    """Path and level of the files with which they have an issue."""
    verdicts: tuple[HubVerdict, ...]
    plain_weights: tuple[str, ...]
    """Weights that lie in git itself, where only a git id names their content."""
    conversions: tuple[tuple[int, str], ...] = ()
    """Number and author of each open pull request that loaders take safetensors from where the repository has none."""
