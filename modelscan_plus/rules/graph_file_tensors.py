"""Tensors inside an ONNX file: two values for one tensor, sizes that do not fit, other content in place of numbers."""

import math
import struct
from collections.abc import Iterator

from modelscan_plus.core.finding import BytesEvidence, ComparisonEvidence, Finding, Severity
from modelscan_plus.core.text import human_bytes
from modelscan_plus.formats.graphs.onnx.contents import ContentFacts
from modelscan_plus.formats.graphs.onnx.facts import OnnxFacts
from modelscan_plus.formats.graphs.onnx.model import Attribute, DataType, Function, Graph, Tensor
from modelscan_plus.formats.graphs.onnx.values import declared_bytes
from modelscan_plus.formats.graphs.onnx.walk import Placed, Scope, tensors
from modelscan_plus.formats.graphs.spans import Span
from modelscan_plus.rules.graph_limits import shown, some
from modelscan_plus.rules.interface import Context, Rule, judges

_ONNX = "https://github.com/onnx/onnx/blob/main/onnx/onnx.proto"

TWO_VALUES = Rule(
    id="MSP4021",
    slug="onnx-tensor-two-values",
    title="A tensor or an attribute has two values",
    severity=Severity.HIGH,
    why=(
        "A tensor's numbers stand in one place: as raw bytes, in the typed list of its type, or in another file. Here "
        "two of them are filled. One tool shows the first, another computes with the second, so the weights that were "
        "reviewed need not be the weights that run. The same goes for an attribute with two fields, or given twice."
    ),
    fix="Do not use the file; no exporter writes it.",
    bad="TensorProto: raw_data of 16 bytes and float_data of 4 numbers",
    good="TensorProto: raw_data of 16 bytes",
    cwe=("CWE-436",),
    references=(_ONNX,),
)
SIZE = Rule(
    id="MSP4022",
    slug="onnx-tensor-size",
    title="A tensor's data does not fit its shape",
    severity=Severity.HIGH,
    why=(
        "Type and shape say how many bytes a tensor has. With fewer of them, a loader that does not check reads memory "
        "behind the data; sizes that overflow make it allocate too little and write behind the end; a negative "
        "dimension does either."
    ),
    fix="Do not load the file. Export the model again.",
    bad="dims [1000, 1000] of float (4,000,000 bytes), raw_data of 16 bytes",
    good="dims [2, 2] of float (16 bytes), raw_data of 16 bytes",
    cwe=("CWE-125", "CWE-190", "CWE-1284"),
    references=("https://nvd.nist.gov/vuln/detail/CVE-2024-27319", _ONNX),
)
TWICE = Rule(
    id="MSP4023",
    slug="onnx-value-defined-twice",
    title="A value of the graph is defined twice",
    severity=Severity.HIGH,
    why=(
        "Every name in a graph stands for one value. Where two weights, two nodes, or a weight and a node give the "
        "same name, each runtime picks one of them in its own way, and a reviewer may look at the other."
    ),
    fix="Do not use the file. The onnx checker refuses it, and no exporter writes it.",
    bad='initializer "w" (16 bytes of zeros), initializer "w" (16 other bytes)',
    good='initializer "w", initializer "w_1"',
    cwe=("CWE-436", "CWE-694"),
    references=("https://github.com/onnx/onnx/blob/main/docs/IR.md#names-within-a-graph",),
)
UNUSED = Rule(
    id="MSP4024",
    slug="onnx-unused-tensor",
    title="A tensor is used by nothing",
    severity=Severity.LOW,
    why=(
        "No output of the model depends on it, so it travels along unseen, and its bytes can be anything. Exporters "
        "leave a few such weights behind; bytes that do not look like weights are another matter (medium)."
    ),
    fix="Remove it (onnxruntime and onnxsim do so), or ask what it is for.",
    bad='initializer "aux": 65,536 bytes of type UINT8 that no node takes',
    good='initializer "w": taken by the node Conv_0',
    cwe=("CWE-912", "CWE-1164"),
    references=(_ONNX,),
)
HOLDS_FILE = Rule(
    id="MSP4025",
    slug="onnx-holds-file",
    title="A tensor or string of the model holds a program, an archive or a pickle",
    severity=Severity.HIGH,
    why=(
        "Weights do not begin like files. The model carries another file past whatever lets models through; a second "
        "step, in a script or a custom operator, takes it out and runs it. What a pickle or archive would do is "
        "reported separately."
    ),
    fix="Do not use the model. Ask its publisher what the file inside is for.",
    bad="raw_data: 7f 45 4c 46 02 01 01 00 … (an ELF program)",
    good="raw_data: cd cc cc 3d 9a 99 99 3e … (0.1, 0.3, …)",
    cwe=("CWE-506",),
    references=("https://attack.mitre.org/techniques/T1027/009/",),
)
NO_NUMBERS = Rule(
    id="MSP4026",
    slug="onnx-tensor-is-no-weights",
    title="The bytes of a float tensor are no numbers that a network has",
    severity=Severity.MEDIUM,
    why=(
        "As floats, the first bytes of the tensor are wildly large, tiny or no numbers at all, or they are readable "
        "text. Trained weights are never like that; text and encrypted or compressed data always are."
    ),
    fix="Find out what the bytes are. Compare the tensor with the same one of the original model.",
    bad='raw_data of a FLOAT tensor: "import os; os.system(…"',
    good="raw_data of a FLOAT tensor: 0.0132, -0.0447, 0.0209, …",
    cwe=("CWE-506",),
    references=("https://attack.mitre.org/techniques/T1027/",),
)

