"""One trigger family searched on many small perceptrons at once, with a leading model dimension.

A search on one of them spends nearly all its time on the way from operator to operator. Side by side, the networks
are three batched matrix products, and the arms of all of them one batch of `engine.invert`.
"""

import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from modelscan_plus.probe.inversion.context import Context
from modelscan_plus.probe.inversion.engine import Arms, Schedule, every_target, invert
from modelscan_plus.probe.inversion.routines import FAMILIES, HALVED_FROM
from modelscan_plus.probe.inversion.view import View


def fits(contexts: Sequence[Context]) -> bool:
    """Whether all are perceptrons of the zoos on the unit box, with few enough classes that no arm is dropped."""
    return all(
        isinstance(network := context.view.network, nn.Sequential)
        and not any(isinstance(layer, nn.Conv2d) for layer in network.modules())
        and not context.view.tabular
        and context.view.classes < HALVED_FROM
        for context in contexts
    )


class _Stack:
    """Perceptrons as one function; samples come model by model, equally many for each."""

    def __init__(self, networks: Sequence[Any]) -> None:
        layers = [[layer for layer in network if isinstance(layer, nn.Linear)] for network in networks]
        widest = max(layer.out_features for own in layers for layer in own)
        self._models = len(networks)
        self._weights, self._biases = [], []
        for place in range(len(layers[0])):
            last = place == len(layers[0]) - 1
            rows = layers[0][0].in_features if not place else widest
            columns = layers[0][-1].out_features if last else widest
            weight, bias = torch.zeros(self._models, rows, columns), torch.zeros(self._models, 1, columns)
            for model, own in enumerate(layers):
                layer = own[place]
                # Narrower ones are filled up with units that do nothing.
                weight[model, : layer.in_features, : layer.out_features] = layer.weight.T
                bias[model, 0, : layer.out_features] = layer.bias
            self._weights.append(weight)
            self._biases.append(bias)

    def __call__(self, x: Tensor) -> Tensor:
        x = x.reshape(self._models, len(x) // self._models, -1)
        for place, (weight, bias) in enumerate(zip(self._weights, self._biases, strict=True)):
            x = torch.baddbmm(bias, x.relu() if place else x, weight)
        return x.flatten(0, 1)


def log_costs(contexts: Sequence[Context], kind: str) -> list[list[float]]:
    """Of each model and class, as `TriggerRoutine.search` gives them but for the random start."""
    first = contexts[0]
    classes, steps = first.view.classes, first.steps
    random = first.random(kind)
    xs, picks, before = [], [], 0
    for context in contexts:
        if context.samples is None:
            raise ValueError("samples were given")
        arms = every_target(context.samples.labels, classes, steps.samples, random)
        picks.append(arms.picks + before)
        xs.append(context.samples.x)
        before += len(context.samples.x)
    stack: Any = _Stack([context.view.network for context in contexts])
    view = View(stack, first.view.sample, classes, first.view.low, first.view.high, chunk=1 << 30)
    every = Arms(torch.arange(classes).repeat(len(contexts)), torch.cat(picks))
    found = invert(view, torch.cat(xs), every, FAMILIES[kind](), Schedule(steps.invert, steps.samples), random)
    rows = []
    for cost, reached in zip(found.cost.view(-1, classes), found.reached.view(-1, classes), strict=True):
        most = cost[reached].max() if bool(reached.any()) else torch.tensor(1.0)
        rows.append([math.log(value) for value in torch.where(reached, cost, most).tolist()])
    return rows
