"""Signatures: whether the ones that stand beside a model are good, and whether those that the policy wants are there.

They judge what modelscan_plus/signatures.py states about a target as a whole, so nothing here is registered as a judge
of bytes; the pipeline calls `judge_signatures`.
"""

from collections.abc import Iterator

from modelscan_plus.core.finding import Evidence, Finding, Severity, TextEvidence
from modelscan_plus.core.report import SignatureReport
from modelscan_plus.core.signatures import SignatureFacts
from modelscan_plus.core.text import shorten
from modelscan_plus.rules.interface import Rule

_OTHER_SIGNER = frozenset(
    {"wrong-identity", "wrong-issuer", "wrong-material", "wrong-key", "unknown-authority", "bad-chain"}
)
_ABOUT_FILES = frozenset({"changed-file", "missing-file", "unsigned-file", "unreadable-file"})

MISSING = Rule(
    id="MSP7001",
    slug="required-signature-missing",
    title="The signature that the policy requires is not there",
    severity=Severity.HIGH,
    why=(
        "The policy names who must have signed models from this source. No signature that verifies is by one of them, "
        "so nothing says that the model is theirs: it may have been replaced on its way, or published by somebody else."
    ),
    fix=(
        "Ask the publisher for the signature, or fetch it with the model. If the signer changed, find out why before "
        "you change the policy."
    ),
    bad='[[signatures.require]] match = "models/*", and models/bert has no model.sig',
    good="models/bert/model.sig is by the identity that the policy names, and covers every file",
    cwe=("CWE-347",),
    references=("https://github.com/ossf/model-signing-spec",),
)
REJECTED = Rule(
    id="MSP7002",
    slug="signature-does-not-verify",
    title="A signature beside the model does not verify",
    severity=Severity.HIGH,
    why=(
        "The signature is broken, forged, by a signer that the policy does not accept, or made when its certificate, "
        "its authority or its log was not trusted. A model that comes with a bad signature is worse than one without: "
        "somebody wanted it to look signed, or something was changed afterwards."
    ),
    fix="Do not load the model. Fetch model and signature again from the publisher; `modelscan-plus verify` says more.",
    bad="model.sig, in which one byte of the signature was changed",
    good="model.sig, valid, by somebody about whom the policy says nothing",
    cwe=("CWE-347",),
    references=("https://github.com/sigstore/architecture-docs/blob/main/client-spec.md",),
)
DIFFERS = Rule(
    id="MSP7003",
    slug="signed-files-differ",
    title="The files are not those that were signed",
    severity=Severity.HIGH,
    why=(
        "The signature is good, and the folder is another: a signed file was changed or is missing, or a file is there "
        "that nobody signed. Loaders take every file of a folder into account, so one more configuration, template or "
        "module is as good as a changed one."
    ),
    fix=(
        "Fetch the model again. What belongs to your own copy (.git) can be named in the policy's `ignore-paths` or "
        "left out with --exclude."
    ),
    bad="model.sig covers config.json and model.safetensors; modeling_evil.py stands beside them",
    good="the same folder with a .gitattributes more, which the specification leaves out and which holds plain text",
    cwe=("CWE-345",),
    references=("https://github.com/ossf/model-signing-spec",),
)
UNCHECKED = Rule(
    id="MSP7004",
    slug="signature-not-pinned",
    title="A signature is there, and nobody said who must have signed",
    severity=Severity.INFO,
    why=(
        "Anybody can sign anything. A signature proves something only against an expectation: this identity, this key. "
        "Without one in the policy the report says who claims to have signed, and nothing rests on it."
    ),
    fix="Find out who signs this publisher's models, and put it into the policy's [[signatures.require]].",
    bad="model.sig by release@corp.example, and no [[signatures.require]] matches the target",
    good="model.sig by release@corp.example, whom the policy requires",
    references=("https://docs.sigstore.dev/cosign/verifying/verify/",),
)


def judge_signatures(found: SignatureFacts) -> Iterator[tuple[str, Finding]]:
    """Findings about the signatures of a target, each with the path it belongs to."""
    accepted = any(report.state == "verified" for report in found.reports)
    for report in found.reports:
        if report.state == "unchecked":
            yield report.path, _finding(UNCHECKED, f"{report.message}{_claimed(report)}", report)
        elif report.state == "rejected" and report.cause in _ABOUT_FILES:
            # A stranger's list that leaves a file out is no attack by itself; a list that the policy relies on is.
            mild = not found.required and report.cause == "unsigned-file"
            severity = Severity.MEDIUM if mild else None
            yield report.path, _finding(DIFFERS, f"{report.message}{_claimed(report)}", report, severity)
        elif report.state == "rejected" and not (found.required and report.cause in _OTHER_SIGNER):
            # A signature by somebody else is no fault of the model's; that the required one is missing is said below.
            yield report.path, _finding(REJECTED, report.message, report)
    if found.required and (not accepted or found.uncovered):
        who = " or ".join(found.required[:3])
        why = "none stands beside it"
        if accepted:
            more = f" and {len(found.uncovered) - 1:,} more" if len(found.uncovered) > 1 else ""
            why = f"none is about {found.uncovered[0]}{more}"
        elif found.reports:
            first = found.reports[0]
            why = f"none of those beside it is accepted ({first.path}: {first.message})"
        if found.remote:
            why = "it can be verified only when the files are here (fetch, then scan)"
        yield ".", _finding(MISSING, f"a signature by {who} is required: {why}", None)


def _claimed(report: SignatureReport) -> str:
    if not report.signer:
        return ""
    return f"; it is by {report.signer}" + (f" (vouched for by {report.issuer})" if report.issuer else "")


def _finding(rule: Rule, message: str, report: SignatureReport | None, severity: Severity | None = None) -> Finding:
    lines = report.problems[:20] if report is not None else ()
    evidence: Evidence = TextEvidence(shorten("\n".join(lines) or message, 4000))
    return rule.finding(message, evidence, subject=report.cause if report is not None else "", severity=severity)
