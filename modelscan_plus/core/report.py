"""The report, schema 1: one immutable value from which every output is made.

Keys may be added without a new schema version; consumers ignore keys that they do not know.
"""

import enum
import hashlib

import msgspec

from modelscan_plus.core.coverage import Coverage
from modelscan_plus.core.finding import Finding
from modelscan_plus.core.probe import ProbeReport

SCHEMA_VERSION = "1"


class Decision(enum.StrEnum):
    """The answer to "may this model in?"."""

    ALLOWED = "allowed"
    DENIED = "denied"
    INCOMPLETE = "incomplete"


class Reason(msgspec.Struct, frozen=True):
    """One ground of the verdict, worst first."""

    code: str
    message: str


class Tool(msgspec.Struct, frozen=True):
    """Who made the report."""

    name: str
    version: str
    ruleset: str
    """"sha256:…" over every rule declaration and data table."""
    engines: dict[str, str] = {}
    """Versions of the engines that gave second opinions, by name."""


class Verdict(msgspec.Struct, frozen=True):
    """The decision for the whole run. A verdict without grounds cannot be made."""

    decision: Decision
    scope: str
    """"full", or "remote" when only parts of the files could be read."""
    reasons: tuple[Reason, ...]
    policy: str
    """"sha256:…" of the policy after `extends`."""
    policy_name: str = ""


class Target(msgspec.Struct, frozen=True):
    """One thing the user asked about."""

    id: str
    given: str
    kind: str
    decision: Decision
    revision: str | None = None
    digest: str | None = None


class ArtifactReport(msgspec.Struct, frozen=True):
    """One file on disk: what it is and how completely it was read."""

    target: str
    path: str
    size: int
    formats: tuple[str, ...]
    coverage: Coverage
    sha256: str | None = None


class ProgramLine(msgspec.Struct, frozen=True):
    """One effect of a pickle, as readable Python."""

    offset: int
    code: str
    severity: str | None = None
    """Set where a rule marked the line."""


class Reader(msgspec.Struct, frozen=True):
    """What one way of loading would do with a pickle."""

    loader: str
    """"pickle.load", "torch.load(weights_only=True), torch 2.6 to 2.13", …"""
    runs: bool
    """True when nothing makes it stop before the end."""
    detail: str


class Program(msgspec.Struct, frozen=True):
    """A pickle as the program that it is. Findings point here by `id`."""

    id: str
    target: str
    artifact: str
    members: tuple[str, ...]
    offset: int
    lines: tuple[ProgramLine, ...]
    omitted: int = 0
    """Harmless lines that were left out."""
    second_listing: tuple[str, ...] = ()
    """The same pickle as fickling decompiles it, where it was asked and its imports agree with ours."""
    readers: tuple[Reader, ...] = ()
    """What the loaders in use would do with it."""


class LoaderFile(msgspec.Struct, frozen=True):
    """A file that a loader opens."""

    path: str
    why: str
    """By which of its own rules: "first choice", "index", "glob *.bin", "configuration", …"""
    worst: str | None = None
    """The worst severity found in it."""


class LoaderCode(msgspec.Struct, frozen=True):
    """Code that a loader runs."""

    path: str
    """A file of the target, or "other/repo--module" for code that comes from elsewhere."""
    reached_by: str
    """The chain from the loader to it: "config.json auto_map.AutoModel → modeling_x.Model"."""
    when: str
    """"always", "trust_remote_code" (only when the user sets it) or "opened" (the file's own format runs code)."""
    present: bool = True
    """False where the target does not hold it."""


class LoaderView(msgspec.Struct, frozen=True):
    """What one loader would do with one target."""

    target: str
    loader: str
    """"transformers", "diffusers", "sentence-transformers", "peft", "timm", "vllm", "torch.load", …"""
    opens: tuple[LoaderFile, ...] = ()
    """In the order in which it looks, as far as it gets."""
    fallbacks: tuple[LoaderFile, ...] = ()
    """What the same loader opens instead where options or missing files make it."""
    ignores: tuple[str, ...] = ()
    """Weights and code of the target that it does not touch."""
    runs: tuple[LoaderCode, ...] = ()
    folder: str = ""
    """The folder of the target that is the model, "" for its root."""
    omitted: int = 0
    """Files that were left out of these lists."""


class TemplateReport(msgspec.Struct, frozen=True):
    """A chat template, to be compared with the one that somebody reviewed."""

    target: str
    artifact: str
    members: tuple[str, ...]
    sha256: str
    length: int
    """In characters."""


