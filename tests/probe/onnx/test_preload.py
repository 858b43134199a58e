"""Once the interpreter is imported, nothing else is any more: in the sandbox no file can be opened."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="torch is not installed")

from tests.probe.onnx.models import graph, node  # noqa: E402

PROGRAM = """
import sys
from modelscan_plus.core.bytesource import BytesSource
from modelscan_plus.probe.onnx import load
import torch
before = set(sys.modules)
for name in sys.argv[1:]:
    network = load(BytesSource(open(name, "rb").read()), gradients=False)
    x = torch.rand(2, *network.input.sample, requires_grad=True)
    torch.autograd.grad(network.forward(x).sum(), x)
    print(network.batching)
print(sorted(set(sys.modules) - before))
"""


def test_nothing_is_imported_afterwards(tmp_path: Path) -> None:
    nodes = [
        node("Conv", "x w", "c", pads=[1, 1, 1, 1]), node("AveragePool", "c", "a", kernel_shape=[2, 2]),
        node("Resize", "a - s", "r", mode="linear"), node("Reshape", "r to", "f"), node("MatMul", "f v"),
    ]  # fmt: skip
    rng = np.random.default_rng(1)
    weights = {
        "w": rng.random((4, 3, 3, 3), dtype=np.float32), "v": rng.random((784, 5), dtype=np.float32),
        "s": np.array([1, 1, 2, 2], np.float32),
    }  # fmt: skip
    names = []
    for place, to in enumerate((0, 1)):
        weights["to"] = np.array([to, -1])
        names.append(str(tmp_path / f"{place}.onnx"))
        Path(names[-1]).write_bytes(graph(nodes, shape=("n", 3, 8, 8), weights=weights))
    run = subprocess.run([sys.executable, "-c", PROGRAM, *names], capture_output=True, text=True, check=True)
    assert run.stdout.split("\n")[:3] == ["direct", "mapped", "[]"]
