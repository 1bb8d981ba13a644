"""Records folded batch by batch are the records folded at once."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from millrace.components.errors import DataError
from millrace.components.files import columns
from millrace.components.statistics.dataset import Dataset, fold
from millrace.components.statistics.proto import Detail, to_proto
from millrace.serving.example import encode

record = st.fixed_dictionaries(
    {},
    optional={
        "number": st.integers(-(2**63) + 1, 2**63 - 1),
        "numbers": st.lists(st.floats(width=32), max_size=3).map(lambda v: np.array(v, "f4")),
        "text": st.text(max_size=2),
        "raw": st.lists(st.binary(min_size=1, max_size=2), min_size=1, max_size=2),
    },
)


@given(records=st.lists(record, max_size=20), cuts=st.lists(st.integers(0, 20), max_size=3))
def test_any_partition_of_the_records_gives_the_same_message(records, cuts):
    serialised = [encode(each) for each in records]
    bounds = [0, *sorted(cuts), len(records)]
    merged = Dataset()
    for start, stop in reversed(list(itertools.pairwise(bounds))):
        merged.merge(fold(columns.batches(serialised[start:stop], "part"), "part"))
    whole = to_proto("train", fold(columns.batches(serialised, "whole"), "whole"), Detail())
    assert to_proto("train", merged, Detail()).SerializeToString(deterministic=True) == (
        whole.SerializeToString(deterministic=True)
    )


def test_batches_make_no_difference(monkeypatch):
    records = [encode({"n": number, "t": str(number % 3)}) for number in range(10)]
    whole = to_proto("s", fold(columns.batches(records, "f"), "f"), Detail())
    monkeypatch.setattr(columns, "BATCH_RECORDS", 3)
    assert to_proto("s", fold(columns.batches(records, "f"), "f"), Detail()) == whole
    monkeypatch.setattr(columns, "BATCH_BYTES", 1)
    assert to_proto("s", fold(columns.batches(records, "f"), "f"), Detail()) == whole


def test_a_feature_absent_from_a_record_is_not_present():
    folded = fold(
        columns.batches([encode({"a": 1}), encode({"b": 1}), encode({"a": 2, "b": 2})], "f"), "f"
    )
    assert folded.examples == 3
    assert folded.features["a"].present == 2


def test_an_empty_list_is_present_with_no_values():
    folded = fold(
        columns.batches([encode({"a": np.array([], np.float32)}), encode({"a": 0.5})], "f"), "f"
    )
    assert folded.features["a"].present == 2
    assert folded.features["a"].lengths.order_statistics(np.arange(2)).tolist() == [0, 1]


def test_no_records_fold_to_nothing():
    assert fold(columns.batches([], "f"), "f") == Dataset()


def test_two_kinds_in_one_shard_are_refused():
    with pytest.raises(
        DataError,
        match=r"Feature 'a': expected values of one kind in every record\. "
        r"Received: float32 in f\.gz and int64 in f\.gz\. Write the records again",
    ):
        fold(columns.batches([encode({"a": 1}), encode({"a": 1.5})], "f.gz"), "f.gz")


def test_two_kinds_in_two_shards_are_refused_with_both_named():
    merged = fold(columns.batches([encode({"a": 1})], "one.gz"), "one.gz")
    with pytest.raises(DataError, match=r"Received: int64 in one\.gz and bytes in two\.gz\."):
        merged.merge(fold(columns.batches([encode({"a": "x"})], "two.gz"), "two.gz"))


def test_a_record_that_is_not_an_example_is_named_by_file_and_number():
    with pytest.raises(DataError, match=r"f\.gz, record 1: .*expected a serialised"):
        fold(columns.batches([encode({"a": 1}), b"\xff\xff"], "f.gz"), "f.gz")
