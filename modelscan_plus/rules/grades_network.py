"""Grades of what goes over a network: downloads, what is sent or put somewhere, and servers."""

import re

from modelscan_plus.core.finding import Severity
from modelscan_plus.core.patterns import lazy
from modelscan_plus.formats.text import prose
from modelscan_plus.formats.text.python.accounts import tracks
from modelscan_plus.formats.text.python.facts import Effect
from modelscan_plus.formats.text.python.pings import OPTED_IN
from modelscan_plus.rules.credentials import at_home, of_service
from modelscan_plus.rules.grades_times import ENTRY, TOLD, pick
from modelscan_plus.rules.hosts import listed

_LOOPBACK = lazy(r"https?://(?:localhost|127\.|0\.0\.0\.0|\[::1\])", re.I)
_DEBUGGERS = (
    "debugpy.", "ptvsd.", "rpdb.", "remote_pdb.", "IPython.", "ipykernel.", "manhole.", "rpyc.", "notebook.", "jupyter", "web_pdb.",
    "madbg.", "aiomonitor.", "pyngrok.", "asyncssh.", "telepythy.",
)  # fmt: skip
"""Servers that hand the process, or a way to the machine, to whoever connects."""


_NEIGHBOURS = lazy(r"(?:10\.\d+\.\d+|172\.(?:1[6-9]|2\d|3[01])\.\d+|192\.168\.\d+)\.…")
"""An address of the own network whose last part is counted."""
_CERTAIN = lazy(
    r"https?://[^\s/?#…]+\.[^\s/?#…]+(?!\S*\.(?:bin|pt|pth|ckpt|safetensors|onnx|gguf|json|txt|zip|tar|gz|whl|npz|csv|parquet)$)",
    re.I,
)
"""An address that stands in the source, and is none of a file that somebody would want."""
_INTO_FILES = frozenset(
    """urllib.request.urlretrieve urllib.urlretrieve wget.download gdown.download torch.hub.download_url_to_file
    gdown.cached_download""".split()
)
"""Functions that put what they fetch into a file."""
_QUIET = frozenset(("generated", "input", "trained"))


def _is_stranger(effect: Effect) -> bool:
    """True for a host with a name that stands in the source, and is none of the services that people use."""
    found = prose.URL.match(effect.argument.strip())
    host = found.group(1).lower().rpartition("@")[2].partition(":")[0] if found else ""
    return "." in host and "…" not in host and not of_service(host) and not listed("code", host)


_CONTROLS = lazy(
    r"https?://(?:localhost|127\.\d+\.\d+\.\d+|0\.0\.0\.0|host\.docker\.internal|\[::1\])(?::(?:2375|2376|8265|10250|2379|9222|8500|6066)(?:/|$)|"
    r"(?::\d+)?/(?:api/(?:contents|kernels|terminals|sessions|jobs|pull|create|push|delete)\b|containers/create|v\d[\d.]*/containers|json/new|v1/agent))",
    re.I,
)
"""Services of the own machine that start programs or change files for whoever asks: containers, clusters, notebooks, browsers."""
_METADATA = lazy(
    r"https?://(?:169\.254\.169\.254|metadata\.google|169\.254\.170\.2|100\.100\.100\.200|\[fd00:ec2::254\])", re.I
)
"""Where a cloud tells a machine the credentials of its role."""


_WHERE = lazy(
    r"https?://(?:[\w-]+\.)*(?:ipinfo\.io|ip-api\.com|ipapi\.(?:co|com|is)|ipwho\.is|ipwhois\.app|geojs\.io|freegeoip\.\w+|ipify\.org|icanhazip\.com|"
    r"ifconfig\.(?:me|co)|checkip\.amazonaws\.com|ipecho\.net|ident\.me|myip\.com|ipstack\.com|ipgeolocation\.io|db-ip\.com|"
    r"api\.myip\.com|wtfismyip\.com|extreme-ip-lookup\.com|geolocation-db\.com|ip2location\.io)(?:[:/?]|$)",
    re.I,
)
"""Services that tell in which country a machine stands, and by which address others see it."""
_GREETED = lazy(
    r"https?://(?:[\w-]+\.)*(?:google\.com|huggingface\.co|hf\.co|hf-mirror\.com|github\.com|baidu\.com|example\.com|python\.org|"
    r"cloudflare\.com|amazonaws\.com|googleapis\.com|modelscope\.cn|1\.1\.1\.1|8\.8\.8\.8)(?:[:/?]|$)",
    re.I,
)
"""Hosts that programs ask for something to see whether there is a network."""


