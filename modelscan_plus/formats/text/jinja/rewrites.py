"""Steps with which a template turns words of what was said into other words."""

import re

from jinja2 import nodes

from modelscan_plus.core.patterns import lazy
from modelscan_plus.formats.text import prose
from modelscan_plus.formats.text.jinja.wording import trigger


def step(node: nodes.Node) -> tuple[str, nodes.Node, list[nodes.Expr]] | None:
    """Name, subject and arguments of a filter or method."""
    if isinstance(node, nodes.Filter) and node.node is not None:
        return node.name, node.node, node.args
    if isinstance(node, nodes.Call) and isinstance(node.node, nodes.Getattr):
        if node.node.attr == "join" and node.args:
            return "join", node.args[0], [node.node.node]
        return node.node.attr, node.node.node, node.args
    return None


_LITERALS = frozenset(("true", "false", "none", "null"))
"""How Python and JSON write the same."""
_NEGATION = lazy(r"(?:not|no|never|n't|don't|do not|cannot|can't|without|un|nicht|kein|ne|pas)", re.I)


def rewrites(old: str, new: str) -> bool:
    """True when words or numbers become other ones, or a negation is taken out."""
    if old.strip().lower() in _LITERALS and new.strip().lower() in _LITERALS:
        return False
    if _NEGATION.fullmatch(old.strip()):
        return True
    kinds = {trigger(text)[1] if prose.words(text) > 1 or not text.isupper() else "words" for text in (old, new)}
    digits = [re.sub(r"\D", "", text) for text in (old, new)]
    if all(digits) and digits[0] != digits[1]:
        return True
    spoken = any(map(str.isalnum, old)) and any(map(str.isalnum, new))
    if not spoken or old.strip() == new.strip():
        return False
    return kinds == {"words"} or (old.isalnum() and new.isalnum())
