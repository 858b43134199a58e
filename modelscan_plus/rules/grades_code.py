"""Grades of what turns data into code: text that is executed, modules and files that are imported, objects."""

import re

from modelscan_plus.core.finding import Severity
from modelscan_plus.core.patterns import lazy
from modelscan_plus.formats.text import prose
from modelscan_plus.formats.text.python.cached import OWN_CACHE
from modelscan_plus.formats.text.python.facts import Effect
from modelscan_plus.formats.text.python.flow import FROM, SOURCE
from modelscan_plus.formats.text.python.written import FETCHED
from modelscan_plus.rules.credentials import of_service
from modelscan_plus.rules.grades_times import ENDING, ENTRY, is_scratch, pick, run_by_model
from modelscan_plus.rules.handed import ANY_OBJECT
from modelscan_plus.rules.hosts import is_stranger, publisher

_EXECUTES = lazy(r"compile\(.*[\"']exec[\"']")
_APART = frozenset(("joined", "spelt"))
"""Origins of code that was put together from several items, or from numbers."""
NO_LIST = "no-list"
"""Put to the origins of what a file does that no way of a tokenizer leads to."""
BY_PATH = frozenset(
    """runpy.run_path importlib.util.spec_from_file_location importlib.machinery.SourceFileLoader imp.load_source
    imp.load_module imp.load_dynamic importlib.machinery.ExtensionFileLoader torch.package.PackageImporter zipimport.zipimporter importlib.machinery.SourcelessFileLoader imp.load_compiled""".split()
)
"""Functions that run the file that they are given."""
_BY_MODULE = frozenset(("importlib.import_module", "builtins.__import__"))
"""Functions that import by a name, from where the search path leads (told by itself)."""
_DATA = frozenset(("config", "file"))
_CODE_NAMES = frozenset(("py", "so", "pyd", "dll", "dylib", "zip", "egg", "whl"))
_KERNEL_OWNERS = frozenset(
    "kernels-community huggingface dao-ailab nvidia pytorch facebook microsoft google liger Qwen".split()
)
_HUB_OWNERS = frozenset(("facebookresearch", "facebookincubator", "pytorch", "fairinternal"))
_HUB_LISTED = frozenset(
    """ultralytics snakers4 intel-isl isl-org NVIDIA huggingface hustvl datvuthanh mateuszbuda sigsep nicolalandro moskomule
    PingoLH harritaylor""".split()
)
"""Owners of what pytorch.org/hub lists, whose entries are reviewed there."""


