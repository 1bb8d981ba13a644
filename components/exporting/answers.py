"""What an exported model answers in a separate process, loaded as a model server loads it.

`python -m millrace.components.exporting.answers MODEL ROWS ANSWERS` reads the raw records in the
TFRecord file ROWS, calls each signature with all of them, runs the warm-up requests, and writes to
ANSWERS (`.npz`) an array per `signature/output`, and `signatures` as JSON [].
"""

import json
import sys
from typing import TYPE_CHECKING

import numpy as np
from etils.epath import Path

from millrace.components.errors import ModelError
from millrace.components.files.tfrecord import read_records, write_records
from millrace.components.inference import requests
from millrace.serving import lifeline, tensorflow_import, warm
from millrace.serving.example import Decoded, decode, encode
from millrace.serving.signature import Signature, TensorInfo

if TYPE_CHECKING:
    from millrace.serving.model import LoadedModel

OutputArrays = dict[str, np.ndarray]


def collect(saved_model: Path, rows: list[Decoded], scratch: Path) -> OutputArrays:
    """The answers to `rows` of the model in `saved_model`, loaded in a fresh process.

    Raises:
        ModelError: that process failed; ends with the end of its output.
    """
    inputs, answers = scratch / "rows.tfrecord", scratch / "answers.npz"
    write_records(inputs, map(encode, rows))
    arguments = map(str, (saved_model, inputs, answers))
    command = lifeline.module("millrace.components.exporting.answers", *arguments)
    log = scratch / "answers.log"
    with log.open("wb") as sink, warm.start(command, sink) as process:
        code = process.wait()
    if code:
        raise ModelError(
            f"{saved_model}: expected a SavedModel that a fresh process can load and call. "
            f"Received exit code {code}: {log.read_text(errors='replace').strip()[-2000:]}. "
            "This is a bug in the export, not a fault of the data."
        )
    with answers.open("rb") as file, np.load(file) as arrays:
        return dict(arrays)


def _answer(saved_model: Path, rows: list[Decoded]) -> OutputArrays:
    tensorflow_import.load()
    from millrace.serving.model import LoadedModel

    with LoadedModel(saved_model) as model:
        signatures = requests.callable_signatures(model.signatures)
        found = {
            f"{signature.name}/{output}": _comparable(array)
            for signature in signatures
            for output, array in _outputs(model, signature, rows).items()
        }
        model.warm_up()
    described = {signature.name: _described(signature) for signature in signatures}
    return {**found, "signatures": np.array(json.dumps(described))}


def _outputs(model: "LoadedModel", signature: Signature, rows: list[Decoded]) -> OutputArrays:
    return model.predict(requests.inputs(signature, rows), signature=signature.name)


def _comparable(array: np.ndarray) -> np.ndarray:
    """`array`, its bytes as text."""
    if array.dtype != object:
        return array
    texts = [value.decode(errors="backslashreplace") for value in array.ravel()]
    return np.array(texts, str).reshape(array.shape)


def _described(signature: Signature) -> dict[str, object]:
    return {
        "method_name": signature.method_name,
        "inputs": {name: _tensor(tensor) for name, tensor in signature.inputs.items()},
        "outputs": {name: _tensor(tensor) for name, tensor in signature.outputs.items()},
    }


def _tensor(tensor: TensorInfo) -> dict[str, object]:
    return {"dtype": tensor.dtype, "shape": tensor.shape}


def main() -> None:
    """Answer the records in one file into another."""
    saved_model, inputs, answers = map(Path, sys.argv[1:])
    found = _answer(saved_model, [decode(raw) for raw in read_records(inputs)])
    with answers.open("wb") as file:
        np.savez(file, allow_pickle=False, **found)


if __name__ == "__main__":
    main()
