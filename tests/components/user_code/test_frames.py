"""Where an error comes from in a person's own code, however many libraries lie between."""

import logging
import pathlib
import traceback

import pytest
import tensorflow as tf
from etils.epath import Path

from millrace.components.beam import notes
from millrace.components.errors import DataError, OptionError
from millrace.components.user_code import frames, references
from millrace.pipeline import steplog
from millrace.pipeline.errors import describe_failure

SOURCE = """
import keras
import tensorflow as tf

def stretch(picture):
    low = tf.reduce_min(picture)
    return (pictures - low) * 2

class Own(keras.layers.Layer):
    def call(self, pictures):
        return pictures + 1 / len([])

def refuse(value):
    from millrace.components.errors import DataError
    raise DataError("a.csv: expected a number.")

def inner(value):
    raise ValueError("no 7")

def outer(value):
    return inner(value)
"""
STRETCH = "mine_with_errors.py:7 in stretch\n    return (pictures - low) * 2"
SAID = "NameError: name 'pictures' is not defined"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    # One for all tests: AutoGraph takes equal code from two files for the same.
    made = tmp_path_factory.mktemp("mine")
    (made / "mine_with_errors.py").write_text(SOURCE)
    return made


@pytest.fixture
def mine(folder, monkeypatch):
    monkeypatch.syspath_prepend(folder)
    monkeypatch.chdir(folder)
    return lambda name: references.load(f"mine_with_errors:{name}", "here")


def raised(function, *given):
    try:
        function(*given)
    except Exception as error:
        return error
    raise AssertionError("nothing was raised")


def test_the_frames_of_own_code_are_told_with_their_lines_and_the_error(mine):
    found = frames.find(raised(mine("outer"), 7))
    assert str(found).splitlines()[-5:] == [
        "mine_with_errors.py:21 in outer",
        "    return inner(value)",
        "mine_with_errors.py:18 in inner",
        '    raise ValueError("no 7")',
        "ValueError: no 7",
    ]


def test_code_that_autograph_generates_is_told_as_it_was_written(mine):
    graph = tf.function(mine("stretch"))
    error = raised(graph.get_concrete_function, tf.TensorSpec([2, 2, 1], tf.uint8))
    assert str(frames.find(error)).endswith(f"{STRETCH}\n{SAID}")


def test_what_keras_says_around_the_error_of_a_layer_is_left_out(mine):
    found = frames.find(raised(mine("Own")(), tf.zeros([1, 2])))
    assert found.said == "ZeroDivisionError: division by zero"
    assert found.frames[-1].line == 11


def test_an_error_that_own_code_raises_of_ours_says_itself_what_to_do(mine):
    error = raised(mine("refuse"), 1)
    assert frames.find(error) is None
    assert describe_failure(error) == "a.csv: expected a number."


def test_an_error_of_ours_that_follows_from_one_in_own_code_comes_after_it(mine):
    graph = tf.function(mine("stretch"))
    error = OptionError("analyze.features.preprocess: expected another.")
    error.__cause__ = raised(graph.get_concrete_function, tf.TensorSpec([2, 2, 1], tf.uint8))
    told = describe_failure(error).splitlines()
    assert told[-4:] == [
        *STRETCH.splitlines(),
        SAID,
        "analyze.features.preprocess: expected another.",
    ]


def test_the_traceback_in_the_text_of_a_workers_error_is_read(mine):
    graph = tf.function(mine("stretch"))
    error = raised(graph.get_concrete_function, tf.TensorSpec([2, 2, 1], tf.uint8))
    text = "".join(traceback.format_exception(error)) + " [while running 'Transform']"
    assert str(frames.find(RuntimeError(text))).endswith(f"{STRETCH}\n{SAID}")


def test_a_workers_archive_of_own_modules_is_told_as_the_files_it_was_made_from(mine):
    text = f'  File "/tmp/millrace-code-0-1a2b/mine_with_errors.py", line 7, in stretch\n{SAID}'
    assert str(frames.find(RuntimeError(text))) == f"{STRETCH}\n{SAID}"


def test_an_error_of_a_shard_keeps_where_it_was_raised(mine, tmp_path):
    def work(shard):
        try:
            mine("outer")(shard)
        except ValueError as error:
            raise DataError("a shard: expected another.") from error

    place = Path(tmp_path / "notes")
    notes.hand_out(place, ["a shard"])
    notes.work_on(place, work, 0)
    told = describe_failure(raised(notes.collect, place, 1))
    assert told.endswith(
        'mine_with_errors.py:18 in inner\n    raise ValueError("no 7")\n'
        "ValueError: no 7\na shard: expected another."
    )


def test_libraries_python_and_millrace_are_not_own_code(tmp_path):
    assert frames.is_own(str(tmp_path / "mine.py"))
    for module in (tf, logging, pathlib, notes):
        assert not frames.is_own(module.__file__)
    assert not frames.is_own("/tmp/__autograph_generated_file1.py")  # noqa: S108 - only a name
    assert not frames.is_own("<string>")
    assert not frames.is_own("apache_beam/runners/common.py")  # of Cython, where it was compiled


def test_a_log_has_the_frames_of_own_code_above_the_whole_traceback(mine, tmp_path):
    with (
        pytest.raises(ValueError, match="no 7"),
        steplog.capture(Path(tmp_path / "s.log"), set(), print),
    ):
        mine("outer")(7)
    log = (tmp_path / "s.log").read_text()
    assert log.index("ValueError: no 7") < log.index("Traceback")
    assert "the step ended with an error in code of yours:\n" in log
