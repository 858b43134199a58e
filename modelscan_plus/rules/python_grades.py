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
from modelscan_plus.formats.text.python.facts import Effect
from modelscan_plus.formats.text.python.written import FETCHED
from modelscan_plus.rules.credentials import entered, leaked
from modelscan_plus.rules.grades_code import BY_PATH, code, held, module, remote, search_path, unpickle
from modelscan_plus.rules.grades_network import account, connect, download, listen, send, upload
from modelscan_plus.rules.grades_process import capture, native, process, secret
from modelscan_plus.rules.grades_system import (
    clipboard,
    delete,
    drop,
    later,
    patch,
    registry,
    settings,
    told,
    turn,
    unguards,
)
from modelscan_plus.rules.grades_times import TOLD, origins
from modelscan_plus.rules.handed import is_odd
from modelscan_plus.rules.interface import Rule
from modelscan_plus.rules.python_programs import (
    GIVES,
    INSTALLS,
    NEXT,
    from_vendors,
    installs_foreign,
    is_tool,
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


_BROUGHT = frozenset(("file", "request", "download", "hub", "caller", "parameter"))
_RUNS = frozenset(("builtins.exec", "os.system", "os.popen", "types.FunctionType", "types.CodeType"))
_UNPICKLES = ("marshal.", "pickle.loads", "dill.loads", "cloudpickle.loads", "_pickle.loads", "subprocess.")


def _hostile(effect: Effect) -> str:
    """What only malware does, "" for nothing of that kind."""
    flows = set(effect.flows)
    if effect.hostile:
        return _told_so(effect)
    if effect.kind == "code" and flows & {"download", "decoded", "hub"}:
        return f"runs code that comes from {origins(flows & {'download', 'decoded', 'hub'})}"
    if effect.kind in ("module", "native", "native-build") and "download" in flows:
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
    unpickles = effect.name.startswith(
        ("marshal", "pickle", "dill", "cloudpickle", "_pickle", "numpy.", "joblib.", "pandas.")
    )
    unpickles = unpickles or "any-object" in flows
    if not effect.name.startswith(("marshal", "pickle", "dill", "cloudpickle", "_pickle")) and flows & _BROUGHT:
        return ""  # what was sent, or stands in a file, is judged where it comes from
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
    if "of-account" in effect.flows and effect.kind == "upload":
        return "changes each of the repositories of whoever runs it"
    if effect.kind == "process" and effect.keys and _LOOKS_UP.match(effect.argument):
        return "tells a key to whoever answers for a name"
    if "visitor" in effect.flows:
        return "gives away what people enter in secret" if entered(effect) else ""
    return "sends secrets, the environment or files of the user away" if leaked(effect) else ""


def _loads_file(effect: Effect) -> bool:
    """True where a file becomes code: a library, a module by its path, a text that is executed."""
    if effect.kind == "module":
        return effect.name in BY_PATH or effect.name.endswith((".load_module", ".exec_module"))
    return effect.kind in ("native", "native-build") or effect.name in (
        "builtins.exec",
        "builtins.execfile",
        "types.FunctionType",
    )


_LOOKS_UP = lazy(r"\s*(?:\S*/)?(?:nslookup|dig|host|ping6?)\s")
"""Programs that ask for a name: what stands in it reaches whoever answers for its end."""
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
        return unguards(effect)
    if effect.kind == "upload":
        own = effect.name.endswith((".upload_fileobj", ".put_object")) and not re.search(
            r"[a-z]", effect.argument
        )  # no bucket has capitals
        asked = {"generated", "file", "decoded"}  # what a request brings, and what the model says of it
        others = TOLD - asked if _OWN_BUCKET.search(effect.code) else TOLD
        return own and not (others | {"secret", "user-files", "account"}) & set(effect.flows)
    return effect.name in ("boto3.client", "boto3.resource") and "account" not in effect.flows


_GRADERS = {
    "process": (PROCESS, process),
    "code": (DYNAMIC_CODE, code),
    "module": (DYNAMIC_CODE, module),
    "remote": (DYNAMIC_CODE, remote),
    "download": (NETWORK, download),
    "send": (NETWORK, send),
    "connect": (NETWORK, connect),
    "listen": (NETWORK, listen),
    "held": (DYNAMIC_CODE, held),
    "search-path": (DYNAMIC_CODE, search_path),
    "secret": (NETWORK, secret),
    "unpickle": (UNPICKLES, unpickle),
    "native": (NATIVE, native),
    "native-build": (NATIVE, module),
    "library": (NATIVE, lambda effect, reached: Severity.INFO),  # telling only with a library of the repository
    "delete": (CHANGES_SYSTEM, delete),
    "drop": (CHANGES_SYSTEM, drop),
    "made": (CHANGES_SYSTEM, lambda effect, reached: Severity.INFO),  # telling only where the file is run
    "start": (CHANGES_SYSTEM, drop),
    "overwrite": (CHANGES_SYSTEM, drop),
    "obeyed": (CHANGES_SYSTEM, drop),
    "later": (CHANGES_SYSTEM, later),
    "device": (CHANGES_SYSTEM, drop),
    "tool": (CHANGES_SYSTEM, drop),
    "told": (DYNAMIC_CODE, told),
    "rights": (CHANGES_SYSTEM, drop),
    "ends": (CHANGES_SYSTEM, later),
    "endless": (CHANGES_SYSTEM, later),
    "trigger": (DISGUISED, later),
    "route": (NETWORK, later),
    "turn": (TURNS_ANSWERS, turn),
    "patch": (CHANGES_SYSTEM, patch),
    "registry": (CHANGES_SYSTEM, registry),
    "clipboard": (CHANGES_SYSTEM, clipboard),
    "upload": (NETWORK, upload),
    "account": (NETWORK, account),
    "capture": (NETWORK, capture),
    "settings": (CHANGES_SYSTEM, settings),
}