_WORTH = 64
"""Bytes of an unused tensor below which it can carry nothing much."""
_BYTES = frozenset((DataType.UINT8, DataType.INT8, DataType.STRING, DataType.UINT4, DataType.INT4))
_FIELDS: dict[int, str] = {
    DataType.FLOAT: "float_data",
    DataType.COMPLEX64: "float_data",
    DataType.DOUBLE: "double_data",
    DataType.COMPLEX128: "double_data",
    DataType.INT64: "int64_data",
    DataType.UINT32: "uint64_data",
    DataType.UINT64: "uint64_data",
}
_LARGEST = 1 << 48
"""Elements that no tensor has."""


@judges(OnnxFacts)
def tensor_values(facts: OnnxFacts, context: Context) -> Iterator[Finding]:
    """Each tensor by itself."""
    double: list[tuple[Placed, str]] = []
    sizes: list[tuple[Placed, str, Severity | None]] = []
    odd: list[tuple[Placed, str]] = []
    for placed in tensors(facts.scopes):
        tensor = placed.tensor
        if both := _two_values(tensor):
            double.append((placed, both))
        if misfit := _size(tensor):
            sizes.append((placed, *misfit))
        if (span := tensor.raw_data) is not None and span.length >= _WORTH and (how := _no_numbers(tensor, span)):
            odd.append((placed, how))
    for (placed, both), more in some(double):
        yield _about(TWO_VALUES, placed, f"{shown(placed.where)} has its value {both}.{more}", context)
    for (placed, wrong, severity), more in some(sizes):
        yield _about(SIZE, placed, f"{shown(placed.where)}: {wrong}.{more}", context, severity)
    for (placed, how), more in some(odd):
        yield _about(NO_NUMBERS, placed, f"{shown(placed.where)} {how}.{more}", context)


@judges(OnnxFacts)
def attribute_values(facts: OnnxFacts, context: Context) -> Iterator[Finding]:
    """Attributes with several values, and nodes with several attributes of one name."""
    found = []
    for scope in facts.scopes:
        for node in scope.body.node:
            if not node.attribute:
                continue
            names = {attribute.name for attribute in node.attribute}
            if len(names) < len(node.attribute):
                found.append((scope, node, node.attribute[-1], "one of its attributes stands twice"))
            double = [attribute for attribute in node.attribute if _fields(attribute) > 1]
            found += [(scope, node, item, f'its attribute "{shown(item.name, 60)}" has two values') for item in double]
    for (scope, node, attribute, how), more in some(found):
        yield context.finding(
            TWO_VALUES,
            f"{shown(scope.path)} › {shown(node.name or node.op_type)}: {how}.{more}",
            BytesEvidence("the attribute", context.hex_window(attribute.offset, max(1, min(attribute.length, 64)))),
            subject=f"{scope.path}\0{node.op_type}\0{attribute.name}",
            offset=attribute.offset,
            length=attribute.length,
            node=shown(node.name or node.op_type, 300),
        )


