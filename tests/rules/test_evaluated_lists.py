"""Vocabularies that a tokenizer evaluates line by line."""

import json

import pytest

from modelscan_plus.core.finding import Severity
from tests.samples import inspect_tree

CODE = """class Tokenizer:
    def __init__(self, path):
        for line in open(path, encoding='utf-8').readlines():
            token = eval(line[line.index(' '):line.rindex(' ')])
"""
CONFIG = json.dumps({"auto_map": {"AutoTokenizer": ["own.Tokenizer", None]}})


@pytest.mark.parametrize(
    ("line", "high"),
    [
        ("257 'open(' 5", False),
        ("258 b'\\xf0' 1", False),
        ("259 '__import__(\"os\")' 16", False),
        ("260 __import__('os').system('id') 1", True),
        ("261 [c for c in ().__class__.__base__.__subclasses__()][0]('id') 1", True),
    ],
)
def test_lines_that_are_evaluated(line: str, high: bool) -> None:
    files = {"tokenizer_config.json": CONFIG, "own.py": CODE, "vocab.txt": f"1 'a' 1\n{line}\n"}
    found = inspect_tree({name: text.encode() for name, text in files.items()})
    assert any(each.severity.rank >= Severity.HIGH.rank for each in found) is high


def test_a_list_that_nothing_evaluates() -> None:
    found = inspect_tree({"vocab.txt": b"260 __import__('os').system('id') 1\n", "own.py": b"x = 1\n"})
    assert all(each.severity is Severity.INFO for each in found)


def test_rows_of_data_are_no_vocabulary() -> None:
    code = CODE.replace("class Tokenizer", "class Rows")
    config = json.dumps({"auto_map": {"AutoModel": "own.Rows"}})
    found = inspect_tree({"config.json": config.encode(), "own.py": code.encode(), "vocab.txt": b"1 'a' 1\n"})
    assert any(each.severity.rank >= Severity.HIGH.rank for each in found)
