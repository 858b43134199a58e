"""How severe it is what Python code of a repository does.

The same call means different things in different places. Starting a process is what training scripts do, and what no
model does while it is imported. So an effect is graded by its cause first (fetched code that is run, secrets that are
sent), then by when it happens (on import, in a method that loaders call, in some function, only as a program), then by
whether something in the tree leads a loader to the file.
"""

import re

from modelscan_plus.core.finding import Severity
from modelscan_plus.core.patterns import lazy
from modelscan_plus.formats.text import prose
from modelscan_plus.formats.text.python.accounts import set_elsewhere, tracks
from modelscan_plus.formats.text.python.assignments import UNGUARDED
from modelscan_plus.formats.text.python.facts import Effect
from modelscan_plus.formats.text.python.flow import FROM, SOURCE
from modelscan_plus.formats.text.python.places import OTHERS_CODE, PACKAGE
from modelscan_plus.formats.text.python.sinks import SENSITIVE_PATH, START_PATH
from modelscan_plus.formats.text.python.written import FETCHED
from modelscan_plus.rules.credentials import at_home, entered, leaked
from modelscan_plus.rules.handed import ANY_OBJECT, is_odd
from modelscan_plus.rules.hosts import institution, listed
from modelscan_plus.rules.interface import Rule
from modelscan_plus.rules.python_programs import (
    GIVES,
    INSTALLS,
    NEXT,
    fetches,
    from_vendors,
    installs_foreign,
    is_tool,
    obeyed_by_git,
    pushes_elsewhere,
)
from modelscan_plus.rules.python_rules import (
    CHANGES_SYSTEM,
    DISGUISED,
    DYNAMIC_CODE,
    HOSTILE,
    NATIVE,
    NETWORK,
    PROCESS,
    TURNS_ANSWERS,
    UNPICKLES,
)

_ROOT = lazy(
    r"^(?:/|~|/home|/root|/usr|/etc|/var|\$HOME|[A-Z]:\\?)(?:/\*|/|\\)?$|^~|^/(?:home|root|etc|usr)\b",
    re.I,
)
_CACHE = lazy(r"^~/\.cache/\w")
_NAMED = lazy(
    r"^~/(?!(?:Documents|Desktop|Pictures|Music|Videos|Movies|Downloads|OneDrive|Dropbox|iCloud|Photos|projects?|code|src|"
    r"work(?:space)?|repos?|git|dev|go|bin|lib|snap)(?:/|$))\w[\w.-]*(?:/|$)",
    re.I,
)
"""A folder of some name below the home that is no usual place of the user's own work."""
_LOOPBACK = lazy(r"https?://(?:localhost|127\.|0\.0\.0\.0|\[::1\])", re.I)
_ENTRY = frozenset(("import", "entry"))
_FINDS = lazy(
    r"^(?!.*TRUST)(?:huggingface_hub|transformers|datasets|diffusers|sentence_transformers|peft|timm|torch\.hub)\."
    r"[\w.]*\b(?:from_pretrained|load_dataset|cached_files?|hf_hub_download|snapshot_download|hf_hub_url|http_get|"
    r"load_state_dict_from_url|download_url_to_file)$"
)
"""Functions that find or fetch what a repository holds, for whoever asks."""
_EXECUTES = lazy(r"compile\(.*[\"']exec[\"']")
_APART = frozenset(("joined", "spelt"))
"""Origins of code that was put together from several items, or from numbers."""
NO_LIST = "no-list"
"""Put to the origins of what a file does that no way of a tokenizer leads to."""
_BY_PATH = frozenset(
    """runpy.run_path importlib.util.spec_from_file_location importlib.machinery.SourceFileLoader imp.load_source
    imp.load_module imp.load_dynamic importlib.machinery.ExtensionFileLoader torch.package.PackageImporter zipimport.zipimporter importlib.machinery.SourcelessFileLoader imp.load_compiled""".split()
)
"""Functions that run the file that they are given."""
_BY_MODULE = frozenset(("importlib.import_module", "builtins.__import__"))
"""Functions that import by a name, from where the search path leads (told by itself)."""
_DATA = frozenset(("config", "file"))
_CODE_NAMES = frozenset(("py", "so", "pyd", "dll", "dylib", "zip", "egg", "whl"))
_NO_LIBRARIES = frozenset(
    "bin dat data pt pth safetensors txt json png jpg npy npz model onnx gguf md tmp cache db".split()
)
_ENDING = lazy(r"\.([A-Za-z][A-Za-z0-9]{0,11})$")
_TOLD = frozenset(("config", "file", "download", "decoded", "hub", "generated"))
"""Origins of what others than the caller decide."""
_HUBS = lazy(r"https://(?:[\w-]+\.)*(?:huggingface\.co|hf\.co|hf-mirror\.com)(?:/|$)")
_SCRATCH = lazy(r"/(?:var/)?tmp(?:/|$)|/dev/shm/|/proc/self/fd/|~")
_DEBUGGERS = (
    "debugpy.", "ptvsd.", "rpdb.", "remote_pdb.", "IPython.", "ipykernel.", "manhole.", "rpyc.", "notebook.", "jupyter", "web_pdb.",
    "madbg.", "aiomonitor.", "pyngrok.", "asyncssh.", "telepythy.",
)  # fmt: skip
"""Servers that hand the process, or a way to the machine, to whoever connects."""
_KERNEL_OWNERS = frozenset(
    "kernels-community huggingface dao-ailab nvidia pytorch facebook microsoft google liger Qwen".split()
)
_HUB_OWNERS = frozenset(("facebookresearch", "facebookincubator", "pytorch", "fairinternal"))
_HUB_LISTED = frozenset(
    """ultralytics snakers4 intel-isl isl-org NVIDIA huggingface hustvl datvuthanh mateuszbuda sigsep nicolalandro moskomule
    PingoLH harritaylor""".split()
)
"""Owners of what pytorch.org/hub lists, whose entries are reviewed there."""


