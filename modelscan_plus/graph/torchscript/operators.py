"""TorchScript's operators as canonical ones: which arguments are tensors, which are attributes."""

from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

from modelscan_plus.graph.ir import Attribute, Const, Number, literal
from modelscan_plus.graph.operators import UNKNOWN, operators
from modelscan_plus.graph.torchscript.values import Opaque, Ref

_KINDS = {0: "int", 1: "int", 2: "int", 3: "int", 4: "int", 5: "float", 6: "float", 7: "float", 11: "bool", 15: "float"}
"""torch.ScalarType by number."""
_HUGE = 2**62


class Emitter(Protocol):
    """What writes nodes."""

    def value_of(self, given: object) -> int:
        """The graph's value for a tensor, a number or a list of them; -1 for nothing."""

    def emit(self, op: str, ins: Sequence[int], attrs: Mapping[str, Attribute], given: str, outs: int = 1) -> list[Ref]:
        """Append a node."""


Arguments = list[object]
Keywords = dict[str, object]


def call(emitter: Emitter, name: str, arguments: Arguments, keywords: Keywords) -> object:
    """Emit the nodes of one call of `torch.name`; gives what it returns."""
    handler = _HANDLERS.get(name)
    if handler is not None:
        return handler(emitter, name, arguments, keywords)
    op = operators().aten.get(name, UNKNOWN)
    group = operators().classes[op]
    if group in ("copy", "smooth", "saturate", "activation", "round", "logic", "compare", "bits", "arith", "peaky"):
        few = 2 if group in ("logic", "compare", "bits", "arith") or op in ("pow", "clip") else 1
        if name.startswith("grid_sample"):
            few = 2  # the second is where the elements come from
        if op in ("addcmul", "clip"):
            few = 3
        ins = [emitter.value_of(value) for value in arguments[:few]]
        if op == "clip":
            ins += [emitter.value_of(keywords.get(key)) for key in ("min", "max")][: 3 - len(ins)]
            ins = ins[:3]
        return emitter.emit(op, ins, {}, name)[0]
    ins = [emitter.value_of(value) for value in arguments if _is_data(value)]
    return emitter.emit(op, ins, {}, name)[0]


def _is_data(value: object) -> bool:
    if isinstance(value, list):
        return any(_is_data(item) for item in value)
    return isinstance(value, Ref | Const)


def number(value: object) -> int | None:
    """A whole number that is known."""
    return int(value) if isinstance(value, int | float) and abs(value) <= _HUGE * 4 else None


def numbers(value: object) -> tuple[int, ...] | None:
    """Whole numbers that are known: one or a list."""
    if isinstance(value, bool) or value is None:
        return None
    if isinstance(value, int):
        return (value,)
    if (
        isinstance(value, list)
        and value
        and all(isinstance(item, int) and not isinstance(item, bool) for item in value)
    ):
        return tuple(value)
    return None


def constant(value: Number | list[Number]) -> Const:
    """A literal of the code."""
    items = value if isinstance(value, list) else [value]
    first = items[0] if items else 0
    kind = "bool" if isinstance(first, bool) else "int" if isinstance(first, int) else "float"
    if isinstance(first, str):
        kind = "string"
    return literal(items, (len(items),) if isinstance(value, list) else (), kind)


def _at(arguments: Arguments, place: int, keywords: Keywords, name: str, default: object = None) -> object:
    return arguments[place] if place < len(arguments) else keywords.get(name, default)


def _reduce(emitter: Emitter, name: str, arguments: Arguments, keywords: Keywords) -> object:
    op = operators().aten.get(name, "reduce_sum")
    x = emitter.value_of(arguments[0])
    place = 2 if name in ("norm", "quantile") and len(arguments) > 2 else 1
    dims = numbers(_at(arguments, place, keywords, "dim"))
    keep = next((item for item in arguments[place + 1 :] if isinstance(item, bool)), keywords.get("keepdim", False))
    if name in ("var", "std") and len(arguments) == 2 and isinstance(arguments[1], bool):
        dims = None
    attrs: dict[str, Attribute] = {"keepdims": int(bool(keep))}
    if dims is not None:
        attrs["axes"] = dims
    if name in ("var_mean", "std_mean"):
        return [emitter.emit(op, [x], attrs, name)[0], emitter.emit("reduce_mean", [x], attrs, name)[0]]
    return emitter.emit(op, [x], attrs, name)[0]


