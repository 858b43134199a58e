"""Tree ensembles of ai.onnx.ml: all trees at once, level by level, without gradients.

TreeEnsembleClassifier and TreeEnsembleRegressor (versions 1 to 5) list nodes by tree and node id, and weights by leaf;
TreeEnsemble (version 5) lists inner nodes and leaves apart, and children by place. Both become one table of nodes. A
table that is no forest, by a circle, a child with two parents or one that is not there, is refused before a sample
meets it. Source: ONNX operator reference; scores of two classes as onnxruntime gives them.
"""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from modelscan_plus.probe.onnx.constants import constant
from modelscan_plus.probe.onnx.ops.table import Call, operator
from modelscan_plus.probe.onnx.read import ML

_MODES = ("BRANCH_LEQ", "BRANCH_LT", "BRANCH_GTE", "BRANCH_GT", "BRANCH_EQ", "BRANCH_NEQ")
"""In the order of TreeEnsemble's numbers."""
_LEAF = 255
_AGGREGATES = ("AVERAGE", "SUM", "MIN", "MAX")
_TRANSFORMS = ("NONE", "SOFTMAX", "LOGISTIC", "SOFTMAX_ZERO", "PROBIT")
_WEIGHTS = 1 << 26
"""Elements of the table of weights."""

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class _Forest:
    """Nodes in one table. Leaves are their own children."""

    roots: Ints
    feature: Ints
    value: Floats
    mode: NDArray[np.uint8]
    yes: Ints
    no: Ints
    missing: NDArray[np.bool_]
    """Where a NaN goes to `yes`."""
    depth: int
    target: Ints
    """Node × m: what a leaf adds to; padded with target 0 and weight 0."""
    weight: Floats
    targets: int
    base: Floats
    single: bool
    """Two classes, and weights for one of them."""


@operator("TreeEnsembleClassifier", domain=ML, no_gradients=True)
def classifier(call: Call, x: Tensor) -> tuple[Tensor | None, Tensor]:
    """Scores; labels are not given here."""
    forest = _of_classifier(call)
    scores = _run(call, forest, x, "SUM")
    if forest.base.size:
        scores = scores + torch.tensor(forest.base, dtype=scores.dtype, device=scores.device)
    transform = call.text("post_transform", "NONE") or "NONE"
    if not forest.single:
        return None, _transformed(call, scores, transform).to(torch.float32)
    if transform == "LOGISTIC":
        return None, torch.cat([torch.sigmoid(-scores), torch.sigmoid(scores)], dim=1).to(torch.float32)
    if bool((forest.weight >= 0).all()):
        return None, torch.cat([1 - scores, scores], dim=1).to(torch.float32)
    if transform not in ("NONE", "SOFTMAX", "SOFTMAX_ZERO"):
        raise call.refuse(f"post_transform {transform[:20]!r} is not known here")
    return None, torch.cat([-scores, scores], dim=1).to(torch.float32)


@operator("TreeEnsembleRegressor", domain=ML, no_gradients=True)
def regressor(call: Call, x: Tensor) -> Tensor:
    """One number for each target."""
    forest = _of_regressor(call)
    scores = _run(call, forest, x, call.text("aggregate_function", "SUM") or "SUM")
    if forest.base.size:
        scores = scores + torch.tensor(forest.base, dtype=scores.dtype, device=scores.device)
    return _transformed(call, scores, call.text("post_transform", "NONE") or "NONE").to(torch.float32)


@operator("TreeEnsemble", domain=ML, no_gradients=True)
def ensemble(call: Call, x: Tensor) -> Tensor:
    """The same, in the newer form."""
    forest = _of_ensemble(call)
    aggregate, transform = call.integer("aggregate_function", 1), call.integer("post_transform", 0)
    if not 0 <= aggregate < len(_AGGREGATES) or not 0 <= transform < len(_TRANSFORMS):
        raise call.refuse("aggregate_function or post_transform is not known here")
    return _transformed(call, _run(call, forest, x, _AGGREGATES[aggregate]), _TRANSFORMS[transform])


