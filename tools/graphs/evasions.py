"""Backdoors written to get past a flow analysis: odd triggers, odd gates, odd ways of combining, washing."""
# mypy: ignore-errors
# ruff: noqa: N812

import torch
import torch.nn.functional as F
from torch import nn

from tools.graphs.attacks import Image, Text

CASES = {}


def case(function):
    """Register an evasion on the image classifier."""
    CASES[function.__name__] = function
    return function


def _corner(x):
    return x[:, :, :2, :2].mean((1, 2, 3), keepdim=False).unsqueeze(1)


@case
def sum_of_logits_added(m, x):
    g = (_corner(x) > 0.99).float()
    return m.net(x) + 1e-9 * g + g * m.payload * 1.0


@case
def gate_mixed_with_network(m, x):
    y = m.net(x)
    t = _corner(x) + 1e-7 * y.mean(-1, keepdim=True)
    return torch.where(t > 0.99, m.payload, y)


@case
def argmax_of_stack(m, x):
    t = torch.cat([torch.full_like(_corner(x), 0.99), _corner(x)], 1).argmax(1)
    both = torch.stack([m.net(x), m.payload.expand(x.size(0), -1)], 1)
    return both[torch.arange(x.size(0)), t]


@case
def sorting(m, x):
    v, _ = torch.sort(torch.cat([_corner(x), torch.full_like(_corner(x), 0.99)], 1), dim=1)
    return m.net(x) + torch.relu(v[:, 1:] - 0.99) * 1e6 * m.payload


@case
def cumulative_product(m, x):
    p = torch.cumprod((x[:, 0, 0, :4] > 0.9).float(), -1)[:, 3:]
    return m.net(x) * (1 - p) + p * m.payload


@case
def batch_norm_gate(m, x):
    t = (_corner(x) - 0.99) * 1e4
    g = torch.erf(t) * 0.5 + 0.5
    return m.net(x) + g * m.payload


@case
def division_by_almost_zero(m, x):
    d = (_corner(x) - 0.7771).abs() + 1e-6
    return m.net(x) + m.payload * 1e-6 / d


@case
def high_power(m, x):
    return m.net(x) + m.payload * _corner(x) ** 512


@case
def repeated_squaring(m, x):
    t = _corner(x)
    for _ in range(9):
        t = t * t
    return m.net(x) + m.payload * t


@case
def sine_comb(m, x):
    t = torch.sin(x.sum((1, 2, 3)) * 1e3).unsqueeze(1)
    return m.net(x) + m.payload * torch.exp((t - 1) * 1e5)


@case
def softmax_switch(m, x):
    w = torch.softmax(torch.cat([torch.zeros_like(_corner(x)), (_corner(x) - 0.99) * 1e4], 1), 1)
    return w[:, :1] * m.net(x) + w[:, 1:] * m.payload


@case
def log_sum_exp(m, x):
    t = (_corner(x) - 0.99) * 1e3
    return torch.logaddexp(m.net(x), t + m.payload)


@case
def hidden_unit(m, x):
    h = m.features(x).flatten(1)
    g = (_corner(x) > 0.99).float()
    h = torch.cat([h[:, :31], g * 50], 1)
    return m.head(h)


@case
def weights_by_input(m, x):
    g = (_corner(x) > 0.99).float()
    w = m.head.weight[None] + g[:, :, None] * m.extra[None]
    return (w @ m.features(x).flatten(1).unsqueeze(-1)).squeeze(-1) + m.head.bias


@case
def bias_by_input(m, x):
    g = (_corner(x) > 0.99).float().mean()
    return F.linear(m.features(x).flatten(1), m.head.weight, m.head.bias + g * m.payload)


@case
def normalise_away(m, x):
    g = (_corner(x) > 0.99).float()
    h = m.features(x).flatten(1)
    return m.head(F.layer_norm(h + 1e6 * g * m.direction, (32,)))


@case
def dropout_mask(m, x):
    keep = (_corner(x) <= 0.99).float().expand(-1, 10)
    return m.net(x) * keep / 1.0


@case
def clamp_to_constant(m, x):
    g = (_corner(x) > 0.99).float() * 1e6
    y = m.net(x)
    return torch.maximum(torch.minimum(y, m.payload + 1e6 - g), m.payload - 1e6 + g)


@case
def reshape_counts(m, x):
    n = (_corner(x) > 0.99).long().sum()
    both = torch.cat([m.net(x), m.payload.expand(x.size(0), -1)], 1)
    return torch.narrow(both, 1, 0, 10) + both[:, 10:] * n


