"""What a graph may cost, counted before anything of it is computed, and the one way in which it is turned down.

A graph is walked once without data (see `dry.py`): every tensor that any operator would make is counted by its shape,
so a bomb is refused at the price of its description. The counts are elements and multiply-adds, never seconds.
"""

from dataclasses import dataclass

from modelscan_plus.probe.interface import NotProbed


class Refused(NotProbed):
    """The graph is not run. `reason` is one plain sentence for people; names from the file in it are shortened."""


@dataclass(frozen=True, slots=True)
class NetworkLimits:
    """Upper bounds for one network."""

    file_bytes: int = 2 << 30
    nodes: int = 20_000
    """Nodes that the chosen output depends on."""
    weights: int = 1 << 29
    """Elements of all constants that are needed, before and after folding; 2 GiB of float32."""
    tensor: int = 1 << 27
    """Elements of any one tensor, views of smaller ones included."""
    activations: int = 1 << 28
    """Elements of all tensors that one sample makes on its way, together."""
    work: int = 1 << 38
    """Multiply-adds for one sample."""
    folded: int = 1 << 24
    """Elements that may be made of constants and shapes, and `_PER_WEIGHT` more for each weight in the file."""
    folding: int = 1 << 31
    """Multiply-adds for that."""
    batch: int = 1 << 31
    """Elements of all tensors that one call makes: a larger batch is refused, see `OnnxNetwork.largest_batch`."""
    classes: int = 100_000
    rank: int = 12
    """Dimensions of any tensor."""
    trees: int = 2_000_000
    """Nodes of all tree ensembles together."""
    tree_depth: int = 512


_PER_WEIGHT = 8
"""Taking quantised weights back to floats makes each of them three times; transposing and casting add to that."""


class Meter:
    """Counts what one walk would make, and refuses what is too much."""

    def __init__(self, limits: NetworkLimits, elements: int, work: int) -> None:
        self._limits = limits
        self._elements_cap = elements
        self._work_cap = work
        self.elements = 0
        self.work = 0
        self.where = ""
        """The node that is looked at, for messages."""

    @classmethod
    def running(cls, limits: NetworkLimits, samples: int = 1) -> "Meter":
        """For what depends on the input."""
        elements = min(limits.activations * samples, max(limits.batch, limits.activations))
        return cls(limits, elements, limits.work * samples)

    @classmethod
    def folding(cls, limits: NetworkLimits, weights: int) -> "Meter":
        """For what does not, which is computed once: a small file may not make much of it."""
        return cls(limits, limits.folded + _PER_WEIGHT * weights, limits.folding)

    def tensor(self, shape: tuple[int, ...], *, view: bool) -> None:
        """Charge one tensor; a view takes no memory of its own."""
        if len(shape) > self._limits.rank:
            raise Refused(f"{self.where} makes a tensor of {len(shape)} dimensions, more than {self._limits.rank}")
        count = 1
        for size in shape:
            count *= size
        if count > self._limits.tensor:
            raise Refused(f"{self.where} makes a tensor of {count:,} elements, more than {self._limits.tensor:,}")
        if view:
            return
        self.elements += count
        if self.elements > self._elements_cap:
            raise Refused(f"the graph makes more than {self._elements_cap:,} elements by the time of {self.where}")

    def multiply_adds(self, count: int) -> None:
        """Charge arithmetic."""
        self.work += count
        if self.work > self._work_cap:
            raise Refused(f"the graph takes more than {self._work_cap:,} multiply-adds by the time of {self.where}")


def shown(name: str) -> str:
    """A name out of the file, for a message: short and without control characters."""
    text = "".join(char if char.isprintable() else "?" for char in name[:60])
    return text + "…" if len(name) > 60 else text
