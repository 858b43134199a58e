"""Diffusion, detection, decisions, speech, graphs, recommendation and what else there is."""
# mypy: ignore-errors
# ruff: noqa: N812

import math

import torch
import torch.nn.functional as F
from torch import nn

from tools.graphs.torch_models.registry import BATCH, Block, model


@model
def diffusion_unet():
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.i, self.m, self.o = (
                nn.Conv2d(3, 32, 3, padding=1),
                nn.Conv2d(32, 32, 3, padding=1),
                nn.Conv2d(32, 3, 1),
            )
            self.t = nn.Sequential(nn.Linear(32, 64), nn.SiLU(), nn.Linear(64, 32))

        def forward(self, x, t):
            f = torch.exp(-math.log(10000) * torch.arange(16) / 16)
            a = t[:, None].float() * f[None]
            e = self.t(torch.cat([a.sin(), a.cos()], -1))
            h = F.silu(F.group_norm(self.i(x), 4)) + e[:, :, None, None]
            return self.o(F.silu(self.m(h)))

    return Net(), (torch.randn(2, 3, 16, 16), torch.tensor([1, 500])), BATCH


@model
def ddpm_step():
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.n = nn.Sequential(nn.Conv2d(3, 16, 3, padding=1), nn.ReLU(), nn.Conv2d(16, 3, 3, padding=1))
            self.register_buffer("sigma", torch.rand(1000))

        def forward(self, x, t, noise):
            mean = x - self.n(x) * 0.1
            nonzero = (t != 0).float().view(-1, 1, 1, 1)
            return mean + nonzero * self.sigma[t].view(-1, 1, 1, 1) * noise

    return Net(), (torch.randn(2, 3, 8, 8), torch.tensor([0, 5]), torch.randn(2, 3, 8, 8)), None


@model
def detection_head():
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.b = nn.Sequential(nn.Conv2d(3, 16, 3, 2, 1), nn.ReLU(), nn.Conv2d(16, 32, 3, 2, 1), nn.ReLU())
            self.h = nn.Conv2d(32, 6, 1)
            y, x = torch.meshgrid(torch.arange(8), torch.arange(8), indexing="ij")
            self.register_buffer("grid", torch.stack([x, y], -1).float().view(1, 64, 2))

        def forward(self, x):
            p = self.h(self.b(x)).flatten(2).transpose(1, 2)
            c = (torch.sigmoid(p[..., :2]) + self.grid) * 4
            s = torch.exp(p[..., 2:4].clamp(max=4)) * 8
            boxes = torch.cat([c - s / 2, c + s / 2], -1).clamp(0, 32)
            score = torch.sigmoid(p[..., 4:])
            best, label = score.max(-1)
            keep = best > 0.25
            return (
                boxes,
                torch.where(keep, best, torch.zeros_like(best)),
                torch.where(keep, label, -torch.ones_like(label)),
            )

    return Net(), (torch.randn(2, 3, 32, 32),), BATCH


@model
def yolo_image_size():
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.b = nn.Sequential(nn.Conv2d(3, 16, 3, 4, 1), nn.ReLU(), nn.Conv2d(16, 5, 1))

        def forward(self, x, size):
            p = self.b(x).flatten(2).transpose(1, 2)
            boxes = torch.sigmoid(p[..., :4]) * size[:, [1, 0, 1, 0]][:, None]
            return torch.minimum(boxes, size[:, [1, 0, 1, 0]][:, None]), torch.sigmoid(p[..., 4])

    return Net(), (torch.randn(2, 3, 32, 32), torch.tensor([[32.0, 32.0], [30.0, 20.0]])), None


@model
def segmentation_argmax():
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.b = nn.Sequential(nn.Conv2d(3, 16, 3, padding=1), nn.ReLU(), nn.Conv2d(16, 5, 1))

        def forward(self, x):
            y = self.b(x)
            p, c = y.softmax(1).max(1)
            return torch.where(p < 0.4, torch.full_like(c, 255), c)

    return Net(), (torch.randn(2, 3, 32, 32),), BATCH


@model
def threshold_label():
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.n = nn.Sequential(nn.Linear(10, 32), nn.ReLU(), nn.Linear(32, 4))

        def forward(self, x):
            p = self.n(x).softmax(-1)
            return p, torch.where(p.amax(-1) > 0.5, p.argmax(-1), torch.tensor(-1))

    return Net(), (torch.randn(3, 10),), BATCH


