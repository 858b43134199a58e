"""ONNX as bytes: what a protocol-buffer library hides from whoever looks at a model through it.

A library drops or merges silently; another reader takes the first of two values, or shows what was dropped. Every such
difference is a place where the reviewed model and the loaded one can part.
"""

from collections.abc import Iterator

from modelscan_plus.core.finding import BytesEvidence, Finding, Severity
from modelscan_plus.formats.graphs.onnx.facts import OnnxFacts
from modelscan_plus.formats.graphs.protobuf import Anomaly
from modelscan_plus.rules.graph_limits import shown, some
from modelscan_plus.rules.interface import Context, Rule, judges

_ENCODING = "https://protobuf.dev/programming-guides/encoding/"
_ONNX = "https://github.com/onnx/onnx/blob/main/onnx/onnx.proto"

MALFORMED = Rule(
    id="MSP4001",
    slug="onnx-malformed",
    title="The ONNX file is no valid protocol buffer",
    severity=Severity.MEDIUM,
    why=(
        "Libraries refuse the file. Most often it is a download that broke off, or another file under this name. But "
        "readers differ in where they give up, and what they read until then may look like a model to one of them."
    ),
    fix="Download the file again and compare its digest with the publisher's. If it stays like this, do not use it.",
    bad="3a 90 4e …   (a graph of 10,000 bytes in a file of 600)",
    good="3a d4 04 …   (a graph of 596 bytes in a file of 600)",
    cwe=("CWE-1286",),
    references=(_ENCODING,),
)
UNKNOWN_FIELDS = Rule(
    id="MSP4002",
    slug="onnx-unknown-fields",
    title="The ONNX file has fields that the format does not know",
    severity=Severity.MEDIUM,
    why=(
        "Libraries skip such fields without a word, so no tool shows them and nobody reviews them. They can carry any "
        "bytes along with the model: a program for a second step, or data that is to leave unnoticed. Exporters do not "
        "write them; only a version of ONNX newer than this scanner might."
    ),
    fix="Load the model with the onnx library, clear unknown fields (DiscardUnknownFields) and save it again.",
    bad="9a 06 80 20 7f 45 4c 46 …   (field 99 with 4,096 bytes, an ELF program)",
    good="72 1a 0a 06 61 75 74 68 6f 72 …   (field 14, metadata_props)",
    cwe=("CWE-912",),
    references=(_ENCODING, _ONNX),
)
REPEATED = Rule(
    id="MSP4003",
    slug="onnx-repeated-field",
    title="A part of the ONNX model that must be single stands twice",
    severity=Severity.HIGH,
    why=(
        "A model has one graph, an attribute one tensor. When two stand in the file, protobuf merges them: lists are "
        "put together, of single values the last one counts. Readers that are written differently take the first, or "
        "only the last. So two tools see two models in one file, and the reviewed one need not be the one that runs."
    ),
    fix="Do not use the file; no exporter writes it. Ask for the model that was meant.",
    bad="ModelProto: graph (field 7) at byte 40, and graph (field 7) again at byte 5,120",
    good="ModelProto: one graph (field 7), several functions (field 25)",
    cwe=("CWE-436",),
    references=(_ENCODING + "#last-one-wins",),
)
ODD_ENCODING = Rule(
    id="MSP4004",
    slug="onnx-odd-encoding",
    title="The ONNX file is encoded as no library encodes it",
    severity=Severity.MEDIUM,
    why=(
        "Numbers that are longer than they need to be, groups (a form that is long out of use), fields of another wire "
        "type than theirs, names that are not UTF-8: libraries write none of it, and readers treat it differently. "
        "Someone made the bytes by hand, most likely to get past a scanner or a signature over known content."
    ),
    fix="Ask where the file comes from. Loading and saving it with the onnx library writes it in the usual form.",
    bad="08 8d 80 00   (ir_version 13 in three bytes instead of one)",
    good="08 0d   (ir_version 13)",
    cwe=("CWE-436", "CWE-1286"),
    references=(_ENCODING,),
)
DEEP = Rule(
    id="MSP4005",
    slug="onnx-deep-nesting",
    title="Graphs inside graphs, deeper than any model needs",
    severity=Severity.HIGH,
    why=(
        "Subgraphs of If, Loop and Scan nest two or three levels deep in real models. Readers that follow them by "
        "recursion run out of stack and crash; libraries stop at a hundred levels of messages, so a part that lies "
        "deeper is seen by some tools only."
    ),
    fix="Do not load the file. Ask its publisher for a model without the nesting.",
    bad="If → then_branch → If → then_branch → … (3,000 levels)",
    good="Loop → body → If → then_branch",
    cwe=("CWE-674",),
    references=("https://protobuf.dev/programming-guides/proto-limits/",),
)

