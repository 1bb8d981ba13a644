"""A user's own columns of a table: counted by analyze, and the same in transform and serving."""

import numpy as np
import pytest
import tensorflow as tf

from millrace.components.errors import OptionError
from millrace.components.features import hook, hook_spec, table, table_rows
from millrace.components.features.table_spec import Category, Number, RawColumn, TableSpec
from millrace.components.files import columns
from millrace.serving.example import decode, encode

OWN = "tests.components.features.own_hooks"
RAW = (RawColumn("area", "float32"), RawColumn("rooms", "int64"), RawColumn("town", "bytes"))
ROOMY = hook_spec.settle(f"{OWN}:roomy")
ROWS = columns.of_records(
    [
        encode({"area": 60.0, "rooms": 3, "town": "Oslo", "price": 7.5}),
        encode({"area": 50.0, "town": "ROME", "price": 1.5}),
        encode({"rooms": 2, "price": 2.5}),
    ],
    "f",
)


def test_records_hold_the_columns_made_and_the_label_and_lack_missing_cells():
    (found,) = table_rows.preprocessed([ROWS], RAW, ROOMY, "price")
    plain = [{name: value[0] for name, value in row.items() if value} for row in found.to_pylist()]
    assert plain == [
        {"per_room": 20, "town": b"oslo", "price": 7.5},
        {"town": b"rome", "price": 1.5},
        {"price": 2.5},
    ]


def test_numbers_and_categories_are_of_the_columns_made():
    spec = TableSpec(
        "price",
        "regression",
        RAW,
        numbers=(Number("per_room", 10.0, 5.0, 10.0),),
        discrete=(Category("town", ("oslo", "rome")),),
        hook=ROOMY,
    )
    found = table_rows.inputs_of(ROWS, spec)
    assert found["numeric"].tolist() == [[2.0], [0.0], [0.0]]
    assert found["categorical"].tolist() == [[2], [3], [0]]
    served = tf.function(lambda columns: table.preprocess(columns, spec))
    inputs = {
        "area": tf.constant([60.0]),
        "rooms": tf.constant([3.0]),
        "town": tf.constant(["OSLO"]),
    }
    assert served(inputs)["numeric"].numpy().tolist() == [[2.0]]


@pytest.mark.parametrize(
    ("name", "received"),
    [("shapeless", r"area: float32 \[.*, 1\]"), ("nothing", "a NoneType")],
)
def test_anything_but_columns_is_refused(name, received):
    columns = {"area": tf.constant(np.float32([1, 2]))}
    with pytest.raises(OptionError, match=rf"return columns by name, .*Received: {received}\. R"):
        hook.columns(hook_spec.settle(f"{OWN}:{name}"), columns)


def test_a_class_written_in_another_way_is_that_class():
    spec = TableSpec(
        "won", "classification", (RawColumn("x", "float32"),), classes=("1", "no", "yes")
    )
    cells = ["yes", "Yes", "NO", "1.0", "maybe"]
    raw = columns.of_records([encode({"x": 1.0, "won": cell}) for cell in cells], "f")
    rejected = []
    found = [decode(each)["label"] for each in table_rows.transform([raw], "f", spec, rejected)]
    assert [int(label[0]) for label in found] == [2, 2, 1, 0]
    assert [each.reason for each in rejected] == ["class 'maybe' is not in the train split"]
