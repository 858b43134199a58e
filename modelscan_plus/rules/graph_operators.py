"""Operators that are no arithmetic: they run code, hold compiled engines, call a service, or belong to nobody known."""

import functools
import importlib.resources
import json
from collections.abc import Iterator

from modelscan_plus.core.finding import Finding, Severity
from modelscan_plus.formats.graphs.onnx.facts import OnnxFacts
from modelscan_plus.formats.graphs.onnx.model import Node
from modelscan_plus.formats.graphs.onnx.walk import Scope
from modelscan_plus.rules.graph_file_external import way_out
from modelscan_plus.rules.graph_limits import about, shown, some
from modelscan_plus.rules.interface import Context, Rule, judges

_EXTENSIONS = "https://github.com/microsoft/onnxruntime-extensions"

RUNS_CODE = Rule(
    id="MSP4035",
    slug="onnx-operator-runs-code",
    title="An operator of the model runs code",
    severity=Severity.CRITICAL,
    why=(
        "The operator calls a Python function, an operator of PyTorch by name, or compiled code that the host has "
        "registered, with what the model gives it. What it does is not in the graph, and a model that was exported for "
        "inference has no need of it."
    ),
    fix="Do not run the model with such operators registered. Ask for an export in standard operators.",
    bad='node: domain "ai.onnx.contrib", op_type "PyCustomOpDef", attribute name = "load_and_run"',
    good='node: domain "ai.onnx.contrib", op_type "BertTokenizer"',
    cwe=("CWE-94",),
    references=(_EXTENSIONS, "https://pytorch.org/docs/stable/onnx.html"),
)
UNREGISTERED = Rule(
    id="MSP4036",
    slug="onnx-operator-unregistered",
    title="An operator that no known runtime has",
    severity=Severity.MEDIUM,
    why=(
        "The model cannot be loaded unless the host registers a library (.so, .dll) or Python code for this operator. "
        "The library is native code from somebody, and the model's page is what will tell users to load it."
    ),
    fix="Find out which library registers the operator and whether you trust it as you trust a program.",
    bad='node: domain "com.example.accel", op_type "FastGelu"',
    good='node: domain "com.microsoft", op_type "FastGelu"; or a function of the model with that domain and name',
    cwe=("CWE-829", "CWE-426"),
    references=("https://onnxruntime.ai/docs/reference/operators/add-custom-op.html",),
)
COMPILED = Rule(
    id="MSP4037",
    slug="onnx-compiled-engine",
    title="A part of the model is a compiled engine",
    severity=Severity.MEDIUM,
    why=(
        "The node holds, or names, a program for one accelerator (QNN, TensorRT, OpenVINO, Vitis). No scanner sees "
        "what it computes, and the driver that loads it trusts it. A name that leads out of the model's folder makes "
        "the loader read a file of the machine and is critical."
    ),
    fix="Take compiled engines only from those whose programs you run; prefer the graph and compile it yourself.",
    bad='EPContext: embed_mode 0, ep_cache_context "/proc/self/environ"',
    good="the graph in standard operators, compiled where it runs",
    cwe=("CWE-829", "CWE-22"),
    references=("https://onnxruntime.ai/docs/execution-providers/EP-Context-Design.html",),
)
NETWORK = Rule(
    id="MSP4038",
    slug="onnx-operator-network",
    title="An operator of the model sends its inputs to a service",
    severity=Severity.HIGH,
    why=(
        "The operator calls an address on the network with what it is given: the inputs of the model leave the "
        "machine. The address and the credentials are attributes or inputs, so the model decides where they go."
    ),
    fix="Do not run the model where its inputs matter, unless the service is yours.",
    bad='node: op_type "OpenAIAudioToText", attribute model_uri = "https://collector.example/v1"',
    good='node: op_type "AudioDecoder"',
    cwe=("CWE-200", "CWE-918"),
    references=(_EXTENSIONS,),
)

_CODE = frozenset(
    """PyOp PyCustomOp PyCustomOpDef PythonOp PythonOpGrad PyFunc PyFunction PythonFunction EagerPyFunc ATen ATenOp
    ATenOpGrad TritonOp TorchEmbeddedOp ExternalGradient JitOp Torchscript TorchScript NumbaOp CustomPyOp
    ShellOp SystemOp""".split()
)
_CODE_WORDS = (
    "pyop",
    "pycustomop",
    "pythonop",
    "pyfunc",
    "pythonscript",
    "execop",
    "shellop",
    "runpython",
    "runscript",
)
_CODE_DOMAINS = ("org.pytorch.aten", "org.pytorch.python", "aten", "python", "prim")
_NETWORK = frozenset(
    """AzureAudioToText AzureTextToText AzureTritonInvoker AzureAudioInvoker AzureTextInvoker OpenAIAudioToText
    OpenAITextToText HttpRequest RemoteCall""".split()
)
_ENGINES = frozenset(
    "EPContext TRT_EngineOp TRTEngineOp TensorRTEngineOp Snpe QnnContext OpenVINOBlob NnapiModel".split()
)
_ENGINE_PATHS = ("ep_cache_context", "onnx_model_filename", "DLC", "engine_file", "model_path", "partition_name")
_KNOWN_DOMAINS = frozenset(
    """ai.onnx ai.onnx.ml ai.onnx.training ai.onnx.preview ai.onnx.preview.training com.microsoft com.microsoft.nchwc
    com.microsoft.experimental com.microsoft.dml com.ms.internal.nhwc com.microsoft.extensions
    ai.onnx.contrib""".split()
)
_STANDARD = ("ai.onnx", "ai.onnx.ml", "ai.onnx.preview", "ai.onnx.training", "ai.onnx.preview.training")


