"""Writes a fitted ensemble of scikit-learn as ai.onnx.ml TreeEnsembleClassifier, with the library `onnx`."""

from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import helper


def export(model: Any, features: int, path: Path) -> None:
    """Random forests give probabilities, boosted trees logits through softmax; boosted trees of histograms are written
    as skl2onnx does, with one column of scores for two classes and the way that missing values take."""
    classes = len(model.classes_)
    table: dict[str, list[Any]] = {
        key: []
        for key in (
            "nodes_treeids nodes_nodeids nodes_featureids nodes_values nodes_modes nodes_truenodeids "
            "nodes_falsenodeids class_treeids class_nodeids class_ids class_weights"
        ).split()
    }
    boosted = hasattr(model, "learning_rate")
    histograms = hasattr(model, "_predictors")
    extra: dict[str, Any] = {"post_transform": "SOFTMAX" if boosted else "NONE"}
    estimators = np.asarray(model._predictors if histograms else model.estimators_, dtype=object)
    if histograms:
        for place, tree in enumerate(estimators.ravel()):
            _add_histograms(table, place, tree.nodes, place % estimators.shape[1])
        extra["nodes_missing_value_tracks_true"] = table.pop(_MISSING)
        extra["base_values"] = [float(value) for value in np.ravel(model._baseline_prediction)]
        extra["post_transform"] = "SOFTMAX" if classes > 2 else "LOGISTIC"
    elif boosted:
        for place, tree in enumerate(estimators.ravel()):
            _add(table, place, tree.tree_, [place % classes], model.learning_rate * tree.tree_.value[:, 0])
        extra["base_values"] = [float(value) for value in np.log(model.init_.class_prior_)]
    else:
        for place, tree in enumerate(estimators):
            shares = tree.tree_.value[:, 0] / tree.tree_.value[:, 0].sum(1, keepdims=True)
            _add(table, place, tree.tree_, list(range(classes)), shares / len(estimators))
    node = helper.make_node(
        "TreeEnsembleClassifier",
        ["input"],
        ["label", "probabilities"],
        domain="ai.onnx.ml",
        classlabels_int64s=[int(label) for label in model.classes_],
        **table,
        **extra,
    )
    graph = helper.make_graph(
        [node],
        "trees",
        [helper.make_tensor_value_info("input", onnx.TensorProto.FLOAT, ["batch", features])],
        [
            helper.make_tensor_value_info("label", onnx.TensorProto.INT64, ["batch"]),
            helper.make_tensor_value_info("probabilities", onnx.TensorProto.FLOAT, ["batch", classes]),
        ],
    )
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid("ai.onnx.ml", 3)]
    onnx.save(helper.make_model(graph, opset_imports=opsets, ir_version=9), path)


def _add(table: dict[str, list[Any]], place: int, tree: Any, outputs: list[int], values: Any) -> None:
    values = np.asarray(values).reshape(tree.node_count, len(outputs))
    for node in range(tree.node_count):
        leaf = tree.children_left[node] < 0
        table["nodes_treeids"].append(place)
        table["nodes_nodeids"].append(node)
        table["nodes_featureids"].append(0 if leaf else int(tree.feature[node]))
        table["nodes_values"].append(0.0 if leaf else float(np.float32(tree.threshold[node])))
        table["nodes_modes"].append("LEAF" if leaf else "BRANCH_LEQ")
        table["nodes_truenodeids"].append(0 if leaf else int(tree.children_left[node]))
        table["nodes_falsenodeids"].append(0 if leaf else int(tree.children_right[node]))
        if leaf:
            for output, value in zip(outputs, values[node], strict=True):
                table["class_treeids"].append(place)
                table["class_nodeids"].append(node)
                table["class_ids"].append(output)
                table["class_weights"].append(float(value))


_MISSING = "nodes_missing_value_tracks_true"


def _add_histograms(table: dict[str, list[Any]], place: int, nodes: Any, output: int) -> None:
    """Leaves of these trees hold their share of the score as it is added."""
    for number, node in enumerate(nodes):
        leaf = bool(node["is_leaf"])
        row = {
            "treeids": place,
            "nodeids": number,
            "featureids": 0 if leaf else int(node["feature_idx"]),
            "values": 0.0 if leaf else float(np.float32(node["num_threshold"])),
            "modes": "LEAF" if leaf else "BRANCH_LEQ",
            "truenodeids": 0 if leaf else int(node["left"]),
            "falsenodeids": 0 if leaf else int(node["right"]),
        }
        for key, value in row.items():
            table[f"nodes_{key}"].append(value)
        table.setdefault(_MISSING, []).append(int(not leaf and bool(node["missing_go_to_left"])))
        if leaf:
            for key, value in (("treeids", place), ("nodeids", number), ("ids", output), ("weights", node["value"])):
                table[f"class_{key}"].append(float(value) if key == "weights" else int(value))
