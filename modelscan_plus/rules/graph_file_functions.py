"""Local functions of an ONNX model: hidden behind standard names, without end, or growing without bound."""

from collections.abc import Iterator

from modelscan_plus.core.finding import BytesEvidence, Finding, Severity
from modelscan_plus.formats.graphs.onnx.calls import Key, expansion
from modelscan_plus.formats.graphs.onnx.facts import OnnxFacts
from modelscan_plus.formats.graphs.onnx.model import Function
from modelscan_plus.rules.graph_limits import shown, some
from modelscan_plus.rules.graph_operators import is_standard
from modelscan_plus.rules.interface import Context, Rule, judges

_IR = "https://github.com/onnx/onnx/blob/main/docs/IR.md#functions"

SHADOWS = Rule(
    id="MSP4040",
    slug="onnx-function-shadows",
    title="A function of the model takes the name of a standard operator",
    severity=Severity.HIGH,
    why=(
        "Nodes that look like Relu or MatMul then do what the function says, in runtimes that let functions come "
        "first; others use the real operator. Whoever reads the graph sees nothing of it. In the domain of a runtime, "
        "where exporters sometimes define what the runtime has, it is medium."
    ),
    fix="Do not use the model. Functions belong in a domain of their own.",
    bad='functions: domain "", name "Relu", nodes Greater, Where, …',
    good='functions: domain "pkg.onnxscript.torch_lib", name "aten_gelu", nodes Erf, Mul, …',
    cwe=("CWE-436", "CWE-451"),
    references=(_IR,),
)
RECURSIVE = Rule(
    id="MSP4041",
    slug="onnx-function-recursive",
    title="Functions of the model call themselves",
    severity=Severity.HIGH,
    why=(
        "Functions are inlined before a model runs, and one that calls itself, directly or by way of others, never "
        "ends: the loader hangs or runs out of memory. The format forbids it."
    ),
    fix="Do not load the model.",
    bad="function A: nodes B, Add; function B: nodes A, Mul",
    good="function A: nodes B, Add; function B: nodes Mul",
    cwe=("CWE-674", "CWE-835"),
    references=(_IR,),
)
EXPANSION = Rule(
    id="MSP4042",
    slug="onnx-function-expansion",
    title="The functions of the model grow without measure when they are inlined",
    severity=Severity.HIGH,
    why=(
        "Each function calls the next one several times, so that a few lines stand for more nodes than memory holds. "
        "Loaders inline before they look: they hang or die."
    ),
    fix="Do not load the model.",
    bad="f0 calls f1 twice, f1 calls f2 twice, … f40: 2,673 bytes, a million million nodes",
    good="12 layers call the same function of 30 nodes: 360 nodes",
    cwe=("CWE-409", "CWE-400"),
    references=(_IR,),
)
DEFINED_TWICE = Rule(
    id="MSP4043",
    slug="onnx-function-twice",
    title="A function of the model is defined twice",
    severity=Severity.HIGH,
    why="Two functions have the same domain, name and overload. Which of them a node means differs between runtimes.",
    fix="Do not use the file; no exporter writes it.",
    bad='functions: ("custom", "Gate") with 2 nodes, ("custom", "Gate") with 9 nodes',
    good='functions: ("custom", "Gate", "a"), ("custom", "Gate", "b")',
    cwe=("CWE-436",),
    references=(_IR,),
)

_RUNTIMES = frozenset({"com.microsoft", "com.microsoft.nchwc", "com.ms.internal.nhwc", "ai.onnx.contrib"})
_MANY = 1_000_000
"""Nodes after inlining from which on no real model is left."""


@judges(OnnxFacts)
def functions(facts: OnnxFacts, context: Context) -> Iterator[Finding]:
    """Names, calls and growth of the local functions."""
    known: dict[Key, Function] = {}
    again: list[Function] = []
    for function in facts.model.functions:
        if function.key in known:
            again.append(function)
        known.setdefault(function.key, function)
    for function, more in some(again):
        yield _about(DEFINED_TWICE, function, f"{_name(function)} is defined twice.{more}", context)
    shadowing = [function for function in known.values() if is_standard(function.domain, function.name)]
    for function, more in some(shadowing):
        yield _about(SHADOWS, function, f"{_name(function)} has the name of a standard operator.{more}", context)
    taken = [function for function in known.values() if function.domain in _RUNTIMES]
    for function, more in some(taken):
        message = f"{_name(function)} stands in the domain of a runtime.{more}"
        yield _about(SHADOWS, function, message, context, Severity.MEDIUM)
    if known:
        yield from _calls(facts, known, context)


def _calls(facts: OnnxFacts, known: dict[Key, Function], context: Context) -> Iterator[Finding]:
    calls = expansion(facts.model.functions, facts.scopes)
    sizes, circular = calls.sizes, calls.circular
    for key, more in some(circular):
        yield _about(RECURSIVE, known[key], f"{_name(known[key])} calls itself.{more}", context)
    largest = max(sizes, key=lambda key: sizes[key])
    grown = max(calls.total, sizes[largest])
    if not circular and grown > _MANY:
        count = calls.written
        message = f"Inlined, {count:,} nodes become {_round(grown)}; most of them come from {_name(known[largest])}."
        yield _about(EXPANSION, known[largest], message, context)


def _round(count: int) -> str:
    return f"{count:,}" if count < 10**15 else f"about 10^{len(str(count)) - 1}" if count < 10**4000 else "countless"


def _name(function: Function) -> str:
    return f'The function "{shown(function.name)}" of domain "{shown(function.domain)}"'


def _about(rule: Rule, function: Function, message: str, context: Context, severity: Severity | None = None) -> Finding:
    return context.finding(
        rule,
        message,
        BytesEvidence("the function", context.hex_window(function.offset, 32)),
        subject="\0".join(function.key),
        offset=function.offset,
        length=function.length,
        node=shown(function.name, 300),
        severity=severity,
    )
