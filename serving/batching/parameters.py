"""How requests are batched: `--batching_parameters_file` and `batching_params.pbtxt`.

Defaults and error texts are those of
tensorflow/core/kernels/batching_util/shared_batch_scheduler.h and
tensorflow_serving/batching/batching_session.cc.
"""

import dataclasses
import itertools

from etils.epath import Path
from google.protobuf import text_format

from millrace.serving import cores, regular_file, text_form
from millrace.serving.errors import ServerError
from millrace.serving.protos import batching_parameters_pb2 as messages

PER_MODEL = "batching_params.pbtxt"  # in a version's folder


@dataclasses.dataclass(frozen=True)
class BatchingParameters:
    """When a batch runs, and what it may hold.

    Attributes:
        max_batch_size: the most rows of one request, and of a batch unless
            `max_execution_batch_size` is set.
        batch_timeout_micros: how long a batch waits for more rows, in microseconds.
        max_enqueued_batches: how many batches of one signature may wait.
        num_batch_threads: how many batches may run at the same time, over all models.
        allowed_batch_sizes: the sizes in rows that a batch may have, in ascending order; a batch
            is padded to the next of them. Any size if empty.
        pad_variable_length_inputs: whether inputs of different shapes are padded to the largest.
        enable_large_batch_splitting: whether a request may be split into several batches.
        max_execution_batch_size: the most rows of a batch, with `enable_large_batch_splitting`.
    """

    max_batch_size: int = 1000
    batch_timeout_micros: int = 0
    max_enqueued_batches: int = 10
    num_batch_threads: int = dataclasses.field(default_factory=cores.available)
    allowed_batch_sizes: tuple[int, ...] = ()
    pad_variable_length_inputs: bool = False
    enable_large_batch_splitting: bool = False
    max_execution_batch_size: int = 0

    @property
    def batch_limit(self) -> int:
        """The most rows that a batch may have."""
        return self.max_execution_batch_size or self.max_batch_size

    def round_up(self, rows: int) -> int:
        """The size that a batch of `rows` rows is padded to."""
        return next((size for size in self.allowed_batch_sizes if size >= rows), rows)


def read(file: Path) -> BatchingParameters:
    """Read a text-format BatchingParameters.

    Raises:
        ServerError: the file cannot be read, or a value is invalid.
    """
    try:
        text = regular_file.read_text(file)
        message = text_form.parse(text, messages.BatchingParameters())
    except (OSError, UnicodeDecodeError, text_format.ParseError) as error:
        raise ServerError(f"Invalid protobuf file: '{file}': {error}") from error
    return from_proto(message)


def from_proto(message: messages.BatchingParameters) -> BatchingParameters:
    """Returns the parameters in `message`, with defaults for fields that are not set.

    Raises:
        ServerError: a value is invalid.
    """
    values = {}
    for field, value in message.ListFields():
        if field.message_type is not None:
            values[field.name] = value.value
        elif field.name == "allowed_batch_sizes":
            values[field.name] = tuple(value)
        else:
            values[field.name] = value
    values.pop("thread_pool_name", None)  # only a label in the real server's metrics
    if not values.get("enable_large_batch_splitting"):
        values.pop("max_execution_batch_size", None)
    parameters = BatchingParameters(**values)
    _check(parameters)
    return parameters


def _check(parameters: BatchingParameters) -> None:
    for name in ("max_batch_size", "max_enqueued_batches", "num_batch_threads", "batch_limit"):
        if getattr(parameters, name) <= 0:
            raise ServerError(f"{name} must be positive; was {getattr(parameters, name)}")
    if parameters.batch_timeout_micros < 0:
        raise ServerError(
            f"batch_timeout_micros must be non-negative; was {parameters.batch_timeout_micros}"
        )
    if parameters.batch_limit > parameters.max_batch_size:
        raise ServerError(
            "max_execution_batch_size must be less than or equal to max_batch_size; was "
            f"{parameters.batch_limit}; expected at most {parameters.max_batch_size}"
        )
    sizes = parameters.allowed_batch_sizes
    if any(smaller >= larger for smaller, larger in itertools.pairwise(sizes)):
        raise ServerError("allowed_batch_sizes entries must be monotonically increasing")
    if sizes and sizes[-1] != parameters.batch_limit:
        limit = "max_batch_size"
        if parameters.max_execution_batch_size:
            limit = "max_execution_batch_size"
        raise ServerError(
            f"Last entry in allowed_batch_sizes must match {limit}; last entry was {sizes[-1]}; "
            f"expected {parameters.batch_limit}"
        )
