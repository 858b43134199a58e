"""Signed timestamps (RFC 3161): when the signature existed, by the word of an authority in the trusted root.

`rfc3161_client` verifies the CMS signature, the path at the time stated, the critical usage timeStamping, and the
message. Here it is found out which authority is meant and whether the root trusted it then. Every timestamp in a bundle
must be about this signature; one of an authority that the root does not name proves nothing and is passed over.
"""

import hashlib
from datetime import UTC, datetime

from cryptography import x509
from cryptography.x509.oid import ObjectIdentifier
from rfc3161_client import TimeStampResponse, VerificationError, VerifierBuilder, decode_timestamp_response

from modelscan_plus.trust.reasons import Cause, Rejected
from modelscan_plus.trust.root import Authority

_IMPRINTS = {
    ObjectIdentifier("2.16.840.1.101.3.4.2.1"): "sha256",
    ObjectIdentifier("2.16.840.1.101.3.4.2.2"): "sha384",
    ObjectIdentifier("2.16.840.1.101.3.4.2.3"): "sha512",
}
_GRANTED = 0


def verify_timestamps(
    responses: tuple[bytes, ...], signature: bytes, authorities: tuple[Authority, ...]
) -> list[tuple[datetime, Authority]]:
    """The times that are proven, and by whom. Raises `Rejected` for a timestamp that is wrong in itself."""
    if len(set(responses)) != len(responses):
        raise Rejected(Cause.TIMESTAMP, "the same timestamp stands twice in the bundle")
    proven = []
    for data in responses:
        response = _decode(data, signature)
        meant = [authority for authority in authorities if _names(response, authority.chain[0])]
        if meant:
            proven.append(_verify(response, signature, meant))
    if responses and not proven:
        raise Rejected(Cause.UNKNOWN_AUTHORITY, "the timestamp is of an authority that the trusted root does not name")
    return proven


def _decode(data: bytes, signature: bytes) -> TimeStampResponse:
    try:
        response = decode_timestamp_response(data)
        status, imprint = response.status, response.tst_info.message_imprint
        algorithm, hashed = _IMPRINTS.get(imprint.hash_algorithm), bytes(imprint.message)
        signers = [(signer.issuer, signer.serial_number) for signer in response.signed_data.signer_infos]
    except ValueError as error:
        raise Rejected(Cause.TIMESTAMP, f"a timestamp cannot be read: {error}") from None
    if status != _GRANTED:
        raise Rejected(Cause.TIMESTAMP, "the timestamp authority did not grant the timestamp")
    if len(signers) != 1:
        raise Rejected(Cause.TIMESTAMP, f"a timestamp with {len(signers)} signers; one belongs there")
    if algorithm is None:
        raise Rejected(Cause.UNSUPPORTED, "a timestamp over a digest that is neither SHA-256, SHA-384 nor SHA-512")
    if hashlib.new(algorithm, signature).digest() != hashed:
        raise Rejected(Cause.TIMESTAMP, "a timestamp is about another signature")
    return response


def _names(response: TimeStampResponse, certificate: x509.Certificate) -> bool:
    """True when the response says that the owner of `certificate` signed it."""
    (signer,) = response.signed_data.signer_infos
    return bool(signer.issuer == certificate.issuer and signer.serial_number == certificate.serial_number)


def _verify(response: TimeStampResponse, signature: bytes, meant: list[Authority]) -> tuple[datetime, Authority]:
    moment = response.tst_info.gen_time.astimezone(UTC)
    failure: Rejected | None = None
    for authority in meant:
        try:
            _verify_with(response, signature, authority, moment)
        except Rejected as error:
            failure = error
            continue
        if authority.window.covers(moment):
            return moment, authority
        failure = Rejected(
            Cause.RETIRED,
            f"the timestamp authority {authority.uri} was trusted from {authority.window}, "
            f"not on {moment:%Y-%m-%d %H:%M:%S}",
        )
    raise failure or Rejected(Cause.TIMESTAMP, "no authority verifies the timestamp")


def _verify_with(response: TimeStampResponse, signature: bytes, authority: Authority, moment: datetime) -> None:
    expired = [c for c in authority.chain if not c.not_valid_before_utc <= moment <= c.not_valid_after_utc]
    if expired:
        raise Rejected(Cause.EXPIRED, f"a certificate of the timestamp authority was not valid at {moment:%F %T}")
    leaf, *above = authority.chain
    if not above:
        raise Rejected(Cause.TIMESTAMP, "the trusted root gives no chain for the timestamp authority")
    builder = VerifierBuilder().tsa_certificate(leaf).add_root_certificate(above[-1])
    for certificate in above[:-1]:
        builder = builder.add_intermediate_certificate(certificate)
    try:
        builder.build().verify_message(response, signature)
    except (VerificationError, ValueError) as error:
        raise Rejected(Cause.TIMESTAMP, f"the timestamp does not verify: {error}") from None
