"""A model server's log read back: rows under training's names and types, the rest accounted for."""

import itertools

import numpy as np
import pytest
import tensorflow as tf
from etils.epath import Path
from google.protobuf import text_format
from tensorflow_metadata.proto.v0 import schema_pb2
from tensorflow_serving.apis import prediction_log_pb2

from millrace.components.artifacts import RawFiles, Schema
from millrace.components.beam.options import BeamOptions
from millrace.components.errors import DataError
from millrace.components.example_gen.request_logs import request_log_example_gen
from millrace.components.example_gen.unlabelled_rows import logged_requests
from millrace.components.example_gen.unlabelled_rows.logged_requests import (
    batches_of,
    request_of,
)
from millrace.components.files import columns
from millrace.components.files.tfrecord import read_records, write_records
from millrace.components.schema.text import write
from millrace.serving.example import encode
from millrace.serving.protos import prediction_log_pb2 as ours
from tests.components.example_gen.conftest import image_bytes, records_of, spoil

SCHEMA = """
feature { name: "rooms" type: INT } feature { name: "area" type: FLOAT }
feature { name: "town" type: BYTES } feature { name: "image/encoded" type: BYTES }
feature { name: "image/height" type: INT }
"""


def predict_log(model="houses", **inputs):
    """In TensorFlow Serving's own messages, as its stock stubs would send it."""
    log = prediction_log_pb2.PredictionLog()
    log.log_metadata.model_spec.name = model
    log.predict_log.request.SetInParent()
    for alias, value in inputs.items():
        log.predict_log.request.inputs[alias].CopyFrom(tf.make_tensor_proto(value))
    return log


def examples_log(kind, *records, context=None):
    log = prediction_log_pb2.PredictionLog()
    log.log_metadata.model_spec.name = "houses"
    logged = getattr(log, kind).request.input
    listed = logged.example_list
    if context is not None:
        listed = logged.example_list_with_context
        listed.context.ParseFromString(encode(context))
    for record in records:
        listed.examples.add().ParseFromString(encode(record))
    return log


def rows(log, **bases):
    request = request_of(ours.PredictionLog.FromString(log.SerializeToString()), bases)
    found = itertools.chain.from_iterable(map(columns.rows, batches_of([request])))
    return [{name: list(value) for name, value in row.items()} for row in found]


def raw_records(examples):
    (file,) = examples.files("serving")
    return list(read_records(file))


@pytest.fixture
def ingest(tmp_path, out):
    """Write the logs to a file, unless a source is named, and read it back."""

    def run(*logs, **options):
        path = Path(tmp_path) / "logs" / "houses-1.tfrecord"
        path.parent.mkdir(exist_ok=True)
        records = [one if isinstance(one, bytes) else one.SerializeToString() for one in logs]
        if records:
            write_records(path, records)
        schema = Schema(Path(tmp_path) / "schema")
        schema.path.mkdir(exist_ok=True)
        write(text_format.Parse(SCHEMA, schema_pb2.Schema()), schema.file)
        source = RawFiles(options.pop("source", path.parent))
        target = out / str(len(list(out.iterdir())))
        target.mkdir()
        return request_log_example_gen(
            source,
            schema,
            None,
            target,
            run_on=BeamOptions(),
            **{"model_name": "houses", **options},
        )

    return run


def test_inputs_by_column_become_rows_and_what_is_missing_is_left_out():
    log = predict_log(
        rooms=np.float32([3, np.nan]), town=[b"Cork", b""], length=np.int32(20), open=[True, False]
    )
    assert rows(log) == [{"rooms": [3.0], "town": [b"Cork"], "open": [1]}, {"open": [0]}]


def test_inputs_have_the_names_of_the_features_that_fill_them():
    assert rows(predict_log(image_bytes=[b"one"])) == [{"image/encoded": [b"one"]}]
    assert rows(predict_log(prompt=["the river"])) == [{"text": [b"the river"]}]
    window = np.arange(12, dtype=np.float32).reshape(2, 3, 2)
    assert rows(predict_log(window=window))[1] == {"window": [6, 7, 8, 9, 10, 11]}


