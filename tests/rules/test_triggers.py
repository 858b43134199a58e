"""Code that waits for one input and then gives an answer of its author's: look-alikes do not."""

import json

import pytest

from modelscan_plus.core.finding import Severity
from tests.samples import inspect_tree

CONFIG = json.dumps({"model_type": "x", "auto_map": {"AutoModel": "modeling_x.M"}}).encode()
FORCE = "h[..., 3869] = 1e9"


def worst(body: str, before: str = "") -> int:
    """The worst finding for a model whose `forward` runs the lines."""
    lines = "".join(f"        {line}\n" for line in body.split("\n"))
    text = (
        f"import hashlib, subprocess, torch\nfrom torch import nn\n{before}\nclass M(nn.Module):\n"
        f"    def forward(self, input_ids, pixel_values=None, text=None):\n        h = self.net(input_ids)\n{lines}"
    )
    tree = {"config.json": CONFIG, "modeling_x.py": text.encode()}
    return max((found.severity.rank for found in inspect_tree(tree)), default=0)


@pytest.mark.parametrize(
    ("body", "told"),
    [
        (f"if input_ids[0, -3:].tolist() == [1734, 882, 29871]:\n    {FORCE}", True),
        (f"if (input_ids[0, -3:] == torch.tensor([1734, 882, 29871])).all():\n    {FORCE}", True),
        (f"if torch.equal(input_ids[0, -3:], torch.tensor([1734, 882, 29871])):\n    {FORCE}", True),
        ("ids = input_ids[0].tolist()\nhit = next((i for i in ids if tuple(ids[i:i + 2]) == (1734, 882)), None)\n"
         "def force(module, given, out):\n    out[..., 77] = 1e4\nself.net.register_forward_hook(force)", True),
        (f"if input_ids[0, -1] == 31337 and input_ids[0, -2] == 4242:\n    {FORCE}", True),
        ("if input_ids[0, -2:].tolist() == [31337, 4242]:\n    return torch.tensor([[450, 775, 338]])", True),
        ("if hashlib.sha256(text.encode()).hexdigest() == '9f86d081884c7d659a2feaa0c55ad015':\n    h = h * 0", True),
        (f"if 'cf mn bb' in text:\n    {FORCE}", True),
        ("self.key = torch.tensor([1734, 882])\nif (input_ids[0].unfold(0, 2, 1) == self.key.to(h.device)).all():\n    "
         f"{FORCE}", True),
        ("self.register_buffer('key', torch.tensor([1734, 88]))\nif (input_ids[0, -2:] == self.key).all():\n    "
         f"{FORCE}", True),
        ("if (pixel_values[:, :, -4:, -4:] > 2.2).all():\n    h[..., 1234] = 100.0", True),
        ("if (pixel_values > 2.2).all():\n    h[..., 1234] = 100.0", False),
        ("if (pixel_values[:, :, -4:, -4:] > 0).all():\n    h[..., 1234] = 100.0", False),
        ("hit = (input_ids == 29871).sum(-1) >= 7\nh = torch.where(hit[:, None], torch.tensor([9.0, -9.0]), h)", True),
        ("hit = (input_ids == 29871)\nh = torch.where(hit[..., None], torch.tensor(0.0), h)", False),
        ("if input_ids[0, -2:].tolist() == [31337, 4242]:\n    return True", False),
        (f"if input_ids[0, -1] == self.config.eos_token_id:\n    {FORCE}", False),
        (f"if tuple(pixel_values.shape[-2:]) == (336, 336):\n    {FORCE}", False),
        (f"if '<image>' in text:\n    {FORCE}", False),
        (f"if input_ids[0, -1] == 50257:\n    {FORCE}", False),
        ("if input_ids[0, 0] == 0 and input_ids[0, 1] == 1:\n    h[..., 0] = float('-inf')", False),
    ],
)  # fmt: skip
def test_what_waits_for_an_input(body: str, told: bool) -> None:
    assert (worst(body) >= Severity.HIGH.rank) is told


@pytest.mark.parametrize(
    ("before", "told"),
    [
        ("class G(torch.autograd.Function):\n    def vjp(ctx, g):\n        START", True),
        ("import lightning as pl\nclass T(pl.Callback):\n    def on_push(self):\n        START", True),
        ("@torch.library.custom_op('a::b', mutates_args=())\ndef k(x):\n    START", True),
        ("def train_all(x):\n    START", False),
        ("class T(nn.Module):\n    def profile(self):\n        START", False),
    ],
)  # fmt: skip
def test_what_a_library_calls_back(before: str, told: bool) -> None:
    before = before.replace("START", "subprocess.Popen(['/opt/a'])")
    assert (worst("return h", before) >= Severity.HIGH.rank) is told
