"""Files of word vectors, in both forms, and what is refused."""

import numpy as np
import pytest
from etils.epath import Path

from millrace.components.errors import DataError
from millrace.components.models.word_vectors import read

NAMES = ("", "[UNK]", "cat", "new york", "dog")


@pytest.fixture
def file(tmp_path):
    def write(text):
        place = Path(tmp_path) / "vectors.txt"
        place.write_text(text)
        return place

    return write


@pytest.mark.parametrize("header", ["", "4 2\n"], ids=["GloVe", "word2vec"])
def test_both_forms_give_the_same_vectors(file, header):
    found = read(file(f"{header}dog 1 2\nnew york .5 -1\ndog 7 7\nowl 0 1e-3\n"), NAMES)
    assert found.found == 2
    assert found.matrix.dtype == np.float32
    assert found.matrix[[0, 3, 4]].tolist() == [[0, 0], [0.5, -1], [1, 2]]


def test_what_the_file_lacks_is_small_and_the_same_each_time(file):
    place = file("dog 1 2\n")
    first, second = read(place, NAMES).matrix, read(place, NAMES).matrix
    np.testing.assert_array_equal(first, second)
    assert 0 < np.abs(first[2]).max() <= 0.05


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", r"vectors\.txt: expected lines of a word and its numbers\. Received: none\."),
        (
            "cat 1 2 3\ndog 1 2\n",
            r"vectors\.txt:2: expected a word and 3 numbers\. Received: 'dog 1 2'\. Correct",
        ),
        ("cat 1 1e92\n", r"vectors\.txt:1: expected a word and 2 numbers\. Received: '1 1e92'"),
        ("cat 1 nan\n", r"vectors\.txt:1: expected a word and 2 numbers\. Received: '1 nan'"),
    ],
)
def test_other_files_are_refused_by_their_line(file, text, message):
    with pytest.raises(DataError, match=message):
        read(file(text), NAMES)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(DataError, match=r"none\.txt: expected a file of word vectors\. Received"):
        read(Path(tmp_path) / "none.txt", NAMES)
