"""Graphs of TensorFlow: operators that touch files, run code or call a service, and operators that nobody knows."""

import functools
import importlib.resources
import json
import re
from collections.abc import Iterable, Iterator

from modelscan_plus.core.coverage import CoverageReason
from modelscan_plus.core.finding import BytesEvidence, Finding, Severity, TextEvidence
from modelscan_plus.core.limits import Budget, BudgetExceeded, Limits
from modelscan_plus.core.patterns import lazy
from modelscan_plus.formats.graphs.tensorflow.facts import CheckpointFacts, TensorFlowFacts
from modelscan_plus.formats.graphs.tensorflow.model import MetaGraph, Node
from modelscan_plus.formats.graphs.tensorflow.values import defaults, value_of
from modelscan_plus.formats.graphs.tfjs import TensorFlowJsFacts
from modelscan_plus.formats.tensors.ctranslate2 import CTranslate2Facts
from modelscan_plus.graph.origins import NOTHING, Origin, Origins, Scope, either
from modelscan_plus.rules.graph_file_external import LEAVES, RANGE, way_out
from modelscan_plus.rules.graph_limits import shown, some
from modelscan_plus.rules.interface import Context, Rule, judges

_SECURITY = "https://github.com/tensorflow/tensorflow/blob/master/SECURITY.md"
_RAW = "https://www.tensorflow.org/api_docs/python/tf/raw_ops"

WRITES = Rule(
    id="MSP4101",
    slug="graph-writes-file",
    title="The graph writes files",
    severity=Severity.HIGH,
    why=(
        "TensorFlow's graphs are programs, and some of their operators write to any path with the rights of the user, "
        "when the model is loaded or each time that it is called. A path that the model itself decides can be a "
        "start-up script or a key file. No network needs such an operator."
    ),
    fix="Do not load the model. Ask its publisher for one without the operator; weights alone need none.",
    bad='WriteFile(filename=Const "/home/user/.bashrc", contents=…)',
    good="SaveV2(prefix=Placeholder): the saver that stands in every SavedModel, with a path from the caller",
    cwe=("CWE-73", "CWE-506"),
    references=(_SECURITY, _RAW + "/WriteFile"),
)
READS = Rule(
    id="MSP4102",
    slug="graph-reads-file",
    title="The graph reads files",
    severity=Severity.HIGH,
    why=(
        "An operator of the graph opens a file of the machine that runs the model. Where the model decides which one, "
        "it can read keys and passwords and give them away in its answers. A path that the caller passes in is "
        "medium: the model wants a file's name and not its content."
    ),
    fix="Do not load the model where there is anything to read. Ask for a graph that takes the content as its input.",
    bad='ReadFile(filename=Const "/etc/passwd")',
    good="InitializeTableFromTextFileV2(filename=a file of the SavedModel's own assets)",
    cwe=("CWE-73", "CWE-200"),
    references=(_SECURITY, _RAW + "/ReadFile"),
)
RUNS_CODE = Rule(
    id="MSP4103",
    slug="graph-calls-python",
    title="An operator of the graph calls Python",
    severity=Severity.HIGH,
    why=(
        "The operator calls a function of the Python process by a number or name. What it does is not in the graph; a "
        "model that was exported to be used elsewhere cannot have it."
    ),
    fix="Do not load the model in a process that registers Python functions. Ask for an export without py_function.",
    bad='PyFunc, token "pyfunc_0"',
    good="PartitionedCall of a function in the model's own library",
    cwe=("CWE-94",),
    references=(_SECURITY, "https://www.tensorflow.org/api_docs/python/tf/py_function"),
)
NETWORK = Rule(
    id="MSP4104",
    slug="graph-operator-network",
    title="An operator of the graph talks to other machines",
    severity=Severity.HIGH,
    why=(
        "The operator opens connections: to an address that stands in the model, or as a server. The inputs of the "
        "model can leave the machine that way."
    ),
    fix="Do not run the model where its inputs matter, unless the service is yours.",
    bad='DebugIdentity, debug_urls ["grpc://collector.example:6064"]',
    good="DebugIdentity without addresses",
    cwe=("CWE-200", "CWE-918"),
    references=(_SECURITY,),
)
UNREGISTERED = Rule(
    id="MSP4105",
    slug="graph-operator-unregistered",
    title="An operator that TensorFlow does not have",
    severity=Severity.MEDIUM,
    why=(
        "The graph loads only after a native library has registered the operator (tf.load_op_library, or a package "
        "such as tensorflow-text). That library is a program from somebody, and the model's page will tell which."
    ),
    fix="Find out which library registers the operator and whether you trust it as you trust a program.",
    bad="node of operation AcmeFusedOp, in no library",
    good="node of operation my_function, which is a function of the model",
    cwe=("CWE-829",),
    references=("https://www.tensorflow.org/guide/create_op",),
)
COMPILED = Rule(
    id="MSP4106",
    slug="graph-compiled-part",
    title="A part of the graph is a compiled engine or a call into native code",
    severity=Severity.MEDIUM,
    why=(
        "The node holds a program for an accelerator, or names a native function of the process. What it computes "
        "cannot be seen, and what loads it trusts it."
    ),
    fix="Prefer the graph before it was compiled, and compile it yourself.",
    bad="TRTEngineOp with serialized_segment of 4 MB",
    good="the same part in TensorFlow's own operators",
    cwe=("CWE-829",),
    references=("https://github.com/tensorflow/tensorrt",),
)
ASSET = Rule(
    id="MSP4107",
    slug="saved-model-asset-leaves",
    title="An asset of the SavedModel lies outside of its folder",
    severity=Severity.HIGH,
    why=(
        "The loader joins the name of an asset to the folder of the model and hands the path to the graph, which opens "
        "it. A name that goes up or is absolute makes it read a file of the machine."
    ),
    fix="Do not load the model.",
    bad='asset_file_def: filename "../../../../etc/passwd"',
    good='asset_file_def: filename "vocab.txt"',
    cwe=("CWE-22",),
    references=("https://www.tensorflow.org/guide/saved_model",),
)

