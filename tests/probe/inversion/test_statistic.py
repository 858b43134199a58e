"""p-values are those of the distributions they name, and are uniform where there is nothing to find."""

import math
import random

import pytest

from modelscan_plus.probe.inversion.statistic import (
    Prior,
    digamma,
    fit,
    inverse_trigamma,
    outlier,
    spread,
    student_tail,
    trigamma,
)


@pytest.mark.parametrize(
    ("t", "freedom", "tail"),
    [(0.0, 3.0, 0.5), (2.353363, 3.0, 0.05), (1.812461, 10.0, 0.05), (4.143700, 10.0, 0.001), (-1.812461, 10.0, 0.95)],
)
def test_student(t: float, freedom: float, tail: float) -> None:
    assert student_tail(t, freedom) == pytest.approx(tail, rel=1e-5)


def test_gamma_functions() -> None:
    assert digamma(1.0) == pytest.approx(-0.5772156649, abs=1e-8)
    assert trigamma(1.0) == pytest.approx(math.pi**2 / 6, abs=1e-8)
    assert trigamma(inverse_trigamma(0.37)) == pytest.approx(0.37, rel=1e-6)


def _clean(generator: random.Random, classes: int) -> list[float]:
    return [generator.gauss(2.0, 0.2) for _ in range(classes)]


@pytest.mark.parametrize("classes", [5, 10, 40])
def test_clean_models_have_uniform_p_values(classes: int) -> None:
    generator = random.Random(1)
    prior = fit([_clean(generator, classes) for _ in range(60)])
    assert prior.variance == pytest.approx(0.04, rel=0.3)
    small = sum(outlier(_clean(generator, classes), prior).p < 0.05 for _ in range(1000))
    assert 15 <= small <= 80


def test_a_class_that_is_far_cheaper_stands_out_and_one_that_is_dearer_does_not() -> None:
    prior = Prior(0.04, 50.0)
    costs = _clean(random.Random(2), 10)
    cheap, dear = list(costs), list(costs)
    cheap[3] -= 1.5
    dear[3] += 1.5
    found = outlier(cheap, prior)
    assert (found.place, found.p < 1e-4) == (3, True)
    assert found.band[0] < math.exp(2.0) < found.band[1]
    assert outlier(dear, prior).p > 0.05


def test_a_long_upper_tail_widens_the_null() -> None:
    usual = [-1.0, -0.5, 0.0, 0.5, 1.0] * 8
    assert spread([*usual, 4.0, 4.0, 4.0])[1] > spread(usual)[1] * 1.5
