"""A `.dvc` file of DVC: what should stand beside it once `dvc pull` has run. YAML, of which this much is read:

    outs:
    - md5: <32 hex>[.dir]
      size: <bytes, of a folder the sum>
      nfiles: <files of a folder>
      hash: md5
      path: <name, relative to the folder of the .dvc file>

Without `hash: md5` the pointer is of DVC before 3.0, whose MD5 of a text file is that of the text with Unix line ends;
such digests are not compared, sizes are. A digest that ends in ".dir" is that of a folder: the MD5 of the JSON list of
its files' MD5 and relative paths.
Source: the DVC documentation, ".dvc files"; dvc-data's `Tree.as_bytes`.
"""

import re
from collections.abc import Iterable

from modelscan_plus.core.artifact import Artifact
from modelscan_plus.core.coverage import CoverageReason
from modelscan_plus.core.limits import Budget
from modelscan_plus.core.patterns import lazy
from modelscan_plus.formats.interface import Format, Parsed, Region, View
from modelscan_plus.formats.summaries import MAX_DIGESTS, DigestList, StatedDigest

_LARGEST = 4 << 20
_OUTS = lazy(rb"^outs:[ \t]*(#.*)?\r?$", re.MULTILINE)
_FIELD = lazy(r"(?P<indent> *)(?P<dash>- )? *(?P<key>[A-Za-z_][\w.-]*):(?: +(?P<value>.*?))? *")
_MD5 = lazy(r"[0-9a-f]{32}(\.dir)?")


class DvcFormat(Format):
    """A pointer of DVC."""

    name = "dvc"
    title = "DVC pointer"
    extensions = (".dvc",)
    executable = False
    description = (
        "The outputs are read: path, MD5, size, number of files. What stands beside is compared with them, folders "
        "too; an output that is absent leaves the pointer reported as a model that was not scanned."
    )

    def claims(self, view: View) -> bool:
        named = view.artifact.name.lower().endswith(".dvc")
        return bool(_OUTS.search(view.head)) and (named or bool(re.search(rb"^- md5: [0-9a-f]{32}", view.head, re.M)))

    def parse(self, artifact: Artifact, budget: Budget) -> Iterable[Parsed]:
        data = artifact.source.pread(0, min(artifact.source.size, _LARGEST))
        digests = tuple(_outs(data.decode("utf-8", "surrogateescape")))
        gaps: tuple[CoverageReason, ...] = ()
        if not digests or len(data) < artifact.source.size:
            message = "no output with an MD5 was found in it, or it is too long"
            gaps = (CoverageReason("dvc-unread", message, executable=True),)
        regions = (Region(0, artifact.source.size, "structure"),)
        yield Parsed((), regions, gaps=gaps, summaries=(DigestList("dvc", digests[:MAX_DIGESTS]),))


def _outs(text: str) -> Iterable[StatedDigest]:
    fields: dict[str, str] = {}
    inside, column = False, -1
    for line in text.splitlines():
        found = _FIELD.fullmatch(line.rstrip("\r"))
        if found is None:
            continue
        if not found["indent"] and not found["dash"]:
            yield from _out(fields)
            fields, inside = {}, found["key"] == "outs"
        elif inside and found["dash"] and column in (-1, len(found["indent"])):
            yield from _out(fields)
            fields, column = {}, len(found["indent"])
        if inside and len(found["indent"]) + 2 * bool(found["dash"]) == column + 2:
            fields.setdefault(found["key"], _plain(found["value"] or ""))
    yield from _out(fields)


def _out(fields: dict[str, str]) -> Iterable[StatedDigest]:
    digest = fields.get("md5", "")
    if not _MD5.fullmatch(digest) or not fields.get("path"):
        return
    size, count = fields.get("size", ""), fields.get("nfiles", "")
    yield StatedDigest(
        fields["path"],
        "unknown" if fields.get("hash") != "md5" else "md5-dir" if digest.endswith(".dir") else "md5",
        digest.removesuffix(".dir"),
        int(size) if size.isascii() and size.isdigit() and len(size) < 19 else None,
        int(count) if count.isascii() and count.isdigit() and len(count) < 19 else None,
    )


def _plain(value: str) -> str:
    if len(value) >= 2 and value[0] == value[-1] and value[0] in "'\"":
        return value[1:-1]
    return value.partition(" #")[0].rstrip()