_PATHS: dict[str, tuple[str, tuple[int, ...]]] = {
    "ReadFile": ("read", (0,)), "MatchingFiles": ("read", (0,)), "TextLineDataset": ("read", (0,)),
    "TextLineDatasetV2": ("read", (0,)), "TFRecordDataset": ("read", (0,)), "TFRecordDatasetV2": ("read", (0,)),
    "FixedLengthRecordDataset": ("read", (0,)), "FixedLengthRecordDatasetV2": ("read", (0,)),
    "CSVDataset": ("read", (0,)), "CSVDatasetV2": ("read", (0,)), "ExperimentalCSVDataset": ("read", (0,)),
    "LMDBDataset": ("read", (0,)), "ExperimentalLMDBDataset": ("read", (0,)),
    "MatchingFilesDataset": ("read", (0,)), "ExperimentalMatchingFilesDataset": ("read", (0,)),
    "SqlDataset": ("read", (1,)), "ExperimentalSqlDataset": ("read", (1,)), "LoadDataset": ("read", (0,)),
    "ListSnapshotChunksDataset": ("read", (0,)), "SnapshotDatasetReader": ("read", (0,)),
    "SnapshotChunkDataset": ("read", (0,)), "LoadAndRemapMatrix": ("read", (0,)),
    "GenerateVocabRemapping": ("read", (0, 1)), "InitializeTableFromTextFile": ("table", (1,)),
    "InitializeTableFromTextFileV2": ("table", (1,)), "WriteFile": ("write", (0,)), "SaveDataset": ("write", (1,)),
    "SaveDatasetV2": ("write", (1,)), "DatasetToTFRecord": ("write", (1,)),
    "ExperimentalDatasetToTFRecord": ("write", (1,)), "CacheDataset": ("cache", (1,)),
    "CacheDatasetV2": ("cache", (1,)), "SnapshotDataset": ("cache", (1,)), "SnapshotDatasetV2": ("cache", (1,)),
    "DistributedSave": ("write", (1,)), "CreateSummaryFileWriter": ("log", (1,)),
    "CreateSummaryDbWriter": ("log", (1,)), "SaveV2": ("save", (0,)), "Save": ("save", (0,)),
    "SaveSlices": ("save", (0,)), "MergeV2Checkpoints": ("save", (0, 1)), "RestoreV2": ("restore", (0,)),
    "Restore": ("restore", (0,)), "RestoreSlice": ("restore", (0,)),
}  # fmt: skip
"""Operators on files: what they do, and which of their inputs are paths."""
_PATH_ATTRIBUTES = {
    "ImmutableConst": ("read", "memory_region_name"), "Skipgram": ("read", "filename"),
    "FixedUnigramCandidateSampler": ("table", "vocab_file"), "RecordInput": ("read", "file_pattern"),
    "DecodeProtoV2": ("read", "descriptor_source"), "EncodeProto": ("read", "descriptor_source"),
    "PrintV2": ("write", "output_stream"),
}  # fmt: skip
"""Operators on files whose path is an attribute."""
_QUEUED = frozenset(
    "WholeFileReader WholeFileReaderV2 TextLineReader TextLineReaderV2 FixedLengthRecordReader "
    "FixedLengthRecordReaderV2 TFRecordReader TFRecordReaderV2 LMDBReader".split()
)
"""Readers that take their paths from a queue."""
_NOT_PATHS = lazy(r"^(?:|std(?:err|out)|log\([a-z]+\)|local://|bytes://[\s\S]*)$")
_CODE = frozenset("PyFunc PyFuncStateless EagerPyFunc".split())
_SERVICES = frozenset(
    """RpcServer RpcServerStart RpcServerRegister RpcClient RpcCall BigQueryReader GenerateBigQueryReaderPartitions
    DataServiceDataset DataServiceDatasetV2 DataServiceDatasetV3 DataServiceDatasetV4 RegisterDataset
    RegisterDatasetV2""".split()
)
_SERVICE_NAMES = lazy(
    r"^(?:IO>(?:Kafka|Mongo|Ignite|Elasticsearch|PubSub|Prometheus|Sql|BigTable|Bigtable|Kinesis)\w*|Rpc|TryRpc)$"
)
_FILE_NAMES = lazy(r"^IO>(?:File|List\w*Dir|\w*Readable(?:Init|FromFile)?)\w*$")
_COMPILED = frozenset("TRTEngineOp XlaCustomCall XlaCustomCallV2 TPUExecute XlaLaunch XlaLaunchV2 NeuronOp".split())
_DEBUG = frozenset(
    "DebugIdentity DebugIdentityV2 DebugIdentityV3 DebugNanCount DebugNumericSummary DebugNumericSummaryV2".split()
)
_SYSTEM = lazy(
    r"^(?:/(?:etc|proc|sys|dev|root|var|boot|run|usr|bin|sbin|lib\w*)(?:/|$)|~|[A-Za-z]:\\(?:Windows|Users)"
    r"|/(?:home|Users)/[^/]+/\.|\.{1,2}/.*\.(?:ssh|aws|bash|profile|kube|config)|\.(?!/)[A-Za-z])"
    r"|(?:^|/)\.(?:ssh|aws|bashrc|bash_profile|profile|netrc|kube|docker|gnupg|git-credentials|env|npmrc|pypirc)\b"
    r"|(?:^|/)(?:id_rsa|id_ed25519|authorized_keys|passwd|shadow|crontab)\b"
)
_BUCKET = lazy(r"^(?:gs|s3|hdfs|viewfs|abfss?|cns|/?bigstore)://", re.I)
_PROGRAM = lazy(
    r"\.(?:py|pyc|pth|so|sh|bash|zsh|bat|cmd|ps1|exe|dll|dylib|desktop|service|plist|js|rb|pl|ini|conf|cfg)$", re.I
)
_DEEDS = {
    "read": "reads a file", "table": "reads a table of words from a file", "write": "writes a file",
    "cache": "writes its data to files", "log": "writes a log to a folder", "save": "saves to a checkpoint",
    "restore": "restores from a checkpoint",
}  # fmt: skip
_TRAINING = frozenset(("meta-graph", "graph-text"))
"""Kinds of graphs that were written while training, and name the data that was read."""
_FROM_GRAPH = "DatasetFromGraph"
_HIDDEN = frozenset(("computed", "variable", "file"))
_SECONDS = 20.0
_PROGRAM_BYTES = 8 << 20
_CALLBACK = lazy(rb"xla_(?:ffi_)?(?:partitioned_)?python_(?:[cg]pu_)?callback")


