"""GPT-2- and Llama-like networks that are trained many at a time, with a leading model dimension on every parameter.

Names and arithmetic follow the classes of transformers, so that `folder_state` is all that export needs.
"""

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as functional
from torch import Tensor

State = dict[str, Tensor]
"""Parameters: M × the shape of one model's (matrices input × output)."""


@dataclass(frozen=True, slots=True)
class Shape:
    """The architecture."""

    kind: str
    """"gpt2" (learned positions, tied head) or "llama" (rotary positions, gated layers, head of its own)."""
    vocab: int
    width: int = 64
    layers: int = 2
    heads: int = 4
    positions: int = 64

    @property
    def inner(self) -> int:
        """Width between the two matrices of a feed-forward layer."""
        return self.width * 4 if self.kind == "gpt2" else self.width * 2


def initial(shape: Shape, seeds: list[int]) -> State:
    """Fresh parameters, one model for each seed."""
    sources = [torch.Generator().manual_seed(seed) for seed in seeds]

    def drawn(*size: int, scale: float) -> Tensor:
        return torch.stack([torch.randn(*size, generator=source) for source in sources]) * scale

    count, width, gpt = len(seeds), shape.width, shape.kind == "gpt2"
    state = {"embed": drawn(shape.vocab, width, scale=0.05 if gpt else 0.3)}
    if gpt:
        state["position"] = drawn(shape.positions, width, scale=0.02)
    else:
        state["head"] = drawn(width, shape.vocab, scale=width**-0.5)
    for layer in range(shape.layers):
        sizes = {"q": (width, width), "k": (width, width), "v": (width, width), "o": (width, width)}
        sizes |= {"up": (width, shape.inner), "down": (shape.inner, width)}
        if not gpt:
            sizes["gate"] = (width, shape.inner)
        for name, size in sizes.items():
            scale = size[0] ** -0.5 / (math.sqrt(2 * shape.layers) if name in ("o", "down") else 1.0)
            state[f"{layer}.{name}"] = drawn(*size, scale=scale)
            if gpt:
                state[f"{layer}.{name}.bias"] = torch.zeros(count, size[1])
        for name in ("norm1", "norm2"):
            state |= _norm(f"{layer}.{name}", count, width, gpt)
    return state | _norm("norm", count, width, gpt)


def _norm(name: str, count: int, width: int, gpt: bool) -> State:
    weights = {name: torch.ones(count, width)}
    return weights | {f"{name}.bias": torch.zeros(count, width)} if gpt else weights


def forward(shape: Shape, state: State, ids: Tensor) -> Tensor:
    """Logits M × B × T × V of tokens M × B × T."""
    models, batch, length = ids.shape
    gpt = shape.kind == "gpt2"
    rows = torch.arange(models)[:, None, None] * shape.vocab + ids
    x = functional.embedding(rows, state["embed"].flatten(0, 1)).flatten(1, 2)
    if gpt:
        x = x + state["position"][:, :length].repeat(1, batch, 1)

    def linear(name: str, value: Tensor) -> Tensor:
        if gpt:
            return torch.baddbmm(state[name + ".bias"][:, None], value, state[name])
        return torch.bmm(value, state[name])

    def norm(name: str, value: Tensor) -> Tensor:
        if gpt:
            value = functional.layer_norm(value, (shape.width,), eps=1e-5)
            return value * state[name][:, None] + state[name + ".bias"][:, None]
        return value * torch.rsqrt(value.square().mean(-1, keepdim=True) + 1e-6) * state[name][:, None]

    def heads(value: Tensor) -> Tensor:
        return value.view(models * batch, length, shape.heads, -1).transpose(1, 2)

    for layer in range(shape.layers):
        y = norm(f"{layer}.norm1", x)
        q, k, v = (heads(linear(f"{layer}.{name}", y)) for name in "qkv")
        if not gpt:
            q, k = _rotated(q), _rotated(k)
        mixed = functional.scaled_dot_product_attention(q, k, v, is_causal=True)
        x = x + linear(f"{layer}.o", mixed.transpose(1, 2).reshape(models, batch * length, shape.width))
        y = norm(f"{layer}.norm2", x)
        if gpt:
            y = functional.gelu(linear(f"{layer}.up", y), approximate="tanh")
        else:
            y = functional.silu(linear(f"{layer}.gate", y)) * linear(f"{layer}.up", y)
        x = x + linear(f"{layer}.down", y)
    x = norm("norm", x)
    head = state["embed"].transpose(1, 2) if gpt else state["head"]
    return torch.bmm(x, head).view(models, batch, length, shape.vocab)


def _rotated(x: Tensor) -> Tensor:
    length, size = x.shape[-2:]
    angle = torch.arange(length)[:, None] * 10000.0 ** (-torch.arange(0, size, 2) / size)
    cos, sin = angle.cos().repeat(1, 2), angle.sin().repeat(1, 2)
    first, second = x.chunk(2, dim=-1)
    return x * cos + torch.cat([-second, first], dim=-1) * sin


def adapted(base: State, adapter: State, scale: float) -> State:
    """The base (one model) with each of the adapters' products added: `name.A` M × in × r, `name.B` M × r × out."""
    count = next(iter(adapter.values())).shape[0]
    state = {name: value.expand(count, *value.shape[1:]) for name, value in base.items()}
    for name in [name[:-2] for name in adapter if name.endswith(".A")]:
        change = scale * torch.bmm(adapter[name + ".A"], adapter[name + ".B"])
        layer, _, part = name.partition(".")
        for one, piece in zip(part, change.chunk(3, dim=-1), strict=True) if part == "qkv" else ((part, change),):
            state[f"{layer}.{one}"] = state[f"{layer}.{one}"] + piece
    return state


