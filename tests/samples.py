"""Helpers for tests: inspect bytes in this process, without children."""

import hashlib

import msgspec

from modelscan_plus.companions import explained
from modelscan_plus.core.artifact import Artifact
from modelscan_plus.core.bytesource import BytesSource
from modelscan_plus.core.finding import Finding, Severity
from modelscan_plus.core.limits import Limits
from modelscan_plus.engines.linked import LinkedExaminer
from modelscan_plus.inspection import FileResult, Inspector
from modelscan_plus.linking import bundled, linked
from modelscan_plus.rules.tree import Tree, TreeFile, judge_tree, merged
from modelscan_plus.stated import wanted


def inspect(data: bytes, name: str = "model.pkl", limits: Limits | None = None) -> FileResult:
    """What the child would say about a file with these bytes."""
    return Inspector(limits or Limits()).inspect(Artifact(name, BytesSource(data)))


def rules(data: bytes, name: str = "model.pkl") -> set[str]:
    """Ids of the rules that fire."""
    return {finding.rule for finding in inspect(data, name).findings}


def above_info(result: FileResult) -> list[Finding]:
    """Findings that an honest file must not have."""
    return [finding for finding in result.findings if finding.severity is not Severity.INFO]


def tree_of(files: dict[str, bytes], kind: str = "path") -> Tree:
    """The tree that a folder with these files makes."""
    made = {}
    for path, data in files.items():
        result = inspect(data, path.rpartition("/")[2])
        findings = tuple(msgspec.structs.replace(finding, target="t1", artifact=path) for finding in result.findings)
        made[path] = TreeFile(
            path, len(data), result.formats, result.coverage, summaries=result.summaries, findings=findings
        )
    for path, coverage in explained(made).items():
        made[path] = msgspec.structs.replace(made[path], coverage=coverage)
    tree = Tree("t1", kind, made)
    for path, algorithms in wanted(tree).items():
        digests = {name: hashlib.new(name, files[path]).hexdigest() for name in algorithms}
        made[path] = msgspec.structs.replace(made[path], digests=digests)
    bundle = bundled(tree)
    if bundle is None:
        return tree
    data = msgspec.json.encode(bundle)
    return linked(tree, bundle, LinkedExaminer().inspect(Artifact("python", BytesSource(data)), Limits()))


def inspect_tree(files: dict[str, bytes]) -> list[Finding]:
    """What the files and the tree that they make have in findings, as in a report."""
    tree = tree_of(files)
    found = [msgspec.structs.replace(finding, target="t1") for finding in judge_tree(tree)[0]]
    return merged([finding for file in tree.files.values() for finding in file.findings], found)
