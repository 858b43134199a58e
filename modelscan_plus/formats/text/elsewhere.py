"""Settings that lead a client, a server or a reader's program to another machine, by the file and key that do so.

Keys of clients go with each request to the address that stands in their settings. Servers can be told to hand a copy of
each request on. Tables, manifests and folders can have the program that opens them start something or log in elsewhere.
Sources: the documentation of wandb, ClearML, Comet, Neptune, MLflow, the AWS CLI, rclone, TorchServe, nginx, Istio,
Traefik, ingress-nginx and lhotse.
"""

import itertools
import re
from collections.abc import Iterator

from modelscan_plus.core.patterns import lazy
from modelscan_plus.core.text import line_at, one_line, shorten, visible
from modelscan_plus.formats.text import prose
from modelscan_plus.formats.text.facts import Remark
from modelscan_plus.formats.text.remarks import script_remarks
from modelscan_plus.formats.text.steps import mappings_of

_MOST = 50
_URL = r"[\"']?(?P<url>https?://[^\s\"',;#]{4,300})"
_CLIENTS = (
    (lazy(r"(?:^|/)\.?wandb/settings$"), lazy(rf"^[^\S\n]*base_url\s*[=:]\s*{_URL}", re.M)),
    (lazy(r"(?:^|/)\.?(?:clearml|trains)\.conf$"), lazy(rf"\b(?:api|web|files)_server\s*[=:]\s*{_URL}")),
    (lazy(r"(?:^|/)\.?comet\.config$"), lazy(rf"^[^\S\n]*(?:url_override|comet_url_override)\s*=\s*{_URL}", re.M)),
    (lazy(r"(?:^|/)\.aws/(?:config|credentials)$"), lazy(rf"^[^\S\n]*endpoint_url\s*=\s*{_URL}", re.M)),
    (lazy(r"(?:^|/)\.?(?:rclone\.conf|s3cfg)$"), lazy(rf"^[^\S\n]*(?:endpoint|url|host_base)\s*=\s*{_URL}", re.M)),
    (
        lazy(r"(?:^|/)\.(?:continuerc|config/openai|openai/config|litellm)[^/]*$"),
        lazy(rf"\b(?:base_url|api_base)\s*[=:]\s*{_URL}"),
    ),
)
"""Files of clients that show a key of the user with each request, and the key that says to whom."""
_ADDRESS = frozenset(
    "api_base base_url apiBase baseUrl baseURL endpoint url host openai_api_base server azure_endpoint".split()
)
_SHOWN = frozenset(
    "api_key apiKey token auth_token authorization Authorization key api_token access_token secret".split()
)
_VARIABLE = lazy(r"\b(?P<name>[A-Z][A-Z0-9_]*(?:KEY|TOKEN|SECRET|PASSWORD)[A-Z0-9_]*)\b")
_UNDER = lazy(
    r"^[^\S\n]*[\"']?\w*(?:webhook|telemetry|callback|collector|tracker|action_endpoint|endpoint|nlg|logger|exporter|registry|proxy|server|store|broker)s?[\"']?[^\S\n]*:[^\S\n]*\n"
    rf"(?:[^\S\n]+[^\n]*\n){{0,3}}?[^\S\n]+[\"']?(?:url|uri|host|endpoint|address|base_url|server_url)[\"']?\s*:\s*{_URL}",
    re.M,
)
"""An address under a key that says that something is sent there."""
_LOADED = lazy(
    r"^[^\S\n]*(?:load_models|preload_models?|models?_url)\s*=\s*(?:[^\n,=]{0,80}[=,])*?\s*(?P<url>https?://[^\s,;]{4,300})",
    re.M,
)
_MIRROR = lazy(r"(?:^|[\s{;])mirror\s+(?P<place>/[\w./@-]{0,80}|@\w+)\s*;")
_LOCATION = lazy(r"\blocation\s+(?:[=^~*]+\s*)?(?P<place>[/@][\w./@-]{0,80})\s*\{(?P<body>[^{}]{0,2000})\}")
_PASSED = lazy(r"\bproxy_pass\s+https?://(?P<host>[^\s/;$]{3,200})")
_MIRRORED = lazy(
    r"^[^\S\n]*(?:nginx\.ingress\.kubernetes\.io/)?mirror-(?:target|host)[\"']?\s*:\s*[\"']?(?:https?://)?(?P<ingress>[\w.-]{4,200})"
    r"|^[^\S\n]*(?:-\s+)?mirrors?\s*:\s*\n(?:[^\S\n]+[^\n]*\n){0,3}?[^\S\n]+(?:-\s+)?(?:host|url|backend)\s*:\s*[\"']?(?:https?://)?(?P<istio>[\w.-]{4,200})",
    re.M,
)
_PUT_IN = lazy(
    r"\bsub_filter\s+[\"']?[^\n;]{1,80}[\"']?\s+[\"'][^\n;]{0,400}?<(?:script|iframe|img)\b[^\n;]{0,200}?(?:https?:)?//",
    re.I,
)
_LUA = lazy(r"_by_lua")
_CALLS_OUT = lazy(r"(?:request_uri|ngx\.socket\.\w+|:connect|:send|http_request)\s*\(")
_IS_ASKED = lazy(r"get_body_data|read_body|request_body|get_headers|http_authorization|get_post_args|ngx\.arg")
_COMMAND_SOURCE = lazy(
    r"\"type\"\s*:\s*\"command\"[^{}]{0,400}?\"source\"\s*:\s*\"(?P<one>(?:\\.|[^\"\\\n]){1,2000})\"|\"source\"\s*:\s*\"(?P<two>(?:\\.|[^\"\\\n]){1,2000})\"[^{}]{0,200}?\"type\"\s*:\s*\"command\""
)
"""A recording that lhotse gets by running a command."""
_DECODERS = lazy(
    r"\s*(?:(?:sox|ffmpeg|flac|sph2pipe|cat|gunzip|zcat|lame|opusdec|gsutil\s+cp|aws\s+s3\s+cp|hdfs\s+dfs)\s[^;&`$]*)(?:\|\s*(?:sox|ffmpeg|flac|sph2pipe|lame|opusdec)\s[^;&`$|]*)*\s*-?\s*$"
)
_SECRET_LOG = lazy(r"\blog_format\b[^;]{0,600}\$(?:http_authorization|request_body|http_cookie|cookie_\w+)[^;]{0,600};")
_LOGGED_TO = lazy(r"\baccess_log\s+syslog:server=(?P<host>[\w.-]{4,200})")


