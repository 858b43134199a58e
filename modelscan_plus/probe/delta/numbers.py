"""Bytes of tensors as numbers of 32 bits, and how much of a difference rounding can make.

Relative error of rounding to nearest (unit roundoff, IEEE 754): 2⁻²⁴ for F32, 2⁻¹¹ for F16, 2⁻⁸ for BF16. A writer that
cuts digits off errs twice as much; F16 also has a smallest step of 2⁻²⁴ near zero.
"""

from collections.abc import Mapping
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

Floats: TypeAlias = npt.NDArray[np.float32]

ROUNDING: Mapping[str, float] = {"F64": 2.0**-24, "F32": 2.0**-24, "F16": 2.0**-11, "BF16": 2.0**-8}
"""Unit roundoff by dtype; F64 is compared as F32."""
WIDTH: Mapping[str, int] = {"F64": 8, "F32": 4, "F16": 2, "BF16": 2}
SMALLEST_STEP = 2.0**-24
"""Of F16, near zero."""


def is_float(dtype: str) -> bool:
    """Whether tensors of this dtype are compared as numbers; all others are compared as bytes."""
    return dtype in ROUNDING


def floats(data: bytes, dtype: str) -> Floats:
    """The numbers of a piece of a tensor, flat. F32 is not copied."""
    if dtype == "F32":
        return np.frombuffer(data, "<f4")
    if dtype == "BF16":
        wide = np.frombuffer(data, "<u2").astype(np.uint32)
        wide <<= 16
        return wide.view(np.float32)
    with np.errstate(over="ignore"):
        return np.frombuffer(data, "<f2" if dtype == "F16" else "<f8").astype(np.float32)
