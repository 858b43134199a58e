"""Tree ensembles: what onnxruntime gives, no gradients, and tables that are no forest."""

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

torch = pytest.importorskip("torch", reason="torch is not installed")

from modelscan_plus.probe.onnx import NetworkLimits, Refused, load  # noqa: E402
from tests.probe.onnx.models import expected, graph, node, source  # noqa: E402
from tools.probe_zoo import trees  # noqa: E402

ML = "ai.onnx.ml"
FEATURES = 5
Table = dict[str, Any]
MODES = ["BRANCH_LEQ", "BRANCH_LT", "BRANCH_GTE", "BRANCH_GT"]


def forest(
    trees: int, classes: int, *, depth: int = 4, modes: list[str] | None = None, lowest: float = 0.0, seed: int = 1
) -> Table:
    """Random trees; `lowest` is the smallest weight."""
    random = np.random.default_rng(seed)
    table: Table = {
        f"nodes_{key}": [] for key in "treeids nodeids featureids values modes truenodeids falsenodeids".split()
    }
    table |= {f"class_{key}": [] for key in "treeids nodeids ids weights".split()}
    for tree in range(trees):
        waiting, made = [(0, 0)], 1
        while waiting:
            place, level = waiting.pop(0)
            leaf = level == depth or (level > 1 and random.random() < 0.2)
            row = [tree, place, int(random.integers(FEATURES)), float(random.random()), "LEAF", 0, 0]
            if not leaf:
                row[4:] = [str(random.choice(modes or ["BRANCH_LEQ"])), made, made + 1]
                waiting += [(made, level + 1), (made + 1, level + 1)]
                made += 2
            for key, value in zip(
                "treeids nodeids featureids values modes truenodeids falsenodeids".split(), row, strict=True
            ):
                table[f"nodes_{key}"].append(value)
            for one in range(classes) if leaf else ():
                for key, value in zip(
                    "treeids nodeids ids weights".split(),
                    (tree, place, one, random.uniform(lowest, 1) / trees),
                    strict=True,
                ):
                    table[f"class_{key}"].append(value)
    return table


def classifier(table: Table, labels: int, **extra: Any) -> bytes:
    """As scikit-learn's converters write it."""
    made = node(
        "TreeEnsembleClassifier",
        "x",
        "label probabilities",
        domain=ML,
        classlabels_int64s=list(range(labels)),
        **table,
        **extra,
    )
    return _model([made], ["probabilities"])


def _model(nodes: list[onnx.NodeProto], outputs: list[str], version: int = 3) -> bytes:
    model = onnx.load_from_string(graph(nodes, shape=("n", FEATURES), outputs=outputs, domains=[ML]))
    model.opset_import[1].version = version
    return bytes(model.SerializeToString())


def _same(data: bytes, *, ours: str = "") -> None:
    network = load(source(data), gradients=False)
    x = np.random.default_rng(2).random((40, FEATURES), dtype=np.float32)
    found = network.forward(torch.from_numpy(x))
    found = found.exp() if network.activations == "probabilities" else found
    np.testing.assert_allclose(found.numpy(), expected(data, x, ours or None), rtol=1e-4, atol=1e-5)
    assert (network.gradients, network.batching) == (False, "direct")


@pytest.mark.parametrize("modes", [["BRANCH_LEQ"], MODES])
@pytest.mark.parametrize("transform", ["NONE", "SOFTMAX", "LOGISTIC"])
def test_classes(modes: list[str], transform: str) -> None:
    _same(classifier(forest(7, 3, modes=modes, lowest=-1), 3, post_transform=transform))
    _same(classifier(forest(7, 3), 3, post_transform=transform, base_values=[0.5, -0.25, 0.0]))


@pytest.mark.parametrize("transform", ["NONE", "LOGISTIC"])
@pytest.mark.parametrize(("lowest", "base"), [(-1.0, []), (-1.0, [0.3]), (0.0, []), (0.0, [0.3])])
def test_two_classes_with_weights_for_one(lowest: float, base: list[float], transform: str) -> None:
    extra = {"base_values": base} if base else {}
    _same(classifier(forest(9, 1, lowest=lowest), 2, post_transform=transform, **extra))


def test_an_average_of_shares_becomes_logarithms() -> None:
    table = forest(5, 2)
    shares = np.array(table["class_weights"]).reshape(-1, 2)
    table["class_weights"] = (shares / shares.sum(1, keepdims=True) / 5).reshape(-1).tolist()
    data = classifier(table, 2)
    _same(data)
    assert load(source(data), gradients=False).activations == "probabilities"


def test_the_regressor_and_probabilities_in_a_map() -> None:
    table = {key.replace("class_", "target_"): value for key, value in forest(6, 3, lowest=-1).items()}
    for aggregate in ("SUM", "AVERAGE"):
        made = node("TreeEnsembleRegressor", "x", "y", domain=ML, n_targets=3, aggregate_function=aggregate, **table)
        _same(_model([made], ["y"]))
    table = forest(6, 3, lowest=-1)
    made = node(
        "TreeEnsembleClassifier",
        "x",
        "label p",
        domain=ML,
        classlabels_int64s=[0, 1, 2],
        post_transform="SOFTMAX",
        **table,
    )
    mapped = _model([made, node("ZipMap", "p", "y", domain=ML, classlabels_int64s=[0, 1, 2])], ["y"])
    x = torch.rand(5, FEATURES)
    plain = load(source(_model([made], ["p"])), gradients=False).forward(x)
    assert torch.equal(load(source(mapped), gradients=False).forward(x), plain)


