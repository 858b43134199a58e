"""Settings by which tools, machines and accounts of the user come to belong to somebody else, by file and key.

Programs of the repository that take the place of the system's (`pip`, `git`, the shell), name servers, logs and states
that lie with somebody else, certificates that everything is to trust, tunnels with somebody else's key, and keys of the
user inside of an address. Sources: the documentation of pip, npm, Visual Studio Code, Docker Compose, cloud-init,
Ansible, Terraform, cloudflared, ngrok, Tailscale and ca-certificates.
"""

import itertools
import re
from collections.abc import Iterator

from modelscan_plus.core.patterns import lazy
from modelscan_plus.core.text import line_at, one_line, visible
from modelscan_plus.formats.text import prose
from modelscan_plus.formats.text.facts import Remark

_MOST = 50
_SYSTEMS = (
    r"(?:python[\d.]*|pip[\d.]*|git|ssh|scp|sudo|su|ls|cd|cat|cp|mv|rm|bash|sh|zsh|env|curl|wget|node|npm|npx|"
    r"make|gcc|cc|ld|tar|ps|which|login|passwd|nvidia-smi)"
)
SYSTEM_NAME = lazy(_SYSTEMS)
_SCRIPTS = lazy(
    rf"^\[(?:project\.scripts|project\.gui-scripts|tool\.poetry\.scripts|tool\.flit\.scripts)\][^\n]*\n(?:(?!\[)[^\n]*\n){{0,200}}?[\"']?(?P<name>{_SYSTEMS})[\"']?\s*=\s*[\"'{{](?!(?P=name)[._])"
    rf"|^(?:console_scripts|gui_scripts)\s*=\s*\n(?:[^\S\n]+[^\n]*\n){{0,200}}?[^\S\n]+(?P<old>{_SYSTEMS})\s*=\s*(?!(?P=old)[._])[\w.]+:"
    rf"|[\"'](?P<call>{_SYSTEMS})\s*=\s*(?!(?P=call)[._])[\w.]+:\w+[\"']",
    re.M,
)
_OWN_PROGRAM = lazy(
    r"^[^\S\n]*(?:git|script-shell|shell|editor)\s*=\s*[\"']?(?P<npm>(?:\.{1,2}/|[\w.-]+/)[\w./-]+)|^[^\S\n]*node-options\s*=[^\n]*--(?:require|import|loader|experimental-loader)[=\s]+(?P<node>\S+)",
    re.M,
)
_EDITOR_PROGRAM = lazy(
    r"\"(?:git\.path|terminal\.(?:integrated|external)\.[\w.]*(?:path|shell|Exec)[\w.]*|git\.askpass|ssh\.path|remote\.SSH\.path|npm\.packageManager|docker\.dockerPath|gitlens\.\w*path)\"\s*:\s*"
    r"\"(?P<file>(?:\$\{workspaceFolder[^}]*\}|\.{1,2})[/\\][^\"]{1,200})\""
)
_UNCHECKED_PROXY = lazy(r"\"http\.proxyStrictSSL\"\s*:\s*false")
_PROXY = lazy(r"\"http\.proxy\"\s*:\s*\"(?P<url>https?://[^\"]{4,200})\"")
_NAME_SERVER = lazy(
    r"^[^\S\n]*(?:-\s+)?[\"']?(?:dns|nameservers?)[\"']?\s*:\s*(?:\[\s*)?(?:\n[^\S\n]*-\s*)?[\"']?(?P<ip>(?:\d{1,3}\.){3}\d{1,3})\b|--dns[=\s](?P<flag>(?:\d{1,3}\.){3}\d{1,3})\b",
    re.M,
)
_OWN_RESOLVERS = lazy(
    r"^(?:127\.|0\.|10\.|192\.168\.|172\.(?:1[6-9]|2\d|3[01])\.|169\.254\.|8\.8\.|1\.[01]\.[01]\.|9\.9\.9\.|149\.112\.|208\.67\.|114\.114\.|223\.[56]\.|119\.29\.|180\.76\.|"
    r"94\.140\.|76\.76\.|64\.6\.|77\.88\.|168\.63\.129\.)"
)
_LOGS = lazy(
    r"\b(?:gelf-address|syslog-address|fluentd-address|splunk-url|awslogs-endpoint|loki-url)[\"']?\s*[:=]\s*[\"']?(?:\w+://)?(?P<host>[\w.-]{4,200})"
)
_HOME_SECRET = lazy(
    r"(?:\bfile|\benv_file|^[^\S\n]*-)\s*:?\s*\[?[\"']?(?:~|\$\{?HOME\}?)/(?P<file>\.(?:ssh/(?:id_\w+)|aws/credentials|netrc|git-credentials|kube/config|gnupg/\S*|docker/config\.json|"
    r"cache/huggingface/(?:token|stored_tokens)|config/gcloud/\S*))(?=[\s\"',}\]]|$)",
    re.M,
)
_PHONES = lazy(
    r"^phone_home\s*:\s*\n(?:[^\S\n]+[^\n]*\n){0,4}?[^\S\n]+url\s*:\s*[\"']?(?P<url>https?://[^\s\"']{4,200})", re.M
)
_KEYS_FROM = lazy(
    r"\bauthorized_key\s*:[^\n]*\n(?:[^\S\n]+\w+\s*:[^\n]*\n){0,6}?[^\S\n]+key\s*:\s*[\"']?(?P<url>https?://[^\s\"']{4,200})"
)
_ADMITS = lazy(r"^kind:\s{0,8}(?:Mutating|Validating)WebhookConfiguration\b", re.M)
_CONFIGURED = lazy(r"^[^\S\n]+url:[^\S\n]*[\"']?(?P<url>https?://[^\s\"']{4,200})", re.M)
_VIA = lazy(
    r"^[^\S\n]*(?:export\s+|ENV\s+)?(?:HTTPS?|ALL)_PROXY[=\s:]+[\"']?(?P<url>https?://[^\s\"']{4,200})", re.M | re.I
)
_BELIEVES = lazy(
    r"\b(?:SSL_CERT_FILE|REQUESTS_CA_BUNDLE|CURL_CA_BUNDLE|NODE_EXTRA_CA_CERTS|GIT_SSL_CAINFO)[=\s:]+[\"']?(?:\.{1,2}/|\$\{?PWD\}?/|(?!/)[\w-]+/)[\w./-]+|"
    r"\bNODE_TLS_REJECT_UNAUTHORIZED[=\s:]+[\"']?0|\bGIT_SSL_NO_VERIFY[=\s:]+[\"']?(?:1|true)|\bPYTHONHTTPSVERIFY[=\s:]+[\"']?0"
)
_STATE = lazy(r"\bbackend\s+\"http\"\s*\{[^{}]{0,600}?\baddress\s*=\s*\"(?P<url>https?://[^\"\s]{4,300})\"")
_TUNNEL = lazy(
    r"\bcloudflared\b[^\n|;&]{0,200}?\s(?:--token[=\s]\s*|service\s+install\s+)[\"']?(?P<flare>eyJ[\w=+/-]{20,})"
    r"|\bngrok\b[^\n|;&]{0,100}?\b(?:(?:add-)?authtoken)[=\s]\s*[\"']?(?P<ngrok>(?=[^\s\"']*\d)(?=[^\s\"']*[a-z])[0-9A-Za-z]{8,}_?[0-9A-Za-z]{8,})"
    r"|\btailscale\s+up\b[^\n|;&]{0,200}?--auth-?key[=\s]\s*[\"']?(?P<tail>tskey-[\w-]{8,})|\bzerotier-cli\s+join\s+(?P<zero>[0-9a-f]{16})\b"
    r"|\b(?:bore\s+local\b[^\n|;&]{0,100}?--to|chisel\s+client|inlets\s+client\b[^\n|;&]{0,60}?--(?:remote|url)|wstunnel\s+(?:client\s+)?[^\n|;&]{0,80}?)[=\s]\s*(?:wss?://|https?://)?(?P<host>(?:[\w-]+\.)+[\w-]{2,})\S*(?:\s[^\n|;&]{0,80}?\bR:|(?=\s|$))",
)
_UNASKED = lazy(
    r"\b(?:claude\b[^\n]{0,120}?--dangerously-skip-permissions|gemini\b[^\n]{0,120}?(?:--yolo|\s-y\b)|q\s+chat\b[^\n]{0,120}?--trust-all-tools|"
    r"codex\b[^\n]{0,120}?--(?:dangerously-bypass\S+|full-auto|yolo)|cursor-agent\b[^\n]{0,120}?\s(?:-f|--force)\b|aider\b[^\n]{0,120}?--yes\S*|opencode\s+run\b)"
    r"[^\n]{0,800}?(?:\bwallets?\b|\bprivate\s+keys?\b|\bcredentials?\b|\bsecrets\b|\bpasswords?\b|\bhome\s+(?:folder|director\w+)|~/\.|\bseed\s+phrases?\b|\$HOME\b|\.ssh\b|\.env\b)"
)
_AUTHORITY = lazy(
    r"(?:^|[;&|]\s*|\bsudo\s+)(?:update-ca-certificates|update-ca-trust(?:\s+extract)?|trust\s+anchor\s+\S+|certutil(?:\.exe)?\s+(?:-\S+\s+)*-addstore\s+[^\n]{0,40}\broot\b|"
    r"security\s+add-trusted-cert|Import-Certificate\b[^\n]{0,200}\bRoot\b)",
    re.M | re.I,
)
_BROUGHT = lazy(
    r"\b(?:cp|install|mv|copy|anchor|-d)\s[^\n]{0,80}?(?<![/\w.-])(?:\./|\$PWD/)?(?!(?:your|my|corp\w*|company|zscaler|proxy|org)[\w.-]*\.)[\w-]+\.(?:crt|pem|cer)\b",
    re.I,
)
"""A certificate of the repository; what a firm has its machines trust is spoken of as the reader's own."""
_PRELOADS = lazy(
    r"\b(?:LD_PRELOAD|LD_AUDIT|DYLD_INSERT_LIBRARIES)[\"']?\s*[:=]\s*[\"']?(?:\.{1,2}/|\$\{?PWD\}?/|\$\(pwd\)/|\$\{?workspaceFolder\}?/|[\w-]+/(?=[\w./-]*\.(?:so|dylib)))[\w./-]+\.(?:so|dylib)"
)
_HOSTS = lazy(
    r"^(?!127\.|0\.|10\.|192\.168\.|172\.(?:1[6-9]|2\d|3[01])\.|169\.254\.)(?:\d{1,3}\.){3}\d{1,3}[^\S\n]+[^\n#]{0,200}?\b(?:huggingface\.co|hf\.co|github\.com|githubusercontent\.com|"
    r"openai\.com|anthropic\.com|googleapis\.com|pytorch\.org|docker\.io|nvidia\.com|microsoft\.com)\b",
    re.M,
)
_KEY_IN_ADDRESS = lazy(
    r"(?P<url>https?://(?P<host>[\w.-]{4,200}(?::\d+)?)[/?][^\s\"'<>]{0,300}?)(?:\$\{?(?:\{\s*)?|\{\{\s*)(?:oc\.env:|env[.:]|var\.|secrets\.|process\.env\.)?(?P<key>[A-Za-z]\w*(?:TOKEN|KEY|SECRET|PASSWORD|_token|_key|_secret|_password))\b"
)


