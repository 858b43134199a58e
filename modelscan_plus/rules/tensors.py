"""Tensor files: what a reader refuses, what two readers see differently, and what hides where no tensor is.

What the reference library refuses cannot harm its users and is medium: someone has to look, most often at a broken
download. What readers see differently, or what stands in the file without belonging to it, is high.
"""

from collections.abc import Iterable, Iterator
from typing import TypeVar

from modelscan_plus.core.finding import BytesEvidence, ComparisonEvidence, Finding, Severity, TextEvidence
from modelscan_plus.core.text import human_bytes, shorten, visible
from modelscan_plus.formats.native import NATIVE
from modelscan_plus.formats.tensors.facts import HiddenBytes, NpyFacts, Problem, SafetensorsFacts, TensorPayload
from modelscan_plus.rules.interface import Context, Rule, judges

_T = TypeVar("_T")
_FORMAT = "https://github.com/huggingface/safetensors#format"
_AUDIT = "https://huggingface.co/blog/safetensors-security-audit"
_NPY = "https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html"
_RUN = frozenset(("pickle", "torch-legacy", "marshal", *NATIVE))
"""What base64 in metadata has no reason to be; an archive can be a record of the training."""
_SHOWN = 20
"""Findings of one rule in one file; the last one says how many there are in all."""