def test_the_newer_form() -> None:
    tensor = numpy_helper.from_array
    made = node(
        "TreeEnsemble", "x", "y", domain=ML, n_targets=2, tree_roots=[0, 2], nodes_featureids=[0, 2, 1],
        nodes_modes=tensor(np.array([0, 3, 1], np.uint8)), nodes_splits=tensor(np.array([0.5, 0.3, 0.6], np.float32)),
        nodes_truenodeids=[1, 0, 3], nodes_trueleafs=[0, 1, 1], nodes_falsenodeids=[2, 1, 4], nodes_falseleafs=[1, 1, 1],
        leaf_targetids=[0, 1, 0, 1, 0], leaf_weights=tensor(np.array([1.0, -2.0, 3.0, 4.0, 5.5], np.float32)),
    )  # fmt: skip
    _same(_model([made], ["y"], version=5))


def test_missing_numbers_go_where_the_table_says() -> None:
    table = forest(4, 3, lowest=-1)
    tracks = [place % 2 for place in range(len(table["nodes_treeids"]))]
    data = classifier(table, 3, nodes_missing_value_tracks_true=tracks)
    x = np.random.default_rng(3).random((20, FEATURES), dtype=np.float32)
    x[::2, 1] = np.nan
    found = load(source(data), gradients=False).forward(torch.from_numpy(x)).numpy()
    np.testing.assert_allclose(found, expected(data, x), atol=1e-5)


def test_a_forest_has_no_gradients() -> None:
    with pytest.raises(Refused, match="no gradients"):
        load(source(classifier(forest(2, 3), 3)))


def _changed(**changes: Any) -> bytes:
    table = forest(3, 3)
    for name, change in changes.items():
        values = list(table[name])
        for place, value in change.items():
            values[place] = value
        table[name] = values
    return classifier(table, 3)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (_changed(nodes_truenodeids={0: 0}), "one root|form trees"),
        (_changed(nodes_truenodeids={1: 1}), "one root|form trees"),
        (_changed(nodes_truenodeids={1: 2}), "one root|form trees"),
        (_changed(nodes_falsenodeids={0: 10**6}), "not there"),
        (_changed(nodes_falsenodeids={0: 1}), "one root|form trees"),
        (_changed(nodes_nodeids={1: 0}), "stands twice"),
        (_changed(nodes_nodeids={1: -1}), "do not fit one another"),
        (_changed(nodes_featureids={0: 99}), "features do not fit"),
        (_changed(nodes_featureids={0: -1}), "below zero"),
        (_changed(nodes_modes={0: "BRANCH_MAGIC"}), "mode of a node"),
        (_changed(class_ids={0: 3}), "classes do not fit"),
        (_changed(class_nodeids={0: 10**6}), "not there"),
        (classifier(forest(3, 3) | {"nodes_values": [0.5]}, 3), "nodes_values has 1 numbers"),
        (classifier(forest(3, 3) | {"class_weights": [0.5]}, 3), "class_weights has 1 numbers"),
        (classifier(forest(3, 3), 3, base_values=[1.0]), "base values"),
        (classifier(forest(3, 3), 3, post_transform="MAGIC"), "MAGIC"),
    ],
)
def test_a_table_that_is_no_forest_is_refused(data: bytes, reason: str) -> None:
    with pytest.raises(Refused, match=reason):
        load(source(data), gradients=False)


@pytest.mark.parametrize("classes", [2, 4])
def test_boosted_trees_of_histograms(classes: int, tmp_path: Path) -> None:
    """As skl2onnx writes HistGradientBoostingClassifier: for two classes one column of scores, and missing values."""
    ensemble = pytest.importorskip("sklearn.ensemble", reason="scikit-learn is not installed")
    x = np.random.default_rng(4).normal(size=(300, FEATURES)).astype(np.float32)
    y = np.digitize(x[:, 0] + 0.5 * x[:, 1], np.linspace(-1, 1, classes - 1))
    x[::5, 1] = np.nan
    model = ensemble.HistGradientBoostingClassifier(max_iter=6, max_leaf_nodes=7, min_samples_leaf=5).fit(x, y)
    trees.export(model, FEATURES, tmp_path / "model.onnx")
    data = (tmp_path / "model.onnx").read_bytes()
    network = load(source(data), gradients=False)
    found = network.forward(torch.from_numpy(x)).softmax(1).numpy()
    np.testing.assert_allclose(found, model.predict_proba(x), atol=1e-5)
    np.testing.assert_allclose(found, expected(data, x, "probabilities"), atol=1e-5)
    assert max(len(column) for column in network.splits()) > 1


def test_a_list_of_modes_that_is_too_long_is_refused_before_it_is_read() -> None:
    table = forest(3, 3)
    nodes = len(table["nodes_modes"])
    assert load(source(classifier(table, 3)), NetworkLimits(trees=nodes), gradients=False).classes == 3
    flood = classifier(table | {"nodes_modes": [""] * 90_000}, 3)
    with pytest.raises(Refused, match="a tree ensemble of more than 10,000 nodes"):
        load(source(flood), NetworkLimits(trees=10_000), gradients=False)


def test_bounds() -> None:
    data = classifier(forest(3, 3, depth=6), 3)
    load(source(data), gradients=False)
    for limits, reason in ((NetworkLimits(trees=20), "more than 20"), (NetworkLimits(tree_depth=5), "deeper than 5")):
        with pytest.raises(Refused, match=reason):
            load(source(data), limits, gradients=False)