_UNUSUAL_LEVELS = 8
"""Subgraphs within subgraphs from which on someone should look."""
_SMALL = 256
"""Bytes of unknown fields up to which they carry no program."""


@judges(OnnxFacts)
def wire(facts: OnnxFacts, context: Context) -> Iterator[Finding]:
    """One rule for each sort of anomaly."""
    by_code: dict[str, list[Anomaly]] = {}
    for anomaly in facts.anomalies:
        by_code.setdefault(anomaly.code, []).append(anomaly)
    for code, found in by_code.items():
        if code in _CODES:
            yield from _findings(code, found, facts, context)
    yield from _nesting(facts, context)


_CODES: dict[str, tuple[Rule, str]] = {
    "malformed": (MALFORMED, "In a {message}, the bytes make no sense: {detail}."),
    "truncated": (MALFORMED, "A {message} ends before its {detail} does."),
    "unknown-field": (UNKNOWN_FIELDS, "{message} has no {detail}, but {length:,} bytes of it stand here."),
    "repeated-message": (REPEATED, "{message} has {detail} more than once; libraries merge them."),
    "repeated-singular": (REPEATED, "{message} has {detail} more than once; libraries take the last."),
    "group": (ODD_ENCODING, "A group stands in {message} ({detail})."),
    "overlong-varint": (ODD_ENCODING, "A number in {message} takes {length} bytes, more than it needs."),
    "wire-type": (ODD_ENCODING, "In {message} stands {detail}, which is not its type; libraries ignore it."),
    "not-utf8": (ODD_ENCODING, "A name in {message} is not UTF-8 (it begins with {detail})."),
    "long-text": (ODD_ENCODING, "In {message}, {detail} is a name of {length:,} bytes."),
}


def _findings(code: str, found: list[Anomaly], facts: OnnxFacts, context: Context) -> Iterator[Finding]:
    rule, template = _CODES[code]
    severity = None
    if code == "unknown-field" and facts.unknown_bytes > _SMALL:
        severity = Severity.HIGH
    elif code == "repeated-singular":
        severity = Severity.MEDIUM
    first: dict[tuple[str, str], Anomaly] = {}
    for anomaly in found:
        first.setdefault((anomaly.message, anomaly.detail if rule is not MALFORMED else ""), anomaly)
    for anomaly, more in some(first.values()):
        text = template.format(message=anomaly.message, detail=shown(anomaly.detail), length=anomaly.length)
        times = facts.counts.get(code, 1)
        counted = f" ({times:,} such places in the file.)" if times > len(first) else ""
        window = context.hex_window(anomaly.offset, max(1, min(anomaly.length, 64)))
        yield context.finding(
            rule,
            f"{text}{counted}{more}",
            BytesEvidence("the place", window),
            subject=f"{code}\0{anomaly.message}\0{anomaly.detail}",
            offset=anomaly.offset,
            length=anomaly.length,
            severity=severity,
        )


def _nesting(facts: OnnxFacts, context: Context) -> Iterator[Finding]:
    """By levels of messages as libraries count them, and by levels of graphs."""
    deepest = max(facts.scopes, key=lambda scope: scope.depth, default=None)
    levels = deepest.depth if deepest else 0
    too_deep = facts.counts.get("too-deep", 0)
    if not too_deep and levels <= _UNUSUAL_LEVELS:
        return
    offset = deepest.body.offset if deepest else None
    if too_deep:
        offset = next((anomaly.offset for anomaly in facts.anomalies if anomaly.code == "too-deep"), offset)
    message = f"Graphs stand {levels:,} levels deep in one another."
    if too_deep:
        message += " Libraries give up at a hundred levels of messages."
    yield context.finding(
        DEEP,
        message,
        BytesEvidence("where it gets too deep", context.hex_window(offset or 0, 8)),
        subject="nesting",
        offset=offset,
        severity=None if too_deep else Severity.MEDIUM,
    )
