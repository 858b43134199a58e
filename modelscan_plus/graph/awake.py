"""Gates that are awake: what a small gate gives on ordinary inputs is found by running it.

A trigger sleeps on ordinary inputs. A gate that is open for a good part of them and shut for another, whatever size
the numbers have, is a rule of the model, as night for a solar plant or another model for another regime; and one that
takes ever new values is no step. Neither may bring content of the file's own. Pixels are of a known size, so that a
gate on a picture has to be awake in every round; columns are not.
"""

from modelscan_plus.graph.arrays import Array, Unsupported, count
from modelscan_plus.graph.evaluate import Evaluator
from modelscan_plus.graph.flow import Analysis
from modelscan_plus.graph.ordinary import Branch, Maker, dims_of_input, trace
from modelscan_plus.graph.state import HARD, Flow

_NODES = 64
"""Operators of one gate."""
_INPUT = 20_000
"""Elements of the inputs of one gate."""
_ROUNDS, _RUNS = 6, 40
"""Rounds, each with numbers of another size or another kind of chance, and runs of each."""
_STATES = 400
"""Numbers of one round that are kept."""
STEPS = 2_000_000
"""Numbers that all runs for one graph may read, make and multiply."""
_OFTEN = 0.15
_ALWAYS = 0.05
"""The same where it is in all rounds."""
_COMMON = 3
"""Rounds in which both states have to be common."""
_GRADED = 4
"""Rounds in which the values have to differ."""
_ALIKE, _DIFFERENT = 0.7, 8
_PICTURE = 4

Rounds = list[list[float]]


def is_awake(analysis: Analysis, value: int, gate: Flow) -> bool:
    """True when a gate that carries nothing of the file's own is no trigger, as ordinary inputs show."""
    plain = not (gate.payload or gate.random or gate.shape or gate.strict) and gate.data and gate.gate
    if not plain:
        return False
    return is_common(analysis, value, _OFTEN) if gate.gate == HARD else is_graded(analysis, value)


def is_common(analysis: Analysis, value: int, share: float) -> bool:
    """True when a condition is true for such a share of ordinary numbers at least, and false for such a share."""
    branch, rounds = _run(analysis, value)
    if branch is None or any(analysis.graph.values[source].kind != "float" for source in branch.inputs):
        return False
    rarer = [1 - max(one.count(state) for state in set(one)) / len(one) for one in rounds]
    often = sum(part >= share for part in rarer)
    if min(rarer, default=0.0) >= _ALWAYS:
        return True
    sizes = [analysis.graph.values[source].dims or () for source in branch.inputs]
    return often >= (_ROUNDS if any(len(dims) >= _PICTURE for dims in sizes) else _COMMON)


def is_graded(analysis: Analysis, value: int) -> bool:
    """True when a value goes on changing: hardly two ordinary inputs give the same."""
    _, rounds = _run(analysis, value)
    kinds = [(max(one.count(state) for state in set(one)) / len(one), len(set(one))) for one in rounds]
    return sum(alike <= _ALIKE and different >= _DIFFERENT for alike, different in kinds) >= _GRADED


def _run(analysis: Analysis, value: int) -> tuple[Branch | None, Rounds]:
    """What the value is in each round; nothing where it cannot be run."""
    known = analysis.awake.get(value)
    if known is None:
        branch = trace(analysis, value, _NODES)
        rounds: Rounds = []
        if branch is not None and branch.inputs:
            try:
                rounds = _rounds(analysis, branch)
            except (Unsupported, RecursionError, ArithmeticError, ValueError):
                rounds = []
        known = analysis.awake[value] = (branch if rounds else None, rounds)
    return known


def _rounds(analysis: Analysis, branch: Branch) -> Rounds:
    values = analysis.graph.values
    makers = [Maker(analysis, source, branch) for source in branch.inputs]
    dims = [dims_of_input(values[source].dims) for source in branch.inputs]
    if sum(map(count, dims)) > _INPUT:
        return []
    picture = any(len(size) >= _PICTURE for size in dims)
    evaluator = Evaluator(analysis.graph)
    rounds: Rounds = []
    for turn in range(_ROUNDS):
        states: list[float] = []
        for _ in range(_RUNS):
            inputs = zip(branch.inputs, dims, makers, strict=True)
            given = {source: Array(size, maker.ordinary(turn)) for source, size, maker in inputs}
            made = evaluator.run(branch.nodes, given)[branch.value].data
            states += [round(number, 3) if number == number else -1.0 for number in made[: _STATES // _RUNS]]
            if evaluator.work + analysis.rehearsed > STEPS:
                analysis.rehearsed += evaluator.work
                return []
        rounds.append(states)
        if picture and max(map(states.count, set(states)), default=0) > (1 - _ALWAYS) * len(states):
            rounds = []  # pictures have to be awake in every round
            break
    analysis.rehearsed += evaluator.work
    return rounds if all(rounds) else []
