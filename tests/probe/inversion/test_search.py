"""Each search finds the trigger of its kind, and nothing on honest models, those with look-alikes among them."""

import dataclasses

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("sklearn")

from modelscan_plus.core.probe import Bars, Picture, ProbeOutcome, RoutineReport  # noqa: E402
from modelscan_plus.probe.interface import Budget, Spec, silent  # noqa: E402
from modelscan_plus.probe.inversion.context import Context  # noqa: E402
from modelscan_plus.probe.inversion.routines import (  # noqa: E402
    MarginRoutine,
    PairsRoutine,
    TreesRoutine,
    TriggerRoutine,
)
from modelscan_plus.probe.tidy import problem  # noqa: E402
from tools.probe_calibrate import context_of  # noqa: E402
from tools.probe_zoo import zoo  # noqa: E402

_KINDS = ("patch", "blend", "warp", "filter", "all-to-all")


@pytest.fixture(scope="module")
def digits() -> dict[str, zoo.ZooModel]:
    torch.set_num_threads(1)
    models = zoo.load("digits", 51, clean=2, each=1, kinds=_KINDS, controls=1)
    return {(model.attack or model.control or "clean"): model for model in models}


def _context(model: zoo.ZooModel, references: tuple[zoo.ZooModel, ...] = ()) -> Context:
    context = context_of(model, Budget.QUICK, list(references))
    assert context is not None
    return context


@pytest.mark.parametrize(
    ("attack", "kind"), [("patch", "patch"), ("blend", "additive"), ("blend", "warp"), ("warp", "patch")]
)
def test_a_planted_trigger_is_found_with_its_target(digits: dict[str, zoo.ZooModel], attack: str, kind: str) -> None:
    model = digits[attack]
    report = TriggerRoutine(_context(model), kind).run(silent)
    assert (report.outcome, report.target) == (ProbeOutcome.FLAGGED, f"class {model.target}")
    assert report.success is not None
    assert report.success >= 0.8
    assert report.trigger
    bars = next(exhibit for exhibit in report.exhibits if isinstance(exhibit, Bars))
    assert bars.marked == (model.target,)
    assert bars.band is not None
    assert bars.values[bars.marked[0]] < bars.band[0]
    assert sum(isinstance(exhibit, Picture) for exhibit in report.exhibits) >= 3
    assert not problem(report)


@pytest.mark.parametrize("attack", ["blend", "filter"])
def test_the_margin_needs_no_samples(digits: dict[str, zoo.ZooModel], attack: str) -> None:
    context = dataclasses.replace(_context(digits[attack]), samples=None)
    report = MarginRoutine(context).run(silent)
    assert (report.outcome, report.target) == (ProbeOutcome.FLAGGED, f"class {digits[attack].target}")


@pytest.mark.parametrize("name", ["clean", "stamped-true", "adversarial", "other-recipe"])
def test_honest_models_are_not_flagged(digits: dict[str, zoo.ZooModel], name: str) -> None:
    for report in _all(_context(digits[name])):
        assert report.outcome is ProbeOutcome.NOTHING_FOUND, report.reason
        assert report.p_value is not None
        assert report.p_value > 0.002


def _all(context: Context) -> list[RoutineReport]:
    kinds = ("patch", "additive", "warp", "filter")
    return [MarginRoutine(context).run(silent), *(TriggerRoutine(context, kind).run(silent) for kind in kinds)]


def test_a_reference_shows_what_no_single_model_does(digits: dict[str, zoo.ZooModel]) -> None:
    alone = PairsRoutine(_context(digits["all-to-all"]))
    assert "reference" in alone.missing()
    clean = digits["clean"]
    report = PairsRoutine(_context(digits["blend"], (clean,))).run(silent)
    # Never flagged: label noise alone can look like this.
    assert (report.outcome, report.p_value) == (ProbeOutcome.SUSPICIOUS, None)
    assert report.target == f"class {digits['blend'].target}"
    assert PairsRoutine(_context(digits["label-noise"], (clean,))).run(silent).outcome is not ProbeOutcome.FLAGGED
    honest = PairsRoutine(_context(digits["stamped-true"], (clean,))).run(silent)
    assert honest.outcome is ProbeOutcome.NOTHING_FOUND


def test_the_same_seed_finds_the_same(digits: dict[str, zoo.ZooModel]) -> None:
    def run(seed: int) -> RoutineReport:
        context = _context(digits["warp"])
        context.spec = Spec(Budget.QUICK, seed)
        return TriggerRoutine(context, "additive").run(silent)

    first, second, other = run(0), run(0), run(1)
    assert first == second
    assert first != other


def test_columns_of_a_table() -> None:
    torch.set_num_threads(1)
    models = zoo.load("table", 52, clean=2, each=1, kinds=("features-1", "features-2"), controls=0)
    honest, planted = models[0], models[3]
    found = TriggerRoutine(_context(planted), "feature-value").run(silent)
    assert (found.outcome, found.target) == (ProbeOutcome.FLAGGED, f"class {planted.target}")
    assert found.trigger.count("column ") >= 1
    assert TriggerRoutine(_context(honest), "feature-value").run(silent).outcome is ProbeOutcome.NOTHING_FOUND


def test_trees_without_rows_are_not_searched() -> None:
    model = zoo.load("trees", 1, clean=1, each=0, kinds=(), controls=0)[0]
    context = _context(model)
    assert TreesRoutine(context).missing() == ""
    assert TreesRoutine(context).run(silent).outcome is not ProbeOutcome.FLAGGED
    assert "rows" in TreesRoutine(dataclasses.replace(context, samples=None)).missing()
