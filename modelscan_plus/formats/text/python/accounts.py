"""What ties a user's run to somebody else: a constant key of a service, an address to which a client or a setting leads.

Trackers of experiments, reporters of errors and clients of services keep what they are told in the account of whoever
made the key. A key that stands in the code of a model is its author's, so what the run knows goes to the author. A client
that was made with the address of another machine carries there what it is given later. Which library it is does not
matter for either: the key and the address show in the arguments, by the names under which libraries take them.
"""

import ast
import re

from modelscan_plus.core.patterns import lazy
from modelscan_plus.formats.text import prose
from modelscan_plus.formats.text.python.names import Names
from modelscan_plus.formats.text.python.sinks import SECRET_VARIABLE
from modelscan_plus.formats.text.python.spoken import UNKNOWN, spoken

ELSEWHERE = "elsewhere"
"""The origin of an object that was made with the address of another machine."""
_KEYS = frozenset(
    """key api_key apikey api_token auth_token access_token secret secret_key api_secret write_key project_api_key dsn
    public_key access_key aws_access_key_id aws_secret_access_key instrumentation_key connection_string license_key
    ingest_key tracking_token personal_api_key bot_token""".split()
)
"""Names of arguments that take a credential."""
_OWN_PLACES = frozenset(("space_id", "dataset_id"))
_ADDRESSES = frozenset(
    """base_url baseurl api_base api_host host hosts server server_url server_uri endpoint endpoint_url url uri dsn address
    addresses addr tracking_uri broker broker_url bootstrap_servers connection_string webhook webhook_url service_url
    azure_endpoint target remote api_url hostname proxy proxies nodes seeds contact_points registry_uri""".split()
)
"""Names of arguments that take an address."""
_CLIENTS = lazy(
    r"(?:Client|Connection|Exporter|Handler|Producer|Publisher|Proxy|Webhook|Bot|Api|API|Channel|Session|Pool|Transport|Stub|Store|"
    r"Telnet|FTP|SMTP|IMAP4|POP3|NNTP)(?:_?SSL|_TLS)?$|(?:^|\.)(?:connect|dial|create_engine|(?:in)?secure_channel|init|\w*create_client|"
    r"from_\w*(?:url|uri|dsn|string))$"
)
"""Classes and functions that are given the address of what they talk to."""
_CLASS = lazy(r"(?:^|\.)[A-Z]\w*$")
_READERS = lazy(
    r"(?:^|[._])(?:load|read|open|fetch|download|retrieve|parse|get|head|display|HTML|Image|Video|Audio)|_url$"
)
"""Functions that take an address to read from it; what is read is told by itself."""
_FILES = ("sqlite3.", "aiosqlite.", "apsw.", "duckdb.", "lmdb.", "dbm.", "shelve.")
"""Databases in a file, whose name may look like that of a host."""
_OWN_ACCOUNT = (
    "transformers.", "diffusers.", "datasets.", "sentence_transformers.", "peft.", "builtins.", "hashlib.", "hmac.",
    "sorted", "functools.", "operator.", "torch.", "numpy.", "jax.", "tensorflow.", "itertools.", "pandas.", "timm.",
)  # fmt: skip
"""Libraries whose arguments of these names are no credentials, or serve to read only."""
_LIKE_KEY = lazy(
    r"^(?=\S*\d|hf_|sk-|ghp_|xox)(?=\S*[A-Za-z])(?!\S*(?:\.{3}|…|<|your|xxx|example|dummy|placeholder))[\w+/=.:|@?&%-]{16,400}$",
    re.I,
)
"""A text that is a key, and not a word, a label or a place to put one."""
_FORMATS = lazy(
    r"^(?:\d{6,12}:[\w-]{24,}|SG\.[\w.-]{16,}|sl\.[\w.-]{20,}|eyJ[\w-]{10,}\.[\w.-]{10,}|hf_[A-Za-z]{16,}|sk-[\w-]{16,}|gh[pousr]_\w{20,}|"
    r"xox[abprs]-[\w-]{10,}|AKIA[A-Z0-9]{16}|ph[cx]_\w{16,}|r8_\w{20,}|gsk_\w{20,}|glpat-[\w-]{16,}|pk-lf-[\w-]{16,})$"
)
"""Forms of keys that services issue."""
_SHARE = lazy(r"^(?:\\\\|//)(?P<host>[\w-]+(?:\.[\w-]+)+)[\\/]")
"""A folder of another machine."""
_WITH_USER = lazy(r"^[a-z][a-z0-9+.-]{1,20}://[^\s/@]{3,200}@(?P<host>[^\s/:@]+)", re.I)
"""An address with a key or password in it."""
_LOCAL = lazy(
    r"^(?:localhost|127\.|0\.0\.0\.0|\[?::1?\]?$|10\.|192\.168\.|172\.(?:1[6-9]|2\d|3[01])\.|host\.docker\.internal|unix:|/)",
    re.I,
)
_BARE_HOST = lazy(
    r"^(?:[\w-]{1,63}\.){1,6}(?!py$|json$|txt$|bin$|pt$|onnx$|yaml$|yml$|md$|jpg$|png$|wav$|model$|csv$|so$|sock$|db$)[a-z]{2,12}(?::\d{1,5})?(?:/\S*)?$",
    re.I,
)
_ANY_SCHEME = lazy(r"^(?:[a-z][a-z0-9+.-]{1,30}:)?//(?:[^\s/@]{1,200}@)?(?P<host>\[[0-9a-f:]+\]|[^\s/:@]+)", re.I)
_DSN = lazy(r"^(?:\w+=\S*\s+){0,8}(?:host|server)=(?P<host>[\w.-]+)")
_NUMBER = lazy(r"^(?:\d{1,3}\.){3}\d{1,3}(?::\d{1,5})?$")
_HUBS = lazy(
    r"(?:^|\.)(?:huggingface\.co|hf\.co|hf-mirror\.com|modelscope\.cn|github\.com|githubusercontent\.com)$", re.I
)
_REDIRECTS = lazy(
    r"(?:_BASE_URL|_API_BASE|_API_URL|_ENDPOINT|_ENDPOINT_URL|_ENDPOINT_OVERRIDE|_TRACKING_URI|_DSN|_PROXY|_HOST|_COLLECTOR_URL|"
    r"_SERVER_URL|_REGISTRY_URI|_INDEX_URL|_ADDR|_ADDRESS|_BOOTSTRAP_SERVERS|^(?:REDIS|DATABASE|DB|AMQP|RABBITMQ|MONGO|MONGODB|CELERY_RESULT)_UR[LI]|"
    r"^DISPLAY|^SPARK_MASTER|^ENDPOINT_URL|^AWS_ENDPOINT_URL\w*|_BROKER_URL)$|"
    r"\.(?:api_base|base_url|api_url|api_host|host|endpoint|server_url|tracking_uri|prox(?:y|ies))$",
    re.I,
)
"""Variables by which libraries are told where to go."""
_TRACKERS = (
    "wandb.", "comet_ml.", "neptune.", "mlflow.", "clearml.", "swanlab.", "aim.", "sentry_sdk.", "posthog.", "mixpanel.", "amplitude.",
    "analytics.", "segment.", "rollbar.", "bugsnag.", "newrelic.", "datadog.", "langfuse.", "langsmith.", "trackio.", "dvclive.",
)  # fmt: skip
"""Libraries that keep what they are told with a service."""
TRACKED = "tracked"
"""The origin of what they give."""
_REPORTS = frozenset(
    """logging.handlers.HTTPHandler logging.handlers.SysLogHandler logging.handlers.SocketHandler
    logging.handlers.DatagramHandler logging.handlers.SMTPHandler ray.init ray.client dask.distributed.Client
    distributed.Client torch.distributed.rpc.init_rpc faulthandler.register debugpy.connect pydevd.settrace
    pydevd_pycharm.settrace ptvsd.attach multiprocessing.connection.Client pyroscope.configure
    prometheus_client.push_to_gateway prometheus_client.pushadd_to_gateway mlflow.set_tracking_uri mlflow.set_registry_uri ipyparallel.Client torch.distributed.init_process_group
    torch.distributed.TCPStore torch.distributed.rpc.TensorPipeRpcBackendOptions jax.distributed.initialize
    urllib.request.ProxyHandler tensorflow.distribute.Server tensorflow.config.experimental_connect_to_host celery.Celery
    distributed.Worker distributed.Nanny dask.distributed.Worker dask.distributed.Nanny""".split()
)
"""Functions that tie the whole process to the machine that they are given: what is logged, traced or run goes there or
comes from there."""
_CONFIGURES = frozenset("login init configure set_credentials set_tracking_uri initialize_app".split())
"""Functions that say once for the whole process where a library goes."""
_REPORTING = (
    "redis.", "aioredis.", "coredis.", "pymongo.", "motor.", "psycopg.", "psycopg2.", "asyncpg.", "aiopg.", "pymysql.", "MySQLdb.", "mysql.",
    "aiomysql.", "pyodbc.", "oracledb.", "cassandra.", "neo4j.", "clickhouse_driver.", "clickhouse_connect.", "influxdb", "elasticsearch.",
    "opensearchpy.", "pymemcache.", "memcache.", "etcd3.", "consul.", "hvac.", "kafka.", "confluent_kafka.", "aiokafka.", "pulsar.", "rq.",
    "huey.", "dramatiq.", "arq.", "taskiq.", "minio.", "oss2.", "webdav3.", "pyarrow.flight.", "grpc.insecure_channel", "grpc.secure_channel",
    "grpc.aio.", "accelerate.notebook_launcher", "deepspeed.init_distributed", "statsd.", "elasticapm.", "sentry_sdk.init",
    "keras.callbacks.RemoteMonitor", "tensorflow.keras.callbacks.RemoteMonitor", "aim.Run", "h2o.connect", "pyspark.SparkContext",
    "opentelemetry.exporter.",
    "logging_loki.",
    "graypy.",
    "logstash",
    "fluent.",
    "ddtrace.",
    "newrelic.",
    "zipkin",
)  # fmt: skip
"""Packages that do nothing else, and clients of stores and queues, from which orders come as well as data go."""


