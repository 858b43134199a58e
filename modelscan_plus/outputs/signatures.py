"""Signatures in words: who signed what, when, by which root. For the terminal, the page and the `verify` command."""

from datetime import date

from modelscan_plus.core.report import SignatureReport

_STATES = {"verified": "verified", "rejected": "not accepted", "unchecked": "proves nothing"}


def state(signature: SignatureReport) -> str:
    """Whether anything rests on it."""
    return _STATES.get(signature.state, signature.state)


def signer(signature: SignatureReport) -> str:
    """Who signed, or is said to have."""
    if signature.method == "key":
        return f"key {signature.signer}"
    return f"certificate of {signature.signer}" if signature.method == "certificate" else signature.signer


def rows(signature: SignatureReport, today: date) -> list[tuple[str, str]]:
    """A label and a text each: signer, issuer, time, log, root, what is unsigned."""
    lines: list[tuple[str, str]] = []
    if signature.signer:
        lines.append(("signer", signer(signature)))
    if signature.issuer:
        lines.append(("issuer", signature.issuer))
    if signature.method and signature.state != "rejected":
        lines.append(("time", ", ".join(signature.times) or "not proven: the signature says who, not when"))
    if signature.log:
        lines.append(("log", f"{signature.log}, entry {signature.log_index}"))
    if signature.root:
        lines.append(("root", f"{signature.root}{_age(signature, today)}, sha256 {signature.root_sha256}"))
    if signature.left_out:
        more = " …" if len(signature.left_out) > 5 else ""
        lines.append(("unsigned", f"{', '.join(signature.left_out[:5])}{more}"))
    return lines


def _age(signature: SignatureReport, today: date) -> str:
    if not signature.root_dated:
        return ", of no stated day"
    dated = date.fromisoformat(signature.root_dated)
    return f", of {dated}, {max(0, (today - dated).days):,} days old"


def day(now: str) -> date:
    """The day of a report's `now`."""
    return date.fromisoformat(now[:10])