class SignatureReport(msgspec.Struct, frozen=True, kw_only=True):
    """One signature: who signed what, when, by which root; or why it is not accepted."""

    target: str
    path: str
    """The file that holds it, relative to the target; "" for one that is missing."""
    state: str
    """"verified" (by somebody whom the policy or the user named), "rejected", or "unchecked" (nobody said who must have
    signed, so it proves nothing)."""
    method: str = ""
    """"keyless", "key" or "certificate"."""
    signer: str = ""
    """Identity, name in the certificate, or SHA-256 of the key. In an unchecked signature: who it claims to be of."""
    issuer: str = ""
    """Who vouched for the identity."""
    times: tuple[str, ...] = ()
    """Proven times of signing, RFC 3339."""
    log: str = ""
    log_index: int | None = None
    """Where it stands in a transparency log."""
    root: str = ""
    root_sha256: str = ""
    root_dated: str = ""
    """The trusted root that was used, and the day as of which somebody vouched for it."""
    covers: str = ""
    """In words: "3 files, 12.0 MB", "the file model.onnx", "a statement of the type …"."""
    left_out: tuple[str, ...] = ()
    """Unsigned notes that pass, and what whoever verifies lets pass unsigned."""
    cause: str = ""
    """A stable word, when it was rejected: "bad-signature", "unsigned-file", …"""
    message: str = ""
    """Why it was rejected or not checked."""
    problems: tuple[str, ...] = ()
    """Files that are not as they were signed, the first hundred: "path: what is wrong"."""


class Suppressed(msgspec.Struct, frozen=True):
    """A finding that policy or baseline set aside; it stays visible."""

    finding: Finding
    reason: str
    by: str
    """"policy" or "baseline"."""
    owner: str | None = None
    expires: str | None = None


class Summary(msgspec.Struct, frozen=True):
    """Counts over the whole report."""

    artifacts: int
    by_severity: dict[str, int]
    by_coverage: dict[str, int]
    bytes_read: int
    disabled_rules: tuple[str, ...] = ()
    """Rules that the policy switched off: stated, because their silence says nothing."""


class Run(msgspec.Struct, frozen=True):
    """Facts of this run that may differ from the next one; outside the canonical digest."""

    seconds: float = 0.0
    host: dict[str, str] = {}
    sandbox: tuple[str, ...] = ()
    recalled: int = 0
    """Files whose results were known from an earlier run, by their SHA-256."""
    log_head: str | None = None
    interrupted: bool = False
    """Somebody ended the run before it was done."""


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """Everything one run found."""

    schema_version: str = SCHEMA_VERSION
    tool: Tool
    now: str
    """RFC 3339, UTC; an input of the run."""
    verdict: Verdict
    targets: tuple[Target, ...]
    artifacts: tuple[ArtifactReport, ...]
    findings: tuple[Finding, ...]
    suppressed: tuple[Suppressed, ...] = ()
    programs: tuple[Program, ...] = ()
    loaders: tuple[LoaderView, ...] = ()
    templates: tuple[TemplateReport, ...] = ()
    signatures: tuple[SignatureReport, ...] = ()
    probes: tuple[ProbeReport, ...] = ()
    notes: tuple[Reason, ...] = ()
    """Things the user should know that are no findings: ignored policy files, unused or expired suppressions."""
    summary: Summary
    run: Run = Run()

    @property
    def allowed(self) -> bool:
        """True when the verdict is "allowed"."""
        return self.verdict.decision is Decision.ALLOWED


def to_json(report: Report) -> bytes:
    """The canonical JSON of `report`: indented, keys in schema order, UTF-8, one final newline."""
    return msgspec.json.format(msgspec.json.encode(report), indent=2) + b"\n"


def from_json(data: bytes) -> Report:
    """Read a report back; raises `msgspec.ValidationError` or `msgspec.DecodeError` with the place of the fault."""
    return msgspec.json.decode(data, type=Report)


def canonical_digest(report: Report) -> str:
    """ "sha256:…" over everything but `run`: the same input gives the same digest on every machine."""
    return "sha256:" + hashlib.sha256(to_json(msgspec.structs.replace(report, run=Run()))).hexdigest()


def json_schema() -> dict[str, object]:
    """The JSON Schema of the report, generated from these types."""
    return msgspec.json.schema(Report)
