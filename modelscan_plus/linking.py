"""Between the scan and the rules over a target: the Python files that loaders get to are followed together.

A child sees one file, and a call into another one ends there. When all files of a target are in, their texts, which
came with the summaries, are handed to one more sandboxed child that follows the calls from file to file; what it found
out is added to the summaries of the files where it happens.
"""

import os
import tempfile
import zlib
from collections.abc import Iterator, Mapping

import msgspec

from modelscan_plus.core.coverage import CoverageReason
from modelscan_plus.core.limits import Limits
from modelscan_plus.engines.linked import NAME
from modelscan_plus.formats.summaries import ConfigSummary, FollowedSummary, PythonSummary, Stated
from modelscan_plus.formats.text.python.follow.bundle import Bundle
from modelscan_plus.inspection import FileResult
from modelscan_plus.rules.inside import address, expanded
from modelscan_plus.rules.named import named_functions
from modelscan_plus.rules.reached import next_files, only_imported, reached_code
from modelscan_plus.rules.tree import Tree, TreeFile
from modelscan_plus.sources.interface import Entry, Opened, Unopened
from modelscan_plus.workers.supervisor import Supervisor

_LARGEST = 24 << 20
"""Bytes of all sources of one target that are followed together."""
_SOURCE = 2 << 20
_SERVED = 50
"""Files of a target whose functions are called as something outside would."""


def with_links(tree: Tree, limits: Limits) -> Tree:
    """The tree with what its Python files do together."""
    bundle = bundled(tree)
    if bundle is None:
        return tree
    with Supervisor(limits, 1, engine=NAME) as supervisor:
        for outcome in supervisor.run([("", Entry("python", lambda: _opened(bundle)))]):
            return linked(tree, bundle, outcome.result)
    return tree


def _opened(bundle: Bundle) -> Opened | Unopened:
    data = msgspec.json.encode(bundle)
    with tempfile.TemporaryFile() as file:
        file.write(data)
        file.flush()
        return Opened(os.dup(file.fileno()), len(data), lambda: False)


def bundled(tree: Tree) -> Bundle | None:
    """What is to be followed; None where no file could call another one, and no configuration holds code."""
    tree = expanded(tree)
    roots = tuple(reached_code(tree))
    settings = _settings(tree)
    served = _served(tree, roots)
    named = {path: tuple(sorted(names)) for path, (_, names) in named_functions(tree).items()}
    if not roots and not served:
        return None
    files: dict[str, bytes] = {}
    left_out: list[str] = []
    room = _LARGEST
    for path in dict.fromkeys((*roots, *served, *tree.files)):
        text = _source(tree.files[path])
        if text and len(text) <= room:
            files[path] = text
            room -= len(text)
        elif text and path in roots:
            left_out.append(path)
    if len(files) < 2 and not settings and not left_out and not named:
        return None
    imported = only_imported(tree)
    ordered = sorted((path for path in roots if path in files), key=imported.__contains__)
    served = tuple(path for path in served if path in files)
    return Bundle(files, tuple(ordered), tuple(left_out[:100]), settings, tuple(imported), named, served)


def _served(tree: Tree, roots: tuple[str, ...]) -> tuple[str, ...]:
    """Files with functions that something outside calls and that use other files of the target."""
    return tuple(
        path
        for path, file in tree.files.items()
        if path not in roots and any(summary.handed for summary in file.top(PythonSummary))
        if next(next_files(tree, file), None) is not None
    )[:_SERVED]


def _source(file: TreeFile) -> bytes:
    for summary in file.top(PythonSummary):
        if summary.source:
            try:
                return zlib.decompressobj().decompress(summary.source, _SOURCE)
            except zlib.error:
                return b""
    return b""


def _settings(tree: Tree) -> dict[str, str]:
    """Texts of configurations that could be code, by key."""
    found: dict[str, str] = {}
    for file in tree.files.values():
        for summary in file.top(ConfigSummary):
            found |= summary.expressions
    return found


def linked(tree: Tree, bundle: Bundle, result: FileResult | Unopened) -> Tree:
    """The tree with the answer of the child."""
    if isinstance(result, Unopened):
        found = _unanswered(bundle, result.reason)
    else:
        found = {
            stated.members[0]: stated.summary
            for stated in result.summaries
            if stated.members and isinstance(stated.summary, FollowedSummary)
        }
        if not result.summaries and any(reason.executable for reason in result.coverage.reasons):
            found = _unanswered(bundle, result.coverage.reasons[0])
    for path in bundle.left_out:
        found[path] = FollowedSummary(unfinished=("all of it (too much code in one target)",))
    places = {path: address(file) for path, file in expanded(tree).files.items()}
    told: dict[str, list[Stated]] = {}
    for path, summary in found.items():
        if path in places:
            container, members = places[path]
            told.setdefault(container, []).append(Stated(members, summary))
    return msgspec.structs.replace(tree, files=dict(_with(tree.files, told)))


def _unanswered(bundle: Bundle, reason: CoverageReason) -> dict[str, FollowedSummary]:
    return {path: FollowedSummary(unfinished=(reason.message,)) for path in bundle.roots[:1]}


def _with(files: Mapping[str, TreeFile], found: Mapping[str, list[Stated]]) -> Iterator[tuple[str, TreeFile]]:
    for path, file in files.items():
        if path in found:
            file = msgspec.structs.replace(file, summaries=(*file.summaries, *found[path]))
        yield path, file
