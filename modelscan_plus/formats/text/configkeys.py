"""Keys of JSON configurations that make a loader run, import, fetch or open something."""

import re
from collections.abc import Iterable, Iterator

from modelscan_plus.core.patterns import lazy
from modelscan_plus.core.text import shorten, visible
from modelscan_plus.formats.summaries import CodeReference

_VALUES = 2_000_000
"""Texts, lists and objects of one file that are looked at; more is a gap. 4 MiB cannot hold more."""
_REFERENCES = 10_000
"""Pieces of code that one file may name."""
_REFERENCE = lazy(r"^(?:(?:[\w.-]+/)?[\w.-]+--)?[A-Za-z_][\w]*(?:\.[A-Za-z_]\w*)+$")
_TRUST_KEYS = frozenset("trust_remote_code trust_repo allow_pickle enable_unsafe_deserialization".split())
_PATH_KEYS = lazy(
    r"(?:^|_)(?:file|files|path|dir|folder|checkpoint|weights|ckpt|library|filename|vocab|vocabulary|merges|module_path|lib)$|"
    r"^(?:tokenizer_file|vocab_file|merges_file|spm_file|transformers_weights|safetensors_file|custom_generate|base_model|"
    r"base_model_name_or_path|_name_or_path|name_or_path|pretrained_model_name_or_path|draft_model|adapter_path)$"
)
_IMPLEMENTATION = lazy(
    r"(?:^|\.)_?(?:attn|experts|mlp|moe|linear|kernel)\w*_implementation\w*(?:\.|$)|\bkernel_mapping\."
)
"""Where transformers takes the name of a kernel on the hub, `org/name@revision:function`, and loads its native code."""
_CALLED = lazy(
    r"(?:os\.(?:system|popen|exec\w*|spawn\w*|posix_spawn\w*|remove|unlink)|subprocess\.\w+|builtins\.(?:exec|eval|compile|__import__|open)|"
    r"posix\.system|nt\.system|pty\.spawn|importlib\.import_module|runpy\.\w+|ctypes\.\w+|shutil\.rmtree|pickle\.loads?|marshal\.loads)"
)
"""Functions that no configuration has a use for, under whatever key."""
_CODE_KEYS = frozenset(
    """_target_ custom_pipeline _custom_pipeline megatron_core custom_generate class_path processor_class_path
    impl""".split()
)
_MODULE = lazy(r"_?(?:module|module_name|library|package|parent_library|import|module_path)", re.I)
_CALLED_MODULE = lazy(r"os|posix|nt|subprocess|pty|importlib|runpy|ctypes|shutil|socket|marshal|pickle|code")
_ACTIVATION = lazy(r"(?:^|[._])activation_(?:function|fn)$")
"""Where sentence-transformers takes a class that it imports by name."""
_NAMED = frozenset(
    """_class_name base_model_name_or_path revision library_name transformers_weights architecture model_type peft_type
    quant_method _name_or_path custom_generate parent_library base_model_class""".split()
)


def walk(value: object) -> tuple[list[tuple[str, str, str]], bool]:
    """Every text below `value`, with its place and the key that leads to it; False beside it where that is not all."""
    stack: list[tuple[str, str, object]] = [("", "", value)]
    found: list[tuple[str, str, str]] = []
    count = 0
    while stack:
        place, key, node = stack.pop()
        count += 1
        if count > _VALUES:
            return found, False
        if isinstance(node, dict):
            stack += [
                (f"{place}.{inner}" if place else str(inner), str(inner), item)
                for inner, item in node.items()
                if item is True or isinstance(item, (str, dict, list))
            ]
        elif isinstance(node, list):
            stack += [
                (f"{place}[{number}]", key, item)
                for number, item in enumerate(node)
                if item is True or isinstance(item, (str, dict, list))
            ]
        elif isinstance(node, str):
            found.append((place, key, node))
        elif node is True and key in _TRUST_KEYS:
            found.append((place, key, "true"))
    return found, True


def objects(value: object, most: int) -> tuple[list[tuple[str, dict[str, object]]], bool]:
    """Every object below `value` with its place; False beside them where more than `most` would have to be visited."""
    found: list[tuple[str, dict[str, object]]] = []
    stack: list[tuple[str, object]] = [("", value)]
    count = 0
    while stack:
        count += 1
        if count > most:
            return found, False
        place, node = stack.pop()
        parts: Iterable[tuple[str, object]] = ()
        if isinstance(node, list):
            parts = ((f"{place}[{number}]", item) for number, item in enumerate(node))
        elif isinstance(node, dict):
            found.append((place, node))
            parts = ((f"{place}.{key}".lstrip("."), item) for key, item in node.items())
        stack += [(inner, item) for inner, item in parts if isinstance(item, (dict, list))]
    return found, True


