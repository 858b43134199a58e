"""Signatures by a private authority: explicit anchors, a name that was asked for, code signing, time."""

import base64
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID, ObjectIdentifier

from modelscan_plus.trust import dsse
from modelscan_plus.trust.expected import ByCertificate, Keyless
from modelscan_plus.trust.reasons import Cause, Rejected
from modelscan_plus.trust.root import TrustedRoot, read_root
from modelscan_plus.trust.verify import verify_bundle
from tests.trust.minisig import Sigstore
from tests.trust.minisig.authority import key_usage

NOW = datetime(2026, 11, 24, tzinfo=UTC)
DAY = timedelta(days=1)
STATEMENT = json.dumps(
    {
        "_type": dsse.STATEMENT_TYPE,
        "subject": [{"name": "m", "digest": {"sha256": "00" * 32}}],
        "predicateType": "https://example.com/x",
        "predicate": {},
    }
).encode()
SAN = "release@corp.test"
KEY = ec.generate_private_key(ec.SECP256R1())


class Corp:
    """A private authority without any niceties, as companies have."""

    def __init__(self, name: str = "corp") -> None:
        self.root_key, self.key = (rsa.generate_private_key(65537, 2048), ec.generate_private_key(ec.SECP384R1()))
        self.name = name
        self.root = self.issue(f"{name}-root", f"{name}-root", self.root_key, self.root_key, ca=True)
        self.intermediate = self.issue(f"{name}-ca", f"{name}-root", self.key, self.root_key, ca=True)

    @staticmethod
    def issue(
        subject: str,
        issuer: str,
        key: Any,
        signer: Any,
        *,
        ca: bool = False,
        start: datetime = NOW - 300 * DAY,
        end: datetime = NOW + 300 * DAY,
        san: str | None = None,
        usage: tuple[str, ...] = (),
        extended: ObjectIdentifier | None = None,
        unknown: bool = False,
    ) -> x509.Certificate:
        names = [x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)]) for text in (subject, issuer)]
        builder = x509.CertificateBuilder().subject_name(names[0]).issuer_name(names[1]).public_key(key.public_key())
        builder = builder.serial_number(x509.random_serial_number()).not_valid_before(start).not_valid_after(end)
        usage = usage or (("key_cert_sign",) if ca else ("digital_signature",))
        builder = builder.add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
        builder = builder.add_extension(key_usage(*usage), critical=True)
        if san is not None:
            builder = builder.add_extension(x509.SubjectAlternativeName([x509.RFC822Name(san)]), critical=False)
        if extended is not None:
            builder = builder.add_extension(x509.ExtendedKeyUsage([extended]), critical=False)
        if unknown:
            builder = builder.add_extension(
                x509.UnrecognizedExtension(ObjectIdentifier("1.2.3"), b"\5\0"), critical=True
            )
        return builder.sign(signer, hashes.SHA256())

    def leaf(self, **changes: Any) -> x509.Certificate:
        fields = {"san": SAN, "extended": ExtendedKeyUsageOID.CODE_SIGNING, **changes}
        return self.issue("release", f"{self.name}-ca", KEY, self.key, **fields)


CORP, OTHER = Corp(), Corp("other")
EXPECTED = ByCertificate((CORP.root,), SAN)


def bundle(leaf: x509.Certificate, *between: x509.Certificate, stamp: str = "") -> bytes:
    signature = KEY.sign(dsse.pae(dsse.PAYLOAD_TYPE, STATEMENT), ec.ECDSA(hashes.SHA256()))
    chain = [{"rawBytes": base64.b64encode(c.public_bytes(Encoding.DER)).decode()} for c in (leaf, *between)]
    material: dict[str, object] = {"x509CertificateChain": {"certificates": chain}, "tlogEntries": []}
    if stamp:
        material["timestampVerificationData"] = {"rfc3161Timestamps": [{"signedTimestamp": stamp}]}
    envelope = {
        "payload": base64.b64encode(STATEMENT).decode(),
        "payloadType": dsse.PAYLOAD_TYPE,
        "signatures": [{"sig": base64.b64encode(signature).decode()}],
    }
    media_type = "application/vnd.dev.sigstore.bundle.v0.3+json"
    return json.dumps({"mediaType": media_type, "verificationMaterial": material, "dsseEnvelope": envelope}).encode()


def cause(data: bytes, expected: ByCertificate = EXPECTED, root: TrustedRoot | None = None) -> Cause | None:
    try:
        verify_bundle(data, expected, root, now=NOW)
    except Rejected as error:
        return error.cause
    return None


