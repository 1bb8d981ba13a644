"""Merges the rows of several requests into one batch, and splits the outputs again.

Error texts are those of tensorflow_serving/batching/{batching_session,batching_util}.cc.
"""

from collections.abc import Hashable, Mapping, Sequence

import numpy as np

from millrace.serving.errors import FailedPreconditionError, InvalidArgumentError

Feeds = Mapping[str, np.ndarray]  # tensor name -> array [rows, ...]


def rows(feeds: Feeds) -> int:
    """Returns the number of rows in `feeds`.

    Raises:
        InvalidArgumentError: there are no arrays, one is a scalar, or their rows differ.
    """
    if not feeds:
        raise InvalidArgumentError("Batching Run() must have at least one input tensor")
    if any(array.ndim == 0 for array in feeds.values()):
        raise InvalidArgumentError("Batching Run() input tensors must have at least one dimension")
    sizes = {len(array) for array in feeds.values()}
    if len(sizes) > 1:
        raise InvalidArgumentError(
            "Batching Run() input tensors must have equal 0th-dimension size"
        )
    return sizes.pop()


def layout(feeds: Feeds, *, pad: bool) -> Hashable:
    """Returns what requests of one batch must have in common: dtypes and sizes beyond the rows.

    With `pad`, sizes may differ but not the number of dimensions. An empty array has no element
    to be padded with, so its sizes must agree even then.
    """
    return tuple(
        (name, array.dtype, array.ndim if pad and array.size else array.shape[1:])
        for name, array in sorted(feeds.items())
    )


def merge(requests: Sequence[Feeds], size: int) -> dict[str, np.ndarray]:
    """Concatenates the rows of `requests`, which have one layout.

    Arrays whose sizes differ are padded to the largest with their own first element. Missing rows
    up to `size` repeat the first row of the last request.
    """
    return {name: _merge([feeds[name] for feeds in requests], size) for name in requests[0]}


def split(
    outputs: Sequence[np.ndarray], counts: Sequence[int], size: int
) -> list[list[np.ndarray]]:
    """Splits the outputs of a batch of `size` rows into those of requests of `counts` rows.

    Raises:
        FailedPreconditionError: an output does not have `size` rows.
    """
    for output in outputs:
        if output.ndim == 0:
            raise FailedPreconditionError("Batched output tensor has 0 dimensions")
        if len(output) != size:
            raise FailedPreconditionError(
                "Batched output tensor's 0th dimension does not equal the sum of the "
                "0th dimension sizes of the input tensors"
            )
    ends = np.cumsum(counts).tolist()
    return [
        [output[end - count : end] for output in outputs]
        for end, count in zip(ends, counts, strict=True)
    ]


def _merge(arrays: Sequence[np.ndarray], size: int) -> np.ndarray:
    largest = np.max([array.shape for array in arrays], axis=0)[1:]
    parts = [_fill_up(array, largest) for array in arrays]
    missing = size - sum(map(len, parts))
    if missing > 0 and len(parts[-1]):
        parts.append(np.repeat(parts[-1][:1], missing, axis=0))
    return parts[0] if len(parts) == 1 else np.concatenate(parts)


def _fill_up(array: np.ndarray, largest: np.ndarray) -> np.ndarray:
    if array.shape[1:] == tuple(largest):
        return array
    full = np.full((len(array), *largest), array.flat[0], array.dtype)
    full[tuple(slice(size) for size in array.shape)] = array
    return full
