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
    r"^[^\S\n]*(?:-\s+)?(?:[\"']?(?P<key>[\w.-]{1,60})[\"']?\s*[:=]\s*|-\s+)?[\"']?(?P<address>file://)?(?:\./)?"
    r"(?P<file>(?:[\w-]{1,80}/){0,8}[\w-]{1,80}\.py)[\"']?[^\S\n]*(?:,[^\S\n]*)?(?:#.*)?$",
    re.M,
)
_KEYS = lazy(
    r"(?:^|_|-)(?:handler|plugins?|user_module|code_file|implementation|reward\w*|hooks?|callbacks?|extensions?|custom\w*|"
    r"provider|pymodule_file|model_code_path)$|^option\.entrypoint$",
    re.I,
)
"""Keys of files that are imported and whose functions are called; what starts a script names no function."""
_PATH_THEN = lazy(
    r"^[ \t-]*[\"']?(?:\w*_)?(?:path|file)[\"']?\s*[:=]\s*[\"']?(?:\./)?([\w./-]+\.py)[\"']?,?[ \t]*\n"
    r"[ \t]*[\"']?(?:\w*_)?(?:name|function|func|fn|class|callable)(?:_?name)?[\"']?\s*[:=]\s*[\"']?(\w+)",
    re.M | re.I,
)
"""A file and what is meant in it, on two lines."""
_MODULE_KEY = r"[\"']?(?:\w*_)?(?:module|module_path|package|import)(?:_name)?[\"']?"
_NAME_KEY = r"[\"']?(?:\w*_)?(?:function|func|fn|callable|class|attr|method|object)(?:_?name)?[\"']?"
_VALUE = r"\s*[:=]\s*[\"']?"
_NEXT = r"[\"']?,?[ \t]*\n[ \t]*"
_MODULE_THEN = lazy(rf"^[ \t-]*{_MODULE_KEY}{_VALUE}([\w.]+){_NEXT}{_NAME_KEY}{_VALUE}(\w+)", re.M | re.I)
_NAME_THEN = lazy(rf"^[ \t-]*{_NAME_KEY}{_VALUE}(\w+){_NEXT}{_MODULE_KEY}{_VALUE}([\w.]+)", re.M | re.I)
"""A module and what is meant in it, on two lines."""
_OF_MODULE = lazy(rf"{_MODULE_KEY}$", re.I)
_OF_NAME = lazy(rf"{_NAME_KEY}$", re.I)
_COMMENT = lazy(r"^[^\S\n]*#.*$", re.M)
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
    pairs = itertools.chain(
        (f"{found[1]}.{found[2]}" for found in _MODULE_THEN.finditer(text)),
        (f"{found[2]}.{found[1]}" for found in _NAME_THEN.finditer(text)),
        (f"{found[1]}:{found[2]}" for found in _PATH_THEN.finditer(text)),
    )
    return _first(itertools.chain(pairs, _words(text), whole))


def in_values(name: str, pairs: Iterable[tuple[str, str, str]]) -> tuple[str, ...]:
    """What the texts of a JSON file, with their places and keys, may name."""
    if _ELSEWHERE.search(name):
        return ()
    held = list(pairs)
    return _first(itertools.chain(_apart(held), itertools.chain.from_iterable(map(_of_value, held))))


def _apart(pairs: Iterable[tuple[str, str, str]]) -> Iterator[str]:
    """A module and what is meant in it, under two keys of one object."""
    modules: dict[str, str] = {}
    names: dict[str, str] = {}
    for place, key, text in pairs:
        if len(text) > 200:
            continue
        if _OF_MODULE.match(key):
            modules[place.rpartition(".")[0]] = text
        elif _OF_NAME.match(key):
            names[place.rpartition(".")[0]] = text
    yield from (f"{module}.{names[place]}" for place, module in modules.items() if place in names)


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
