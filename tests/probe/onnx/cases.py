"""For every operator of the table small graphs with it: what onnxruntime makes of them is what we must make of them."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from tests.probe.onnx.models import graph, node

IMAGE = (3, 6, 6)
RNG = np.random.default_rng(11)


def w(*shape: int) -> np.ndarray:
    """Weights."""
    return RNG.normal(size=shape).astype(np.float32)


def ints(*values: int) -> np.ndarray:
    """A shape, axes, places."""
    return np.array(values, dtype=np.int64)


@dataclass(frozen=True)
class Case:
    """One node between input and output."""

    kind: str
    shape: tuple[int, ...] = (4, 5)
    rest: tuple[np.ndarray | None, ...] = ()
    attributes: dict[str, Any] = field(default_factory=dict)
    opset: int = 20
    domain: str = ""
    low: float = -2.0
    high: float = 2.0
    before: tuple[str, ...] = ()
    """Operators between the input and the node, "Greater" as a comparison with zero."""
    first: str = "x"
    """What the node takes first; "w0" where the input comes second."""
    outputs: str = "made"

    @property
    def name(self) -> str:
        """For pytest."""
        detail = ",".join(f"{key}={value}" for key, value in self.attributes.items())
        return f"{self.kind}-{self.opset}-{'x'.join(map(str, self.shape))}-{detail}"[:90]

    def model(self) -> bytes:
        """Input, node, three times what it gives, as a row of floats."""
        weights = {f"w{place}": value for place, value in enumerate(self.rest) if value is not None}
        nodes, value = [], "x"
        for place, kind in enumerate(self.before):
            extra = " zero" if kind == "Greater" else ""
            options = {"to": 7} if kind == "Cast" else {}
            nodes.append(node(kind, value + extra, f"b{place}", **options))
            value = f"b{place}"
        named = [f"w{place}" if one is not None else "-" for place, one in enumerate(self.rest)]
        inputs = [value, *named] if self.first == "x" else [named[0], value, *named[1:]]
        nodes.append(node(self.kind, " ".join(inputs), self.outputs, domain=self.domain, **self.attributes))
        nodes += [node("Cast", "made", "float", to=1), node("Mul", "float three", "scaled"), node("Flatten", "scaled")]
        weights |= {"three": np.float32(3), "zero": np.float32(0)}
        domains = (self.domain,) if self.domain else ()
        return graph(nodes, shape=("n", *self.shape), weights=weights, opset=self.opset, domains=domains)

    def inputs(self, count: int = 3) -> np.ndarray:
        """Samples in the operator's domain."""
        return (self.low + RNG.random((count, *self.shape)) * (self.high - self.low)).astype(np.float32)


def _plain(names: str, **options: Any) -> list[Case]:
    return [Case(name, **options) for name in names.split()]