@functools.cache
def known_operators() -> frozenset[str]:
    """All operators of TensorFlow's registry."""
    text = (importlib.resources.files("modelscan_plus.rules") / "data" / "tensorflow_operators.json").read_text("utf-8")
    table: dict[str, list[str]] = json.loads(text)
    return frozenset(table["operators"])


@judges(TensorFlowFacts)
def operators(facts: TensorFlowFacts, context: Context) -> Iterator[Finding]:
    """Every kind of operator once, with the number of its nodes."""
    for graph in facts.graphs:
        first: dict[str, Node] = {}
        counts: dict[str, int] = {}
        for node in _nodes(graph):
            first.setdefault(node.op, node)
            counts[node.op] = counts.get(node.op, 0) + 1
        own = {function.name for function in graph.graph_def.functions} if graph.graph_def else set()
        odd = [(rule, first[name], counts[name]) for name in first if (rule := operator_rule(name, own)) is not None]
        for wanted in (RUNS_CODE, NETWORK, COMPILED, UNREGISTERED):
            for (rule, node, count), more in some(item for item in odd if item[0] is wanted):
                times = f" ({count:,} nodes)" if count > 1 else ""
                message = f"{spoken(rule, node.op)}{times}, first at {shown(node.name)}.{more}"
                yield _about(rule, node, message, context, subject=node.op)


