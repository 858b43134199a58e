"""OpenVINO IR: operators of extensions, custom kernels, constants that cannot be, entities in the XML."""

from collections.abc import Iterator

from modelscan_plus.core.finding import Finding, Severity, TextEvidence
from modelscan_plus.core.patterns import lazy
from modelscan_plus.formats.graphs.openvino import OpenVinoFacts
from modelscan_plus.rules.graph_file_external import RANGE, way_out
from modelscan_plus.rules.graph_limits import shown, some
from modelscan_plus.rules.interface import Context, Rule, judges

_EXTENSIONS = "https://docs.openvino.ai/2024/documentation/openvino-extensibility.html"

FOREIGN = Rule(
    id="MSP4130",
    slug="openvino-extension-operator",
    title="The graph needs an operator from an extension",
    severity=Severity.MEDIUM,
    why=(
        "The operator is in no opset of OpenVINO: the graph loads only after a native library has been added to the "
        "runtime (core.add_extension), or with OpenCL sources for custom kernels. Either is a program from somebody."
    ),
    fix="Find out which library brings the operator and whether you trust it as you trust a program.",
    bad='<layer type="AcmeFused" version="extension">',
    good='<layer type="MatMul" version="opset1">, or an operator of openvino_tokenizers',
    cwe=("CWE-829",),
    references=(_EXTENSIONS,),
)
DECLARES = Rule(
    id="MSP4131",
    slug="graph-xml-declares-entities",
    title="The graph's XML declares entities",
    severity=Severity.HIGH,
    why=(
        "An entity can stand for the content of a file of the machine, for what an address answers, or for itself many "
        "times over; a reader that expands it gives private files away or runs out of memory. No converter writes a "
        "document type into a graph."
    ),
    fix="Do not load the file.",
    bad='<!DOCTYPE net [<!ENTITY x SYSTEM "file:///etc/passwd">]><net name="&x;" version="11">',
    good='<?xml version="1.0"?><net name="model" version="11">',
    cwe=("CWE-611", "CWE-776"),
    references=("https://owasp.org/www-community/vulnerabilities/XML_External_Entity_(XXE)_Processing",),
)
_TOKENIZERS = lazy(
    r"^(?:StringTensor(?:Pack|Unpack)|RaggedTensorPack|BytesToChars|CharsToBytes|CaseFold|NormalizeUnicode|\w*Tokenizer"
    r"|RegexNormalization|RegexSplit|SpecialTokensSplit|SentencepieceDetokenizer|SentencepieceStreamDetokenizer"
    r"|VocabDecoder|VocabEncoder|CombineSegments|RaggedTo\w+|Truncate|EqualStr|UTF8Validate|FuzeRagged|ByteFallback"
    r"|CharsMapNormalization|StringToHashBucket|BasicString\w*)$"
)
"""Operators of openvino_tokenizers, which OpenVINO's own packages bring."""


@judges(OpenVinoFacts)
def foreign_operators(facts: OpenVinoFacts, context: Context) -> Iterator[Finding]:
    """Operators of extensions, once by type, and custom kernels."""
    odd = [(key, uses) for key, uses in facts.foreign.items() if not _TOKENIZERS.match(key.type)]
    for (key, uses), more in some(odd):
        times = f" ({uses:,} layers)" if uses > 1 else ""
        message = f'The operator "{shown(key.type)}"{times} is of "{shown(key.version)}", which is no opset.{more}'
        yield context.finding(FOREIGN, message, TextEvidence(shown(key.type)), subject=f"{key.type}\0{key.version}")
    for name, more in some(facts.kernels):
        out = way_out(name)
        message = f'A custom kernel is compiled from "{shown(name)}"{f", which {out}" if out else ""}.{more}'
        severity = Severity.HIGH if out else None
        yield context.finding(FOREIGN, message, TextEvidence(shown(name)), subject=name, severity=severity)


@judges(OpenVinoFacts)
def constants(facts: OpenVinoFacts, context: Context) -> Iterator[Finding]:
    """Constants that are not where they are said to be."""
    for wrong, more in some(facts.wrong):
        text = f"{wrong[:1].upper()}{shown(wrong[1:], 300)}.{more}"
        yield context.finding(RANGE, text, TextEvidence(shown(wrong, 300)), subject=wrong)


@judges(OpenVinoFacts)
def declarations(facts: OpenVinoFacts, context: Context) -> Iterator[Finding]:
    """Document types."""
    if facts.declared:
        leads_out = facts.declared in ("entities", "inclusions")
        what, severity = (facts.declared, Severity.HIGH) if leads_out else ("a document type", Severity.MEDIUM)
        evidence = TextEvidence(facts.declared)
        yield context.finding(DECLARES, f"The XML declares {what}.", evidence, subject=what, severity=severity)
