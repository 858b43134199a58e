"""p-values are those of the distributions they name, and are uniform where there is nothing to find."""

import dataclasses
import math
import random

import pytest

from modelscan_plus.probe.inversion.statistic import (
    Prior,
    digamma,
    fit,
    inverse_trigamma,
    lead,
    null,
    outlier,
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
    prior = fit([_clean(generator, classes) for _ in range(60)], [str(place % 20) for place in range(60)])
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


def test_a_class_of_a_table_leads_by_how_far_its_rows_are_inside_it_too() -> None:
    generator = random.Random(3)
    honest = [[generator.gauss(0.8, 0.3) for _ in range(8)] for _ in range(80)]
    prior = fit(honest, [str(place % 20) for place in range(80)], lead)
    short = [0.9] * 8
    short[5] = 0.3
    inside = [cost - 1.1 for cost in short]
    found = lead(inside, prior)
    assert (found.place, found.t) == (5, pytest.approx(0.6))
    assert found.p < 0.02
    assert lead(short, prior).p > 0.05, "it leads by as much, but not all rows are turned"
    assert lead([-0.2] * 8, prior).p > found.p, "all rows go to any class"
    assert sum(lead(costs, prior).p < 0.05 for costs in honest) <= 8


def test_a_null_gives_the_shares_that_it_was_made_from() -> None:
    generator = random.Random(3)
    scores = [generator.gauss(0.4, 1.3) for _ in range(400)]
    found = null(scores, [str(place % 20) for place in range(400)])
    for share in (0.9, 0.5, 0.25, 0.1, 0.04):
        score = sorted(scores)[int((1 - share) * 400)]
        assert found.p(score) == pytest.approx(share, rel=0.25)
    assert found.p(-100.0) == 1.0
    falling = [found.p(score / 10) for score in range(-50, 100)]
    assert falling == sorted(falling, reverse=True)


def test_the_tail_is_longer_with_fewer_zoos_and_where_models_were_farther_out() -> None:
    usual = [place / 10 for place in range(40)]
    many, few = null(usual, [str(place) for place in range(40)]), null(usual, ["one"] * 40)
    assert few.p(8.0) > 2 * many.p(8.0)
    assert null([*usual, 8.0, 8.0], ["one"] * 42).p(9.0) > 2 * few.p(9.0)
    assert dataclasses.replace(many, wider=2.0).p(8.0) > 2 * many.p(8.0)
