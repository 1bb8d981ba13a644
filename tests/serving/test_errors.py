"""The first of many names, and how many there are beside them."""

import pytest

from millrace.serving.errors import few


@pytest.mark.parametrize(
    ("count", "shown"),
    [
        (0, ""),
        (1, "0"),
        (3, "0, 1, 2"),  # one more than are shown is named, not counted
        (4, "0, 1 and 2 more"),
        (2002, "0, 1 and 2,000 more"),
    ],
)
def test_the_first_are_named_and_the_rest_counted(count, shown):
    assert few(range(count), most=2) == shown


def test_a_table_of_thousands_of_columns_is_told_by_ten():
    assert few(f"'c{number}'" for number in range(5000)).endswith("'c8', 'c9' and 4,990 more")
