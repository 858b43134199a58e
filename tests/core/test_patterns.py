"""Patterns that are compiled at their first use: each one is used here, so that a wrong one fails a test."""

import importlib
import itertools
import pkgutil
import re
from collections.abc import Iterator
from typing import Any

import pytest

import modelscan_plus
from modelscan_plus.core import patterns, possessive


def _every() -> list[tuple[str, "re.Pattern[str]"]]:
    found = []
    for module in pkgutil.walk_packages(modelscan_plus.__path__, "modelscan_plus."):
        if module.name.split(".")[1] in ("core", "formats", "rules", "graph") and not module.ispkg:
            for name, value in vars(importlib.import_module(module.name)).items():
                held = value.values() if isinstance(value, dict) else value if isinstance(value, tuple) else (value,)
                found += [(f"{module.name}.{name}", each) for each in held if isinstance(each, patterns._Lazy)]
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


def _sequences(items: Any) -> Iterator[list[Any]]:
    """Every sequence of a parsed pattern, those in its parts among them."""
    held = list(items)
    yield held
    for kind, value in held:
        name = kind.name
        inner = (
            value[1] if name == "BRANCH" else [value[-1]] if name in ("SUBPATTERN", "ASSERT", "ASSERT_NOT")
            else [value[2]] if name.endswith("REPEAT") else [value] if name == "ATOMIC_GROUP" else []
        )  # fmt: skip
        for part in inner:
            yield from _sequences(part)


def _runs_over_lines(pattern: str | bytes, flags: int) -> bool:
    """True where a repeat behind a line's start goes on over line ends: each blank line of a run reads all of it."""
    parser: Any = importlib.import_module("re._parser")
    tree = parser.parse(pattern, flags)
    if not tree.state.flags & re.M:
        return False
    for held in _sequences(tree):
        for (kind, where), (repeat, value) in itertools.pairwise(held):
            if kind.name == "AT" and where.name == "AT_BEGINNING" and repeat.name.endswith("REPEAT"):
                one = possessive._Rewriting(parser, isinstance(pattern, bytes))._one(value[2], tree.state.flags)
                if one is not None and ord("\n") in one.may and value[1] is parser.MAXREPEAT:
                    return True
    return False


def test_no_repeat_behind_the_start_of_a_line_runs_over_lines() -> None:
    assert _runs_over_lines(r"(?m)(?:^\s*|;)a", 0)
    assert not _runs_over_lines(r"^[^\S\n]*a", re.M)
    found = [name for name, pattern in _every() if _runs_over_lines(*vars(pattern)["_given"])]
    assert found == [], r"write ^[^\S\n]* for ^\s*"
