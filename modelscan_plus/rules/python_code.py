"""Python code in a model repository: what it does, when, and whether a loader gets there.

The same call means different things in different places. Starting a process is what training scripts do, and what no
model does while it is imported. So an effect is graded by its cause first (fetched code that is run, secrets that are
sent), then by when it happens (on import, in a method that loaders call, in some function, only as a program), then by
whether something in the tree leads a loader to the file. The last is known only when all files are in:
rules/reach.py raises what a loader reaches.
"""

import re
from collections.abc import Iterator

from modelscan_plus.core.finding import Finding, Severity, TextEvidence
from modelscan_plus.core.patterns import lazy
from modelscan_plus.formats.text import prose
from modelscan_plus.formats.text.python.facts import Disguise, Effect, PythonFacts
from modelscan_plus.rules.interface import Context, Rule, judges

_REMOTE = "https://huggingface.co/docs/transformers/main/en/models#custom-models"
_ATTACK = "https://attack.mitre.org/techniques/T1059/006/"

HOSTILE = Rule(
    id="MSP5040",
    slug="python-hostile",
    title="Python code of the repository does what only malware does",
    severity=Severity.CRITICAL,
    why=(
        "The code runs what it fetches or decodes, opens a shell to another machine, sends secrets away, or arranges "
        "to be started again. Honest code does none of that. Loading the model with remote code allowed, or starting the "
        "script, is enough."
    ),
    fix="Do not run or import anything of this repository. Report it, and treat machines that did as compromised.",
    bad="exec(base64.b64decode(requests.get(url).text))",
    good="weights = torch.load(hf_hub_download(repo, 'model.bin'), weights_only=True)",
    cwe=("CWE-506", "CWE-94"),
    references=(_ATTACK,),
)
PROCESS = Rule(
    id="MSP5041",
    slug="python-starts-program",
    title="Python code of the repository starts another program",
    severity=Severity.MEDIUM,
    why=(
        "A model computes; it does not start programs. Where that happens on import or while a model is built, loading "
        "the model runs them. Scripts for training and conversion start programs for good reasons."
    ),
    fix="Read the lines. If a loader reaches them, do not allow remote code for this model.",
    bad="class Model(PreTrainedModel):\n    os.system('id')",
    good="if __name__ == '__main__':\n    subprocess.run(['accelerate', 'launch', 'train.py'])",
    cwe=("CWE-78",),
    references=(_REMOTE,),
)
DYNAMIC_CODE = Rule(
    id="MSP5042",
    slug="python-runs-made-code",
    title="Python code of the repository runs code that it makes or finds at run time",
    severity=Severity.MEDIUM,
    why=(
        "What exec, eval or a module loaded from a computed path will run cannot be read here, and may differ each time."
    ),
    fix="Find out where the code comes from. If a loader reaches it, do not allow remote code for this model.",
    bad="exec(config.extra_code)",
    good="activation = ACT2FN[config.hidden_act]",
    cwe=("CWE-95",),
    references=(_REMOTE,),
)
NETWORK = Rule(
    id="MSP5043",
    slug="python-uses-network",
    title="Python code of the repository uses the network by itself",
    severity=Severity.MEDIUM,
    why=(
        "Libraries fetch models from their hub in known ways. Code that opens its own connections when it is imported, "
        "or sends data from inside a model, tells somebody who uses it and what they do with it."
    ),
    fix="Read what is fetched or sent. If a loader reaches it, do not allow remote code for this model.",
    bad="requests.post('https://collect.example', json={'text': text})   # in forward()",
    good="image = Image.open(requests.get(url, stream=True).raw)   # in a demo",
    cwe=("CWE-200", "CWE-829"),
    references=(_REMOTE,),
)
UNPICKLES = Rule(
    id="MSP5044",
    slug="python-unpickles",
    title="Python code of the repository unpickles data of its own",
    severity=Severity.LOW,
    why=(
        "Unpickling runs code. Data that the code fetches or carries encoded passes all checks of the files beside it."
    ),
    fix="Find out what is unpickled. Prefer safetensors or torch.load with weights_only=True.",
    bad="pickle.loads(base64.b64decode(BLOB))",
    good="state = torch.load(path, weights_only=True)",
    cwe=("CWE-502",),
    references=("https://docs.python.org/3/library/pickle.html",),
)
CHANGES_SYSTEM = Rule(
    id="MSP5045",
    slug="python-changes-system",
    title="Python code of the repository changes files or settings outside of it",
    severity=Severity.MEDIUM,
    why=(
        "Deleting folders, replacing functions of other libraries or setting variables that programs obey reaches "
        "beyond the model."
    ),
    fix="Read the lines, and do not load the model with remote code before you know why they are there.",
    bad="shutil.rmtree(os.path.expanduser('~'))",
    good="shutil.rmtree(output_dir, ignore_errors=True)   # in a training script",
    cwe=("CWE-73",),
    references=(_REMOTE,),
)
NATIVE = Rule(
    id="MSP5046",
    slug="python-loads-native-code",
    title="Python code of the repository loads or builds native code",
    severity=Severity.LOW,
    why="Native code is outside of what this scan reads. Kernels for speed are an honest reason and a good hiding place.",
    fix="Find out which library is loaded or built, and where its source is.",
    bad="ctypes.CDLL('./libhelper.so')   # when the file is imported",
    good="if kernel_wanted:\n    ext = cpp_extension.load(name='k', sources=[...])   # in a function",
    cwe=("CWE-114",),
    references=(_REMOTE,),
)
DISGUISED = Rule(
    id="MSP5047",
    slug="python-disguised",
    title="Python code of the repository hides what it does",
    severity=Severity.HIGH,
    why=(
        "Names put together from pieces, code in base64, characters that change the order of what is shown, code far "
        "behind the right edge of the screen: all of it is there so that nobody who reads the file notices."
    ),
    fix="Do not run or import it.",
    bad="getattr(__import__('o' + 's'), 'sys' + 'tem')('id')",
    good="quantizer = getattr(module, config.quantizer_name)",
    cwe=("CWE-1007", "CWE-506"),
    references=("https://trojansource.codes/", _ATTACK),
)

