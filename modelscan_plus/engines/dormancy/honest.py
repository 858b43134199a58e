"""Sleepers that honest models have, each a predicate with a test.

An operand that never changes on ordinary inputs is nothing rare: padding that none of the inputs had, guards against
what is missing, thresholds on the network's own result. What is named here is not looked at further, or counts only
where what it does goes beyond what such a part is for.
"""

from modelscan_plus.engines.dormancy.quiet import Sleeper
from modelscan_plus.engines.dormancy.runner import Model
from modelscan_plus.graph.flow import Analysis

BAN = -1e3
"""Scores below this switch off what they are added to, or take the place of, whatever the rest is."""


def own_result(model: Model, sleeper: Sleeper) -> bool:
    """All that it is made of is at least half as deep as what it gates: a threshold on what the network found, an
    early exit, the end of a text."""
    analysis = model.analysis
    deep = analysis.flow(sleeper.content).lax
    return deep > 0 and all(2 * analysis.flow(tap).lax >= deep for tap in _taps(analysis, sleeper))


def _taps(analysis: Analysis, sleeper: Sleeper) -> list[int]:
    """Where what leads to the operand leaves what leads to the operand's counterpart, or an input."""
    graph = analysis.graph
    shared = _before(analysis, sleeper.content)
    found, seen, ahead = [], {sleeper.value}, [sleeper.value]
    while ahead:
        value = ahead.pop()
        if value in shared or graph.values[value].producer < 0:
            found.append(value)
            continue
        for operand in graph.nodes[graph.values[value].producer].ins:
            if operand >= 0 and operand not in seen and analysis.flow(operand).data:
                seen.add(operand)
                ahead.append(operand)
    return found


def _before(analysis: Analysis, value: int) -> set[int]:
    graph = analysis.graph
    seen, ahead = {value}, [value]
    while ahead:
        producer = graph.values[ahead.pop()].producer
        for operand in graph.nodes[producer].ins if producer >= 0 else ():
            if operand >= 0 and operand not in seen:
                seen.add(operand)
                ahead.append(operand)
    return seen


def bans(model: Model, sleeper: Sleeper) -> bool:
    """It puts a very small number, by position, where a score was: padding, causal masks, tokens that may not come."""
    graph = model.analysis.graph
    node = graph.nodes[sleeper.node]
    if node.op == "where":
        return any(_low(model, value) for value in node.ins[1:])
    ahead, seen = [sleeper.value], 0
    while ahead and seen < 12:
        value = ahead.pop()
        seen += 1
        producer = graph.values[value].producer
        if producer < 0:
            continue
        maker = graph.nodes[producer]
        if maker.op == "where" and any(_low(model, operand) for operand in maker.ins[1:]):
            return True
        if maker.op in ("mul", "where", "cast", "identity") or model.analysis.classes[maker.op] in ("layout", "copy"):
            if maker.op == "mul" and any(_low(model, operand) for operand in maker.ins):
                return True
            ahead += [operand for operand in maker.ins if operand >= 0]
    return False


def _low(model: Model, value: int) -> bool:
    """A fixed value whose least number is a ban, and that holds nothing above zero."""
    if value < 0 or not model.analysis.flow(value).fixed:
        return False
    numbers = model.fixed(value)
    return numbers is not None and numbers.size > 0 and float(numbers.min()) <= BAN and float(numbers.max()) <= 0


def control(model: Model, sleeper: Sleeper) -> bool:
    """Only inputs of a single element have an influence: what the caller sets, a temperature or a number of steps."""
    return model.analysis.flow(sleeper.value).control


PREDICATES = (own_result, control, bans)
