"""What the analysis knows about one value: where it comes from, and what was made of it on the way."""

from modelscan_plus.graph.ir import Const, Dims, Number

SOFT, HARD = 1, 2
"""Step-like: flat in parts (a saturating function), or with a jump (a comparison, a rounding)."""
FEW = 64
"""Elements of one sample up to which a value that lost most of its input counts as narrow."""
_DYNAMIC = 1000
"""Stands for a dimension that is not known: not few."""


class Flow:
    """The abstract value.

    `data`, `shape`, `lives`: bit masks of inputs whose elements, whose dimensions, and whose elements by way of this
    value's own dimensions have an influence. `strict` counts trained layers on the shortest way from the input,
    tiny, sparse, identity-like and constant ones not; `lax` counts all layers on the longest way.
    `narrow`: a few numbers made of many (or of few) by reducing or picking, with no trained layer since.
    `step`: this value itself is step-like. `gate`: it was narrow and step-like at once, with
    no trained layer since.
    """

    __slots__ = (
        "compared",
        "const",
        "control",
        "count",
        "data",
        "degree",
        "dims",
        "empty",
        "faint",
        "flat",
        "gained",
        "gate",
        "inverse",
        "kind",
        "lax",
        "lead",
        "learned",
        "lives",
        "merged",
        "missing",
        "mixed",
        "mutual",
        "narrow",
        "payload",
        "place",
        "random",
        "root",
        "rows",
        "shape",
        "step",
        "strict",
        "thin",
        "truth",
        "vals",
    )

    def __init__(self, root: int = -1) -> None:
        self.data = 0
        self.shape = 0
        self.lives = 0
        self.random = False
        self.strict = 0
        self.lax = 0
        self.narrow = False
        self.step = 0
        self.gate = 0
        self.compared = False
        """The gate was made by a comparison, not by rounding or saturation."""
        self.count = False
        """It says where something is or how many there are: an index, a length, a sum of ones."""
        self.gained = False
        """It was multiplied by a large constant."""
        self.payload = False
        """A gate that carries content of its own: numbers from the file that differ from each other."""
        self.mixed = False
        """Network values and numbers from the file stand side by side in it."""
        self.place = False
        """Numbers of positions: a range, or what was computed from one."""
        self.learned = False
        """A layer of one or two units with irregular weights made it: a smooth function of that is a learned gate."""
        self.missing = False
        """It says which numbers of the input are missing (NaN), and nothing else: that fills in, it is no trigger."""
        self.mutual = False
        """Elements of inputs were compared with each other, and with nothing that stands in the file."""
        self.truth = False
        """It says which elements are zero and which are not, and nothing else, as masks do."""
        self.inverse = False
        """It is one over a few numbers of the input."""
        self.thin = False
        """However many elements it has, they are made of a gate of a few numbers."""
        self.degree = 1
        """The power of the input that it grew to by being multiplied with itself."""
        self.faint = False
        """It was multiplied by next to nothing."""
        self.control = False
        """Only inputs of a single element have an influence, which the caller sets."""
        self.empty = 0
        """1: true where a count is zero, -1: true where it is not; 2 and -2 for a number that is no count."""
        self.kind = ""
        """Of its elements, as in `Const`; "" where that is not known."""
        self.lead = False
        """Its first dimension is the batch."""
        self.merged = False
        """Its first dimension is the batch and more: each step of each row, as experts and windows are computed."""
        self.rows = 0
        """1: one row of the batch, picked by its number; 2: rows of the batch in another order."""
        self.flat: bool | None = None
        """Of a constant: all elements are equal. None for not known yet."""
        self.root = root
        """The value that this one is an element-wise function of."""
        self.dims: Dims | None = None
        self.vals: tuple[Number | None, ...] | None = None
        """The elements of a small value that the file determines; None for those that it does not."""
        self.const: Const | None = None

    def copy(self) -> "Flow":
        """The same knowledge about another value."""
        other = Flow.__new__(Flow)
        for name in Flow.__slots__:
            setattr(other, name, getattr(self, name))
        other.vals = None
        other.const = None
        return other

    @property
    def fixed(self) -> bool:
        """True when no input has an influence, by elements or by shape, and chance has none."""
        return not (self.data or self.shape or self.random)

    @property
    def raw(self) -> bool:
        """True when elements of an input come here past every trained layer."""
        return bool(self.data) and self.strict == 0


def per_sample(dims: Dims) -> int:
    """Elements of one row; the first dimension is the batch."""
    total = 1
    for size in dims[1:]:
        total *= _DYNAMIC if size is None else size
    return total


THIN = 4


def is_thin(flow: "Flow") -> bool:
    """True when all of one row is made of four numbers or fewer."""
    return flow.thin or (flow.dims is not None and per_sample(flow.dims) <= THIN)


def by_position(before: Dims | None, after: Dims | None) -> bool:
    """True when what was picked still has an element for each place of a picture, or each step of a series."""
    if before is None or after is None or len(before) < 3 or len(before) != len(after):
        return False
    kept = any(old == new and (old is None or old > 4) for old, new in zip(before[1:], after[1:], strict=True))
    return kept and per_sample(after) > 16


def few(dims: Dims | None) -> bool:
    """True when one row holds a few elements, or when that cannot be told."""
    return dims is None or per_sample(dims) <= FEW
