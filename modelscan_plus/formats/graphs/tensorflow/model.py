"""What a SavedModel, a MetaGraph or a GraphDef says, as typed objects: the result of reading, free of judgement.

Names follow the .proto files of TensorFlow (saved_model, meta_graph, graph, node_def, function, attr_value, tensor and
saved_object_graph). Absent fields are "", 0, None or empty. Of the attributes of a node only those are kept that can
hold text, tensors or names of functions; types, numbers and shapes decide nothing here, and there are very many.
"""

from collections.abc import Sequence

from modelscan_plus.formats.graphs.spans import Span

_LIST, _TEXT, _INT, _FLOAT, _BOOL, _TYPE, _SHAPE = 0x0A, 0x12, 0x18, 0x25, 0x28, 0x30, 0x3A
"""First bytes of an AttrValue with a list, a text, a number, …"""


class Attr:
    """An attribute, its value as it stands in the file (values.py reads it)."""

    __slots__ = ("key", "value")

    def __init__(self) -> None:
        self.key = ""
        self.value: Span | None = None


class Node:
    """An operation."""

    __slots__ = ("attr", "input", "length", "name", "offset", "op")

    def __init__(self) -> None:
        self.name = self.op = ""
        self.input: Sequence[str] = ()
        """"node", "node:1" or, in a function, "argument" and "node:output:0"; "^node" for order alone."""
        self.attr: Sequence[Attr] = ()
        self.offset = self.length = 0

    def finish(self) -> None:
        """Let go of attributes that hold neither text nor tensor nor function."""
        self.attr = tuple([attr for attr in self.attr if _tells(attr)])

    def get(self, key: str) -> Span | None:
        """The value of an attribute that was kept; the last one where it stands twice."""
        return next((attr.value for attr in reversed(self.attr) if attr.key == key), None)


def _tells(attr: Attr) -> bool:
    value = attr.value
    return value is not None and not attr.key.startswith("_") and not _plain(value.head, value.length)


def _plain(head: bytes, length: int) -> bool:
    """True for one type, number, truth value or shape and nothing behind it."""
    if not head:
        return True
    first = head[0]
    if first in (_TYPE, _INT, _BOOL):
        return length <= 11 and all(byte > 127 for byte in head[1 : length - 1]) and head[length - 1] < 128
    if first == _FLOAT:
        return length == 5
    return first == _SHAPE and length > 1 and head[1] < 128 and length == head[1] + 2


class Argument:
    """A named input or output of a function."""

    __slots__ = ("name",)

    def __init__(self) -> None:
        self.name = ""


class Signature:
    """What a function takes and gives."""

    __slots__ = ("input_arg", "name", "output_arg")

    def __init__(self) -> None:
        self.name = ""
        self.input_arg: Sequence[Argument] = ()
        self.output_arg: Sequence[Argument] = ()


class Pair:
    """An entry of a map of texts."""

    __slots__ = ("key", "value")

    def __init__(self) -> None:
        self.key = self.value = ""


class Function:
    """A function of the library: a graph of its own that others call by name."""

    __slots__ = ("node_def", "ret", "signature")

    def __init__(self) -> None:
        self.signature: Signature | None = None
        self.node_def: Sequence[Node] = ()
        self.ret: Sequence[Pair] = ()

    @property
    def name(self) -> str:
        """By which it is called."""
        return self.signature.name if self.signature is not None else ""


class Library:
    """The functions of a graph."""

    __slots__ = ("function",)

    def __init__(self) -> None:
        self.function: Sequence[Function] = ()


class Graph:
    """A GraphDef."""

    __slots__ = ("library", "node")

    def __init__(self) -> None:
        self.node: Sequence[Node] = ()
        self.library: Library | None = None

    @property
    def functions(self) -> Sequence[Function]:
        """All functions."""
        return self.library.function if self.library is not None else ()


class MetaInfo:
    """Of a MetaGraph: who wrote it."""

    __slots__ = ("tags", "tensorflow_version")

    def __init__(self) -> None:
        self.tags: Sequence[str] = ()
        self.tensorflow_version = ""


class TensorInfo:
    """A tensor by name."""

    __slots__ = ("name",)

    def __init__(self) -> None:
        self.name = ""


class AssetFile:
    """A file of the folder `assets` whose path becomes the value of a tensor."""

    __slots__ = ("filename", "length", "offset", "tensor_info")

    def __init__(self) -> None:
        self.tensor_info: TensorInfo | None = None
        self.filename = ""
        self.offset = self.length = 0


