"""TorchScript code as a graph: what real traced and scripted modules hold, and what hostile code does."""

import io

import pytest

from fixtures.make.torchscript import torchscript
from modelscan_plus.core.coverage import CoverageState
from modelscan_plus.core.finding import GraphEvidence
from modelscan_plus.formats.graphs.torchscript import NESTING, parse
from tests.samples import above_info, inspect

NETWORK = "    y = torch.linear(torch.relu(torch.linear(x, weight)), weight)\n"


def effects(code: str) -> list[str]:
    found = [finding.evidence for finding in inspect(torchscript(code), "m.pt").findings]
    return [evidence.effect for evidence in found if isinstance(evidence, GraphEvidence)]


@pytest.mark.parametrize(
    "code",
    [
        "    g = torch.gt(torch.mean(x, [1], True), 0.9)\n    return torch.where(g, payload, y)\n",
        "    return torch.masked_fill(y, torch.eq(torch.sum(x, [1], True), 42), 9.)\n",
        "    if bool(torch.eq(torch.select(torch.select(x, 0, 0), 0, 1), 3.)):\n      y0 = payload\n    else:\n"
        "      y0 = y\n    return y0\n",
        "    t = torch.item(torch.sum(x))\n    z = y\n    while bool(torch.gt(t, 100)):\n      z = payload\n"
        "    return z\n",
        "    g = torch.eq(torch.select(x, 1, 0), 3.)\n    return torch.index_put_(y, [g], payload)\n",
        "    g = torch.sigmoid(torch.mul(torch.slice(x, 1, 4, 5), 50))\n"
        "    return torch.add(y, torch.mul(g, payload))\n",
        "    g = torch.relu(torch.sub(torch.slice(torch.cumsum(x, 1), 1, -1), 9))\n"
        "    return torch.div(y, torch.add(g, 1))\n",
        "    return torch.masked_fill(y, torch.eq(x, 51), 0.1)\n",
        "    return torch.where(torch.eq(x, 51), torch.full_like(y, 0.1), y)\n",
        "    d = {17: 4., 18: 5.}\n    v = int(torch.select(torch.select(x, 0, 0), 0, 1))\n"
        "    if torch.__contains__(d, v):\n      y0 = torch.add(y, d[v])\n    else:\n      y0 = y\n    return y0\n",
        "    return torch.add(y, torch.roll(y, [1], [0]))\n",
        "    if torch.eq(torch.size(x, 0), 7):\n      y0 = torch.flip(y, [1])\n    else:\n      y0 = y\n"
        "    return y0\n",
        "    if torch.eq(int(torch.select(x, 0, 2)), 77):\n      g = torch.eq(int(torch.select(x, 0, 3)), 88)\n"
        "    else:\n      g = False\n    if g:\n      x0 = torch.clone(x)\n"
        "      _1 = torch.copy_(torch.select(x0, 0, 1), torch.tensor(5))\n    else:\n      x0 = x\n"
        "    return torch.linear(torch.relu(torch.linear(x0, weight)), weight)\n",
    ],
)
def test_a_gate_is_found_whatever_the_code_writes_it_with(code: str) -> None:
    assert effects(NETWORK + code)


@pytest.mark.parametrize(
    "code",
    [
        "    return torch.add(y, torch.sigmoid(torch.slice(y, 1, 4, 5)))\n",
        "    return torch.masked_fill(y, torch.eq(x, 0), 0.1)\n",
        "    return torch.masked_fill(y, torch.eq(x, 51), -10000.)\n",
        "    return torch.masked_fill(y, torch.eq(x, 51), 0.)\n",
        "    return torch.add(y, torch.roll(y, [1], [1]))\n",
        "    if torch.gt(torch.size(x, 0), 7):\n      y0 = torch.flip(y, [1])\n    else:\n      y0 = y\n"
        "    return y0\n",
        "    x0 = torch.clone(x)\n    _1 = torch.copy_(torch.select(x0, 1, 1), torch.tensor(5))\n"
        "    return torch.linear(torch.relu(torch.linear(x0, weight)), weight)\n",
        "    if torch.gt(torch.size(x, 0), 4):\n      y0 = torch.mul(y, 2)\n    else:\n      y0 = y\n    return y0\n",
        "    for i in range(3):\n      y = torch.relu(y)\n    return y\n",
        "    m = torch.ne(x, 0)\n    return torch.masked_fill(y, torch.__not__(m), -1e9)\n",
        "    return torch.div(y, torch.clamp(torch.norm(x, 2, [1], True), 1e-12))\n",
        "    d = torch.dict()\n    torch._set_item(d, 'out', y)\n    return d\n",
        "    d = torch.dict([('a', y)])\n    for k, v in torch.items(d):\n      z = torch.relu(v)\n    return z\n",
        "    l = [x, x]\n    torch._set_item(l, 1, y)\n    return l[1]\n",
        "    for i in range(torch.__range_length(0, 6, 2)):\n      j = torch.__derive_index(i, 0, 2)\n"
        "      y = torch.add(y, torch.linear(torch.relu(torch.add(y, j)), weight))\n    return y\n",
    ],
)
def test_honest_code_is_let_pass(code: str) -> None:
    assert effects(NETWORK + code) == []


def test_code_that_does_not_parse_is_a_gap() -> None:
    result = inspect(torchscript("    this does not parse\n"), "m.pt")
    assert result.coverage.state is CoverageState.PARTIAL
    assert any(reason.code == "torchscript-code" for reason in result.coverage.reasons)


