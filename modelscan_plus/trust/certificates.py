"""The signer's certificate: who it names, whom it leads to, and the proof that it was logged.

Names: the subject alternative name holds an e-mail address, a URI, a DNS name, or Fulcio's own `otherName`
(1.3.6.1.4.1.57264.1.7, a UTF8String). The OpenID issuer stands in .57264.1.8 as a DER UTF8String and, in older
certificates, as bare text in .57264.1.1; where both stand they must agree. Source: sigstore/fulcio docs/oid-info.md.

SCT: RFC 6962 section 3.2 over the precertificate, as embedded in the certificate. The path is verified by
`cryptography` at the time of signing, per authority, so that an authority's own window can be looked at too.
"""

import struct
from datetime import UTC, datetime
from typing import TypeVar

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.x509 import certificate_transparency as ct
from cryptography.x509 import verification
from cryptography.x509.oid import ExtendedKeyUsageOID as Usage
from cryptography.x509.oid import ObjectIdentifier

from modelscan_plus.core.text import shorten, visible
from modelscan_plus.trust.keys import PublicKey
from modelscan_plus.trust.reasons import Cause, Rejected
from modelscan_plus.trust.root import Authority, Log

_OTHER_NAME = ObjectIdentifier("1.3.6.1.4.1.57264.1.7")
_ISSUER_V1 = ObjectIdentifier("1.3.6.1.4.1.57264.1.1")
_ISSUER_V2 = ObjectIdentifier("1.3.6.1.4.1.57264.1.8")
_UTF8_STRING = 0x0C

X = TypeVar("X", bound=x509.ExtensionType)


def _ca_policy(*, strict: bool) -> verification.ExtensionPolicy:
    """What every certificate above the signer's must have. Private authorities often lack key identifiers."""
    if strict:
        base = verification.ExtensionPolicy.webpki_defaults_ca()
    else:
        base = verification.ExtensionPolicy.permit_all().require_present(
            x509.BasicConstraints, verification.Criticality.AGNOSTIC, _must_be_ca
        )
        base = base.require_present(x509.KeyUsage, verification.Criticality.AGNOSTIC, _must_sign_certificates)
    return base.may_be_present(x509.ExtendedKeyUsage, verification.Criticality.AGNOSTIC, _may_issue_signers)


def _ee_policy(*, strict: bool) -> verification.ExtensionPolicy:
    default = verification.ExtensionPolicy.webpki_defaults_ee()
    base = default if strict else verification.ExtensionPolicy.permit_all()
    # The usage of the signer's certificate is checked apart, with a better message.
    return base.may_be_present(x509.ExtendedKeyUsage, verification.Criticality.AGNOSTIC, None)


def _must_be_ca(_policy: object, _certificate: x509.Certificate, extension: x509.BasicConstraints) -> None:
    if not extension.ca:
        raise ValueError("an issuer that is no certificate authority")


def _must_sign_certificates(_policy: object, _certificate: x509.Certificate, extension: x509.KeyUsage) -> None:
    if not extension.key_cert_sign:
        raise ValueError("an issuer that may not sign certificates")


def _may_issue_signers(_policy: object, _cert: x509.Certificate, extension: x509.ExtendedKeyUsage | None) -> None:
    if extension is not None and not {Usage.CODE_SIGNING, Usage.ANY_EXTENDED_KEY_USAGE} & set(extension):
        raise ValueError("an issuer that may not issue certificates for signing code")


def verify_path(
    leaf: x509.Certificate,
    between: tuple[x509.Certificate, ...],
    anchors: tuple[x509.Certificate, ...],
    moment: datetime,
    *,
    strict: bool,
) -> x509.Certificate:
    """The issuer of `leaf`, after the path from it to one of `anchors` was verified at `moment`. Raises `Rejected`.

    `strict` asks for the extensions that the web's and Sigstore's authorities write.
    """
    builder = verification.PolicyBuilder().store(verification.Store(list(anchors))).time(moment)
    builder = builder.extension_policies(ca_policy=_ca_policy(strict=strict), ee_policy=_ee_policy(strict=strict))
    try:
        return builder.build_client_verifier().verify(leaf, list(between)).chain[1]
    except IndexError:
        # The path is the leaf alone: it stands among the anchors itself.
        raise Rejected(
            Cause.CHAIN, "the signer's own certificate was given as an authority; give that of the authority"
        ) from None
    except (verification.VerificationError, x509.UnsupportedGeneralNameType, ValueError) as error:
        detail = str(error).partition(" (encountered")[0].removeprefix("validation failed: ")
        raise Rejected(Cause.CHAIN, f"the certificate does not lead to a trusted authority: {detail}") from None