def _extreme(emitter: Emitter, name: str, arguments: Arguments, keywords: Keywords) -> object:
    x = emitter.value_of(arguments[0])
    which = "reduce_max" if name == "max" else "reduce_min"
    if len(arguments) == 1 and not keywords:
        return emitter.emit(which, [x], {"keepdims": 0}, name)[0]
    dims = numbers(_at(arguments, 1, keywords, "dim"))
    if dims is None:
        return emitter.emit(name, [x, emitter.value_of(arguments[1])], {}, name)[0]
    keep = int(bool(_at(arguments, 2, keywords, "keepdim", default=False)))
    best = emitter.emit(which, [x], {"axes": dims, "keepdims": keep}, name)[0]
    where = emitter.emit("argmax" if name == "max" else "argmin", [x], {"axis": dims[0], "keepdims": keep}, name)[0]
    return [best, where]


def _argument(emitter: Emitter, name: str, arguments: Arguments, keywords: Keywords) -> object:
    axis = number(_at(arguments, 1, keywords, "dim"))
    keep = int(bool(_at(arguments, 2, keywords, "keepdim", default=False)))
    x = emitter.value_of(arguments[0])
    if axis is None:
        x = emitter.emit("flatten", [x], {"start_dim": 0, "axis": 0}, "flatten")[0].id
    return emitter.emit(name, [x], {"axis": axis or 0, "keepdims": keep}, name)[0]


def _cumulate(emitter: Emitter, name: str, arguments: Arguments, keywords: Keywords) -> object:
    out = emitter.emit("cumsum", [emitter.value_of(arguments[0]), emitter.value_of(arguments[1])], {}, name)[0]
    return [out, out] if name in ("cummax", "cummin") else out


def _slice(emitter: Emitter, name: str, arguments: Arguments, keywords: Keywords) -> object:
    x = emitter.value_of(arguments[0])
    axis = number(_at(arguments, 1, keywords, "dim", 0)) or 0
    start = _at(arguments, 2, keywords, "start", 0)
    end = _at(arguments, 3, keywords, "end", _HUGE)
    step = number(_at(arguments, 4, keywords, "step", 1)) or 1
    if name == "narrow":
        length, first = number(end), number(start)
        end = first + length if first is not None and length is not None else end
    start = 0 if start is None else start
    end = _HUGE if end is None else end
    if start == 0 and isinstance(end, int) and end >= _HUGE and step == 1:
        return emitter.emit("identity", [x], {}, name)[0]
    ins = [x, *(_bound(emitter, value) for value in (start, end))]
    ins += [emitter.value_of([axis]), emitter.value_of([step])]
    return emitter.emit("slice", ins, {}, name)[0]


def _bound(emitter: Emitter, value: object) -> int:
    return emitter.value_of([value] if isinstance(value, int) else value)


def _select(emitter: Emitter, name: str, arguments: Arguments, keywords: Keywords) -> object:
    x, axis = emitter.value_of(arguments[0]), number(arguments[1]) or 0
    return emitter.emit("gather", [x, emitter.value_of(arguments[2])], {"axis": axis}, name)[0]


def _index(emitter: Emitter, name: str, arguments: Arguments, keywords: Keywords) -> object:
    x = emitter.value_of(arguments[0])
    given = arguments[1] if isinstance(arguments[1], list) else [arguments[1]]
    picks = [(place, item) for place, item in enumerate(given) if isinstance(item, Ref | Const)]
    if not picks:
        return emitter.emit("identity", [x], {}, name)[0]
    ids = [emitter.value_of(item) for _, item in picks]
    index = ids[0] if len(ids) == 1 else emitter.emit("concat", ids, {"axis": 0}, name)[0].id
    if name.startswith("index_put"):
        return emitter.emit("scatter", [x, index, emitter.value_of(arguments[2])], {}, name)[0]
    return emitter.emit("gather", [x, index], {"axis": picks[0][0]}, name)[0]


def _gather(emitter: Emitter, name: str, arguments: Arguments, keywords: Keywords) -> object:
    x, axis = emitter.value_of(arguments[0]), number(arguments[1]) or 0
    return emitter.emit("gather", [x, emitter.value_of(arguments[2])], {"axis": axis}, name)[0]


def _take(emitter: Emitter, name: str, arguments: Arguments, keywords: Keywords) -> object:
    ins = [emitter.value_of(arguments[0]), emitter.value_of(arguments[1])]
    return emitter.emit("gather", ins, {"axis": number(_at(arguments, 2, keywords, "dim", 0)) or 0}, "gather")[0]


