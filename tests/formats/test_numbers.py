"""Raw numbers are told from everything else, and only left alone where nothing takes them for something else."""

import random
import struct
import zlib

import pytest

from modelscan_plus.core.bytesource import BytesSource
from modelscan_plus.formats.tensors.numbers import number_type
from tests.samples import tree_of

_RANDOM = random.Random(3)
FLOATS = struct.pack("<2000f", *(_RANDOM.gauss(0, 1) for _ in range(2000)))


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (FLOATS, "float32"),
        (struct.pack("<2000d", *(_RANDOM.gauss(0, 1) for _ in range(2000))), "float64"),
        (struct.pack("<2000e", *(_RANDOM.gauss(0, 1) for _ in range(2000))), "float16"),
        (_RANDOM.randbytes(8000), ""),
        (zlib.compress(FLOATS)[:7000], ""),
        (bytes(8000), ""),
        (b"import os; os.system('id')\n" * 300, ""),
        (FLOATS[:4000] + _RANDOM.randbytes(4000), ""),
        (FLOATS[:128], ""),
    ],
)
def test_numbers_are_told_by_their_exponents(data: bytes, kind: str) -> None:
    assert number_type(BytesSource(data)) == kind


@pytest.mark.parametrize(
    ("path", "code", "gap"),
    [
        ("voices/af.bin", "", False),
        ("voices/af.bin", "import numpy as np\nv = np.fromfile('voices/af.bin', dtype='f4')", False),
        ("voices/af.bin", "import torch\nv = torch.load('voices/af.bin', weights_only=False)", True),
        ("voices/af.bin", "import ctypes\nctypes.CDLL('voices/af.bin')", True),
        ("af.bin", "", True),
        ("unet/diffusion_pytorch_model.bin", "", True),
        ("voices/af.pkl", "", True),
    ],
)
def test_where_numbers_are_left_alone(path: str, code: str, gap: bool) -> None:
    files = tree_of({path: FLOATS, "app.py": code.encode()}).files
    assert files[path].coverage.executable_gap is gap
