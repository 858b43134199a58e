"""The files that a virtual dataset is put together from.

u8 version, length of entries; each entry: name of the file, name of the dataset, selection in it, selection in the
virtual dataset. A selection: u32 type, u32 version, and its form by these: everything and nothing have 8 more bytes,
hyperslabs of versions 1 and 2 say their length, of version 3 their rank and blocks.
"""

from collections.abc import Iterator

from modelscan_plus.formats.hdf5.reader import Cursor, File, Malformed

_NONE, _HYPERSLAB, _ALL = 0, 2, 3
_MOST = 1000
UNREAD = "(parts that are not read here)"


def sources(file: File, data: bytes) -> Iterator[str]:
    """Names of files, without "." for the file itself."""
    cursor = Cursor(data, file)
    if cursor.number(1) != 0:
        yield UNREAD
        return
    for _ in range(min(cursor.length(), _MOST)):
        name = cursor.text()
        if name != ".":
            yield name
        cursor.text()
        if not (_skip(cursor) and _skip(cursor)):
            yield UNREAD
            return


def _skip(cursor: Cursor) -> bool:
    """Go behind a selection; False for one of no known form."""
    kind, version = cursor.number(4), cursor.number(4)
    if kind in (_NONE, _ALL):
        cursor.take(8)
    elif kind != _HYPERSLAB:
        return False
    elif version == 1:
        cursor.take(4)
        cursor.take(cursor.number(4))
    elif version == 2:
        cursor.take(1)
        cursor.take(cursor.number(4))
    elif version == 3:
        regular, width, rank = cursor.number(1) & 1, cursor.number(1), cursor.number(4)
        if rank > 32 or width > 8:
            raise Malformed("a selection has too many dimensions")
        cursor.take(4 * rank * width if regular else 2 * rank * width * cursor.number(width))
    else:
        return False
    return True