def verify_authority(leaf: x509.Certificate, authorities: tuple[Authority, ...], moment: datetime) -> x509.Certificate:
    """The issuer of `leaf`, which one of `authorities` issued and was trusted to issue at `moment`."""
    check_validity(leaf, moment)
    failures: list[Rejected] = []
    for authority in authorities:
        *inner, anchor = authority.chain
        if not any(leaf.issuer == issuer.subject for issuer in authority.chain):
            continue
        try:
            issuer = verify_path(leaf, tuple(inner), (anchor,), moment, strict=True)
        except Rejected as error:
            failures.append(error)
            continue
        if authority.window.covers(moment):
            return issuer
        message = (
            f"the authority {authority.uri} was trusted from {authority.window}, not on {moment:%Y-%m-%d %H:%M:%S}"
        )
        failures.append(Rejected(Cause.RETIRED, message))
    raise failures[-1] if failures else Rejected(Cause.CHAIN, "the certificate is of no authority in the trusted root")


def check_validity(leaf: x509.Certificate, moment: datetime, *, proven: bool = True) -> None:
    """Raise `Rejected` unless `moment`, `proven` where somebody signed it, lies between the certificate's own dates."""
    if not leaf.not_valid_before_utc <= moment <= leaf.not_valid_after_utc:
        raise Rejected(
            Cause.EXPIRED,
            f"the certificate was valid from {leaf.not_valid_before_utc:%Y-%m-%d %H:%M:%S} to "
            f"{leaf.not_valid_after_utc:%Y-%m-%d %H:%M:%S}, "
            + (
                f"but the signature is of {moment:%F %T}" if proven else f"not at {moment:%F %T}, and no time is proven"
            ),
        )


def check_usage(leaf: x509.Certificate) -> None:
    """Raise `Rejected` unless the certificate is made to sign code and is no authority itself."""
    usage = extension(leaf, x509.KeyUsage)
    # OpenSSF's own sample certificate is marked as an authority, but may not sign certificates.
    if usage is not None and usage.key_cert_sign:
        raise Rejected(Cause.USAGE, "the signer's certificate is that of an authority")
    if usage is None or not usage.digital_signature:
        raise Rejected(Cause.USAGE, "the certificate is not for digital signatures")
    extended = extension(leaf, x509.ExtendedKeyUsage)
    if extended is None or Usage.CODE_SIGNING not in extended:
        raise Rejected(Cause.USAGE, "the certificate is not for signing code (a web server's, for example)")


def extension(certificate: x509.Certificate, kind: type[X]) -> X | None:
    """One extension; None when absent. Raises `Rejected` for extensions that do not parse."""
    try:
        return certificate.extensions.get_extension_for_class(kind).value
    except x509.ExtensionNotFound:
        return None
    except (ValueError, x509.DuplicateExtension, x509.UnsupportedGeneralNameType) as error:
        raise Rejected(Cause.MALFORMED, f"an extension of the certificate cannot be read: {error}") from None


def names(certificate: x509.Certificate) -> tuple[str, ...]:
    """Everybody the certificate names in its subject alternative name."""
    found = extension(certificate, x509.SubjectAlternativeName)
    if found is None:
        return ()
    result: list[str] = []
    for name in found:
        if isinstance(name, (x509.RFC822Name, x509.UniformResourceIdentifier, x509.DNSName)):
            result.append(name.value)
        elif isinstance(name, x509.OtherName) and name.type_id == _OTHER_NAME:
            result.append(_utf8_string(name.value, "the name in the certificate"))
        else:  # nobody's identity, but one more name
            result.append(f"({type(name).__name__})")
    return tuple(result)


