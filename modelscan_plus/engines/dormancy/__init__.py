"""`scan --dormancy`: ONNX models run on ordinary inputs, in a sandboxed child, to see which of their parts sleep."""

from collections.abc import Sequence

from modelscan_plus.core.finding import Finding
from modelscan_plus.rules.graph_flow import DORMANT

NAME = "dormancy"


def merge(findings: Sequence[Finding], told: Sequence[Finding]) -> list[Finding]:
    """Our findings with what the runs said about them, and the branches that only the runs showed."""
    said = {(f.target, f.artifact, f.rule, f.subject): f for f in told}
    merged = [said.pop((f.target, f.artifact, f.rule, f.subject), f) for f in findings]
    return merged + [finding for finding in said.values() if finding.rule == DORMANT.id]
