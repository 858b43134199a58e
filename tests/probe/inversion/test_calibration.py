"""A model is judged by the calibration that covers it, by a wider one outside of it, and by none far away."""

import pytest

from modelscan_plus.probe.interface import Budget
from modelscan_plus.probe.inversion import calibration
from modelscan_plus.probe.inversion.calibration import Entry, Shape, choose
from modelscan_plus.probe.inversion.statistic import Null, Prior

_NULL = Null((-1.0, -0.7, -0.5, -0.2, 0.0, 0.2, 0.4, 0.6, 0.9), 0.4, 10)
_ENTRY = Entry("image-patch", Budget.STANDARD, "image", (5, 24), (8.0, 16.0), 80, 10, Prior(0.1, 20.0, _NULL))


def test_inside_its_range_an_entry_counts_as_it_is() -> None:
    chosen = choose([_ENTRY], Shape("image", 12, 9.0))
    assert chosen is not None
    assert (chosen.prior, chosen.note) == (_ENTRY.prior, "")


def test_outside_the_null_is_wider_and_says_so() -> None:
    chosen = choose([_ENTRY], Shape("image", 10, 32.0))
    assert chosen is not None
    assert chosen.prior.variance > _ENTRY.prior.variance
    assert chosen.prior.null is not None
    assert chosen.prior.null.p(3.0) > _NULL.p(3.0)
    assert "widened" in chosen.note


@pytest.mark.parametrize(
    "shape",
    [
        Shape("image", 10, 224.0),
        Shape("image", 1000, 16.0),
        Shape("image-conv", 10, 8.0),
        Shape("tabular", 10, 8.0),
    ],
)
def test_very_far_and_for_other_kinds_there_is_none(shape: Shape) -> None:
    assert choose([_ENTRY], shape) is None


@pytest.mark.parametrize(
    ("shape", "routines"),
    [
        (Shape("image", 10, 8.0), ("image-margin", "image-patch", "image-additive", "image-warp", "image-filter")),
        (Shape("image", 10, 16.0), ("image-patch+impressions", "image-pairs/cell", "image-pairs/map")),
        (Shape("tabular", 6, 16.0), ("tabular-feature-value", "tabular-trees")),
    ],
)
def test_the_shipped_table_names_its_digest_and_covers_the_routines(shape: Shape, routines: tuple[str, ...]) -> None:
    assert calibration.name().startswith("inversion.json sha256:")
    for routine in routines:
        for budget in Budget:
            found = calibration.prior(routine, budget, shape)
            assert found is not None, (routine, budget)
            assert not found.note, (routine, budget)
            assert found.shorter is (budget is Budget.DEEP), routine
    conv = Shape("image-conv", 10, 14.0)
    assert calibration.prior("image-patch", Budget.QUICK, conv) is not None
    assert calibration.prior("image-patch", Budget.STANDARD, conv) is None
    assert calibration.prior("image-unheard-of", Budget.STANDARD, shape) is None


def test_the_shipped_table_has_a_null_for_all_searches_together() -> None:
    for budget in Budget:
        assert calibration.prior("image-joint", budget, Shape("image", 10, 8.0)) is not None
    assert calibration.prior("image-joint+impressions", Budget.QUICK, Shape("image-conv", 10, 14.0)) is not None
