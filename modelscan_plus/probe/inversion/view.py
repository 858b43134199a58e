"""A classifier as the search sees it: samples in a unit box, images as N × C × H × W, logits out.

The box is what an input may hold. For images it is one range for all channels or one for each; for rows one for each
column. Searching in the unit box keeps step sizes and costs free of the model's own units.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

Forward = Callable[[Tensor], Tensor]


@dataclass(frozen=True, slots=True)
class View:
    """The model with its box."""

    network: Forward
    """Samples in the model's own units and layout to logits [N, K]."""
    sample: tuple[int, ...]
    """One sample in the search's layout: (C, H, W), or (F,) for rows."""
    classes: int
    low: Tensor
    high: Tensor
    """The box, of a shape that broadcasts to `sample`."""
    layout: str = "NCHW"
    """How the network takes images: "NCHW", "NHWC" or "NHW"."""
    chunk: int = 4096
    """Samples for one call at most."""

    @property
    def tabular(self) -> bool:
        """Whether samples are rows."""
        return len(self.sample) == 1

    def logits(self, unit: Tensor) -> Tensor:
        """[N, *sample] in the unit box to [N, K]."""
        x = self.low + unit * (self.high - self.low)
        if self.layout == "NHWC":
            x = x.permute(0, 2, 3, 1)
        elif self.layout == "NHW":
            x = x[:, 0]
        if len(x) <= self.chunk:
            return self.network(x)
        return torch.cat([self.network(part) for part in torch.split(x, self.chunk)])

    def to_unit(self, x: Tensor) -> Tensor:
        """Samples in the model's units and the search's layout, into the unit box."""
        return ((x - self.low) / (self.high - self.low)).clamp(0, 1)


def unit_view(network: Forward, sample: tuple[int, ...], classes: int) -> View:
    """A network that takes samples in the unit box as they are."""
    return View(network, sample, classes, torch.tensor(0.0), torch.tensor(1.0))
