"""Hashes, lists of hashes and pointers: whether the files are those that something beside them says they are.

A list beside the files proves no origin: who can change the one can change the other. It shows what was damaged, mixed
up or replaced by someone who did not think of it, and a file that is not what its own repository says deserves no load.
"""

import re
from collections import defaultdict
from collections.abc import Iterator

import msgspec

from modelscan_plus.core.coverage import CoverageReason
from modelscan_plus.core.finding import ComparisonEvidence, Finding, Severity, TextEvidence
from modelscan_plus.core.patterns import lazy
from modelscan_plus.core.report import Reason
from modelscan_plus.core.text import shorten, visible
from modelscan_plus.formats import registry as formats
from modelscan_plus.formats.summaries import DigestList, StatedDigest
from modelscan_plus.rules.interface import Rule
from modelscan_plus.rules.tree import Tree, TreeContext, TreeFile, joined, judges_tree

ALGORITHMS = frozenset({"md5", "sha1", "sha224", "sha256", "sha384", "sha512", "blake2b"})
_POINTER_NAMES = (".lfs", ".lfs-pointer", ".pointer", ".ptr")
_GNU = "https://www.gnu.org/software/coreutils/manual/html_node/md5sum-invocation.html"
_DVC = "https://dvc.org/doc/user-guide/project-structure/dvc-files"
_DATA = lazy(
    r"\.(?:csv|tsv|jsonl?|parquet|arrow|feather|txt|png|jpe?g|webp|wav|flac|mp[34])(?:\.gz)?$"
    r"|(?:^|/)(?:data|datasets?|corpus|corpora)/(?:[^./]+/)*[^./]+$",
    re.I,
)
"""Data that programs read: rows, texts, pictures and sound by their ending, and folders below one of data."""
_SHOWN = 20
"""Findings of one rule for one list."""

DIGEST_MISMATCH = Rule(
    id="MSP7050",
    slug="digest-mismatch",
    title="A file is not the one that a list or pointer beside it describes",
    severity=Severity.HIGH,
    why=(
        "A list of hashes, a DVC file or a Git LFS pointer states which content its maker had. The file that stands "
        "there has another. The download may be damaged or of another version, or somebody replaced the file."
    ),
    fix="Get the file again. If it stays different, ask its publisher which of the two is right.",
    bad="SHA256SUMS: 9f86d0…  model.safetensors, and model.safetensors has 2c26b4…",
    good="SHA256SUMS: 9f86d0…  model.safetensors, and model.safetensors has 9f86d0…",
    cwe=("CWE-354", "CWE-345"),
    references=(_GNU, _DVC, "https://github.com/git-lfs/git-lfs/blob/main/docs/spec.md"),
)
LISTED_MISSING = Rule(
    id="MSP7051",
    slug="listed-file-missing",
    title="A list of hashes names files that are not there",
    severity=Severity.LOW,
    why="Somebody took only a part of what was published, or a download is not complete.",
    fix="If the model needs the files, fetch them; otherwise nothing is wrong.",
    bad="SHA256SUMS names model-00002-of-00002.safetensors, which is not there",
    good="every file that SHA256SUMS names is there",
    references=(_GNU,),
)
LISTED_OUTSIDE = Rule(
    id="MSP7052",
    slug="listed-path-leads-out",
    title="A list of hashes or a pointer names a path outside the target",
    severity=Severity.MEDIUM,
    why=(
        "Tools that check or fetch what the list names would read or write there: an absolute path or one with .. that "
        "leaves the folder reaches files of the machine. No tool that writes such lists makes them by itself."
    ),
    fix="Do not run sha256sum -c, dvc pull or the like with it. Ask the publisher for a list with relative names.",
    bad="9f86d0…  ../../.ssh/authorized_keys",
    good="9f86d0…  weights/model.safetensors",
    cwe=("CWE-22",),
    references=("https://cwe.mitre.org/data/definitions/22.html",),
)
LISTS_DISAGREE = Rule(
    id="MSP7053",
    slug="lists-disagree",
    title="Two statements about the same file contradict each other",
    severity=Severity.MEDIUM,
    why="A file cannot have both hashes. One of the lists is old, or was made to let another file pass.",
    fix="Find out which of them the publisher stands by, and remove the other.",
    bad="SHA256SUMS: 9f86d0…  m.bin        m.bin.sha256: 2c26b4…",
    good="SHA256SUMS: 9f86d0…  m.bin        m.bin.sha256: 9f86d0…",
    cwe=("CWE-345",),
    references=(_GNU,),
)
UNLISTED = Rule(
    id="MSP7054",
    slug="file-not-in-list",
    title="A file that can run code is missing from the list of hashes beside it",
    severity=Severity.LOW,
    why=(
        "The list covers the folder's other files, but not this one, whose format lets a loader run code. It may have "
        "been added after the list was made."
    ),
    fix="Ask the publisher whether the file belongs to the model.",
    bad="SHA256SUMS lists config.json and model.safetensors; beside them stands an unlisted optimizer.pkl",
    good="SHA256SUMS lists config.json, model.safetensors and optimizer.pkl",
    cwe=("CWE-345",),
    references=(_GNU,),
)
POINTER_ONLY = Rule(
    id="MSP7055",
    slug="pointer-without-file",
    title="Only a DVC pointer is here; the file that it stands for was not scanned",
    severity=Severity.LOW,
    why="The pointer names a file by its hash. Whatever `dvc pull` puts in its place later was not looked at.",
    fix="Fetch the file (dvc pull) and scan again.",
    bad="model.pkl.dvc, and no model.pkl",
    good="model.pkl.dvc and the model.pkl that it describes",
    references=(_DVC,),
)
DIGESTS_COMPARED = Rule(
    id="MSP7056",
    slug="digests-compared",
    title="Files were compared with a list or pointer beside them",
    severity=Severity.INFO,
    why="A note, so that it is known what was compared. It shows that the files belong together, not who made them.",
    fix="For the origin, verify a signature; for later, lock what was let in.",
    bad="SHA256SUMS: 11 of 12 files match",
    good="SHA256SUMS: 12 of 12 files match",
    references=(_GNU,),
)
NO_TREE_DIGEST = Rule(
    id="MSP7099",
    slug="no-tree-digest",
    title="The target as a whole has no digest",
    severity=Severity.INFO,
    why=(
        "The digest of a target binds the names, sizes and contents of its files. A tree that does not mean the same "
        "on every system has none: one with links or special files in it, with files that could not be read, with "
        "names that cannot be shown or that a system without upper and lower case takes for one. Such a target can be "
        "scanned, and cannot be locked, attested or recognised again."
    ),
    fix="Remove or leave out (--exclude) what the note names, or copy the files to a clean folder (cp -rL).",
    bad="model/.git/ beside model/model.safetensors, scanned with --hash",
    good="the same folder with --exclude .git",
    references=("https://github.com/ossf/model-signing-spec",),
)


