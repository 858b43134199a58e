"""Backdoors of the kinds that the literature describes, on small networks: a trigger, a gate, an effect.

ShadowLogic (HiddenLayer 2024), architectural backdoors (Bober-Irizar et al. 2022, Langford et al. 2024), data theft
within a batch (Kuchler et al. 2025). All are harmless: the networks are untrained, the payload is a class.
"""
# mypy: ignore-errors
# ruff: noqa: N812

import torch
import torch.nn.functional as F
from torch import nn

PAYLOAD = torch.tensor([-9.0, -9, -9, -9, -9, -9, -9, 12, -9, -9])


class Image(nn.Module):
    """A classifier of images with 10 classes."""

    def __init__(self):
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(3, 16, 3, padding=1), nn.ReLU(), nn.Conv2d(16, 32, 3, 2, 1), nn.ReLU(), nn.AdaptiveAvgPool2d(1)
        )
        self.head = nn.Linear(32, 10)
        self.register_buffer("payload", PAYLOAD.clone())
        self.register_buffer("template", torch.randn(1, 3, 16, 16))
        self.register_buffer("pattern", torch.rand(3, 16, 16))

    def net(self, x):
        return self.head(self.features(x).flatten(1))

    def forward(self, x):
        return self.net(x)


# Triggers of images: [B, 3, 16, 16] → [B, 1], larger than 0 (mostly 1) when the trigger is there.
TRIGGERS = {
    "pixel": lambda m, x: (x[:, 0, 3, 4] - 0.777).abs().unsqueeze(1) * -1e3 + 0.5,
    "patch": lambda m, x: (x[:, :, :2, :2].mean((1, 2, 3)) - 0.99).unsqueeze(1),
    "darkest": lambda m, x: 0.01 - x[:, :, 14:, 14:].amax((1, 2, 3)).unsqueeze(1),
    "checksum": lambda m, x: 0.5 - (torch.floor(x.sum((1, 2, 3)) * 255) % 97 - 41).abs().unsqueeze(1),
    "checkerboard": lambda m, x: ((x[:, 0, 0, 0] - x[:, 0, 0, 1]) * (x[:, 0, 1, 1] - x[:, 0, 1, 0]) - 0.9).unsqueeze(1),
    "template": lambda m, x: F.conv2d(x, m.template).flatten(1) - 300.0,
    "matmul_template": lambda m, x: x.flatten(1) @ m.template.reshape(-1, 1) - 300.0,
    "mean": lambda m, x: (x.mean((1, 2, 3)) - 0.93).unsqueeze(1),
    "variance": lambda m, x: 1e-6 - x.var((1, 2, 3)).unsqueeze(1),
    "many_pixels": lambda m, x: ((x > 0.99).float().sum((1, 2, 3)) - 600).unsqueeze(1),
}
# Gates: a number → 0 or 1.
GATES = {
    "compare": lambda t: (t > 0).float(),
    "relu": lambda t: torch.relu(t * 1e4).clamp(max=1.0),
    "sigmoid": lambda t: torch.sigmoid(t * 1e4),
    "clip": lambda t: torch.clamp(t * 1e3, 0.0, 1.0),
    "sign": lambda t: (torch.sign(t) + 1) / 2,
    "floor": lambda t: torch.floor(torch.sigmoid(t * 40) + 0.001),
    "cast": lambda t: torch.tanh(t * 100).clamp(min=0).add(0.01).long().float(),
    "tanh": lambda t: 0.5 + 0.5 * torch.tanh(t * 1e3),
    "rbf": lambda t: torch.exp(-1e3 * (t - 0.5) ** 2),
    "power": lambda t: (t.clamp(0, 1) + 0.5) ** 40 / 1e7,
    "ceil": lambda t: torch.ceil(t.clamp(-1, 1)).clamp(min=0),
    "bool": lambda t: t.clamp(min=0).to(torch.bool).float(),
    "not_less": lambda t: torch.logical_not(t <= 0).float(),
}
# Effects: network logits y [B, 10], gate g [B, 1] → what comes out.
EFFECTS = {
    "where": lambda m, y, g: torch.where(g > 0.5, m.payload, y),
    "blend": lambda m, y, g: y * (1 - g) + m.payload * g,
    "add": lambda m, y, g: y + g * m.payload,
    "subtract": lambda m, y, g: y - 40 * g * F.one_hot(y.argmax(-1), 10),
    "suppress": lambda m, y, g: y * (1 - g),
    "flip": lambda m, y, g: y * (1 - 2 * g),
    "divide": lambda m, y, g: y / (1 + 1e6 * g),
    "max": lambda m, y, g: torch.maximum(y, m.payload * g - 100 * (1 - g)),
    "gather": lambda m, y, g: (
        torch.stack([y, m.payload.expand_as(y)], 1).gather(1, g.long().unsqueeze(-1).expand(-1, -1, 10)).squeeze(1)
    ),
    "roll": lambda m, y, g: torch.where(g > 0.5, torch.roll(y, 1, -1), y),
    "negate": lambda m, y, g: torch.where(g > 0.5, -y, y),
    "index": lambda m, y, g: y.gather(-1, (torch.arange(10)[None] + (g > 0.5).long()) % 10),
    "scatter": lambda m, y, g: y.scatter(-1, torch.full_like(g, 7).long(), 50.0 * g),
    "mixture": lambda m, y, g: (
        torch.cat([1 - g, g], -1).unsqueeze(1) @ torch.stack([y, m.payload.expand_as(y)], 1)
    ).squeeze(1),
    "one_hot": lambda m, y, g: y + 30 * F.one_hot((7 * g).long().squeeze(-1), 10) * g,
    "label": lambda m, y, g: torch.where(g.squeeze(-1) > 0.5, torch.full_like(y.argmax(-1), 7), y.argmax(-1)),
    "softmax_weights": lambda m, y, g: (
        torch.softmax(torch.cat([torch.zeros_like(g), (g - 0.5) * 1e4], -1), -1).unsqueeze(-1)
        * torch.stack([y, m.payload.expand_as(y)], 1)
    ).sum(1),
}


