"""Who must have signed a target: a policy's requirement with all that it needs, in one value that can travel."""

import os
from collections.abc import Iterator
from datetime import date
from fnmatch import fnmatchcase

import msgspec

from modelscan_plus.core.errors import UsageError

_HUB = ("hf:", "https://", "http://")


class Required(msgspec.Struct, frozen=True, kw_only=True):
    """A requirement with all that it needs, in one value."""

    match: str
    identity: str | None = None
    issuer: str | None = None
    key_pem: str | None = None
    chain_pem: str | None = None
    san: str | None = None
    subject: str | None = None
    root: str = "sigstore"
    root_json: str | None = None
    """The trusted root itself; None for one that is shipped."""
    root_sha256: str | None = None
    root_dated: date | None = None
    max_root_age_days: int | None = None
    ignore_paths: tuple[str, ...] = ()

    def applies(self, given: str) -> bool:
        """True when it is about the target, however that was spelt: a requirement must not depend on a slash."""
        if given.startswith(_HUB):
            pattern = self.match.lower()  # the hub leads from any case to the same repository
            return any(_matches(name.lower(), pattern) for name in _of_repository(given))
        pattern = self.match.removeprefix("./").rstrip("/") or "/"
        return any(_matches(name, pattern) for name in _of_path(given))

    def spoken(self) -> str:
        """For a message: who must have signed."""
        if self.identity is not None:
            return f"{self.identity} (vouched for by {self.issuer})"
        return f"the certificate of {self.san or self.subject}" if self.chain_pem is not None else "the policy's key"


def _matches(name: str, pattern: str) -> bool:
    # Folders may be called "model[1]", which as a pattern would mean something else.
    return name == pattern or fnmatchcase(name, pattern)


def _of_repository(given: str) -> Iterator[str]:
    """An address as it is, as `hf:org/model@revision`, and without the revision."""
    from modelscan_plus.sources.hub.target import parse_target

    yield given
    try:
        canonical = str(parse_target(given))
    except UsageError:
        return  # whoever opens it says what is wrong
    yield canonical
    yield canonical.partition("@")[0]


def _of_path(given: str) -> Iterator[str]:
    """A path as it is, in short, as seen from here, from the root, and where it leads."""
    yield given.removeprefix("./")
    try:
        whole, real, here = os.path.abspath(given), os.path.realpath(given), os.getcwd()
    except (OSError, ValueError):
        return
    for path in (whole, real):
        yield path.replace(os.sep, "/")
        for start in dict.fromkeys((here, os.path.realpath(here))):
            if path.startswith(start.rstrip(os.sep) + os.sep):
                yield os.path.relpath(path, start).replace(os.sep, "/")