_TOOLS = frozenset(
    """ffmpeg ffprobe sox nvidia-smi rocm-smi amd-smi nvcc hipcc gcc g++ cc c++ clang clang++ cl ninja cmake make uname
    lscpu ldconfig nproc free df lspci which where whereis pdftotext pdftoppm pdfinfo tesseract soffice libreoffice espeak
    espeak-ng accelerate torchrun deepspeed huggingface-cli hf git-lfs tar unzip gunzip mkdir ls cp mv cat echo clear cls
    tensorboard mpirun srun numactl taskset lsb_release swig java aria2c git""".split()
)
"""Programs that models, feature extractors and their scripts have reason to start."""
_FETCHERS = frozenset("pget wget curl gdown gsutil s5cmd azcopy".split())
"""Programs with which servers and demos fetch weights."""
_SENDS = lazy(r"\s(?:-d|-F|-T|--data\S*|--form|--upload-file|--post-\S+|--body-\S+|--config|-K)\b")
_SHELL = lazy(r"[|;&]|\$\(|`|>")
_QUIET = lazy(r"\s(?:\d?>\s?/dev/null|2>&1|&>\s?/dev/null)")
_INSTALLS = lazy(
    r"\b(?:pip3?|uv|conda|mamba|apt(?:-get)?|npm|poetry)\b.{0,60}\binstall\b|pip\._internal|pip\.main", re.I
)
_ROOT = lazy(r"^(?:/|~|/home|/root|/usr|/etc|/var|\$HOME|[A-Z]:\\?)(?:/\*|/|\\)?$|^~|^/(?:home|root|etc|usr)\b", re.I)
_LOOPBACK = lazy(r"https?://(?:localhost|127\.|0\.0\.0\.0|\[::1\])", re.I)
_ENTRY = frozenset(("import", "entry"))
_TIMES = {
    "import": "when the file is imported",
    "entry": "in a method that loaders and users of a model call",
    "call": "in a function",
    "main": "when the file is started as a program",
}
_FROM = {
    "download": "the network",
    "hub": "another repository",
    "decoded": "encoded text",
    "secret": "secrets or the environment",
    "host": "what names the machine or its user",
    "file": "a file",
    "input": "input",
    "config": "the model's configuration",
}