def _fields(attribute: Attribute) -> int:
    """How many of its value fields are filled."""
    single = (attribute.s, attribute.t, attribute.g, attribute.sparse_tensor, attribute.tp)
    many = (attribute.ints, attribute.floats, attribute.strings, attribute.tensors, attribute.graphs)
    rare = (attribute.sparse_tensors, attribute.type_protos, attribute.i, attribute.f)
    return sum(value is not None for value in single) + sum(map(bool, many)) + sum(map(bool, rare))


def _two_values(tensor: Tensor) -> str:
    """Where the values stand, when there are several."""
    places = [f"in {name}" for name, numbers in tensor.numbers() if numbers.size]
    if tensor.string_data:
        places.append("in string_data")
    if tensor.raw_data is not None and tensor.raw_data.length:
        places.append("in raw_data")
    if tensor.external:
        places.append("in another file")
    elif tensor.external_data and places:
        # A loader that goes by the entries reads the file, one that goes by data_location does not.
        places.append("by an entry of external_data, in another file")
    return " and ".join(places) if len(places) > 1 else ""


def _size(tensor: Tensor) -> tuple[str, Severity | None] | None:
    """What is wrong about dims and data."""
    if any(size < 0 for size in tensor.dims):
        return f"a dimension is negative ({list(tensor.dims)[:8]})", None
    if tensor.count > _LARGEST:
        return f"{tensor.count:,} elements are more than any memory holds", None
    if tensor.external or tensor.segment is not None:
        return None
    if tensor.raw_data is not None:
        return _raw_size(tensor, tensor.raw_data)
    return _list_size(tensor)


def _raw_size(tensor: Tensor, span: Span) -> tuple[str, Severity | None] | None:
    if tensor.data_type == DataType.STRING:
        return "strings cannot stand in raw_data", Severity.MEDIUM
    declared = declared_bytes(tensor)
    if declared is None or declared == span.length:
        return None
    if not span.length:
        return f"its {declared:,} bytes are missing", Severity.LOW
    severity = None if span.length < declared else Severity.MEDIUM
    return f"type and shape need {declared:,} bytes, raw_data has {span.length:,}", severity


def _list_size(tensor: Tensor) -> tuple[str, Severity | None] | None:
    """Typed lists of single numbers are counted; of packed ones the least and the largest count are known."""
    if tensor.data_type == DataType.STRING:
        have = len(tensor.string_data)
        return None if have == tensor.count else (f"the shape needs {tensor.count:,} strings, there are {have:,}", None)
    name = _FIELDS.get(tensor.data_type, "int32_data")
    numbers = getattr(tensor, name)
    need = tensor.count * (2 if tensor.data_type in (DataType.COMPLEX64, DataType.COMPLEX128) else 1)
    if tensor.data_type in (DataType.UINT4, DataType.INT4, DataType.FLOAT4E2M1):
        need = (need + 1) // 2
    elif tensor.data_type in (DataType.UINT2, DataType.INT2):
        need = (need + 3) // 4
    if not numbers:
        return (f"its {tensor.count:,} elements are missing", Severity.LOW) if need else None
    width = {"f": 4, "d": 8}.get(numbers.typecode)
    low = high = 0
    for piece in numbers.pieces:
        if not isinstance(piece, Span):
            low, high = low + len(piece), high + len(piece)
        elif width is not None:
            low, high = low + piece.length // width, high + piece.length // width
        else:
            low, high = low + piece.length // 10, high + piece.length
    if low <= need <= high:
        return None
    spoken = f"{low:,}" if low == high else f"at most {high:,}" if need > high else f"at least {low:,}"
    return f"the shape needs {need:,} numbers, {name} has {spoken}", None if need > high else Severity.MEDIUM


_LETTERS = frozenset(range(32, 127)) | {9, 10, 13}


def _no_numbers(tensor: Tensor, span: Span) -> str:
    """How the first bytes differ from weights; "" when they do not."""
    if tensor.data_type not in (DataType.FLOAT, DataType.DOUBLE):
        return ""
    head = span.head[: len(span.head) & ~7]
    if sum(byte in _LETTERS for byte in head) >= 0.97 * len(head) and len(set(head)) > 8:
        return "begins with text"
    form = "f" if tensor.data_type == DataType.FLOAT else "d"
    values = struct.unpack(f"<{len(head) // struct.calcsize(form)}{form}", head)
    # Dead channels are tiny, masks are huge; many different huge numbers are in no network.
    kept = [value for value in values if value and not math.isinf(value)]
    wild = [value for value in kept if math.isnan(value) or abs(value) > 1e15]
    if len(kept) >= 8 and len(wild) >= 0.15 * len(kept) and len({struct.pack("<d", value) for value in wild}) >= 5:
        return f"begins with bytes that are no weights: {len(wild)} of {len(kept)} numbers are beyond all measure"
    return ""


