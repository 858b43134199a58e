"""How findings on the nodes of a graph are made, how many of one rule a file gets, and how the rest is counted."""

from collections.abc import Iterable, Iterator, Sequence
from typing import TypeVar

from modelscan_plus.core.finding import BytesEvidence, Finding, Severity
from modelscan_plus.core.text import shorten, visible
from modelscan_plus.formats.graphs.onnx.model import Node
from modelscan_plus.formats.graphs.onnx.walk import Scope
from modelscan_plus.rules.interface import Context, Rule

T = TypeVar("T")
SHOWN = 20
"""Findings of one rule in one file; the last one says how many there are in all."""


def some(items: Iterable[T], count: int | None = None) -> Iterator[tuple[T, str]]:
    """The first items, the last of them with a note on how many more there are."""
    everything: Sequence[T] = list(items)
    total = len(everything) if count is None else count
    kept = everything[:SHOWN]
    for number, item in enumerate(kept, 1):
        yield item, f" {total - len(kept):,} more like it follow." if number == len(kept) < total else ""


def shown(text: str, limit: int = 120) -> str:
    """A name of the model, made harmless and short."""
    return shorten(visible(text), limit)


def named(scope: Scope, node: Node) -> str:
    """Where a node stands, and what it is called."""
    return f"{shown(scope.path)} › {shown(node.name or node.op_type)} ({shown(node.op_type)})"


def about(
    rule: Rule,
    scope: Scope,
    node: Node,
    message: str,
    context: Context,
    severity: Severity | None = None,
    *,
    subject: str | None = None,
) -> Finding:
    """A finding on one node; nodes of one `subject` are one finding, by default those of one name."""
    return context.finding(
        rule,
        message,
        BytesEvidence("the node", context.hex_window(node.offset, max(1, min(node.length, 96)))),
        subject=f"{scope.path}\0{node.op_type}\0{node.name}" if subject is None else subject,
        offset=node.offset,
        length=node.length,
        node=shown(node.name or node.op_type, 300),
        severity=severity,
    )
