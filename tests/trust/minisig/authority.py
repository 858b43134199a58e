"""Certificates: an authority with an intermediate, leaves for signers with an embedded SCT, and a TSA's chain."""

import hashlib
import struct
from datetime import UTC, datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID, ObjectIdentifier

EPOCH = datetime(2025, 1, 1, tzinfo=UTC)
_SCT_LIST = ObjectIdentifier("1.3.6.1.4.1.11129.2.4.2")


def spki(key: object) -> bytes:
    """SubjectPublicKeyInfo in DER."""
    return key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)  # type: ignore[attr-defined, no-any-return]


def key_usage(*names: str) -> x509.KeyUsage:
    """A key usage with these bits."""
    every = "digital_signature content_commitment key_encipherment data_encipherment key_agreement".split()
    every += "key_cert_sign crl_sign encipher_only decipher_only".split()
    return x509.KeyUsage(**{name: name in names for name in every})


class Chain:
    """A root and an intermediate, each with its key."""

    def __init__(self, name: str, usage: ObjectIdentifier, *, years: int = 10) -> None:
        self.root_key, self.key = ec.generate_private_key(ec.SECP384R1()), ec.generate_private_key(ec.SECP256R1())
        self.name = f"{name}-intermediate"
        """Who issues."""
        self.root = self._make(f"{name}-root", f"{name}-root", self.root_key, self.root_key, None, years)
        self.intermediate = self._make(self.name, f"{name}-root", self.key, self.root_key, usage, years)

    @staticmethod
    def _make(
        subject: str,
        issuer: str,
        key: ec.EllipticCurvePrivateKey,
        signer: ec.EllipticCurvePrivateKey,
        usage: ObjectIdentifier | None,
        years: int,
    ) -> x509.Certificate:
        builder = _builder(subject, issuer, key.public_key(), EPOCH, EPOCH + timedelta(days=365 * years))
        builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        builder = builder.add_extension(key_usage("key_cert_sign", "crl_sign"), critical=True)
        builder = builder.add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        builder = builder.add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key()), critical=False
        )
        if usage is not None:
            builder = builder.add_extension(x509.ExtendedKeyUsage([usage]), critical=False)
        return builder.sign(signer, hashes.SHA384())


def _builder(
    subject: str, issuer: str, key: ec.EllipticCurvePublicKey, start: datetime, end: datetime
) -> x509.CertificateBuilder:
    names = [x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)] if text else []) for text in (subject, issuer)]
    builder = x509.CertificateBuilder().subject_name(names[0]).issuer_name(names[1]).public_key(key)
    return builder.serial_number(x509.random_serial_number()).not_valid_before(start).not_valid_after(end)


def tsa_leaf(
    chain: Chain,
    key: ec.EllipticCurvePrivateKey,
    end: datetime,
    *,
    usage: ObjectIdentifier = ExtendedKeyUsageOID.TIME_STAMPING,
    critical: bool = True,
) -> x509.Certificate:
    """The certificate of a timestamp authority."""
    builder = _builder("tsa", chain.name, key.public_key(), EPOCH, end)
    builder = builder.add_extension(key_usage("digital_signature"), critical=True)
    builder = builder.add_extension(x509.ExtendedKeyUsage([usage]), critical=critical)
    builder = builder.add_extension(
        x509.AuthorityKeyIdentifier.from_issuer_public_key(chain.key.public_key()), critical=False
    )
    return builder.sign(chain.key, hashes.SHA256())


def der(tag: int, data: bytes) -> bytes:
    """Tag, length and value."""
    size = len(data)
    length = (
        bytes([size]) if size < 128 else b"\x81" + bytes([size]) if size < 256 else b"\x82" + size.to_bytes(2, "big")
    )
    return bytes([tag]) + length + data


def utf8(text: str) -> bytes:
    """A DER UTF8String."""
    return der(0x0C, text.encode())


def signer_leaf(
    chain: Chain,
    key: ec.EllipticCurvePublicKey,
    *,
    start: datetime,
    end: datetime,
    extensions: list[tuple[x509.ExtensionType, bool]],
    logs: list[tuple[ec.EllipticCurvePrivateKey, datetime]],
) -> x509.Certificate:
    """A signer's certificate with an SCT of each of `logs` (key and time)."""
    builder = _builder("", chain.name, key, start, end)
    for extension, critical in extensions:
        builder = builder.add_extension(extension, critical)
    builder = builder.add_extension(
        x509.AuthorityKeyIdentifier.from_issuer_public_key(chain.key.public_key()), critical=False
    )
    tbs = builder.sign(chain.key, hashes.SHA256()).tbs_certificate_bytes
    if logs:
        scts = b"".join(_sct(log, moment, tbs, chain) for log, moment in logs)
        value = struct.pack(">H", len(scts)) + scts
        builder = builder.add_extension(x509.UnrecognizedExtension(_SCT_LIST, der(4, value)), critical=False)
    return builder.sign(chain.key, hashes.SHA256())


def _sct(log: ec.EllipticCurvePrivateKey, moment: datetime, tbs: bytes, chain: Chain) -> bytes:
    milliseconds = int(moment.timestamp() * 1000)
    issuer = hashlib.sha256(spki(chain.key.public_key())).digest()
    signed = struct.pack(">BBQH", 0, 0, milliseconds, 1) + issuer + len(tbs).to_bytes(3, "big") + tbs + b"\0\0"
    signature = log.sign(signed, ec.ECDSA(hashes.SHA256()))
    log_id = hashlib.sha256(spki(log.public_key())).digest()
    sct = b"\0" + log_id + struct.pack(">QH", milliseconds, 0) + b"\4\3" + struct.pack(">H", len(signature)) + signature
    return struct.pack(">H", len(sct)) + sct
