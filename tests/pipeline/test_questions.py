"""Questions as a person gives them: files, texts, rows, windows, a sample of the last run."""

import dataclasses
import io
import os

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from millrace.components.features import precision
from millrace.pipeline import questions
from millrace.pipeline.dag import Dag
from millrace.pipeline.errors import UsageError
from millrace.pipeline.questions import Question
from millrace.serving.signature import Signature, TensorInfo
from tests.pipeline import toys


def windows(steps, channels):
    tensors = {"window": TensorInfo("w", "float32", (None, steps, channels))}
    return Signature("serving_default", "tensorflow/serving/predict", tensors, {}, {}, None)


def test_a_sample_is_spread_over_the_test_split(toy):
    dag = Dag("toy")
    examples, model = dag.step(toys.records), dag.step(toys.described)
    dag.step(toys.score, step_name="evaluator", examples=examples, model=model)
    toy.carry_out(dag)
    found = questions.from_last_run(toy.store, "toy", 3)
    assert [one.name for one in found] == ["0.png", "3.png", "6.png"]
    assert [one.truth for one in found] == ["ant"] * 3
    assert found[1].features["image/encoded"] == [b"3"]
    assert len(questions.from_last_run(toy.store, "toy", 99)) == 10


def test_a_model_without_a_run_has_no_sample(toy):
    with pytest.raises(UsageError, match=r"--sample: expected a finished run of 'toy'"):
        questions.from_last_run(toy.store, "toy", 3)


def test_long_texts_are_called_by_their_beginning():
    (short, long) = questions.from_texts(["Well\n done", "x" * 80])
    assert short == Question("Well done", {"text": [b"Well\n done"]})
    assert long.name == "x" * 59 + "…"


def test_a_minus_is_every_line_of_standard_input(monkeypatch):
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b"one\ntwo\n"), "utf-8"))
    found = questions.from_texts(["zero", "-"])
    assert [one.features["text"] for one in found] == [[b"zero"], [b"one"], [b"two"]]


def test_columns_make_one_row():
    row = questions.from_columns(["size=3", "name=a=b"])
    expected = Question("size=3, name=a=b", {"size": "3", "name": "a=b"}, is_typed=True)
    assert questions.from_row(row) == expected


def test_values_of_a_row_may_be_numbers_and_missing_ones_are_left_out():
    row = questions.from_row({"size": 3, "price": 1.5, "name": None, "area": float("nan")})
    assert row == Question("size=3, price=1.5", {"size": "3", "price": "1.5"}, is_typed=True)


@pytest.mark.parametrize(
    ("given", "channels", "expected"),
    [("1,2,3", 1, [1, 2, 3]), ("1,2;3,4;5,6", 2, [1, 2, 3, 4, 5, 6])],
)
def test_a_window_is_typed_in_numbers(given, channels, expected):
    found = questions.from_window(given, windows(3, channels))
    assert found.features["window"].tolist() == expected


@pytest.mark.parametrize(
    ("given", "channels", "expected"),
    [("1,,3", 1, [1, np.nan, 3]), ("1,2; ,4;5,nan", 2, [1, 2, np.nan, 4, 5, np.nan])],
)
def test_a_number_left_out_of_a_window_is_a_missing_cell(given, channels, expected):
    found = questions.from_window(given, windows(3, channels))
    np.testing.assert_array_equal(found.features["window"], expected)


def test_an_empty_cell_of_a_file_is_missing_where_a_number_belongs_and_nothing_elsewhere(tmp_path):
    file = tmp_path / "past.csv"
    file.write_text("day,sales,note\n2020-01-01,1,\n2020-01-02,,\n2020-01-03,3,rain\n")
    with pytest.raises(UsageError, match="3 steps of 1 numbers each"):
        questions.from_window(str(file), windows(3, 1))
    file.write_text("day,sales\n2020-01-01,1\n2020-01-02,\n2020-01-03,3\n")
    found = questions.from_window(str(file), windows(3, 1))
    np.testing.assert_array_equal(found.features["window"], [1, np.nan, 3])


