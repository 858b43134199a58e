"""Products of matrices."""

import math

import torch
from torch import Tensor

from modelscan_plus.probe.onnx.ops.table import Call, broadcast, operator


@operator("Gemm")
def gemm(call: Call, a: Tensor, b: Tensor, c: Tensor | None = None) -> Tensor:
    """alpha A B + beta C, with A and B transposed on request."""
    if a.dim() != 2 or b.dim() != 2:
        raise call.refuse("takes matrices")
    product = (a.t() if call.integer("transA") else a) @ (b.t() if call.integer("transB") else b)
    alpha, beta = call.number("alpha", 1.0), call.number("beta", 1.0)
    if alpha != 1.0:
        product = product * alpha
    if c is None:
        return product
    if broadcast(c.shape, product.shape) != tuple(product.shape):
        raise call.refuse("the shape of C does not fit")
    return product + (c if beta == 1.0 else c * beta)


@operator("MatMul")
def matmul(call: Call, a: Tensor, b: Tensor) -> Tensor:
    """As numpy's."""
    return torch.matmul(a, b)


@operator("Einsum")
def einsum(call: Call, *inputs: Tensor) -> Tensor:
    """Sums of products by a formula."""
    equation = call.text("equation").replace(" ", "")
    if not inputs or len(inputs) > 4 or len(equation) > 128:
        raise call.refuse("more than four inputs, or a long formula")
    result: Tensor = torch.einsum(equation, list(inputs))
    return result


@operator("Det")
def determinant(call: Call, x: Tensor) -> Tensor:
    """Of each matrix."""
    return torch.det(x)


@operator("Trilu", values=(1,))
def triangle(call: Call, x: Tensor, k: Tensor | None = None) -> Tensor:
    """The upper or lower triangle."""
    diagonal = int(k.reshape(()).item()) if k is not None else 0
    diagonal = max(-(1 << 31), min(diagonal, 1 << 31))
    return torch.triu(x, diagonal) if call.integer("upper", 1) else torch.tril(x, diagonal)


@operator("Attention")
def attention(call: Call, q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None = None, *rest: Tensor | None) -> Tensor:
    """Scaled dot-product attention of operator set 23, without a cache of past keys."""
    if any(item is not None for item in rest) or any(call.wants(place) for place in (1, 2, 3)):
        raise call.refuse("takes or gives past keys")
    flat = q.dim() == 3
    if flat:
        heads, kv_heads = call.integer("q_num_heads"), call.integer("kv_num_heads")
        if heads < 1 or kv_heads < 1:
            raise call.refuse("the number of heads is not given")
        q, k, v = (_heads(item, count, call) for item, count in ((q, heads), (k, kv_heads), (v, kv_heads)))
    if q.dim() != 4 or k.dim() != 4 or v.dim() != 4 or not k.shape[1] or q.shape[1] % k.shape[1]:
        raise call.refuse("the shapes of query, key and value do not fit")
    if q.shape[1] != k.shape[1]:
        k, v = (item.repeat_interleave(q.shape[1] // k.shape[1], dim=1) for item in (k, v))
    scale = call.number("scale", 0.0) or 1 / math.sqrt(q.shape[-1])
    scores = (q * scale) @ k.transpose(-1, -2)
    if (cap := call.number("softcap", 0.0)) > 0:
        scores = cap * torch.tanh(scores / cap)
    if mask is not None:
        scores = scores.masked_fill(~mask, -math.inf) if mask.dtype == torch.bool else scores + mask
    if call.integer("is_causal"):
        allowed = torch.ones(scores.shape[-2:], dtype=torch.bool, device=scores.device).tril()
        scores = scores.masked_fill(~allowed, -math.inf)
    result = torch.softmax(scores, dim=-1) @ v
    return result.transpose(1, 2).reshape(result.shape[0], result.shape[2], -1) if flat else result


def _heads(x: Tensor, heads: int, call: Call) -> Tensor:
    if x.shape[-1] % heads:
        raise call.refuse("the heads do not divide the width")
    return x.reshape(x.shape[0], x.shape[1], heads, x.shape[-1] // heads).transpose(1, 2)
