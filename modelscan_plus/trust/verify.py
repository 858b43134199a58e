"""A bundle against a trusted root and an expectation. No network, no cache, no clock of its own.

    verified = verify_bundle(bundle_bytes, Keyless("me@corp", "https://accounts.corp"), shipped_root(), now=now,
                             content=Content.of_bytes(b"…"))
    verified = verify_bundle(bundle_bytes, ByKey(PublicKey.from_pem(pem)), root=None, now=now)      # DSSE: no content
    statement = verified.statement()                                  # the in-toto statement, where it is a DSSE bundle

Order for keyless, after the Sigstore client specification: the log entry is proven; the times are proven; at each of
them the certificate, its authority and the log were valid and trusted; the certificate was logged (SCT), is for signing
code and names the expected identity and issuer; the signature verifies; the log entry says the same as the bundle.
Everything that is not right raises `Rejected`, whatever exception it began with.
"""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from cryptography import x509

from modelscan_plus.trust import dsse
from modelscan_plus.trust.bundle import Bundle, Envelope, Message, parse_bundle
from modelscan_plus.trust.certificates import (
    check_usage,
    check_validity,
    extension,
    verify_authority,
    verify_path,
    verify_sct,
)
from modelscan_plus.trust.entries import Signer, check_entry
from modelscan_plus.trust.expected import ByCertificate, ByKey, Expected, Keyless
from modelscan_plus.trust.keys import PublicKey
from modelscan_plus.trust.log import Logged, verify_entry
from modelscan_plus.trust.reasons import Cause, Rejected
from modelscan_plus.trust.root import TrustedRoot, load_certificate
from modelscan_plus.trust.timestamps import verify_timestamps

_BEFORE_RELEASE = b"https://model_signing/Digests/v0.1"


