"""Each search finds the trigger of its kind, and nothing on honest models, those with look-alikes among them."""

import dataclasses

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("sklearn")

from modelscan_plus.core.probe import Bars, Picture, ProbeOutcome, RoutineReport  # noqa: E402
from modelscan_plus.probe.interface import Budget, NotProbed, Spec, silent  # noqa: E402
from modelscan_plus.probe.inversion.context import Context  # noqa: E402
from modelscan_plus.probe.inversion.pairs import Scores, scores  # noqa: E402
from modelscan_plus.probe.inversion.routines import (  # noqa: E402
    ColumnsRoutine,
    MarginRoutine,
    PairsRoutine,
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
    ("attack", "kind", "p"), [("patch", "patch", 0.05), ("blend", "additive", 0.002), ("warp", "additive", 0.02)]
)
def test_a_planted_trigger_is_found_with_its_target(
    digits: dict[str, zoo.ZooModel], attack: str, kind: str, p: float
) -> None:
    model = digits[attack]
    report = TriggerRoutine(_context(model), kind).run(silent)
    assert report.p_value is not None
    assert report.p_value < p
    assert report.success is not None
    assert report.success >= 0.8
    bars = next(exhibit for exhibit in report.exhibits if isinstance(exhibit, Bars))
    assert bars.marked == (model.target,)
    assert bars.band is not None
    assert bars.values[bars.marked[0]] < bars.band[0]
    assert sum(isinstance(exhibit, Picture) for exhibit in report.exhibits) >= 3
    assert not problem(report)
    if attack == "blend":
        assert (report.outcome, report.target) == (ProbeOutcome.FLAGGED, f"class {model.target}")
        assert report.trigger


def test_a_table_of_shorter_searches_flags_nothing(digits: dict[str, zoo.ZooModel]) -> None:
    model = digits["blend"]
    context = context_of(model, Budget.DEEP, [])
    assert context is not None
    report = MarginRoutine(context).run(silent)
    assert (report.outcome, report.target) == (ProbeOutcome.SUSPICIOUS, f"class {model.target}")
    assert "at a smaller budget only" in report.reason
    assert not problem(report)


def test_a_distortion_leads_to_the_target_of_a_warp(digits: dict[str, zoo.ZooModel]) -> None:
    model = digits["warp"]
    evidence = TriggerRoutine(_context(model), "warp").search(silent)
    assert model.target == min(range(10), key=lambda place: evidence.log_costs[place])
    assert (evidence.success[model.target or 0] or 0.0) > 0.7


def test_the_margin_needs_no_samples(digits: dict[str, zoo.ZooModel]) -> None:
    context = dataclasses.replace(_context(digits["blend"]), samples=None)
    report = MarginRoutine(context).run(silent)
    assert (report.outcome, report.target) == (ProbeOutcome.FLAGGED, f"class {digits['blend'].target}")


@pytest.mark.parametrize("name", ["clean", "stamped-true", "adversarial", "other-recipe"])
def test_honest_models_are_not_flagged(digits: dict[str, zoo.ZooModel], name: str) -> None:
    for report in _all(_context(digits[name])):
        assert report.outcome is ProbeOutcome.NOTHING_FOUND, report.reason
        assert report.p_value is not None
        assert report.p_value > 0.002


def _all(context: Context) -> list[RoutineReport]:
    kinds = ("patch", "additive", "warp", "filter")
    return [MarginRoutine(context).run(silent), *(TriggerRoutine(context, kind).run(silent) for kind in kinds)]


def test_pairs_need_a_reference_and_samples(digits: dict[str, zoo.ZooModel]) -> None:
    context = _context(digits["all-to-all"])
    assert "reference" in PairsRoutine(context).missing()
    assert "samples" in PairsRoutine(dataclasses.replace(context, references=(context.view,), samples=None)).missing()
    with pytest.raises(NotProbed, match="samples of every class"):
        PairsRoutine(_context(digits["all-to-all"], (digits["clean"],))).run(silent)


def test_a_reference_shows_what_no_single_model_does(digits: dict[str, zoo.ZooModel]) -> None:
    def pairs(name: str) -> Scores:
        context = context_of(digits[name], Budget.QUICK, [digits["clean"]], each=16)
        assert context is not None
        own, others, _ = PairsRoutine(context).matrices(silent)
        return scores(own, others)

    planted, honest = pairs("all-to-all"), pairs("stamped-true")
    # "map" is the last one. Each class goes to the next, for most of them.
    assert planted.values[-1] > honest.values[-1]
    assert sum(goes == (place + 1) % 10 for place, goes in enumerate(planted.goes)) >= 5
    assert sum(goes == (place + 1) % 10 for place, goes in enumerate(honest.goes)) <= 4


def test_the_same_seed_finds_the_same(digits: dict[str, zoo.ZooModel]) -> None:
    def run(seed: int) -> RoutineReport:
        context = _context(digits["warp"])
        context.spec = Spec(Budget.QUICK, seed)
        return TriggerRoutine(context, "additive").run(silent)

    first, second, other = run(0), run(0), run(1)
    assert first == second
    assert first != other


@pytest.fixture(scope="module")
def tables() -> list[zoo.ZooModel]:
    torch.set_num_threads(1)
    kinds = ("features-1", "features-2", "features-3")
    return zoo.load("table", 52, clean=2, each=1, kinds=kinds, controls=0, count=2400)


def test_the_columns_of_planted_tables_lead_to_their_targets(tables: list[zoo.ZooModel]) -> None:
    honest, planted = tables[:2], [model for model in tables if model.attack]
    assert len(planted) >= 2
    found = {
        model.attack: (ColumnsRoutine(_context(model)).search(silent).log_costs, model.target) for model in planted
    }
    right = [target == min(range(len(costs)), key=costs.__getitem__) for costs, target in found.values()]
    assert sum(right) >= 2
    costs, target = found["features-1"]
    assert min(costs) == costs[target or 0] < -0.5, "the hardest rows are far inside the target"
    for model in honest:
        report = ColumnsRoutine(_context(model)).run(silent)
        assert report.outcome is ProbeOutcome.NOTHING_FOUND
        assert not problem(report)


def test_a_forest_is_asked_between_its_thresholds() -> None:
    models = zoo.load("trees", 52, clean=1, each=1, kinds=("features-2",), controls=0, count=1200)
    honest, planted = (_context(model) for model in models)
    evidence = ColumnsRoutine(planted).search(silent)
    costs = evidence.log_costs
    assert models[1].attack
    assert min(range(len(costs)), key=costs.__getitem__) == models[1].target
    assert evidence.success[models[1].target or 0] == pytest.approx(1.0, abs=0.1)
    assert min(costs) < min(ColumnsRoutine(honest).search(silent).log_costs) - 0.2
    blind = dataclasses.replace(planted, splits=[torch.zeros(0)] * 16)
    assert min(ColumnsRoutine(blind).search(silent).log_costs) > min(costs)
    assert "rows" in ColumnsRoutine(dataclasses.replace(planted, samples=None)).missing()
