"""Which networks are tried for texts."""

import pytest

from millrace.components.candidates import text
from millrace.components.features.text_spec import TextSpec


def spec(classes=2, words=998, length=100, letters=0):
    names = tuple(f"class{number}" for number in range(classes))
    vocabulary = tuple(f"word{number}" for number in range(words))
    return TextSpec(names, vocabulary, length, letters=letters)


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


def test_a_network_of_letters_is_tried_where_there_are_some_and_not_too_many():
    names = [each.name for each in text.of(spec(letters=40), 500_000)]
    assert names == ["ngrams", "ngrams_ratios", "ngrams_of_letters", "embedding"]
    assert [each.name for each in text.of(spec(letters=41), 500_001)] == ["embedding"]


@pytest.mark.parametrize(
    ("classes", "rows", "most"),
    [(2, 10_000, 131_072), (2, 10, 4096), (2, 100, 10_000), (16, 10_000, 65_536)],
    ids=["many", "very few", "few", "of 16 classes"],
)
def test_as_many_runs_of_letters_are_told_apart_as_there_may_be(classes, rows, most):
    [found] = [
        each for each in text.of(spec(classes, letters=100), rows) if each.model.kind == "letters"
    ]
    assert found.model.most == most


def test_no_network_within_an_average_is_called_as_one_of_its_inputs():
    inputs = {each.name for each in spec(letters=40).layout.inputs}
    assert not inputs & {each.name for each in text.of(spec(letters=40), 100)}