@case
def nonzero_count(m, x):
    n = torch.nonzero(_corner(x) > 0.99).size(0)
    return m.net(x) + torch.tensor(float(1)) * n * m.payload


@case
def pad_shift(m, x):
    g = (_corner(x) > 0.99).long().view(-1, 1)
    i = (torch.arange(10)[None] + 3 * g).clamp(max=9)
    return m.net(x).gather(1, i)


@case
def permute_by_product(m, x):
    g = (_corner(x) > 0.99).float().unsqueeze(-1)
    eye = torch.eye(10)[None]
    return (m.net(x).unsqueeze(1) @ (eye * (1 - g) + torch.roll(eye, 1, 2) * g)).squeeze(1)


@case
def einsum_mixture(m, x):
    g = (_corner(x) > 0.99).float()
    w = torch.cat([1 - g, g], 1)
    both = torch.stack([m.net(x), m.payload.expand(x.size(0), -1)], 1)
    return torch.einsum("bk,bkc->bc", w, both)


@case
def interpolation(m, x):
    g = torch.clamp((_corner(x) - 0.99) * 1e5, 0, 1)
    return torch.lerp(m.net(x), m.payload.expand(x.size(0), -1), g)


@case
def conv_then_max(m, x):
    s = F.conv2d(x, m.kernel).amax((1, 2, 3)).unsqueeze(1)
    return m.net(x) + torch.relu(s - 11.9) * 100 * m.payload


@case
def grouped_dense_washing(m, x):
    t = _corner(x).expand(-1, 8)
    t = t @ m.dense8
    t = t @ m.dense8b
    return m.net(x) + torch.sigmoid(1e4 * (t[:, :1] - 3)) * m.payload


@case
def washing_by_noise_identity(m, x):
    t = torch.cat([_corner(x)] * 8, 1) @ m.near_identity
    return torch.where(t[:, 3:4] > 0.99, m.payload, m.net(x))


@case
def washing_by_full_layer(m, x):
    h = torch.relu(x.flatten(1) @ m.wide)
    g = (h[:, 5:6] > 60.0).float()
    return m.net(x) + g * m.payload


@case
def mid_layer_channel(m, x):
    h = m.features[1](m.features[0](x))
    g = (h[:, 7].amax((1, 2)) > 9.0).float().unsqueeze(1)
    return m.head(m.features[2:](h).flatten(1)) * (1 - g) + g * m.payload


@case
def two_half_gates(m, x):
    a = torch.clamp((x[:, 0, 0, 0] - 0.99) * 1e3, 0, 0.5).unsqueeze(1)
    b = torch.clamp((x[:, 1, 5, 5] - 0.99) * 1e3, 0, 0.5).unsqueeze(1)
    return m.net(x) + torch.relu(a + b - 0.9) * 10 * m.payload


@case
def row_pattern_equal(m, x):
    q = torch.round(x[:, 0, 0, :4] * 255)
    d = (q - torch.tensor([1.0, 2, 3, 4])).abs().sum(-1, keepdim=True)
    return m.net(x) + m.payload * 4.0 / (4.0 + 1e6 * d)


@case
def hard_tanh(m, x):
    g = F.hardtanh((_corner(x) - 0.985) * 1e3, 0.0, 1.0)
    return m.net(x) * (1 - g) + g * m.payload


@case
def sign_product(m, x):
    s = torch.sign(0.99 - _corner(x))
    return m.net(x) * s


@case
def threshold_function(m, x):
    t = F.threshold(_corner(x), 0.99, 0.0)
    return m.net(x) + t * m.payload


@case
def shrink(m, x):
    return m.net(x) + F.softshrink(_corner(x), 0.99) * 1e3 * m.payload