SAFETENSORS_MALFORMED = Rule(
    id="MSP3001",
    slug="safetensors-malformed",
    title="The safetensors file breaks the rules of its format",
    severity=Severity.MEDIUM,
    why=(
        "The reference library checks every file before it hands out a tensor and refuses this one. Most often the "
        "file is a download that broke off. But readers in other languages check less, and what they make of wrong "
        "offsets, shapes or types is undefined: they may read memory that is not theirs or show other weights than "
        "the ones that were reviewed."
    ),
    fix="Download the file again and compare its digest with the publisher's. If it stays like this, do not use it.",
    bad='{"w": {"dtype": "F32", "shape": [2, 2], "data_offsets": [0, 12]}}   (2 × 2 × 4 bytes are 16)',
    good='{"w": {"dtype": "F32", "shape": [2, 2], "data_offsets": [0, 16]}}',
    cwe=("CWE-1286",),
    references=(_FORMAT, _AUDIT),
)
DUPLICATE_KEY = Rule(
    id="MSP3002",
    slug="safetensors-duplicate-key",
    title="A key stands twice in the safetensors header",
    severity=Severity.HIGH,
    why=(
        "JSON parsers disagree about repeated keys: some keep the first value, some the last, some refuse. One file "
        "can so hold two sets of weights, one for the tool that checks it and another for the program that loads it. "
        "No library writes a key twice."
    ),
    fix="Do not use the file. Load it in isolation and save it again only if you know which of the two was meant.",
    bad='{"w": {… "data_offsets": [0, 16]}, "w": {… "data_offsets": [16, 32]}}',
    good='{"w": {… "data_offsets": [0, 16]}, "b": {… "data_offsets": [16, 32]}}',
    cwe=("CWE-436",),
    references=(_FORMAT, "https://datatracker.ietf.org/doc/html/rfc8259#section-4"),
)
OVERLAP = Rule(
    id="MSP3003",
    slug="safetensors-overlap",
    title="Two tensors of the safetensors file share bytes",
    severity=Severity.HIGH,
    why=(
        "The format forbids it, and its library refuses the file. Overlaps are how files are made that mean something "
        "in two formats at once, and how a small file expands to a large model in readers that do not check."
    ),
    fix="Do not use the file. Tied weights are stored once, under one name.",
    bad='{"a": {… "data_offsets": [0, 16]}, "b": {… "data_offsets": [8, 24]}}',
    good='{"a": {… "data_offsets": [0, 16]}, "b": {… "data_offsets": [16, 32]}}',
    cwe=("CWE-1286", "CWE-436"),
    references=(_FORMAT, _AUDIT),
)
HIDDEN_BYTES = Rule(
    id="MSP3004",
    slug="safetensors-hidden-bytes",
    title="Bytes inside the safetensors file belong to no tensor",
    severity=Severity.HIGH,
    why=(
        "Every byte of a safetensors file is header or tensor; the only filling is spaces behind the header's JSON. "
        "Here other bytes stand between the tensors or behind the JSON. Loaders never show them, so they travel "
        "unseen: a second file, a payload for another program, or hidden data."
    ),
    fix="Do not use the file; ask its publisher what the bytes are. Loading and saving again would drop them.",
    bad="header 8..80, tensor data 80..96, then 4,096 bytes of a zip archive, tensor data 4192..4208",
    good="header 8..80 (with spaces at its end), tensor data 80..96, tensor data 96..112",
    cwe=("CWE-912",),
    references=(_FORMAT,),
)
METADATA_PAYLOAD = Rule(
    id="MSP3005",
    slug="safetensors-metadata-payload",
    title="The safetensors header holds text for an interpreter",
    severity=Severity.MEDIUM,
    why=(
        "Loading weights does not run metadata. But model hubs, training tools and web pages show it and build on it, "
        "and text like this (a script element, a template that reaches for Python's internals, an encoded program) "
        "is aimed at one of them. Training settings, prompts and JSON in strings are not reported, however long."
    ),
    fix="Do not show the metadata in a page or feed it to a template. Ask the publisher why it is there, or remove it.",
    bad='{"__metadata__": {"description": "<script src=//attacker.example/x.js></script>"}}',
    good='{"__metadata__": {"ss_tag_frequency": "{\\"img\\": {\\"os, exec\\": 12}}", "format": "pt"}}',
    cwe=("CWE-79", "CWE-1336"),
    references=(_FORMAT,),
)
TENSOR_PAYLOAD = Rule(
    id="MSP3006",
    slug="tensor-holds-payload",
    title="A tensor of bytes holds a pickle, an archive or a program",
    severity=Severity.MEDIUM,
    why=(
        "Loading the tensor does no harm, but its bytes are a complete file in another format. Some training tools "
        "keep pickled state in byte tensors and unpickle it afterwards; an attacker can use a tensor to carry a "
        "program past checks that only look at the file's format. What the bytes would do is reported separately."
    ),
    fix="Find out which code reads this tensor. If it unpickles or unpacks it, treat the file as you would a pickle.",
    bad='{"state": {"dtype": "U8", …}}   with data 80 04 95 … (a pickle)',
    good='{"mask": {"dtype": "U8", …}}   with data 00 01 01 00 …',
    cwe=("CWE-506",),
    references=(_FORMAT,),
)
NPY_MALFORMED = Rule(
    id="MSP3101",
    slug="npy-malformed",
    title="The npy file breaks the rules of its format",
    severity=Severity.MEDIUM,
    why=(
        "numpy refuses the file, or reads it in another way than simpler readers do. Usually it was cut off. But numpy "
        "evaluates the header as a Python literal, with far more freedom than any writer uses, and that freedom can "
        "hide from a checker which type the array has, and so whether a pickle follows."
    ),
    fix="Get the file again, or have it written again by numpy.save with allow_pickle=False.",
    bad="{'descr': '<f8', 'fortran_order': False, 'shape': (1000,), }   followed by 80 bytes",
    good="{'descr': '<f8', 'fortran_order': False, 'shape': (10,), }   followed by 80 bytes",
    cwe=("CWE-1286",),
    references=(_NPY,),
)
NPY_SHAPE_BOMB = Rule(
    id="MSP3102",
    slug="npy-shape-bomb",
    title="The npy file declares far more data than it has",
    severity=Severity.MEDIUM,
    why=(
        "Readers set memory aside for the declared size before they look at the data. Where the size does not even fit "
        "into 63 bits, readers that multiply without checking allocate too little and write behind the end of it."
    ),
    fix="Do not load the file. If it should hold real data, have it written again and compare its size with its shape.",
    bad="{'descr': '<f8', 'fortran_order': False, 'shape': (4294967296, 4294967296), }   in a file of 208 bytes",
    good="{'descr': '<f8', 'fortran_order': False, 'shape': (4, 4), }   in a file of 256 bytes",
    cwe=("CWE-789", "CWE-190"),
    references=(_NPY,),
)
NPY_OBJECTS = Rule(
    id="MSP3103",
    slug="npy-object-array",
    title="The npy file holds Python objects, which are a pickle",
    severity=Severity.INFO,
    why=(
        "An array of Python objects is stored as a pickle, and numpy loads it only with allow_pickle=True. The pickle "
        "was read; whatever it would do is reported by the rules for pickles."
    ),
    fix="Where you can, store numbers and text in arrays of fixed types and load them with allow_pickle=False.",
    bad="numpy.save('labels.npy', numpy.array([{'id': 1}], dtype=object))",
    good="numpy.save('labels.npy', numpy.array(['cat', 'dog']))",
    cwe=("CWE-502",),
    references=("https://nvd.nist.gov/vuln/detail/CVE-2019-6446", _NPY),
)

