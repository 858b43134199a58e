"""JSON files: configurations of loaders, tokenizers, indexes, and anything else in JSON.

Small files are read whole, with every key; of large ones (a tokenizer.json of 30 MB) only the parts that rewrite
text are decoded, and the vocabulary of a tokenizer with its merges. Sources of the key names: the
documentation and sources of transformers 5, diffusers 0.42, sentence-transformers 6, peft 0.21, tokenizers 0.23.
"""

import itertools
import json
import re
from collections.abc import Iterable, Iterator

import msgspec

from modelscan_plus.core.artifact import Artifact
from modelscan_plus.core.bytesource import BytesSource
from modelscan_plus.core.coverage import CoverageReason
from modelscan_plus.core.limits import Budget
from modelscan_plus.core.patterns import lazy
from modelscan_plus.core.text import shorten, visible
from modelscan_plus.formats.interface import Format, Parsed, Region, View
from modelscan_plus.formats.summaries import ConfigSummary, VocabularySummary, WordsSummary
from modelscan_plus.formats.text import generating, prose, roles, skops
from modelscan_plus.formats.text.agents import agent_settings, hears
from modelscan_plus.formats.text.carried import carried, is_carried
from modelscan_plus.formats.text.chains import chain_remarks
from modelscan_plus.formats.text.configcode import configures, evaluable, expressions, restored
from modelscan_plus.formats.text.configkeys import (
    code_references,
    components,
    modules,
    objects,
    path_kind,
    strings,
    trusts,
    walk,
    weight_map,
)
from modelscan_plus.formats.text.facts import ConfigPath, ConfigProblem, JsonFacts, Remark, ReplaceRule
from modelscan_plus.formats.text.heldcode import foreign_code, held_in_values
from modelscan_plus.formats.text.kept import kept
from modelscan_plus.formats.text.named import in_values
from modelscan_plus.formats.text.prompts import prompts_of
from modelscan_plus.formats.text.remarks import hidden_remarks, script_remarks
from modelscan_plus.formats.text.requirements import locked, requirement_remarks
from modelscan_plus.formats.text.shell.cells import of_json
from modelscan_plus.formats.text.shell.marks import NONE, secret
from modelscan_plus.formats.text.shell.told import followed, worth
from modelscan_plus.formats.text.steps import members, one_liners, plain_json
from modelscan_plus.formats.text.template import ESCAPING
from modelscan_plus.formats.text.tokenizing import oddities, vocabulary
from modelscan_plus.formats.text.values import value_remarks
from modelscan_plus.formats.text.vocabularies import of_numbers, of_words

WHOLE = 4 << 20
"""Bytes up to which a JSON file is read whole."""
SETTINGS = 32 << 20
"""Bytes up to which a file is read whole that by its name decides what a loader builds."""
LARGEST = 256 << 20
_NODES = 4_000_000
_EVALUABLE = 5_000
_WORDS = frozenset(("tokenizer.json", "vocab.json", "added_tokens.json", "special_tokens_map.json"))
"""Files of words, in which no program looks for commands."""
_WORD_LISTS = frozenset(("vocab", "vocabulary", "merges"))
_TEMPLATES = 1_000
_CHATS = lazy(r"\b(?:messages|message)\b")
_TOKENIZES = lazy(r"(?:tokenizer|special_tokens_map|added_tokens)[\w.-]*\.json$", re.I)
_EXPORTS = 200
_DECIDES = lazy(r"(?:modules|schema|metadata)\.json$", re.I)
_TEMPLATE_KEYS = frozenset("chat_template default_chat_template chat_templates prompt_template jinja_template".split())


class _Tokenizer(msgspec.Struct):
    """The parts of a tokenizer.json that rewrite text; the vocabulary is skipped."""

    normalizer: msgspec.Raw = msgspec.Raw(b"null")
    pre_tokenizer: msgspec.Raw = msgspec.Raw(b"null")
    decoder: msgspec.Raw = msgspec.Raw(b"null")
    post_processor: msgspec.Raw = msgspec.Raw(b"null")
    added_tokens: msgspec.Raw = msgspec.Raw(b"null")
    chat_template: msgspec.Raw = msgspec.Raw(b"null")
    auto_map: msgspec.Raw = msgspec.Raw(b"null")


