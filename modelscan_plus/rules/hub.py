"""What is around the files of a repository on a hub: its revision, its name, the hub's own scanners; and cached blobs.

The hub's scanners are second opinions: what they call unsafe is reported, what they did not look at is never taken for
safe, and that they found nothing changes nothing. Where a repository lies, its facts come from the hub's API
(sources/hub/api.py); the rules here judge them together with the tree.
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence

from modelscan_plus.core.facts import PathFacts
from modelscan_plus.core.finding import Confidence, Finding, Severity, TextEvidence
from modelscan_plus.core.report import ArtifactReport, Reason, Target
from modelscan_plus.core.repository import HubRepositoryFacts, HubVerdict
from modelscan_plus.core.text import human_bytes, shorten, visible
from modelscan_plus.formats.identity import IdentityFacts
from modelscan_plus.rules.interface import Context, Rule, judges
from modelscan_plus.rules.tree import Tree, TreeContext, judges_tree

_SECURITY_PAGE = "https://huggingface.co/docs/hub/security"

REMOTE_SCAN = Rule(
    id="MSP5001",
    slug="remote-scan",
    title="Parts of the files were fetched, not all of them",
    severity=Severity.INFO,
    why=(
        "A remote scan reads what loaders interpret and leaves the numbers where they are. It cannot compare a file's "
        "hash with the commit's, and it does not look into tensors, checksums of large members, or what stands behind "
        "the data where no loader looks. Whoever downloads later trusts the server to send the same bytes again."
    ),
    fix=(
        "Download with `modelscan-plus fetch`, which compares every file with the scanned commit and scans all of "
        "it before anything lands."
    ),
    bad="scan hf:org/model: 183.3 kB read of 2.0 GB",
    good="fetch hf:org/model models/model: every byte hashed and scanned",
    references=(_SECURITY_PAGE,),
)
MOVING_REVISION = Rule(
    id="MSP5002",
    slug="moving-revision",
    title="The revision can be moved to other files",
    severity=Severity.INFO,
    why=(
        "A branch or tag names another commit as soon as someone pushes. What was scanned is one commit; a loader that "
        "is given the branch, or nothing, takes whatever is there on that day."
    ),
    fix='Load with the commit that was scanned: revision="<commit>".',
    bad='from_pretrained("org/model")',
    good='from_pretrained("org/model", revision="607a30d783dfa663caf39e06633721c8d4cfcd7e")',
    cwe=("CWE-494", "CWE-829"),
    references=("https://huggingface.co/docs/transformers/main/models",),
)
MOVED_REPOSITORY = Rule(
    id="MSP5003",
    slug="repository-moved",
    title="The repository has another name now",
    severity=Severity.MEDIUM,
    why=(
        "The hub leads the old name to the new one until somebody registers the old name anew; from then on everyone "
        "who still uses it loads a stranger's files. The client follows the redirect without a word."
    ),
    fix="Check that the new owner is the one you trust, and use the new name with a commit.",
    bad="hf:old-org/model, which the hub answers as new-org/model",
    good="hf:new-org/model",
    cwe=("CWE-494",),
    references=("https://unit42.paloaltonetworks.com/model-namespace-reuse/",),
)
PULL_REQUEST = Rule(
    id="MSP5004",
    slug="pull-request-revision",
    title="The revision is a pull request, which anyone can open",
    severity=Severity.MEDIUM,
    why=(
        "Files under refs/pr/N were proposed by any user of the hub and accepted by nobody. They carry the name of the "
        "repository, and are not its owner's."
    ),
    fix="Use the branch once the owner has merged it, or check who opened the request and pin its commit.",
    bad='from_pretrained("org/model", revision="refs/pr/7")',
    good='from_pretrained("org/model", revision="main")',
    cwe=("CWE-829",),
    references=("https://huggingface.co/docs/hub/repositories-pull-requests-discussions",),
)
CONVERSION = Rule(
    id="MSP5010",
    slug="conversion-pull-request",
    title="Loaders take the weights from a pull request instead of this commit",
    severity=Severity.HIGH,
    why=(
        "A model without safetensors can be asked for safetensors all the same. transformers then looks for an open "
        "pull request that bears the title of the conversion service, and loads the weights from there. It does not "
        "look at who opened it, and pinning a commit does not pin it. What stands there was not scanned."
    ),
    fix=(
        "Do not load this model with use_safetensors=True. Scan the pull request by itself (hf:org/model@refs/pr/N), "
        "and ask the owner to merge or close it."
    ),
    bad="pull request 7, open, by somebody: Adding `safetensors` variant of this model",
    good="model.safetensors stands in the repository itself",
    cwe=("CWE-829",),
    references=("https://huggingface.co/docs/transformers/main/en/main_classes/model",),
)
HUB_ALERT = Rule(
    id="MSP5005",
    slug="hub-scanner-alert",
    title="The hub's own scanners object to a file",
    severity=Severity.HIGH,
    why=(
        "The hub lets several scanners look at every file: ClamAV, its own list of pickle imports, Protect AI, JFrog, "
        "VirusTotal. One of them calls this file unsafe or suspicious. They err in both directions, and a second "
        "opinion that objects deserves a look."
    ),
    fix="Open the file's page on the hub and read the report. Use a safetensors version where there is one.",
    bad="pytorch_model.bin: ClamAV: unsafe",
    good="pytorch_model.bin: every scanner: safe",
    cwe=("CWE-506",),
    references=(_SECURITY_PAGE,),
)
HUB_NOT_SCANNED = Rule(
    id="MSP5006",
    slug="hub-not-scanned",
    title="The hub's own scanners have not looked at files that could run code",
    severity=Severity.INFO,
    why=(
        "New files wait in a queue, some scanners give up, and some states have no meaning that we know. That the hub "
        "shows no warning for such a file says nothing."
    ),
    fix="Rely on the other findings; ask again later if the hub's opinion matters to you.",
    bad="pytorch_model.bin: queued",
    good="pytorch_model.bin: safe",
    references=(_SECURITY_PAGE,),
)
WEIGHTS_IN_GIT = Rule(
    id="MSP5007",
    slug="weights-outside-lfs",
    title="Weights lie in git itself, where no SHA-256 names them",
    severity=Severity.LOW,
    why=(
        "Files in LFS are named by their SHA-256. These are named by git's SHA-1 alone, for which two files with one "
        "name can be made by whoever makes both; a pinned commit then pins less than it seems."
    ),
    fix="Ask the publisher to track the weights with LFS, or keep your own SHA-256 of what you scanned.",
    bad="model.safetensors, 4.2 MB, a git blob",
    good="model.safetensors, 4.2 MB, in LFS with its SHA-256",
    cwe=("CWE-328",),
    references=("https://huggingface.co/docs/hub/repositories-getting-started",),
)
LFS_POINTER = Rule(
    id="MSP5008",
    slug="lfs-pointer",
    title="A Git LFS pointer stands where the file should be",
    severity=Severity.LOW,
    why=(
        "The repository was cloned without its large files: this text of a few lines only names the content. Nothing "
        "of the model was scanned, and what is fetched later is whatever the server sends."
    ),
    fix="Run `git lfs pull`, compare the SHA-256 in the pointer, and scan again.",
    bad="pytorch_model.bin: version https://git-lfs.github.com/spec/v1",
    good="pytorch_model.bin: the checkpoint itself",
    cwe=("CWE-494",),
    references=("https://github.com/git-lfs/git-lfs/blob/main/docs/spec.md",),
)
TAMPERED_BLOB = Rule(
    id="MSP5009",
    slug="cached-blob-differs",
    title="A cached file is not what its name says",
    severity=Severity.HIGH,
    why=(
        "Caches name a file by the hash of its content, and loaders believe the name without looking. The bytes of "
        "this one have another hash: it was changed after the download, or the download was never complete."
    ),
    fix="Delete the blob and download it again. If it had been whole once, find out who can write to the cache.",
    bad="blobs/9c1e…: the SHA-256 of its bytes is 41b0…",
    good="blobs/9c1e…: the SHA-256 of its bytes is 9c1e…",
    cwe=("CWE-354", "CWE-494"),
    references=("https://huggingface.co/docs/huggingface_hub/guides/manage-cache",),
)

_LEVELS = {
    "unsafe": Severity.HIGH,
    "infected": Severity.HIGH,
    "dangerous": Severity.HIGH,
    "suspicious": Severity.MEDIUM,
    "caution": Severity.LOW,
}
"""What a scanner's word weighs. "safe" and "innocuous" weigh nothing; any other word is no opinion."""
_GOOD = frozenset({"safe", "innocuous"})
_NAMED = 5


