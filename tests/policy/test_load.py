"""Reading policies: what they may say, how they extend each other, and that a mistake never passes."""

import json
from pathlib import Path

import pytest

from modelscan_plus.core.errors import UsageError
from modelscan_plus.core.finding import Severity
from modelscan_plus.policy.load import BUILTIN, load_policy, parse, resolve, schema
from modelscan_plus.policy.model import Action


@pytest.fixture(autouse=True)
def no_policy_of_the_user(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("MODELSCAN_PLUS_POLICY", raising=False)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))


def write(folder: Path, text: str, name: str = "policy.toml") -> str:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, "utf-8")
    return str(path)


def test_the_built_in_policies_differ_in_strictness() -> None:
    default, strict, registry = (resolve(f"builtin:{name}") for name in BUILTIN)
    assert default.fail_on is Severity.HIGH
    assert (default.on_incomplete.executable, default.on_incomplete.other) == (Action.DENY, Action.WARN)
    assert strict.fail_on is registry.fail_on is Severity.MEDIUM
    assert strict.on_incomplete.other is Action.DENY
    assert "elf" in registry.formats.deny
    assert len({default.digest, strict.digest, registry.digest}) == 3


def test_a_file_changes_only_what_it_names(tmp_path: Path) -> None:
    policy = resolve(write(tmp_path, 'schema = 1\nextends = "builtin:strict"\n[limits]\nmax-depth = 3\n'))
    assert policy.fail_on is Severity.MEDIUM
    assert policy.limits.max_depth == 3
    assert policy.limits.max_entries == resolve("builtin:default").limits.max_entries
    assert policy.name == "policy.toml"


def test_a_chain_of_files_is_relative_to_each_file_and_the_last_word_counts(tmp_path: Path) -> None:
    write(tmp_path, 'schema = 1\nfail-on = "low"\n[pickle]\nallow = ["a.b:C"]\n', "base/team.toml")
    path = write(tmp_path, 'schema = 1\nextends = "base/team.toml"\n[pickle]\nallow = ["d:E"]\n')
    policy = resolve(path)
    assert policy.fail_on is Severity.LOW
    assert set(policy.pickle_allow) == {"a.b:C", "d:E"}


def test_the_digest_names_the_content_and_not_the_file(tmp_path: Path) -> None:
    text = 'schema = 1\nfail-on = "low"\n'
    assert resolve(write(tmp_path, text, "a.toml")).digest == resolve(write(tmp_path, text, "b.toml")).digest
    other = write(tmp_path, 'schema = 1\nfail-on = "info"\n', "c.toml")
    assert resolve(other).digest != resolve(write(tmp_path, text, "a.toml")).digest


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("schema = 1\nfail_on = 'low'\n", "fail_on"),
        ("schema = 1\nfail-on = 'severe'\n", "severe"),
        ("schema = 2\n", "schema"),
        ("fail-on = 'low'\n", "schema"),
        ("schema = 1\n[limits]\nmax-dept = 3\n", "max-dept"),
        ("schema = 1\n[limits]\nmax-depth = 0\n", "max-depth"),
        ("schema = 1\n[rules.MSP9999]\nenabled = false\n", "MSP9999"),
        ("schema = 1\n[formats]\ndeny = ['pickel']\n", "pickel"),
        ("schema = 1\n[pickle]\nallow = ['mycorp.models']\n", "allow"),
        ("schema = 1\n[pickle]\nallow = ['mycorp.models:*']\n", "allow"),
        ("schema = 1\n[[suppress]]\nrule = 'MSP1001'\npath = 'a'\nexpires = 2026-12-01\n", "reason"),
        ("schema = 1\n[[suppress]]\nrule = 'MSP1001'\npath = 'a'\nreason = 'r'\n", "expires"),
        ("schema = 1\n[[suppress]]\nrule = 'MSP1001'\nreason = 'r'\nexpires = 2026-12-01\n", "path"),
        ("schema = 1\n[[suppress]]\nrule = 'no-such'\npath='a'\nreason = 'r'\nexpires = 2026-12-01\n", "no-such"),
        ("schema = 1\non-incomplete = { executables = 'warn' }\n", "executables"),
        ("schema = ", "TOML"),
    ],
)
def test_a_mistake_is_an_error_that_says_where(text: str, said: str) -> None:
    with pytest.raises(UsageError, match=said) as caught:
        resolve_text(text)
    assert "policy test.toml" in str(caught.value)


def resolve_text(text: str) -> None:
    file = parse(text.encode(), "test.toml")
    from modelscan_plus.policy.load import _merged

    _merged([(file, Path())], "test.toml")


def test_policies_that_extend_each_other_in_a_circle_are_refused(tmp_path: Path) -> None:
    write(tmp_path, 'schema = 1\nextends = "b.toml"\n', "a.toml")
    write(tmp_path, 'schema = 1\nextends = "a.toml"\n', "b.toml")
    with pytest.raises(UsageError, match="extends itself"):
        resolve(str(tmp_path / "a.toml"))


def test_what_is_not_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="No such file"):
        resolve(str(tmp_path / "missing.toml"))
    with pytest.raises(UsageError, match="builtin:lax"):
        resolve("builtin:lax")


def test_option_before_variable_before_configuration_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert load_policy(None).name == "builtin:default"
    write(tmp_path / "config" / "modelscan-plus", 'schema = 1\nfail-on = "low"\n')
    assert load_policy(None).fail_on is Severity.LOW
    monkeypatch.setenv("MODELSCAN_PLUS_POLICY", "builtin:strict")
    assert load_policy(None).name == "builtin:strict"
    assert load_policy("builtin:registry").name == "builtin:registry"


def test_a_policy_in_the_working_directory_is_not_picked_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path, 'schema = 1\nfail-on = "critical"\n', "modelscan-plus.toml")
    monkeypatch.chdir(tmp_path)
    assert load_policy(None).name == "builtin:default"


def test_the_schema_is_made_from_the_types() -> None:
    made = json.loads(json.dumps(schema()))
    properties = made["$defs"]["PolicyFile"]["properties"]
    assert "fail-on" in properties
    assert "max-depth" in properties["limits"]["properties"]
    assert made["$defs"]["PolicyFile"]["additionalProperties"] is False