@judges(TensorFlowFacts)
def programs(facts: TensorFlowFacts, context: Context) -> Iterator[Finding]:
    """Programs of StableHLO that call back into Python; what else they do is not read."""
    budget = Budget(Limits(seconds=_SECONDS))
    for graph in facts.graphs:
        for node in _nodes(graph):
            span = node.get("module") if node.op == "XlaCallModule" else None
            held = value_of(span, facts.source, budget).s if span is not None else None
            found = _CALLBACK.search(held.read(_PROGRAM_BYTES)) if held is not None else None
            if found is not None:
                message = f"The program inside of {shown(node.name)} calls a function of the Python process."
                yield _about(RUNS_CODE, node, message, context, subject=found.group().decode())


def operator_rule(name: str, own: Iterable[str] = ()) -> Rule | None:
    """The rule that an operator breaks by its name alone; `own` are functions of the graph."""
    if name in _CODE:
        return RUNS_CODE
    if name in _SERVICES or _SERVICE_NAMES.match(name):
        return NETWORK
    if name in _COMPILED:
        return COMPILED
    if name in known_operators() or name in own or name.startswith(("_", "Xla", "TPU", "Tpu", "Risc")):
        return None
    return UNREGISTERED


def spoken(rule: Rule, name: str) -> str:
    """What a rule says about an operator, without a full stop."""
    quoted = f'The operator "{shown(name)}"'
    if rule is RUNS_CODE:
        return f"{quoted} calls a function of the Python process"
    if rule is NETWORK:
        return f"{quoted} talks to other machines"
    return f"{quoted} is compiled" if rule is COMPILED else f"{quoted} is in no registry that is known"


def _nodes(graph: MetaGraph) -> Iterator[Node]:
    if graph.graph_def is not None:
        yield from graph.graph_def.node
        for function in graph.graph_def.functions:
            yield from function.node_def


@judges(TensorFlowFacts)
def files(facts: TensorFlowFacts, context: Context) -> Iterator[Finding]:
    """Operators on files, by where their path comes from."""
    budget = Budget(Limits(seconds=_SECONDS))
    for graph in facts.graphs:
        if not any(touches_files(node.op) or node.op in _DEBUG or node.op == _FROM_GRAPH for node in _nodes(graph)):
            continue
        given = Origin(frozenset(defaults(graph)))
        try:
            origins = Origins(graph, facts.source, budget)
            yield from _files(origins, given, context, training=facts.kind in _TRAINING)
        except BudgetExceeded as breach:
            message = f"paths in the graph were not all followed: {breach}"
            context.gaps.append(CoverageReason(breach.code, message, executable=True))


