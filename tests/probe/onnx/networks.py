"""Small networks of the usual families, with random weights, to be exported as ONNX."""

import io
import warnings
from collections.abc import Callable

import torch
from torch import Tensor, nn


def cnn() -> nn.Module:
    """Convolutions, pooling, dropout."""
    return nn.Sequential(
        nn.Conv2d(3, 8, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(8, 16, 3), nn.ELU(), nn.AvgPool2d(2),
        nn.Dropout2d(0.3), nn.Flatten(), nn.Linear(16 * 3 * 3, 32), nn.Tanh(), nn.Dropout(0.5), nn.Linear(32, 7),
    )  # fmt: skip


def vgg() -> nn.Module:
    """VGG with batch normalisation and adaptive pooling."""
    layers: list[nn.Module] = []
    width = 3
    for wide in (8, 16):
        layers += [
            nn.Conv2d(width, wide, 3, padding=1),
            nn.BatchNorm2d(wide),
            nn.ReLU(inplace=True),
            nn.MaxPool2d(2, 2),
        ]
        width = wide
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d((2, 2)), nn.Flatten(1), nn.Linear(64, 7))


class Residual(nn.Module):
    """A block of ResNet-18."""

    def __init__(self, inside: int, outside: int, stride: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(inside, outside, 3, stride, 1, bias=False), nn.BatchNorm2d(outside), nn.ReLU(),
            nn.Conv2d(outside, outside, 3, 1, 1, bias=False), nn.BatchNorm2d(outside),
        )  # fmt: skip
        self.side = nn.Sequential(nn.Conv2d(inside, outside, 1, stride, bias=False), nn.BatchNorm2d(outside))

    def forward(self, x: Tensor) -> Tensor:
        return torch.relu(self.body(x) + self.side(x))


def resnet() -> nn.Module:
    """Residual blocks and global pooling."""
    return nn.Sequential(
        nn.Conv2d(3, 8, 3, 1, 1, bias=False), nn.BatchNorm2d(8), nn.ReLU(), Residual(8, 8, 1), Residual(8, 16, 2),
        nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(16, 7),
    )  # fmt: skip


class Inverted(nn.Module):
    """A block of MobileNetV3: expansion, depthwise convolution, squeeze and excitation."""

    def __init__(self, width: int) -> None:
        super().__init__()
        wide = 4 * width
        self.expand = nn.Sequential(nn.Conv2d(width, wide, 1), nn.BatchNorm2d(wide), nn.Hardswish())
        self.depth = nn.Sequential(nn.Conv2d(wide, wide, 3, padding=1, groups=wide), nn.BatchNorm2d(wide), nn.ReLU6())
        self.squeeze = nn.Sequential(
            nn.AdaptiveAvgPool2d(1), nn.Conv2d(wide, 4, 1), nn.ReLU(), nn.Conv2d(4, wide, 1), nn.Hardsigmoid()
        )
        self.reduce = nn.Sequential(nn.Conv2d(wide, width, 1), nn.BatchNorm2d(width))

    def forward(self, x: Tensor) -> Tensor:
        inner = self.depth(self.expand(x))
        return x + self.reduce(inner * self.squeeze(inner))


def mobilenet() -> nn.Module:
    """Two such blocks."""
    return nn.Sequential(
        nn.Conv2d(3, 8, 3, 2, 1), Inverted(8), Inverted(8), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, 7)
    )


class Vit(nn.Module):
    """Patches, a class token, positions, encoder layers with attention."""

    def __init__(self) -> None:
        super().__init__()
        self.patch = nn.Conv2d(3, 16, 4, 4)
        self.token = nn.Parameter(torch.randn(1, 1, 16))
        self.place = nn.Parameter(torch.randn(1, 17, 16))
        self.layers = nn.ModuleList(
            nn.TransformerEncoderLayer(16, 4, 32, activation="gelu", batch_first=True, norm_first=True)
            for _ in range(2)
        )
        self.norm = nn.LayerNorm(16)
        self.head = nn.Linear(16, 7)

    def forward(self, x: Tensor) -> Tensor:
        parts = self.patch(x).flatten(2).transpose(1, 2)
        tokens = torch.cat([self.token.expand(x.shape[0], -1, -1), parts], dim=1) + self.place
        for layer in self.layers:
            tokens = layer(tokens)
        logits: Tensor = self.head(self.norm(tokens)[:, 0])
        return logits