def remote_notes(target: Target, artifacts: Sequence[ArtifactReport]) -> list[Reason]:
    """What whoever reads the verdict of a remote scan should know."""
    read = sum(artifact.coverage.bytes_read for artifact in artifacts)
    size = sum(artifact.size for artifact in artifacts)
    commit = f" at commit {target.revision[:12]}" if target.revision else ""
    message = (
        f"{target.given}{commit} was scanned remotely: {human_bytes(read)} read of {human_bytes(size)}. Not known: "
        "whether a download gives the same bytes (hashes need all of them; modelscan-plus fetch compares them), "
        "what stands in tensors, and what second opinions and probes would say"
    )
    return [Reason(REMOTE_SCAN.id, message)]


@judges(IdentityFacts)
def lfs_pointer(facts: IdentityFacts, context: Context) -> Iterator[Finding]:
    """Content, not size: a pointer is a text of three lines with a known beginning."""
    if facts.kind == "lfs-pointer":
        message = f"{visible(facts.name)} is a Git LFS pointer; the file itself is not here."
        text = context.artifact.source.pread(0, 200).decode("utf-8", "replace")
        yield context.finding(LFS_POINTER, message, TextEvidence(visible(text)), subject="lfs-pointer")


@judges(PathFacts)
def tampered_blob(facts: PathFacts, context: Context) -> Iterator[Finding]:
    """A blob of a cache whose bytes were hashed and have another hash than its name."""
    if facts.kind == "blob-differs":
        detail = shorten(visible(facts.detail), 200)
        yield context.finding(TAMPERED_BLOB, f"The cached file {detail}.", TextEvidence(detail), subject="blob-differs")


