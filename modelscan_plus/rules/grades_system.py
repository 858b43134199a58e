"""Grades of what code changes outside of itself: files, settings that other programs obey, functions of libraries, answers."""

import re

from modelscan_plus.core.finding import Severity
from modelscan_plus.core.patterns import lazy
from modelscan_plus.formats.text.commands import BROWSER_FILES
from modelscan_plus.formats.text.python.accounts import set_elsewhere
from modelscan_plus.formats.text.python.assignments import UNGUARDED
from modelscan_plus.formats.text.python.facts import Effect
from modelscan_plus.formats.text.python.places import OTHERS_CODE, PACKAGE
from modelscan_plus.formats.text.python.protections import PROTECTION, UNVERIFIED
from modelscan_plus.formats.text.python.sinks import SENSITIVE_PATH, START_PATH
from modelscan_plus.formats.text.python.wording import COMMAND
from modelscan_plus.rules.grades_network import account
from modelscan_plus.rules.grades_times import ENTRY, pick
from modelscan_plus.rules.python_programs import from_vendors

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
_FINDS = lazy(
    r"^(?!.*TRUST)(?:huggingface_hub|transformers|datasets|diffusers|sentence_transformers|peft|timm|torch\.hub)\."
    r"[\w.]*\b(?:from_pretrained|load_dataset|cached_files?|hf_hub_download|snapshot_download|hf_hub_url|http_get|"
    r"load_state_dict_from_url|download_url_to_file)$"
)
"""Functions that find or fetch what a repository holds, for whoever asks."""
_HUBS = lazy(
    r"https://(?:[\w-]+\.)*(?:huggingface\.co|hf\.co|hf-mirror\.com|modelscope\.cn|gitee\.com|aifasthub\.com)(?:/|$)"
)


def delete(effect: Effect, reached: bool) -> Severity:
    """Files and folders that are deleted."""
    if _ROOT.search(effect.argument) and effect.name.endswith(("rmtree", "removedirs")):
        if _CACHE.match(effect.argument) and not (reached and effect.when in ENTRY):
            return Severity.LOW
        return Severity.MEDIUM if effect.when == "main" and _NAMED.match(effect.argument) else Severity.HIGH
    if SENSITIVE_PATH.search(effect.argument) or START_PATH.search(effect.argument):
        return Severity.HIGH if reached and effect.when in ENTRY else Severity.MEDIUM
    return pick(effect, reached, import_=(Severity.INFO, Severity.MEDIUM), entry=(Severity.INFO, Severity.LOW))


def drop(effect: Effect, reached: bool) -> Severity:
    """What has no honest use where a loader gets."""
    return Severity.HIGH if reached else Severity.MEDIUM


def later(effect: Effect, reached: bool) -> Severity:
    """What does harm later, or under a condition."""
    return Severity.HIGH if reached and effect.when in ENTRY else Severity.LOW


def turn(effect: Effect, reached: bool) -> Severity:
    """What a model says is changed for somebody: nothing of the kind is honest in code that loads or asks a model."""
    if effect.argument.startswith(COMMAND) and from_vendors(effect.argument):
        return Severity.LOW
    if "machine or user" in effect.argument and effect.when == "call":
        return Severity.LOW  # clusters and operating systems are told apart so
    return Severity.HIGH if reached and effect.when != "main" else Severity.LOW


_STORES = lazy(rf"{BROWSER_FILES}|wallet|electrum|Local State|/Cookies$", re.I)
"""Where browsers and wallets keep what nobody but they read."""


def told(effect: Effect, reached: bool) -> Severity:
    """A call of any library that tells what it does by its arguments."""
    if effect.when == "import" and _STORES.search(effect.argument):
        return Severity.HIGH
    return later(effect, reached)


def is_named(effect: Effect) -> bool:
    """True where the place of a package by its name is all that is known of where a file is changed."""
    told = "others-code" in effect.flows or OTHERS_CODE.search(effect.argument)
    return not told and any(flow.startswith(PACKAGE) for flow in effect.flows)


def patch(effect: Effect, reached: bool) -> Severity:
    """Code of other packages: installers change it, models do not; whoever goes over many of them spreads something.

    A package that is named may be the file's own, which only its place in the tree tells (rules/reach.py)."""
    if is_named(effect) and not reached:
        return Severity.MEDIUM
    return Severity.HIGH if reached or effect.when == "import" else Severity.MEDIUM


