"""The arithmetic that turns columns into a network's inputs, alone and over records."""

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from millrace.components import files
from millrace.components.artifacts import Rejected
from millrace.components.errors import DataError, OptionError
from millrace.components.features import table, table_rows, table_spec
from millrace.components.features.table_spec import (
    Buckets,
    Category,
    Cross,
    Number,
    RawColumn,
    TableSpec,
)
from millrace.serving.example import decode, encode

SPEC = TableSpec(
    target="price",
    problem="regression",
    raw=(RawColumn("area", "float32"), RawColumn("rooms", "int64"), RawColumn("town", "bytes")),
    numbers=(
        Number("area", center=50.0, scale=25.0, default=50.0, indicator=True),
        Number("rooms", center=0.0, scale=1.0, default=3.0),
    ),
    discrete=(
        Category("rooms", ("1", "2", "3")),
        Category("town", ("Bergen", "Oslo", "Ålesund")),
        Buckets("area", (40.0, 80.0)),
    ),
    crosses=(Cross(("town", "area"), 25), Cross(("town", "rooms"), 6)),
)


def columns(area, rooms, town):
    return {
        "area": tf.constant(area, tf.float32),
        "rooms": tf.constant(rooms, tf.float32),
        "town": tf.constant(town, tf.string),
    }


def test_numbers_are_scaled_and_missing_ones_take_the_default_and_are_marked():
    found = table.preprocess(columns([75, np.nan], [2, np.nan], ["Oslo", ""]), SPEC)["numeric"]
    assert found.numpy().tolist() == [[1.0, 2.0, 0.0], [0.0, 3.0, 1.0]]
    assert found.dtype == tf.float32


def test_each_category_has_its_ids_beginning_at_its_offset():
    assert SPEC.sizes == (5, 5, 5, 25, 6)
    assert SPEC.offsets == (0, 5, 10, 15, 40)
    towns = ["Bergen", "Oslo", "Ålesund", "Rome", ""]
    found = table.preprocess(columns([39, 40, 79, 80, np.nan], [1, 3, 2.5, 9, np.nan], towns), SPEC)
    ids = found["categorical"].numpy() - np.array(SPEC.offsets)
    assert ids[:, 0].tolist() == [2, 4, 1, 1, 0]
    assert ids[:, 1].tolist() == [2, 3, 4, 1, 0]
    assert ids[:, 2].tolist() == [2, 3, 3, 4, 0]
    assert found["categorical"].dtype == tf.int32


def test_a_cross_that_has_room_is_the_pair_itself_and_else_a_hash_of_it():
    found = table.preprocess(columns([39, 80], [1, 2], ["Oslo", "Oslo"]), SPEC)
    ids = found["categorical"].numpy() - np.array(SPEC.offsets)
    assert ids[:, 3].tolist() == [3 * 5 + 2, 3 * 5 + 4]
    assert all(0 <= each < 6 for each in ids[:, 4].tolist())


@given(st.lists(st.text(min_size=1, max_size=3), min_size=1, max_size=30, unique=True), st.data())
@settings(deadline=None, max_examples=30)
def test_every_value_finds_its_own_place_in_the_vocabulary(words, data):
    vocabulary = tuple(sorted(words, key=str.encode))
    sought = data.draw(st.lists(st.one_of(st.sampled_from(vocabulary), st.text(max_size=3))))
    values = tf.constant([word.encode() for word in sought], tf.string)
    found = table._vocabulary_ids(values, Category("w", vocabulary)).numpy().tolist()
    places = {word: place + 2 for place, word in enumerate(vocabulary)}
    assert found == [places.get(word, 1) if word else 0 for word in sought]


def test_an_empty_batch_gives_empty_inputs():
    found = table.preprocess(columns([], [], []), SPEC)
    assert {name: each.shape.as_list() for name, each in found.items()} == {
        "numeric": [0, 3],
        "categorical": [0, 5],
    }


def test_serialised_records_give_the_columns_that_the_rows_give():
    rows = [
        {"area": np.float32([75]), "rooms": 2, "town": "Oslo", "price": 1.0},
        {"rooms": np.array([], np.int64)},
        {"town": ["a", "b"], "rooms": [1, 2]},
    ]
    found = table.parse(tf.constant([encode(row) for row in rows]), SPEC)
    assert found["town"].numpy().tolist() == [b"Oslo", b"", b"a"]
    np.testing.assert_array_equal(found["area"], np.float32([75, np.nan, np.nan]))
    np.testing.assert_array_equal(found["rooms"], np.float32([2, np.nan, 1]))
    batch = files.columns.of_records([encode(row) for row in rows], "f")
    for raw in SPEC.raw:
        np.testing.assert_array_equal(table_rows.column(batch, raw), found[raw.name].numpy())