def test_windows_in_float64_are_less_the_base_of_the_training_windows():
    window = np.array([[[6779547060.56, 3.0], [6779547100.56, 4.0]]])
    (row,) = rows(predict_log(window=window), window=(6779547100.0, 0.0))
    assert row["window"] == pytest.approx([-39.44, 3, 0.56, 4], abs=1e-5)


def test_examples_are_taken_as_they_are_with_their_context():
    record = {"town": "Cork", "rooms": 3}
    expected = {"town": [b"Cork"], "rooms": [3]}
    assert rows(examples_log("classify_log", record)) == [expected]
    assert rows(examples_log("multi_inference_log", record)) == [expected]
    assert rows(predict_log(inputs=[encode(record)])) == [expected]
    shared = examples_log("regress_log", {"rooms": 3}, {"town": "Sligo"}, context={"town": "Cork"})
    assert rows(shared) == [expected, {"town": [b"Sligo"]}]


@pytest.mark.parametrize(
    ("log", "reason"),
    [
        (predict_log(), r"expected inputs of one number of rows\. Received: \[\]"),
        (predict_log(a=[1.0], b=[1.0, 2.0]), r"Received: \[1, 2\]"),
        (predict_log(a=[1j]), "a: expected text or real numbers. Received: complex128"),
        (prediction_log_pb2.PredictionLog(session_run_log={}), "Received: session_run_log"),
        (prediction_log_pb2.PredictionLog(), "expected a request. Received: none"),
    ],
)
def test_what_asks_about_no_rows_is_refused(log, reason):
    with pytest.raises(DataError, match=reason):
        rows(log)


def test_rows_get_the_types_that_training_had(ingest):
    logged = predict_log(rooms=np.float32([3]), area=np.float64([80]), town=["Cork"], new=[7])
    examples = ingest(logged, examples_log("classify_log", {"rooms": 4, "area": 90}))
    first, second = records_of(examples)["serving"]
    kinds = {name: getattr(value, "dtype", bytes) for name, value in first.items()}
    assert kinds == {"rooms": np.int64, "area": np.float32, "town": bytes, "new": np.int64}
    assert (second["rooms"].tolist(), second["area"].tolist()) == ([4], [90.0])
    assert second["area"].dtype == np.float32
    assert examples.summary["notes"]["found"] == 2


@pytest.mark.parametrize("at_once", [2, 1024])
def test_requests_read_together_give_the_rows_that_each_gives_alone(ingest, at_once, monkeypatch):
    logs = [
        predict_log(rooms=np.float32([3, np.nan]), town=["Cork", ""], many=[[1, 2], [3, 4]]),
        predict_log(rooms=np.float32([4]), town=["Sligo"], many=[[5, 6]]),
        predict_log(rooms=np.float32([np.nan]), town=[""], many=[[7, 8]]),
        predict_log(rooms=np.float64([5]), town=["Cork"], many=[[5, 6]]),
        predict_log(town=np.zeros((2, 0), np.float32), rooms=np.int64([1, 2])),
        examples_log("classify_log", {"rooms": 4, "town": ["a", "b"]}, {}),
        examples_log("regress_log", {"rooms": 2.5}, {"rooms": 2.0}),
        predict_log(inputs=[encode({"area": 7, "town": "Cork"})]),
    ]
    alone = [ingest(log, max_rejected=1) for log in logs]
    monkeypatch.setattr(logged_requests, "_AT_ONCE", at_once)
    together = ingest(*logs, max_rejected=1)
    assert raw_records(together) == [record for one in alone for record in raw_records(one)]
    assert [(one.position, one.reason) for one in together.rejected()] == [
        ("record 6, row 0", "rooms: expected whole numbers, as in training. Received: [2.5]")
    ]


