"""The grounds of a verdict, and notes about the policy itself: what stands in `verdict.reasons` and `notes`.

They judge the run, not bytes, so nothing here is registered as a judge; policy/decide.py names them by their id.
"""

from modelscan_plus.core.finding import Severity
from modelscan_plus.rules.interface import Rule

FINDING_DENIES = Rule(
    id="MSP9001",
    slug="finding-at-or-above-threshold",
    title="A finding reaches the severity at which the policy denies",
    severity=Severity.INFO,
    why=(
        "The policy names the lowest severity that keeps a model out (`fail-on`, by default high). One finding at or "
        "above it is enough."
    ),
    fix=(
        "Read the findings, worst first. If one of them is wrong or accepted, suppress it in the policy with a reason "
        "and an expiry date."
    ),
    bad="fail-on = high, and model.pkl calls os.system (critical)",
    good="fail-on = high, and the worst finding is low",
)
INCOMPLETE = Rule(
    id="MSP9002",
    slug="not-fully-analysed",
    title="Something was not, or not completely, analysed",
    severity=Severity.INFO,
    why=(
        "What nobody read cannot be called clean. The built-in policy asks for a complete analysis of everything that "
        "a loader could execute, and lets other content pass (a picture, a text), saying so."
    ),
    fix=(
        "Look at the reasons in the list of what was not analysed: fetch the real file in place of a pointer, raise a "
        "limit, remove what does not belong there, or let it pass by `on-incomplete` in the policy."
    ),
    bad="model.h5 is recognised, but this version does not analyse it",
    good="model.safetensors was read to the last byte of its structure",
)
NOTHING_TO_SCAN = Rule(
    id="MSP9003",
    slug="nothing-to-scan",
    title="There is nothing to scan",
    severity=Severity.INFO,
    why="An empty folder, or one in which --include or --exclude leaves out every file, says nothing about a model.",
    fix="Check the path and the globs.",
    bad="modelscan-plus scan models --include '*.safetensor'",
    good="modelscan-plus scan models --include '*.safetensors'",
)
FORMAT_DENIED = Rule(
    id="MSP9004",
    slug="format-not-allowed",
    title="The policy does not let this format in",
    severity=Severity.INFO,
    why="The policy names the formats that may or may not come in (`[formats]`), whatever they contain.",
    fix="Convert the model to an allowed format, for example safetensors or ONNX, or change the policy.",
    bad='[formats] deny = ["pickle"], and the folder holds optimizer.pkl',
    good='[formats] deny = ["pickle"], and the folder holds model.safetensors',
)
SUPPRESSION_EXPIRED = Rule(
    id="MSP9005",
    slug="suppression-expired",
    title="A suppression has expired; its findings count again",
    severity=Severity.INFO,
    why="A suppression is a decision of some day. It ends, so that somebody looks again.",
    fix="Look at the finding. If the reason still holds, give the suppression a new date.",
    bad="expires = 2026-01-31, scanned on 2026-02-01",
    good="expires = 2026-01-31, scanned on 2026-01-31",
)
SUPPRESSION_UNUSED = Rule(
    id="MSP9006",
    slug="suppression-unused",
    title="A suppression matches no finding of this scan",
    severity=Severity.INFO,
    why="What it was for may be gone, or moved to a place where it does not match any more.",
    fix="Remove it, or correct its rule, path, sha256 or fingerprint.",
    bad='rule = "MSP1001", path = "old.pkl", and old.pkl is no longer there',
    good='rule = "MSP1001", path = "old.pkl", and old.pkl still has that finding',
)
RULE_DISABLED = Rule(
    id="MSP9007",
    slug="rule-disabled",
    title="The policy switches a rule off",
    severity=Severity.INFO,
    why="A rule that is off says nothing, which must not be taken for a clean result.",
    fix="Prefer a suppression: it is bound to a place and ends some day.",
    bad="[rules.MSP1009] enabled = false",
    good="[rules.MSP1009] severity = 'low'",
)
VOUCHED = Rule(
    id="MSP9008",
    slug="vouched-code",
    title="The policy vouches for code that a pickle uses",
    severity=Severity.INFO,
    why=(
        "Your own classes are on no list of known libraries. `[pickle] allow` names those that you vouch for; the name "
        "is all that is checked, so whoever loads the model must have your package and no other under that name."
    ),
    fix="Keep the list short, and name classes, not whole modules.",
    bad='[pickle] allow = ["mycorp.models:Net"], and the pickle rebuilds mycorp.models.Net',
    good="the pickle uses only classes of known libraries",
)
NO_GROUNDS = Rule(
    id="MSP9009",
    slug="no-ground-to-deny",
    title="Nothing was found that the policy denies",
    severity=Severity.INFO,
    why=(
        "The rules of this version, applied to everything that the policy wants analysed, found nothing at or above "
        "the threshold. That is less than a proof that the model is harmless: see the threat model for what is out of "
        "reach, such as what its weights have learned."
    ),
    fix="Nothing to do.",
    bad="(this is the ground of the verdict `allowed`)",
    good="(this is the ground of the verdict `allowed`)",
)
