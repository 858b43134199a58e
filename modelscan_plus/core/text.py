"""Making untrusted text safe to show: control, bidi and undecodable characters become visible escapes."""

import unicodedata

_UNSAFE = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})


def visible(text: str) -> str:
    r"""`text` with every character that a terminal or browser might act on written as an escape.

    Bytes that were not UTF-8 (surrogate escapes) come out as `\xNN`, a backslash as `\\`.
    """
    if text.isascii() and text.isprintable() and "\\" not in text:
        return text
    return "".join(map(_visible_character, text))


def _visible_character(character: str) -> str:
    code = ord(character)
    if character == "\\":
        return "\\\\"
    if 0xDC80 <= code <= 0xDCFF:
        return f"\\x{code - 0xDC00:02x}"
    if unicodedata.category(character) not in _UNSAFE:
        return character
    if code < 0x100:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def inert(text: str) -> str:
    """`text` with the same characters escaped as in `visible`, but not the backslash: for text that a rule made, in
    which names may have been made visible already. Line ends stay."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(c if c in "\\\n" else _visible_character(c) for c in text)


def shorten(text: str, limit: int = 120) -> str:
    """`text` cut to `limit` characters, with an ellipsis in the middle where something was left out."""
    if len(text) <= limit:
        return text
    head = limit * 2 // 3
    return f"{text[:head]}…{text[len(text) - (limit - head - 1) :]}"


def one_line(text: str, limit: int = 120) -> str:
    """`text` as a finding shows it: in one line, visible and cut to `limit` characters."""
    return shorten(visible(" ".join(text.split())), limit)


def line_at(text: str, position: int) -> int:
    """The number of the line, from 1, in which a position of `text` lies."""
    return text.count("\n", 0, position) + 1


def human_bytes(count: int) -> str:
    """ "512 B", "3.4 kB", "1.2 GB" (powers of 1000)."""
    if count < 1000:
        return f"{count} B"
    value = float(count)
    for unit in ("kB", "MB", "GB", "TB", "PB"):
        value /= 1000
        if value < 999.95:
            return f"{value:.1f} {unit}"
    return f"{value:.1f} EB"
