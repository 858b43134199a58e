"""A Sigstore bundle: what it says, before anything of it is believed.

    mediaType                      application/vnd.dev.sigstore.bundle.v0.3+json, or …bundle+json;version=0.1|0.2|0.3
    verificationMaterial
      certificate.rawBytes         or x509CertificateChain.certificates[].rawBytes (before v0.3), or publicKey.hint
      tlogEntries[]                logIndex, logId, kindVersion, integratedTime, inclusionPromise, inclusionProof, body
      timestampVerificationData    rfc3161Timestamps[].signedTimestamp
    messageSignature               messageDigest, signature        (one of the two)
    dsseEnvelope                   payload, payloadType, signatures[].sig

Source: sigstore/protobuf-specs, sigstore_bundle.proto. Unknown fields are refused: the formats are versioned, and what
this verifier does not know it cannot check. model-signing before 1.1 wrote the key itself beside the hint, a null
`keyid` and no `tlogEntries`; that much is read.
"""

from dataclasses import dataclass

from modelscan_plus.trust.dsse import MAX_PAYLOAD
from modelscan_plus.trust.reasons import Cause, Rejected
from modelscan_plus.trust.strict_json import Json, Reader, parse

MAX_BUNDLE = 96 << 20
"""Bytes of a bundle: the largest payload in base64, and room for its proofs."""
MAX_TIMESTAMPS = 32
_MAX_ENTRIES = 16
_MAX_CERTIFICATES = 16
_MAX_PROOF = 64
_MAX_TEXT = 1 << 16

_VERSIONS = {
    "application/vnd.dev.sigstore.bundle+json;version=0.1": 1,
    "application/vnd.dev.sigstore.bundle+json;version=0.2": 2,
    "application/vnd.dev.sigstore.bundle+json;version=0.3": 3,
    "application/vnd.dev.sigstore.bundle.v0.3+json": 3,
}


@dataclass(frozen=True, slots=True)
class InclusionProof:
    """A path through the log's Merkle tree."""

    index: int
    size: int
    root: bytes
    hashes: tuple[bytes, ...]
    checkpoint: str
    """Signed note; "" when absent."""


@dataclass(frozen=True, slots=True)
class LogEntry:
    """One entry of a transparency log."""

    index: int
    """Over all shards of the log; authenticated by the promise only."""
    log_id: bytes
    kind: str
    version: str
    time: int
    """Seconds since the epoch; 0 when absent. Authenticated by the promise only."""
    promise: bytes | None
    """Signed entry timestamp."""
    proof: InclusionProof | None
    body: bytes

    @property
    def type(self) -> str:
        """For example "hashedrekord/0.0.1"."""
        return f"{self.kind}/{self.version}"


@dataclass(frozen=True, slots=True)
class KeyHint:
    """The signer is a key that both sides know."""

    hint: str
    inline: bytes | None
    """The key itself, as model-signing before 1.1 wrote it; only compared, never trusted."""


@dataclass(frozen=True, slots=True)
class Message:
    """A signature over a file."""

    signature: bytes
    algorithm: str
    """Of the digest: "sha256", … or "" when the bundle does not say."""
    digest: bytes


@dataclass(frozen=True, slots=True)
class Envelope:
    """A signature over a typed payload (DSSE)."""

    payload_type: str
    payload: bytes
    signature: bytes


@dataclass(frozen=True, slots=True)
class Bundle:
    """A bundle, parsed."""

    version: int
    """1, 2 or 3, for 0.1, 0.2, 0.3."""
    certificates: tuple[bytes, ...]
    """DER; the signer's first. Empty when the signer is a key."""
    chain: bool
    """True when they came as a chain, which keyless bundles of 0.3 do not."""
    key: KeyHint | None
    entries: tuple[LogEntry, ...]
    timestamps: tuple[bytes, ...]
    """RFC 3161 responses, DER."""
    content: Message | Envelope

    @property
    def signature(self) -> bytes:
        """The signature itself, which timestamps are about."""
        return self.content.signature


_DIGESTS = {"SHA2_256": ("sha256", 32), "SHA2_384": ("sha384", 48), "SHA2_512": ("sha512", 64)}


def parse_bundle(data: bytes) -> Bundle:
    """The bundle in `data`; raises `Rejected`."""
    return read_bundle(parse(data, "the bundle", MAX_BUNDLE))


def read_bundle(value: Json) -> Bundle:
    """The bundle in a JSON value; raises `Rejected`."""
    body = Reader(value, "the bundle").only("mediaType", "verificationMaterial", "messageSignature", "dsseEnvelope")
    media_type = body.text("mediaType")
    if media_type not in _VERSIONS:
        raise Rejected(Cause.UNSUPPORTED, f"a bundle of the unknown type {media_type[:100]!r}")
    version = _VERSIONS[media_type]
    material = body.reader("verificationMaterial").only(
        "certificate", "x509CertificateChain", "publicKey", "tlogEntries", "timestampVerificationData"
    )
    if ("messageSignature" in body) == ("dsseEnvelope" in body):
        raise Rejected(Cause.MALFORMED, "a bundle must hold either a message signature or a DSSE envelope")
    if sum(key in material for key in ("certificate", "x509CertificateChain", "publicKey")) != 1:
        raise Rejected(Cause.MALFORMED, "a bundle must name its signer once: by certificate, chain or key")
    if version < 3 and "certificate" in material:
        raise Rejected(Cause.MALFORMED, "a bundle before version 0.3 holds a certificate chain, not one certificate")
    return Bundle(
        version=version,
        certificates=_certificates(material),
        chain="x509CertificateChain" in material,
        key=_key(material.reader("publicKey")) if "publicKey" in material else None,
        entries=tuple(_entry(item) for item in material.readers("tlogEntries", limit=_MAX_ENTRIES)),
        timestamps=_timestamps(material),
        content=_message(body.reader("messageSignature"))
        if "messageSignature" in body
        else _envelope(body.reader("dsseEnvelope")),
    )


