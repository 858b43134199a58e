"""The index of a model in several files, `model.safetensors.index.json` and its kin.

    {"metadata": {"total_size": <bytes of all tensors>}, "weight_map": {"<tensor>": "<file>", …}}

transformers, diffusers and accelerate open the files that `weight_map` names, relative to the folder of the index.
Source: transformers' `save_pretrained` and `get_checkpoint_shard_files`.
"""

from collections.abc import Iterable

from modelscan_plus.core.artifact import Artifact
from modelscan_plus.core.coverage import CoverageReason
from modelscan_plus.core.limits import Budget, BudgetExceeded
from modelscan_plus.formats.interface import Format, Parsed, Region, View
from modelscan_plus.formats.summaries import WeightIndex
from modelscan_plus.formats.tensors.json_reader import Json, JsonFault, JsonReader, Members

MAX_TENSORS = 200_000
_LARGEST = 50_000_000


class WeightIndexFormat(Format):
    """Which tensor stands in which file."""

    name = "weight-index"
    title = "index of a model in several files"
    extensions = (".json",)
    executable = False
    description = (
        "`weight_map` and `metadata.total_size` are read strictly, keys that stand twice are noted. The named files "
        "are compared with those that are there: missing and unlisted ones, paths that lead out, and, for safetensors, "
        "whether each tensor stands in the file that is named, and in no other."
    )

    def claims(self, view: View) -> bool:
        begins = view.head.lstrip(b" \t\r\n\xef\xbb\xbf")[:1] == b"{"
        return begins and (b'"weight_map"' in view.head or view.artifact.name.lower().endswith(".index.json"))

    def parse(self, artifact: Artifact, budget: Budget) -> Iterable[Parsed]:
        size = artifact.source.size
        regions = (Region(0, size, "structure"),)
        if size > _LARGEST:
            raise BudgetExceeded("budget-header", f"an index of {size:,} bytes is not read")
        data = artifact.source.pread(0, size)
        reader = JsonReader(data[3:] if data.startswith(b"\xef\xbb\xbf") else data, budget)
        try:
            members, repeated = _members(reader)
        except JsonFault as fault:
            message = f"the index is not valid JSON at byte {fault.offset:,}: {fault.message}"
            yield Parsed((), regions, gaps=(CoverageReason("malformed", message),))
            return
        yield Parsed((), regions, summaries=(_summary(members, repeated),))


def _members(reader: JsonReader) -> tuple[dict[bytes, Json], tuple[str, ...]]:
    """The outermost members, the last of each name, and the tensors that stand twice in the map."""
    members: dict[bytes, Json] = {}
    reader.expect(b"{")
    if not reader.take(b"}"):
        while True:
            reader.peek()
            start = reader.position
            key = reader.key()
            if key in members:
                reader.duplicate(key, start)
            members[key] = reader.member_value(key)
            if not reader.take(b","):
                break
        reader.expect(b"}")
    if reader.peek():
        reader.fault("something follows the object")
    return members, tuple(sorted({item.path for item in reader.duplicates}))


def _summary(members: dict[bytes, Json], repeated: tuple[str, ...]) -> WeightIndex:
    metadata = members.get(b"metadata")
    total = metadata.last().get(b"total_size") if isinstance(metadata, Members) else None
    listed = members.get(b"weight_map")
    if not isinstance(listed, Members):
        return WeightIndex({}, repeated, problem="it has no weight_map that is an object")
    weights: dict[str, str] = {}
    problem = ""
    for item in listed.items[:MAX_TENSORS]:
        if isinstance(item.value, str):
            weights[item.key.decode("utf-8", "replace")] = item.value
        else:
            problem = "its weight_map names something that is no file name"
    whole = isinstance(total, (int, float)) and not isinstance(total, bool) and 0 <= total < 1 << 63
    return WeightIndex(
        weights,
        repeated,
        total_size=int(total) if whole and isinstance(total, (int, float)) else None,
        problem=problem,
        complete=len(listed.items) <= MAX_TENSORS,
    )
