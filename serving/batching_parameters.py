"""How requests are put together: `--batching_parameters_file` and `batching_params.pbtxt`.

Defaults and texts are those of tensorflow/core/kernels/batching_util/shared_batch_scheduler.h and
tensorflow_serving/batching/batching_session.cc.
"""

import dataclasses
import itertools

from etils.epath import Path
from google.protobuf import text_format

from millrace.serving import cores, regular_file
from millrace.serving.errors import ServerError
from millrace.serving.protos import batching_parameters_pb2 as messages

PER_MODEL = "batching_params.pbtxt"  # in a version's folder


@dataclasses.dataclass(frozen=True)
class Parameters:
    """When a batch is run, and what it may hold.

    Attributes:
        max_batch_size: rows that one request may have; rows of a batch too, unless
            `max_execution_batch_size` says otherwise.
        batch_timeout_micros: how long a batch waits for more rows; microseconds.
        max_enqueued_batches: batches of one signature that may wait.
        num_batch_threads: batches that may run at the same time, of all models together.
        allowed_batch_sizes: rows that a batch may have, the largest last; a smaller one is
            filled up. Any number where empty.
        pad_variable_length_inputs: whether rows of other sizes are filled up to the largest.
        enable_large_batch_splitting: whether a request may be cut into several batches.
        max_execution_batch_size: rows of a batch, with `enable_large_batch_splitting`.
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
        """The most rows of a batch."""
        return self.max_execution_batch_size or self.max_batch_size

    def round_up(self, rows: int) -> int:
        """The rows that a batch of `rows` is filled up to."""
        return next((size for size in self.allowed_batch_sizes if size >= rows), rows)


def read(file: Path) -> Parameters:
    """Read a text-format BatchingParameters.

    Raises:
        ServerError: it cannot be read, or its values do not fit.
    """
    try:
        text = regular_file.read_text(file)
        message = text_format.Parse(text, messages.BatchingParameters())
    except (OSError, UnicodeDecodeError, text_format.ParseError) as error:
        raise ServerError(f"Invalid protobuf file: '{file}': {error}") from error
    return from_proto(message)


def from_proto(message: messages.BatchingParameters) -> Parameters:
    """The parameters in `message`; what it leaves out has its default.

    Raises:
        ServerError: a value does not fit.
    """
    values = {}
    for field, value in message.ListFields():
        if field.message_type is not None:
            values[field.name] = value.value
        elif field.name == "allowed_batch_sizes":
            values[field.name] = tuple(value)
        else:
            values[field.name] = value
    values.pop("thread_pool_name", None)  # a name in the real server's metrics
    if not values.get("enable_large_batch_splitting"):
        values.pop("max_execution_batch_size", None)
    parameters = Parameters(**values)
    _check(parameters)
    return parameters


def _check(parameters: Parameters) -> None:
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
