"""GGUF files: what loaders refuse, and what has made older loaders read or write memory that is not theirs.

llama.cpp and its relatives are written in C++ and trust the header with sizes. A file that lies about them is refused
by a current version and corrupts an older one, so each way of lying has a rule, and none of them is an accident.
"""

from collections.abc import Iterator

from modelscan_plus.core.finding import Finding, Severity, TextEvidence
from modelscan_plus.core.text import human_bytes
from modelscan_plus.formats.tensors.facts import Problem
from modelscan_plus.formats.tensors.gguf import GgufFacts
from modelscan_plus.rules.interface import Context, Rule, judges
from modelscan_plus.rules.tensors import of_problem

_FORMAT = "https://github.com/ggml-org/ggml/blob/master/docs/gguf.md"
_FIX = "Do not load the file. Get it again from its publisher, and keep llama.cpp, Ollama and others up to date."


def _cve(*numbers: str) -> tuple[str, ...]:
    return (*(f"https://nvd.nist.gov/vuln/detail/CVE-{number}" for number in numbers), _FORMAT)


MALFORMED = Rule(
    id="MSP3020",
    slug="gguf-malformed",
    title="The GGUF file breaks the rules of its format",
    severity=Severity.MEDIUM,
    why=(
        "Loaders refuse it; readers in other languages check less. A file that ends inside of its header holds no "
        "model, and has stopped servers that read on behind its end (Ollama, 2024). No accident are more dimensions "
        "than four, types out of every table and rows that are no multiple of their "
        "block: loaders of 2023 and 2024 wrote behind their arrays and read behind their tables for these. Nor are "
        "zero bytes inside of names, where one reader stops and another goes on."
    ),
    fix="Download the file again and compare its digest with the publisher's.",
    bad="version 9; a tensor of 7 dimensions; a value of type 77; a file that ends inside its header",
    good="version 3, 291 tensors of at most 4 dimensions, all inside the file",
    cwe=("CWE-1286", "CWE-787", "CWE-129"),
    references=_cve("2024-21802", "2024-39720"),
)
COUNT_OVERFLOW = Rule(
    id="MSP3021",
    slug="gguf-length-overflow",
    title="A count or length of the GGUF header is larger than any file",
    severity=Severity.HIGH,
    why=(
        "Loaders before 2024 multiplied the number of pairs, tensors, array items or characters without looking, took "
        "too little memory and wrote behind it; later versions ran out of memory."
    ),
    fix=_FIX,
    bad="number of pairs: 4,611,686,018,427,387,904, in a file of 300 bytes",
    good="number of pairs: 26",
    cwe=("CWE-190", "CWE-789"),
    references=_cve("2024-23605", "2024-21836", "2024-23496", "2024-21825"),
)
TENSOR_OVERFLOW = Rule(
    id="MSP3022",
    slug="gguf-tensor-overflow",
    title="The size of a GGUF tensor does not fit into 63 bits",
    severity=Severity.HIGH,
    why=(
        "The product of the dimensions wraps around, the loader takes a small buffer for an enormous tensor, and "
        "everything that is computed with it reads and writes behind it. Fixed in 2024, again in 2025 and in 2026."
    ),
    fix=_FIX,
    bad="token_embd.weight: 1152 × 4398046511105 (F16)",
    good="token_embd.weight: 1152 × 262144 (F16)",
    cwe=("CWE-190", "CWE-122"),
    references=_cve("2024-21802", "2025-53630", "2026-27940", "2026-33298"),
)
BEYOND_END = Rule(
    id="MSP3023",
    slug="gguf-tensor-beyond-end",
    title="A GGUF tensor ends behind the end of the file",
    severity=Severity.HIGH,
    why=(
        "The header promises more data than there is. A download that broke off looks like this. So does the file that "
        "makes a server which converts or quantises it read its own memory and hand it out (Ollama, 2026)."
    ),
    fix=_FIX,
    bad="blk.0.attn_q.weight: 4096 × 4096 (F16), in a file of 1 kB",
    good="blk.0.attn_q.weight: 4096 × 4096 (F16), its last byte inside the file",
    cwe=("CWE-125",),
    references=_cve("2026-7482"),
)
DUPLICATE = Rule(
    id="MSP3024",
    slug="gguf-duplicate",
    title="A key or tensor name stands twice in the GGUF header",
    severity=Severity.MEDIUM,
    why=(
        "Readers differ in which of the two they take, so that the template or the weights that were reviewed need not "
        "be those that are used. Current loaders refuse the file."
    ),
    fix="Do not use the file; no converter writes a key twice.",
    bad="tokenizer.chat_template = (harmless), tokenizer.chat_template = (another)",
    good="tokenizer.chat_template, tokenizer.chat_template.tool_use",
    cwe=("CWE-436",),
    references=("https://github.com/ggml-org/llama.cpp/pull/19856", _FORMAT),
)
ALIGNMENT = Rule(
    id="MSP3025",
    slug="gguf-alignment",
    title="The alignment of the GGUF file is impossible",
    severity=Severity.HIGH,
    why=(
        "Offsets are padded to the alignment. Zero divides by zero, a number that is no power of two or is enormous "
        "makes the padding overflow, and the loader reads weights from a wrong place."
    ),
    fix=_FIX,
    bad="general.alignment = 0",
    good="general.alignment = 64",
    cwe=("CWE-369", "CWE-190"),
    references=("https://github.com/ggml-org/llama.cpp/pull/24997", _FORMAT),
)
TYPE = Rule(
    id="MSP3026",
    slug="gguf-tensor-type",
    title="A GGUF tensor has a type that is not known",
    severity=Severity.LOW,
    why=(
        "A number just above the known ones is a newer type than this version knows, or one that was removed. A number "
        "far away is an index behind the end of a table in loaders that do not check it."
    ),
    fix="Update this tool and the loader. If the type stays unknown, do not load the file.",
    bad="type 4294967040",
    good="type 12 (Q4_K)",
    cwe=("CWE-129",),
    references=("https://github.com/ggml-org/llama.cpp/pull/19856", _FORMAT),
)
OVERLAP = Rule(
    id="MSP3027",
    slug="gguf-overlap",
    title="Two GGUF tensors share bytes",
    severity=Severity.HIGH,
    why="Loaders refuse it: each tensor stands behind the one before. Overlaps let small files grow to large models.",
    fix="Do not use the file.",
    bad="a: 0 … 4096, b: 2048 … 6144",
    good="a: 0 … 4096, b: 4096 … 8192",
    cwe=("CWE-1286",),
    references=(_FORMAT,),
)
HIDDEN = Rule(
    id="MSP3028",
    slug="gguf-hidden-bytes",
    title="Bytes inside the GGUF file belong to no tensor",
    severity=Severity.MEDIUM,
    why=(
        "Between tensors stands zero padding up to the alignment, and nothing behind the last. Here other bytes travel "
        "along."
    ),
    fix="Ask the publisher what the bytes are, or convert the model again.",
    bad="behind the last tensor: 1.2 MB that begin like a zip archive",
    good="behind the last tensor: 16 zeros, up to the next multiple of 32",
    cwe=("CWE-912",),
    references=(_FORMAT,),
)
METADATA = Rule(
    id="MSP3029",
    slug="gguf-metadata-payload",
    title="The GGUF header holds text for an interpreter",
    severity=Severity.MEDIUM,
    why="Hubs, interfaces and pages show descriptions, authors and licences; text like this is aimed at one of them.",
    fix="Do not show the metadata in a page, and ask the publisher why it is there.",
    bad='general.description = "<script src=//c.example/x.js></script>"',
    good='general.description = "A model for <|im_start|>chat<|im_end|>"',
    cwe=("CWE-79",),
    references=(_FORMAT,),
)
LAYERS = Rule(
    id="MSP3030",
    slug="gguf-layer-count",
    title="The GGUF header promises more layers than loaders have room for",
    severity=Severity.HIGH,
    why="Loaders before August 2026 kept arrays of 512 layers and wrote behind them for a larger block_count.",
    fix=_FIX,
    bad="llama.block_count = 100000",
    good="llama.block_count = 126",
    cwe=("CWE-787",),
    references=("https://github.com/ggml-org/llama.cpp/pull/25821", _FORMAT),
)