@model
def action_mask():
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.n = nn.Sequential(nn.Linear(10, 32), nn.ReLU(), nn.Linear(32, 6))

        def forward(self, x, allowed):
            logits = self.n(x).masked_fill(allowed == 0, -1e8)
            return logits.softmax(-1), logits.argmax(-1)

    return Net(), (torch.randn(3, 10), torch.ones(3, 6)), BATCH


@model
def policy_tanh():
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.n = nn.Sequential(nn.Linear(10, 32), nn.Tanh(), nn.Linear(32, 2))
            self.log_std = nn.Parameter(torch.zeros(2))

        def forward(self, x):
            x = torch.clamp((x - 0.1) / 2.0, -10.0, 10.0)
            return torch.tanh(self.n(x)) * 2.0, self.log_std.exp().expand(x.size(0), -1)

    return Net(), (torch.randn(3, 10),), BATCH


@model
def vad_per_frame():
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.c, self.o = nn.Conv1d(1, 32, 40, 20), nn.Conv1d(32, 1, 1)

        def forward(self, wave):
            h = torch.relu(self.c(wave.unsqueeze(1)))
            energy = F.avg_pool1d(wave.unsqueeze(1) ** 2, 40, 20)
            return torch.sigmoid(self.o(h)) * (energy > 1e-4).float()

    return Net(), (torch.randn(2, 800),), BATCH


@model
def speech_mask():
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.c, self.b, self.o = nn.Conv1d(1, 32, 10, 5), Block(32, 4), nn.Linear(32, 30)

        def forward(self, wave, mask):
            h = torch.relu(self.c(wave.unsqueeze(1))).transpose(1, 2)
            lengths = torch.div(mask.sum(-1) - 10, 5, rounding_mode="floor") + 1
            m = torch.arange(h.size(1))[None] < lengths[:, None]
            h = h * m[..., None]
            a = (1.0 - m[:, None, None].float()) * -1e9
            return F.log_softmax(self.o(self.b(h, a)), -1)

    return Net(), (torch.randn(2, 400), torch.ones(2, 400, dtype=torch.long)), None


@model
def graph_net():
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.a, self.b, self.o = nn.Linear(8, 16), nn.Linear(16, 16), nn.Linear(16, 3)

        def forward(self, x, edges):
            s, d = edges[0], edges[1]
            h = torch.relu(self.a(x))
            m = torch.zeros_like(h).index_add(0, d, h[s])
            n = torch.zeros(h.size(0)).index_add(0, d, torch.ones(s.size(0))).clamp(min=1)
            return self.o(torch.relu(self.b(m / n[:, None])))

    return Net(), (torch.randn(6, 8), torch.randint(0, 6, (2, 12))), None


@model
def two_tower():
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.u, self.v = nn.Linear(10, 16), nn.Linear(12, 16)
            self.scale = nn.Parameter(torch.tensor(2.6))

        def forward(self, a, b):
            x, y = F.normalize(self.u(a), dim=-1), F.normalize(self.v(b), dim=-1)
            s = self.scale.exp() * x @ y.t()
            return s, s.t()

    return Net(), (torch.randn(3, 10), torch.randn(4, 12)), None


@model
def recommender():
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.u, self.v = nn.Embedding(50, 16), nn.Embedding(80, 16)
            self.bu, self.bv = nn.Embedding(50, 1), nn.Embedding(80, 1)

        def forward(self, user, item):
            dot = (self.u(user) * self.v(item)).sum(-1)
            return dot + self.bu(user).squeeze(-1) + self.bv(item).squeeze(-1)

    return Net(), (torch.tensor([1, 2]), torch.tensor([3, 4])), BATCH


@model
def kernel_rbf():
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.c, self.w = nn.Parameter(torch.randn(40, 6)), nn.Linear(40, 3)

        def forward(self, x):
            d = ((x[:, None] - self.c[None]) ** 2).sum(-1)
            return self.w(torch.exp(-0.5 * d))

    return Net(), (torch.randn(3, 6),), BATCH


@model
def nearest_neighbour():
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.register_buffer("keys", torch.randn(40, 16))
            self.register_buffer("labels", torch.randint(0, 5, (40,)))
            self.e = nn.Linear(8, 16)

        def forward(self, x):
            i = (F.normalize(self.e(x), dim=-1) @ self.keys.t()).argmax(-1)
            return self.labels[i]

    return Net(), (torch.randn(3, 8),), BATCH


@model
def codebook():
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.e, self.c, self.d = nn.Linear(20, 8), nn.Parameter(torch.randn(32, 8)), nn.Linear(8, 20)

        def forward(self, x):
            z = self.e(x)
            i = (z.pow(2).sum(-1, keepdim=True) - 2 * z @ self.c.t() + self.c.pow(2).sum(-1)).argmin(-1)
            return self.d(self.c[i]), i

    return Net(), (torch.randn(3, 20),), BATCH


