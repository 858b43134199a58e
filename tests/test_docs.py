"""The documentation says what the code does."""

import re
from pathlib import Path

import pytest

from modelscan_plus.cli import COMMANDS
from modelscan_plus.rules.registry import all_rules
from tools.build_docs import stale

ROOT = Path(__file__).parent.parent


def test_generated_pages_are_up_to_date() -> None:
    assert [str(path.relative_to(ROOT)) for path in stale()] == [], "run make docs"


@pytest.mark.parametrize("page", ["README.md", "SECURITY.md", "CHANGELOG.md", "docs/policy.md", "docs/threat-model.md"])
def test_links_between_pages_lead_somewhere(page: str) -> None:
    text = (ROOT / page).read_text("utf-8")
    for link in re.findall(r"\]\((?!https?://|#)([^)#]+)", text):
        assert (ROOT / page).parent.joinpath(link).exists(), link


def test_the_readme_begins_with_the_two_commands() -> None:
    first_screen = "\n".join((ROOT / "README.md").read_text("utf-8").splitlines()[:24])
    assert "make demo" in first_screen
    assert "make test" in first_screen


def test_rules_and_commands_that_pages_name_exist() -> None:
    for page in (ROOT / "README.md", *(ROOT / "docs").glob("*.md")):
        text = page.read_text("utf-8")
        assert set(re.findall(r"MSP\d{4}", text)) <= all_rules().keys(), page.name
        named = re.findall(r"^\s*(?:\$ )?modelscan-plus ([a-z]+)", text, re.MULTILINE)
        assert set(named) <= COMMANDS.keys(), page.name
