"""How sure a network can be made of each class, without any data: the largest margin between a class's logit and the
runner-up over the whole box (MM-BD, Wang et al., S&P 2024). A trigger that always wins leaves its class a margin that
no other has. Published with 30 starts of 300 steps of gradient descent, one class after the other; here a few starts,
Adam, all classes in one batch, and an end when the best margins no longer rise.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from modelscan_plus.probe.interface import Tell, silent
from modelscan_plus.probe.inversion.view import View


@dataclass(frozen=True, slots=True)
class Margins:
    """The largest margins found, [K], the points where they lie, [K, *sample], and the samples that passed."""

    margin: Tensor
    points: Tensor
    passes: int


def largest_margins(
    view: View, starts: int, steps: int, random: torch.Generator, tell: Tell = silent, device: str = "cpu"
) -> Margins:
    """Search from random points of the box."""
    count = view.classes * starts
    x = torch.rand(count, *view.sample, generator=random).to(device)
    targets = torch.arange(view.classes, device=device).repeat_interleave(starts)
    first, second = torch.zeros_like(x), torch.zeros_like(x)
    last = torch.full((view.classes,), -torch.inf, device=device)
    passes = 0
    rate = 0.1
    for step in range(steps):
        x.requires_grad_()
        margin = margins(view.logits(x), targets)
        (slope,) = torch.autograd.grad(margin.sum(), x)
        passes += count
        with torch.no_grad():
            first = 0.7 * first + 0.3 * slope
            second = 0.9 * second + 0.1 * slope.square()
            moved = rate * (first / (1 - 0.7 ** (step + 1))) / ((second / (1 - 0.9 ** (step + 1))).sqrt() + 1e-8)
            x = (x + moved).clamp(0, 1)
            rate *= 0.97
            if step % 10 == 9:
                best = margin.view(view.classes, starts).max(1).values
                if bool((best - last < 0.005 * best.abs()).all()):
                    break
                last = best
        tell("margin", step + 1, steps)
    with torch.no_grad():
        margin = margins(view.logits(x), targets).view(view.classes, starts)
        places = margin.argmax(1) + torch.arange(view.classes, device=device) * starts
    return Margins(margin.max(1).values.cpu(), x.detach()[places].cpu(), passes)


def margins(logits: Tensor, targets: Tensor) -> Tensor:
    """[N]: the target's logit less the largest other one."""
    own = logits.gather(1, targets[:, None])[:, 0]
    return own - logits.scatter(1, targets[:, None], -torch.inf).max(1).values
