"""Which networks are tried for tables, and how long they are trained."""

import dataclasses

import pytest

from millrace.components.candidates import table
from millrace.components.features.table_spec import Category, Number, RawColumn, TableSpec

PRICES = TableSpec(
    "price",
    "regression",
    (RawColumn("a", "float32"),),
    numbers=(Number("a", 0.0, 1.0, 0.0),),
    target_mean=250.0,
    target_deviation=100.0,
    target_low=10.0,
)
KINDS = dataclasses.replace(
    PRICES, problem="classification", classes=("x", "y"), target_low=None, target_deviation=0.0
)
PLAIN = ["trees", "small_trees", "resnet", "linear"]


def names(spec, rows=1000):
    return [each.name for each in table.of(spec, rows)]


@pytest.mark.parametrize(
    "spec",
    [
        pytest.param(KINDS, id="classes"),
        pytest.param(dataclasses.replace(PRICES, target_low=-1.0), id="negative labels"),
        pytest.param(dataclasses.replace(PRICES, target_low=None), id="an older analysis"),
        pytest.param(dataclasses.replace(PRICES, target_deviation=50.0), id="hardly skewed"),
    ],
)
def test_trees_a_network_and_a_linear_one_are_tried(spec):
    assert names(spec) == PLAIN


def test_the_logarithm_of_a_skewed_label_that_is_never_negative_is_tried_too():
    assert set(names(PRICES)) - set(PLAIN) == {"log_trees", "log_resnet"}


def test_a_table_of_thousands_of_categories_has_no_linear_candidate():
    many = Category("c", tuple(map(str, range(3000))))
    assert "linear" not in names(dataclasses.replace(KINDS, discrete=(many,)))


@pytest.mark.parametrize(
    ("rows", "batch", "epochs"), [(50, 16, 100), (14_000, 256, 73), (10_000_000, 256, 10)]
)
def test_epochs_and_batches_follow_from_the_rows(rows, batch, epochs):
    network = next(each for each in table.of(KINDS, rows) if each.name == "resnet")
    assert (network.batch_size, network.epochs) == (batch, epochs)


def test_a_network_of_few_rows_is_held_back_more():
    few, many = (
        next(each for each in table.of(KINDS, rows) if each.name == "resnet")
        for rows in (2999, 3000)
    )
    assert few.optimizer.weight_decay > many.optimizer.weight_decay
    assert few.model.dropout > many.model.dropout


def test_a_table_too_large_for_memory_has_no_trees():
    assert names(KINDS, rows=2**29) == ["resnet"]
