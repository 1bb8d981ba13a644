"""A directed graph from the top down."""

import re

from millrace.components.display.graph import HEIGHT, Box, draw, layers, reduced

EDGES = [("a", "b"), ("b", "c"), ("a", "c"), ("c", "d"), ("a", "e"), ("e", "d")]


def _tops(drawn):
    """The upper edge of each box by its title."""
    boxes = re.findall(r'<title>(\w+)</title><rect class="box" x="(\d+)" y="(\d+)"', drawn)
    return {title: (int(x), int(y)) for title, x, y in boxes}


def test_an_edge_that_others_imply_is_left_out():
    assert reduced(EDGES) == [("a", "b"), ("b", "c"), ("c", "d"), ("a", "e"), ("e", "d")]


def test_each_stands_below_all_that_it_comes_from():
    assert layers("abcde", EDGES) == [["a"], ["b", "e"], ["c"], ["d"]]


def test_boxes_of_a_layer_stand_side_by_side_and_layers_below_one_another():
    drawn = draw([Box(name, name) for name in "abcde"], EDGES, "five")
    tops = _tops(drawn)
    assert [tops[name][1] for name in "abecd"] == [2, 78, 78, 154, 230]
    assert tops["e"][0] - tops["b"][0] >= 176
    assert tops["a"][0] > tops["b"][0]


def test_a_line_that_passes_a_layer_keeps_clear_of_its_boxes():
    edges = [("a", "b"), ("b", "c"), ("x", "c")]
    drawn = draw([Box(name, name) for name in "axbc"], edges, "four")
    left, top = _tops(drawn)["b"]
    passing = re.search(rf"(\d+),{top}V{top + HEIGHT}", drawn)
    assert not left <= int(passing[1]) <= left + 176


def test_what_it_says_is_escaped():
    drawn = draw([Box("a", "<b>", text="&", link='"x', state='"y', share=0.5)], [], "<i>")
    assert "<b>" not in drawn
    assert "<title>&lt;b&gt;: &amp;</title>" in drawn
    assert 'href="&quot;x"' in drawn
    assert 'class="node &quot;y"' in drawn
    assert 'aria-label="&lt;i&gt;"' in drawn
    assert 'width="87" height="3"' in drawn


def test_nothing_is_drawn_of_nothing():
    assert draw([], [], "none") == ""