def code_references(value: object, name: str, pairs: list[tuple[str, str, str]]) -> Iterator[CodeReference]:
    """Code that the file names."""
    found: list[tuple[str, str]] = []
    configured = len(pairs) < 5000 and not name.startswith(("tokenizer.", "vocab"))
    for place, key, text in pairs:
        if text and _names_code(place, key, text, configured=configured):
            found.append((place, text))
    if name == "model_index.json":
        for component, (library, class_name) in components(value, name).items():
            found.append((component, f"{library}.{class_name}"))
    if name == "kernels.lock" and isinstance(value, list):
        locked = [item for item in value if isinstance(item, dict)]
        found += [
            (f"[{number}].kernel_mapping.repo_id", str(item.get("repo_id"))) for number, item in enumerate(locked)
        ]
    if name == "router_config.json" or (isinstance(value, dict) and {"types", "structure"} <= value.keys()):
        types = value.get("types") if isinstance(value, dict) else None
        found += [(f"types.{key}", kind) for key, kind in _texts(types)]
    if name == "modules.json":
        found += [(f"[{number}].type", kind) for number, (_, kind) in enumerate(modules(value, name))]
    for place, text in found[:_REFERENCES]:
        yield CodeReference(shorten(visible(place), 160), shorten(visible(text), 200))


def _names_code(place: str, key: str, text: str, *, configured: bool) -> bool:
    top = place.partition(".")[0].partition("[")[0]
    if re.search(r"(?:^|\.)auto_map\b", place) or key in _CODE_KEYS or place == "auto_mapping.parent_library":
        return True
    if configured and (_CALLED.fullmatch(text) or (_MODULE.fullmatch(key) and _CALLED_MODULE.fullmatch(text))):
        return True
    if "/" in text and _IMPLEMENTATION.search(place):
        return True
    if "--" in text and re.match(r"^[\w.-]+/[\w.-]+--[\w.]+$", text):
        return True
    in_pipelines = top == "custom_pipelines" and key in ("impl", "pt", "tf")
    return bool((in_pipelines or _ACTIVATION.search(place)) and _REFERENCE.match(text))


def _texts(value: object) -> list[tuple[str, str]]:
    held = value.items() if isinstance(value, dict) else ()
    return [(str(key), item) for key, item in held if isinstance(item, str)]


def components(value: object, name: str) -> dict[str, tuple[str, str]]:
    """Of a model_index.json: what is built, by which library and class."""
    if name != "model_index.json" or not isinstance(value, dict):
        return {}
    made = {}
    for key, item in list(value.items())[:_REFERENCES]:
        if isinstance(item, list) and len(item) == 2 and all(isinstance(part, str) for part in item):
            made[visible(key)] = (visible(item[0]), visible(item[1]))
    own = value.get("_class_name")
    if isinstance(own, list) and len(own) == 2 and all(isinstance(part, str) for part in own):
        made["_class_name"] = (visible(own[0]), visible(own[1]))
    return made


def modules(value: object, name: str) -> tuple[tuple[str, str], ...]:
    """Of a modules.json: path and type of each module."""
    if name != "modules.json" or not isinstance(value, list):
        return ()
    items = [item for item in value[:_REFERENCES] if isinstance(item, dict)]
    return tuple((visible(str(item.get("path", ""))), visible(str(item.get("type", "")))) for item in items)


def weight_map(value: object) -> tuple[str, ...]:
    """Of an index: its files."""
    held = value.get("weight_map") if isinstance(value, dict) else None
    if not isinstance(held, dict):
        return ()
    return tuple(sorted({visible(item) for item in held.values() if isinstance(item, str)}))[:10_000]


def strings(value: object) -> dict[str, str]:
    """The values that rules and loaders ask for."""
    if not isinstance(value, dict):
        return {}
    found = {key: shorten(visible(item), 200) for key, item in value.items() if key in _NAMED and isinstance(item, str)}
    nested = value.get("auto_mapping")
    if isinstance(nested, dict):
        found |= {key: shorten(visible(str(item)), 200) for key, item in nested.items() if key in _NAMED}
    return found


def trusts(pairs: list[tuple[str, str, str]]) -> Iterator[str]:
    """Keys that are true and ask loaders to run code."""
    for place, key, text in pairs:
        if key in _TRUST_KEYS and text.lower() == "true":
            yield shorten(visible(place), 160)


def path_kind(key: str, text: str) -> str | None:
    """How a value leads out of the repository, None when it does not or names no file."""
    if not _PATH_KEYS.search(key) or len(text) > 4096 or "\n" in text:
        return None
    if re.match(r"^[a-z][a-z0-9+.-]{1,12}://", text, re.I):
        return "url"
    if text.startswith(("\\\\", "//")):
        return "network"
    if ".." in re.split(r"[/\\]", text):
        return "leaves"
    if text.startswith(("/", "~")) or re.match(r"^[A-Za-z]:[\\/]", text):
        return "absolute"
    return None