@judges(OnnxFacts)
def twice(facts: OnnxFacts, context: Context) -> Iterator[Finding]:
    """Names that are defined more than once in their graph."""
    doubled = [item for scope in facts.scopes for item in _twice(scope)]
    for (scope, name, what, offset), more in some(doubled):
        yield context.finding(
            TWICE,
            f'{shown(scope.path)}: "{shown(name)}" is defined twice, {what}.{more}',
            BytesEvidence("the later one", context.hex_window(offset, 16)),
            subject=f"{scope.path}\0{name}",
            offset=offset,
            node=shown(name, 300),
        )


def _twice(scope: Scope) -> Iterator[tuple[Scope, str, str, int]]:
    body = scope.body
    made: dict[str, str] = {}
    if isinstance(body, Graph):
        held = [*body.initializer, *(sparse.values for sparse in body.sparse_initializer if sparse.values is not None)]
        for tensor in held:
            if tensor.name and tensor.name in made:
                yield scope, tensor.name, "both times as an initializer", tensor.offset
            made[tensor.name] = "an initializer"
    elif isinstance(body, Function):
        made = dict.fromkeys(body.input, "an input")
    for node in body.node:
        for name in node.output:
            if name and name in made:
                yield (
                    scope,
                    name,
                    f"as {made[name]} and as the output of a node of type {node.op_type[:60]}",
                    node.offset,
                )
            made[name] = "the output of a node"


@judges(OnnxFacts)
def unused_tensors(facts: OnnxFacts, context: Context) -> Iterator[Finding]:
    """Tensors that nothing takes; those of plain bytes are worth more attention than forgotten weights."""
    if not facts.complete:
        return
    found = [(Placed(tensor, scope, "initializer"), _length(tensor)) for scope, tensor in facts.unused.tensors]
    found = [(placed, size) for placed, size in found if size > _WORTH]
    found.sort(key=lambda item: item[0].tensor.data_type not in _BYTES)
    for (placed, size), more in some(found):
        kind = DataType(placed.tensor.data_type).name if placed.tensor.data_type in set(DataType) else "no known type"
        opaque = placed.tensor.data_type in _BYTES or kind == "no known type"
        message = f"No output depends on {shown(placed.where)}, {human_bytes(size)} of type {kind}.{more}"
        yield _about(UNUSED, placed, message, context, Severity.MEDIUM if opaque else None)


def _length(tensor: Tensor) -> int:
    raw = tensor.raw_data.length if tensor.raw_data is not None else 0
    listed = sum(numbers.size for _, numbers in tensor.numbers())
    return raw + listed + sum(span.length for span in tensor.string_data)


@judges(ContentFacts)
def embedded_files(facts: ContentFacts, context: Context) -> Iterator[Finding]:
    """Files inside of values."""
    for item, more in some(facts.payloads, len(facts.payloads) + facts.omitted):
        place = f"{item.inside:,} bytes into {shown(item.where)}" if item.inside else f"In {shown(item.where)}"
        yield context.finding(
            HOLDS_FILE,
            f"{place} begins a file of kind {item.kind}.{more}",
            BytesEvidence("its first bytes", context.hex_window(item.start, min(item.length, 32))),
            subject=f"{item.where}\0{item.kind}",
            offset=item.start,
            length=item.length,
            node=shown(item.where, 300),
        )


def _about(rule: Rule, placed: Placed, message: str, context: Context, severity: Severity | None = None) -> Finding:
    tensor = placed.tensor
    offset, length = tensor.offset, tensor.length
    if rule in (NO_NUMBERS, UNUSED) and tensor.raw_data is not None:
        offset, length = tensor.raw_data.offset, tensor.raw_data.length
    window = context.hex_window(offset, max(1, min(length, 64)))
    evidence: BytesEvidence | ComparisonEvidence = BytesEvidence(f"the tensor {shown(placed.where)}", window)
    return context.finding(
        rule,
        message,
        evidence,
        subject=f"{placed.where}\0{placed.place}",
        offset=offset,
        length=length,
        node=shown(placed.where, 300),
        severity=severity,
    )