def grade(effect: Effect, *, reached: bool) -> tuple[Rule, Severity, str]:
    """Rule, severity and sentence for an effect; `reached` when a loader gets to the file."""
    reached = reached or (effect.handed != "" and is_odd(effect))
    hostile = _hostile(effect)
    if hostile:
        at_once = effect.when == "import" or (reached and effect.when == "entry")
        return HOSTILE, Severity.CRITICAL if at_once else Severity.HIGH, hostile
    if effect.disguised and effect.kind in ("process", "code", "send", "connect", "held"):
        return DISGUISED, Severity.CRITICAL if effect.when == "import" else Severity.HIGH, "hides the name of"
    rule, grader = _GRADERS[effect.kind]
    return rule, grader(effect, reached), ""


_RUNS = frozenset(("builtins.exec", "os.system", "os.popen", "types.FunctionType", "types.CodeType"))
_UNPICKLES = ("marshal.", "pickle.loads", "dill.loads", "cloudpickle.loads", "_pickle.loads", "subprocess.")


def _hostile(effect: Effect) -> str:
    """What only malware does, "" for nothing of that kind."""
    flows = set(effect.flows)
    if effect.hostile:
        return _told_so(effect)
    if effect.kind == "code" and flows & {"download", "decoded", "hub"}:
        return f"runs code that comes from {origins(flows & {'download', 'decoded', 'hub'})}"
    if effect.kind in ("module", "native") and "download" in flows:
        return "loads code that comes from the network"
    if FETCHED in flows and _loads_file(effect):
        return "loads a file that it has fetched or decoded"
    if effect.kind == "process" and "download" in flows and effect.when == "import":
        return "starts a program with what comes from the network"
    if effect.kind == "process" and "decoded" in flows and not is_tool(effect.argument):
        return "starts a program that was written in encoded text"
    if effect.kind == "process" and flows & {"secret", "user-files"} and GIVES.search(effect.argument):
        return "gives files of credentials or of the user to a program that sends them"
    if away := _gives_away(effect):
        return away
    if carried := _carried(effect, flows):
        return carried
    if effect.kind in ("overwrite", "delete") and "user-files" in flows:
        return "deletes or overwrites files that are the user's own"
    if effect.kind == "start":
        return f"writes {effect.argument}, which something else runs later"
    return ""


def _carried(effect: Effect, flows: set[str]) -> str:
    """What runs something that was made to look like data."""
    unpickles = effect.name.startswith(("marshal", "pickle", "dill", "cloudpickle", "_pickle"))
    if effect.kind == "unpickle" and "decoded" in flows and unpickles:
        return "unpickles what was written in encoded text"
    if "weights" in flows and (effect.name in _RUNS or effect.name.startswith(_UNPICKLES)):
        return "runs what the weights carry"
    return ""


def _told_so(effect: Effect) -> str:
    """What the call was told to do."""
    if effect.kind not in ("process", "code") or effect.hostile.startswith("renders"):
        return effect.hostile
    if effect.hostile in prose.INSTALLS and from_vendors(effect.argument):
        return ""  # how the vendor of the program says that it is installed
    return f"a command that {effect.hostile}"


def _gives_away(effect: Effect) -> str:
    if "visitor" in effect.flows:
        return "gives away what people enter in secret" if entered(effect) else ""
    return "sends secrets, the environment or files of the user away" if leaked(effect) else ""


def _loads_file(effect: Effect) -> bool:
    """True where a file becomes code: a library, a module by its path, a text that is executed."""
    if effect.kind == "module":
        return effect.name in _BY_PATH or effect.name.endswith((".load_module", ".exec_module"))
    return effect.kind in ("native", "native-build") or effect.name in (
        "builtins.exec",
        "builtins.execfile",
        "types.FunctionType",
    )


