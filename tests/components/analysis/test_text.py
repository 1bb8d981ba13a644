"""What is settled of texts: classes, vocabulary, length, on each level."""

import logging

import pytest
from etils.epath import Path

from millrace.components.analysis.text import settle
from millrace.components.artifacts import Examples
from millrace.components.beam.options import BeamOptions
from millrace.components.errors import DataError
from millrace.components.features import spec as specs
from millrace.components.features import text_survey
from millrace.components.features.text_spec import TextOptions
from millrace.components.files import columns
from millrace.components.files.tfrecord import write_records
from millrace.serving.example import encode


def texts(root, **splits):
    """Examples of (text, class) by split, in two shards each."""
    examples = Examples(Path(root))
    for split, rows in splits.items():
        examples.split_path(split).mkdir(parents=True)
        records = [
            encode({"text": text, "text/class/text": name, "text/class/label": ord(name) - 97})
            for text, name in rows
        ]
        for shard in range(2):
            write_records(examples.shard(split, shard, 2), records[shard::2])
    return examples


TRAIN = [("The cat, the dog", "b"), ("A dog!", "a"), ("the end", "b"), ("dog", "a")]


@pytest.fixture
def settled(tmp_path):
    examples = texts(tmp_path / "examples", train=TRAIN, test=[("new words", "c")])

    def run(**options):
        out = Path(tmp_path) / "out"
        out.mkdir(exist_ok=True)
        return settle(examples, TextOptions(**options), out, BeamOptions())

    return run


def test_rows_are_as_long_as_most_texts_and_no_longer_than_allowed(settled):
    assert settled().sequence_length == 4
    assert settled(whole=0.75).sequence_length == 2
    assert settled(longest=3).sequence_length == 3
    assert settled(longest=3, sequence_length=9).sequence_length == 9


def test_words_go_by_their_frequency_in_the_train_split(settled, tmp_path):
    spec = settled()
    assert spec.classes == ("a", "b")
    assert spec.vocabulary == ("dog", "the", "a", "cat", "end")
    assert spec.document_frequencies == (3, 2, 1, 1, 1)
    assert (spec.documents, spec.sequence_length, spec.size) == (4, 4, 7)
    assert spec.names == ("", "[UNK]", *spec.vocabulary)
    assert not spec.strip_html
    file = Path(tmp_path) / "analysis.json"
    specs.write(spec, file)
    assert specs.read(file) == spec
    assert b"letters" not in file.read_bytes()  # as the file was before there were any


def test_options_bind_what_they_name(settled):
    spec = settled(vocabulary_size=4, sequence_length=9, standardize="none", strip_html=True)
    assert spec.vocabulary == ("dog", "the")
    assert (spec.sequence_length, spec.strip_html, spec.standardize) == (9, True, "none")
    assert settled(minimum_count=2).vocabulary == ("dog", "the")
    assert settled(sequence_length=9, letters=True).letters == 108


def test_characters_and_subwords_are_counted_alike(settled):
    characters = settled(level="character", standardize="lower")
    assert characters.vocabulary[:3] == (" ", "d", "e")
    assert characters.sequence_length == 16
    subwords = settled(level="subword")
    assert "▁dog" in subwords.vocabulary
    assert subwords.document_frequencies[subwords.vocabulary.index("▁dog")] == 3
    assert subwords.sequence_length > 4


def test_classes_that_train_lacks_are_reported(settled, caplog):
    caplog.set_level(logging.INFO, "millrace.components")
    settled()
    assert caplog.messages == [
        "split test has 1 classes that train lacks; their records will be set aside: c",
        "2 classes; 5 of 5 distinct words, 100.0 % of the text; rows of 4 (95 % have 4 or fewer, "
        "the longest 4)",
    ]


def test_texts_without_tokens_and_a_single_class_are_refused(tmp_path):
    (tmp_path / "out").mkdir()
    arguments = TextOptions(), Path(tmp_path) / "out", BeamOptions()
    with pytest.raises(DataError, match=r"^Texts: expected tokens in the train split\. Received: "):
        settle(texts(tmp_path / "x", train=[("!", "a"), ("?", "b")]), *arguments)
    with pytest.raises(DataError, match=r"^Classes: expected two or more .*Received: 'a'\."):
        settle(texts(tmp_path / "y", train=[("one", "a"), ("two", "a")]), *arguments)


def test_few_texts_are_in_memory_at_once(settled, monkeypatch):
    sizes, survey = [], text_survey.of
    monkeypatch.setattr(columns, "TEXT_BYTES", 1)
    monkeypatch.setattr(
        text_survey,
        "of",
        lambda batches, cut: survey([sizes.append(one.num_rows) or one for one in batches], cut),
    )
    settled()
    assert sizes == [1, 1, 1, 1, 1, 0]  # a shard of train, another, and one of test and one empty
