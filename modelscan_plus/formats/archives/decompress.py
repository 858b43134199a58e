"""Decompression under the budget, and a source that gives random access to its output.

A codec is a function that makes a stream: an iterator over output chunks that ends where the compressed data ends.
`consumed` then tells how much input it took, `fault` what was wrong with it. Nothing is written to disk: the sandbox
has none. Output is kept up to `_KEPT` bytes; behind that a step back decompresses again from the start, which the
budget sees.
"""

import bz2
import lzma
import zlib
from collections.abc import Callable, Generator, Iterator
from typing import Protocol

import msgspec

from modelscan_plus.core.bytesource import ByteSource, end_of_zeros
from modelscan_plus.core.limits import Budget, BudgetExceeded

_INPUT = 1 << 16
_OUTPUT = 1 << 18
_KEPT = 24 << 20
_BEHIND = 1 << 20
_BOMB_SIZE, _BOMB_RATIO = 256 << 20, 2000
"""Output above which, and ratio to the input above which, only a bomb expands; Deflate reaches 1032 at most."""
_LZMA_MEMORY = 128 << 20
"""Bytes that an xz or lzma decoder may take; files made with the strongest preset need 65 MiB."""


_ERRORS = (zlib.error, lzma.LZMAError, OSError, ValueError, EOFError)
"""What decoders raise for data that is not theirs."""


class Decompressor(Protocol):
    """What zlib's (wrapped), bz2's and lzma's decompressors have in common."""

    @property
    def eof(self) -> bool: ...

    @property
    def unused_data(self) -> bytes: ...

    @property
    def needs_input(self) -> bool: ...

    def decompress(self, data: bytes, max_length: int) -> bytes: ...


class _Zlib:
    """zlib's decompressor with the interface of the others."""

    def __init__(self, window: int) -> None:
        self._inner = zlib.decompressobj(window)
        self.eof = False
        self.unused_data = b""
        self.needs_input = True

    def decompress(self, data: bytes, max_length: int) -> bytes:
        output = self._inner.decompress(self._inner.unconsumed_tail + data, max_length)
        self.eof = self._inner.eof
        self.unused_data = self._inner.unused_data
        self.needs_input = not self._inner.unconsumed_tail and len(output) < max_length
        return output


Opener = Callable[[], Decompressor]


def raw_deflate() -> Decompressor:
    """Deflate without a header, as in zip members."""
    return _Zlib(-15)


def zlib_stream() -> Decompressor:
    """Deflate with zlib's header and checksum."""
    return _Zlib(15)


def gzip_member() -> Decompressor:
    """One gzip member, with its checksum."""
    return _Zlib(31)


def bzip2_stream() -> Decompressor:
    """One bzip2 stream."""
    return bz2.BZ2Decompressor()


def xz_stream() -> Decompressor:
    """One .xz stream."""
    return lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=_LZMA_MEMORY)


def xz_or_lzma() -> Decompressor:
    """Either of the two, as Python's lzma.open takes what follows a stream."""
    return lzma.LZMADecompressor(lzma.FORMAT_AUTO, memlimit=_LZMA_MEMORY)


def lzma_alone() -> Decompressor:
    """The older .lzma format."""
    return lzma.LZMADecompressor(lzma.FORMAT_ALONE, memlimit=_LZMA_MEMORY)


def dictionary(stated: int) -> int:
    """The dictionary to decode with: what is stated, within bounds. No distance in the data is longer than the output
    before it, so a smaller one does unless the data is larger than it and really looks back that far."""
    return min(max(stated, 4096), _LZMA_MEMORY)


