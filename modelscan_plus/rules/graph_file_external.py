"""Tensors in other files: names that lead out of the model's folder, ranges that cannot be, files that are not data.

Loaders join the name with the model's folder and map the range into memory. Each of them has had holes here: what a
checker refuses another loader still opens, so every way out is reported, whoever closes it.
"""

import re
from collections.abc import Iterator, Sequence

from modelscan_plus.core.facts import NeighbourFacts
from modelscan_plus.core.finding import BytesEvidence, Finding, Severity, TextEvidence
from modelscan_plus.core.patterns import lazy
from modelscan_plus.formats.graphs.onnx.external import ExternalFacts, Reference
from modelscan_plus.formats.summaries import ExternalFile, ExternalFiles
from modelscan_plus.rules.graph_limits import shown, some
from modelscan_plus.rules.interface import Context, Rule, judges
from modelscan_plus.rules.tree import Tree, TreeContext, TreeFile, joined, judges_tree

_DOCS = "https://github.com/onnx/onnx/blob/main/docs/ExternalData.md"
_NVD = "https://nvd.nist.gov/vuln/detail/"

LEAVES = Rule(
    id="MSP4010",
    slug="external-data-leaves-folder",
    title="The model reads tensors from outside its folder",
    severity=Severity.CRITICAL,
    why=(
        "A model may keep tensors in a file beside it. This one names a file elsewhere: by .., by an absolute path, a "
        "network share, an address, or a place in the loader's own memory. Loading the model reads it, and what was "
        "read comes out again with the model's answers or its saved copy: private files leave the machine. A network "
        "share also sends the user's credentials to its server."
    ),
    fix="Do not load the model. Honest external data stands beside the model, under a plain relative name.",
    bad='external_data: location "../../../../etc/passwd", offset "0", length "4096"',
    good='external_data: location "model.onnx_data", offset "0", length "4096"',
    cwe=("CWE-22", "CWE-73", "CWE-200"),
    references=(_NVD + "CVE-2022-25882", _NVD + "CVE-2024-27318", _NVD + "CVE-2025-51480", _DOCS),
)
ODD_NAME = Rule(
    id="MSP4011",
    slug="external-data-odd-name",
    title="The name of the external data is made to be read in two ways",
    severity=Severity.HIGH,
    why=(
        "Control characters, a zero byte, no name at all, or characters that mean a folder on one system and are part "
        "of a name on another: a check and the loader then see two names. C code stops at a zero byte where Python "
        "goes on."
    ),
    fix="Do not load the model; have it exported again.",
    bad='external_data: location "weights.bin\\0.txt"',
    good='external_data: location "weights/layer 1.bin"',
    cwe=("CWE-158", "CWE-20"),
    references=(_DOCS,),
)
LINK = Rule(
    id="MSP4012",
    slug="external-data-link",
    title="The external data is a link",
    severity=Severity.HIGH,
    why=(
        "The name looks harmless, but it, or a folder on the way, is a symbolic link, so the loader reads what the "
        "link leads to. That gets private files of the machine past every check of the name. Links into the blobs of "
        "the same Hugging Face cache repository are how that cache works, and are not reported."
    ),
    fix="Replace the link by the file that is meant, after you looked at it.",
    bad="weights.bin -> /home/user/.ssh/id_ed25519",
    good="snapshots/4f2a/model.onnx_data -> ../../blobs/9c1e…",
    cwe=("CWE-59", "CWE-61"),
    references=(_DOCS, "https://cwe.mitre.org/data/definitions/61.html"),
)
HARDLINK = Rule(
    id="MSP4013",
    slug="external-data-hardlink",
    title="The external data has a second name elsewhere",
    severity=Severity.MEDIUM,
    why=(
        "The file is a hard link: the same bytes stand under a name outside the target, which can be a private file of "
        "the machine on which the model was put together. Stores that keep files once (DVC, Nix) also do this, so "
        "someone has to look."
    ),
    fix="Find out what the other name is (find / -samefile FILE), or copy the file to break the link.",
    bad="weights.bin: 2 names, one of them in the target",
    good="weights.bin: 1 name",
    cwe=("CWE-62",),
    references=(_DOCS, "https://cwe.mitre.org/data/definitions/62.html"),
)
SELF = Rule(
    id="MSP4014",
    slug="external-data-self",
    title="The model names itself as its external data",
    severity=Severity.HIGH,
    why=(
        "A tensor is said to be in another file, and that file is the model. Its bytes then are structure to one "
        "reader and weights to another, and the checks for values that are in the model itself do not apply."
    ),
    fix="Do not load the model; no exporter writes this.",
    bad='model.onnx: external_data: location "model.onnx", offset "120", length "64"',
    good='model.onnx: external_data: location "model.onnx.data", offset "120", length "64"',
    cwe=("CWE-436",),
    references=(_DOCS,),
)
RANGE = Rule(
    id="MSP4015",
    slug="external-data-range",
    title="The range of the external data cannot be right",
    severity=Severity.HIGH,
    why=(
        "Offset or length is no number, is negative or overflows, does not fit the tensor's type and shape, or lies "
        "behind the end of the file. Loaders map the range into memory; one that does not check reads memory that is "
        "not the tensor's."
    ),
    fix="Do not load the model. If its data file broke off, get that again.",
    bad='dims [2, 2] of float (16 bytes), offset "0", length "4096"',
    good='dims [2, 2] of float (16 bytes), offset "4096", length "16"',
    cwe=("CWE-125", "CWE-190", "CWE-1284"),
    references=(_NVD + "CVE-2024-27319", _DOCS),
)
OVERLAP = Rule(
    id="MSP4016",
    slug="external-data-overlap",
    title="Tensors overlap in the external data",
    severity=Severity.MEDIUM,
    why=(
        "Tied weights share their whole range. Ranges that overlap in part are made by hand: bytes that are weights to "
        "one tensor and something else to another, or a small file that grows large when it is loaded."
    ),
    fix="Have the model exported again, or find out why the ranges overlap.",
    bad="a: bytes 0 to 4,096; b: bytes 2,048 to 6,144",
    good="a: bytes 0 to 4,096; b: bytes 0 to 4,096 (the same weights); c: bytes 4,096 to 8,192",
    cwe=("CWE-1284",),
    references=(_DOCS,),
)
ODD_PLACE = Rule(
    id="MSP4017",
    slug="external-data-odd-place",
    title="External data stands where tools do not look for it",
    severity=Severity.MEDIUM,
    why=(
        "Exporters move the weights of a graph out of the model. Here a part of a sparse tensor, an attribute, or a "
        "value in a function or in training information is read from a file; checks that go through the graph's "
        "weights miss it, and loaders have read such tensors before checking the path."
    ),
    fix="Look at the file that is named. Have the model saved again with its small values inside.",
    bad='Constant.sparse_value.values: location "weights.bin"',
    good='graph.initializer: location "weights.bin"',
    cwe=("CWE-693",),
    references=(_DOCS,),
)
UNKNOWN_KEY = Rule(
    id="MSP4018",
    slug="external-data-unknown-key",
    title="External data has settings that the format does not have",
    severity=Severity.HIGH,
    why=(
        "Loaders know location, offset, length, checksum and basepath. Versions of onnx before 1.21 set whatever else "
        "stands there as an attribute of their own object, under any name, which lets a model change how the loader "
        "behaves. A key that stands twice is read differently by different loaders."
    ),
    fix="Do not load the model with onnx before 1.21.",
    bad='external_data: location "w.bin", "__class__" "x"',
    good='external_data: location "w.bin", offset "0", checksum "…"',
    cwe=("CWE-915",),
    references=(_NVD + "CVE-2026-34445", _DOCS),
)
MISSING = Rule(
    id="MSP4019",
    slug="external-data-missing",
    title="The external data is not there",
    severity=Severity.LOW,
    why=(
        "The model cannot be loaded without the file. Whoever puts a file of that name there decides which weights the "
        "model has; what is missing was not scanned."
    ),
    fix="Get the whole model, with its data, and scan the folder.",
    bad='model.onnx names "model.onnx_data", which is not in its folder',
    good='model.onnx names "model.onnx_data", which stands beside it',
    cwe=("CWE-426",),
    references=(_DOCS,),
)
OTHER_CONTENT = Rule(
    id="MSP4020",
    slug="external-data-is-a-file",
    title="The external data is a file of another kind",
    severity=Severity.MEDIUM,
    why=(
        "External data is raw numbers. This file is a pickle, an archive, a program or text, so either the model reads "
        "something that was never meant as weights, or the file is there for another purpose."
    ),
    fix="Find out what the file is for. What it would do when it is loaded on its own is reported with it.",
    bad="weights.bin is a Python pickle",
    good="weights.bin is raw numbers, or a safetensors file whose ranges the model names",
    cwe=("CWE-434",),
    references=(_DOCS,),
)

