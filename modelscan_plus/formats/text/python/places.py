"""Whose files an expression leads to: the user's own, those with credentials, the code of other packages.

Reading a file that the program was given is what programs do; walking over the user's documents, opening keys, and
writing into installed packages is not. Which it is shows in the path, as far as it is constant, and in the functions
that say where packages lie. Origins that start here: "user-files" (a listing of the user's folders), "secret" (a file of
credentials), "others-code" (a place where code of other packages or repositories lies), "package:NAME" (the place of
the package of this name, which may be the file's own), "generated" (text that a model wrote).
"""

import ast
import re

from modelscan_plus.core.patterns import lazy
from modelscan_plus.formats.text.python.names import Names
from modelscan_plus.formats.text.python.sinks import HUB_TOKEN_PATH, OPENS, SENSITIVE_PATH, credential_at
from modelscan_plus.formats.text.python.spoken import UNKNOWN, spoken
from modelscan_plus.formats.text.shell.deeds import prints_credential

_OWN_FOLDERS = r"(?:Documents|Desktop|Pictures|Music|Videos|Movies|OneDrive|Dropbox|iCloud|Photos)"
USERS_OWN = lazy(
    r"^(?:~\w*|\$HOME|\$\{HOME\}|%USERPROFILE%|/home(?:/[^/*]+)?|/Users(?:/[^/*]+)?|/root|[A-Z]:[\\/]+(?:Users(?:[\\/][^\\/*]+)?)?|/|/media|"
    rf"/Volumes)[\\/]*(?:{_OWN_FOLDERS}(?:[\\/].*)?)?(?:\*.*)?$",
    re.I,
)
"""Folders that are the user's and no program's: the home, the documents in it, whole disks."""
OTHERS_CODE = lazy(
    r"transformers_modules|huggingface/modules\b|huggingface/hub/models--[^/]{0,200}/|\.ollama/models/|(?:site|dist)-packages|torch/hub/(?!checkpoints)[^\n]*(?:\.py\b|[*…])|\.triton/cache\b|torchinductor_|torch/kernels/|torch_extensions/|(?:^|/)custom_nodes/",
    re.I,
)
"""Places where the code of other packages or of other repositories lies."""
_CACHES = lazy(r"\.cache/(?:huggingface(?:/hub)?|torch/hub)/*(?:[*…].*)?$", re.I)
"""Folders of what was downloaded before, gone through as a whole."""
PACKAGE = "package:"
"""Begins the origin of what lies where a package does; its name follows."""
_WALKS = frozenset(
    """os.walk os.scandir os.listdir os.fwalk glob.glob glob.iglob pathlib.Path.rglob pathlib.Path.glob pathlib.Path.iterdir""".split()
)
_WALKING = frozenset(("rglob", "glob", "iterdir", "walk"))
_OPENS = OPENS | frozenset(
    """os.open sqlite3.connect configparser.ConfigParser.read netrc.netrc
    shutil.make_archive shutil.copytree shutil.copy shutil.copy2 shutil.copyfile tarfile.open zipfile.ZipFile""".split()
)
_OPENING = frozenset(("read_text", "read_bytes", "open"))
_PACKAGES = frozenset(
    """site.getsitepackages site.getusersitepackages sysconfig.get_path sysconfig.get_paths importlib.metadata.files
    distutils.sysconfig.get_python_lib huggingface_hub.scan_cache_dir importlib.util.find_spec importlib.resources.files pkg_resources.resource_filename
    pkgutil.get_loader""".split()
)
"""Functions that say where installed packages lie."""
_BY_NAME = frozenset(("importlib.util.find_spec", "importlib.resources.files", "pkg_resources.resource_filename"))
"""Those of them that are given the name of one."""
_FILE_OF = frozenset(("inspect.getfile", "inspect.getsourcefile", "inspect.getabsfile"))
_KEYS = {
    "gcloud": "GCLOUD_TOKEN", "gh": "GITHUB_TOKEN", "git": "GITHUB_TOKEN", "az": "AZURE_TOKEN", "aws": "AWS_TOKEN",
    "hf": "HF_TOKEN", "huggingface-cli": "HF_TOKEN",
}  # fmt: skip
"""What credentials are called that programs print; their services may be shown them."""
_OF_INTERPRETER = frozenset("path prefix base_prefix exec_prefix base_exec_prefix executable".split())
INTERPRETER = "interpreter"
"""The origin of folders that the interpreter was installed in or looks for modules in."""
_LOCATIONS = frozenset(("__file__", "__path__", "__spec__", "__cached__"))
_WRITES_TEXT = frozenset(("generate", "chat", "batch_decode", "stream_chat", "generate_content", "chat_completion"))
_TOKENIZER = lazy(r"token|processor", re.I)


