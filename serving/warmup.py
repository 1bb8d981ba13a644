"""Warm-up: requests in a model's folder that run before it is served.

They are in `assets.extra/tf_serving_warmup_requests`, a TFRecord file of PredictionLog. Too many
or invalid records fail as in tensorflow_serving/servables/tensorflow/
saved_model_warmup{,_util}.cc.
"""

from collections.abc import Iterable

from google.protobuf.message import DecodeError

from millrace.serving import example_inference, inference
from millrace.serving.errors import InvalidArgumentError, UnimplementedError
from millrace.serving.inference import DEFAULT_OPTIONS, RequestOptions, Runnable
from millrace.serving.protos import prediction_log_pb2

FILE = "assets.extra/tf_serving_warmup_requests"
MAX_RECORDS = 1000


def replay(
    model: Runnable,
    records: Iterable[bytes],
    options: RequestOptions = DEFAULT_OPTIONS,
    *,
    iterations: int = 1,
) -> int:
    """Run the request of each of `records`, serialised PredictionLogs, `iterations` times.

    Returns their number.

    Raises:
        RpcError: a record is invalid, its request fails, or there are too many.
    """
    count = 0
    for record in records:
        for _ in range(iterations):
            _run(model, record, options)
        count += 1
        if count > MAX_RECORDS:
            raise InvalidArgumentError(
                f"Number of warmup records exceeds the maximum ({MAX_RECORDS})"
            )
    return count


def _run(model: Runnable, record: bytes, options: RequestOptions) -> None:
    try:
        log = prediction_log_pb2.PredictionLog.FromString(record)
    except DecodeError as error:
        raise InvalidArgumentError(f"Failed to parse warmup record: {error}") from error
    match log.WhichOneof("log_type"):
        case "predict_log":
            inference.predict(model, log.predict_log.request, options)
        case "classify_log":
            example_inference.classify(model, log.classify_log.request, options)
        case "regress_log":
            example_inference.regress(model, log.regress_log.request, options)
        case "multi_inference_log":
            example_inference.multi_inference(model, log.multi_inference_log.request, options)
        case None:
            return  # a record without a request is skipped, as in the real server
        case kind:
            raise UnimplementedError(f"Unsupported log_type for warmup: {kind}")
