"""Where a text in a graph of TensorFlow comes from: followed back through operators, functions and their calls.

Operators on files take their path as a tensor. It may be a constant, a constant put together from others, an argument
that only the caller knows, the path of an asset, a variable that a checkpoint fills, or the outcome of arithmetic. The
walk is bounded; what is not followed to its end counts as computed.
"""

from collections.abc import Iterator, Mapping, Sequence

import msgspec

from modelscan_plus.core.bytesource import ByteSource
from modelscan_plus.core.limits import Budget
from modelscan_plus.formats.graphs.tensorflow.model import Function, MetaGraph, Node
from modelscan_plus.formats.graphs.tensorflow.values import constant, functions_of, text_of, texts_of

_STEPS = 50_000
_DEPTH = 60
_TEXTS = 1_000
"""Constants of one origin that are kept."""
_INPUTS = 64
"""Inputs of one operator, and calls of one function, that are followed."""
_JOINED = 64
"""Combinations of constants that are put together."""
_EITHER = frozenset(
    """Identity IdentityN StopGradient Snapshot Reshape ExpandDims Squeeze Enter RefEnter Exit NextIteration RefIdentity
    EnsureShape PreventGradient Fill Tile BroadcastTo CheckNumerics DebugIdentity DebugIdentityV2 Unpack Slice
    StridedSlice Gather GatherV2 GatherNd Split SplitV TensorSliceDataset TensorDataset ReadVariableOp
    Cast Copy CopyHost RandomShuffle Unique UniqueV2 StringStrip ShardedFilename ShardedFilespec Bitcast
    Switch RefSwitch Merge RefMerge Select SelectV2 Pack Concat ConcatV2 ParallelConcat PlaceholderWithDefault
    DynamicStitch Where IteratorGetNext IteratorGetNextSync RepeatDataset BatchDataset BatchDatasetV2 ShuffleDataset
    PrefetchDataset""".split()
)
"""Operators that hand on one of their inputs, or a part of it; numbers among the inputs are no texts."""
_CALLER = frozenset("Placeholder PlaceholderV2 _Arg _Recv Recv _HostRecv".split())
_VARIABLE = frozenset("VarHandleOp VariableV2 Variable TemporaryVariable RestoreV2 Restore RestoreSlice".split())
_FILE = frozenset("ReadFile ReaderRead ReaderReadV2 MatchingFiles".split())
_WRITTEN = {"StaticRegexReplace": ("rewrite",), "StringFormat": ("template",), "AsString": ("fill",)}
"""Operators that make texts with a text of their own."""
_ENQUEUE = "QueueEnqueue"


class Origin(msgspec.Struct, frozen=True):
    """What a text can be."""

    texts: frozenset[str] = frozenset()
    """Constants, whole."""
    parts: frozenset[str] = frozenset()
    """Constants that it is made from together with something else, or in a way that is not followed."""
    kinds: frozenset[str] = frozenset()
    """"caller", "asset", "variable", "file" or "computed"."""

    @property
    def fixed(self) -> bool:
        """True where the model alone decides what it is."""
        return not self.kinds & {"caller", "asset"}


NOTHING = Origin()


def _kind(name: str) -> Origin:
    return Origin(kinds=frozenset((name,)))


def either(origins: Sequence[Origin]) -> Origin:
    """One of them."""
    texts = dict.fromkeys(text for item in origins for text in sorted(item.texts))
    parts = dict.fromkeys(text for item in origins for text in sorted(item.parts))
    kinds = {kind for item in origins for kind in item.kinds}
    if len(texts) > _TEXTS or len(parts) > _TEXTS:
        kinds.add("computed")
    return Origin(frozenset(list(texts)[:_TEXTS]), frozenset(list(parts)[:_TEXTS]), frozenset(kinds))


def _rest(followed: Sequence[object]) -> list[Origin]:
    """What stands for those of a list that are not followed."""
    return [_kind("computed")] if len(followed) > _INPUTS else []


def mixed(origins: Sequence[Origin]) -> Origin:
    """Made from all of them, nobody knows how."""
    found = either(origins)
    kinds = found.kinds if found.kinds else frozenset(("computed",))
    return Origin(frozenset(), frozenset(list(found.texts | found.parts)[:_TEXTS]), kinds)


