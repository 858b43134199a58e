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


def _reaches(tree: nodes.Template, scope: Scope) -> tuple[Reach, ...]:
    found = [*itertools.islice(reaches(tree, scope), 10 * _KEPT), *itertools.islice(exhausting(tree, scope), _KEPT)]
    return tuple(dict.fromkeys(found))[: 2 * _KEPT]


def analyse(text: str, budget: Budget) -> TemplateFacts:
    """The facts of one template; raises nothing for any text but `BudgetExceeded`."""
    digest = hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
    tree = parse(text)
    if isinstance(tree, tuple):
        return TemplateFacts(digest, len(text), shorten(visible(tree[0]), 200), tree[1])
    budget.check_time()
    try:
        scope = scope_of(tree)
        gates = Gates(tree, scope)
        written, sent = gates.written()
        budget.check_time()
        return TemplateFacts(
            digest,
            len(text),
            reaches=_reaches(tree, scope),
            gates=tuple(dict.fromkeys(itertools.islice(gates.gates(), _KEPT))),
            sent=tuple(dict.fromkeys(sent)),
            written=(
                *written,
                *(item for find in (spelled, begun, appended) for item in itertools.islice(find(tree, scope), 20)),
            ),
            rewritten=tuple(dict.fromkeys(itertools.islice(gates.rewritten(), _KEPT))),
        )
    except RecursionError:
        return TemplateFacts(digest, len(text), "nested too deeply to be analysed")