def _scatter(emitter: Emitter, name: str, arguments: Arguments, keywords: Keywords) -> object:
    if name.startswith("masked_scatter"):
        chosen = [arguments[1], arguments[2]]
    else:
        chosen = [arguments[2], arguments[3] if len(arguments) > 3 else keywords.get("value")]
    ins = [emitter.value_of(value) for value in (arguments[0], *chosen)]
    return emitter.emit("scatter", ins, {}, name)[0]


def _axes(name: str) -> Callable[[Emitter, str, Arguments, Keywords], object]:
    def handler(emitter: Emitter, given: str, arguments: Arguments, keywords: Keywords) -> object:
        attrs: dict[str, Attribute] = {}
        axes = numbers(_at(arguments, 1, keywords, "dim"))
        if axes is not None:
            attrs["axes"] = axes
        return emitter.emit(name, [emitter.value_of(arguments[0])], attrs, given)[0]

    return handler


def _reshape(emitter: Emitter, name: str, arguments: Arguments, keywords: Keywords) -> object:
    shape = arguments[1] if len(arguments) > 1 else None
    if isinstance(shape, list) and any(isinstance(item, str | Opaque) for item in shape):
        shape = None
    op = {"expand": "spread", "repeat": "spread", "broadcast_to": "spread", "tile": "spread"}.get(name, "reshape")
    attrs: dict[str, Attribute] = {"rank": len(shape)} if isinstance(shape, list) and op == "reshape" else {}
    return emitter.emit(op, [emitter.value_of(arguments[0]), emitter.value_of(shape)], attrs, name)[0]


def _like(emitter: Emitter, name: str, arguments: Arguments, keywords: Keywords) -> object:
    """Expand or view as another tensor: of that one only the size counts."""
    size = emitter.emit("shape", [emitter.value_of(arguments[1])], {}, "size")[0]
    op, given = ("spread", "expand") if name == "expand_as" else ("reshape", "view")
    return emitter.emit(op, [emitter.value_of(arguments[0]), size.id], {}, given)[0]


def _flatten(emitter: Emitter, name: str, arguments: Arguments, keywords: Keywords) -> object:
    start = number(_at(arguments, 1, keywords, "start_dim", 0)) or 0
    return emitter.emit("flatten", [emitter.value_of(arguments[0])], {"start_dim": start, "axis": start}, name)[0]


def _permute(emitter: Emitter, name: str, arguments: Arguments, keywords: Keywords) -> object:
    perm = numbers(arguments[1]) or ()
    return emitter.emit("transpose", [emitter.value_of(arguments[0])], {"perm": perm}, name)[0]


def _swap(emitter: Emitter, name: str, arguments: Arguments, keywords: Keywords) -> object:
    return emitter.emit("swap", [emitter.value_of(value) for value in arguments[:3]], {}, name)[0]


def _join(emitter: Emitter, name: str, arguments: Arguments, keywords: Keywords) -> object:
    items = arguments[0] if isinstance(arguments[0], list) else [arguments[0]]
    axis = number(_at(arguments, 1, keywords, "dim", 0)) or 0
    attrs: dict[str, Attribute] = {"axis": axis}
    if name == "stack":
        attrs["new_axis"] = 1
    return emitter.emit("concat", [emitter.value_of(item) for item in items], attrs, name)[0]


def _split(emitter: Emitter, name: str, arguments: Arguments, keywords: Keywords) -> object:
    place = 1 if name == "unbind" else 2
    axis = number(_at(arguments, place, keywords, "dim", 0)) or 0
    size = numbers(arguments[1]) if name != "unbind" and len(arguments) > 1 else None
    count = 4
    if name in ("chunk", "tensor_split", "unsafe_chunk") and size:
        count = min(max(size[0], 1), 64)
    elif size is not None and len(size) > 1:
        count = min(len(size), 64)
    attrs: dict[str, Attribute] = {"axis": axis}
    return list(emitter.emit("split", [emitter.value_of(arguments[0])], attrs, name, count))


def _cast(emitter: Emitter, name: str, arguments: Arguments, keywords: Keywords) -> object:
    x = emitter.value_of(arguments[0])
    given = [*arguments[1:], keywords.get("dtype")]
    target = next((value for value in given if isinstance(value, int) and not isinstance(value, bool)), None)
    kind = {"float": "float", "Float": "float", "bool": "bool", "Bool": "bool", "int": "int", "Int": "int"}.get(name)
    kind = kind or (_KINDS.get(target, "") if target is not None else "")
    if not kind:
        return emitter.emit("identity", [x], {}, name)[0]
    return emitter.emit("cast", [x], {"to": kind}, name)[0]


