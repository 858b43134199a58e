"""DSSE: the bytes that are signed, and in-toto statements as payload.

Sources: secure-systems-lab/dsse protocol.md v1.0.0 (PAE); in-toto/attestation spec v1 (Statement). The older statement
type v0.1 is accepted in reading, as npm and SLSA provenance still use it.
"""

from dataclasses import dataclass

from modelscan_plus.trust.reasons import Cause, Rejected
from modelscan_plus.trust.strict_json import Json, Reader, parse

PAYLOAD_TYPE = "application/vnd.in-toto+json"
STATEMENT_TYPE = "https://in-toto.io/Statement/v1"
_STATEMENT_TYPES = (STATEMENT_TYPE, "https://in-toto.io/Statement/v0.1")
MAX_PAYLOAD = 64 << 20
"""Bytes of a statement: a manifest of 300,000 files."""
MAX_SUBJECTS = 500_000


_VERDICTS = (
    "urn:modelscan-plus:predicate:",
    "https://in-toto.io/attestation/svr/",
    "https://in-toto.io/attestation/test-result/",
    "https://in-toto.io/attestation/vulns",
    "https://slsa.dev/verification_summary/",
    "https://cosign.sigstore.dev/attestation/vuln/",
)
"""Statements about what was found out, which may be that the thing is malicious."""


def pae(payload_type: str, payload: bytes) -> bytes:
    """What is signed: DSSEv1 SP LEN(type) SP type SP LEN(payload) SP payload."""
    kind = payload_type.encode("utf-8")
    return b"DSSEv1 %d %b %d %b" % (len(kind), kind, len(payload), payload)


def pae_of_v0_2(payload_type: str, payload: bytes) -> bytes:
    """What model-signing 0.2 signed by mistake: Python's `repr` of the payload, under another tag."""
    return f"DSSEV1 {len(payload_type)} {payload_type} {len(payload)} {payload!r}".encode()


@dataclass(frozen=True, slots=True)
class Subject:
    """What a statement is about."""

    name: str
    digests: dict[str, str]
    """Lower-case hexadecimal by algorithm name."""


@dataclass(frozen=True, slots=True)
class Statement:
    """An in-toto statement."""

    type: str
    predicate_type: str
    subjects: tuple[Subject, ...]
    predicate: Json

    @property
    def is_verdict(self) -> bool:
        """True where it says what a scan or test found, good or bad: its signer does not vouch for the subject."""
        return self.predicate_type.startswith(_VERDICTS)


def parse_statement(payload_type: str, payload: bytes) -> Statement:
    """The statement in a verified payload; raises `Rejected` when it is none."""
    if payload_type != PAYLOAD_TYPE:
        raise Rejected(Cause.PAYLOAD, f"the signed payload is {payload_type!r}, not an in-toto statement")
    body = Reader(parse(payload, "the signed statement", MAX_PAYLOAD), "the signed statement")
    kind = body.text("_type")
    if kind not in _STATEMENT_TYPES:
        raise Rejected(Cause.PAYLOAD, f"the signed statement is of the type {kind!r}, not {STATEMENT_TYPE}")
    subjects = tuple(_subject(item) for item in body.readers("subject", limit=MAX_SUBJECTS))
    if not subjects:
        raise Rejected(Cause.MALFORMED, "the signed statement names no subject")
    predicate = body.raw("predicate") if "predicate" in body else None
    return Statement(kind, body.text("predicateType"), subjects, predicate)


def _subject(item: Reader) -> Subject:
    digests = item.raw("digest")
    if not isinstance(digests, dict) or not digests:
        raise Rejected(Cause.MALFORMED, f"{item.what}: no digest")
    texts = {name: value for name, value in digests.items() if isinstance(value, str)}
    if len(texts) != len(digests):
        raise Rejected(Cause.MALFORMED, f"{item.what}: a digest that is not a string")
    return Subject(item.text("name") if "name" in item else "", texts)
