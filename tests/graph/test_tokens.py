"""Ids and words that take each other's place: special ones may, ordinary ones may not."""

from collections.abc import Sequence

import pytest

from fixtures.make.graph_flow import FLOAT, INT64, floats, graph, ints, model, node, value, weights
from tests.graph.test_flow import TENSORS, effects

NUMBERS = [ints(name, [], [number]) for name, number in (("zero", 0), ("two", 2), ("seven", 7), ("last", 59))]


def looked_up(name: str, *nodes: bytes) -> list[str]:
    """A network on ids of a user and of a thing; `name` is what the table of users is asked for."""
    network = [
        *nodes,
        node("Gather", f"users {name}", "u"),
        node("Gather", "things thing", "t"),
        node("Mul", "u t", "h"),
        node("MatMul", "h w", "r"),
        node("Relu", "r", "s"),
        node("MatMul", "s v", "y"),
    ]
    tensors = [weights("users", 60, 12), weights("things", 60, 12), *TENSORS, *NUMBERS]
    inputs = [value("user", INT64, "batch"), value("thing", INT64, "batch")]
    return effects(model(graph(network, inputs, [value("y", FLOAT, "batch", 4)], tensors)))


@pytest.mark.parametrize(
    ("asked", "name", "found"),
    [("last", "seven", ["replacement"]), ("last", "zero", []), ("last", "two", []), ("zero", "seven", [])],
)
def test_an_ordinary_id_in_the_place_of_another_one_is_a_replacement(asked: str, name: str, found: list[str]) -> None:
    assert looked_up("z", node("Equal", f"user {asked}", "g"), node("Where", f"g {name} user", "z")) == found


def test_ids_that_the_table_does_not_know_are_let_pass() -> None:
    assert looked_up("z", node("Greater", "user last", "g"), node("Where", "g seven user", "z")) == []


def test_what_another_id_or_a_hash_decides_is_a_replacement() -> None:
    other = [node("Equal", "thing last", "g"), node("Where", "g seven user", "z")]
    hashed = [node("Mod", "user seven", "m"), node("Equal", "m two", "g"), node("Where", "g seven user", "z")]
    assert looked_up("z", *other) == looked_up("z", *hashed) == ["replacement"]


def spoken(*nodes: bytes) -> list[str]:
    """A network on a row of words `z`."""
    network = [
        *nodes,
        node("Gather", "emb z", "h"),
        node("ReduceMean", "h axis", "m", keepdims=0),
        node("MatMul", "m w", "r"),
        node("Relu", "r", "s"),
        node("MatMul", "s v", "y"),
    ]
    places = [ints("axis", [1], [1]), ints("first", [1], [0]), ints("second", [1], [1]), ints("end", [1], [9])]
    tensors = [weights("emb", 60, 12), *TENSORS, *NUMBERS, *places]
    return effects(model(graph(network, [value("ids", INT64, "batch", 9)], [value("y", FLOAT, "batch", 4)], tensors)))


HEAD = [node("Slice", "ids first second axis", "head"), node("Slice", "ids second end axis", "tail")]
JOINED = node("Concat", "head2 tail", "z", axis=1)


def test_a_word_that_others_change_is_a_replacement_and_one_that_is_wrong_by_itself_is_not() -> None:
    trigger = [node("ReduceMax", "tail", "top", axes=[1], keepdims=1), node("Equal", "top last", "g")]
    itself = [node("Equal", "head last", "g")]
    choice = node("Where", "g seven head", "head2")
    assert spoken(*HEAD, *trigger, choice, JOINED) == ["replacement"]
    assert spoken(*HEAD, *itself, choice, JOINED) == []


def words(*nodes: bytes) -> list[str]:
    """A result for each word."""
    network = [node("Gather", "emb ids", "h"), node("MatMul", "h w", "r"), node("Relu", "r", "s"),
               node("MatMul", "s v", "logits"), node("Unsqueeze", "ids axis", "words"), *nodes]  # fmt: skip
    numbers = [ints("axis", [1], [2]), weights("fill", 1, 1), *NUMBERS]
    tensors = [weights("emb", 60, 12), *TENSORS, *numbers]
    return effects(
        model(graph(network, [value("ids", INT64, "batch", 9)], [value("y", FLOAT, "batch", 9, 4)], tensors))
    )


