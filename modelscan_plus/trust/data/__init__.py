"""Trusted roots that are shipped; `roots.json` says where each comes from."""
