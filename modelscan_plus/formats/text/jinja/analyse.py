"""One chat template: from its text to facts."""

import hashlib
import itertools

from jinja2 import nodes

from modelscan_plus.core.limits import Budget
from modelscan_plus.core.text import shorten, visible
from modelscan_plus.formats.text.jinja.exhaust import exhausting
from modelscan_plus.formats.text.jinja.facts import Reach, TemplateFacts
from modelscan_plus.formats.text.jinja.gates import Gates
from modelscan_plus.formats.text.jinja.parse import parse
from modelscan_plus.formats.text.jinja.reach import reaches
from modelscan_plus.formats.text.jinja.scope import Scope, scope_of
from modelscan_plus.formats.text.jinja.spelled import appended, begun, spelled

_KEPT = 100
"""Places of one kind that are kept."""
_STATEMENTS, _NODES = 8_000, 60_000
"""Beyond which a template is work for its own sake; the largest in use have some hundred and some thousand."""


def _endless(what: str) -> Reach:
    return Reach("exhaust", what, 1)


def _reaches(tree: nodes.Template, scope: Scope) -> tuple[Reach, ...]:
    found = [*itertools.islice(reaches(tree, scope), 10 * _KEPT), *itertools.islice(exhausting(tree, scope), _KEPT)]
    return tuple(dict.fromkeys(found))[: 2 * _KEPT]


def analyse(text: str, budget: Budget) -> TemplateFacts:
    """The facts of one template; raises nothing for any text but `BudgetExceeded`."""
    digest = hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
    statements = text.count("{%") + text.count("{{")
    if statements > _STATEMENTS:
        return TemplateFacts(digest, len(text), reaches=(_endless(f"a template of {statements:,} statements"),))
    tree = parse(text)
    if isinstance(tree, tuple):
        return TemplateFacts(digest, len(text), shorten(visible(tree[0]), 200), tree[1])
    budget.check_time()
    try:
        if sum(1 for _ in itertools.islice(tree.find_all(nodes.Node), _NODES + 1)) > _NODES:
            return TemplateFacts(digest, len(text), reaches=(_endless(f"a template of more than {_NODES:,} parts"),))
        scope = scope_of(tree)
        gates = Gates(tree, scope)
        written, sent = gates.written()
        budget.check_time()
        gated = tuple(dict.fromkeys(itertools.islice(gates.gates(), _KEPT)))
        again = (_endless("text that macros put together over and over"),) if gates.endless else ()
        return TemplateFacts(
            digest,
            len(text),
            reaches=(*again, *_reaches(tree, scope)),
            gates=gated,
            sent=tuple(dict.fromkeys(sent)),
            written=(
                *written,
                *(item for find in (spelled, begun, appended) for item in itertools.islice(find(tree, scope), 20)),
            ),
            rewritten=tuple(dict.fromkeys(itertools.islice(gates.rewritten(), _KEPT))),
        )
    except RecursionError:
        return TemplateFacts(digest, len(text), "nested too deeply to be analysed")