def of_call(node: ast.Call, dotted: str, names: Names) -> set[str]:
    """Origins of what a call gives that follow from the place that it looks at."""
    method = node.func.attr if isinstance(node.func, ast.Attribute) else ""
    if dotted in _PACKAGES:
        return _package(node, dotted, names)
    if dotted in _FILE_OF and node.args:
        found = names.plain(node.args[0])
        return set() if not found or found.startswith((".", "builtins.")) else _named(found)
    if dotted in _WALKS or method in _WALKING:
        return _walked(walked_path(node, dotted, names))
    if dotted in _OPENS or method in _OPENING:
        path = _opened(node, dotted, method, names)
        copies = dotted.startswith(("shutil.", "tarfile.", "zipfile."))
        return {"secret"} if copies and HUB_TOKEN_PATH.search(path) else credential_at(path)
    if (dotted.startswith(("subprocess.", "os.popen", "commands.")) or method == "getoutput") and node.args:
        command = spoken(node.args[0], names)
        if printer := prints_credential(command):
            return {f"key:{_KEYS[printer]}" if printer in _KEYS else "secret"}
        return {"secret"} if SENSITIVE_PATH.search(command) else set()
    if method in _WRITES_TEXT or (method == "decode" and _speaks(node, names)):
        return {"generated"}
    return set()


def of_attribute(node: ast.Attribute, names: Names) -> set[str]:
    """`transformers.__file__`: the place of a package that is not the program's own; what an answer of a service says."""
    if node.attr == "content" and "choices" in ast.unparse(node)[:300]:
        return {"generated"}
    if node.attr in _OF_INTERPRETER and names.plain(node) == f"sys.{node.attr}":
        return {INTERPRETER}
    if node.attr not in _LOCATIONS:
        return set()
    dotted = names.plain(node.value)
    return set() if not dotted or dotted.startswith((".", "builtins.", "__")) else _named(dotted)


def of_item(node: ast.Subscript) -> set[str]:
    """`pipe(prompt)[0]["generated_text"]`."""
    wrote = isinstance(node.slice, ast.Constant) and node.slice.value in ("generated_text", "completion", "answer_code")
    return {"generated"} if wrote else set()


def walked_path(node: ast.Call, dotted: str, names: Names) -> str:
    """The folder that a call lists, with the pattern, if there is one."""
    parts = list(node.args[:1])
    if dotted not in _WALKS and isinstance(node.func, ast.Attribute):
        parts = [node.func.value, *(parts if node.func.attr in ("rglob", "glob") else [])]
    return "/".join(spoken(part, names) for part in parts)


def _walked(path: str) -> set[str]:
    found = {"user-files"} if USERS_OWN.match(path.replace("//", "/")) else set()
    if OTHERS_CODE.search(path) or _CACHES.search(path):
        found.add("others-code")
    if SENSITIVE_PATH.search(path):
        found.add("secret")
    return found


def _opened(node: ast.Call, dotted: str, method: str, names: Names) -> str:
    if dotted == "shutil.make_archive":
        parts = [*node.args[2:3], *(item.value for item in node.keywords if item.arg in ("root_dir", "base_dir"))]
        return " ".join(spoken(part, names) for part in parts)
    if dotted not in _OPENS and isinstance(node.func, ast.Attribute) and method in _OPENING:
        return spoken(node.func.value, names)
    return spoken(node.args[0], names) if node.args else UNKNOWN


def _package(node: ast.Call, dotted: str, names: Names) -> set[str]:
    """Where a function leads that says where packages lie; a package that asks for its own place has no name for it."""
    if dotted not in _BY_NAME:
        return {"others-code"}
    package = names.folder.text(node.args[0]) if node.args else None
    return _named(package) if package is not None else set()


def _named(dotted: str) -> set[str]:
    """Where the name of a package leads."""
    return {PACKAGE + dotted.partition(".")[0]}


def _speaks(node: ast.Call, names: Names) -> bool:
    """True for `decode` of a tokenizer, not of bytes."""
    return isinstance(node.func, ast.Attribute) and _TOKENIZER.search(ast.unparse(node.func.value)[:200]) is not None
