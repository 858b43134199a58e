"""Tables and texts as samples, honest and hostile."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

pytest.importorskip("PIL", reason="Pillow is not installed")

from modelscan_plus.probe.interface import NotProbed
from modelscan_plus.probe.samples import read_images, read_rows, read_texts
from tests.probe.samples.made import files, npz

ROWS = [[0.5, 1, -2], [3, 4, 5]]


@pytest.mark.parametrize(
    ("name", "text", "labels", "columns"),
    [
        ("s.csv", "a,b,c,label\n0.5,1,-2,1\n3,4,5,0\n", [1, 0], ("a", "b", "c")),
        ("s.csv", "\ufeffa;b;c;Class\r\n0.5;1;-2;dog\r\n3;4;5;cat\r\n", [1, 0], ("a", "b", "c")),
        ("s.tsv", "a\tb\tc\n0.5\t1\t-2\n3\t4\t5\n", None, ("a", "b", "c")),
        ("s.csv", "0.5,1,-2\n3,4,5\n", None, ()),
        ("s.csv", ",a,b,c,y\n0,0.5,1,-2,1.0\n1,3,4,5,0.0\n", [1, 0], ("a", "b", "c")),
        ("s.jsonl", '{"a": 0.5, "b": 1, "c": -2, "y": 1}\n{"y": 0, "b": 4, "a": 3, "c": 5}', [1, 0], ("a", "b", "c")),
        ("s.jsonl", '{"x": [0.5, 1, -2], "label": 1}\n\n{"x": [3, 4, 5], "label": 0}', [1, 0], ("x0", "x1", "x2")),
        ("s.jsonl", "[0.5, 1, -2]\n[3, 4, 5]\n", None, ()),
    ],
)  # fmt: skip
def test_rows(name: str, text: str, labels: list[int] | None, columns: tuple[str, ...]) -> None:
    found = read_rows(files(**{name: text.encode()}), 3)
    np.testing.assert_allclose(found.values, ROWS)
    assert (None if found.labels is None else found.labels.tolist(), found.columns) == (labels, columns)


def test_rows_of_an_array() -> None:
    found = read_rows(files(**{"s.npz": npz(x=np.array(ROWS), y=np.array([1, 0]))}), 3)
    np.testing.assert_allclose(found.values, ROWS)
    assert found.labels.tolist() == [1, 0]


@pytest.mark.parametrize(
    ("name", "text", "reason"),
    [
        ("s.csv", "a,b\n1,2\n", "2 columns for 3 features; a column of labels is found by a name"),
        ("s.csv", "a,b,c,d,label\n1,2,3,4,0\n", "4 columns for 3 features$"),
        ("s.csv", "a,b,c\n1,2\n", "has 2 fields"),
        ("s.csv", "a,b,c\n1,2,x\n", "not a number"),
        ("s.csv", "a,b,c\n1,2,nan\n", "not finite"),
        ("s.csv", "a,b,c\n1,2,1e999\n", "not finite"),
        ("s.csv", "a,b,c\n", "empty"),
        ("s.csv", "", "empty"),
        ("s.csv", 'a,b,"c\n1,2,3\n', "not a table"),
        ("s.csv", "a,b,c\n1,2," + "9" * 200_000, "not a table"),
        ("s.csv", "a,b,c\n1,\0,3\n", "not a number|not a table"),
        ("s.csv", ",".join("a" * 30_000), "30,000 fields"),
        ("s.jsonl", '{"a": 1, "b": 2, "c": 3}\n{"a": 1, "b": 2, "d": 3}', "line 2 .* other keys"),
        ("s.jsonl", '{"a": 1, "b": 2, "c": 3}\n[1, 2, 3]', "line 2"),
        ("s.jsonl", "[1, 2, 3]\n[1, 2]", "line 2"),
        ("s.jsonl", "[1, 2, 3]\n7", "line 2"),
        ("s.jsonl", "[1, 2, [3]]", "not a number"),
        ("s.jsonl", "[1, 2, null]", "not a number"),
        ("s.jsonl", "[" * 100_000, "line 1 .* not JSON"),
        ("s.jsonl", "[1, 2, " + "9" * 5_000 + "]", "not JSON|not a number"),
        ("s.jsonl", " " * 5 + "[" + "1," * 600_000 + "1]", "longer than"),
        ("s.jsonl", '{"a": 1, "b": 2, "c": 3, "label": [1]}', "neither a name nor a number"),
    ],
)  # fmt: skip
def test_tables_that_do_not_fit_have_a_reason(name: str, text: str, reason: str) -> None:
    with pytest.raises(NotProbed, match=reason):
        read_rows(files(**{name: text.encode()}), 3)


@pytest.mark.parametrize(
    ("name", "text", "labels"),
    [
        ("s.jsonl", '{"text": "good, so good", "label": 1}\n{"text": "bad", "label": 0}', ("1", "0")),
        ("s.csv", 'label,sentence,id\npos,"good, so good",1\nneg,bad,2\n', ("pos", "neg")),
        ("s.jsonl", '{"utterance": "good, so good", "label": "a"}\n{"utterance": "bad", "label": "b"}', ("a", "b")),
        ("s.txt", "good, so good\n\nbad\n", None),
    ],
)
def test_texts(name: str, text: str, labels: tuple[str, ...] | None) -> None:
    found = read_texts(files(**{name: text.encode()}))
    assert (found.texts, found.labels) == (("good, so good", "bad"), labels)


@pytest.mark.parametrize(
    ("name", "data", "reason"),
    [
        ("s.jsonl", b'{"a": "x", "b": "y"}', "called text or sentence"),
        ("s.jsonl", b'{"text": 7}', "not all texts"),
        ("s.txt", b"\xff\xfe\0a", "not UTF-8"),
        ("s.jsonl", b"[null]", "not all texts"),
        ("s.txt", b" \n", "empty"),
        ("s.jsonl", b"", "empty"),
    ],
)
def test_texts_that_do_not_fit_have_a_reason(name: str, data: bytes, reason: str) -> None:
    with pytest.raises(NotProbed, match=reason):
        read_texts(files(**{name: data}))


def test_a_folder_is_no_table() -> None:
    with pytest.raises(NotProbed, match="not a folder"):
        read_rows(files(a=b"", b=b""), 3)


def _json() -> st.SearchStrategy[object]:
    keys = st.sampled_from(["text", "label", "x", "a"])
    leaves = st.none() | st.floats() | st.text(max_size=3)
    return st.recursive(leaves, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(keys, inner, max_size=3))


HEADS = st.sampled_from([b"\x93NUMPY\1\0", b"PK\3\4", b"\x89PNG\r\n\x1a\n", b"BM", b"P6 8 8 255\n"])


@given(
    st.sampled_from(["s.csv", "s.jsonl", "s.txt", "s.npy", "s.npz", "s.png"]),
    st.binary(max_size=200)
    | st.text(max_size=80).map(str.encode)
    | _json().map(lambda value: json.dumps(value).encode())
    | st.tuples(HEADS, st.binary(max_size=100)).map(b"".join),
)
def test_any_bytes_are_samples_or_have_a_reason(name: str, data: bytes) -> None:
    given = files(**{name: data})
    for read in (lambda: read_images(given, (1, 8, 8)), lambda: read_rows(given, 3), lambda: read_texts(given)):
        try:
            read()
        except NotProbed as error:
            assert error.reason  # noqa: PT017
