"""ExecuTorch programs: kernels and backends that the runtime does not bring, and what leads out of the file."""

from collections.abc import Iterator

from modelscan_plus.core.finding import Finding, Severity, TextEvidence
from modelscan_plus.core.patterns import lazy
from modelscan_plus.formats.graphs.executorch import ExecuTorchFacts
from modelscan_plus.rules.graph_limits import shown, some
from modelscan_plus.rules.interface import Context, Rule, judges
from modelscan_plus.rules.tflite import OUT_OF_BOUNDS

FOREIGN = Rule(
    id="MSP4140",
    slug="executorch-foreign-kernel",
    title="The program needs a kernel or backend that ExecuTorch does not bring",
    severity=Severity.MEDIUM,
    why=(
        "The program runs only where the host has linked native code that registers the kernel or the backend. That "
        "code is a program from somebody, and what it does is not in the file."
    ),
    fix="Find out which library registers it and whether you trust it as you trust a program.",
    bad='operator "acme::fused"; delegate "AcmeBackend"',
    good='operator "aten::add"; delegate "XnnpackBackend"',
    cwe=("CWE-829",),
    references=("https://docs.pytorch.org/executorch/stable/kernel-library-custom-aten-kernel.html",),
)
_OWN = frozenset(
    """aten prim executorch_prim quantized_decomposed quantized dim_order_ops llama et_vk torchao _nnp_op
    higher_order cadence cortex_m qaisw ethos_u coreml etrecord torchvision""".split()
)
"""Namespaces of ExecuTorch and of the backends in its own repository."""
_BACKENDS = lazy(
    r"^(?:Xnnpack|CoreML|MPS|Qnn|Vulkan|EthosU|Neuropilot|OpenVINO|Openvino|Arm|Vgf|Samsung|Enn|Nxp|Neutron|Mediatek|Cuda|Aoti"
    r"|Metal|MLX|Mlx|WebGpu|Cadence|Axelera)\w*(?:Backend|Delegate)?$"
)


@judges(ExecuTorchFacts)
def kernels(facts: ExecuTorchFacts, context: Context) -> Iterator[Finding]:
    """Kernels and backends of nobody known, each once."""
    odd = [f'kernel "{shown(name)}"' for name in facts.operators if name.partition("::")[0] not in _OWN]
    odd += [f'backend "{shown(name)}"' for name in facts.delegates if not _BACKENDS.match(name)]
    for name, more in some(odd):
        yield context.finding(FOREIGN, f"The program needs the {name}.{more}", TextEvidence(name), subject=name)


@judges(ExecuTorchFacts)
def bounds(facts: ExecuTorchFacts, context: Context) -> Iterator[Finding]:
    """What leads out of the file."""
    if facts.broken:
        message = f"An offset of the program leads out of it: {facts.broken}."
        yield context.finding(OUT_OF_BOUNDS, message, TextEvidence(facts.broken), subject="offset")
    for wrong, more in some(facts.wrong):
        text = shown(wrong, 300)
        yield context.finding(OUT_OF_BOUNDS, f"{text[:1].upper()}{text[1:]}.{more}", TextEvidence(text), subject=wrong)
