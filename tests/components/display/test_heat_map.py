"""A heat map lies inside, shades by rows, and leads to pages of this site alone."""

import re

from hypothesis import given
from hypothesis import strategies as st

from millrace.components.display import axes, heat_map
from tests.components.display.drawn import HOSTILE, assert_whole, shapes


@given(
    st.lists(st.text(), min_size=1, max_size=120),
    st.lists(st.tuples(st.integers(0, 119), st.integers(0, 119), st.floats()), max_size=40),
)
def test_a_heat_map_stays_inside(names, cells):
    inside = [one for one in cells if max(one[0], one[1]) < len(names)]
    assert_whole(heat_map.draw("t", names, names, inside, row_label="r", column_label="c"))


def test_the_cells_of_a_row_are_shaded_by_their_share_of_it():
    drawn = heat_map.draw("t", ["a", "b"], ["a", "b"], [(0, 0, 3), (0, 1, 1), (1, 1, 8)])
    assert re.findall(r'fill-opacity="([\d.]+)"', drawn) == ["0.39", "0.17", "0.50"]


def test_a_cell_leads_to_what_it_holds_on_this_site_alone():
    links = {(0, 0): "/mill/x?a=1&b=2", (0, 1): "javascript:alert(1)", (1, 1): "//evil.example"}
    cells = [(0, 0, 3), (0, 1, 1), (1, 1, 8)]
    drawn = heat_map.draw("t", ["a", "b"], ["a", "b"], cells, links=links)
    assert re.findall(r'href="(.*?)"', drawn) == ["/mill/x?a=1&amp;b=2"]
    assert 'role="group"' in drawn


def test_names_are_texts_whatever_they_hold():
    drawn = heat_map.draw(
        HOSTILE, [HOSTILE], [HOSTILE], [(0, 0, 1)], row_label=HOSTILE, column_label=HOSTILE
    )
    assert_whole(drawn)
    assert {shape.tag for shape in shapes(drawn)} <= {"g", "path", "rect", "text", "title"}
    assert all(
        axes.width_of(shape.text, 11) <= 420 for shape in shapes(drawn) if shape.tag == "text"
    )
