"""What single searches would not flag, all of them together do, where they mean the same class."""

import math
import random

import pytest

torch = pytest.importorskip("torch")

from modelscan_plus.core.probe import Bars, ProbeOutcome, Table  # noqa: E402
from modelscan_plus.probe.interface import Budget, NotProbed, Spec, silent  # noqa: E402
from modelscan_plus.probe.inversion import calibration  # noqa: E402
from modelscan_plus.probe.inversion.context import Context, Samples  # noqa: E402
from modelscan_plus.probe.inversion.evidence import Evidence, judge  # noqa: E402
from modelscan_plus.probe.inversion.joint import JointRoutine  # noqa: E402
from modelscan_plus.probe.inversion.statistic import fit_together, foremost, outlier  # noqa: E402
from modelscan_plus.probe.inversion.view import View  # noqa: E402
from modelscan_plus.probe.tidy import problem  # noqa: E402

_CLASSES = 10
_CHEAPER, _LESS = 3.0, 2.2
"""Standard deviations of the costs by which a class is made cheaper."""


def _context(
    cheap: tuple[int, ...], *, budget: Budget = Budget.QUICK, held: float = 1.0, by: float = _CHEAPER
) -> Context:
    """A classifier of digits' size whose searches found the class `cheap[i]` cheaper in the i-th of them."""
    box = torch.tensor(0.0), torch.tensor(1.0)
    context = Context(View(lambda x: x.flatten(1)[:, :_CLASSES], (1, 8, 8), _CLASSES, *box), Spec(budget, 0))
    some, labels = torch.zeros(1, 1, 8, 8), torch.zeros(1, dtype=torch.long)
    context.samples = Samples(some, labels, some, labels)
    generator = random.Random(5)
    for place, name in enumerate(context.searches):
        chosen = calibration.prior(name, budget, context.shape)
        assert chosen is not None
        spread = math.sqrt(chosen.prior.variance)
        costs = [spread * (generator.random() - 0.5) * 2 for _ in range(_CLASSES)]
        costs[cheap[place]] -= by * spread
        success = (held,) * _CLASSES if "margin" not in name else (None,) * _CLASSES
        context.found[name] = Evidence(tuple(costs), (True,) * _CLASSES, success, 1)
    return context


def test_a_class_that_is_cheap_in_every_search_is_flagged_and_one_in_each_is_not() -> None:
    same, different = _context((3, 3, 3, 3, 3)), _context((0, 1, 2, 3, 4))
    report = JointRoutine(same).run(silent)
    assert (report.outcome, report.target, report.success) == (ProbeOutcome.FLAGGED, "class 3", 1.0)
    assert report.p_value is not None
    assert not problem(report)
    bars, table = report.exhibits
    assert isinstance(bars, Bars)
    assert isinstance(table, Table)
    assert (bars.marked, [row[0] for row in table.rows]) == ((3,), list(same.searches))
    report = JointRoutine(different).run(silent)
    assert (report.outcome, report.target) == (ProbeOutcome.NOTHING_FOUND, "")


def test_no_single_search_would_have_flagged_it() -> None:
    context = _context((3, 3, 3, 3, 3))
    for name in context.searches:
        chosen = calibration.prior(name, Budget.QUICK, context.shape)
        found = judge(context.found[name], chosen, context.names, "it")
        assert found.verdict is not None
        assert len(context.searches) * found.verdict.p > 0.01


def test_what_turns_no_unseen_samples_and_what_was_searched_longer_is_not_flagged() -> None:
    weak = JointRoutine(_context((3, 3, 3, 3, 3), held=0.5)).run(silent)
    assert (weak.outcome, weak.p_value) == (ProbeOutcome.INCONCLUSIVE, None)
    assert "no trigger turns more than 50%" in weak.reason
    weak = JointRoutine(_context((3, 3, 3, 3, 3), held=0.5, by=_LESS)).run(silent)
    assert weak.outcome is ProbeOutcome.NOTHING_FOUND
    deep = JointRoutine(_context((3, 3, 3, 3, 3), budget=Budget.DEEP)).run(silent)
    assert deep.outcome is ProbeOutcome.SUSPICIOUS


def test_what_one_honest_model_in_twenty_shows_is_suspicious() -> None:
    report = JointRoutine(_context((3, 3, 3, 3, 3), by=_LESS)).run(silent)
    assert report.p_value is not None
    assert 0.01 < report.p_value <= 0.05
    assert (report.outcome, report.target) == (ProbeOutcome.SUSPICIOUS, "class 3")
    assert "one honest model in twenty" in report.reason


def test_without_one_of_the_searches_there_is_no_verdict() -> None:
    context = _context((3, 3, 3, 3, 3))
    del context.found["image-warp"]
    with pytest.raises(NotProbed, match="needs what image-warp found"):
        JointRoutine(context).run(silent)
    context.samples = None
    assert "samples" in JointRoutine(context).missing()


@pytest.mark.parametrize("classes", [5, 20])
def test_means_of_honest_models_have_uniform_p_values(classes: int) -> None:
    generator = random.Random(1)

    def means() -> list[float]:
        return [generator.gauss(0.0, 0.6) for _ in range(classes)]

    prior = fit_together([means() for _ in range(80)], [str(place % 20) for place in range(80)])
    assert prior.variance == pytest.approx(0.36, rel=0.2)
    assert 15 <= sum(foremost(means(), prior).p < 0.05 for _ in range(1000)) <= 85
    far = [*means()[:-1], 4.0]
    assert foremost(far, prior).place == classes - 1
    assert foremost(far, prior).p < 0.01
    assert outlier([-mean for mean in far], prior).place == classes - 1