def _certificates(material: Reader) -> tuple[bytes, ...]:
    if "certificate" in material:
        return (material.reader("certificate").only("rawBytes").bytes("rawBytes", limit=_MAX_TEXT),)
    if "x509CertificateChain" not in material:
        return ()
    chain = material.reader("x509CertificateChain").only("certificates")
    items = chain.readers("certificates", limit=_MAX_CERTIFICATES)
    if not items:
        raise Rejected(Cause.MALFORMED, "the bundle's certificate chain is empty")
    return tuple(item.only("rawBytes").bytes("rawBytes", limit=_MAX_TEXT) for item in items)


def _key(item: Reader) -> KeyHint:
    item.only("hint", "rawBytes", "keyDetails")
    inline = item.bytes("rawBytes", limit=_MAX_TEXT) if "rawBytes" in item else None
    return KeyHint(item.text("hint") if "hint" in item else "", inline)


def _entry(item: Reader) -> LogEntry:
    item.only(
        "logIndex",
        "logId",
        "kindVersion",
        "integratedTime",
        "inclusionPromise",
        "inclusionProof",
        "canonicalizedBody",
    )
    kind = item.reader("kindVersion").only("kind", "version")
    promise = None
    if "inclusionPromise" in item:
        promise = item.reader("inclusionPromise").only("signedEntryTimestamp").bytes("signedEntryTimestamp")
    return LogEntry(
        index=item.integer("logIndex", default=0),
        log_id=item.reader("logId").only("keyId").bytes("keyId", limit=64),
        kind=kind.text("kind"),
        version=kind.text("version"),
        time=item.integer("integratedTime", default=0),
        promise=promise,
        proof=_proof(item.reader("inclusionProof")) if "inclusionProof" in item else None,
        body=item.bytes("canonicalizedBody", limit=MAX_PAYLOAD),
    )


def _proof(item: Reader) -> InclusionProof:
    item.only("logIndex", "rootHash", "treeSize", "hashes", "checkpoint")
    hashes = item.items("hashes", limit=_MAX_PROOF)
    holder = Reader({str(n): value for n, value in enumerate(hashes)}, f"{item.what}.hashes")
    checkpoint = item.reader("checkpoint").only("envelope").text("envelope") if "checkpoint" in item else ""
    if len(checkpoint) > _MAX_TEXT:
        raise Rejected(Cause.TOO_LARGE, "the log's checkpoint is too long")
    return InclusionProof(
        index=item.integer("logIndex", default=0),
        size=item.integer("treeSize"),
        root=item.bytes("rootHash", limit=64),
        hashes=tuple(holder.bytes(str(n), limit=64) for n in range(len(hashes))),
        checkpoint=checkpoint,
    )


def _timestamps(material: Reader) -> tuple[bytes, ...]:
    if "timestampVerificationData" not in material:
        return ()
    data = material.reader("timestampVerificationData").only("rfc3161Timestamps")
    items = data.readers("rfc3161Timestamps", limit=MAX_TIMESTAMPS)
    return tuple(item.only("signedTimestamp").bytes("signedTimestamp", limit=_MAX_TEXT) for item in items)


def _message(item: Reader) -> Message:
    item.only("messageDigest", "signature")
    signature = _signature(item, "signature")
    if "messageDigest" not in item:
        return Message(signature, "", b"")
    digest = item.reader("messageDigest").only("algorithm", "digest")
    name = digest.text("algorithm")
    algorithm, length = _DIGESTS.get(name, ("", 0))
    value = digest.bytes("digest", limit=64)
    if not algorithm:
        raise Rejected(Cause.UNSUPPORTED, f"the message digest is labelled {name[:40]!r}, which is not accepted")
    if len(value) != length:
        raise Rejected(Cause.MALFORMED, f"the message digest is labelled {name} but has {len(value)} bytes")
    return Message(signature, algorithm, value)


def _envelope(item: Reader) -> Envelope:
    item.only("payload", "payloadType", "signatures")
    signatures = item.readers("signatures", limit=_MAX_ENTRIES)
    if len(signatures) != 1:
        raise Rejected(Cause.MATERIAL, f"the envelope has {len(signatures)} signatures; exactly one is accepted")
    signature = signatures[0].only("sig", "keyid")
    return Envelope(item.text("payloadType"), item.bytes("payload", limit=MAX_PAYLOAD), _signature(signature, "sig"))


def _signature(item: Reader, key: str) -> bytes:
    signature = item.bytes(key, limit=_MAX_TEXT)
    if not signature:
        raise Rejected(Cause.MALFORMED, f"{item.what}: the signature is empty")
    return signature
