"""Protections of libraries that code puts something of its own in the place of.

Tests and old code replace functions of libraries for good reasons: waits, progress bars, what a newer version calls
otherwise. Not among them are the functions that compare digests and make keys, the sandbox that templates run in, what
checks certificates, the format of weights that runs nothing, the functions that send everybody's requests, those that
train and those that tell how well, and the programs that look for malware.
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
    r"sklearn\.metrics\.\w+|evaluate\.\w+\.(?:compute|add|add_batch)|torchmetrics\.\w+\.(?:compute|update)|torch\.(?:Tensor\.backward|autograd\.backward|"
    r"save|serialization\.save)|torch\.optim\.\w+\.step|torch\.nn\.Module\.(?:__call__|_call_impl|state_dict)|"
    r"(?:openai|anthropic)\.[\w.]*(?:create|parse|stream|request|_request)|huggingface_hub\.(?:utils\.)?(?:get_token|get_session|build_hf_headers)|cryptography\.\w+.*|jwt\.decode)$"
)
"""Dotted names, from the beginning."""
TRUSTED = "datasets.config.HF_DATASETS_TRUST_REMOTE_CODE"
"""Lets the script of any data set run."""
UNLOCKS = frozenset(
    f"{package}{module}.enable_unsafe_deserialization"
    for package in ("", "tensorflow.", "tf_", "tf.")
    for module in ("keras.config", "keras.saving", "keras.src.saving.serialization_lib", "keras.utils")
)
"""Functions that have Keras run the code in whatever is loaded from then on."""
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


def stand_in(node: ast.Call, dotted: str, names: Names) -> tuple[ast.Attribute, ast.expr] | None:
    """What a call puts something else in the place of, with that: `setattr`, `mock.patch`, `wrap_function_wrapper`."""
    given = node.args
    texts = [names.folder.text(value) or "" for value in given[:2]]
    if dotted == "builtins.setattr" and len(given) == 3 and texts[1]:
        return ast.Attribute(given[0], texts[1], ast.Store()), given[2]
    if dotted.endswith("mock.patch.object") and len(given) > 2 and texts[1]:
        return ast.Attribute(given[0], texts[1], ast.Store()), given[2]
    if dotted.endswith("mock.patch") and len(given) > 1 and "." in texts[0]:
        return _path(texts[0]), given[1]
    if (
        dotted.startswith("wrapt.")
        and dotted.endswith(("wrap_function_wrapper", "patch_function_wrapper"))
        and texts[1:]
    ):
        module = texts[0] or names.plain(given[0]) or ""
        return (_path(f"{module}.{texts[1]}"), given[-1]) if module and texts[1] else None
    return None


def _path(dotted: str) -> ast.Attribute:
    """A dotted name as the module that it is an attribute of, which is imported where it stands."""
    module, _, name = dotted.rpartition(".")
    importer = ast.Call(ast.Name("__import__", ast.Load()), [ast.Constant(module.partition(".")[0])], [])
    held: ast.expr = importer
    for part in module.split(".")[1:]:
        held = ast.Attribute(held, part, ast.Load())
    return ast.Attribute(held, name, ast.Store())


def stands_in(module: ast.expr, names: Names) -> str:
    """The name of a scanner or a protecting library whose place among the loaded modules is taken, "" for none."""
    texts = names.texts(module)
    return next((text for text in texts if text.partition(".")[0] in _SCANNERS), "")
