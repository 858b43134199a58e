"""What is known about the signatures of a target, for rules to judge (rules/signatures.py)."""

from modelscan_plus.core.facts import Facts
from modelscan_plus.core.report import SignatureReport


class SignatureFacts(Facts, frozen=True):
    """All signatures of one target, and whose are required."""

    required: tuple[str, ...]
    """In words, the signers of whom the policy requires one; empty when it requires none."""
    reports: tuple[SignatureReport, ...]
    bundles: frozenset[str] = frozenset()
    """Paths, as in the reports, of files of which every byte was read as a bundle."""
    uncovered: tuple[str, ...] = ()
    """Paths, as in the reports, of files that no accepted signature is about."""
    remote: bool = False
    """True when the files were not all here, so that nothing could be compared."""
