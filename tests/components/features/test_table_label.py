"""The label that a table's names tell."""

import pytest

from millrace.components.features.table_label import choose, names_codes


@pytest.mark.parametrize(
    ("names", "last", "label"),
    [
        (("a", "Species", "z"), "z", "Species"),
        (("price", "target"), "price", "target"),
        (("a", "b", "c"), "b", "b"),
        (("a", "b", "c"), "", "c"),
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
    assert choose(("a", "b"), "b")[1] == "the last column"


@pytest.mark.parametrize(
    ("name", "is_code"),
    [
        *((each, True) for each in ("zip", "PLZ", "postal_code", "postcode", "customerZipCode")),
        *((each, True) for each in ("phone", "account_number", "Account No.", "billing zip 2")),
        *((each, False) for each in ("zips", "code", "phones", "number", "account", "", "zip/day")),
    ],
)
def test_names_of_codes(name, is_code):
    assert names_codes(name) == is_code
