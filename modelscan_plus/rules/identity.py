"""What a file is called, what it is, and bytes of it that no reader of its format looks at."""

import re
from collections.abc import Iterator

from modelscan_plus.core.finding import BytesEvidence, ComparisonEvidence, Finding, Severity, TextEvidence
from modelscan_plus.core.patterns import lazy
from modelscan_plus.core.text import human_bytes, visible
from modelscan_plus.formats import kinds
from modelscan_plus.formats.identity import IdentityFacts, UnaccountedFacts
from modelscan_plus.rules.interface import Context, Rule, judges

UNACCOUNTED = Rule(
    id="MSP2007",
    slug="unaccounted-bytes",
    title="Bytes that belong to no part of the file",
    severity=Severity.LOW,
    why=(
        "Readers of the format never look at them, so nobody notices what they are. A program or an archive hidden "
        "there waits for a second step that fetches it; text or numbers are mostly leftovers of a tool."
    ),
    fix="Compare the file with the publisher's other copies, or save the model anew, which drops what does not belong.",
    bad="model.safetensors: behind the last tensor stands an ELF program of 1.2 MB",
    good="model.safetensors ends with its last tensor",
    cwe=("CWE-506",),
    references=("https://attack.mitre.org/techniques/T1027/009/",),
)
MISLEADING_NAME = Rule(
    id="MSP2008",
    slug="misleading-name",
    title="The name promises harmless content, the bytes can run code",
    severity=Severity.HIGH,
    why=(
        "People and filters go by the name: a .safetensors or .json file passes where a .pkl would be stopped. Loaders "
        "that look at the content take it for what it is."
    ),
    fix="Do not load it. Ask the publisher why the name does not fit.",
    bad="model.safetensors begins with 80 04 95: a pickle",
    good="model.bin begins with 80 02 8a: a pickle, as its name allows",
    cwe=("CWE-434", "CWE-646"),
    references=("https://attack.mitre.org/techniques/T1036/008/",),
)
POLYGLOT = Rule(
    id="MSP2009",
    slug="polyglot",
    title="The file is two things at once, and one of them can run code",
    severity=Severity.HIGH,
    why=(
        "Which of them it is depends on the program that opens it. One shows a reviewer something harmless, the other "
        "runs when a loader takes the file its own way."
    ),
    fix="Do not load it; no tool makes such files by accident.",
    bad="a pickle, and behind it a zip whose directory stands at the end of the file",
    good="a legacy torch checkpoint, which is a row of pickles",
    cwe=("CWE-436",),
    references=("https://attack.mitre.org/techniques/T1036/",),
)
NATIVE_CODE = Rule(
    id="MSP2011",
    slug="native-code",
    title="A program or library in machine code",
    severity=Severity.MEDIUM,
    why=(
        "Whatever loads it runs it, with all rights of the user, and what it does cannot be read off like a pickle. "
        "Models bring it for a reason: PyTorch's AOTInductor packages hold compiled kernels that are opened as a "
        "library on load, and some formats have custom operators. Machine code elsewhere has no place beside weights."
    ),
    fix="Take it only from a publisher whom you trust with your machine, or build the package yourself.",
    bad="model.pt2 › data/aotinductor/model/c7x.so is an ELF library",
    good="model.pt2 with weights and a graph alone",
    cwe=("CWE-829",),
    references=("https://docs.pytorch.org/docs/stable/torch.compiler_aot_inductor.html",),
)

