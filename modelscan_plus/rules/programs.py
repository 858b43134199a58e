"""Files that no model needs: programs, installers and shortcuts, and names that hide what they are."""

import re
from collections.abc import Iterator

from modelscan_plus.core.finding import Finding, Severity, TextEvidence
from modelscan_plus.core.patterns import lazy
from modelscan_plus.core.text import visible
from modelscan_plus.formats.identity import IdentityFacts
from modelscan_plus.rules.interface import Context, Rule, judges
from modelscan_plus.rules.tree import Tree, TreeContext, judges_tree

PROGRAM_FILE = Rule(
    id="MSP5066",
    slug="program-beside-model",
    title="A program, installer or shortcut comes with the model",
    severity=Severity.HIGH,
    why=(
        "Models are loaded by libraries that people already have. A file that a double click starts, or that mounts or "
        "installs something, is there to be opened by somebody who came for the model."
    ),
    fix="Do not open it. Take only the files that your loader needs.",
    bad="model.safetensors, README.md, Model-Launcher.exe",
    good="model.safetensors, README.md, inference.py",
    cwe=("CWE-506",),
    references=("https://attack.mitre.org/techniques/T1204/002/",),
)
DISGUISED_NAME = Rule(
    id="MSP5067",
    slug="name-hides-ending",
    title="The name of a file hides its real ending",
    severity=Severity.HIGH,
    why=(
        "Characters that turn the direction of text, long runs of blanks and a second ending make a program look like"
        " a model or a picture in the list of files."
    ),
    fix="Do not open it.",
    bad="model.safetensors.exe, model\\u202esrotnesafes.exe",
    good="model-00001-of-00002.safetensors, pytorch_model.bin.index.json",
    cwe=("CWE-451",),
    references=("https://attack.mitre.org/techniques/T1036/007/", "https://attack.mitre.org/techniques/T1036/002/"),
)

PROGRAM_NAME = lazy(
    r"\.(?:exe|scr|com|pif|cpl|msi|msix|appx|lnk|hta|jar|apk|dmg|pkg|iso|img|vhdx?|xll|wsf|jse|vbe|gadget|app|deb|rpm|"
    r"appimage|ps1xml|settingcontent-ms|search-ms|library-ms|chm|docm|xlsm|pptm)$",
    re.I,
)
_LAUNCHER = lazy(r"^(?:(?:cli|gui)(?:-\w+)?|[tw](?:32|64)(?:-arm)?)\.exe$")
_HARMLESS = r"(?:safetensors|gguf|json|txt|md|pdf|png|jpe?g|gif|bin|pt|pth|onnx|csv|docx?|xlsx?|mp4|zip)"
_RUNS = r"(?:exe|scr|com|pif|bat|cmd|ps1|vbs|js|lnk|hta|jar|msi|dll|so)"
_DOUBLE = lazy(rf"\.{_HARMLESS}[\s_]*\.{_RUNS}$", re.I)
_TURNED = lazy(r"\\u20(?:2[a-e]|6[6-9])|\\u200[ef]|\s{8,}\.|\s+\.(?:exe|scr|bat|cmd|py|sh)$", re.I)
_KINDS = frozenset(("windows-shortcut", "ole"))


@judges_tree
def programs(tree: Tree, context: TreeContext) -> Iterator[Finding]:
    """Files by name and by what they are."""
    for file in tree.files.values():
        if _TURNED.search(file.name) or _DOUBLE.search(file.name):
            message = f"The name {file.name} looks like another kind of file than it is."
            yield context.finding(DISGUISED_NAME, file.path, message, TextEvidence(file.name), subject=file.name)
        elif PROGRAM_NAME.search(file.name) or _KINDS & set(file.formats):
            message = f"{file.name} is a program, an installer or a shortcut."
            yield context.finding(PROGRAM_FILE, file.path, message, TextEvidence(file.name), subject=file.name)


@judges(IdentityFacts)
def inside_archive(facts: IdentityFacts, context: Context) -> Iterator[Finding]:
    """The same in an archive, but for the launchers that setuptools and distlib bring in every package of theirs."""
    if not context.artifact.members or context.artifact.payload:
        return
    name = visible(facts.name.replace("\\", "/").rpartition("/")[2])
    harmless = _LAUNCHER.match(name) or (name.endswith(".com") and facts.kind != "pe")  # a file can be named by a host
    if (PROGRAM_NAME.search(name) and not harmless) or facts.kind in _KINDS:
        message = f"{name} in the archive is a program, an installer or a shortcut."
        yield context.finding(PROGRAM_FILE, message, TextEvidence(name), subject=name)