def _process(effect: Effect, reached: bool) -> Severity:
    if "request" in effect.flows or _from_strangers(effect):
        return Severity.HIGH
    if "generated" in effect.flows and not is_tool(effect.argument):
        return _run_by_model(effect, reached)
    if INSTALLS.search(f"{effect.name} {effect.argument}"):
        if installs_foreign(effect.argument):
            unasked = Severity.HIGH if prose.odd_url(effect.argument) is not None else Severity.MEDIUM
            return _pick(effect, reached, import_=(unasked, Severity.HIGH), entry=(Severity.LOW, Severity.HIGH))
        return _pick(effect, reached, import_=(Severity.MEDIUM, Severity.HIGH), entry=(Severity.LOW, Severity.MEDIUM))
    if obeyed_by_git(effect.argument) or pushes_elsewhere(effect.argument):
        return _pick(effect, reached, import_=(Severity.MEDIUM, Severity.HIGH), entry=(Severity.LOW, Severity.HIGH))
    if is_tool(effect.argument):
        return _pick(effect, reached, import_=(Severity.LOW, Severity.LOW), entry=(Severity.INFO, Severity.INFO))
    if "config" in effect.flows and effect.when in _ENTRY:
        return Severity.HIGH if reached else Severity.MEDIUM
    if fetches(effect.argument):
        return _pick(effect, reached, import_=(Severity.LOW, Severity.HIGH), entry=(Severity.LOW, Severity.MEDIUM))
    return _pick(
        effect,
        reached,
        import_=(Severity.MEDIUM, Severity.CRITICAL),
        entry=(Severity.LOW, Severity.HIGH),
        call=(Severity.LOW, Severity.MEDIUM),
    )


def _from_strangers(effect: Effect) -> bool:
    """True for a program that was fetched, as it is, from hosts of which nothing is known; archives are how tools come."""
    if FETCHED not in effect.flows:
        return False
    places = [flow.removeprefix(FROM) for flow in effect.flows if flow.startswith(FROM)]
    kinds = ("installers", "code", "indexes", "mirrors")
    return bool(places) and all(
        _PACKED.search(place) is None and not institution(place) and not any(listed(kind, place) for kind in kinds)
        for place in places
    )


_PACKED = lazy(r"\.(?:zip|tar|gz|tgz|xz|bz2|zst|7z|whl|deb|rpm|dmg|jar)$", re.I)


def _run_by_model(effect: Effect, reached: bool) -> Severity:
    """What a model writes is run: whoever may speak to the model may act on the machine."""
    if effect.when == "main":
        return Severity.LOW
    return Severity.HIGH if reached else Severity.MEDIUM


def _code(effect: Effect, reached: bool) -> Severity:
    if effect.name == "typing.ForwardRef":
        return Severity.INFO  # its text is judged by itself
    formula = effect.name.startswith(("sympy", "numexpr", "pandas"))
    if "request" in effect.flows:
        return Severity.MEDIUM if formula else Severity.HIGH  # calculators do not know that the library uses eval
    if "generated" in effect.flows:
        return _run_by_model(effect, reached)
    if effect.argument and not effect.argument.startswith("…") and not effect.flows:
        return Severity.INFO  # what it holds is judged by itself
    if ".decrypt(" in effect.code and effect.when in _ENTRY:
        return Severity.HIGH if reached else Severity.MEDIUM
    evaluates = formula or effect.name.endswith(".eval")
    if effect.flows and all(flow.startswith(SOURCE) for flow in effect.flows):
        return Severity.LOW  # setup.py reads its version so; the file is judged by itself (rules/reach.py)
    executes = effect.name == "builtins.eval" and _EXECUTES.search(effect.code) is not None
    if effect.name == "builtins.eval" and not executes and _is_of_list(effect):
        return Severity.MEDIUM if reached else Severity.LOW  # a vocabulary; what the files hold is judged with them
    evaluates = evaluates and not executes
    if _APART & set(effect.flows) and effect.when in _ENTRY:
        return Severity.HIGH if reached else Severity.MEDIUM  # nobody spells a name of one piece so
    told = "file" in effect.flows or (not evaluates and ("config" in effect.flows or _is_unknown(effect.argument)))
    if told and effect.when in _ENTRY:
        return Severity.HIGH if reached else Severity.MEDIUM
    if evaluates:
        return _pick(effect, reached, import_=(Severity.LOW, Severity.MEDIUM), entry=(Severity.LOW, Severity.MEDIUM))
    return _pick(
        effect,
        reached,
        import_=(Severity.MEDIUM, Severity.HIGH),
        entry=(Severity.LOW, Severity.MEDIUM),
        call=(Severity.LOW, Severity.LOW),
    )


def _is_of_list(effect: Effect) -> bool:
    """True for a part of a file that a tokenizer evaluates, its vocabulary, as against a whole file or rows of data."""
    part = _is_unknown(effect.argument) and ".read" not in effect.code and NO_LIST not in effect.flows
    return part and "file" in effect.flows and effect.when == "entry" and "token" in effect.function.lower()


def _is_unknown(argument: str) -> bool:
    """True for code of which no part stands in the source: no template that is filled in, but data."""
    return not re.search(r"[A-Za-z]{2}", argument)