def download(effect: Effect, reached: bool) -> Severity:
    """What is fetched."""
    if _METADATA.match(effect.argument) or _WHERE.match(effect.argument):
        return Severity.HIGH if reached and effect.when in ENTRY else Severity.LOW
    odd = prose.odd_url(effect.argument) is not None
    if _LOOPBACK.match(effect.argument) or (OPTED_IN in effect.flows and not odd):
        return Severity.INFO
    if odd:
        return Severity.HIGH if reached or effect.when == "import" else Severity.MEDIUM
    greets = _GREETED.match(effect.argument) or listed("indexes", effect.argument.partition("://")[2].partition("/")[0])
    beacon = effect.discarded and _CERTAIN.match(effect.argument) and not greets
    if reached and effect.when == "entry" and beacon and effect.name not in _INTO_FILES:
        return Severity.HIGH  # what is fetched is of no use to anybody here
    if effect.when == "import" and reached and (effect.discarded or effect.argument.lower().startswith("http:")):
        return Severity.HIGH
    return pick(effect, reached, import_=(Severity.INFO, Severity.MEDIUM), entry=(Severity.INFO, Severity.INFO))


def send(effect: Effect, reached: bool) -> Severity:
    """What is sent."""
    if _METADATA.match(effect.argument):
        return Severity.HIGH if reached and effect.when in ENTRY else Severity.LOW
    if _CONTROLS.match(effect.argument):
        return Severity.HIGH if reached and effect.when in ENTRY else Severity.LOW
    if _LOOPBACK.match(effect.argument) or "visitor" in effect.flows:
        return Severity.INFO
    if OPTED_IN in effect.flows and not prose.odd_url(effect.argument):
        return Severity.LOW
    address = effect.argument.replace("udp://", "http://", 1)
    if effect.discarded and _QUIET & set(effect.flows) and _is_stranger(effect):
        return Severity.HIGH  # what people say to a model, and what it has learned or says, is no business of others
    odd = prose.odd_url(address) is not None and not at_home(effect)
    if "asker" in effect.flows and not odd and not (TOLD - {"file"}) & set(effect.flows):
        return Severity.MEDIUM  # what was made for a request goes where the request says
    if "caller" in effect.flows and not odd and not TOLD & set(effect.flows):
        return Severity.MEDIUM if reached and effect.when in ENTRY else Severity.INFO
    if odd or "host" in effect.flows:
        return Severity.HIGH if reached or odd or effect.when == "import" else Severity.MEDIUM
    return pick(
        effect,
        reached,
        import_=(Severity.MEDIUM, Severity.HIGH),
        entry=(Severity.LOW, Severity.HIGH),
        call=(Severity.INFO, Severity.MEDIUM),
    )


def connect(effect: Effect, reached: bool) -> Severity:
    """Connections to other machines."""
    if "localhost" in effect.argument or "127.0.0.1" in effect.argument:
        return Severity.INFO
    if _NEIGHBOURS.match(effect.argument):
        return Severity.HIGH  # one machine of the own network after the other
    relays = effect.name.startswith("socket.") and "download" in effect.flows and "…" in effect.argument
    if relays and not re.search(r"[a-z]", effect.argument, re.I):
        return Severity.HIGH  # to where another machine says, which is what a relay does
    quiet = effect.name in ("socket.gethostbyname", "socket.getaddrinfo")
    if quiet and "host" not in effect.flows:
        return Severity.LOW
    host, _, port = effect.argument.partition(" ")
    if not quiet and effect.when in ENTRY and port and prose.odd_url(f"http://{host}"):
        return Severity.HIGH  # a number instead of a name
    return pick(
        effect,
        reached,
        import_=(Severity.MEDIUM, Severity.HIGH),
        entry=(Severity.LOW, Severity.HIGH),
        call=(Severity.LOW, Severity.MEDIUM),
    )


def upload(effect: Effect, reached: bool) -> Severity:
    """Honest code uploads to the repository that its caller names: `push_to_hub`, called by `save_pretrained`."""
    if "caller" in effect.flows and not TOLD & set(effect.flows):
        return Severity.MEDIUM if reached and effect.when in ENTRY else Severity.INFO
    if tracks(effect.name) and "host" not in effect.flows:  # the run of whoever trains it, in an account of his own
        return pick(effect, reached, import_=(Severity.LOW, Severity.MEDIUM), entry=(Severity.INFO, Severity.MEDIUM))
    return pick(effect, reached, import_=(Severity.LOW, Severity.HIGH), entry=(Severity.INFO, Severity.HIGH))


def account(effect: Effect, reached: bool) -> Severity:
    """A key that stands in the source: in scripts people forget their own, in code that loaders run it is for others."""
    return pick(effect, reached, import_=(Severity.LOW, Severity.HIGH), entry=(Severity.INFO, Severity.HIGH))


def listen(effect: Effect, reached: bool) -> Severity:
    """Servers."""
    everywhere = re.match(r"\s*(?:0\.0\.0\.0|(?!127\.)(?:\d{1,3}\.){3}\d)", effect.argument) is not None
    own = (
        everywhere
        or effect.name.startswith(_DEBUGGERS)
        or not effect.name.startswith(("socket.", "multiprocessing.", "grpc."))
    )
    if own and reached and effect.when in ENTRY:
        return Severity.HIGH
    return pick(effect, reached, import_=(Severity.LOW, Severity.HIGH), entry=(Severity.INFO, Severity.MEDIUM))
