"""A batch normalisation right behind a convolution becomes part of its weights: half the work on small networks."""

from collections import Counter
from collections.abc import Sequence

import msgspec
import torch
from torch import Tensor

from modelscan_plus.probe.onnx.read import Step


def fold_batch_norms(steps: Sequence[Step], constants: dict[str, Tensor], wanted: str) -> list[Step]:
    """The steps without such normalisations; new weights are added to `constants`."""
    uses = Counter(name for step in steps for name in step.node.input)
    makers = {name: place for place, step in enumerate(steps) for name in step.node.output}
    kept: list[Step | None] = list(steps)
    for place, step in enumerate(steps):
        if step.node.op_type != "BatchNormalization" or not step.node.input:
            continue
        maker = makers.get(step.node.input[0])
        if maker is None or step.node.input[0] == wanted or uses[step.node.input[0]] != 1:
            continue
        merged = _merge(steps[maker], step, constants)
        if merged is not None:
            kept[maker], kept[place] = None, merged
    return [step for step in kept if step is not None]


def _merge(conv: Step, norm: Step, constants: dict[str, Tensor]) -> Step | None:
    node = conv.node
    given = [constants.get(name) for name in norm.node.input[1:]]
    if (
        node.op_type != "Conv"
        or node.domain not in ("", "ai.onnx")
        or len(given) != 4
        or norm.node.get("training_mode")
    ):
        return None
    weight = constants.get(node.input[1]) if len(node.input) > 1 else None
    bias_name = node.input[2] if len(node.input) > 2 else ""
    bias = constants.get(bias_name) if bias_name else None
    if weight is None or weight.dim() < 3 or (bias_name and bias is None) or any(part is None for part in given):
        return None
    if any(name for name in norm.node.output[1:]) or norm.node.get("spatial"):
        return None
    scale, shift, mean, variance = (part for part in given if part is not None)
    if any(part.shape != (weight.shape[0],) for part in (scale, shift, mean, variance)):
        return None
    if bias is not None and bias.shape != mean.shape:
        return None
    epsilon = norm.node.get("epsilon")
    factor = scale / torch.sqrt(variance + (epsilon.f if epsilon is not None else 1e-5))
    # Names with a NUL in them, which no name of the file can clash with unless it has one, too.
    names = [f"{norm.node.output[0]}\0weight", f"{norm.node.output[0]}\0bias"]
    if any(name in constants for name in names):
        return None
    constants[names[0]] = weight * factor.reshape(-1, *[1] * (weight.dim() - 1))
    constants[names[1]] = shift + ((0 if bias is None else bias) - mean) * factor
    merged = msgspec.structs.replace(node, input=[node.input[0], *names], output=[norm.node.output[0]])
    return Step(merged, norm.place)
