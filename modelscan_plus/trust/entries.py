"""What a log entry is about: its body must say exactly what the bundle says (CVE-2022-36056 is what happens else).

    hashedrekord/0.0.1  spec.data.hash, spec.signature.content, spec.signature.publicKey.content (PEM in base64)
    hashedrekord/0.0.2  spec.hashedRekordV002.{data, signature.{content, verifier}}; a DSSE envelope is logged as the
                        digest of its PAE
    dsse/0.0.1          spec.payloadHash, spec.signatures[].{signature, verifier}; spec.envelopeHash is over JSON that
                        nobody kept, so it cannot be checked
    intoto/0.0.1, .2    spec.content.{payloadHash, envelope.signatures[].{sig (twice base64), publicKey}}

Sources: sigstore/rekor pkg/types/*/v*/*_schema.json; rekor-tiles docs for 0.0.2.
"""

import base64
import hashlib
from dataclasses import dataclass

from cryptography import x509

from modelscan_plus.trust import dsse
from modelscan_plus.trust.bundle import Envelope, LogEntry, Message
from modelscan_plus.trust.keys import PublicKey
from modelscan_plus.trust.reasons import Cause, Rejected
from modelscan_plus.trust.strict_json import Reader, parse

_MAX_BODY = dsse.MAX_PAYLOAD
_LABELS = {"sha256": "SHA2_256", "sha384": "SHA2_384", "sha512": "SHA2_512"}


@dataclass(frozen=True, slots=True)
class Signer:
    """Who signed, as an entry names them: by certificate or by key."""

    key: PublicKey
    certificate: bytes | None
    """DER."""

    def is_pem(self, text: bytes) -> bool:
        """True when `text` is this certificate or key in PEM."""
        try:
            if self.certificate is None:
                return PublicKey.from_pem(text).der == self.key.der
            found = x509.load_pem_x509_certificates(text)
        except (ValueError, Rejected):
            return False
        return len(found) == 1 and found[0] == x509.load_der_x509_certificate(self.certificate)


def check_entry(entry: LogEntry, content: Message | Envelope, signer: Signer, digest: bytes, algorithm: str) -> None:
    """Raise `Rejected` unless the entry is about `content` and `signer`. `digest` is the message's, by `algorithm`."""
    what = "the log entry"
    body = Reader(parse(entry.body, what, _MAX_BODY), what).only("apiVersion", "kind", "spec")
    if body.text("kind") != entry.kind or body.text("apiVersion") != entry.version:
        raise Rejected(Cause.LOG_ENTRY, f"the entry is labelled {entry.type}, but its body is of another type")
    spec = body.reader("spec")
    if isinstance(content, Message):
        checks = {
            "hashedrekord/0.0.1": lambda: _hashedrekord_1(spec, content.signature, signer, digest, algorithm),
            "hashedrekord/0.0.2": lambda: _hashedrekord_2(spec, content.signature, signer, digest, algorithm),
        }
    else:
        checks = {
            "dsse/0.0.1": lambda: _dsse(spec, content, signer),
            "intoto/0.0.1": lambda: _intoto(spec, content, signer),
            "intoto/0.0.2": lambda: _intoto(spec, content, signer),
            "hashedrekord/0.0.2": lambda: _hashed_envelope(spec, content, signer),
        }
    if entry.type not in checks:
        raise Rejected(Cause.LOG_ENTRY, f"an entry of the type {entry.type} is not about this kind of signature")
    checks[entry.type]()


def _hashedrekord_1(spec: Reader, signature: bytes, signer: Signer, digest: bytes, algorithm: str) -> None:
    spec.only("data", "signature")
    hash_ = spec.reader("data").only("hash").reader("hash").only("algorithm", "value")
    _same("digest", (hash_.text("algorithm"), hash_.text("value").lower()), (algorithm, digest.hex()))
    signed = spec.reader("signature").only("content", "publicKey", "format")
    _same("signature", signed.bytes("content"), signature)
    _check_pem(signer, signed.reader("publicKey").only("content").bytes("content"))


