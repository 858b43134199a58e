"""The trusted root: which authorities, logs and keys are believed, and for which time.

It is always a file that somebody chose: the one that is shipped here, or the user's own, which a policy pins by its
SHA-256. A cache that other programs write (`~/.cache/sigstore-python`) is never read. Each authority, log and key has
a window, `validFor`: outside of it nothing that it says counts, and the ends of the window belong to it.

Source: sigstore/protobuf-specs, sigstore_trustroot.proto (TrustedRoot, ClientTrustConfig).
"""

import functools
import hashlib
import importlib.resources
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Literal, TypeVar

import msgspec
from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm

from modelscan_plus.trust.keys import PublicKey
from modelscan_plus.trust.reasons import Cause, Rejected
from modelscan_plus.trust.strict_json import Reader, parse

MAX_ROOT = 4 << 20
"""Bytes of a trusted root."""
_MAX_PARTS = 64
T = TypeVar("T")
ShippedName = Literal["sigstore", "sigstore-staging"]
_DATA = importlib.resources.files("modelscan_plus.trust") / "data"
_TYPES = frozenset(
    {
        "application/vnd.dev.sigstore.trustedroot+json;version=0.1",
        "application/vnd.dev.sigstore.trustedroot+json;version=0.2",
        "application/vnd.dev.sigstore.trustedroot.v0.2+json",
    }
)
_CONFIG_TYPES = frozenset({"application/vnd.dev.sigstore.clienttrustconfig.v0.1+json"})


@dataclass(frozen=True, slots=True)
class Window:
    """`validFor`: a closed interval, possibly without an end."""

    start: datetime
    end: datetime | None

    def covers(self, moment: datetime) -> bool:
        """True when `moment` lies in it, its ends included."""
        return self.start <= moment and (self.end is None or moment <= self.end)

    def __str__(self) -> str:
        return f"{self.start:%Y-%m-%d %H:%M:%S} to {self.end:%Y-%m-%d %H:%M:%S}" if self.end else f"{self.start:%F} on"


@dataclass(frozen=True, slots=True)
class Log:
    """A transparency log (of signatures, or of certificates) and its key."""

    url: str
    id: bytes
    key: PublicKey
    window: Window


@dataclass(frozen=True, slots=True)
class Authority:
    """A certificate authority or timestamp authority: its chain, the one that signs first and the root last."""

    uri: str
    chain: tuple[x509.Certificate, ...]
    window: Window


@dataclass(frozen=True, slots=True)
class TrustedRoot:
    """Everything that is believed."""

    name: str
    """For a person: "sigstore" or the file's name."""
    sha256: str
    """Of the file."""
    dated: date | None
    """The day as of which somebody vouched for it; None when nobody said."""
    logs: tuple[Log, ...]
    authorities: tuple[Authority, ...]
    certificate_logs: tuple[Log, ...]
    timestamp_authorities: tuple[Authority, ...]

    def age_days(self, now: datetime) -> int | None:
        """Days since `dated`."""
        return None if self.dated is None else max(0, (now.date() - self.dated).days)


class _Shipped(msgspec.Struct, frozen=True):
    file: str
    title: str
    dated: date
    source: str


@functools.cache
def shipped() -> dict[str, _Shipped]:
    """The roots that come with this package, by name."""
    return msgspec.json.decode((_DATA / "roots.json").read_bytes(), type=dict[str, _Shipped])


@functools.cache
def shipped_root(name: ShippedName = "sigstore") -> TrustedRoot:
    """A root that is shipped."""
    return read_root((_DATA / shipped()[name].file).read_bytes(), name=name, dated=shipped()[name].dated)


def read_root(data: bytes, *, name: str, sha256: str | None = None, dated: date | None = None) -> TrustedRoot:
    """The trusted root (or the one in a client trust config) in `data`; `sha256` is the pin. Raises `Rejected`."""
    digest = hashlib.sha256(data).hexdigest()
    if sha256 is not None and digest != sha256.lower():
        raise Rejected(Cause.ROOT, f"the trusted root {name} has the SHA-256 {digest}, but {sha256} is pinned")
    try:
        body = Reader(parse(data, "the trusted root", MAX_ROOT), "the trusted root")
        if body.text("mediaType") in _CONFIG_TYPES:
            body = body.only("mediaType", "trustedRoot", "signingConfig").reader("trustedRoot")
        return _read(body, name, digest, dated)
    except Rejected as error:
        raise Rejected(Cause.ROOT, f"the trusted root {name} cannot be used: {error.message}") from None


