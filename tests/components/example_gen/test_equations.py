"""The tables inside hold what their equations say."""

from etils.epath import Path

from millrace.components.example_gen.equations import house_prices, line_fit


def cells(file):
    header, *rows = Path(file).read_text().splitlines()
    return header, [tuple(map(float, row.split(","))) for row in rows]


def test_the_line_has_six_points(tmp_path):
    header, rows = cells(line_fit(Path(tmp_path)).path / "line.csv")
    assert header == "x,y"
    assert rows == [(-1, -3), (0, -1), (1, 1), (2, 3), (3, 5), (4, 7)]


def test_six_houses_cost_half_a_unit_and_half_a_unit_per_bedroom(tmp_path):
    header, rows = cells(house_prices(Path(tmp_path)).path / "houses.csv")
    assert header == "bedrooms,price"
    assert rows == [(1, 1.0), (2, 1.5), (3, 2.0), (4, 2.5), (5, 3.0), (6, 3.5)]
