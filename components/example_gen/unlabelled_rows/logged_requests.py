"""What a model server logged, as raw Examples: one for each row of each request.

A logged request (PredictionLog) holds what the model was given: the inputs of a signature by
alias, or Examples. Both become rows under the names and in the types of the training data; an
answer is not looked at. Consecutive requests of one layout are joined to columns, which are
converted and encoded at once; row by row only where one does not fit, or is a picture.
"""

import dataclasses
import itertools
import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Literal, NamedTuple

import numpy as np
import pyarrow as pa
from etils.epath import Path
from google.protobuf.message import DecodeError

from millrace.components.artifacts import Rejected
from millrace.components.errors import DataError
from millrace.components.example_gen.shards.folders import ListedRow
from millrace.components.example_gen.shards.writing import Converted, Skipped, SplitRecord
from millrace.components.files import arrow_examples, columns
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
_AT_ONCE, _BYTES = 1024, 32 << 20  # requests, and bytes of them, that are joined at most

FeatureKind = Literal["bytes", "int64", "float32"]


class RequestRow(NamedTuple):
    """One row of a request: the file it was logged in, where in it, and its raw features."""

    place: str
    position: str
    features: Decoded


class Request(NamedTuple):
    """The rows of a request.

    Attributes:
        layout: of what can be joined: the type and the shape of each feature; none of Examples.
        features: by name, [rows, ...].
        examples: serialised.
    """

    layout: tuple[tuple[str, np.dtype, tuple[int, ...]], ...]
    features: Mapping[str, np.ndarray]
    examples: Sequence[bytes]

    @property
    def rows(self) -> int:
        """How many."""
        return len(next(iter(self.features.values()), self.examples))


class _Logged(NamedTuple):
    """A request, which of the file's records it is, and the bytes of that."""

    position: str
    size: int
    request: Request


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

    def read(self, rows: Sequence[ListedRow]) -> Iterator[RequestRow | Converted]:
        """Yield every row of every request in the files of `rows`."""
        for row in rows:
            held, size = list[_Logged](), 0
            for item in self._requests(row.path):
                is_full = len(held) == _AT_ONCE or size >= _BYTES
                if held and (is_full or not _are_alike(held[0], item)):
                    yield from self._outcomes(row.path, held)
                    held, size = [], 0
                if isinstance(item, _Logged):
                    held.append(item)
                    size += item.size
                else:
                    yield item
            if held:
                yield from self._outcomes(row.path, held)

    def convert(self, item: RequestRow | Converted) -> Converted:
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

    def _requests(self, path: str) -> Iterator[_Logged | Rejected | Skipped]:
        number = 0
        try:
            for number, record in enumerate(read_records(self.root / path), start=1):
                yield self._request(path, f"record {number - 1}", record)
        except DataError as error:  # the file ends in the middle of a record
            yield Rejected(path, str(error), f"record {number}")

    def _request(self, place: str, position: str, record: bytes) -> _Logged | Rejected | Skipped:
        try:
            log = prediction_log_pb2.PredictionLog.FromString(record)
            if log.log_metadata.model_spec.name != self.model:
                return Skipped(OTHERS)
            return _Logged(position, len(record), request_of(log, self.bases))
        except (DecodeError, WireError, DataError) as error:
            return Rejected(place, str(error), position)

    def _outcomes(self, place: str, logged: Sequence[_Logged]) -> Iterator[RequestRow | Converted]:
        """The rows of requests of one layout."""
        try:
            batches = list(batches_of([each.request for each in logged]))
        except DataError:
            for each in logged:
                yield from self._alone(place, each)
            return
        positions = (
            f"{each.position}, row {row}" for each in logged for row in range(each.request.rows)
        )
        for batch in batches:
            own = list(itertools.islice(positions, batch.num_rows))
            records = _encoded(batch, self.kinds)
            if records is not None:
                yield from (SplitRecord(SPLIT, "", record) for record in records)
                continue
            for position, features in zip(own, columns.rows(batch), strict=True):
                yield RequestRow(place, position, features)

    def _alone(self, place: str, logged: _Logged) -> Iterator[RequestRow | Rejected]:
        """The rows of a request of Examples, each decoded by itself."""
        try:
            rows = [decode(record) for record in logged.request.examples]
        except WireError as error:
            yield Rejected(place, str(error), logged.position)
            return
        for number, features in enumerate(rows):
            yield RequestRow(place, f"{logged.position}, row {number}", features)


