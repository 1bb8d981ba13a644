"""Counts of text, and the choices that follow from them."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from millrace.components.features import language_survey
from millrace.components.features.language_spec import LanguageOptions
from millrace.components.features.language_survey import LanguageSurvey, Tokens
from millrace.components.files import columns

WAYS = language_survey.tokenizers(LanguageOptions())


def row(text, unit="line"):
    return {"text": [text.encode()], "text/unit": [unit.encode()]}


def survey_of(rows, unit=None):
    return language_survey.of([columns.of_rows(rows, "p")], WAYS, unit)


def test_words_and_characters_are_counted_as_they_will_be_cut():
    found = survey_of([row("Come, come!\n\nAll"), row("")])
    assert (found.records, found.units) == (2, {"line": 2})
    assert found.levels["word"] == Tokens(Counter(come=2, all=1), Counter({2: 1, 1: 1}))
    assert found.levels["character"].counts == Counter("Come, come!All")
    assert found.levels["character"].lengths == {11: 1, 3: 1}


def test_running_text_is_one_sequence_with_its_line_breaks():
    found = survey_of([row("a\r\nb", "passage")])
    assert found.levels["character"] == Tokens(Counter("a\nb"), Counter({3: 1}))


def test_the_unit_can_be_given_in_place_of_the_records_word():
    assert survey_of([row("a", "line")], "passage").units == {"passage": 1}
    assert language_survey.units_of(columns.of_rows([{"text": [b"a"]}], "p")) == ["passage"]
    named = [row("a", unit) for unit in ("line", "paragraph", "verse")] + [{"text": [b"a"]}]
    units = language_survey.units_of(columns.of_rows(named, "p"))
    assert units == ["line", "paragraph", "passage", "passage"]


@given(st.lists(st.text(alphabet="ab \n,é", max_size=9), max_size=6), st.integers(0, 6))
def test_any_partition_gives_the_same_and_json_keeps_it(texts, at):
    rows = [row(text) for text in texts]
    whole = survey_of(rows)
    parts = [survey_of(part) for part in (rows[:at], rows[at:])]
    assert language_survey.merge(parts) == whole
    assert LanguageSurvey.from_json(whole.to_json()) == whole


@pytest.mark.parametrize(
    ("counts", "unit", "level"),
    [
        ({"a": 80, "b": 1}, "line", "word"),
        ({"a": 80, "b": 1}, "passage", "character"),
        ({f"name{number}": 1 for number in range(9)}, "line", "character"),
        ({}, "line", "character"),
    ],
)
def test_words_are_learned_where_they_come_again_in_records(counts, unit, level):
    assert language_survey.fitting_level(Tokens(Counter(counts)), unit) == level


@pytest.mark.parametrize(
    ("lengths", "unit", "length"),
    [
        ({7: 99, 60: 1}, "line", 8),
        ({7: 98, 12: 2}, "line", 13),
        ({500: 1}, "line", 64),
        ({1000: 3}, "passage", 32),
        ({10: 3}, "passage", 9),
        ({}, "passage", 1),
    ],
)
def test_a_window_is_long_enough_for_nearly_all_records(lengths, unit, length):
    assert language_survey.fitting_length(Counter(lengths), "word", unit) == length
