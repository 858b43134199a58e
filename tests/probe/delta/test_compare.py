"""Two checkpoints are compared as numbers, whatever their names, dtypes and sizes."""

from typing import Any

import pytest

np = pytest.importorskip("numpy")

from modelscan_plus.probe.delta.compare import Change, Comparison, compare  # noqa: E402
from modelscan_plus.probe.delta.rows import beyond_drift, moved_rows  # noqa: E402
from modelscan_plus.probe.interface import NotProbed  # noqa: E402
from modelscan_plus.probe.weights import open_checkpoint  # noqa: E402
from tests.probe.delta.tensors import bf16, files  # noqa: E402


def compared(model: dict[str, Any], base: dict[str, Any], *tables: str, vectors: int = 4) -> Comparison:
    return compare(open_checkpoint(files(model)), open_checkpoint(files(base)), tables, vectors)


def one(model: Any, base: Any, **more: Any) -> Change:
    return compared({"w": model}, {"w": base}, **more).changes[0]


def normal(*shape: int, seed: int = 0) -> Any:
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


def test_the_size_of_a_difference_is_that_of_numpy() -> None:
    base = normal(3000, 70)
    model = base.copy()
    model[2000:2500] += normal(500, 70, seed=1)
    change = one(model, base)
    assert not change.equal
    assert change.share == pytest.approx(np.linalg.norm(model - base) / np.linalg.norm(base), rel=1e-4)
    assert one(base, base).equal
    wide = one(normal(2, 300_000), np.zeros((2, 300_000), np.float32))
    assert wide.moved == pytest.approx(float((normal(2, 300_000) ** 2).sum()), rel=1e-4)


@pytest.mark.parametrize("rank", [1, 2, 4])
def test_a_low_rank_is_seen_and_a_high_one_is_not_called_low(rank: int) -> None:
    base = normal(300, 200)
    model = base + normal(300, rank, seed=1) @ normal(rank, 200, seed=2) * 0.01
    assert one(model, base).rank == rank
    assert one(model, base, vectors=rank - 1).rank is None
    assert one(base + normal(300, 200, seed=3) * 0.01, base).rank is None


def test_a_low_rank_is_seen_through_the_rounding_of_halves() -> None:
    base = normal(300, 200)
    model = base + normal(300, 2, seed=1) @ normal(2, 200, seed=2) * 0.5
    assert one(bf16(model), bf16(base)).rank == 2


def test_another_dtype_is_no_difference_and_more_than_rounding_is() -> None:
    base = normal(50, 40)
    assert one(bf16(base), base).equal
    assert one(base.astype(np.float16), base).equal
    assert one(base.astype(np.float64), base).equal
    changed = base.copy()
    changed[3, 3] += 0.5
    assert not one(bf16(changed), base).equal


def test_values_that_are_not_finite_are_said() -> None:
    base = normal(50, 40)
    model = base.copy()
    model[1, 1] = np.nan
    assert not one(model, base).finite
    assert not one(model, base).equal
    assert one(base, model).finite
    table = compared({"w": model}, {"w": model + np.float32(1) * (np.arange(50) == 7)[:, None]}, "w").changes[0]
    assert [int(row) for row in beyond_drift(table).nonzero()[0]] == [7]


def test_whole_numbers_are_compared_as_bytes() -> None:
    base = np.arange(10, dtype=np.int8)
    assert one(base, base).equal
    assert not one(base + np.int8(1), base).equal


def test_names_go_with_and_without_that_of_the_bare_model() -> None:
    base = {"a.weight": normal(4), "b.weight": normal(4), "cls": normal(2)}
    model = {"bert.a.weight": normal(4), "bert.b.weight": normal(4), "head": normal(3)}
    for one_way in (compared(model, base), compared(base, model)):
        assert [change.equal for change in one_way.changes] == [True, True]
    assert compared(model, base).added == ["head"]
    assert compared(model, base).missing == ["cls"]


def test_a_table_with_more_rows_is_compared_as_far_as_the_base_goes() -> None:
    base = normal(100, 8)
    model = np.concatenate([base, normal(5, 8, seed=1)])
    assert compared({"e": model}, {"e": base}, "e").changes[0].equal
    assert compared({"e": model}, {"e": base}).reshaped == ["e"]


def trained(decay: float = 0.0) -> tuple[Any, Any]:
    """Rows that all shrink, sixty that move together, and one of those that moves on its own way too."""
    base = normal(2000, 16)
    model = base * np.float32(1 - decay)
    model[100:160] += normal(60, 2, seed=6) @ normal(2, 16, seed=5)
    model[130] += normal(16, seed=7) * 0.5
    return model, base


@pytest.mark.parametrize("decay", [0.0, 0.3])
def test_the_row_that_moved_on_its_own_comes_first(decay: float) -> None:
    model, base = trained(decay)
    found = moved_rows(files({"e": model}), files({"e": base}), "e")
    assert 130 in found.order[:2]
    assert set(found.order) == set(range(100, 160))
    assert found.moved == 60
    assert found.rows == 2000
    halves = moved_rows(files({"e": bf16(model)}), files({"e": bf16(base)}), "e", most=10)
    assert 130 in halves.order[:2]
    assert len(halves.order) == 10


def test_nothing_moved_where_nothing_changed_and_a_wrong_base_is_refused() -> None:
    _, base = trained()
    assert moved_rows(files({"e": base}), files({"e": base}), "e").order == ()
    with pytest.raises(NotProbed, match="no tensor"):
        moved_rows(files({"e": base}), files({"f": base}), "e")
    with pytest.raises(NotProbed, match="another width"):
        moved_rows(files({"e": base}), files({"e": base[:, :4].copy()}), "e")
