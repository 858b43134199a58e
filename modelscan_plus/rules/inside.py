"""What stands inside of the archives of a target, as files of the target.

A server unpacks `model.tar.gz`, a `.mar`, a `.nemo` or a `.bento` and runs what is in it as it would run files beside
the model. So the rules that ask what a loader gets to (rules/reached.py) see the members of archives as files in a
folder of the archive's name, with a "!" behind it.
"""

from collections.abc import Iterator

import msgspec

from modelscan_plus.core.text import visible
from modelscan_plus.formats.summaries import PythonSummary, Stated
from modelscan_plus.rules.tree import Tree, TreeFile

_ARCHIVES = frozenset("zip tar 7z gzip bzip2 xz lzma zlib zstandard lz4".split())
_MOST = 2_000
"""Members of one archive."""


def expanded(tree: Tree) -> Tree:
    """The tree with the members of its archives that hold Python; itself where there are none."""
    files = dict(tree.files)
    for file in tree.files.values():
        if _ARCHIVES.isdisjoint(file.formats) or not any(_is_python(stated) for stated in file.summaries):
            continue
        for member in _members(file):
            files.setdefault(member.path, member)
    return tree if len(files) == len(tree.files) else msgspec.structs.replace(tree, files=files)


def address(file: TreeFile) -> tuple[str, tuple[str, ...]]:
    """The file of the target that this one is or stands in, and the way down in it."""
    return (file.container, file.members) if file.container else (file.path, ())


def _is_python(stated: Stated) -> bool:
    return bool(stated.members) and isinstance(stated.summary, PythonSummary)


def _members(file: TreeFile) -> Iterator[TreeFile]:
    """The members with summaries; of several by one name each has a folder of its own."""
    held: dict[tuple[str, ...], list[Stated]] = {}
    for stated in file.summaries:
        if stated.members:
            held.setdefault(stated.members, []).append(Stated((), stated.summary))
    taken: dict[str, int] = {}
    for members, summaries in list(held.items())[:_MOST]:
        name = "/".join(
            part for part in visible(members[-1]).replace("\\", "/").split("/") if part not in ("", ".", "..")
        )
        found = tuple(finding for finding in file.findings if finding.location.members == members)
        for number, one in enumerate(_apart(summaries)):
            folder = f"{file.path}!" if not number else f"{file.path}!{number + 1}"
            path = f"{folder}/{name}"
            taken[path] = taken.get(path, 0) + 1
            if taken[path] > 1:
                path = f"{folder}{taken[path]}/{name}"
            yield TreeFile(
                path, 0, (), file.coverage, summaries=one, findings=found, container=file.path, members=members
            )


def _apart(summaries: list[Stated]) -> list[tuple[Stated, ...]]:
    """The summaries of each of several members by the same name: a source has one."""
    sources = [stated for stated in summaries if isinstance(stated.summary, PythonSummary)]
    others = tuple(stated for stated in summaries if not isinstance(stated.summary, PythonSummary))
    return [(source, *others) for source in sources] or [others]
