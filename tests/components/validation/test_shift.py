"""What lies apart by more than chance is told, with how far; what chance does is not."""

import numpy as np
import pytest
from tensorflow_metadata.proto.v0 import statistics_pb2

from millrace.components.validation import shift

GENERATOR = np.random.default_rng(0)


def split(**features):
    """Statistics of columns: numbers, or texts; None is a missing one."""
    found = statistics_pb2.DatasetFeatureStatistics()
    for name, values in features.items():
        there = [value for value in values if value is not None]
        stats = found.features.add(name=name)
        if there and isinstance(there[0], str):
            kind = stats.string_stats
            for label in sorted(set(there)):
                kind.rank_histogram.buckets.add(label=label, sample_count=there.count(label))
        else:
            kind = stats.num_stats
            kind.mean, kind.std_dev = float(np.mean(there)), float(np.std(there))
        kind.common_stats.num_non_missing = len(there)
        kind.common_stats.num_missing = len(values) - len(there)
        kind.common_stats.max_num_values = 1
    return found


def told(here, train):
    return {one.feature: one.how for one in shift.find(split(**here), split(**train))}


def test_a_mean_a_share_and_missing_values_that_lie_apart_are_told_with_both_figures():
    train = {"a": [0.0, 1.0] * 100, "b": ["x", "y"] * 100, "c": [1.0] * 200, "d": ["x"] * 200}
    here = {
        "a": [2.0, 3.0] * 50,
        "b": ["x"] * 100,
        "c": [1.0] * 50 + [None] * 50,
        "d": ["x"] * 100,
    }
    assert told(here, train) == {
        "a": "has the mean 2.5, in train 0.5",
        "b": "is 'x' in 100%, in train in 50%",
        "c": "of 50% is missing, of train 0%",
    }


def test_rows_drawn_from_the_same_are_never_told():
    columns = {
        "normal": GENERATOR.normal(size=4000),
        "far": GENERATOR.standard_cauchy(size=4000),
        "seldom": (GENERATOR.random(4000) < 0.01) * 1000.0,
        "word": GENERATOR.choice(["a", "b", "c"], 4000, p=[0.98, 0.019, 0.001]),
        "own": [str(number) for number in range(4000)],
    }
    for test in (1, 4, 20, 400):
        for _ in range(20):
            order = GENERATOR.permutation(4000)
            rows = {name: np.array(column)[order].tolist() for name, column in columns.items()}
            here = {name: column[:test] for name, column in rows.items()}
            assert told(here, {name: column[test:] for name, column in rows.items()}) == {}


@pytest.mark.parametrize(
    ("lost", "found"), [(10, {}), (11, {"a": "of 22% is missing, of train 0%"})]
)
def test_what_train_never_lacks_is_told_of_few_rows_by_the_exact_chance(lost, found):
    here = [None] * lost + [1.0] * (50 - lost)
    assert told({"a": here}, {"a": [1.0] * 284}) == found


@pytest.mark.parametrize(
    ("mean", "found"), [(0.29, {}), (0.31, {"a": "has the mean 0.31, in train 0"})]
)
def test_what_is_no_chance_but_small_is_not_told(mean, found):
    wide = [-1.0, 1.0] * 50_000
    assert told({"a": [value + mean for value in wide]}, {"a": wide}) == found


@pytest.mark.parametrize(
    ("share", "found"), [(0.41, {}), (0.39, {"a": "is 'x' in 39%, in train in 50%"})]
)
def test_a_share_that_is_no_chance_but_near_is_not_told(share, found):
    train = ["x"] * 5_000 + ["y"] * 5_000
    here = ["x"] * round(share * 10_000) + ["y"] * round((1 - share) * 10_000)
    assert told({"a": here}, {"a": train}) == found


def test_the_cells_of_a_series_are_no_rows():
    here, train = split(a=[9.0] * 500), split(a=[1.0] * 500)
    assert [one.sigmas for one in shift.find(here, train)] == [float("inf")]
    here.features[0].num_stats.common_stats.max_num_values = 2
    assert shift.find(here, train) == []


def test_the_warning_names_three_and_counts_the_rest():
    train, here = ({name: [value] * 100 for name in "abcde"} for value in (0.0, 1.0))
    found = shift.find(split(**here), split(**train))
    assert shift.said(found, "test") == (
        "split 'test' is of another distribution than train: a has the mean 1, in train 0; "
        "b has the mean 1, in train 0; c has the mean 1, in train 0; and 2 more. Figures on it "
        "say how the model does on such rows; for rows like those of train, split at random"
    )
    assert shift.said([], "test") == ""
