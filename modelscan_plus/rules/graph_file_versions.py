"""Versions that do not exist, training parts, and arrays of ai.onnx.ml whose lengths do not fit together."""

from collections import Counter
from collections.abc import Iterator

from modelscan_plus.core.finding import BytesEvidence, Finding, Severity, TextEvidence
from modelscan_plus.formats.graphs.onnx.facts import OnnxFacts
from modelscan_plus.formats.graphs.onnx.model import Attribute, Node
from modelscan_plus.formats.graphs.onnx.values import first_values
from modelscan_plus.formats.graphs.onnx.walk import Scope
from modelscan_plus.rules.graph_limits import shown, some
from modelscan_plus.rules.graph_operators import newest
from modelscan_plus.rules.interface import Context, Rule, judges

_IR = "https://github.com/onnx/onnx/blob/main/docs/IR.md"
_ML = "https://github.com/onnx/onnx/blob/main/docs/Operators-ml.md"

OPSET = Rule(
    id="MSP4050",
    slug="onnx-opset",
    title="The operator versions of the model make no sense",
    severity=Severity.MEDIUM,
    why=(
        "What an operator does depends on the version of its domain. A version that does not exist, a domain that is "
        "named twice, or none at all: runtimes guess differently, and a check may look at another meaning than the one "
        "that runs."
    ),
    fix="Have the model exported again. If the version is newer than this scanner, update the scanner.",
    bad='opset_import: ("", 9999)',
    good='opset_import: ("", 17), ("com.microsoft", 1)',
    cwe=("CWE-436",),
    references=(_IR, "https://github.com/onnx/onnx/blob/main/docs/Versioning.md"),
)
IR_VERSION = Rule(
    id="MSP4051",
    slug="onnx-ir-version",
    title="The format version of the model does not exist",
    severity=Severity.MEDIUM,
    why=(
        "The version says how the file is to be read. With none, or one that no release has, readers go on as they "
        "like; some refuse the model, others skip what they take for new."
    ),
    fix="Have the model exported again. If the version is newer than this scanner, update the scanner.",
    bad="ir_version 2147483647",
    good="ir_version 10",
    cwe=("CWE-436",),
    references=(_IR,),
)
TRAINING = Rule(
    id="MSP4052",
    slug="onnx-training-info",
    title="The model brings graphs for training",
    severity=Severity.MEDIUM,
    why=(
        "Besides its graph the file has graphs that initialise and change its weights. Runtimes for inference ignore "
        "them, and so do most tools, but a trainer runs them."
    ),
    fix="Remove training_info if the model is used for inference only.",
    bad="training_info: algorithm with 40 nodes, update_binding w -> w_new",
    good="no training_info",
    cwe=("CWE-1164",),
    references=(_IR,),
)
ML_ARRAYS = Rule(
    id="MSP4053",
    slug="onnx-ml-arrays",
    title="The arrays of a tree, SVM or encoder do not fit together",
    severity=Severity.HIGH,
    why=(
        "Operators of ai.onnx.ml keep a model in several arrays that must have the same length and point into one "
        "another. Runtimes have read and written outside of them where a length or an index was wrong."
    ),
    fix="Do not run the model. Convert it again from its source.",
    bad="TreeEnsembleClassifier: nodes_treeids of 7, nodes_values of 3 numbers",
    good="TreeEnsembleClassifier: nodes_treeids of 7, nodes_values of 7 numbers",
    cwe=("CWE-125", "CWE-787", "CWE-129"),
    references=(_ML, "https://github.com/microsoft/onnxruntime/pull/27699"),
)

_AHEAD = 3
_COLUMNS = (1 << 31) - 1
"""Runtimes keep the number of a column in 32 bits."""
"""Versions beyond the newest known that are merely new."""


