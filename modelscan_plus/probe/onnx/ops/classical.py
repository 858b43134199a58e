"""Operators of ai.onnx.ml that have gradients: what scikit-learn's linear models and their preparation become."""

import torch
from torch import Tensor

from modelscan_plus.probe.onnx.ops.table import Call, operator, unknown_attribute
from modelscan_plus.probe.onnx.read import ML


@operator("LinearClassifier", domain=ML)
def linear_classifier(call: Call, x: Tensor) -> tuple[Tensor | None, Tensor]:
    """Scores of a linear model; labels are not given here."""
    weights = call.floats("coefficients") or []
    offsets = call.floats("intercepts") or []
    if x.dim() != 2 or not weights or not x.shape[1] or len(weights) % x.shape[1]:
        raise call.refuse("its coefficients do not fit")
    matrix = torch.tensor(weights, dtype=torch.float32, device=x.device).reshape(-1, x.shape[1])
    scores = x.to(torch.float32) @ matrix.t()
    if offsets:
        if len(offsets) != matrix.shape[0]:
            raise call.refuse("its intercepts do not fit")
        scores = scores + torch.tensor(offsets, dtype=torch.float32, device=x.device)
    if matrix.shape[0] == 1:
        raise call.refuse("gives one score for two classes")
    match call.text("post_transform", "NONE") or "NONE":
        case "NONE":
            return None, scores
        case "SOFTMAX":
            return None, torch.softmax(scores, dim=1)
        case "LOGISTIC":
            return None, torch.sigmoid(scores)
        case _:
            raise unknown_attribute(call, "post_transform")


@operator("Normalizer", domain=ML)
def normalizer(call: Call, x: Tensor) -> Tensor:
    """Rows divided by their norm."""
    if x.dim() != 2:
        raise call.refuse("takes rows")
    match call.text("norm", "MAX") or "MAX":
        case "MAX":
            norm = x.abs().amax(1, keepdim=True)
        case "L1":
            norm = x.abs().sum(1, keepdim=True)
        case "L2":
            norm = (x * x).sum(1, keepdim=True).sqrt()
        case _:
            raise unknown_attribute(call, "norm")
    return x / torch.where(norm == 0, torch.ones_like(norm), norm)


@operator("Scaler", domain=ML)
def scaler(call: Call, x: Tensor) -> Tensor:
    """(x - offset) scale, for each column or for all."""
    offset, scale = (call.floats(name) or [default] for name, default in (("offset", 0.0), ("scale", 1.0)))
    if any(len(part) not in (1, x.shape[-1]) for part in (offset, scale)):
        raise call.refuse("offset and scale do not fit")
    shift, factor = (torch.tensor(part, dtype=torch.float32, device=x.device) for part in (offset, scale))
    return (x.to(torch.float32) - shift) * factor


@operator("Imputer", domain=ML)
def imputer(call: Call, x: Tensor) -> Tensor:
    """Missing numbers, which stand as NaN or as one number, become others."""
    values = call.floats("imputed_value_floats") or []
    if not x.is_floating_point() or len(values) not in (1, x.shape[-1]):
        raise call.refuse("the numbers to put in do not fit")
    missing = call.number("replaced_value_float", 0.0)
    put = torch.tensor(values, dtype=x.dtype, device=x.device)
    gone = torch.isnan(x) if missing != missing else x == missing
    return torch.where(gone, put, x)
