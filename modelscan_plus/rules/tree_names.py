"""Names in a target that mean something else on another system."""

import re
from collections.abc import Iterator

from modelscan_plus.core.finding import ComparisonEvidence, Finding, Severity, TextEvidence
from modelscan_plus.core.names import twins
from modelscan_plus.core.patterns import lazy
from modelscan_plus.rules.interface import Rule
from modelscan_plus.rules.tree import Tree, TreeContext, judges_tree

_SHOWN = 20
_NAMING = "https://learn.microsoft.com/windows/win32/fileio/naming-a-file"
_UNICODE = "https://unicode.org/reports/tr15/"

TWIN_NAMES = Rule(
    id="MSP7080",
    slug="twin-names",
    title="Two names are one on systems that ignore case or the form of accents",
    severity=Severity.MEDIUM,
    why=(
        "macOS and Windows usually keep one file for both names, and which of the two contents survives depends on the "
        "order of unpacking. What was scanned, signed or hashed here is then not what is loaded there."
    ),
    fix="Remove or rename one of the two.",
    bad="config.json and Config.json in one folder",
    good="config.json and config_v2.json in one folder",
    cwe=("CWE-178", "CWE-176"),
    references=(_UNICODE, _NAMING),
)
UNPORTABLE_NAME = Rule(
    id="MSP7081",
    slug="unportable-name",
    title="A file has a name that another system changes or cannot hold",
    severity=Severity.LOW,
    why=(
        "Windows drops dots and blanks at the end of a name, takes what follows a colon for a stream of another file, "
        "and gives names such as CON or NUL to devices. A backslash is a separator there. The file ends under another "
        "name, inside another file, or nowhere."
    ),
    fix="If the model is used on such systems, ask for it with plain names.",
    bad="weights.bin. (with a dot at its end), aux.json, model.bin:payload",
    good="weights.bin, auxiliary.json",
    cwe=("CWE-41", "CWE-67"),
    references=(_NAMING,),
)
_DEVICE = lazy(r"(con|prn|aux|nul|conin\$|conout\$|com[0-9\u00b9\u00b2\u00b3]|lpt[0-9\u00b9\u00b2\u00b3])(\..*)?", re.I)


@judges_tree
def twin_names(tree: Tree, context: TreeContext) -> Iterator[Finding]:
    """Pairs of names."""
    for number, (first, second) in enumerate(twins(tree.files)):
        if number < _SHOWN:
            yield context.finding(
                TWIN_NAMES,
                second if second in tree.files else first,
                f"{second} and {first} are one name on some systems.",
                ComparisonEvidence("names", "one", first, "the other", second),
                subject=f"{first}\0{second}",
            )
        else:
            context.dropped += 1


@judges_tree
def unportable_names(tree: Tree, context: TreeContext) -> Iterator[Finding]:
    """Names of files and folders that Windows would not keep; one finding for each such name."""
    seen: set[str] = set()
    for path in tree.files:
        for part in path.split("/"):
            why = _why(part)
            if why and part not in seen and len(seen) < _SHOWN:
                seen.add(part)
                yield context.finding(
                    UNPORTABLE_NAME, path, f"Its name, or that of its folder, {why}.", TextEvidence(part), subject=part
                )


def _why(name: str) -> str:
    if name.endswith((".", " ")):
        return "ends in a dot or a blank, which Windows drops"
    if "\\" in name:  # as in the report, where it stands for itself and for what cannot be shown
        return "holds a backslash or a character that cannot be shown"
    if _DEVICE.fullmatch(name):
        return "is that of a device on Windows"
    return "holds a colon, behind which Windows has a stream of the file" if ":" in name else ""
