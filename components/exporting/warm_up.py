"""Warm-up requests: real rows that a server runs before it reports a new model as ready.

`assets.extra/tf_serving_warmup_requests` is a TFRecord file of PredictionLog, at most 1,000
(tensorflow_serving/servables/tensorflow/saved_model_warmup_util.h).
"""

from collections.abc import Iterable, Iterator, Sequence

from etils.epath import Path

from millrace.components.files.tfrecord import write_records
from millrace.components.inference import requests
from millrace.serving import wire
from millrace.serving.example import Decoded, encode
from millrace.serving.protos import prediction_log_pb2, prediction_service_pb2
from millrace.serving.signature import CLASSIFY, REGRESS, Signature
from millrace.serving.warmup import FILE

_MODEL = "default"  # the model's name is not known yet, and servers ignore it here


def write(saved_model: Path, signatures: Iterable[Signature], rows: Sequence[Decoded]) -> None:
    """Add a request of each signature per row, and one Predict of all rows, to the model."""
    file = saved_model / FILE
    file.parent.mkdir(parents=True)
    logs = logged(signatures, rows)
    write_records(file, (log.SerializeToString(deterministic=True) for log in logs))


def logged(
    signatures: Iterable[Signature], rows: Sequence[Decoded]
) -> Iterator[prediction_log_pb2.PredictionLog]:
    """The requests for `rows`, raw records."""
    for signature in signatures:
        if signature.method_name in (CLASSIFY, REGRESS):
            yield from (_example(signature, row) for row in rows)
        else:
            yield from (_predict(signature, batch) for batch in [*([row] for row in rows), rows])


def _example(signature: Signature, row: Decoded) -> prediction_log_pb2.PredictionLog:
    """Classify's or Regress's request for one row."""
    log = prediction_log_pb2.PredictionLog()
    found = log.classify_log if signature.method_name == CLASSIFY else log.regress_log
    found.request.model_spec.CopyFrom(_spec(signature))
    found.request.input.example_list.examples.append(encode(row))
    return log


def _predict(signature: Signature, rows: Sequence[Decoded]) -> prediction_log_pb2.PredictionLog:
    log = prediction_log_pb2.PredictionLog()
    log.predict_log.request.model_spec.CopyFrom(_spec(signature))
    for alias, array in requests.inputs(signature, rows).items():
        log.predict_log.request.inputs[alias].CopyFrom(wire.to_proto(array, name=alias))
    return log


def _spec(signature: Signature) -> prediction_service_pb2.ModelSpec:
    return prediction_service_pb2.ModelSpec(name=_MODEL, signature_name=signature.name)
