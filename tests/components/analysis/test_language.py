"""What is settled about text."""

import pytest
from etils.epath import Path

from millrace.components.analysis.language import settle
from millrace.components.artifacts import Examples
from millrace.components.beam.options import BeamOptions
from millrace.components.errors import DataError
from millrace.components.features import language_survey
from millrace.components.features.language_spec import LanguageOptions
from millrace.components.files import columns
from millrace.components.files.tfrecord import write_records
from millrace.serving.example import encode

LINES = ["come all ye", "come all", "come maidens", "Come, all ye!"]


@pytest.fixture
def settled(tmp_path):
    def run(texts, options=LanguageOptions(), units=("line",)):  # noqa: B008  # frozen
        examples = Examples(Path(tmp_path / "raw"))
        for index in (0, 1):  # two shards
            file = examples.shard("train", index, 2)
            file.parent.mkdir(parents=True, exist_ok=True)
            records = [
                encode({"text": text, "text/unit": units[number % len(units)]})
                for number, text in enumerate(texts)
                if number % 2 == index
            ]
            write_records(file, records)
        return settle(examples, options, Path(tmp_path), BeamOptions())

    return run


def test_lines_of_words_that_come_again_are_cut_into_words(settled):
    found = settled(LINES)
    assert (found.level, found.delimiter, found.standardize) == (
        *("word", "\n", "lower_and_strip_punctuation"),
    )
    assert found.vocabulary == ("\n", "come", "all", "ye")
    assert found.counts == (1, 4, 4, 3, 2)
    assert (found.sequence_length, found.stride) == (4, 4)


def test_running_text_is_cut_into_characters_with_its_case(settled):
    found = settled(["ROMEO:\nAy"] * 2, units=("passage",))
    assert (found.level, found.delimiter, found.sequence_length) == ("character", "", 8)
    assert found.vocabulary[:2] == ("O", "\n")
    assert found.counts[:2] == (0, 4)


def test_subwords_are_learned_from_the_words(settled):
    found = settled(LINES, LanguageOptions(level="subword", vocabulary_size=40))
    assert found.vocabulary[0] == "\n"
    assert "▁all" in found.vocabulary
    assert found.standardize == "none"


def test_options_are_kept(settled):
    options = LanguageOptions(
        level="word", vocabulary_size=5, minimum_count=1, sequence_length=9, stride=3
    )
    found = settled(LINES, options)
    assert found.vocabulary == ("\n", "come", "all")
    assert (found.sequence_length, found.stride) == (9, 3)
    assert found.counts == (3, 4, 4, 3)


def test_records_of_several_units_are_refused(settled):
    message = (
        r"expected one unit of text .* Received: 2 lines, 2 passages\. Ingest the corpus again"
    )
    with pytest.raises(DataError, match=message):
        settled(LINES, units=("line", "passage"))


def test_a_corpus_without_tokens_is_refused(settled):
    with pytest.raises(DataError, match=r"two tokens or more .* Give more text, or lower analyze"):
        settled(["!", "?"], LanguageOptions(level="word"))


def test_few_texts_are_in_memory_at_once(settled, monkeypatch):
    sizes, survey = [], language_survey.of
    monkeypatch.setattr(columns, "TEXT_BYTES", 1)
    monkeypatch.setattr(
        language_survey,
        "of",
        lambda batches, *rest: survey(
            [sizes.append(one.num_rows) or one for one in batches], *rest
        ),
    )
    settled(LINES)
    assert sizes == [1, 1, 1, 1]
