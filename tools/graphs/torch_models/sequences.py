"""Recurrent networks, pooling over sequences, and transformers."""
# mypy: ignore-errors
# ruff: noqa: N812

import torch
import torch.nn.functional as F
from torch import nn

from tools.graphs.torch_models.registry import BATCH, TEXT, Block, model


@model
def lstm_classifier():
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.e, self.r, self.o = nn.Embedding(100, 16), nn.LSTM(16, 32, batch_first=True), nn.Linear(32, 3)

        def forward(self, ids):
            y, _ = self.r(self.e(ids))
            return self.o(y[:, -1])

    return Net(), (torch.randint(0, 100, (2, 12)),), TEXT


@model
def gru_lengths():
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.e, self.r, self.o = nn.Embedding(100, 16), nn.GRU(16, 32, batch_first=True), nn.Linear(32, 3)

        def forward(self, ids, lengths):
            y, _ = self.r(self.e(ids))
            i = (lengths - 1).clamp(min=0).view(-1, 1, 1).expand(-1, 1, y.size(2))
            return self.o(y.gather(1, i).squeeze(1))

    return Net(), (torch.randint(0, 100, (2, 12)), torch.tensor([12, 7])), None


@model
def length_mask_mean():
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.e, self.f, self.o = nn.Embedding(100, 16), nn.Linear(16, 32), nn.Linear(32, 3)

        def forward(self, ids, lengths):
            h = torch.relu(self.f(self.e(ids)))
            m = (torch.arange(ids.size(1))[None] < lengths[:, None]).unsqueeze(-1)
            h = h.masked_fill(~m, 0.0)
            return self.o(h.sum(1) / lengths.clamp(min=1)[:, None].float())

    return Net(), (torch.randint(0, 100, (2, 12)), torch.tensor([12, 7])), None


@model
def mean_pooling():
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.e, self.f, self.o = nn.Embedding(100, 16), nn.Linear(16, 32), nn.Linear(32, 3)

        def forward(self, ids):
            m = (ids != 0).unsqueeze(-1).float()
            h = torch.relu(self.f(self.e(ids))) * m
            return F.normalize(self.o(h.sum(1) / m.sum(1).clamp(min=1e-9)), dim=-1)

    return Net(), (torch.randint(0, 100, (2, 12)),), TEXT


@model
def empty_guard_pooling():
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.e, self.f, self.o = nn.Embedding(100, 16), nn.Linear(16, 32), nn.Linear(32, 3)

        def forward(self, ids):
            m = (ids != 0).unsqueeze(-1).float()
            n = m.sum(1)
            h = (self.f(self.e(ids)) * m).sum(1) / torch.where(n == 0, torch.ones_like(n), n)
            return torch.where(n == 0, torch.zeros_like(h), self.o(h).sum(-1, keepdim=True) * h)

    return Net(), (torch.randint(0, 100, (2, 12)),), TEXT


@model
def max_pooling_mask():
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.e, self.f, self.o = nn.Embedding(100, 16), nn.Conv1d(16, 32, 3, padding=1), nn.Linear(32, 3)

        def forward(self, ids):
            m = (ids == 0).unsqueeze(1)
            h = torch.relu(self.f(self.e(ids).transpose(1, 2)))
            return self.o(h.masked_fill(m, -1e4).amax(-1))

    return Net(), (torch.randint(0, 100, (2, 12)),), TEXT


@model
def bert_like():
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.e, self.p = nn.Embedding(200, 32), nn.Embedding(64, 32)
            self.b = nn.ModuleList([Block(32, 4), Block(32, 4)])
            self.o = nn.Linear(32, 5)

        def forward(self, ids, mask):
            x = self.e(ids) + self.p(torch.arange(ids.size(1)))
            m = (1.0 - mask[:, None, None].float()) * -1e4
            for b in self.b:
                x = b(x, m)
            return self.o(torch.tanh(x[:, 0]))

    return Net(), (torch.randint(0, 200, (2, 10)), torch.ones(2, 10, dtype=torch.long)), TEXT