def thresholds(memo: dict[str, object]) -> tuple[Tensor, Tensor]:
    """Column and value of every inner node, from what a call left in its memo; nothing for other operators."""
    forest = memo.get("forest")
    if not isinstance(forest, _Forest):
        return torch.zeros(0, dtype=torch.int64), torch.zeros(0, dtype=torch.float64)
    inner = forest.mode != _LEAF
    return torch.from_numpy(forest.feature[inner]), torch.from_numpy(forest.value[inner])


def _run(call: Call, forest: _Forest, x: Tensor, aggregate: str) -> Tensor:
    """N × targets."""
    if x.dim() != 2 or (forest.feature.size and int(forest.feature.max()) >= x.shape[1]):
        raise call.refuse("its features do not fit the input")
    if aggregate not in _AGGREGATES:
        raise call.refuse(f"aggregate_function {aggregate[:20]!r} is not known here")
    kind = torch.float64 if x.dtype == torch.float64 else torch.float32
    x = x.to(kind)

    def table(values: NDArray[np.generic], dtype: torch.dtype) -> Tensor:
        if x.device.type == "meta":
            return torch.empty(values.shape, dtype=dtype, device="meta")
        return torch.from_numpy(values).to(device=x.device, dtype=dtype)

    feature, yes, no = (table(part, torch.int64) for part in (forest.feature, forest.yes, forest.no))
    value = table(forest.value, kind)
    modes = np.unique(forest.mode[forest.mode != _LEAF])
    # What is the same for all nodes is not looked up for each.
    mode = table(forest.mode, torch.uint8) if len(modes) > 1 else None
    missing = table(forest.missing, torch.bool) if forest.missing.any() else None
    at = table(forest.roots, torch.int64).expand(x.shape[0], -1)
    for _ in range(forest.depth):
        given = x.gather(1, feature[at])
        right = _compare(given, value[at], None if mode is None else mode[at], modes)
        if missing is not None:
            right = right | (torch.isnan(given) & missing[at])
        at = torch.where(right, yes[at], no[at])
    places = table(forest.target, torch.int64)[at]
    weights = table(forest.weight, kind)[at]
    if aggregate in ("MIN", "MAX"):
        if forest.targets != 1 or weights.shape[-1] != 1:
            raise call.refuse(f"takes the {aggregate} of several targets")
        return (weights.amin if aggregate == "MIN" else weights.amax)(1)
    scores = torch.zeros((x.shape[0], forest.targets), dtype=kind, device=x.device)
    scores = scores.scatter_add(1, places.flatten(1), weights.flatten(1))
    return scores / len(forest.roots) if aggregate == "AVERAGE" else scores


def _compare(given: Tensor, value: Tensor, mode: Tensor | None, modes: NDArray[np.uint8]) -> Tensor:
    """Each node's own comparison."""
    ways = (torch.le, torch.lt, torch.ge, torch.gt, torch.eq, torch.ne)
    if mode is None:
        return ways[int(modes[0])](given, value)
    result = torch.zeros(given.shape, dtype=torch.bool, device=given.device)
    for one in modes:
        result = torch.where(mode == int(one), ways[one](given, value), result)
    return result


def _transformed(call: Call, scores: Tensor, transform: str) -> Tensor:
    match transform:
        case "NONE":
            return scores
        case "SOFTMAX":
            return torch.softmax(scores, dim=1)
        case "LOGISTIC":
            return torch.sigmoid(scores)
        case "SOFTMAX_ZERO":
            kept = scores != 0
            powers = torch.where(kept, torch.exp(scores - scores.amax(1, keepdim=True)), torch.zeros_like(scores))
            return powers / powers.sum(1, keepdim=True)
        case _:
            raise call.refuse(f"post_transform {transform[:20]!r} is not known here")


def _of_classifier(call: Call) -> _Forest:
    if isinstance(known := call.memo.get("forest"), _Forest):
        return known
    labels = max(len(call.ints("classlabels_int64s") or []), len(call.texts("classlabels_strings")))
    ids = _ints(call, "class_ids")
    single = labels == 2 and len(np.unique(ids)) == 1
    forest = _listed(call, "class", 1 if single else labels, np.zeros_like(ids) if single else ids, single=single)
    call.memo["forest"] = forest
    return forest


