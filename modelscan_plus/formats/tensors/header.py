"""The JSON header of a safetensors file, read entry by entry.

Nearly all entries have the form in which the library writes them, and one regular expression reads such an entry;
everything else goes through the strict reader. Of an entry only its span is kept, so that a header of 100 MB with a
million tensors stays within the memory of one file.
"""

import codecs
import re
from array import array
from collections.abc import Iterable, Iterator

import msgspec

from modelscan_plus.core.limits import Budget, BudgetExceeded
from modelscan_plus.core.patterns import lazy
from modelscan_plus.core.text import shorten, visible
from modelscan_plus.formats.tensors.dtypes import DTYPE_BITS
from modelscan_plus.formats.tensors.embedded import text_kind
from modelscan_plus.formats.tensors.facts import EmbeddedText
from modelscan_plus.formats.tensors.json_reader import Duplicate, Json, JsonFault, JsonReader, Members
from modelscan_plus.formats.tensors.problems import Problems

LENGTH_BYTES = 8
METADATA = b"__metadata__"
_SNIFFED = frozenset(("U8", "I8"))
_U64 = 1 << 64
_KEPT_TEXTS = 100
NAMED = 20_000
"""Tensors whose names and shapes are kept."""

_NUMBER = rb"(?:0|[1-9][0-9]{0,18}+)"
_ENTRY = lazy(
    rb'[ \n]*+"(?P<name>[^"\\\x00-\x1f]*+)": ?\{(?:(?:(?<=\{)|, ?)"(?:'
    rb'dtype": ?"(?P<dtype>[A-Z0-9_]{1,16})"'
    rb'|shape": ?\[(?P<shape>(?:' + _NUMBER + rb"(?:, ?" + _NUMBER + rb"){0,15})?)\]"
    rb'|data_offsets": ?\[(?P<begin>' + _NUMBER + rb"), ?(?P<end>" + _NUMBER + rb")\]"
    rb")){3}\}"
)
"""Three fields; when each is there, each is there once."""
_DTYPE = lazy(rb'"dtype": ?"([A-Z0-9_]{1,16})"')


class Header(msgspec.Struct):
    """What the header says. Three parallel arrays hold the tensors whose offsets are usable."""

    data: bytes
    begins: "array[int]" = msgspec.field(default_factory=lambda: array("Q"))
    """data_offsets[0], relative to the end of the header."""
    ends: "array[int]" = msgspec.field(default_factory=lambda: array("Q"))
    keys: "array[int]" = msgspec.field(default_factory=lambda: array("Q"))
    """Where the entry's key stands in `data`."""
    sniffed: list[int] = msgspec.field(default_factory=list)
    """Indices of tensors of plain bytes."""
    tensors: int = 0
    shapes: dict[str, tuple[int, ...]] = msgspec.field(default_factory=dict)
    """Of the first `NAMED` tensors by name, to be compared with a twin in another format."""
    texts: list[EmbeddedText] = msgspec.field(default_factory=list)
    duplicates: tuple[Duplicate, ...] = ()
    duplicate_count: int = 0
    end: int | None = None
    """Where the JSON ends in `data`; None when it is not JSON."""
    breach: BudgetExceeded | None = None
    """Set where a limit ended the reading."""

    def name(self, index: int) -> str:
        """The name of a tensor, shortened for people."""
        return name_at(self.data, self.keys[index])

    def dtype(self, index: int) -> str:
        """The dtype of a tensor as it is written, "" where the entry is not in the library's form."""
        found = _DTYPE.search(self.data, self.keys[index], self.keys[index] + 2_000)
        return found[1].decode() if found else ""

    def full_names(self, limit: int, longest: int) -> tuple[list[str], bool]:
        """The names of up to `limit` tensors as they are, and whether these are all."""
        names = []
        for offset in self.keys[:limit]:
            raw = self.data[offset + 1 : self.data.find(b'"', offset + 1, offset + longest + 2)]
            if b"\\" in raw or len(raw) >= longest:
                continue  # an escape or a name without end: no writer makes one
            names.append(raw.decode("utf-8", "replace"))
        return names, len(names) == len(self.keys)