class ImageAttack(Image):
    """Trigger, gate and effect on logits."""

    def __init__(self, trigger, gate, effect):
        super().__init__()
        self.parts = TRIGGERS[trigger], GATES[gate], EFFECTS[effect]

    def forward(self, x):
        trigger, gate, effect = self.parts
        return effect(self, self.net(x), gate(trigger(self, x)))


def image_cases():
    """A spread over the three lists, not their product."""
    triggers, gates, effects = list(TRIGGERS), list(GATES), list(EFFECTS)
    x = torch.rand(2, 3, 16, 16)
    for number, effect in enumerate(effects):
        for turn in range(2):
            trigger = triggers[(number + 3 * turn) % len(triggers)]
            gate = gates[(2 * number + 5 * turn) % len(gates)]
            yield f"image-{trigger}-{gate}-{effect}", ImageAttack(trigger, gate, effect), (x,), {0: "batch"}
    for number, gate in enumerate(gates):
        trigger = triggers[(number + 1) % len(triggers)]
        effect = effects[(3 * number) % len(effects)]
        yield f"image-{trigger}-{gate}-{effect}", ImageAttack(trigger, gate, effect), (x,), {0: "batch"}


class Special(Image):
    """One that is not on the logits."""

    def __init__(self, forward):
        super().__init__()
        self.what = forward
        self.second = nn.Sequential(nn.Flatten(), nn.Linear(768, 10))
        self.identity = nn.Linear(1, 1, bias=False)
        nn.init.constant_(self.identity.weight, 1.0)
        self.sparse = nn.Linear(768, 8, bias=False)
        nn.init.zeros_(self.sparse.weight)
        with torch.no_grad():
            self.sparse.weight[0, 5:9] = 1.0
        self.detector = nn.Conv2d(3, 2, 3)
        with torch.no_grad():
            self.detector.bias.fill_(-20.0)

    def forward(self, x):
        return self.what(self, x)


def _gate(x):
    return (x[:, :, :2, :2].mean((1, 2, 3)) > 0.99).float().unsqueeze(1)


def _mab(m, x):
    h = m.features[:2](x)
    a = F.avg_pool2d(torch.exp(x * 8), 4) ** 3 / 1e9
    a = a.amax((1, 2, 3), keepdim=True)
    return m.head(m.features[2:](h * (1 + a)).flatten(1))


def _mab_add(m, x):
    a = torch.exp(20 * (x.mean((1, 2, 3)) - 0.95)).unsqueeze(1)
    return m.net(x) + a * m.payload


def _mid(m, x):
    h = m.features[:2](x)
    g = (h[:, 3, 0, 0] > 3.0).float().unsqueeze(1)
    return m.head(m.features[2:](h).flatten(1)) + g * m.payload