def _hashedrekord_2(spec: Reader, signature: bytes, signer: Signer, digest: bytes, algorithm: str) -> None:
    inner = spec.only("hashedRekordV002").reader("hashedRekordV002").only("data", "signature")
    data = inner.reader("data").only("algorithm", "digest")
    _same("digest", (data.text("algorithm"), data.bytes("digest")), (_LABELS[algorithm], digest))
    signed = inner.reader("signature").only("content", "verifier")
    _same("signature", signed.bytes("content"), signature)
    verifier = signed.reader("verifier").only("keyDetails", "x509Certificate", "publicKey")
    if not verifier.text("keyDetails").startswith(signer.key.details[:15]):
        raise Rejected(Cause.LOG_ENTRY, "the log entry labels the signer's key as another kind")
    if signer.certificate is not None:
        holder, expected = verifier.reader("x509Certificate"), signer.certificate
    else:
        holder, expected = verifier.reader("publicKey"), signer.key.der
    _same("signer", holder.only("rawBytes").bytes("rawBytes"), expected)


def _hashed_envelope(spec: Reader, envelope: Envelope, signer: Signer) -> None:
    message = dsse.pae(envelope.payload_type, envelope.payload)
    algorithm = signer.key.hash or "sha512"
    digest = hashlib.new(algorithm, message).digest()
    _hashedrekord_2(spec, envelope.signature, signer, digest, algorithm)


def _dsse(spec: Reader, envelope: Envelope, signer: Signer) -> None:
    spec.only("envelopeHash", "payloadHash", "signatures")
    _check_hash(spec.reader("payloadHash"), envelope.payload)
    if "envelopeHash" in spec:
        _sha256_value(spec.reader("envelopeHash"))
    signatures = spec.readers("signatures", limit=16)
    _one(signatures)
    only = signatures[0].only("signature", "verifier")
    _same("signature", only.bytes("signature"), envelope.signature)
    _check_pem(signer, only.bytes("verifier"))


def _intoto(spec: Reader, envelope: Envelope, signer: Signer) -> None:
    content = spec.only("content", "publicKey").reader("content").only("envelope", "hash", "payloadHash")
    _check_hash(content.reader("payloadHash"), envelope.payload)
    if "hash" in content:
        _sha256_value(content.reader("hash"))
    logged = content.reader("envelope").only("payloadType", "signatures", "payload")
    _same("payload type", logged.text("payloadType"), envelope.payload_type)
    signatures = logged.readers("signatures", limit=16)
    _one(signatures)
    only = signatures[0].only("sig", "publicKey", "keyid")
    once = only.bytes("sig")
    twice = base64.b64encode(envelope.signature)  # the log keeps the signature's base64 in base64
    if once not in (twice, envelope.signature):
        raise Rejected(Cause.LOG_ENTRY, "the log entry is about another signature")
    _check_pem(signer, only.bytes("publicKey"))


def _one(signatures: list[Reader]) -> None:
    if len(signatures) != 1:
        raise Rejected(Cause.LOG_ENTRY, f"the log entry has {len(signatures)} signatures, the envelope one")


def _check_hash(item: Reader, payload: bytes) -> None:
    _same("payload", _sha256_value(item), hashlib.sha256(payload).hexdigest())


def _sha256_value(item: Reader) -> str:
    item.only("algorithm", "value")
    value = item.text("value").lower()
    if item.text("algorithm") != "sha256" or len(value) != 64:
        raise Rejected(Cause.LOG_ENTRY, "the log entry hashes with something other than SHA-256")
    return value


def _check_pem(signer: Signer, text: bytes) -> None:
    if not signer.is_pem(text):
        raise Rejected(Cause.LOG_ENTRY, "the log entry is about another signer")


def _same(what: str, logged: object, given: object) -> None:
    if logged != given:
        raise Rejected(Cause.LOG_ENTRY, f"the log entry is about another {what}")
