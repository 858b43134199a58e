"""A network that reads rows of token ids: run in batches, with a count of the work, and with slopes on embeddings.

Texts are rows of token ids, padded at the end. All tensors that go in and come out are on the processor; `device` is
where the network runs.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

_TOKENS = 1 << 13
"""Tokens of one forward pass; more at once does not gain on a processor and takes memory."""


class Network(ABC):
    """A transformers.PreTrainedModel in evaluation mode; what is read off it, a subclass says in `forward`."""

    def __init__(self, model: Any, pad: int, device: str = "cpu") -> None:
        self.model, self.pad, self.device = model, pad, device
        self.steps = 0
        """Forward passes of one text; one with a backward pass counts three."""
        self._shift: Tensor | None = None
        model.get_input_embeddings().register_forward_hook(self._shifted)

    def _shifted(self, _module: Any, _inputs: Any, output: Tensor) -> Tensor | None:
        return None if self._shift is None else output + self._shift

    @property
    def rows(self) -> Tensor:
        """The embedding matrix, vocabulary × width."""
        weight: Tensor = self.model.get_input_embeddings().weight
        return weight.detach().cpu()

    @abstractmethod
    def forward(self, ids: Tensor, mask: Tensor) -> Tensor:
        """A row of numbers for each text; `ids` and `mask` (1 where no padding stands) are N × T, on `device`."""

    def _read(self, ids: Tensor) -> Tensor:
        ids = ids.to(self.device)
        return self.forward(ids, (ids != self.pad).long()).float().cpu()

    def outputs(self, ids: Tensor) -> Tensor:
        """`forward` of texts N × T, one or more, in batches."""
        size = max(1, _TOKENS // ids.shape[1])
        with torch.no_grad():
            found = [self._read(part) for part in torch.split(ids, size)]
        self.steps += len(ids)
        return torch.cat(found)

    def slopes_of(self, gain: Callable[[Tensor], Tensor], ids: Tensor, places: Tensor, group: int = 1) -> Tensor:
        """How a gain grows with the embeddings at `places` (N × k): N × k × width. `gain` gives the sum, over a batch,
        of what is to grow, from the outputs of the batch; texts that count together come in runs of `group`."""
        found = []
        size = max(1, _TOKENS // (ids.shape[1] * group)) * group
        width = self.model.get_input_embeddings().weight.shape[1]
        for part, at in zip(torch.split(ids, size), torch.split(places, size), strict=True):
            self._shift = torch.zeros(*part.shape, width, device=self.device, requires_grad=True)
            try:
                with torch.enable_grad():
                    (slope,) = torch.autograd.grad(gain(self._read(part)), self._shift)
            finally:
                self._shift = None
            found.append(slope.cpu().gather(1, at[:, :, None].expand(-1, -1, width)))
        self.steps += 3 * len(ids)
        return torch.cat(found)
