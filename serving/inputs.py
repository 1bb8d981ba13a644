"""A person's values as the inputs of a model: pictures, texts, rows of a table.

Each function gives one input, or all of them, for `Client.predict`. Neither Pillow nor pandas is
imported: their objects are recognised by what they can do.
"""

import io
import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from millrace.serving import dtypes
from millrace.serving.errors import WireError
from millrace.serving.signature import Signature, TensorInfo
from millrace.serving.values import utf8


class Picture(Protocol):
    """A `PIL.Image.Image`."""

    def save(self, fp: io.BytesIO, format: str) -> None: ...  # noqa: A002 - Pillow's name


class Frame(Protocol):
    """A `pandas.DataFrame`."""

    def to_dict(self, orient: str) -> list[dict[Any, Any]]: ...


def images(sources: Iterable[str | os.PathLike[str] | bytes | Picture]) -> np.ndarray:
    """Encoded images, strings `[images]`, for a signature that takes `image_bytes`.

    Args:
        sources: paths, the bytes of encoded images, or Pillow images (which are encoded as PNG:
            no pixel changes).

    Raises:
        OSError: a file cannot be read.
    """
    return _strings([_image(source) for source in sources])


def texts(values: Iterable[str | bytes]) -> np.ndarray:
    """Texts as UTF-8, strings `[texts]`."""
    return _strings([utf8(one, "Text") if isinstance(one, str) else one for one in values])


def columns(
    rows: Frame | Sequence[Mapping[str, object]], signature: Signature
) -> dict[str, np.ndarray]:
    """One input `[rows, ...]` for each of the signature's, from the column of its name.

    What a row lacks (no such key, None, NaN, NaT) becomes NaN, or an empty text. Inputs that are
    scalars have no column, and those with a default need none.

    Args:
        rows: a data frame, or mappings from column to value.
        signature: e.g. `client.metadata(model).signatures["serving_default"]`.

    Raises:
        WireError: a value is not of the input's type, a whole number is missing, or no row has
            the column.
    """
    records = rows if isinstance(rows, Sequence) else rows.to_dict("records")
    found = {}
    for alias, tensor in signature.inputs.items():
        if tensor.shape == ():
            continue
        if any(alias in record for record in records):
            found[alias] = _column(alias, tensor, [record.get(alias) for record in records])
        elif alias not in signature.defaults:
            names = dict.fromkeys(str(name) for record in records for name in record)
            raise WireError(
                f"Input {alias!r}: expected a column of that name. "
                f"Received: {', '.join(names) or 'no columns'}. Rename the column that it is."
            )
    return found


def _image(source: str | os.PathLike[str] | bytes | Picture) -> bytes:
    if isinstance(source, bytes):
        return source
    if isinstance(source, str | os.PathLike):
        return Path(source).read_bytes()
    encoded = io.BytesIO()
    source.save(encoded, format="PNG")
    return encoded.getvalue()


def _column(alias: str, tensor: TensorInfo, values: Sequence[Any]) -> np.ndarray:
    missing = [value is None or _is_nan(value) for value in values]
    if tensor.dtype == "string":
        known = ("" if gap else value for value, gap in zip(values, missing, strict=True))
        return texts(value if isinstance(value, bytes) else str(value) for value in known)
    dtype = dtypes.numpy_dtype(tensor.dtype)
    empty = np.nan if dtype.kind == "f" else None
    try:
        return np.array(
            [empty if gap else value for value, gap in zip(values, missing, strict=True)], dtype
        )
    except (TypeError, ValueError) as error:
        raise WireError(
            f"Input {alias!r}: expected {tensor.dtype} in each row. Received: {error}. "
            "Correct the column, or fill what it lacks."
        ) from error


def _is_nan(value: object) -> bool:
    """Whether `value` is one of the missing values: only those differ from themselves."""
    try:
        return bool(value != value)
    except (TypeError, ValueError):  # pandas' NA has no truth; arrays have many
        return not hasattr(value, "shape")


def _strings(values: list[bytes]) -> np.ndarray:
    array = np.empty(len(values), object)
    array[:] = values
    return array
