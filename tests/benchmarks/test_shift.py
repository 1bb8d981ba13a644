"""What the trial of the warning of a split unlike train plants, and what it counts."""

import numpy as np
import pandas as pd

from benchmarks import shift


def _rows(count):
    return [{"label": b"yes" if row % 4 else b"no", "size": float(row)} for row in range(count)]


def test_a_moved_column_is_further_by_the_deviation_of_train():
    here, train = _rows(20), _rows(100)
    changed, column = shift.moved(here, train, np.random.default_rng(0))
    assert column == "size"
    by = float(np.std(np.arange(100.0)))
    assert [row["size"] for row in changed] == [row["size"] + by for row in here]
    assert [row["label"] for row in changed] == [row["label"] for row in here]


def test_a_third_of_one_column_is_missing_and_nothing_of_the_other():
    here = _rows(3_000)
    changed, column = shift.missing(here, here, np.random.default_rng(0))
    (other,) = {"label", "size"} - {column}
    assert 0.3 < sum(column not in row for row in changed) / 3_000 < 0.37
    assert [row[other] for row in changed] == [row[other] for row in here]


def test_a_quarter_of_the_rows_of_the_commonest_value_stay_and_all_others():
    changed, column = shift.thinned(_rows(4_000), _rows(4_000), np.random.default_rng(0))
    assert column == "label"
    assert sum(row["label"] == b"no" for row in changed) == 1_000
    assert 0.22 < sum(row["label"] == b"yes" for row in changed) / 3_000 < 0.28


def test_nothing_is_planted_where_no_column_is_of_the_kind():
    words = [{"text": str(row).encode()} for row in range(50)]
    assert shift.moved(words, words, np.random.default_rng(0)) is None
    assert shift.thinned(words, words, np.random.default_rng(0)) is None


def test_rows_in_order_of_a_number_are_told_and_what_is_planted_in_random_splits_is_counted():
    found = shift.tally(_rows(1_200), splits=2)
    assert (found.rows, found.false) == (1_200, 0)
    assert found.planted["moved"] == (2, 2)
    assert found.in_order == "size has the mean 1110, in train 509.5"


def test_empty_cells_of_a_table_are_left_out_of_a_row():
    table = pd.DataFrame({"word": ["a", None], "number": [1, 2.5]})
    assert shift.rows_of(table) == [{"word": b"a", "number": 1.0}, {"number": 2.5}]
