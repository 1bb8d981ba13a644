"""The reviews written for this project: how many, of which kind, all different."""

import csv
from collections import Counter

from millrace.components.example_gen.reviews import reviews, reviews_table


def test_there_are_250_different_reviews_of_each_class():
    rows = reviews()
    assert Counter(label for _, label in rows) == {"positive": 250, "negative": 250}
    assert len({text for text, _ in rows}) == 500
    assert rows[0] == ("The film held me from the first scene to the last. I loved it.", "positive")


def test_they_are_written_as_a_table(out):
    file = reviews_table(out).path / "reviews.csv"
    with open(file, newline="") as opened:  # noqa: PTH123  # as any reader of CSV would
        assert [tuple(row) for row in csv.reader(opened)] == [("text", "label"), *reviews()]
