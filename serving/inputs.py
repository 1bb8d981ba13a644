"""Turns images, texts and table rows into the inputs of a model, for `Client.predict`.

Neither Pillow nor pandas is imported: their objects are recognised by their methods.
"""

import io
import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from millrace.serving import dtypes
from millrace.serving.errors import WireError, few
from millrace.serving.signature import Signature, TensorInfo
from millrace.serving.values import utf8


class PilImage(Protocol):
    """A `PIL.Image.Image`."""

    def save(self, fp: io.BytesIO, format: str) -> None: ...  # noqa: A002 - Pillow's name


class DataFrame(Protocol):
    """A `pandas.DataFrame`."""

    def to_dict(self, orient: str) -> list[dict[Any, Any]]: ...


def images(sources: Iterable[str | os.PathLike[str] | bytes | PilImage]) -> np.ndarray:
    """Returns encoded images, strings `[images]`, for a signature that takes `image_bytes`.

    Args:
        sources: paths, the bytes of encoded images, or Pillow images (which are encoded as PNG,
            without loss).

    Raises:
        OSError: a file cannot be read.
    """
    return _strings([_image(source) for source in sources])


def texts(values: Iterable[str | bytes]) -> np.ndarray:
    """Returns texts as UTF-8, strings `[texts]`."""
    return _strings([utf8(one, "Text") if isinstance(one, str) else one for one in values])


def columns(
    rows: DataFrame | Sequence[Mapping[str, object]], signature: Signature
) -> dict[str, np.ndarray]:
    """Returns each input of the signature, `[rows, ...]`, from the column of the same name.

    Missing values (no such key, None, NaN, NaT) become NaN, or an empty text. Scalar inputs have
    no column, and inputs with a default need none.

    Args:
        rows: a DataFrame, or mappings from column name to value.
        signature: e.g. `client.metadata(model).signatures["serving_default"]`.

    Raises:
        WireError: a value does not have the input's dtype, an integer is missing, or no row has
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
                f"Received: {few(names) or 'no columns'}. Rename the column."
            )
    return found


def _image(source: str | os.PathLike[str] | bytes | PilImage) -> bytes:
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
            "Correct the column, or fill in its missing values."
        ) from error


def _is_nan(value: object) -> bool:
    """Whether `value` is NaN, NaT or NA: only those differ from themselves."""
    try:
        return bool(value != value)
    except (TypeError, ValueError):  # bool() fails on pandas' NA and on arrays
        return not hasattr(value, "shape")


def _strings(values: list[bytes]) -> np.ndarray:
    array = np.empty(len(values), object)
    array[:] = values
    return array
