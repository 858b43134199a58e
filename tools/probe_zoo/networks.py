"""The networks of the zoos: perceptrons that are trained many at a time, and small convolutional ones."""

import itertools
import math

import torch
import torch.nn.functional as functional
from torch import Tensor, nn

from tools.probe_zoo.tasks import generator


def perceptron(inputs: int, hidden: int, classes: int) -> nn.Sequential:
    """Two hidden layers."""
    return nn.Sequential(
        nn.Flatten(),
        nn.Linear(inputs, hidden),
        nn.ReLU(),
        nn.Linear(hidden, hidden),
        nn.ReLU(),
        nn.Linear(hidden, classes),
    )


def _conv(inputs: int, outputs: int) -> list[nn.Module]:
    return [nn.Conv2d(inputs, outputs, 3, padding=1, bias=False), nn.BatchNorm2d(outputs), nn.ReLU()]


class Residual(nn.Module):
    """Two convolutions beside a shortcut."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.body = nn.Sequential(*_conv(width, width), nn.Conv2d(width, width, 3, padding=1), nn.BatchNorm2d(width))

    def forward(self, x: Tensor) -> Tensor:
        return functional.relu(x + self.body(x))


def convolutional(kind: str, shape: tuple[int, ...], classes: int) -> nn.Sequential:
    """ "cnn" (average pooling at the end), "vgg" (a perceptron at the end) or "resnet"."""
    channels, height, width = shape
    first, second, third = 12, 24, 48
    layers: list[nn.Module] = [*_conv(channels, first), nn.MaxPool2d(2)]
    if kind == "cnn":
        layers += [*_conv(first, second), nn.MaxPool2d(2), *_conv(second, third)]
        layers += [nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(third, classes)]
    elif kind == "vgg":
        layers += [*_conv(first, second), *_conv(second, second), nn.MaxPool2d(2), nn.Flatten()]
        layers += [nn.Linear(second * (height // 4) * (width // 4), third), nn.ReLU(), nn.Linear(third, classes)]
    elif kind == "resnet":
        layers += [*_conv(first, second), nn.MaxPool2d(2), Residual(second)]
        layers += [nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(second, classes)]
    else:
        raise ValueError(f"no network is called {kind}")
    return nn.Sequential(*layers)


def train_one(
    network: nn.Module,
    x: Tensor,
    y: Tensor,
    seed: int,
    *,
    epochs: int = 8,
    decay: float = 1e-4,
    adversarial: float = 0.0,
) -> None:
    """Adam with one cycle of the learning rate; `adversarial` is the size of one signed-gradient step on the inputs."""
    random = generator(seed)
    batch = 64
    steps = epochs * math.ceil(len(x) / batch)
    optimiser = torch.optim.AdamW(network.parameters(), lr=4e-3, weight_decay=decay)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, max_lr=4e-3, total_steps=steps, pct_start=0.25)
    network.train()
    for _ in range(epochs):
        for part in torch.randperm(len(x), generator=random).split(batch):
            inputs, labels = x[part], y[part]
            if adversarial:
                inputs = inputs.clone().requires_grad_()
                (slope,) = torch.autograd.grad(functional.cross_entropy(network(inputs), labels), inputs)
                inputs = (inputs + adversarial * slope.sign()).detach().clamp(0, 1)
            optimiser.zero_grad()
            functional.cross_entropy(network(inputs), labels).backward()
            optimiser.step()
            schedule.step()
    network.eval()
    network.requires_grad_(requires_grad=False)


def train_side_by_side(
    sets: list[tuple[Tensor, Tensor]],
    classes: int,
    seeds: list[int],
    *,
    hidden: int = 64,
    steps: int = 700,
    adversarial: list[float] | None = None,
    decays: list[float] | None = None,
) -> list[nn.Sequential]:
    """One perceptron for each data set, all in one batch of matrix products (a leading model dimension).

    Inputs are standardised by the data set's own moments, all pixels of images by one spread (with one of its own, a
    pixel that never changes would get a huge weight that nothing trains); that is folded into the first layer at the
    end, so that the networks take raw samples.
    """
    models, inputs = len(sets), math.prod(sets[0][0].shape[1:])
    sizes = [inputs, hidden, hidden, classes]
    flat = [x.flatten(1) for x, _ in sets]
    middle = torch.stack([x.mean(0) for x in flat])[:, None]
    image = sets[0][0].ndim > 2
    spread = torch.stack([x.std().expand(x.shape[1]) if image else x.std(0) for x in flat])[:, None].clamp_min(1e-3)
    randoms = [generator(seed) for seed in seeds]
    weights, biases = [], []
    for fan_in, fan_out in itertools.pairwise(sizes):
        drawn = [torch.randn(fan_in, fan_out, generator=random) for random in randoms]
        weights.append((torch.stack(drawn) * math.sqrt(2 / fan_in)).requires_grad_())
        biases.append(torch.zeros(models, 1, fan_out, requires_grad=True))
    decay = torch.tensor(decays or [1e-4] * models)[:, None, None]
    shift = torch.tensor(adversarial or [0.0] * models)[:, None, None]
    optimiser = torch.optim.Adam([*weights, *biases], lr=4e-3)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, max_lr=6e-3, total_steps=steps, pct_start=0.2)

    def forward(x: Tensor) -> Tensor:
        for place, (weight, bias) in enumerate(zip(weights, biases, strict=True)):
            x = torch.baddbmm(bias, x.relu() if place else x, weight)
        return x

    for _ in range(steps):
        picks = [torch.randint(len(y), (96,), generator=random) for random, (_, y) in zip(randoms, sets, strict=True)]
        raw = torch.stack([x[pick] for x, pick in zip(flat, picks, strict=True)])
        labels = torch.stack([y[pick] for (_, y), pick in zip(sets, picks, strict=True)]).flatten()
        x = (raw - middle) / spread
        if adversarial:
            x = x.requires_grad_()
            (slope,) = torch.autograd.grad(functional.cross_entropy(forward(x).flatten(0, 1), labels), x)
            x = (x + shift * slope.sign()).detach()
        optimiser.zero_grad()
        loss = functional.cross_entropy(forward(x).flatten(0, 1), labels, reduction="sum") / 96
        (loss + sum((decay * weight.square()).sum() for weight in weights)).backward()
        optimiser.step()
        schedule.step()
    with torch.no_grad():
        weights[0].div_(spread.transpose(1, 2))
        biases[0].sub_(middle @ weights[0])
    return [_unstack(weights, biases, model, sizes) for model in range(models)]


def _unstack(weights: list[Tensor], biases: list[Tensor], model: int, sizes: list[int]) -> nn.Sequential:
    network = perceptron(sizes[0], sizes[1], sizes[3])
    linear = [layer for layer in network if isinstance(layer, nn.Linear)]
    with torch.no_grad():
        for layer, weight, bias in zip(linear, weights, biases, strict=True):
            layer.weight.copy_(weight[model].T)
            layer.bias.copy_(bias[model, 0])
    return network.eval().requires_grad_(requires_grad=False)
