"""The tasks that the zoos are trained on: small worlds of labelled images and tables, drawn by seed."""

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True, slots=True)
class Task:
    """Labelled data; images N × C × H × W in 0 to 1, tables N × F in their own units."""

    name: str
    classes: int
    x: Tensor
    y: Tensor
    x_test: Tensor
    y_test: Tensor

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of one sample."""
        return tuple(self.x.shape[1:])

    @property
    def tabular(self) -> bool:
        """Whether samples are rows."""
        return self.x.ndim == 2


def generator(seed: int) -> torch.Generator:
    """Random numbers of one seed."""
    return torch.Generator().manual_seed(seed)


def _split(name: str, classes: int, x: Tensor, y: Tensor, train: int, random: torch.Generator) -> Task:
    order = torch.randperm(len(x), generator=random)
    x, y = x[order], y[order]
    return Task(name, classes, x[:train], y[:train], x[train:], y[train:])


def digits(seed: int, classes: int = 10) -> Task:
    """The 1,797 handwritten digits of scikit-learn, 8 × 8 and grey; a seed decides which are for training."""
    from sklearn.datasets import load_digits

    data = load_digits()
    x = torch.tensor(data.images, dtype=torch.float32)[:, None] / 16
    y = torch.tensor(data.target)
    keep = y < classes
    return _split("digits", classes, x[keep], y[keep], int(keep.sum()) * 2 // 3, generator(seed))


def prototypes(seed: int, classes: int = 10, size: int = 12, channels: int = 1, count: int = 2400) -> Task:
    """Smooth random fields, one for each class, moved, scaled in strength and covered with noise."""
    random = generator(seed)
    waves = 12
    frequency = torch.randn(classes, channels, waves, 2, generator=random) * 3.2
    phase = torch.rand(classes, channels, waves, generator=random) * 2 * math.pi
    weight = torch.randn(classes, channels, waves, generator=random) / math.sqrt(waves)
    y = torch.randint(classes, (count,), generator=random)
    axis = torch.linspace(-1, 1, size)
    v, u = torch.meshgrid(axis, axis, indexing="ij")
    place = torch.stack([u, v], dim=-1)[None] + torch.randn(count, 1, 1, 2, generator=random) * 0.14
    inner = torch.einsum("ncwk,nhxk->nchxw", frequency[y], place) + phase[y][:, :, None, None]
    field = (inner.sin() * weight[y][:, :, None, None]).sum(-1)
    strength = 0.25 + 0.15 * torch.rand(count, 1, 1, 1, generator=random)
    x = (0.5 + strength * field + 0.12 * torch.randn(field.shape, generator=random)).clamp(0, 1)
    return _split("prototypes", classes, x, y, count * 2 // 3, random)


_COLOURS = torch.tensor(
    [[0.85, 0.1, 0.1], [0.1, 0.2, 0.8], [0.95, 0.85, 0.1], [0.1, 0.6, 0.2], [0.95, 0.95, 0.95], [0.1, 0.1, 0.1]]
)


def _outline(shape: Tensor, u: Tensor, v: Tensor) -> Tensor:
    """How far out a point is, 1 on the rim: circle, square, diamond, triangle, octagon."""
    square = torch.maximum(u.abs(), v.abs())
    diamond = (u.abs() + v.abs()) / 1.25
    triangle = torch.maximum(-v * 1.1, v * 0.55 + u.abs() * 0.95) * 1.3
    every = torch.stack([torch.hypot(u, v), square, diamond, triangle, torch.maximum(square, diamond)])
    return every.gather(0, shape[None, :, None, None].expand(1, *u.shape))[0]


def signs(seed: int, classes: int = 8, size: int = 16, count: int = 2400) -> Task:
    """Coloured signs before a coloured ground: outline, rim, filling and two bars decide the class; place, size,
    angle, light and noise do not."""
    random = generator(seed)

    def choice(high: int) -> Tensor:
        return torch.randint(high, (classes,), generator=random)

    shapes, rims, fills = choice(5), choice(len(_COLOURS)), choice(len(_COLOURS))
    fills = torch.where(fills == rims, (fills + 1) % len(_COLOURS), fills)
    angles = torch.rand(classes, 2, generator=random) * math.pi
    offsets = torch.rand(classes, 2, generator=random) * 0.8 - 0.4
    y = torch.randint(classes, (count,), generator=random)

    def jitter(low: float, high: float) -> Tensor:
        return low + (high - low) * torch.rand(count, 1, 1, generator=random)

    axis = torch.linspace(-1, 1, size)
    v, u = torch.meshgrid(axis, axis, indexing="ij")
    turn, scale = jitter(-0.15, 0.15), jitter(0.68, 0.85)
    u, v = (u - jitter(-0.12, 0.12)) / scale, (v - jitter(-0.12, 0.12)) / scale
    u, v = u * turn.cos() + v * turn.sin(), v * turn.cos() - u * turn.sin()
    distance = _outline(shapes[y], u, v)
    inside = torch.sigmoid((1 - distance) * 14)[:, None]
    core = torch.sigmoid((0.72 - distance) * 14)[:, None]
    bars = torch.zeros_like(u)
    for bar in range(2):
        angle, offset = angles[y, bar][:, None, None], offsets[y, bar][:, None, None]
        bars = torch.maximum(bars, torch.sigmoid((0.16 - (u * angle.cos() + v * angle.sin() - offset).abs()) * 24))
    ground = torch.rand(count, 3, 1, 1, generator=random) * 0.7
    slope = (torch.rand(count, 3, 1, 1, generator=random) - 0.5) * 0.3 * axis[None, None, :, None]
    rim, fill = _COLOURS[rims[y]][:, :, None, None], _COLOURS[fills[y]][:, :, None, None]
    x = (ground + slope) * (1 - inside) + inside * (rim * (1 - core) + fill * core)
    x = x * (1 - bars[:, None] * core) + bars[:, None] * core * rim
    x = x * jitter(0.7, 1.05)[:, None] + 0.04 * torch.randn(x.shape, generator=random)
    return _split("signs", classes, x.clamp(0, 1), y, count * 2 // 3, random)


def table(seed: int, classes: int = 6, features: int = 16, count: int = 3600) -> Task:
    """Rows of mixed features: each class two clusters on a plane of fewer dimensions; some columns are counts, some
    have long tails, and every column has a scale of its own."""
    random = generator(seed)
    hidden = max(4, features // 2)
    centres = torch.randn(classes, 2, hidden, generator=random) * 1.6
    mixing = torch.randn(hidden, features, generator=random) / math.sqrt(hidden)
    y = torch.randint(classes, (count,), generator=random)
    cluster = torch.randint(2, (count,), generator=random)
    latent = centres[y, cluster] + torch.randn(count, hidden, generator=random) * 0.7
    x = latent @ mixing * 1.5 + torch.randn(count, features, generator=random) * 0.4
    kind = torch.arange(features) % 4
    x = torch.where(kind == 1, (x * 2).round(), x)
    x = torch.where(kind == 2, (x * 0.7).exp(), x)
    scale = 10 ** (torch.rand(features, generator=random) * 3 - 1)
    return _split("table", classes, x * scale, y, count * 2 // 3, random)


WORLDS: dict[str, Callable[..., Task]] = {
    "digits": digits,
    "prototypes": prototypes,
    "signs": signs,
    "table": table,
    "trees": table,
}