_HARMLESS = frozenset(
    """.safetensors .json .txt .md .rst .csv .tsv .yaml .yml .toml .cfg .ini .xml .html .license .jinja .jsonl .onnx
    .gguf .ggml .png .jpg .jpeg .gif .webp .wav .pdf .parquet .tflite .h5 .hdf5 .mp4 .mp3 .ogg .svg .arrow .feather
    .gitattributes .gitignore""".split()
)
"""Endings that stand for content which runs nothing, or not in the way that the bytes do."""
_PROGRAMS = frozenset({"elf", "pe", "mach-o", "webassembly", "python-bytecode", "python-bytecode-by-hash"})
_NATIVE = frozenset({"elf", "pe", "mach-o"})
_WEIGHTS = lazy(
    r"\.(?:pt|pth|ckpt|pkl|pickle|joblib|dill|np[yz]|keras|msgpack|pdparams|nemo|mlmodel|skops|model)$|^(?:[\w.-]*pytorch_model|adapter_model|"
    r"(?:tf_|flax_)?model|diffusion_\w*model|training_args|optimizer|scheduler|rng_state\w*|openvino_\w+|consolidated)[\w.-]*\.bin$",
    re.I,
)
"""Names of weights. A .bin of another name can be anything, also the firmware of a board."""
_BY_DESIGN = ({"tflite", "zip"},)
"""Formats that stand in one file on purpose: labels behind a model of TFLite. What is in the zip is judged there."""
_SMALL = 64
"""Bytes below which leftovers are not worth a finding above info."""


@judges(IdentityFacts)
def misleading_name(facts: IdentityFacts, context: Context) -> Iterator[Finding]:
    """Only the dangerous direction: a pickle called .pt or weights called .bin mislead nobody."""
    ending = kinds.extension(facts.name)
    content = [*facts.executable, *([facts.kind] if facts.kind in _PROGRAMS else [])]
    native = facts.kind in _NATIVE and _WEIGHTS.search(facts.name.replace("\\", "/").rpartition("/")[2])
    if not native and (ending not in _HARMLESS or not content or set(facts.expected) & {*facts.claimed, facts.kind}):
        return
    yield context.finding(
        MISLEADING_NAME,
        f"The name ends in {ending}, but the content is {' and '.join(content)}.",
        ComparisonEvidence(
            "what the file is", "name", visible(facts.name), "content", ", ".join(content), context.hex_window(0, 16)
        ),
        subject=",".join(content),
        offset=0,
    )


@judges(IdentityFacts)
def native_code(facts: IdentityFacts, context: Context) -> Iterator[Finding]:
    """Whether the name says so or not."""
    if facts.kind in _NATIVE:
        title = next(kind.title for kind in kinds.KINDS if kind.name == facts.kind)
        yield context.finding(
            NATIVE_CODE,
            f"{visible(facts.name)} is machine code: {title}.",
            BytesEvidence("its header", context.hex_window(0, 16)),
            subject=facts.kind,
            offset=0,
        )


@judges(IdentityFacts)
def polyglot(facts: IdentityFacts, context: Context) -> Iterator[Finding]:
    """Two readers, two files."""
    if len(facts.claimed) < 2 or not facts.executable or set(facts.claimed) in _BY_DESIGN:
        return
    yield context.finding(
        POLYGLOT,
        f"The bytes are valid as {' and as '.join(facts.claimed)}.",
        TextEvidence(", ".join(facts.claimed)),
        subject=",".join(facts.claimed),
        offset=0,
    )


@judges(UnaccountedFacts)
def unaccounted(facts: UnaccountedFacts, context: Context) -> Iterator[Finding]:
    """Programs and archives are worth an alarm, zeros are not."""
    place = {"prefix": "before the format's first byte", "tail": "behind its end"}.get(facts.position, "in a gap of it")
    what = "zeros" if facts.zeros else f"bytes that begin like {facts.kind}" if facts.kind else "bytes of no known kind"
    window = context.hex_window(facts.start, min(facts.length, 64))
    yield context.finding(
        UNACCOUNTED,
        f"{human_bytes(facts.length)} {place} belong to no part of the file: {what}.",
        BytesEvidence("the first of them", window),
        subject=f"{facts.position}\0{facts.kind}",
        offset=facts.start,
        length=facts.length,
        severity=_severity(facts),
    )


def _severity(facts: UnaccountedFacts) -> Severity:
    if facts.executable:
        return Severity.HIGH
    if facts.zeros or (facts.length < _SMALL and not facts.kind):
        return Severity.INFO
    return Severity.LOW
