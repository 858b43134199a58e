"""Every object of an HDF5 file: what it links to, what its attributes say, and what stands in datasets of bytes."""

import re
from collections.abc import Iterator

from modelscan_plus.core.artifact import Artifact
from modelscan_plus.core.bytesource import BytesSource, SliceSource
from modelscan_plus.core.coverage import CoverageReason
from modelscan_plus.core.limits import Budget
from modelscan_plus.core.text import shorten, visible
from modelscan_plus.formats.hdf5.facts import Bomb, Hdf5Facts, Outside
from modelscan_plus.formats.hdf5.groups import links
from modelscan_plus.formats.hdf5.heaps import GlobalHeaps, local_heap
from modelscan_plus.formats.hdf5.reader import (
    DATASPACE,
    DATATYPE,
    EXTERNAL_FILES,
    FILTERS,
    LAYOUT,
    Cursor,
    File,
    Malformed,
    Message,
)
from modelscan_plus.formats.hdf5.values import (
    Attribute,
    Datatype,
    Layout,
    attributes,
    chunks,
    count_of,
    datatype,
    elements,
    filters,
    layout,
    texts,
    unfiltered,
)
from modelscan_plus.formats.hdf5.virtual import sources

_ELEMENTS = 1000
"""Elements of one attribute or dataset that are looked at."""
_READ = 8 << 20
"""Bytes of one dataset that are read; numbers are not read at all."""
_KEPT = 64 << 20
"""Bytes of all attributes and datasets that are kept to be looked into."""
_BUILT_IN = 7
"""Filters below this number are HDF5's own; 32000 is the LZF that h5py brings."""
_LZF = 32000
_BOMB_BYTES, _BOMB_TIMES = 1 << 30, 64
_JSON = re.compile(rb"\s*[{\[]\s*[\"{\[}\]]")
_NUMBERED = re.compile(r"(?P<stem>.*?\D)(?P<number>\d+)$")
_PYTABLES = frozenset(("PYTABLES_FORMAT_VERSION", "PSEUDOATOM", "pandas_type", "pandas_version"))
_KERAS = frozenset(("model_config", "keras_version", "layer_names", "weight_names", "training_config"))