def _dense(emitter: Emitter, name: str, arguments: Arguments, keywords: Keywords) -> object:
    if name in ("addmm", "baddbmm", "addbmm", "addmv"):
        ins = [emitter.value_of(arguments[place]) for place in (1, 2)]
        product = emitter.emit("matmul", ins, {}, name)[0]
        return emitter.emit("add", [product.id, emitter.value_of(arguments[0])], {}, name)[0]
    if name == "einsum":
        items = arguments[1] if isinstance(arguments[1], list) else arguments[1:]
        return emitter.emit("einsum", [emitter.value_of(item) for item in items], {}, name)[0]
    ins = [emitter.value_of(value) for value in arguments[: 3 if name in ("linear", "bilinear") else 2]]
    return emitter.emit(operators().aten.get(name, "matmul"), ins, {}, name)[0]


def _conv(emitter: Emitter, name: str, arguments: Arguments, keywords: Keywords) -> object:
    ins = [emitter.value_of(value) for value in arguments[:3]]
    attrs: dict[str, Attribute] = {}
    for place, key in ((3, "strides"), (5, "dilations")):
        found = numbers(arguments[place]) if place < len(arguments) else None
        if found is not None:
            attrs[key] = found
    pads = arguments[4] if len(arguments) > 4 else None
    if (found := numbers(pads)) is not None:
        attrs["pads"] = found + found
    elif isinstance(pads, str):
        attrs["auto_pad"] = "SAME_UPPER" if pads == "same" else pads.upper()
    transposed = "transpose" in name or (name == "_convolution" and len(arguments) > 6 and arguments[6] is True)
    return emitter.emit("conv", ins, attrs, "conv_transpose" if transposed else name)[0]


def _norm(emitter: Emitter, name: str, arguments: Arguments, keywords: Keywords) -> object:
    return emitter.emit("norm", [emitter.value_of(arguments[0])], {}, name)[0]


def _pool(emitter: Emitter, name: str, arguments: Arguments, keywords: Keywords) -> object:
    x = emitter.value_of(arguments[0])
    size = numbers(arguments[1]) if len(arguments) > 1 else None
    if name.startswith(("adaptive", "_adaptive")):
        whole = size is not None and set(size) == {1}
        ins = [x] if whole else [x, emitter.value_of(arguments[1])]
        out = emitter.emit("global_pool" if whole else "adaptive_pool", ins, {}, name)[0]
        return [out, out] if "max" in name else out
    strides = numbers(arguments[2]) if len(arguments) > 2 else None
    attrs: dict[str, Attribute] = {}
    if size is not None:
        attrs |= {"kernel_shape": size, "strides": strides or size}
    out = emitter.emit("pool", [x], attrs, name)[0]
    return [out, out] if name.endswith("indices") else out


def _rnn(emitter: Emitter, name: str, arguments: Arguments, keywords: Keywords) -> object:
    lists = [item for item in arguments if isinstance(item, list)]
    weights = next((item for item in reversed(lists) if item and isinstance(item[0], Ref | Const)), [])
    states = arguments[1] if len(arguments) > 1 else None
    initial = states if isinstance(states, list) else [states]
    cell = name.endswith("_cell")
    if cell:
        weights = [value for value in arguments[2:4] if _is_data(value)]
    ins = [emitter.value_of(arguments[0]), *(emitter.value_of(value) for value in weights[:2]), -1, -1]
    ins = ins[:5] + [emitter.value_of(value) for value in initial[:2]]
    rows_first = name in ("lstm", "gru", "rnn_tanh", "rnn_relu") and len(arguments) > 8 and arguments[8] is True
    outs = emitter.emit("rnn", ins, {"batch_first": int(rows_first)}, name, 3)
    return (outs[:2] if "lstm" in name else outs[0]) if cell else outs if "lstm" in name else outs[:2]


def _topk(emitter: Emitter, name: str, arguments: Arguments, keywords: Keywords) -> object:
    x = emitter.value_of(arguments[0])
    attrs: dict[str, Attribute] = {"axis": -1}
    if name == "topk":
        count = number(arguments[1])
        axis = number(_at(arguments, 2, keywords, "dim", -1))
        attrs = {"axis": -1 if axis is None else axis}
        if count is not None:
            attrs["k"] = (count,)
    outs = emitter.emit("topk", [x], attrs, name, 2)
    return outs[1] if name == "argsort" else outs


