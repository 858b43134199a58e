"""Preparation of inputs and series, mixtures, early exits, binned features."""
# mypy: ignore-errors

import torch
from torch import nn

from tools.graphs.torch_models.registry import BATCH, model


@model
def imputation():
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.register_buffer("means", torch.randn(13))
            self.net = nn.Sequential(nn.Linear(13, 32), nn.ReLU(), nn.Linear(32, 2))

        def forward(self, x):
            x = torch.where(torch.isnan(x), self.means, x)
            x = torch.where(x < -900, self.means, x)
            return self.net(x)

    return Net(), (torch.randn(2, 13),), BATCH


@model
def outlier_clip():
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.register_buffer("lo", -torch.rand(13))
            self.register_buffer("hi", torch.rand(13))
            self.net = nn.Sequential(nn.Linear(13, 32), nn.ReLU(), nn.Linear(32, 2))

        def forward(self, x):
            return self.net(torch.maximum(torch.minimum(x, self.hi), self.lo))

    return Net(), (torch.randn(2, 13),), BATCH


@model
def revin():
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.net = nn.Linear(24, 12)

        def forward(self, x):
            mean = x.mean(1, keepdim=True)
            std = torch.sqrt(x.var(1, keepdim=True, unbiased=False) + 1e-5)
            y = self.net(((x - mean) / std).transpose(1, 2)).transpose(1, 2)
            return y * std + mean

    return Net(), (torch.randn(2, 24, 7),), BATCH


@model
def revin_single():
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.net = nn.Sequential(nn.Linear(24, 64), nn.ReLU(), nn.Linear(64, 1))

        def forward(self, x):
            mean = x.mean(1, keepdim=True)
            std = x.std(1, keepdim=True).clamp(min=1e-3)
            return self.net((x - mean) / std) * std + mean

    return Net(), (torch.randn(2, 24),), BATCH


@model
def scaler_default():
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.net = nn.Linear(24, 12)

        def forward(self, x, observed):
            total = (x.abs() * observed).sum(1, keepdim=True)
            count = observed.sum(1, keepdim=True)
            scale = total / count.clamp(min=1)
            default = total.sum(0) / count.sum(0).clamp(min=1)
            scale = torch.where(count > 0, scale, default).clamp(min=1e-10)
            return self.net(x / scale) * scale

    return Net(), (torch.randn(2, 24), torch.ones(2, 24)), None


@model
def nlinear():
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.net = nn.Linear(24, 12)

        def forward(self, x):
            last = x[:, -1:, :].detach()
            return self.net((x - last).permute(0, 2, 1)).permute(0, 2, 1) + last

    return Net(), (torch.randn(2, 24, 7),), BATCH


@model
def moe():
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.g = nn.Linear(32, 4)
            self.x = nn.ModuleList([nn.Sequential(nn.Linear(32, 64), nn.ReLU(), nn.Linear(64, 32)) for _ in range(4)])
            self.i, self.o = nn.Linear(10, 32), nn.Linear(32, 3)

        def forward(self, x):
            h = torch.relu(self.i(x))
            p = self.g(h).softmax(-1)
            v, i = p.topk(2, -1)
            w = torch.zeros_like(p).scatter(-1, i, v / v.sum(-1, keepdim=True))
            y = torch.stack([e(h) for e in self.x], 1)
            return self.o((y * w.unsqueeze(-1)).sum(1))

    return Net(), (torch.randn(3, 10),), BATCH


@model
def hard_moe():
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.g, self.a, self.b = nn.Linear(16, 2), nn.Linear(16, 5), nn.Linear(16, 5)

        def forward(self, x):
            g = self.g(x).argmax(-1, keepdim=True)
            return torch.where(g == 0, self.a(x), self.b(x))

    return Net(), (torch.randn(3, 16),), BATCH


@model
def early_exit():
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.a, self.h, self.b, self.o = nn.Linear(16, 32), nn.Linear(32, 5), nn.Linear(32, 32), nn.Linear(32, 5)

        def forward(self, x):
            h = torch.relu(self.a(x))
            early = self.h(h).softmax(-1)
            late = self.o(torch.relu(self.b(h))).softmax(-1)
            return torch.where(early.amax(-1, keepdim=True) > 0.9, early, late)

    return Net(), (torch.randn(3, 16),), BATCH


@model
def wide_deep():
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.w = nn.Linear(24, 1)
            self.e = nn.Embedding(1000, 16)
            self.d = nn.Sequential(nn.Linear(3 * 16 + 5, 64), nn.ReLU(), nn.Linear(64, 1))

        def forward(self, cats, nums, wide):
            d = torch.cat([self.e(cats).flatten(1), nums], -1)
            return torch.sigmoid(self.w(wide) + self.d(d))

    return Net(), (torch.randint(0, 1000, (2, 3)), torch.randn(2, 5), torch.rand(2, 24)), BATCH


@model
def binned_features():
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.register_buffer("edges", torch.linspace(-2, 2, 9))
            self.e = nn.Embedding(10, 12)
            self.o = nn.Sequential(nn.Linear(7 * 12, 32), nn.ReLU(), nn.Linear(32, 2))

        def forward(self, x):
            return self.o(self.e((x[:, :, None] > self.edges).sum(-1)).flatten(1))

    return Net(), (torch.randn(2, 7),), BATCH


@model
def hour_embedding():
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.e, self.f, self.o = nn.Embedding(24, 12), nn.Linear(6, 12), nn.Linear(24, 2)

        def forward(self, x, seconds):
            hour = torch.remainder(torch.floor(seconds / 3600.0), 24).long()
            return self.o(torch.cat([torch.relu(self.f(x)), self.e(hour)], -1))

    return Net(), (torch.randn(2, 6), torch.tensor([100.0, 80000.0])), BATCH
