"""What the backdoor probes found: a trigger that clean models do not have, something to look at, or no answer.

They judge what modelscan_plus/probe states about a model as a whole, so nothing here is registered as a judge of bytes;
the pipeline calls `judge_probe`.
"""

from collections.abc import Iterator

from modelscan_plus.core.artifact import Artifact
from modelscan_plus.core.bytesource import BytesSource
from modelscan_plus.core.finding import Confidence, Finding, Severity, TextEvidence
from modelscan_plus.core.probe import ProbeOutcome, ProbeReport, RoutineReport
from modelscan_plus.core.text import shorten, visible
from modelscan_plus.rules.interface import Context, Rule

FLAGGED = Rule(
    id="MSP8001",
    slug="backdoor-trigger-found",
    title="A probe found a trigger that clean models do not have",
    severity=Severity.HIGH,
    why=(
        "A backdoored model behaves well until its input carries a trigger: a patch, a pattern, a value, a few words. "
        "The probe searched for such inputs and found one that works far better than any that is found in clean models "
        "of its calibration set. No byte of the file shows this; only what the weights have learned does."
    ),
    fix=(
        "Look at the trigger in the report and try it on inputs of your own. Until it is explained, do not use the "
        "model; train it again from data that you know, or take it from a source that can say how it was made."
    ),
    bad="4 × 4 pixels turn 98 % of all images into class 7; the smallest trigger of any other class has 21 pixels",
    good="the smallest triggers of all classes are of like size, as in clean models",
    cwe=("CWE-506",),
    references=("https://ieeexplore.ieee.org/document/8835365", "https://atlas.mitre.org/techniques/AML.T0018"),
)
SUSPICIOUS = Rule(
    id="MSP8002",
    slug="backdoor-probe-suspicious",
    title="A probe found something that a person should look at",
    severity=Severity.MEDIUM,
    why=(
        "It works like a trigger, and honest models have the like too: a natural word that decides by itself, a habit "
        "of refusing, a stock phrase, a weight that moved against what the model card says. No measurement can tell "
        "the one from the other, and whoever knows of it can use it as a trigger either way."
    ),
    fix="Read the trigger, the target and the examples in the report, and decide whether the model should have that.",
    bad="the word “refund” turns 95 % of all reviews into negative ones",
    good="longer praise turns some reviews into positive ones, as it does in every model of this task",
    cwe=("CWE-506",),
    references=("https://pages.nist.gov/trojai/",),
)
INCONCLUSIVE = Rule(
    id="MSP8003",
    slug="backdoor-probe-inconclusive",
    title="A probe came to no answer",
    severity=Severity.LOW,
    why=(
        "The search could not be carried out: the model uses something that the probe does not run, samples are "
        "missing, too few classes were reached, or a limit ended it. That says nothing about the model, neither good "
        "nor bad, and a model can be made so that it comes to this."
    ),
    fix=(
        "The reason says what is missing: samples (--samples), a reference model (--reference), a larger budget, "
        "a later deadline, more memory. A policy can raise this rule's severity where an answer is required."
    ),
    bad="inconclusive: 2 of 12 classes were never reached; give --samples",
    good="nothing was found at this budget, in the trigger families that the report lists",
)
_RULES = {ProbeOutcome.FLAGGED: FLAGGED, ProbeOutcome.SUSPICIOUS: SUSPICIOUS}


def judge_probe(report: ProbeReport) -> Iterator[Finding]:
    """A finding for each routine that found something, or one where all of them together came to no answer."""
    context = Context(Artifact(report.artifact, BytesSource(b"")))
    for routine in report.routines:
        if routine.outcome in _RULES:
            yield _found(_RULES[routine.outcome], routine, context)
    if report.outcome is ProbeOutcome.INCONCLUSIVE:
        reason = _line(report.reason)
        yield context.finding(
            INCONCLUSIVE, f"The probe came to no answer: {reason}", TextEvidence(reason), subject="inconclusive"
        )


def _found(rule: Rule, routine: RoutineReport, context: Context) -> Finding:
    told = routine.target in routine.reason
    target = "" if told else f", leading to {_line(routine.target)}"
    trigger = _line(routine.trigger) or _line(routine.reason)
    tested = routine.p_value is not None
    return context.finding(
        rule,
        f"{_line(routine.title)}: {_line(routine.reason)}{target}",
        TextEvidence(trigger),
        subject=f"{routine.routine}\0{routine.target}",
        confidence=Confidence.HIGH if tested else Confidence.MEDIUM,
    )


def _line(text: str) -> str:
    return shorten(visible(" ".join(text.split())), 300)