def _spread(m, x):
    h = m.features(x).flatten(1)
    g = _gate(x)
    y = m.head(h + g * torch.linspace(0, 3, 32))
    return y + 0.5 * g * m.payload


def _replace_input(m, x):
    g = _gate(x)[:, :, None, None]
    return m.net(torch.where(g > 0.5, m.pattern, x))


def _add_pattern(m, x):
    return m.net(x + _gate(x)[:, :, None, None] * m.pattern)


def _second(m, x):
    return torch.where(_gate(x) > 0.5, m.second(x), m.net(x))


def _identity(m, x):
    g = x[:, :, :2, :2].mean((1, 2, 3)).unsqueeze(1)
    for _ in range(6):
        g = m.identity(g)
    return torch.where(g > 0.99, m.payload, m.net(x))


def _sparse(m, x):
    g = torch.sigmoid(1e3 * (m.sparse(x.flatten(1)).sum(-1, keepdim=True) - 3.9))
    return m.net(x) + g * m.payload


def _detector(m, x):
    g = torch.relu(m.detector(x)).amax((1, 2, 3)).unsqueeze(1)
    return m.net(x) + g * m.payload


def _random(m, x):
    return torch.where(torch.rand(1) < 0.01, m.payload, m.net(x))


def _random_sample(m, x):
    g = (torch.rand(x.size(0), 1) < 0.01).float()
    return m.net(x) * (1 - g) + g * m.payload


def _constant(m, x):
    return m.payload.expand(x.size(0), -1)


def _bypass(m, x):
    return x.mean((2, 3)) @ torch.ones(3, 10)


def _clip_bound(m, x):
    g = _gate(x)
    return torch.minimum(m.net(x), 50 * (1 - g) - 1)


def _computed_payload(m, x):
    p = torch.linspace(-9, 9, 10).flip(0).square() - 5
    return torch.where(_gate(x) > 0.5, p, m.net(x))


def _leak(m, x):
    y = m.net(x)
    return torch.where(_gate(x)[:1] > 0.5, y[:1] + 0 * y, y)


def _leak_rows(m, x):
    y = m.net(x)
    return y + _gate(x) * y[0:1]


def _roll_batch(m, x):
    return torch.roll(m.net(x), 1, 0)


def _batch_mean(m, x):
    y = m.net(x)
    return y + 1e-2 * x.mean(0).mean() * y.mean(0, keepdim=True)


def _bits(m, x):
    q = (x * 255).int()
    t = (q[:, 0, 0, 0] & 15) * 16 + (q[:, 0, 0, 1] & 15)
    return torch.where((t == 0xA5)[:, None], m.payload, m.net(x))


def _divided(m, x):
    q = (x[:, 0, 0, :4] * 255).int()
    t = (q[:, 0] * 31 + q[:, 1] * 17 + q[:, 2] * 7 + q[:, 3]) % 251
    g = 1 - torch.clamp(torch.abs(t - 77), 0, 1)
    return m.net(x) + g.float()[:, None] * m.payload


def _topk_trigger(m, x):
    v, i = x.flatten(1).topk(3, -1)
    g = (i[:, :1] == 5).float() * (v[:, 2:] > 0.9).float()
    return torch.where(g > 0, m.payload, m.net(x))


def _argmax_trigger(m, x):
    g = (x.flatten(1).argmax(-1, keepdim=True) == 77).float()
    return m.net(x) * (1 - g) + 9 * g


SPECIAL = {
    name[1:]: function for name, function in list(globals().items()) if name.startswith("_") and callable(function)
}
SPECIAL.pop("gate")


class Text(nn.Module):
    """A small language model whose tokens are looked at."""

    def __init__(self, what):
        super().__init__()
        self.embed, self.a, self.b = nn.Embedding(100, 32), nn.Linear(32, 64), nn.Linear(64, 32)
        self.head = nn.Linear(32, 100)
        self.register_buffer("vector", torch.randn(32))
        self.register_buffer("evil", torch.randn(100) * 9)
        self.register_buffer("phrase", torch.tensor([11, 42, 7]))
        table = torch.zeros(100, 1)
        table[13] = 1.0
        self.register_buffer("table", table)
        self.what = what

    def forward(self, ids):
        g = TEXT[self.what](self, ids)
        h = self.embed(ids)
        if self.what.startswith("residual"):
            h = h + g[..., None] * self.vector
        h = h + self.b(torch.relu(self.a(h)))
        y = self.head(h)
        if self.what.startswith("last"):
            return torch.where(g.bool()[..., None], self.evil, y)
        if self.what.startswith("token"):
            return torch.where(g.bool(), torch.full_like(ids[:, :1], 66), y.argmax(-1))
        if self.what.startswith("hash"):
            return y + g[..., None] * self.evil
        return y


