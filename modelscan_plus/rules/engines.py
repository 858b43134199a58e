"""What other scanners object to, in our terms.

Their words are mapped by what they mean on real files, not by their rank alone: fickling calls every import of a
package outside the standard library and every call of a class "likely unsafe", which most honest models have, so that
is worth a look (low). What stands on its list of dangerous modules is "likely overtly malicious"; the list has joblib
on it, and with it every file that joblib writes, so that needs a person (medium).
"""

from collections.abc import Iterator

from modelscan_plus.core.finding import Evidence, Finding, PickleEvidence, Severity, TextEvidence
from modelscan_plus.core.opinion import Remark
from modelscan_plus.core.text import shorten, visible
from modelscan_plus.rules.interface import Context, Rule, judges

SECOND_OPINION = Rule(
    id="MSP9301",
    slug="second-opinion",
    title="Another engine objects",
    severity=Severity.MEDIUM,
    why=(
        "You asked for the opinion of another scanner with --engine, and it objects to something that our own rules do "
        "not report, or rate lower. Engines judge by block lists, so a name on their list is reported wherever it "
        "stands, in honest files too."
    ),
    fix="Read the engine's message beside the decompiled program, and decide which of the two is right.",
    bad="fickling: `from torch.hub import load` is suspicious and indicative of an overtly malicious pickle file",
    good="an objection that our own finding covers is noted there, under “confirmed by”",
    cwe=("CWE-502",),
    references=("https://github.com/trailofbits/fickling", "https://github.com/protectai/modelscan"),
)

_SEVERITIES = {
    "fickling": {
        "OVERTLY_MALICIOUS": Severity.HIGH,
        "LIKELY_OVERTLY_MALICIOUS": Severity.MEDIUM,
        "LIKELY_UNSAFE": Severity.LOW,
        "SUSPICIOUS": Severity.LOW,
        "POSSIBLY_UNSAFE": Severity.INFO,
    },
    "onnx": {"INVALID": Severity.LOW},
    "modelscan": {
        "CRITICAL": Severity.CRITICAL,
        "HIGH": Severity.HIGH,
        "MEDIUM": Severity.MEDIUM,
        "LOW": Severity.LOW,
    },
}


@judges(Remark)
def judge_remark(facts: Remark, context: Context) -> Iterator[Finding]:
    """One finding for each remark, with the engine as its source."""
    message = visible(shorten(" ".join(facts.message.split()), 400))
    name = visible(shorten(facts.callable, 200))
    evidence: Evidence = PickleEvidence(callable=name) if facts.callable else TextEvidence(message)
    yield context.finding(
        SECOND_OPINION,
        f"{facts.engine}: {message} ({facts.level.replace('_', ' ').lower()})",
        evidence,
        subject=f"{facts.engine}\0{facts.callable or message}",
        severity=_SEVERITIES.get(facts.engine, {}).get(facts.level, SECOND_OPINION.severity),
        source=facts.engine,
    )
