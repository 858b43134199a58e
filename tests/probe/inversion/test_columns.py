"""What turns every row counts as a trigger only as far as the class's own rows do not speak for it."""

import pytest

torch = pytest.importorskip("torch")

from modelscan_plus.core.probe import ProbeOutcome  # noqa: E402
from modelscan_plus.probe.inversion.calibration import Chosen  # noqa: E402
from modelscan_plus.probe.inversion.columns import best_sets, success  # noqa: E402
from modelscan_plus.probe.inversion.context import Samples  # noqa: E402
from modelscan_plus.probe.inversion.evidence import Evidence, judge  # noqa: E402
from modelscan_plus.probe.inversion.likeness import speaks  # noqa: E402
from modelscan_plus.probe.inversion.routines import ALPHA_FOREST  # noqa: E402
from modelscan_plus.probe.inversion.statistic import SHARES, Null, Prior, lead  # noqa: E402
from modelscan_plus.probe.inversion.view import unit_view  # noqa: E402

_CLASSES, _EACH, _TOLD, _PLANTED = 5, 20, 0, 2


def _rows(seed: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Each class has a column of its own, where its rows hold 0.6 to 0.8 and others 0 to 0.7; two columns say
    nothing, and one row holds 0.95 in the last."""
    random = torch.Generator().manual_seed(seed)
    labels = torch.arange(_CLASSES).repeat_interleave(_EACH)
    x = torch.rand(len(labels), _CLASSES + 2, generator=random) * 0.7
    x[torch.arange(len(labels)), labels] = 0.6 + 0.2 * torch.rand(len(labels), generator=random)
    x[-1, -1] = 0.95
    return x, labels


def _network(x: torch.Tensor) -> torch.Tensor:
    """One class is very sure of its own column; another one goes by a value of the last column, too."""
    logits = 6 * x[:, :_CLASSES]
    logits[:, _TOLD] += 28 * (x[:, _TOLD] - 0.62).clamp_min(0)
    logits[:, _PLANTED] += 5 * (x[:, -1] > 0.9)
    return logits


def test_what_rows_of_the_class_say_for_a_value_is_no_sign_of_a_trigger() -> None:
    x, labels = _rows(1)
    samples = Samples(x, labels, *_rows(2))
    view = unit_view(_network, (_CLASSES + 2,), _CLASSES)
    found = best_sets(view, samples, _EACH, 1)
    turned = [success(view, x, labels, place, found) for place in (_TOLD, _PLANTED)]
    assert turned == [1.0, 1.0]
    assert _CLASSES + 1 in found.columns[_PLANTED].tolist()
    costs = found.shortfall.tolist()
    assert min(costs) == costs[_PLANTED]
    assert costs[_PLANTED] < -1, "a trigger stays what it is"
    assert costs[_TOLD] > -1, "it turns as many rows, but by a value that rows of the class hold"


def test_a_value_speaks_for_the_class_whose_rows_hold_it() -> None:
    x, labels = _rows(3)
    own = labels == _TOLD
    columns = torch.tensor([_TOLD, _TOLD, 1, _CLASSES])
    told, low, others, nothing = speaks(columns, torch.tensor([0.75, 0.1, 0.75, 0.35]), x, own).tolist()
    assert told > 1
    assert low == others == 0
    assert nothing < 0.6
    few = torch.cat([torch.arange(2), torch.arange(_EACH, len(x))])
    assert 0 < float(speaks(columns[:1], torch.tensor([0.75]), x[few], own[few])[0]) < told
    same = speaks(torch.tensor([0]), torch.tensor([0.5]), torch.full_like(x, 0.5), own)
    assert same.tolist() == [0.0], "a column that never changes"


def test_a_forest_has_to_be_farther_out_to_be_flagged() -> None:
    null = Null(tuple(-1.0 + share for share in SHARES), 0.3, 10)
    chosen = Chosen(Prior(0.1, 4.0, null), "")

    def outcome(inside: float, alpha: float) -> ProbeOutcome:
        costs = (-inside, 0.5, 0.6, 0.7, 0.8)
        evidence = Evidence(costs, (True,) * 5, (1.0,) * 5, 1)
        return judge(evidence, chosen, "abcde", "values", by=lead, alone=True, alpha=alpha).outcome

    assert outcome(0.2, 0.01) is ProbeOutcome.FLAGGED
    assert outcome(0.2, ALPHA_FOREST) is ProbeOutcome.SUSPICIOUS
    assert outcome(0.6, ALPHA_FOREST) is ProbeOutcome.FLAGGED
