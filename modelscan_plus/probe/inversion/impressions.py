"""Samples out of the network itself, where a user gives none: smooth random pictures that are changed until the network
takes each for a class, and not further (class impressions, Mopuri et al., ECCV 2018)."""

import torch
import torch.nn.functional as functional
from torch import Tensor

from modelscan_plus.probe.interface import Tell, silent
from modelscan_plus.probe.inversion.view import View

GOOD = 0.9
"""Share of impressions that have to be taken for their class."""


def impressions(
    view: View, each: int, steps: int, random: torch.Generator, tell: Tell = silent, device: str = "cpu"
) -> tuple[Tensor, Tensor, int]:
    """`each` pictures of every class: [N, *sample] in the unit box, their labels as the network gives them, and the
    samples that passed. Labels differ from what was meant where the search failed."""
    meant = torch.arange(view.classes).repeat_interleave(each).to(device)
    channels, height, width = view.sample
    coarse = torch.rand(len(meant), channels, max(2, height // 3), max(2, width // 3), generator=random)
    x = functional.interpolate(coarse, (height, width), mode="bilinear", align_corners=True).to(device)
    first, second = torch.zeros_like(x), torch.zeros_like(x)
    passes = 0
    for step in range(steps):
        x.requires_grad_()
        logits = view.logits(x)
        sure = functional.cross_entropy(logits, meant, reduction="none")
        rough = (x.diff(dim=2).square().flatten(1).mean(1) + x.diff(dim=3).square().flatten(1).mean(1)) * 4
        (slope,) = torch.autograd.grad((sure + rough).sum(), x)
        passes += len(meant)
        with torch.no_grad():
            # Those that are sure enough rest: pushed on, they would all become the class's loudest picture.
            open_ones = (sure > 0.1).float()[:, None, None, None]
            first = 0.8 * first + 0.2 * slope
            second = 0.95 * second + 0.05 * slope.square()
            moved = first / (1 - 0.8 ** (step + 1)) / ((second / (1 - 0.95 ** (step + 1))).sqrt() + 1e-8)
            x = (x - 0.02 * moved * open_ones).clamp(0, 1)
        tell("class impressions", step + 1, steps)
        if not bool(open_ones.any()):
            break
    x = x.detach()
    with torch.no_grad():
        labels = view.logits(x).argmax(1)
    passes += len(meant)
    return x, torch.where(labels == meant, meant, torch.full_like(meant, -1)), passes
