"""Signing statements by key, and back."""

import json
from datetime import UTC, datetime

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, Encoding, NoEncryption, PrivateFormat
from sigstore.models import Bundle, ClientTrustConfig
from sigstore.verify import Verifier, policy

from modelscan_plus.core.errors import UsageError
from modelscan_plus.trust import dsse
from modelscan_plus.trust.expected import ByKey, Keyless
from modelscan_plus.trust.keys import PublicKey
from modelscan_plus.trust.reasons import Cause, Rejected
from modelscan_plus.trust.root import read_root
from modelscan_plus.trust.sign import KeylessSigner, KeySigner
from modelscan_plus.trust.verify import Content, verify_bundle
from tests.trust.minisig import Sigstore
from tests.trust.minisig.server import TOKEN_ISSUER, serving, token

NOW = datetime(2026, 11, 24, tzinfo=UTC)
STATEMENT = json.dumps(
    {
        "_type": dsse.STATEMENT_TYPE,
        "subject": [{"name": "model", "digest": {"sha256": "ab" * 32}}],
        "predicateType": "https://example.com/scan/v1",
        "predicate": {"verdict": "allowed"},
    }
).encode()
KEYS = {
    "P-256": ec.generate_private_key(ec.SECP256R1()),
    "P-384": ec.generate_private_key(ec.SECP384R1()),
    "P-521": ec.generate_private_key(ec.SECP521R1()),
    "Ed25519": ed25519.Ed25519PrivateKey.generate(),
}


@pytest.mark.parametrize("kind", KEYS)
def test_a_statement_signed_by_key_verifies_with_that_key_alone(kind: str) -> None:
    signer = KeySigner(KEYS[kind])
    bundle = signer.sign(STATEMENT)
    verified = verify_bundle(bundle, ByKey(PublicKey.from_pem(signer.public_pem)), None, now=NOW)
    assert verified.method == "key"
    assert verified.times == ()
    statement = verified.statement()
    assert statement.predicate_type == "https://example.com/scan/v1"
    assert statement.subjects[0].digests == {"sha256": "ab" * 32}
    assert b"\n" not in bundle
    other = KeySigner(ec.generate_private_key(ec.SECP256R1()))
    with pytest.raises(Rejected) as rejected:
        verify_bundle(bundle, ByKey(PublicKey.from_pem(other.public_pem)), None, now=NOW)
    assert rejected.value.cause is Cause.KEY


def test_content_given_must_be_a_subject() -> None:
    signer = KeySigner(KEYS["P-256"])
    key = ByKey(PublicKey.from_pem(signer.public_pem))
    verify_bundle(signer.sign(STATEMENT), key, None, now=NOW, content=Content.of_sha256(b"\xab" * 32))
    with pytest.raises(Rejected) as rejected:
        verify_bundle(signer.sign(STATEMENT), key, None, now=NOW, content=Content.of_bytes(b"something else"))
    assert rejected.value.cause is Cause.DIGEST


def test_a_key_is_read_with_its_password_and_unfit_keys_are_explained() -> None:
    key = KEYS["P-256"]
    sealed = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"secret"))
    assert KeySigner.from_pem(sealed, b"secret").public_pem == KeySigner(key).public_pem
    with pytest.raises(UsageError, match="cannot be read"):
        KeySigner.from_pem(sealed, b"wrong")
    with pytest.raises(UsageError, match="cannot be read"):
        KeySigner.from_pem(b"no key")
    unfit = rsa.generate_private_key(65537, 2048).private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    with pytest.raises(UsageError, match=r"P-256, P-384, P-521 or Ed25519"):
        KeySigner.from_pem(unfit)


@pytest.mark.parametrize(
    ("change", "cause"),
    [
        (lambda b: b["verificationMaterial"]["publicKey"].update(hint=" "), Cause.KEY),
        (lambda b: b["verificationMaterial"]["publicKey"].update(hint="00" * 32), Cause.KEY),
        (lambda b: b["dsseEnvelope"].update(payloadType="text/plain"), Cause.SIGNATURE),
        (lambda b: b["dsseEnvelope"]["signatures"].append(b["dsseEnvelope"]["signatures"][0]), Cause.MATERIAL),
        (lambda b: b["dsseEnvelope"]["signatures"].clear(), Cause.MATERIAL),
        (lambda b: b["dsseEnvelope"]["signatures"][0].update(sig=""), Cause.MALFORMED),
        (lambda b: b["dsseEnvelope"].update(payload=b["dsseEnvelope"]["payload"][4:]), Cause.SIGNATURE),
        (lambda b: b.update(extra=1), Cause.MALFORMED),
        (lambda b: b.update(mediaType="application/json"), Cause.UNSUPPORTED),
        (lambda b: b.update(messageSignature={"signature": "AAAA"}), Cause.MALFORMED),
        (lambda b: b["verificationMaterial"].update(certificate={"rawBytes": "AAAA"}), Cause.MALFORMED),
    ],
)
def test_a_changed_bundle_is_rejected(change: object, cause: Cause) -> None:
    signer = KeySigner(KEYS["P-256"])
    bundle = json.loads(signer.sign(STATEMENT))
    change(bundle)  # type: ignore[operator]
    with pytest.raises(Rejected) as rejected:
        verify_bundle(json.dumps(bundle).encode(), ByKey(PublicKey.from_pem(signer.public_pem)), None, now=NOW)
    assert rejected.value.cause is cause


def test_free_names_of_keys_pass() -> None:
    signer = KeySigner(KEYS["P-256"])
    bundle = json.loads(signer.sign(STATEMENT))
    bundle["verificationMaterial"]["publicKey"]["hint"] = "kms:release-key"
    verify_bundle(json.dumps(bundle).encode(), ByKey(PublicKey.from_pem(signer.public_pem)), None, now=NOW)


def test_a_statement_is_signed_keyless_against_a_sigstore_instance() -> None:
    with serving(Sigstore()) as config:
        signer = KeylessSigner(token=token("release@corp.test"), trust_config=config)
        assert signer.name == "release@corp.test"
        bundle = signer.sign(STATEMENT)
    root = read_root(config, name="test")
    verified = verify_bundle(bundle, Keyless("release@corp.test", TOKEN_ISSUER), root, now=NOW)
    assert verified.times
    assert verified.statement().predicate_type == "https://example.com/scan/v1"
    theirs = Verifier(trusted_root=ClientTrustConfig.from_json(config.decode()).trusted_root)
    identity = policy.Identity(identity="release@corp.test", issuer=TOKEN_ISSUER)
    assert theirs.verify_dsse(Bundle.from_json(bundle), identity) == (dsse.PAYLOAD_TYPE, STATEMENT)
    with pytest.raises(Rejected) as rejected:
        verify_bundle(bundle, Keyless("other@corp.test", TOKEN_ISSUER), root, now=NOW)
    assert rejected.value.cause is Cause.IDENTITY


def test_keyless_signing_says_what_is_missing() -> None:
    with serving(Sigstore()) as config:
        with pytest.raises(UsageError, match="identity token"):
            KeylessSigner(token="no token", trust_config=config)  # noqa: S106 - it is none
        with pytest.raises(UsageError, match="cannot be used"):
            KeylessSigner(token=token("x@y.test"), trust_config=b"{}")
        signer = KeylessSigner(token=token("x@y.test"), trust_config=config)
        with pytest.raises(UsageError, match="keyless signing failed"):
            signer.sign(b"no statement")
    with pytest.raises(UsageError, match="keyless signing failed"):
        signer.sign(STATEMENT)  # nobody listens any more
