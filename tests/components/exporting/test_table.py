"""The signatures of a table's model, called in the SavedModel, compared with the training path."""

import keras
import numpy as np
import pytest
from etils.epath import Path

from millrace.components.exporting import saved_model, table
from millrace.components.features.table_spec import (
    Buckets,
    Category,
    Cross,
    Number,
    RawColumn,
    TableSpec,
)
from millrace.components.inference import requests
from millrace.components.models import table as networks
from millrace.components.models.certainty import NOTHING, Calibration, Widths
from millrace.components.models.table_options import WideDeep
from millrace.serving.example import decode, encode
from millrace.serving.model import LoadedModel

RAW = (RawColumn("Temp (C)", "float32"), RawColumn("rooms", "int64"), RawColumn("town", "bytes"))
PARTS = {
    "raw": RAW,
    "numbers": (Number("Temp (C)", 5.0, 2.5, 5.0, indicator=True), Number("rooms", 0.0, 1.0, 3.0)),
    "discrete": (Category("town", ("Bergen", "Oslo")), Buckets("rooms", (2.0, 4.0))),
    "crosses": (Cross(("town", "rooms"), 7),),
}
ROWS = [
    decode(encode(row))
    for row in (
        {"Temp (C)": 7.5, "rooms": 2, "town": "Oslo"},
        {"rooms": 5, "town": "Rome"},
        {"Temp (C)": -1.0},
        {},
    )
]


def exported(folder, problem, classes, calibration=NOTHING):
    spec = TableSpec("y", problem, classes=classes, **PARTS)
    units, activation = (len(classes), "softmax") if classes else (1, "linear")
    keras.utils.set_random_seed(1)
    model = networks.build(WideDeep(), spec, units=units, activation=activation).inference
    saved_model.write(table.endpoints(model, spec, calibration), Path(folder) / "model")
    return LoadedModel(Path(folder) / "model"), table.reference(model, spec, ROWS, calibration)


@pytest.fixture(scope="module")
def regressor(tmp_path_factory):
    model, reference = exported(tmp_path_factory.mktemp("regressor"), "regression", ())
    with model:
        yield model, reference


@pytest.fixture(scope="module")
def classifier(tmp_path_factory):
    folder = tmp_path_factory.mktemp("classifier")
    model, reference = exported(folder, "classification", ("a", "b", "c"))
    with model:
        yield model, reference


def ask(model, signature="serving_default"):
    return model.predict(requests.inputs(model.signatures[signature], ROWS), signature=signature)


def test_a_model_takes_one_input_per_column(regressor):
    model, _ = regressor
    inputs = model.signatures["serving_default"].inputs
    assert {name: (each.dtype, each.shape) for name, each in inputs.items()} == {
        "Temp (C)": ("float32", (None,)),
        "rooms": ("float32", (None,)),
        "town": ("string", (None,)),
    }


def test_a_regressor_answers_columns_and_records_as_in_training(regressor):
    model, reference = regressor
    assert set(reference.numbers) == {"serving_default/prediction", "regress/outputs"}
    prediction, outputs = ask(model)["prediction"], ask(model, "regress")["outputs"]
    assert prediction.dtype == np.float32
    assert prediction.shape == (4,)
    np.testing.assert_allclose(
        prediction, reference.numbers["serving_default/prediction"], atol=1e-6
    )
    np.testing.assert_allclose(outputs, reference.numbers["regress/outputs"], atol=1e-6)
    assert len(np.unique(prediction)) == 4


def test_a_regressor_answers_a_single_row_and_none(regressor):
    model, reference = regressor
    one = {
        "Temp (C)": np.float32([7.5]),
        "rooms": np.float32([2]),
        "town": np.array([b"Oslo"], object),
    }
    expected = reference.numbers["serving_default/prediction"][:1]
    np.testing.assert_allclose(model.predict(one)["prediction"], expected, atol=1e-6)
    none = {name: array[:0] for name, array in one.items()}
    assert model.predict(none)["prediction"].shape == (0,)


def test_a_classifier_has_the_signatures_of_all_classifiers(classifier):
    model, reference = classifier
    found = ask(model)
    assert set(found) == {"class", "score", "scores", "classes"}
    np.testing.assert_allclose(
        found["scores"], reference.numbers["serving_default/scores"], atol=1e-6
    )
    classified = ask(model, "classify")
    np.testing.assert_allclose(classified["scores"], found["scores"], atol=1e-6)
    assert classified["classes"][0].tolist() == [b"a", b"b", b"c"]
    np.testing.assert_allclose(ask(model, "regress")["outputs"], found["score"], atol=1e-6)


def test_a_regressor_has_intervals_by_the_size_of_its_prediction(tmp_path, regressor):
    plain, reference = regressor
    predictions = np.sort(reference.numbers["serving_default/prediction"])
    edge = float(predictions[1])
    widths = Widths((edge,), ((1.0, 2.0), (3.0, 5.0)))
    model, _ = exported(tmp_path, "regression", (), Calibration("eval", 50, widths=widths))
    with model:
        found = ask(model)
    assert set(found) == {"prediction", "prediction_lower", "prediction_upper"}
    assert found["prediction"].tolist() == ask(plain)["prediction"].tolist()
    middle = found["prediction"][:, None]
    half = np.where(middle >= edge, [3.0, 5.0], [1.0, 2.0])
    np.testing.assert_allclose(middle - found["prediction_lower"], half, atol=1e-5)
    np.testing.assert_allclose(found["prediction_upper"] - middle, half, atol=1e-5)


def test_the_class_goes_by_the_threshold(tmp_path):
    plain, expected = exported(tmp_path / "plain", "classification", ("a", "b"))
    second = expected.numbers["serving_default/scores"][:, 1]
    between = float(np.sort(second)[1:3].mean())
    model, reference = exported(
        tmp_path, "classification", ("a", "b"), Calibration("eval", 50, threshold=between)
    )
    with plain, model:
        found, scores = ask(model), ask(plain)["scores"]
    chosen = (second > between).astype(int)
    assert found["class"].tolist() == [b"ab"[each : each + 1] for each in chosen]
    assert found["scores"].tolist() == scores.tolist()
    np.testing.assert_allclose(found["score"], scores[np.arange(4), chosen])
    texts, is_clear = reference.texts["serving_default/class"]
    assert texts.tolist() == [each.decode() for each in found["class"]]
    assert is_clear.all()
