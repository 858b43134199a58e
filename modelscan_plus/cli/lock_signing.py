"""The signature that `lock add` and `lock update` verify: whom it must be of, and what the lock keeps of it.

Trust on first use: with `--first-use` a keyless signer that nobody named is taken as the one to expect from then on.
The signature is verified all the same, against the trusted root; only the question "is this the right signer?" is
answered by what was seen first. Later versions must have the same signer, and need no more options than the signature.
"""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from modelscan_plus.core.errors import MissingExtra, UsageError
from modelscan_plus.trust.lock import Entry, Signer, digests

if TYPE_CHECKING:
    from modelscan_plus.trust.expected import Expected
    from modelscan_plus.trust.root import TrustedRoot


@dataclass(frozen=True, slots=True, kw_only=True)
class Signing:
    """The options."""

    signature: str | None = None
    identity: str | None = None
    issuer: str | None = None
    key: str | None = None
    trusted_root: str | None = None
    trusted_root_sha256: str | None = None
    first_use: bool = False

    def verifier(
        self, target: str, known: Signer | None, *, exclude: tuple[str, ...], jobs: int, anew: bool = False
    ) -> Callable[[Entry], Signer] | None:
        """What verifies the signature of `target`; None when none was given.

        `known` is the signer of the version before; with `anew` it does not say who must have signed.
        """
        if self.signature is None:
            if any((self.identity, self.issuer, self.key, self.trusted_root, self.trusted_root_sha256, self.first_use)):
                raise UsageError("these options say who must have signed: name the file with --signature")
            return None
        try:
            from modelscan_plus.trust.content import read_file
        except ImportError:
            raise MissingExtra("verifying signatures", "sign") from None
        from modelscan_plus.trust.bundle import MAX_BUNDLE
        from modelscan_plus.trust.reasons import Rejected

        try:
            data = read_file(self.signature, MAX_BUNDLE, "the signature")
        except Rejected as error:
            raise UsageError(error.message) from None
        expected = self._expected(data, None if anew else known, anew=anew)
        root = self._root()
        signature = self.signature
        return lambda entry: _verified(target, entry, signature, data, expected, root, exclude, jobs)

    def _expected(self, data: bytes, known: Signer | None, *, anew: bool) -> "Expected":
        from modelscan_plus.trust.content import read_file
        from modelscan_plus.trust.expected import ByKey, Keyless
        from modelscan_plus.trust.keys import PublicKey
        from modelscan_plus.trust.reasons import Rejected

        if self.key:
            try:
                return ByKey(PublicKey.from_pem(read_file(self.key, 1 << 16, "the key"), self.key))
            except Rejected as error:
                raise UsageError(error.message) from None
        if bool(self.identity) != bool(self.issuer):
            raise UsageError("--identity and --issuer belong together")
        if self.identity and self.issuer:
            return Keyless(self.identity, self.issuer)
        if known is not None and known.identity and known.issuer:
            return Keyless(known.identity, known.issuer)
        if self.first_use or anew:
            return _whoever_signed(data)
        raise UsageError(
            "say who must have signed: --identity and --issuer, --key, or --first-use to trust whoever did from now on"
        )

    def _root(self) -> "TrustedRoot":
        from modelscan_plus.trust.content import read_file
        from modelscan_plus.trust.reasons import Rejected
        from modelscan_plus.trust.root import MAX_ROOT, read_root, shipped_root

        if self.trusted_root is None:
            if self.trusted_root_sha256 is not None:
                raise UsageError("--trusted-root-sha256 pins the file of --trusted-root, which is not given")
            return shipped_root()
        try:
            data = read_file(self.trusted_root, MAX_ROOT, "the trusted root")
            return read_root(data, name=self.trusted_root, sha256=self.trusted_root_sha256)
        except Rejected as error:
            raise UsageError(error.message) from None


def _whoever_signed(data: bytes) -> "Expected":
    from modelscan_plus.trust.bundle import parse_bundle
    from modelscan_plus.trust.certificates import issuer_of_identity, names
    from modelscan_plus.trust.expected import Keyless
    from modelscan_plus.trust.reasons import Rejected
    from modelscan_plus.trust.root import load_certificate

    try:
        certificates = parse_bundle(data).certificates
        if not certificates:
            raise UsageError("a signature by a bare key names nobody; give the key with --key")
        leaf = load_certificate(certificates[0], "the signer's certificate")
        found, issuer = names(leaf), issuer_of_identity(leaf)
    except Rejected as error:
        raise UsageError(f"--signature: {error.message}") from None
    if len(found) != 1 or issuer is None:
        raise UsageError("the signer's certificate does not name one identity and its issuer; say whom you expect")
    return Keyless(found[0], issuer)


def _verified(
    target: str,
    entry: Entry,
    signature: str,
    data: bytes,
    expected: "Expected",
    root: "TrustedRoot",
    exclude: tuple[str, ...],
    jobs: int,
) -> Signer:
    from modelscan_plus.locking import Refused
    from modelscan_plus.trust.target import Request, verify_target

    now = datetime.now(UTC)
    result = verify_target(
        Request(
            path=target,
            signature=signature,
            expected=expected,
            root=root,
            now=now,
            ignore=exclude,
            locked=digests(entry.files),
            jobs=jobs,
        )
    )
    if result.state != "verified":
        raise Refused(f"the signature does not verify: {result.message}")
    keyless = result.method == "keyless"
    return Signer(
        kind=result.method,
        identity=result.signer if keyless else None,
        issuer=result.issuer or None,
        key=None if keyless else f"sha256:{result.signer}",
        bundle=f"sha256:{hashlib.sha256(data).hexdigest()}",
        root=f"sha256:{result.root_sha256}" if result.root_sha256 else None,
        time=result.times[0] if result.times else None,
    )