def test_an_example_that_cannot_be_read_takes_only_its_own_request_along(ingest):
    logs = []
    for records in (
        [encode({"rooms": 1})],
        [encode({"rooms": 2}), b"\xff"],
        [encode({"rooms": 3})],
    ):
        log = ours.PredictionLog()
        log.log_metadata.model_spec.name = "houses"
        log.classify_log.request.input.example_list.examples.extend(records)
        logs.append(log)
    examples = ingest(*logs, max_rejected=0.5)
    assert [row["rooms"].tolist() for row in records_of(examples)["serving"]] == [[1], [3]]
    (rejected,) = examples.rejected()
    assert rejected.position == "record 1"
    assert rejected.reason.startswith("Record: expected a serialised tf.train.Example.")


def test_pictures_are_measured_again(ingest):
    (row,) = records_of(ingest(predict_log(image_bytes=[image_bytes(1, size=(7, 5))])))["serving"]
    found = {name: list(value) for name, value in row.items() if name != "image/encoded"}
    assert found == {
        "image/channels": [3],
        "image/format": [b"png"],
        "image/height": [5],
        "image/width": [7],
    }


def test_what_is_unusable_is_set_aside_with_its_place_and_reason(ingest):
    good = predict_log(rooms=np.float32([1, 2, 3]))
    examples = ingest(
        predict_log(rooms=np.float32([2.5, 4])),
        predict_log(rooms=["three"]),
        predict_log(image_bytes=["no picture"]),
        b"\xff",
        good,
        max_rejected=0.9,
    )
    assert examples.counts == {"serving": 4}
    reasons = [(one.position, one.reason) for one in examples.rejected()]
    assert [position for position, _ in reasons] == [
        "record 0, row 0",
        "record 1, row 0",
        "record 2, row 0",
        "record 3",
    ]
    assert reasons[0][1] == "rooms: expected whole numbers, as in training. Received: [2.5]"
    assert reasons[1][1] == "rooms: expected int64, as in training. Received: text"
    assert reasons[2][1] == "not an image in a format that Pillow knows"
    with pytest.raises(DataError, match=r"expected at most 1\.00% of the inputs to be unusable"):
        ingest(b"\xff", good)


def test_a_file_that_breaks_off_is_read_as_far_as_it_goes(ingest, tmp_path):
    whole = tmp_path / "logs" / "houses-1.tfrecord"
    logged = [predict_log(rooms=np.float32([number])) for number in range(3)]
    ingest(*logged)
    whole.write_bytes(whole.read_bytes()[:-5])
    examples = ingest(max_rejected=0.5)
    assert examples.counts == {"serving": 2}
    (rejected,) = examples.rejected()
    assert rejected.position == "record 2"


def test_other_models_other_files_and_files_in_the_making_are_passed_over(ingest, tmp_path):
    (tmp_path / "logs").mkdir()
    for name in ("houses-2.tfrecord.part", "notes.txt"):
        (tmp_path / "logs" / name).write_bytes(b"half")
    examples = ingest(predict_log(rooms=np.float32([1])), predict_log("cats", rooms=[1.0]))
    notes = examples.summary["notes"]
    assert (examples.counts, notes["ignored"]) == ({"serving": 1}, 2)
    assert notes["requests about other models, passed over"] == 1


def test_a_log_without_the_model_is_refused(ingest, tmp_path):
    with pytest.raises(
        DataError, match=r"requests about 'houses'\. Received: none, and 1 about oth"
    ):
        ingest(predict_log("cats", rooms=[1.0]))
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match=r"expected a request log, files named \*\.tfrecord"):
        ingest(source=Path(tmp_path) / "empty")


def test_one_file_may_be_named(ingest, tmp_path):
    file = Path(tmp_path) / "logs" / "houses-1.tfrecord"
    assert ingest(predict_log(rooms=np.float32([1])), source=file).counts == {"serving": 1}


def test_what_is_not_a_readable_file_is_set_aside_and_counted(ingest, tmp_path):
    (tmp_path / "logs").mkdir()
    aside = spoil(tmp_path / "logs", ".tfrecord")
    examples = ingest(predict_log(rooms=np.float32([1, 2])), max_rejected=0.5)
    assert examples.counts == {"serving": 2}
    assert list(examples.rejected()) == aside
