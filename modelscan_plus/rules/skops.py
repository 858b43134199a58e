"""Names in the schema of a skops file, judged as a pickle's are: what the loader would import, call or look up."""

from collections.abc import Iterator

from modelscan_plus.core.finding import Finding, Severity, TextEvidence
from modelscan_plus.core.patterns import lazy
from modelscan_plus.formats.text.facts import JsonFacts
from modelscan_plus.formats.text.skops import SkopsName
from modelscan_plus.rules.callables import Standing, known
from modelscan_plus.rules.interface import Context, Rule, judges

ACTS = Rule(
    id="MSP5072",
    slug="skops-acts",
    title="A skops file names what acts on the machine",
    severity=Severity.HIGH,
    why=(
        "The loader imports every name in the schema and calls what constructors, partials and operators name. It asks "
        "first whether the names are trusted, but programs that pass on the list which the file itself yields are "
        "common, and releases before 0.12 could be shown one name and made to load another (CVE-2025-54412, "
        "CVE-2025-54413)."
    ),
    fix="Do not load the file, and never pass `trusted=get_untrusted_types(…)` on without reading the list.",
    bad='{"__module__": "os", "__class__": "system", "__loader__": "FunctionNode"}',
    good='{"__module__": "numpy", "__class__": "log1p", "__loader__": "FunctionNode"}',
    cwe=("CWE-502",),
    references=(
        "https://nvd.nist.gov/vuln/detail/CVE-2025-54412",
        "https://nvd.nist.gov/vuln/detail/CVE-2025-54413",
        "https://skops.readthedocs.io/en/stable/persistence.html",
    ),
)
_OPERATORS = frozenset(("attrgetter", "itemgetter", "methodcaller"))
"""What skops itself writes of `operator`."""
_PARTIAL = ("functools", "partial")
_ACTING = lazy(
    r"(?:^|\.)(?:__\w+__|system|popen|Popen|spawn\w*|exec\w*|eval|compile|check_output|check_call|getoutput|fork\w*|"
    r"import_module|load_module|exec_module|run_code|runcode|runsource|urlopen|urlretrieve|unlink|rmtree|rmdir|"
    r"load_library|LoadLibrary)$"
)
"""Attributes and methods that, whatever object they belong to, are not for data."""


@judges(JsonFacts)
def skops_names(facts: JsonFacts, context: Context) -> Iterator[Finding]:
    """Every name that is dangerous, and every node that shows another name than it loads."""
    for name in facts.skops:
        if why := _why(name):
            spelled = f"{name.module}.{name.name}".lstrip(".")
            yield context.finding(
                ACTS,
                f"The {name.loader} at {name.place or 'the top'} {why}.",
                TextEvidence(" ".join((spelled, *name.arguments))),
                subject=f"{name.loader}\0{spelled}\0{name.arguments}",
            )


def _why(name: SkopsName) -> str:
    if name.module == "operator" and name.loader == "OperatorFuncNode":
        return _operator(name)
    if (name.module, name.name) == _PARTIAL:
        return ""
    found = known(name.module, name.name)
    if found.standing is Standing.DANGEROUS:
        return f"names {name.module}.{name.name}: it {found.does}"
    if found.standing is Standing.IMPOSSIBLE:
        return f"names {name.module}.{name.name}, which cannot be imported"
    method = name.name.rpartition(".")[2]
    if name.loader == "MethodNode" and _ACTING.search(method):
        return f"takes {method} off an object of {name.module}.{name.name.rpartition('.')[0]}"
    return ""


def _operator(name: SkopsName) -> str:
    if name.shown:
        return f"shows {name.shown} and loads operator.{name.name}"
    if name.name not in _OPERATORS:
        return f"calls operator.{name.name} while it is loaded"
    acting = next((text for text in name.arguments if _ACTING.search(text)), "")
    return f"makes an operator.{name.name} of {acting}" if acting else ""
