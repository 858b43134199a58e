"""The bundles of sigstore-conformance, offline: each accepted or rejected, and rejected for the reason it was made for.

The vectors are not part of this repository; where they are not beside it, the test is skipped. The miniature Sigstore
(test_bundles.py) covers the same ground without them.
"""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from modelscan_plus.trust.content import content_of_argument
from modelscan_plus.trust.expected import ByKey, Expected, Keyless
from modelscan_plus.trust.keys import PublicKey
from modelscan_plus.trust.reasons import Cause, Rejected
from modelscan_plus.trust.root import read_root, shipped_root
from modelscan_plus.trust.verify import verify_bundle

VECTORS = Path(__file__).parents[2].parent / "shared/conformance/sigstore/bundle-verify"
CASES = sorted(path.name for path in VECTORS.iterdir() if path.is_dir()) if VECTORS.is_dir() else []
IDENTITY = (
    "https://github.com/sigstore-conformance/extremely-dangerous-public-oidc-beacon/"
    ".github/workflows/extremely-dangerous-oidc-beacon.yml@refs/heads/main"
)
ISSUER = "https://token.actions.githubusercontent.com"

REASONS = {
    "bundle-empty-certificate-chain_fail": Cause.MALFORMED,
    "bundle-from-wrong-instance_fail": Cause.UNKNOWN_AUTHORITY,
    "bundle-invalid-base64-signature_fail": Cause.MALFORMED,
    "bundle-malformed-json_fail": Cause.MALFORMED,
    "bundle-negative-log-index_fail": Cause.MALFORMED,
    "bundle-unknown-version_fail": Cause.UNSUPPORTED,
    "bundle-with-root-cert_fail": Cause.CHAIN,
    "checkpoint-bad-keyhint_fail": Cause.LOG_PROOF,
    "checkpoint-wrong-roothash_fail": Cause.LOG_PROOF,
    "dsse-invalid-sig_fail": Cause.SIGNATURE,
    "dsse-mismatch-envelope_fail": Cause.LOG_ENTRY,
    "dsse-mismatch-sig_fail": Cause.LOG_ENTRY,
    "inclusion-proof-corrupted-hash_fail": Cause.LOG_PROOF,
    "incorrect-public-key_fail": Cause.LOG_PROOF,  # the changed body is no longer the one in the log
    "integrated-time-in-future_fail": Cause.EXPIRED,
    "intoto-expired-certificate_fail": Cause.EXPIRED,
    "intoto-log-entry-mismatch_fail": Cause.LOG_ENTRY,
    "intoto-missing-inclusion-proof_fail": Cause.LOG_PROOF,
    "intoto-set-outside-signing-cert-validity_fail": Cause.EXPIRED,
    "intoto-tsa-timestamp-outside-cert-validity_fail": Cause.EXPIRED,
    "invalid-checkpoint-signature_fail": Cause.LOG_PROOF,
    "invalid-ct-key_fail": Cause.SCT,
    "invalid-inclusion-proof_fail": Cause.LOG_PROOF,
    "managed-key-no-key_fail": Cause.MATERIAL,
    "managed-key-wrong-key_fail": Cause.MALFORMED,  # what stands in the file is no key at all
    "message-digest-mismatch_fail": Cause.DIGEST,
    "rekor2-checkpoint-missing-log-signature_fail": Cause.LOG_PROOF,
    "rekor2-checkpoint-missing-origin_fail": Cause.LOG_PROOF,
    "rekor2-checkpoint-missing-root-hash_fail": Cause.LOG_PROOF,
    "rekor2-checkpoint-missing-size_fail": Cause.LOG_PROOF,
    "rekor2-checkpoint-no-matching-signature_fail": Cause.LOG_PROOF,
    "rekor2-dsse-invalid-sig_fail": Cause.SIGNATURE,
    "rekor2-dsse-mismatch-envelope_fail": Cause.LOG_ENTRY,
    "rekor2-dsse-mismatch-sig_fail": Cause.LOG_ENTRY,
    "rekor2-no-inclusion-proof_fail": Cause.LOG_PROOF,
    "rekor2-no-timestamp_fail": Cause.NO_TIME,
    "rekor2-timestamp-outside-trust-root-tsa-validity_fail": Cause.RETIRED,
    "rekor2-timestamp-outside-tsa-cert-validity_fail": Cause.EXPIRED,
    "rekor2-timestamp-payload-mismatch_fail": Cause.TIMESTAMP,
    "rekor2-timestamp-untrusted-tsa-with-embedded-cert_fail": Cause.TIMESTAMP,  # its certificates are in no DER order
    "rekor2-timestamp-untrusted-tsa-without-embedded-cert_fail": Cause.UNKNOWN_AUTHORITY,
    "rekor2-timestamp-with-incorrect-time_fail": Cause.EXPIRED,
    "set-invalid-signature_fail": Cause.LOG_PROMISE,
    "signature-mismatch_fail": Cause.SIGNATURE,
    "trust-root-tlog-missing-validity-start_fail": Cause.ROOT,
    "wrong-hashedrekord-artifact_fail": Cause.LOG_ENTRY,
    "wrong-hashedrekord-cert-and-sig_fail": Cause.LOG_ENTRY,
    "wrong-hashedrekord-entry_fail": Cause.LOG_ENTRY,
    "wrong-material_fail": Cause.DIGEST,
}

pytestmark = pytest.mark.skipif(not CASES, reason="the conformance vectors are not beside the repository")


def verify(case: str, *, by_digest: bool) -> None:
    folder = VECTORS / case
    artifact = folder / "artifact" if (folder / "artifact").exists() else VECTORS / "a.txt"
    argument = str(artifact)
    if by_digest:
        argument = f"sha256:{content_of_argument(argument).digest('sha256').hex()}"  # type: ignore[union-attr]
    own = folder / "trusted_root.json"
    root = read_root(own.read_bytes(), name=case) if own.exists() else shipped_root()
    expected: Expected
    if (folder / "key.pub").exists():
        expected = ByKey(PublicKey.from_pem((folder / "key.pub").read_bytes()))
    else:
        expected = Keyless(text(folder / "identity", IDENTITY), text(folder / "issuer", ISSUER))
    bundle = (folder / "bundle.sigstore.json").read_bytes()
    now = datetime(2026, 11, 24, tzinfo=UTC)
    verify_bundle(bundle, expected, root, now=now, content=content_of_argument(argument), require_log=True)


def text(path: Path, default: str) -> str:
    return path.read_text().strip() if path.exists() else default


@pytest.mark.parametrize("by_digest", [False, True], ids=["path", "digest"])
@pytest.mark.parametrize("case", CASES)
def test_a_conformance_bundle(case: str, by_digest: bool) -> None:
    if not case.endswith("_fail"):
        verify(case, by_digest=by_digest)
        return
    with pytest.raises(Rejected) as rejected:
        verify(case, by_digest=by_digest)
    assert rejected.value.cause is REASONS[case]


def test_both_kinds_of_cases_are_there() -> None:
    failing = [case for case in CASES if case.endswith("_fail")]
    assert len(CASES) == 70
    assert set(failing) == REASONS.keys()
    assert len(CASES) - len(failing) == 21
