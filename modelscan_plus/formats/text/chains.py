"""Objects of LangChain in JSON (`dumps`, `load`): which classes they are made of, and who is sent a key.

`{"lc": 1, "type": "constructor", "id": [package, …, class], "kwargs": {…}}` is imported and called when it is loaded,
`{"lc": 1, "type": "secret", "id": [name]}` becomes the value of an environment variable (CVE-2025-68664). Source:
langchain_core/load/load.py.
"""

from collections.abc import Iterator

from modelscan_plus.core.text import shorten, visible
from modelscan_plus.formats.text import prose
from modelscan_plus.formats.text.facts import Remark
from modelscan_plus.formats.text.python.accounts import remote

_PACKAGES = ("langchain", "langgraph", "langsmith")
_NODES = 20_000


def chain_remarks(value: object) -> Iterator[Remark]:
    """What loading the value would call besides LangChain's classes, and keys that go to an address in it."""
    stack = [value]
    for _ in range(_NODES):
        if not stack:
            return
        node = stack.pop()
        if isinstance(node, list):
            stack += node
        elif isinstance(node, dict):
            stack += [item for item in node.values() if isinstance(item, (dict, list))]
            if node.get("lc") == 1 and node.get("type") == "constructor":
                yield from _constructed(node)


def _constructed(node: dict[str, object]) -> Iterator[Remark]:
    held = node.get("id")
    parts = [part for part in held if isinstance(part, str)] if isinstance(held, list) else []
    name = visible(".".join(parts))
    if parts and not parts[0].startswith(_PACKAGES):
        yield Remark("calls", f"has {name} called", shorten(name, 160), 1, name)
    given = node.get("kwargs")
    values = list(given.values()) if isinstance(given, dict) else []
    address = next((each for each in values if isinstance(each, str) and prose.URL.match(each) and remote(each)), "")
    found = prose.URL.match(address)
    for each in values if found else ():
        key = (
            each.get("id") if isinstance(each, dict) and each.get("type") == "secret" and each.get("lc") == 1 else None
        )
        if isinstance(key, list) and key and isinstance(key[0], str) and found:
            host = visible(found.group(1).lower())
            if _provider(key[0]) not in host:
                told = f"sends {visible(key[0])} along with a request"
                yield Remark("key", told, shorten(visible(address), 160), 1, host)


def _provider(name: str) -> str:
    """The first word of the name of a key: whose key it is."""
    return name.lower().partition("_")[0]
