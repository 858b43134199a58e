"""What stands under a target besides ordinary files: special files, links that lead away, files that change.

Judged in the parent, which is the one that sees paths; nothing here depends on a file's bytes.
"""

from collections.abc import Iterator

from modelscan_plus.core.artifact import Artifact
from modelscan_plus.core.bytesource import BytesSource
from modelscan_plus.core.facts import PathFacts
from modelscan_plus.core.finding import Finding, Severity, TextEvidence
from modelscan_plus.core.patterns import lazy
from modelscan_plus.core.text import shorten, visible
from modelscan_plus.formats.text.commands import PRIVATE
from modelscan_plus.rules.interface import JUDGES, Context, Rule, judges

SPECIAL_FILE = Rule(
    id="MSP9101",
    slug="special-file",
    title="A FIFO, device or socket stands where a model file should",
    severity=Severity.MEDIUM,
    why=(
        "Models are made of regular files. A program that opens a FIFO waits until someone writes into it, reading a "
        "device such as /dev/zero never ends, and what either yields can be different for the scanner and for the "
        "loader. The file was not opened."
    ),
    fix="Remove it, or find out who put it there. If the target is not a model folder, scan only the model's files.",
    bad="model/weights.bin: FIFO (named pipe)",
    good="model/weights.bin: regular file",
    cwe=("CWE-73", "CWE-400"),
    references=("https://man7.org/linux/man-pages/man7/fifo.7.html",),
)
LINK_LEAVES_TARGET = Rule(
    id="MSP9102",
    slug="link-leaves-target",
    title="A link leads out of the scanned target",
    severity=Severity.MEDIUM,
    why=(
        "A loader follows the link and reads something that is not part of the model and was not scanned: a file that "
        "someone can replace later, or a private file of the machine on which the model is unpacked. Links to the "
        "blobs of the same Hugging Face cache repository are followed and not reported."
    ),
    fix="Replace the link by the file itself, or scan the folder that it leads to and keep both together.",
    bad="model/tokenizer.json -> /home/user/.ssh/id_ed25519",
    good="snapshots/4f2a/model.safetensors -> ../../blobs/9c1e…",
    cwe=("CWE-59", "CWE-61"),
    references=("https://cwe.mitre.org/data/definitions/59.html",),
)
CHANGED_DURING_SCAN = Rule(
    id="MSP9103",
    slug="changed-during-scan",
    title="The file changed while it was scanned",
    severity=Severity.HIGH,
    why=(
        "Size, time stamps or identity were not the same before and after reading, so the result may describe neither "
        "the old file nor the new one. Someone who can write there can also swap the file after the scan."
    ),
    fix="Wait until the download or training run is over, move the model where nobody else writes, and scan again.",
    bad="model.pt: 1,024 bytes when it was opened, 2,048 bytes when it had been read",
    good="model.pt: the same size, time stamps and identity before and after",
    cwe=("CWE-367",),
    references=("https://cwe.mitre.org/data/definitions/367.html",),
)
POLICY_FILE = Rule(
    id="MSP9104",
    slug="policy-file-in-target",
    title="The target brings its own scan policy or baseline, which was ignored",
    severity=Severity.INFO,
    why=(
        "What is scanned must not decide how strictly it is judged. A policy or baseline counts only when it is given "
        "by an option, its environment variable or your own configuration folder."
    ),
    fix="If the file is yours and you want it to count, name it: --policy FILE or --baseline FILE.",
    bad="model/modelscan-plus.toml next to the weights",
    good="modelscan-plus scan model --policy team-policy.toml",
    cwe=("CWE-15",),
    references=("https://cwe.mitre.org/data/definitions/15.html",),
)


_SECRETS = lazy(rf"{PRIVATE}|^/(?:etc|proc|root|dev)/|/\.(?:bash|zsh)rc$|/\.config/")
"""Places of every machine that hold keys, or decide what it runs: no file of a model lies there."""


def judge_path(path: str, facts: PathFacts) -> Iterator[Finding]:
    """The findings about the file at `path`."""
    context = Context(Artifact(path, BytesSource(b"")))
    for judge in JUDGES[PathFacts]:
        yield from judge(facts, context)


@judges(PathFacts)
def path_findings(facts: PathFacts, context: Context) -> Iterator[Finding]:
    """One finding at most; other broken links and unreadable files are a matter of coverage alone."""
    detail = shorten(visible(facts.detail), 200)
    match facts.kind:
        case "fifo" | "device" | "socket":
            rule, message = SPECIAL_FILE, f"This is {detail}, not a regular file."
        case "link-broken" if _SECRETS.search(facts.detail):
            rule, message = LINK_LEAVES_TARGET, f"The link leads to {detail}, which stands on other machines."
        case "link-outside":
            rule, message = LINK_LEAVES_TARGET, f"The link leads to {detail}, which is outside the target."
        case "changed":
            rule, message = CHANGED_DURING_SCAN, f"The file changed while it was scanned: {detail}."
        case "policy-file":
            rule, message = POLICY_FILE, f"{detail} was found inside the target and has no effect on this scan."
        case _:
            return
    subject = facts.detail if rule is LINK_LEAVES_TARGET else facts.kind
    severity = Severity.HIGH if rule is LINK_LEAVES_TARGET and _SECRETS.search(facts.detail) else None
    yield context.finding(rule, message, TextEvidence(detail), subject=subject, severity=severity)
