"""An open classifier with everything that its searches share."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from modelscan_plus.probe.interface import Budget, NotProbed, Spec
from modelscan_plus.probe.inversion.calibration import Shape
from modelscan_plus.probe.inversion.evidence import Evidence
from modelscan_plus.probe.inversion.view import View


@dataclass(frozen=True, slots=True)
class Samples:
    """Clean samples in the unit box, some to search with and some to try a trigger on."""

    x: Tensor
    labels: Tensor
    unseen: Tensor
    unseen_labels: Tensor
    passes: int = 0
    """What it took to make them."""


@dataclass(frozen=True, slots=True)
class Steps:
    """How long each search is."""

    margin: tuple[int, int]
    """Starts and steps."""
    invert: int
    """Steps of an inversion."""
    samples: int
    """Samples for each class and step."""
    pairs: int
    """Steps for each pair of classes."""
    columns: tuple[int, int]
    """Rows of each class, and sets of columns that are kept side by side."""
    impressions: int = 80


STEPS = {
    Budget.QUICK: Steps((3, 50), 60, 12, 60, (8, 1)),
    Budget.STANDARD: Steps((4, 80), 100, 16, 80, (10, 2)),
    Budget.DEEP: Steps((8, 160), 240, 24, 160, (16, 4)),
}


@dataclass(slots=True)
class Context:
    """The model, its samples and its references."""

    view: View
    spec: Spec
    samples: Samples | None = None
    references: Sequence[View] = field(default_factory=tuple)
    names: Sequence[str] = ()
    """Of the classes."""
    columns: Sequence[str] = ()
    """Of the features, for rows."""
    splits: Sequence[Tensor] | None = None
    """Of a tree ensemble: each column's thresholds in the unit box, in rising order, as far as they are known."""
    convolutional: bool = False
    impressions: bool = False
    """Whether `samples` are the network's own."""
    found: dict[str, Evidence] = field(default_factory=dict)
    """What searches have found so far, by their name in the calibration."""

    def __post_init__(self) -> None:
        if not self.names:
            self.names = [f"class {place}" for place in range(self.view.classes)]

    @property
    def steps(self) -> Steps:
        """The budget, in steps."""
        return STEPS[self.spec.budget]

    @property
    def shape(self) -> Shape:
        """For the choice of a calibration."""
        size = self.view.sample
        side = float(size[0]) if self.view.tabular else (size[1] * size[2]) ** 0.5
        kind = "tabular" if self.view.tabular else "image-conv" if self.convolutional else "image"
        return Shape(kind, self.view.classes, side)

    @property
    def searches(self) -> tuple[str, ...]:
        """What `joint` judges, by name in the calibration."""
        more = "+impressions" if self.impressions else ""
        return ("image-margin", *(f"image-{kind}{more}" for kind in ("patch", "additive", "warp", "filter")))

    def random(self, routine: str) -> torch.Generator:
        """Random numbers of one routine: the seed's and its own."""
        own = int.from_bytes(routine.encode()[-6:], "big")
        return torch.Generator().manual_seed((self.spec.seed * 1_000_003 + own) % (1 << 62))


def divide(view: View, x: Tensor, labels: Tensor | None, *, most: int, unseen: int) -> Samples:
    """Split samples in the unit box by class: every second one to search with, at most `most` of a class, the others
    to try triggers on. Only samples that the model takes for their class are of use. Raises `NotProbed`."""
    with torch.no_grad():
        found = view.logits(x).argmax(1).cpu()
    given = found if labels is None else labels
    if labels is not None and (int(labels.min()) < 0 or int(labels.max()) >= view.classes):
        raise NotProbed(f"samples: the labels do not run from 0 to {view.classes - 1}")
    right = found == given
    if labels is not None and float(right.float().mean()) < 0.5:
        raise NotProbed(
            f"samples: the model takes only {float(right.float().mean()):.0%} of them for their class; "
            "their preparation, or the order of the classes, is not the model's"
        )
    search: list[int] = []
    rest: list[int] = []
    for label in range(view.classes):
        own = (right & (given == label)).nonzero()[:, 0].tolist()
        if len(own) >= 1:
            search += own[::2][:most]
            rest += own[1::2][:unseen]
    present = torch.unique(given[search]) if search else torch.tensor([])
    if len(present) < 2 or len(search) < 5 or not rest:
        raise NotProbed("samples: too few, or of too few classes; two of every class are the least")
    return Samples(x[search], given[search], x[rest], given[rest])


class OnSamples:
    """What routines share that need samples; class impressions take their place, by a table of their own."""

    name: str
    _context: Context

    @property
    def table(self) -> str:
        """Its name in the calibration."""
        return self.name + ("+impressions" if self._context.impressions else "")

    def missing(self) -> str:
        """Why it cannot run."""
        return "" if self._context.samples is not None else "needs samples (--samples)"
