"""Protections of libraries that code puts something of its own in the place of.

Tests and old code replace functions of libraries for good reasons: waits, progress bars, what a newer version calls
otherwise. Not among them are the functions that compare digests and make keys, the sandbox that templates run in, what
checks certificates, the format of weights that runs nothing, the functions that send everybody's requests, and the
programs that look for malware.
"""

import ast

from modelscan_plus.core.patterns import lazy
from modelscan_plus.formats.text.python.names import Names

UNVERIFIED = "ssl._create_default_https_context"
"""What decides whether urllib looks at certificates; servers and scripts set it for themselves."""
PROTECTION = lazy(
    r"^(?:hmac\.(?:compare_digest|new|digest|HMAC)|_?operator\._compare_digest|secrets\.\w+|random\.SystemRandom\b.*|os\.urandom|uuid\.uuid4|"
    r"hashlib\.(?!algorithms)\w+|jinja2\.(?:sandbox\.)?(?:Immutable)?SandboxedEnvironment\b.*|jinja2\.sandbox\.(?:is_internal_attribute|"
    r"inspect_format_method|safe_range|modifies_known_mutable|unsafe)\w*|transformers\.utils\.chat_template_utils\.\w*(?:compile|jinja)\w*|"
    r"ssl\.(?:SSLContext|match_hostname|create_default_context|_create_default_https_context|wrap_socket|CERT_REQUIRED)\b.*|certifi\.(?:where|contents)|"
    r"requests\.(?:(?:api\.|sessions\.)?(?:Session\.)?(?:request|send|get|post|put|merge_environment_settings)|adapters\.HTTPAdapter\.(?:send|cert_verify))|"
    r"urllib3\.(?:connectionpool\.)?(?:PoolManager|HTTPS?ConnectionPool)\.(?:urlopen|request|_validate_conn)|"
    r"httpx\.(?:Client|AsyncClient)\.(?:send|request|get|post)|httpx\.(?:request|get|post)|aiohttp\.ClientSession\._?request|"
    r"urllib\.request\.(?:urlopen|OpenerDirector\.open|urlretrieve)|http\.client\.HTTPS?Connection\.(?:request|send|connect|putheader)|"
    r"safetensors(?:\.(?:torch|numpy|flax|tensorflow|paddle|mlx))?\.(?:load\w*|save\w*|safe_open|deserialize)|safetensors\.safe_open\.\w+|"
    r"(?:_pickle|pickle|dill|cloudpickle)\._?Unpickler\.find_class|torch\._weights_only_unpickler\.\w+(?:\.\w+)*|"
    r"yaml\.(?:safe_load|safe_load_all|SafeLoader|CSafeLoader)\b.*|ast\.literal_eval|defusedxml\.\w+.*|getpass\.getpass|keyring\.\w+|"
    r"huggingface_hub\.(?:utils\.)?(?:get_token|get_session|build_hf_headers)|cryptography\.\w+.*|jwt\.decode)$"
)
"""Dotted names, from the beginning."""
_SCANNERS = frozenset(
    """picklescan modelscan modelaudit fickling modelscan_plus bandit yara yara_x clamd pyclamd guarddog semgrep safety
    defusedxml safetensors hmac secrets ssl certifi sys_audit falco huggingface_hub.utils._safetensors""".split()
)
"""Modules that nobody replaces as a whole; what is missing is put in their place nowhere."""
_MAKES_FUNCTIONS = ("functools.partial", "functools.partialmethod", "functools.wraps", "types.MethodType")


def is_replaced(dotted: str, value: ast.expr, names: Names) -> bool:
    """True where a protection is given another function, as against a number or text that it is set to."""
    return PROTECTION.match(dotted) is not None and _is_function(value, names)


def _is_function(value: ast.expr, names: Names) -> bool:
    match value:
        case ast.Lambda():
            return True
        case ast.Name(id=name):
            return name in names.defined or _is_function(names.single.get(name, ast.Constant(None)), names)
        case ast.Attribute():
            return True
        case ast.Call(func=func):
            decorates = isinstance(func, ast.Name) and func.id in names.functions
            return decorates or (names.plain(func) or "") in _MAKES_FUNCTIONS
    return False


def stands_in(module: ast.expr, names: Names) -> str:
    """The name of a scanner or a protecting library whose place among the loaded modules is taken, "" for none."""
    texts = names.texts(module)
    return next((text for text in texts if text.partition(".")[0] in _SCANNERS), "")