def grade(effect: Effect, *, reached: bool) -> tuple[Rule, Severity, str]:
    """Rule, severity and sentence for an effect; `reached` when a loader gets to the file."""
    hostile = _hostile(effect)
    if hostile:
        at_once = effect.when == "import" or (reached and effect.when == "entry")
        return HOSTILE, Severity.CRITICAL if at_once else Severity.HIGH, hostile
    if effect.disguised and effect.kind in ("process", "code", "send", "connect"):
        return DISGUISED, Severity.CRITICAL if effect.when == "import" else Severity.HIGH, "hides the name of"
    rule, grader = _GRADERS[effect.kind]
    return rule, grader(effect, reached), ""


def _hostile(effect: Effect) -> str:
    """What only malware does, "" for nothing of that kind."""
    flows = set(effect.flows)
    if effect.hostile:
        return f"a command that {effect.hostile}" if effect.kind != "connect" else effect.hostile
    if effect.kind == "code" and flows & {"download", "decoded", "hub"}:
        return f"runs code that comes from {_origins(flows & {'download', 'decoded', 'hub'})}"
    if effect.kind in ("module", "native") and "download" in flows:
        return "loads code that comes from the network"
    if effect.kind == "process" and "download" in flows and effect.when == "import":
        return "starts a program with what comes from the network"
    if effect.kind == "process" and "decoded" in flows and not _is_tool(effect.argument):
        return "starts a program that was written in encoded text"
    if effect.kind in ("send", "connect") and "secret" in flows:
        return "sends secrets or the environment away"
    if (
        effect.kind in ("unpickle",)
        and "decoded" in flows
        and effect.name.startswith(("marshal", "pickle", "dill", "cloudpickle", "_pickle"))
    ):
        return "unpickles what was written in encoded text"
    if effect.kind == "start":
        return f"writes {effect.argument}, which something else runs later"
    return ""


def _process(effect: Effect, reached: bool) -> Severity:
    if _INSTALLS.search(f"{effect.name} {effect.argument}"):
        return _pick(effect, reached, import_=(Severity.MEDIUM, Severity.HIGH), entry=(Severity.LOW, Severity.MEDIUM))
    if _is_tool(effect.argument):
        return _pick(effect, reached, import_=(Severity.LOW, Severity.LOW), entry=(Severity.INFO, Severity.INFO))
    if "config" in effect.flows and effect.when in _ENTRY:
        return Severity.HIGH if reached else Severity.MEDIUM
    if _fetches(effect.argument):
        return _pick(effect, reached, import_=(Severity.LOW, Severity.HIGH), entry=(Severity.LOW, Severity.MEDIUM))
    return _pick(
        effect,
        reached,
        import_=(Severity.MEDIUM, Severity.CRITICAL),
        entry=(Severity.LOW, Severity.HIGH),
        call=(Severity.LOW, Severity.MEDIUM),
    )


def _code(effect: Effect, reached: bool) -> Severity:
    if effect.argument and not effect.argument.startswith("…") and not effect.flows:
        return Severity.INFO  # what it holds is judged by itself
    evaluates = effect.name.endswith(".eval") or effect.name.startswith(("sympy", "numexpr", "pandas"))
    if "file" in effect.flows and re.search(r"\.py$|version|about", effect.argument.lower()):
        return Severity.LOW  # setup.py reads its version so; the file is judged by itself
    if set(effect.flows) & {"config", "file"} and not evaluates and effect.when in _ENTRY:
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