def _module(effect: Effect, reached: bool) -> Severity:
    at_once = reached and effect.when in _ENTRY
    if "request" in effect.flows and (effect.name in _BY_PATH or effect.name == "importlib.import_module"):
        return Severity.HIGH
    if effect.name == "runpy.run_module" and effect.argument.partition(".")[0] in ("pip", "conda", "ensurepip", "uv"):
        return _pick(effect, reached, import_=(Severity.LOW, Severity.HIGH), entry=(Severity.LOW, Severity.HIGH))
    ending = _ENDING.search(effect.argument) if effect.name in _BY_PATH else None
    if ending and ending[1].lower() not in _CODE_NAMES and {"hub", "download"} & set(effect.flows):
        return Severity.HIGH  # Python under another name, from elsewhere
    if effect.name.startswith(("kernels.", "transformers.integrations.hub_kernels.")):
        owner, _, name = effect.argument.strip().partition("/")
        foreign = bool(name) and owner not in _KERNEL_OWNERS
        return Severity.HIGH if at_once and foreign else _pick_mild(effect, reached)
    listed = effect.name == "torch.hub.load" and effect.argument.strip().partition("/")[0] in _HUB_LISTED
    if at_once and not listed and effect.name not in _BY_MODULE | _BY_PATH and _is_foreign(effect.argument):
        return Severity.HIGH
    if effect.name == "torch.hub.load":
        return _pick_mild(effect, reached)
    if "hub" in effect.flows and at_once:  # code of another repository, as MSP5030, or the name of an installed module
        return Severity.MEDIUM if effect.name in _BY_MODULE else Severity.HIGH
    if effect.name in _BY_PATH and at_once and {"config", "spelt"} & set(effect.flows):
        return Severity.HIGH  # which file that is says a file of data
    if effect.name.endswith(".load_inline") and at_once and _DATA & set(effect.flows):
        return Severity.HIGH
    if effect.name in _BY_PATH and at_once and _is_scratch(effect):
        return Severity.HIGH  # what was put there is not here
    if effect.name in _BY_PATH and _is_no_module(effect, reached):
        return Severity.HIGH if at_once else Severity.MEDIUM  # Python under another name
    return _pick(
        effect,
        reached,
        import_=(Severity.LOW, Severity.MEDIUM),
        entry=(Severity.INFO, Severity.LOW),
    )


def _is_no_module(effect: Effect, reached: bool) -> bool:
    """True for a file with another ending than code has, and for whatever a loader hands over, as a vocabulary."""
    ending = _ENDING.search(effect.argument)
    if ending is None:
        return reached and effect.when == "entry" and effect.argument == "…"
    return ending[1].lower() not in _CODE_NAMES


def _pick_mild(effect: Effect, reached: bool) -> Severity:
    return _pick(effect, reached, import_=(Severity.LOW, Severity.MEDIUM), entry=(Severity.INFO, Severity.MEDIUM))


def _is_foreign(argument: str) -> bool:
    """True for "owner/name" of an owner whose code torch.hub does not run unasked (its `_TRUSTED_REPO_OWNERS`)."""
    found = re.match(r"([\w.-]+)/[\w.-]+(?::[\w./-]+)?$", argument.strip())
    return found is not None and found[1] not in _HUB_OWNERS


def _held(effect: Effect, reached: bool) -> Severity:
    return _pick(effect, reached, import_=(Severity.LOW, Severity.HIGH), entry=(Severity.INFO, Severity.HIGH))


def _is_scratch(effect: Effect) -> bool:
    """True for a place at which nothing of the repository lies, and something that is made at run time may."""
    return "scratch" in effect.flows or _SCRATCH.match(effect.argument) is not None


def _search_path(effect: Effect, reached: bool) -> Severity:
    if {"hub", "download", FETCHED} & set(effect.flows):
        return Severity.HIGH if reached and effect.when in _ENTRY else Severity.LOW
    if _is_scratch(effect):
        return Severity.HIGH if reached and effect.when in _ENTRY else Severity.LOW  # what was put there is not here
    if effect.argument.lower().rstrip("/… ").endswith((".zip", ".egg", ".whl", ".bin", ".dat", ".png", ".pt")):
        return Severity.HIGH if reached and effect.when in _ENTRY else Severity.MEDIUM
    return Severity.INFO


def _remote(effect: Effect, reached: bool) -> Severity:
    if reached and effect.when in _ENTRY and re.fullmatch(r"[\w.-]+/[\w.-]+", effect.argument.strip()):
        return Severity.HIGH  # as MSP5030, the same thing written in a configuration
    return _pick(effect, reached, import_=(Severity.LOW, Severity.HIGH), entry=(Severity.INFO, Severity.MEDIUM))


_METADATA = lazy(
    r"https?://(?:169\.254\.169\.254|metadata\.google|169\.254\.170\.2|100\.100\.100\.200|\[fd00:ec2::254\])", re.I
)
"""Where a cloud tells a machine the credentials of its role."""


def _download(effect: Effect, reached: bool) -> Severity:
    if _METADATA.match(effect.argument):
        return Severity.HIGH if reached and effect.when in _ENTRY else Severity.LOW
    odd = prose.odd_url(effect.argument) is not None
    if _LOOPBACK.match(effect.argument):
        return Severity.INFO
    if odd:
        return Severity.HIGH if reached or effect.when == "import" else Severity.MEDIUM
    if effect.when == "import" and reached and (effect.discarded or effect.argument.lower().startswith("http:")):
        return Severity.HIGH
    return _pick(effect, reached, import_=(Severity.INFO, Severity.MEDIUM), entry=(Severity.INFO, Severity.INFO))