class Walk:
    """Goes through one file; what it found stands in its attributes afterwards."""

    def __init__(self, artifact: Artifact, file: File, budget: Budget) -> None:
        self._artifact = artifact
        self._file = file
        self._budget = budget
        self._heaps = GlobalHeaps(file)
        self._room = _KEPT
        self._telling: list[str] = []
        """Datasets of bytes that could not be read."""
        self.nested: list[Artifact] = []
        self.outside: list[Outside] = []
        self.bombs: list[Bomb] = []
        self.gaps: dict[CoverageReason, None] = {}
        self.names: set[str] = set()
        """Names of all attributes."""

    def run(self) -> None:
        """Visit every object once."""
        stack = [("", self._file.root)]
        seen: set[int] = set()
        while stack:
            path, address = stack.pop()
            if address in seen:
                continue
            seen.add(address)
            self._budget.take_entries(1)
            try:
                messages = self._file.messages(address)
                stack += reversed(list(self._group(path, messages)))
            except Malformed as fault:
                self._gap(fault, path)
                continue
            for look in (self._attributes, self._dataset):
                try:
                    look(path, messages)
                except Malformed as fault:
                    self._gap(fault, path)
        for path in self._telling[:10]:
            message = f"{visible(path)}: bytes whose storage is not read here"
            self.gaps[CoverageReason("hdf5-storage", message, self.pytables)] = None

    @property
    def pytables(self) -> bool:
        """True for a file whose readers unpickle."""
        return bool(self.names & _PYTABLES)

    @property
    def variant(self) -> str:
        """The kind of file that its attributes show."""
        return "pytables" if self.pytables else "keras-h5" if self.names & _KERAS else ""

    @property
    def facts(self) -> Hdf5Facts:
        """What was found."""
        return Hdf5Facts(tuple(self.outside[:200]), tuple(self.bombs[:50]), self.pytables)

    def _gap(self, fault: Malformed, path: str) -> None:
        if len(self.gaps) < 20:
            where = f"{shorten(visible(path), 80)}: " if path else ""
            self.gaps[CoverageReason("malformed", f"{where}{fault}", executable=True)] = None

    def _group(self, path: str, messages: list[Message]) -> Iterator[tuple[str, int]]:
        for link in links(self._file, messages):
            at = f"{path}/{link.name}"
            if link.kind == "hard" and link.address is not None:
                yield at, link.address
            elif link.kind == "external":
                self._leads(at, "external-link", f"{link.file}:{link.path}")
            elif link.kind == "user-defined":
                self._leads(at, "user-link", link.path)

    def _leads(self, path: str, kind: str, target: str) -> None:
        self.outside.append(Outside(kind, shorten(visible(path), 160), shorten(visible(target), 200)))

    def _attributes(self, path: str, messages: list[Message]) -> None:
        numbered: dict[str, dict[int, bytes]] = {}
        for attribute in attributes(self._file, messages):
            self.names.add(attribute.name)
            self._budget.take_entries(1)
            parts = self._parts(path, attribute)
            if len(parts) > 1:
                self._hand_over(f"{path}@{attribute.name}", b"".join(parts), only_json=True)
            for number, part in enumerate(parts):
                place = f"{path}@{attribute.name}" + (f"[{number}]" if len(parts) > 1 else "")
                self._hand_over(place, part)
            if (found := _NUMBERED.match(attribute.name)) and parts:
                numbered.setdefault(found["stem"], {})[int(found["number"][:9])] = b"".join(parts)
        for stem, pieces in numbered.items():  # a long configuration is kept in several attributes
            self._hand_over(f"{path}@{stem}", b"".join(pieces[key] for key in sorted(pieces)), only_json=True)

    def _parts(self, path: str, attribute: Attribute) -> list[bytes]:
        """The texts of an attribute; of a compound all its bytes as one."""
        if attribute.type.kind == "numbers":
            return []
        if attribute.type.kind == "mixed":
            return [attribute.data]
        length = min(len(attribute.data), attribute.count * attribute.type.size)
        return list(texts(self._file, self._heaps, attribute.type, attribute.data[:length], _ELEMENTS))

    def _hand_over(self, place: str, data: bytes, *, only_json: bool = False) -> None:
        """Make an artifact of what could be JSON, a pickle or another file."""
        data = data.rstrip(b"\0") if not data.startswith(b"\x80") else data
        if len(data) < 3 or len(data) > self._room:
            return
        is_json = _JSON.match(data) is not None and len(data) > 8
        if only_json and not is_json:
            return
        self._room -= len(data)
        name = place.lstrip("/").replace("/", "_").lstrip("@_") or "value"
        if is_json:
            self.nested.append(self._artifact.member(f"{name}.json", BytesSource(data)))
        else:  # readers of PyTables unpickle whatever ends as a pickle does
            payload = not (data.rstrip(b"\0").endswith(b"."))
            self.nested.append(self._artifact.member(name, BytesSource(data), payload=payload))

    def _dataset(self, path: str, messages: list[Message]) -> None:
        found = {message.kind: message for message in reversed(messages)}
        if LAYOUT not in found or DATATYPE not in found or DATASPACE not in found:
            return
        kind = datatype(self._file, self._file.resolved(found[DATATYPE]) or b"")
        shape = elements(self._file, self._file.resolved(found[DATASPACE]) or b"")
        place = layout(self._file, found[LAYOUT].data)
        pipeline = filters(self._file, self._file.resolved(found[FILTERS]) or b"") if FILTERS in found else []
        for number in pipeline:
            if number >= _BUILT_IN and number != _LZF:
                self._leads(path, "filter", str(number))
        if EXTERNAL_FILES in found:
            for name in self._external(found[EXTERNAL_FILES].data):
                self._leads(path, "external-data", name)
        if place.kind == "virtual":
            self._virtual(path, place)
        needed = count_of(shape) * kind.size
        if needed > _BOMB_BYTES and needed > _BOMB_TIMES * self._file.source.size:
            self.bombs.append(Bomb(shorten(visible(path), 160), shape[:8], needed, self._file.source.size))
        if kind.kind != "numbers" and EXTERNAL_FILES not in found and count_of(shape):
            self._bytes(path, kind, place, pipeline, needed)

    def _external(self, data: bytes) -> Iterator[str]:
        cursor = Cursor(data, self._file, 4)
        cursor.take(2)
        used, heap = cursor.number(2), cursor.address()
        names = Cursor(local_heap(self._file, heap), self._file)
        for _ in range(min(used, _ELEMENTS)):
            names.at = cursor.length()
            cursor.length()
            cursor.length()
            yield names.text()

    def _virtual(self, path: str, place: Layout) -> None:
        if place.address is None:
            return
        at, size = self._heaps.place(place.address, place.size)
        for name in dict.fromkeys(sources(self._file, self._file.read(at, size))):
            self._leads(path, "virtual", name)

    def _bytes(self, path: str, kind: Datatype, place: Layout, pipeline: list[int], needed: int) -> None:
        """Look into a dataset whose elements are bytes of some kind."""
        if place.kind == "contiguous" and place.address is not None and kind.kind in ("bytes", "mixed"):
            start = self._file.base + place.address
            source = SliceSource(self._file.source, start, min(place.size, needed))
            self.nested.append(self._artifact.member(path.strip("/").replace("/", "_"), source, payload=True))
            return
        data = self._stored(kind, place, pipeline, needed)
        if data is None:
            self._telling.append(path)
            return
        if kind.kind == "mixed":
            self._hand_over(path, data)
            return
        for number, part in enumerate(texts(self._file, self._heaps, kind, data, _ELEMENTS)):
            self._hand_over(f"{path}[{number}]", part)

    def _stored(self, kind: Datatype, place: Layout, pipeline: list[int], needed: int) -> bytes | None:
        """The elements of a dataset, at most `_READ` bytes of them; None where they cannot be had."""
        if place.kind == "compact":
            return place.data
        if place.kind in ("contiguous", "single"):
            if place.address is None:
                return b""
            length = min(place.size or needed, _READ)
            data = self._file.read(place.address, self._file.available(place.address, length))
            return data if place.kind == "contiguous" else unfiltered(self._file, data, pipeline, kind.size, _READ)
        if place.kind != "chunked":
            return None
        made = b""
        for address, size in chunks(self._file, place.address, place.size):
            part = unfiltered(self._file, self._file.read(address, min(size, _READ)), pipeline, kind.size, _READ)
            if part is None:
                return None
            made += part
            if len(made) >= min(_READ, needed):
                break
        return made[: max(0, needed)]
