"""The same weights in two formats: what one loader takes from one file, another takes from its twin.

Whoever reviews the safetensors file and loads the pickle (an older library, `use_safetensors=False`, vLLM's globs) loads
something else when the twins differ. Names and shapes are compared in full; of the numbers a small sample is, the same
tensors in all copies (modelscan_plus/sampled.py).
"""

from collections.abc import Iterator

from modelscan_plus.core.finding import ComparisonEvidence, Finding, Severity
from modelscan_plus.core.patterns import lazy
from modelscan_plus.rules.copies import Copy, SampledCopies, copies
from modelscan_plus.rules.interface import Rule
from modelscan_plus.rules.tree import Tree, TreeContext, judges_tree

TWINS_DIFFER = Rule(
    id="MSP5065",
    slug="weight-twins-differ",
    title="Two files that should hold the same weights hold different ones",
    severity=Severity.HIGH,
    why=(
        "Repositories keep a copy in an older format beside the safetensors file. Loaders choose between them by version "
        "and options, so that different users of one repository get different models, and a review of one file says "
        "nothing about the other. Names, shapes and a sample of the numbers are compared, rounded as the less exact of the "
        "two formats is. Buffers and tied weights that only one of them stores are not counted. Where every tensor differs, one "
        "file is mostly left over from an earlier training, and the finding is medium."
    ),
    fix="Remove the older copy, or make it anew from the safetensors file.",
    bad="model.safetensors: fc.weight[17] = 0.0312; pytorch_model.bin: fc.weight[17] = 0.3312",
    good="pytorch_model.bin has lm_head.weight beside wte.weight (tied), model.safetensors has wte.weight only",
    cwe=("CWE-436",),
    references=("https://huggingface.co/docs/transformers/main/en/model_sharing",),
)

_ONE_SIDED = lazy(
    r"position_ids$|masked_bias$|\.attn\.bias$|attention\.bias$|inv_freq$|num_batches_tracked$|lm_head|embed|wte|decoder\.(?:weight|bias)$|"
    r"predictions|cls\.|pooler|shared\.weight|relative_position|token_type_ids|causal_mask|rotary|proj_out|output_projection"
)
"""Buffers that are not always stored, heads that may be left out, and weights that are tied to others."""
_BUFFERS = lazy(
    r"position_ids$|masked_bias$|\.attn\.bias$|attention\.bias$|inv_freq$|num_batches_tracked$|relative_position_index|"
    r"token_type_ids$|causal_mask|rotary|(?:cos|sin)_cached$|attn_mask$"
)
"""What a library works out anew, in a way that changes with its version."""
_HEAD = lazy(r"(?:^|\.)(?:classifier|score|qa_outputs)\.weight$")
"""What turns a model's states into its answer, and is tied to nothing: without it the answer is another one."""
_LEARNED = lazy(r"^<[^<>]+>$|^emb_params$|^clip_[gl]$|^string_to_param")
"""Words that textual inversion learned: a file of them is no model, and another run learns other numbers."""
_FEW = 5


@judges_tree
def twins_differ(tree: Tree, context: TreeContext) -> Iterator[Finding]:
    """Each copy against the first one of its folder."""
    looked = {(fact.left, fact.right): fact for fact in tree.facts if isinstance(fact, SampledCopies)}
    for group in copies(tree):
        for other in group[1:]:
            sample = looked.get((group[0].path, other.path))
            shapes = _by_shape(group[0], other, sample)
            if shapes is not None:
                yield context.finding(
                    TWINS_DIFFER, other.path, *shapes[:2], subject=f"{group[0].name}\0{other.name}", severity=shapes[2]
                )
            if sample is not None and (numbers := _by_numbers(group[0], other, sample)) is not None:
                subject = f"numbers\0{group[0].name}\0{other.name}"
                severity = Severity.MEDIUM if all(map(_LEARNED.search, other.tensors)) or _another(sample) else None
                yield context.finding(TWINS_DIFFER, other.path, *numbers, subject=subject, severity=severity)


def _by_shape(
    first: Copy, other: Copy, sample: SampledCopies | None
) -> tuple[str, ComparisonEvidence, Severity | None] | None:
    if not (first.complete and other.complete) or first.foreign or other.foreign:
        return None
    left, right = first.tensors, other.tensors
    shared = left.keys() & right.keys()
    shapes = sorted(name for name in shared if left[name] != right[name])
    both = left.keys() ^ right.keys()
    untied = {name for name in both if _HEAD.search(name)} | (set(sample.untied) if sample is not None else set())
    lone = sorted(name for name in both if name in untied or not _ONE_SIDED.search(name))
    if not shapes and (not lone or (not shared and _prefixed(set(left), set(right)))):
        return None
    untied &= set(lone)
    few = not shapes and not untied and len(lone) <= max(_FEW, len(shared) // 10) and bool(shared)
    what = shapes[0] if shapes else min(untied, default=lone[0])
    head = f" No other weight of its file takes the place of {what}." if what in untied else ""
    message = (
        f"{_counted(len(shapes), 'has', 'have')} another shape than in {first.name} and "
        f"{_counted(len(lone), 'stands', 'stand')} in only one of the two, first {what}.{head}"
    )
    evidence = ComparisonEvidence(what, first.name, _spoken(left.get(what)), other.name, _spoken(right.get(what)))
    if not shared:  # no copies: whoever asks for the weights of one finds none of them in the other
        return message, evidence, Severity.MEDIUM
    return message, evidence, Severity.LOW if few else None


def _another(sample: SampledCopies) -> bool:
    """True where no tensor is the same: an older state of training that was left behind, and no copy that somebody changed.

    Whoever wants both kinds of users to get his weights writes them into both files; a copy that is changed here and
    there and the same elsewhere has only one purpose.
    """
    looked = [each for each in sample.samples if not _BUFFERS.search(each.name)]
    return all(each.differing for each in looked)


def _by_numbers(first: Copy, other: Copy, sample: SampledCopies) -> tuple[str, ComparisonEvidence] | None:
    """What was compared, where it is not the same."""
    looked = [each for each in sample.samples if not _BUFFERS.search(each.name)]
    differ = [each for each in looked if each.differing]
    if not differ:
        return None
    worst = differ[0]
    message = (
        f"Other numbers stand here than in {first.name}: in {len(differ)} of {len(looked)} tensors of which "
        f"{sum(each.numbers for each in looked):,} numbers were compared, first {worst.name}."
    )
    evidence = ComparisonEvidence(worst.name, first.name, f"{worst.left:.6g}", other.name, f"{worst.right:.6g}")
    return message, evidence


def _counted(count: int, one: str, more: str) -> str:
    return f"{count:,} tensor {one}" if count == 1 else f"{count:,} tensors {more}" if count else f"no tensor {one}"


def _prefixed(left: set[str], right: set[str]) -> bool:
    """True when one file puts the same prefix before each name of the other."""
    short, long = sorted((left, right), key=lambda names: min(map(len, names), default=0))
    return sum(any(name.endswith(f".{other}") for name in long) for other in list(short)[:50]) * 2 > min(50, len(short))


def _spoken(shape: tuple[int, ...] | None) -> str:
    return "not there" if shape is None else " × ".join(map(str, shape)) or "a number"
