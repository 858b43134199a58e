"""Compressed streams with one file inside: gzip, bzip2, xz, lzma, zlib, zstd, lz4, and the zlib files of old joblib.

joblib tells the compression of a pickle by its first bytes and then reads it with Python's own module, so everything
that those modules accept counts. Streams in a row give one output: gzip members also with zeros between them, an xz
stream also when an LZMA stream follows, LZ4 and Zstandard frames with frames to skip between them.
"""

from collections.abc import Callable, Iterable

import msgspec

from modelscan_plus.core.artifact import Artifact
from modelscan_plus.core.bytesource import ByteSource, BytesSource, end_of_zeros
from modelscan_plus.core.coverage import CoverageReason
from modelscan_plus.core.limits import Budget, BudgetExceeded, Limits
from modelscan_plus.core.patterns import lazy
from modelscan_plus.formats.archives import decompress, optional
from modelscan_plus.formats.archives.decompress import DecompressedSource, Following, Opener, Stream
from modelscan_plus.formats.interface import HEAD, TAIL, Format, Parsed, Region, View
from modelscan_plus.formats.pickle.format import PickleFormat

_ZFILE = lazy(rb"ZF0x[0-9a-f]{1,16}L? {1,17}x")
_ZFILE_HEADER = 21
"""`ZF` and the length in hexadecimal, filled with blanks to 19 characters (joblib/numpy_pickle_compat.py)."""
_UNKNOWN = 1 << 62
_ZSTD, _LZ4 = b"\x28\xb5\x2f\xfd", b"\x04\x22\x4d\x18"
_SKIPPABLE = tuple(bytes((first,)) + b"\x2a\x4d\x18" for first in range(0x50, 0x60))
_PICKLE = PickleFormat()
_TRIED = 8 << 20
"""Bytes of output after which a beginning is a stream without doubt."""
_MAX_SKIPPED = 64
"""Frames without content in front of the first one that are stepped over."""


class Codec(msgspec.Struct, frozen=True):
    """One compression."""

    name: str
    title: str
    endings: tuple[str, ...]
    opener: Opener
    test: Callable[[bytes], bool]
    following: Following | None = None
    trial: bool = False
    """True where the header is so short that the beginning must decompress, too."""
    skip: int = 0
    library: str = ""
    """What optional.py must find for it."""
    skippable: bool = False
    """True where frames without content may stand in front (both LZ4 and Zstandard define the same)."""


def _is_zlib(head: bytes) -> bool:
    if len(head) < 6 or head[0] & 15 != 8 or head[0] >> 4 > 7 or head[1] & 32:
        return False
    return (head[0] << 8 | head[1]) % 31 == 0


