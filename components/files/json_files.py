"""The small files of artifacts, read with an error for a person where one is damaged.

Standard library and `etils` only, like the artifacts.
"""

import json
import math
from collections.abc import Iterator
from typing import Any

from etils.epath import Path

from millrace.components.errors import DataError

Kind = type | tuple[type, ...]


def or_none(value: float) -> float | None:
    """`value`, which JSON has no way to write where it is NaN: that is null."""
    return None if math.isnan(value) else value


def refusal(file: Path, wanted: str, received: object) -> DataError:
    """The error for a damaged file that should hold `wanted`."""
    return DataError(
        f"{file}: expected {wanted}. Received: {received}. The file is damaged: "
        "`millrace verify --repair` sets such artifacts aside, and the next run makes them again."
    )


def read_object(file: Path, **fields: Kind) -> dict[str, Any]:
    """The JSON object in `file`, with at least these `fields` of these types.

    Raises:
        DataError: there is no such file, or it holds something else.
    """
    return _checked(file, _json(file, _text(file)), fields)


def read_list(file: Path, **fields: Kind) -> list[dict[str, Any]]:
    """The JSON list of objects in `file`, each with at least these `fields` of these types.

    Raises:
        DataError: there is no such file, or it holds something else.
    """
    rows = _json(file, _text(file))
    if not isinstance(rows, list):
        raise refusal(file, "a JSON list", type(rows).__name__)
    return [_checked(file, row, fields) for row in rows]


def read_texts(file: Path) -> list[str]:
    """The JSON list of texts in `file`.

    Raises:
        DataError: there is no such file, or it holds something else.
    """
    texts = _json(file, _text(file))
    if not isinstance(texts, list) or not all(isinstance(text, str) for text in texts):
        raise refusal(file, "a JSON list of texts", repr(texts)[:80])
    return texts


def read_lines(file: Path, **fields: Kind) -> Iterator[dict[str, Any]]:
    """The JSON objects in the lines of `file`, each with at least these `fields`.

    Raises:
        DataError: there is no such file, or a line holds something else.
    """
    for line in _text(file).splitlines():
        yield _checked(file, _json(file, line), fields)


def _text(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8")
    except OSError as error:
        raise refusal(file, "a file", error.strerror or error) from error
    except UnicodeDecodeError as error:
        raise refusal(file, "UTF-8", f"byte {error.object[error.start]:#04x}") from error


def _json(file: Path, text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise refusal(file, "JSON", error) from error


def _checked(file: Path, value: Any, fields: dict[str, Kind]) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise refusal(file, "a JSON object", type(value).__name__)
    for name, kind in fields.items():
        if not isinstance(value.get(name), kind):
            kinds = kind if isinstance(kind, tuple) else (kind,)
            wanted = " or ".join(one.__name__ for one in kinds)
            raise refusal(file, f"{name!r} of type {wanted}", repr(value.get(name))[:80])
    return value
