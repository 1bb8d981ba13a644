"""Which networks are tried for texts."""

import pytest

from millrace.components.candidates import text
from millrace.components.features.text_spec import TextSpec


def spec(classes=2, words=998, length=100):
    names = tuple(f"class{number}" for number in range(classes))
    return TextSpec(names, tuple(f"word{number}" for number in range(words)), length)


def runs(given, rows):
    return {each.model.most for each in text.of(given, rows) if each.name.startswith("ngrams")}


def test_networks_of_words_and_pairs_come_before_vectors_of_words():
    names = [each.name for each in text.of(spec(), 1000)]
    assert names == ["ngrams", "ngrams_ratios", "embedding"]


@pytest.mark.parametrize(
    ("given", "rows", "most"),
    [
        (spec(), 10_000, 131_072),
        (spec(), 100, 10_000),
        (spec(length=10), 100, 4096),
        (spec(classes=16), 10_000, 64_536),
        (spec(classes=500), 10_000, 4096),
    ],
    ids=["many", "few", "very few", "of 16 classes", "of 500 classes"],
)
def test_as_many_runs_are_told_apart_as_there_may_be_and_weights_for_them(given, rows, most):
    assert runs(given, rows) == {most}


def test_more_texts_than_fit_into_memory_are_left_to_networks_that_read_batches():
    assert [each.name for each in text.of(spec(), 500_001)] == ["embedding"]
    assert len(text.of(spec(), 500_000)) == 3