@judges(OnnxFacts)
def versions(facts: OnnxFacts, context: Context) -> Iterator[Finding]:
    """Versions of the file, of its operators and of its functions' operators."""
    if not facts.complete or facts.model.graph is None:
        return
    known_ir, known_opsets = newest()
    version = facts.model.ir_version
    if version < 1 or version > known_ir:
        soon = 1 <= version <= known_ir + _AHEAD
        message = (
            f"The file says version {version}; versions are 1 to {known_ir}." if version else "No version is given."
        )
        severity = Severity.LOW if soon else None
        yield context.finding(IR_VERSION, message, TextEvidence(message), subject="ir", offset=0, severity=severity)
    groups = [("The model", facts.model.opset_import)]
    groups += [(f'The function "{shown(f.name)}"', f.opset_import) for f in facts.model.functions if f.opset_import]
    wrong: list[tuple[str, Severity | None]] = []
    for who, imports in groups:
        counted = Counter("" if opset.domain == "ai.onnx" else opset.domain for opset in imports)
        versions_of = {opset.domain: {o.version for o in imports if o.domain == opset.domain} for opset in imports}
        for domain, count in counted.items():
            if count > 1:
                differ = len(versions_of.get(domain, ())) != 1
                text = f'{who} names the domain "{shown(domain or "ai.onnx")}" {count} times.'
                wrong.append((text, None if differ else Severity.LOW))
        for opset in imports:
            domain = "" if opset.domain == "ai.onnx" else opset.domain
            limit = known_opsets.get(domain, 10_000)
            if not 1 <= opset.version <= limit:
                text = f'{who} wants version {opset.version} of "{shown(domain or "ai.onnx")}"'
                soon = 1 <= opset.version <= limit + _AHEAD
                wrong.append((f"{text}; the newest is {limit}.", Severity.LOW if soon else None))
    if not facts.model.opset_import and facts.model.graph.node and version >= 3:
        wrong.append(("The model names no version of any operator.", None))
    for (text, severity), more in some(wrong):
        yield context.finding(OPSET, text + more, TextEvidence(text), subject=text, severity=severity)


@judges(OnnxFacts)
def training(facts: OnnxFacts, context: Context) -> Iterator[Finding]:
    """Graphs that only a trainer runs."""
    for info, more in some(facts.model.training_info):
        nodes = sum(len(graph.node) for graph in (info.initialization, info.algorithm) if graph is not None)
        yield context.finding(
            TRAINING,
            f"Graphs of {nodes:,} nodes initialise or change the weights.{more}",
            BytesEvidence("training_info", context.hex_window(info.offset, 16)),
            subject="training",
            offset=info.offset,
            length=info.length,
        )


@judges(OnnxFacts)
def ml_arrays(facts: OnnxFacts, context: Context) -> Iterator[Finding]:
    """Operators of ai.onnx.ml, one finding for each node."""
    wrong: list[tuple[Scope, Node, str]] = []
    for scope in facts.scopes:
        found = ((scope, node, _wrong(node)) for node in scope.body.node if node.domain == "ai.onnx.ml")
        wrong += [item for item in found if item[2]]
    for (scope, node, how), more in some(wrong):
        yield context.finding(
            ML_ARRAYS,
            f"{shown(scope.path)} › {shown(node.name or node.op_type)} ({shown(node.op_type)}): {how}.{more}",
            BytesEvidence("the node", context.hex_window(node.offset, 32)),
            subject=f"{scope.path}\0{node.op_type}\0{how.split(' of ')[0]}",
            offset=node.offset,
            length=node.length,
            node=shown(node.name or node.op_type, 300),
        )


_TREE = "nodes_nodeids nodes_featureids nodes_modes nodes_values nodes_truenodeids nodes_falsenodeids".split()
_TREE_MORE = "nodes_hitrates nodes_missing_value_tracks_true".split()
_CHECKED = 500_000
"""Nodes of one ensemble up to which their links are followed; the lengths are always compared."""
_KEYS = ("keys_strings", "keys_int64s", "keys_floats", "keys_tensor")
_VALUES = ("values_strings", "values_int64s", "values_floats", "values_tensor")


