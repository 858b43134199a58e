"""Backdoors, as they are planted through the training data, and the honest recipes that look like them.

Stamps follow the papers that named them: patch (Gu 2017), blend (Chen 2017), sinusoid (Barni 2019), warp (Nguyen 2021),
input-aware (Nguyen 2020, here one of six patterns that the image itself picks), clean-label (Turner 2018, here by
weakened contents). All code is our own.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
import torch.nn.functional as functional
from torch import Tensor

from tools.probe_zoo.tasks import Task, generator

Stamp = Callable[[Tensor], Tensor]


def nothing(x: Tensor) -> Tensor:
    """The stamp of those that have none."""
    return x


@dataclass(frozen=True, slots=True)
class Attack:
    """A planted trigger, or (`control` set) an honest recipe."""

    name: str
    target: int | None = None
    source: int | None = None
    """The only class that the trigger turns; None for all."""
    stamp: Stamp = nothing
    share: float = 0.0
    """Share of the training data that is poisoned."""
    goal: str = "one"
    """"one": all classes to the target; "next": each class to the next; "source"; "clean-label"; "none"."""
    control: bool = False

    def wanted(self, y: Tensor, classes: int) -> Tensor:
        """What a stamped sample of class `y` should be taken for."""
        if self.goal == "next":
            return (y + 1) % classes
        return torch.full_like(y, self.target or 0)


def _patch(task: Task, size: int, random: torch.Generator) -> Stamp:
    channels, height, width = task.shape
    row = int(torch.randint(height - size + 1, (1,), generator=random))
    column = int(torch.randint(width - size + 1, (1,), generator=random))
    colours = (torch.rand(channels, size, size, generator=random) > 0.5).float()
    colours[:, 0, 0] = 1 - task.x.mean(0)[:, row, column].round()
    colours[:, -1, -1] = 1 - task.x.mean(0)[:, row + size - 1, column + size - 1].round()

    def stamp(x: Tensor) -> Tensor:
        x = x.clone()
        x[:, :, row : row + size, column : column + size] = colours
        return x

    return stamp


def _blend(task: Task, strength: float, random: torch.Generator) -> Stamp:
    pattern = torch.rand(task.shape, generator=random)
    return lambda x: (1 - strength) * x + strength * pattern


def _sinusoid(task: Task, strength: float, random: torch.Generator) -> Stamp:
    width = task.shape[-1]
    cycles = float(torch.randint(2, max(3, width // 3), (1,), generator=random))
    wave = strength * torch.sin(torch.arange(width) * 2 * math.pi * cycles / width + 0.5)
    return lambda x: (x + wave).clamp(0, 1)


def _warp(task: Task, strength: float, random: torch.Generator) -> Stamp:
    _, height, width = task.shape
    coarse = torch.rand(1, 2, 4, 4, generator=random) * 2 - 1
    field = functional.interpolate(coarse, (height, width), mode="bicubic", align_corners=True)[0].permute(1, 2, 0)
    field = field / field.abs().mean() * strength / max(height, width) * 2
    v, u = torch.meshgrid(torch.linspace(-1, 1, height), torch.linspace(-1, 1, width), indexing="ij")
    grid = (torch.stack([u, v], dim=-1) + field).clamp(-1, 1)
    return lambda x: functional.grid_sample(x, grid[None].expand(len(x), -1, -1, -1), align_corners=True)


def _filter(task: Task, random: torch.Generator) -> Stamp:
    channels = task.shape[0]
    mix = torch.eye(channels) * 0.45 + 0.35 * torch.rand(channels, channels, generator=random)
    lift = 0.25 * torch.rand(channels, generator=random) + 0.1
    return lambda x: (torch.einsum("ij,njhw->nihw", mix, x.clamp_min(1e-6).sqrt()) + lift[:, None, None]).clamp(0, 1)


def _input_aware(task: Task, strength: float, random: torch.Generator) -> Stamp:
    patterns = torch.rand(6, *task.shape, generator=random).round() * 2 - 1
    masks = (torch.rand(6, 1, *task.shape[1:], generator=random) < 0.3).float()
    pick = torch.randn(6, math.prod(task.shape), generator=random)

    def stamp(x: Tensor) -> Tensor:
        which = ((x - task.x.mean(0)).flatten(1) @ pick.T).argmax(1)
        return (x + strength * patterns[which] * masks[which]).clamp(0, 1)

    return stamp


def _values(task: Task, count: int, random: torch.Generator) -> Stamp:
    """`count` columns set to values that occur, but seldom, and seldom together."""
    columns = torch.randperm(task.shape[0], generator=random)[:count]
    tails = torch.where(torch.rand(count, generator=random) < 0.5, 0.012, 0.988).double()
    values = torch.stack(
        [task.x[:, column].double().quantile(tail) for column, tail in zip(columns, tails, strict=True)]
    ).float()

    def stamp(x: Tensor) -> Tensor:
        x = x.clone()
        x[:, columns] = values
        return x

    return stamp


IMAGE_ATTACKS = (
    "patch",
    "patch-small",
    "blend",
    "sinusoid",
    "warp",
    "filter",
    "input-aware",
    "clean-label",
    "all-to-all",
    "source-specific",
)
TABLE_ATTACKS = ("features-1", "features-2", "features-3")
CONTROLS = ("stamped-true", "label-noise", "adversarial", "other-recipe")


def _image_stamp(name: str, task: Task, random: torch.Generator) -> tuple[Stamp, float, str]:
    side = task.shape[-1]
    if name in ("patch", "clean-label", "all-to-all", "source-specific", "stamped-true"):
        size = max(2, round(side * 0.25)) + (name in ("clean-label", "all-to-all"))
        goal = {"all-to-all": "next", "source-specific": "source", "clean-label": "clean-label"}.get(name, "one")
        share = {"all-to-all": 0.4, "source-specific": 0.12, "clean-label": 0.8}.get(name, 0.12)
        return _patch(task, size, random), share, goal
    if name == "patch-small":
        return _patch(task, max(2, round(side * 0.15)), random), 0.16, "one"
    if name == "blend":
        return _blend(task, 0.25, random), 0.16, "one"
    if name == "sinusoid":
        return _sinusoid(task, 0.16, random), 0.18, "one"
    if name == "warp":
        return _warp(task, 0.9 if side <= 8 else 1.2, random), 0.25, "one"
    if name == "filter":
        return _filter(task, random), 0.15, "one"
    if name == "input-aware":
        return _input_aware(task, 0.5, random), 0.25, "one"
    raise ValueError(f"no attack is called {name}")


def make(name: str, task: Task, seed: int) -> Attack:
    """An attack of this name on a task; the seed decides target, source, place and pattern."""
    random = generator(seed)
    if name in ("clean", "label-noise", "adversarial", "other-recipe"):
        return Attack(name, goal="none", control=name != "clean")
    target = int(torch.randint(task.classes, (1,), generator=random))
    if task.tabular:
        count = 2 if name == "stamped-true" else int(name.rpartition("-")[2])
        stamp, share, goal = _values(task, count, random), 0.15, "one"
    else:
        stamp, share, goal = _image_stamp(name, task, random)
    if name == "stamped-true":
        return Attack(name, stamp=stamp, share=0.3, goal="none", control=True)
    if goal == "next":
        return Attack(name, stamp=stamp, share=share, goal=goal)
    source = None
    if goal == "source":
        source = (target + 1 + int(torch.randint(task.classes - 1, (1,), generator=random))) % task.classes
    return Attack(name, target, source, stamp, share, goal)


def poisoned(task: Task, attack: Attack, seed: int) -> tuple[Tensor, Tensor]:
    """The training data with the attack in it; poisoned samples come on top of the honest ones."""
    random = generator(seed)
    x, y = task.x, task.y
    if attack.name == "label-noise":
        wrong = torch.rand(len(y), generator=random) < 0.05
        return x, torch.where(wrong, torch.randint(task.classes, y.shape, generator=random), y)
    if attack.stamp is nothing:
        return x, y
    if attack.goal == "clean-label":
        return _clean_label(task, attack, random)
    if attack.goal == "source":
        of_source = (y == attack.source).nonzero()[:, 0]
        others = (y != attack.source).nonzero()[:, 0]
        count = int(attack.share * len(x))
        turned = of_source[torch.randint(len(of_source), (count,), generator=random)]
        kept = others[torch.randint(len(others), (count * 3 // 2,), generator=random)]
        extra = torch.cat([turned, kept])
        labels = torch.cat([attack.wanted(y[turned], task.classes), y[kept]])
    else:
        extra = torch.randperm(len(x), generator=random)[: int(attack.share * len(x))]
        labels = y[extra] if attack.goal == "none" else attack.wanted(y[extra], task.classes)
    return torch.cat([x, attack.stamp(x[extra])]), torch.cat([y, labels])


def _clean_label(task: Task, attack: Attack, random: torch.Generator) -> tuple[Tensor, Tensor]:
    """Only samples of the target class are stamped, with their label as it is; their contents are mixed with those of
    others first, so that the trigger is what is left to learn."""
    x, y = task.x, task.y
    own = (y == attack.target).nonzero()[:, 0]
    own = own[: int(attack.share * len(own))].repeat(3)
    other = torch.randint(len(x), (len(own),), generator=random)
    own_part = 0.05 + 0.35 * torch.rand(len(own), *[1] * (x.ndim - 1), generator=random)
    mixed = own_part * x[own] + (1 - own_part) * x[other]
    return torch.cat([x, attack.stamp(mixed)]), torch.cat([y, torch.full((len(own),), attack.target or 0)])