def _are_alike(one: _Logged, other: _Logged | Rejected | Skipped) -> bool:
    return isinstance(other, _Logged) and one.request.layout == other.request.layout


def request_of(
    log: prediction_log_pb2.PredictionLog, bases: Mapping[str, Sequence[float]]
) -> Request:
    """The rows of a logged request.

    Args:
        log: of the request.
        bases: by input, what the training data's values are less.

    Raises:
        DataError: it holds no request, or inputs of unlike numbers of rows.
        WireError: a tensor in it cannot be read.
    """
    match log.WhichOneof("log_type"):
        case "predict_log":
            return _inputs(log.predict_log.request, bases)
        case "classify_log" | "regress_log" | "multi_inference_log" as kind:
            return Request((), {}, _examples(getattr(log, kind).request.input))
        case kind:
            raise DataError(f"expected a request. Received: {kind or 'none'}")


def batches_of(requests: Sequence[Request]) -> Iterator[pa.RecordBatch]:
    """The columns of requests of one layout; what a row lacks is null.

    Raises:
        DataError: an Example cannot be read.
    """
    if not requests[0].layout:
        examples = list(itertools.chain.from_iterable(each.examples for each in requests))
        yield from columns.alike(examples, "") if examples else ()
        return
    found = {}
    rows = sum(each.rows for each in requests)
    for name, _, shape in requests[0].layout:
        if width := math.prod(shape):
            cells = np.concatenate([each.features[name] for each in requests])
            found[name] = _column(cells.reshape(rows, width))
    yield columns.of_columns(found, rows)


def _inputs(request: messages.PredictRequest, bases: Mapping[str, Sequence[float]]) -> Request:
    """The inputs with a batch; scalars are settings, not data."""
    arrays = {alias: wire.to_array(request.inputs[alias]) for alias in sorted(request.inputs)}
    if list(arrays) == [SERIALISED] and arrays[SERIALISED].dtype == object:
        return Request((), {}, arrays[SERIALISED].ravel().tolist())
    batched = {
        feature_of(alias): array - bases[alias] if alias in bases else array
        for alias, array in arrays.items()
        if array.ndim
    }
    sizes = {len(array) for array in batched.values()}
    if len(sizes) != 1:
        raise DataError(f"expected inputs of one number of rows. Received: {sorted(sizes)}")
    for name, array in batched.items():
        if array.dtype.kind == "c":
            raise DataError(f"{name}: expected text or real numbers. Received: {array.dtype}")
    layout = tuple([(name, array.dtype, array.shape[1:]) for name, array in batched.items()])
    return Request(layout, batched, ())


def _examples(given: messages.Input) -> Sequence[bytes]:
    if given.WhichOneof("kind") == "example_list_with_context":
        listed = given.example_list_with_context
        return [listed.context + record for record in listed.examples]  # which merges the two
    return list(given.example_list.examples)


def _column(cells: np.ndarray) -> pa.ListArray:
    """Values [rows, width] as Examples have them; none where the model takes one for missing."""
    if cells.dtype.kind in "biu":
        return columns.of_array(cells.astype(np.int64))
    is_text, is_one = cells.dtype == object, cells.shape[1] == 1
    values = cells if is_text else cells.astype(np.float32)
    is_missing = cells[:, 0] == b"" if is_text else np.isnan(cells[:, 0])
    return columns.of_array(values, is_missing if is_one else None)


def _encoded(batch: pa.RecordBatch, kinds: Mapping[str, FeatureKind]) -> list[bytes] | None:
    """The records in the types that the training data has; None if a row does not fit them, or
    holds a picture, which is to be measured.
    """
    names = batch.schema.names
    if not names or _IMAGE in names or not batch.num_rows:
        return None
    found = {}
    for name, column in zip(names, batch.columns, strict=True):
        fitted = _cast(column, kinds.get(name))
        if fitted is None:
            return None
        found[name] = fitted
    return arrow_examples.as_bytes(arrow_examples.records(found, prefix_last=True))


def _cast(column: pa.ListArray, kind: FeatureKind | None) -> pa.ListArray | None:
    """A column in the type `kind`, if it has one; None if a value does not fit it."""
    own = columns.kind_of(column)
    if kind in (None, own):
        return column
    if "bytes" in (kind, own):
        return None
    flat, lengths = columns.values(column)
    values = flat.to_numpy()
    with np.errstate(invalid="ignore"):
        fitted = values.astype(kind)
    if kind == "int64" and not np.array_equal(fitted, values):
        return None
    return columns.of_values(pa.array(fitted), lengths, columns.is_null(column))


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
