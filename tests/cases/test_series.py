"""Small series as people bring them: columns, times and numbers are found, or the fix is named."""

import json

import numpy as np
import pytest
from etils.epath import Path

from millrace.components.artifacts import RawFiles
from millrace.components.beam.options import BeamOptions
from millrace.components.example_gen.csv.dialect import CsvFormat
from millrace.components.example_gen.series import series_example_gen
from tests.components.example_gen.conftest import records_of


@pytest.fixture
def ingest(case, tmp_path):
    """The records of a case by split, and its notes."""

    def run(name, **options):
        out = Path(tmp_path / "out")
        out.mkdir()
        source = RawFiles(case(name))
        examples = series_example_gen(source, out, run_on=BeamOptions(), **options)
        return records_of(examples), examples.summary["notes"]

    return run


def test_a_date_and_a_time_in_two_columns_are_one(ingest):
    found, notes = ingest("datetime2.csv")
    assert json.loads(notes["time"]) == ["Date", "Time"]
    assert (notes["frequency"], notes["read"], notes["added"]) == ("h", 600, 0)
    assert found["train"][0]["time"][:2].tolist() == [1729900800, 1729904400]
    np.testing.assert_allclose(found["train"][0]["value"][:2], [100.16, 110.77], rtol=1e-6)


def test_rows_of_several_stores_are_a_series_each(ingest):
    found, notes = ingest("panel.csv")
    assert json.loads(notes["series"]) == ["store"]
    assert json.loads(notes["targets"]) == ["sales"]
    names = [b"east", b"north", b"south"]
    assert [row["series"] for row in found["train"]] == [[name] for name in names]
    days = [sum(len(found[split][n]["time"]) for split in found) for n in range(3)]
    assert days == [300, 300, 300]


def test_both_the_given_value_and_an_empty_cell_are_missing(ingest):
    found, notes = ingest("missing_adds.csv", csv=CsvFormat(missing=("-200",)))
    assert (notes["read"], notes["missing"]) == (400, 16)
    whole = np.concatenate([found[split][0]["y"] for split in ("train", "eval", "test")])
    assert np.flatnonzero(np.isnan(whole)).tolist()[:4] == [7, 9, 57, 59]
    assert np.nanmin(whole) > 0


def test_numbers_have_commas_between_thousands(ingest):
    found, notes = ingest("thousands.csv")
    assert (notes["read"], notes["missing"], notes["frequency"]) == (300, 0, "D")
    np.testing.assert_allclose(found["train"][0]["Close"][:2], [1006.83, 1011.84], rtol=1e-6)
