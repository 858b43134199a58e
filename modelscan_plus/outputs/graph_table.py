"""The slice of a graph as lines of text: its parts in order, and where each of them goes."""

from collections.abc import Iterator

from modelscan_plus.core.finding import GraphEvidence
from modelscan_plus.core.text import inert, shorten

_COLUMN = 30


def table(evidence: GraphEvidence, width: int) -> Iterator[str]:
    """One line for each part: number, role, operator with its constants, name, and the numbers of its readers."""
    for number, node in enumerate(evidence.nodes):
        targets = ",".join(str(end + 1) for start, end in evidence.edges if start == number)
        what = f"{node.operator}({node.literal})" if node.literal else node.operator
        name = f"{node.scope} / {node.name}" if node.scope else node.name
        line = f"{number + 1:>3}  {node.role:<8} {shorten(inert(what), _COLUMN):<{_COLUMN}} {inert(name)}"
        yield shorten(line, width - 8) + (f"  → {targets}" if targets else "")
    if evidence.trigger:
        yield f"What opens the gate: {inert(evidence.trigger)}"
    if evidence.dormancy:
        yield f"On random inputs: {inert(evidence.dormancy)}"
