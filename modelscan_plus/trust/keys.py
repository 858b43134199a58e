"""Public keys: reading them, and verifying with them.

The hash follows from the key, as in Sigstore's algorithm registry: P-256 and RSA with SHA-256, P-384 with SHA-384,
P-521 with SHA-512; Ed25519 signs the message itself. As sigstore-python signs with SHA-256 whatever the curve, a
signature that fails with the registry's hash is tried with SHA-256 too: both bind the message.
"""

import base64
import hashlib
import re
from functools import cached_property

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa, utils

from modelscan_plus.trust.reasons import Cause, Rejected

Raw = ec.EllipticCurvePublicKey | ed25519.Ed25519PublicKey | rsa.RSAPublicKey

_CURVES = {
    "secp256r1": ("PKIX_ECDSA_P256_SHA_256", "sha256"),
    "secp384r1": ("PKIX_ECDSA_P384_SHA_384", "sha384"),
    "secp521r1": ("PKIX_ECDSA_P521_SHA_512", "sha512"),
}
HASHES: dict[str, type[hashes.HashAlgorithm]] = {
    "sha256": hashes.SHA256,
    "sha384": hashes.SHA384,
    "sha512": hashes.SHA512,
}
_MIN_RSA = 2048
_HEX_HASH = re.compile(r"[0-9a-fA-F]{64}")
_BASE64_HASH = re.compile(r"[A-Za-z0-9+/_-]{43}=?")


class PublicKey:
    """One public key of a kind that is accepted."""

    def __init__(self, raw: object) -> None:
        """Raises `Rejected` for a kind or size of key that is not accepted."""
        self.hash: str | None
        """With which it signs messages; None for Ed25519, which takes them whole."""
        if isinstance(raw, ec.EllipticCurvePublicKey) and raw.curve.name in _CURVES:
            self.details, self.hash = _CURVES[raw.curve.name]
        elif isinstance(raw, ed25519.Ed25519PublicKey):
            self.details, self.hash = "PKIX_ED25519", None
        elif isinstance(raw, rsa.RSAPublicKey) and raw.key_size >= _MIN_RSA:
            self.details, self.hash = f"PKIX_RSA_PKCS1V15_{raw.key_size}_SHA256", "sha256"
        else:
            raise Rejected(
                Cause.UNSUPPORTED, "a key that is neither P-256, P-384, P-521, Ed25519 nor RSA from 2048 bits"
            )
        self.raw: Raw = raw

    @classmethod
    def from_pem(cls, data: bytes, what: str = "the key") -> "PublicKey":
        """The key in PEM; raises `Rejected`."""
        try:
            return cls(serialization.load_pem_public_key(data))
        except (ValueError, TypeError, UnsupportedAlgorithm) as error:
            if b"PRIVATE KEY-----" in data:
                why = "it is a private key; `openssl pkey -in FILE -pubout` writes the public one"
            elif b"BEGIN CERTIFICATE-----" in data:
                why = "it is a certificate, which goes with --certificate-chain"
            else:
                why = _first(error)
            raise Rejected(Cause.MALFORMED, f"{what} is no public key in PEM: {why}") from None

    @classmethod
    def from_der(cls, data: bytes, what: str = "the key") -> "PublicKey":
        """The key in DER (SubjectPublicKeyInfo, or PKCS #1 for old RSA keys); raises `Rejected`."""
        try:
            return cls(serialization.load_der_public_key(data))
        except (ValueError, TypeError, UnsupportedAlgorithm) as error:
            raise Rejected(Cause.MALFORMED, f"{what} is no public key in DER: {_first(error)}") from None

    @cached_property
    def der(self) -> bytes:
        """SubjectPublicKeyInfo."""
        return self.raw.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)

    @cached_property
    def pem(self) -> bytes:
        """As `openssl` writes it."""
        return self.raw.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)

    @cached_property
    def id(self) -> bytes:
        """SHA-256 of the SubjectPublicKeyInfo."""
        return hashlib.sha256(self.der).digest()

    def verifies(self, signature: bytes, message: bytes) -> bool:
        """True when `signature` over `message` is of this key."""
        if self.hash is None:
            return self._try(signature, message, None)
        return any(self._try(signature, message, HASHES[name]()) for name in dict.fromkeys((self.hash, "sha256")))

    def verifies_digest(self, signature: bytes, digest: bytes, algorithm: str) -> bool:
        """True when `signature` over something with this digest (of "sha256", …) is of this key."""
        if self.hash is None:
            return False  # Ed25519 signs messages, not digests
        return self._try(signature, digest, utils.Prehashed(HASHES[algorithm]()))

    def _try(self, signature: bytes, data: bytes, algorithm: hashes.HashAlgorithm | utils.Prehashed | None) -> bool:
        try:
            if isinstance(self.raw, ed25519.Ed25519PublicKey):
                self.raw.verify(signature, data)
            elif algorithm is None:
                return False
            elif isinstance(self.raw, rsa.RSAPublicKey):
                self.raw.verify(signature, data, padding.PKCS1v15(), algorithm)
            else:
                self.raw.verify(signature, data, ec.ECDSA(algorithm))
        except (InvalidSignature, ValueError):
            return False
        return True

    def hints(self) -> frozenset[str]:
        """How signers name this key: SHA-256 of PEM or DER, as hexadecimal or base64."""
        digests = (hashlib.sha256(self.pem).digest(), self.id)
        return frozenset(name for digest in digests for name in (digest.hex(), base64.b64encode(digest).decode()))

    def check_hint(self, hint: str) -> None:
        """Raise `Rejected` when a bundle's hint is blank or the digest of another key. Free names pass."""
        if not hint.strip():
            raise Rejected(Cause.KEY, "the bundle does not say with which key it was signed (the key hint is blank)")
        is_digest = _HEX_HASH.fullmatch(hint) or _BASE64_HASH.fullmatch(hint)
        if is_digest and hint not in self.hints() and hint.lower() not in self.hints():
            raise Rejected(Cause.KEY, "the bundle says that it was signed with another key than the one given")


def _first(error: BaseException) -> str:
    return str(error).partition("\n")[0][:120] or type(error).__name__
