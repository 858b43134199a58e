"""Small BERT and RoBERTa encoders that are trained many at a time, with a leading model dimension on every parameter.

Names and arithmetic follow the classes of transformers (post-norm, learned positions, tanh pooling of the first token),
so that `folder_state` is all that an export needs.
"""

from dataclasses import dataclass

import torch
import torch.nn.functional as functional
from torch import Tensor

State = dict[str, Tensor]
"""Parameters: M × the shape of one model's (matrices input × output)."""
EPSILON = 1e-12
_NORMS = ("norm", "attention.norm", "output.norm")


@dataclass(frozen=True, slots=True)
class Shape:
    """The architecture."""

    kind: str
    """"bert" or "roberta"."""
    vocab: int
    pad: int
    width: int = 32
    layers: int = 2
    heads: int = 2
    inner: int = 64
    positions: int = 48

    @property
    def first_position(self) -> int:
        """RoBERTa counts positions from one past the padding token."""
        return self.pad + 1 if self.kind == "roberta" else 0


def generators(seeds: list[int]) -> list[torch.Generator]:
    """One source of random numbers for each model."""
    return [torch.Generator().manual_seed(seed) for seed in seeds]


def initial(shape: Shape, seed: int) -> State:
    """Fresh parameters of one encoder with a head for masked words."""
    source = torch.Generator().manual_seed(seed)
    width = shape.width

    def drawn(*size: int, scale: float) -> Tensor:
        return torch.randn(1, *size, generator=source) * scale

    state = {
        "word": drawn(shape.vocab, width, scale=0.1),
        "position": drawn(shape.positions + shape.first_position, width, scale=0.05),
        "type": drawn(2 if shape.kind == "bert" else 1, width, scale=0.02),
        "mlm.bias": torch.zeros(1, shape.vocab),
    }
    names = ["mlm.dense"]
    for layer in range(shape.layers):
        names += [f"{layer}.{name}" for name in ("query", "key", "value", "attention.dense")]
        state[f"{layer}.up"] = drawn(width, shape.inner, scale=width**-0.5)
        state[f"{layer}.up.bias"] = torch.zeros(1, shape.inner)
        state[f"{layer}.down"] = drawn(shape.inner, width, scale=shape.inner**-0.5)
        state[f"{layer}.down.bias"] = torch.zeros(1, width)
    for name in names:
        state[name] = drawn(width, width, scale=width**-0.5)
        state[name + ".bias"] = torch.zeros(1, width)
    norms = ["norm", "mlm.norm"]
    norms += [f"{layer}.{name}" for layer in range(shape.layers) for name in ("attention.norm", "output.norm")]
    for name in norms:
        state[name] = torch.ones(1, width)
        state[name + ".bias"] = torch.zeros(1, width)
    return state


def with_heads(shape: Shape, base: State, classes: int, seeds: list[int]) -> State:
    """Classifiers that begin at one encoder, each with a head of its own."""
    count = len(seeds)
    state = {name: value.repeat(count, *[1] * (value.ndim - 1)) for name, value in base.items() if "mlm" not in name}
    sources = generators(seeds)
    for name, outputs in (("pool", shape.width), ("head", classes)):
        drawn = [torch.randn(shape.width, outputs, generator=source) for source in sources]
        state[name] = torch.stack(drawn) * shape.width**-0.5
        state[name + ".bias"] = torch.zeros(count, outputs)
    return state


def encode(shape: Shape, state: State, ids: Tensor) -> Tensor:
    """Hidden states M × B × T × width of tokens M × B × T; padding stands at the end."""
    models, batch, length = ids.shape
    rows = torch.arange(models)[:, None, None] * shape.vocab + ids
    x = functional.embedding(rows, state["word"].flatten(0, 1))
    first = shape.first_position
    x = x + (state["position"][:, first : first + length] + state["type"][:, :1])[:, None]
    x = x.flatten(1, 2)
    mask = (ids != shape.pad).flatten(0, 1)[:, None, None]

    def linear(name: str, value: Tensor) -> Tensor:
        return torch.baddbmm(state[name + ".bias"][:, None], value, state[name])

    def norm(name: str, value: Tensor) -> Tensor:
        value = functional.layer_norm(value, (shape.width,), eps=EPSILON)
        return value * state[name][:, None] + state[name + ".bias"][:, None]

    def heads(value: Tensor) -> Tensor:
        return value.view(models * batch, length, shape.heads, -1).transpose(1, 2)

    x = norm("norm", x)
    for layer in range(shape.layers):
        q, k, v = (heads(linear(f"{layer}.{name}", x)) for name in ("query", "key", "value"))
        mixed = functional.scaled_dot_product_attention(q, k, v, attn_mask=mask)
        mixed = mixed.transpose(1, 2).reshape(models, batch * length, shape.width)
        x = norm(f"{layer}.attention.norm", x + linear(f"{layer}.attention.dense", mixed))
        inner = linear(f"{layer}.down", functional.gelu(linear(f"{layer}.up", x)))
        x = norm(f"{layer}.output.norm", x + inner)
    return x.view(models, batch, length, shape.width)


def classify(shape: Shape, state: State, ids: Tensor) -> Tensor:
    """Logits M × B × classes of tokens M × B × T."""
    first = encode(shape, state, ids)[:, :, 0]
    pooled = torch.baddbmm(state["pool.bias"][:, None], first, state["pool"]).tanh()
    return torch.baddbmm(state["head.bias"][:, None], pooled, state["head"])


