"""Compressed streams with one file inside: gzip, bzip2, xz, lzma, zlib, and the zlib files of old joblib.

joblib tells the compression of a pickle by its first bytes and then reads it with Python's own module, so everything
that those modules accept counts: several gzip members or bzip2 and xz streams in a row give one output.
"""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from modelscan_plus.core.artifact import Artifact
from modelscan_plus.core.bytesource import ByteSource, BytesSource, end_of_zeros
from modelscan_plus.core.coverage import CoverageReason
from modelscan_plus.core.limits import Budget, BudgetExceeded, Limits
from modelscan_plus.formats.archives import decompress
from modelscan_plus.formats.archives.decompress import DecompressedSource, Opener, Stream
from modelscan_plus.formats.interface import HEAD, Format, Parsed, Region, View

_ZFILE = re.compile(rb"ZF0x[0-9a-f]{1,16}L? {1,17}x")
_ZFILE_HEADER = 21
"""`ZF` and the length in hexadecimal, filled with blanks to 19 characters (joblib/numpy_pickle_compat.py)."""
_UNKNOWN = 1 << 62


@dataclass(frozen=True, slots=True)
class Codec:
    """One compression."""

    name: str
    title: str
    endings: tuple[str, ...]
    opener: Opener
    test: Callable[[bytes], bool]
    again: bytes = b""
    """The bytes with which another stream in the same file begins."""
    trial: bool = False
    """True where the header is so short that the beginning must decompress, too."""
    skip: int = 0


def _is_zlib(head: bytes) -> bool:
    if len(head) < 6 or head[0] & 15 != 8 or head[0] >> 4 > 7 or head[1] & 32:
        return False
    return (head[0] << 8 | head[1]) % 31 == 0


def _is_lzma(head: bytes) -> bool:
    if len(head) < 14 or head[:2] != b"\x5d\0":
        return False
    dictionary = int.from_bytes(head[1:5], "little")
    size = int.from_bytes(head[5:13], "little")
    return head[13] == 0 and dictionary >= 4096 and (size == (1 << 64) - 1 or size < 1 << 48)


CODECS = (
    Codec("gzip", "gzip", (".gz", ".tgz"), decompress.gzip_member,
          lambda head: head[:3] == b"\x1f\x8b\x08" and len(head) > 9 and not head[3] & 0xE0, b"\x1f\x8b"),
    Codec("bzip2", "bzip2", (".bz2", ".tbz2"), decompress.bzip2_stream,
          lambda head: head[:3] == b"BZh" and head[4:10] in (b"1AY&SY", b"\x17\x72\x45\x38\x50\x90"), b"BZh"),
    Codec("xz", "xz", (".xz", ".txz"), decompress.xz_stream, lambda head: head.startswith(b"\xfd7zXZ\0"), b"\xfd7zXZ"),
    Codec("lzma", "LZMA alone", (".lzma",), decompress.lzma_alone, _is_lzma, trial=True),
    Codec("zlib", "zlib", (".z", ".zlib"), decompress.zlib_stream, _is_zlib, trial=True),
    Codec("joblib-zfile", "joblib before 0.10, compressed", (), decompress.zlib_stream,
          lambda head: _ZFILE.match(head) is not None, skip=_ZFILE_HEADER),
)  # fmt: skip


class StreamFormat(Format):
    """A compressed file."""

    executable = True

    def __init__(self, codec: Codec) -> None:
        self._codec = codec
        self.name = codec.name
        self.title = codec.title
        self.extensions = (*codec.endings, ".joblib", ".pkl", ".pickle")
        self.description = (
            "Decompressed under the budget, with all streams that follow each other, and handed on. What stands behind "
            "the last stream is reported. Loaders: joblib, pandas.read_pickle, tarfile, and whatever unpacks first."
        )

    def claims(self, view: View) -> bool:
        codec, payload = self._codec, view.artifact.payload
        if not codec.test(view.head) or (codec.trial and payload):
            return False
        # Raw numbers can begin with any few bytes; what a loader takes as numbers is a stream only if it unpacks.
        return not (codec.trial or payload) or _begins(
            BytesSource(view.head[codec.skip :]), codec, whole=view.artifact.source.size <= HEAD
        )

    def parse(self, artifact: Artifact, budget: Budget) -> Iterable[Parsed]:
        codec, source = self._codec, artifact.source
        start = codec.skip + (source.pread(codec.skip, 1) == b" ") if codec.skip else 0

        def make() -> Stream:
            return Stream(source, budget, codec.opener, start=start, again=codec.again)

        output = DecompressedSource(make, _UNKNOWN)
        try:
            output.measure()
        except BudgetExceeded as breach:
            beginning = artifact.member(_inner_name(artifact, codec), BytesSource(output.prefix()))
            yield Parsed(
                regions=(Region(0, source.size, "nested"),),
                nested=[beginning],
                gaps=(CoverageReason(breach.code, breach.message, executable=True),),
            )
            return
        gaps: tuple[CoverageReason, ...] = ()
        end = output.consumed
        if output.fault:
            end = source.size
            gaps = (CoverageReason("malformed", f"{codec.title}: {output.fault}", executable=True),)
        elif codec.name == "gzip":
            end = end_of_zeros(source, end, source.size)  # Python's gzip skips them
        nested = artifact.member(_inner_name(artifact, codec), output)
        yield Parsed(regions=(Region(0, end, "nested"),), nested=[nested], gaps=gaps)


def _begins(head: ByteSource, codec: Codec, *, whole: bool) -> bool:
    """True when the beginning of a file decompresses to something without a fault."""
    stream = Stream(head, Budget(Limits()), codec.opener)
    try:
        produced = sum(len(chunk) for chunk in stream.chunks())
    except BudgetExceeded:
        return True
    cut_off = "ends too early" in stream.fault
    return produced > 0 and (not stream.fault or (cut_off and not whole))


def _inner_name(artifact: Artifact, codec: Codec) -> str:
    """The name without the ending that stands for the compression."""
    name = artifact.name.replace("\\", "/").rpartition("/")[2]
    lowered = name.lower()
    for ending in codec.endings:
        if lowered.endswith(ending):
            return name[: -len(ending)] + (".tar" if ending.startswith(".t") else "")
    return name
