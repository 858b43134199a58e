"""What a benchmark has measured is kept, so that a run that was cut off goes on from there."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("torch")

from tools.probe_bench.keep import Kept


def test_a_run_that_was_cut_off_goes_on_and_trains_a_finished_zoo_no_more(tmp_path: Path) -> None:
    done: list[str] = []
    broken = {"b"}

    def tasks() -> Iterator[tuple[str, Callable[[], dict[str, Any]]]]:
        def measure(name: str) -> dict[str, Any]:
            if name in broken:
                raise KeyboardInterrupt
            done.append(name)
            return {"name": name}

        for name in "abc":
            yield name, lambda name=name: measure(name)  # type: ignore[misc]

    def untrained() -> Iterator[tuple[str, Callable[[], dict[str, Any]]]]:
        raise AssertionError

    place = tmp_path / "rows.jsonl"
    with pytest.raises(KeyboardInterrupt):
        Kept(place).zoo("world 1", tasks)
    broken.clear()
    assert Kept(place).zoo("world 1", tasks) == [{"name": name} for name in "abc"]
    assert done == ["a", "b", "c"]
    assert Kept(place).zoo("world 1", untrained) == [{"name": name} for name in "abc"]
    assert len(Kept(place).zoo("world 2", tasks)) == 3
    assert done == ["a", "b", "c"] * 2
