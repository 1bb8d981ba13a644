"""Texts of a TensorFlow Datasets set as files."""

import numpy as np
import pytest
import tensorflow_datasets as tfds

from millrace.components.errors import DataError, OptionError
from millrace.components.example_gen.tfds_texts import tfds_texts
from millrace.components.files.walk import walk


class _Texts(tfds.core.GeneratorBasedBuilder):
    """A set whose splits hold these texts."""

    VERSION = tfds.core.Version("1.0.0")
    FEATURES = tfds.features.FeaturesDict({"text": tfds.features.Text()})

    def _info(self):
        return self.dataset_info_from_configs(features=self.FEATURES)

    def _split_generators(self, dl_manager):
        return {"train": self._texts(["ROMEO:\nAy", "me\n"]), "validation": self._texts(["é"])}

    def _texts(self, texts):
        for number, text in enumerate(texts):
            yield number, dict.fromkeys(self.FEATURES, text)

    def _generate_examples(self, *_):  # TFDS asks for it; the splits bring their own
        return iter(())


class MadeCorpus(_Texts):
    """One text."""


class MadePairs(_Texts):
    """Two."""

    FEATURES = tfds.features.FeaturesDict(
        {"one": tfds.features.Text(), "other": tfds.features.Text()}
    )


class MadeNumbers(_Texts):
    """None."""

    FEATURES = tfds.features.FeaturesDict({"x": np.int64})


@pytest.fixture
def write(tmp_path, out):
    def run(name, **options):
        return tfds_texts(out, dataset=name, data_dir=str(tmp_path / "tfds"), **options)

    return run


def test_each_split_is_a_folder_and_each_text_ends_in_a_line_break(write):
    root = write("made_corpus").path
    assert list(walk(root)) == ["eval/made_corpus.txt", "train/made_corpus.txt"]
    text = (root / "train" / "made_corpus.txt").read_bytes().decode()
    assert sorted(text.splitlines()) == ["Ay", "ROMEO:", "me"]
    assert (root / "eval" / "made_corpus.txt").read_bytes() == "é\n".encode()


def test_only_the_named_splits_are_taken(write):
    root = write("made_corpus", only=("train",)).path
    assert [file.name for file in root.iterdir()] == ["train"]


def test_of_several_texts_one_has_to_be_named(write):
    message = (
        r"tfds_texts, option text: expected one of one, other, the texts of "
        r"made_pairs/1\.0\.0\. Received: ''\. Name one\."
    )
    with pytest.raises(OptionError, match=message):
        write("made_pairs")


def test_the_named_text_is_taken(write):
    assert write("made_pairs", text="other").path.exists()


def test_a_set_without_text_is_refused(write):
    message = r"made_numbers/1\.0\.0: expected a set with a feature of text\. Received: x\. Choose"
    with pytest.raises(DataError, match=message):
        write("made_numbers")


def test_an_unknown_set_is_named_with_the_step_that_asks(write):
    with pytest.raises(OptionError, match=r"tfds_texts, option dataset: .* Did you mean"):
        write("tiny_shakespear")
