"""Every rule has its page, a sample that fires it and a near-miss; every honest sample is quiet."""

import re
from pathlib import PurePosixPath

import pytest

from fixtures.make import Sample
from fixtures.make.__main__ import all_samples
from modelscan_plus.core.coverage import CoverageState
from modelscan_plus.core.finding import Severity
from modelscan_plus.formats.registry import FORMATS
from modelscan_plus.inspection import FileResult
from modelscan_plus.rules import verdicts
from modelscan_plus.rules.interface import Rule
from modelscan_plus.rules.registry import all_rules
from tests.samples import inspect

SAMPLES = all_samples()
RULES = all_rules()

COVERED_ELSEWHERE = {
    "MSP9101": "tests/rules/test_paths.py: a FIFO has no bytes to build",
    "MSP9102": "tests/rules/test_paths.py: links are made in a folder",
    "MSP9103": "tests/rules/test_paths.py: a file changes while it is read",
    "MSP9104": "tests/rules/test_paths.py: a policy file is found by its name in a target",
}
"""Rules about names in a file system or about the scan itself: no sample's bytes can fire them."""
COVERED_ELSEWHERE |= dict.fromkeys(
    (value.id for value in vars(verdicts).values() if isinstance(value, Rule)),
    "tests/policy/test_decide.py: grounds of a verdict",
)
FROM_BYTES = sorted(RULES.keys() - COVERED_ELSEWHERE.keys())


def result_of(sample: Sample) -> FileResult:
    return inspect(sample.build(), PurePosixPath(sample.path).name)


def test_ids_and_slugs_are_unique_and_well_formed() -> None:
    assert all(re.fullmatch(r"MSP\d{4}", rule) for rule in RULES)
    slugs = [rule.slug for rule in RULES.values()]
    assert len(set(slugs)) == len(slugs)
    assert all(re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", slug) for slug in slugs)


@pytest.mark.parametrize("rule", RULES)
def test_a_rule_explains_itself(rule: str) -> None:
    declared = RULES[rule]
    for part in (declared.title, declared.why, declared.fix, declared.bad, declared.good):
        assert part.strip()
    assert all(re.fullmatch(r"CWE-\d+", weakness) for weakness in declared.cwe)
    assert all(address.startswith("https://") for address in declared.references)


@pytest.mark.parametrize("rule", FROM_BYTES)
def test_a_rule_has_a_sample_that_fires_it_and_a_near_miss(rule: str) -> None:
    assert any(rule in sample.fires for sample in SAMPLES), "no sample fires it"
    assert any(rule in sample.near for sample in SAMPLES), "no sample is its near-miss"


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda sample: sample.path)
def test_a_sample_fires_what_it_says_and_not_what_it_is_near_to(sample: Sample) -> None:
    fired = {finding.rule for finding in result_of(sample).findings}
    assert set(sample.fires) <= fired
    assert not set(sample.near) & fired


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda sample: sample.path)
def test_a_sample_is_built_the_same_each_time_and_names_known_rules(sample: Sample) -> None:
    assert sample.build() == sample.build()
    assert set(sample.fires) | set(sample.near) <= RULES.keys()
    assert not PurePosixPath(sample.path).is_absolute()
    assert sample.about


@pytest.mark.parametrize("sample", [item for item in SAMPLES if not item.fires], ids=lambda sample: sample.path)
def test_an_honest_sample_is_quiet_and_analysed(sample: Sample) -> None:
    result = result_of(sample)
    loud = [finding for finding in result.findings if finding.severity.rank > Severity.LOW.rank]
    assert loud == []
    assert result.coverage.state is CoverageState.ANALYSED


def test_sample_paths_are_unique() -> None:
    paths = [sample.path for sample in SAMPLES]
    assert len(set(paths)) == len(paths)


def test_formats_describe_themselves() -> None:
    assert len({known.name for known in FORMATS}) == len(FORMATS)
    for known in FORMATS:
        assert known.title
        assert known.description
        assert all(ending.startswith(".") and ending == ending.lower() for ending in known.extensions)
