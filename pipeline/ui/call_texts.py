"""The call that was made, as a person would make it: in Python, by curl and by grpcurl.

Each is whole and can be pasted into a shell or a file: pictures and texts stand in it, but for a
large picture, which is read from a file of its name.
"""

import base64
import json
import math
import shlex
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from millrace.pipeline.predictions import Call
from millrace.serving.signature import DEFAULT

_ROWS = 20  # of a call at most
_LONG = 8000  # letters of a picture that stands in a call
_TYPES = {
    "float32": ("DT_FLOAT", "floatVal"),
    "float64": ("DT_DOUBLE", "doubleVal"),
    "int32": ("DT_INT32", "intVal"),
    "int64": ("DT_INT64", "int64Val"),
    "bool": ("DT_BOOL", "boolVal"),
    "object": ("DT_STRING", "stringVal"),
}
_FILE = "\0file\0"  # where the content of a file goes


def texts(
    model: str, call: Call, target: str, rest: str, *, version: int | None = None, file: str = ""
) -> dict[str, str]:
    """The call as `python`, `curl` and `grpcurl`.

    Args:
        model: its name on the server.
        call: what was sent; of many rows the first are written.
        target: HOST:PORT of the server, for gRPC.
        rest: the address of its REST API.
        version: that was asked for; none where it is the newest.
        file: the name of a picture's file, of plain letters.
    """
    inputs = {alias: array[:_ROWS] if array.ndim else array for alias, array in call.inputs.items()}
    large = file if any(_is_large(array) for array in inputs.values()) else ""
    signature = "" if call.signature == DEFAULT else call.signature
    return {
        "python": _python(model, inputs, target, signature, version, large),
        "curl": _curl(model, inputs, rest, signature, version, large),
        "grpcurl": _grpcurl(model, inputs, target, signature, version, large),
    }


def _is_large(array: np.ndarray) -> bool:
    return array.dtype == object and any(
        len(each) * 4 / 3 > _LONG and not _is_text(each) for each in array.ravel()
    )


def _is_text(content: bytes) -> bool:
    try:
        return "\0" not in content.decode()
    except UnicodeDecodeError:
        return False


def _python(
    model: str,
    inputs: Mapping[str, np.ndarray],
    target: str,
    signature: str,
    version: int | None,
    file: str,
) -> str:
    filled = {alias: _literal(array, file) for alias, array in inputs.items()}
    body = ", ".join(f"{alias!r}: {text}" for alias, text in filled.items())
    if len(body) > 60:
        body = "".join(f"\n        {alias!r}: {text}," for alias, text in filled.items()) + "\n    "
    more = f", signature={signature!r}" if signature else ""
    more += f", version={version}" if version is not None else ""
    imports = "import base64\n\n" if "base64." in body else ""
    imports += "from millrace.serving.client import Client\n"
    imports += "from millrace.serving.inputs import images\n" if "images(" in body else ""
    return (
        f"{imports}\nwith Client({target!r}) as client:\n"
        f"    answer = client.predict({model!r}, {{{body}}}{more})\n"
        "for name, values in answer.items():\n    print(name, values)\n"
    )


def _literal(array: np.ndarray, file: str) -> str:
    """A value as Python has it; what is no text as an encoded image."""
    if array.dtype != object:
        return _number(array)
    cells = array.ravel().tolist()
    if all(map(_is_text, cells)):
        found = [cell.decode() for cell in cells]
        return repr(found if array.ndim else found[0])
    if file:
        return f"images([{file!r}])"
    encoded = (base64.b64encode(cell).decode() for cell in cells)
    return f"images([{', '.join(f'base64.b64decode({each!r})' for each in encoded)}])"


def _number(array: np.ndarray) -> str:
    return repr(_plain(array)).replace("nan", "float('nan')").replace("inf", "float('inf')")


def _plain(array: np.ndarray) -> Any:
    """Nested lists; float32 in the shortest digits that give it again."""
    if array.dtype == np.float32:
        flat = [float(str(value)) for value in array.ravel()]
        return np.array(flat, object).reshape(array.shape).tolist()
    return array.tolist()


def _curl(
    model: str,
    inputs: Mapping[str, np.ndarray],
    rest: str,
    signature: str,
    version: int | None,
    file: str,
) -> str:
    body: dict[str, Any] = {"signature_name": signature} if signature else {}
    body["inputs"] = {alias: _rest(array, file) for alias, array in inputs.items()}
    which = f"/versions/{version}" if version is not None else ""
    address = shlex.quote(f"{rest}/v1/models/{model}{which}:predict")
    return _sent(f"curl -s -d @- {address}", body, file)


def _rest(array: np.ndarray, file: str) -> Any:
    if array.dtype != object:
        return _plain(array)
    cells = [
        cell.decode() if _is_text(cell) else {"b64": _base64(cell, file)}
        for cell in array.ravel().tolist()
    ]
    return cells if array.ndim else cells[0]


def _grpcurl(
    model: str,
    inputs: Mapping[str, np.ndarray],
    target: str,
    signature: str,
    version: int | None,
    file: str,
) -> str:
    spec: dict[str, Any] = {"name": model}
    spec |= {"signatureName": signature} if signature else {}
    spec |= {"version": str(version)} if version is not None else {}
    body = {
        "modelSpec": spec,
        "inputs": {alias: _tensor(array, file) for alias, array in inputs.items()},
    }
    method = "tensorflow.serving.PredictionService/Predict"
    return _sent(f"grpcurl -plaintext -d @ {shlex.quote(target)} {method}", body, file)


def _tensor(array: np.ndarray, file: str) -> dict[str, Any]:
    kind, name = _TYPES[str(array.dtype)]
    cells: Sequence[Any] = np.ravel(np.array(_plain(array), object)).tolist()
    if array.dtype == object:
        cells = [_base64(cell, "" if _is_text(cell) else file) for cell in array.ravel().tolist()]
    elif array.dtype == np.int64:
        cells = [str(cell) for cell in cells]
    else:
        cells = [_json_number(cell) for cell in cells]
    shape = {"dim": [{"size": str(size)} for size in array.shape]}
    return {"dtype": kind, "tensorShape": shape if array.ndim else {}, name: cells}


def _json_number(value: Any) -> Any:
    """What protobuf's JSON has for numbers that JSON has not."""
    if isinstance(value, float) and not math.isfinite(value):
        return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
    return value


def _base64(content: bytes, file: str) -> str:
    return _FILE if file else base64.b64encode(content).decode()


def _sent(command: str, body: Mapping[str, Any], file: str) -> str:
    """A shell's command whose input is `body`, as it is, or with a file's content in it."""
    text = json.dumps(body, ensure_ascii=False)
    if not file:
        return f"{command} <<'JSON'\n{text}\nJSON\n"
    content = f"$(base64 < {shlex.quote(file)} | tr -d '\\n')"
    return f"{command} <<JSON\n{text.replace(json.dumps(_FILE)[1:-1], content)}\nJSON\n"
