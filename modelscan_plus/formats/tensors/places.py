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


_WRAPPED = lazy(
    r"^(?:module\.|_orig_mod\.)*(?:(?:model|transformer|bert|roberta|electra|distilbert|gpt_neox)\.(?=\w+\.))?"
)
_LAYER = lazy(r"^layers\.(\d+)\.(attention|feed_forward|attention_norm|ffn_norm)\.(?:(wv|wo|w1|w2|w3)\.)?weight$")
_OF_LAYER = {
    "wv": "self_attn.v_proj", "wo": "self_attn.o_proj", "w1": "mlp.gate_proj", "w2": "mlp.down_proj",
    "w3": "mlp.up_proj", "attention_norm": "input_layernorm", "ffn_norm": "post_attention_layernorm",
}  # fmt: skip
"""transformers' names for Meta's and Mistral's own (queries and keys are permuted between them)."""
_OUTER = {"tok_embeddings.weight": "embed_tokens.weight", "output.weight": "lm_head.weight"}


def canonical(name: str) -> str:
    """The same for one tensor in copies whose libraries name it differently."""
    name = _WRAPPED.sub("", name)
    if layer := _LAYER.match(name):
        part = _OF_LAYER.get(layer[3] or layer[2])
        return f"layers.{layer[1]}.{part}.weight" if part else name
    return _OUTER.get(name, name)


def rank(name: str) -> int:
    """A number that depends on the name alone, in its canonical form."""
    return zlib.crc32(canonical(name).encode("utf-8", "surrogatepass"))


def chosen(names: Collection[str]) -> list[str]:
    """The names that are looked at, those with the smallest rank first."""
    ordered = sorted(names, key=rank)
    tied = [name for name in ordered[SAMPLED:] if TIED.search(name)]
    return ordered[:SAMPLED] + tied[:_TIED]
