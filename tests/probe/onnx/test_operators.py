"""Each operator gives what onnxruntime gives, sample by sample, and the gradient that finite differences give."""

from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="torch is not installed")

from modelscan_plus.probe.onnx import load  # noqa: E402
from modelscan_plus.probe.onnx.ops import OPERATORS  # noqa: E402
from tests.probe.onnx.cases import SMOOTH, STEPS, Case  # noqa: E402
from tests.probe.onnx.models import expected, source  # noqa: E402

ELSEWHERE = {"Constant", "ConstantOfShape", "Range", "Shape", "Size", "NonZero", "DequantizeLinear"}
"""Operators that do not stand between input and output; test_constants.py has them."""
FORESTS = {"TreeEnsemble", "TreeEnsembleClassifier", "TreeEnsembleRegressor"}
"""test_forest.py has them."""


def test_every_operator_has_a_case() -> None:
    assert {name for _, name in OPERATORS} == {case.kind for case in (*SMOOTH, *STEPS)} | ELSEWHERE | FORESTS


@pytest.mark.parametrize("case", [*SMOOTH, *STEPS], ids=lambda case: case.name)
def test_an_operator_gives_what_onnxruntime_gives(case: Case) -> None:
    data, x = case.model(), case.inputs()
    network = load(source(data))
    alone = np.concatenate([expected(data, x[place : place + 1]).reshape(1, -1) for place in range(len(x))])
    np.testing.assert_allclose(network.forward(torch.from_numpy(x)).numpy(), alone, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("case", SMOOTH, ids=lambda case: case.name)
def test_gradients_agree_with_differences(case: Case) -> None:
    network = load(source(case.model()))
    x = torch.from_numpy(case.inputs(2)).requires_grad_()
    logits = network.forward(x)
    random = torch.Generator().manual_seed(7)
    # A fixed direction out, and one in; the step is small enough for a kink to be rarely between.
    out = torch.randn(logits.shape, generator=random)
    (gradient,) = torch.autograd.grad((logits * out).sum(), x)
    direction = torch.randn(x.shape, generator=random)
    step = 2e-3
    with torch.no_grad():
        ahead, behind = (network.forward(x + sign * step * direction).double() for sign in (1, -1))
    measured = float((((ahead - behind) * out).sum()) / (2 * step))
    size = float(gradient.norm() * direction.norm()) or 1.0
    assert abs(float((gradient * direction).sum()) - measured) < 0.02 * size + 0.02


def test_the_page_lists_the_operators() -> None:
    page = (Path(__file__).parents[3] / "docs" / "probes.md").read_text("utf-8")
    section = page.partition("## What runs an ONNX model")[2].partition("\n## ")[0]
    rows = [line.split("|")[2] for line in section.splitlines() if line.startswith("| ")][1:]
    assert sorted(name.strip() for row in rows for name in row.split(",")) == sorted(name for _, name in OPERATORS)
