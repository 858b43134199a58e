"""The opcode machine: runs a pickle's bytes on symbols.

It keeps the real stack, marks and memo, so that it sees every import and call that an unpickler would perform, with
byte offsets, and it performs none of them. Where unpicklers differ (C, pure Python, torch's, older Pythons) it
takes the lenient way and notes the place, so that nothing which any reader would run is missed.

It ends at STOP, or where every unpickler gives up: unknown opcode, empty stack, missing memo entry, end of data.
What happened before that is kept: a real unpickler has run it by then.

The loop is written for speed: the ten commonest opcodes stand inline in order of frequency, the rest is
dispatched to methods.
"""

import codecs
import re
import struct
from collections.abc import Callable

from modelscan_plus.core.bytesource import ByteSource
from modelscan_plus.core.limits import Budget, BudgetExceeded
from modelscan_plus.formats.pickle import joblib
from modelscan_plus.formats.pickle.facts import Anomaly, Effect, PickleFacts
from modelscan_plus.formats.pickle.opcodes import OPCODES
from modelscan_plus.formats.pickle.stream import LONGEST_LINE, Window
from modelscan_plus.formats.pickle.values import (
    Blob,
    Call,
    Global,
    Items,
    Opaque,
    PersistentId,
    Value,
    sequence,
    text_of,
)

LITERAL = 1024
"""Bytes up to which a string or bytes literal is read; longer ones become a `Blob`."""
_MAX_ANOMALIES = 32
_HEAD = 64
_INT_DIGITS = 4300
_CHECK_EVERY = 1 << 16
_MAX_PAYLOADS = 1_000
_NESTED = re.compile(
    rb"\x80[\x00-\x05]|\x8a\x0al\xfc|c[A-Za-z_][\w.]*\n|\(i[A-Za-z_]|\(c[A-Za-z_]|PK\x03\x04|\x1f\x8b\x08|BZh|\xfd7zXZ|x[\x01\x5e\x9c\xda]"
)
"""Beginnings of pickles, zips and compressed streams."""
_MAX_MARKS = 100_000
_MAX_STACK = 2_000_000
"""Values on the stack at a time; picklers write containers in batches of 1000."""
_CALL_WEIGHT, _IMPORT_WEIGHT = 5, 20
"""Objects that a call and a name's first import count for: what they cost in memory and in judging, in tuples."""

_U2 = struct.Struct("<H").unpack_from
_U4 = struct.Struct("<I").unpack_from
_U8 = struct.Struct("<Q").unpack_from
_I4 = struct.Struct("<i").unpack_from
_F8 = struct.Struct(">d").unpack_from


