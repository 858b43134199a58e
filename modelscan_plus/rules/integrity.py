"""Hashes, lists of hashes, indexes and locks: whether the files are those that something beside them says they are."""

from modelscan_plus.core.finding import Severity
from modelscan_plus.rules.interface import Rule

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
