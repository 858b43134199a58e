"""The picture of a slice: labels do not overlap, nothing crosses a box, and names are text."""

import re
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from modelscan_plus.core.finding import GraphEvidence, GraphNode
from modelscan_plus.outputs.graph_picture import picture
from modelscan_plus.outputs.graph_table import table

_BOX = re.compile(r'<rect x="([\d.]+)" y="([\d.]+)" width="([\d.]+)" height="([\d.]+)"')


@st.composite
def slices(draw: st.DrawFn) -> GraphEvidence:
    count = draw(st.integers(1, 14))
    roles = st.sampled_from(["input", "trigger", "gate", "network", "payload", "effect", "rest", "output"])
    nodes = tuple(
        GraphNode(draw(st.text(max_size=50)), draw(roles), draw(st.text(max_size=60)), "", draw(st.text(max_size=60)))
        for _ in range(count)
    )
    pairs = [(start, end) for end in range(count) for start in range(end)]
    edges = draw(st.lists(st.sampled_from(pairs), unique=True, max_size=20)) if pairs else []
    return GraphEvidence("override", nodes, tuple(edges))


@given(slices())
def test_boxes_never_overlap(evidence: GraphEvidence) -> None:
    boxes = [tuple(map(float, found)) for found in _BOX.findall(picture(evidence, "label"))]
    assert len(boxes) == len(evidence.nodes)
    for number, (x, y, width, height) in enumerate(boxes):
        for left, top, wide, high in boxes[number + 1 :]:
            assert x + width <= left or left + wide <= x or y + height <= top or top + high <= y


@given(slices())
def test_the_table_names_every_part(evidence: GraphEvidence) -> None:
    lines = list(table(evidence, 100))
    assert [int(line.split()[0]) for line in lines] == list(range(1, len(evidence.nodes) + 1))


def test_names_from_the_model_are_text() -> None:
    evidence = GraphEvidence("override", (GraphNode("<script>alert(1)</script>", '"><img onerror=x>', "\x1b[31m"),), ())
    drawn = picture(evidence, "</title><script>")
    assert "<script" not in drawn
    assert "<img" not in drawn
    assert "\x1b" not in drawn


def test_edges_of_an_edited_report_are_left_out() -> None:
    nodes = (GraphNode("a", "input"), GraphNode("b", "output"))
    drawn = picture(GraphEvidence("override", nodes, ((0, 1), (1, 0), (0, 9), (-1, 1))), "label")
    assert drawn.count("<path") == 1


def test_a_long_chain_goes_from_top_to_bottom() -> None:
    nodes = tuple(GraphNode(f"op{number}", "trigger") for number in range(9))
    drawn = picture(GraphEvidence("override", nodes, tuple(pairwise(range(9)))), "label")
    tops = [float(found[1]) for found in _BOX.findall(drawn)]
    assert tops == sorted(tops)
    assert len(set(tops)) == 9


def test_a_part_without_any_text_is_still_a_box() -> None:
    nodes = (GraphNode("a", "input"), GraphNode("", "trigger"), GraphNode("b", "output"))
    drawn = picture(GraphEvidence("override", nodes, ((0, 1), (1, 2), (0, 2))), "label")
    assert len(_BOX.findall(drawn)) == 3
    assert drawn.count("<path") == 3