_DRIVE = lazy(r"^[A-Za-z]:")
_URL = lazy(r"^[A-Za-z][A-Za-z0-9+.-]+:(?://|[^\\/])")
_RESERVED = lazy(r"^(?:con|prn|aux|nul|com[1-9]|lpt[1-9]|conin\$|conout\$)(?:\.|$)", re.I)
_MEMORY = "*/_ORT_MEM_ADDR_/*"
"""How onnxruntime marks a tensor whose offset is an address in its own memory; only ever made in memory."""
_LARGEST = 1 << 62
_HUGE = 1 << 40


def way_out(location: str) -> str:
    """How a location leads out of the model's folder, as a phrase; "" when it does not."""
    name = location.replace("\\", "/").strip()
    if location.startswith("*/") or _MEMORY in location:
        return "names an address in the loader's memory"
    if name.startswith("//"):
        return "names a network share"
    if name.startswith("/"):
        return "is an absolute path"
    if name.startswith("~"):
        return "names a home folder"
    if _DRIVE.match(name):
        return "is an absolute path on a drive"
    if _URL.match(name):
        return "is an address"
    depth = 0
    for part in name.split("/"):
        part = part.strip()
        depth += -1 if part == ".." else 0 if part in ("", ".") else 1
        if depth < 0:
            return "leads out of the model's folder"
    return "goes up a folder" if ".." in [part.strip() for part in name.split("/")] else ""


