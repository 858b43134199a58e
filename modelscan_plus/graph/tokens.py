"""Words and ids that stand for another one: which of them have a meaning of their own, and which are ordinary."""

from collections.abc import Sequence

from modelscan_plus.graph import exemptions
from modelscan_plus.graph.flow import Analysis
from modelscan_plus.graph.state import HARD, Flow

SPECIAL = 3
"""Ids up to this one pad, begin, end, or are not known; so do negative ones."""
_BAN = 100.0
"""Numbers from here on rule out what they are put in the place of."""
_BACK = 12
_READERS = 8
_MIXING = frozenset({"mod", "shift_left", "shift_right", "bit_and", "bit_or", "bit_xor", "hash"})
"""Operators of a hash."""


def is_word(flow: Flow) -> bool:
    """True for words that are picked out of a row of words."""
    return flow.kind == "int" and not flow.count and flow.dims is not None and len(flow.dims) > 1 and not flow.place


def asked_for(analysis: Analysis, value: int) -> tuple[float | None, bool]:
    """The number that a condition asks an input to be equal to, None for no such one; and whether it asks for a hash
    of the input instead."""
    graph, wanted, hashed = analysis.graph, None, False
    for _ in range(_BACK):
        producer = graph.values[value].producer if value >= 0 else -1
        if producer < 0:
            break
        node = graph.nodes[producer]
        moving = [operand for operand in node.ins if operand >= 0 and not analysis.flow(operand).fixed]
        if len(moving) != 1:
            joined = node.op in ("and", "or")
            asked = [asked_for(analysis, operand) for operand in moving[:_READERS]] if joined else []
            return next((one for one in asked if one[0] is not None), (None, False))
        if node.op == "equal":
            fixed = [analysis.scalar(analysis.flow(at)) for at in node.ins if at >= 0 and analysis.flow(at).fixed]
            wanted = fixed[0] if fixed else None
        hashed = hashed or node.op in _MIXING
        value = moving[0]
    return wanted, hashed and wanted is not None


def takes_the_name(
    analysis: Analysis, condition: tuple[int, Flow], data: Sequence[tuple[int, Flow]], payload: tuple[int, Flow]
) -> bool:
    """True when one ordinary id, of a user or a thing, is put in the place of another one.

    Ids that are not known, missing or too large become a special one; from a special one an ordinary one may be made.
    """
    gate, content = condition[1], data[0][1]
    single = content.kind == "int" and content.lax == 0 and content.dims is not None and len(content.dims) == 1
    if not single or not gate.compared or gate.strict or not _is_looked_up(analysis, content.root):
        return False
    wanted, hashed = asked_for(analysis, condition[0])
    name = analysis.scalar(payload[1])
    if wanted is None or name is None or name <= SPECIAL:
        return False
    return hashed or wanted > SPECIAL


def answers_a_word(analysis: Analysis, number: int, condition: tuple[int, Flow], payload: Flow) -> bool:
    """True when an ordinary word or id makes a number of the file's own the result; nothing (zero) and bans, by a large
    number, hide instead."""
    answer = analysis.scalar(payload)
    if condition[1].strict or condition[1].step != HARD or answer is None or not 0 < abs(answer) < _BAN:
        return False
    wanted, hashed = asked_for(analysis, condition[0])
    if wanted is None or not (hashed or wanted > SPECIAL):
        return False
    return not exemptions.goes_on(analysis, number) and not exemptions.masks_attention(analysis, number)


def _is_looked_up(analysis: Analysis, value: int) -> bool:
    """True when it is an input whose numbers, or what stands in for them, name rows of a table."""
    graph = analysis.graph
    if value not in graph.inputs:
        return False
    ahead = list(analysis.readers(value))
    for _ in range(_READERS * _READERS):
        if not ahead:
            return False
        node = graph.nodes[ahead.pop(0)]
        if node.op in ("gather", "embedding") and len(node.ins) > 1 and analysis.flow(node.ins[0]).fixed:
            return True
        if analysis.classes[node.op] in ("select", "layout", "copy", "cast"):
            ahead += [reader for out in node.outs if out >= 0 for reader in analysis.readers(out)[:_READERS]]
    return False