def code(effect: Effect, reached: bool) -> Severity:
    """Text that is executed."""
    if effect.name == "typing.ForwardRef":
        return Severity.INFO  # its text is judged by itself
    formula = effect.name.startswith(("sympy", "numexpr", "pandas"))
    if "request" in effect.flows:
        return Severity.MEDIUM if formula else Severity.HIGH  # calculators do not know that the library uses eval
    if "generated" in effect.flows:
        return run_by_model(effect, reached)
    if effect.argument and not effect.argument.startswith("…") and not effect.flows:
        return Severity.INFO  # what it holds is judged by itself
    if ".decrypt(" in effect.code and effect.when in ENTRY:
        return Severity.HIGH if reached else Severity.MEDIUM
    evaluates = formula or effect.name.endswith(".eval")
    if effect.flows and all(flow.startswith(SOURCE) for flow in effect.flows):
        return Severity.LOW  # setup.py reads its version so; the file is judged by itself (rules/reach.py)
    executes = effect.name == "builtins.eval" and _EXECUTES.search(effect.code) is not None
    if effect.name == "builtins.eval" and not executes and _is_of_list(effect):
        return Severity.MEDIUM if reached else Severity.LOW  # a vocabulary; what the files hold is judged with them
    evaluates = evaluates and not executes
    if {"spelt", "file"} <= set(effect.flows) and effect.name == "builtins.exec" and effect.when in ENTRY:
        return Severity.HIGH  # out of the bits of a picture or of numbers
    if _APART & set(effect.flows) and effect.when in ENTRY:
        return Severity.HIGH if reached else Severity.MEDIUM  # nobody spells a name of one piece so
    told = "file" in effect.flows or (not evaluates and ("config" in effect.flows or _is_unknown(effect.argument)))
    if told and effect.when in ENTRY:
        return Severity.HIGH if reached else Severity.MEDIUM
    if evaluates:
        return pick(effect, reached, import_=(Severity.LOW, Severity.MEDIUM), entry=(Severity.LOW, Severity.MEDIUM))
    return pick(
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


def module(effect: Effect, reached: bool) -> Severity:
    """Modules and files that are imported, or built from sources."""
    at_once = reached and effect.when in ENTRY
    if "request" in effect.flows and (effect.name in BY_PATH or effect.name == "importlib.import_module"):
        return Severity.HIGH
    if effect.name == "runpy.run_module" and effect.argument.partition(".")[0] in ("pip", "conda", "ensurepip", "uv"):
        return pick(effect, reached, import_=(Severity.LOW, Severity.HIGH), entry=(Severity.LOW, Severity.HIGH))
    ending = ENDING.search(effect.argument) if effect.name in BY_PATH else None
    if ending and ending[1].lower() not in _CODE_NAMES and {"hub", "download"} & set(effect.flows):
        return Severity.HIGH  # Python under another name, from elsewhere
    if effect.name.startswith(("kernels.", "transformers.integrations.hub_kernels.")):
        owner, _, name = effect.argument.strip().partition("/")
        foreign = bool(name) and owner not in _KERNEL_OWNERS
        return Severity.HIGH if at_once and foreign else _pick_mild(effect, reached)
    listed = effect.name == "torch.hub.load" and effect.argument.strip().partition("/")[0] in _HUB_LISTED
    if at_once and not listed and effect.name not in _BY_MODULE | BY_PATH and _is_foreign(effect.argument):
        return Severity.HIGH
    if effect.name == "torch.hub.load":
        return _pick_mild(effect, reached)
    if "hub" in effect.flows and at_once:  # code of another repository, as MSP5030, or the name of an installed module
        return Severity.MEDIUM if effect.name in _BY_MODULE else Severity.HIGH
    if effect.name in BY_PATH and at_once and {"config", "spelt"} & set(effect.flows):
        return Severity.HIGH  # which file that is says a file of data
    if effect.name.endswith(".load_inline") and at_once and _DATA & set(effect.flows):
        return Severity.HIGH
    if effect.name in BY_PATH and at_once and is_scratch(effect):
        return Severity.HIGH  # what was put there is not here
    if effect.name in BY_PATH and _is_no_module(effect, reached):
        return Severity.HIGH if at_once else Severity.MEDIUM  # Python under another name
    return pick(
        effect,
        reached,
        import_=(Severity.LOW, Severity.MEDIUM),
        entry=(Severity.INFO, Severity.LOW),
    )


def _is_no_module(effect: Effect, reached: bool) -> bool:
    """True for a file with another ending than code has, and for whatever a loader hands over, as a vocabulary."""
    ending = ENDING.search(effect.argument)
    if ending is None:
        return reached and effect.when == "entry" and effect.argument == "…"
    return ending[1].lower() not in _CODE_NAMES


def _pick_mild(effect: Effect, reached: bool) -> Severity:
    return pick(effect, reached, import_=(Severity.LOW, Severity.MEDIUM), entry=(Severity.INFO, Severity.MEDIUM))


def _is_foreign(argument: str) -> bool:
    """True for "owner/name" of an owner whose code torch.hub does not run unasked (its `_TRUSTED_REPO_OWNERS`)."""
    found = re.match(r"([\w.-]+)/[\w.-]+(?::[\w./-]+)?$", argument.strip())
    return found is not None and found[1] not in _HUB_OWNERS


def held(effect: Effect, reached: bool) -> Severity:
    """A dangerous function that is looked up or kept."""
    return pick(effect, reached, import_=(Severity.LOW, Severity.HIGH), entry=(Severity.INFO, Severity.HIGH))


def _of_strangers(effect: Effect) -> bool:
    """True for what was fetched from hosts of which nothing is known."""
    places = [flow.removeprefix(FROM) for flow in effect.flows if flow.startswith(FROM)]
    return bool(places) and all(map(is_stranger, places))


def search_path(effect: Effect, reached: bool) -> Severity:
    """Folders that Python imports from."""
    if effect.argument.lower().endswith((".zip", ".whl", ".egg")) and _of_strangers(effect) and effect.when in ENTRY:
        return Severity.HIGH
    if {"hub", "download", FETCHED} & set(effect.flows):
        return Severity.HIGH if reached and effect.when in ENTRY else Severity.LOW
    if is_scratch(effect):
        return Severity.HIGH if reached and effect.when in ENTRY else Severity.LOW  # what was put there is not here
    if effect.argument.lower().rstrip("/… ").endswith((".zip", ".egg", ".whl", ".bin", ".dat", ".png", ".pt")):
        return Severity.HIGH if reached and effect.when in ENTRY else Severity.MEDIUM
    return Severity.INFO


def remote(effect: Effect, reached: bool) -> Severity:
    """Code of other repositories."""
    if "decoded" in effect.flows and effect.when in ENTRY:
        return Severity.HIGH if reached else Severity.MEDIUM  # nobody writes the name of a repository so
    if reached and effect.when in ENTRY and re.fullmatch(r"[\w.-]+/[\w.-]+", effect.argument.strip()):
        # As MSP5030, the same thing written in a configuration.
        return Severity.MEDIUM if publisher(effect.argument.strip()) else Severity.HIGH
    return pick(effect, reached, import_=(Severity.LOW, Severity.HIGH), entry=(Severity.INFO, Severity.MEDIUM))


def unpickle(effect: Effect, reached: bool) -> Severity:
    """Objects that are made from data."""
    places = [flow.removeprefix(FROM) for flow in effect.flows if flow.startswith(FROM)]
    known = [of_service(place.partition("/")[0].partition(":")[0]) or not is_stranger(place) for place in places]
    if "download" in effect.flows and effect.name.startswith(ANY_OBJECT) and places and not any(known):
        return Severity.HIGH  # whoever has the host decides what is run
    fetched = "download" in effect.flows or effect.argument.startswith(("http:", "https:", "ftp:"))
    if prose.odd_url(effect.argument):
        return Severity.HIGH  # from nobody's host, whoever starts it
    if "download" in effect.flows and _UNSAFE_YAML.search(effect.code) and effect.when in ENTRY:
        return Severity.HIGH  # the loader is named for what it lets a stranger do
    if fetched and (effect.name != "torch.load" or "any-object" in effect.flows):
        return Severity.HIGH if reached and effect.when in ENTRY else Severity.MEDIUM
    if OWN_CACHE in effect.flows:
        return pick(effect, reached, import_=(Severity.LOW, Severity.MEDIUM), entry=(Severity.INFO, Severity.LOW))
    if "request" in effect.flows and (effect.name.startswith(ANY_OBJECT) or _ANY_YAML.search(effect.code)):
        return Severity.HIGH
    if _is_of_settings(effect) and effect.when in ENTRY:
        return Severity.HIGH if reached else Severity.MEDIUM
    if effect.name.startswith("marshal"):
        return Severity.HIGH if reached else Severity.MEDIUM
    if effect.name.startswith(_ANY_OBJECT) and _NO_PICKLE.search(effect.argument) and effect.when in ENTRY:
        return Severity.HIGH if reached else Severity.MEDIUM  # a pickle under another name
    mild = effect.name in ("torch.load", "numpy.load", "joblib.load", "yaml.load", "pandas.read_pickle")
    if mild or effect.when in ("call", "main"):
        return Severity.INFO
    return pick(effect, reached, import_=(Severity.LOW, Severity.MEDIUM), entry=(Severity.INFO, Severity.LOW))


_UNSAFE_YAML = lazy(r"\byaml\.(?:unsafe_load\w*\(|\w+\(.*\bC?UnsafeLoader\b)")
_NO_PICKLE = lazy(
    r"\.(?:safetensors|gguf|onnx|json|jsonl|png|jpe?g|gif|webp|svg|wav|mp3|flac|mp4|md|csv|tsv|ya?ml|toml|ini|py|jinja|parquet|pdf|ttf|html)(?![\w.])",
    re.I,
)
"""Endings of files that hold no pickle."""
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
