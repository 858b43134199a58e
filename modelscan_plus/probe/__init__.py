"""Backdoor probes: the search for triggers in models that cannot carry code, in a sandboxed child, only on request."""
