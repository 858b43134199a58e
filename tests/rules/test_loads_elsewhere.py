"""Code and objects that are loaded from other places than the repository."""

import json

import pytest

from modelscan_plus.core.finding import Severity
from tests.samples import inspect_tree

CONFIG = json.dumps({"auto_map": {"AutoModel": "modeling_x.M"}}).encode()


@pytest.mark.parametrize(
    ("code", "high"),
    [
        ("from transformers import pipeline\np = pipeline('text-generation', 'evil/x', trust_remote_code=True)", True),
        ("from vllm import LLM\nm = LLM(model='evil/x', trust_remote_code=True)", True),
        ("from transformers import pipeline\np = pipeline('text-generation', 'org/x', trust_remote_code=False)", False),
        ("class Arguments:\n    pass\na = Arguments(trust_remote_code=True)", False),
        ("from .other import Arguments\na = Arguments(trust_remote_code=True)", False),
        (
            "from transformers.dynamic_module_utils import get_class_from_dynamic_module as g\nC = g('m.C', 'evil/x')",
            True,
        ),
        ("import torch\ntorch.hub.load_state_dict_from_url('https://c.example/a.pt', weights_only=False)", True),
        ("import torch\ntorch.hub.load_state_dict_from_url('https://c.example/a.pt', weights_only=True)", False),
        ("import torch\ntorch.hub.load_state_dict_from_url('https://c.example/a.pt')", False),
        ("import sqlite3\nc = sqlite3.connect(':memory:')\nc.load_extension('/tmp/x')", True),
        ("open('/proc/self/mem', 'wb').write(b'x')", True),
        ("open('/proc/self/status').read()", False),
    ],
)
def test_what_a_model_loads_from_elsewhere(code: str, high: bool) -> None:
    found = inspect_tree({"modeling_x.py": f"{code}\nclass M: pass\n".encode(), "config.json": CONFIG})
    assert any(each.severity.rank >= Severity.HIGH.rank for each in found) is high