class _Model(msgspec.Struct):
    vocab: dict[str, int] | list[list[str | float]] = msgspec.field(default_factory=dict)
    merges: list[str | list[str]] = msgspec.field(default_factory=list)


class _Vocabulary(msgspec.Struct):
    """The words of a tokenizer.json."""

    model: _Model = msgspec.field(default_factory=_Model)


class JsonFormat(Format):
    """JSON."""

    name = "json"
    title = "JSON configuration"
    extensions = (".json", ".jsonc")
    executable = False
    description = (
        "Keys that name code (`auto_map`, `custom_pipelines`, `_class_name`, components of diffusers, modules of "
        "sentence-transformers), ask for remote code, name files outside the repository or addresses; keys that stand "
        "twice; values that are Python expressions, and what Keras restores from its configurations; steps of a "
        "tokenizer that replace letters; chat templates, which are handed on. Files above 4 MiB are "
        "checked for form, and of tokenizers the rewriting parts are read; vocabularies are not compared with those of "
        "the base model. Loaders: transformers, diffusers, sentence-transformers, peft, timm, vLLM."
    )

    def claims(self, view: View) -> bool:
        artifact = view.artifact
        if artifact.payload or not roles.is_text(view.head, artifact.name):
            return False
        return roles.role(artifact.name, view.head, nested=artifact.depth > 0) == "json"

    def parse(self, artifact: Artifact, budget: Budget) -> Iterable[Parsed]:
        size = artifact.source.size
        whole = (Region(0, size, "structure"),)
        if size > LARGEST:
            yield Parsed(regions=whole, gaps=(CoverageReason("json-too-large", f"{size:,} bytes are not read"),))
            return
        data = artifact.source.pread(0, size)
        name = artifact.name.rpartition("/")[2]
        decides = configures(name) or _DECIDES.match(name) is not None
        if size > (SETTINGS if decides else WHOLE):
            yield _large(artifact, data, whole, budget, decides=decides)
            return
        problems: list[ConfigProblem] = []
        text = plain_json(artifact.place, roles.decode(data))
        value = _decode(text, problems)
        budget.check_time()
        if isinstance(value, _Broken):
            gap = CoverageReason("json-syntax", f"not valid JSON: {value.why}")
            yield Parsed((JsonFacts((ConfigProblem("syntax", "", value.why),)),), whole, gaps=(gap,))
            return
        yield _parsed(artifact, value, problems, whole, budget)


class _Broken:
    def __init__(self, why: str) -> None:
        self.why = why


def _decode(text: str, problems: list[ConfigProblem]) -> object:
    """The value; keys that stand twice in one object go to `problems`."""

    def pairs(items: list[tuple[str, object]]) -> dict[str, object]:
        made = dict(items)
        if len(made) < len(items):
            seen: set[str] = set()
            for key, value in items:
                if key in seen and len(problems) < 20:
                    detail = shorten(visible(json.dumps(value, default=str)), 120)
                    problems.append(ConfigProblem("duplicate", shorten(visible(key), 120), detail))
                seen.add(key)
        return made

    try:
        value: object = json.loads(text.removeprefix("\ufeff"), object_pairs_hook=pairs)
        return value
    except (ValueError, RecursionError) as error:
        return _Broken(shorten(visible(str(error)), 160))


