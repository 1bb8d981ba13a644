"""What a model server logged, as raw Examples: one for each row of each request.

A logged request (PredictionLog) holds what the model was given: the inputs of a signature by
alias, or Examples. Both become rows under the names and in the types of the training data; an
answer is not looked at.
"""

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from typing import Literal, NamedTuple

import numpy as np
from etils.epath import Path
from google.protobuf.message import DecodeError

from millrace.components.artifacts import Rejected
from millrace.components.errors import DataError
from millrace.components.example_gen.shards.folders import ListedRow
from millrace.components.example_gen.shards.writing import Converted, Skipped, SplitRecord
from millrace.components.files.pictures import read_picture
from millrace.components.files.tfrecord import read_records
from millrace.components.inference.requests import SERIALISED, feature_of
from millrace.serving import wire
from millrace.serving.errors import WireError
from millrace.serving.example import Decoded, decode, encode
from millrace.serving.protos import prediction_log_pb2
from millrace.serving.protos import prediction_service_pb2 as messages

SPLIT = "serving"
OTHERS = "requests about other models, passed over"
_IMAGE = "image/encoded"

FeatureKind = Literal["bytes", "int64", "float32"]


class RequestRow(NamedTuple):
    """One row of a request: the file it was logged in, where in it, and its raw features."""

    place: str
    position: str
    features: Decoded


@dataclasses.dataclass(frozen=True)
class LoggedRequests:
    """TFRecord files of PredictionLog below `root`: those about the model called `model`.

    `kinds` are the types of the training data's features, which the rows get; `bases` what its
    windows are less, see `features.precision`.
    """

    root: Path
    model: str
    kinds: Mapping[str, FeatureKind]
    bases: Mapping[str, Sequence[float]] = dataclasses.field(default_factory=dict)

    def read(self, rows: Sequence[ListedRow]) -> Iterator[RequestRow | Rejected | Skipped]:
        """Yield every row of every request in the files of `rows`."""
        for row in rows:
            number = 0
            try:
                for number, record in enumerate(read_records(self.root / row.path), start=1):
                    yield from self._rows(row.path, f"record {number - 1}", record)
            except DataError as error:  # the file ends in the middle of a record
                yield Rejected(row.path, str(error), f"record {number}")

    def convert(self, item: RequestRow | Rejected | Skipped) -> Converted:
        """Give one row the types of the training data."""
        if not isinstance(item, RequestRow):
            return item
        try:
            features = {
                name: _fitted(name, value, self.kinds.get(name))
                for name, value in _measured(item.features).items()
            }
        except DataError as error:
            return Rejected(item.place, str(error), item.position)
        return SplitRecord(SPLIT, "", encode(features))

    def _rows(
        self, place: str, position: str, record: bytes
    ) -> Iterator[RequestRow | Rejected | Skipped]:
        try:
            log = prediction_log_pb2.PredictionLog.FromString(record)
            if log.log_metadata.model_spec.name != self.model:
                yield Skipped(OTHERS)
                return
            rows = rows_of(log, self.bases)
        except (DecodeError, WireError, DataError) as error:
            yield Rejected(place, str(error), position)
            return
        for number, features in enumerate(rows):
            yield RequestRow(place, f"{position}, row {number}", features)


def rows_of(
    log: prediction_log_pb2.PredictionLog, bases: Mapping[str, Sequence[float]]
) -> list[Decoded]:
    """The rows of a logged request, by feature; what a row lacks is left out.

    Args:
        log: of the request.
        bases: by input, what the training data's values are less.

    Raises:
        DataError: it holds no request, or inputs of unlike numbers of rows.
        WireError: a tensor or an Example in it cannot be read.
    """
    match log.WhichOneof("log_type"):
        case "predict_log":
            return _columns(log.predict_log.request, bases)
        case "classify_log" | "regress_log" | "multi_inference_log" as kind:
            return _examples(getattr(log, kind).request.input)
        case kind:
            raise DataError(f"expected a request. Received: {kind or 'none'}")


def _columns(
    request: messages.PredictRequest, bases: Mapping[str, Sequence[float]]
) -> list[Decoded]:
    """The inputs with a batch, cut into rows; scalars are settings, not data."""
    arrays = {alias: wire.to_array(request.inputs[alias]) for alias in sorted(request.inputs)}
    if list(arrays) == [SERIALISED] and arrays[SERIALISED].dtype == object:
        return [decode(record) for record in arrays[SERIALISED].ravel().tolist()]
    batched = {
        feature_of(alias): array - bases[alias] if alias in bases else array
        for alias, array in arrays.items()
        if array.ndim
    }
    sizes = {len(array) for array in batched.values()}
    if len(sizes) != 1:
        raise DataError(f"expected inputs of one number of rows. Received: {sorted(sizes)}")
    return [
        {
            name: value
            for name, array in batched.items()
            if len(value := _value(name, array[row : row + 1].ravel()))
        }
        for row in range(sizes.pop())
    ]


def _value(name: str, cell: np.ndarray) -> list[bytes] | np.ndarray:
    """The values of one cell as an Example has them; none where the model takes it for missing."""
    if cell.dtype == object:
        texts = cell.tolist()
        return [] if texts == [b""] else texts
    if cell.dtype.kind in "biu":
        return cell.astype(np.int64)
    if cell.dtype.kind == "c":
        raise DataError(f"{name}: expected text or real numbers. Received: {cell.dtype}")
    return cell[:0] if len(cell) == 1 and np.isnan(cell[0]) else cell.astype(np.float32)


def _examples(given: messages.Input) -> list[Decoded]:
    if given.WhichOneof("kind") == "example_list_with_context":
        listed = given.example_list_with_context
        context = decode(listed.context)
        return [{**context, **decode(record)} for record in listed.examples]
    return [decode(record) for record in given.example_list.examples]


def _measured(features: Decoded) -> Mapping[str, list[bytes] | np.ndarray | str | int]:
    """`features`, with a picture's measures beside it, as ingest writes them.

    Raises:
        DataError: the picture cannot be read.
    """
    pictures = features.get(_IMAGE)
    if not isinstance(pictures, list):
        return features
    measures = read_picture(pictures[0]).measures
    return {**measures, **features}


def _fitted(
    name: str, value: list[bytes] | np.ndarray | str | int, kind: FeatureKind | None
) -> list[bytes] | np.ndarray | str | int:
    """`value` in the type that the training data has for it.

    Raises:
        DataError: it has no such type, or holds what it cannot hold.
    """
    if kind is None or isinstance(value, str | int):
        return value
    if isinstance(value, list) != (kind == "bytes"):
        received = "text" if isinstance(value, list) else "numbers"
        raise DataError(f"{name}: expected {kind}, as in training. Received: {received}")
    if isinstance(value, list):
        return value
    with np.errstate(invalid="ignore"):
        fitted = value.astype(kind)
    if kind == "int64" and not np.array_equal(fitted, value):
        raise DataError(f"{name}: expected whole numbers, as in training. Received: {value}")
    return fitted
