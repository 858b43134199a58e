"""The instance: its parts, its trusted root, and the bundles that it makes as wished."""

import hashlib
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, utils
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, ObjectIdentifier

from modelscan_plus.trust.dsse import PAYLOAD_TYPE, pae
from tests.trust.minisig.authority import EPOCH, Chain, key_usage, signer_leaf, spki, tsa_leaf, utf8
from tests.trust.minisig.services import Rekor, b64, timestamp

IDENTITY = "https://github.com/corp/models/.github/workflows/release.yml@refs/tags/v1"
ISSUER = "https://token.actions.githubusercontent.com"
SIGNED_AT = datetime(2026, 6, 1, 12, 0, 0, tzinfo=UTC)
_OLD_ISSUER, _NEW_ISSUER = (ObjectIdentifier(f"1.3.6.1.4.1.57264.1.{n}") for n in (1, 8))


@dataclass(frozen=True)
class Leaf:
    """The signer's certificate, as it should be unless told otherwise."""

    names: tuple[x509.GeneralName, ...] = (x509.UniformResourceIdentifier(IDENTITY),)
    old_issuer: str | None = ISSUER
    new_issuer: str | None = ISSUER
    start: datetime = SIGNED_AT - timedelta(minutes=1)
    end: datetime = SIGNED_AT + timedelta(minutes=9)
    usage: tuple[str, ...] = ("digital_signature",)
    extended: tuple[ObjectIdentifier, ...] = (ExtendedKeyUsageOID.CODE_SIGNING,)
    more: tuple[tuple[x509.ExtensionType, bool], ...] = ()
    sct: tuple[str, ...] = ("ct",)
    """Logs that give an SCT: "ct", or "stranger"."""
    sct_at: datetime | None = None


@dataclass(frozen=True)
class Wish:
    """What kind of bundle is wished for."""

    dsse: bool = False
    log: int = 1
    leaf: Leaf = field(default_factory=Leaf)
    at: datetime = SIGNED_AT
    """When the log takes the entry in."""
    stamps: tuple[datetime, ...] = ()
    """When the timestamp authority signs; for Rekor v2 at least one is needed."""
    promise: bool = True
    version: str = "0.3"
    kind: str = ""
    """Type of the log entry; the usual one when empty."""
    key: bool = False
    """Signed by a key instead of keyless."""
    payload_type: str = PAYLOAD_TYPE
    imprint: str = "sha256"
    stamp_status: str = "granted"


