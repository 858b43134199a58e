"""Code that stands in a JSON configuration itself: expressions for eval, functions and modules that Keras restores.

Keras writes each object as {"class_name", "module", "config", "registered_name"}. A Lambda layer carries its function
as marshalled bytecode in base64 ("__lambda__", or a list whose first item it is); any other object is imported from its
module. Sources: keras.src.saving.serialization_lib of Keras 3, and its predecessor in tf.keras.
"""

import re
from collections.abc import Iterable, Iterator

from modelscan_plus.core.limits import Budget
from modelscan_plus.core.patterns import lazy
from modelscan_plus.core.text import shorten, visible
from modelscan_plus.formats.text.python.analyse import analyse
from modelscan_plus.formats.text.python.parsing import parse

_EXPRESSION = lazy(r"[\w\])]\s*\(")
_LEAVES = lazy(r"__(?:globals|builtins|subclasses|mro|bases?|import|code|reduce(?:_ex)?|class|init|getattribute)__")
"""Attributes by which a template leaves its sandbox."""
_TELLING = frozenset(
    "process code send connect download module held native unpickle start drop native-build remote".split()
)
_REPOSITORY = lazy(r"[A-Za-z0-9][\w.-]{0,95}/[\w.-]{1,96}")
"""What names a repository: code may load it, and the code in it."""
_OF_OWN = frozenset("_name_or_path name_or_path base_model base_model_name_or_path tokenizer_name license".split())
_CONFIGURES = lazy(r"(?:^|[_.-])(?:config|configuration|index|params|hparams|args|settings)\.json$", re.I)


def configures(name: str) -> bool:
    """True for names of files that configure something, as against data."""
    return _CONFIGURES.search(name) is not None


def evaluable(pairs: list[tuple[str, str, str]]) -> Iterator[tuple[str, str]]:
    """Values that could be Python, or name a repository that code loads, by their key."""
    for _, key, text in pairs:
        if _could_be_code(text) or (_REPOSITORY.fullmatch(text) and key.rpartition(".")[2] not in _OF_OWN):
            yield key, text


def _could_be_code(text: str) -> bool:
    return 6 < len(text) < 20_000 and _EXPRESSION.search(text) is not None and "{%" not in text and "{{" not in text


def expressions(pairs: list[tuple[str, str, str]], budget: Budget) -> Iterator[tuple[str, str]]:
    """Values that are Python and would do something when they were evaluated: where, and what they call."""
    for place, _, text in pairs:
        if ("{{" in text or "{%" in text) and (left := _LEAVES.search(text[:20_000])):
            yield shorten(visible(place), 160), left.group()
        if not _could_be_code(text):
            continue
        tree = parse(text.strip())
        if isinstance(tree, str):
            continue
        called = [effect.name for effect in analyse(tree, text, budget).effects if effect.kind in _TELLING]
        if called:
            yield shorten(visible(place), 160), called[0]


def restored(held: Iterable[tuple[str, dict[str, object]]]) -> Iterator[tuple[str, str, str]]:
    """Objects that Keras restores: where, module, class or function; "__lambda__" for code that is carried along.

    Each module and name once, at its first place.
    """
    found: set[tuple[str, str]] = set()
    for place, node in held:
        name = _restored(node)
        if name is not None and name not in found:
            found.add(name)
            yield shorten(visible(place), 160), *name


def _restored(node: dict[str, object]) -> tuple[str, str] | None:
    kind, module, config = node.get("class_name"), node.get("module"), node.get("config")
    if kind == "__lambda__" or (kind == "Lambda" and isinstance(config, dict) and _carries(config)):
        return "keras", "__lambda__"
    if not isinstance(kind, str) or not isinstance(module, str):
        return None
    return visible(module)[:200], visible(config if kind == "function" and isinstance(config, str) else kind)[:200]


def _carries(config: dict[str, object]) -> bool:
    """True for a Lambda layer with bytecode; one that names a registered function has none."""
    function = config.get("function")
    if isinstance(function, dict):
        return function.get("class_name") in ("__lambda__", "__tuple__") or config.get("function_type") == "lambda"
    return isinstance(function, list) or (isinstance(function, str) and config.get("function_type") == "lambda")
