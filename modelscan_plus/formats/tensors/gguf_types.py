"""Types of GGUF values and tensors.

Sources: ggml's `ggml.h`, `ggml-common.h` and `gguf.cpp`, and its description of GGUF, as of November 2026.
"""

VALUE_BYTES = {0: 1, 1: 1, 2: 2, 3: 2, 4: 4, 5: 4, 6: 4, 7: 1, 10: 8, 11: 8, 12: 8}
"""Bytes of each scalar value type: u8 i8 u16 i16 u32 i32 f32 bool, and u64 i64 f64 since version 2."""
STRING, ARRAY = 8, 9
INTEGERS = {0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 10: "Q", 11: "q"}
"""How `struct` reads each integer type."""

TENSOR_TYPES: dict[int, tuple[str, int, tuple[int, ...]]] = {
    0: ("F32", 1, (4,)), 1: ("F16", 1, (2,)), 2: ("Q4_0", 32, (18,)), 3: ("Q4_1", 32, (20,)), 6: ("Q5_0", 32, (22,)),
    7: ("Q5_1", 32, (24,)), 8: ("Q8_0", 32, (34,)), 9: ("Q8_1", 32, (36, 40)), 10: ("Q2_K", 256, (84,)),
    11: ("Q3_K", 256, (110,)), 12: ("Q4_K", 256, (144,)), 13: ("Q5_K", 256, (176,)), 14: ("Q6_K", 256, (210,)),
    15: ("Q8_K", 256, (292,)), 16: ("IQ2_XXS", 256, (66,)), 17: ("IQ2_XS", 256, (74,)), 18: ("IQ3_XXS", 256, (98,)),
    19: ("IQ1_S", 256, (50,)), 20: ("IQ4_NL", 32, (18,)), 21: ("IQ3_S", 256, (110,)), 22: ("IQ2_S", 256, (82,)),
    23: ("IQ4_XS", 256, (136,)), 24: ("I8", 1, (1,)), 25: ("I16", 1, (2,)), 26: ("I32", 1, (4,)), 27: ("I64", 1, (8,)),
    28: ("F64", 1, (8,)), 29: ("IQ1_M", 256, (56,)), 30: ("BF16", 1, (2,)), 34: ("TQ1_0", 256, (54,)),
    35: ("TQ2_0", 256, (66,)), 39: ("MXFP4", 32, (17,)), 40: ("NVFP4", 64, (36,)), 41: ("Q1_0", 128, (18,)),
    42: ("Q2_0", 64, (18, 17)),
}  # fmt: skip
"""Name, elements of a block, bytes of a block; Q2_0 exists with blocks of 64 (18 bytes) and 128 (34, so 17 for 64)."""
PLAUSIBLE = 64
"""Type numbers of tensors from here on are no future type but an index out of a table; ggml adds some three a year."""
NEVER = frozenset((4, 5))
"""Q4_2 and Q4_3 were given up before there was a GGUF file: their blocks have no size, by which loaders divide."""

KEY_TYPES: dict[str, tuple[int, ...]] = {
    "general.architecture": (8,), "general.name": (8,), "tokenizer.ggml.model": (8,), "tokenizer.ggml.pre": (8,),
    "tokenizer.chat_template": (8,),
}  # fmt: skip
"""Types of the values of keys that every loader reads, as the specification of GGUF states them."""
ITEM_TYPES: dict[str, tuple[int, ...]] = {
    "tokenizer.ggml.tokens": (8,), "tokenizer.ggml.merges": (8,), "tokenizer.ggml.scores": (6, 5),
    "tokenizer.ggml.token_type": (4, 5), "tokenizer.ggml.precompiled_charsmap": (0, 1),
    "clip.vision.image_mean": (6,), "clip.vision.image_std": (6,),
}  # fmt: skip
"""Types of the items of arrays that every loader reads."""