@dataclass(frozen=True, slots=True)
class Content:
    """The bytes that a signature is said to be about, by their digests."""

    digest: Callable[[str], bytes | None]
    """The digest by "sha256", "sha384" or "sha512"; None where it is not known."""

    @classmethod
    def of_bytes(cls, data: bytes) -> "Content":
        """Bytes in memory."""
        return cls(lambda algorithm: hashlib.new(algorithm, data).digest())

    @classmethod
    def of_sha256(cls, digest: bytes) -> "Content":
        """Something of which only the SHA-256 is known."""
        return cls(lambda algorithm: digest if algorithm == "sha256" else None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Verified:
    """What is proven about a signature."""

    method: str
    """"keyless", "key" or "certificate"."""
    signer: str
    """The identity, the key's SHA-256 (of its DER) or the name in the certificate."""
    issuer: str | None = None
    """Who vouched for the identity; keyless only."""
    times: tuple[datetime, ...] = ()
    """Proven times, earliest first; empty for keys without log and timestamp."""
    log: str | None = None
    """Address of the log that holds the entry."""
    log_index: int | None = None
    """In that log's tree."""
    root: TrustedRoot | None = None
    """Where a root was needed."""
    content: Message | Envelope

    def statement(self) -> dsse.Statement:
        """The signed in-toto statement; raises `Rejected` when the bundle signs something else."""
        if not isinstance(self.content, Envelope):
            raise Rejected(Cause.PAYLOAD, "the bundle signs a file, not a statement")
        return dsse.parse_statement(self.content.payload_type, self.content.payload)


def verify_bundle(
    bundle: bytes | Bundle,
    expected: Expected,
    root: TrustedRoot | None,
    *,
    now: datetime,
    content: Content | None = None,
    require_log: bool = False,
) -> Verified:
    """What the bundle proves; raises `Rejected`.

    `content` must be given for a message signature; for a DSSE envelope it must be a subject of the statement. `now` is
    the time at which a certificate without proven time must be valid. `require_log` wants a log entry by key too.
    """
    try:
        parsed = parse_bundle(bundle) if isinstance(bundle, bytes) else bundle
        verified = _verify(parsed, expected, root, now, content, require_log)
        if content is not None and isinstance(parsed.content, Envelope):
            _check_subject(verified.statement(), content)
    except Rejected:
        raise
    except Exception as error:  # a signature that breaks the verifier is not a good one
        raise Rejected(Cause.MALFORMED, f"the verifier failed on it ({type(error).__name__}: {error})") from error
    return verified


def _verify(
    bundle: Bundle,
    expected: Expected,
    root: TrustedRoot | None,
    now: datetime,
    content: Content | None,
    require_log: bool,
) -> Verified:
    if isinstance(expected, ByKey):
        return _by_key(bundle, expected, root, content, require_log=require_log)
    if isinstance(expected, ByCertificate):
        return _by_certificate(bundle, expected, root, now, content)
    return _keyless(bundle, expected, root, content)


def _keyless(bundle: Bundle, expected: Keyless, root: TrustedRoot | None, content: Content | None) -> Verified:
    if root is None:
        raise Rejected(Cause.ROOT, "a keyless signature needs a trusted root")
    leaf = _leaf(bundle)
    logged = _logged(bundle, root)
    if logged is None:
        raise Rejected(Cause.LOG_PROOF, "the bundle has no log entry")
    times = _times(bundle, root, logged)
    if not times:
        raise Rejected(Cause.NO_TIME, "nothing in the bundle proves when it was signed")
    issuers = {verify_authority(leaf, root.authorities, moment) for moment in times}
    for issuer in issuers:
        verify_sct(leaf, issuer, root.certificate_logs)
    check_usage(leaf)
    identity, vouching = expected.check(leaf)
    signer = Signer(PublicKey(leaf.public_key()), bundle.certificates[0])
    _check_signature(bundle, signer, content)
    return Verified(
        method="keyless",
        signer=identity,
        issuer=vouching,
        times=times,
        log=logged.log.url,
        log_index=logged.index,
        root=root,
        content=bundle.content,
    )


def _by_key(
    bundle: Bundle, expected: ByKey, root: TrustedRoot | None, content: Content | None, *, require_log: bool
) -> Verified:
    if bundle.key is None:
        raise Rejected(Cause.MATERIAL, "the bundle is signed with a certificate, not with a bare key")
    if bundle.key.inline is not None:
        if PublicKey.from_pem(bundle.key.inline, "the key in the bundle").der != expected.key.der:
            raise Rejected(Cause.KEY, "the bundle holds another key than the one given")
    else:
        expected.key.check_hint(bundle.key.hint)
    logged = _logged(bundle, root) if bundle.entries else None
    if logged is None and require_log:
        raise Rejected(Cause.LOG_PROOF, "the bundle has no log entry")
    times = _times(bundle, root, logged)
    if logged is not None and not times:
        raise Rejected(Cause.NO_TIME, "nothing in the bundle proves when it was logged")
    _check_signature(bundle, Signer(expected.key, None), content)
    return Verified(
        method="key",
        signer=expected.key.id.hex(),
        times=times,
        log=logged.log.url if logged else None,
        log_index=logged.index if logged else None,
        root=root if logged or times else None,
        content=bundle.content,
    )


def _by_certificate(
    bundle: Bundle, expected: ByCertificate, root: TrustedRoot | None, now: datetime, content: Content | None
) -> Verified:
    if not bundle.certificates:
        raise Rejected(Cause.MATERIAL, "the bundle is signed with a bare key, not with a certificate")
    leaf, *between = (load_certificate(der, "a certificate in the bundle") for der in bundle.certificates)
    logged = _logged(bundle, root) if bundle.entries else None
    times = _times(bundle, root, logged)
    for moment in times or (now,):
        check_validity(leaf, moment, proven=bool(times))
        verify_path(leaf, tuple(between), expected.anchors, moment, strict=False)
    check_usage(leaf)
    name = expected.check(leaf)
    _check_signature(bundle, Signer(PublicKey(leaf.public_key()), bundle.certificates[0]), content)
    return Verified(
        method="certificate",
        signer=name,
        times=times,
        log=logged.log.url if logged else None,
        log_index=logged.index if logged else None,
        root=root if logged or times else None,
        content=bundle.content,
    )


def _leaf(bundle: Bundle) -> x509.Certificate:
    if not bundle.certificates:
        raise Rejected(Cause.MATERIAL, "the bundle is signed with a bare key, not keyless; give that key")
    if bundle.version >= 3 and bundle.chain:
        raise Rejected(
            Cause.MATERIAL, "the bundle brings a chain of certificates, as private authorities do; not keyless"
        )
    leaf, *others = (load_certificate(der, "a certificate in the bundle") for der in bundle.certificates)
    if any(other.issuer == other.subject for other in others):
        raise Rejected(Cause.CHAIN, "the bundle brings its own root certificate")
    for other in others:
        constraints = extension(other, x509.BasicConstraints)
        if constraints is None or not constraints.ca:
            raise Rejected(Cause.CHAIN, "the bundle's chain holds a certificate that is no authority's")
    return leaf


def _logged(bundle: Bundle, root: TrustedRoot | None) -> Logged | None:
    if len(bundle.entries) != 1:
        raise Rejected(Cause.LOG_PROOF, f"the bundle has {len(bundle.entries)} log entries; exactly one is accepted")
    if root is None:
        raise Rejected(Cause.ROOT, "the bundle has a log entry, and no trusted root says which logs to believe")
    return verify_entry(bundle.entries[0], root.logs, promise_needed=bundle.version == 1)


def _times(bundle: Bundle, root: TrustedRoot | None, logged: Logged | None) -> tuple[datetime, ...]:
    """All proven times, at each of which the log was trusted."""
    times = [logged.time] if logged is not None and logged.time is not None else []
    if bundle.timestamps:
        if root is None:
            raise Rejected(Cause.ROOT, "the bundle has timestamps, and no trusted root says whom to believe")
        proven = verify_timestamps(bundle.timestamps, bundle.signature, root.timestamp_authorities)
        times += [moment for moment, _ in proven]
    if logged is not None:
        for moment in times:
            logged.check_window(moment)
    return tuple(sorted(set(times)))


def _check_signature(bundle: Bundle, signer: Signer, content: Content | None) -> None:
    """The signature itself, and that the log entry is about it."""
    signed = bundle.content
    digest, algorithm = b"", "sha256"
    if isinstance(signed, Message):
        algorithm = signed.algorithm or "sha256"
        digest = _digest(signed, content, algorithm)
        valid = signer.key.verifies_digest(signed.signature, digest, algorithm)
        if not valid and signer.key.hash is None:
            raise Rejected(Cause.UNSUPPORTED, "Ed25519 signatures over files (not over statements) are not supported")
    else:
        valid = any(signer.key.verifies(signed.signature, message) for message in _messages(signed))
    if not valid:
        raise Rejected(Cause.SIGNATURE, "the signature does not verify with the signer's key")
    for entry in bundle.entries:
        check_entry(entry, signed, signer, digest, algorithm)


def _digest(signed: Message, content: Content | None, algorithm: str) -> bytes:
    digest = content.digest(algorithm) if content is not None else None
    if digest is None:
        raise Rejected(Cause.DIGEST, f"the bundle signs a file by its {algorithm}, which is not at hand")
    if signed.digest and signed.digest != digest:
        raise Rejected(Cause.DIGEST, "the bundle is about other bytes: its digest is not that of the file")
    return digest


def _messages(envelope: Envelope) -> list[bytes]:
    messages = [dsse.pae(envelope.payload_type, envelope.payload)]
    if _BEFORE_RELEASE in envelope.payload:
        messages.append(dsse.pae_of_v0_2(envelope.payload_type, envelope.payload))
    return messages


def _check_subject(statement: dsse.Statement, content: Content) -> None:
    for subject in statement.subjects:
        known = [name for name in ("sha256", "sha384", "sha512") if name in subject.digests]
        matches = [
            subject.digests[name].lower() == actual.hex()
            for name in known
            if (actual := content.digest(name)) is not None
        ]
        if matches and all(matches):  # digests that contradict each other name nothing
            return
    raise Rejected(Cause.DIGEST, "the signed statement is about other bytes: no subject has the file's digest")
