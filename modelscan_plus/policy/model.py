"""A policy: as it is written in TOML (`PolicyFile`), and as it decides (`Policy`).

Unknown keys are errors, because a misspelt key would quietly weaken what somebody meant to be strict.
"""

import enum
import hashlib
from datetime import date
from typing import Annotated, Literal

import msgspec

from modelscan_plus.core.finding import Finding, Severity
from modelscan_plus.core.globs import matches, normal
from modelscan_plus.core.limits import Limits
from modelscan_plus.policy.signatures import SignatureRules, TrustSettings
from modelscan_plus.trust.requirement import Required

Text = Annotated[str, msgspec.Meta(min_length=1)]
Digest = Annotated[str, msgspec.Meta(pattern="^[0-9a-f]{64}$")]


class Action(enum.StrEnum):
    """What follows from content that was not fully analysed."""

    ALLOW = "allow"
    WARN = "warn"
    """Let it pass, and say so in the verdict."""
    DENY = "deny"


class _Table(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename="kebab"):
    """Base of everything that stands in a policy file."""


class OnIncomplete(_Table, frozen=True):
    """Told apart by whether a loader could execute what was not analysed."""

    executable: Action = Action.DENY
    other: Action = Action.WARN


class FormatRules(_Table, frozen=True):
    """Formats by name, as `modelscan-plus formats` lists them."""

    allow: tuple[Text, ...] | None = None
    """When given, content that could run code must be of these formats, and model data too; texts and pictures pass."""
    deny: tuple[Text, ...] = ()


class RuleSetting(_Table, frozen=True):
    """What the policy changes about one rule."""

    severity: Severity | None = None
    enabled: bool = True


class PathSetting(_Table, frozen=True):
    """Other thresholds for some files. The first entry whose glob matches counts."""

    glob: Text
    fail_on: Severity | None = None
    on_incomplete: Action | OnIncomplete | None = None


class PickleRules(_Table, frozen=True):
    """What the policy says about pickles."""

    allow: tuple[Annotated[str, msgspec.Meta(pattern=r"^[^\s:*]+:[^\s:*]+$")], ...] = ()
    """Your own classes and functions, "module:Name", that may be imported and rebuilt."""


class Suppression(_Table, frozen=True):
    """A finding that somebody accepted for a while. At least one of path, sha256 and fingerprint narrows it down."""

    rule: Text
    """Id or slug."""
    reason: Text
    expires: date
    """The last day on which it counts."""
    path: Text | None = None
    """Glob over the path relative to the target."""
    sha256: Digest | None = None
    """The file itself: with other bytes the finding comes back."""
    fingerprint: Text | None = None
    owner: Text | None = None
    ticket: Text | None = None

    def covers(self, finding: Finding, sha256: str | None) -> bool:
        """True when it is about this finding. `sha256` is that of the file in which it was found."""
        return (
            self.rule in (finding.rule, finding.slug)
            and (self.sha256 is None or self.sha256 == sha256)
            and (self.fingerprint is None or self.fingerprint == finding.fingerprint)
            and (self.path is None or matches(finding.artifact.split("/"), (normal(self.path),)))
        )

    def spoken(self) -> str:
        """For a message: which entry of the policy this is."""
        where = self.path or self.fingerprint or (f"sha256 {self.sha256[:12]}…" if self.sha256 else "")
        return f"{self.rule} for {where}"


class PolicyFile(_Table, frozen=True):
    """One policy file. What is absent comes from the policy that it extends."""

    schema: Literal[1]
    """Version of this format."""
    extends: Text = "builtin:default"
    """"builtin:NAME", or a file relative to this one."""
    fail_on: Severity | None = None
    on_incomplete: Action | OnIncomplete | None = None
    max_suppression_days: Annotated[int, msgspec.Meta(ge=1, le=3660)] | None = None
    formats: FormatRules | None = None
    rules: dict[str, RuleSetting] = {}
    """By id or slug."""
    paths: tuple[PathSetting, ...] = ()
    pickle: PickleRules = PickleRules()
    suppress: tuple[Suppression, ...] = ()
    trust: TrustSettings = TrustSettings()
    signatures: SignatureRules = SignatureRules()
    limits: dict[str, int | float] = {}
    """Any of `Limits`, in kebab-case."""


class Policy(msgspec.Struct, frozen=True, kw_only=True):
    """What decides: the file and everything that it extends, in one value."""

    name: str
    """"builtin:default", or the name of the file."""
    fail_on: Severity = Severity.HIGH
    on_incomplete: OnIncomplete = OnIncomplete()
    max_suppression_days: int = 180
    formats: FormatRules = FormatRules()
    rules: dict[str, RuleSetting] = {}
    """By id."""
    paths: tuple[PathSetting, ...] = ()
    pickle_allow: tuple[str, ...] = ()
    suppress: tuple[Suppression, ...] = ()
    signatures: tuple[Required, ...] = ()
    limits: Limits = Limits()

    @property
    def digest(self) -> str:
        """ "sha256:…" over all that decides; the name does not."""
        content = msgspec.json.encode(msgspec.structs.replace(self, name=""), order="deterministic")
        return "sha256:" + hashlib.sha256(content).hexdigest()

    @property
    def needs_sha256(self) -> bool:
        """True when files must be hashed to decide."""
        return bool(self.signatures) or any(entry.sha256 for entry in self.suppress)

    def threshold(self, path: str) -> Severity:
        """The lowest severity that denies the file at `path`."""
        return next((place.fail_on for place in self._places(path) if place.fail_on), self.fail_on)

    def incomplete_action(self, path: str, *, executable: bool) -> Action:
        """What an incomplete analysis of the file at `path` leads to."""
        setting = next((place.on_incomplete for place in self._places(path) if place.on_incomplete), self.on_incomplete)
        if isinstance(setting, Action):
            return setting
        return setting.executable if executable else setting.other

    def _places(self, path: str) -> list[PathSetting]:
        return [place for place in self.paths if matches(path.split("/"), (normal(place.glob),))]
