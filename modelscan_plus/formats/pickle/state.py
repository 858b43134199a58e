"""What a pickle's run keeps (stack, marks, memo, imports, effects) and how its arguments are read."""

import struct

from modelscan_plus.core.bytesource import ByteSource
from modelscan_plus.core.limits import Budget
from modelscan_plus.core.patterns import lazy
from modelscan_plus.formats.pickle.facts import Anomaly, Effect, PickleFacts
from modelscan_plus.formats.pickle.stream import LONGEST_LINE, Window
from modelscan_plus.formats.pickle.values import Blob, Call, Global, Value, text_of

_LITERAL = 1024
"""Bytes up to which a string or bytes literal is read; longer ones become a `Blob`."""
INT_DIGITS = 4300
_MAX_ANOMALIES = 32
_HEAD = 64
_MAX_PAYLOADS = 10_000
NESTED = lazy(
    rb"\x80[\x00-\x05]|\x8a\x0al\xfc|c[A-Za-z_][\w.]*\n|\(i[A-Za-z_]|\(c[A-Za-z_]|PK\x03\x04|\x1f\x8b\x08|BZh|\xfd7zXZ"
    rb"|x[\x01\x5e\x9c\xda]"
)
"""Beginnings of pickles, zips and compressed streams."""
ENCODED = frozenset({b"gA", b"80"})
"""How Base64 and hexadecimal digits of PROTO begin."""
_ENCODED = lazy(rb"gA[I-X][A-Za-z0-9+/_-]{8}|800[2-5][0-9a-fA-F]{12}")
_MAX_ENCODED = 1_000
_CALL_WEIGHT, _IMPORT_WEIGHT = 5, 20
"""Objects that a call and a name's first import count for: what they cost in memory and in judging, in tuples."""

U2 = struct.Struct("<H").unpack_from
U4 = struct.Struct("<I").unpack_from
U8 = struct.Struct("<Q").unpack_from
I4 = struct.Struct("<i").unpack_from
F8 = struct.Struct(">d").unpack_from