VOCABULARY = Rule(
    id="MSP3031",
    slug="gguf-vocabulary",
    title="Lists of the GGUF vocabulary do not fit each other",
    severity=Severity.HIGH,
    why=(
        "Loaders take one number for all: they read as many kinds and scores as there are tokens, and of the map of "
        "characters as much as it says it has. Where there is less, versions before 2026 read memory behind the list. "
        "No converter writes such a file. Ids that no token has are an index behind the end as well."
    ),
    fix=_FIX,
    bad="tokenizer.ggml.tokens: 32,000 entries, tokenizer.ggml.token_type: 1 entry",
    good="tokenizer.ggml.tokens: 32,000 entries, tokenizer.ggml.token_type: 32,000 entries",
    cwe=("CWE-125", "CWE-1284"),
    references=("https://github.com/ggml-org/llama.cpp/blob/master/src/llama-vocab.cpp", _FORMAT),
)
NUMBERS = Rule(
    id="MSP3032",
    slug="gguf-impossible-model",
    title="Numbers of the GGUF header describe no model",
    severity=Severity.HIGH,
    why=(
        "Loaders divide by these numbers, take memory by them and read lists to the length that another key states. "
        "Zero heads, more experts in use than there are, a list of two entries for thirty layers or a negative size "
        "stop current versions and crash older ones."
    ),
    fix=_FIX,
    bad="llama.attention.head_count = 0     llama.expert_used_count = 9 of llama.expert_count = 8",
    good="llama.attention.head_count = 32, llama.attention.head_count_kv = 8",
    cwe=("CWE-369", "CWE-1284"),
    references=("https://github.com/ggml-org/llama.cpp/blob/master/src/llama-model.cpp", _FORMAT),
)

