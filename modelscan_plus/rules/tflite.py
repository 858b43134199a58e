"""Models of TensorFlow Lite: what needs native code, what leads out of the file, and operators of TensorFlow inside."""

from collections.abc import Iterator

from modelscan_plus.core.finding import Finding, Severity, TextEvidence
from modelscan_plus.core.patterns import lazy
from modelscan_plus.formats.graphs.tflite import FlexOperator, TFLiteFacts
from modelscan_plus.graph.origins import Origin
from modelscan_plus.rules.graph_file_external import LEAVES, way_out
from modelscan_plus.rules.graph_limits import shown, some
from modelscan_plus.rules.interface import Context, Rule, judges
from modelscan_plus.rules.tensorflow import WRITES, judged, operator_rule, path_places, path_rule, spoken

_CUSTOM = "https://ai.google.dev/edge/litert/models/ops_custom"

OUT_OF_BOUNDS = Rule(
    id="MSP4110",
    slug="model-index-out-of-bounds",
    title="A number in the model leads out of it",
    severity=Severity.HIGH,
    why=(
        "The model names tensors, buffers, operators and ranges by number, and interpreters on small devices follow "
        "them without a look at where they lead. A number that is too large makes them read or write memory that is "
        "not the model's (CVE-2020-15211, CVE-2022-23560). A subgraph that runs itself never ends."
    ),
    fix="Do not load the model. If it broke off while it was fetched, get it again.",
    bad="operator 3 names tensor 4,096 of 12",
    good="operator 3 names tensor 11 of 12, or -1 for an input that it leaves out",
    cwe=("CWE-125", "CWE-787", "CWE-1285"),
    references=("https://nvd.nist.gov/vuln/detail/CVE-2020-15211", "https://nvd.nist.gov/vuln/detail/CVE-2022-23560"),
)
CUSTOM = Rule(
    id="MSP4111",
    slug="tflite-custom-operator",
    title="The model needs an operator that its runtime does not bring",
    severity=Severity.MEDIUM,
    why=(
        "The model runs only where the host has registered native code for the operator. That code is a program from "
        "somebody, and the model's page is what will tell users to load it."
    ),
    fix="Find out which library registers the operator and whether you trust it as you trust a program.",
    bad='OperatorCode: builtin 32 (custom), custom_code "AcmeFusedOp"',
    good='OperatorCode: custom_code "TFLite_Detection_PostProcess", which the runtime brings',
    cwe=("CWE-829",),
    references=(_CUSTOM,),
)

_KNOWN = lazy(
    r"^(?:TFLite_Detection_PostProcess|Convolution2DTransposeBias|MaxPoolingWithArgmax2D|MaxPoolWithArgmax|MaxUnpooling2D"
    r"|Landmarks2TransformMatrix|TransformTensorBilinear|TransformLandmarks|RoIToTransformMatrix|Resampler|Mfcc|AudioSpectrogram"
    r"|AudioMicrofrontend|SignalOp|Signal\w+|Irfft2d|RFFT2D|Rfft2d|Bucketize|RandomStandardNormal|RandomUniform|Multinomial|Roll|Sign"
    r"|NumericVerify|HashTable\w*|ReadVariable|AssignVariable|VarHandle|Cumsum|Complex|Real|Imag|ComplexAbs|Atan2|Gelu|Table"
    r"|TFSentencepiece\w+|SentencepieceTokenizeOp|NGrams|ngrams\w*|SKIP_GRAM|Normalize|ExtractFeatures|Predict|Hash|Split"
    r"|WhitespaceTokenizeWithOffsetsV2|WordpieceTokenizeWithOffsets|RaggedTensorTo\w+|RaggedRange|TFText>\w+|KmeansEmbeddingLookup"
    r"|Perception\w*|ALIGN_CORNERS_RESIZE|ImageResizeNearestNeighbor|Downsampler|FusedBatchNorm\w*|SegmentationRefinement"
    r"|odml\.\w+|kv_cache\w*|ExternalKVCache|Dynamic\w+Cache|sdpa|UnidirectionalSequence\w+|Lstm\w*)$"
)
"""Operators that LiteRT, MediaPipe, TFLite Micro and tensorflow-text bring or register."""
_ENGINES = lazy(
    r"^(?:edgetpu-custom-op|ethos-u|arm_ethosu|NpuOp|DISPATCH_OP|\(delegate\)|TfLite\w*Delegate\w*|VendorOp\w*"
    r"|stablehlo\.custom_call:.*)$"
)


@judges(TFLiteFacts)
def bounds(facts: TFLiteFacts, context: Context) -> Iterator[Finding]:
    """What leads out of the file."""
    if facts.broken:
        message = f"An offset of the model leads out of it: {facts.broken}."
        yield context.finding(OUT_OF_BOUNDS, message, TextEvidence(facts.broken), subject="offset")
    for wrong, more in some(facts.wrong):
        text = shown(wrong, 300)
        yield context.finding(OUT_OF_BOUNDS, f"{text[:1].upper()}{text[1:]}.{more}", TextEvidence(text), subject=wrong)
    for name, more in some(name for name in facts.external if way_out(name)):
        message = f'The location "{shown(name)}" {way_out(name)}.{more}'
        yield context.finding(LEAVES, message, TextEvidence(shown(name)), subject=name)


@judges(TFLiteFacts)
def custom_operators(facts: TFLiteFacts, context: Context) -> Iterator[Finding]:
    """Operators of the host, once by name."""
    odd = [
        (name, uses) for name, uses in facts.custom.items() if not name.startswith("Flex") and not _KNOWN.match(name)
    ]
    for (name, uses), more in some(odd):
        times = f" ({uses:,} times)" if uses > 1 else ""
        what = "is compiled, or a call into native code" if _ENGINES.match(name) else "is in no runtime that is known"
        message = f'The operator "{shown(name)}"{times} {what}.{more}'
        yield context.finding(CUSTOM, message, TextEvidence(shown(name)), subject=name)


@judges(TFLiteFacts)
def flex_operators(facts: TFLiteFacts, context: Context) -> Iterator[Finding]:
    """Operators of TensorFlow, judged as there."""
    found: dict[tuple[str, str, Severity], Rule] = {}
    for operator in facts.flex:
        name = shown(operator.name)
        for rule, severity, what, why in _on_files(operator):
            if severity is not None:
                found[(f'The Flex operator "{name}" {what} {why}', operator.name, severity)] = rule
        by_name = operator_rule(operator.name)
        if by_name is not None:
            found[(f"Flex: {spoken(by_name, operator.name)}", operator.name, by_name.severity)] = by_name
    ordered = sorted(found.items(), key=lambda item: -item[0][2].rank)
    for ((message, name, severity), rule), more in some(ordered):
        text = f"{message.rstrip()}.{more}"
        yield context.finding(rule, text, TextEvidence(shown(name)), subject=message, severity=severity)


def _on_files(operator: FlexOperator) -> Iterator[tuple[Rule, Severity | None, str, str]]:
    places = path_places(operator.name)
    if places is None:
        return
    deed, inputs = places
    for place in inputs:
        kind, texts = operator.inputs[place] if place < len(operator.inputs) else ("computed", ())
        unfixed = "caller" if kind == "caller" else "computed"
        origin = Origin(frozenset(texts)) if texts else Origin(kinds=frozenset((unfixed,)))
        severity, why = judged(deed, origin)
        yield path_rule(deed), severity, "writes a file" if path_rule(deed) is WRITES else "reads a file", why
    if not inputs:
        yield path_rule(deed), path_rule(deed).severity, "opens a file that its settings name", ""
