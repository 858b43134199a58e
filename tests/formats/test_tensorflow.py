"""Files of TensorFlow: what is recognised, where paths come from, and that no bytes are too hostile."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fixtures.make.onnx_writer import message, number, text
from fixtures.make.tensorflow import linear
from fixtures.make.tensorflow_writer import (
    a_function,
    a_tensor,
    a_text,
    a_type,
    checkpoint,
    const,
    constant_object,
    floats,
    function,
    graph,
    keras_metadata,
    node,
    saved_model,
    table,
    user_object,
)
from modelscan_plus.core.coverage import CoverageState
from modelscan_plus.core.finding import Severity
from tests.samples import inspect, tree_of

X = node("x", "Placeholder", (), {"dtype": a_type(7)})
SHADOW = const("p", "/etc/shadow")
READ = node("r", "ReadFile", ["p"])
SLASH = a_text("/")


def severity(data: bytes, rule: str = "MSP4102") -> Severity | None:
    found = [finding.severity for finding in inspect(data, "saved_model.pb").findings if finding.rule == rule]
    return max(found, key=lambda item: item.rank, default=None)


def reads(*nodes: bytes, path: str = "path") -> bytes:
    return saved_model(graph([X, *nodes, node("read", "ReadFile", [path])]))


def call(op: str, inputs: list[str], **functions: str) -> bytes:
    attributes = {key: a_function(name) for key, name in functions.items()}
    inner = function("inner", ["q"], [node("r", "ReadFile", ["q"])], {"y": "r:contents:0"})
    outer = function("outer", ["x"], [SHADOW, node("c", op, inputs, attributes)], {"y": "c:output:0"})
    return saved_model(graph([X], [outer, inner]))


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (saved_model(graph([X])), "saved-model"),
        (graph([X]), "graph-def"),
        (message(1, text(4, "serve")) + message(2, graph([X])), "meta-graph"),
        (number(1, 1) + message(2, message(2, graph([], [function("f", ["x"], [])]))), "saved-model"),
        (keras_metadata(("root", "_tf_keras_layer", "{}")), "keras-metadata"),
        (keras_metadata(("", "", "{}")), "keras-metadata"),
        (checkpoint({"w": (0, 4)}), "tensorflow-checkpoint"),
        (b"\x08\x03", "saved-model-fingerprint"),
    ],
)
def test_what_a_file_is_is_told_by_its_fields(data: bytes, kind: str) -> None:
    assert inspect(data, "anything").formats == (kind,)


@pytest.mark.parametrize(
    "data",
    [
        reads(const("path", "/etc/passwd")),
        reads(const("path", ".ssh/id_rsa")),
        reads(const("path", "http://collector.example/x")),
        reads(const("a", "/etc"), const("b", "passwd"), node("path", "StringJoin", ["a", "b"], {"separator": SLASH})),
        reads(const("a", "L2V0Yy9wYXNzd2Q"), node("path", "DecodeBase64", ["a"])),
        reads(node("path", "StaticRegexReplace", ["x"], {"pattern": a_text(".*"), "rewrite": a_text("/etc/passwd")})),
        reads(node("v", "VarHandleOp"), node("path", "ReadVariableOp", ["v"])),
        reads(const("a", "/etc/passwd"), node("path", "PlaceholderWithDefault", ["a"])),
        reads(node("path", "Const", (), {"value": a_type(1) + a_tensor(7, text(8, "/etc/passwd"))})),
        reads(node("path", "Const", (), {"value": a_tensor(7, text(4, b"\x0b/etc/passwd"))})),
        call("PartitionedCall", ["p:output:0"], f="inner"),
        call("If", ["x", "p:output:0"], then_branch="inner"),
        call("MapDataset", ["p:output:0"], f="inner"),
        call("inner", ["p:output:0"]),
        saved_model(
            graph([SHADOW], [function("f", ["a", "b"], [node("r", "ReadFile", ["b"])])]),
            objects=[user_object("_generic", ""), constant_object("p")],
            bound={"f": [1]},
        ),
        saved_model(graph([SHADOW, node("e", "QueueEnqueueV2", ["q", "p"]), node("r", "WholeFileReaderV2")])),
        saved_model(graph([node("r", "ImmutableConst", (), {"memory_region_name": a_text("/etc/passwd")})])),
        saved_model(graph([const("g", reads(const("path", "/etc/passwd"))), node("d", "DatasetFromGraph", ["g"])])),
        number(1, 1) + message(2, message(2, graph([X])), message(2, graph([SHADOW, READ]))),
        number(1, 1) + message(2, message(2, graph([X]))) + message(2, message(2, graph([SHADOW, READ]))),
    ],
)  # fmt: skip
def test_a_path_that_the_model_decides_is_followed_to_where_it_stands(data: bytes) -> None:
    assert severity(data) is Severity.HIGH


@pytest.mark.parametrize(
    "nodes",
    [
        [SHADOW, node("d", "DecodeBase64", ["p"]), node("g", "DatasetFromGraph", ["d"])],
        [node("v", "VarHandleOp"), node("g", "DatasetFromGraph", ["v"])],
    ],
)
def test_a_graph_that_is_made_from_hidden_data_is_found(nodes: list[bytes]) -> None:
    assert severity(saved_model(graph(nodes)), "MSP4106") is Severity.HIGH


@pytest.mark.parametrize(
    "nodes",
    [
        [floats("n", 2), SHADOW, node("f", "Fill", ["n", "p"])],
        [floats("n", 2), SHADOW, node("f", "Split", ["n", "p"])],
        [const("p", *(f"a{at}" for at in range(300)), "/etc/shadow"), node("f", "StridedSlice", ["p"])],
        [const("p", *(f"a{at}" for at in range(3000))), node("f", "StridedSlice", ["p"])],
        [node("p", "Const", (), {"value": a_tensor(7, text(4, b"\1\x0ba/etc/shadow"))}), node("f", "Unpack", ["p"])],
        [*(node(f"i{at}", "Placeholder") for at in range(80)), SHADOW,
         node("f", "Merge", [*(f"i{at}" for at in range(80)), "p"])],
        [SHADOW, node("a", "Merge", ["p", "f"]), node("s", "RestoreV2", ["a"]), node("f", "NextIteration", ["a"])],
        [SHADOW, node("d", "TensorSliceDataset", ["p"]), node("f", "IteratorGetNext", ["d"])],
    ],
)  # fmt: skip
def test_ways_around_the_walk_lead_to_the_path_all_the_same(nodes: list[bytes]) -> None:
    data = saved_model(graph([*nodes, node("read", "ReadFile", ["f"])]))
    found = [finding for finding in inspect(data).findings if "ReadFile" in finding.message]
    assert [finding.severity for finding in found] == [Severity.HIGH]


def test_what_a_signature_gives_by_default_is_the_path() -> None:
    default = message(4, text(1, "path"), message(2, number(1, 7), text(8, "/etc/passwd")))
    signature = message(5, text(1, "serving_default"), message(2, default))
    inner = graph([X, node("r", "ReadFile", ["x"])])
    assert severity(number(1, 1) + message(2, message(2, inner), signature)) is Severity.HIGH
    harmless = signature.replace(b"/etc/passwd", b"example.png")
    assert severity(number(1, 1) + message(2, message(2, inner), harmless)) is Severity.MEDIUM


def test_a_graph_for_training_names_what_it_was_trained_on() -> None:
    def trained(path: str) -> bytes:
        return message(1, text(4, "train")) + message(2, graph([const("p", path), READ]))

    assert severity(trained("/home/someone/images/1.png")) is Severity.MEDIUM
    assert severity(trained("/home/someone/.ssh/id_rsa")) is Severity.HIGH
    assert severity((TEXT % '"/home/someone/images/1.png"' + READ_TEXT).encode()) is Severity.MEDIUM


def test_a_path_from_the_caller_is_milder() -> None:
    assert severity(reads(path="x")) is Severity.MEDIUM
    assert severity(saved_model(graph([X, node("w", "WriteFile", ["x", "x"])])), "MSP4101") is Severity.HIGH


def test_leftovers_of_training_are_milder() -> None:
    table = node("t", "InitializeTableFromTextFileV2", ["h", "p"])
    assert severity(graph([const("p", "/home/someone/data/vocab.txt"), table])) is Severity.MEDIUM
    restore = node("r", "RestoreV2", ["p", "p", "p"])
    assert severity(graph([const("p", "gs://models/bert/bert_model.ckpt"), restore])) is Severity.MEDIUM
    assert severity(graph([const("p", "model"), restore])) is None
    assert severity(graph([const("p", ""), node("c", "CacheDataset", ["x", "p"])]), "MSP4101") is None


TEXT = 'node { name: "p" op: "Const" attr { key: "value" value { tensor { dtype: DT_STRING string_val: %s } } } } '
READ_TEXT = "node { name: 'r'; op: 'ReadFile'; input: ['p'] }"


@pytest.mark.parametrize(
    "written", ['"/etc/passwd"', "'/etc' '/passwd'", r'["\057etc\x2fpasswd"]', '"a" string_val: "/etc/x"']
)
def test_a_graph_as_text_is_judged_as_the_graph_that_it_is(written: str) -> None:
    data = (TEXT % written + "# a remark\n" + READ_TEXT).encode()
    assert inspect(data, "graph.pbtxt").formats == ("tensorflow-text",)
    assert severity(data) is Severity.HIGH
    inside = (
        b'saved_model_schema_version: 1 meta_graphs < meta_info_def { tags: "serve" } graph_def: { ' + data + b" } >"
    )
    assert severity(inside) is Severity.HIGH


@pytest.mark.parametrize("end", ["}", "{", 'op: "', "attr {", "x: [", "node: ", "$", "# a\n$ node {}"])
def test_a_broken_text_is_no_complete_one(end: str) -> None:
    result = inspect((TEXT % '"x"' + end).encode(), "graph.pbtxt")
    assert result.coverage.state is not CoverageState.ANALYSED


def test_remarks_without_an_end_cost_no_time() -> None:
    for end in ("#" * 30_000, "#,;,;\n" * 5_000, "# #" * 9_000 + "\n$"):
        inspect((TEXT % '"x"' + end).encode(), "graph.pbtxt")


def test_other_text_protos_stay_text() -> None:
    assert inspect(b'name: "bert"\nplatform: "onnxruntime_onnx"\n', "config.pbtxt").formats == ("text",)
    assert inspect(b'node { calculator: "PassThroughCalculator" }\n', "graph.pbtxt").formats == ("text",)


def test_a_program_inside_that_calls_back_into_python_is_found() -> None:
    def inside(program: bytes) -> bytes:
        return saved_model(graph([node("call", "XlaCallModule", ["x"], {"module": a_text(program)})]))

    result = inspect(inside(b"ML\xefR" + bytes(40) + b"stablehlo.add"), "saved_model.pb")
    assert not result.findings
    assert [reason.executable for reason in result.coverage.reasons] == [False]
    assert severity(inside(b"ML\xefR" + bytes(400) + b"xla_ffi_python_cpu_callback"), "MSP4103") is Severity.HIGH


def test_unknown_fields_before_the_model_hide_nothing() -> None:
    data = b"".join(text(15 + at, "x" * 40) for at in range(100)) + saved_model(graph([SHADOW, READ]))
    assert severity(data) is Severity.HIGH


def test_a_circle_of_functions_ends() -> None:
    one = function("one", ["q"], [node("c", "two", ["q"])], {"y": "c:y:0"})
    two = function("two", ["q"], [node("c", "one", ["q"])], {"y": "c:y:0"})
    data = saved_model(graph([X, node("a", "one", ["x"]), node("r", "ReadFile", ["a"])], [one, two]))
    assert inspect(data).coverage.state is CoverageState.ANALYSED


def test_a_long_chain_is_not_followed_for_ever() -> None:
    chain = [node(f"n{at}", "Identity", [f"n{at - 1}" if at else "p"]) for at in range(5_000)]
    data = saved_model(graph([SHADOW, *chain, node("r", "ReadFile", ["n4999"])]))
    assert severity(data) is Severity.HIGH


def test_attributes_of_the_wrong_kind_raise_nothing() -> None:
    data = saved_model(
        graph([node("p", "Const", (), {"value": a_text("x")}), node("r", "ReadFile", ["p", "^p"]), floats("q")])
    )
    inspect(data)
    inspect(saved_model(graph([node("r", "ReadFile"), node("d", "DebugIdentity", (), {"debug_urls": a_type(1)})])))


def test_an_index_says_how_long_its_data_are() -> None:
    whole = {"v.index": checkpoint({"a": (0, 8), "b": (8, 8)}), "v.data-00000-of-00001": bytes(16)}
    assert {file.coverage.state for file in tree_of(whole).files.values()} == {CoverageState.ANALYSED}


def test_other_tables_of_the_same_form_are_no_index() -> None:
    old = {b"": message(1, message(1, text(1, "w")))}
    for pairs in (old, {b"user": b"record", b"user2": b"\xff" * 40}):
        data = table(pairs)
        result = inspect(data, "model.ckpt")
        assert result.formats == ("tensorflow-checkpoint",)
        assert not result.findings
        assert not result.summaries


@pytest.mark.parametrize("cut", [60, 70, 100])
def test_a_broken_index_is_no_complete_one(cut: int) -> None:
    data = checkpoint({f"layer/{at}": (at, 8) for at in range(30)})
    result = inspect(data[:10] + b"\xff" * 10 + data[20 : len(data) - cut] + data[-48:], "v.index")
    assert result.coverage.state is not CoverageState.ANALYSED


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_no_change_of_bytes_makes_the_readers_fail(data: st.DataObject) -> None:
    made = data.draw(
        st.sampled_from([linear(), call("If", ["x", "p:output:0"], then_branch="inner"), checkpoint({"w": (0, 8)})])
    )
    for _ in range(data.draw(st.integers(1, 6))):
        at = data.draw(st.integers(0, len(made) - 1))
        made = made[:at] + data.draw(st.binary(max_size=6)) + made[at + data.draw(st.integers(0, 6)) :]
        if not made:
            return
    inspect(made, "saved_model.pb")