def _module(effect: Effect, reached: bool) -> Severity:
    hub = effect.name == "torch.hub.load"
    if (
        effect.name.endswith("spec_from_file_location")
        and effect.argument.strip("….")
        and not effect.argument.endswith(".py")
    ):
        return Severity.HIGH if reached and effect.when in _ENTRY else Severity.MEDIUM
    return _pick(
        effect,
        reached,
        import_=(Severity.LOW, Severity.MEDIUM),
        entry=(Severity.INFO, Severity.MEDIUM if hub else Severity.LOW),
    )


def _remote(effect: Effect, reached: bool) -> Severity:
    return _pick(effect, reached, import_=(Severity.LOW, Severity.HIGH), entry=(Severity.INFO, Severity.MEDIUM))


def _download(effect: Effect, reached: bool) -> Severity:
    odd = prose.odd_url(effect.argument) is not None
    if _LOOPBACK.match(effect.argument):
        return Severity.INFO
    if odd:
        return Severity.HIGH if reached or effect.when == "import" else Severity.MEDIUM
    if effect.when == "import" and reached and (effect.discarded or effect.argument.lower().startswith("http:")):
        return Severity.HIGH
    return _pick(effect, reached, import_=(Severity.INFO, Severity.MEDIUM), entry=(Severity.INFO, Severity.INFO))


def _send(effect: Effect, reached: bool) -> Severity:
    if _LOOPBACK.match(effect.argument):
        return Severity.INFO
    odd = prose.odd_url(effect.argument) is not None
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
    if "download" in effect.flows and not effect.name.startswith(("torch.load", "numpy", "joblib")):
        return Severity.HIGH if reached and effect.when in _ENTRY else Severity.MEDIUM
    if effect.name.startswith("marshal"):
        return Severity.HIGH if reached else Severity.MEDIUM
    mild = effect.name in ("torch.load", "numpy.load", "joblib.load", "yaml.load", "pandas.read_pickle")
    if mild or effect.when in ("call", "main"):
        return Severity.INFO
    return _pick(effect, reached, import_=(Severity.LOW, Severity.MEDIUM), entry=(Severity.INFO, Severity.LOW))


def _native(effect: Effect, reached: bool) -> Severity:
    if effect.name in ("ctypes.memmove", "ctypes.CFUNCTYPE", "mmap.mmap"):
        return _pick(effect, reached, import_=(Severity.MEDIUM, Severity.HIGH), entry=(Severity.LOW, Severity.MEDIUM))
    if effect.name.startswith("ctypes.windll.") and re.search(
        r"VirtualAlloc|CreateThread|WriteProcessMemory", effect.name
    ):
        return Severity.HIGH
    own = "./" in effect.argument or "…" in effect.argument or effect.argument.endswith((".so", ".dll", ".dylib"))
    if own:
        return _pick(effect, reached, import_=(Severity.MEDIUM, Severity.HIGH), entry=(Severity.LOW, Severity.MEDIUM))
    return _pick(effect, reached, import_=(Severity.LOW, Severity.MEDIUM), entry=(Severity.INFO, Severity.LOW))


def _delete(effect: Effect, reached: bool) -> Severity:
    if _ROOT.search(effect.argument) and effect.name.endswith(("rmtree", "removedirs")):
        return Severity.HIGH
    return _pick(effect, reached, import_=(Severity.INFO, Severity.MEDIUM), entry=(Severity.INFO, Severity.LOW))


def _drop(effect: Effect, reached: bool) -> Severity:
    return Severity.HIGH if reached else Severity.MEDIUM


def _settings(effect: Effect, reached: bool) -> Severity:
    if effect.name in ("LD_PRELOAD", "DYLD_INSERT_LIBRARIES", "PYTHONSTARTUP", "BASH_ENV", "PROMPT_COMMAND"):
        return Severity.HIGH if reached or effect.when == "import" else Severity.MEDIUM
    if re.match(r"PIP_|HTTPS?_PROXY|GIT_SSH", effect.name, re.I):
        return Severity.MEDIUM if reached else Severity.LOW
    if re.match(r"(?:builtins|os|subprocess|pickle|socket|importlib)\b|torch\.load|transformers\.dynamic", effect.name):
        return _pick(effect, reached, import_=(Severity.LOW, Severity.MEDIUM), entry=(Severity.LOW, Severity.MEDIUM))
    return Severity.INFO


