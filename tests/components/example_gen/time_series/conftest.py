"""Rows of series, as they are read from a file."""

import pytest
from etils.epath import Path

from millrace.components.example_gen.csv.dialect import CsvFormat
from millrace.components.example_gen.time_series import reading


@pytest.fixture
def rows(tmp_path):
    """Rows of the text of a CSV, or of columns by name."""

    def read(text="", name="x.csv", **columns):
        file = Path(tmp_path) / name
        cells = zip(*columns.values(), strict=True)
        lines = [",".join(columns), *(",".join(each or "" for each in row) for row in cells)]
        file.write_text(text or "\n".join(lines))
        return reading.read(file, CsvFormat())

    return read
