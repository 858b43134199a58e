"""The index of a checkpoint (variables.index, model.ckpt-100.index): a sorted table of where every variable stands.

    blocks       entries, then u32 offsets of restart points, then u32 their number; behind each block u8 how it is
                 compressed (0 not, 1 snappy) and u32 a checksum
    entry        varint bytes shared with the key before, varint bytes of key, varint bytes of value, key, value
    footer       48 bytes at the end: handle of the block of metadata, handle of the block of the index (a handle is
                 varint offset, varint size), padding, and the magic u64 0xdb4775248b80fb57, little-endian
    value        of the key "": BundleHeaderProto {08 shards}; else BundleEntryProto {08 type  12 shape  18 shard
                 20 offset  28 size  35 checksum}

The numbers themselves stand in files of the same name with the ending .data-00000-of-00001; loaders read no more of
them than the index says. Source: tensorflow/core/lib/io/table and tensorflow/core/protobuf/tensor_bundle.proto.
"""

import struct
from collections.abc import Iterable, Iterator

from modelscan_plus.core.artifact import Artifact
from modelscan_plus.core.bytesource import ByteSource, BytesSource
from modelscan_plus.core.coverage import CoverageReason
from modelscan_plus.core.limits import Budget
from modelscan_plus.core.text import shorten, visible
from modelscan_plus.formats.graphs.tensorflow.facts import CheckpointEntry, CheckpointFacts
from modelscan_plus.formats.graphs.wire import fields, varint
from modelscan_plus.formats.interface import Format, Parsed, Region, View
from modelscan_plus.formats.summaries import ExternalFile, ExternalFiles

_FOOTER = 48
_MAGIC = struct.pack("<Q", 0xDB4775248B80FB57)
_TRAILER = 5
_BLOCK = 64 << 20
"""Bytes of one block that are read; TensorFlow writes some 4 KiB to a block."""
_SHARDS = 500
_KEPT = 50


class _Wrong(Exception):
    """The table is not one."""


class CheckpointFormat(Format):
    """The index of a TensorFlow checkpoint."""

    name = "tensorflow-checkpoint"
    title = "Index of a TensorFlow checkpoint"
    extensions = (".index",)
    executable = False
    description = (
        "Every entry: name, shard, offset and size. The files of numbers beside it are raw data, whose sizes are held "
        "against the entries; texts that a checkpoint keeps among its numbers are not read. Not read either: blocks "
        "that are compressed, which TensorFlow does not write. Loaders: tf.train.Checkpoint, tf.saved_model.load, "
        "tf.compat.v1.train.Saver."
    )

    def claims(self, view: View) -> bool:
        source = view.artifact.source
        return not view.artifact.payload and source.size >= _FOOTER + 8 and view.tail.endswith(_MAGIC)

    def parse(self, artifact: Artifact, budget: Budget) -> Iterable[Parsed]:
        source = artifact.source
        whole = (Region(0, source.size, "structure"),)
        entries: list[CheckpointEntry] = []
        shards: int | None = None
        gap: tuple[CoverageReason, ...] = ()
        try:
            for key, value in _pairs(source, budget):
                if shards is None:
                    shards = _header(value) if not key else None
                    if shards is None:  # a table of something else, or the first form of checkpoints
                        yield Parsed(regions=whole)
                        return
                else:
                    entries.append(_entry(key, value))
        except _Wrong as fault:
            gap = (CoverageReason("malformed", f"the index of the checkpoint cannot be read: {fault}"),)
        wrong = tuple(_wrong(entries, shards or 1))[:_KEPT]
        summary = _summary(artifact, entries, shards or 1)
        yield Parsed((CheckpointFacts(wrong),), whole, gaps=gap, summaries=(summary,) if summary else ())


def _pairs(source: ByteSource, budget: Budget) -> Iterator[tuple[bytes, bytes]]:
    footer = source.pread(source.size - _FOOTER, _FOOTER)
    at = varint(footer, varint(footer, 0)[1])[1]
    offset, at = varint(footer, at)
    size, _ = varint(footer, at)
    for _, handle in _block(source, offset, size, budget):
        place, at = varint(handle, 0)
        length, _ = varint(handle, at)
        yield from _block(source, place, length, budget)


def _block(source: ByteSource, offset: int, size: int, budget: Budget) -> Iterator[tuple[bytes, bytes]]:
    if size > _BLOCK or (data := source.read_exact(offset, size + _TRAILER)) is None:
        raise _Wrong(f"a block of {size:,} bytes at {offset:,} is not there")
    if data[size]:
        raise _Wrong("its blocks are compressed")
    (restarts,) = struct.unpack_from("<I", data, size - 4) if size >= 4 else (0,)
    end = size - 4 - 4 * restarts
    if end < 0:
        raise _Wrong("a block ends before it begins")
    at, key = 0, b""
    while at < end:
        budget.take_objects(3)
        shared, at = varint(data, at)
        more, at = varint(data, at)
        length, at = varint(data, at)
        if shared > len(key) or at + more + length > end:
            raise _Wrong("an entry of a block leaves it")
        key = key[:shared] + data[at : at + more]
        yield key, data[at + more : at + more + length]
        at += more + length


def _header(value: bytes) -> int | None:
    """The number of shards; None where the value is no header of an index."""
    walked = fields(BytesSource(value), 0, len(value), 8) or ()
    if any(field.number == 1 and field.length is not None for field in walked):
        return None
    return next((field.value for field in walked if field.number == 1), 1) if walked or not value else None


def _entry(key: bytes, value: bytes) -> CheckpointEntry:
    numbers = {field.number: field.value for field in fields(BytesSource(value), 0, len(value), 16) or ()}
    name = shorten(visible(key.decode("utf-8", "surrogateescape")), 200)
    return CheckpointEntry(name, numbers.get(3, 0), _signed(numbers.get(4, 0)), _signed(numbers.get(5, 0)))


def _signed(number: int) -> int:
    return number - (1 << 64) if number >> 63 else number


def _wrong(entries: Iterable[CheckpointEntry], shards: int) -> Iterator[str]:
    for entry in entries:
        if entry.offset < 0 or entry.size < 0 or entry.offset + entry.size >= 1 << 62:
            yield f"{entry.name} has the range {entry.offset:,} + {entry.size:,}"
        elif entry.shard >= max(1, shards):
            yield f"{entry.name} is in shard {entry.shard:,} of {shards:,}"


def _summary(artifact: Artifact, entries: Iterable[CheckpointEntry], shards: int) -> ExternalFiles | None:
    """The files of numbers that the entries are in."""
    name = artifact.name.replace("\\", "/").rpartition("/")[2]
    if artifact.members or not name.endswith(".index") or not 0 < shards <= _SHARDS:
        return None
    ends = dict.fromkeys(range(shards), 0)
    counts = dict.fromkeys(range(shards), 0)
    first: dict[int, str] = {}
    for entry in entries:
        if entry.shard in ends and 0 <= entry.offset + entry.size < 1 << 62:
            ends[entry.shard] = max(ends[entry.shard], entry.offset + entry.size)
            counts[entry.shard] += 1
            first.setdefault(entry.shard, entry.name)
    stem = name.removesuffix(".index")
    return ExternalFiles(
        tuple(
            ExternalFile(f"{stem}.data-{shard:05d}-of-{shards:05d}", ends[shard], counts[shard], first.get(shard, ""))
            for shard in range(shards)
        )
    )
