"""Labels beside the versions of a model, as they are written and read."""

import pytest
from etils.epath import Path
from hypothesis import given
from hypothesis import strategies as st

from millrace.serving import labels

WORDS = st.from_regex(r"\w[\w.-]{0,63}", fullmatch=True)


@given(found=st.dictionaries(WORDS, st.integers(0, 2**63 - 1), max_size=4))
def test_what_is_written_is_read(tmp_path_factory, found):
    folder = Path(tmp_path_factory.mktemp("model"))
    labels.write(folder, found)
    assert labels.read(folder) == found
    assert [file.name for file in folder.iterdir()] == [".labels.json"]


def test_a_model_without_the_file_has_no_labels(tmp_path):
    assert labels.read(Path(tmp_path)) == {}


@pytest.mark.parametrize(
    "text", ["[", "[]", '{"a": "1"}', '{"a": true}', '{"a": -1}', '{"a": 9223372036854775808}']
)
def test_a_file_that_holds_something_else_is_named(tmp_path, text):
    (tmp_path / ".labels.json").write_text(text)
    with pytest.raises(ValueError, match=r"\.labels\.json: expected versions by label\. Received"):
        labels.read(Path(tmp_path))


@pytest.mark.parametrize("text", ["", "a b", "-a", "a/b", "../a", "a" * 65])
def test_a_text_that_is_no_word_is_no_label(text):
    with pytest.raises(ValueError, match="expected a word of letters"):
        labels.word(text)