def transformed(rows, spec):
    rejected: list[Rejected] = []
    batches = files.columns.batches(map(encode, rows), "f")
    return [decode(each) for each in table_rows.transform(batches, "f", spec, rejected)], rejected


def test_rows_become_records_of_the_layout_and_odd_ones_are_set_aside():
    rows = [
        {"area": 75.0, "rooms": 2, "town": "Oslo", "price": 3.0},
        {"area": 75.0},
        {"price": np.float32([np.nan])},
        {"town": ["a", "b"], "price": 1.0},
        {"price": -0.5},
    ]
    found, rejected = transformed(rows, SPEC)
    assert [row["label"].tolist() for row in found] == [[3.0], [-0.5]]
    assert found[0]["numeric"].tolist() == [1.0, 2.0, 0.0]
    assert found[0]["numeric"].dtype == np.float32
    assert found[0]["categorical"].dtype == np.int64
    assert [(item.position, item.reason) for item in rejected] == [
        ("f, record 1", "no number 'price'"),
        ("f, record 2", "'price' is not a finite number"),
        ("f, record 3", "several values in column 'town'"),
    ]


def test_a_batch_of_rows_without_a_label_gives_no_records():
    found, rejected = transformed([{"area": 75.0}, {"rooms": 2}], SPEC)
    assert (found, len(rejected)) == ([], 2)


def test_rows_are_numbered_through_all_batches(monkeypatch):
    monkeypatch.setattr(files.columns, "BATCH_RECORDS", 2)
    _, rejected = transformed([{"price": 1.0}] * 4 + [{"area": 75.0}], SPEC)
    assert [item.position for item in rejected] == ["f, record 4"]


def test_text_where_training_had_numbers_is_refused():
    with pytest.raises(DataError) as refused:
        transformed([{"area": "wide", "price": 1.0}], SPEC)
    assert str(refused.value) == (
        "Column 'area': expected float32 values, as in the train split. Received: binary. "
        "Run `analyze` again, or give records of the same columns."
    )


def test_classes_are_known_by_their_text_whatever_their_type():
    spec = TableSpec(
        "y", "classification", (RawColumn("rooms", "int64"),), ("0", "7"), SPEC.numbers[1:]
    )
    found, rejected = transformed([{"rooms": 1, "y": 7}, {"rooms": 1, "y": 3}, {"rooms": 1}], spec)
    assert [row["label"].tolist() for row in found] == [[1]]
    assert found[0].keys() == {"numeric", "label"}
    assert [item.reason for item in rejected] == ["class '3' is not in the train split", "no 'y'"]


def test_the_layout_names_what_a_network_takes():
    layout = SPEC.layout
    assert [(each.name, each.dtype, each.shape) for each in layout.inputs] == [
        ("numeric", "float32", (3,)),
        ("categorical", "int32", (5,)),
    ]
    assert (layout.target.name, layout.target.dtype) == ("label", "float32")


@pytest.mark.parametrize(
    ("text", "columns"),
    [("a:b", ("a", "b")), ("a:b:c:d", ("a", "b:c", "d")), ("d:b:c", ("d", "b:c"))],
)
def test_crosses_are_read_although_names_hold_colons(text, columns):
    assert table_spec.parse_crosses([text], ["a", "b", "b:c", "d"], 9) == (Cross(columns, 9),)


@pytest.mark.parametrize("text", ["a", "a:z", "a:", ""])
def test_a_cross_of_one_column_or_an_unknown_one_is_refused(text):
    with pytest.raises(
        OptionError, match=r"^analyze\.features\.crosses: expected categorical .*, of a, b\. Rec"
    ):
        table_spec.parse_crosses([text], ["a", "b"], 9)


def test_a_cross_that_could_be_read_in_very_many_ways_is_read_at_once():
    text = ":".join("a" * 5_000)
    (cross,) = table_spec.parse_crosses([text], ["a", "a:a"], 9)
    assert cross.columns == ("a:a",) * 2_500
    with pytest.raises(OptionError, match="expected categorical"):
        table_spec.parse_crosses([f"{text}:z"], ["a", "a:a"], 9)