class ConvNext(nn.Module):
    """Depthwise convolution, layer normalisation over the last axis, and a scale."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 8, 4, 4)
        self.depth = nn.Conv2d(8, 8, 7, padding=3, groups=8)
        self.norm = nn.LayerNorm(8)
        self.inner = nn.Sequential(nn.Linear(8, 32), nn.GELU(), nn.Linear(32, 8))
        self.scale = nn.Parameter(torch.full((8,), 0.5))
        self.head = nn.Linear(8, 7)

    def forward(self, x: Tensor) -> Tensor:
        x = self.stem(x)
        x = x + (self.inner(self.norm(self.depth(x).permute(0, 2, 3, 1))) * self.scale).permute(0, 3, 1, 2)
        logits: Tensor = self.head(x.mean([2, 3]))
        return logits


class Densenet(nn.Module):
    """Concatenation of everything before."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Conv2d(3, 4, 3, padding=1)
        self.layers = nn.ModuleList(
            nn.Sequential(nn.BatchNorm2d(4 * n), nn.ReLU(), nn.Conv2d(4 * n, 4, 3, padding=1)) for n in (1, 2)
        )
        self.head = nn.Linear(12, 7)

    def forward(self, x: Tensor) -> Tensor:
        x = self.first(x)
        for layer in self.layers:
            x = torch.cat([x, layer(x)], 1)
        logits: Tensor = self.head(nn.functional.adaptive_avg_pool2d(x, 1).flatten(1))
        return logits


class Prepared(nn.Module):
    """Resizing and normalising in the graph, and probabilities out."""

    def __init__(self) -> None:
        super().__init__()
        self.net = cnn()
        self.register_buffer("mean", torch.tensor([0.485, 0.456, 0.406]).reshape(1, 3, 1, 1))
        self.register_buffer("std", torch.tensor([0.229, 0.224, 0.225]).reshape(1, 3, 1, 1))

    def forward(self, x: Tensor) -> Tensor:
        x = nn.functional.interpolate(x, size=(16, 16), mode="bilinear", align_corners=False)
        return torch.softmax(self.net((x - self.mean) / self.std), dim=1)


def mlp() -> nn.Module:
    """Rows of features."""
    return nn.Sequential(
        nn.BatchNorm1d(9), nn.Linear(9, 16), nn.LeakyReLU(), nn.Linear(16, 16), nn.SELU(), nn.Linear(16, 7)
    )


IMAGES: dict[str, Callable[[], nn.Module]] = {
    "cnn": cnn, "vgg": vgg, "resnet": resnet, "mobilenet": mobilenet, "vit": Vit, "convnext": ConvNext,
    "densenet": Densenet, "prepared": Prepared,
}  # fmt: skip
SHAPES = dict.fromkeys(IMAGES, (3, 16, 16)) | {"prepared": (3, 20, 20), "mlp": (9,)}


def build(name: str) -> nn.Module:
    """The network, with running means that are not 0 and 1."""
    torch.manual_seed(4)
    network = mlp() if name == "mlp" else IMAGES[name]()
    with torch.no_grad():
        network.train()(torch.rand(8, *SHAPES[name]))
    return network.eval()


def export(
    network: nn.Module, shape: tuple[int, ...], *, dynamic: bool, dynamo: bool = False, **options: object
) -> bytes:
    """The model as torch writes it."""
    out = io.BytesIO()
    batch = torch.rand(2 if dynamic else 1, *shape)
    if dynamo:
        shapes = {"dynamic_shapes": ({0: torch.export.Dim("batch")},)} if dynamic else {}
        program = torch.onnx.export(network, (batch,), dynamo=True, verbose=False, **shapes, **options)
        program.save(out)
        return out.getvalue()
    axes = {"dynamic_axes": {"x": {0: "batch"}, "y": {0: "batch"}}} if dynamic else {}
    with warnings.catch_warnings(action="ignore"):
        torch.onnx.export(
            network, (batch,), out, input_names=["x"], output_names=["y"], dynamo=False, **axes, **options
        )
    return out.getvalue()