def touches_files(name: str) -> bool:
    """True for an operator that opens files or folders."""
    return name in _PATHS or name in _PATH_ATTRIBUTES or name in _QUEUED or bool(_FILE_NAMES.match(name))


def path_places(name: str) -> tuple[str, tuple[int, ...]] | None:
    """What an operator does to files, and which of its inputs are paths (none where an attribute is); or None."""
    if name in _PATHS:
        return _PATHS[name]
    if name in _PATH_ATTRIBUTES and name != "PrintV2":
        return _PATH_ATTRIBUTES[name][0], ()
    return ("read", ()) if name in _QUEUED else None


def path_rule(deed: str) -> Rule:
    """The rule that a deed breaks."""
    return WRITES if deed in ("write", "cache", "log", "save") else READS


_Found = dict[tuple[str, str, Severity], tuple[Rule, Node, str]]


def _files(origins: Origins, given: Origin, context: Context, *, training: bool) -> Iterator[Finding]:
    """`given` is what callers give who give nothing; graphs for training name the files that they were trained on."""
    found: _Found = {}
    for scope in origins.scopes():
        for node in scope.all:
            for deed, origin in _opened(origins, scope, node):
                if "caller" in origin.kinds:
                    origin = either([origin, given])
                severity, why = judged("table" if training and deed == "read" else deed, origin)
                if severity is not None:
                    found.setdefault((node.op, why, severity), (path_rule(deed), node, _DEEDS[deed]))
            if node.op in _DEBUG:
                _taps(origins, node, found)
            elif node.op == _FROM_GRAPH and origins.input(scope, node, 0).kinds & _HIDDEN:
                why = "from what does not stand in the model as such"
                found.setdefault((node.op, why, Severity.HIGH), (COMPILED, node, "builds a graph"))
    ordered = sorted(found.items(), key=lambda item: -item[0][2].rank)
    for ((name, why, severity), (rule, node, deed)), more in some(ordered):
        message = f'{shown(node.name)} (operator "{shown(name)}") {deed} {why}.{more}'
        yield _about(rule, node, message, context, severity=severity, subject=f"{name}\0{why}")


def _taps(origins: Origins, node: Node, found: _Found) -> None:
    for address in origins.texts(node, "debug_urls"):
        if address and not address.startswith("memcbk:"):
            rule = WRITES if address.startswith("file:") else NETWORK
            key = (node.op, f'to "{shown(address)}"', Severity.HIGH)
            found.setdefault(key, (rule, node, "sends what it sees"))


def _opened(origins: Origins, scope: Scope, node: Node) -> Iterator[tuple[str, Origin]]:
    if node.op in _PATHS:
        deed, places = _PATHS[node.op]
        for place in places:
            yield deed, origins.input(scope, node, place)
    elif node.op in _PATH_ATTRIBUTES:
        deed, key = _PATH_ATTRIBUTES[node.op]
        texts = [text for text in origins.texts(node, key) if not _NOT_PATHS.match(text)]
        yield deed, Origin(frozenset(texts)) if texts else NOTHING
    elif node.op in _QUEUED:
        yield "read", origins.enqueued()
    elif _FILE_NAMES.match(node.op):
        yield "read", origins.input(scope, node, 0)


def judged(deed: str, origin: Origin) -> tuple[Severity | None, str]:
    """How bad it is to do this at a path of this origin, and how to say where the path comes from."""
    texts = sorted(text for text in origin.texts if text)
    worst: tuple[Severity | None, str] = (None, "")
    for text in texts:
        severity = _fixed(deed, text)
        if severity is not None and (worst[0] is None or severity.rank > worst[0].rank):
            worst = (severity, f'at a path that stands in the model, "{shown(text)}"')
    for text in sorted(origin.parts):
        if (
            _leaves(text)
            and deed not in ("save", "restore")
            and (worst[0] is None or worst[0].rank < Severity.HIGH.rank)
        ):
            worst = (Severity.HIGH, f'at a path that is made with "{shown(text)}"')
    rest = _unfixed(deed, origin.kinds)
    if rest[0] is not None and (worst[0] is None or rest[0].rank > worst[0].rank):
        return rest
    return worst