def _send(effect: Effect, reached: bool) -> Severity:
    if _METADATA.match(effect.argument):
        return Severity.HIGH if reached and effect.when in _ENTRY else Severity.LOW
    if _LOOPBACK.match(effect.argument) or "visitor" in effect.flows:
        return Severity.INFO
    odd = prose.odd_url(effect.argument) is not None and not at_home(effect)
    if "caller" in effect.flows and not odd and not _TOLD & set(effect.flows):
        return Severity.MEDIUM if reached and effect.when in _ENTRY else Severity.INFO
    if odd or "host" in effect.flows:
        return Severity.HIGH if reached or odd or effect.when == "import" else Severity.MEDIUM
    return _pick(
        effect,
        reached,
        import_=(Severity.MEDIUM, Severity.HIGH),
        entry=(Severity.LOW, Severity.HIGH),
        call=(Severity.INFO, Severity.MEDIUM),
    )


def _connect(effect: Effect, reached: bool) -> Severity:
    if "localhost" in effect.argument or "127.0.0.1" in effect.argument:
        return Severity.INFO
    quiet = effect.name in ("socket.gethostbyname", "socket.getaddrinfo")
    if quiet and "host" not in effect.flows:
        return Severity.LOW
    return _pick(
        effect,
        reached,
        import_=(Severity.MEDIUM, Severity.HIGH),
        entry=(Severity.LOW, Severity.HIGH),
        call=(Severity.LOW, Severity.MEDIUM),
    )


def _unpickle(effect: Effect, reached: bool) -> Severity:
    fetched = "download" in effect.flows or effect.argument.startswith(("http:", "https:", "ftp:"))
    if fetched and (effect.name != "torch.load" or "any-object" in effect.flows):
        return Severity.HIGH if reached and effect.when in _ENTRY else Severity.MEDIUM
    if "request" in effect.flows and (effect.name.startswith(ANY_OBJECT) or _ANY_YAML.search(effect.code)):
        return Severity.HIGH
    if _is_of_settings(effect) and effect.when in _ENTRY:
        return Severity.HIGH if reached else Severity.MEDIUM
    if effect.name.startswith("marshal"):
        return Severity.HIGH if reached else Severity.MEDIUM
    mild = effect.name in ("torch.load", "numpy.load", "joblib.load", "yaml.load", "pandas.read_pickle")
    if mild or effect.when in ("call", "main"):
        return Severity.INFO
    return _pick(effect, reached, import_=(Severity.LOW, Severity.MEDIUM), entry=(Severity.INFO, Severity.LOW))


_ANY_YAML = lazy(r"\byaml\.\w+\(.*\b(?:C?UnsafeLoader|C?Loader)\s*\)")


def _is_of_settings(effect: Effect) -> bool:
    """True for objects that stand in a configuration as numbers or encoded text, or that any function can come with."""
    flows = set(effect.flows)
    if effect.name.startswith(("cloudpickle.", "dill.", "marshal.")) and "hub" in flows:
        return True
    if effect.name.endswith(".loads") and effect.name.startswith(_ANY_OBJECT) and flows & {"config", "spelt"}:
        return True
    return "decoded" in flows and "config" in flows and (effect.name != "torch.load" or "any-object" in flows)


_ANY_OBJECT = ("pickle.", "_pickle.", "cPickle.", "dill.", "cloudpickle.", "marshal.", "jsonpickle.", "pickle5.")


def _native(effect: Effect, reached: bool) -> Severity:
    if effect.name in ("ctypes.memmove", "ctypes.CFUNCTYPE", "mmap.mmap"):
        return _pick(effect, reached, import_=(Severity.MEDIUM, Severity.HIGH), entry=(Severity.LOW, Severity.MEDIUM))
    if effect.name.startswith("ctypes.windll.") and re.search(
        r"VirtualAlloc|CreateThread|CreateRemoteThread|WriteProcessMemory|WinExec|ShellExecute|CreateProcess|SetWindowsHook|GetAsyncKeyState|"
        r"keybd_event|SendInput|LoadLibrary|msvcrt\.(?:system|_w?system|_popen|_spawn|_exec)",
        effect.name,
    ):
        return Severity.HIGH
    if "hub" in effect.flows and effect.when in _ENTRY:
        return Severity.HIGH if reached else Severity.MEDIUM  # a library of another repository
    if _is_scratch(effect) and reached and effect.when in _ENTRY:
        return Severity.HIGH  # what was put there is not here
    if effect.argument.startswith(("http:", "https:", "ftp:")) and reached and effect.when in _ENTRY:
        return Severity.HIGH  # a library that whatever stands around fetches
    if "config" in effect.flows and reached and effect.when in _ENTRY:
        return Severity.HIGH  # which library that is says a file of data
    if (ending := _ENDING.search(effect.argument)) and ending[1].lower() in _NO_LIBRARIES and effect.when in _ENTRY:
        return Severity.HIGH if reached else Severity.MEDIUM  # a library under another name
    own = "./" in effect.argument or "…" in effect.argument or effect.argument.endswith((".so", ".dll", ".dylib"))
    if own:
        return _pick(effect, reached, import_=(Severity.MEDIUM, Severity.HIGH), entry=(Severity.LOW, Severity.MEDIUM))
    return _pick(effect, reached, import_=(Severity.LOW, Severity.MEDIUM), entry=(Severity.INFO, Severity.LOW))


