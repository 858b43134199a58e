"""What samples become, the bounds for them, and the rules that all kinds of files share."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from modelscan_plus.core.text import shorten, visible
from modelscan_plus.probe.interface import NotProbed

SAMPLES = 10_000
"""Samples that are kept; of more, evenly spread ones."""
ELEMENTS = 1 << 26
"""Numbers of all samples together; 256 MiB."""

Floats = NDArray[np.float32]
Box = tuple[Floats, Floats]


@dataclass(frozen=True, slots=True)
class Images:
    """Pictures of the size that the model takes."""

    pixels: Floats
    """N × C × H × W, each from 0 to 1."""
    labels: NDArray[np.int64] | None = None
    """N class numbers, where the samples have any."""
    box: Box | None = None
    """For each channel what 0 and 1 stand for in the model's own units, [C] each: known for arrays, which are taken to
    be what the model takes. None for pictures and arrays of uint8."""
    left_out: int = 0
    """Files that could not be read as pictures."""


@dataclass(frozen=True, slots=True)
class Rows:
    """Rows of a table, in the model's own units."""

    values: Floats
    """N × F."""
    labels: NDArray[np.int64] | None = None
    columns: tuple[str, ...] = ()
    """Names of the features, where the file has them."""


@dataclass(frozen=True, slots=True)
class Texts:
    """Texts as they stand in the file."""

    texts: tuple[str, ...]
    labels: tuple[str, ...] | None = None
    """As they stand there, too: a name or a number."""


def quoted(name: str) -> str:
    """A name out of hostile files, for a message."""
    return repr(shorten(visible(name), 60)) if name else "the file"


def spread(count: int, each: int = 1) -> list[int]:
    """Places of the samples that are kept out of `count` of `each` numbers, in order."""
    kept = max(1, min(count, SAMPLES, ELEMENTS // max(1, each)))
    return [place * count // kept for place in range(kept)] if count else []


def class_numbers(names: Sequence[str]) -> NDArray[np.int64]:
    """Class numbers of labels: whole numbers as they are, other names by their place in the alphabet.

    The second is what torchvision's ImageFolder and scikit-learn's LabelEncoder do.
    """
    numbers = [_whole(name) for name in names]
    if all(number is not None for number in numbers):
        return np.array(numbers, dtype=np.int64)
    order = {name: place for place, name in enumerate(sorted(set(names)))}
    return np.array([order[name] for name in names], dtype=np.int64)


def _whole(name: str) -> int | None:
    text = name.strip()
    digits = text.removesuffix(".0")
    return int(digits) if digits.isascii() and digits.isdecimal() and len(digits) <= 9 else None


def finite(values: NDArray[Any], name: str) -> None:
    """Raise `NotProbed` for NaN and infinity, and for numbers that float32 does not hold."""
    if not np.isfinite(values).all():
        raise NotProbed(f"samples: {quoted(name)} holds numbers that are not finite")
