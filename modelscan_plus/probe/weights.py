"""The tensors of a model in safetensors files: where each one stands, checked by the scan's own strict reader.

A checkpoint is one file, or several with an index whose `weight_map` says which tensor stands in which file. Nothing
is read but headers; tensors are read when they are asked for, in pieces of any size.

Source: the description of the safetensors format; transformers' `get_checkpoint_shard_files`.
"""

import json
import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from math import prod
from typing import Any

from modelscan_plus.core.bytesource import ByteSource
from modelscan_plus.core.limits import Budget, BudgetExceeded, Limits
from modelscan_plus.core.text import shorten, visible
from modelscan_plus.formats.tensors.dtypes import DTYPE_BITS
from modelscan_plus.formats.tensors.header import LENGTH_BYTES, read_header
from modelscan_plus.formats.tensors.layout import lay_out
from modelscan_plus.formats.tensors.problems import Problems
from modelscan_plus.probe.files import ModelFiles
from modelscan_plus.probe.interface import NotProbed

MOST_HEADER = 16 << 20
"""Bytes of one header: about 100,000 tensors, while large models have a few thousand."""
MOST_INDEX = 16 << 20
MOST_SHARDS = 256
_SECONDS = 60.0
_PICKLES = (".bin", ".pt", ".pth", ".ckpt", ".pkl")


@dataclass(frozen=True, slots=True)
class Tensor:
    """One tensor and the bytes that hold it."""

    name: str
    file: str
    dtype: str
    """As the format names it: "F32", "BF16", …"""
    shape: tuple[int, ...]
    start: int
    """Offset in the file."""
    size: int
    """Bytes."""

    @property
    def count(self) -> int:
        """Elements."""
        return prod(self.shape)


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """All tensors of a model by name, in the order in which they stand in the files."""

    files: ModelFiles
    tensors: Mapping[str, Tensor]
    names: tuple[str, ...]
    """The files that hold them."""
    metadata: Mapping[str, str] = field(default_factory=dict)

    def __contains__(self, name: str) -> bool:
        return name in self.tensors

    def read(self, name: str) -> bytes:
        """The bytes of a tensor; raises NotProbed where the file is shorter than it was."""
        tensor = self.tensors[name]
        return self.part(tensor, 0, tensor.size)

    def part(self, tensor: Tensor, begin: int, length: int) -> bytes:
        """Some of its bytes."""
        data = self.files[tensor.file].read_exact(tensor.start + begin, length)
        if data is None:
            raise NotProbed(f"{visible(tensor.file)}: it ended while it was read")
        return data

    def pieces(self, name: str, step: int) -> Iterator[bytes]:
        """The bytes of a tensor, `step` at a time."""
        tensor = self.tensors[name]
        for begin in range(0, tensor.size, step):
            yield self.part(tensor, begin, min(step, tensor.size - begin))


def open_checkpoint(files: ModelFiles, stem: str = "model") -> Checkpoint:
    """The tensors of `STEM.safetensors`, of `STEM.safetensors.index.json`, or of the only safetensors file at the top.

    Raises NotProbed, with the reason, where there are none or where the safetensors library would refuse a file.
    """
    if f"{stem}.safetensors" in files:
        return _of_files(files, (f"{stem}.safetensors",))
    index = f"{stem}.safetensors.index.json"
    if index in files:
        return _of_files(files, _shards(files, index))
    alone = [name for name in files if name.endswith(".safetensors") and "/" not in name]
    if len(alone) == 1:
        return _of_files(files, (alone[0],))
    if alone:
        raise NotProbed(f"{len(alone)} safetensors files and no {index} that says what belongs together")
    pickled = [name for name in files if name.lower().endswith(_PICKLES)]
    if pickled:
        what = shorten(visible(pickled[0]), 60)
        raise NotProbed(f"its weights are pickles ({what}), which a probe does not load; convert them to safetensors")
    raise NotProbed("there are no weights in safetensors files")


def _shards(files: ModelFiles, index: str) -> tuple[str, ...]:
    value = read_json(files, index, MOST_INDEX)
    listed = value.get("weight_map")
    if not isinstance(listed, dict) or not listed:
        raise NotProbed(f"{index}: it has no weight_map")
    names = sorted({name for name in listed.values() if isinstance(name, str)})
    if len(names) > MOST_SHARDS:
        raise NotProbed(f"{index}: it names {len(names):,} files; a probe opens {MOST_SHARDS} at most")
    missing = [name for name in names if name not in files]
    if missing or not names:
        what = shorten(visible(missing[0]), 80) if missing else "any file"
        raise NotProbed(f"{index}: it names {what}, which is not there")
    return tuple(names)


