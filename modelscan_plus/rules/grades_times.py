"""What all grades share: when an effect happens, whether a loader gets there, and where its values come from."""

from modelscan_plus.core.finding import Severity
from modelscan_plus.core.patterns import lazy
from modelscan_plus.formats.text.python.facts import Effect
from modelscan_plus.formats.text.python.flow import SOURCE
from modelscan_plus.formats.text.python.places import PACKAGE

ENTRY = frozenset(("import", "entry"))
ENDING = lazy(r"\.([A-Za-z][A-Za-z0-9]{0,11})$")
TOLD = frozenset(("config", "file", "download", "decoded", "hub", "generated"))
"""Origins of what others than the caller decide."""
_SCRATCH = lazy(r"/(?:var/)?tmp(?:/|$)|/dev/shm/|/proc/self/fd/|~")


def run_by_model(effect: Effect, reached: bool) -> Severity:
    """What a model writes is run: whoever may speak to the model may act on the machine."""
    if effect.when == "main":
        return Severity.LOW
    return Severity.HIGH if reached else Severity.MEDIUM


def is_scratch(effect: Effect) -> bool:
    """True for a place at which nothing of the repository lies, and something that is made at run time may."""
    return "scratch" in effect.flows or _SCRATCH.match(effect.argument) is not None


def pick(
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