def issuer_of_identity(certificate: x509.Certificate) -> str | None:
    """The OpenID issuer that vouched for the name; None for certificates that are not of Fulcio."""
    older, newer = _unknown(certificate, _ISSUER_V1), _unknown(certificate, _ISSUER_V2)
    try:
        old_text = older.decode("utf-8") if older is not None else None
    except UnicodeDecodeError:
        raise Rejected(Cause.MALFORMED, "the issuer in the certificate is not UTF-8") from None
    new_text = _utf8_string(newer, "the issuer in the certificate") if newer is not None else None
    if old_text is not None and new_text is not None and old_text != new_text:
        raise Rejected(Cause.ISSUER, f"the certificate names two issuers: {shown(new_text)} and {shown(old_text)}")
    return new_text if new_text is not None else old_text


def shown(text: str) -> str:
    """Untrusted text for a message."""
    return visible(shorten(text, 200))


def _unknown(certificate: x509.Certificate, oid: ObjectIdentifier) -> bytes | None:
    try:
        value = certificate.extensions.get_extension_for_oid(oid).value
    except x509.ExtensionNotFound:
        return None
    except (ValueError, x509.DuplicateExtension, x509.UnsupportedGeneralNameType) as error:
        raise Rejected(Cause.MALFORMED, f"an extension of the certificate cannot be read: {error}") from None
    return value.value if isinstance(value, x509.UnrecognizedExtension) else None


def _utf8_string(der: bytes, what: str) -> str:
    """The text of a DER UTF8String of at most 65,535 bytes."""
    if len(der) >= 2 and der[0] == _UTF8_STRING:
        length, start = der[1], 2
        if length in (0x81, 0x82):
            width = length & 0x7F
            length, start = int.from_bytes(der[2 : 2 + width], "big"), 2 + width
        if length == len(der) - start:
            try:
                return der[start:].decode("utf-8")
            except UnicodeDecodeError:
                pass
    raise Rejected(Cause.MALFORMED, f"{what} is no UTF8String")


def verify_sct(leaf: x509.Certificate, issuer: x509.Certificate, logs: tuple[Log, ...]) -> None:
    """Raise `Rejected` unless a certificate transparency log that was trusted at that time logged `leaf`."""
    found = extension(leaf, x509.PrecertificateSignedCertificateTimestamps)
    if found is None or not len(found):
        raise Rejected(Cause.SCT, "the certificate has no proof that it was logged (SCT)")
    issuer_id = PublicKey(issuer.public_key()).id
    for sct in found:
        candidates = [log for log in logs if log.id == sct.log_id]
        if not candidates:
            raise Rejected(Cause.SCT, "the certificate was logged (SCT) by a log that the trusted root does not name")
        if not isinstance(sct.signature_hash_algorithm, hashes.SHA256):
            raise Rejected(Cause.SCT, "the SCT uses another hash than SHA-256")
        signed = _signed_by_log(sct, leaf, issuer_id)
        valid = [log for log in candidates if log.key.verifies(sct.signature, signed)]
        if not valid:
            raise Rejected(Cause.SCT, "the proof that the certificate was logged (SCT) does not verify")
        moment = sct.timestamp.replace(tzinfo=UTC)  # cryptography gives UTC without saying so
        if moment > leaf.not_valid_after_utc:
            raise Rejected(Cause.SCT, "the certificate was logged (SCT) after it had ended")
        if not any(log.window.covers(moment) for log in valid):
            raise Rejected(Cause.RETIRED, f"the certificate log {valid[0].url} was not trusted on {moment:%Y-%m-%d}")


def _signed_by_log(sct: ct.SignedCertificateTimestamp, leaf: x509.Certificate, issuer_id: bytes) -> bytes:
    """RFC 6962: version, type, time in milliseconds, entry type 1, issuer, length and TBS, extensions."""
    milliseconds = round(sct.timestamp.replace(tzinfo=UTC).timestamp() * 1000)
    tbs = leaf.tbs_precertificate_bytes
    return b"".join(
        (
            struct.pack(">BBQH", sct.version.value, 0, milliseconds, 1),
            issuer_id,
            len(tbs).to_bytes(3, "big"),
            tbs,
            len(sct.extension_bytes).to_bytes(2, "big"),
            sct.extension_bytes,
        )
    )