def _parsed(
    artifact: Artifact, value: object, problems: list[ConfigProblem], whole: tuple[Region, ...], budget: Budget
) -> Parsed:
    name = artifact.name.rpartition("/")[2]
    pairs, every = walk(value)
    held, reached = objects(value, _NODES)
    code = tuple(code_references(value, name, pairs))
    known = strings(value)
    remarks, unfinished = kept(
        itertools.chain(
            _commands(artifact.place, value, pairs),
            _remarks(pairs, name),
            agent_settings(artifact.place, value),
            value_remarks(value, pairs, artifact.place) if name not in _WORDS else (),
            prompts_of(pairs, artifact.name),
            chain_remarks(value),
        )
    )
    facts = JsonFacts(
        problems=tuple(problems),
        paths=tuple(_paths(pairs)),
        replaces=tuple(_replaces(value)),
        oddities=tuple(
            itertools.islice(oddities(value) if _TOKENIZES.search(name) else generating.steering(value, name), 50)
        ),
        code=tuple((reference.key, reference.value) for reference in code),
        trusts=tuple(trusts(pairs)),
        strings=known,
        remarks=remarks,
        expressions=tuple(itertools.islice(expressions(pairs, budget), 50)) if configures(name) else (),
        restored=tuple(restored(held)),
        skops=tuple(skops.names(held)) if skops.is_schema(value) else (),
    )
    summary = ConfigSummary(
        keys=tuple(map(visible, value))[:400] if isinstance(value, dict) else (),
        code=code,
        strings=known,
        trust_remote_code=bool(facts.trusts),
        components=components(value, name),
        modules=modules(value, name),
        expressions=dict(itertools.islice(evaluable(pairs), _EVALUABLE)) if configures(name) else {},
        weight_map=weight_map(value),
        named=in_values(artifact.place, pairs) if artifact.depth < 3 else (),
    )
    commands = (step for _, _, text in pairs if "-c" in text or "-e" in text for step in one_liners(text))
    inside = (
        *_templates(artifact, value),
        *_further(artifact, pairs),
        *members("line", commands, artifact),
        *members("code", held_in_values(artifact.place, pairs), artifact),
        *_exported(artifact, pairs),
        *(carried(artifact, value) if name not in _WORDS else ()),
    )
    gaps = unfinished
    if not (every and reached):
        message = "it holds more values than are looked at; those further down were not"
        gaps = (*gaps, CoverageReason("json-values", message, executable=True))
    told = (_words(value, name), _vocabulary(value, name))
    return Parsed((facts,), whole, inside, gaps=gaps, summaries=(summary, *(each for each in told if each)))


def _words(value: object, name: str) -> WordsSummary | None:
    """What the other files of the model have to know of its words."""
    forbidden = generating.forbidden(value) if configures(name) or "generation" in name else ()
    model = value.get("model") if isinstance(value, dict) and name == "tokenizer.json" else None
    held = model.get("vocab") if isinstance(model, dict) else None
    refusing = generating.refusing(held) if isinstance(held, dict) else ()
    return WordsSummary(refusing, forbidden) if refusing or forbidden else None


def _vocabulary(value: object, name: str) -> VocabularySummary | None:
    """The words of a tokenizer.json or vocab.json, to be held against other files."""
    held: object = None
    if isinstance(value, dict) and name == "tokenizer.json":
        model = value.get("model")
        held = model.get("vocab") if isinstance(model, dict) else None
    elif name == "vocab.json":
        held = value
    if isinstance(held, dict):
        return of_numbers({str(word): number for word, number in held.items() if type(number) is int})
    if isinstance(held, list):
        return of_words(str(item[0]) for item in held if isinstance(item, list) and item)
    return None


def _paths(pairs: list[tuple[str, str, str]]) -> Iterator[ConfigPath]:
    for place, key, text in pairs:
        if key in _WORD_LISTS and place.endswith("]"):
            continue  # the words of a vocabulary, "/" and ".." among them
        if place.endswith("pretrained_cfg.url") and text.startswith("http:"):
            yield ConfigPath(visible(place), shorten(visible(text), 160), "url")  # timm fetches the weights there
        if kind := path_kind(key, text):
            yield ConfigPath(visible(place), shorten(visible(text), 160), kind)


def _commands(path: str, value: object, pairs: list[tuple[str, str, str]]) -> Iterator[Remark]:
    """What the commands in the file do together."""
    if path.rpartition("/")[2] not in _WORDS and any(
        worth(text) for _, key, text in pairs if key not in _TEMPLATE_KEYS
    ):
        yield from followed(of_json(value), secret("what the agent is told") if hears(path, value) else NONE)


