"""Repeats that never give back: which become possessive, and that no match changes."""

import importlib
import re
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from modelscan_plus.core import possessive
from modelscan_plus.core.possessive import compiled


def made_possessive(pattern: str | bytes, flags: int = 0) -> int:
    """How many repeats of the pattern are possessive once it is rewritten."""
    parser: Any = importlib.import_module("re._parser")
    tree = parser.parse(pattern, flags)
    possessive._Rewriting(parser, isinstance(pattern, bytes)).sequence(tree, int(tree.state.flags), ())
    return repr(tree).count("POSSESSIVE_REPEAT")


@pytest.mark.parametrize(
    ("pattern", "flags", "count"),
    [
        (r"a\s*=", 0, 1),
        (r"src\s*=\s*[\"']?\s*//", 0, 4),  # the spaces behind "=" may only go to the repeat behind the quote
        (r"\.then\s*\(\s*(?:async\s*)?\(?\s*[a-z]", 0, 5),
        (r"\w*(?=\s)x", 0, 1),
        (r"(?:\s*,\s*a)*b", 0, 2),
        (r"[a-j]*k", 0, 1),
        (rb"\s*\xa0", 0, 1),  # which is no space among bytes
    ],
)
def test_a_repeat_whose_end_is_given_does_not_give_back(pattern: str | bytes, flags: int, count: int) -> None:
    assert made_possessive(pattern, flags) == count


@pytest.mark.parametrize(
    ("pattern", "flags"),
    [
        (r"\s*\s", 0),
        (r"a*(?:b|a)", 0),
        (r"\w*k", 0),
        (r"[a-j]*\u212a", re.I),  # the sign of Kelvin
        (r"[k]*\u212a", re.I),
        (r"\s*\xa0", 0),
        (r"\s*$", re.M),
        (r"\w*\b", 0),
        (r"\w*(?<=a)", 0),
        (r"(\w)\s*\1", 0),
        (r"(?:a*b)*a*(?=a)a", 0),
        (r"\s*(?=\s*a)\sa", 0),
        (r"\s*\b\s*a", 0),  # a border may lie before the last space, and not behind it
    ],
)
def test_a_repeat_that_may_have_to_give_back_stays(pattern: str, flags: int) -> None:
    parser: Any = importlib.import_module("re._parser")
    tree = parser.parse(pattern, flags)
    possessive._Rewriting(parser, False).sequence(tree, int(tree.state.flags), ())
    assert str(tree[0][0]) != "POSSESSIVE_REPEAT"


_ATOM = st.sampled_from(
    ["a", "b", "k", r"\s", r"\w", r"\d", "[ab]", "[^a]", ".", r"[\s=]", r"\b", "$", "(?=a)", "(?<=b)", r"(?!\s)"]
)
_PATTERN = st.recursive(
    _ATOM,
    lambda inner: st.one_of(
        st.tuples(inner, st.sampled_from(["*", "+", "?", "{0,2}", "*?"])).map(lambda pair: f"(?:{pair[0]}){pair[1]}"),
        st.lists(inner, min_size=2, max_size=5).map("".join),
        st.lists(inner, min_size=2, max_size=3).map(lambda parts: f"({'|'.join(parts)})"),
    ),
    max_leaves=8,
)


@settings(max_examples=400, deadline=None)
@given(_PATTERN, st.text("ab k1=\nK\u212a\xa0", max_size=14), st.sampled_from([0, re.I, re.M, re.S, re.A]))
def test_no_match_changes(pattern: str, text: str, flags: int) -> None:
    plain, made = re.compile(pattern, flags), compiled(pattern, flags)
    assert [found.regs for found in made.finditer(text)] == [found.regs for found in plain.finditer(text)]
    whole, expected = made.fullmatch(text), plain.fullmatch(text)
    assert (whole and whole.regs) == (expected and expected.regs)


def test_where_the_tree_of_python_has_changed_patterns_are_as_they_were(monkeypatch: pytest.MonkeyPatch) -> None:
    def gone(name: str) -> Any:
        raise ImportError(name)

    monkeypatch.setattr(possessive.importlib, "import_module", gone)
    assert compiled(r"a\s*=").pattern == r"a\s*="