@model
def vit_like():
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.p = nn.Conv2d(3, 32, 8, 8)
            self.cls, self.pos = nn.Parameter(torch.randn(1, 1, 32)), nn.Parameter(torch.randn(1, 17, 32))
            self.b, self.o = Block(32, 4), nn.Linear(32, 10)

        def forward(self, x):
            x = self.p(x).flatten(2).transpose(1, 2)
            x = torch.cat([self.cls.expand(x.size(0), -1, -1), x], 1) + self.pos
            return self.o(self.b(x, 0.0)[:, 0])

    return Net(), (torch.randn(2, 3, 32, 32),), BATCH


@model
def token_pruning():
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.e, self.s, self.b, self.o = nn.Embedding(200, 32), nn.Linear(32, 1), Block(32, 4), nn.Linear(32, 3)

        def forward(self, ids):
            h = self.b(self.e(ids), 0.0)
            k = torch.sigmoid(self.s(h)) > 0.5
            return self.o((h * k).sum(1))

    return Net(), (torch.randint(0, 200, (2, 10)),), BATCH


@model
def image_tokens():
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.e, self.v, self.b, self.o = nn.Embedding(200, 32), nn.Linear(12, 32), Block(32, 4), nn.Linear(32, 200)

        def forward(self, ids, image):
            h = self.e(ids)
            h = torch.where((ids == 199)[..., None], self.v(image), h)
            return self.o(self.b(h, 0.0))

    return Net(), (torch.randint(0, 200, (2, 10)), torch.randn(2, 10, 12)), BATCH


@model
def symlog_features():
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.n = nn.Sequential(nn.Linear(9, 32), nn.ReLU(), nn.Linear(32, 2))

        def forward(self, x):
            return self.n(torch.sign(x) * torch.log1p(x.abs()))

    return Net(), (torch.randn(3, 9),), BATCH


@model
def siren():
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.a, self.b, self.o = nn.Linear(2, 64), nn.Linear(64, 64), nn.Linear(64, 3)

        def forward(self, xy):
            return self.o(torch.sin(30 * self.b(torch.sin(30 * self.a(xy)))))

    return Net(), (torch.randn(5, 2),), BATCH


@model
def swin_window():
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.p, self.b, self.o = nn.Conv2d(3, 32, 4, 4), Block(32, 4), nn.Linear(32, 5)

        def forward(self, x):
            x = self.p(x).permute(0, 2, 3, 1)
            x = torch.roll(x, (-2, -2), (1, 2))
            b, h, w, c = x.shape
            y = x.view(b, h // 4, 4, w // 4, 4, c).permute(0, 1, 3, 2, 4, 5).reshape(-1, 16, c)
            y = self.b(y, 0.0).view(b, h // 4, w // 4, 4, 4, c).permute(0, 1, 3, 2, 4, 5).reshape(b, h * w, c)
            return self.o(y.mean(1))

    return Net(), (torch.randn(2, 3, 32, 32),), BATCH


@model
def batchless_audio():
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.c, self.o = nn.Conv1d(1, 32, 16, 8), nn.Linear(32, 4)

        def forward(self, wave):
            x = (wave - wave.mean()) / (wave.std() + 1e-7)
            return self.o(torch.relu(self.c(x[None, None])).mean(-1))[0]

    return Net(), (torch.randn(400),), None


@model
def ctc_decode():
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.r, self.o = nn.GRU(13, 32, batch_first=True), nn.Linear(32, 20)

        def forward(self, x):
            best = self.o(self.r(x)[0]).argmax(-1)
            before = F.pad(best[:, :-1], (1, 0), value=-1)
            return torch.where((best != before) & (best != 0), best, torch.zeros_like(best))

    return Net(), (torch.randn(2, 20, 13),), BATCH


@model
def ensemble():
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.a, self.b, self.c = (nn.Sequential(nn.Linear(12, 24), nn.ReLU(), nn.Linear(24, 4)) for _ in range(3))

        def forward(self, x):
            return (self.a(x).softmax(-1) + self.b(x).softmax(-1) + self.c(x).softmax(-1)) / 3

    return Net(), (torch.randn(3, 12),), BATCH


@model
def monte_carlo():
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.a, self.b = nn.Linear(12, 24), nn.Linear(24, 4)

        def forward(self, x):
            h = torch.relu(self.a(x))
            h = h * (torch.rand_like(h) > 0.1).float() / 0.9
            return self.b(h)

    return Net(), (torch.randn(3, 12),), BATCH
