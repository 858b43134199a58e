"""TorchScript's code: operators that touch files or come from elsewhere, and the same flow rules as for any graph."""

import ast
from collections.abc import Iterator

from modelscan_plus.core.finding import Finding, Severity, TextEvidence
from modelscan_plus.core.text import shorten, visible
from modelscan_plus.formats.graphs.torchscript import CodeFile, TorchScriptFacts
from modelscan_plus.graph.torchscript.lower import lower
from modelscan_plus.rules.graph_flow import judge_graph
from modelscan_plus.rules.interface import Context, Rule, judges

_JIT = "https://pytorch.org/docs/stable/jit_language_reference.html"

FILES = Rule(
    id="MSP4080",
    slug="torchscript-file-operator",
    title="TorchScript code reads or writes files",
    severity=Severity.HIGH,
    why=(
        "The code of a TorchScript archive runs in libtorch whenever the model is called. It has no Python, but its "
        "operators include some that open files by name: one maps any file into a tensor, another writes tensors to a "
        "path. No network needs them; with them a model can read secrets or overwrite what others load."
    ),
    fix="Do not load the model. Ask its publisher what the operator is for; weights alone need no code.",
    bad='x = torch.from_file("/etc/passwd", False, 100)\ntorch.save(x, "/tmp/out")',
    good="y = torch.linear(x, weight, bias)",
    cwe=("CWE-73", "CWE-506"),
    references=(_JIT, "https://github.com/pytorch/pytorch/security/advisories/GHSA-53q9-r3pm-6pq6"),
)
FOREIGN = Rule(
    id="MSP4081",
    slug="torchscript-foreign-operator",
    title="TorchScript code calls an operator that PyTorch does not define",
    severity=Severity.MEDIUM,
    why=(
        "Operators outside PyTorch's own namespaces come from a native library that the program must load first. "
        "What they do stands in that library, not in the model, and nobody can see it here."
    ),
    fix="Find out which library registers the operator, and whether you trust it, before you load the model.",
    bad="y = ops.acme.run(x)",
    good="boxes = ops.torchvision.nms(boxes, scores, 0.5)",
    cwe=("CWE-829",),
    references=(_JIT,),
)
_FILE_OPERATORS = frozenset({"from_file", "save", "load", "_save", "_load", "fromfile", "tofile", "write_file"})
_OWN = frozenset(
    """aten prim torchvision torchaudio quantized _quantized quantized_decomposed prims inductor mkldnn mkldnn_prepacked
    prepacked xnnpack sparse static_runtime profiler cuda rngprims higher_order onednn _caffe2 dist_autograd""".split()
)
"""Namespaces of PyTorch and of its own domain libraries."""
_SHOWN = 20


@judges(TorchScriptFacts)
def torchscript_operators(facts: TorchScriptFacts, context: Context) -> Iterator[Finding]:
    """Calls that are what they are wherever they stand, also in code that is never reached."""
    found: dict[tuple[str, str], tuple[Rule, CodeFile, int, str]] = {}
    for file in facts.code:
        for node in ast.walk(file.tree):
            if isinstance(node, ast.Call) and (verdict := _verdict(node)) is not None:
                rule, name = verdict
                found.setdefault((rule.id, name), (rule, file, node.lineno, _source(node)))
    for (_, name), (rule, file, line, text) in list(found.items())[:_SHOWN]:
        what = "an operator on files" if rule is FILES else "an operator from outside PyTorch"
        yield context.finding(
            rule,
            f"{visible(file.name)}, line {line} calls {visible(shorten(name, 80))}, {what}",
            TextEvidence(visible(shorten(text, 400))),
            subject=name,
        )
    context.dropped += max(0, len(found) - _SHOWN)


@judges(TorchScriptFacts)
def torchscript_flow(facts: TorchScriptFacts, context: Context) -> Iterator[Finding]:
    """The flow rules on each method of the module."""
    for graph in lower(facts):
        yield from judge_graph(graph, context)


def _verdict(call: ast.Call) -> tuple[Rule, str] | None:
    parts: list[str] = []
    function = call.func
    while isinstance(function, ast.Attribute):
        parts.append(function.attr)
        function = function.value
    if not isinstance(function, ast.Name):
        return None
    parts = [function.id, *reversed(parts)]
    if parts[0] == "torch" or parts[:2] in (["ops", "aten"], ["ops", "prim"]):
        return (FILES, ".".join(parts)) if parts[-1] in _FILE_OPERATORS else None
    if parts[0] == "ops" and len(parts) > 1:
        if parts[1] not in _OWN:
            return FOREIGN, ".".join(parts)
        if "file" in parts[-1] or (parts[1] == "torchvision" and parts[-1].startswith(("read_", "write_"))):
            return FILES, ".".join(parts)
    return None


def _source(node: ast.Call) -> str:
    try:
        return ast.unparse(node)
    except RecursionError:
        return "…"