def _odd(location: str) -> str:
    if not location.strip():
        return "is empty"
    if any(ord(c) < 32 or ord(c) == 127 or 0xD800 <= ord(c) <= 0xDFFF for c in location):
        return "has control characters or is not UTF-8"
    if any(0x202A <= ord(c) <= 0x202E or 0x2066 <= ord(c) <= 0x2069 for c in location):
        return "has characters that turn the direction of text"
    if "%2e" in location.lower() or "%2f" in location.lower() or "$" in location:
        return "has escapes or variables that some programs resolve"
    if location.endswith((" ", ".")) or ":" in location or location.startswith(" "):
        return "is read differently on Windows"
    if any(_RESERVED.match(part) for part in re.split(r"[\\/]", location)):
        return "is a device on Windows"
    return ""


@judges(ExternalFacts)
def external_names(facts: ExternalFacts, context: Context) -> Iterator[Finding]:
    """The names, each once."""
    first: dict[str, Reference] = {}
    for reference in facts.references:
        first.setdefault(reference.location, reference)
    out = [(item, how) for item in first.values() if item.location and (how := way_out(item.location))]
    for (item, how), more in some(out):
        yield _about(LEAVES, item, f'The location "{shown(item.location)}" {how}.{more}', context)
    # Entries of a tensor that is not external are dead letters; an empty name among them misleads nobody.
    odd = [(item, how) for item in first.values() if (item.external or item.location) and (how := _odd(item.location))]
    for (item, how), more in some(odd):
        yield _about(ODD_NAME, item, f'The location "{shown(item.location)}" {how}.{more}', context)
    backslash = [i for i in first.values() if "\\" in i.location and not way_out(i.location) and not _odd(i.location)]
    for item, more in some(backslash):
        message = (
            f'The location "{shown(item.location)}" has backslashes: a folder on Windows, a part of the name elsewhere.'
        )
        yield _about(ODD_NAME, item, message + more, context, Severity.LOW)
    own = [item for item in first.values() if _is(item.location, facts.name)]
    for item, more in some(own):
        yield _about(SELF, item, f'"{shown(item.location)}" is the model itself.{more}', context)


def _is(location: str, name: str) -> bool:
    plain = location.replace("\\", "/").removeprefix("./").lower()
    return bool(name) and plain == name.lower()


@judges(ExternalFacts)
def external_ranges(facts: ExternalFacts, context: Context) -> Iterator[Finding]:
    """Ranges that cannot be, one by one, and ranges that overlap."""
    wrong = [(item, how) for item in facts.references if item.external and (how := _wrong(item))]
    for (item, how), more in some(wrong):
        yield _about(RANGE, item, f"The range of {shown(item.where)} {how}.{more}", context)
    for (left, right), more in some(_overlaps(facts.references)):
        message = (
            f"{shown(left.where)} (bytes {left.offset or 0:,} to {left.end:,}) and {shown(right.where)} (bytes "
            f'{right.offset or 0:,} to {right.end:,}) overlap in "{shown(right.location)}".{more}'
        )
        yield _about(OVERLAP, right, message, context)


def _wrong(item: Reference) -> str:
    if item.offset == -1 or item.length == -1:
        return f"is not written as readable numbers ({shown(item.written)})"
    if (item.declared or 0) > _HUGE:
        return f"needs {item.declared:,} bytes by type and shape, more than any tensor has"
    if (item.end or 0) > _LARGEST:
        return f"ends behind every possible file ({shown(item.written)})"
    if item.length is not None and item.declared is not None and item.length != item.declared:
        return f"has {item.length:,} bytes, but its type and shape need {item.declared:,}"
    return ""


