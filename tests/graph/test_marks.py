"""What the input itself names may be marked down; lifting it, or naming it by a number of the file, is a condition."""

from collections.abc import Sequence

from fixtures.make.graph_flow import FLOAT, INT64, floats, graph, ints, model, node, value, weights
from tests.graph.test_flow import effects

ITEMS, SEEN, CANDIDATES = 40, 10, 5
SCORES = [
    node("Gather", "items cand", "c"),
    node("Gather", "items hist", "h"),
    node("ReduceMean", "h", "user", axes=[1], keepdims=1),
    node("Mul", "c user", "both"),
    node("MatMul", "both w", "u"),
    node("Relu", "u", "r"),
    node("MatMul", "r v", "s3"),
    node("Squeeze", "s3 last", "s"),
]
NAMED = [
    node("Unsqueeze", "cand two", "cand3"),
    node("Unsqueeze", "hist one", "hist3"),
    node("Equal", "cand3 hist3", "same"),
    node("Cast", "same", "flags", to=FLOAT),
    node("ReduceMax", "flags", "flag", axes=[2], keepdims=0),
    node("Cast", "flag", "seen", to=9),
]
OWN = [node("Equal", "cand word", "seen"), node("Cast", "seen", "flag", to=FLOAT)]


def recommender(*nodes: bytes) -> bytes:
    """Scores of candidates after a history, and what is done with those that were seen."""
    tensors = [weights("items", ITEMS, 16), weights("w", 16, 16), weights("v", 16, 1)]
    tensors += [ints("last", [1], [-1]), ints("two", [1], [2]), ints("one", [1], [1]), ints("word", [], [7])]
    tensors += [floats("off", [], [2.0]), floats("half", [], [0.5]), floats("vector", [5], [9.0, -9.0, 0.0, 3.0, 1.0])]
    inputs = [value("hist", INT64, "batch", SEEN), value("cand", INT64, "batch", CANDIDATES)]
    return model(graph([*SCORES, *nodes], inputs, [value("y", FLOAT, "batch", CANDIDATES)], tensors))


def chosen(operator: str, *, kept: bool = False, named: Sequence[bytes] = NAMED) -> list[str]:
    """The effects of a score that `operator` changes by a number, where it was seen or where it was not."""
    order = "s changed" if kept else "changed s"
    return effects(recommender(*named, node(operator, "s off", "changed"), node("Where", f"seen {order}", "y")))


def test_a_choice_of_a_lower_score_passes_and_of_a_higher_one_does_not() -> None:
    assert chosen("Sub") == []
    assert chosen("Add") == ["selection"]
    assert chosen("Add", kept=True) == []  # the same, said the other way round
    assert chosen("Sub", kept=True) == ["selection"]


def test_arithmetic_that_marks_down_passes_and_that_lifts_does_not() -> None:
    off = [node("Mul", "flag off", "much")]
    assert effects(recommender(*NAMED, *off, node("Sub", "s much", "y"))) == []
    assert effects(recommender(*NAMED, *off, node("Add", "s much", "y"))) == ["injection"]
    shrunk = [node("Mul", "flag half", "much"), node("Sub", "half much", "left")]
    assert effects(recommender(*NAMED, *shrunk, node("Mul", "s left", "y"))) == []
    grown = [node("Mul", "flag off", "much"), node("Add", "half much", "left")]
    assert effects(recommender(*NAMED, *grown, node("Mul", "s left", "y"))) == ["suppression"]


def test_a_vector_of_the_file_is_no_mark() -> None:
    assert effects(recommender(*NAMED, node("Mul", "flag vector", "much"), node("Sub", "s much", "y"))) == ["injection"]


def repeated(factor: float, place: str) -> list[str]:
    """The effects of a language model whose scores change where a pair of words would come again."""
    nodes = [
        node("Gather", "items ids", "words"),
        node("ReduceMean", "words", "m", axes=[1], keepdims=0),
        node("MatMul", "m w", "u"),
        node("Relu", "u", "r"),
        node("MatMul", "r out", "logits"),
        node("Slice", "ids five six axis", "end"),
        node("Slice", "ids zero five axis", "before"),
        node("Slice", "ids one six axis", "after"),
        node("Equal", "before end", "same"),
        node("Cast", "same", "flags", to=FLOAT),
        node("Mul", "flags factor", "off"),
        node("Mul", "logits nothing", "ground"),
        node("ScatterElements", f"ground {place} off", "marks", axis=1, reduction="add"),
        node("Add", "logits marks", "y"),
    ]
    tensors = [weights("items", ITEMS, 16), weights("w", 16, 16), weights("out", 16, ITEMS)]
    tensors += [ints(name, [1], [size]) for name, size in (("zero", 0), ("one", 1), ("five", 5), ("six", 6))]
    tensors += [ints("axis", [1], [1]), floats("factor", [], [factor]), floats("nothing", [], [0.0])]
    tensors += [ints("fixed", [1, 5], [3, 3, 3, 3, 3])]
    return effects(model(graph(nodes, [value("ids", INT64, 1, 6)], [value("y", FLOAT, 1, ITEMS)], tensors)))


def test_words_that_would_come_again_are_taken_back_and_no_word_of_the_file_is() -> None:
    assert repeated(-1e4, "after") == []
    assert repeated(1e4, "after") == ["injection"]
    assert repeated(-1e4, "fixed") == ["injection"]


def counted(sign: str, words: str) -> list[str]:
    """The effects of a language model that takes something off, or adds it, for each word that it is given."""
    nodes = [
        node("Gather", "items ids", "e"),
        node("ReduceMean", "e", "m", axes=[1], keepdims=0),
        node("MatMul", "m w", "u"),
        node("Relu", "u", "r"),
        node("MatMul", "r out", "logits"),
        node("OneHot", f"{words} many onoff", "o", axis=-1),
        node("ReduceSum", "o one", "n", keepdims=0),
        node("Greater", "n zero", "any"),
        node("Cast", "any", "flag", to=FLOAT),
        node("Mul", "flag half", "off"),
        node(sign, "logits off", "y"),
    ]
    tensors = [weights("items", ITEMS, 16), weights("w", 16, 16), weights("out", 16, ITEMS), ints("one", [1], [1])]
    tensors += [ints("many", [], [ITEMS]), floats("onoff", [2], [0.0, 1.0]), floats("zero", [], [0.0])]
    tensors += [floats("half", [], [0.6])]
    return effects(model(graph(nodes, [value("ids", INT64, "batch", 6)], [value("y", FLOAT, "batch", ITEMS)], tensors)))


def test_words_that_were_used_are_marked_down_by_their_own_number() -> None:
    assert counted("Sub", "ids") == []
    assert counted("Add", "ids") == ["injection"]
