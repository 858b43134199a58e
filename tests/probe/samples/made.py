"""Files of samples for the tests."""

import io
from typing import Any

import numpy as np
from PIL import Image

from modelscan_plus.core.bytesource import BytesSource
from modelscan_plus.probe.files import ModelFiles


def files(**named: bytes) -> ModelFiles:
    """`files(**{"cat/1.png": data})`."""
    return ModelFiles({name: BytesSource(data) for name, data in named.items()}, "samples")


def picture(pixels: Any, kind: str = "PNG", mode: str | None = None) -> bytes:
    """A file with these pixels (H × W or H × W × 3, uint8)."""
    out = io.BytesIO()
    image = Image.fromarray(np.asarray(pixels))
    (image.convert(mode) if mode else image).save(out, kind, **({"lossless": True} if kind == "WEBP" else {}))
    return out.getvalue()


def npy(values: Any) -> bytes:
    """One array."""
    out = io.BytesIO()
    np.save(out, values, allow_pickle=True)
    return out.getvalue()


def npz(*, packed: bool = False, **values: Any) -> bytes:
    """Several."""
    out = io.BytesIO()
    (np.savez_compressed if packed else np.savez)(out, **values)
    return out.getvalue()