def takeover_remarks(role: str, name: str, text: str) -> Iterator[Remark]:
    """What would take over tools or the machine; cards and scripts type commands, the other files hold settings."""
    base = name.replace("\\", "/").rpartition("/")[2].lower()
    if base in ("pyproject.toml", "setup.cfg", "setup.py"):
        yield from _first("system", "takes the name of a program of the system for one of its own", _SCRIPTS, text)
    if base in (".npmrc", "npmrc"):
        yield from _first(
            "system", "has npm start a program of the repository in place of the system's", _OWN_PROGRAM, text
        )
    if role in ("settings", "json"):
        yield from _first(
            "system", "has the editor start a program of the repository in place of the system's", _EDITOR_PROGRAM, text
        )
        yield from _of_machines(text)
    elif base.endswith((".tf", ".hcl", ".yml", "user-data")):
        yield from _of_machines(text)
    if role in ("markdown", "shell", "settings", "text", "makefile", "requirements"):
        yield from _first("system", "has every program load a library of the repository first", _PRELOADS, text)
    if base in ("hosts", "etc-hosts") or base.endswith(".hosts"):
        yield from _first("system", "leads the name of a known host to another address", _HOSTS, text)
    if (through := _VIA.search(text)) and _BELIEVES.search(text) and _public(through["url"]):
        yield _told("system", "sends everything through a proxy that it is told to believe", text, through)
    yield from _in_addresses(text)
    if role in ("markdown", "shell", "settings", "dockerfile", "makefile", "text", "json"):
        yield from _first("system", "has a coding agent look for what is secret without a question", _UNASKED, text)
        yield from _first("system", "opens the machine to whoever holds the key of a tunnel", _TUNNEL, text)
    if role in ("markdown", "shell", "makefile") and (found := _AUTHORITY.search(text)):
        around = text[max(0, found.start() - 600) : found.end() + 200]
        if _BROUGHT.search(around):
            yield _told("system", "has the machine trust a certificate authority that comes along", text, found)


