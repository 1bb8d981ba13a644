"""What is counted of texts, in any order and partition, and what follows from it."""

from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from millrace.components.features import text_survey
from millrace.components.features.text_survey import TextSurvey, Tokenizer
from millrace.components.files import columns
from millrace.serving.example import encode

CUT = Tokenizer("word", "lower_and_strip_punctuation", strip_html=True)


def row(text, name="a", label=0):
    return encode({"text": text, "text/class/text": name, "text/class/label": label})


def survey_of(rows, cut=CUT):
    return text_survey.of([columns.of_records(rows, "p")], cut)


ROWS = [row("The cat. The <b>dog</b>", "b", 1), row("cat!"), row("", "b", 1)]


def test_tokens_texts_lengths_and_classes_are_counted():
    survey = survey_of(ROWS)
    assert survey == TextSurvey(
        records=3,
        classes=Counter({("b", 1): 2, ("a", 0): 1}),
        tokens=Counter(the=2, cat=2, dog=1),
        documents=Counter(the=1, cat=2, dog=1),
        lengths=Counter({4: 1, 1: 1, 0: 1}),
    )
    assert survey_of(ROWS, None).tokens == Counter()


@settings(max_examples=30)
@given(st.lists(st.sampled_from(ROWS), max_size=8), st.integers(0, 8))
def test_parts_of_the_rows_merge_to_the_whole_and_survive_their_file(rows, at):
    parts = [survey_of(rows[:at]), survey_of(rows[at:])]
    merged = text_survey.merge(reversed(parts))
    assert merged == survey_of(rows)
    assert TextSurvey.from_json(merged.to_json()) == merged


def test_the_vocabulary_goes_by_frequency_and_equals_by_their_text():
    counts = Counter(b=3, a=3, c=5, d=1)
    assert text_survey.vocabulary(counts, 3, 1) == ("c", "a", "b")
    assert text_survey.vocabulary(counts, 9, 2) == ("c", "a", "b")


@pytest.mark.parametrize(
    ("lengths", "whole", "most", "length"),
    [
        ({10: 95, 99: 5}, 0.95, 512, 10),
        ({10: 94, 99: 6}, 0.95, 512, 99),
        ({10: 95, 99: 5}, 0.99, 512, 99),
        ({5000: 10}, 0.95, 512, 512),
        ({0: 3}, 0.95, 512, 1),
    ],
)
def test_a_row_is_long_enough_for_most_texts(lengths, whole, most, length):
    assert text_survey.fitting_length(Counter(lengths), whole, most) == length


def test_tags_are_left_out_if_one_text_in_a_hundred_has_them():
    assert text_survey.has_tags([b"a<br />b"] * 2 + [b"plain"] * 98)
    assert not text_survey.has_tags([b"a<br />b"] + [b"I <3 you, 1 < 2 > 0"] * 99)
