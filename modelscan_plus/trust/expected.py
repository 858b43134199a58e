"""Who must have signed: what the user or the policy asks for, each a small value with one question.

Nothing is ever accepted because it is signed by *somebody*: an identity is always asked for together with the issuer
that vouches for it, a certificate together with the authority and the name in it.
"""

import fnmatch
from dataclasses import dataclass

from cryptography import x509

from modelscan_plus.trust.certificates import issuer_of_identity, names, shown
from modelscan_plus.trust.keys import PublicKey
from modelscan_plus.trust.reasons import Cause, Rejected


@dataclass(frozen=True, slots=True)
class Keyless:
    """An identity that an OpenID issuer vouches for, by a certificate of a Sigstore authority."""

    identity: str
    """E-mail address, URI of a workflow, … exactly as in the certificate."""
    issuer: str
    """Address of the issuer, exactly."""
    glob: bool = False
    """True where `identity` may hold `*`, as a policy writes "…/release.yml@refs/tags/*"."""

    def check(self, certificate: x509.Certificate) -> tuple[str, str]:
        """Identity and issuer in the certificate; raises `Rejected` unless they are the expected ones."""
        found = names(certificate)
        if len(found) != 1:
            raise Rejected(Cause.IDENTITY, f"the certificate names {len(found)} identities; exactly one is accepted")
        issuer = issuer_of_identity(certificate)
        if issuer is None:
            raise Rejected(Cause.ISSUER, "the certificate does not say who vouches for the identity")
        if not self._matches(found[0]):
            raise Rejected(Cause.IDENTITY, f"signed by {shown(found[0])}, not by {self.identity}")
        if issuer != self.issuer:
            raise Rejected(Cause.ISSUER, f"{shown(found[0])} was vouched for by {shown(issuer)}, not by {self.issuer}")
        return found[0], issuer

    def _matches(self, name: str) -> bool:
        if not self.glob:
            return name == self.identity
        # Only `*` has a meaning: identities hold [ and ?, and a set of characters there is not what anybody means.
        pattern = self.identity.replace("[", "[[]").replace("?", "[?]")
        return fnmatch.fnmatchcase(name, pattern)


@dataclass(frozen=True, slots=True)
class ByKey:
    """A public key that the user has."""

    key: PublicKey


@dataclass(frozen=True, slots=True)
class ByCertificate:
    """A certificate of a private authority, naming whom the user expects."""

    anchors: tuple[x509.Certificate, ...]
    """What the user trusts: roots, and intermediates that the bundle may lack."""
    san: str | None = None
    """A name in the subject alternative name, exactly."""
    subject: str | None = None
    """The whole subject as in RFC 4514 ("CN=release,O=Corp"), for certificates without alternative names."""

    def check(self, certificate: x509.Certificate) -> str:
        """The name in the certificate; raises `Rejected` unless it is the expected one."""
        found, subject = names(certificate), certificate.subject.rfc4514_string()
        if self.san is None and self.subject is None:
            raise Rejected(Cause.IDENTITY, "nobody said whom the certificate must name")
        if self.san is not None and self.san not in found:
            there = ", ".join(map(shown, found)) or f"no alternative name at all (its subject is {shown(subject)})"
            raise Rejected(Cause.IDENTITY, f"the certificate names {there}, not {self.san}")
        if self.subject is not None and self.subject != subject:
            raise Rejected(Cause.IDENTITY, f"the certificate is of {shown(subject)}, not of {self.subject}")
        return self.san or subject


Expected = Keyless | ByKey | ByCertificate


def anchors_from_pem(data: bytes, what: str) -> tuple[x509.Certificate, ...]:
    """The certificates in PEM; raises `Rejected` when there is none."""
    try:
        return tuple(x509.load_pem_x509_certificates(data))
    except ValueError as error:
        raise Rejected(Cause.MALFORMED, f"{what}: no certificates in PEM ({error})") from None