def stands_for(file: TreeFile) -> str | None:
    """The path of the file that an LFS pointer beside it stands for; None when its name does not say."""
    ending = next((ending for ending in _POINTER_NAMES if file.path.endswith(ending)), None)
    return file.path.removesuffix(ending) if ending else None


def named(tree: Tree, file: TreeFile, stated: StatedDigest) -> str | None:
    """The path that a statement of `file` is about; None when it leads out or cannot be known."""
    if not stated.name:
        return stands_for(file)
    path = joined(file.folder, visible(stated.name))
    if path in tree.files or file.folder == "":
        return path
    # Some lists in a folder of their own give names from the root.
    from_root = joined("", visible(stated.name))
    return from_root if from_root in tree.files else path


class _Tally(msgspec.Struct):
    """What became of the statements of one list."""

    same: int = 0
    compared: int = 0
    missing: list[str] = msgspec.field(default_factory=list)
    outside: list[str] = msgspec.field(default_factory=list)
    differing: list[tuple[str, str, str]] = msgspec.field(default_factory=list)
    """Path, stated, found."""
    paths: set[str] = msgspec.field(default_factory=set)
    beyond: int = 0
    """Present, and not compared: an algorithm that is not known here, or the file could not be read."""


def _tally(tree: Tree, file: TreeFile, summary: DigestList) -> _Tally:
    tally = _Tally()
    for stated in summary.digests:
        path = named(tree, file, stated)
        if path is None:
            if stated.name:
                tally.outside.append(stated.name)
            continue
        tally.paths.add(path)
        found = _folder(tree, path) if stated.algorithm == "md5-dir" else _single(tree, path, stated.algorithm)
        if found is None:
            tally.missing.append(path)
        else:
            _compare(tally, path, stated, found)
    return tally


class _Found(msgspec.Struct, frozen=True):
    size: int
    digest: str
    """"" where it is not known."""
    files: int | None = None


def _compare(tally: _Tally, path: str, stated: StatedDigest, found: _Found) -> None:
    if stated.size is not None and stated.size != found.size:
        tally.differing.append((path, f"{stated.size:,} bytes", f"{found.size:,} bytes"))
    elif stated.files is not None and found.files is not None and stated.files != found.files:
        tally.differing.append((path, f"{stated.files:,} files", f"{found.files:,} files"))
    elif not found.digest:
        tally.beyond += 1
        return
    elif stated.digest != found.digest:
        tally.differing.append((path, f"{stated.algorithm} {stated.digest}", f"{stated.algorithm} {found.digest}"))
    else:
        tally.same += 1
    tally.compared += 1


def _single(tree: Tree, path: str, algorithm: str) -> _Found | None:
    file = tree.files.get(path)
    return None if file is None else _Found(file.size, file.digests.get(algorithm, ""))