def _overlaps(references: Sequence[Reference]) -> list[tuple[Reference, Reference]]:
    """Neighbours in one file that share some bytes but not the same range."""
    placed = [item for item in references if item.external and item.end is not None and item.end > (item.offset or 0)]
    placed.sort(key=lambda item: (item.location, item.offset or 0, item.end or 0))
    found: list[tuple[Reference, Reference]] = []
    widest: Reference | None = None
    for item in placed:
        if widest is not None and widest.location == item.location and (item.offset or 0) < (widest.end or 0):
            if (item.offset or 0, item.end) != (widest.offset or 0, widest.end):
                found.append((widest, item))
            if (item.end or 0) <= (widest.end or 0):
                continue
        widest = item
    return found


@judges(ExternalFacts)
def external_places(facts: ExternalFacts, context: Context) -> Iterator[Finding]:
    """Where the references stand, and what stands in them."""
    odd = [item for item in facts.references if item.place not in ("initializer", "subgraph")]
    for item, more in some(odd):
        kind = {"sparse": "a part of a sparse tensor", "attribute": "an attribute"}.get(item.place, f"a {item.place}")
        message = f'{shown(item.where)}, {kind}, is read from "{shown(item.location)}".{more}'
        yield _about(ODD_PLACE, item, message, context, Severity.HIGH if item.place == "sparse" else None)
    for item, more in some(item for item in facts.references if item.unknown or item.repeated):
        keys = ", ".join(f'"{shown(key, 60)}"' for key in (*item.unknown, *item.repeated)[:6])
        what = "keys that the format does not have" if item.unknown else "keys that stand twice"
        yield _about(UNKNOWN_KEY, item, f"{shown(item.where)} has {what}: {keys}.{more}", context)


def _about(rule: Rule, item: Reference, message: str, context: Context, severity: Severity | None = None) -> Finding:
    window = context.hex_window(item.start, 16)
    return context.finding(
        rule,
        message,
        BytesEvidence(f"the tensor {shown(item.where)}", window),
        subject=f"{item.location}\0{item.place}",
        offset=item.start,
        node=shown(item.where, 300),
        severity=severity,
    )


@judges_tree
def external_files(tree: Tree, context: TreeContext) -> Iterator[Finding]:
    """The files that the models of a target name: links, files that are missing, too short, or something else."""
    looked = {facts.path: facts for facts in tree.facts if isinstance(facts, NeighbourFacts)}
    for file in tree.files.values():
        for summary in file.top(ExternalFiles):
            for named in summary.files:
                path = joined(file.folder, named.location)
                if path is not None and not way_out(named.location):
                    yield from _file(file, named, path, tree.files.get(path), looked.get(path), context)


def _file(
    model: TreeFile,
    named: ExternalFile,
    path: str,
    there: TreeFile | None,
    looked: NeighbourFacts | None,
    context: TreeContext,
) -> Iterator[Finding]:
    def finding(rule: Rule, message: str, severity: Severity | None = None) -> Finding:
        detail = f"{named.where}: {named.location}"
        return context.finding(
            rule, model.path, message, TextEvidence(shown(detail, 300)), subject=named.location, severity=severity
        )

    name = shown(named.location)
    if looked is not None and looked.kind in ("link", "link-outside", "link-broken"):
        leads = f'"{name}" is a link to "{shown(looked.detail)}"'
        outside = looked.kind != "link"
        tail = ", outside the target." if outside else "."
        yield finding(LINK, leads + tail, Severity.CRITICAL if outside else None)
        return
    if looked is not None and looked.kind not in ("file", "missing"):
        yield finding(LINK, f'"{name}" is no regular file: {shown(looked.detail or looked.kind)}.')
        return
    size = there.size if there is not None else looked.size if looked is not None and looked.kind == "file" else None
    if size is None:
        if not named.tensors:
            return
        yield finding(MISSING, f'"{name}", with {named.tensors:,} of the tensors, is not there.')
        return
    if named.end > size:
        message = f'The tensors in "{name}" end at byte {named.end:,}, but the file has only {size:,} bytes.'
        yield finding(RANGE, message)
    if looked is not None and looked.names > 1:
        yield finding(HARDLINK, f'"{name}" is one of {looked.names} names of the same file.')
    if there is not None and (other := set(there.formats) - _DATA):
        yield finding(OTHER_CONTENT, f'"{name}" is {", ".join(sorted(other))}.')


_DATA = frozenset({"safetensors", "npy", "coreml-weights"})
"""Formats whose raw numbers a model may name by their range."""
