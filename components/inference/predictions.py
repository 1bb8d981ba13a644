"""One row's prediction, as JSON, columns, features of an Example or a PredictionLog; compared.

A prediction is the outputs of a signature for one row: arrays by name without the batch's
axis, strings as bytes. A classifier's `scores` are named by its `classes`.
"""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from millrace.components.inference import requests
from millrace.serving import wire
from millrace.serving.example import Value
from millrace.serving.protos import prediction_log_pb2
from millrace.serving.signature import DEFAULT, Signature

if TYPE_CHECKING:
    from millrace.components.inference.saved_model import InputRow  # Beam

Prediction = Mapping[str, np.ndarray]
PREFIX = "prediction/"  # of the features that are added to an Example


def each(outputs: Mapping[str, np.ndarray]) -> Iterator[Prediction]:
    """The predictions of a batch of `outputs` `[rows, ...]`, row by row."""
    for row in range(len(next(iter(outputs.values()), ()))):
        yield {name: array[row, ...] for name, array in outputs.items()}


def as_json(prediction: Prediction) -> dict[str, Any]:
    """JSON values by output; a classifier's `scores` become an object by class."""
    found = {name: _plain(array) for name, array in prediction.items()}
    if _has_named_scores(prediction):
        found["scores"] = dict(zip(found.pop("classes"), found["scores"], strict=True))
    return found


def as_columns(prediction: Prediction) -> dict[str, str | int | float | bool]:
    """Single values by column: `output`, or `output/class`, `output/0`, … for arrays."""
    columns: dict[str, Any] = {}
    for name, value in as_json(prediction).items():
        columns |= dict(_flat(name, value))
    return columns


def as_features(prediction: Prediction) -> dict[str, Value]:
    """Features by `prediction/<output>`, flat; float64, which an Example lacks, as text."""
    return {PREFIX + name: _feature(array.ravel()) for name, array in prediction.items()}


def _feature(values: np.ndarray) -> Value:
    if values.dtype == np.float64:
        return [repr(value).encode() for value in values.tolist()]
    return values.tolist() if values.dtype == object else values


def as_log(row: "InputRow", prediction: Prediction, signature: Signature) -> bytes:
    """A serialised PredictionLog: a Predict request by `signature` for one row, and its answer."""
    log = prediction_log_pb2.PredictionLog()
    request, response = log.predict_log.request, log.predict_log.response
    request.model_spec.signature_name = response.model_spec.signature_name = DEFAULT
    for name, array in requests.inputs(signature, [row.features]).items():
        request.inputs[name].CopyFrom(wire.to_proto(array, name=name))
    for output, array in prediction.items():
        response.outputs[output].CopyFrom(wire.to_proto(array[None], name=output, typed=True))
    return log.SerializeToString(deterministic=True)


def difference(found: np.ndarray, expected: np.ndarray) -> float:
    """The largest absolute difference; of numbers above 1 in size, relative to the largest.

    float32 sums come out differently by their order, in proportion to their size. Infinite where
    the shapes differ.
    """
    if found.shape != expected.shape:
        return float("inf")
    scale = max(1.0, float(np.abs(expected).max(initial=0.0)))
    return float(np.abs(found.astype(np.float64) - expected).max(initial=0.0)) / scale


def _has_named_scores(prediction: Prediction) -> bool:
    classes, scores = prediction.get("classes"), prediction.get("scores")
    return (
        classes is not None
        and scores is not None
        and classes.shape == scores.shape
        and classes.ndim == 1
        and classes.dtype == object
    )


def _plain(array: np.ndarray) -> Any:
    if array.dtype != object:
        return array.tolist()
    texts = [value.decode(errors="replace") for value in array.ravel()]
    return np.array(texts, object).reshape(array.shape).tolist()


def _flat(name: str, value: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(value, dict):
        parts = list(value.items())
    elif isinstance(value, list):
        parts = list(enumerate(value))
    else:
        yield name, value
        return
    for key, part in parts:
        yield from _flat(f"{name}/{key}", part)