class Sigstore:
    """One instance; what it signs and whom it trusts."""

    def __init__(self, host: str = "sigstore.test", *, years: int = 10) -> None:
        """`years` is how long its authorities' own certificates are good, from 2025 on."""
        self.ca = Chain(host, ExtendedKeyUsageOID.CODE_SIGNING, years=years)
        self.tsa = Chain(f"{host}-tsa", ExtendedKeyUsageOID.TIME_STAMPING)
        self.tsa_key = ec.generate_private_key(ec.SECP256R1())
        self.tsa_leaf = tsa_leaf(self.tsa, self.tsa_key, EPOCH + timedelta(days=3000))
        self.ct = {name: ec.generate_private_key(ec.SECP256R1()) for name in ("ct", "stranger")}
        self.logs = {1: Rekor(1, f"rekor.{host}"), 2: Rekor(2, f"log2026.rekor.{host}")}
        self.key = ec.generate_private_key(ec.SECP256R1())
        """The signer's; fresh keys would only make the tests slower."""

    @property
    def public_pem(self) -> bytes:
        return self.key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)

    def trusted_root(self) -> dict[str, object]:
        """The trusted root of this instance."""
        window = {"start": "2025-01-01T00:00:00Z"}

        def log(key: object, identifier: bytes, details: str, url: str) -> dict[str, object]:
            public = {"rawBytes": b64(spki(key)), "keyDetails": details, "validFor": dict(window)}
            return {
                "baseUrl": url,
                "hashAlgorithm": "SHA2_256",
                "publicKey": public,
                "logId": {"keyId": b64(identifier)},
            }

        def authority(*chain: x509.Certificate) -> dict[str, object]:
            certificates = [{"rawBytes": b64(certificate.public_bytes(Encoding.DER))} for certificate in chain]
            subject = {"organization": "test", "commonName": "test"}
            return {
                "subject": subject,
                "uri": "https://ca.sigstore.test",
                "certChain": {"certificates": certificates},
                "validFor": dict(window),
            }

        details = {1: "PKIX_ECDSA_P256_SHA_256", 2: "PKIX_ED25519"}
        ct = self.ct["ct"].public_key()
        ct_id = hashlib.sha256(spki(ct)).digest()
        return {
            "mediaType": "application/vnd.dev.sigstore.trustedroot+json;version=0.1",
            "tlogs": [
                log(rekor.key.public_key(), rekor.id, details[n], f"https://{rekor.name}")
                for n, rekor in self.logs.items()
            ],
            "certificateAuthorities": [authority(self.ca.intermediate, self.ca.root)],
            "ctlogs": [log(ct, ct_id, details[1], "https://ct.sigstore.test")],
            "timestampAuthorities": [authority(self.tsa_leaf, self.tsa.intermediate, self.tsa.root)],
        }

    def certificate(self, leaf: Leaf, key: object = None) -> x509.Certificate:
        """The signer's certificate."""
        extensions: list[tuple[x509.ExtensionType, bool]] = [(key_usage(*leaf.usage), True)]
        if leaf.extended:
            extensions.append((x509.ExtendedKeyUsage(leaf.extended), False))
        if leaf.names:
            extensions.append((x509.SubjectAlternativeName(leaf.names), True))
        if leaf.old_issuer is not None:
            extensions.append((x509.UnrecognizedExtension(_OLD_ISSUER, leaf.old_issuer.encode()), False))
        if leaf.new_issuer is not None:
            extensions.append((x509.UnrecognizedExtension(_NEW_ISSUER, utf8(leaf.new_issuer)), False))
        logged = [(self.ct[name], leaf.sct_at or leaf.start) for name in leaf.sct]
        return signer_leaf(
            self.ca,
            key or self.key.public_key(),  # type: ignore[arg-type]
            start=leaf.start,
            end=leaf.end,
            extensions=[*extensions, *leaf.more],
            logs=logged,
        )

    def stamp(self, signature: bytes, moment: datetime, **how: str) -> str:
        """A signed timestamp, in base64."""
        return b64(timestamp(signature, moment, self.tsa_leaf, self.tsa_key, **how))  # type: ignore[arg-type]

    def bundle(self, data: bytes, wish: Wish | None = None, **changes: object) -> dict[str, object]:
        """A bundle over `data`: a file, or the statement of a DSSE envelope."""
        wish = replace(wish or Wish(), **changes)  # type: ignore[arg-type]
        message = pae(wish.payload_type, data) if wish.dsse else data
        digest = hashlib.sha256(message).digest()
        signature = self.key.sign(digest, ec.ECDSA(utils.Prehashed(hashes.SHA256())))
        certificate = None if wish.key else self.certificate(wish.leaf)
        body = self.body(wish, data, digest, signature, certificate)
        stamps = wish.stamps or ((SIGNED_AT,) if wish.log == 2 else ())
        material: dict[str, object] = {
            "tlogEntries": [self.logs[wish.log].entry(body, wish.at, promise=wish.promise)],
        }
        if certificate is None:
            material["publicKey"] = {"hint": b64(hashlib.sha256(spki(self.key.public_key())).digest())}
        else:
            raw = {"rawBytes": b64(certificate.public_bytes(Encoding.DER))}
            material |= (
                {"certificate": raw} if wish.version == "0.3" else {"x509CertificateChain": {"certificates": [raw]}}
            )
        if stamps:
            how = {"imprint": wish.imprint, "status": wish.stamp_status}
            made = [{"signedTimestamp": self.stamp(signature, moment, **how)} for moment in stamps]
            material["timestampVerificationData"] = {"rfc3161Timestamps": made}
        old = f"application/vnd.dev.sigstore.bundle+json;version={wish.version}"
        new = "application/vnd.dev.sigstore.bundle.v0.3+json"
        bundle: dict[str, object] = {
            "mediaType": new if wish.version == "0.3" else old,
            "verificationMaterial": material,
        }
        if wish.dsse:
            envelope = {"payload": b64(data), "payloadType": wish.payload_type, "signatures": [{"sig": b64(signature)}]}
            return {**bundle, "dsseEnvelope": envelope}
        stated = {"algorithm": "SHA2_256", "digest": b64(digest)}
        return {**bundle, "messageSignature": {"messageDigest": stated, "signature": b64(signature)}}

    def body(
        self, wish: Wish, data: bytes, digest: bytes, signature: bytes, certificate: x509.Certificate | None
    ) -> dict[str, object]:
        """What the log writes down."""
        pem = b64(certificate.public_bytes(Encoding.PEM) if certificate else self.public_pem)
        payload = {"algorithm": "sha256", "value": hashlib.sha256(data).hexdigest()}
        kind = wish.kind or ("hashedrekord" if wish.log == 2 or not wish.dsse else "dsse")
        if wish.log == 2:
            raw = b64(certificate.public_bytes(Encoding.DER) if certificate else spki(self.key.public_key()))
            verifier = {"keyDetails": "PKIX_ECDSA_P256_SHA_256"}
            verifier |= {"x509Certificate" if certificate else "publicKey": {"rawBytes": raw}}  # type: ignore[dict-item]
            inner = {
                "data": {"algorithm": "SHA2_256", "digest": b64(digest)},
                "signature": {"content": b64(signature), "verifier": verifier},
            }
            return {"apiVersion": "0.0.2", "kind": kind, "spec": {"hashedRekordV002": inner}}
        if kind == "hashedrekord":
            spec: dict[str, object] = {
                "data": {"hash": {"algorithm": "sha256", "value": digest.hex()}},
                "signature": {"content": b64(signature), "publicKey": {"content": pem}},
            }
        elif kind == "intoto":
            signatures = [{"sig": b64(b64(signature).encode()), "publicKey": pem}]
            envelope = {"payloadType": wish.payload_type, "signatures": signatures}
            spec = {"content": {"envelope": envelope, "hash": payload, "payloadHash": payload}}
            return {"apiVersion": "0.0.2", "kind": kind, "spec": spec}
        else:
            signatures = [{"signature": b64(signature), "verifier": pem}]
            spec = {"envelopeHash": payload, "payloadHash": payload, "signatures": signatures}
        return {"apiVersion": "0.0.1", "kind": kind, "spec": spec}