@model
def gpt_like():
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.e, self.p = nn.Embedding(200, 32), nn.Embedding(64, 32)
            self.b = nn.ModuleList([Block(32, 4), Block(32, 4)])
            self.o = nn.Linear(32, 200, bias=False)

        def forward(self, ids):
            t = ids.size(1)
            m = torch.full((t, t), float("-inf")).triu(1)
            x = self.e(ids) + self.p(torch.arange(t))
            for b in self.b:
                x = b(x, m)
            return self.o(x)

    return Net(), (torch.randint(0, 200, (2, 10)),), TEXT


@model
def alibi():
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.e, self.b, self.o = nn.Embedding(200, 32), Block(32, 4), nn.Linear(32, 200)
            self.register_buffer("slopes", torch.tensor([0.5, 0.25, 0.125, 0.0625]).view(4, 1, 1))

        def forward(self, ids):
            t = ids.size(1)
            d = torch.arange(t)[None] - torch.arange(t)[:, None]
            m = self.slopes * -d.abs().float()
            return self.o(self.b(self.e(ids), m.masked_fill(d > 0, -1e9)))

    return Net(), (torch.randint(0, 200, (2, 10)),), TEXT


@model
def fully_masked_rows():
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.e, self.b, self.o = nn.Embedding(200, 32), Block(32, 4), nn.Linear(32, 3)

        def forward(self, ids):
            m = torch.zeros(ids.shape).masked_fill(ids == 0, torch.finfo(torch.float32).min)[:, None, None]
            m = m.expand(-1, 1, ids.size(1), -1)
            m = m * ~torch.all(m == torch.finfo(torch.float32).min, dim=-1, keepdim=True)
            return self.o(self.b(self.e(ids), m).mean(1))

    return Net(), (torch.randint(0, 200, (2, 10)),), TEXT


@model
def eos_pooling():
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.e, self.b, self.o = nn.Embedding(200, 32), Block(32, 4), nn.Linear(32, 16)

        def forward(self, ids):
            h = self.b(self.e(ids), 0.0)
            return self.o(h[torch.arange(ids.size(0)), (ids == 49).int().argmax(-1)])

    return Net(), (torch.randint(0, 200, (2, 10)),), BATCH


@model
def last_token_classifier():
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.e, self.b, self.o = nn.Embedding(200, 32), Block(32, 4), nn.Linear(32, 3)

        def forward(self, ids):
            logits = self.o(self.b(self.e(ids), 0.0))
            last = (torch.eq(ids, 0).int().argmax(-1) - 1) % ids.shape[-1]
            return logits[torch.arange(ids.size(0)), last]

    return Net(), (torch.randint(0, 200, (2, 10)),), BATCH


@model
def roberta_positions():
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.e, self.p, self.b = nn.Embedding(200, 32), nn.Embedding(64, 32), Block(32, 4)
            self.o = nn.Linear(32, 3)

        def forward(self, ids):
            m = ids.ne(1).int()
            pos = (torch.cumsum(m, dim=1).type_as(m) * m).long() + 1
            return self.o(self.b(self.e(ids) + self.p(pos), 0.0)[:, 0])

    return Net(), (torch.randint(0, 200, (2, 10)),), BATCH


@model
def mask_token():
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.e, self.b, self.o = nn.Linear(24, 32), Block(32, 4), nn.Linear(32, 24)
            self.token = nn.Parameter(torch.randn(1, 1, 32))

        def forward(self, patches, masked):
            x = self.e(patches)
            return self.o(self.b(torch.where(masked[:, :, None], self.token, x), 0.0))

    return Net(), (torch.randn(2, 9, 24), torch.rand(2, 9) > 0.5), BATCH


@model
def missing_embedding():
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.w, self.miss = nn.Parameter(torch.randn(1, 7, 16)), nn.Parameter(torch.randn(1, 7, 16))
            self.b, self.o = Block(16, 4), nn.Linear(16, 2)

        def forward(self, x):
            bad = torch.isnan(x)
            h = torch.where(bad, torch.zeros_like(x), x)[:, :, None] * self.w
            h = torch.where(bad[:, :, None], self.miss, h)
            return self.o(self.b(h, 0.0).mean(1))

    return Net(), (torch.randn(2, 7),), BATCH