def _is_lzma(head: bytes) -> bool:
    if len(head) < 14 or head[0] >= 9 * 5 * 5 or head[13]:
        return False
    dictionary, size = int.from_bytes(head[1:5], "little"), int.from_bytes(head[5:13], "little")
    power = 1 << max(12, dictionary.bit_length() - 1)
    if dictionary not in (power, power + power // 2, 0xFFFFFFFF):
        return False
    # Every writer of today leaves the size open; an old one that does not uses the usual settings.
    return size == (1 << 64) - 1 or (head[0] == 0x5D and size < 1 << 38)


def _is_gzip(head: bytes) -> bool:
    return head[:3] == b"\x1f\x8b\x08" and len(head) > 9 and not head[3] & 0xE0


def _is_bzip2(head: bytes) -> bool:
    return head[:3] == b"BZh" and head[4:10] in (b"1AY&SY", b"\x17\x72\x45\x38\x50\x90")


def _starts(*magics: bytes) -> Callable[[bytes], bool]:
    return lambda head: head.startswith(magics)


_XZ_FOLLOWING = Following(lambda head: len(head) > 12, decompress.xz_or_lzma, padded=True)
CODECS = (
    Codec("gzip", "gzip", (".gz", ".tgz"), decompress.gzip_member, _is_gzip,
          Following(_starts(b"\x1f\x8b"), decompress.gzip_member, padded=True)),
    Codec("bzip2", "bzip2", (".bz2", ".tbz2"), decompress.bzip2_stream, _is_bzip2,
          Following(_starts(b"BZh"), decompress.bzip2_stream)),
    Codec("xz", "xz", (".xz", ".txz"), decompress.xz_stream, _starts(b"\xfd7zXZ\0"), _XZ_FOLLOWING),
    Codec("lzma", "LZMA alone", (".lzma",), decompress.lzma_alone, _is_lzma, _XZ_FOLLOWING, trial=True),
    Codec("zlib", "zlib", (".z", ".zlib"), decompress.zlib_stream, _is_zlib, trial=True),
    Codec("zstandard", "Zstandard", (".zst", ".tzst"), optional.zstd_frame, _starts(_ZSTD),
          Following(_starts(_ZSTD, *_SKIPPABLE), optional.zstd_frame), library="Zstandard", skippable=True),
    Codec("lz4", "LZ4 frame", (".lz4",), optional.lz4_frame, _starts(_LZ4),
          Following(_starts(_LZ4, *_SKIPPABLE), optional.lz4_frame), library="LZ4", skippable=True),
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
        head = view.head
        if codec.skippable and head.startswith(_SKIPPABLE) and not payload:
            head = _behind_skippable(view.artifact.source)
        if not codec.test(head) or (codec.trial and payload):
            return False
        if codec.library and optional.missing(codec.library):
            return True
        # Raw numbers can begin with any few bytes; what a loader takes as numbers is a stream only if it unpacks.
        return not (codec.trial or payload) or _begins(
            BytesSource(view.head[codec.skip :]), codec, whole=view.artifact.source.size <= HEAD
        )

    def parse(self, artifact: Artifact, budget: Budget) -> Iterable[Parsed]:
        codec, source = self._codec, artifact.source
        absent = optional.missing(codec.library) if codec.library else ""
        if absent:
            gap = CoverageReason("missing-extra", absent, executable=True)
            yield Parsed(regions=(Region(0, source.size, "nested"),), gaps=(gap,))
            return
        start = codec.skip + (source.pread(codec.skip, 1) == b" ") if codec.skip else 0

        def make() -> Stream:
            return Stream(source, budget, codec.opener, start=start, following=codec.following)

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


def _behind_skippable(source: ByteSource) -> bytes:
    """The beginning of the first frame that has content."""
    position = 0
    for _ in range(_MAX_SKIPPED):
        head = source.pread(position, 8)
        if not head.startswith(_SKIPPABLE) or len(head) < 8:
            break
        position += 8 + int.from_bytes(head[4:], "little")
    return source.pread(position, HEAD)


def _begins(head: ByteSource, codec: Codec, *, whole: bool) -> bool:
    """True when the beginning of a file decompresses without a fault, or to a pickle in front of the fault."""
    stream = Stream(head, Budget(Limits(max_decompressed=_TRIED)), codec.opener)
    try:
        output = b"".join(stream.chunks())
    except BudgetExceeded:
        return True
    cut_off = "ends too early" in stream.fault
    if output and (not stream.fault or (cut_off and not whole)):
        return True
    # A loader runs what it gets before it comes to the fault, a wrong checksum for example.
    view = View(Artifact("", BytesSource(output)), output[:HEAD], output[-TAIL:])
    return bool(output) and _PICKLE.claims(view)


def _inner_name(artifact: Artifact, codec: Codec) -> str:
    """The name without the ending that stands for the compression."""
    name = artifact.name.replace("\\", "/").rpartition("/")[2]
    lowered = name.lower()
    for ending in codec.endings:
        if lowered.endswith(ending):
            return name[: -len(ending)] + (".tar" if ending.startswith(".t") else "")
    return name