def registry(effect: Effect, reached: bool) -> Severity:
    """Keys of Windows' registry."""
    return pick(effect, reached, import_=(Severity.LOW, Severity.MEDIUM), entry=(Severity.INFO, Severity.MEDIUM))


def clipboard(effect: Effect, reached: bool) -> Severity:
    """What is copied and pasted."""
    return pick(effect, reached, import_=(Severity.MEDIUM, Severity.HIGH), entry=(Severity.INFO, Severity.HIGH))


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


def unguards(effect: Effect) -> bool:
    """True where torch.load is made to run what pickles hold, for the whole process, or urllib to trust every host."""
    if effect.name == UNVERIFIED:
        return True
    if effect.name in ("TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD", "HF_DATASETS_TRUST_REMOTE_CODE"):
        return effect.argument.lower() not in ("", "0", "false", "no", "n")
    if effect.name.endswith(".check_torch_load_is_safe"):
        return True
    return effect.argument == UNGUARDED


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


_ENDPOINTS = frozenset(
    ("HF_ENDPOINT", "huggingface_hub.constants.ENDPOINT", "huggingface_hub.constants.HUGGINGFACE_CO_URL_TEMPLATE")
)
_OTHER_HUB = lazy(
    r"\s*https?://(?!localhost|127\.|10\.|192\.168\.|[\w.-]+\.(?:internal|local|lan|corp|intra)\b)[\w-]+(?:\.[\w-]+)+",
    re.I,
)
"""A host with a name that is no hub of a firm's own network."""


def _endpoint(effect: Effect, *, at_once: bool) -> Severity:
    """Another hub, from which all models come and which is shown the token."""
    if not effect.argument or _HUBS.match(effect.argument):
        return Severity.INFO
    return Severity.HIGH if at_once or _OTHER_HUB.match(effect.argument) else Severity.LOW


def settings(effect: Effect, reached: bool) -> Severity:
    """Variables and functions of libraries that are set."""
    if effect.name in _ENDPOINTS:
        return _endpoint(effect, at_once=reached and effect.when in ENTRY)
    if effect.name in _STARTS or (
        effect.name.startswith("GIT_SSH") and re.match(r"(?!ssh(?:\s|$))\S", effect.argument)
    ):
        return Severity.HIGH if reached or effect.when == "import" else Severity.MEDIUM
    if effect.name.startswith("transformers.") and effect.name.endswith(
        ("save_pretrained", "push_to_hub", "save_vocabulary")
    ):
        return Severity.HIGH if reached else Severity.MEDIUM  # all that is saved from then on goes through it
    if _FINDS.search(effect.name):
        return Severity.HIGH if reached and effect.when in ENTRY else Severity.MEDIUM  # where other models come from
    if unguards(effect) and reached and effect.when in ENTRY:
        return Severity.HIGH  # whatever the user loads later runs what it holds
    if effect.name != UNVERIFIED and (PROTECTION.match(effect.name) or effect.name.startswith("sys.modules.")):
        return Severity.HIGH if reached and effect.when in ENTRY else Severity.LOW
    if _started_by(effect) and (reached or effect.when == "import"):
        return Severity.HIGH if reached and effect.when in ENTRY else Severity.MEDIUM
    if effect.name.startswith("transformers.dynamic_module_utils"):
        return (
            Severity.HIGH if reached or effect.when == "import" else Severity.MEDIUM
        )  # who may run code is decided there
    if set_elsewhere(effect.name, effect.argument):
        return account(effect, reached)
    if re.match(
        r"PIP_|HTTPS?_PROXY|GIT_SSH|PYTHONHTTPSVERIFY|CURL_CA|NODE_TLS|GIT_SSL|TORCH_FORCE|ssl\.", effect.name, re.I
    ):
        return Severity.MEDIUM if reached and effect.when in ENTRY else Severity.LOW
    if re.match(r"(?:builtins|os|subprocess|pickle|socket|importlib)\b|torch\.load|transformers\.dynamic", effect.name):
        return pick(effect, reached, import_=(Severity.LOW, Severity.MEDIUM), entry=(Severity.LOW, Severity.MEDIUM))
    return Severity.INFO