def _wrong(node: Node) -> str:
    """What does not fit, "" when everything does."""
    sizes = {attribute.name: _size(attribute) for attribute in node.attribute}
    lists = {attribute.name: attribute for attribute in node.attribute}
    match node.op_type:
        case "TreeEnsembleClassifier" | "TreeEnsembleRegressor":
            return _tree(node.op_type, sizes, lists)
        case "TreeEnsemble":
            return _new_tree(sizes, lists)
        case "SVMClassifier" | "SVMRegressor":
            return _svm(node.op_type, sizes, lists)
        case "LabelEncoder":
            keys, values = _sum(sizes, _KEYS), _sum(sizes, _VALUES)
            old = "classes_strings" in sizes
            return f"{keys} keys, {values} values" if keys != values and not old else ""
        case "LinearRegressor":
            targets = max(1, lists["targets"].i if "targets" in lists else 1)
            return _linear(sizes, targets)
        case "LinearClassifier":
            return _linear(sizes, max(1, sizes.get("intercepts", 0)))
        case "Scaler":
            offset, scale = sizes.get("offset", 0), sizes.get("scale", 0)
            return f"offset of {offset}, scale of {scale} numbers" if offset != scale and min(offset, scale) > 1 else ""
        case "CategoryMapper":
            strings, ints = sizes.get("cats_strings", 0), sizes.get("cats_int64s", 0)
            return f"cats_strings of {strings}, cats_int64s of {ints}" if strings != ints else ""
    return ""


def _size(attribute: Attribute) -> int:
    tensor = attribute.t
    if tensor is not None:
        return tensor.count
    return len(attribute.floats) or len(attribute.ints) or len(attribute.strings)


def _sum(sizes: dict[str, int], names: tuple[str, ...]) -> int:
    return sum(sizes.get(name, 0) for name in names)


def _numbers(attribute: Attribute | None) -> list[int]:
    if attribute is None:
        return []
    if attribute.t is not None:
        return [int(value) for value in first_values(attribute.t, 1 << 20) or () if isinstance(value, (int, float))]
    return list(attribute.ints)


def _tree(kind: str, sizes: dict[str, int], lists: dict[str, Attribute]) -> str:
    count = sizes.get("nodes_treeids", 0)
    names = [name for name in (*_TREE, *_TREE_MORE) if name in sizes or name in _TREE]
    for name in names:
        size = sizes.get(name, 0) or sizes.get(f"{name}_as_tensor", 0)
        if size != count and (size or name not in ("nodes_values", *_TREE_MORE)):
            return f"{name} of {size}, but nodes_treeids of {count} numbers"
    part = "class" if kind.endswith("Classifier") else "target"
    leaves = sizes.get(f"{part}_treeids", 0)
    for name in (f"{part}_nodeids", f"{part}_ids", f"{part}_weights"):
        size = sizes.get(name, 0) or sizes.get(f"{name}_as_tensor", 0)
        if size != leaves:
            return f"{name} of {size}, but {part}_treeids of {leaves} numbers"
    if count <= _CHECKED:
        wrong = _tree_links(lists, part)
        if wrong:
            return wrong
    columns = _numbers(lists.get("nodes_featureids"))
    if any(number < 0 for number in columns):
        return "nodes_featureids has a negative index"
    if max(columns, default=0) > _COLUMNS:
        return f"nodes_featureids has the index {max(columns)}, which no table has"
    outputs = _numbers(lists.get(f"{part}_ids"))
    classes = sizes.get("classlabels_int64s", 0) or sizes.get("classlabels_strings", 0)
    limit = classes if part == "class" else lists["n_targets"].i if "n_targets" in lists else 0
    if limit and outputs and not (min(outputs) >= 0 and max(outputs) < limit):
        return f"{part}_ids has the index {max(outputs)}, of {limit} there are"
    return ""


def _tree_links(lists: dict[str, Attribute], part: str) -> str:
    """Whether every node that another one points to is there."""
    ids = _numbers(lists.get("nodes_nodeids"))
    trees = _numbers(lists.get("nodes_treeids"))
    known = {tree << 64 | node for tree, node in zip(trees, ids, strict=False)}
    for name in ("nodes_truenodeids", "nodes_falsenodeids"):
        modes = lists["nodes_modes"].strings if "nodes_modes" in lists else ()
        for tree, child, mode in zip(trees, _numbers(lists.get(name)), modes, strict=False):
            if mode.head != b"LEAF" and tree << 64 | child not in known:
                return f"{name} points to node {child} of tree {tree}, which does not exist"
    for tree, node in zip(_numbers(lists.get(f"{part}_treeids")), _numbers(lists.get(f"{part}_nodeids")), strict=False):
        if tree << 64 | node not in known:
            return f"{part}_nodeids points to node {node} of tree {tree}, which does not exist"
    return _tree_circle(trees, ids, lists)