def pretrain(shape: Shape, ids: Tensor, mask_token: int, seed: int, steps: int = 180) -> State:
    """One encoder, trained to fill in masked words of `ids` (N × T)."""
    state = {name: value.requires_grad_() for name, value in initial(shape, seed).items()}
    random = torch.Generator().manual_seed(seed)
    optimiser = torch.optim.Adam(state.values(), lr=6e-3)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, max_lr=8e-3, total_steps=steps, pct_start=0.15)
    for _ in range(steps):
        batch = ids[torch.randint(len(ids), (48,), generator=random)]
        batch = batch[:, : int((batch != shape.pad).sum(-1).max())]
        hidden = (torch.rand(batch.shape, generator=random) < 0.2) & (batch > mask_token)
        seen = torch.where(hidden, mask_token, batch)
        x = encode(shape, state, seen[None])[0][hidden]
        x = functional.gelu(x @ state["mlm.dense"][0] + state["mlm.dense.bias"][0])
        x = functional.layer_norm(x, (shape.width,), eps=EPSILON) * state["mlm.norm"][0] + state["mlm.norm.bias"][0]
        loss = functional.cross_entropy(x @ state["word"][0].T + state["mlm.bias"][0], batch[hidden])
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        schedule.step()
    return {name: value.detach() for name, value in state.items()}


def train(
    shape: Shape,
    base: State,
    sets: list[tuple[Tensor, Tensor]],
    classes: int,
    seeds: list[int],
    *,
    steps: int = 260,
    batch: int = 32,
    rate: float = 5e-3,
    decay: float = 1e-3,
) -> State:
    """Classifiers side by side, one for each set of tokens (N × T) and labels (N)."""
    state = {name: value.requires_grad_() for name, value in with_heads(shape, base, classes, seeds).items()}
    randoms = generators([seed + 1 for seed in seeds])
    optimiser = torch.optim.AdamW(state.values(), lr=rate, weight_decay=decay)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, max_lr=rate, total_steps=steps, pct_start=0.15)
    for _ in range(steps):
        picks = [
            torch.randint(len(y), (batch,), generator=random) for random, (_, y) in zip(randoms, sets, strict=True)
        ]
        ids = torch.stack([x[pick] for pick, (x, _) in zip(picks, sets, strict=True)])
        labels = torch.stack([y[pick] for pick, (_, y) in zip(picks, sets, strict=True)]).flatten()
        longest = int((ids != shape.pad).sum(-1).max())
        logits = classify(shape, state, ids[:, :, :longest]).flatten(0, 1)
        loss = functional.cross_entropy(logits, labels, reduction="sum") / batch
        optimiser.zero_grad()
        loss.backward()
        # Each model has its own gradient norm; one model's outburst must not slow its neighbours.
        clip(state)
        optimiser.step()
        schedule.step()
    return {name: value.detach() for name, value in state.items()}


def clip(state: State, most: float = 1.0) -> None:
    """Bound the norm of each model's gradient."""
    slopes = [value.grad for value in state.values() if value.grad is not None]
    norms = torch.stack([slope.flatten(1).square().sum(1) for slope in slopes]).sum(0).sqrt()
    scale = (most / norms).clamp_max(1.0)
    for slope in slopes:
        slope.mul_(scale.view(-1, *[1] * (slope.ndim - 1)))


def folder_state(shape: Shape, state: State, model: int, *, encoder: bool = False) -> dict[str, Tensor]:
    """One model's parameters under the names of transformers; a classifier, or an encoder with its masked head or,
    with `encoder`, alone."""
    found: dict[str, Tensor] = {}
    prefix = "" if encoder else shape.kind + "."

    def put(theirs: str, ours: str, *, matrix: bool = True) -> None:
        value = state[ours][model]
        found[theirs + ".weight"] = (value.T if matrix else value).contiguous().clone()
        found[theirs + ".bias"] = state[ours + ".bias"][model].clone()

    embeddings = prefix + "embeddings."
    for theirs, ours in (
        ("word_embeddings", "word"),
        ("position_embeddings", "position"),
        ("token_type_embeddings", "type"),
    ):
        found[f"{embeddings}{theirs}.weight"] = state[ours][model].clone()
    put(embeddings + "LayerNorm", "norm", matrix=False)
    for layer in range(shape.layers):
        at = f"{prefix}encoder.layer.{layer}."
        for name in ("query", "key", "value"):
            put(f"{at}attention.self.{name}", f"{layer}.{name}")
        put(at + "attention.output.dense", f"{layer}.attention.dense")
        put(at + "attention.output.LayerNorm", f"{layer}.attention.norm", matrix=False)
        put(at + "intermediate.dense", f"{layer}.up")
        put(at + "output.dense", f"{layer}.down")
        put(at + "output.LayerNorm", f"{layer}.output.norm", matrix=False)
    if encoder:
        return found
    if "head" in state:
        put("bert.pooler.dense" if shape.kind == "bert" else "classifier.dense", "pool")
        put("classifier" if shape.kind == "bert" else "classifier.out_proj", "head")
        return found
    bert = shape.kind == "bert"
    top = "cls.predictions." if bert else "lm_head."
    put(top + ("transform.dense" if bert else "dense"), "mlm.dense")
    put(top + ("transform.LayerNorm" if bert else "layer_norm"), "mlm.norm", matrix=False)
    found[top + "bias"] = state["mlm.bias"][model].clone()
    found[top + "decoder.weight"] = found[embeddings + "word_embeddings.weight"].clone()
    found[top + "decoder.bias"] = found[top + "bias"].clone()
    return found
