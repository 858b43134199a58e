"""Prompts outside of templates: presets of chat programs, prompts of embedding models, system prompts as files.

LM Studio, Open WebUI, SillyTavern, text-generation-webui, koboldcpp, Ollama, Jan, GPT4All and sentence-transformers
each put them before what the user says. Files of data hold prompts too, hostile ones among them, that nobody is given
as an order: only keys and names under which programs look for a prompt count, and not in long lists.
"""

import re
from collections.abc import Iterator

from modelscan_plus.core.patterns import lazy
from modelscan_plus.core.text import shorten, visible
from modelscan_plus.formats.text import orders, prose
from modelscan_plus.formats.text.facts import Remark

_KEYS = lazy(
    r"(?:default_?)?(?:system|sys|user|chat|query|document)?[_.]?(?:prompt|message|prefix|instruction)s?|system|prefix|context|"
    r"persona(?:lity)?|story_string|post_history_instructions|jailbreak(?:_prompt)?|prompt_?template|template|scenario|"
    r"first_mes|last_output_sequence|output_sequence|prompt_tuning_init_text",
    re.I,
)
_WHOLE = frozenset(("prompt_tuning_init_text", "prefix"))
"""Keys whose whole text is put before each question, unseen: nothing in it is quoted from somebody else."""
_FIELD = r"\.(?:Content|Prompt|System|Response)"
_SAID = (
    rf"(?:\(\s*(?:slice|printf|print|html|js|urlquery|json|len)\b[^(){{}}]*{_FIELD}\b[^(){{}}]*\)"
    rf"|[$\w.]*{_FIELD})"
)
_GO_GATE = lazy(
    r"\{\{-?\s*(?:else\s+)?(?:if|with)\b[^{}]{0,200}?\b(?:eq|ne|lt|le|gt|ge|contains|hasPrefix|hasSuffix)\s+"
    rf"(?:{_SAID}\s+(?:\"[^\"\n]{{0,400}}?[^\W\d_]{{2}}[^\"\n]{{0,400}}\"|\d{{2,}})|\(?\s*(?:slice\s+)?currentDate\b)"
)
"""A condition of a Go template (Ollama) on the words of a message, its length or the date."""
_BEGINS = frozenset(("output_sequence", "last_output_sequence", "first_output_sequence", "prefill", "start_reply_with"))
"""Keys with which an answer begins, or what stands before it: markers, and no address."""
_GENERAL = frozenset(("content", "value", "text", "default"))
"""Keys that hold a prompt in files named after one."""
_NAMES = lazy(
    r"(?:^|[/_.-])(?:sys(?:tem)?[_-]?prompts?|prompts?|presets?|personas?|characters?|instruct|sysprompt|context|system|template)(?:[/_.-]|$)"
    r"|\.(?:prompty|guidance|hbs|handlebars|mustache|prompt|poml|dotprompt)$|(?:^|/)skprompt\.txt$",
    re.I,
)
_LICENSE = lazy(r'^LICENSE\s+"""(?:[^"]|"(?!"")){0,60000}"""', re.I | re.M)
"""What a Modelfile says to people and not to the model."""
SPECIMENS = lazy(
    r"jail_?-?break|inject|attack|adversar|red_?-?team|harm(?:ful)?(?:[_.-]|$)|malicious|unsafe|toxic|refus|advbench|probes?(?:[_.-]|$)|canar",
    re.I,
)
"""Names of collections of prompts that a model is tested with, which no program gives it as its own."""
_SETTING = lazy(
    r"^\s{0,20}[\"']?(?:system[_-]?(?:prompt|message)|context|instruction[_-]template|prompt(?:[_-]template)?|persona|system)[\"']?\s*[:=]",
    re.I | re.M,
)
_MOST_TEXTS, _MOST_ITEMS, _LONGEST = 3000, 20, 20_000
_ITEM = lazy(r"\[(\d+)\]")
_ARGUMENT = lazy(r"^--?(?:sys(?:tem)?-?prompt\w*|prompt)\b", re.M)


def against(text: str) -> str | None:
    """What of a prompt works against whoever talks to the model, or None."""
    if found := orders.behind(text) or orders.account(text) or prose.steals(text):
        return found
    if (hidden := prose.conceals(text)) and prose.acts(text):
        return hidden
    command = prose.hostile_command(text)
    return command[1] if command else None


def _keeps_back(text: str) -> str | None:
    """What a prompt has its model keep from the user, or None.

    That it has a prompt, and what stands there, services and characters keep to themselves; where the prompt also has
    something promoted, fetched or written somewhere, that is no excuse."""
    if orders.pushes(text) or prose.acts(text):
        return prose.conceals(text)
    return prose.conceals_deed(text)


def prompts_of(pairs: list[tuple[str, str, str]], name: str) -> Iterator[Remark]:
    """Remarks about prompts among the (place, key, text) of a JSON file."""
    if len(pairs) > _MOST_TEXTS:
        return
    named = _NAMES.search(name.removesuffix(".json")) is not None
    for place, key, text in pairs:
        if key in _BEGINS and len(text) < _LONGEST and (address := prose.URL.search(text)):
            yield Remark("agent", "begins each answer with an address", shorten(visible(address.group()), 160), 1)
        embeds = place.startswith("prompts") and name.rpartition("/")[2].startswith("config_sentence_transformers")
        if embeds and (address := prose.URL.search(text)):
            yield Remark("agent", "puts an address before each text", shorten(visible(address.group()), 160), 1)
        if not 20 < len(text) < _LONGEST or any(int(found) >= _MOST_ITEMS for found in _ITEM.findall(place)):
            continue
        if not (
            _KEYS.fullmatch(key)
            or "prompts" in place.split(".")
            or (named and key in _GENERAL)
            or (key == "value" and "fields[" in place)
        ):
            continue
        if order := against(text) or (prose.overrides(text) if key in _WHOLE else None):
            yield Remark("agent", "tells the model to work against its user", order, 1)


def prompt_file(name: str, role: str, text: str) -> Iterator[Remark]:
    """Remarks about a text that is a prompt by its name, or settings that hold one."""
    base = name.rpartition("/")[2]
    text = _LICENSE.sub("", text) if role == "modelfile" else text
    is_prompt = role in ("text", "markdown", "modelfile") and (
        role == "modelfile"
        or (_NAMES.search(base) is not None and not SPECIMENS.search(base))
        or (base == ".args" and _ARGUMENT.search(text))
    )
    holds = role == "settings" and ".github/" not in name and len(text) < 1 << 16 and _SETTING.search(text) is not None
    order = against(text[: 1 << 16]) if is_prompt or holds else None
    if role == "modelfile" and order is None:
        order = prose.steals(text) or prose.overrides(text) or _keeps_back(text)
    if order:
        yield Remark("agent", "tells the model to work against its user", order, 1)
    if role == "modelfile" and (gate := _GO_GATE.search(text)):
        excerpt = shorten(visible(gate.group()), 120)
        yield Remark("agent", "writes text only when a message, its length or the date is something", excerpt, 1)
