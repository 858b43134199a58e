"""Values of JSON files that somebody acts on: programs that take a name of the system, packages, descriptions of tools.

A model that is offered a tool reads its description as it reads its orders. Sources: the specifications of the Model
Context Protocol and of OpenAI's plugins, the documentation of npm, Corepack and spaCy.
"""

import itertools
import json
import re
from collections.abc import Iterator

import msgspec

from modelscan_plus.core.patterns import lazy
from modelscan_plus.core.text import shorten, visible
from modelscan_plus.formats.text import prose
from modelscan_plus.formats.text.agent_orders import orders
from modelscan_plus.formats.text.facts import Remark
from modelscan_plus.formats.text.lookalikes import of_node
from modelscan_plus.formats.text.requirements import requirement_remarks
from modelscan_plus.formats.text.takenover import SYSTEM_NAME, takeover_remarks
from modelscan_plus.formats.text.verdicts import dictated

_LONGEST = 1 << 18
_MOST = 2000
_DESCRIBED = frozenset(("description_for_model", "system_prompt_extension"))
_PARAMETERS = frozenset(
    "inputSchema input_schema parameters inputs arguments function outputSchema args_schema".split()
)
_TAKES = lazy(
    r"\b(?:pass|send|include|provide|give|supply|put|attach|forward|add)\b[^.\n]{0,80}?\b(?:(?P<all>including|with)\s+(?:any|all|every)\s+)?(?:passwords?|api[\s_-]keys?|credentials|"
    r"secrets|private\s+keys?|(?:complete|entire|full|whole)\s+(?:conversation|chat|history|context|system\s+prompt))\b",
    re.I,
)
_INSTALLS = lazy(r"\b(?:pip3?|uv|conda|poetry|npm|yarn|pnpm)\b[^\n]{0,200}\b(?:install|add|sync|config|download)\b")


def value_remarks(value: object, pairs: list[tuple[str, str, str]], place: str) -> Iterator[Remark]:
    """Remarks about the values of one file; `pairs` are its texts with their places and keys."""
    name = place.replace("\\", "/").rpartition("/")[2]
    if isinstance(value, dict) and name == "package.json":
        yield from _of_package(value)
    yield from takeover_remarks("json", place, json.dumps(value, indent=1, default=str)[:_LONGEST])
    for where, key, text in pairs:
        if len(text) > 20 and _INSTALLS.search(text[:4000]):
            yield from (each for each in requirement_remarks(text[:4000], script=True) if each.kind == "index")
        if name == "meta.json" and where.startswith("requirements["):
            yield from requirement_remarks(text[:400])
        if len(text) > 40 and (verdict := dictated(text[:8000])):
            what = "tells those who review the repository what to find"
            yield Remark("agent", what, verdict[0], 1)
        if key in _DESCRIBED:
            yield from _of_tool(text)
    for described in itertools.islice(_tools(value), _MOST):
        yield from _of_tool(described)


def _of_package(value: dict[str, object]) -> Iterator[Remark]:
    programs = value.get("bin")
    names = programs.keys() if isinstance(programs, dict) else ()
    for name in sorted(each for each in names if SYSTEM_NAME.fullmatch(each)):
        what = "takes the name of a program of the system for one of its own"
        yield Remark("system", what, f"bin: {visible(name)}", 1)
    for key in ("dependencies", "devDependencies", "optionalDependencies", "peerDependencies"):
        asked = value.get(key)
        for name in itertools.islice(asked if isinstance(asked, dict) else (), _MOST):
            if meant := of_node(name):
                what = f"asks for a package that is written almost like {meant}"
                yield Remark("lookalike", what, f"{key}: {visible(name)[:80]}", 1)
    manager = value.get("packageManager")
    if isinstance(manager, str) and (found := prose.URL.search(manager)):
        yield Remark(
            "requirement",
            "is installed from an address, not from an index",
            shorten(visible(manager), 160),
            1,
            visible(found.group(1).lower()),
        )


def _of_tool(text: str) -> Iterator[Remark]:
    for each in orders(text[:8000]):
        yield msgspec.structs.replace(each, line=1)
    if (found := _TAKES.search(text)) and (prose.conceals(text) or found["all"]):
        yield Remark(
            "agent", "has a tool ask the model that reads of it for secrets", shorten(visible(found.group()), 160), 1
        )
    if steals := prose.steals(text[:8000]):
        yield Remark("agent", "has a tool ask the model that reads of it for secrets", steals, 1)


def _tools(value: object) -> Iterator[str]:
    """Descriptions of tools and of what they are given."""
    stack: list[tuple[object, bool]] = [(value, False)]
    for _ in range(200_000):
        if not stack:
            return
        node, inside = stack.pop()
        if isinstance(node, list):
            stack += [(item, inside) for item in node if isinstance(item, (dict, list))]
        elif isinstance(node, dict):
            inside = inside or ("name" in node and bool(_PARAMETERS & node.keys()))
            told = node.get("description")
            if inside and isinstance(told, str) and len(told) > 40:
                yield re.sub(r"</?[A-Za-z]{1,20}>", " ", told)
            stack += [(item, inside) for item in node.values() if isinstance(item, (dict, list))]
