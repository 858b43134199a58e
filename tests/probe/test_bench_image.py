"""The benchmark counts what it says, and the published searches that it holds ours against find what is plain."""

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("sklearn")

from modelscan_plus.probe.inversion.view import View  # noqa: E402
from tools.probe_bench.image import Row, beside_peers, summary  # noqa: E402
from tools.probe_bench.peers import maximum_margin, neural_cleanse  # noqa: E402


def _row(attack: str, p: float, outcome: str, *, right: bool = False, peers: dict[str, float] | None = None) -> Row:
    raw = (p,) if outcome != "inconclusive" else ()
    return Row("digits", attack, hard=False, p=p, outcome=outcome, right=right, seconds=1.0, raw=raw, peers=peers or {})


def test_an_abstention_counts_as_the_weakest_and_a_failed_implant_is_left_out() -> None:
    rows = [
        _row("patch", 0.002, "flagged", right=True),
        _row("patch", 1.0, "inconclusive"),
        _row("failed", 0.001, "flagged"),
        _row("", 1.0, "inconclusive"),
        _row("", 0.5, "nothing-found"),
        _row("", 0.004, "flagged"),
    ]
    lines = list(summary(rows))
    assert "honest 3, of these hard negatives 0" in lines
    assert "implants that do not work and are left out: 1" in lines
    # Of six pairs, the first planted one wins three; the other one loses two and ties with the third.
    assert any(line.startswith("all: AUC 0.583") and "flagged 1 of 2" in line for line in lines)
    assert any(line.startswith("falsely flagged: 1 of 3") for line in lines)
    assert any(line.startswith("right target, of those flagged: 1 of 1") for line in lines)
    assert any(line.startswith("planted without any verdict: 1 of 2") for line in lines)


def test_costs_of_published_searches_are_a_multiple_of_ours() -> None:
    peers = {"cleanse": 3.0, "cleanse s": 6.0, "margin": 2.0, "margin s": 4.0}
    low = {"cleanse": 2.5, "cleanse s": 6.0, "margin": 2.5, "margin s": 4.0}
    lines = list(
        beside_peers([_row("patch", 0.002, "flagged", peers=peers), _row("", 0.3, "nothing-found", peers=low)])
    )
    assert "Neural Cleanse: CPU 6.0 times that, AUC 1.000" in lines
    assert "MM-BD: CPU 4.0 times that, AUC 0.000" in lines
    assert any("above 2: 1 of 1" in line for line in lines)
    assert not list(beside_peers([_row("patch", 0.002, "flagged")]))


def test_published_searches_find_a_class_that_one_pixel_leads_to() -> None:
    torch.manual_seed(1)
    weight = 0.3 * torch.randn(16, 6)
    weight[5, 2] = 30.0
    view = View(lambda x: x.flatten(1) @ weight, (1, 4, 4), 6, torch.tensor(0.0), torch.tensor(1.0))
    x = 0.05 * torch.rand(30, 1, 4, 4)
    assert neural_cleanse(view, x, steps=60, images=20)[0] > 2
    strong = maximum_margin(view, starts=3, steps=40)[0]
    weight[5, 2] = 0.0
    assert strong > maximum_margin(view, starts=3, steps=40)[0]
