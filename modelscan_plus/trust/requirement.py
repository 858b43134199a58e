"""Who must have signed a target: a policy's requirement with all that it needs, in one value that can travel."""

from datetime import date
from fnmatch import fnmatchcase

import msgspec


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
        """True when it is about the target."""
        return fnmatchcase(given.removeprefix("./"), self.match.removeprefix("./"))

    def spoken(self) -> str:
        """For a message: who must have signed."""
        if self.identity is not None:
            return f"{self.identity} (vouched for by {self.issuer})"
        return f"the certificate of {self.san or self.subject}" if self.chain_pem is not None else "the policy's key"
