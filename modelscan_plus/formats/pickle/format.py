"""The pickle format: which bytes are pickles, and the one or more pickles that stand in them one after another."""

from collections.abc import Iterable, Iterator

import msgspec

from modelscan_plus.core.artifact import Artifact
from modelscan_plus.core.bytesource import ByteSource, BytesSource, SliceSource
from modelscan_plus.core.coverage import CoverageReason
from modelscan_plus.core.limits import Budget, Limits
from modelscan_plus.core.text import visible
from modelscan_plus.formats.interface import Format, Parsed, Region, View
from modelscan_plus.formats.pickle import torch_legacy
from modelscan_plus.formats.pickle.facts import PickleFacts
from modelscan_plus.formats.pickle.hidden import hidden_bytes
from modelscan_plus.formats.pickle.machine import Machine
from modelscan_plus.formats.pickle.opcodes import OPCODES
from modelscan_plus.formats.pickle.tensors import tensor_names
from modelscan_plus.formats.pickle.values import COMPUTED, Call, Global
from modelscan_plus.formats.stdlib import STDLIB
from modelscan_plus.formats.summaries import PickleImports, Storages

_PEEK = Limits(max_opcodes=50_000, max_objects=50_000)
_REMOTE_PEEK = 1 << 16
"""Bytes of a remote file that decide whether it is a pickle."""
_MODULES = 200
_LATER = 8
"""Pickles in a row that are tried before a text is taken for text."""
_PICKLE_WEIGHT = 60
"""Objects that one pickle of many in a row counts for: it costs as much even when it is empty."""
_STARTS = frozenset(OPCODES) - frozenset(b".01Rabeostu\x81\x85\x86\x87\x90\x92\x93\x94")
"""Opcodes with which a pickle can begin: those that need nothing on the stack."""


_ZIP = b"PK\3\4"
"""Also PERSID and a line: only loaders with persistent objects get past that, and those take a zip for a zip."""


def _identifier(name: str) -> bool:
    return all(part.isidentifier() for part in name.split("."))


def plausible(facts: PickleFacts) -> bool:
    """True when an unpickler would have done something before it ended: called a name that can exist, or
    imported one from the standard library and gone on; two lines of text can look like a lone import."""
    for effect in facts.effects:
        if isinstance(effect, Global):
            if facts.ended != "error" and effect.module.partition(".")[0] in STDLIB and _identifier(effect.name):
                return True
        elif isinstance(effect, Call):
            function = effect.function
            if not isinstance(function, Global) or (_identifier(function.module) and _identifier(function.name)):
                return True
    return False


def _is_proto(head: bytes) -> bool:
    return len(head) > 2 and head[0] == 0x80 and head[1] <= 5 and head[2] in _STARTS


def _may_be_payload(head: bytes) -> bool:
    return _is_proto(head) or head[:1] in (b"c", b"(")


def _peek(source: ByteSource, start: int) -> PickleFacts:
    return Machine(source, start, Budget(_PEEK)).run()


class PickleFormat(Format):
    """Raw pickles of any protocol, several in a row, with joblib's raw arrays between the opcodes."""

    name = "pickle"
    title = "Python pickle (also joblib, dill, cloudpickle)"
    extensions = (
        ".pkl", ".pickle", ".p", ".joblib", ".dill", ".bin", ".pt", ".pth", ".ckpt", ".model", ".sav", ".dat", ".data",
        ".pdparams", ".pdopt", ".pdmodel", ".npy",
    )  # fmt: skip
    executable = True
    description = (
        "Every opcode of protocols 0 to 5 is run on symbols: stack, memo, marks, frames, extension registry, "
        "persistent ids, out-of-band buffers. Several pickles in a row are read one by one. joblib's raw arrays "
        "are stepped over by their declared size; when the bytes there could also be opcodes, that reading is "
        "judged as well. Loaders: pickle, joblib, dill, cloudpickle, torch.load, pandas.read_pickle, numpy.load."
    )

    def claims(self, view: View) -> bool:
        head = view.head
        if torch_legacy.has_magic(head) or head.startswith(_ZIP):
            return False
        if view.artifact.payload:
            return _may_be_payload(head) and _worth(_peek(view.artifact.source, 0), view.artifact.source)
        if _is_proto(head):
            return True
        if head[:1] == b"\x80":  # protocols that do not exist: Python refuses, other readers may not
            return len(head) > 2 and head[2] in OPCODES and plausible(_peek(BytesSource(head), 0))
        if not head or head[0] not in _STARTS:
            return False
        if plausible(_peek(BytesSource(head), 0)):
            return True
        source = view.artifact.source
        if source.remote:
            # "PK" could be a text argument, and looking for its end could take all of the file.
            source = SliceSource(source, 0, _REMOTE_PEEK)
        facts = _peek(source, 0)
        return _worth(facts, source) or _worth_later(facts, source)

    def parse(self, artifact: Artifact, budget: Budget) -> Iterable[Parsed]:
        for facts, _ in _pickles(artifact.source, budget):
            yield _parsed(facts, artifact, budget)


