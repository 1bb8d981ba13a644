"""Charts: everything lies inside, gaps stay gaps, texts are texts, and what is drawn is right."""

import re

from hypothesis import given
from hypothesis import strategies as st

from millrace.components.display import axes, charts, drawing
from tests.components.display.drawn import HOSTILE, assert_whole, corners, shapes, walked

NUMBER = st.none() | st.floats()
NUMBERS = st.lists(NUMBER, max_size=30)


@given(NUMBERS, NUMBERS, NUMBERS, st.booleans())
def test_lines_stay_inside(y, low, high, is_log):
    series = [{"name": "a", "y": y, "low": low, "high": high}, {"name": "b", "x": low, "y": high}]
    marks = [("m", value) for value in y[:2] if value is not None]
    assert_whole(charts.lines("t", series, log_x=is_log, marks=marks, x_label="x", diagonal=True))


@given(st.lists(st.tuples(NUMBER, NUMBER), max_size=40), st.booleans())
def test_points_stay_inside(pairs, has_line):
    x, y = [a for a, _ in pairs], [b for _, b in pairs]
    assert_whole(charts.scatter("t", x, y, x_label="x", diagonal=has_line))


@given(st.lists(st.tuples(st.text(), NUMBER, NUMBER, NUMBER), max_size=70))
def test_bars_stay_inside(rows):
    intervals = [(a, b) for _, _, a, b in rows]
    assert_whole(
        charts.bars("t", [(name, value) for name, value, _, _ in rows], intervals=intervals)
    )


@given(st.lists(st.text(), max_size=30), NUMBERS, NUMBERS, NUMBERS, st.booleans())
def test_columns_stay_inside(names, y, low, high, share):
    series = [{"name": "a", "y": y, "low": low, "high": high}, {"name": "b", "y": low}]
    assert_whole(charts.columns("t", names, series, share=share))


@given(st.lists(st.tuples(st.floats(), st.floats(0), st.floats(0)), max_size=20))
def test_histograms_stay_inside(buckets):
    ordered = sorted((low, low + width, count) for low, width, count in buckets)
    assert_whole(charts.histograms("t", {"train": ordered, "eval": ordered[:3]}))


@given(NUMBERS)
def test_small_drawings_stay_inside(values):
    if drawn := charts.spark_line(values):
        assert_whole(drawn)
    if drawn := charts.spark_bars(
        [("a", value or 0.0) for value in values if charts.axes.is_known(value) and value >= 0]
    ):
        assert_whole(drawn)


def test_a_line_goes_where_its_values_are():
    drawn = charts.lines("loss", [{"name": "training", "y": [0.0, 1.0, 0.5]}])
    path = next(s.attrib["d"] for s in shapes(drawn) if s.attrib.get("stroke-width") == "1.8")
    (left, low), (middle, high), (right, half) = walked(path)
    assert (low, high, half) == (220.0, 45.0, 132.5)
    assert right == 410.0
    assert abs(middle - (left + right) / 2) <= 0.1


def test_a_gap_parts_a_line_and_a_lone_value_is_a_point():
    drawn = charts.spark_line([0.0, 1.0, None, 0.5, float("nan"), 0.0, 1.0])
    assert re.search(r' d="(.*?)"', drawn)[1] == "M2.0,34.0L28.0,2.0M132.0,34.0L158.0,2.0"
    assert drawn.count("<circle") == 1
    assert charts.spark_line([None]) == ""


def test_ten_thousand_values_are_thinned_and_keep_their_extremes():
    values = [0.0] * 10_000
    values[5000], values[7000] = 9.0, -9.0
    drawn = charts.lines("t", [{"name": "a", "y": values}])
    heights = {y for _, y in corners(drawn)}
    assert len(drawn) < 40_000
    top = charts.lines("t", [{"name": "a", "y": [-9.0, 9.0]}])
    assert {min(heights), max(heights)} >= {min(y for _, y in corners(top))}


def test_points_that_would_cover_one_another_are_one():
    assert charts.scatter("t", [1.0] * 500 + [2.0], [1.0] * 500 + [2.0]).count("h0") == 2


