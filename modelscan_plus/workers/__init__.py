"""Sandboxed child processes: the only place where untrusted bytes are parsed."""
