"""Paths, images, texts and rows as inputs."""

import io

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from millrace.serving.errors import WireError
from millrace.serving.inputs import columns, images, texts
from millrace.serving.signature import Signature, TensorInfo


def signature(defaults=(), **inputs):
    tensors = {alias: TensorInfo(f"{alias}:0", dtype, (None,)) for alias, dtype in inputs.items()}
    return Signature("s", "", tensors, {}, dict.fromkeys(defaults, np.float32(0)), None)


def test_images_come_from_paths_bytes_and_pillow(tmp_path):
    pixels = np.arange(12, dtype=np.uint8).reshape(2, 2, 3)
    picture = Image.fromarray(pixels)
    file = tmp_path / "a.png"
    picture.save(file)
    found = images([file, str(file), b"bytes", picture])
    assert found.dtype == object
    assert found[:3].tolist() == [file.read_bytes(), file.read_bytes(), b"bytes"]
    assert (np.array(Image.open(io.BytesIO(found[3]))) == pixels).all()


def test_texts_become_bytes_and_keep_their_trailing_zeros():
    found = texts(["é", b"a\0", ""])
    assert found.tolist() == ["é".encode(), b"a\0", b""]


TITANIC = signature(age="float32", sex="string", sibsp="int64")


def test_rows_become_one_input_for_each_column():
    rows = [{"age": 22, "sex": "male", "sibsp": 1, "fare": 7.25}, {"sex": None, "sibsp": 0}]
    found = columns(rows, TITANIC)
    assert list(found) == ["age", "sex", "sibsp"]
    assert (found["age"].dtype, found["age"][0], np.isnan(found["age"][1])) == ("float32", 22, True)
    assert found["sex"].tolist() == [b"male", b""]
    assert (found["sibsp"].dtype, found["sibsp"].tolist()) == ("int64", [1, 0])


def test_a_data_frame_gives_the_same_with_its_missing_values():
    frame = pd.DataFrame(
        {"age": [22.0, np.nan], "sex": pd.Series(["male", pd.NA], dtype="string"), "sibsp": [1, 0]}
    )
    found = columns(frame, TITANIC)
    assert (found["age"][0], np.isnan(found["age"][1])) == (22, True)
    assert (found["sex"].tolist(), found["sibsp"].tolist()) == ([b"male", b""], [1, 0])


def test_vectors_in_rows_become_arrays():
    found = columns([{"v": [1, 2]}, {"v": np.array([3.0, 4.0])}], signature(v="float32"))
    assert found["v"].tolist() == [[1, 2], [3, 4]]


def test_scalars_and_inputs_with_defaults_may_have_no_column():
    wanted = signature(x="float32", bias="float32", defaults=["bias"])
    wanted.inputs["length"] = TensorInfo("length:0", "int32", ())
    assert list(columns([{"x": 1.0}], wanted)) == ["x"]


@pytest.mark.parametrize(
    ("rows", "text"),
    [
        (
            [{"Age": 1, "sex": "male"}],
            "Input 'age': expected a column of that name. Received: Age, sex. Rename the column.",
        ),
        (
            [{"age": "old", "sex": "male", "sibsp": 1}],
            "Input 'age': expected float32 in each row. Received: could not convert string to "
            "float: 'old'. Correct the column, or fill in its missing values.",
        ),
    ],
)
def test_invalid_columns_are_refused(rows, text):
    with pytest.raises(WireError) as refusal:
        columns(rows, TITANIC)
    assert str(refusal.value) == text


def test_a_missing_integer_is_refused():
    with pytest.raises(WireError, match=r"^Input 'sibsp': expected int64 in each row\. "):
        columns([{"age": 1, "sex": "male", "sibsp": 1}, {}], TITANIC)


@given(st.lists(st.one_of(st.none(), st.floats(width=32))))
def test_numbers_are_not_changed(values):
    found = columns([{"x": value} for value in [*values, 0.0]], signature(x="float32"))["x"]
    expected = [np.nan if value is None else value for value in [*values, 0.0]]
    assert np.array_equal(found, np.array(expected, np.float32), equal_nan=True)
