"""What a model goes by; the models here are functions that stand in for served ones."""

import json
from types import SimpleNamespace

import numpy as np
import pytest
from etils.epath import Path

from millrace.components.evaluating import importance
from millrace.components.files.tfrecord import write_records
from millrace.serving.example import encode
from millrace.serving.signature import Signature, TensorInfo
from tests.components import pictures


def served(answer, **inputs):
    """A model with one signature of `inputs`, by dtype and shape, that answers by a function."""
    taken = {name: TensorInfo(name, *each) for name, each in inputs.items()}
    signature = Signature("serving_default", "", taken, {}, {}, None)
    return SimpleNamespace(signatures={"serving_default": signature}, predict=answer)


@pytest.fixture
def explain(tmp_path):
    def run(model, described, records, label=""):
        file = tmp_path / "part-00000-of-00001.gz"
        write_records(Path(file), map(encode, records))
        importance.explain(model, described, [Path(file)], label, Path(tmp_path))
        assert (tmp_path / "why.png").exists()
        return json.loads((tmp_path / "why.json").read_text())

    return run


def test_the_column_that_a_table_is_answered_by_comes_first(explain):
    random = np.random.default_rng(0)
    rows = [{"a": a, "b": b, "y": 3 * a} for a, b in random.normal(size=(200, 2))]
    column = ("float32", (None,))
    model = served(lambda given: {"prediction": 3 * given["a"]}, a=column, b=column)
    found = explain(model, {"kind": "table"}, rows, "y")
    assert (found["kind"], found["rows"], found["metric"]) == ("table", 200, "mae")
    assert [each["name"] for each in found["columns"]] == ["a", "b"]
    # |3 (a - a')| of independent normal numbers is 6 / sqrt(pi) on average
    assert found["columns"][0]["worse"] == pytest.approx(6 / np.sqrt(np.pi), rel=0.15)
    assert found["columns"][1]["worse"] == 0.0


def test_words_that_push_a_class_are_listed_and_shown_in_texts(explain):
    def answer(given):
        good = np.array([0.9 if b"lovely" in text.lower() else 0.2 for text in given["text"]])
        classes = np.array([[b"bad", b"good"]] * len(good), object)
        return {"scores": np.stack([1 - good, good], axis=1), "classes": classes}

    rows = [{"text": text} for text in (b"A lovely day.", b"Lovely, that", b"A dull day")]
    found = explain(served(answer, text=("string", (None,))), {"kind": "text"}, rows)
    best = found["classes"]["good"][0]
    assert (best["word"], best["times"]) == ("lovely", 2)
    assert best["push"] == pytest.approx(0.7)
    assert found["classes"]["bad"] == []
    shown = [[word, round(push, 3)] for word, push in found["examples"][0]["words"]]
    assert shown == [["A", 0.0], ["lovely", 0.7], ["day.", 0.0]]


def test_steps_back_and_covariates_of_a_series_are_ranked(explain):
    random = np.random.default_rng(1)
    series = random.normal(size=(60, 9))
    extra = random.normal(size=(60, 8))
    rows = [
        {
            "window": np.stack([own[:8], more], axis=1).ravel(),
            "future": own[4:5] + 2 * more[7:],
        }
        for own, more in zip(series, extra, strict=True)
    ]

    def answer(given):
        window = given["window"]
        return {"forecast": (window[:, 4, 0] + 2 * window[:, 7, 1])[:, None, None]}

    described = {
        **{"kind": "series", "targets": ["own"], "covariates": ["more"], "known": []},
        **{"calendar": [], "lookback": 8, "horizon": 1, "season": 1, "average": 2},
        **{"naive_error": [1.0], "frequency": "D"},
    }
    model = served(answer, window=("float32", (None, 8, 2)))
    found = explain(model, described, rows)
    assert [each["name"] for each in found["columns"]] == ["more", "own"]
    most = max(found["lags"], key=lambda each: each["worse"])
    first, *last = most["name"].split(" to ")
    assert int(first) <= 4 <= int(last[0] if last else first)
    assert found["lags"][0] == {"name": "1", "worse": pytest.approx(0.0, abs=1e-6)}


def test_the_place_that_a_picture_is_judged_by_is_found(explain):
    import io

    from PIL import Image

    def answer(given):
        corners = [
            np.asarray(Image.open(io.BytesIO(file)).convert("L"))[:4, :4].mean() / 255
            for file in given["image_bytes"]
        ]
        bright = np.array(corners)
        classes = np.array([[b"dark", b"bright"]] * len(bright), object)
        return {"scores": np.stack([1 - bright, bright], axis=1), "classes": classes}

    pixels = np.zeros((28, 28, 3), np.uint8)
    pixels[:4, :4] = 250
    rows = [{"image/encoded": pictures.file(pixels)}]
    model = served(answer, image_bytes=("string", (None,)))
    (found,) = explain(model, {"kind": "image"}, rows)["pictures"]
    taken = np.array(found["taken"])
    assert found["class"] == "bright"
    assert np.unravel_index(taken.argmax(), taken.shape) == (0, 0)
    assert np.count_nonzero(taken > 0.01) == 1