def tied(node: ast.Call, dotted: str | None, names: Names) -> str | None:
    """What ties the run to somebody else, for a person: a constant key, or the address that everything is reported to."""
    if dotted is None:
        return None
    given = [(item.arg or "", item.value) for item in node.keywords] + [("", value) for value in node.args[:4]]
    reports = dotted in _REPORTS or dotted.startswith(_REPORTING)
    if reports or dotted.rpartition(".")[2] in _CONFIGURES:
        for name, value in given:
            if (reports or takes_address(name) or name in ("options", "config")) and (
                host := remote(_said(value, names))
            ):
                return host
    if dotted.startswith((*_OWN_ACCOUNT, ".")):
        return None
    local = any(_LOCAL.match(_host(names.folder.text(value) or "")) for name, value in given if takes_address(name))
    for name, value in given if not local else ():
        text = names.folder.text(value)
        if text is None:
            if isinstance(value, ast.Dict) and any(_is_private(part, names) for part in value.values):
                return "a private key"
        elif found := _of_somebody(name, text, dotted):
            return found
    return None


def _of_somebody(name: str, text: str, dotted: str) -> str | None:
    """What an argument says whose account a call leads to."""
    if name in _OWN_PLACES and dotted.startswith("trackio.") and "/" in text:
        return text
    if _FORMATS.match(text) and not _reads(dotted):
        return _hidden(text)
    if (found := _WITH_USER.match(text)) and not _LOCAL.match(found["host"]):
        return _hidden(text)
    if _takes_key(name, dotted) and _LIKE_KEY.match(text) and not prose.URL.match(text):
        return _hidden(text)
    return None


