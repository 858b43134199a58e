"""A miniature Sigstore: an authority with certificate transparency, Rekor v1 and v2, and a timestamp authority.

It makes real bundles offline, which sigstore-python verifies too (test_bundles.py holds it against that), and it can
be told to do one thing wrong at a time.
"""

from tests.trust.minisig.instance import IDENTITY, ISSUER, SIGNED_AT, Leaf, Sigstore, Wish

__all__ = ["IDENTITY", "ISSUER", "SIGNED_AT", "Leaf", "Sigstore", "Wish"]