def _delete(effect: Effect, reached: bool) -> Severity:
    if _ROOT.search(effect.argument) and effect.name.endswith(("rmtree", "removedirs")):
        if _CACHE.match(effect.argument) and not (reached and effect.when in _ENTRY):
            return Severity.LOW
        return Severity.MEDIUM if effect.when == "main" and _NAMED.match(effect.argument) else Severity.HIGH
    if SENSITIVE_PATH.search(effect.argument) or START_PATH.search(effect.argument):
        return Severity.HIGH if reached and effect.when in _ENTRY else Severity.MEDIUM
    return _pick(effect, reached, import_=(Severity.INFO, Severity.MEDIUM), entry=(Severity.INFO, Severity.LOW))


def _drop(effect: Effect, reached: bool) -> Severity:
    return Severity.HIGH if reached else Severity.MEDIUM


def _later(effect: Effect, reached: bool) -> Severity:
    return Severity.HIGH if reached and effect.when in _ENTRY else Severity.LOW


def _turn(effect: Effect, reached: bool) -> Severity:
    """What a model says is changed for somebody: nothing of the kind is honest in code that loads or asks a model."""
    if "machine or user" in effect.argument and effect.when == "call":
        return Severity.LOW  # clusters and operating systems are told apart so
    return Severity.HIGH if reached and effect.when != "main" else Severity.LOW


_STORES = lazy(r"Login Data|cookies\.sqlite|logins\.json|key4\.db|wallet|electrum|Local State|/Cookies$", re.I)
"""Where browsers and wallets keep what nobody but they read."""


def _told(effect: Effect, reached: bool) -> Severity:
    if effect.when == "import" and _STORES.search(effect.argument):
        return Severity.HIGH
    return _later(effect, reached)


def is_named(effect: Effect) -> bool:
    """True where the place of a package by its name is all that is known of where a file is changed."""
    told = "others-code" in effect.flows or OTHERS_CODE.search(effect.argument)
    return not told and any(flow.startswith(PACKAGE) for flow in effect.flows)


_INDEX = lazy(r"\s(?:-i|--(?:extra-)?index\S*|-f|--find-links)\b(?![= ]https?://[\w.-]+[/\s])")
"""An index of packages that is named, unless its address stands there."""
_OWN_BUCKET = lazy(r"\bBucket\s*=\s*[A-Za-z_]")
"""A place that settings name: answers of the model may be kept there."""


def is_of_server(effect: Effect) -> bool:
    """True for what the program of a server does for its owner: it installs packages, and opens the owner's storage."""
    if effect.kind == "process":
        told = NEXT.search(effect.argument) or _INDEX.search(effect.argument) or installs_foreign(effect.argument)
        return not told and INSTALLS.search(effect.argument) is not None
    if effect.kind == "settings":
        return _unguards(effect)
    if effect.kind == "upload":
        own = effect.name.endswith((".upload_fileobj", ".put_object")) and not re.search(r"\w", effect.argument)
        others = _TOLD - {"generated"} if _OWN_BUCKET.search(effect.code) else _TOLD
        return own and not (others | {"secret", "user-files", "account"}) & set(effect.flows)
    return effect.name in ("boto3.client", "boto3.resource") and "account" not in effect.flows


def _patch(effect: Effect, reached: bool) -> Severity:
    """Code of other packages: installers change it, models do not; whoever goes over many of them spreads something.

    A package that is named may be the file's own, which only its place in the tree tells (rules/reach.py)."""
    if is_named(effect) and not reached:
        return Severity.MEDIUM
    return Severity.HIGH if reached or effect.when == "import" else Severity.MEDIUM


def _upload(effect: Effect, reached: bool) -> Severity:
    """Honest code uploads to the repository that its caller names: `push_to_hub`, called by `save_pretrained`."""
    if "caller" in effect.flows and not _TOLD & set(effect.flows):
        return Severity.MEDIUM if reached and effect.when in _ENTRY else Severity.INFO
    if tracks(effect.name) and "host" not in effect.flows:  # the run of whoever trains it, in an account of his own
        return _pick(effect, reached, import_=(Severity.LOW, Severity.MEDIUM), entry=(Severity.INFO, Severity.MEDIUM))
    return _pick(effect, reached, import_=(Severity.LOW, Severity.HIGH), entry=(Severity.INFO, Severity.HIGH))


def _account(effect: Effect, reached: bool) -> Severity:
    """A key that stands in the source: in scripts people forget their own, in code that loaders run it is for others."""
    return _pick(effect, reached, import_=(Severity.LOW, Severity.HIGH), entry=(Severity.INFO, Severity.HIGH))


