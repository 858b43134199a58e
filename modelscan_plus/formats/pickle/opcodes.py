"""Every pickle opcode of protocols 0 to 5: code, name, argument kind.

Argument kinds: "" none; u1 u2 u4 u8 i4 little-endian integers, f8 big-endian double; "line" up to a newline, "lines"
two of them; "s1 s4 s8 i4s" a length of that size and as many bytes; "long1 long4" a length and a little-endian
two's complement number. Source: CPython's pickletools, read for versions 3.8 to 3.14 (the set has not changed since
protocol 5).
"""

import struct

FIXED = {"u1": "<B", "u2": "<H", "u4": "<I", "u8": "<Q", "i4": "<i", "f8": ">d"}
"""Argument kinds of a fixed size, as struct formats."""
SIZED = {"s1": "<B", "s4": "<I", "s8": "<Q", "i4s": "<i", "long1": "<B", "long4": "<i"}
"""Argument kinds that begin with their length."""

OPCODES: dict[int, tuple[str, str]] = {
    ord(code): (name, kind)
    for code, name, kind in (
        ("(", "MARK", ""),
        (".", "STOP", ""),
        ("0", "POP", ""),
        ("1", "POP_MARK", ""),
        ("2", "DUP", ""),
        ("F", "FLOAT", "line"),
        ("I", "INT", "line"),
        ("J", "BININT", "i4"),
        ("K", "BININT1", "u1"),
        ("L", "LONG", "line"),
        ("M", "BININT2", "u2"),
        ("N", "NONE", ""),
        ("P", "PERSID", "line"),
        ("Q", "BINPERSID", ""),
        ("R", "REDUCE", ""),
        ("S", "STRING", "line"),
        ("T", "BINSTRING", "i4s"),
        ("U", "SHORT_BINSTRING", "s1"),
        ("V", "UNICODE", "line"),
        ("X", "BINUNICODE", "s4"),
        ("a", "APPEND", ""),
        ("b", "BUILD", ""),
        ("c", "GLOBAL", "lines"),
        ("d", "DICT", ""),
        ("}", "EMPTY_DICT", ""),
        ("e", "APPENDS", ""),
        ("g", "GET", "line"),
        ("h", "BINGET", "u1"),
        ("i", "INST", "lines"),
        ("j", "LONG_BINGET", "u4"),
        ("l", "LIST", ""),
        ("]", "EMPTY_LIST", ""),
        ("o", "OBJ", ""),
        ("p", "PUT", "line"),
        ("q", "BINPUT", "u1"),
        ("r", "LONG_BINPUT", "u4"),
        ("s", "SETITEM", ""),
        ("t", "TUPLE", ""),
        (")", "EMPTY_TUPLE", ""),
        ("u", "SETITEMS", ""),
        ("G", "BINFLOAT", "f8"),
        ("\x80", "PROTO", "u1"),
        ("\x81", "NEWOBJ", ""),
        ("\x82", "EXT1", "u1"),
        ("\x83", "EXT2", "u2"),
        ("\x84", "EXT4", "i4"),
        ("\x85", "TUPLE1", ""),
        ("\x86", "TUPLE2", ""),
        ("\x87", "TUPLE3", ""),
        ("\x88", "NEWTRUE", ""),
        ("\x89", "NEWFALSE", ""),
        ("\x8a", "LONG1", "long1"),
        ("\x8b", "LONG4", "long4"),
        ("B", "BINBYTES", "s4"),
        ("C", "SHORT_BINBYTES", "s1"),
        ("\x8c", "SHORT_BINUNICODE", "s1"),
        ("\x8d", "BINUNICODE8", "s8"),
        ("\x8e", "BINBYTES8", "s8"),
        ("\x8f", "EMPTY_SET", ""),
        ("\x90", "ADDITEMS", ""),
        ("\x91", "FROZENSET", ""),
        ("\x92", "NEWOBJ_EX", ""),
        ("\x93", "STACK_GLOBAL", ""),
        ("\x94", "MEMOIZE", ""),
        ("\x95", "FRAME", "u8"),
        ("\x96", "BYTEARRAY8", "s8"),
        ("\x97", "NEXT_BUFFER", ""),
        ("\x98", "READONLY_BUFFER", ""),
    )
}


def opcode_length(data: bytes, position: int = 0) -> int:
    """Bytes of the opcode at `position` with its argument; past the end of `data` where that cuts it off."""
    kind = OPCODES.get(data[position], ("", ""))[1]
    start = position + 1
    if kind == "":
        return 1
    if kind in ("line", "lines"):
        end = data.find(b"\n", start)
        if kind == "lines" and end >= 0:
            end = data.find(b"\n", end + 1)
        return (len(data) if end < 0 else end) + 1 - position
    if kind in FIXED:
        return 1 + struct.calcsize(FIXED[kind])
    size = struct.calcsize(SIZED[kind])
    if start + size > len(data):
        return len(data) + 1 - position
    return 1 + size + max(0, int(struct.unpack_from(SIZED[kind], data, start)[0]))