@judges_tree
def hub_repository(tree: Tree, context: TreeContext) -> Iterator[Finding]:
    """The repository as the hub describes it."""
    for facts in tree.facts:
        if isinstance(facts, HubRepositoryFacts):
            yield from _revision(facts, context)
            yield from _alerts(facts, context)
            yield from _not_scanned(facts, context)
            yield from _plain_weights(facts, context)
            yield from _converted(facts, context)


def _revision(facts: HubRepositoryFacts, context: TreeContext) -> Iterator[Finding]:
    shown = visible(facts.revision) or "the default branch"
    if not facts.pinned:
        message = f"Scanned was commit {facts.commit}, to which {shown} led; it can lead elsewhere tomorrow."
        yield context.finding(
            MOVING_REVISION, ".", message, TextEvidence(f'revision="{facts.commit}"'), subject=facts.revision
        )
    if facts.revision.startswith("refs/pr/"):
        message = f"{shown} was proposed by a user of the hub; the owner has not accepted it."
        yield context.finding(PULL_REQUEST, ".", message, TextEvidence(shown), subject=facts.revision)
    if facts.name.lower() != facts.asked.lower():
        message = f"The hub answers {visible(facts.asked)} with {visible(facts.name)}: it was renamed or moved."
        text = TextEvidence(f"{visible(facts.asked)} -> {visible(facts.name)}")
        yield context.finding(MOVED_REPOSITORY, ".", message, text, subject=f"{facts.asked}\0{facts.name}")


