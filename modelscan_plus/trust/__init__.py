"""Hashes, tree digests, the lock file, the import log, signatures and attestations."""
