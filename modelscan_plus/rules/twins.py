"""The same weights in two formats: what one loader takes from one file, another takes from its twin.

Whoever reviews the safetensors file and loads the pickle (an older library, `use_safetensors=False`, vLLM's globs) loads
something else when the twins differ. Values are not compared; names and shapes are.
"""

from collections.abc import Iterator

from modelscan_plus.core.finding import ComparisonEvidence, Finding, Severity
from modelscan_plus.core.patterns import lazy
from modelscan_plus.formats.summaries import TensorNames
from modelscan_plus.rules.interface import Rule
from modelscan_plus.rules.tree import Tree, TreeContext, TreeFile, judges_tree

TWINS_DIFFER = Rule(
    id="MSP5065",
    slug="weight-twins-differ",
    title="Two files that should hold the same weights hold different ones",
    severity=Severity.HIGH,
    why=(
        "Repositories keep a copy in an older format beside the safetensors file. Loaders choose between them by version "
        "and options, so that different users of one repository get different models, and a review of one file says "
        "nothing about the other. Buffers and tied weights that only one of the formats stores are not counted."
    ),
    fix="Remove the older copy, or make it anew from the safetensors file.",
    bad="model.safetensors: fc.weight 1000 × 512; pytorch_model.bin: fc.weight 1001 × 512",
    good="pytorch_model.bin has lm_head.weight beside wte.weight (tied), model.safetensors has wte.weight only",
    cwe=("CWE-436",),
    references=("https://huggingface.co/docs/transformers/main/en/model_sharing",),
)

_PAIRS = (
    ("model.safetensors", "pytorch_model.bin"),
    ("diffusion_pytorch_model.safetensors", "diffusion_pytorch_model.bin"),
    ("adapter_model.safetensors", "adapter_model.bin"),
    ("open_clip_model.safetensors", "open_clip_pytorch_model.bin"),
)
_ONE_SIDED = lazy(
    r"position_ids$|masked_bias$|\.attn\.bias$|attention\.bias$|inv_freq$|num_batches_tracked$|lm_head|embed|wte|decoder\.(?:weight|bias)$|"
    r"predictions|cls\.|pooler|shared\.weight|relative_position|token_type_ids|causal_mask|rotary|proj_out|output_projection"
)
"""Buffers that are not always stored, heads that may be left out, and weights that are tied to others."""
_FEW = 5


@judges_tree
def twins_differ(tree: Tree, context: TreeContext) -> Iterator[Finding]:
    """Each pair that stands in one folder."""
    for file in tree.files.values():
        for safe, pickled in _PAIRS:
            other = tree.find(file.folder, pickled) if file.name == safe else None
            left, right = _tensors(file), _tensors(other) if other else None
            if other is None or left is None or right is None:
                continue
            shared = left.keys() & right.keys()
            shapes = sorted(name for name in shared if left[name] != right[name])
            lone = sorted(name for name in left.keys() ^ right.keys() if not _ONE_SIDED.search(name))
            if not shapes and (not lone or (not shared and _prefixed(set(left), set(right)))):
                continue
            few = not shapes and len(lone) <= max(_FEW, len(shared) // 10) and bool(shared)
            what = shapes[0] if shapes else lone[0]
            yield context.finding(
                TWINS_DIFFER,
                other.path,
                f"{_counted(len(shapes), 'has', 'have')} another shape than in {file.name} and "
                f"{_counted(len(lone), 'stands', 'stand')} in only one of the two, first {what}.",
                ComparisonEvidence(what, file.name, _spoken(left.get(what)), other.name, _spoken(right.get(what))),
                subject=f"{file.name}\0{other.name}",
                severity=Severity.LOW if few else None,
            )


def _counted(count: int, one: str, more: str) -> str:
    return f"{count:,} tensor {one}" if count == 1 else f"{count:,} tensors {more}" if count else f"no tensor {one}"


def _tensors(file: TreeFile) -> dict[str, tuple[int, ...]] | None:
    """The tensors of a file, None where they are not all known."""
    found = [stated.summary for stated in file.summaries if isinstance(stated.summary, TensorNames)]
    if len(found) != 1 or not found[0].complete:
        return None
    return found[0].tensors


def _prefixed(left: set[str], right: set[str]) -> bool:
    """True when one file puts the same prefix before each name of the other."""
    short, long = sorted((left, right), key=lambda names: min(map(len, names), default=0))
    return sum(any(name.endswith(f".{other}") for name in long) for other in list(short)[:50]) * 2 > min(50, len(short))


def _spoken(shape: tuple[int, ...] | None) -> str:
    return "not there" if shape is None else " × ".join(map(str, shape)) or "a number"
