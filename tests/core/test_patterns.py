"""Patterns that are compiled at their first use: each one is used here, so that a wrong one fails a test."""

import importlib
import pkgutil
import re

import pytest

import modelscan_plus
from modelscan_plus.core import patterns


def _every() -> list[tuple[str, "re.Pattern[str]"]]:
    found = []
    for module in pkgutil.walk_packages(modelscan_plus.__path__, "modelscan_plus."):
        if module.name.split(".")[1] in ("core", "formats", "rules", "graph") and not module.ispkg:
            for name, value in vars(importlib.import_module(module.name)).items():
                if isinstance(value, patterns._Lazy):
                    found.append((f"{module.name}.{name}", value))
    return found


def test_all_of_them_compile() -> None:
    every = _every()
    assert len(every) > 100
    for name, pattern in every:
        assert pattern.groups >= 0, name


def test_one_works_as_a_compiled_one_does() -> None:
    pattern = patterns.lazy(r"(?P<word>[a-z]+)", re.I)
    match = pattern.search("12 Ab")
    assert match
    assert match["word"] == "Ab"
    assert pattern.sub("x", "ab 1") == "x 1"
    assert pattern.flags & re.I
    assert patterns.lazy(rb"\d").findall(b"1a2") == [b"1", b"2"]


def test_a_wrong_one_fails_at_its_first_use() -> None:
    pattern = patterns.lazy("(")
    with pytest.raises(re.error):
        pattern.search("")