def _packed(text: str) -> str:
    """The kind of program that a text is in base64 or as digits, or of pickle in a part of it; "" for none."""
    parts = prose.encoded_parts(text, 4) if len(text) > 40 and not is_carried(text) else []
    return next((part.kind for part in parts if part.kind in _RUN), "")


_RUN = frozenset(("pickle", "elf", "pe"))
_LOCK_FILE = lazy(r"(?:^|/)(?:pipfile|renv|composer|flake)\.lock$", re.I)
_DEPENDENCY = lazy(r"(?:\w*[dD]ependencies|overrides|resolutions)\b")


def _remarks(pairs: list[tuple[str, str, str]], name: str) -> Iterator[Remark]:
    if name in _WORDS:
        return
    hosts: set[str] = set()
    for place, key, text in pairs:
        if text.startswith("http") and (key == "resolved" or (key.lower() == "url" and _LOCK_FILE.search(name))):
            yield from locked(text, 1, hosts)
        if key == "onready" and text.strip() and name.endswith(".kcpps"):
            yield Remark("command", "has koboldcpp start a program once the model is loaded", shorten(text, 160), 1)
        if packed := _packed(text):
            yield Remark("encoded", f"holds a {packed} in letters or digits", f"{visible(place)}: {text[:60]}", 1)
        if name == "package.json" and _DEPENDENCY.match(place):
            yield from requirement_remarks(text)
        if key == "runOn" and text == "folderOpen":
            yield Remark("start", "has the editor run a task once the folder is opened", "runOn: folderOpen", 1)
        if key in _TEMPLATE_KEYS or len(text) < 12:
            continue
        # What an address is for, its name says: a variable of a client, a package in a lock file.
        named = text.startswith("http") and (key == "resolved" or key.isupper())
        yield from script_remarks(f'"{key}": "{text}"' if named else text)
        yield from foreign_code(text)
        if len(text) > 40:
            yield from (remark for remark in hidden_remarks(text) if remark.host)


def _templates(artifact: Artifact, value: object) -> Iterator[Artifact]:
    """Every chat template, as an artifact of its own."""
    if not isinstance(value, dict):
        return
    for key in _TEMPLATE_KEYS & value.keys():
        held = value[key]
        if isinstance(held, str):
            yield from _template(artifact, "chat_template" if key != "chat_template" else key, held)
        elif isinstance(held, dict):
            for name, text in list(held.items())[:_TEMPLATES]:
                yield from _template(artifact, f"chat_template.{name}", text)
        elif isinstance(held, list):
            for number, item in enumerate(held[:_TEMPLATES]):
                if isinstance(item, dict):
                    yield from _template(artifact, f"chat_template.{item.get('name', number)}", item.get("template"))


def _further(artifact: Artifact, pairs: list[tuple[str, str, str]]) -> Iterator[Artifact]:
    """Chat templates under other keys and further down: presets, and settings of servers."""
    told = 0
    rendered = {place.rpartition(".")[0] for place, key, text in pairs if key == "template_format" and "jinja" in text}
    for place, key, text in pairs:
        if key == "template" and place.rpartition(".")[0] in rendered and "{%" not in text:
            yield from _template(artifact, f"chat_template.{visible(place)[:80]}", text)
        known = key in _TEMPLATE_KEYS and "." not in place
        chats = "{%" in text and _CHATS.search(text)
        if not known and not place.startswith("chat_template") and (chats or ("__" in text and ESCAPING.search(text))):
            told += 1
            if told > _TEMPLATES:
                return
            yield from _template(artifact, f"chat_template.{visible(place)[:80]}", text)


_EXPORTED = lazy(
    r"^(?:class\s+(?:Tools|Pipe|Pipeline|Filter|Action)\b|(?:from|import)\s+(?:langflow|lfx|open_webui)\b)", re.M
)
"""Begins of code that Open WebUI and Langflow export in JSON, and run once it is imported there."""


