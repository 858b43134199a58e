"""Models of Core ML: classes that the loading program has to bring, models and weights in other files."""

from collections.abc import Iterator

from modelscan_plus.core.finding import Finding, Severity, TextEvidence
from modelscan_plus.core.patterns import lazy
from modelscan_plus.formats.graphs.coreml.facts import CoreMLFacts, WeightsFacts
from modelscan_plus.rules.graph_file_external import LEAVES, RANGE, way_out
from modelscan_plus.rules.graph_limits import shown, some
from modelscan_plus.rules.interface import Context, Rule, judges

CUSTOM = Rule(
    id="MSP4120",
    slug="coreml-custom-class",
    title="The model needs a class of the program that loads it",
    severity=Severity.MEDIUM,
    why=(
        "A custom layer or model is native code that the app must bring under the name that the model gives. What it "
        "does is not in the model, and the model's page is what will tell developers to add it."
    ),
    fix="Find out where the class comes from and whether you trust it as you trust a program.",
    bad='layer: custom { className: "AcmeKernel" }',
    good="layer: convolution { … }",
    cwe=("CWE-829",),
    references=("https://apple.github.io/coremltools/docs-guides/source/custom-operators.html",),
)
LINKED = Rule(
    id="MSP4121",
    slug="coreml-linked-model",
    title="The model is read from another file",
    severity=Severity.MEDIUM,
    why=(
        "A linked model is found by name in the folders that the model lists. What is there was not scanned; a name or "
        "folder outside of the model's own is high: whoever can write there decides what the model is."
    ),
    fix="Ask for the model in one file.",
    bad='linkedModel: { name "Other", search path "/tmp:~/Library" }',
    good="pipeline: the models themselves",
    cwe=("CWE-426", "CWE-22"),
    references=("https://apple.github.io/coremltools/mlmodel/Format/LinkedModel.html",),
)
_SYSTEM = lazy(r"^(?:NS|CF|JS|WK|OSA|XPC|_NS|LS|SM|SF)[A-Z]\w*$|^(?:Process|Foundation\.\w+)$")
"""Classes of the system: a model that names one wants something else than a layer made."""


@judges(CoreMLFacts)
def classes(facts: CoreMLFacts, context: Context) -> Iterator[Finding]:
    """Custom layers, operations and models, each class once."""
    for (what, name), more in some(facts.classes):
        severity = Severity.HIGH if _SYSTEM.match(name) else None
        tail = ", which is the system's own and no layer" if severity is not None else ""
        message = f'A custom {what} needs the class "{shown(name)}"{tail}.{more}'
        subject = f"{what}\0{name}"
        yield context.finding(CUSTOM, message, TextEvidence(shown(name)), subject=subject, severity=severity)


@judges(CoreMLFacts)
def links(facts: CoreMLFacts, context: Context) -> Iterator[Finding]:
    """Models and weights in other files."""
    for name, more in some(facts.linked):
        out = next((how for part in name.split(":") if (how := way_out(part))), "")
        message = f'The model is linked to "{shown(name)}"{f", which {out}" if out else ""}.{more}'
        severity = Severity.HIGH if out else None
        yield context.finding(LINKED, message, TextEvidence(shown(name)), subject=name, severity=severity)
    for name, more in some(name for name in facts.blobs if way_out(_plain(name))):
        message = f'The location "{shown(name)}" {way_out(_plain(name))}.{more}'
        yield context.finding(LEAVES, message, TextEvidence(shown(name)), subject=name)
    for wrong, more in some(facts.wrong):
        yield context.finding(RANGE, f"{shown(wrong, 300)}.{more}", TextEvidence(shown(wrong, 300)), subject=wrong)


def _plain(name: str) -> str:
    return name.removeprefix("@model_path/")


@judges(WeightsFacts)
def weights(facts: WeightsFacts, context: Context) -> Iterator[Finding]:
    """Blobs that are not in their file."""
    for wrong, more in some(facts.wrong):
        text = f"In the file of weights {wrong}.{more}"
        yield context.finding(RANGE, text, TextEvidence(shown(wrong, 300)), subject=wrong)