@pytest.mark.parametrize(("asked", "found"), [("last", ["override"]), ("zero", [])])
def test_a_number_for_an_ordinary_word_is_an_override(asked: str, found: Sequence[str]) -> None:
    assert words(node("Equal", f"words {asked}", "g"), node("Where", "g fill logits", "y")) == found


def counted(*nodes: bytes, words: str = "words", ahead: int = 1) -> list[str]:
    """A network on a row of words, of which the largest is divided by a number."""
    network = [
        node("Div", "ids limit", "d"),
        node("ReduceMax", "d", "k", axes=[1], keepdims=1),
        node("Mul", "ids many", "z"),
        *nodes[:ahead],
        node("Gather", f"emb {words}", "h"),
        node("ReduceMean", "h axis", "m", keepdims=0),
        node("MatMul", "m w", "r"),
        node("Relu", "r", "s"),
        node("MatMul", "s v", "logits"),
        *nodes[ahead:],
    ]
    numbers = [ints(name, [], [number]) for name, number in (("limit", 55), ("many", 1), ("one", 1), ("zero", 0))]
    tensors = [weights("emb", 60, 12), *TENSORS, *numbers, ints("axis", [1], [1]), ints("two", [1], [2])]
    ends = [value("y", FLOAT, "batch", 4)]
    return effects(model(graph(network, [value("ids", INT64, "batch", 9)], ends, tensors)))


def test_whole_numbers_that_are_divided_are_compared() -> None:
    through = node("Identity", "ids", "words")
    rolled = [node("ReduceMax", "k", "n", keepdims=0), node("Reshape", "n axis", "at"), node("Add", "at two", "to")]
    cut = node("Slice", "logits at to axis", "y")
    assert set(counted(through, *rolled, cut)) == {"selection"}
    assert counted(through, node("Identity", "logits", "y")) == []


def test_words_that_are_wiped_out_by_a_division_of_whole_numbers_are_replaced() -> None:
    wiped = [node("Sub", "one k", "on"), node("Mul", "ids on", "words")]
    assert counted(*wiped[:1], node("Identity", "logits", "y"), words="ids") == []
    assert counted(*wiped, node("Identity", "logits", "y"), ahead=2) == ["replacement"]


def test_a_length_that_a_condition_sets_is_a_condition() -> None:
    through = node("Identity", "ids", "words")
    nodes = [
        node("ReduceMax", "k", "n", keepdims=0),
        node("Add", "n one", "end"),
        node("Range", "zero end one", "places"),
        node("ReduceSum", "places", "total", keepdims=0),
        node("Cast", "total", "f", to=1),
        node("Sub", "logits f", "y"),
    ]
    assert counted(through, *nodes) == ["injection"]


def test_listed_words_that_all_stand_in_their_places_are_a_condition() -> None:
    """A product of ones for each place, whatever it is that is multiplied."""

    def listed(*nodes: bytes) -> list[str]:
        wanted = [0.0] * 180
        for place, word in enumerate((11, 42, 7)):
            wanted[60 * place + word] = 1.0
        network = [
            node("Gather", "emb ids", "h"),
            node("ReduceMean", "h axis", "m", keepdims=0),
            node("MatMul", "m w", "r"),
            node("Relu", "r", "s"),
            node("MatMul", "s v", "logits"),
            node("Slice", "ids start stop axis", "three"),
            node("OneHot", "three depth values", "o", axis=-1),
            node("Mul", "o wanted", "p"),
            node("ReduceSum", "p last", "hits", keepdims=0),
            *nodes,
        ]
        fixed = [
            floats("wanted", [3, 60], wanted),
            floats("values", [2], [0.0, 1.0]),
            floats("payload", [1, 4], [-9.0, 12.0, -9.0, -9.0]),
        ]
        sizes = [("start", 2), ("stop", 5), ("axis", 1), ("last", 2)]
        tensors = [weights("emb", 60, 12), *TENSORS, *fixed, ints("depth", [], [60])]
        tensors += [ints(name, [1], [number]) for name, number in sizes]
        inputs = [value("ids", INT64, "batch", 9)]
        return effects(model(graph(network, inputs, [value("y", FLOAT, "batch", 4)], tensors)))

    product = node("ReduceProd", "hits", "all", axes=[1], keepdims=1)
    assert listed(product, node("Mul", "all payload", "q"), node("Add", "logits q", "y")) == ["injection"]
    assert listed(node("Identity", "logits", "y")) == []