def _registry(effect: Effect, reached: bool) -> Severity:
    return _pick(effect, reached, import_=(Severity.LOW, Severity.MEDIUM), entry=(Severity.INFO, Severity.MEDIUM))


def _clipboard(effect: Effect, reached: bool) -> Severity:
    return _pick(effect, reached, import_=(Severity.MEDIUM, Severity.HIGH), entry=(Severity.INFO, Severity.HIGH))


def _capture(effect: Effect, reached: bool) -> Severity:
    return _pick(effect, reached, import_=(Severity.LOW, Severity.HIGH), entry=(Severity.INFO, Severity.MEDIUM))


_STARTS = frozenset(
    """LD_PRELOAD DYLD_INSERT_LIBRARIES LD_AUDIT PYTHONSTARTUP PYTHONBREAKPOINT BASH_ENV PROMPT_COMMAND PERL5OPT RUBYOPT LESSOPEN
    GIT_CONFIG_COUNT GIT_CONFIG_GLOBAL GIT_CONFIG_SYSTEM GIT_CONFIG_PARAMETERS GIT_TEMPLATE_DIR GIT_EXTERNAL_DIFF GIT_EXEC_PATH
    GIT_PROXY_COMMAND RAY_RUNTIME_ENV_HOOK""".split()
)
"""Variables that name what other programs start or load."""


_PLUGINS = frozenset(("CUDA_INJECTION64_PATH", "NCCL_NET_PLUGIN", "NCCL_TUNER_PLUGIN", "NCCL_PROFILER_PLUGIN"))
_SEARCHED = frozenset(("LD_LIBRARY_PATH", "PYTHONPATH", "PATH", "PYTHONHOME", "PYTHONUSERBASE"))
_COMMANDS = frozenset("CC CXX CUDAHOSTCXX NVCC BROWSER EDITOR VISUAL PAGER MANPAGER GIT_EDITOR GIT_PAGER SHELL".split())
_ODD_FOLDER = lazy(
    r"^(?:/(?:var/)?tmp/|/dev/shm/|(?:~|/root|/home/[^/]+)/\.|\.{1,2}/\.)(?!\S*(?:cuda|nvidia|torch|triton|cache|\.local/(?:bin|lib)|\.cargo|conda))",
    re.I,
)


def _unguards(effect: Effect) -> bool:
    """True where torch.load is made to run what pickles hold, for the whole process."""
    if effect.name == "TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD":
        return effect.argument.lower() not in ("", "0", "false", "no", "n")
    return effect.name in ("torch.load", "torch.serialization.load") and effect.argument == UNGUARDED


def _started_by(effect: Effect) -> bool:
    """True for a variable that has other programs load a library or start what this value says."""
    name, value = effect.name.upper(), effect.argument
    if name in _PLUGINS:
        return "/" in value
    if name == "SSLKEYLOGFILE":
        return bool(value)
    if name.endswith(("NODE_OPTIONS", "JAVA_TOOL_OPTIONS", "_JAVA_OPTIONS")):
        return (
            re.search(r"--require|--import|-r\s|--loader|-javaagent|-agent(?:path|lib)|-Xbootclasspath", value)
            is not None
        )
    if name in _COMMANDS:
        return re.search(r"\s-c\b|[|;`]|\$\(|^/(?:var/)?tmp/|^/dev/shm/", value) is not None
    return name in _SEARCHED and _ODD_FOLDER.match(value) is not None


def _settings(effect: Effect, reached: bool) -> Severity:
    if effect.name in _STARTS or (
        effect.name.startswith("GIT_SSH") and re.match(r"(?!ssh(?:\s|$))\S", effect.argument)
    ):
        return Severity.HIGH if reached or effect.when == "import" else Severity.MEDIUM
    if effect.name.startswith("transformers.") and effect.name.endswith(
        ("save_pretrained", "push_to_hub", "save_vocabulary")
    ):
        return Severity.HIGH if reached else Severity.MEDIUM  # all that is saved from then on goes through it
    if _FINDS.search(effect.name):
        return Severity.HIGH if reached and effect.when in _ENTRY else Severity.MEDIUM  # where other models come from
    if _unguards(effect) and reached and effect.when in _ENTRY:
        return Severity.HIGH  # whatever the user loads later runs what it holds
    if _started_by(effect) and (reached or effect.when == "import"):
        return Severity.HIGH if reached and effect.when in _ENTRY else Severity.MEDIUM
    if effect.name.startswith("transformers.dynamic_module_utils"):
        return (
            Severity.HIGH if reached or effect.when == "import" else Severity.MEDIUM
        )  # who may run code is decided there
    if effect.name != "HF_ENDPOINT" and set_elsewhere(effect.name, effect.argument):
        return _account(effect, reached)
    if effect.name == "HF_ENDPOINT" and reached and effect.when in _ENTRY:
        return Severity.INFO if not effect.argument or _HUBS.match(effect.argument) else Severity.HIGH
    if re.match(
        r"PIP_|HTTPS?_PROXY|GIT_SSH|PYTHONHTTPSVERIFY|CURL_CA|NODE_TLS|GIT_SSL|TORCH_FORCE|ssl\.", effect.name, re.I
    ):
        return Severity.MEDIUM if reached and effect.when in _ENTRY else Severity.LOW
    if re.match(r"(?:builtins|os|subprocess|pickle|socket|importlib)\b|torch\.load|transformers\.dynamic", effect.name):
        return _pick(effect, reached, import_=(Severity.LOW, Severity.MEDIUM), entry=(Severity.LOW, Severity.MEDIUM))
    return Severity.INFO


