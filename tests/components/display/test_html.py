"""Tables and texts: data is escaped."""

import jinja2
from hypothesis import given
from hypothesis import strategies as st

from millrace.components.display.html import Markup, escape, shortened, table


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


def test_a_template_takes_markup_as_it_is():
    assert jinja2.Template("{{ a }}{{ b }}", autoescape=True).render(a="<", b=Markup("<b>")) == (
        "&lt;<b>"
    )


def test_a_long_text_is_cut_and_stands_on_one_line():
    assert shortened("a\n b  c", 10) == "a b c"
    assert shortened("abcdef", 4) == "abc…"