def test_a_certificate_of_the_authority_that_names_whom_was_asked_for_is_accepted() -> None:
    verified = verify_bundle(bundle(CORP.leaf(), CORP.intermediate), EXPECTED, None, now=NOW)
    assert (verified.method, verified.signer, verified.times) == ("certificate", SAN, ())
    assert cause(bundle(CORP.leaf(), CORP.intermediate, CORP.root)) is None, "a root in the bundle is passed over"
    assert cause(bundle(CORP.leaf()), ByCertificate((CORP.root, CORP.intermediate), SAN)) is None
    assert (
        cause(bundle(CORP.leaf(san=None), CORP.intermediate), ByCertificate((CORP.root,), subject="CN=release")) is None
    )


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"end": NOW - DAY}, Cause.EXPIRED),
        ({"start": NOW + DAY}, Cause.EXPIRED),
        ({"extended": ExtendedKeyUsageOID.SERVER_AUTH}, Cause.USAGE),
        ({"extended": ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE}, Cause.USAGE),
        ({"extended": None}, Cause.USAGE),
        ({"usage": ("key_encipherment",)}, Cause.USAGE),
        ({"usage": ("digital_signature", "key_cert_sign"), "ca": True}, Cause.USAGE),
        ({"san": "other@corp.test"}, Cause.IDENTITY),
        ({"san": None}, Cause.IDENTITY),
        ({"unknown": True}, Cause.CHAIN),
    ],
    ids=lambda value: str(value) if isinstance(value, dict) else "",
)
def test_a_certificate_with_one_thing_wrong_is_rejected(changes: dict[str, Any], reason: Cause) -> None:
    assert cause(bundle(CORP.leaf(**changes), CORP.intermediate)) is reason


def test_only_the_given_anchors_count() -> None:
    assert cause(bundle(OTHER.leaf(), OTHER.intermediate, OTHER.root)) is Cause.CHAIN
    assert cause(bundle(CORP.leaf())) is Cause.CHAIN, "the intermediate is missing"
    not_ca = CORP.issue("corp-ca", "corp-root", CORP.key, CORP.root_key)
    assert cause(bundle(CORP.leaf(), not_ca)) is Cause.CHAIN
    no_right = CORP.issue("corp-ca", "corp-root", CORP.key, CORP.root_key, ca=True, usage=("crl_sign",))
    assert cause(bundle(CORP.leaf(), no_right)) is Cause.CHAIN
    for_servers = CORP.issue(
        "corp-ca", "corp-root", CORP.key, CORP.root_key, ca=True, extended=ExtendedKeyUsageOID.SERVER_AUTH
    )
    assert cause(bundle(CORP.leaf(), for_servers)) is Cause.CHAIN
    ended = CORP.issue("corp-ca", "corp-root", CORP.key, CORP.root_key, ca=True, end=NOW - DAY)
    assert cause(bundle(CORP.leaf(), ended)) is Cause.CHAIN


def test_somebody_must_be_named() -> None:
    data = bundle(CORP.leaf(), CORP.intermediate)
    assert cause(data, ByCertificate((CORP.root,))) is Cause.IDENTITY
    assert cause(data, ByCertificate((CORP.root,), subject="CN=other")) is Cause.IDENTITY
    assert cause(data, ByCertificate((CORP.root,), SAN, "CN=other")) is Cause.IDENTITY


def test_a_signed_timestamp_proves_that_the_certificate_was_still_good() -> None:
    instance = Sigstore()
    root = read_root(json.dumps(instance.trusted_root()).encode(), name="test")
    ended = CORP.leaf(end=NOW - DAY)

    def stamped(moment: datetime) -> bytes:
        data = json.loads(bundle(ended, CORP.intermediate))
        signature = base64.b64decode(data["dsseEnvelope"]["signatures"][0]["sig"])
        stamp = {"signedTimestamp": instance.stamp(signature, moment)}
        data["verificationMaterial"]["timestampVerificationData"] = {"rfc3161Timestamps": [stamp]}
        return json.dumps(data).encode()

    assert cause(bundle(ended, CORP.intermediate), root=root) is Cause.EXPIRED
    assert cause(stamped(NOW - 2 * DAY), root=root) is None
    assert cause(stamped(NOW), root=root) is Cause.EXPIRED
    assert cause(stamped(NOW - 2 * DAY)) is Cause.ROOT, "nobody said which timestamp authority to believe"


def test_a_private_authority_is_not_keyless() -> None:
    with pytest.raises(Rejected) as rejected:
        verify_bundle(
            bundle(CORP.leaf(), CORP.intermediate),
            Keyless(SAN, "https://issuer.test"),
            read_root(json.dumps(Sigstore().trusted_root()).encode(), name="test"),
            now=NOW,
        )
    assert rejected.value.cause is Cause.MATERIAL
