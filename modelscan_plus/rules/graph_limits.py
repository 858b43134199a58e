"""How many findings of one rule a file gets, and how the rest is counted; shared by the rules about graphs."""

from collections.abc import Iterable, Iterator, Sequence
from typing import TypeVar

from modelscan_plus.core.text import shorten, visible

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
