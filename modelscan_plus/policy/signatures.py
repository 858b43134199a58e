"""What a policy says about signatures: who must have signed which targets, and which trusted roots are believed.

    [trust]
    max-root-age-days = 365
    [[trust.roots]]
    name = "corp"
    file = "corp-root.json"            # relative to the policy
    sha256 = "…"                       # pinned: another file is refused
    dated = 2026-08-01

    [[signatures.require]]
    match = "hf:corp/*"                # the target as it is given; * matches slashes too
    identity = "https://github.com/corp/models/.github/workflows/release.yml@refs/tags/*"
    issuer = "https://token.actions.githubusercontent.com"

Files that a policy names are read with it, so that its digest stands for them too; nothing is parsed here, and no
cryptography is imported.
"""

from datetime import date
from pathlib import Path
from typing import Annotated

import msgspec

from modelscan_plus.core.errors import UsageError
from modelscan_plus.trust.requirement import Required

Text = Annotated[str, msgspec.Meta(min_length=1)]
Digest = Annotated[str, msgspec.Meta(pattern="^[0-9a-f]{64}$")]
SHIPPED = ("sigstore", "sigstore-staging")
_MAX_SIZE = 64 << 10
"""Bytes of a key, chain or trusted root; those of Sigstore have 7,000."""


class _Table(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename="kebab"):
    """As everything in a policy file: unknown keys are errors."""


class RootEntry(_Table, frozen=True):
    """A trusted root of your own."""

    name: Text
    file: Text
    """A Sigstore trusted root or client trust config in JSON, relative to the policy."""
    sha256: Digest
    """Of the file."""
    dated: date | None = None
    """The day as of which you vouch for it; its age counts from here."""


class TrustSettings(_Table, frozen=True):
    """Which trusted roots are believed."""

    roots: tuple[RootEntry, ...] = ()
    max_root_age_days: Annotated[int, msgspec.Meta(ge=1, le=3660)] | None = None
    """Roots that are older, or of no known age, are refused."""


class Requirement(_Table, frozen=True):
    """Who must have signed what matches: an identity with its issuer, a key, or a name under an authority of yours."""

    match: Text = "*"
    """Glob over the target as it is given: "hf:corp/*", "*"."""
    identity: Text | None = None
    """E-mail address or address of a workflow; `*` matches anything."""
    issuer: Text | None = None
    """Address of the OpenID issuer that vouches for the identity, exactly."""
    key: Text | None = None
    """Public key in PEM, relative to the policy."""
    certificate_chain: Text | None = None
    """Your authority's certificates in PEM, relative to the policy."""
    san: Text | None = None
    """Subject alternative name of the signer's certificate."""
    subject: Text | None = None
    """Its whole subject ("CN=release,O=Corp"), for certificates without alternative names."""
    root: Text = "sigstore"
    """Name of a trusted root: one of `trust.roots`, or one that is shipped."""
    ignore_paths: tuple[Text, ...] = ()
    """Globs for what may stand in the target unsigned (".git")."""


class SignatureRules(_Table, frozen=True):
    """What is required of signatures."""

    require: tuple[Requirement, ...] = ()


def resolve_requirements(rules: SignatureRules, trust: TrustSettings, folder: Path, name: str) -> tuple[Required, ...]:
    """The requirements of one policy file, which stands in `folder`; raises `UsageError` for what does not fit."""
    return tuple(
        _resolved(entry, trust, folder, f"policy {name}: signatures.require entry {number}")
        for number, entry in enumerate(rules.require, 1)
    )


def _resolved(entry: Requirement, trust: TrustSettings, folder: Path, place: str) -> Required:
    ways = [entry.identity or entry.issuer, entry.key, entry.certificate_chain or entry.san or entry.subject]
    if sum(way is not None for way in ways) != 1:
        raise UsageError(f"{place} needs one of: identity and issuer; key; certificate-chain with san or subject")
    if (entry.identity is None) != (entry.issuer is None):
        raise UsageError(f"{place}: identity and issuer belong together")
    if ways[2] is not None and (entry.certificate_chain is None or entry.san is entry.subject is None):
        raise UsageError(f"{place}: certificate-chain needs a san or a subject, and the other way round")
    root = next((root for root in trust.roots if root.name == entry.root), None)
    if root is None and entry.root not in SHIPPED:
        raise UsageError(f"{place}: no trusted root is named {entry.root}; add it to [[trust.roots]]")
    return Required(
        match=entry.match,
        identity=entry.identity,
        issuer=entry.issuer,
        key_pem=_read(folder, entry.key, place) if entry.key else None,
        chain_pem=_read(folder, entry.certificate_chain, place) if entry.certificate_chain else None,
        san=entry.san,
        subject=entry.subject,
        root=entry.root,
        root_json=_read(folder, root.file, place) if root else None,
        root_sha256=root.sha256 if root else None,
        root_dated=root.dated if root else None,
        max_root_age_days=trust.max_root_age_days,
        ignore_paths=entry.ignore_paths,
    )


def _read(folder: Path, name: str, place: str) -> str:
    try:
        data = (folder / name).read_bytes()
        if len(data) > _MAX_SIZE:
            raise UsageError(f"{place}: {name} is larger than {_MAX_SIZE:,} bytes")
        return data.decode("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{place}: {name}: {getattr(error, 'strerror', None) or error}") from None
