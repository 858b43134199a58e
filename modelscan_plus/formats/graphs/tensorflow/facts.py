"""What a file of TensorFlow states, free of judgement."""

import msgspec

from modelscan_plus.core.bytesource import ByteSource
from modelscan_plus.core.facts import Facts
from modelscan_plus.formats.graphs.tensorflow.model import AssetFile, MetaGraph

FROM_TEXT = "as a message"
"""The member that holds what was written as text."""


class TensorFlowFacts(Facts, frozen=True):
    """One SavedModel, MetaGraph or GraphDef."""

    graphs: tuple[MetaGraph, ...]
    source: ByteSource
    """Where the values of attributes are read from."""
    kind: str = ""
    """"saved-model", "meta-graph", "graph-def", or "graph-text" for a graph that was written as text: programs that
    train write one beside their checkpoints."""
    assets: tuple[AssetFile, ...] = ()
    complete: bool = True
    """False when a budget ended the reading."""


class CheckpointEntry(msgspec.Struct, frozen=True):
    """Where a variable stands."""

    name: str
    shard: int
    offset: int
    size: int


class CheckpointFacts(Facts, frozen=True):
    """The index of a checkpoint."""

    wrong: tuple[str, ...] = ()
    """Entries that cannot be, in words; at most 50."""