def _listen(effect: Effect, reached: bool) -> Severity:
    everywhere = re.match(r"\s*(?:0\.0\.0\.0|(?!127\.)(?:\d{1,3}\.){3}\d)", effect.argument) is not None
    own = (
        everywhere
        or effect.name.startswith(_DEBUGGERS)
        or not effect.name.startswith(("socket.", "multiprocessing.", "grpc."))
    )
    if own and reached and effect.when in _ENTRY:
        return Severity.HIGH
    return _pick(effect, reached, import_=(Severity.LOW, Severity.HIGH), entry=(Severity.INFO, Severity.MEDIUM))


def _secret(effect: Effect, reached: bool) -> Severity:
    if effect.name.startswith(
        (
            "browser_cookie3",
            "win32crypt",
            "pynput",
            "keyboard",
            "pyautogui",
            "PIL.ImageGrab.grab",
            "mss.",
            "pyscreenshot",
            "evdev",
            "pyxhook",
            "ctypes.windll",
            "secretstorage",
        )
    ):
        return Severity.HIGH if reached else Severity.MEDIUM
    return Severity.INFO


_GRADERS = {
    "process": (PROCESS, _process),
    "code": (DYNAMIC_CODE, _code),
    "module": (DYNAMIC_CODE, _module),
    "remote": (DYNAMIC_CODE, _remote),
    "download": (NETWORK, _download),
    "send": (NETWORK, _send),
    "connect": (NETWORK, _connect),
    "listen": (NETWORK, _listen),
    "held": (DYNAMIC_CODE, _held),
    "search-path": (DYNAMIC_CODE, _search_path),
    "secret": (NETWORK, _secret),
    "unpickle": (UNPICKLES, _unpickle),
    "native": (NATIVE, _native),
    "native-build": (NATIVE, _module),
    "library": (NATIVE, lambda effect, reached: Severity.INFO),  # telling only with a library of the repository
    "delete": (CHANGES_SYSTEM, _delete),
    "drop": (CHANGES_SYSTEM, _drop),
    "made": (CHANGES_SYSTEM, lambda effect, reached: Severity.INFO),  # telling only where the file is run
    "start": (CHANGES_SYSTEM, _drop),
    "overwrite": (CHANGES_SYSTEM, _drop),
    "obeyed": (CHANGES_SYSTEM, _drop),
    "later": (CHANGES_SYSTEM, _later),
    "device": (CHANGES_SYSTEM, _drop),
    "tool": (CHANGES_SYSTEM, _drop),
    "told": (DYNAMIC_CODE, _told),
    "rights": (CHANGES_SYSTEM, _drop),
    "ends": (CHANGES_SYSTEM, _later),
    "trigger": (DISGUISED, _later),
    "route": (NETWORK, _later),
    "turn": (TURNS_ANSWERS, _turn),
    "patch": (CHANGES_SYSTEM, _patch),
    "registry": (CHANGES_SYSTEM, _registry),
    "clipboard": (CHANGES_SYSTEM, _clipboard),
    "upload": (NETWORK, _upload),
    "account": (NETWORK, _account),
    "capture": (NETWORK, _capture),
    "settings": (CHANGES_SYSTEM, _settings),
}


def _pick(
    effect: Effect,
    reached: bool,
    *,
    import_: tuple[Severity, Severity],
    entry: tuple[Severity, Severity],
    call: tuple[Severity, Severity] = (Severity.INFO, Severity.INFO),
) -> Severity:
    """By time, for a file that nothing leads to and for one that a loader reaches."""
    by_time = {"import": import_, "entry": entry, "call": call}
    return by_time.get(effect.when, (Severity.INFO, Severity.INFO))[reached]


_FROM = {
    "download": "the network",
    "hub": "another repository",
    "fetched": "a file that it has fetched or decoded",
    "scratch": "a temporary file",
    "decoded": "encoded text",
    "secret": "secrets or the environment",
    "host": "what names the machine or its user",
    "file": "a file",
    "input": "input",
    "request": "what somebody else asks for",
    "config": "the model's configuration",
    "generated": "what a model wrote",
    "weights": "the weights",
    "user-files": "a walk over the user's folders",
    "others-code": "the place of other packages",
}


def origins(flows: set[str]) -> str:
    """Where values come from, for a person."""
    files = (f"the file {flow.removeprefix(SOURCE)}" for flow in sorted(flows) if flow.startswith(SOURCE))
    named = (
        f"the place of the package {flow.removeprefix(PACKAGE)}" for flow in sorted(flows) if flow.startswith(PACKAGE)
    )
    return " and ".join([*(_FROM[flow] for flow in sorted(flows) if flow in _FROM), *files, *named])
