"""Warm-up requests: real rows that a server runs before it calls a new model ready.

`assets.extra/tf_serving_warmup_requests` is a TFRecord file of PredictionLog, at most 1,000
(tensorflow_serving/servables/tensorflow/saved_model_warmup_util.h).
"""

from collections.abc import Iterator, Sequence

import numpy as np
from etils.epath import Path

from components.features import record
from components.tfrecord import write_records
from serving import wire
from serving.example import Decoded, encode
from serving.protos import prediction_log_pb2, prediction_service_pb2
from serving.warmup import FILE

_MODEL = "default"  # the model's name is not known yet, and no server looks at it here


def write(saved_model: Path, rows: Sequence[Decoded]) -> None:
    """Put a request of each signature per row, and one Predict of all rows, into the model."""
    file = saved_model / FILE
    file.parent.mkdir(parents=True)
    write_records(file, (log.SerializeToString(deterministic=True) for log in requests(rows)))


def requests(rows: Sequence[Decoded]) -> Iterator[prediction_log_pb2.PredictionLog]:
    """The requests for `rows`, raw image records."""
    files = [bytes(row[record.ENCODED][0]) for row in rows]
    for batch in [*([file] for file in files), files]:
        log = prediction_log_pb2.PredictionLog()
        log.predict_log.request.model_spec.CopyFrom(_spec("serving_default"))
        images = wire.to_proto(np.array(batch, object), name="image_bytes")
        log.predict_log.request.inputs["image_bytes"].CopyFrom(images)
        yield log
    for file in files:
        example = encode({record.ENCODED: file})
        log = prediction_log_pb2.PredictionLog()
        log.classify_log.request.model_spec.CopyFrom(_spec("classify"))
        log.classify_log.request.input.example_list.examples.append(example)
        yield log
        log = prediction_log_pb2.PredictionLog()
        log.regress_log.request.model_spec.CopyFrom(_spec("regress"))
        log.regress_log.request.input.example_list.examples.append(example)
        yield log


def _spec(signature: str) -> prediction_service_pb2.ModelSpec:
    return prediction_service_pb2.ModelSpec(name=_MODEL, signature_name=signature)