def test_a_label_says_what_is_shown():
    drawn = charts.lines("loss", [{"name": "training", "y": [2.0, 0.5, 1.0]}], marks=[("best", 1)])
    assert 'role="img"' in drawn
    assert 'aria-label="loss: training from 2 to 1, between 0.5 and 2; best at 1"' in drawn


def test_lines_differ_by_more_than_their_colour():
    drawn = charts.lines("t", [{"name": n, "y": [0.0, 1.0]} for n in "abcd"])
    pens = [
        s.attrib.get("stroke-dasharray")
        for s in shapes(drawn)
        if s.attrib.get("stroke-width") == "1.8"
    ]
    assert len(set(pens)) == 4


def test_the_tallest_bar_fills_the_height_and_each_names_its_count():
    shown = charts.spark_bars([("0 to 1", 2.0), ("1 to 2", 4.0), ("<b>", 0.0)])
    assert re.findall(r'height="([\d.]+)"', shown)[1:] == ["12.0", "24.0", "0.0"]
    assert re.findall(r"<title>(.*?)</title>", shown) == ["0 to 1: 2", "1 to 2: 4", "&lt;b&gt;: 0"]
    assert charts.spark_bars([]) == ""


def test_bars_beyond_the_sixtieth_are_counted():
    drawn = charts.bars("t", [(f"n{number}", 1.0) for number in range(75)])
    assert drawn.count("<rect") == 60
    assert "and 15 more" in drawn


def test_shares_of_unlike_sizes_are_alike():
    series = [{"name": "train", "y": [90, 10]}, {"name": "eval", "y": [9, 1]}]
    drawn = charts.columns("t", ["a", "b"], series, share=True)
    heights = [shape.attrib["height"] for shape in shapes(drawn) if shape.tag == "rect"]
    assert heights[:2] == heights[2:]


def test_names_are_texts_whatever_they_hold_and_no_wider_than_their_place():
    for drawn in (
        charts.lines(
            HOSTILE,
            [{"name": HOSTILE, "y": [1.0, 2.0]}],
            x_names=[HOSTILE] * 2,
            marks=[(HOSTILE, 1.0)],
        ),
        charts.bars(HOSTILE, [(HOSTILE, 1.0)]),
        charts.columns(HOSTILE, [HOSTILE], [{"name": HOSTILE, "y": [1.0]}] * 2),
        charts.histograms(HOSTILE, {HOSTILE: [(0, 1, 1)]}),
        charts.scatter(HOSTILE, [1.0], [1.0], x_label=HOSTILE),
        charts.spark_bars([(HOSTILE, 1.0)]),
    ):
        assert_whole(drawn)
        assert {shape.tag for shape in shapes(drawn)} <= {
            "g",
            "path",
            "rect",
            "circle",
            "text",
            "title",
        }
        assert "\N{RIGHT-TO-LEFT OVERRIDE}" not in drawn
        for shape in shapes(drawn):
            if shape.tag == "text":
                assert axes.width_of(shape.text, 11) <= 420


def test_each_metric_gets_a_chart_with_validation_beside_training():
    columns = ["epoch", "loss", "accuracy", "val_loss"]
    loss, accuracy = charts.learning_curves(columns, [[1, 2.0, 0.1, 3.0], [2, 1.0, 0.2, 2.0]])
    assert 'aria-label="loss: training from 2 to 1, between 1 and 2; validation from 3' in loss
    assert "validation" not in accuracy
    assert list(charts.learning_curves(["epoch", "loss"], [[1, 2.0]])) == []


def test_each_series_has_the_colour_and_the_class_of_its_number():
    drawn = charts.lines("t", [{"name": name, "y": [1.0, 2.0]} for name in ("a", "b")])
    groups = [
        shape.attrib for shape in shapes(drawn) if shape.attrib.get("class", "").startswith("s")
    ]
    found = {(each["class"], each["color"]) for each in groups}
    assert found == {("s1", drawing.COLOURS[0]), ("s2", drawing.COLOURS[1])}
