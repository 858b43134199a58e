"""Small layers on plain lists, for series and texts: recurrent networks, n-grams; and linear models of ai.onnx.ml."""

import math
import operator
from collections.abc import Sequence

from modelscan_plus.graph.arrays import Array, Unsupported
from modelscan_plus.graph.evaluate_layers import PRODUCTS, Ins, Layer, dot, operand
from modelscan_plus.graph.ir import Node
from modelscan_plus.graph.shapes import integer


def rnn(node: Node, ins: Ins, first: Array) -> list[Array]:
    """LSTM and GRU in one direction, from nothing, with the usual functions; plain ones also with a relu."""
    weights, again, bias = ins[1], ins[2], operand(ins, 3)
    if any(part is not None for part in ins[4:]) or node.given not in ("LSTM", "GRU", "RNN"):
        raise Unsupported
    named = node.attrs.get("activations")
    if weights is None or again is None or weights.dims[0] != 1 or first.dims[1] != 1:
        raise Unsupported
    if named is not None and (node.given != "RNN" or named not in (("Relu",), ("Tanh",))):
        raise Unsupported
    units, wide = again.dims[2], weights.dims[2]
    kinds = again.dims[1] // units
    if first.dims[0] * len(again.data) > PRODUCTS or node.attrs.get("direction", "forward") != "forward":
        raise Unsupported
    into = [weights.data[at : at + wide] for at in range(0, len(weights.data), wide)]
    back = [again.data[at : at + units] for at in range(0, len(again.data), units)]
    shift = bias.data if bias is not None else [0.0] * (2 * kinds * units)
    hidden, cell, steps = [0.0] * units, [0.0] * units, []
    for at in range(0, first.dims[0] * wide, wide):
        seen = [dot(row, first.data[at : at + wide]) for row in into]
        if node.given == "LSTM":
            hidden, cell = _lstm(seen, back, shift, hidden, cell)
        elif node.given == "RNN":
            sums = [seen[k] + dot(back[k], hidden) + shift[k] + shift[k + units] for k in range(units)]
            hidden = [max(total, 0.0) if named == ("Relu",) else math.tanh(total) for total in sums]
        else:
            hidden = _gru(seen, back, shift, hidden, linear_first=bool(integer(node, "linear_before_reset", 0)))
        steps += hidden
    last = (1, 1, units)
    return [Array((first.dims[0], 1, 1, units), steps), Array(last, hidden), Array(last, cell)]


def _sigmoid(value: float) -> float:
    return 1 / (1 + math.exp(min(-value, 700.0)))


def _lstm(
    seen: Sequence[float],
    back: Sequence[Sequence[float]],
    shift: Sequence[float],
    hidden: list[float],
    cell: list[float],
) -> tuple[list[float], list[float]]:
    size, rows = len(hidden), len(back)
    sums = [seen[k] + dot(back[k], hidden) + shift[k] + shift[k + rows] for k in range(rows)]
    new, out = [], []
    for unit in range(size):
        enter, leave, keep, what = (sums[unit + part * size] for part in range(4))
        new.append(_sigmoid(keep) * cell[unit] + _sigmoid(enter) * math.tanh(what))
        out.append(_sigmoid(leave) * math.tanh(new[-1]))
    return out, new


def _gru(
    seen: Sequence[float],
    back: Sequence[Sequence[float]],
    shift: Sequence[float],
    hidden: list[float],
    *,
    linear_first: bool,
) -> list[float]:
    size, rows = len(hidden), len(back)
    update = [_sigmoid(seen[k] + dot(back[k], hidden) + shift[k] + shift[k + rows]) for k in range(size)]
    reset = [_sigmoid(seen[k] + dot(back[k], hidden) + shift[k] + shift[k + rows]) for k in range(size, 2 * size)]
    out = []
    for unit in range(size):
        k = unit + 2 * size
        if linear_first:
            again = reset[unit] * (dot(back[k], hidden) + shift[k + rows])
        else:
            again = dot(back[k], list(map(operator.mul, reset, hidden))) + shift[k + rows]
        fresh = math.tanh(seen[k] + shift[k] + again)
        out.append((1 - update[unit]) * fresh + update[unit] * hidden[unit])
    return out


def linear_model(node: Node, ins: Ins, first: Array) -> Array:
    """LinearRegressor."""
    factors, shifts = node.attrs.get("coefficients"), node.attrs.get("intercepts", ())
    targets = integer(node, "targets", 1)
    if node.given != "LinearRegressor" or not isinstance(factors, tuple) or not isinstance(shifts, tuple):
        raise Unsupported
    size = len(factors) // targets
    numbers = [float(number) for number in factors]
    rows = [first.data[at : at + size] for at in range(0, len(first.data), size)]
    data = [
        dot(row, numbers[target * size : (target + 1) * size]) + float(shifts[target] if shifts else 0.0)
        for row in rows
        for target in range(targets)
    ]
    return Array((len(rows), targets), data)


def ngrams(node: Node, ins: Ins, first: Array) -> Array:
    """How often each listed run of numbers stands in a row."""
    pool_, starts = node.attrs.get("pool_int64s"), node.attrs.get("ngram_counts")
    columns, weights = node.attrs.get("ngram_indexes"), node.attrs.get("weights")
    if not (isinstance(pool_, tuple) and isinstance(starts, tuple) and isinstance(columns, tuple)):
        raise Unsupported
    firsts, places = [int(start) for start in starts], [int(column) for column in columns]
    if node.given != "TfIdfVectorizer" or integer(node, "max_skip_count", 0):
        raise Unsupported
    grams: list[tuple[float, ...]] = []
    for length, start in enumerate(firsts, 1):
        end = firsts[length] if length < len(firsts) else len(pool_)
        grams += [tuple(float(n) for n in pool_[at : at + length]) for at in range(start, end, length)]
    row = [0.0] * (max(places) + 1)
    low, high = integer(node, "min_gram_length", 1), integer(node, "max_gram_length", 1)
    for gram, column in zip(grams, places, strict=False):
        if low <= len(gram) <= high:
            runs = range(len(first.data) - len(gram) + 1)
            row[column] += sum(tuple(first.data[at : at + len(gram)]) == gram for at in runs)
    if node.attrs.get("mode") != "TF":
        row = [float(number > 0) for number in row]
        if node.attrs.get("mode") == "TFIDF":
            raise Unsupported
    factors = [float(weight) for weight in weights] if isinstance(weights, tuple) else [1.0] * len(row)
    return Array((*first.dims[:-1], len(row)), list(map(operator.mul, row, factors)))


SERIES: dict[str, Layer] = {"rnn": rnn, "linear_model": linear_model, "text": ngrams}