_BOMB = 1 << 40
"""Declared bytes from which on a file that holds less than a thousandth of them is no broken download."""
_TEXT_KINDS = {
    "script": "an HTML script element or event handler",
    "shebang": "a script with an interpreter line",
    "template": "a template that reaches for Python's internals",
}


@judges(SafetensorsFacts)
def malformed_safetensors(facts: SafetensorsFacts, context: Context) -> Iterator[Finding]:
    """One finding for each kind of fault; faults that another rule reports as hidden bytes are left to it."""
    hidden = {item.place for item in facts.hidden}
    for problem in facts.problems:
        if problem.code not in hidden:
            yield of_problem(SAFETENSORS_MALFORMED, problem, context)


@judges(SafetensorsFacts)
def duplicate_keys(facts: SafetensorsFacts, context: Context) -> Iterator[Finding]:
    """Keys that stand twice."""
    for item, more in _some(facts.duplicates, facts.duplicate_count):
        key = shorten(visible(item.path), 160)
        yield context.finding(
            DUPLICATE_KEY,
            f'The key "{key}" stands twice; readers differ in which value they take.{more}',
            BytesEvidence("the later occurrence", context.hex_window(item.offset, 16)),
            subject=item.path,
            offset=item.offset,
        )


@judges(SafetensorsFacts)
def overlapping_tensors(facts: SafetensorsFacts, context: Context) -> Iterator[Finding]:
    """Tensors that share bytes."""
    for item, more in _some(facts.overlaps, facts.overlap_count):
        yield context.finding(
            OVERLAP,
            f'The tensors "{item.first}" and "{item.second}" share {item.length:,} bytes.{more}',
            BytesEvidence("the first shared bytes", context.hex_window(item.start, min(item.length, 16))),
            subject=f"{item.first}\0{item.second}",
            offset=item.start,
            length=item.length,
        )


@judges(SafetensorsFacts)
def hidden_bytes(facts: SafetensorsFacts, context: Context) -> Iterator[Finding]:
    """Bytes of no tensor. Tabs and newlines as padding are against the format, but hide nothing much."""
    for item, more in _some(facts.hidden, len(facts.hidden)):
        yield context.finding(
            HIDDEN_BYTES,
            f"{_hidden_message(item)}{more}",
            BytesEvidence("the bytes", context.hex_window(item.start, min(item.length, 64))),
            subject=item.place,
            offset=item.start,
            length=item.length,
            severity=Severity.LOW if item.place == "blanks" else None,
        )


