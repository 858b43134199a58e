"""Which tensors of a weight file are compared with another copy of the same weights, and where their numbers stand.

Two files are read by two children that know nothing of each other, so each chooses by the names alone: those with the
smallest CRC-32, and those that are often tied. Copies, and the shards of a copy, then choose the same ones.
"""

import zlib
from collections.abc import Collection

from modelscan_plus.core.patterns import lazy

SAMPLED = 24
"""Tensors that are chosen by their CRC-32."""
_TIED = 12
TIED = lazy(
    r"(?:^|\.)(?:lm_head|embed_out|output_projection|proj_out|wte|shared|embed_tokens|word_embeddings|tok_embeddings)\.weight$"
    r"|^output\.weight$|predictions\.decoder\.weight$"
)
"""Weights that often are another one under a second name."""
STORAGE_DTYPES = {
    "DoubleStorage": "F64", "FloatStorage": "F32", "HalfStorage": "F16", "BFloat16Storage": "BF16",
    "LongStorage": "I64", "IntStorage": "I32", "ShortStorage": "I16", "CharStorage": "I8", "ByteStorage": "U8",
    "BoolStorage": "BOOL",
}  # fmt: skip
"""By PyTorch's class of storage."""


def rank(name: str) -> int:
    """A number that depends on the name alone."""
    return zlib.crc32(name.encode("utf-8", "surrogatepass"))


def chosen(names: Collection[str]) -> list[str]:
    """The names that are looked at, those with the smallest rank first."""
    ordered = sorted(names, key=rank)
    tied = [name for name in ordered[SAMPLED:] if TIED.search(name)]
    return ordered[:SAMPLED] + tied[:_TIED]