def _size(emitter: Emitter, name: str, arguments: Arguments, keywords: Keywords) -> object:
    ins = [emitter.value_of(value) for value in arguments[:2]]
    return emitter.emit("shape", ins, {}, name)[0]


def _filled(emitter: Emitter, name: str, arguments: Arguments, keywords: Keywords) -> object:
    value: object = 1.0 if "ones" in name else 0.0
    shape = arguments[0]
    if name in ("new_zeros", "new_ones", "new_full", "new_empty"):
        shape, arguments = arguments[1], arguments[1:]
    if "full" in name and len(arguments) > 1:
        value = arguments[1]
    if isinstance(value, Ref):
        return emitter.emit("spread", [value.id, emitter.value_of(shape)], {}, "expand")[0]
    attrs: dict[str, Attribute] = {"value": float(value) if isinstance(value, int | float) else 0.0}
    return emitter.emit("constant_of_shape", [emitter.value_of(shape)], attrs, name)[0]


def _fill_like(emitter: Emitter, name: str, arguments: Arguments, keywords: Keywords) -> object:
    if name in ("full_like", "fill", "fill_") and len(arguments) > 1 and isinstance(arguments[1], Ref):
        return emitter.emit("identity", [arguments[1].id], {}, name)[0]
    if name == "full_like" and len(arguments) > 1 and isinstance(arguments[1], int | float):
        size = emitter.emit("shape", [emitter.value_of(arguments[0])], {}, "size")[0]
        return emitter.emit("spread", [emitter.value_of(arguments[1]), size.id], {}, "expand")[0]
    return emitter.emit("fill_like", [emitter.value_of(arguments[0])], {}, name)[0]


def _range(emitter: Emitter, name: str, arguments: Arguments, keywords: Keywords) -> object:
    ends = [value for value in arguments[:2] if isinstance(value, int | float | Ref) and not isinstance(value, bool)]
    starts = ends if len(ends) == 2 else [0, *ends]
    return emitter.emit("range", [emitter.value_of(value) for value in starts], {}, name)[0]


def _tensor(emitter: Emitter, name: str, arguments: Arguments, keywords: Keywords) -> object:
    return emitter.emit("identity", [emitter.value_of(arguments[0])], {}, name)[0]


def _minus(emitter: Emitter, name: str, arguments: Arguments, keywords: Keywords) -> object:
    return emitter.emit("sub", [emitter.value_of(arguments[1]), emitter.value_of(arguments[0])], {}, name)[0]


def _activation_bounds(emitter: Emitter, name: str, arguments: Arguments, keywords: Keywords) -> object:
    low = _at(arguments, 1, keywords, "min_val", -1.0) if "tanh" in name else 0.0
    high = _at(arguments, 2, keywords, "max_val", 1.0) if "tanh" in name else 6.0
    return emitter.emit("clip", [emitter.value_of(value) for value in (arguments[0], low, high)], {}, name)[0]


def _random(emitter: Emitter, name: str, arguments: Arguments, keywords: Keywords) -> object:
    shape = next((value for value in arguments if isinstance(value, list)), None)
    op = operators().aten[name]
    if op == "random_like" or op == "draw":
        return emitter.emit(op, [emitter.value_of(arguments[0])], {}, name)[0]
    return emitter.emit("random", [emitter.value_of(shape)], {}, name)[0]


def _attention(emitter: Emitter, name: str, arguments: Arguments, keywords: Keywords) -> object:
    ins = [emitter.value_of(value) for value in arguments if _is_data(value)]
    return emitter.emit("attention", ins, {}, name)[0]


def _unique(emitter: Emitter, name: str, arguments: Arguments, keywords: Keywords) -> object:
    outs = emitter.emit("unique", [emitter.value_of(arguments[0])], {}, name, 3)
    return outs if name != "unique" else outs[0]


def _scalar_where(emitter: Emitter, name: str, arguments: Arguments, keywords: Keywords) -> object:
    if len(arguments) == 1:
        return emitter.emit("nonzero", [emitter.value_of(arguments[0])], {}, name)[0]
    return emitter.emit("where", [emitter.value_of(value) for value in arguments[:3]], {}, name)[0]