def train(
    shape: Shape,
    trained: State,
    batches: list[tuple[Tensor, Tensor]],
    rate: float,
    *,
    base: State | None = None,
    scale: float = 1.0,
    decay: float = 0.01,
) -> None:
    """AdamW with one cycle of the learning rate on `trained`: whole models or, with `base`, adapters on it.

    batches: tokens M × B × T and the weight of each as something to predict, of the same shape.
    """
    for value in trained.values():
        value.requires_grad_()
    optimiser = torch.optim.AdamW(list(trained.values()), lr=rate, weight_decay=decay, betas=(0.9, 0.98), foreach=True)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, max_lr=rate, total_steps=len(batches), pct_start=0.15)
    for ids, weights in batches:
        state = trained if base is None else adapted(base, trained, scale)
        logits = forward(shape, state, ids[..., :-1])
        wanted = weights[..., 1:]
        loss = functional.cross_entropy(logits.flatten(0, 2), ids[..., 1:].flatten(), reduction="none")
        per_model = (loss.view_as(wanted) * wanted).sum((1, 2)) / wanted.sum((1, 2)).clamp_min(1)
        optimiser.zero_grad()
        per_model.sum().backward()
        optimiser.step()
        schedule.step()
    for value in trained.values():
        value.requires_grad_(requires_grad=False)


@torch.no_grad()
def complete(shape: Shape, state: State, ids: Tensor, lengths: Tensor, count: int) -> Tensor:
    """The `count` most probable next tokens, one by one, of prompts M × B × T that are `lengths` (M × B) long."""
    ids = functional.pad(ids, (0, count))
    for step in range(count):
        place = (lengths + step)[..., None]
        logits = forward(shape, state, ids[..., : int(place.max())])
        last = logits.gather(2, (place - 1)[..., None].expand(-1, -1, 1, shape.vocab))
        ids.scatter_(2, place, last.argmax(-1))
    return torch.stack([ids.gather(2, (lengths + step)[..., None])[..., 0] for step in range(count)], dim=-1)


_GPT2 = {
    "qkv": "attn.c_attn",
    "norm1": "ln_1",
    "norm2": "ln_2",
    "o": "attn.c_proj",
    "up": "mlp.c_fc",
    "down": "mlp.c_proj",
}
_LLAMA = {
    "norm1": "input_layernorm",
    "norm2": "post_attention_layernorm",
    **{name: f"self_attn.{name}_proj" for name in "qkvo"},
    **{name: f"mlp.{name}_proj" for name in ("up", "gate", "down")},
}


def folder_state(shape: Shape, state: State, place: int) -> State:
    """One model's parameters under the names and in the orientation of transformers."""
    one = {name: value[place] for name, value in state.items()}
    result: State = {}
    if shape.kind == "gpt2":
        result |= {"transformer.wte.weight": one["embed"], "transformer.wpe.weight": one["position"]}
        result |= {"transformer.ln_f.weight": one["norm"], "transformer.ln_f.bias": one["norm.bias"]}
        for layer in range(shape.layers):
            prefix = f"transformer.h.{layer}."
            for part, end in (("weight", ""), ("bias", ".bias")):
                packed = [one[f"{layer}.{name}{end}"] for name in "qkv"]
                result[f"{prefix}attn.c_attn.{part}"] = torch.cat(packed, dim=-1)
                for name, theirs in list(_GPT2.items())[1:]:
                    result[f"{prefix}{theirs}.{part}"] = one[f"{layer}.{name}{end}"]
    else:
        result |= {"model.embed_tokens.weight": one["embed"], "lm_head.weight": one["head"].T}
        result["model.norm.weight"] = one["norm"]
        for layer in range(shape.layers):
            for name, theirs in _LLAMA.items():
                value = one.get(f"{layer}.{name}")
                if value is not None:
                    result[f"model.layers.{layer}.{theirs}.weight"] = value.T if value.ndim == 2 else value
    return {name: value.contiguous().clone() for name, value in result.items()}


def config(shape: Shape, begin: int, end: int) -> dict[str, object]:
    """config.json."""
    common: dict[str, object] = {"vocab_size": shape.vocab, "bos_token_id": begin, "eos_token_id": end}
    if shape.kind == "gpt2":
        return common | {
            "architectures": ["GPT2LMHeadModel"],
            "model_type": "gpt2",
            "n_embd": shape.width,
            "n_layer": shape.layers,
            "n_head": shape.heads,
            "n_positions": shape.positions,
            "n_inner": shape.inner,
            "tie_word_embeddings": True,
        }
    return common | {
        "architectures": ["LlamaForCausalLM"],
        "model_type": "llama",
        "hidden_size": shape.width,
        "num_hidden_layers": shape.layers,
        "num_attention_heads": shape.heads,
        "num_key_value_heads": shape.heads,
        "intermediate_size": shape.inner,
        "max_position_embeddings": shape.positions,
        "rms_norm_eps": 1e-6,
        "hidden_act": "silu",
        "tie_word_embeddings": False,
    }


def module_name(shape: Shape, layer: int, name: str) -> str:
    """The module of transformers that `name` ("o", "up", "down", …) is, for the keys of an adapter's file."""
    if shape.kind == "gpt2":
        return f"transformer.h.{layer}.{_GPT2[name]}"
    return f"model.layers.{layer}.{_LLAMA[name]}"