def elsewhere_remarks(role: str, name: str, text: str) -> Iterator[Remark]:
    """Where the settings of clients and servers lead."""
    name = name.replace("\\", "/")
    for file, key in _CLIENTS:
        for found in itertools.islice(key.finditer(text), _MOST) if file.search(name) else ():
            yield _remark("client", "has a client show its key to", text, found)
    if role in ("settings", "text", "requirements"):
        for found in itertools.islice(_LOADED.finditer(text), _MOST):
            yield _remark("source", "has a server load a model from", text, found)
    if role == "settings":
        yield from _keys(text)
        for found in itertools.islice(_UNDER.finditer(text), _MOST):
            if prose.odd_url(found["url"]):
                yield _remark("endpoint", "has a client use", text, found)
    if "proxy_pass" in text or "_by_lua" in text or "mirror" in text:
        yield from _servers(text)
    if '"command"' in text and name.endswith((".jsonl", ".json", ".ndjson")):
        yield from _recordings(text)


def _keys(text: str) -> Iterator[Remark]:
    """An address and a key that stand beside each other, where the address is nobody's name."""
    if not any(word in text for word in ("_base", "base_url", "baseU", "apiBase", "endpoint", "url:", "host:")):
        return
    for each in itertools.islice(mappings_of(text), 5000):
        address = next((each.values[key] for key in _ADDRESS & each.values.keys() if "://" in each.values[key]), "")
        found = prose.URL.match(address)
        plain = address.lower().startswith("http:")
        if found is None or not prose.odd_host(found.group(1)):
            continue
        for key in sorted(_SHOWN & each.values.keys()):
            if held := _VARIABLE.search(each.values[key]):
                what = f"sends {visible(held['name'])} along with a request"
                line = line_at(text, max(0, text.find(address)))
                host = ("http:" if plain else "") + found.group(1).lower()
                yield Remark("key", what, shorten(visible(address), 160), line, visible(host))


def _servers(text: str) -> Iterator[Remark]:
    what = "has a server hand a copy of each request to another machine"
    places = {found["place"] for found in itertools.islice(_MIRROR.finditer(text), _MOST)}
    for found in itertools.islice(_LOCATION.finditer(text), 500) if places else ():
        passed = _PASSED.search(found["body"]) if found["place"] in places else None
        if passed and _public(passed["host"]):
            yield Remark(
                "command", what, one_line(passed.group(), 160), line_at(text, found.start("body") + passed.start())
            )
    for found in itertools.islice(_MIRRORED.finditer(text), _MOST):
        host = found["ingress"] or found["istio"]
        if _public(host) and not host.startswith("$"):
            yield Remark("command", what, one_line(found.group(), 160), line_at(text, found.start()))
    if found_script := _PUT_IN.search(text):
        what = "has a server put a script of another host into each page"
        yield Remark("command", what, one_line(found_script.group(), 160), line_at(text, found_script.start()))
    for tap in itertools.islice(_LUA.finditer(text), _MOST):
        block = text[tap.start() : tap.start() + 6000].partition("\n}\n")[0]
        if _CALLS_OUT.search(block) and _IS_ASKED.search(block):
            what = "has a server send what it is asked to another machine"
            yield Remark("command", what, one_line(block, 160), line_at(text, tap.start()))
            break
    logged = _LOGGED_TO.search(text)
    if logged and _SECRET_LOG.search(text) and _public(logged["host"]):
        what = "has a server log the keys and contents of requests on another machine"
        yield Remark("command", what, one_line(logged.group(), 160), line_at(text, logged.start()))


def _public(host: str) -> bool:
    """True for a host that stands in the names or addresses of everybody, and not in those of a cluster or house."""
    name = host.lower().partition(":")[0]
    if prose.odd_host(name):
        return True
    ending = name.rpartition(".")[2]
    return (
        "." in name
        and not re.fullmatch(r"[\d.]+|.*\.(?:local|internal|lan|svc|cluster|corp|home|intra)", name)
        and ending.isalpha()
    )


def _recordings(text: str) -> Iterator[Remark]:
    for found in itertools.islice(_COMMAND_SOURCE.finditer(text), 20_000):
        command = (found["one"] or found["two"]).replace('\\"', '"').replace("\\\\", "\\").replace("\\/", "/")
        if _DECODERS.fullmatch(command):
            continue
        line = line_at(text, found.start())
        told = list(script_remarks(command, line))
        yield from told
        if not any(each.kind == "command" for each in told):
            what = "has a recording made by a program that decodes nothing"
            yield Remark("command", what, shorten(visible(command), 160), line)
        return


def _remark(kind: str, what: str, text: str, found: "re.Match[str]") -> Remark:
    address = prose.URL.match(found["url"])
    plain = "http:" if found["url"].lower().startswith("http:") else ""
    host = visible(plain + address.group(1).lower()) if address else ""
    return Remark(
        kind,
        f"{what} {host.removeprefix('http:')}",
        one_line(found.group(), 160),
        line_at(text, found.start("url")),
        host,
    )