def _of_regressor(call: Call) -> _Forest:
    if isinstance(known := call.memo.get("forest"), _Forest):
        return known
    forest = _listed(call, "target", call.integer("n_targets", 1), _ints(call, "target_ids"), single=False)
    call.memo["forest"] = forest
    return forest


def _listed(call: Call, name: str, targets: int, ids: Ints, *, single: bool) -> _Forest:
    """The form that lists nodes by tree and node id."""
    trees, nodes = _ints(call, "nodes_treeids"), _ints(call, "nodes_nodeids")
    modes = call.texts("nodes_modes")
    count = len(trees)
    if not 0 < count <= call.limits.trees or len(modes) != count:
        raise call.refuse(f"{count:,} nodes; at most {call.limits.trees:,}, each with a mode")
    numbers = {mode: place for place, mode in enumerate(_MODES)} | {"LEAF": _LEAF}
    if not set(modes) <= numbers.keys():
        raise call.refuse("a mode of a node is not known here")
    mode = np.array([numbers[one] for one in modes], dtype=np.uint8)
    key = _keys(call, trees, nodes)
    order = np.argsort(key, kind="stable")
    if (key[order][1:] == key[order][:-1]).any():
        raise call.refuse("a node stands twice")

    def place(tree: Ints, node: Ints) -> Ints:
        wanted = _keys(call, tree, node)
        found = order[np.minimum(np.searchsorted(key, wanted, sorter=order), count - 1)]
        if (key[found] != wanted).any():
            raise call.refuse("a node is not there")
        return found

    inner = mode != _LEAF
    own = np.arange(count)
    yes, no = own.copy(), own.copy()
    yes[inner] = place(trees[inner], _ints(call, "nodes_truenodeids", count)[inner])
    no[inner] = place(trees[inner], _ints(call, "nodes_falsenodeids", count)[inner])
    roots = np.setdiff1d(own, np.concatenate([yes[inner], no[inner]]))
    if len(roots) != len(np.unique(trees)):
        raise call.refuse("a tree does not have one root")
    leaves = place(_ints(call, f"{name}_treeids", len(ids)), _ints(call, f"{name}_nodeids", len(ids)))
    target, weight = _weights(call, leaves, ids, _floats(call, f"{name}_weights", len(ids)), count, targets)
    base = _floats(call, "base_values")
    if base.size not in (0, targets):
        raise call.refuse("the base values do not fit")
    missing = call.ints("nodes_missing_value_tracks_true")
    tracks = np.array(missing, dtype=bool) if missing and len(missing) == count else np.zeros(count, bool)
    depth = _depth(call, roots, yes, no, inner, every=True)
    features = np.where(inner, _ints(call, "nodes_featureids", count), 0)
    if (features < 0).any():
        raise call.refuse("a feature is below zero")
    values = _floats(call, "nodes_values", count)
    return _Forest(roots, features, values, mode, yes, no, tracks, depth, target, weight, targets, base, single)


def _of_ensemble(call: Call) -> _Forest:
    if isinstance(known := call.memo.get("forest"), _Forest):
        return known
    features = _ints(call, "nodes_featureids")
    count, leaves = len(features), len(_ints(call, "leaf_targetids"))
    targets = call.integer("n_targets", 1)
    total = count + leaves
    if count < 1 or not leaves or total > call.limits.trees:
        raise call.refuse(f"{total:,} nodes and leaves; at most {call.limits.trees:,}")
    modes = _tensor(call, "nodes_modes", count)
    if (modes >= len(_MODES)).any() or (modes < 0).any():
        raise call.refuse("a mode of a node is not known here")
    mode = np.concatenate([modes, np.full(leaves, _LEAF)]).astype(np.uint8)
    own = np.arange(total)
    yes, no = own.copy(), own.copy()
    for side, word in ((yes, "true"), (no, "false")):
        places, leaf = _ints(call, f"nodes_{word}nodeids", count), _ints(call, f"nodes_{word}leafs", count)
        side[:count] = np.where(leaf != 0, places + count, places)
        if (places < 0).any() or (places >= np.where(leaf != 0, leaves, count)).any():
            raise call.refuse("a node is not there")
    roots = _ints(call, "tree_roots")
    if not len(roots) or (roots < 0).any() or (roots >= count).any() or (features < 0).any():
        raise call.refuse("a root or a feature is not there")
    inner = mode != _LEAF
    target, weight = _weights(
        call, own[count:], _ints(call, "leaf_targetids"), _tensor(call, "leaf_weights", leaves), total, targets
    )
    missing = call.ints("nodes_missing_value_tracks_true")
    tracks = np.zeros(total, bool)
    if missing and len(missing) == count:
        tracks[:count] = np.array(missing, dtype=bool)
    splits = np.concatenate([_tensor(call, "nodes_splits", count), np.zeros(leaves)])
    features = np.concatenate([features, np.zeros(leaves, np.int64)])
    depth = _depth(call, roots, yes, no, inner, every=False)
    none = np.zeros(0)
    forest = _Forest(roots, features, splits, mode, yes, no, tracks, depth, target, weight, targets, none, single=False)
    call.memo["forest"] = forest
    return forest


