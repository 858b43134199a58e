"""The index of a model in several files against the files: which are there, which tensors stand where."""

from collections.abc import Iterator, Mapping

from modelscan_plus.core.finding import ComparisonEvidence, Finding, Severity, TextEvidence
from modelscan_plus.core.patterns import lazy
from modelscan_plus.core.text import human_bytes, shorten, visible
from modelscan_plus.formats.summaries import Shard, WeightIndex
from modelscan_plus.rules.interface import Rule
from modelscan_plus.rules.tree import Tree, TreeContext, TreeFile, judges_tree

_SHARDS = "https://huggingface.co/docs/transformers/big_models"
_FORMAT = "https://huggingface.co/docs/safetensors/metadata_parsing"

MISSING_SHARD = Rule(
    id="MSP7060",
    slug="index-missing-shard",
    title="The index names weight files that are not there",
    severity=Severity.MEDIUM,
    why=(
        "A loader that follows the index fails, or fetches the file from somewhere. Weights that are not here were not "
        "scanned, and what is scanned is not the model."
    ),
    fix="Fetch the missing files and scan again.",
    bad="weight_map names model-00002-of-00002.safetensors, which is not there",
    good="every file that weight_map names is there",
    references=(_SHARDS,),
)
UNLISTED_SHARD = Rule(
    id="MSP7061",
    slug="index-unlisted-shard",
    title="A weight file of the same series is missing from the index",
    severity=Severity.MEDIUM,
    why=(
        "Loaders that follow the index never open it, others load every file of the series. Which weights the model "
        "has then depends on the program, and a review of what the index names misses the rest."
    ),
    fix="Ask the publisher whether the file belongs to the model; remove it or correct the index.",
    bad="weight_map names …-00001-of-00002 and …-00002-of-00002; beside them stands …-00003-of-00002",
    good="weight_map names every file of the series",
    cwe=("CWE-345",),
    references=(_SHARDS,),
)
SHARD_OUTSIDE = Rule(
    id="MSP7062",
    slug="index-path-leads-out",
    title="The index names a weight file outside the model's folder",
    severity=Severity.HIGH,
    why=(
        "Loaders join the name to the folder of the index and open what they get. With .. or an absolute path that is "
        "a file of the machine, or one that another model brought, which nobody scanned with this model."
    ),
    fix="Do not load the model. No library writes such an index.",
    bad='{"weight_map": {"lm_head.weight": "../../other-model/pytorch_model.bin"}}',
    good='{"weight_map": {"lm_head.weight": "model-00001-of-00002.safetensors"}}',
    cwe=("CWE-22",),
    references=(_SHARDS, "https://cwe.mitre.org/data/definitions/22.html"),
)
TENSOR_TWICE = Rule(
    id="MSP7063",
    slug="index-tensor-conflict",
    title="Index and weight files disagree about where a tensor is",
    severity=Severity.MEDIUM,
    why=(
        "A tensor stands twice, in two files or in the index, or not in the file that the index names. Loaders differ "
        "in which one they take, so one model can hold two sets of weights: one that is reviewed and one that is used."
    ),
    fix="Do not use the model before its publisher has explained it. Saving it again with its library makes it plain.",
    bad="lm_head.weight stands in both …-00001-of-00002.safetensors and …-00002-of-00002.safetensors",
    good="each tensor stands in the one file that weight_map names for it",
    cwe=("CWE-436",),
    references=(_SHARDS, _FORMAT),
)
TOTAL_SIZE = Rule(
    id="MSP7064",
    slug="index-total-size",
    title="The total size in the index is not that of the weights",
    severity=Severity.INFO,
    why=(
        "Programs plan memory by `total_size`. It is often a little off, because tied weights were counted twice or "
        "the weights were converted; when it is off by more than a factor of two, the index belongs to other weights."
    ),
    fix="Usually nothing. If it is far off, ask the publisher which weights the index was made for.",
    bad="total_size 16,000,000,000, and the weights have 2,000,000,000 bytes",
    good="total_size 16,000,000,000, and the weights have 16,000,000,000 bytes",
    references=(_SHARDS,),
)
BAD_INDEX = Rule(
    id="MSP7065",
    slug="index-malformed",
    title="The index of a model in several files cannot be followed",
    severity=Severity.LOW,
    why="Its weight_map is missing or names something that is no file. Loaders refuse it or guess.",
    fix="Get the index again from where the model came from.",
    bad='{"weight_map": ["model-00001-of-00002.safetensors"]}',
    good='{"weight_map": {"lm_head.weight": "model-00001-of-00002.safetensors"}}',
    references=(_SHARDS,),
)
_SERIES = lazy(r"(?P<stem>.+)-(?P<number>\d{3,6})-of-(?P<count>\d{3,6})(?P<ending>(\.[A-Za-z0-9_]+)+)")
_NAMED = 5


@judges_tree
def indexes(tree: Tree, context: TreeContext) -> Iterator[Finding]:
    """Every index of the target."""
    for file in tree.files.values():
        for index in file.top(WeightIndex):
            yield from _index(tree, file, index, context)


