"""Every rule has its page, a sample that fires it and a near-miss; every honest sample is quiet."""

import re
from pathlib import PurePosixPath

import pytest

from fixtures.make import Sample, TreeSample
from fixtures.make.__main__ import all_samples, all_trees
from modelscan_plus.core.coverage import CoverageState
from modelscan_plus.core.finding import Severity
from modelscan_plus.formats.registry import FORMATS
from modelscan_plus.inspection import FileResult
from modelscan_plus.rules import verdicts
from modelscan_plus.rules.interface import Rule
from modelscan_plus.rules.registry import all_rules
from tests.samples import inspect, inspect_tree, tree_of

SAMPLES = all_samples()
TREES = all_trees()
RULES = all_rules()

COVERED_ELSEWHERE = {
    "MSP7056": "tests/rules/test_integrity.py: a note of the report",
    "MSP7070": "tests/rules/test_locked.py: needs a lock",
    "MSP7071": "tests/rules/test_locked.py: needs a lock",
    "MSP7072": "tests/rules/test_locked.py: needs a lock",
    "MSP4012": "tests/rules/test_graph_external.py: links are made in a folder",
    "MSP4013": "tests/rules/test_graph_external.py: hard links are made in a folder",
    "MSP7099": "tests/trust/test_tree.py: a target that has no digest",
    "MSP9101": "tests/rules/test_paths.py: a FIFO has no bytes to build",
    "MSP9102": "tests/rules/test_paths.py: links are made in a folder",
    "MSP9103": "tests/rules/test_paths.py: a file changes while it is read",
    "MSP9104": "tests/rules/test_paths.py: a policy file is found by its name in a target",
}
COVERED_ELSEWHERE["MSP4070"] = "tests/graph/test_dormancy.py: a model has to run"
COVERED_ELSEWHERE |= dict.fromkeys(
    ("MSP5001", "MSP5002", "MSP5003", "MSP5004", "MSP5005", "MSP5006", "MSP5007", "MSP5009", "MSP5010"),
    "tests/rules/test_hub.py: facts of a hub or a cache, not of bytes",
)
COVERED_ELSEWHERE["MSP9301"] = "tests/engines/test_opinions.py: other scanners object"
"""Rules about names in a file system or about the scan itself: no sample's bytes can fire them."""
COVERED_ELSEWHERE |= dict.fromkeys(
    (value.id for value in vars(verdicts).values() if isinstance(value, Rule)),
    "tests/policy/test_decide.py: grounds of a verdict",
)
COVERED_ELSEWHERE |= dict.fromkeys(
    ("MSP7001", "MSP7002", "MSP7003", "MSP7004"), "tests/trust/test_scan.py: signatures are about whole targets"
)
COVERED_ELSEWHERE |= dict.fromkeys(
    ("MSP8001", "MSP8002", "MSP8003"), "tests/probe/test_scan.py: what a model has learned stands in no byte"
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
    assert any(rule in sample.fires for sample in [*SAMPLES, *TREES]), "no sample fires it"
    assert any(rule in sample.near for sample in [*SAMPLES, *TREES]), "no sample is its near-miss"


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


@pytest.mark.parametrize("sample", TREES, ids=lambda sample: sample.path)
def test_a_sample_folder_fires_what_it_says_and_not_what_it_is_near_to(sample: TreeSample) -> None:
    found = inspect_tree(sample.build())
    fired = {finding.rule for finding in found}
    assert set(sample.fires) <= fired
    assert not set(sample.near) & fired
    assert set(sample.fires) | set(sample.near) <= RULES.keys()
    assert sample.build() == sample.build()
    if not sample.fires:
        assert [finding for finding in found if finding.severity.rank > Severity.LOW.rank] == []
        files = tree_of(sample.build()).files.values()
        assert {file.path for file in files if file.coverage.state is not CoverageState.ANALYSED} == set()


def test_sample_paths_are_unique() -> None:
    paths = [sample.path for sample in [*SAMPLES, *TREES]]
    assert len(set(paths)) == len(paths)


def test_formats_describe_themselves() -> None:
    assert len({known.name for known in FORMATS}) == len(FORMATS)
    for known in FORMATS:
        assert known.title
        assert known.description
        assert all(ending.startswith(".") and ending == ending.lower() for ending in known.extensions)
