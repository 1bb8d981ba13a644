"""Many columns take no longer than their cells do."""

import pytest
from etils.epath import Path

from millrace.components.example_gen.csv import numbers
from millrace.components.example_gen.csv.dialect import CsvFormat
from millrace.components.example_gen.time_series import reading


@pytest.fixture
def wide(tmp_path):
    names = [f"c{number}" for number in range(50)]
    lines = [f"2020-01-{day:02}," + ",".join([f"{day},5"] * 25) for day in range(1, 9)]
    (tmp_path / "a.csv").write_text("\n".join([",".join(["day", *names]), *lines]))
    return Path(tmp_path / "a.csv")


def test_columns_of_few_cells_are_looked_at_together(wide, monkeypatch):
    calls, taken_apart = [], numbers.taken_apart

    def counted(cells):
        calls.append(len(cells))
        return taken_apart(cells)

    monkeypatch.setattr(numbers, "taken_apart", counted)
    reading.read(wide, CsvFormat())
    # A day or 5 in each column; what may be a number in its sample, and then in all of it; the day.
    assert calls == [233, 8, 225]


def test_how_columns_are_read_does_not_depend_on_how_many_are_looked_at_at_once(wide, monkeypatch):
    together = reading.read(wide, CsvFormat()).readings
    monkeypatch.setattr(reading, "_CELLS", 20)
    assert reading.read(wide, CsvFormat()).readings == together
    assert {together["c0"].kind, together["c1"].kind} == {"int"}
    assert together["day"].kind == "date"
