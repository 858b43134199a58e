"""Which output of a graph is the classifier's, and what stands behind its logits.

A trailing Softmax, LogSoftmax or Sigmoid is cut off, so that a search works on logits: under a softmax that is sure of
itself gradients vanish. A graph with one number and a Sigmoid is a classifier of two classes, the logit of the first
of which is 0. Probabilities that cannot be undone (of a linear model of scikit-learn, say) are turned into their
logarithms, which are logits up to one number for each sample.
"""

from dataclasses import dataclass

import msgspec

from modelscan_plus.formats.graphs.onnx.model import DataType
from modelscan_plus.probe.onnx.limits import Refused, shown
from modelscan_plus.probe.onnx.read import ML, Sketch, Step

_FLOATS = (DataType.FLOAT, DataType.FLOAT16, DataType.DOUBLE, DataType.BFLOAT16)
_NAMES = ("logit", "score", "prob", "output", "softmax", "pred", "class")
"""Parts of names that exporters give to a classifier's output, the surest first."""


@dataclass(frozen=True, slots=True)
class Head:
    """Where a classifier ends."""

    value: str
    """The value that is computed: logits where they could be laid bare."""
    given: str
    """The value that the file gives."""
    stripped: str
    """The operator that was cut off, "" for none."""


def candidates(sketch: Sketch) -> list[str]:
    """Outputs that could hold one number for each class, best first."""
    found: list[str] = []
    for info in sketch.graph.output:
        maker = sketch.makers.get(info.name)
        if maker is not None and maker.node.op_type == "ZipMap" and maker.node.input:
            found.append(maker.node.input[0])
        elif info.elem_type in _FLOATS and (info.shape is None or 1 <= len(info.shape) <= 4):
            found.append(info.name)
    return sorted(dict.fromkeys(found), key=_likeness)


def _likeness(name: str) -> int:
    lower = name.lower()
    return next((place for place, part in enumerate(_NAMES) if part in lower), len(_NAMES))


def choose(sketch: Sketch, output: str = "") -> str:
    """The output to compute. Raises `Refused` when none or several fit."""
    found = candidates(sketch)
    if output:
        if output not in found:
            raise Refused(f"there is no output {shown(output)!r} of numbers; there are: {_list(found)}")
        return output
    if not found:
        raise Refused("the graph has no output of the form [N, K] of floating-point numbers")
    if len(found) > 1 and _likeness(found[0]) == _likeness(found[1]):
        raise Refused(f"the graph has several outputs that could be the classes: {_list(found)}; name one")
    return found[0]


def _list(names: list[str]) -> str:
    return ", ".join(repr(shown(name)) for name in names[:6]) or "none"


def bare(sketch: Sketch, given: str) -> Head:
    """Step back over what follows the logits."""
    value = given
    for _ in range(8):
        step = sketch.makers.get(value)
        if step is None:
            break
        kind = step.node.op_type
        if kind in ("Softmax", "LogSoftmax") and _over_classes(step):
            return Head(step.node.input[0], given, kind)
        if kind == "Sigmoid":
            return Head(step.node.input[0], given, kind)
        if kind == "Normalizer" and step.node.domain == ML:
            return _classical(sketch, step, given)
        if not (kind in ("Identity", "Dropout") or (kind == "Cast" and _to_float(step))) or not step.node.input:
            break
        value = step.node.input[0]
    return Head(given, given, "")


def _over_classes(step: Step) -> bool:
    axis = step.node.get("axis")
    return len(step.node.input) == 1 and (axis is None or axis.i in (-1, 1))


def _to_float(step: Step) -> bool:
    to = step.node.get("to")
    return to is not None and to.i in _FLOATS


def _classical(sketch: Sketch, step: Step, given: str) -> Head:
    """A linear classifier with a softmax: the same one without it."""
    maker = sketch.makers.get(step.node.input[0]) if step.node.input else None
    if maker is None or maker.node.op_type != "LinearClassifier" or len(maker.node.output) < 2:
        return Head(given, given, "")
    transform = maker.node.get("post_transform")
    if transform is None or transform.text != "SOFTMAX" or maker.node.output[1] != step.node.input[0]:
        return Head(given, given, "")
    kept = [attribute for attribute in maker.node.attribute if attribute is not transform]
    name = "logits of " + maker.node.output[1]
    if name in sketch.makers:
        return Head(given, given, "")
    node = msgspec.structs.replace(maker.node, output=["", name], attribute=kept)
    sketch.makers[name] = Step(node, len(sketch.graph.node) + maker.place)
    return Head(name, given, "Softmax")