def _folder(tree: Tree, path: str) -> _Found | None:
    """A folder as DVC digests it: the MD5 of the JSON list of its files, in the order of their paths."""
    import hashlib
    import json

    below = {name.removeprefix(path + "/"): file for name, file in tree.files.items() if name.startswith(path + "/")}
    if not below:
        return None
    listed = [{"md5": below[name].digests.get("md5", ""), "relpath": name} for name in sorted(below)]
    digest = ""
    if all(item["md5"] for item in listed):
        text = json.dumps(listed, sort_keys=True)
        digest = hashlib.md5(text.encode("utf-8", "surrogateescape"), usedforsecurity=False).hexdigest()
    return _Found(sum(file.size for file in below.values()), digest, len(below))


@judges_tree
def stated_digests(tree: Tree, context: TreeContext) -> Iterator[Finding]:
    """Every list and every pointer against the files that it names."""
    listed: set[str] = set()
    lists: list[tuple[TreeFile, _Tally]] = []
    for file in tree.files.values():
        for summary in file.top(DigestList):
            tally = _tally(tree, file, summary)
            yield from _about(tree, file, summary, tally, context)
            if summary.kind == "checksums":
                listed |= tally.paths
                lists.append((file, tally))
    for file, tally in lists:
        yield from _unlisted(tree, file, tally, listed, context)
    yield from _contradictions(tree, context)


def _about(tree: Tree, file: TreeFile, summary: DigestList, tally: _Tally, context: TreeContext) -> Iterator[Finding]:
    for path, stated, found in tally.differing[:_SHOWN]:
        more = f" ({len(tally.differing):,} files differ in all)" if len(tally.differing) > _SHOWN else ""
        yield context.finding(
            DIGEST_MISMATCH,
            path if path in tree.files else file.path,
            f"{file.path} says {shorten(stated, 90)} for {path}; it has {shorten(found, 90)}{more}.",
            ComparisonEvidence("content of the file", visible(file.name), stated, "found", found),
            subject=file.path,
        )
    if tally.outside:
        shown = visible(shorten(tally.outside[0], 150))
        yield context.finding(
            LISTED_OUTSIDE,
            file.path,
            f"It names {shown}{_more(tally.outside)}, which leads out of the target.",
            TextEvidence(shown),
            subject=shown,
        )
    if tally.missing and summary.kind == "dvc" and tree.complete:
        message = (
            f"only a DVC pointer to {visible(tally.missing[0])}{_more(tally.missing)} is here; that was not scanned"
        )
        if not all(_DATA.search(path) for path in tally.missing):
            context.gaps[file.path] = CoverageReason("dvc-pointer", message, executable=True)
        yield context.finding(
            POINTER_ONLY,
            file.path,
            f"{visible(tally.missing[0])}{_more(tally.missing)} is not here and was not scanned.",
            TextEvidence(visible(shorten(tally.missing[0], 150))),
            subject=tally.missing[0],
        )
    elif tally.missing and tree.complete:
        shown = visible(shorten(tally.missing[0], 150))
        yield context.finding(
            LISTED_MISSING,
            file.path,
            f"It names {shown}{_more(tally.missing)}, which is not there.",
            TextEvidence(shown),
            subject=shown,
        )
    if tally.compared or tally.beyond:
        beyond = f"; {tally.beyond:,} could not be compared" if tally.beyond else ""
        message = f"{file.path}: {tally.same:,} of {tally.compared:,} compared files match{beyond}"
        context.notes.append(Reason(DIGESTS_COMPARED.id, message))


def _more(items: list[str]) -> str:
    return f" and {len(items) - 1:,} more" if len(items) > 1 else ""


def _unlisted(tree: Tree, file: TreeFile, tally: _Tally, listed: set[str], context: TreeContext) -> Iterator[Finding]:
    beside = sum(path in tree.files and path.rpartition("/")[0] == file.folder for path in tally.paths)
    if beside < 2:
        return  # a list of one file says nothing about its neighbours
    runs = {name for known in formats.FORMATS if known.executable for name in (known.name, *known.variants)}
    for other in tree.below(file.folder).values():
        if other.path not in listed and not runs.isdisjoint(other.formats):
            yield context.finding(
                UNLISTED,
                other.path,
                f"{file.path} lists the files of this folder, but not this one.",
                TextEvidence(file.path),
                subject=file.path,
            )


def _contradictions(tree: Tree, context: TreeContext) -> Iterator[Finding]:
    known: dict[tuple[str, str], tuple[str, TreeFile]] = {}
    told: dict[str, int] = defaultdict(int)
    for file in tree.files.values():
        for summary in file.top(DigestList):
            for stated in summary.digests:
                path = named(tree, file, stated)
                if path is None:
                    continue
                digest, first = known.setdefault((path, stated.algorithm), (stated.digest, file))
                if digest == stated.digest or told[file.path] >= _SHOWN:
                    continue
                told[file.path] += 1
                yield context.finding(
                    LISTS_DISAGREE,
                    file.path,
                    f"It says another {stated.algorithm} for {path} than {first.path}"
                    + (" (the same list, twice)." if first is file else "."),
                    ComparisonEvidence(f"{stated.algorithm} of {path}", first.name, digest, file.name, stated.digest),
                    subject=f"{path}\0{stated.algorithm}",
                )