def _listen(effect: Effect, reached: bool) -> Severity:
    return _pick(effect, reached, import_=(Severity.LOW, Severity.HIGH), entry=(Severity.INFO, Severity.MEDIUM))


def _secret(effect: Effect, reached: bool) -> Severity:
    if effect.name.startswith(("browser_cookie3", "win32crypt", "pynput", "keyboard", "pyautogui", "PIL.ImageGrab")):
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
    "secret": (NETWORK, _secret),
    "unpickle": (UNPICKLES, _unpickle),
    "native": (NATIVE, _native),
    "native-build": (NATIVE, _module),
    "delete": (CHANGES_SYSTEM, _delete),
    "drop": (CHANGES_SYSTEM, _drop),
    "start": (CHANGES_SYSTEM, _drop),
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


def _is_tool(argument: str) -> bool:
    return _program(argument) in _TOOLS and not _SHELL.search(_QUIET.sub("", argument))


def _fetches(argument: str) -> bool:
    """True for a program that only fetches a file from a named host; what is done with the file is told by itself."""
    return (
        _program(argument) in _FETCHERS
        and not _SHELL.search(_QUIET.sub("", argument))
        and not _SENDS.search(argument)
        and prose.odd_url(argument) is None
    )


def _program(argument: str) -> str:
    first = re.split(r"[\s\"';|&]", argument.strip() or "…", maxsplit=1)[0].rpartition("/")[2].lower()
    return first.removesuffix(".exe")


def _origins(flows: set[str]) -> str:
    return " and ".join(_FROM[flow] for flow in sorted(flows) if flow in _FROM)


def subject_of(effect: Effect) -> str:
    """What the effect is, free of line numbers."""
    return f"{effect.kind}\0{effect.name}\0{effect.function}\0{effect.argument[:80]}"


@judges(PythonFacts)
def effects(facts: PythonFacts, context: Context) -> Iterator[Finding]:
    """Each effect that is worth a word even if nothing leads to the file."""
    for effect in facts.effects:
        rule, severity, hostile = grade(effect, reached=False)
        if severity is Severity.INFO:
            continue
        yield context.finding(
            rule,
            message_of(effect, hostile),
            TextEvidence(effect.code),
            subject=subject_of(effect),
            line=effect.line,
            severity=severity,
        )


def message_of(effect: Effect, hostile: str) -> str:
    """What the effect is, for a person."""
    what = f"{effect.name}({effect.argument})" if effect.argument else effect.name
    if effect.kind == "settings":
        return f"The code sets {effect.name} {_TIMES[effect.when]}."
    since = f", with values from {_origins(set(effect.flows))}" if _origins(set(effect.flows)) else ""
    why = f" It {hostile}." if hostile and not hostile.startswith(("a command", "hides")) else ""
    why = f" That is {hostile}." if hostile.startswith("a command") else why
    hidden = " Its name is put together or looked up by text." if effect.disguised else ""
    return f"The code calls {what} {_TIMES[effect.when]}{since}.{why}{hidden}"


@judges(PythonFacts)
def disguises(facts: PythonFacts, context: Context) -> Iterator[Finding]:
    """What hides the source from a reader."""
    for item in facts.disguises:
        yield context.finding(
            DISGUISED, _disguise(item), TextEvidence(item.text), subject=f"{item.kind}\0{item.detail}", line=item.line
        )


def _disguise(item: Disguise) -> str:
    return {
        "encoding": f"The source is written in {item.detail}, which decodes to other code than a reader sees.",
        "hidden": f"The source holds {item.detail}.",
        "far-right": f"There is {item.detail}.",
        "encoded": f"A text decodes to code: {item.detail}",
    }[item.kind]