def _exported(artifact: Artifact, pairs: list[tuple[str, str, str]]) -> Iterator[Artifact]:
    """Python that a program has put into a JSON file as a text."""
    found = (text for _, _, text in pairs if "\n" in text and _EXPORTED.search(text))
    for number, text in enumerate(itertools.islice(found, _EXPORTS), 1):
        yield artifact.member(f"code-{number}.py", BytesSource(text.encode("utf-8", "surrogatepass")))


def _template(artifact: Artifact, name: str, text: object) -> Iterator[Artifact]:
    if isinstance(text, str) and ("{{" in text or "{%" in text or name == "chat_template"):
        data = text.encode("utf-8", "surrogatepass")
        if data:
            yield artifact.member(name.replace("/", "_"), BytesSource(data))


def _replaces(value: object) -> Iterator[ReplaceRule]:
    """`Replace` steps anywhere in the parts of a tokenizer that rewrite text."""
    if not isinstance(value, dict):
        return
    for place in ("normalizer", "pre_tokenizer", "decoder", "post_processor"):
        stack: list[object] = [value.get(place)]
        for _ in range(10_000):
            if not stack:
                break
            node = stack.pop()
            if isinstance(node, list):
                stack += node
            elif isinstance(node, dict):
                if node.get("type") == "Replace":
                    pattern = node.get("pattern")
                    text = next(iter(pattern.values()), "") if isinstance(pattern, dict) else pattern
                    yield ReplaceRule(place, visible(str(text)), visible(str(node.get("content", ""))))
                stack += [item for item in node.values() if isinstance(item, (dict, list))]


def _with_vocabulary(parsed: Parsed, data: bytes, added: object, budget: Budget) -> Parsed:
    """The same with what the vocabulary of a large tokenizer tells."""
    try:
        model = msgspec.json.decode(data, type=_Vocabulary).model
    except (msgspec.DecodeError, RecursionError):
        return parsed
    budget.check_time()
    found = tuple(itertools.islice(vocabulary({"vocab": model.vocab, "merges": model.merges}, added), 50))
    facts = tuple(
        msgspec.structs.replace(each, oddities=(*each.oddities, *found)) if isinstance(each, JsonFacts) else each
        for each in parsed.facts
    )
    words = generating.refusing(model.vocab) if isinstance(model.vocab, dict) else ()
    told = _vocabulary({"model": {"vocab": model.vocab}}, "tokenizer.json")
    summaries = (*parsed.summaries, *((WordsSummary(words),) if words else ()), *((told,) if told else ()))
    return msgspec.structs.replace(parsed, facts=facts, summaries=summaries)


def _large(artifact: Artifact, data: bytes, whole: tuple[Region, ...], budget: Budget, *, decides: bool) -> Parsed:
    """A large file: its form is checked, and of a tokenizer the telling parts are read.

    One that by its name `decides` what is built is a gap: whoever made it that large has something to hide.
    """
    try:
        if data.lstrip()[:1] == b"{":
            parts = msgspec.json.decode(data, type=_Tokenizer)
            value = {
                name: json.loads(bytes(raw))
                for name in _Tokenizer.__struct_fields__
                if len(raw := bytes(getattr(parts, name))) < WHOLE
            }
        else:
            msgspec.json.decode(data, type=msgspec.Raw)
            value = {}
    except (msgspec.DecodeError, ValueError, RecursionError) as error:
        why = shorten(visible(str(error)), 160)
        gap = CoverageReason("json-syntax", f"not valid JSON: {why}")
        return Parsed((JsonFacts((ConfigProblem("syntax", "", why),)),), whole, gaps=(gap,))
    parsed = _parsed(artifact, {key: item for key, item in value.items() if item is not None}, [], whole, budget)
    if artifact.name.endswith("tokenizer.json"):
        parsed = _with_vocabulary(parsed, data, value.get("added_tokens"), budget)
    if not decides:
        return parsed
    message = f"a configuration of {len(data):,} bytes is read in part"
    return msgspec.structs.replace(
        parsed, gaps=(*parsed.gaps, CoverageReason("json-too-large", message, executable=True))
    )