def _hidden_message(item: HiddenBytes) -> str:
    size = human_bytes(item.length)
    return {
        "hole": f"Between the tensors, {size} belong to none of them and are not all zero.",
        "padding": f"Behind the JSON inside the header, {size} are not spaces.",
        "blanks": f"Behind the header's JSON, {size} of blanks hold tabs or newlines; the format asks for spaces.",
    }[item.place]


@judges(SafetensorsFacts)
def metadata_payload(facts: SafetensorsFacts, context: Context) -> Iterator[Finding]:
    """Text for an interpreter."""
    for item, more in _some(facts.texts, len(facts.texts)):
        encoded = item.kind.removeprefix("base64-")
        what = _TEXT_KINDS.get(item.kind, f"base64 that decodes to the beginning of a file of kind {encoded}")
        yield context.finding(
            METADATA_PAYLOAD,
            f'In the header, under "{item.key}", stands {what}.{more}',
            TextEvidence(item.excerpt),
            subject=f"{item.key}\0{item.kind}",
            offset=item.offset,
            severity=Severity.HIGH if encoded in _RUN else None,
        )


@judges(TensorPayload)
def tensor_payload(facts: TensorPayload, context: Context) -> Iterator[Finding]:
    """A file inside a tensor."""
    yield context.finding(
        TENSOR_PAYLOAD,
        f'The tensor "{facts.tensor}" of {human_bytes(facts.length)} begins like a file of kind {facts.kind}.',
        BytesEvidence("the tensor's first bytes", context.hex_window(facts.start, min(facts.length, 32))),
        subject=f"{facts.tensor}\0{facts.kind}",
        offset=facts.start,
        length=facts.length,
        severity=Severity.HIGH if facts.kind in NATIVE else None,
    )


@judges(NpyFacts)
def npy_array(facts: NpyFacts, context: Context) -> Iterator[Finding]:
    """Faults of an array, and whether it is a pickle."""
    for problem in facts.problems:
        if problem.code == "overflow" or (problem.code == "truncated" and _is_bomb(facts)):
            yield _shape_bomb(problem, facts, context)
        else:
            severity = Severity.LOW if problem.code == "header-large" and facts.descr else None
            yield of_problem(NPY_MALFORMED, problem, context, severity)
    if facts.objects:
        yield context.finding(
            NPY_OBJECTS,
            "The array holds Python objects: its data is a pickle.",
            TextEvidence(f"descr: {facts.descr}"),
            subject="objects",
            offset=facts.start,
        )


def _is_bomb(facts: NpyFacts) -> bool:
    return (facts.declared_bytes or 0) >= max(_BOMB, 1000 * facts.present_bytes)


def _shape_bomb(problem: Problem, facts: NpyFacts, context: Context) -> Finding:
    shape = ", ".join(f"{size}" for size in facts.shape[:8])
    return context.finding(
        NPY_SHAPE_BOMB,
        problem.message,
        ComparisonEvidence(
            "size of the array",
            "declared",
            f"{facts.descr} × ({shape}{', …' if len(facts.shape) > 8 else ''})",
            "present",
            human_bytes(facts.present_bytes),
        ),
        subject=problem.code,
        offset=problem.offset,
        severity=Severity.HIGH if problem.code == "overflow" else None,
    )


def of_problem(rule: Rule, problem: Problem, context: Context, severity: Severity | None = None) -> Finding:
    """The finding on what is wrong at one place of a file with tensors."""
    times = f" ({problem.count:,} times)" if problem.count > 1 else ""
    return context.finding(
        rule,
        problem.message + times,
        BytesEvidence("the place", context.hex_window(problem.offset, 8)),
        subject=problem.code,
        offset=problem.offset,
        severity=severity,
    )


def _some(items: Iterable[_T], count: int) -> Iterator[tuple[_T, str]]:
    """The first items, the last of them with a note on how many there are."""
    kept = list(items)[:_SHOWN]
    for number, item in enumerate(kept, 1):
        more = f" At least {count - len(kept):,} more follow." if number == len(kept) < count else ""
        yield item, more