def _of_machines(text: str) -> Iterator[Remark]:
    if _UNCHECKED_PROXY.search(text) and (found := _PROXY.search(text)) and _public(found["url"]):
        yield _told("system", "sends everything through a proxy whose certificate is not checked", text, found)
    for found in itertools.islice(_NAME_SERVER.finditer(text), _MOST):
        if not _OWN_RESOLVERS.match(found["ip"] or found["flag"]):
            yield _told("system", "has names looked up at an address that is no public name server", text, found)
    for found in itertools.islice(_LOGS.finditer(text), _MOST):
        if prose.odd_host(found["host"]):
            yield _told("system", "has what a container prints sent to a bare address", text, found)
    if re.search(r"^[^\S\n]*services\s*:", text, re.M):
        yield from _first("system", "hands a container a file of credentials of the user", _HOME_SECRET, text)
    for kind in itertools.islice(_ADMITS.finditer(text), _MOST):
        found_url = _CONFIGURED.search(text, kind.end(), kind.end() + 4000)
        if found_url and _public(found_url["url"]):
            what = "shows every object of a cluster to another host, which may change it"
            yield _told("system", what, text, found_url)
    for what, pattern in (
        ("has a machine tell its keys and names to another host when it starts", _PHONES),
        ("lets whoever keeps a page sign in to the machine", _KEYS_FROM),
        ("keeps the state of the machines, secrets included, at another host", _STATE),
    ):
        for found in itertools.islice(pattern.finditer(text), _MOST):
            # GitLab keeps states for its projects, at whatever host it runs.
            if _public(found["url"]) and "/api/v4/projects/" not in found["url"]:
                yield _told("system", what, text, found)


def _in_addresses(text: str) -> Iterator[Remark]:
    """Credentials as a part of an address."""
    for found in itertools.islice(_KEY_IN_ADDRESS.finditer(text), _MOST) if "://" in text else ():
        what = f"sends {visible(found['key'].upper())} along with a request"
        yield Remark("key", what, _shown(found), line_at(text, found.start()), visible(found["host"].lower()))


def _public(address: str) -> bool:
    found = prose.URL.match(address)
    host = found.group(1).lower().partition(":")[0] if found else ""
    return "." in host and not re.search(
        r"^(?:127|10)\.|^192\.168\.|^172\.(?:1[6-9]|2\d|3[01])\.|\.(?:local|internal|lan|corp|home|intra|svc)$", host
    )


def _first(kind: str, what: str, pattern: "re.Pattern[str]", text: str) -> Iterator[Remark]:
    if found := pattern.search(text):
        yield _told(kind, what, text, found)


def _told(kind: str, what: str, text: str, found: "re.Match[str]") -> Remark:
    return Remark(kind, what, _shown(found), line_at(text, found.end()))


def _shown(found: "re.Match[str]") -> str:
    return one_line(found.group()[-300:], 160)