def _alerts(facts: HubRepositoryFacts, context: TreeContext) -> Iterator[Finding]:
    """One finding for each file, as heavy as the worst of its scanners."""
    said: dict[str, list[HubVerdict]] = defaultdict(list)
    for path, level in facts.flagged:
        said[path].append(HubVerdict(path, "", level, ""))
    for verdict in facts.verdicts:
        said[verdict.path].append(verdict)
    for path, verdicts in sorted(said.items()):
        bad = [verdict for verdict in verdicts if verdict.status.lower() in _LEVELS]
        if not bad and any(path == flagged for flagged, _ in facts.flagged):
            # The hub lists it as an issue, in a word that this version does not know.
            bad = [verdict for verdict in verdicts if verdict.status.lower() not in _GOOD][:1]
        if not bad:
            continue
        severity = max(
            (_LEVELS.get(verdict.status.lower(), Severity.MEDIUM) for verdict in bad), key=lambda level: level.rank
        )
        words = dict.fromkeys(_spoken(verdict) for verdict in bad if verdict.scanner) or [_spoken(bad[0])]
        text = "; ".join(words)
        yield _second_opinion(context, visible(path), f"The hub's scanners object: {text}.", text, severity)


def _second_opinion(context: TreeContext, path: str, message: str, text: str, severity: Severity) -> Finding:
    from msgspec.structs import replace

    finding = context.finding(
        HUB_ALERT,
        path,
        message,
        TextEvidence(shorten(text, 400)),
        subject="hub",
        severity=severity,
        confidence=Confidence.MEDIUM,
    )
    return replace(finding, source="hub")


def _spoken(verdict: HubVerdict) -> str:
    who = visible(verdict.scanner) or "the hub"
    more = f" ({visible(shorten(verdict.message, 160))})" if verdict.message else ""
    return f"{who}: {visible(shorten(verdict.status, 40))}{more}"


def _not_scanned(facts: HubRepositoryFacts, context: TreeContext) -> Iterator[Finding]:
    """Files whose summary is neither good nor bad, in one finding."""
    paths = sorted(
        {
            verdict.path
            for verdict in facts.verdicts
            if not verdict.scanner and verdict.status.lower() not in _GOOD and verdict.status.lower() not in _LEVELS
        }
    )
    if not paths and facts.scanned is not False:
        return
    named = ", ".join(visible(path) for path in paths[:_NAMED])
    more = f" and {len(paths) - _NAMED:,} more" if len(paths) > _NAMED else ""
    about = f"no opinion on {named}{more}" if paths else "they are not through with the repository"
    message = f"The hub's own scanners: {about}. That is not the same as safe."
    yield context.finding(HUB_NOT_SCANNED, ".", message, TextEvidence(named or about), subject="hub-not-scanned")


def _plain_weights(facts: HubRepositoryFacts, context: TreeContext) -> Iterator[Finding]:
    for path in facts.plain_weights:
        shown = visible(path)
        message = f"{shown} lies in git itself, not in LFS: only git's SHA-1 names its content."
        yield context.finding(WEIGHTS_IN_GIT, shown, message, TextEvidence(shown), subject=path)


_SERVICE = "SFconvertbot"


def _converted(facts: HubRepositoryFacts, context: TreeContext) -> Iterator[Finding]:
    for number, author in facts.conversions:
        of_service = author == _SERVICE
        who = (
            "the hub's conversion service"
            if of_service
            else f"{visible(shorten(author, 60)) or 'somebody'}, who is not"
        )
        named = who if of_service else f"{who} the hub's conversion service"
        message = f"Pull request {number} by {named} offers safetensors that transformers may load instead."
        severity = Severity.LOW if of_service else None
        text = TextEvidence(f"refs/pr/{number}")
        yield context.finding(CONVERSION, ".", message, text, subject=f"refs/pr/{number}", severity=severity)