def _of_files(files: ModelFiles, names: tuple[str, ...]) -> Checkpoint:
    tensors: dict[str, Tensor] = {}
    metadata: dict[str, str] = {}
    for name in names:
        for tensor in _entries(files[name], name, metadata):
            if tensor.name in tensors:
                raise NotProbed(f"the tensor {quoted(tensor.name)} stands in two files")
            tensors[tensor.name] = tensor
    if not tensors:
        raise NotProbed(f"{visible(names[0])}: it holds no tensor")
    return Checkpoint(files, tensors, names, metadata)


def _entries(source: ByteSource, file: str, metadata: dict[str, str]) -> list[Tensor]:
    """The tensors of one file, whose header the strict reader accepts."""
    shown = shorten(visible(file), 80)
    first = source.read_exact(0, LENGTH_BYTES)
    if first is None:
        raise NotProbed(f"{shown}: it is too short to be a safetensors file")
    (length,) = struct.unpack("<Q", first)
    if length > MOST_HEADER:
        raise NotProbed(f"{shown}: a header of {length:,} bytes; a probe reads {MOST_HEADER:,} at most")
    data = source.read_exact(LENGTH_BYTES, length)
    if data is None:
        raise NotProbed(f"{shown}: its header ends behind the end of the file")
    problems = Problems()
    budget = Budget(Limits(seconds=_SECONDS))
    try:
        header = read_header(data, budget, problems)
    except BudgetExceeded as breach:
        raise NotProbed(f"{shown}: {breach.message}") from None
    if header.breach is not None:
        raise NotProbed(f"{shown}: {header.breach.message}")
    layout = lay_out(header.begins, header.ends, source.size - LENGTH_BYTES - length)
    for problem in problems.all():
        raise NotProbed(f"{shown}: {problem.message}")
    if header.duplicates:
        raise NotProbed(f"{shown}: the key {quoted(header.duplicates[0].path)} stands twice in the header")
    if layout.overlap_count or layout.beyond_count:
        what = "share bytes" if layout.overlap_count else "end behind the end of the file"
        raise NotProbed(f"{shown}: tensors that {what}")
    if header.end is None or data[header.end :].strip(b" \t\r\n"):
        raise NotProbed(f"{shown}: something stands behind the JSON of its header")
    # What the strict reader accepts means the same to every reader of JSON.
    entries = json.loads(data)
    described = entries.pop("__metadata__", None) or {}
    metadata.update({str(key): str(value) for key, value in described.items()})
    start = LENGTH_BYTES + length
    found = [_tensor(name, file, entry, start) for name, entry in entries.items()]
    return sorted(found, key=lambda tensor: (tensor.start, tensor.name))


def _tensor(name: str, file: str, entry: Mapping[str, Any], start: int) -> Tensor:
    begin, end = entry["data_offsets"]
    shape = tuple(entry["shape"])
    if len(shape) > 8 or entry["dtype"] not in DTYPE_BITS:
        raise NotProbed(f"the tensor {quoted(name)} has {len(shape)} dimensions")
    return Tensor(name, file, entry["dtype"], shape, start + begin, end - begin)


def quoted(name: str) -> str:
    """A name out of a hostile file, for a message."""
    return f'"{shorten(visible(name), 80)}"'


def read_json(files: ModelFiles, name: str, limit: int = 1 << 20) -> dict[str, Any]:
    """A JSON object out of a file; raises NotProbed for everything else."""
    shown = shorten(visible(name), 80)
    if name not in files:
        raise NotProbed(f"there is no {shown}")
    try:
        value = json.loads(files.read(name, limit))
    except RecursionError:
        raise NotProbed(f"{shown}: it is nested too deep") from None
    except UnicodeDecodeError:
        raise NotProbed(f"{shown}: it is not UTF-8") from None
    except json.JSONDecodeError:
        raise NotProbed(f"{shown}: it is not valid JSON") from None
    except ValueError as error:  # too large, or a number with thousands of digits
        raise NotProbed(shorten(visible(str(error)), 200)) from None
    if not isinstance(value, dict):
        raise NotProbed(f"{shown}: it is not a JSON object")
    return value