SMOOTH = [
    *_plain(
        "Abs Asinh Atan Celu Cos Cosh Elu Erf Exp Gelu HardSigmoid Identity LeakyRelu LogSoftmax Mish Neg Relu Selu "
        "Sigmoid Sin Sinh Softmax Softplus Softsign Tan Tanh ThresholdedRelu Shrink",
        low=-0.45,
        high=0.45,
    ),
    *_plain("Acos Asin Atanh", low=-0.9, high=0.9),
    *_plain("Log Sqrt Reciprocal Acosh", low=1.1, high=3.0),
    *_plain("HardSwish Elu Selu Celu LeakyRelu Shrink ThresholdedRelu HardSigmoid", low=-4, high=4, attributes={}),
    Case("Swish", opset=24, attributes={"alpha": 1.5}),
    Case("Gelu", attributes={"approximate": "tanh"}),
    *[Case("Softmax", shape=(3, 4), opset=opset, attributes={"axis": 1}) for opset in (11, 20)],
    Case("LogSoftmax", opset=9),
    *[Case(kind, rest=(w(5),)) for kind in ("Add", "Sub", "Mul", "Max", "Min", "Sum", "Mean", "PRelu")],
    Case("Div", rest=(w(4, 1) + 3,)),
    Case("Div", rest=(w(4, 5),), first="w0", low=1, high=2),
    Case("Pow", rest=(np.float32(3),)),
    Case("Pow", rest=(ints(2),), low=0.5),
    Case("Mod", rest=(np.float32(0.7),), attributes={"fmod": 1}),
    Case("Where", rest=(w(4, 5) > 0, w(4, 5)), first="w0"),
    Case("Clip", rest=(np.float32(-1), np.float32(1))),
    Case("Clip", rest=(None, np.float32(1))),
    Case("Clip", opset=10, attributes={"min": -1.0, "max": 0.5}),
    Case("Dropout", rest=(np.float32(0.5),)),
    Case("Dropout", opset=10, attributes={"ratio": 0.5}),
    Case("CastLike", rest=(np.float64(1),)),
    Case("Cast", attributes={"to": 11}),
    # Products
    Case("Gemm", shape=(6,), rest=(w(4, 6), w(4)), attributes={"transB": 1, "alpha": 0.5, "beta": 2.0}),
    Case("Gemm", shape=(6,), rest=(w(6, 4),)),
    Case("MatMul", rest=(w(5, 7),)),
    Case("MatMul", rest=(w(2, 4),), first="w0", shape=(4, 5)),
    Case("Einsum", rest=(w(5, 7),), attributes={"equation": "bij, jk -> bik"}),
    Case("Trilu", shape=(5, 5), rest=(ints(1).reshape(()),)),
    Case("Trilu", shape=(5, 5), attributes={"upper": 0}),
    Case("Det", shape=(3, 2, 2)),
    Case("Attention", shape=(2, 5, 4), rest=(w(1, 2, 5, 4), w(1, 2, 5, 3)), opset=23),
    Case("Attention", shape=(2, 5, 4), rest=(w(1, 2, 5, 4), w(1, 2, 5, 3)), opset=23, attributes={"is_causal": 1}),
    Case(
        "Attention", shape=(5, 8), rest=(w(1, 6, 4), w(1, 6, 4)), opset=23,
        attributes={"q_num_heads": 4, "kv_num_heads": 2, "scale": 0.3, "softcap": 2.0},
    ),
    # Convolutions and pooling
    Case("Conv", shape=IMAGE, rest=(w(4, 3, 3, 3), w(4)), attributes={"pads": [1, 1, 1, 1], "strides": [2, 2]}),
    Case("Conv", shape=IMAGE, rest=(w(4, 3, 3, 3),), attributes={"auto_pad": "SAME_UPPER", "strides": [2, 2]}),
    Case("Conv", shape=IMAGE, rest=(w(4, 3, 2, 2),), attributes={"auto_pad": "SAME_LOWER"}),
    Case("Conv", shape=IMAGE, rest=(w(4, 3, 2, 2),), attributes={"pads": [0, 1, 2, 0], "dilations": [2, 1]}),
    Case("Conv", shape=(4, 6, 6), rest=(w(4, 1, 3, 3),), attributes={"group": 4, "auto_pad": "VALID"}),
    Case("Conv", shape=(3, 9), rest=(w(4, 3, 3),)),
    Case("ConvTranspose", shape=IMAGE, rest=(w(3, 4, 3, 3), w(4)), attributes={"strides": [2, 2], "pads": [1] * 4}),
    Case(
        "ConvTranspose", shape=(4, 3, 3), rest=(w(4, 2, 3, 3), w(4)),
        attributes={"strides": [2, 2], "output_padding": [1, 1], "group": 2},
    ),
    Case("ConvTranspose", shape=(3, 5), rest=(w(3, 4, 3),), attributes={"auto_pad": "SAME_UPPER", "strides": [2]}),
    Case("MaxPool", shape=IMAGE, attributes={"kernel_shape": [3, 3], "strides": [2, 2], "pads": [1] * 4}),
    Case("MaxPool", shape=IMAGE, attributes={"kernel_shape": [3, 3], "strides": [2, 2], "ceil_mode": 1}),
    Case("MaxPool", shape=IMAGE, attributes={"kernel_shape": [2, 2], "dilations": [2, 2]}),
    Case("AveragePool", shape=IMAGE, attributes={"kernel_shape": [3, 3], "strides": [2, 2], "pads": [1] * 4}),
    Case("AveragePool", shape=IMAGE, attributes={"kernel_shape": [3, 3], "pads": [1] * 4, "count_include_pad": 1}),
    Case("AveragePool", shape=IMAGE, attributes={"kernel_shape": [3, 3], "strides": [2, 2], "ceil_mode": 1}),
    Case("AveragePool", shape=IMAGE, attributes={"kernel_shape": [2, 2], "auto_pad": "SAME_UPPER"}),
    Case("AveragePool", shape=IMAGE, attributes={"kernel_shape": [2, 2], "dilations": [2, 2]}),
    Case("LpPool", shape=IMAGE, attributes={"kernel_shape": [2, 2], "strides": [2, 2], "p": 2}),
    Case("GlobalAveragePool", shape=IMAGE),
    Case("GlobalMaxPool", shape=IMAGE),
    Case("GlobalLpPool", shape=IMAGE, attributes={"p": 2}),
    # Normalisations
    Case("BatchNormalization", shape=IMAGE, rest=(w(3), w(3), w(3), np.abs(w(3)) + 0.5), attributes={"epsilon": 1e-3}),
    Case("BatchNormalization", shape=(5,), rest=(w(5), w(5), w(5), np.abs(w(5)) + 0.5)),
    Case("LayerNormalization", rest=(w(5), w(5))),
    Case("LayerNormalization", rest=(w(4, 5),), attributes={"axis": 1}),
    Case("RMSNormalization", rest=(w(5),), opset=23),
    Case("InstanceNormalization", shape=IMAGE, rest=(w(3), w(3))),
    Case("GroupNormalization", shape=(4, 3, 3), rest=(w(4), w(4)), attributes={"num_groups": 2}, opset=21),
    Case("LRN", shape=(7, 3, 3), attributes={"size": 3, "alpha": 0.5, "bias": 2.0}),
    Case("LpNormalization", attributes={"axis": 2, "p": 2}),
    Case("LpNormalization", attributes={"axis": 1, "p": 1}),
    Case("MeanVarianceNormalization", shape=IMAGE, attributes={"axes": [2, 3]}),
    # Reductions
    *[Case(f"Reduce{kind}", attributes={"axes": [2]}, opset=11) for kind in ("L1", "L2", "Max", "Mean", "Min", "Prod")],
    *[Case(f"Reduce{kind}", rest=(ints(1),), attributes={"keepdims": 0}) for kind in ("Sum", "SumSquare", "LogSumExp")],
    Case("ReduceLogSum", rest=(ints(-1),), low=0.1),
    Case("ReduceMean", rest=(ints(),), attributes={"noop_with_empty_axes": 1}),
    Case("CumSum", rest=(np.array(2),), attributes={"exclusive": 1}),
    Case("CumSum", rest=(np.array(1),), attributes={"reverse": 1}),
    # Shapes and places
    Case("Reshape", rest=(ints(0, 2, -1),)),
    Case("Flatten", attributes={"axis": 2}, shape=(1, 4, 5)),
    Case("Squeeze", shape=(1, 5), rest=(ints(1),)),
    Case("Squeeze", shape=(1, 5), opset=11, attributes={"axes": [1]}),
    Case("Unsqueeze", rest=(ints(1, -1),)),
    Case("Transpose", attributes={"perm": [0, 2, 1]}),
    Case("Expand", shape=(4, 1), rest=(ints(1, 4, 3),)),
    Case("Tile", rest=(ints(1, 2, 3),)),
    Case("Concat", rest=(w(1, 4, 2),), attributes={"axis": 2}, shape=(4, 5)),
    Case("Split", outputs="- made", rest=(ints(2, 3),), attributes={"axis": 2}),
    Case("Split", outputs="- made", attributes={"axis": 2, "num_outputs": 2}),
    Case("Split", outputs="made -", attributes={"axis": 1}, opset=11),
    *[Case("DepthToSpace", shape=(8, 3, 3), attributes={"blocksize": 2, "mode": mode}) for mode in ("DCR", "CRD")],
    Case("SpaceToDepth", shape=(2, 4, 6), attributes={"blocksize": 2}),
    Case("Slice", rest=(ints(1, -1), ints(99, -99), ints(1, 2), ints(2, -2))),
    Case("Slice", opset=9, attributes={"starts": [1], "ends": [3], "axes": [2]}),
    Case("Gather", rest=(ints(0, -1, 2),), attributes={"axis": 2}),
    Case("GatherElements", rest=(RNG.integers(-5, 5, (1, 4, 5)),), attributes={"axis": 2}),
    Case("GatherND", rest=(ints(0, 1, 0, -1).reshape(1, 2, 2),), attributes={"batch_dims": 1}),
    Case("ScatterElements", rest=(ints(1, 0).reshape(1, 1, 2), w(1, 1, 2)), attributes={"axis": 2}),
    Case(
        "ScatterElements", rest=(ints(1, 1).reshape(1, 1, 2), w(1, 1, 2)), attributes={"axis": 2, "reduction": "add"}
    ),
    Case("Scatter", rest=(ints(1, 0).reshape(1, 1, 2), w(1, 1, 2)), attributes={"axis": 2}, opset=9),
    Case("ScatterND", rest=(ints(0, 1).reshape(1, 2), w(1, 5))),
    Case("ReverseSequence", rest=(ints(3),), attributes={"batch_axis": 0, "time_axis": 1}),
    Case("Compress", rest=(np.array([True, False, True]),), attributes={"axis": 1}),
    # Padding and sizes
    Case("Pad", shape=IMAGE, rest=(ints(0, 0, 1, 2, 0, 0, 3, -1), np.float32(0.5))),
    *[Case("Pad", shape=IMAGE, rest=(ints(1, 2, 3, 1), None, ints(2, 3)), attributes={"mode": mode}) for mode in ("reflect", "edge", "wrap")],
    Case("Pad", shape=IMAGE, opset=10, attributes={"pads": [0, 0, 1, 1, 0, 0, 1, 1], "value": 2.0}),
    *[
        Case(
            "Resize", shape=IMAGE, rest=(None, np.array([1, 1, *scale], dtype=np.float32)),
            attributes={"mode": mode, "coordinate_transformation_mode": transform},
        )
        for mode, transform, scale in [
            ("nearest", "asymmetric", (2, 2)), ("nearest", "half_pixel", (0.6, 1.7)), ("linear", "half_pixel", (2, 0.5)),
            ("linear", "align_corners", (1.5, 2)), ("linear", "asymmetric", (2, 2)), ("cubic", "half_pixel", (2, 0.7)),
            ("linear", "pytorch_half_pixel", (0.2, 2)), ("linear", "half_pixel_symmetric", (1.3, 2)),
        ]
    ],
    *[
        Case(
            "Resize", shape=IMAGE, rest=(None, None, ints(9, 4)),
            attributes={"mode": mode, "antialias": 1, "axes": [2, 3], **extra},
        )
        for mode, extra in [("linear", {}), ("cubic", {})]
    ],
    *[
        Case("Resize", shape=IMAGE, rest=(None, None, ints(1, 3, 9, 4)), attributes={"mode": "nearest", "nearest_mode": way})
        for way in ("floor", "ceil", "round_prefer_ceil")
    ],
    Case("Resize", shape=IMAGE, rest=(None, None, ints(1, 3, 9, 4)), attributes={"mode": "cubic", "exclude_outside": 1}),
    Case("Resize", shape=IMAGE, rest=(None, None, ints(9, 4)), attributes={"axes": [2, 3], "keep_aspect_ratio_policy": "not_larger"}),
    Case("Resize", shape=IMAGE, opset=10, rest=(np.array([1, 1, 2, 2], dtype=np.float32),), attributes={"mode": "linear"}),
    Case("Upsample", shape=IMAGE, opset=9, rest=(np.array([1, 1, 2, 3], dtype=np.float32),)),
    # scikit-learn's
    Case("LinearClassifier", shape=(5,), domain="ai.onnx.ml", outputs="label made", attributes={
        "coefficients": [float(one) for one in w(15)], "intercepts": [0.5, 1.0, -1.0], "classlabels_ints": [0, 1, 2],
        "post_transform": "SOFTMAX"}),
    *[Case("Normalizer", shape=(5,), domain="ai.onnx.ml", attributes={"norm": norm}, low=0.5) for norm in ("MAX", "L1", "L2")],
    Case("Scaler", shape=(3,), domain="ai.onnx.ml", attributes={"offset": [1.0, 2.0, 3.0], "scale": [0.5, 2.0, -1.0]}),
]  # fmt: skip
"""Operators whose result changes smoothly, almost everywhere, with the input."""
STEPS = [
    Case("TopK", rest=(ints(3),), outputs="made places"),
    Case("TopK", rest=(ints(2),), outputs="made places", attributes={"largest": 0, "axis": 1}),
    *_plain("Ceil Floor Round Sign"),
    *[Case(kind, rest=(w(5),)) for kind in ("Equal", "Greater", "GreaterOrEqual", "Less", "LessOrEqual")],
    *[Case(kind, rest=(w(4, 5) > 0,), before=("Greater",)) for kind in ("And", "Or", "Xor")],
    Case("Not", before=("Greater",)),
    *[Case(kind, rest=(ints(3, 1, 2, 7, 6),), before=("Cast",), high=9) for kind in ("BitwiseAnd", "BitwiseOr", "BitwiseXor")],
    Case("BitwiseNot", before=("Cast",)),
    Case("Mod", rest=(ints(3),), before=("Cast",), low=-9, high=9),
    Case("Div", rest=(ints(3),), before=("Cast",), low=-9, high=9),
    Case("IsNaN", before=("Log",)),
    Case("IsInf", rest=(), before=("Ceil", "Reciprocal"), attributes={"detect_negative": 0}, low=-1.5, high=1.5),
    *[Case(kind, attributes={"axis": 2, "select_last_index": last}) for kind in ("ArgMax", "ArgMin") for last in (0, 1)],
    Case("Hardmax"),
    Case("EyeLike", shape=(5,)),
    Case("OneHot", shape=(4,), rest=(np.array(5), np.array([-1.0, 2.0], dtype=np.float32)), before=("Cast",), low=-6, high=6),
    Case("QuantizeLinear", rest=(np.float32(0.02), np.uint8(128)), before=()),
    Case("Imputer", shape=(3,), domain="ai.onnx.ml", before=("Ceil",), attributes={"imputed_value_floats": [1.0, 2.0, 3.0], "replaced_value_float": 1.0}),
]  # fmt: skip
