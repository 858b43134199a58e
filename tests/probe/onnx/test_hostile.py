"""Every hostile graph is refused with its reason, and no mutated one ends in anything but `Refused`."""

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

torch = pytest.importorskip("torch", reason="torch is not installed")

from modelscan_plus.probe.onnx import NetworkLimits, Refused, load  # noqa: E402
from tests.probe.onnx.bombs import BOMBS, chain, constant_of_shape, doubling  # noqa: E402
from tests.probe.onnx.models import graph, node, source  # noqa: E402
from tests.probe.onnx.networks import SHAPES, build, export  # noqa: E402


@pytest.mark.parametrize("name", BOMBS)
def test_a_hostile_graph_is_refused(name: str) -> None:
    make, reason = BOMBS[name]
    with pytest.raises(Refused, match=reason):
        load(source(make()))


@pytest.mark.parametrize("data", [constant_of_shape(3, 4), doubling("Concat", 3), doubling("Tile", 3), chain(300)])
def test_a_small_one_of_the_same_kind_runs(data: bytes) -> None:
    network = load(source(data))
    assert network.forward(torch.rand(2, 6)).shape == (2, network.classes)


def test_what_is_too_large_is_never_made(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[int] = []
    empty = torch.Tensor.clone

    def clone(self: torch.Tensor, *args: object, **options: object) -> torch.Tensor:
        if self.device.type != "meta":
            made.append(self.numel())
        return empty(self, *args, **options)

    monkeypatch.setattr(torch.Tensor, "clone", clone)
    load(source(constant_of_shape(3, 4)))
    assert made == [12], "the honest constant is made"
    with pytest.raises(Refused):
        load(source(constant_of_shape(1 << 16, 1 << 16)))
    assert made == [12]


def test_a_bound_on_work_holds_for_what_is_folded_and_for_what_is_run() -> None:
    weights = {"w": np.ones((90, 90), np.float32)}
    data = graph([node("MatMul", "w w", "m"), node("MatMul", "x m")], shape=("n", 90), weights=weights)
    load(source(data), NetworkLimits(work=9_000, folding=800_000))
    for limits in (NetworkLimits(work=8_000), NetworkLimits(folding=700_000)):
        with pytest.raises(Refused, match="multiply-adds"):
            load(source(data), limits)


@pytest.mark.parametrize("value", [np.nan, np.inf, 3e38])
def test_weights_that_are_no_numbers_give_logits_that_are_none(value: float) -> None:
    """The search has to look at them; loading does not fail."""
    network = load(source(graph([node("MatMul", "x w")], weights={"w": np.full((6, 4), value, np.float32)})))
    assert network.forward(torch.ones(2, 6)).shape == (2, 4)
    assert network.batching == "direct" or not np.isfinite(value)


SEEDS = [export(build(name), SHAPES[name], dynamic=dynamic) for name, dynamic in [("mlp", True), ("cnn", False)]]


@settings(deadline=None, max_examples=120, suppress_health_check=list(HealthCheck))
@given(st.sampled_from(SEEDS), st.data())
def test_a_mutated_model_runs_or_is_refused(seed: bytes, data: st.DataObject) -> None:
    changed = bytearray(seed)
    for _ in range(data.draw(st.integers(1, 4))):
        # Most bytes are weights; half of the changes aim at the nodes, which stand first.
        place = data.draw(st.integers(0, len(seed) - 1) | st.integers(0, min(len(seed), 1500) - 1))
        kind = data.draw(st.sampled_from(["set", "cut", "insert"]))
        if kind == "set" and place < len(changed):
            changed[place] = data.draw(st.integers(0, 255))
        elif kind == "cut":
            del changed[place : place + data.draw(st.integers(1, 8))]
        else:
            changed[place:place] = data.draw(st.binary(max_size=6))
    try:
        network = load(source(bytes(changed)), NetworkLimits(activations=1 << 20, work=1 << 26, tensor=1 << 20))
        logits = network.forward(torch.rand((2, *network.input.sample)))
    except Refused as error:
        assert error.reason  # noqa: PT017
    else:
        assert logits.shape == (2, network.classes)


@st.composite
def _attributes(draw: st.DrawFn) -> bytes:
    """One operator with attributes and inputs that were not meant for it."""
    from modelscan_plus.probe.onnx.ops import OPERATORS

    domain, kind = draw(st.sampled_from(sorted(OPERATORS)))
    number = st.integers(-3, 9) | st.sampled_from([-(1 << 63), -(1 << 31), 1 << 20, 1 << 31, 1 << 62])
    names = draw(st.lists(st.sampled_from(_NAMES), max_size=4, unique=True))
    options = {name: draw(_value(name, number)) for name in names}
    count = draw(st.integers(0, 4))
    weights = {
        f"w{place}": np.array(draw(st.lists(number, max_size=5)), dtype=np.int64)
        if draw(st.booleans())
        else np.ones(draw(st.lists(st.integers(0, 4), max_size=5)), dtype=np.float32)
        for place in range(count)
    }
    inputs = " ".join(["x", *weights]) if draw(st.booleans()) else " ".join([*weights, "x"])
    shape = draw(st.sampled_from([(6,), (4, 5), (3, 8, 8)]))
    nodes = [node(kind, inputs, "m", domain=domain, **options), node("Flatten", "m")]
    return graph(
        nodes,
        shape=("n", *shape),
        weights=weights,
        domains=[domain] if domain else (),
        opset=draw(st.sampled_from([7, 11, 13, 20, 24])),
    )


_INTS = "axis axes pads strides dilations kernel_shape perm split starts ends output_shape output_padding".split()
_ONE = (
    "group to keepdims blocksize batch_dims size p num_outputs ceil_mode transA q_num_heads kv_num_heads axis k".split()
)
_NAMES = sorted({*_INTS, *_ONE, "mode", "auto_pad", "equation", "alpha", "epsilon", "scale"})


def _value(name: str, number: st.SearchStrategy[int]) -> st.SearchStrategy[object]:
    if name in ("alpha", "epsilon", "scale"):
        return st.floats(width=32)
    if name in ("mode", "auto_pad", "equation"):
        return st.sampled_from(["linear", "cubic", "reflect", "SAME_UPPER", "ij,jk->ik", "i->", "\0", "ni,nj->nij"])
    lists = st.lists(number, min_size=1, max_size=5)
    return number if name in _ONE and name not in _INTS else lists | number


@settings(deadline=None, max_examples=300, suppress_health_check=list(HealthCheck))
@given(_attributes())
def test_an_operator_with_anything_runs_or_is_refused(data: bytes) -> None:
    try:
        network = load(source(data), NetworkLimits(activations=1 << 20, work=1 << 26, tensor=1 << 20), gradients=False)
        network.forward(torch.rand((2, *network.input.sample)))
    except Refused as error:
        assert error.reason  # noqa: PT017
