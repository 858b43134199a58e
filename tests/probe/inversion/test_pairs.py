import pytest

torch = pytest.importorskip("torch")

from modelscan_plus.probe.inversion.pairs import scores  # noqa: E402

CLASSES = 8


def _noise(seed: int) -> "torch.Tensor":
    return torch.randn(2, CLASSES, CLASSES, generator=torch.Generator().manual_seed(seed))


def test_a_map_counts_if_all_searches_see_it() -> None:
    others = _noise(1)
    honest = others + _noise(2)
    once, both = honest.clone(), honest.clone()
    rows = torch.arange(CLASSES)
    once[0, rows, (rows + 1) % CLASSES] -= 8
    both[:, rows, (rows + 1) % CLASSES] -= 8
    assert scores(both, others).goes == tuple((place + 1) % CLASSES for place in range(CLASSES))
    values = [scores(own, others).values[1] for own in (honest, once, both)]
    assert values[2] > values[1] + 1
    assert abs(values[1] - values[0]) < 1


def test_a_cell_counts_if_it_is_cheap_in_the_model_itself() -> None:
    others = _noise(1)
    honest = others + 0.3 * _noise(2)
    dear, cheap = others.clone(), honest.clone()
    # Dear for the reference alone: no trigger of this model.
    dear[:, 2, 5] += 8
    cheap[:, 2, 5] -= 8
    planted = scores(cheap, others)
    assert planted.cell == (2, 5)
    assert planted.values[0] > 2 * max(scores(honest, others).values[0], scores(honest, dear).values[0])


def test_whole_rows_and_columns_do_not_count() -> None:
    own, others = _noise(1), _noise(2)
    moved = own + 5 * torch.randn(1, CLASSES, 1, generator=torch.Generator().manual_seed(3))
    moved[:, :, 4] -= 6
    assert scores(moved, others).values == pytest.approx(scores(own, others).values, abs=0.3)
