r"""Lists of hashes, as sha256sum, shasum, md5sum, b2sum and BSD's sha256 write them; UTF-8 text, one file a line.

    <hex> SP (SP | "*") <name> LF           the GNU form; a line that begins with "\" has \\, \n and \r in its name
    SHA256 (<name>) = <hex> LF              the tagged form of BSD
    <hex> LF                                the only line of a file `<name>.sha256`

The hash is known from the tag, else from the list's name (b2, blake3), else from its length. Blank lines and lines that
begin with "#" or "//" are comments. Names are relative to the folder of the list.
Sources: GNU coreutils manual, section "md5 invocation"; BSD md5(1).
"""

import re
from collections.abc import Iterable

from modelscan_plus.core.artifact import Artifact
from modelscan_plus.core.coverage import CoverageReason
from modelscan_plus.core.limits import Budget
from modelscan_plus.core.patterns import lazy
from modelscan_plus.formats.interface import HEAD, Format, Parsed, Region, View
from modelscan_plus.formats.summaries import MAX_DIGESTS, DigestList, StatedDigest

_LARGEST = 16 << 20
_BY_LENGTH = {32: "md5", 40: "sha1", 56: "sha224", 64: "sha256", 96: "sha384", 128: "sha512"}
_TAGS = {
    "MD5": "md5",
    "SHA1": "sha1",
    "SHA224": "sha224",
    "SHA256": "sha256",
    "SHA384": "sha384",
    "SHA512": "sha512",
    "BLAKE2b": "blake2b",
    "BLAKE3": "blake3",
}
_HEX = "(?P<hex>[0-9a-fA-F]{32}|[0-9a-fA-F]{40}|[0-9a-fA-F]{56}|[0-9a-fA-F]{64}|[0-9a-fA-F]{96}|[0-9a-fA-F]{128})"
_GNU = lazy(rf"(?P<escaped>\\?){_HEX} [ *](?P<name>[^\x00\r\n]+)")
_BSD = lazy(rf"(?P<escaped>\\?)(?P<tag>[A-Z0-9]{{3,6}}|BLAKE2b|BLAKE3) \((?P<name>[^\x00\r\n]+)\) = {_HEX}")
_BARE = lazy(_HEX)
_SUFFIX = lazy(r"\.(md5|sha1|sha224|sha256|sha384|sha512|b2|b3|blake3)(sum)?$", re.IGNORECASE)


class ChecksumsFormat(Format):
    """A list of hashes."""

    name = "checksums"
    title = "list of hashes (SHA256SUMS and others)"
    extensions = (".sha256", ".sha512", ".sha1", ".md5", ".b2", ".txt")
    executable = False
    description = (
        "The forms of sha256sum (GNU), of BSD and a bare hash in `NAME.sha256` are read; the files that are named are "
        "hashed and compared, by MD5, SHA-1, SHA-2 or BLAKE2b. BLAKE3 is recognised and not compared."
    )

    def claims(self, view: View) -> bool:
        lines = _lines(view.head)
        if len(view.head) >= HEAD and lines:
            lines.pop()  # cut off
        if len(lines) == 1 and _SUFFIX.search(view.artifact.name) and _BARE.fullmatch(lines[0]):
            return True
        return bool(lines) and all(_GNU.fullmatch(line) or _BSD.fullmatch(line) for line in lines)

    def parse(self, artifact: Artifact, budget: Budget) -> Iterable[Parsed]:
        source = artifact.source
        data = source.pread(0, min(source.size, _LARGEST))
        digests: list[StatedDigest] = []
        unread = 0
        for line in _lines(data):
            stated = _stated(line, artifact.name)
            if stated is None or len(digests) >= MAX_DIGESTS:
                unread += 1
            else:
                digests.append(stated)
            if not len(digests) & 0xFFF:
                budget.check_time()
        gaps: tuple[CoverageReason, ...] = ()
        if unread or source.size > _LARGEST:
            gaps = (CoverageReason("checksums-unread", f"{unread:,} lines, or what follows them, name no hash"),)
        summary = DigestList("checksums", tuple(digests))
        yield Parsed((), (Region(0, source.size, "structure"),), gaps=gaps, summaries=(summary,))


def _lines(data: bytes) -> list[str]:
    text = data.decode("utf-8", "surrogateescape").removeprefix("\ufeff")
    lines = [line.rstrip("\r") for line in text.split("\n")]
    return [line for line in lines if line.strip() and not line.lstrip().startswith(("#", "//"))]


def _stated(line: str, list_name: str) -> StatedDigest | None:
    found = _GNU.fullmatch(line) or _BSD.fullmatch(line)
    if found is None:
        bare = _BARE.fullmatch(line)
        if bare is None or not _SUFFIX.search(list_name):
            return None
        return StatedDigest(_SUFFIX.sub("", list_name), _algorithm(bare["hex"], "", list_name), bare["hex"].lower())
    name = found["name"]
    if found["escaped"]:
        name = re.sub(r"\\([\\nr])", lambda escape: {"\\": "\\", "n": "\n", "r": "\r"}[escape[1]], name)
    tag = found.groupdict().get("tag") or ""
    return StatedDigest(name.removeprefix("./"), _algorithm(found["hex"], tag, list_name), found["hex"].lower())


def _algorithm(digest: str, tag: str, list_name: str) -> str:
    if tag:
        return _TAGS.get(tag, "unknown")
    lowered = list_name.lower()
    if "b3" in lowered or "blake3" in lowered:
        return "blake3"
    if "b2" in lowered or "blake2" in lowered:
        return "blake2b" if len(digest) == 128 else "unknown"
    return _BY_LENGTH[len(digest)]