def test_a_target_that_is_not_known_is_no_truth():
    row = {"series": [b"north"], "future": np.float32([1.5, np.nan])}
    assert questions._known(row, 0, "future") == Question("north", row, [1.5, None])


def test_large_values_are_asked_about_and_known_in_all_their_digits():
    tensors = {"window": TensorInfo("w", "float64", (None, 2, 1))}
    signature = dataclasses.replace(windows(2, 1), inputs=tensors)
    found = questions.from_window("6779547060.56,6779547100.56", signature)
    assert found.features["window"].tolist() == [6779547060.56, 6779547100.56]
    row = {
        "series": [b"north"],
        "future": np.float32([0.5, np.nan]),
        "future/base": [precision.encoded([6779547100.0])],
    }
    assert questions._known(row, 0, "future").truth == [6779547100.5, None]


@pytest.mark.parametrize(
    ("given", "received"),
    [("1,inf,3", "inf"), ("1,1e39,3", "1e+39"), (",,", "none, every cell is missing")],
)
def test_a_window_that_no_model_can_be_asked_about_is_refused(given, received):
    with pytest.raises(UsageError) as caught:
        questions.from_window(given, windows(3, 1))
    assert str(caught.value) == (
        f"--window: expected numbers that float32 holds. Received: {received}. Correct it, or "
        "leave out what is not known, as in `1,,3`."
    )


def test_a_window_is_the_end_of_a_file(tmp_path):
    file = tmp_path / "past.csv"
    file.write_text("day,sales\n2020-01-01,1\n2020-01-02,2\n2020-01-03,3\n2020-01-04,4\n")
    found = questions.from_window(str(file), windows(3, 1))
    assert found.features["window"].tolist() == [2, 3, 4]


def test_a_window_of_another_length_is_refused():
    with pytest.raises(UsageError) as caught:
        questions.from_window("1,2", windows(3, 1))
    assert str(caught.value) == (
        "--window: expected 3 steps of 1 numbers each. Received: 2 of 1. Give 3 numbers "
        "parted by `,`, or a CSV file that ends with them."
    )
    with pytest.raises(UsageError, match="Give 3 rows such as `1,2`, parted by `;`, or a CSV"):
        questions.from_window("1,2,3", windows(3, 2))


@pytest.mark.parametrize(
    ("given", "channels", "said"),
    [("1,NA,3", 1, "'NA' in row 2"), ("1,2;3,4;5,n/a", 2, "'n/a' in row 3")],
)
def test_a_cell_of_a_window_that_is_no_number_is_named(given, channels, said):
    with pytest.raises(UsageError, match=rf", and {said}, where an empty cell is a missing one\."):
        questions.from_window(given, windows(3, channels))


def test_a_cell_of_a_file_that_is_no_number_is_named(tmp_path):
    file = tmp_path / "past.csv"
    file.write_text("day,sales\n2020-01-01,1\n2020-01-02,NA\n2020-01-03,3\n")
    with pytest.raises(UsageError, match=r"Received: 3 of 0, 1, and 'NA' in row 2, where"):
        questions.from_window(str(file), windows(3, 1))


def test_a_file_that_cannot_be_read_is_named(tmp_path):
    with pytest.raises(
        UsageError, match=r"--image .*no.png: expected an image file\. Received: No"
    ):
        questions.from_files([tmp_path / "no.png"])
    with pytest.raises(UsageError, match=r"--csv .*: expected a file\. Received: a folder, not"):
        questions.check_file(tmp_path, "--csv")