def _index(tree: Tree, file: TreeFile, index: WeightIndex, context: TreeContext) -> Iterator[Finding]:
    if index.problem:
        yield context.finding(
            BAD_INDEX, file.path, f"The index: {index.problem}.", TextEvidence(index.problem), subject=""
        )
    names = sorted(set(index.weights.values()))
    outside = [name for name in names if _leads_out(name)]
    yield from _one(SHARD_OUTSIDE, file, "The index names {}, which leads out of the model's folder.", outside, context)
    inside = [name for name in names if not _leads_out(name)]
    shards = {name: found for name in inside if (found := tree.find(file.folder, visible(name))) is not None}
    if tree.complete:
        missing = [name for name in inside if name not in shards]
        yield from _one(MISSING_SHARD, file, "The index names {}, which is not there.", missing, context)
    yield from _unlisted(tree, file, set(inside), context)
    yield from _tensors(file, index, shards, context)
    yield from _total(file, index, shards, complete=len(shards) == len(names), context=context)


def _one(rule: Rule, file: TreeFile, message: str, names: list[str], context: TreeContext) -> Iterator[Finding]:
    """One finding for all names, which stay in its fingerprint."""
    if names:
        shown = ", ".join(shorten(visible(name), 120) for name in names[:_NAMED])
        more = f" and {len(names) - _NAMED:,} more" if len(names) > _NAMED else ""
        subject = "\0".join(map(visible, names[:100]))
        yield context.finding(rule, file.path, message.format(shown + more), TextEvidence(shown), subject=subject)


def _leads_out(name: str) -> bool:
    parts = name.replace("\\", "/").split("/")
    return parts[0] == "" or ".." in parts or ":" in name


def _unlisted(tree: Tree, file: TreeFile, listed: set[str], context: TreeContext) -> Iterator[Finding]:
    series = {(found["stem"], found["ending"]) for name in listed if (found := _SERIES.fullmatch(name))}
    for name, other in tree.below(file.folder).items():
        found = _SERIES.fullmatch(name)
        if found and name not in listed and (found["stem"], found["ending"]) in series:
            message = f"It has a name of the series in {file.name}, which does not list it."
            yield context.finding(UNLISTED_SHARD, other.path, message, TextEvidence(file.path), subject=file.path)


def _tensors(
    file: TreeFile, index: WeightIndex, shards: Mapping[str, TreeFile], context: TreeContext
) -> Iterator[Finding]:
    if index.repeated:
        shown = ", ".join(shorten(visible(key), 120) for key in index.repeated[:_NAMED])
        yield context.finding(
            TENSOR_TWICE,
            file.path,
            f"In the index stands twice: {shown}.",
            TextEvidence(shown),
            subject="\0".join(map(visible, index.repeated)),
            severity=Severity.HIGH,
        )
    held: dict[str, str] = {}
    twice: dict[str, tuple[str, str]] = {}
    for name, shard in shards.items():
        for tensor in (tensor for summary in shard.top(Shard) for tensor in summary.tensors):
            if held.setdefault(tensor, name) != name:
                twice[tensor] = (held[tensor], name)
    for tensor, (first, second) in sorted(twice.items())[:1]:
        more = f" (and {len(twice) - 1:,} more tensors)" if len(twice) > 1 else ""
        yield context.finding(
            TENSOR_TWICE,
            file.path,
            f"{shorten(visible(tensor))} stands in {visible(first)} and in {visible(second)}{more}.",
            ComparisonEvidence(visible(tensor), "one file", visible(first), "another", visible(second)),
            subject=f"twice\0{visible(tensor)}",
        )
    yield from _misplaced(file, index, shards, held, context)


def _misplaced(
    file: TreeFile, index: WeightIndex, shards: Mapping[str, TreeFile], held: Mapping[str, str], context: TreeContext
) -> Iterator[Finding]:
    """Tensors that are not in the file that is named for them, and tensors that the index does not name."""
    known = {
        name: set(summary.tensors) for name, shard in shards.items() for summary in shard.top(Shard) if summary.complete
    }
    absent = [tensor for tensor, name in index.weights.items() if name in known and tensor not in known[name]]
    if absent:
        tensor = min(absent)
        where = f"it stands in {visible(held[tensor])}" if tensor in held else "no file has it"
        more = f" (and {len(absent) - 1:,} more tensors)" if len(absent) > 1 else ""
        yield context.finding(
            TENSOR_TWICE,
            file.path,
            f"{shorten(visible(tensor))} is not in {visible(index.weights[tensor])}, as the index says; {where}{more}.",
            TextEvidence(visible(tensor)),
            subject=f"absent\0{visible(tensor)}",
        )
    unnamed = sorted(held.keys() - index.weights.keys()) if index.complete else []
    if unnamed:
        more = f" and {len(unnamed) - 1:,} more" if len(unnamed) > 1 else ""
        yield context.finding(
            TENSOR_TWICE,
            file.path,
            f"The weight files hold {shorten(visible(unnamed[0]))}{more}, which the index does not name.",
            TextEvidence(visible(unnamed[0])),
            subject=f"unnamed\0{visible(unnamed[0])}",
            severity=Severity.LOW,
        )


def _total(
    file: TreeFile, index: WeightIndex, shards: Mapping[str, TreeFile], *, complete: bool, context: TreeContext
) -> Iterator[Finding]:
    sizes = [summary.data_bytes for shard in shards.values() for summary in shard.top(Shard)]
    if index.total_size is None or not complete or not sizes or len(sizes) != len(shards):
        return
    real = sum(sizes)
    if real == index.total_size:
        return
    far = not real <= 2 * index.total_size <= 4 * real
    yield context.finding(
        TOTAL_SIZE,
        file.path,
        f"The index says {human_bytes(index.total_size)}, the weights have {human_bytes(real)}.",
        ComparisonEvidence("bytes of all tensors", "index", f"{index.total_size:,}", "files", f"{real:,}"),
        subject="total_size",
        severity=Severity.LOW if far else None,
    )