def _leaves(text: str) -> bool:
    return bool(way_out(text)) or bool(_SYSTEM.search(text))


def _fixed(deed: str, text: str) -> Severity | None:
    """Of a path that is a constant."""
    leaves, system = bool(way_out(text)), bool(_SYSTEM.search(text))
    bucket = bool(_BUCKET.match(text))
    address = not bucket and "://" in text
    if deed == "write":
        return Severity.CRITICAL if leaves or system or _PROGRAM.search(text) else Severity.HIGH
    if deed in ("cache", "log", "save"):
        return Severity.HIGH if system or address or (leaves and deed != "log") else Severity.MEDIUM if leaves else None
    if deed in ("table", "restore"):
        return Severity.HIGH if system or address else Severity.MEDIUM if leaves else None
    return Severity.HIGH if leaves or system else Severity.MEDIUM


def _unfixed(deed: str, kinds: frozenset[str]) -> tuple[Severity | None, str]:
    """Of a path that the model's constants do not tell."""
    hidden = kinds & _HIDDEN
    if hidden:
        how = {"computed": "is computed", "variable": "stands among the weights", "file": "stands in another file"}
        why = "at a path that " + " or ".join(how[name] for name in sorted(hidden))
        if deed in ("save", "restore"):
            return None, ""
        return Severity.HIGH if deed in ("write", "read", "cache") else Severity.MEDIUM, why
    if "caller" in kinds:
        if deed == "write":
            return Severity.HIGH, "at a path that comes from its input"
        if deed == "read":
            return Severity.MEDIUM, "at a path that comes from its input"
    return None, ""


@judges(TensorFlowFacts)
def assets(facts: TensorFlowFacts, context: Context) -> Iterator[Finding]:
    """Names of assets that leave the model's folder."""
    out = [(asset, how) for asset in facts.assets if (how := way_out(asset.filename))]
    for (asset, how), more in some(out):
        yield context.finding(
            ASSET,
            f'The name of the asset, "{shown(asset.filename)}", {how}.{more}',
            BytesEvidence("the asset", context.hex_window(asset.offset, max(1, min(asset.length, 96)))),
            subject=asset.filename,
            offset=asset.offset,
        )


def _about(
    rule: Rule, node: Node, message: str, context: Context, *, subject: str, severity: Severity | None = None
) -> Finding:
    return context.finding(
        rule,
        message,
        BytesEvidence("the node", context.hex_window(node.offset, max(1, min(node.length, 96)))),
        subject=subject,
        offset=node.offset,
        length=node.length,
        node=shown(node.name or node.op, 300),
        severity=severity,
    )


@judges(CheckpointFacts)
def checkpoints(facts: CheckpointFacts, context: Context) -> Iterator[Finding]:
    """Entries of the index that cannot be."""
    for wrong, more in some(facts.wrong):
        yield context.finding(
            RANGE, f"In the index of the checkpoint {wrong}.{more}", TextEvidence(wrong), subject=wrong
        )


@judges(TensorFlowJsFacts)
def shards(facts: TensorFlowJsFacts, context: Context) -> Iterator[Finding]:
    """Files of weights outside of the model's folder."""
    for path, more in some(path for path in facts.paths if way_out(path)):
        message = f'The location "{shown(path)}" {way_out(path)}.{more}'
        yield context.finding(LEAVES, message, TextEvidence(shown(path)), subject=path)


@judges(CTranslate2Facts)
def variables(facts: CTranslate2Facts, context: Context) -> Iterator[Finding]:
    """Variables that are not in their file."""
    if facts.wrong:
        evidence = TextEvidence(shown(facts.wrong, 300))
        yield context.finding(RANGE, f"In the model of CTranslate2, {facts.wrong}.", evidence, subject="variable")
