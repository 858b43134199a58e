"""From policy files to one `Policy`: where they may come from, how they extend each other, what is wrong with them.

A policy comes from the option, from MODELSCAN_PLUS_POLICY or from the user's configuration folder. Never from what is
scanned: a model must not decide how it is judged.
"""

import importlib.resources
import os
from collections.abc import Sequence
from pathlib import Path

import msgspec

from modelscan_plus.core.errors import UsageError
from modelscan_plus.core.limits import Limits
from modelscan_plus.policy.model import Action, FormatRules, OnIncomplete, Policy, PolicyFile, RuleSetting
from modelscan_plus.policy.signatures import resolve_requirements

BUILTIN = ("default", "strict", "registry")
VARIABLE = "MODELSCAN_PLUS_POLICY"
_BUILTIN_PREFIX = "builtin:"
_MAX_EXTENDS = 8
_MAX_SIZE = 1 << 20


def load_policy(given: str | None) -> Policy:
    """The policy in the file `given` or of the name "builtin:NAME"; without one that of the environment, the user's
    configuration folder, or builtin:default. Raises `UsageError` with the place of the fault.
    """
    return resolve(given or os.environ.get(VARIABLE) or _of_the_user() or "builtin:default")


def resolve(given: str) -> Policy:
    """The policy of that file or name, with all that it extends."""
    chain: list[tuple[PolicyFile, Path]] = []
    seen: set[str] = set()
    step = given
    folder = Path()
    while True:
        text, identity, folder = _read(step, folder)
        if identity in seen or len(seen) >= _MAX_EXTENDS:
            raise UsageError(f"policy {given}: {step} extends itself, or the chain is longer than {_MAX_EXTENDS} files")
        seen.add(identity)
        chain.append((parse(text, step), folder))
        if identity == "builtin:default":
            break
        step = chain[-1][0].extends
    name = given if given.startswith(_BUILTIN_PREFIX) else Path(given).name
    return _merged(chain[::-1], name)


def parse(text: bytes, name: str) -> PolicyFile:
    """One file, checked by itself; `name` is for the error message."""
    try:
        file = msgspec.toml.decode(text, type=PolicyFile)
    except msgspec.ValidationError as error:
        raise UsageError(f"policy {name}: {error}") from None
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise UsageError(f"policy {name}: not valid TOML: {error}") from None
    _check_limits(file.limits, name)
    _check_formats(file.formats, name)
    for number, entry in enumerate(file.suppress, 1):
        _rule_id(entry.rule, f"policy {name}: suppress entry {number}")
        if entry.path is entry.sha256 is entry.fingerprint is None:
            raise UsageError(f"policy {name}: suppress entry {number} needs a path, a sha256 or a fingerprint")
    return file


def schema() -> dict[str, object]:
    """The JSON Schema of a policy file, made from the types that read it."""
    made = msgspec.json.schema(PolicyFile)
    definitions = made["$defs"]
    definitions["PolicyFile"]["properties"]["limits"] = {
        **msgspec.json.schema(Limits)["$defs"]["Limits"],
        "title": "limits",
    }
    return made


def _of_the_user() -> str | None:
    import click

    path = Path(click.get_app_dir("modelscan-plus")) / "policy.toml"
    return str(path) if path.is_file() else None


def _read(given: str, folder: Path) -> tuple[bytes, str, Path]:
    """The bytes of a policy, what identifies it, and the folder to which paths in it are relative."""
    if given.startswith(_BUILTIN_PREFIX):
        name = given.removeprefix(_BUILTIN_PREFIX)
        if name not in BUILTIN:
            raise UsageError(f"policy {given}: there is no such policy; built in are {', '.join(BUILTIN)}")
        text = (importlib.resources.files("modelscan_plus.policy") / f"{name}.toml").read_bytes()
        return text, given, folder
    path = folder / given
    try:
        with path.open("rb") as stream:
            text = stream.read(_MAX_SIZE + 1)
    except (OSError, ValueError) as error:
        raise UsageError(f"policy {path}: {getattr(error, 'strerror', None) or error}") from None
    if len(text) > _MAX_SIZE:
        raise UsageError(f"policy {path}: larger than {_MAX_SIZE:,} bytes")
    return text, str(path.resolve()), path.parent


def _merged(chain: Sequence[tuple[PolicyFile, Path]], name: str) -> Policy:
    """What the files say together, the last one having the last word."""
    policy = Policy(name=name)
    for file, folder in chain:
        formats = file.formats or FormatRules()
        policy = msgspec.structs.replace(
            policy,
            fail_on=file.fail_on or policy.fail_on,
            on_incomplete=_both(file.on_incomplete) or policy.on_incomplete,
            max_suppression_days=file.max_suppression_days or policy.max_suppression_days,
            formats=FormatRules(
                allow=policy.formats.allow if formats.allow is None else formats.allow,
                deny=tuple(dict.fromkeys((*policy.formats.deny, *formats.deny))),
            ),
            rules=policy.rules | _by_id(file.rules, name),
            paths=(*file.paths, *policy.paths),
            pickle_allow=tuple(dict.fromkeys((*policy.pickle_allow, *file.pickle.allow))),
            suppress=(*file.suppress, *policy.suppress),
            signatures=(*resolve_requirements(file.signatures, file.trust, folder, name), *policy.signatures),
            limits=msgspec.convert({**msgspec.to_builtins(policy.limits), **file.limits}, Limits),
        )
    return policy


def _both(setting: Action | OnIncomplete | None) -> OnIncomplete | None:
    return OnIncomplete(setting, setting) if isinstance(setting, Action) else setting


def _by_id(rules: dict[str, RuleSetting], name: str) -> dict[str, RuleSetting]:
    return {_rule_id(rule, f"policy {name}: [rules.{rule}]"): setting for rule, setting in rules.items()}


def _rule_id(given: str, place: str) -> str:
    from modelscan_plus.rules.registry import find_rule

    rule = find_rule(given)
    if rule is None:
        raise UsageError(f"{place}: this version has no rule {given}; `modelscan-plus explain` lists them")
    return rule.id


def _check_limits(limits: dict[str, int | float], name: str) -> None:
    try:
        msgspec.convert({**msgspec.to_builtins(Limits()), **limits}, Limits)
    except msgspec.ValidationError as error:
        raise UsageError(f"policy {name}: [limits]: {error}") from None


def _check_formats(formats: FormatRules | None, name: str) -> None:
    if formats is None:
        return
    from modelscan_plus.formats import kinds, registry

    known = {known.name for known in registry.FORMATS} | {kind.name for kind in kinds.KINDS}
    for wanted in (*(formats.allow or ()), *formats.deny):
        if wanted not in known:
            raise UsageError(f"policy {name}: [formats]: {wanted} is no format; `modelscan-plus formats` lists them")
