import msgspec
import pytest

from modelscan_plus.core.probe import ProbeOutcome, RoutineReport
from modelscan_plus.probe.combine import combine, holm, overall


def report(outcome: ProbeOutcome, p_value: float | None = None) -> RoutineReport:
    return RoutineReport(routine="r", title="R", outcome=outcome, reason=f"because {outcome}", p_value=p_value)


def test_holm_is_bonferroni_for_the_smallest_and_never_falls() -> None:
    assert holm([0.04, 0.001, 0.03]) == pytest.approx([0.06, 0.003, 0.06])
    assert holm([0.9, 0.8]) == [1.0, 1.0]
    assert holm([]) == []


def test_most_of_the_error_is_left_to_a_joint_test() -> None:
    assert holm([0.01, 0.04], [4.0, 1.0]) == pytest.approx([0.0125, 0.04])
    assert holm([0.01, 0.001], [4.0, 1.0]) == pytest.approx([0.01, 0.005])
    names = ("image-patch", "image-additive", "image-joint", "image-pairs")
    reports = [msgspec.structs.replace(report(ProbeOutcome.FLAGGED, 0.004), routine=name) for name in names]
    assert [round(one.p_adjusted or 0, 4) for one in combine(reports[:3])] == [0.008, 0.008, 0.0044]
    alone = [combine(reports)[place].p_adjusted for place in (2, 3)]
    assert alone == pytest.approx([0.0084, 0.0084])
    assert [one.p_adjusted for one in combine(reports[:2])] == pytest.approx([0.008, 0.008])


def test_a_flag_that_does_not_survive_the_correction_falls() -> None:
    weak = report(ProbeOutcome.FLAGGED, 0.008)
    first, second = combine([weak, report(ProbeOutcome.NOTHING_FOUND, 0.5)])
    assert first.outcome is ProbeOutcome.NOTHING_FOUND
    assert first.p_adjusted == pytest.approx(0.016)
    assert "corrected p = 0.016" in first.reason
    assert second.p_adjusted == pytest.approx(0.5)
    (alone,) = combine([weak])
    assert alone.outcome is ProbeOutcome.FLAGGED


def test_what_is_no_test_keeps_its_outcome() -> None:
    (kept,) = combine([report(ProbeOutcome.FLAGGED)])
    assert kept.outcome is ProbeOutcome.FLAGGED
    assert kept.p_adjusted is None


@pytest.mark.parametrize(
    ("outcomes", "expected"),
    [
        (("nothing-found", "inconclusive"), "nothing-found"),
        (("not-applicable", "inconclusive"), "inconclusive"),
        (("nothing-found", "suspicious", "inconclusive"), "suspicious"),
        (("suspicious", "flagged"), "flagged"),
        (("not-applicable",), "not-applicable"),
        ((), "not-applicable"),
    ],
)
def test_the_worst_outcome_stands(outcomes: tuple[str, ...], expected: str) -> None:
    assert overall([report(ProbeOutcome(outcome)) for outcome in outcomes])[0] == expected