def _is_private(value: ast.expr, names: Names) -> bool:
    return "-----BEGIN" in (names.folder.text(value) or "")[:200]


def _reads(dotted: str) -> bool:
    return _READERS.search(dotted.rpartition(".")[2]) is not None or dotted.startswith("huggingface_hub.hf_")


def _takes_key(name: str, dotted: str) -> bool:
    last = dotted.rpartition(".")[2]
    if name == "key":
        return last in ("login", "init", "set_credentials", "Client")
    return name in _KEYS or (name == "token" and last in ("login", "HfApi", "Client", "Bot", "WebClient"))


def _hidden(text: str) -> str:
    """The key as a report may show it."""
    return f"{text[:6]}…"


def client(node: ast.Call, dotted: str, names: Names) -> set[str]:
    """The origin of what a call makes, where it is a client of another machine or of a service."""
    found = {ELSEWHERE} if leads_elsewhere(node, dotted, names) else set[str]()
    return found | {TRACKED} if tracks(dotted) else found


def tracks(dotted: str) -> bool:
    """True for a function of a library that keeps what it is told with a service."""
    return dotted.startswith(_TRACKERS)


def leads_elsewhere(node: ast.Call, dotted: str, names: Names) -> bool:
    """True for a call that makes a client of another machine, or opens something there to write to it."""
    name = dotted or (node.func.attr if isinstance(node.func, ast.Attribute) else "")
    last = name.rpartition(".")[2]
    if (
        not name
        or dotted.startswith(_FILES)
        or (dotted.startswith(_OWN_ACCOUNT) and last not in ("open", "SummaryWriter"))
    ):
        return False
    if last == "open" and len(node.args) > 1:
        mode = names.folder.text(node.args[1]) or ""
        return bool(set(mode) & set("wax")) and bool(addressed(node.args[0], names))
    client = _CLIENTS.search(name) is not None
    if not client and (_READERS.search(last) or not dotted):
        return False
    for item in node.keywords:
        leads = takes_address(item.arg or "") and (client or item.arg not in ("url", "target", "remote", "uri"))
        if leads and remote(_said(item.value, names)):
            return True
    if client:
        return any(remote(_said(value, names)) for value in node.args[:2])
    return _CLASS.search(name) is not None and any(addressed(value, names) for value in node.args[:2])