class Scope:
    """A graph or a function."""

    def __init__(self, nodes: Sequence[Node], function: Function | None) -> None:
        self.function = function
        self.all = nodes
        self.nodes = {node.name: node for node in nodes}
        self.arguments = (
            {argument.name: place for place, argument in enumerate(function.signature.input_arg)}
            if function is not None and function.signature is not None
            else {}
        )


class Origins:
    """Follows texts of one MetaGraph back."""

    def __init__(self, graph: MetaGraph, source: ByteSource, budget: Budget) -> None:
        self._source = source
        self._budget = budget
        self._steps = _STEPS
        definition = graph.graph_def
        self.main = Scope(definition.node if definition else (), None)
        functions = definition.functions if definition else ()
        self._scopes = [Scope(function.node_def, function) for function in functions]
        self.functions = {scope.function.name: scope for scope in self._scopes if scope.function is not None}
        self._known: dict[tuple[int, str], Origin] = {}
        self._open: set[tuple[int, str]] = set()
        self._circle = False
        """True once the walk came back to something that it is still following: what it then says is not all."""
        self._calls: dict[str, list[tuple[Scope, Node]]] | None = None
        self._bound = dict(_bound(graph))
        self._objects = graph.object_graph_def.nodes if graph.object_graph_def else ()
        self._assets = {
            asset.tensor_info.name.partition(":")[0] for asset in graph.asset_file_def if asset.tensor_info is not None
        }

    def scopes(self) -> Iterator[Scope]:
        """The graph and every function."""
        yield self.main
        yield from self._scopes

    def input(self, scope: Scope, node: Node, place: int) -> Origin:
        """Where the input at a place comes from."""
        inputs = [name for name in node.input if not name.startswith("^")]
        return self._value(scope, inputs[place], 0) if place < len(inputs) else NOTHING

    def enqueued(self) -> Origin:
        """Where what is put into queues comes from: readers of files take their paths from there."""
        put = [
            self._value(scope, name, 0)
            for scope in self.scopes()
            for node in scope.all
            if node.op.startswith(_ENQUEUE)
            for name in node.input[1:2]
        ]
        return either(put) if put else _kind("caller")

    def texts(self, node: Node, key: str) -> list[str]:
        """An attribute that is a text or a list of texts."""
        return texts_of(node, key, self._source, self._budget)

    def _value(self, scope: Scope, reference: str, depth: int) -> Origin:
        self._steps -= 1
        name, _, rest = reference.partition(":")
        key = (id(scope), reference)
        if key in self._known:
            return self._known[key]
        if key in self._open:
            self._circle = True
            return NOTHING
        if depth > _DEPTH or self._steps < 0:
            return _kind("computed")
        if self._steps % 1_000 == 0:
            self._budget.check_time()
        self._open.add(key)
        before, self._circle = self._circle, False
        node = scope.nodes.get(name)
        if node is None:
            found = self._argument(scope, scope.arguments[name], depth) if name in scope.arguments else _kind("caller")
        elif scope.function is None and name in self._assets:
            found = _kind("asset")
        else:
            found = self._node(scope, node, rest.rpartition(":")[2], depth)
        self._open.discard(key)
        if not self._circle or not self._open:
            self._known[key] = found
        self._circle = bool(self._open) and (self._circle or before)
        return found

    def _node(self, scope: Scope, node: Node, output: str, depth: int) -> Origin:
        inputs = [name for name in node.input if not name.startswith("^")]
        if node.op in ("Const", "HostConst"):
            texts = constant(node, self._source, self._budget)
            return either([Origin(frozenset(texts))]) if texts is not None else NOTHING
        if node.op in _CALLER:
            return _kind("caller")
        if node.op in _VARIABLE:
            return _kind("variable")
        if node.op in _FILE:
            return _kind("file")
        if node.op == "IdentityN" and output.isdigit() and int(output) < len(inputs):
            inputs = [inputs[int(output)]]
        if node.op in _EITHER and inputs:
            return either([*(self._value(scope, name, depth + 1) for name in inputs[:_INPUTS]), *_rest(inputs)])
        if node.op in ("StringJoin", "ReduceJoin", "Add", "AddV2"):
            return self._joined(scope, node, inputs, depth)
        called = [name for name in (node.op, *functions_of(node, self._source, self._budget)) if name in self.functions]
        if called:
            made = [self._result(self.functions[name], output, depth) for name in called[:_INPUTS]]
            return either([*made, *_rest(called)])
        made = [*(self._value(scope, name, depth + 1) for name in inputs[:_INPUTS]), *_rest(inputs)]
        written = [text for key in _WRITTEN.get(node.op, ()) for text in self.texts(node, key)]
        return mixed([*made, Origin(parts=frozenset(written))] if written else made)

    def _joined(self, scope: Scope, node: Node, inputs: Sequence[str], depth: int) -> Origin:
        parts = [self._value(scope, name, depth + 1) for name in inputs]
        if node.op == "ReduceJoin":
            return mixed(parts[:1])
        separator = text_of(node, "separator", self._source, self._budget) or ""
        made = [""]
        for place, part in enumerate(parts):
            if part.kinds or part.parts or len(made) * max(1, len(part.texts)) > _JOINED:
                return mixed(parts)
            glue = separator if place else ""
            made = [left + glue + right for left in made for right in sorted(part.texts)]
        return Origin(frozenset(made))

    def _result(self, scope: Scope, output: str, depth: int) -> Origin:
        """What a function gives; all of its outputs where it is not clear which is meant."""
        function = scope.function
        if function is None:
            return NOTHING
        results = {pair.key: pair.value for pair in function.ret}
        names = [argument.name for argument in function.signature.output_arg] if function.signature else []
        if output.isdigit() and int(output) < len(names):
            names = [names[int(output)]]
        return either([self._value(scope, results[name], depth + 1) for name in names if name in results])

    def _argument(self, scope: Scope, place: int, depth: int) -> Origin:
        function = scope.function
        name = function.name if function is not None else ""
        calls = self._callers().get(name, ())
        found = [self._passed(caller, node, place, scope, depth) for caller, node in calls[:_INPUTS]] + _rest(calls)
        captured = self._captured(name, place, len(scope.arguments))
        if captured is not None:
            found.append(captured)
        elif not found:
            found.append(_kind("caller"))
        return either(found)

    def _passed(self, caller: Scope, node: Node, place: int, scope: Scope, depth: int) -> Origin:
        inputs = [name for name in node.input if not name.startswith("^")]
        more = len(inputs) - len(scope.arguments)
        if "PartitionedCall" in node.op or more == 0 or node.op == (scope.function.name if scope.function else ""):
            chosen = inputs[place : place + 1]
        elif more == 1:  # a condition or a branch index stands before the arguments
            chosen = inputs[place + 1 : place + 2]
        else:
            chosen = inputs
        return either([self._value(caller, name, depth + 1) for name in chosen])

    def _callers(self) -> Mapping[str, Sequence[tuple[Scope, Node]]]:
        if self._calls is None:
            self._calls = {}
            for scope in self.scopes():
                for node in scope.all:
                    names = (node.op, *functions_of(node, self._source, self._budget))
                    for name in dict.fromkeys(names):
                        if name in self.functions:
                            self._calls.setdefault(name, []).append((scope, node))
        return self._calls

    def _captured(self, name: str, place: int, count: int) -> Origin | None:
        """What the last arguments of a function were bound to when it was traced."""
        bound = self._bound.get(name, ())
        at = place - (count - len(bound))
        if not 0 <= at < len(bound) or not 0 <= bound[at] < len(self._objects):
            return None
        held = self._objects[bound[at]]
        if held.asset is not None:
            return _kind("asset")
        if held.constant is not None:
            return self._value(self.main, held.constant.operation, 1)
        return _kind("variable")


def _bound(graph: MetaGraph) -> Iterator[tuple[str, Sequence[int]]]:
    if graph.object_graph_def is not None:
        for entry in graph.object_graph_def.concrete_functions:
            if entry.value is not None:
                yield entry.key, entry.value.bound_inputs
