"""Functions and files of Python that settings may name: "module.function", "module:Class", "folder/file.py:function".

Programs that are configured import what stands there: lm-eval (`!function utils.to_text`), Hydra (`_target_`),
HyperPyYAML (`!new:`, `!name:`, `!apply:`), Ray Serve (`import_path`), MLServer (`implementation`), TorchServe
(`handler`), axolotl (`plugins`), verl (`custom_reward_function`), Cog (`predict`), promptfoo (`file://provider.py`),
ModelScope (`plugins`), and so on. Which of the words mean a function of the repository, only the whole repository tells
(rules/named.py).
"""

import itertools
import re
from collections.abc import Iterable, Iterator

from modelscan_plus.core.patterns import lazy

_MOST = 2_000
_DOTTED = lazy(
    r"(?<![\w./@$%-])((?:[A-Za-z_]\w{0,80}\.){1,8}[A-Za-z_]\w{0,80}|(?:[A-Za-z_]\w{0,80}\.){0,8}[A-Za-z_]\w{0,80}:[A-Za-z_]\w{0,80})(?![\w./@(-])"
)
_FILE = lazy(
    r"(?<![\w/@$%-])(?:file://)?(?:\./)?((?:[\w-]{1,80}/){0,8}[\w-]{1,80}\.py(?:::?|#)[A-Za-z_]\w{0,80})(?![\w/-])"
)
_WHOLE = lazy(
    r"^\s*(?:-\s+)?(?:[\"']?(?P<key>[\w-]{1,60})[\"']?\s*[:=]\s*|-\s+)?[\"']?(?P<address>file://)?(?:\./)?"
    r"(?P<file>(?:[\w-]{1,80}/){0,8}[\w-]{1,80}\.py)[\"']?\s*,?\s*(?:#.*)?$",
    re.M,
)
_KEYS = lazy(
    r"(?:^|_|-)(?:path|handler|predict|train|plugins?|module|user_module|code|code_file|implementation|reward\w*|hooks?|callbacks?|"
    r"extensions?|custom\w*|provider|assert|value|function|pymodule_file|loader|model_code_path|entrypoint)$",
    re.I,
)
_COMMENT = lazy(r"^\s*#.*$", re.M)
_ELSEWHERE = lazy(
    r"(?:^|/)(?:mkdocs|\.?pre-commit-config|\.pre-commit-hooks|codecov|\.codecov|\.readthedocs|"
    r"tox|setup|\.coveragerc|\.pylintrc|pylintrc|mypy|\.flake8|pytest|renovate|dependabot|environment)\.?\w*$|(?:^|/)(?:package|tokenizer)\w*\.json$"
)
"""Settings of tools that check, build and document."""


def in_text(name: str, text: str) -> tuple[str, ...]:
    """What a file of settings in text may name."""
    if _ELSEWHERE.search(name):
        return ()
    text = _COMMENT.sub("", text[: 1 << 20])
    whole = (
        found["file"]
        for found in _WHOLE.finditer(text)
        if found["address"] or (found["key"] and _KEYS.search(found["key"]))
    )
    return _first(itertools.chain(_words(text), whole))


def in_values(name: str, pairs: Iterable[tuple[str, str, str]]) -> tuple[str, ...]:
    """What the texts of a JSON file, with their places and keys, may name."""
    return () if _ELSEWHERE.search(name) else _first(itertools.chain.from_iterable(map(_of_value, pairs)))


def _of_value(pair: tuple[str, str, str]) -> Iterator[str]:
    _, key, text = pair
    if len(text) > 400 or ("." not in text and ":" not in text):
        return
    yield from _words(text)
    if text.endswith(".py") and _KEYS.search(key) and (found := _WHOLE.match(text)):
        yield found["file"]


def _words(text: str) -> Iterator[str]:
    yield from (found[1] for found in _DOTTED.finditer(text) if not found[1].endswith(".py"))
    yield from (found[1] for found in _FILE.finditer(text))


def _first(found: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(itertools.islice(found, 20 * _MOST)))[:_MOST]
