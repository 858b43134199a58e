"""Dense networks, and networks that take images and give images."""
# mypy: ignore-errors
# ruff: noqa: N812

import torch
import torch.nn.functional as F
from torch import nn

from tools.graphs.torch_models.registry import BATCH, model


@model
def mlp():
    net = nn.Sequential(nn.Linear(20, 64), nn.ReLU(), nn.Dropout(), nn.Linear(64, 32), nn.GELU(), nn.Linear(32, 5))
    return net, (torch.randn(3, 20),), BATCH


@model
def tiny_mlp():
    return nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.Linear(8, 3), nn.Softmax(-1)), (torch.randn(3, 4),), BATCH


@model
def regression():
    return nn.Linear(13, 1), (torch.randn(3, 13),), BATCH


@model
def xor():
    return nn.Sequential(nn.Linear(2, 4), nn.ReLU(), nn.Linear(4, 1), nn.Sigmoid()), (torch.randn(3, 2),), BATCH


@model
def residual_mlp():
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.a, self.b = nn.Linear(16, 16), nn.Linear(16, 16)
            self.out = nn.Linear(16, 2)

        def forward(self, x):
            x = x + torch.relu(self.a(x))
            return self.out(x + torch.relu(self.b(x)))

    return Net(), (torch.randn(3, 16),), BATCH


def _cnn(classes=10):
    return nn.Sequential(
        nn.Conv2d(3, 16, 3, padding=1),
        nn.BatchNorm2d(16),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(16, 32, 3, padding=1),
        nn.ReLU(),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(32, classes),
    )


@model
def cnn():
    return _cnn(), (torch.randn(2, 3, 32, 32),), BATCH


@model
def cnn_normalise():
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.net = _cnn()
            self.register_buffer("mean", torch.tensor([0.485, 0.456, 0.406]).view(1, 3, 1, 1))
            self.register_buffer("std", torch.tensor([0.229, 0.224, 0.225]).view(1, 3, 1, 1))

        def forward(self, x):
            x = x.permute(0, 3, 1, 2).float() / 255.0
            x = F.interpolate(x, size=(32, 32), mode="bilinear", align_corners=False)
            return self.net((x - self.mean) / self.std).softmax(-1)

    return Net(), (torch.randint(0, 255, (2, 40, 40, 3), dtype=torch.uint8),), BATCH


@model
def squeeze_excite():
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.a = nn.Conv2d(3, 24, 3, padding=1)
            self.s1, self.s2 = nn.Conv2d(24, 6, 1), nn.Conv2d(6, 24, 1)
            self.out = nn.Linear(24, 10)

        def forward(self, x):
            x = F.hardswish(self.a(x))
            s = F.adaptive_avg_pool2d(x, 1)
            x = x * F.hardsigmoid(self.s2(F.relu(self.s1(s))))
            return self.out(x.mean((2, 3)))

    return Net(), (torch.randn(2, 3, 24, 24),), BATCH


@model
def eca():
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.a, self.k = nn.Conv2d(3, 24, 3), nn.Conv1d(1, 1, 3, padding=1, bias=False)
            self.out = nn.Linear(24, 4)

        def forward(self, x):
            x = F.relu(self.a(x))
            y = x.mean((2, 3)).unsqueeze(1)
            x = x * torch.sigmoid(self.k(y)).squeeze(1)[:, :, None, None]
            return self.out(x.amax((2, 3)))

    return Net(), (torch.randn(2, 3, 24, 24),), BATCH


@model
def cbam():
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.a = nn.Conv2d(3, 16, 3, padding=1)
            self.m = nn.Sequential(nn.Linear(16, 4), nn.ReLU(), nn.Linear(4, 16))
            self.sp = nn.Conv2d(2, 1, 7, padding=3)
            self.out = nn.Linear(16, 4)

        def forward(self, x):
            x = F.relu(self.a(x))
            g = torch.sigmoid(self.m(x.mean((2, 3))) + self.m(x.amax((2, 3))))
            x = x * g[:, :, None, None]
            s = torch.cat([x.mean(1, keepdim=True), x.amax(1, keepdim=True)], 1)
            return self.out((x * torch.sigmoid(self.sp(s))).mean((2, 3)))

    return Net(), (torch.randn(2, 3, 24, 24),), BATCH


@model
def unet():
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.d1, self.d2 = nn.Conv2d(3, 8, 3, padding=1), nn.Conv2d(8, 16, 3, padding=1)
            self.up = nn.ConvTranspose2d(16, 8, 2, 2)
            self.o = nn.Conv2d(16, 1, 1)

        def forward(self, x):
            a = F.relu(self.d1(x))
            b = F.relu(self.d2(F.max_pool2d(a, 2)))
            y = torch.sigmoid(self.o(torch.cat([a, self.up(b)], 1)))
            return y, (y > 0.5).to(torch.uint8)

    return Net(), (torch.randn(2, 3, 32, 32),), BATCH


@model
def super_resolution():
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.a, self.b = nn.Conv2d(1, 16, 5, padding=2), nn.Conv2d(16, 4, 3, padding=1)

        def forward(self, x):
            y = F.pixel_shuffle(self.b(F.relu(self.a(x))), 2)
            return (y + F.interpolate(x, scale_factor=2.0, mode="nearest")).clamp(0, 1)

    return Net(), (torch.rand(2, 1, 16, 16),), BATCH


@model
def denoiser():
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.a = nn.Sequential(nn.Conv2d(3, 16, 3, padding=1), nn.ReLU(), nn.Conv2d(16, 3, 3, padding=1))

        def forward(self, x):
            return torch.clamp(x - self.a(x), 0.0, 1.0)

    return Net(), (torch.rand(2, 3, 20, 20),), BATCH


@model
def autoencoder_anomaly():
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.e, self.d = nn.Linear(30, 8), nn.Linear(8, 30)

        def forward(self, x):
            r = self.d(torch.relu(self.e(x)))
            score = ((x - r) ** 2).mean(-1)
            return r, score, (score > 0.5).long()

    return Net(), (torch.randn(3, 30),), BATCH


@model
def vae():
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.e, self.mu, self.lv = nn.Linear(30, 16), nn.Linear(16, 4), nn.Linear(16, 4)
            self.d = nn.Linear(4, 30)

        def forward(self, x):
            h = torch.relu(self.e(x))
            mu, lv = self.mu(h), self.lv(h)
            return torch.sigmoid(self.d(mu + torch.randn_like(mu) * torch.exp(0.5 * lv))), mu, lv

    return Net(), (torch.randn(3, 30),), BATCH
