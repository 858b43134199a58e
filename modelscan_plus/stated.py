"""Between the scan and the rules over a target: hash the files of which another file says what their digest should be.

Most scans hash nothing. When all files of a target are in, this knows which digests are wanted, takes those that the
scan made and works out the rest; the rules (rules/integrity.py) compare.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping

import msgspec

from modelscan_plus.core.text import visible
from modelscan_plus.formats.summaries import DigestList
from modelscan_plus.rules.integrity import ALGORITHMS, named
from modelscan_plus.rules.tree import Tree, TreeFile
from modelscan_plus.sources.interface import Entry, Opened, Source, Unopened
from modelscan_plus.trust.hashing import Work, hash_files


def wanted(tree: Tree) -> dict[str, set[str]]:
    """The algorithms by path that the lists and pointers of a target speak of."""
    algorithms: dict[str, set[str]] = defaultdict(set)
    for file in tree.files.values():
        for summary in file.top(DigestList):
            for path, algorithm in _named(tree, file, summary):
                algorithms[path].add(algorithm)
    return algorithms


def _named(tree: Tree, file: TreeFile, summary: DigestList) -> Iterator[tuple[str, str]]:
    for stated in summary.digests:
        path = named(tree, file, stated)
        if path is None:
            continue
        if stated.algorithm == "md5-dir":
            yield from ((below, "md5") for below in tree.files if below.startswith(path + "/"))
        elif path in tree.files and stated.algorithm in ALGORITHMS:
            yield path, stated.algorithm


def with_digests(tree: Tree, source: Source, jobs: int) -> Tree:
    """The tree with every digest that something in it speaks of, as far as its files can be read again."""
    algorithms = wanted(tree)
    if not algorithms:
        return tree
    known = {path: {"sha256": file.sha256} for path, file in tree.files.items() if file.sha256}
    missing = {path: names - known.get(path, {}).keys() for path, names in algorithms.items()}
    made = _hashed(source, {path: names for path, names in missing.items() if names}, jobs)
    files = {
        path: msgspec.structs.replace(file, digests={**known.get(path, {}), **made.get(path, {})})
        if path in algorithms
        else file
        for path, file in tree.files.items()
    }
    return msgspec.structs.replace(tree, files=files)


def _hashed(source: Source, missing: Mapping[str, set[str]], jobs: int) -> dict[str, dict[str, str]]:
    if not missing or source.kind != "path":
        return {}  # what came over a network is hashed while it comes, or not at all
    works: dict[str, Work] = {}
    for entry in source.entries():
        path = visible(entry.path)
        if path in missing:
            works[path] = _Again(entry).work(tuple(sorted(missing[path])))
    hash_files(list(works.values()), jobs)
    return {path: work.digests for path, work in works.items()}


class _Again:
    """A file that is opened a second time; a change while it is hashed leaves it without digests."""

    def __init__(self, entry: Entry) -> None:
        self._entry = entry
        self._opened: Opened | None = None
        self._work: Work | None = None

    def work(self, algorithms: tuple[str, ...]) -> Work:
        return Work(self._open, 1 << 30, self._done, algorithms)

    def _open(self) -> tuple[int, int] | None:
        opened = self._entry.open()
        if isinstance(opened, Unopened):
            return None
        self._opened = opened
        return opened.fd, opened.size

    def _done(self, _fd: int) -> None:
        if self._opened is None or self._opened.changed():
            raise OSError("it changed while it was hashed")