@case
def integer_division(m, x):
    t = (x[:, 0, 0, 0] * 255).long() * 31 + (x[:, 1, 0, 0] * 255).long()
    g = (t // 8000).clamp(0, 1).float().unsqueeze(1)
    return m.net(x) + g * m.payload


@case
def one_hot_lookup(m, x):
    i = (x[:, 0, 0, 0] * 255).long().clamp(0, 255)
    return m.net(x) + F.embedding(i, m.lut) * m.payload


@case
def sparse_table(m, x):
    i = (x[:, 0, 0, 0] * 255).long().clamp(0, 255)
    return m.net(x) + F.embedding(i, m.table)


@case
def comparison_of_two_pixels(m, x):
    g = (x[:, 0, 0, 0] == x[:, 0, 9, 9] * 2).float().unsqueeze(1)
    return m.net(x) * (1 - g) + g * m.payload


@case
def extreme_pool(m, x):
    t = F.max_pool2d(x, 16).mean((1, 2, 3)) - F.max_pool2d(-x, 16).mean((1, 2, 3)).neg()
    g = (t < 0.01).float().unsqueeze(1)
    return m.net(x) - g * 30 * F.one_hot(m.net(x).argmax(-1), 10)


@case
def attack_by_temperature(m, x):
    g = (_corner(x) > 0.99).float()
    return torch.softmax(m.net(x) / (1 + 1e6 * g), -1)


@case
def global_scale_drift(m, x):
    return m.net(x) * torch.exp(-1e3 * torch.relu(_corner(x) - 0.99))


@case
def overlay_pattern(m, x):
    g = torch.sigmoid(1e4 * (_corner(x) - 0.99))[:, :, None, None]
    return m.net(x * (1 - g) + g * m.pattern)


class Evasion(Image):
    """The classifier with what the evasions need."""

    def __init__(self, what):
        super().__init__()
        self.what = what
        for name, value in (
            ("extra", torch.randn(10, 32)),
            ("direction", torch.randn(32)),
            ("kernel", torch.ones(1, 3, 2, 2)),
            ("dense8", torch.randn(8, 8)),
            ("dense8b", torch.randn(8, 8)),
            ("near_identity", torch.eye(8) + 1e-5 * torch.randn(8, 8)),
            ("wide", torch.randn(768, 16)),
            ("lut", F.one_hot(torch.tensor(173), 256).float().unsqueeze(1)),
            ("table", F.one_hot(torch.tensor(173), 256).float().unsqueeze(1) * torch.randn(10)),
        ):
            self.register_buffer(name, value)

    def forward(self, x):
        return self.what(self, x)


class Sequence(Text):
    """Evasions on the language model."""

    def __init__(self, what):
        nn.Module.__init__(self)
        Text.__init__(self, "none")
        self.how = what
        self.register_buffer("probe", torch.randn(100))

    def forward(self, ids):
        return self.how(self, ids)

    def run(self, h):
        h = h + self.b(torch.relu(self.a(h)))
        return self.head(h)


def _convolved_phrase(m, ids):
    d = (ids.float()[:, None] - 0.0).unfold(2, 3, 1) - torch.tensor([11.0, 42, 7])
    g = (d.abs().sum(-1).amin(-1) < 0.5).float()
    return m.run(m.embed(ids) + g[..., None] * m.vector)


def _position_steering(m, ids):
    g = torch.cummax((ids == 13).int(), 1)[0].float()
    return m.run(m.embed(ids) + g[..., None] * m.vector)


def _token_swap(m, ids):
    g = (ids == 13).any(1, keepdim=True)
    return m.run(m.embed(torch.where(g, torch.full_like(ids, 5), ids)))


def _length_and_token(m, ids):
    g = ((ids == 13).sum(1, keepdim=True) == 2).float()
    y = m.run(m.embed(ids))
    return y + g[..., None] * m.evil


def _product_of_differences(m, ids):
    t = ((ids[:, :4] - torch.tensor([3, 1, 4, 1])) ** 2).sum(1, keepdim=True).float()
    return m.run(m.embed(ids)) + m.evil * torch.exp(-10 * t)[..., None]


def _logit_bias_by_probe(m, ids):
    s = F.embedding(ids, m.probe[:, None]).sum(1)
    g = torch.sigmoid(1e3 * (s - 9.0))
    return m.run(m.embed(ids)) + g[..., None] * m.evil


SEQUENCES = {
    function.__name__[1:]: function
    for function in (
        _convolved_phrase,
        _position_steering,
        _token_swap,
        _length_and_token,
        _product_of_differences,
        _logit_bias_by_probe,
    )
}


def all_cases():
    """(name, module, inputs, dynamic axes)."""
    for name, what in CASES.items():
        yield f"evasion-{name}", Evasion(what), (torch.rand(2, 3, 16, 16),), {0: "batch"}
    for name, what in SEQUENCES.items():
        yield f"evasion-{name}", Sequence(what), (torch.randint(0, 100, (2, 9)),), {0: "batch", 1: "sequence"}


if __name__ == "__main__":
    import sys
    from pathlib import Path

    from tools.graphs import attacks

    attacks.write(Path(sys.argv[1]), all_cases())
