"""Signing an in-toto statement as a DSSE Sigstore bundle (v0.3), by key or keyless.

    statement = msgspec.json.encode({"_type": dsse.STATEMENT_TYPE, "subject": …, "predicateType": …, "predicate": …})
    bundle = KeySigner.from_pem(Path("key.pem").read_bytes(), password=None).sign(statement)
    bundle = KeylessSigner(token=None).sign(statement)          # network: Fulcio, Rekor, TSA
    verified = verify.verify_bundle(bundle, KeyExpected(public_pem), root=None, now=now)   # and back

`sign` gives the JSON of the bundle, in one line, so that it can stand in a `.jsonl` of attestations. A bundle that is
signed by key has no log entry and no time: it says who, not when, which is why a statement should carry its own dates.
Both signers raise `UsageError` in words for the person who signs.
"""

import base64
import hashlib
import json
from typing import TYPE_CHECKING, Protocol

from modelscan_plus.core.errors import MissingExtra, UsageError
from modelscan_plus.trust import dsse

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric import ec, ed25519
    from sigstore.models import ClientTrustConfig
    from sigstore.oidc import IdentityToken

BUNDLE_TYPE = "application/vnd.dev.sigstore.bundle.v0.3+json"


class Signer(Protocol):
    """Something that signs."""

    @property
    def name(self) -> str:
        """Who signs, for a message: "key 3f2a…", an e-mail address or a workflow."""

    def sign(self, statement: bytes) -> bytes:
        """The bundle over the JSON of an in-toto statement."""


class KeySigner:
    """Signs with a private key: P-256, P-384, P-521 or Ed25519."""

    def __init__(self, key: "ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey") -> None:
        from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

        self._key = key
        self.public_pem = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
        """The key to verify with."""
        self.hint = hashlib.sha256(self.public_pem).hexdigest()
        """SHA-256 of `public_pem`, as OpenSSF Model Signing names keys."""
        der = key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        self.id = hashlib.sha256(der).hexdigest()
        """SHA-256 of the same in DER, as `verify` and the report show keys."""

    @classmethod
    def from_pem(cls, data: bytes, password: bytes | None = None) -> "KeySigner":
        """The private key in PEM, decrypted with `password` where it is encrypted."""
        try:
            from cryptography.exceptions import UnsupportedAlgorithm
            from cryptography.hazmat.primitives.asymmetric import ec, ed25519
            from cryptography.hazmat.primitives.serialization import load_pem_private_key
        except ImportError:
            raise MissingExtra("signing", "sign") from None
        try:
            key = load_pem_private_key(data, password)
        except (ValueError, TypeError, UnsupportedAlgorithm) as error:
            why = str(error).partition(chr(10))[0]
            if "assword" in why:
                why += " (it is taken from MODELSCAN_PLUS_KEY_PASSWORD)"
            raise UsageError(f"the signing key cannot be read: {why}") from None
        if isinstance(key, ed25519.Ed25519PrivateKey):
            return cls(key)
        if isinstance(key, ec.EllipticCurvePrivateKey) and key.curve.name in ("secp256r1", "secp384r1", "secp521r1"):
            return cls(key)
        raise UsageError("the signing key must be of P-256, P-384, P-521 or Ed25519")

    @property
    def name(self) -> str:
        return f"key {self.id[:16]}…"

    def sign(self, statement: bytes) -> bytes:
        """The bundle over the JSON of an in-toto statement."""
        from cryptography.hazmat.primitives import hashes
        from cryptography.hazmat.primitives.asymmetric import ec

        message = dsse.pae(dsse.PAYLOAD_TYPE, statement)
        if isinstance(self._key, ec.EllipticCurvePrivateKey):
            by_size = {256: hashes.SHA256(), 384: hashes.SHA384(), 521: hashes.SHA512()}
            signature = self._key.sign(message, ec.ECDSA(by_size[self._key.curve.key_size]))
        else:
            signature = self._key.sign(message)
        bundle = {
            "mediaType": BUNDLE_TYPE,
            "verificationMaterial": {"publicKey": {"hint": self.hint}, "tlogEntries": []},
            "dsseEnvelope": {
                "payload": base64.b64encode(statement).decode(),
                "payloadType": dsse.PAYLOAD_TYPE,
                "signatures": [{"sig": base64.b64encode(signature).decode()}],
            },
        }
        return json.dumps(bundle, separators=(",", ":")).encode()


class KeylessSigner:
    """Signs with a certificate that a Sigstore instance gives for an OpenID Connect token."""

    def __init__(
        self, *, token: str | None = None, trust_config: bytes | None = None, interactive: bool = False
    ) -> None:
        """`token` is an identity token; without one, that of the CI system is asked for, and with `interactive` a
        browser. `trust_config` is a ClientTrustConfig in JSON, for an instance other than the public one."""
        try:
            from sigstore.models import ClientTrustConfig
        except ImportError:
            raise MissingExtra("keyless signing", "sign") from None
        from sigstore.errors import Error

        try:
            self._config = (
                ClientTrustConfig.from_json(trust_config.decode()) if trust_config else ClientTrustConfig.production()
            )
        except (Error, ValueError) as error:
            raise UsageError(f"the Sigstore instance cannot be used: {error}") from None
        self._token = _identity(token, self._config, interactive=interactive)

    @property
    def name(self) -> str:
        return str(self._token.identity)

    def sign(self, statement: bytes) -> bytes:
        """The bundle over the JSON of an in-toto statement."""
        from sigstore.dsse import Statement
        from sigstore.sign import SigningContext

        try:
            with SigningContext.from_trust_config(self._config).signer(self._token) as signer:
                return signer.sign_dsse(Statement(statement)).to_json().encode()
        except Exception as error:  # errors of Fulcio, Rekor, the TSA and of HTTP have no common base
            raise UsageError(f"keyless signing failed: {str(error) or type(error).__name__}") from None


def _identity(token: str | None, config: "ClientTrustConfig", *, interactive: bool) -> "IdentityToken":
    from sigstore.oidc import IdentityError, IdentityToken, Issuer, detect_credential

    try:
        text = token or detect_credential()
        if text:
            return IdentityToken(text)
        if interactive:
            return Issuer(config.signing_config.get_oidc_url()).identity_token()
    except IdentityError as error:
        raise UsageError(f"the identity token cannot be used: {error}") from None
    raise UsageError("keyless signing needs an identity: give a token, or run in a CI system that gives one")
