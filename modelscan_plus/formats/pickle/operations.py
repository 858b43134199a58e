"""What each opcode does to the state: everything that the loop in machine.py does not do itself.

A handler takes the position of its opcode in the window's buffer and gives the position behind it.
"""

import codecs
from abc import abstractmethod
from collections.abc import Callable

from modelscan_plus.formats.pickle import joblib
from modelscan_plus.formats.pickle.opcodes import OPCODES, opcode_length
from modelscan_plus.formats.pickle.state import I4, INT_DIGITS, U2, U4, U8, Fault, State
from modelscan_plus.formats.pickle.stream import LONGEST_LINE
from modelscan_plus.formats.pickle.values import (
    COMPUTED,
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

_REACH = 1 << 16
"""Bytes of an opcode's text argument that are looked at for its end."""
_FRAME = 4 << 20
"""Bytes of a frame that opcodes outside of frames may follow: picklers that write so end a frame at 64 KiB; older ones
wrote everything into frames."""


class Operations(State):
    """The handlers."""

    @abstractmethod
    def _joblib_array(self, state: Value, position: int) -> int:
        """Step over what joblib's reader takes from the stream here."""

    def _check_frame(self, offset: int) -> None:
        """Note a frame that ends inside an opcode or behind the `offset` where the next frame or nothing begins.

        Opcodes may stand between frames: picklers write large literals like that.
        """
        start, end = self._frame_start, self._frame_end
        if end is not None and offset != end and (offset < end or not self._ends_at_opcode(start, end)):
            self._note("frame-length", offset, "a frame does not end where its length says")
        self._frame_end = None

    def _check_broken_frame(self) -> None:
        """The same where the pickle breaks off: in a later opcode than the frame's last, or in one that reaches over
        its end, whose argument C's unpickler reads from elsewhere."""
        if self._frame_end is None:
            return
        opcode = self.source.pread(self._end, _REACH)
        reach = opcode_length(opcode) if opcode else 1
        if self._end + reach > self._frame_end:
            self._check_frame(self._end + reach)

    def _ends_at_opcode(self, start: int, end: int) -> bool:
        """True when walking the opcodes from `start` meets `end`; False for a frame that no pickler writes so long."""
        if end - start > _FRAME:
            return False
        data = self.source.pread(start, end - start)
        position = 0
        while position < len(data) and data[position] in OPCODES:
            position += opcode_length(data, position)
        return position == end - start

    def _op_proto(self, position: int) -> int:
        protocol = self._window.buffer[position + 1]
        if protocol > 5:
            self._note(
                "protocol", self._here(position), f"protocol {protocol} does not exist; Python's readers stop here"
            )
        self._protocol = max(self._protocol, protocol)
        return position + 2

    def _op_frame(self, position: int) -> int:
        (length,) = U8(self._window.buffer, position + 1)
        position += 9
        self._check_frame(self._here(position - 9))
        self._frame_start = self._here(position)
        self._frame_end = self._frame_start + length
        if self._frame_end > self.source.size:
            self._note("frame-past-end", self._here(position), f"a frame of {length:,} bytes runs past the end")
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
            # C's unpickler takes a number up to a NUL.
            value: Value = float(line.partition(b"\0")[0]) if isinstance(line, bytes) else line
        except ValueError:
            raise Fault("bad-number", "FLOAT without a number") from None
        self._stack.append(value)
        return position

    def _op_long1(self, position: int) -> int:
        length = self._window.buffer[position + 1]
        return self._long(position + 2, length)

    def _op_long4(self, position: int) -> int:
        (length,) = I4(self._window.buffer, position + 1)
        if length < 0:
            raise Fault("bad-number", "LONG4 with a negative length")
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
                raise Fault("bad-string", "STRING without quotes")
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
                self._note_encoded(line, self._here(position) - 1 - len(line), len(line))
            except UnicodeDecodeError:
                raise Fault("text-encoding", "UNICODE with a broken escape") from None
        else:
            self._stack.append(Blob("str", line.offset, line.length, line.head))
        return position

    def _sized(self, position: int, kind: str, length: int, prefix: int) -> int:
        value, position = self._literal(position + 1 + prefix, length, kind)
        self._stack.append(value)
        return position

    def _op_binstring(self, position: int) -> int:
        (length,) = I4(self._window.buffer, position + 1)
        if length < 0:
            raise Fault("bad-string", "BINSTRING with a negative length")
        return self._sized(position, "str", length, 4)

    def _op_short_binstring(self, position: int) -> int:
        return self._sized(position, "str", self._window.buffer[position + 1], 1)

    def _op_binunicode(self, position: int) -> int:
        return self._sized(position, "str", U4(self._window.buffer, position + 1)[0], 4)

    def _op_binunicode8(self, position: int) -> int:
        return self._sized(position, "str", U8(self._window.buffer, position + 1)[0], 8)

    def _op_short_binbytes(self, position: int) -> int:
        return self._sized(position, "bytes", self._window.buffer[position + 1], 1)

    def _op_binbytes(self, position: int) -> int:
        return self._sized(position, "bytes", U4(self._window.buffer, position + 1)[0], 4)

    def _op_binbytes8(self, position: int) -> int:
        return self._sized(position, "bytes", U8(self._window.buffer, position + 1)[0], 8)

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
        elif items or opcode == "APPENDS":  # the pure Python unpickler calls extend([]) as well
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

    def _op_get(self, position: int) -> int:
        index, behind = self._index_line(position + 1)
        memo = self._sparse if self._dense is None else self._dense
        try:
            self._stack.append(memo[index] if index >= 0 else self._sparse[index])
        except LookupError:
            raise Fault("memo-missing", f"reads memo entry {index}, which was never stored") from None
        return behind

    def _op_global(self, position: int) -> int:
        start = self._here(position)
        module, behind = self._name_line(position + 1)
        name, behind = self._name_line(behind)
        self._stack.append(self._global(module, name, start - self._window.base, "GLOBAL"))
        return behind

    def _op_stack_global(self, position: int) -> int:
        name = self._spelled(self._stack.pop())
        module = self._spelled(self._stack.pop())
        if _may_be_text(module) and _may_be_text(name) and not (isinstance(module, str) and isinstance(name, str)):
            # str(b"os", "ascii") and the like: a reader goes on with whatever the call gives.
            self._stack.append(self._global(COMPUTED, f"name at {self._here(position)}", position, "STACK_GLOBAL"))
            return position + 1
        if not isinstance(module, str) or not isinstance(name, str):
            raise Fault("bad-name", "STACK_GLOBAL without two short strings")
        self._stack.append(self._global(module, name, position, "STACK_GLOBAL"))
        return position + 1

    def _spelled(self, value: Value) -> Value:
        """A name that was too long to be kept as a literal: `os.path.os.path…` may go on for kilobytes."""
        if isinstance(value, Blob) and value.kind == "str" and value.length <= LONGEST_LINE:
            return self._decode(self.source.pread(value.offset, value.length))
        return value

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
            raise Fault("underflow", "OBJ without a class")
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
        return self._extension(U2(self._window.buffer, position + 1)[0], position, "EXT2", 2)

    def _op_ext4(self, position: int) -> int:
        return self._extension(I4(self._window.buffer, position + 1)[0], position, "EXT4", 4)


def _may_be_text(value: Value) -> bool:
    """True for a text, and for what a call gives; an object made by NEWOBJ is no text."""
    called = isinstance(value, Call) and value.opcode in ("REDUCE", "OBJ", "INST")
    return called or isinstance(value, str | PersistentId)


def _number(line: bytes | Blob, special: dict[bytes, bool]) -> Value:
    """The value of an INT or LONG line; hexadecimal and octal are read as C's strtol does."""
    if isinstance(line, Blob):
        return line
    if line in special:
        return special[line]
    line = line.partition(b"\0")[0]  # C's unpickler stops reading the number there
    if len(line) > INT_DIGITS:
        return Opaque("number of many digits")
    for base in (10, 0):
        try:
            return int(line, base)
        except ValueError:
            continue
    raise Fault("bad-number", "INT or LONG without a number")


DISPATCH: dict[int, Callable[[Operations, int], int]] = {
    0x30: Operations._op_pop,
    0x31: Operations._op_pop_mark,
    0x32: Operations._op_dup,
    0x46: Operations._op_float,
    0x49: Operations._op_int,
    0x4C: Operations._op_long,
    0x50: Operations._op_persid,
    0x51: Operations._op_binpersid,
    0x52: Operations._op_reduce,
    0x53: Operations._op_string,
    0x54: Operations._op_binstring,
    0x55: Operations._op_short_binstring,
    0x56: Operations._op_unicode,
    0x58: Operations._op_binunicode,
    0x61: Operations._op_append,
    0x62: Operations._op_build,
    0x63: Operations._op_global,
    0x64: Operations._op_dict,
    0x7D: Operations._op_empty_dict,
    0x65: Operations._op_appends,
    0x67: Operations._op_get,
    0x69: Operations._op_inst,
    0x6C: Operations._op_list,
    0x5D: Operations._op_empty_list,
    0x6F: Operations._op_obj,
    0x70: Operations._op_put,
    0x73: Operations._op_setitem,
    0x74: Operations._op_tuple,
    0x29: Operations._op_empty_tuple,
    0x75: Operations._op_setitems,
    0x80: Operations._op_proto,
    0x81: Operations._op_newobj,
    0x82: Operations._op_ext1,
    0x83: Operations._op_ext2,
    0x84: Operations._op_ext4,
    0x85: Operations._op_tuple1,
    0x87: Operations._op_tuple3,
    0x88: Operations._op_true,
    0x89: Operations._op_false,
    0x8A: Operations._op_long1,
    0x8B: Operations._op_long4,
    0x42: Operations._op_binbytes,
    0x43: Operations._op_short_binbytes,
    0x8D: Operations._op_binunicode8,
    0x8E: Operations._op_binbytes8,
    0x8F: Operations._op_empty_set,
    0x90: Operations._op_additems,
    0x91: Operations._op_frozenset,
    0x92: Operations._op_newobj_ex,
    0x93: Operations._op_stack_global,
    0x95: Operations._op_frame,
    0x96: Operations._op_binbytes8,
    0x97: Operations._op_next_buffer,
    0x98: Operations._op_readonly_buffer,
}
