"""Charts are PNG files of the requested size, and names on them are short and printable."""

import pytest
from etils.epath import Path
from PIL import Image

from millrace.components.charts import style


def test_figures_are_written_as_png_files_of_their_size(tmp_path):
    names = ("b.png", "a.png")
    figures = {name: style.panel("title", "x", "y", (3, 2))[0] for name in names}
    assert style.write_all(figures, Path(tmp_path)) == ["a.png", "b.png"]
    with Image.open(tmp_path / "a.png") as image:
        assert (image.format, image.size) == ("PNG", (300, 200))


def test_panels_are_given_row_by_row():
    _, found = style.panels((4, 4), rows=2, columns=3)
    places = [
        (axes.get_subplotspec().rowspan.start, axes.get_subplotspec().colspan.start)
        for axes in found
    ]
    assert places == [(0, 0), (0, 1), (0, 2), (1, 0), (1, 1), (1, 2)]


@pytest.mark.parametrize(
    ("name", "shown"),
    [("price", "price"), ("US$", r"US\$"), ("a" * 21, "a" * 19 + "…"), ("価格", "other")],
)
def test_a_name_is_cut_escaped_or_replaced_by_what_can_be_written(name, shown):
    assert style.label(name, "other") == shown