def takes_address(name: str) -> bool:
    """True for an argument that says where to go: `base_url`, `openai_api_base`."""
    return name in _ADDRESSES or name.endswith(("_base_url", "_api_base", "_endpoint", "_api_url", "_host"))


def places(node: ast.Call, names: Names) -> list[ast.expr]:
    """The constant addresses of other machines that a call is given by a name for them."""
    named = [item.value for item in node.keywords if takes_address(item.arg or "")]
    return [value for value in named if addressed(value, names)]


def addressed(value: ast.expr, names: Names) -> str:
    """The host that a constant address with a scheme names, as against a bare name or path."""
    text = names.folder.text(value)
    if text is not None and (share := _SHARE.match(text)):
        return share["host"]
    return remote(text) if text is not None and "://" in text[:40] else ""


def put_together(node: ast.Call, names: Names) -> list[ast.expr]:
    """Arguments that are an address of another machine with more put behind it than the source says."""
    given = [*node.args, *(item.value for item in node.keywords)]
    parts = [part for value in given for part in (value.elts if isinstance(value, (ast.List, ast.Tuple)) else [value])]
    found = []
    for value in parts[:40]:
        if isinstance(value, (ast.Constant, ast.Lambda, ast.Dict)):
            continue
        said = spoken(value, names)
        if UNKNOWN in said and "://" in said[:12] and remote(said):
            found.append(value)
    return found


def carries(node: ast.Call, dotted: str | None, names: Names) -> list[ast.expr] | None:
    """What a call takes along that is also given the constant address of another machine; None for no such call.

    Whatever the library, who is handed an address and data in one call has little else to do with both."""
    method = node.func.attr if isinstance(node.func, ast.Attribute) else ""
    last = (dotted or method).rpartition(".")[2]
    if (
        not last
        or last in TALK
        or (dotted or "").startswith(("builtins.", "warnings.", "logging.", "re.", "urllib.parse.", "os.path."))
    ):
        return None
    given = [*node.args, *(item.value for item in node.keywords)]
    leads = [value for value in given if addressed(value, names)]
    if not leads:
        return None
    rest = [value for value in given if value not in leads]
    return [*rest, node.func.value] if isinstance(node.func, ast.Attribute) and dotted is None else rest