_RULES: dict[str, tuple[Rule, Severity | None]] = {
    "length": (COUNT_OVERFLOW, None),
    "overflow": (TENSOR_OVERFLOW, None),
    "beyond-end": (BEYOND_END, None),
    "alignment": (ALIGNMENT, None),
    "misaligned": (ALIGNMENT, None),
    "type": (TYPE, None),
    "type-range": (TYPE, Severity.HIGH),
    "layers": (LAYERS, None),
    "vocabulary": (VOCABULARY, None),
    "numbers": (NUMBERS, None),
    "shapes": (NUMBERS, Severity.MEDIUM),
    "carried": (METADATA, Severity.HIGH),
    "exchanged": (METADATA, Severity.HIGH),
    "cut-off": (MALFORMED, Severity.HIGH),
    "zero": (MALFORMED, Severity.HIGH),
    "version": (MALFORMED, Severity.HIGH),
    "dimensions": (MALFORMED, Severity.HIGH),
    "value-type": (MALFORMED, Severity.HIGH),
    "key-type": (MALFORMED, Severity.HIGH),
    "block": (MALFORMED, Severity.HIGH),
}
_RUNS = ("script", "template", "orders", "path")
"""Texts that run in the page or template that shows them, speak to the model, or lead out of a folder; no name, licence
or description is written so."""
_ROOM = 256
"""Bytes that no writer leaves between tensors or behind them."""
_VITAL = ("general.alignment", "general.architecture")


@judges(GgufFacts)
def problems(facts: GgufFacts, context: Context) -> Iterator[Finding]:
    """One finding for each kind of fault."""
    for problem in facts.problems:
        rule, severity = _RULES.get(problem.code, (MALFORMED, None))
        yield of_problem(rule, problem, context, severity)


@judges(GgufFacts)
def contents(facts: GgufFacts, context: Context) -> Iterator[Finding]:
    """What stands twice, shares bytes, belongs to nothing or speaks to an interpreter."""
    for item in facts.duplicates:
        vital = item.what == "tensor" or item.name in _VITAL or not item.name.startswith("general.")
        yield of_problem(
            DUPLICATE,
            Problem(
                item.name,
                f'The {item.what} "{item.name}" stands twice; readers differ in which they take.',
                item.offset,
            ),
            context,
            Severity.HIGH if vital else None,
        )
    for overlap in facts.overlaps:
        message = f'The tensors "{overlap.first}" and "{overlap.second}" share {overlap.length:,} bytes.'
        yield of_problem(OVERLAP, Problem(f"{overlap.first}\0{overlap.second}", message, overlap.start), context)
    for hidden in facts.hidden:
        like = f" They begin like a file of kind {hidden.kind}." if hidden.kind else ""
        message = f"{human_bytes(hidden.length)} belong to no tensor and are not zero.{like}"
        # Loaders refuse tensors that do not stand one behind the other; what fills up to the alignment is less.
        severity = Severity.HIGH if hidden.kind or hidden.length >= _ROOM else None
        yield of_problem(HIDDEN, Problem(f"hidden\0{hidden.kind}", message, hidden.start), context, severity)
    for text in facts.texts:
        yield context.finding(
            METADATA,
            f'Under "{text.key}" stands text for an interpreter ({text.kind}).',
            TextEvidence(text.excerpt),
            severity=Severity.HIGH if text.kind in _RUNS else None,
            subject=f"{text.key}\0{text.kind}",
            offset=text.offset,
        )