def name_at(data: bytes, offset: int) -> str:
    """The key that begins at `offset`."""
    end = data.find(b'"', offset + 1, offset + 600)
    return shorten(visible(data[offset + 1 : end if end >= 0 else offset + 600].decode("utf-8", "replace")))


def read_header(data: bytes, budget: Budget, problems: Problems) -> Header:
    """Read the header's bytes; faults go to `problems`, with offsets in the file. Never raises on bad bytes."""
    return _HeaderReader(data, budget, problems).read()


class _HeaderReader:
    def __init__(self, data: bytes, budget: Budget, problems: Problems) -> None:
        self._header = Header(data)
        self._reader = JsonReader(data, budget)
        self._budget = budget
        self._problems = problems

    def read(self) -> Header:
        header, reader = self._header, self._reader
        self._check_encoding()
        try:
            self._entries()
            header.end = reader.position
        except JsonFault as fault:
            self._problems.add("json", f"The header is not valid JSON: {fault.message}.", LENGTH_BYTES + fault.offset)
        except BudgetExceeded as breach:
            header.breach = breach
        header.duplicates = tuple(Duplicate(item.path, LENGTH_BYTES + item.offset) for item in reader.duplicates)
        header.duplicate_count = reader.duplicate_count
        return header

    def _check_encoding(self) -> None:
        decoder = codecs.getincrementaldecoder("utf-8")()
        data = self._header.data
        step = 1 << 20
        for start in range(0, len(data), step):
            try:
                decoder.decode(data[start : start + step], final=start + step >= len(data))
            except UnicodeDecodeError as error:
                offset = LENGTH_BYTES + min(start + max(error.start, 0), len(data) - 1)
                self._problems.add("utf-8", "The header is not valid UTF-8.", offset)
                return

    def _entries(self) -> None:
        reader, data = self._reader, self._header.data
        reader.peek()
        if reader.position:
            self._problems.add(
                "leading-blanks", "Blanks stand before the header's opening brace; not every reader accepts that.", 8
            )
        reader.expect(b"{")
        seen: set[bytes] = set()
        more = not reader.take(b"}")
        while more:
            if not len(seen) & 0xFFF:
                self._budget.check_time()
            found = _ENTRY.match(data, reader.position)
            if found and None not in found.groups() and found["name"] != METADATA:
                reader.position = found.end()
                self._plain_entry(found, seen)
            else:
                self._other_entry(seen)
            more = reader.take(b",")
            if not more:
                reader.expect(b"}")

    def _plain_entry(self, found: "re.Match[bytes]", seen: set[bytes]) -> None:
        name, dtype, shape, begin, end = found.group("name", "dtype", "shape", "begin", "end")
        offset = found.start("name") - 1
        self._once(name, offset, seen)
        sizes = map(int, shape.split(b",")) if shape else ()
        self._tensor(dtype.decode(), sizes, int(begin), int(end), offset)

    def _once(self, key: bytes, offset: int, seen: set[bytes]) -> None:
        if key in seen:
            self._reader.duplicate(key, offset)
        seen.add(key)
        if b"<" in key or b"{" in key:
            self._text("the name of a tensor", key.decode("utf-8", "replace"), offset)

    def _other_entry(self, seen: set[bytes]) -> None:
        reader = self._reader
        reader.peek()
        offset = reader.position
        key = reader.key()
        self._once(key, offset, seen)
        value = reader.member_value(key)
        if key == METADATA:
            self._metadata(value, offset)
        else:
            self._described(value, offset)

    def _metadata(self, value: Json, offset: int) -> None:
        if value is None:
            return
        if not isinstance(value, Members):
            self._fault("metadata", "__metadata__ is not an object of strings.", offset)
            return
        for item in value.items:
            key = item.key.decode("utf-8", "replace")
            self._text(key, key, item.offset)
            if isinstance(item.value, str):
                self._text(key, item.value, item.offset)
                continue
            self._fault("metadata", f"The value of {_quoted(key)} in __metadata__ is not a string.", item.offset)
            for text in _strings(item.value):
                self._text(key, text, item.offset)

    def _described(self, value: Json, offset: int) -> None:
        """An entry in another form than the library writes."""
        if isinstance(value, Members):
            fields = value.last()
            parts = [fields.pop(name, None) for name in (b"dtype", b"shape", b"data_offsets")]
            for text in _strings(*fields.values()):
                self._text("a tensor entry", text, offset)
        elif isinstance(value, list) and len(value) == 3:
            parts = value
            self._fault("list-entry", "A tensor is described by a list; only some readers accept that.", offset)
        else:
            parts = [None]
        if not self._typed(parts, offset):
            self._header.tensors += 1
            name = name_at(self._header.data, offset)
            self._fault("entry", f'The entry of "{name}" lacks a valid dtype, shape or data_offsets.', offset)

    def _typed(self, parts: list[Json], offset: int) -> bool:
        """Take a tensor when its three parts have the right types."""
        if len(parts) != 3:
            return False
        dtype, shape, offsets = parts
        sizes, span = _sizes(shape), _sizes(offsets)
        if not isinstance(dtype, str) or sizes is None or span is None or len(span) != 2:
            return False
        self._tensor(dtype, sizes, span[0], span[1], offset)
        return True

    def _tensor(self, dtype: str, sizes: Iterable[int], begin: int, end: int, offset: int) -> None:
        header = self._header
        header.tensors += 1
        if len(header.shapes) < NAMED:
            sizes = tuple(sizes)
            header.shapes[name_at(header.data, offset)] = sizes[:16]
        self._check_span(dtype, sizes, begin, end, offset)
        if begin > end:
            return
        if end >= _U64 >> 1:
            self._fault("offset-overflow", "data_offsets are larger than any file can be.", offset)
            return
        if dtype in _SNIFFED:
            header.sniffed.append(len(header.begins))
        header.begins.append(begin)
        header.ends.append(end)
        header.keys.append(offset)

    def _check_span(self, dtype: str, sizes: Iterable[int], begin: int, end: int, offset: int) -> None:
        bits = DTYPE_BITS.get(dtype)
        if bits is None:
            self._fault("dtype", f"{_quoted(dtype)} is not a dtype of the format.", offset)
            return
        count = 1
        for size in sizes:
            count *= size
            if count >= _U64:
                break
        bits *= count
        if bits >= _U64:
            self._fault("shape-overflow", "A shape multiplies to more than 64 bits can count.", offset)
        elif bits & 7:
            self._fault("sub-byte", f"A tensor of {dtype} does not end at a whole byte.", offset)
        elif begin > end:
            self._fault("reversed", f"A tensor ends before it begins: data_offsets [{begin}, {end}].", offset)
        elif bits >> 3 != end - begin:
            message = f"dtype and shape make {bits >> 3:,} bytes, data_offsets span {end - begin:,}"
            self._fault("span", f'Tensor "{name_at(self._header.data, offset)}": {message}.', offset)

    def _text(self, key: str, text: str, offset: int) -> None:
        if len(self._header.texts) >= _KEPT_TEXTS:
            return
        if found := text_kind(text):
            kind, start = found
            excerpt = shorten(visible(text[start : start + 200]), 160)
            key = shorten(visible(key), 80)
            self._header.texts.append(EmbeddedText(key, kind, excerpt, LENGTH_BYTES + offset))

    def _fault(self, code: str, message: str, offset: int) -> None:
        self._problems.add(code, message, LENGTH_BYTES + offset)


def _sizes(value: Json) -> list[int] | None:
    """A list of u64, else None."""
    if not isinstance(value, list):
        return None
    sizes = [item for item in value if isinstance(item, int) and not isinstance(item, bool) and 0 <= item < _U64]
    return sizes if len(sizes) == len(value) else None


def _strings(*values: Json) -> Iterator[str]:
    """All strings in a value, keys included."""
    pending = list(values)
    while pending:
        value = pending.pop()
        if isinstance(value, str):
            yield value
        elif isinstance(value, list):
            pending += value
        elif isinstance(value, Members):
            for item in value.items:
                yield item.key.decode("utf-8", "replace")
                pending.append(item.value)


def _quoted(text: str) -> str:
    return f'"{shorten(visible(text), 80)}"'