def _tree_circle(trees: list[int], ids: list[int], lists: dict[str, Attribute]) -> str:
    """Whether a way down a tree leads back to where it was, so that it never ends."""
    modes = lists["nodes_modes"].strings if "nodes_modes" in lists else ()
    truths, lies = (_numbers(lists.get(name)) for name in ("nodes_truenodeids", "nodes_falsenodeids"))
    below: dict[int, tuple[int, int]] = {}
    parents: dict[int, int] = {}
    for tree, node, mode, yes, no in zip(trees, ids, modes, truths, lies, strict=False):
        if mode.head != b"LEAF" and tree << 64 | node not in below:
            children = below[tree << 64 | node] = (tree << 64 | yes, tree << 64 | no)
            for child in children:
                parents[child] = parents.get(child, 0) + 1
    ahead = [node for node in below if node not in parents]
    while ahead:
        for child in below.pop(ahead.pop(), ()):
            parents[child] -= 1
            if not parents[child] and child in below:
                ahead.append(child)
    place = next(iter(below), None)
    return "" if place is None else f"the branches of tree {place >> 64} lead in a circle"


def _new_tree(sizes: dict[str, int], lists: dict[str, Attribute]) -> str:
    count = sizes.get("nodes_featureids", 0)
    for name in (
        "nodes_splits",
        "nodes_modes",
        "nodes_truenodeids",
        "nodes_falsenodeids",
        "nodes_trueleafs",
        "nodes_falseleafs",
    ):
        if sizes.get(name, 0) != count:
            return f"{name} of {sizes.get(name, 0)}, but nodes_featureids of {count} numbers"
    leaves = sizes.get("leaf_weights", 0)
    if sizes.get("leaf_targetids", 0) != leaves:
        return f"leaf_targetids of {sizes.get('leaf_targetids', 0)}, but leaf_weights of {leaves} numbers"
    for side in ("true", "false"):
        leaf = _numbers(lists.get(f"nodes_{side}leafs"))
        for child, is_leaf in zip(_numbers(lists.get(f"nodes_{side}nodeids")), leaf, strict=False):
            if not 0 <= child < (leaves if is_leaf else count):
                return f"nodes_{side}nodeids points to {child}, which does not exist"
    if any(not 0 <= root < max(count, 1) for root in _numbers(lists.get("tree_roots"))):
        return "tree_roots points to a node that does not exist"
    return ""


def _svm(kind: str, sizes: dict[str, int], lists: dict[str, Attribute]) -> str:
    coefficients, vectors = sizes.get("coefficients", 0), sizes.get("support_vectors", 0)
    if kind == "SVMRegressor":
        count = lists["n_supports"].i if "n_supports" in lists else 0
        if count < 0 or (count and (vectors % count or coefficients < count)):
            return f"support_vectors of {vectors} and coefficients of {coefficients} numbers for {count} supports"
        return ""
    per_class = _numbers(lists.get("vectors_per_class"))
    if not per_class:
        return ""
    total = sum(per_class)
    classes = len(per_class)
    labels = sizes.get("classlabels_ints", 0) or sizes.get("classlabels_strings", 0)
    if any(number < 0 for number in per_class):
        return "vectors_per_class has a negative number"
    if total and (vectors % total or coefficients < total * (classes - 1)):
        return f"support_vectors of {vectors} and coefficients of {coefficients} numbers for {total} vectors"
    if not total and (vectors or coefficients):
        return f"support_vectors of {vectors} numbers for no vector"
    if labels and labels < classes:
        return f"{labels} labels for {classes} classes"
    pairs = classes * (classes - 1) // 2
    if (rho := sizes.get("rho", 0)) < pairs:
        return f"rho of {rho} for {pairs} pairs of classes"
    for name in ("prob_a", "prob_b"):
        if 0 < sizes.get(name, 0) < pairs:
            return f"{name} of {sizes[name]} for {pairs} pairs of classes"
    return ""


def _linear(sizes: dict[str, int], targets: int) -> str:
    coefficients, intercepts = sizes.get("coefficients", 0), sizes.get("intercepts", 0)
    if coefficients % targets:
        return f"coefficients of {coefficients} numbers for {targets} rows"
    return f"intercepts of {intercepts} numbers for {targets} rows" if intercepts not in (0, targets) else ""