@functools.cache
def standard_operators() -> dict[str, frozenset[str]]:
    """Operators by domain; ai.onnx is ""."""
    table = _table()
    return {domain: frozenset(names) for domain, names in table["operators"].items()}


@functools.cache
def _table() -> dict[str, dict[str, list[str]]]:
    text = (importlib.resources.files("modelscan_plus.rules") / "data" / "onnx_operators.json").read_text("utf-8")
    table: dict[str, dict[str, list[str]]] = json.loads(text)
    return table


@functools.cache
def newest() -> tuple[int, dict[str, int]]:
    """The newest IR version and opset versions by domain, as far as this version of the rules knows."""
    table: dict[str, object] = dict(_table())
    versions = table["opsets"]
    ir_version = table["ir_version"]
    assert isinstance(versions, dict)  # noqa: S101 - our own table
    assert isinstance(ir_version, int)  # noqa: S101
    return ir_version, versions


def is_standard(domain: str, name: str) -> bool:
    """True for an operator of ai.onnx or one of its sister domains."""
    return name in standard_operators().get("" if domain == "ai.onnx" else domain, ())


@judges(OnnxFacts)
def operators(facts: OnnxFacts, context: Context) -> Iterator[Finding]:
    """Each kind of operator once, with the number of its nodes."""
    first: dict[tuple[str, str], tuple[Scope, Node]] = {}
    counts: dict[tuple[str, str], int] = {}
    engines: list[tuple[Scope, Node]] = []
    for scope in facts.scopes:
        for node in scope.body.node:
            key = (node.domain, node.op_type)
            if key in counts:
                counts[key] += 1
            else:
                counts[key] = 1
                first[key] = (scope, node)
            if node.op_type in _ENGINES:
                engines.append((scope, node))
    local = {(function.domain, function.name) for function in facts.model.functions}
    odd = [(rule, *first[key], counts[key]) for key in first if (rule := _rule(*key)) and _foreign(key, rule, local)]
    for rule in (RUNS_CODE, NETWORK, UNREGISTERED):
        for (_, scope, node, count), more in some(item for item in odd if item[0] is rule):
            times = f" ({count:,} nodes)" if count > 1 else ""
            message = (
                f"{_spoken(rule, node)}{times}, first at {shown(scope.path)} › {shown(node.name or node.op_type)}."
            )
            yield _about(rule, scope, node, message + more, context)
    for (scope, node), more in some(engines):
        yield _engine(scope, node, more, context)


def _foreign(key: tuple[str, str], rule: Rule, local: set[tuple[str, str]]) -> bool:
    """Functions of the model need no registration; what runs code does so under any name."""
    return key not in local or rule is not UNREGISTERED


def _rule(domain: str, name: str) -> Rule | None:
    lower = name.lower()
    if name in _CODE or any(word in lower for word in _CODE_WORDS) or domain in _CODE_DOMAINS:
        return RUNS_CODE
    if name in _NETWORK:
        return NETWORK
    if domain in ("", *_STANDARD):
        known = standard_operators().get("" if domain == "ai.onnx" else domain)
        return UNREGISTERED if known is not None and name not in known else None
    return None if domain in _KNOWN_DOMAINS or name in _ENGINES else UNREGISTERED


def _spoken(rule: Rule, node: Node) -> str:
    name = f'The operator "{shown(node.op_type)}" of domain "{shown(node.domain or "ai.onnx")}"'
    if rule is RUNS_CODE:
        return f"{name} runs code that is not in the graph"
    return f"{name} calls a service" if rule is NETWORK else f"{name} is in no runtime that is known"


def _engine(scope: Scope, node: Node, more: str, context: Context) -> Finding:
    """An engine inside is opaque; a path to one may lead anywhere."""
    embedded = node.get("embed_mode")
    severity = None
    message = f"{shown(scope.path)} › {shown(node.name or node.op_type)} is a compiled engine ({shown(node.op_type)})"
    inside = node.op_type == "EPContext" and (embedded is None or embedded.i == 1)
    for name in _ENGINE_PATHS:
        attribute = node.get(name)
        if attribute is None or attribute.s is None or (inside and name == "ep_cache_context"):
            continue
        text = attribute.s.text(4096)
        if name != "partition_name" and (how := way_out(text)):
            severity = Severity.CRITICAL
            message += f'; its {name}, "{shown(text)}", {how}'
    size = (
        (content.s.length if (content := node.get("ep_cache_context")) and content.s is not None else 0)
        if inside
        else 0
    )
    if size:
        message += f", {size:,} bytes of it in the model"
    return _about(COMPILED, scope, node, f"{message}.{more}", context, severity)


def _about(
    rule: Rule, scope: Scope, node: Node, message: str, context: Context, severity: Severity | None = None
) -> Finding:
    """A finding on all nodes of one operator."""
    subject = f"{scope.path}\0{node.domain}\0{node.op_type}"
    return about(rule, scope, node, message, context, severity, subject=subject)
