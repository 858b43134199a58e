"""What a model says about tensors in other files.

A tensor with data_location EXTERNAL, or with entries of external_data, names a file by "location", relative to the
folder of the model, and a range of it by "offset" and "length", both written as decimal text; both may be missing. The
other keys of the format are "checksum" and "basepath"; onnxruntime adds "prepacked_…" for weights in its own order.
Sources: docs/ExternalData.md of onnx; ExternalDataInfo of onnx and of onnxruntime.
"""

from collections.abc import Iterable

import msgspec

from modelscan_plus.core.facts import Facts
from modelscan_plus.formats.graphs.onnx.values import declared_bytes
from modelscan_plus.formats.graphs.onnx.walk import Placed
from modelscan_plus.formats.summaries import ExternalFile, ExternalFiles

KEYS = frozenset({"location", "offset", "length", "checksum", "basepath"})
_PREPACKED = "prepacked_"
_FILES = 500
_DIGITS = 30


class Reference(msgspec.Struct, frozen=True):
    """One tensor that is said to be in another file."""

    where: str
    """For people: scope and name of the tensor."""
    place: str
    """"initializer", "subgraph", "function", "training", "attribute" or "sparse"."""
    location: str
    offset: int | None
    """None where it is not written; -1 where it is no number of the size that readers accept."""
    length: int | None
    written: str
    """Offset and length as they stand in the file."""
    declared: int | None
    """Bytes by type and dims."""
    unknown: tuple[str, ...]
    """Keys that the format does not have."""
    repeated: tuple[str, ...]
    """Keys that stand more than once."""
    external: bool
    """True when data_location says so; entries without it are ignored by loaders."""
    start: int
    """File offset of the tensor."""

    @property
    def end(self) -> int | None:
        """The first byte behind the data; None where it cannot be told."""
        offset = self.offset or 0
        size = self.declared if self.length is None else self.length
        return None if size is None or offset < 0 or size < 0 else offset + size


class ExternalFacts(Facts, frozen=True):
    """All references of one model."""

    name: str
    """File name of the model."""
    references: tuple[Reference, ...]


def references(placed: Iterable[Placed]) -> tuple[Reference, ...]:
    """The tensors with external data, in order."""
    return tuple(_reference(item) for item in placed if item.tensor.external or item.tensor.external_data)


def _reference(item: Placed) -> Reference:
    tensor = item.tensor
    entries: dict[str, str] = {}
    repeated = []
    for entry in tensor.external_data:
        if entry.key in entries:
            repeated.append(entry.key)
        entries[entry.key] = entry.text()
    place = item.place
    if place == "initializer" and item.scope.kind != "graph":
        place = item.scope.kind
    elif place != "sparse" and item.scope.root == "function":
        place = "function"
    return Reference(
        where=item.where,
        place="function" if place == "default" else place,
        location=entries.get("location", ""),
        offset=_number(entries.get("offset")),
        length=_number(entries.get("length")),
        written=", ".join(f"{key} {entries[key][:40]}" for key in ("offset", "length") if key in entries),
        declared=declared_bytes(tensor),
        unknown=tuple(key for key in entries if key not in KEYS and not key.startswith(_PREPACKED)),
        repeated=tuple(repeated),
        external=tensor.external,
        start=tensor.offset,
    )


def _number(text: str | None) -> int | None:
    if text is None:
        return None
    if not text.isascii() or not text.isdigit() or len(text) > _DIGITS:
        return -1
    number = int(text)
    return number if number < 1 << 63 else -1


def summary(found: Iterable[Reference]) -> ExternalFiles | None:
    """What the rules over the whole tree need of it."""
    files: dict[str, ExternalFile] = {}
    for reference in found:
        if not reference.external or not reference.location:
            continue
        known = files.get(reference.location)
        end = max(reference.end or 0, known.end if known else 0)
        count = known.tensors + 1 if known else 1
        where = known.where if known else reference.where
        files[reference.location] = ExternalFile(reference.location, end, count, where)
    kept = tuple(files[location] for location in sorted(files)[:_FILES])
    return ExternalFiles(kept) if kept else None
