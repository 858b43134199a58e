"""Functions of a repository that its settings name: the program that is configured so calls them."""

import re
from collections.abc import Iterator

from modelscan_plus.formats.summaries import ConfigSummary, PythonSummary
from modelscan_plus.rules.tree import Tree, TreeFile, joined

EVERY = "*"
"""Stands for all public functions of a file."""
_FILE = re.compile(r"(?P<path>[\w./-]+\.py)(?:(?:::?|#)(?P<name>\w+))?$")

_OF_BUILDS = re.compile(r"(?:^|/)(?:\.github|docs?|\.circleci|\.gitlab|\.azure\w*)/")
"""Folders of settings for tools that build, check and document."""


def named_functions(tree: Tree) -> dict[str, tuple[str, frozenset[str]]]:
    """By path of a Python file, who names something in it, and the names of its functions and classes, or `EVERY`."""
    found: dict[str, tuple[str, frozenset[str]]] = {}
    for file in tree.files.values():
        if _OF_BUILDS.search(file.path):
            continue
        for summary in file.top(ConfigSummary):
            for word in summary.named:
                for path, name in _meant(tree, file, word):
                    way, names = found.get(path, (f"{file.path} names {word}", frozenset[str]()))
                    found[path] = (way, names | {name})
    return found


def _meant(tree: Tree, file: TreeFile, word: str) -> Iterator[tuple[str, str]]:
    if (of_file := _FILE.match(word)) is not None:
        path = _at(tree, file, (of_file["path"],))
        if path is not None:
            yield path, of_file["name"] or EVERY
        if of_file["name"] or "/" in word:
            return
    module, _, name = word.replace(":", ".").rpartition(".")
    place = module.replace(".", "/")
    path = _at(tree, file, (f"{place}.py", f"{place}/__init__.py"))
    if path is not None and name in _defined(tree.files[path]):
        yield path, name


def _at(tree: Tree, file: TreeFile, places: tuple[str, ...]) -> str | None:
    """The file at one of these places, seen from a file, from the top, or anywhere if there is just one."""
    for place in places:
        for folder in dict.fromkeys((file.folder, "")):
            path = joined(folder, place)
            if path in tree.files:
                return path
    if len(tree.files) > 2_000:
        return None
    inside = [path for place in places for path in tree.files if path.endswith(f"/{place}")]
    return inside[0] if len(inside) == 1 else None


def _defined(file: TreeFile) -> set[str]:
    return {name for summary in file.top(PythonSummary) for name in (*summary.functions, *summary.classes)}
