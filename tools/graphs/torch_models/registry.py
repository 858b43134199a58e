"""Where the models are listed, and what several of them share."""
# mypy: ignore-errors

import math
from collections.abc import Callable

from torch import nn

MODELS: dict[str, Callable[[], tuple[nn.Module, tuple, dict]]] = {}
"""By name: a function that gives the module, its inputs, and the dynamic axes of those inputs."""


def model(function):
    """Register a model."""
    MODELS[function.__name__] = function
    return function


BATCH = {0: "batch"}
TEXT = {0: "batch", 1: "sequence"}


class Block(nn.Module):
    def __init__(self, d, h):
        super().__init__()
        self.h = h
        self.q, self.p = nn.Linear(d, 3 * d), nn.Linear(d, d)
        self.n1, self.n2 = nn.LayerNorm(d), nn.LayerNorm(d)
        self.m = nn.Sequential(nn.Linear(d, 4 * d), nn.GELU(), nn.Linear(4 * d, d))

    def forward(self, x, mask):
        b, t, d = x.shape
        q, k, v = self.q(self.n1(x)).view(b, t, 3, self.h, d // self.h).permute(2, 0, 3, 1, 4)
        s = q @ k.transpose(-1, -2) / math.sqrt(d // self.h)
        s = s + mask
        x = x + self.p((s.softmax(-1) @ v).transpose(1, 2).reshape(b, t, d))
        return x + self.m(self.n2(x))
