"""A sample of requests in TFRecord files, as TensorFlow Serving's own messages."""

import dataclasses
import json
import urllib.request

import numpy as np
import pytest
import tensorflow as tf
from tensorflow_serving.apis import prediction_log_pb2

from millrace.components.files.tfrecord import read_records
from millrace.serving import request_log
from millrace.serving.client import Client
from millrace.serving.flags import Options
from millrace.serving.lifecycle import RequestLogging
from millrace.serving.protos import prediction_service_pb2 as messages
from millrace.serving.repository import Lease
from millrace.serving.request_log import RequestLog
from millrace.serving.server import ModelServer
from tests.serving.conftest import free_port, until


@pytest.fixture
def lease(tmp_path):
    return Lease("half", 7, None, RequestLogging(str(tmp_path / "logs" / "half"), 1.0))


def request(size=1):
    wanted = messages.PredictRequest()
    wanted.inputs["x"].float_val.extend([1.0] * size)
    return wanted


def files(tmp_path):
    return sorted((tmp_path / "logs").glob("*.tfrecord"))


def logs(tmp_path):
    return [
        prediction_log_pb2.PredictionLog.FromString(record)
        for file in files(tmp_path)
        for record in read_records(file)
    ]


def test_a_request_and_its_response_are_written_with_their_model(lease, tmp_path):
    log = RequestLog(tags=["serve"])
    response = messages.PredictResponse()
    response.outputs["y"].float_val.append(2.5)
    log.offer(lease, request(), response)
    log.close()
    (found,) = logs(tmp_path)
    assert list(found.predict_log.request.inputs["x"].float_val) == [1.0]
    assert list(found.predict_log.response.outputs["y"].float_val) == [2.5]
    metadata = found.log_metadata
    assert (metadata.model_spec.name, metadata.model_spec.version.value) == ("half", 7)
    assert metadata.sampling_config.sampling_rate == 1.0
    assert list(metadata.saved_model_tags) == ["serve"]
    assert metadata.timestamp_secs > 1_600_000_000


def test_arrays_are_written_as_the_equivalent_message(lease, tmp_path):
    log = RequestLog()
    inputs, outputs = {"s": np.array([b"a\0"], object)}, {"y": np.array([2.5], np.float32)}
    log.offer_arrays(lease, "S", inputs, outputs)
    log.close()
    (found,) = logs(tmp_path)
    assert found.log_metadata.model_spec.signature_name == "S"
    assert tf.make_ndarray(found.predict_log.request.inputs["s"]).tolist() == [b"a\0"]
    assert tf.make_ndarray(found.predict_log.response.outputs["y"]).tolist() == [2.5]


def test_only_a_sample_is_written_and_nothing_without_configuration(lease, tmp_path):
    log = RequestLog()
    none = dataclasses.replace(lease, logging=None)
    never = dataclasses.replace(lease, logging=RequestLogging(lease.logging.filename_prefix, 0.0))
    some = dataclasses.replace(lease, logging=RequestLogging(lease.logging.filename_prefix, 0.25))
    for one in (none, never):
        log.offer(one, request(), messages.PredictResponse())
    log.close()
    assert not (tmp_path / "logs").exists()
    log = RequestLog()
    for _ in range(2000):
        log.offer(some, request(), messages.PredictResponse())
    log.close()
    assert 350 < len(logs(tmp_path)) < 650


def test_a_file_is_finished_at_its_size_and_at_its_age(lease, tmp_path):
    log = RequestLog(file_bytes=1000, file_seconds=0.2)
    log.offer(lease, request(300), messages.PredictResponse())
    until(lambda: len(files(tmp_path)) == 1)
    log.offer(lease, request(), messages.PredictResponse())
    until(lambda: len(files(tmp_path)) == 2)
    assert list((tmp_path / "logs").glob("*.part")) == []
    assert len(logs(tmp_path)) == 2
    log.close()


def test_records_without_room_are_dropped_and_counted(lease, tmp_path, caplog):
    log = RequestLog(queue_bytes=1000)
    log.offer(lease, request(1000), messages.PredictResponse())
    log.offer(lease, request(), messages.PredictResponse())
    log.close()
    log.offer(lease, request(), messages.PredictResponse())
    assert (len(logs(tmp_path)), log.dropped) == (1, 2)
    assert "Request log: 1 record(s) dropped so far" in caplog.text


def test_a_written_record_makes_room_for_others(lease, tmp_path):
    log = RequestLog(queue_bytes=1000)
    for _ in range(20):
        log.offer(lease, request(100), messages.PredictResponse())
        until(lambda: log._size == 0)
    log.close()
    assert (len(logs(tmp_path)), log.dropped) == (20, 0)


def test_a_record_too_large_for_the_queue_is_not_copied(lease, monkeypatch):
    log = RequestLog(queue_bytes=1000)
    monkeypatch.setattr(request_log, "frame", None)
    log.offer(lease, request(1000), messages.PredictResponse())
    log.offer_arrays(lease, "S", {"x": np.zeros(1000)}, {})
    assert log.dropped == 2
    log.close()


def test_records_wait_while_the_disk_fails(lease, tmp_path, caplog):
    (tmp_path / "logs").write_text("not a folder")
    log = RequestLog()
    log.offer(lease, request(), messages.PredictResponse())
    until(lambda: "1 record(s) wait to be written: [Errno 17] File exists: " in caplog.text)
    (tmp_path / "logs").unlink()
    log.offer(lease, request(), messages.PredictResponse())
    log.close()
    assert (len(logs(tmp_path)), log.dropped) == (2, 0)


def test_a_server_logs_every_kind_of_request_over_both_protocols(push, tmp_path):
    push(tmp_path / "half", 1)
    file = tmp_path / "models.config"
    file.write_text(
        f'model_config_list {{ config {{ name: "half" base_path: "{tmp_path / "half"}" '
        'model_platform: "tensorflow" logging_config { log_collector_config { type: "tfrecord" '
        f'filename_prefix: "{tmp_path / "logs" / "half"}" }} '
        "sampling_config { sampling_rate: 1.0 } } } }"
    )
    port, rest = free_port(), free_port()
    server = ModelServer(Options(port=port, rest_api_port=rest, model_config_file=str(file)))
    assert server.start()
    with Client(f"127.0.0.1:{port}") as client:
        client.predict("half", {"x": [1.0]})
        client.classify("half", [{"x": 1.0}], signature="classify")
        client.regress("half", [{"x": 1.0}], signature="regress")
    body = json.dumps({"instances": [3.0]}).encode()
    url = f"http://127.0.0.1:{rest}/v1/models/half:predict"
    with urllib.request.urlopen(url, body) as answer:
        assert json.load(answer) == {"predictions": [3.5]}
    server.stop()
    found = logs(tmp_path)
    assert [log.WhichOneof("log_type") for log in found] == [
        *("predict_log", "classify_log", "regress_log", "predict_log")
    ]
    assert list(found[0].predict_log.response.outputs["y"].float_val) == [2.5]
    assert tf.make_ndarray(found[3].predict_log.request.inputs["x"]).tolist() == [3.0]
    assert found[2].regress_log.response.result.regressions[0].value == 2.5