def _read(body: Reader, name: str, digest: str, dated: date | None) -> TrustedRoot:
    body.only("mediaType", "tlogs", "certificateAuthorities", "ctlogs", "timestampAuthorities")
    if body.text("mediaType") not in _TYPES:
        raise Rejected(Cause.UNSUPPORTED, f"its type {body.text('mediaType')[:100]!r} is unknown")
    root = TrustedRoot(
        name=name,
        sha256=digest,
        dated=dated,
        logs=_all(body, "tlogs", _log),
        authorities=_all(body, "certificateAuthorities", _authority),
        certificate_logs=_all(body, "ctlogs", _log),
        timestamp_authorities=_all(body, "timestampAuthorities", _authority),
    )
    if not root.logs:
        raise Rejected(Cause.MALFORMED, "it names no transparency log")
    return root


def _all(body: Reader, key: str, read: Callable[[Reader], T]) -> tuple[T, ...]:
    return tuple(read(item) for item in body.readers(key, limit=_MAX_PARTS))


def _log(item: Reader) -> Log:
    item.only("baseUrl", "hashAlgorithm", "publicKey", "logId", "checkpointKeyId", "operator")
    if "hashAlgorithm" in item and item.text("hashAlgorithm") != "SHA2_256":
        raise Rejected(Cause.UNSUPPORTED, f"{item.what}: hash algorithm {item.text('hashAlgorithm')!r}")
    holder = item.reader("publicKey").only("rawBytes", "keyDetails", "validFor")
    key = PublicKey.from_der(holder.bytes("rawBytes", limit=4096), holder.what)
    _check_details(key, holder)
    identifier = item.reader("logId").only("keyId").bytes("keyId", limit=64)
    if not identifier:
        raise Rejected(Cause.MALFORMED, f"{item.what}: the id is empty")
    return Log(item.text("baseUrl") if "baseUrl" in item else "", identifier, key, _window(holder))


def _check_details(key: PublicKey, holder: Reader) -> None:
    """The label must fit the key, or somebody exchanged one of the two."""
    stated = holder.text("keyDetails") if "keyDetails" in holder else key.details
    families = {"PKIX_ECDSA": "EC", "PKIX_ED2": "ED", "PKIX_RSA": "RSA", "PKCS1_RSA": "RSA"}
    family = {family for prefix, family in families.items() if stated.startswith(prefix)}
    own = {family for prefix, family in families.items() if key.details.startswith(prefix)}
    if family != own or (own == {"EC"} and stated[:15] != key.details[:15]):
        raise Rejected(Cause.MALFORMED, f"{holder.what}: labelled {stated[:40]!r}, but the key is {key.details}")


def _authority(item: Reader) -> Authority:
    item.only("subject", "uri", "certChain", "validFor", "operator")
    certificates = item.reader("certChain").only("certificates").readers("certificates", limit=16)
    if not certificates:
        raise Rejected(Cause.MALFORMED, f"{item.what}: no certificate")
    chain = tuple(load_certificate(c.only("rawBytes").bytes("rawBytes", limit=1 << 16), c.what) for c in certificates)
    return Authority(item.text("uri") if "uri" in item else "", chain, _window(item))


def load_certificate(der: bytes, what: str) -> x509.Certificate:
    """A certificate in DER; raises `Rejected`."""
    try:
        certificate = x509.load_der_x509_certificate(der)
        # These parse only when they are asked for, and are asked for anyway.
        certificate.issuer, certificate.subject, certificate.extensions, certificate.not_valid_after_utc  # noqa: B018
        certificate.public_key()
    except (ValueError, TypeError, UnsupportedAlgorithm, x509.DuplicateExtension, x509.UnsupportedGeneralNameType) as e:
        raise Rejected(Cause.MALFORMED, f"{what}: no usable X.509 certificate ({e})") from None
    return certificate


def _window(item: Reader) -> Window:
    span = item.reader("validFor").only("start", "end")
    window = Window(_moment(span, "start"), _moment(span, "end") if "end" in span else None)
    if window.end is not None and window.end < window.start:
        raise Rejected(Cause.MALFORMED, f"{span.what}: it ends before it starts")
    return window


def _moment(span: Reader, key: str) -> datetime:
    text = span.text(key)
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None:
        raise Rejected(Cause.MALFORMED, f"{span.what}: {key} is no time with a time zone")
    return moment.astimezone(UTC)
