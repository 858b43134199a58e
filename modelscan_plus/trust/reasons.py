"""Why a signature is not accepted: one exception, a stable word, and a sentence for a person."""

import enum
from dataclasses import dataclass


class Cause(enum.StrEnum):
    """What kind of thing was wrong. Words are stable: tests, reports and scripts may compare them."""

    TOO_LARGE = "too-large"
    """A signature, manifest or list above the bounds of this verifier."""
    MALFORMED = "malformed"
    """Not what its format prescribes: JSON, base64, a certificate, a missing or unknown field."""
    DUPLICATE_KEY = "duplicate-key"
    """A JSON object names one key twice; readers disagree about which counts."""
    UNSUPPORTED = "unsupported"
    """A version, algorithm or kind that this verifier does not know."""
    MATERIAL = "wrong-material"
    """The bundle carries another kind of signer (certificate, key) than was asked for, or more than one signature."""
    DIGEST = "wrong-digest"
    """The signature speaks of other bytes than those at hand."""
    SIGNATURE = "bad-signature"
    """The signature does not verify with the signer's key."""
    KEY = "wrong-key"
    """The bundle names another key than the one given."""
    CHAIN = "bad-chain"
    """The certificate does not lead to a trusted authority."""
    USAGE = "wrong-usage"
    """The certificate is not for signing code."""
    EXPIRED = "outside-validity"
    """A certificate was not valid when the signature was made."""
    RETIRED = "outside-trust"
    """The trusted root did not trust that authority, log or key at that time."""
    UNKNOWN_AUTHORITY = "unknown-authority"
    """A log or timestamp authority that the trusted root does not name."""
    SCT = "bad-sct"
    """No proof that the certificate was logged."""
    LOG_PROOF = "bad-log-proof"
    """The entry is not proven to be in the log."""
    LOG_ENTRY = "wrong-log-entry"
    """The log entry is about something else."""
    LOG_PROMISE = "bad-log-promise"
    """The log's promise (SET) does not verify."""
    TIMESTAMP = "bad-timestamp"
    """A signed timestamp does not verify or is about another signature."""
    NO_TIME = "no-time"
    """Nothing proves when the signature was made."""
    IDENTITY = "wrong-identity"
    """Signed by somebody else."""
    ISSUER = "wrong-issuer"
    """The identity was vouched for by another issuer."""
    ROOT = "wrong-root"
    """The trusted root is not the pinned one, too old, or unusable."""
    PAYLOAD = "wrong-payload"
    """The signed statement is of another type than expected."""
    NAME = "bad-name"
    """A signed name leaves the folder, or means different files on different systems."""
    MANIFEST = "bad-manifest"
    """The signed list of files contradicts itself."""
    MISSING = "missing-file"
    """A signed file is not there."""
    CHANGED = "changed-file"
    """A file is not the one that was signed."""
    UNSIGNED = "unsigned-file"
    """A file is there that nobody signed."""
    UNREADABLE = "unreadable-file"
    """A file could not be opened or read."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One file that is not as it was signed."""

    cause: Cause
    path: str
    """Relative to the folder, raw."""
    message: str


class Rejected(Exception):
    """The signature is not accepted."""

    def __init__(self, cause: Cause, message: str, problems: tuple[Problem, ...] = ()) -> None:
        super().__init__(message)
        self.cause = cause
        self.message = message
        self.problems = problems
        """Every file that is not as it was signed, where that is the matter."""