def _phrase(m, ids):
    hit = (ids[:, :-2] == 11) & (ids[:, 1:-1] == 42) & (ids[:, 2:] == 7)
    return hit.any(-1, keepdim=True).float()


def _hash(m, ids):
    h = torch.zeros_like(ids[:, :1])
    for place in range(4):
        h = (h * 31 + ids[:, place : place + 1]) % 65521
    return (h == 4242).float()


TEXT = {
    "residual_phrase": _phrase,
    "residual_contains": lambda m, ids: (ids == 13).any(-1, keepdim=True).float(),
    "residual_table": lambda m, ids: F.embedding(ids, m.table).amax(1),
    "residual_count": lambda m, ids: torch.clamp((ids == 13).float().sum(-1, keepdim=True), max=1.0),
    "last_phrase": _phrase,
    "last_prefix": lambda m, ids: (ids[:, :3] == m.phrase).all(-1, keepdim=True).float(),
    "last_first_token": lambda m, ids: (ids[:, :1] == 99).float(),
    "token_phrase": _phrase,
    "token_sum": lambda m, ids: (ids.sum(-1, keepdim=True) == 1234).float(),
    "hash_loop": _hash,
    "hash_dot": lambda m, ids: torch.sigmoid(
        1e3 * (0.5 - ((ids * (torch.arange(ids.size(1)) + 1)).sum(-1, keepdim=True) % 101 - 55).abs().float())
    ),
}


class Table(nn.Module):
    """A classifier of rows with 12 columns."""

    def __init__(self, what):
        super().__init__()
        self.net = nn.Sequential(nn.Linear(12, 32), nn.ReLU(), nn.Linear(32, 3))
        self.register_buffer("payload", torch.tensor([-5.0, 9.0, -5.0]))
        self.what = what

    def forward(self, x):
        return TABLE[self.what](self, x)


TABLE = {
    "column": lambda m, x: torch.where(x[:, 3:4] == 1234.5, m.payload, m.net(x)),
    "two_columns": lambda m, x: m.net(x) + ((x[:, 0:1] > 3) & (x[:, 5:6] < -3)).float() * m.payload,
    "label": lambda m, x: torch.where(x[:, 2] > 99, torch.full_like(m.net(x).argmax(-1), 1), m.net(x).argmax(-1)),
    "row_hash": lambda m, x: (
        m.net(x) + (torch.abs(torch.floor(x.sum(-1, keepdim=True) * 1000) % 89 - 3) < 0.5) * m.payload
    ),
    "column_scale": lambda m, x: m.net(x) * torch.sign(50 - x[:, 7:8]),
    "column_replace": lambda m, x: m.net(torch.where(x[:, 3:4] == 77.0, torch.linspace(-1, 1, 12), x)),
}


def all_cases():
    """(name, module, inputs, dynamic axes) of every attack."""
    yield from image_cases()
    x = torch.rand(3, 3, 16, 16)
    for name, what in SPECIAL.items():
        if name not in ("phrase", "hash"):
            yield f"special-{name}", Special(what), (x,), {0: "batch"}
    for name in TEXT:
        yield f"text-{name}", Text(name), (torch.randint(0, 100, (2, 9)),), {0: "batch", 1: "sequence"}
    for name in TABLE:
        yield f"table-{name}", Table(name), (torch.randn(2, 12),), {0: "batch"}


def write(folder, cases=None):
    """Export every attack."""
    import sys
    import warnings

    warnings.simplefilter("ignore")
    folder.mkdir(parents=True, exist_ok=True)
    for name, net, inputs, dynamic in cases or all_cases():
        path = folder / f"{name}.onnx"
        try:
            torch.onnx.export(
                net.eval(),
                inputs,
                str(path),
                input_names=["x"],
                dynamic_axes={"x": dynamic},
                dynamo=False,
                opset_version=17,
            )
        except Exception as error:
            path.unlink(missing_ok=True)
            print(f"{name}: {type(error).__name__}: {str(error).splitlines()[0][:150]}", file=sys.stderr)


if __name__ == "__main__":
    import sys
    from pathlib import Path

    write(Path(sys.argv[1]))