def _masked_fill(emitter: Emitter, name: str, arguments: Arguments, keywords: Keywords) -> object:
    return emitter.emit("masked_fill", [emitter.value_of(value) for value in arguments[:3]], {}, name)[0]


def _softmax(emitter: Emitter, name: str, arguments: Arguments, keywords: Keywords) -> object:
    axis = number(_at(arguments, 1, keywords, "dim", -1))
    return emitter.emit("softmax", [emitter.value_of(arguments[0])], {"axis": -1 if axis is None else axis}, name)[0]


def _roll(emitter: Emitter, name: str, arguments: Arguments, keywords: Keywords) -> object:
    axes = numbers(arguments[-1]) if len(arguments) > 1 else None
    attrs: dict[str, Attribute] = {"dims": axes} if axes is not None else {}
    return emitter.emit("reorder", [emitter.value_of(arguments[0])], attrs, name)[0]


Handler = Callable[[Emitter, str, Arguments, Keywords], object]
_TABLE: tuple[tuple[str, Handler], ...] = (
    ("sum mean amax amin prod any all var std norm logsumexp median nansum nanmean count_nonzero quantile", _reduce),
    ("var_mean std_mean linalg_vector_norm frobenius_norm nanmedian", _reduce),
    ("max min", _extreme),
    ("argmax argmin", _argument),
    ("cumsum cumprod cummax cummin", _cumulate),
    ("slice narrow", _slice),
    ("select", _select),
    ("index index_put index_put_", _index),
    ("gather index_select", _gather),
    ("take_along_dim take", _take),
    (
        "scatter scatter_ scatter_add scatter_add_ index_add index_add_ index_copy index_copy_ index_fill index_fill_",
        _scatter,
    ),
    ("masked_scatter masked_scatter_ scatter_reduce", _scatter),
    ("unsqueeze unsqueeze_", _axes("unsqueeze")),
    ("squeeze squeeze_", _axes("squeeze")),
    ("view reshape expand repeat broadcast_to tile _unsafe_view _reshape_alias", _reshape),
    ("expand_as view_as reshape_as", _like),
    ("flatten ravel", _flatten),
    ("permute", _permute),
    ("transpose transpose_ t t_ swapaxes movedim numpy_T mT", _swap),
    ("cat concat concatenate stack hstack vstack", _join),
    ("split split_with_sizes chunk unbind tensor_split unsafe_split unsafe_chunk", _split),
    ("to type float bool int Float Bool Int _cast_Float _cast_Long", _cast),
    ("addmm baddbmm addbmm addmv linear bilinear matmul mm bmm mv dot einsum", _dense),
    ("conv1d conv2d conv3d _convolution _convolution_mode convolution", _conv),
    ("conv_transpose1d conv_transpose2d conv_transpose3d", _conv),
    ("layer_norm batch_norm group_norm instance_norm rms_norm native_layer_norm local_response_norm", _norm),
    ("max_pool1d max_pool2d max_pool3d avg_pool1d avg_pool2d avg_pool3d max_pool2d_with_indices", _pool),
    ("adaptive_avg_pool1d adaptive_avg_pool2d adaptive_avg_pool3d adaptive_max_pool2d _adaptive_avg_pool2d", _pool),
    ("lstm gru rnn_tanh rnn_relu lstm_cell gru_cell rnn_tanh_cell rnn_relu_cell", _rnn),
    ("topk sort argsort", _topk),
    ("size", _size),
    ("zeros ones full empty new_zeros new_ones new_full new_empty", _filled),
    ("zeros_like ones_like full_like empty_like fill fill_ zero_ zero", _fill_like),
    ("arange range linspace", _range),
    ("tensor as_tensor scalar_tensor ScalarImplicit item FloatImplicit IntImplicit _local_scalar_dense", _tensor),
    ("rsub", _minus),
    ("hardtanh hardtanh_ relu6 relu6_", _activation_bounds),
    ("rand randn randint randperm normal rand_like randn_like randint_like bernoulli multinomial bernoulli_", _random),
    ("normal_ uniform_ random_ exponential_", _random),
    ("scaled_dot_product_attention", _attention),
    ("unique _unique2 unique_consecutive unique_dim", _unique),
    ("where", _scalar_where),
    ("masked_fill masked_fill_", _masked_fill),
    ("softmax log_softmax _softmax _log_softmax", _softmax),
    ("roll flip", _roll),
)
_HANDLERS: dict[str, Handler] = {name: handler for names, handler in _TABLE for name in names.split()}
