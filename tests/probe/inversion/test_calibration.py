"""A model is judged by the calibration nearest to it, by a wider one where none is near, and by none far away."""

import dataclasses

import pytest

from modelscan_plus.probe.interface import Budget
from modelscan_plus.probe.inversion import calibration
from modelscan_plus.probe.inversion.calibration import Entry, Shape, choose
from modelscan_plus.probe.inversion.statistic import Prior

_TEN = Entry("image-patch", Budget.STANDARD, Shape("image", 10, 8.0), 40, Prior(0.1, 20.0, 0.1, 1.0))
_FORTY = dataclasses.replace(_TEN, shape=Shape("image", 40, 16.0), prior=Prior(0.3, 20.0, 0.0, 1.2))


def test_the_nearest_entry_counts_as_it_is() -> None:
    chosen = choose([_TEN, _FORTY], Shape("image", 12, 9.0))
    assert chosen is not None
    assert (chosen.prior, chosen.note) == (_TEN.prior, "")


def test_farther_away_the_null_is_wider_and_says_so() -> None:
    chosen = choose([_TEN, _FORTY], Shape("image", 40, 32.0))
    assert chosen is not None
    assert chosen.prior.variance > _FORTY.prior.variance
    assert chosen.prior.scale > _FORTY.prior.scale
    assert "widened" in chosen.note


@pytest.mark.parametrize("shape", [Shape("image", 10, 224.0), Shape("image", 1000, 16.0), Shape("tabular", 10, 8.0)])
def test_very_far_there_is_none(shape: Shape) -> None:
    assert choose([_TEN, _FORTY], shape) is None


def test_the_shipped_table_names_its_digest_and_covers_the_routines() -> None:
    assert calibration.name().startswith("inversion.json sha256:")
    shape = Shape("image", 10, 8.0)
    for routine in ("image-margin", "image-patch", "image-additive", "image-warp", "image-filter"):
        for budget in Budget:
            found = calibration.prior(routine, budget, shape)
            assert found is not None, (routine, budget)
            assert not found.note, (routine, budget)
    assert calibration.pair_nulls("image-pairs", Budget.STANDARD, shape) is not None
    assert calibration.prior("image-unheard-of", Budget.STANDARD, shape) is None
