"""Texts and states that library classes act on while a pickle rebuilds them.

Each answers like a guard in rules/guards.py: with what is wrong, as a phrase, or None.
"""

from modelscan_plus.core.patterns import lazy
from modelscan_plus.formats.pickle.values import Blob, Items, Value, text_of

_NAME_OR_NUMBER = lazy(r"[A-Za-z_][A-Za-z0-9_ ]{0,200}|[-+]?[0-9.]+(?:[eE][-+]?[0-9]+)?|[<>=!]{1,2}|")
_FORMULA = lazy(r"__|\b(?:import|eval|exec|open|compile|getattr|globals|os|sys|subprocess|lambda)\b")


def evaluated_text(arguments: Value) -> str | None:
    """The first text among the arguments that is neither a name nor a number, to a bounded depth; None without one."""
    pending: list[tuple[Value, int]] = [(arguments, 4)]
    for _ in range(10_000):
        if not pending:
            return None
        item, depth = pending.pop()
        if isinstance(item, str) and not _NAME_OR_NUMBER.fullmatch(item):
            return item
        if isinstance(item, Blob) and item.kind == "str":
            return item.head.decode("utf-8", "replace")
        if isinstance(item, tuple | Items) and depth:
            inner = item if isinstance(item, tuple) else item.items or ()
            pending.extend((part, depth - 1) for part in inner)
    return None


_TEMPLATE = lazy(
    r"(?:\s*def _parse_args(?:_rvs|_stats)?\(self,[\w ,]*(?:=\d(?:, \w+=\d)?)?(?:, size=None|, moments='mv')?\):"
    r"\s*return (?:\([\w ,]*\)[\w ,]*|self\._argcheck_rvs\([\w ,]*(?:size=size)?\)))+\s*"
)
"""What scipy writes for the shape parameters of a distribution, and then executes: names and defaults, no calls."""


def judge_state(module: str, name: str, state: dict[str, Value] | None) -> str | None:
    """What is wrong with the state that a class is given which acts on it, or None."""
    if module.startswith(("scipy.stats.", "statsmodels.distributions.")):
        template = (state or {}).get("_parse_arg_template")
        if isinstance(template, str) and _TEMPLATE.fullmatch(template):
            return None
        return None if state is not None and template is None else "executes a text in its state as code"
    if module == "statsmodels.base.data":
        formula = (state or {}).get("formula")
        acts = isinstance(formula, str) and _FORMULA.search(formula)
        return "evaluates a formula in its state that does more than name columns" if acts else None
    if module.startswith("joblib.") and name in ("NDArrayWrapper", "ZNDArrayWrapper"):
        filename = text_of((state or {}).get("filename"))
        if filename is None or "/" in filename or "\\" in filename or filename.startswith("."):
            return "reads a file elsewhere"
    return None
