"""The members of PyTorch's checkpoints of 2016 in which pickles and raw numbers take turns.

`storages` is a pickled count, then for each storage a pickled (key, location, type), an int64 count and the elements.
`tensors` is a pickled count, then for each tensor a pickled (key, storage, type), an int32 number of dimensions, four
bytes, sizes and strides as int64 and an int64 offset. Source: torch/serialization.py, `legacy_load`.
"""

from collections.abc import Iterator

from modelscan_plus.core.artifact import Artifact
from modelscan_plus.core.bytesource import ByteSource, SliceSource
from modelscan_plus.core.limits import Budget
from modelscan_plus.formats.pickle.facts import PickleFacts
from modelscan_plus.formats.pickle.machine import Machine
from modelscan_plus.formats.pickle.torch_legacy import element_size
from modelscan_plus.formats.pickle.values import Global, sequence

MIXED = frozenset({"storages", "tensors"})


def pieces(artifact: Artifact, name: str, source: ByteSource, budget: Budget) -> Iterator[Artifact]:
    """Each pickle as an artifact of its own; whatever cannot be told apart stays together in the last one."""
    position = 0
    while position < source.size:
        facts = Machine(source, position, budget).run()
        behind = facts.end if position == 0 else _numbers_end(name, source, facts)
        if facts.ended != "stop" or behind is None or behind > source.size:
            yield artifact.member(name, SliceSource(source, position, source.size - position))
            return
        yield artifact.member(name, SliceSource(source, position, facts.end - position))
        position = behind


def _numbers_end(name: str, source: ByteSource, facts: PickleFacts) -> int | None:
    """Offset behind the numbers that follow a pickle, None when they cannot be measured."""
    if name == "tensors":
        dimensions = int.from_bytes(source.pread(facts.end, 4), "little", signed=True)
        return facts.end + 8 + 16 * dimensions + 8 if 0 <= dimensions <= 64 else None
    parts = sequence(facts.result)
    if not parts or len(parts) < 3 or not isinstance(parts[2], Global):
        return None
    count = int.from_bytes(source.pread(facts.end, 8), "little", signed=True)
    return facts.end + 8 + count * element_size(parts[2].name) if count >= 0 else None
