"""Tables, drawings and pictures: data is escaped, and what is drawn is right."""

import re

from hypothesis import given
from hypothesis import strategies as st

from millrace.components.display.html import LINE, Markup, bars, escape, line, shortened, table


@given(st.text())
def test_whatever_a_text_holds_it_is_no_markup(text):
    assert not set("<>\"'") & set(escape(text))
    assert escape(Markup(text)) == text


def test_a_table_shows_floats_in_four_digits_and_nothing_for_none():
    shown = table(("name", "value"), [("<pi>", 3.14159), ("none", None), ("one", 1)])
    assert shown == (
        "<table><tr><th>name</th><th>value</th></tr>"
        "<tr><td>&lt;pi&gt;</td><td>3.142</td></tr>"
        "<tr><td>none</td><td></td></tr><tr><td>one</td><td>1</td></tr></table>"
    )
    assert table((), [("a", 1)]) == "<table><tr><td>a</td><td>1</td></tr></table>"


def test_the_tallest_bar_fills_the_height_and_each_names_its_count():
    shown = bars([("0 to 1", 2.0), ("1 to 2", 4.0), ("<b>", 0.0)])
    assert re.findall(r'height="([\d.]+)"', shown)[1:] == ["12.0", "24.0", "0.0"]
    assert re.findall(r"<title>(.*?)</title>", shown) == ["0 to 1: 2", "1 to 2: 4", "&lt;b&gt;: 0"]
    assert bars([]) == ""


def test_a_missing_value_parts_a_line():
    shown = line([0.0, 1.0, float("nan"), 0.5, 0.0])
    assert re.search(r'd="(.*?)"', shown)[1] == "M0.0,34.0L40.0,2.0M120.0,18.0L160.0,34.0"
    assert line([float("nan")]) == ""


@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=50))
def test_a_line_stays_within_its_drawing(values):
    for x, y in re.findall(r"[ML]([-\d.]+),([-\d.]+)", line(values)):
        assert 0 <= float(x) <= LINE[0]
        assert 0 <= float(y) <= LINE[1]


def test_a_long_text_is_cut_and_stands_on_one_line():
    assert shortened("a\n b  c", 10) == "a b c"
    assert shortened("abcdef", 4) == "abc…"