class TorchLegacyFormat(Format):
    """torch.save before 1.6 (and `_use_new_zipfile_serialization=False` since)."""

    name = "torch-legacy"
    title = "PyTorch checkpoint, legacy (stacked pickles)"
    extensions = (".pt", ".pth", ".bin", ".ckpt", ".t7", ".model", ".pkl")
    executable = True
    description = (
        "Five pickles in a row (magic number, protocol version, system facts, the object, the keys of its storages) "
        "and then the storages as raw numbers, each with its length. All pickles are read; storages are accounted "
        "for by length. Loader: torch.load."
    )

    def claims(self, view: View) -> bool:
        return torch_legacy.has_magic(view.head)

    def parse(self, artifact: Artifact, budget: Budget) -> Iterable[Parsed]:
        streams: list[PickleFacts] = []
        end = 0
        for facts, end in _pickles(artifact.source, budget):  # noqa: B007 - the last end is used below
            streams.append(facts)
            yield _parsed(facts, artifact, budget)
        stop, places = torch_legacy.storages(streams, artifact.source, end)
        if stop > end:
            yield Parsed(regions=(Region(end, stop - end, "inert"),), summaries=(Storages(places, headers=False),))


def _worth(facts: PickleFacts, source: ByteSource) -> bool:
    """True for a pickle without effects worth reporting that still is one: it fills the artifact to the end."""
    if plausible(facts):
        return True
    return facts.ended == "stop" and facts.opcodes > 1 and (facts.end == source.size or facts.protocol >= 2)


def _worth_later(facts: PickleFacts, source: ByteSource) -> bool:
    """True when a pickle behind the first one acts; text can look like a first one that does nothing."""
    for _ in range(_LATER):
        if facts.ended != "stop" or facts.end >= source.size:
            return False
        facts = _peek(source, facts.end)
        if plausible(facts):
            return True
    return False


def _parsed(facts: PickleFacts, artifact: Artifact, budget: Budget) -> Parsed:
    handed = list(hidden_bytes(facts, artifact.source, budget))
    taken = {hidden.blob.offset for hidden in handed if hidden.blob is not None}
    nested = [
        artifact.member(f"bytes at {start}", SliceSource(artifact.source, start, length), payload=True)
        for start, length in facts.payloads
        if start not in taken
    ]
    nested += [artifact.member(hidden.name, hidden.source, payload=not hidden.loaded) for hidden in handed]
    last = facts.anomalies[-1].message if facts.anomalies else ""
    end = facts.end
    gaps: tuple[CoverageReason, ...] = ()
    if facts.ended == "error":
        message = f"the pickle breaks off at byte {end:,}: {last}"
        gaps = (CoverageReason("malformed", message, executable=True),)
    elif facts.ended != "stop":
        gaps = (CoverageReason(facts.ended, last, executable=True),)
        end = artifact.source.size
    if facts.payloads_omitted:
        message = (
            f"{facts.payloads_omitted:,} more bytes literals look like pickles or archives; they were not looked into"
        )
        gaps += (CoverageReason("budget-payloads", message, executable=True),)
    names = tensor_names(facts.result)
    region = Region(facts.start, end - facts.start, "structure")
    summaries = (*((names,) if names else ()), *_imports(facts))
    return Parsed((facts,), (region,), nested=nested, gaps=gaps, summaries=summaries)


def _imports(facts: PickleFacts) -> tuple[PickleImports, ...]:
    """Modules that a file of the repository could be."""
    modules = {effect.module for effect in facts.effects if isinstance(effect, Global)}
    foreign = sorted(visible(name) for name in modules if name.partition(".")[0] not in STDLIB and len(name) < 200)
    return (PickleImports(tuple(foreign[:_MODULES])),) if foreign else ()


def _pickles(source: ByteSource, budget: Budget) -> Iterator[tuple[PickleFacts, int]]:
    """Each pickle of the artifact with the offset behind it: embedded ones, then the one around them."""
    position = 0
    ordinal = 0
    while position < source.size:
        budget.take_objects(_PICKLE_WEIGHT)
        machine = Machine(source, position, budget)
        facts = machine.run()
        if ordinal and facts.ended == "error" and not plausible(facts):
            return
        end = max(facts.end, position)
        for inner in machine.embedded:
            yield msgspec.structs.replace(inner, ordinal=ordinal), end
            ordinal += 1
        reading = "joblib.load" if machine.array_at is not None else ""
        yield msgspec.structs.replace(facts, ordinal=ordinal, reading=reading), end
        ordinal += 1
        if machine.array_at is not None:
            yield from _plain_reading(source, position, machine.array_at, budget, ordinal, end)
        if facts.ended != "stop":
            return
        position = end


def _plain_reading(
    source: ByteSource, start: int, array_at: int, budget: Budget, ordinal: int, end: int
) -> Iterator[tuple[PickleFacts, int]]:
    """What `pickle.load` makes of a joblib file: it reads on where joblib steps over an array."""
    first = source.pread(array_at, 1)
    if not first or first[0] not in OPCODES:
        return
    facts = Machine(source, start, budget, joblib_arrays=False).run()
    # Numbers can look like opcodes; without a name in them they do nothing that the other reading does not show.
    if facts.end > array_at + 1 and any(
        isinstance(effect, Global) and effect.module != COMPUTED and effect.offset >= array_at
        for effect in facts.effects
    ):
        # Raw numbers are no opcodes, so this reading breaks off somewhere; only what it does before that counts.
        ended = "stop" if facts.ended == "error" else facts.ended
        facts = msgspec.structs.replace(facts, ended=ended, anomalies=() if ended == "stop" else facts.anomalies)
        yield msgspec.structs.replace(facts, ordinal=ordinal, reading="pickle.load", end=min(facts.end, end)), end
