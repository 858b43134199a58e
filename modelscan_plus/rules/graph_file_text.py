"""Text in ONNX models: doc strings, metadata, attributes and names that are meant for an interpreter or a terminal."""

from collections.abc import Iterator

from modelscan_plus.core.finding import Finding, Severity, TextEvidence
from modelscan_plus.formats.graphs.onnx.contents import ContentFacts, Hit
from modelscan_plus.rules.graph_limits import shown, some
from modelscan_plus.rules.interface import Context, Rule, judges

TEXT_CODE = Rule(
    id="MSP4030",
    slug="onnx-text-code",
    title="Text in the model is code",
    severity=Severity.MEDIUM,
    why=(
        "Loading the model does not run its doc strings, metadata or attributes. But tools show them, serving code "
        "reads its settings from them, and a script that belongs to the model can take code from there, where no "
        "scanner of code looks. Text that runs commands, starts a shell or reaches into a template engine is high."
    ),
    fix="Find out which program reads this text. Remove it if none does.",
    bad="metadata_props: post_process = \"__import__('os').system('id')\"",
    good="metadata_props: names = \"{0: 'person', 1: 'car'}\", description = \"Call model.eval() before use.\"",
    cwe=("CWE-94", "CWE-79"),
    references=("https://attack.mitre.org/techniques/T1027/",),
)
TEXT_ENCODED = Rule(
    id="MSP4031",
    slug="onnx-text-encoded",
    title="Text in the model is encoded content",
    severity=Severity.HIGH,
    why=(
        "Base64 or hexadecimal digits that decode to a program, a pickle or code are put there so that nobody sees "
        "what they are. Binary content of unknown kind is medium: pictures, tokenizer tables and checksums are known "
        "and not reported."
    ),
    fix="Decode the text and look at it in isolation. Do not use the model until you know what reads it.",
    bad='metadata_props: config = "gASVIgAAAAAAAACMBXBvc2l4lIwGc3lzdGVtlJOU…" (a pickle)',
    good='metadata_props: thumbnail = "iVBORw0KGgo…" (a PNG image), sha512 = "cf83e1357eef…"',
    cwe=("CWE-506",),
    references=("https://attack.mitre.org/techniques/T1027/",),
)
TEXT_CONTROL = Rule(
    id="MSP4032",
    slug="onnx-text-control",
    title="A name or text of the model is made for a terminal, a browser or a spreadsheet",
    severity=Severity.MEDIUM,
    why=(
        "Escape sequences that change what a terminal shows, characters that turn the direction of text, HTML elements "
        "or spreadsheet formulas in names: whoever looks at the model with a tool that prints names as they are sees "
        "something else than what is there, or runs it. This report shows them escaped."
    ),
    fix="Do not open the model in tools that do not escape names. Names like these come from no exporter.",
    bad='node name "\\x1b[2J\\x1b[32mOK", graph name "<img src=x onerror=alert(1)>"',
    good='node name "/model/layers.0/Add_1", graph name "main_graph", "<lambda>"',
    cwe=("CWE-150", "CWE-79", "CWE-1236"),
    references=("https://cwe.mitre.org/data/definitions/150.html",),
)

_WHAT = {
    "command": "runs commands or decodes and runs code",
    "code": "is code",
    "trace": "is a stack trace with code in it",
    "script": "is a script for a browser",
    "shebang": "is a script with an interpreter line",
    "template": "is a template that reaches for Python's internals",
    "markup": "holds an HTML element",
    "formula": "is a spreadsheet formula",
    "control": "holds control characters",
}
_CONTROL = frozenset({"control", "markup", "formula"})
_SEVERITY = {
    "command": Severity.HIGH,
    "script": Severity.HIGH,
    "shebang": Severity.HIGH,
    "template": Severity.HIGH,
    "trace": Severity.INFO,
}


@judges(ContentFacts)
def texts(facts: ContentFacts, context: Context) -> Iterator[Finding]:
    """One finding for each text and sort."""
    for wanted in (TEXT_CODE, TEXT_ENCODED, TEXT_CONTROL):
        hits = [hit for hit in facts.hits if _rule(hit) is wanted]
        for hit, more in some(hits):
            yield context.finding(
                wanted,
                f"{_message(hit)}{more}",
                TextEvidence(hit.excerpt),
                subject=f"{hit.where}\0{hit.kind}",
                offset=hit.offset,
                severity=Severity.MEDIUM if hit.kind.endswith("-unknown") else _SEVERITY.get(hit.kind),
            )


def _rule(hit: Hit) -> Rule:
    if hit.kind.startswith(("base64-", "hex-")):
        return TEXT_ENCODED
    return TEXT_CONTROL if hit.kind in _CONTROL else TEXT_CODE


def _message(hit: Hit) -> str:
    encoding, _, inner = hit.kind.partition("-")
    if inner and encoding in ("base64", "hex"):
        what = {"unknown": "binary content of no known kind"}.get(inner, inner)
        return f"{shown(hit.where)} holds {encoding} that decodes to {what}."
    place = f"A name ({shown(hit.where)})" if hit.is_name else shown(hit.where)
    return f"{place} {_WHAT.get(hit.kind, hit.kind)}."
