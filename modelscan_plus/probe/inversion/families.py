"""Trigger families: what kinds of change the search may make to a sample, each with the price of a change.

A family turns parameters with a leading axis of arms into changed samples, and gives each arm's cost in a unit that a
person can read. Parameters start near "no change". All work in the unit box of `View`.

Sources: patch with mask, Wang et al., "Neural Cleanse" (S&P 2019); one perturbation for all samples, Moosavi-Dezfooli
et al., "Universal adversarial perturbations" (CVPR 2017); warp fields, Nguyen and Tran, "WaNet" (ICLR 2021); filters,
Liu et al., "ABS" (CCS 2019).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import torch
import torch.nn.functional as functional
from torch import Tensor

Parameters = Sequence[Tensor]
"""Each of shape [A, …], A arms."""


class Family(Protocol):
    """One kind of trigger."""

    @property
    def name(self) -> str:
        """As in reports."""

    @property
    def unit(self) -> str:
        """Unit of the cost, for people."""

    @property
    def rate(self) -> float:
        """Adam's learning rate."""

    @property
    def floor(self) -> float:
        """Cost below which differences mean nothing; keeps logarithms finite."""

    @property
    def priced(self) -> bool:
        """Whether the cost is what it costs; otherwise it is how far the samples are from the target at best."""

    def start(self, arms: int, sample: tuple[int, ...], random: torch.Generator) -> list[Tensor]:
        """Parameters of `arms` changes that hardly change anything."""

    def apply(self, x: Tensor, parameters: Parameters) -> Tensor:
        """[A, n, *sample] to the same shape, in the unit box."""

    def cost(self, parameters: Parameters) -> Tensor:
        """[A], smooth in the parameters."""


def _spread(parameter: Tensor) -> Tensor:
    """[A, …] to [A, 1, …]."""
    return parameter.unsqueeze(1)


@dataclass(frozen=True, slots=True)
class Patch:
    """A mask over pixels and the pattern behind it; the cost is the mask's area."""

    name: str = "patch"
    unit: str = "pixels"
    rate: float = 0.15
    floor: float = 0.05
    priced: bool = True

    def start(self, arms: int, sample: tuple[int, ...], random: torch.Generator) -> list[Tensor]:
        """Mask and pattern as logits."""
        mask = torch.randn(arms, 1, *sample[1:], generator=random) * 0.1 - 2.5
        return [mask, torch.randn(arms, *sample, generator=random) * 0.1]

    def apply(self, x: Tensor, parameters: Parameters) -> Tensor:
        """Pattern where the mask is, the sample elsewhere."""
        mask, pattern = _spread(parameters[0].sigmoid()), _spread(parameters[1].sigmoid())
        return x + mask * (pattern - x)

    def cost(self, parameters: Parameters) -> Tensor:
        """Area of the mask."""
        return parameters[0].sigmoid().flatten(1).sum(1)


@dataclass(frozen=True, slots=True)
class Additive:
    """One perturbation for all samples; the cost is its Euclidean length."""

    name: str = "additive"
    unit: str = "length, 1 is one pixel from black to white"
    rate: float = 0.03
    floor: float = 0.01
    priced: bool = True

    def start(self, arms: int, sample: tuple[int, ...], random: torch.Generator) -> list[Tensor]:
        """Almost nothing."""
        return [torch.randn(arms, *sample, generator=random) * 1e-3]

    def apply(self, x: Tensor, parameters: Parameters) -> Tensor:
        """The sum, cut off at the box."""
        return (x + _spread(parameters[0])).clamp(0, 1)

    def cost(self, parameters: Parameters) -> Tensor:
        """Euclidean length."""
        return (parameters[0].flatten(1).square().sum(1) + 1e-8).sqrt()


@dataclass(frozen=True, slots=True)
class Warp:
    """A smooth field of displacements, within a bound. Clean models have classes that no distortion leads to, so the
    cost is the cross-entropy that is left at best."""

    name: str = "warp"
    unit: str = "cross-entropy that is left"
    rate: float = 0.1
    floor: float = 1e-3
    priced: bool = False
    knots: int = 4
    reach: float = 0.35
    """Largest displacement, in halves of the image's side."""

    def start(self, arms: int, sample: tuple[int, ...], random: torch.Generator) -> list[Tensor]:
        """Displacements at a coarse grid of knots, before the bound."""
        return [torch.randn(arms, 2, self.knots, self.knots, generator=random) * 0.05]

    def apply(self, x: Tensor, parameters: Parameters) -> Tensor:
        """Each pixel from where the field points to."""
        arms, count, _, height, width = x.shape
        bounded = parameters[0].tanh() * self.reach
        field = functional.interpolate(bounded, (height, width), mode="bicubic", align_corners=True)
        axes = [torch.linspace(-1, 1, size, device=x.device) for size in (height, width)]
        rows, columns = torch.meshgrid(*axes, indexing="ij")
        grid = torch.stack([columns, rows], dim=-1) + field.permute(0, 2, 3, 1)
        grid = grid.unsqueeze(1).expand(arms, count, height, width, 2).flatten(0, 1)
        moved = functional.grid_sample(x.flatten(0, 1), grid, padding_mode="border", align_corners=True)
        return moved.view_as(x)

    def cost(self, parameters: Parameters) -> Tensor:
        """Root mean square of the displacements, in halves of the side."""
        return (parameters[0].tanh().flatten(1).square().mean(1) + 1e-8).sqrt() * self.reach


@dataclass(frozen=True, slots=True)
class Filter:
    """New colours from old ones, the same everywhere and within bounds: mixing of channels, bends and lifts. Clean
    models have classes that no filter leads to, so the cost is the cross-entropy that is left at best."""

    name: str = "filter"
    unit: str = "cross-entropy that is left"
    rate: float = 0.1
    floor: float = 1e-3
    priced: bool = False
    reach: float = 0.6
    """Largest coefficient."""

    def start(self, arms: int, sample: tuple[int, ...], random: torch.Generator) -> list[Tensor]:
        """Mixing, bends and lifts before the bound, almost without effect."""
        channels = sample[0]
        mix = torch.randn(arms, channels, channels, generator=random) * 0.05
        bend, lift = (torch.randn(arms, channels, generator=random) * 0.05 for _ in range(2))
        return [mix, bend, lift]

    def apply(self, x: Tensor, parameters: Parameters) -> Tensor:
        """Colours through the polynomial, cut off at the box."""
        mix, bend, lift = (parameter.tanh() * self.reach for parameter in parameters)
        linear = torch.einsum("aij,anjhw->anihw", mix, x)
        bent = 4 * x * (1 - x) * bend[:, None, :, None, None]
        return (x + linear + bent + lift[:, None, :, None, None]).clamp(0, 1)

    def cost(self, parameters: Parameters) -> Tensor:
        """Euclidean length of all coefficients."""
        lengths = torch.stack([parameter.tanh().flatten(1).square().sum(1) for parameter in parameters])
        return (lengths.sum(0) + 1e-8).sqrt() * self.reach
