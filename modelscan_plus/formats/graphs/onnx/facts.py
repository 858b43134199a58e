"""What reading an ONNX file gave: the model as typed objects, and what was odd about its bytes."""

from collections.abc import Mapping

import msgspec

from modelscan_plus.core.facts import Facts
from modelscan_plus.formats.graphs.onnx.model import Model
from modelscan_plus.formats.graphs.onnx.usage import Unused
from modelscan_plus.formats.graphs.onnx.walk import Scope
from modelscan_plus.formats.graphs.protobuf import Anomaly


class OnnxFacts(Facts, frozen=True):
    """One ONNX file. The model's spans read from the artifact when asked; everything else is in memory."""

    model: Model
    size: int
    """Bytes of the file."""
    end: int
    """The first byte that is no field of the model any more; `size` unless the file is malformed."""
    anomalies: tuple[Anomaly, ...] = ()
    """The first fifty of each code."""
    counts: Mapping[str, int] = msgspec.field(default_factory=dict)
    """How often each code occurred."""
    unknown_bytes: int = 0
    """Bytes in fields that no version of the format knows."""
    scopes: tuple[Scope, ...] = ()
    """Every graph and function, an outer one before those inside it."""
    unused: Unused = msgspec.field(default_factory=Unused)
    """What no output depends on."""
    complete: bool = True
    """False when a budget ended the reading: the model is then a part of what the file says."""