class _Fault(Exception):
    """Every unpickler gives up here."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


class Machine:
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
        self._protocol = 0
        self._frame_end: int | None = None
        self._opcodes = 0
        self._end = start
        self._result: Value = None

    def run(self) -> PickleFacts:
        """Run to the end and state what was seen. Never raises."""
        ended = "stop"
        try:
            self._loop()
        except _Fault as fault:
            ended = "error"
            self._note(fault.code, self._end, fault.message)
        except BudgetExceeded as breach:
            ended = breach.code
            self._note(breach.code, self._end, breach.message)
        except MemoryError:
            ended = "memory"
        if ended == "memory":  # only here, where the traceback no longer holds what is let go
            self._stack, self._marks, self._dense, self._sparse = [], [], [], {}
            self._note("memory", self._end, "needs more memory than one file is given")
        self.budget.opcodes -= self._opcodes
        return PickleFacts(
            start=self.start,
            end=self._end,
            ended=ended,
            protocol=self._protocol,
            effects=tuple(self._effects),
            anomalies=tuple(self._anomalies),
            result=self._result,
            opcodes=self._opcodes,
            payloads=tuple(self._payloads),
        )

    def _loop(self) -> None:  # noqa: C901 - one loop on purpose: a call per opcode would double its time
        window = self._window
        window.move(0)
        buffer, base = window.buffer, window.base
        safe = len(buffer) - 300
        position = 0
        stack = self._stack
        dense = self._dense
        memo: list[Value] | dict[int, Value] = self._sparse if dense is None else dense
        pairs = 0
        dispatch = _DISPATCH
        budget = self.budget
        count = 0
        limit = min(_CHECK_EVERY, budget.opcodes)
        try:
            while True:
                if position > safe and not window.ends:
                    window.move(position)
                    buffer, base = window.buffer, window.base
                    safe = len(buffer) - 300
                    position = 0
                count += 1
                if count > limit:
                    if count > budget.opcodes:
                        raise BudgetExceeded(
                            "budget-opcodes", f"more than {budget.limits.max_opcodes:,} pickle opcodes"
                        )
                    budget.check_time()
                    self._spend(pairs)
                    pairs = 0
                    if len(self._stack) + sum(map(len, self._marks)) > _MAX_STACK:
                        raise BudgetExceeded("budget-objects", f"more than {_MAX_STACK:,} values on the stack")
                    limit = min(limit + _CHECK_EVERY, budget.opcodes)
                opcode = buffer[position]
                if opcode == 0x94:  # MEMOIZE
                    if dense is not None:
                        dense.append(stack[-1])
                    else:
                        memo[len(memo)] = stack[-1]
                    position += 1
                elif opcode == 0x4B:  # BININT1
                    stack.append(buffer[position + 1])
                    position += 2
                elif opcode == 0x68:  # BINGET
                    stack.append(memo[buffer[position + 1]])
                    position += 2
                elif opcode == 0x8C:  # SHORT_BINUNICODE
                    body = position + 2
                    position = body + buffer[position + 1]
                    if position > len(buffer):
                        raise IndexError
                    text = buffer[body:position]
                    stack.append(text.decode("ascii") if text.isascii() else self._decode(text))
                elif opcode == 0x71:  # BINPUT
                    index = buffer[position + 1]
                    if dense is not None and index == len(dense):
                        dense.append(stack[-1])
                    else:
                        memo = self._put(index)
                        dense = self._dense
                    position += 2
                elif opcode == 0x6A:  # LONG_BINGET
                    stack.append(memo[_U4(buffer, position + 1)[0]])
                    position += 5
                elif opcode == 0x72:  # LONG_BINPUT
                    (index,) = _U4(buffer, position + 1)
                    if dense is not None and index == len(dense):
                        dense.append(stack[-1])
                    else:
                        memo = self._put(index)
                        dense = self._dense
                    position += 5
                elif opcode == 0x4A:  # BININT
                    stack.append(_I4(buffer, position + 1)[0])
                    position += 5
                elif opcode == 0x47:  # BINFLOAT
                    stack.append(_F8(buffer, position + 1)[0])
                    position += 9
                elif opcode == 0x4D:  # BININT2
                    stack.append(_U2(buffer, position + 1)[0])
                    position += 3
                elif opcode == 0x4E:  # NONE
                    stack.append(None)
                    position += 1
                elif opcode == 0x86:  # TUPLE2
                    right = stack.pop()
                    stack[-1] = (stack[-1], right)
                    pairs += 1
                    position += 1
                elif opcode == 0x28:  # MARK
                    self._marks.append(stack)
                    if len(self._marks) > _MAX_MARKS:
                        raise BudgetExceeded("budget-objects", f"more than {_MAX_MARKS:,} open marks")
                    self._stack = stack = []
                    position += 1
                elif opcode == 0x2E:  # STOP
                    self._result = stack.pop()
                    position += 1
                    self._check_frame(base + position)
                    return
                else:
                    position = dispatch[opcode](self, position)
                    stack = self._stack
                    if dense is not self._dense:
                        dense, memo = None, self._sparse
                    if buffer is not window.buffer:
                        buffer, base = window.buffer, window.base
                        safe = len(buffer) - 300
        except (KeyError, IndexError, struct.error) as error:
            raise _fault_at(buffer, position, error) from None
        finally:
            self._opcodes = count
            self._end = min(base + position, self.source.size)

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
            raise _Fault("underflow", "needs a mark that was never set")
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
            raise _Fault(
                "truncated", f"a literal claims {length:,} bytes, {max(0, self.source.size - start):,} are left"
            )
        if length <= LITERAL:
            if position + length > len(window.buffer):
                window.move(position, length)
                position = 0
            data = window.buffer[position : position + length]
            if kind == "bytes":
                self._sniff(data, start, length)
            return (data if kind == "bytes" else self._decode(data)), position + length
        if position + _HEAD > len(window.buffer):
            window.move(position, _HEAD)
            position = 0
        blob = Blob(kind, start, length, window.buffer[position : position + _HEAD])
        if kind == "bytes":
            self._sniff(blob.head, start, length)
        position += length
        if position > len(window.buffer):
            window.move(position)
            position = 0
        return blob, position

    def _sniff(self, head: bytes, start: int, length: int) -> None:
        """Remember a bytes literal that may be a pickle or an archive: some callables unpickle their argument."""
        if length > 3 and _NESTED.match(head) and len(self._payloads) < _MAX_PAYLOADS:
            self._payloads.append((start, length))

    def _line(self, position: int) -> tuple[bytes | Blob, int]:
        """The text up to the next newline, and the position behind it."""
        window = self._window
        start = window.base + position
        newline = window.find_newline(position)
        if newline is None:
            raise _Fault("truncated", "the data ends inside a text argument")
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
        line, position = self._line(position)
        if isinstance(line, Blob):
            raise _Fault("name-too-long", f"a name of {line.length:,} bytes")
        return self._decode(line), position

    def _index_line(self, position: int) -> tuple[int, int]:
        line, position = self._line(position)
        try:
            return int(line if isinstance(line, bytes) and len(line) < _INT_DIGITS else b"x"), position
        except ValueError:
            raise _Fault("bad-number", "a memo index is no number") from None

    # -- opcodes -----------------------------------------------------------------------------------------------

    def _check_frame(self, offset: int) -> None:
        """Note a frame that does not end at `offset`, where its last opcode does."""
        if self._frame_end is not None and offset != self._frame_end:
            self._note("frame-length", offset, "a frame does not end where its length says")
        self._frame_end = None

    def _op_proto(self, position: int) -> int:
        protocol = self._window.buffer[position + 1]
        if protocol > 5:
            self._note(
                "protocol", self._here(position), f"protocol {protocol} does not exist; Python's readers stop here"
            )
        self._protocol = max(self._protocol, protocol)
        return position + 2

    def _op_frame(self, position: int) -> int:
        (length,) = _U8(self._window.buffer, position + 1)
        position += 9
        self._check_frame(self._here(position - 9))
        self._frame_end = self._here(position) + length
        if self._frame_end > self.source.size:
            self._note("frame-length", self._here(position), f"a frame of {length:,} bytes runs past the end")
            self._frame_end = None
        return position

    def _op_pop(self, position: int) -> int:
        if self._stack:
            self._stack.pop()
        else:
            self._pop_mark()
        return position + 1

    def _op_pop_mark(self, position: int) -> int:
        self._pop_mark()
        return position + 1

    def _op_dup(self, position: int) -> int:
        self._stack.append(self._stack[-1])
        return position + 1

    def _op_true(self, position: int) -> int:
        self._stack.append(True)
        return position + 1

    def _op_false(self, position: int) -> int:
        self._stack.append(False)
        return position + 1

    def _op_int(self, position: int) -> int:
        line, position = self._line(position + 1)
        self._stack.append(_number(line, {b"00": False, b"01": True}))
        return position

    def _op_long(self, position: int) -> int:
        line, position = self._line(position + 1)
        self._stack.append(_number(line.removesuffix(b"L") if isinstance(line, bytes) else line, {}))
        return position

    def _op_float(self, position: int) -> int:
        line, position = self._line(position + 1)
        try:
            value: Value = float(line) if isinstance(line, bytes) else line
        except ValueError:
            raise _Fault("bad-number", "FLOAT without a number") from None
        self._stack.append(value)
        return position

    def _op_long1(self, position: int) -> int:
        length = self._window.buffer[position + 1]
        return self._long(position + 2, length)

    def _op_long4(self, position: int) -> int:
        (length,) = _I4(self._window.buffer, position + 1)
        if length < 0:
            raise _Fault("bad-number", "LONG4 with a negative length")
        return self._long(position + 5, length)

    def _long(self, position: int, length: int) -> int:
        value, position = self._literal(position, length, "bytes")
        self._stack.append(int.from_bytes(value, "little", signed=True) if isinstance(value, bytes) else value)
        return position

    def _op_string(self, position: int) -> int:
        line, position = self._line(position + 1)
        if isinstance(line, bytes):
            line = line.strip(b" \t\r\n\x0b\x0c")
            if len(line) < 2 or line[:1] not in (b"'", b'"') or line[:1] != line[-1:]:
                raise _Fault("bad-string", "STRING without quotes")
            self._stack.append(self._unescape(line[1:-1]))
        else:
            self._stack.append(Blob("str", line.offset, line.length, line.head))
        return position

    def _unescape(self, line: bytes) -> str:
        """The text of a STRING between its quotes, by the rules of bytes literals."""
        if b"\\" in line:
            try:
                line = codecs.escape_decode(line)[0]
            except ValueError:
                self._note("text-encoding", self._end, "a STRING holds escapes that readers treat differently")
        return self._decode(line)

    def _op_unicode(self, position: int) -> int:
        line, position = self._line(position + 1)
        if isinstance(line, bytes):
            try:
                self._stack.append(line.decode("raw_unicode_escape"))
            except UnicodeDecodeError:
                raise _Fault("text-encoding", "UNICODE with a broken escape") from None
        else:
            self._stack.append(Blob("str", line.offset, line.length, line.head))
        return position

    def _sized(self, position: int, kind: str, length: int, prefix: int) -> int:
        value, position = self._literal(position + 1 + prefix, length, kind)
        self._stack.append(value)
        return position

    def _op_binstring(self, position: int) -> int:
        (length,) = _I4(self._window.buffer, position + 1)
        if length < 0:
            raise _Fault("bad-string", "BINSTRING with a negative length")
        return self._sized(position, "str", length, 4)

    def _op_short_binstring(self, position: int) -> int:
        return self._sized(position, "str", self._window.buffer[position + 1], 1)

    def _op_binunicode(self, position: int) -> int:
        return self._sized(position, "str", _U4(self._window.buffer, position + 1)[0], 4)

    def _op_binunicode8(self, position: int) -> int:
        return self._sized(position, "str", _U8(self._window.buffer, position + 1)[0], 8)

    def _op_short_binbytes(self, position: int) -> int:
        return self._sized(position, "bytes", self._window.buffer[position + 1], 1)

    def _op_binbytes(self, position: int) -> int:
        return self._sized(position, "bytes", _U4(self._window.buffer, position + 1)[0], 4)

    def _op_binbytes8(self, position: int) -> int:
        return self._sized(position, "bytes", _U8(self._window.buffer, position + 1)[0], 8)

    def _op_next_buffer(self, position: int) -> int:
        self._stack.append(Opaque("out-of-band buffer"))
        return position + 1

    def _op_readonly_buffer(self, position: int) -> int:
        self._stack[-1]
        return position + 1

    def _op_empty_tuple(self, position: int) -> int:
        self._stack.append(())
        return position + 1

    def _op_tuple1(self, position: int) -> int:
        self._spend()
        self._stack[-1] = (self._stack[-1],)
        return position + 1

    def _op_tuple3(self, position: int) -> int:
        self._spend()
        stack = self._stack
        stack[-3:] = [(stack[-3], stack[-2], stack[-1])]
        return position + 1

    def _op_tuple(self, position: int) -> int:
        self._spend()
        items = self._pop_mark()
        self._stack.append(tuple(items))
        return position + 1

    def _container(self, kind: str, position: int) -> int:
        self._spend(2)
        self._stack.append(Items(kind))
        return position + 1

    def _op_empty_list(self, position: int) -> int:
        return self._container("list", position)

    def _op_empty_dict(self, position: int) -> int:
        return self._container("dict", position)

    def _op_empty_set(self, position: int) -> int:
        return self._container("set", position)

    def _from_mark(self, kind: str, position: int) -> int:
        items = self._pop_mark()
        self._container(kind, position)
        target = self._stack[-1]
        assert isinstance(target, Items)  # noqa: S101 - _container has just pushed it
        if kind == "dict":
            target.update(items)
        else:
            target.extend(items)
        return position + 1

    def _op_list(self, position: int) -> int:
        return self._from_mark("list", position)

    def _op_dict(self, position: int) -> int:
        return self._from_mark("dict", position)

    def _op_frozenset(self, position: int) -> int:
        return self._from_mark("frozenset", position)

    def _op_append(self, position: int) -> int:
        value = self._stack.pop()
        return self._add("APPEND", [value], position)

    def _op_appends(self, position: int) -> int:
        return self._add("APPENDS", self._pop_mark(), position)

    def _op_additems(self, position: int) -> int:
        return self._add("ADDITEMS", self._pop_mark(), position)

    def _add(self, opcode: str, items: list[Value], position: int) -> int:
        target = self._stack[-1]
        if isinstance(target, Items):
            if target.kind == "dict":
                self._method(opcode, target, items, position)
            else:
                target.extend(items)
        elif items:
            self._method(opcode, target, items, position)
        return position + 1

    def _op_setitem(self, position: int) -> int:
        value = self._stack.pop()
        key = self._stack.pop()
        return self._set("SETITEM", [key, value], position)

    def _op_setitems(self, position: int) -> int:
        return self._set("SETITEMS", self._pop_mark(), position)

    def _set(self, opcode: str, pairs: list[Value], position: int) -> int:
        target = self._stack[-1]
        if isinstance(target, Items) and target.kind == "dict":
            target.update(pairs)
        elif pairs:
            self._method(opcode, target, pairs, position)
        return position + 1

    def _method(self, opcode: str, target: Value, items: list[Value], position: int) -> None:
        """Items handed to an object of unknown type: its own append, extend, add or __setitem__ runs."""
        kind = "dict" if opcode.startswith("SET") else "list"
        added = target.added if isinstance(target, Call) else None
        if added is None:
            self._spend()
            added = self._call(opcode, target, Items(kind), position)
            if isinstance(target, Call):
                target.added = added
        collected = added.arguments
        assert isinstance(collected, Items)  # noqa: S101 - made three lines above
        if collected.kind == "dict" == kind:
            collected.update(items)
        else:
            collected.extend(items)

    def _op_put(self, position: int) -> int:
        index, behind = self._index_line(position + 1)
        self._put(index)
        return behind

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

    def _op_get(self, position: int) -> int:
        index, behind = self._index_line(position + 1)
        memo = self._sparse if self._dense is None else self._dense
        try:
            self._stack.append(memo[index] if index >= 0 else self._sparse[index])
        except LookupError:
            raise _Fault("memo-missing", f"reads memo entry {index}, which was never stored") from None
        return behind

    def _op_global(self, position: int) -> int:
        start = self._here(position)
        module, behind = self._name_line(position + 1)
        name, behind = self._name_line(behind)
        self._stack.append(self._global(module, name, start - self._window.base, "GLOBAL"))
        return behind

    def _op_stack_global(self, position: int) -> int:
        name = self._stack.pop()
        module = self._stack.pop()
        if not isinstance(module, str) or not isinstance(name, str):
            raise _Fault("bad-name", "STACK_GLOBAL without two short strings")
        self._stack.append(self._global(module, name, position, "STACK_GLOBAL"))
        return position + 1

    def _op_inst(self, position: int) -> int:
        start = self._here(position)
        module, behind = self._name_line(position + 1)
        name, behind = self._name_line(behind)
        position = start - self._window.base
        # Python's unpickler imports before it looks for the mark.
        function = self._global(module, name, position, "INST")
        arguments = tuple(self._pop_mark())
        self._stack.append(self._call("INST", function, arguments, position))
        return behind

    def _op_obj(self, position: int) -> int:
        items = self._pop_mark()
        if not items:
            raise _Fault("underflow", "OBJ without a class")
        self._stack.append(self._call("OBJ", items[0], tuple(items[1:]), position))
        return position + 1

    def _op_reduce(self, position: int) -> int:
        arguments = self._stack.pop()
        function = self._stack.pop()
        self._stack.append(self._call("REDUCE", function, arguments, position))
        return position + 1

    def _op_newobj(self, position: int) -> int:
        arguments = self._stack.pop()
        function = self._stack.pop()
        self._stack.append(self._call("NEWOBJ", function, arguments, position))
        return position + 1

    def _op_newobj_ex(self, position: int) -> int:
        keywords = self._stack.pop()
        arguments = self._stack.pop()
        function = self._stack.pop()
        self._stack.append(self._call("NEWOBJ_EX", function, arguments, position, keywords))
        return position + 1

    def _op_build(self, position: int) -> int:
        state = self._stack.pop()
        target = self._stack[-1]
        call = self._call("BUILD", target, state, position)
        if isinstance(target, Call):
            target.state = call
            if self.joblib_arrays and joblib.is_array_wrapper(target):
                return self._joblib_array(state, position + 1)
        return position + 1

    def _joblib_array(self, state: Value, position: int) -> int:
        """Step over what joblib's reader takes from the stream here: a raw array, or a pickle of an object array."""
        start = self._here(position)
        layout = joblib.array_layout(state, self.source, start)
        if layout is None:
            self._note("joblib-array", start, "the size of a raw array cannot be read from the stream")
            return position
        if self.array_at is None:
            self.array_at = start
        end = start + layout.skip
        if layout.pickled:
            inner = Machine(self.source, start, self.budget)
            facts = inner.run()
            self.embedded += [*inner.embedded, facts]
            end = facts.end
            if facts.ended != "stop":
                raise _Fault("embedded", "the pickle of an object array does not end")
        if end > self.source.size:
            raise _Fault("truncated", "the data ends inside a raw array")
        self._frame_end = None
        self._window.move(end - self._window.base)
        return 0

    def _op_persid(self, position: int) -> int:
        start = self._here(position)
        text, behind = self._name_line(position + 1)
        self._persistent(text, start)
        return behind

    def _op_binpersid(self, position: int) -> int:
        self._persistent(self._stack.pop(), self._here(position))
        return position + 1

    def _persistent(self, value: Value, offset: int) -> None:
        self._spend()
        wanted = PersistentId(value, offset)
        self._effects.append(wanted)
        # torch.load gives back the class in ("module", class, file, source), which torch.save writes for whole modules.
        parts = sequence(value)
        of_torch = parts is not None and len(parts) > 1 and text_of(parts[0]) == "module"
        self._stack.append(parts[1] if parts and of_torch and isinstance(parts[1], Global) else wanted)

    def _extension(self, code: int, position: int, opcode: str, width: int) -> int:
        module, name = self._extensions.get(code, ("copyreg extension", str(code)))
        self._stack.append(self._global(module, name, position, opcode))
        return position + 1 + width

    def _op_ext1(self, position: int) -> int:
        return self._extension(self._window.buffer[position + 1], position, "EXT1", 1)

    def _op_ext2(self, position: int) -> int:
        return self._extension(_U2(self._window.buffer, position + 1)[0], position, "EXT2", 2)

    def _op_ext4(self, position: int) -> int:
        return self._extension(_I4(self._window.buffer, position + 1)[0], position, "EXT4", 4)


