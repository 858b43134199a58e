"""Two published searches as their papers describe them, to hold cost and power of ours against in the same run.

Neural Cleanse (Wang et al., S&P 2019) turns samples into each class by a mask and a pattern; MM-BD (Wang et al., S&P
2024) looks for each class's largest margin from 30 starts of 300 steps. Both take one class after the other.
"""

import math
import time

import torch
import torch.nn.functional as functional

from modelscan_plus.probe.inversion.view import View


def neural_cleanse(view: View, x: torch.Tensor, steps: int = 300, images: int = 36) -> tuple[float, float]:
    """The anomaly index of the cheapest mask, and CPU seconds. x: [N, *sample] in the unit box."""
    start = time.process_time()
    x = x[torch.arange(images) % len(x)]
    areas = []
    for target in range(view.classes):
        mask = torch.full((1, 1, *view.sample[1:]), -2.0, requires_grad=True)
        pattern = torch.zeros((1, *view.sample), requires_grad=True)
        search, price = torch.optim.Adam([mask, pattern], lr=0.1, betas=(0.5, 0.9)), 1e-3
        best = math.inf
        for _ in range(steps):
            share = mask.sigmoid()
            logits = view.logits(x * (1 - share) + pattern.sigmoid() * share)
            wanted = torch.full((images,), target)
            loss = functional.cross_entropy(logits, wanted) + price * share.sum()
            search.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            search.step()
            good = float((logits.argmax(1) == target).float().mean()) >= 0.99
            best = min(best, float(share.detach().sum())) if good else best
            price *= 1.2 if good else 1 / 1.2
        areas.append(min(best, float(math.prod(view.sample[1:]))))
    found = torch.tensor(areas)
    spread = 1.4826 * (found - found.median()).abs().median()
    return float((found.median() - found.min()) / spread.clamp_min(1e-6)), time.process_time() - start


def maximum_margin(view: View, starts: int = 30, steps: int = 300) -> tuple[float, float]:
    """The strength, log(1 - p) of the largest margin in a gamma law fitted to the others, and CPU seconds."""
    start = time.process_time()
    largest = []
    for target in range(view.classes):
        x = torch.rand(starts, *view.sample, requires_grad=True)
        search = torch.optim.SGD([x], lr=1e-2, momentum=0.2)
        for _ in range(steps):
            logits = view.logits(x.clamp(0, 1))
            others = logits.clone()
            others[:, target] = -torch.inf
            margin = logits[:, target] - others.max(1).values
            search.zero_grad()
            (-margin.sum()).backward()  # type: ignore[no-untyped-call]
            search.step()
        largest.append(float(margin.detach().max()))
    place = max(range(len(largest)), key=lambda at: largest[at])
    rest = torch.tensor([max(value, 1e-3) for at, value in enumerate(largest) if at != place])
    shape = (rest.mean() ** 2 / rest.var().clamp_min(1e-9)).double()
    tail = float(torch.special.gammaincc(shape, shape / rest.mean() * max(largest[place], 1e-3)))
    return len(largest) * math.log1p(-min(tail, 1 - 1e-12)), time.process_time() - start
