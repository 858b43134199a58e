"""From a policy's requirement to the values that `verify` takes."""

from datetime import datetime
from typing import cast

from modelscan_plus.core.errors import UsageError
from modelscan_plus.trust.expected import ByCertificate, ByKey, Expected, Keyless, anchors_from_pem
from modelscan_plus.trust.keys import PublicKey
from modelscan_plus.trust.reasons import Cause, Rejected
from modelscan_plus.trust.requirement import Required
from modelscan_plus.trust.root import ShippedName, TrustedRoot, read_root, shipped_root


def expected_of(required: Required) -> Expected:
    """Who must have signed; raises `UsageError` for a key or certificate that cannot be read."""
    try:
        if required.key_pem is not None:
            return ByKey(PublicKey.from_pem(required.key_pem.encode(), "the policy's key"))
        if required.chain_pem is not None:
            anchors = anchors_from_pem(required.chain_pem.encode(), "the policy's certificate chain")
            return ByCertificate(anchors, required.san, required.subject)
    except Rejected as error:
        raise UsageError(error.message) from None
    return Keyless(required.identity or "", required.issuer or "", glob=True)


def root_of(required: Required) -> TrustedRoot:
    """The trusted root; raises `UsageError` when it is not the pinned one or cannot be read."""
    try:
        if required.root_json is None:
            return shipped_root(cast(ShippedName, required.root))
        return read_root(
            required.root_json.encode(),
            name=required.root,
            sha256=required.root_sha256,
            dated=required.root_dated,
        )
    except Rejected as error:
        raise UsageError(error.message) from None


def check_age(root: TrustedRoot, limit: int | None, now: datetime) -> None:
    """Raise `Rejected` when the root is older than the policy lets it be."""
    if limit is None:
        return
    age = root.age_days(now)
    if age is None:
        raise Rejected(
            Cause.ROOT, f"nobody said of when the trusted root {root.name} is, and the policy limits its age"
        )
    if age > limit:
        raise Rejected(Cause.ROOT, f"the trusted root {root.name} is {age} days old, more than the {limit} allowed")