def _number(line: bytes | Blob, special: dict[bytes, bool]) -> Value:
    """The value of an INT or LONG line; hexadecimal and octal are read as C's strtol does."""
    if isinstance(line, Blob):
        return line
    if line in special:
        return special[line]
    if len(line) > _INT_DIGITS:
        return Opaque("number of many digits")
    for base in (10, 0):
        try:
            return int(line, base)
        except ValueError:
            continue
    raise _Fault("bad-number", "INT or LONG without a number")


_MEMO_READS = {0x68: 2, 0x6A: 5}
"""BINGET and LONG_BINGET, with their lengths in bytes."""


def _fault_at(buffer: bytes, position: int, error: Exception) -> _Fault:
    """What is wrong where the loop met a `LookupError` or ran out of bytes."""
    if position >= len(buffer):
        return _Fault("truncated", "the data ends inside the pickle")
    opcode = buffer[position]
    length = _MEMO_READS.get(opcode)
    if length is not None and position + length <= len(buffer):
        index = int.from_bytes(buffer[position + 1 : position + length], "little")
        return _Fault("memo-missing", f"reads memo entry {index}, which was never stored")
    if isinstance(error, KeyError):
        return _Fault("unknown-opcode", f"byte 0x{opcode:02x} is no pickle opcode")
    if OPCODES[opcode][1]:
        return _Fault("truncated", "the data ends inside the pickle")
    return _Fault("underflow", "takes more from the stack than is there")