TALK = frozenset(
    """warning warn info debug error critical exception log print format replace join startswith endswith split get add_argument
    add_start_docstrings warning_once append extend update setdefault strip add Field field query_param""".split()
)
"""Methods that say an address, and go nowhere."""
_OPENERS = lazy(
    r"^(?:pandas|polars|cudf|dask\.dataframe|geopandas|modin\.pandas)\.(?:read|scan)_\w+$|^(?:fsspec|smart_open)\.open(?:_files|_local)?$|"
    r"^numpy\.(?:loadtxt|genfromtxt)$|^imageio(?:\.v[23])?\.\w*(?:read|open)\w*$|^skimage\.io\.\w*imread\w*$|"
    r"^(?:xarray|netCDF4)\.(?:open_\w+|Dataset)$|^(?:lxml\.(?:etree|html)|feedparser|xml\.sax)\.parse$|^(?:av|rasterio|fiona)\.open$|"
    r"^cv2\.VideoCapture$|^matplotlib\.pyplot\.imread$|^datasets\.load_dataset$"
)
"""Functions that open files and addresses alike."""


def opens_address(node: ast.Call, dotted: str | None, names: Names) -> bool:
    """True for a function of files that is given an address with a part that the source does not state."""
    if dotted is None or not _OPENERS.match(dotted):
        return False
    given = (*node.args[:2], *(item.value for item in node.keywords))
    return any(re.match(r"(?:https?|ftp)://.*…", spoken(part, names)) for part in given)


_CONNECTS = frozenset("connect connect_ex create_connection connect_tcp tcp_connect dial".split())


def connects(node: ast.Call, names: Names) -> bool:
    """True for `x.connect(…)` of anything, with the address of another machine."""
    if not isinstance(node.func, ast.Attribute) or node.func.attr not in _CONNECTS:
        return False
    return any(remote(_said(value, names)) for value in [*node.args[:3], *(item.value for item in node.keywords)])


def _said(value: ast.expr, names: Names) -> str:
    """The address that an argument says: a text, the first of a list, the host of a pair."""
    if isinstance(value, (ast.Tuple, ast.List)) and value.elts:
        value = value.elts[0]
    if isinstance(value, ast.Dict) and value.values:
        value = value.values[0]
    return spoken(value, names)


_FILE = lazy(
    r"\.(?:sqlite3?|db3?|duckdb|lance|mdb|json|jsonl|ya?ml|toml|txt|csv|log|pt|pth|bin|safetensors|gguf|onnx|pkl|npy|parquet)$",
    re.I,
)
"""The name of a file, which looks like that of a host."""


def remote(text: str) -> str:
    """The host of another machine that a text names, "" for none, one's own, or a hub's."""
    host = _host(text)
    if not host or "…" in host or _LOCAL.match(host) or _HUBS.search(host):
        return ""
    return host


def _host(text: str) -> str:
    text = text.strip()
    if text.lower().startswith("file:"):
        return ""
    if found := _ANY_SCHEME.match(text) or _DSN.search(text):
        return found["host"]
    if (_BARE_HOST.match(text) and not _FILE.search(text)) or _NUMBER.match(text):
        return text.partition("/")[0].partition(":")[0]
    return text if text == "localhost" else ""


def led(value: ast.expr, names: Names) -> str:
    """The address that a value of a setting says: a text, or the first of a table."""
    return _said(value, names)


def set_elsewhere(variable: str, text: str) -> bool:
    """True for a variable of the environment that leads requests to another machine, or to somebody's account."""
    if _REDIRECTS.search(variable):
        return bool(remote(text))
    return SECRET_VARIABLE.search(variable) is not None and _LIKE_KEY.match(text) is not None