def _keys(call: Call, trees: Ints, nodes: Ints) -> Ints:
    if len(trees) != len(nodes) or any(((part < 0) | (part >= 1 << 31)).any() for part in (trees, nodes)):
        raise call.refuse("the lists of trees and nodes do not fit one another")
    return trees << 32 | nodes


def _depth(call: Call, roots: Ints, yes: Ints, no: Ints, inner: NDArray[np.bool_], *, every: bool) -> int:
    """Levels below the roots; nodes are counted on the way, so that a circle or a shared child ends the walk.

    With `every`, all nodes have to be met.
    """
    level, met = roots, len(roots)
    for depth in range(call.limits.tree_depth + 1):
        level = level[inner[level]]
        if not len(level) and every and met < len(inner):
            raise call.refuse("its nodes do not form trees")
        if not len(level):
            return depth
        # Both sides of the newer form's stump may be the same leaf.
        level = np.concatenate([yes[level], no[level][no[level] != yes[level]]])
        met += len(level)
        if met > len(inner):
            raise call.refuse("its nodes do not form trees")
    raise call.refuse(f"a tree is deeper than {call.limits.tree_depth}")


def _weights(call: Call, leaves: Ints, ids: Ints, weights: Floats, nodes: int, targets: int) -> tuple[Ints, Floats]:
    """Node × m tables of what each leaf adds to."""
    if not 0 < targets <= call.limits.classes or (ids < 0).any() or (ids >= targets).any() or not len(leaves):
        raise call.refuse("the classes do not fit")
    order = np.argsort(leaves, kind="stable")
    leaves = leaves[order]
    first = np.searchsorted(leaves, leaves)
    place = np.arange(len(leaves)) - first
    most = int(place.max()) + 1
    if nodes * most > _WEIGHTS:
        raise call.refuse("its leaves have too many weights")
    target, weight = np.zeros((nodes, most), np.int64), np.zeros((nodes, most))
    target[leaves, place], weight[leaves, place] = ids[order], weights[order]
    return target, weight


def _ints(call: Call, name: str, count: int | None = None) -> Ints:
    found = np.array(call.ints(name) or [], dtype=np.int64)
    if count is not None and len(found) != count:
        raise call.refuse(f"{name} has {len(found):,} numbers, not {count:,}")
    return found


def _floats(call: Call, name: str, count: int | None = None) -> Floats:
    """As a list or, from version 3 on, as a tensor."""
    attribute = call.attribute(f"{name}_as_tensor")
    if attribute is not None and attribute.t is not None:
        found = constant(attribute.t, call.limits).double().reshape(-1).numpy()
    else:
        found = np.array(call.floats(name) or [], dtype=np.float64)
    if count is not None and len(found) != count:
        raise call.refuse(f"{name} has {len(found):,} numbers, not {count:,}")
    return found


def _tensor(call: Call, name: str, count: int) -> Floats:
    attribute = call.attribute(name)
    if attribute is None or attribute.t is None:
        raise call.refuse(f"{name} is missing")
    found: Floats = constant(attribute.t, call.limits).double().reshape(-1).numpy()
    if len(found) != count:
        raise call.refuse(f"{name} has {len(found):,} numbers, not {count:,}")
    return found