_DISPATCH: dict[int, Callable[[Machine, int], int]] = {
    0x30: Machine._op_pop,
    0x31: Machine._op_pop_mark,
    0x32: Machine._op_dup,
    0x46: Machine._op_float,
    0x49: Machine._op_int,
    0x4C: Machine._op_long,
    0x50: Machine._op_persid,
    0x51: Machine._op_binpersid,
    0x52: Machine._op_reduce,
    0x53: Machine._op_string,
    0x54: Machine._op_binstring,
    0x55: Machine._op_short_binstring,
    0x56: Machine._op_unicode,
    0x58: Machine._op_binunicode,
    0x61: Machine._op_append,
    0x62: Machine._op_build,
    0x63: Machine._op_global,
    0x64: Machine._op_dict,
    0x7D: Machine._op_empty_dict,
    0x65: Machine._op_appends,
    0x67: Machine._op_get,
    0x69: Machine._op_inst,
    0x6C: Machine._op_list,
    0x5D: Machine._op_empty_list,
    0x6F: Machine._op_obj,
    0x70: Machine._op_put,
    0x73: Machine._op_setitem,
    0x74: Machine._op_tuple,
    0x29: Machine._op_empty_tuple,
    0x75: Machine._op_setitems,
    0x80: Machine._op_proto,
    0x81: Machine._op_newobj,
    0x82: Machine._op_ext1,
    0x83: Machine._op_ext2,
    0x84: Machine._op_ext4,
    0x85: Machine._op_tuple1,
    0x87: Machine._op_tuple3,
    0x88: Machine._op_true,
    0x89: Machine._op_false,
    0x8A: Machine._op_long1,
    0x8B: Machine._op_long4,
    0x42: Machine._op_binbytes,
    0x43: Machine._op_short_binbytes,
    0x8D: Machine._op_binunicode8,
    0x8E: Machine._op_binbytes8,
    0x8F: Machine._op_empty_set,
    0x90: Machine._op_additems,
    0x91: Machine._op_frozenset,
    0x92: Machine._op_newobj_ex,
    0x93: Machine._op_stack_global,
    0x95: Machine._op_frame,
    0x96: Machine._op_binbytes8,
    0x97: Machine._op_next_buffer,
    0x98: Machine._op_readonly_buffer,
}