def lzma1_filter(properties: bytes) -> dict[str, int] | None:
    """The filter that five property bytes describe; None when they are not valid."""
    first = properties[0]
    if first >= 9 * 5 * 5:
        return None
    settings = {"id": lzma.FILTER_LZMA1, "dict_size": dictionary(int.from_bytes(properties[1:5], "little"))}
    return settings | {"lc": first % 9, "lp": first // 9 % 5, "pb": first // 45}


def lzma_raw(properties: bytes, size: int | None) -> Opener | None:
    """LZMA1 with the five property bytes of a zip member; None when they are not valid.

    `size` ends the output of a stream that has no end marker; None where there is one.
    """
    settings = lzma1_filter(properties)
    if settings is None:
        return None
    try:
        lzma.LZMADecompressor(lzma.FORMAT_RAW, filters=[settings])
    except (ValueError, lzma.LZMAError):
        return None
    if size is None:
        return lambda: lzma.LZMADecompressor(lzma.FORMAT_RAW, filters=[settings])
    return lambda: Sized(lzma.LZMADecompressor(lzma.FORMAT_RAW, filters=[settings]), size)


class Sized:
    """A decompressor that ends after `size` bytes of output, for streams that do not say themselves where they end."""

    def __init__(self, inner: Decompressor, size: int) -> None:
        self._inner = inner
        self._left = size
        self.eof = False
        self.unused_data = b""

    @property
    def needs_input(self) -> bool:
        return self._inner.needs_input

    def decompress(self, data: bytes, max_length: int) -> bytes:
        output = b"" if self._left == 0 else self._inner.decompress(data, min(max_length, self._left))
        self._left -= len(output)
        self.eof = self._left == 0 or self._inner.eof
        self.unused_data = self._inner.unused_data if self._inner.eof else b""
        return output


class Following(msgspec.Struct, frozen=True):
    """What readers of a format do behind the end of a stream: where another one begins, its output is appended."""

    begins: Callable[[bytes], bool]
    """Given the first 16 bytes that follow; what then does not unpack is no stream."""
    opener: Opener
    padded: bool = False
    """True where zeros may stand between two streams."""


class Stream:
    """One run over compressed bytes `[start, end)` of `source`, and over the streams that follow each other there."""

    def __init__(
        self,
        source: ByteSource,
        budget: Budget,
        opener: Opener,
        *,
        start: int = 0,
        end: int | None = None,
        following: Following | None = None,
    ) -> None:
        self._source = source
        self._budget = budget
        self._opener = opener
        self._following = following
        self._start = self._position = start
        self._produced = 0
        self._end = source.size if end is None else min(end, source.size)
        self.known = 0
        """Bytes of output that an earlier run gave already: they are charged at a quarter, not for nothing."""
        self.consumed = start
        """Offset behind the last compressed byte that was used, once the run is over."""
        self.fault = ""
        """What ended the run early, "" when nothing did."""

    def chunks(self) -> Iterator[bytes]:
        """The output, in pieces of at most 256 KiB."""
        pending, ended = yield from self._one(self._opener)
        self.consumed = self._position - len(pending)
        while ended and self._following is not None and self._more(self._following):
            produced = self._produced
            pending, ended = yield from self._one(self._following.opener)
            if not ended and self._produced == produced:
                self.fault = ""  # it only looked like another stream
                return
            self.consumed = self._position - len(pending)

    def _more(self, following: Following) -> bool:
        """Move to where another stream begins, if one does."""
        position = self.consumed
        if following.padded:
            position = end_of_zeros(self._source, position, self._end)
        if not following.begins(self._source.pread(position, min(16, self._end - position))):
            return False
        self._position = position
        return True

    def _one(self, opener: Opener) -> Generator[bytes, None, tuple[bytes, bool]]:
        """The output of one stream; returns the input behind it, and whether it came to its end."""
        start, before = self._position, self._produced
        decoder = opener()
        data = b""
        while True:
            if not data and decoder.needs_input:
                data = self._read(_INPUT)
                if not data:
                    self.fault = "the compressed data ends too early"
                    return b"", False
            try:
                output = decoder.decompress(data, _OUTPUT)
            except _ERRORS as error:
                self.fault = _spoken(error)
                yield from self._up_to_the_fault(opener, start, self._produced - before)
                return b"", False
            data = b""
            yield from self._charged(output)
            if decoder.eof:
                return decoder.unused_data, True

    def _charged(self, output: bytes) -> Iterator[bytes]:
        again = self._produced + len(output) <= self.known
        self._budget.take_decompressed(len(output) // 4 if again else len(output))
        self._produced += len(output)
        if self._produced > _BOMB_SIZE and self._produced > _BOMB_RATIO * (self._position - self._start):
            raise BudgetExceeded("budget-ratio", f"expands to more than {_BOMB_RATIO:,} times its size")
        if output:
            yield output

    def _up_to_the_fault(self, opener: Opener, start: int, known: int) -> Iterator[bytes]:
        """What stands between the first `known` bytes of output and the fault: a loader that reads in small pieces
        gets it, while the decoders drop what they had when they fail. Decoded once more, in ever smaller steps."""
        step, done = _OUTPUT, 0
        while step:
            decoder, position, data, produced = opener(), start, b"", 0
            try:
                while not decoder.eof:
                    if not data and decoder.needs_input:
                        # The last steps go through the input byte by byte, too.
                        count = _INPUT if step > 1 else 1
                        data = self._source.pread(position, min(count, self._end - position))
                        position += len(data)
                        if not data:
                            return
                    wanted = _OUTPUT if produced + _OUTPUT <= known + done else max(1, known + done - produced)
                    output = decoder.decompress(data, wanted if produced < known + done else step)
                    data = b""
                    produced += len(output)
                    fresh = produced - known - done
                    self._budget.take_decompressed(len(output) - max(0, fresh))
                    if fresh > 0:
                        done += fresh
                        yield from self._charged(output[-fresh:])
            except _ERRORS:
                step = 0 if step == 1 else max(1, step >> 9)

    def _read(self, count: int) -> bytes:
        data = self._source.pread(self._position, min(count, self._end - self._position))
        self._position += len(data)
        return data


def _spoken(error: Exception) -> str:
    text = str(error)
    if "check" in text or "CRC" in text:
        return "the checksum of the decompressed data is wrong"
    if "emory" in text:
        return "decompression asks for more memory than is given"
    return "the compressed data is corrupt"


class DecompressedSource(ByteSource):
    """The output of a stream as a source. `size` bytes are promised; `finish` finds out what is really there."""

    def __init__(self, make: Callable[[], Stream], size: int) -> None:
        self._make = make
        self.size = size
        self.fault = ""
        self.produced = 0
        """Bytes of output that the longest run so far gave."""
        self.crc = 0
        """CRC-32 of the output, valid when `complete`."""
        self.complete = False
        """True when one run went through to the end without a fault."""
        self.consumed = 0
        self._kept = bytearray()
        self._all_kept = True
        self._stream = make()
        self._chunks: Iterator[bytes] = self._stream.chunks()
        self._position = 0
        self._window = b""
        self._first = True

    def pread(self, offset: int, length: int) -> bytes:
        length = min(length, self.size - offset)
        if offset < 0 or length <= 0:
            return b""
        end = offset + length
        while self._all_kept and self._position < end and self._advance():
            pass
        data = bytes(self._kept[offset:end]) if self._all_kept else self._from_window(offset, end)
        self.bytes_read += len(data)
        return data

    def finish(self) -> None:
        """Run to the end of the compressed data, wherever the declared size ends."""
        while self._advance():
            pass

    def prefix(self) -> bytes:
        """The beginning of the output, as much as is kept."""
        return bytes(self._kept)

    def measure(self) -> None:
        """Make the size what is really there."""
        self.finish()
        self.size = self.produced

    def _from_window(self, offset: int, end: int) -> bytes:
        """Bytes `[offset, end)` once the output is too long to keep: from the prefix kept, or by running on."""
        if end <= len(self._kept):
            return bytes(self._kept[offset:end])
        if offset < self._position - len(self._window):
            self._restart()
        parts = bytearray()
        while True:
            start = self._position - len(self._window)
            if self._position > offset:
                parts += self._window[max(0, offset + len(parts) - start) : end - start]
            if self._position >= end or not self._advance():
                return bytes(parts)

    def _restart(self) -> None:
        self._stream = self._make()
        self._stream.known = self.produced
        self._chunks = self._stream.chunks()
        self._position = 0
        self._window = b""
        self._first = False

    def _advance(self) -> bool:
        """Take one more chunk; False at the end."""
        chunk = next(self._chunks, None)
        if chunk is None:
            if self._first:
                self.fault = self._stream.fault
                self.complete = not self.fault
                self.consumed = self._stream.consumed
            return False
        # Parsers step back a little where one of their reads ends: more than the last chunk must be at hand.
        self._window = (self._window if len(self._window) < 2 * _BEHIND else self._window[-_BEHIND:]) + chunk
        self._position += len(chunk)
        if self._first:
            self.crc = zlib.crc32(chunk, self.crc)
            self.produced = self._position
            if len(self._kept) + len(chunk) <= _KEPT and self._all_kept:
                self._kept += chunk
            else:
                self._all_kept = False
        return True