def test_a_picture_is_asked_about_in_the_form_that_was_learnt_from(tmp_path):
    picture = Image.new("L", (3, 2), 7)
    picture.save(tmp_path / "a.png")
    picture.save(tmp_path / "b.tiff")
    kept, again = questions.from_files([tmp_path / "a.png", tmp_path / "b.tiff"])
    assert kept.features["image/encoded"] == [(tmp_path / "a.png").read_bytes()]
    (encoded,) = again.features["image/encoded"]
    assert tf.io.decode_png(encoded).numpy().tolist() == [[[7]] * 3] * 2


def test_a_broken_picture_is_named_before_anything_is_asked(tmp_path):
    (tmp_path / "a.jpg").write_bytes(b"\xff\xd8\xff not")
    with pytest.raises(UsageError) as caught:
        questions.from_files([tmp_path / "a.jpg"])
    assert str(caught.value) == (
        f"--image {tmp_path / 'a.jpg'}: expected a picture. Received: not an image in a format "
        "that Pillow knows. Leave it out, or save it again as PNG or JPEG."
    )


def test_a_window_needs_what_is_known_ahead_as_well():
    tensors = {name: TensorInfo(name, "float32", (None, 2, 1)) for name in ("window", "known")}
    signature = Signature("serving_default", "p", tensors, {}, {}, None)
    with pytest.raises(
        UsageError, match=r"takes: window, known\. .*Ask by --csv FILE, .*or --sample N"
    ):
        questions.fit(Question("a", {"window": np.zeros(2)}), signature)


@pytest.mark.parametrize("option", ["--text", "--prompt"])
def test_a_text_that_is_no_utf8_is_refused_in_words(option):
    with pytest.raises(
        UsageError, match=rf"^{option}: expected UTF-8\. Received: 'caf\\xe9'\. Con"
    ):
        questions.from_texts(["caf\udce9"], option)


def test_lines_of_stdin_that_are_no_utf8_are_refused_in_words(monkeypatch):
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b"ok\ncaf\xe9\n"), "utf-8"))
    with pytest.raises(UsageError, match=r"^--text: expected UTF-8\. Received: 'caf\\xe9'\."):
        questions.from_texts(["-"])


@pytest.mark.parametrize("typed", ["colour=caf\udce9", "caf\udce9=1"])
def test_a_column_that_is_no_utf8_is_refused_in_words(typed):
    with pytest.raises(UsageError, match=r"^predict: expected UTF-8\. Received: '.*caf\\xe9"):
        questions.from_row(questions.from_columns([typed]))


def test_a_file_that_would_never_end_is_not_opened(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(UsageError, match=r"expected an image file\. Received: a pipe, not"):
        questions.from_files([tmp_path / "pipe"])
    with pytest.raises(UsageError, match=r"Received: a pipe, not a file\. Give `-` and pipe it"):
        questions.check_file(tmp_path / "pipe", "--csv")
    with pytest.raises(UsageError, match=r"--image /dev/zero: .* Received: a device, not a file\."):
        questions.from_files(["/dev/zero"])


def test_a_picture_whose_name_is_no_utf8_or_that_lies_elsewhere_is_refused():
    with pytest.raises(UsageError, match=r"--image: .*Received: 'caf\\xe9', which is not UTF-8"):
        questions.from_files(["caf\udce9"])
    with pytest.raises(UsageError, match=r"--image: .*Received: 's3://b/x\.png', a URL\."):
        questions.from_files(["s3://b/x.png"])


def test_a_window_may_be_longer_than_any_name():
    numbers = ",".join(["1.25"] * 300)
    question = questions.from_window(numbers, windows(300, 1))
    assert question.features["window"].tolist() == [1.25] * 300


def test_a_sample_of_records_made_elsewhere_may_have_names_that_are_no_utf8(toy):
    dag = Dag("toy")
    examples = dag.step(toys.records, name="caf\xe9.png")
    dag.step(toys.score, step_name="evaluator", examples=examples, model=dag.step(toys.described))
    toy.carry_out(dag)
    assert [one.name for one in questions.from_last_run(toy.store, "toy", 1)] == [r"caf\xe9.png"]