class UserObject:
    """An object that a library restores by itself, with what it wrote for that."""

    __slots__ = ("identifier", "metadata")

    def __init__(self) -> None:
        self.identifier = ""
        self.metadata: Span | None = None


class Constant:
    """A captured constant: the node of the graph that makes it."""

    __slots__ = ("operation",)

    def __init__(self) -> None:
        self.operation = ""


class Asset:
    """A captured path of an asset."""

    __slots__ = ("asset_file_def_index",)

    def __init__(self) -> None:
        self.asset_file_def_index = 0


class SavedObject:
    """An object of Python that is restored."""

    __slots__ = ("asset", "constant", "user_object")

    def __init__(self) -> None:
        self.user_object: UserObject | None = None
        self.asset: Asset | None = None
        self.constant: Constant | None = None


class ConcreteFunction:
    """What a function of the library captures: its last arguments, as positions in the list of objects."""

    __slots__ = ("bound_inputs",)

    def __init__(self) -> None:
        self.bound_inputs: Sequence[int] = ()


class ConcreteEntry:
    """A concrete function by name."""

    __slots__ = ("key", "value")

    def __init__(self) -> None:
        self.key = ""
        self.value: ConcreteFunction | None = None


class ObjectGraph:
    """The objects of a SavedModel of TensorFlow 2."""

    __slots__ = ("concrete_functions", "nodes")

    def __init__(self) -> None:
        self.nodes: Sequence[SavedObject] = ()
        self.concrete_functions: Sequence[ConcreteEntry] = ()


class Default:
    """What an input of a signature is where the caller gives nothing."""

    __slots__ = ("key", "value")

    def __init__(self) -> None:
        self.key = ""
        self.value: Tensor | None = None


class SignatureDef:
    """A signature that is served."""

    __slots__ = ("defaults",)

    def __init__(self) -> None:
        self.defaults: Sequence[Default] = ()


class SignatureEntry:
    """A signature by name."""

    __slots__ = ("value",)

    def __init__(self) -> None:
        self.value: SignatureDef | None = None


class MetaGraph:
    """A graph with what belongs to it."""

    __slots__ = ("asset_file_def", "graph_def", "meta_info_def", "object_graph_def", "signature_def")

    def __init__(self) -> None:
        self.meta_info_def: MetaInfo | None = None
        self.graph_def: Graph | None = None
        self.signature_def: Sequence[SignatureEntry] = ()
        self.asset_file_def: Sequence[AssetFile] = ()
        self.object_graph_def: ObjectGraph | None = None


class SavedModel:
    """The file saved_model.pb."""

    __slots__ = ("meta_graphs", "saved_model_schema_version")

    def __init__(self) -> None:
        self.saved_model_schema_version = 0
        self.meta_graphs: Sequence[MetaGraph] = ()


class Tensor:
    """A TensorProto, of which only texts are read."""

    __slots__ = ("dtype", "string_val", "tensor_content")

    def __init__(self) -> None:
        self.dtype = 0
        self.tensor_content: Span | None = None
        self.string_val: Sequence[Span] = ()


class NamedFunction:
    """A function by name, as the value of an attribute."""

    __slots__ = ("name",)

    def __init__(self) -> None:
        self.name = ""


class ListValue:
    """A list as the value of an attribute."""

    __slots__ = ("func", "s", "tensor")

    def __init__(self) -> None:
        self.s: Sequence[Span] = ()
        self.tensor: Sequence[Tensor] = ()
        self.func: Sequence[NamedFunction] = ()


class AttrValue:
    """The value of an attribute."""

    __slots__ = ("func", "list", "s", "tensor")

    def __init__(self) -> None:
        self.s: Span | None = None
        self.tensor: Tensor | None = None
        self.list: ListValue | None = None
        self.func: NamedFunction | None = None


class KerasObject:
    """One object of keras_metadata.pb."""

    __slots__ = ("identifier", "metadata", "node_id", "node_path")

    def __init__(self) -> None:
        self.node_id = 0
        self.node_path = self.identifier = ""
        self.metadata: Span | None = None


class KerasMetadata:
    """The file keras_metadata.pb: how Keras builds the layers of a SavedModel again."""

    __slots__ = ("nodes",)

    def __init__(self) -> None:
        self.nodes: Sequence[KerasObject] = ()
