"""The label that a table's names tell."""

import pyarrow as pa
import pytest

from millrace.components.features.table_label import (
    choose,
    class_name,
    names_codes,
    names_rows,
)


@pytest.mark.parametrize(
    ("names", "last", "label"),
    [
        (("a", "Species", "z"), "z", "Species"),
        (("price", "target"), "price", "target"),
        (("a", "b", "c"), "b", "b"),
        (("a", "b", "c"), "", "c"),
        (("a", "b", "rating"), "", "rating"),
        (("id", "Survived", "Pclass"), "Pclass", "Survived"),
        (("id", "Sale Price", "year"), "year", "Sale Price"),
        (("rating", "a", "b"), "b", "rating"),
        (("a", "rating", "b"), "b", "b"),
        (("age", "income", "churn"), "churn", "churn"),
        (("income", "spent", "bought"), "bought", "income"),
        ((), "", ""),
    ],
)
def test_a_label_is_chosen_by_its_name_else_the_last_column(names, last, label):
    assert choose(names, last)[0] == label


def test_other_columns_that_could_be_it_are_named():
    assert choose(("price", "class", "y"), "y")[1] == ("by its name; 'y', 'price' could be it too")
    assert choose(("price", "target"), "target")[1] == "by its name"
    assert choose(("a", "b"), "b")[1] == "the last column"


@pytest.mark.parametrize(
    ("name", "is_for_rows"),
    [
        *((each, True) for each in ("id", "PassengerId", "order no.", "the customer id")),
        *((each, False) for each in ("", "id of city", "paid", "id/day")),
    ],
)
def test_a_name_says_that_numbers_tell_rows_apart_by_its_last_word(name, is_for_rows):
    assert names_rows(name) == is_for_rows


@pytest.mark.parametrize(
    ("value", "name"), [(b"x\xff", "x\\xff"), (-3, "-3"), (0.1, "0.1"), (2.0, "2.0")]
)
def test_a_class_is_called_as_its_label_is_written(value, name):
    assert class_name(pa.scalar(value)) == name


@pytest.mark.parametrize(
    ("name", "is_code"),
    [
        *((each, True) for each in ("zip", "PLZ", "postal_code", "postcode", "customerZipCode")),
        *((each, True) for each in ("phone", "account_number", "Account No.", "billing zip 2")),
        *(
            (each, False)
            for each in ("zips", "code", "phones", "number", "account", "", "zip/day", "zip day")
        ),
    ],
)
def test_names_of_codes(name, is_code):
    assert names_codes(name) == is_code