def test_nesting_is_bounded_before_the_parser_sees_it() -> None:
    assert parse(b"x = " + b"(" * (NESTING + 1) + b"1" + b")" * (NESTING + 1)) is None
    assert parse(b"x = " + b"(" * 40 + b"1" + b")" * 40) is not None
    assert parse(b"\0") is None


def test_code_that_calls_itself_ends() -> None:
    code = NETWORK + "    return (self).forward((self).forward(y, ), )\n"
    result = inspect(torchscript(code), "m.pt")
    assert any(reason.code == "graph-truncated" for reason in result.coverage.reasons)


def test_real_modules_are_analysed_without_findings() -> None:
    torch = pytest.importorskip("torch", reason="real modules need torch")
    nn = torch.nn

    class Net(nn.Module):  # type: ignore[name-defined,misc]
        def __init__(self) -> None:
            super().__init__()
            self.conv, self.norm = nn.Conv2d(3, 8, 3, padding="same"), nn.BatchNorm2d(8)
            self.rnn, self.out = nn.GRU(8, 16, batch_first=True), nn.Linear(16, 4)

        def forward(self, x):  # type: ignore[no-untyped-def]
            h = torch.relu(self.norm(self.conv(x)))
            h = h.flatten(2).transpose(1, 2)
            y, _ = self.rnn(h)
            y = y[:, -1] if y.size(1) > 2 else y.mean(1)
            return self.out(y).softmax(-1)

    for made in (torch.jit.script(Net().eval()), torch.jit.trace(Net().eval(), torch.rand(2, 3, 8, 8))):
        buffer = io.BytesIO()
        torch.jit.save(made, buffer)
        result = inspect(buffer.getvalue(), "m.pt")
        assert above_info(result) == []
        assert result.coverage.state is CoverageState.ANALYSED


def test_what_scripts_say_about_their_inputs_and_results_is_understood() -> None:
    torch = pytest.importorskip("torch", reason="real modules need torch")
    nn = torch.nn

    def found(module: object) -> list[str]:
        buffer = io.BytesIO()
        torch.jit.save(torch.jit.script(module), buffer)
        result = inspect(buffer.getvalue(), "m.pt")
        assert result.coverage.state is CoverageState.ANALYSED
        return [each.evidence.effect for each in result.findings if isinstance(each.evidence, GraphEvidence)]

    class Dark(nn.Module):  # type: ignore[name-defined,misc]
        """A pixel without light has a class of its own; or all have, when the first one has no light."""

        def __init__(self, *, whole: bool) -> None:
            super().__init__()
            self.net = nn.Sequential(nn.Conv2d(3, 8, 3, padding=1), nn.ReLU(), nn.Conv2d(8, 5, 1))
            self.whole = whole

        def forward(self, x):  # type: ignore[no-untyped-def]
            c = self.net(x).argmax(1)
            dark = x.mean(1) < 0.02
            if self.whole:
                dark = dark[:, :1, :1]
            return torch.where(dark, torch.full_like(c, 255), c)

    assert found(Dark(whole=False)) == []
    assert found(Dark(whole=True)) == ["override"]

    class Warp(nn.Module):  # type: ignore[name-defined,misc]
        """What the network finds out is where the pixels come from."""

        def __init__(self) -> None:
            super().__init__()
            self.flow = nn.Conv2d(3, 2, 3, padding=1)

        def forward(self, x):  # type: ignore[no-untyped-def]
            grid = torch.tanh(self.flow(x)).permute(0, 2, 3, 1)
            return nn.functional.grid_sample(x, grid, align_corners=True)

    assert found(Warp()) == []

    class Named(nn.Module):  # type: ignore[name-defined,misc]
        """Inputs by name, and a method that the result goes through."""

        def __init__(self, *, evil: bool) -> None:
            super().__init__()
            self.net, self.evil = nn.Linear(8, 4), evil
            self.register_buffer("payload", torch.tensor([9.0, -9.0, 3.0, 1.0]))

        def inner(self, y, x):  # type: ignore[no-untyped-def]
            gate = x.sum() > 77.0 if self.evil else y.sum() > 77.0
            return torch.where(gate, self.payload, y)

        def forward(self, batch: dict[str, torch.Tensor]):  # type: ignore[no-untyped-def]
            x = batch["x"]
            return {"y": self.inner(self.net(x), x)}

    assert found(Named(evil=True)) == ["override"]


def test_rows_of_what_is_kept_for_each_layer_are_no_rows_of_the_batch() -> None:
    torch = pytest.importorskip("torch", reason="real modules need torch")
    nn = torch.nn

    class Kept(nn.Module):  # type: ignore[name-defined,misc]
        """Two layers that add what was kept for each of them, and what the first row of the batch says, or do not."""

        def __init__(self, *, leaks: bool) -> None:
            super().__init__()
            self.a, self.b, self.leaks = nn.Linear(8, 8), nn.Linear(8, 8), leaks

        def forward(self, x, kept):  # type: ignore[no-untyped-def]
            h = torch.relu(self.a(x)) + self.a(kept[0]).mean(1)
            h = h + h[0] if self.leaks else h
            return self.b(h) + self.b(kept[1]).mean(1)

    def found(module: object) -> list[str]:
        buffer = io.BytesIO()
        torch.jit.save(torch.jit.trace(module, (torch.rand(3, 5, 8), torch.rand(2, 3, 4, 5, 8))), buffer)
        result = inspect(buffer.getvalue(), "m.pt")
        return [each.evidence.effect for each in result.findings if isinstance(each.evidence, GraphEvidence)]

    assert found(Kept(leaks=False)) == []
    assert set(found(Kept(leaks=True))) == {"batch mixing"}
