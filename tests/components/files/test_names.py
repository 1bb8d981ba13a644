"""Names of models and of steps, which become folders, and the words in a name."""

import pytest

from millrace.components.files import names

PATHS = ["", ".", "..", "../evil", "/abs", "a/b", "a\0b", "caf\udce9", "a b", ".hidden", "-x"]


@pytest.mark.parametrize("name", [*PATHS, "a" * 129, "é", "a:b"])
def test_a_model_has_no_name_that_is_a_path_or_that_a_url_cannot_hold(name):
    with pytest.raises(ValueError, match=r"^expected 1 to 128 letters, .* Choose such a name\.$"):
        names.model(name)


@pytest.mark.parametrize("name", ["a", "digits-fold-1", "v1.2_x", "9", "a" * 128])
def test_a_model_may_be_called_so(name):
    assert names.model(name) == name


@pytest.mark.parametrize("name", [*PATHS, "a.b", "a=b", "a" * 129, "é" * 65])
def test_a_step_has_no_name_that_is_a_path_or_that_an_option_cannot_be_distinguished_from(name):
    with pytest.raises(ValueError, match=r"^expected letters, digits, .* Choose such a name\.$"):
        names.step(name)


@pytest.mark.parametrize("name", ["train", "_own", "größe", "skew-2"])
def test_a_step_may_be_called_so(name):
    assert names.step(name) == name


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("PassengerId", ["passenger", "id"]),
        ("order no.", ["order", "no"]),
        ("comment_text", ["comment", "text"]),
        ("HTTPCode", ["http", "code"]),
        ("trainX2", ["train", "x"]),
        ("_1", []),
    ],
)
def test_the_words_of_a_name_are_parted_by_case_digits_and_signs(name, words):
    assert names.words(name) == words
