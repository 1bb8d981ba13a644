"""Rows of series, as they are read from a file."""

import pytest
from etils.epath import Path

from millrace.components.example_gen.csv.dialect import CsvFormat
from millrace.components.example_gen.time_series import reading

AS_DETECTED = CsvFormat()


def _quoted(cell):
    return f'"{cell}"' if cell and "," in cell else cell or ""


@pytest.fixture
def rows(tmp_path):
    """Rows of columns by name."""

    def read(name="x.csv", csv=AS_DETECTED, **columns):
        file = Path(tmp_path) / name
        cells = zip(*columns.values(), strict=True)
        lines = [",".join(columns), *(",".join(map(_quoted, row)) for row in cells)]
        file.write_text("\n".join(lines))
        return reading.read(file, csv)

    return read