class Fault(Exception):
    """Every unpickler gives up here."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


class State:
    """One run's state. `joblib_arrays` tells whether raw arrays are stepped over as joblib's reader does."""

    """Runs one pickle that starts at `start`. `joblib_arrays` skips raw arrays as joblib's reader does."""

    def __init__(self, source: ByteSource, start: int, budget: Budget, *, joblib_arrays: bool = True) -> None:
        self.source = source
        self.start = start
        self.budget = budget
        self.joblib_arrays = joblib_arrays
        self.array_at: int | None = None
        """Where the first raw joblib array was skipped: `pickle.load` reads on there as opcodes."""
        self.embedded: list[PickleFacts] = []
        """Pickles inside the stream: object arrays written by joblib."""
        self._window = Window(source, start)
        self._stack: list[Value] = []
        self._marks: list[list[Value]] = []
        self._dense: list[Value] | None = []
        """The memo while its entries come in order, as every pickler writes them: a twelfth of a dict's memory."""
        self._sparse: dict[int, Value] = {}
        """The memo from the first entry out of order on."""
        self._globals: dict[tuple[str, str], Global] = {}
        self._extensions: dict[int, tuple[str, str]] = {}
        self._effects: list[Effect] = []
        self._anomalies: list[Anomaly] = []
        self._payloads: list[tuple[int, int]] = []
        self._payloads_omitted = 0
        self._encoded: list[tuple[int, int]] = []
        self._protocol = 0
        self._frame_start = start
        self._frame_end: int | None = None
        self._opcodes = 0
        self._end = start
        self._result: Value = None

    # -- bookkeeping -------------------------------------------------------------------------------------------

    def _note(self, code: str, offset: int, message: str) -> None:
        if len(self._anomalies) < _MAX_ANOMALIES:
            self._anomalies.append(Anomaly(code, offset, message))

    def _spend(self, objects: int = 1) -> None:
        self.budget.take_objects(objects)

    def _here(self, position: int) -> int:
        return self._window.base + position

    def _pop_mark(self) -> list[Value]:
        if not self._marks:
            raise Fault("underflow", "needs a mark that was never set")
        items = self._stack
        self._stack = self._marks.pop()
        return items

    def _decode(self, text: bytes) -> str:
        try:
            return text.decode("utf-8", "surrogatepass")
        except UnicodeDecodeError:
            self._note("text-encoding", self._end, "a text literal is not UTF-8; some readers stop, some go on")
            return text.decode("utf-8", "surrogateescape")

    def _global(self, module: str, name: str, position: int, opcode: str) -> Global:
        known = self._globals.get((module, name))
        if known is not None:
            known.count += 1
            return known
        self._spend(_IMPORT_WEIGHT)
        new = Global(module, name, self._here(position), opcode)
        self._globals[module, name] = new
        self._effects.append(new)
        return new

    def _call(
        self, opcode: str, function: Value, arguments: Value, position: int, keywords: Value | None = None
    ) -> Call:
        self._spend(_CALL_WEIGHT)
        call = Call(opcode, function, arguments, self._here(position), keywords)
        call.index = len(self._effects)
        self._effects.append(call)
        if isinstance(function, Global) and function.name == "add_extension":
            self._learn_extension(arguments)
        return call

    def _learn_extension(self, arguments: Value) -> None:
        """`copyreg.add_extension(module, name, code)` in the stream itself: later EXT opcodes resolve to it."""
        if isinstance(arguments, tuple) and len(arguments) == 3:
            module, name, code = text_of(arguments[0]), text_of(arguments[1]), arguments[2]
            if module is not None and name is not None and isinstance(code, int):
                self._extensions[code] = (module, name)

    # -- literals ----------------------------------------------------------------------------------------------

    def _literal(self, position: int, length: int, kind: str) -> tuple[Value, int]:
        """The literal of `length` bytes at `position`, and the position behind it."""
        window = self._window
        start = window.base + position
        if length > self.source.size - start:
            raise Fault(
                "truncated", f"a literal claims {length:,} bytes, {max(0, self.source.size - start):,} are left"
            )
        if length <= _LITERAL:
            if position + length > len(window.buffer):
                window.move(position, length)
                position = 0
            data = window.buffer[position : position + length]
            if kind == "bytes":
                self._sniff(data, start, length)
            elif data[:2] in ENCODED:
                self._note_encoded(data, start, length)
            return (data if kind == "bytes" else self._decode(data)), position + length
        if position + _HEAD > len(window.buffer):
            window.move(position, _HEAD)
            position = 0
        blob = Blob(kind, start, length, window.buffer[position : position + _HEAD])
        if kind == "bytes":
            self._sniff(blob.head, start, length)
        elif blob.head[:2] in ENCODED:
            self._note_encoded(blob.head, start, length)
        position += length
        if position > len(window.buffer):
            window.move(position)
            position = 0
        return blob, position

    def _sniff(self, head: bytes, start: int, length: int) -> None:
        """Remember a bytes literal that may be a pickle or an archive: some callables unpickle their argument."""
        if length > 3 and NESTED.match(head):
            if len(self._payloads) < _MAX_PAYLOADS:
                self._payloads.append((start, length))
            else:
                self._payloads_omitted += 1

    def _note_encoded(self, head: bytes, start: int, length: int) -> None:
        """Remember a text that may be a pickle in Base64 or hexadecimal digits."""
        if _ENCODED.match(head):
            if len(self._encoded) < _MAX_ENCODED:
                self._encoded.append((start, length))
            else:
                self._payloads_omitted += 1

    def _line(self, position: int) -> tuple[bytes | Blob, int]:
        """The text up to the next newline, and the position behind it."""
        window = self._window
        start = window.base + position
        newline = window.find_newline(position)
        if newline is None:
            raise Fault("truncated", "the data ends inside a text argument")
        length = newline - start
        if length > LONGEST_LINE:
            head = self.source.pread(start, _HEAD)
            window.move(newline + 1 - window.base)
            return Blob("bytes", start, length, head), 0
        if position + length + 1 > len(window.buffer):
            window.move(position, length + 1)
            position = 0
        return window.buffer[position : position + length], position + length + 1

    def _name_line(self, position: int) -> tuple[str, int]:
        try:
            line, position = self._line(position)
        except Fault:
            line, position = self._last_line(position)
        if isinstance(line, Blob):
            raise Fault("name-too-long", f"a name of {line.length:,} bytes")
        return self._decode(line), position

    def _last_line(self, position: int) -> tuple[bytes, int]:
        """A name that the data ends in: Python's own unpickler drops its last byte, whatever that is, and goes on."""
        start = self._here(position)
        if self.source.size - start > LONGEST_LINE:
            raise Fault("truncated", "the data ends inside a text argument")
        self._note("cut-name", start, "the data ends inside a name; the pure Python unpickler imports it all the same")
        line = self.source.pread(start, self.source.size - start)
        self._window.move(self.source.size - self._window.base)
        return line[:-1], 0

    def _index_line(self, position: int) -> tuple[int, int]:
        line, position = self._line(position)
        try:
            return int(line if isinstance(line, bytes) and len(line) < INT_DIGITS else b"x"), position
        except ValueError:
            raise Fault("bad-number", "a memo index is no number") from None

    def _put(self, index: int) -> list[Value] | dict[int, Value]:
        """Store the top of the stack under `index`; gives the memo, which is another one after a gap."""
        dense = self._dense
        if dense is not None and 0 <= index <= len(dense):
            dense[index : index + 1] = [self._stack[-1]]
            return dense
        if dense is not None:
            self._sparse = dict(enumerate(dense))
            self._dense = None
        self._sparse[index] = self._stack[-1]
        return self._sparse
