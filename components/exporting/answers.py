"""What an exported model answers in a process of its own, loaded as a model server loads it.

`python -m components.exporting.answers MODEL FILES ANSWERS` reads the image files in the
TFRecord file FILES, asks each signature for all of them, runs the warm-up requests, and
writes to ANSWERS (`.npz`) the scores, float32 `serving_default` and `classify`
[rows, classes], `regress` [rows]; `class` as text [rows]; `signatures` as JSON [].
"""

import json
import os
import subprocess
import sys

import numpy as np
from etils.epath import Path

from components.errors import ModelError
from components.features import record
from components.tfrecord import read_records, write_records
from serving.example import encode
from serving.signature import Signature, TensorInfo

Answers = dict[str, np.ndarray]

_SOURCES = Path(__file__).parents[2]


def ask(saved_model: Path, files: list[bytes], scratch: Path) -> Answers:
    """The answers to `files` of the model in `saved_model`, loaded in a fresh process.

    Raises:
        ModelError: that process failed; holds the end of what it said.
    """
    requests, answers = scratch / "files.tfrecord", scratch / "answers.npz"
    write_records(requests, files)
    module = [sys.executable, "-m", "components.exporting.answers"]
    path = os.pathsep.join(filter(None, [str(_SOURCES), os.environ.get("PYTHONPATH")]))
    done = subprocess.run(
        [*module, str(saved_model), str(requests), str(answers)],
        env={**os.environ, "PYTHONPATH": path},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise ModelError(
            f"{saved_model}: expected a SavedModel that a fresh process can load and ask. "
            f"Received exit code {done.returncode}: {done.stderr.strip()[-2000:]}. "
            "This is a fault of the export, not of the data."
        )
    with answers.open("rb") as file, np.load(file) as arrays:
        return dict(arrays)


def _answer(saved_model: Path, files: list[bytes]) -> Answers:
    from serving.model import LoadedModel  # TensorFlow

    images = np.array(files, object)
    examples = np.array([encode({record.ENCODED: file}) for file in files], object)
    with LoadedModel(saved_model) as model:
        predicted = model.predict({"image_bytes": images})
        classified = model.predict({"inputs": examples}, signature="classify")
        regressed = model.predict({"inputs": examples}, signature="regress")
        model.warm_up()
        described = {
            name: _described(found)
            for name, found in model.signatures.items()
            if found.method_name  # `__saved_model_init_op` is none
        }
    return {
        "serving_default": predicted["scores"],
        "class": np.array([name.decode() for name in predicted["class"]]),
        "classify": classified["scores"],
        "regress": regressed["outputs"],
        "signatures": np.array(json.dumps(described)),
    }


def _described(signature: Signature) -> dict[str, object]:
    return {
        "method_name": signature.method_name,
        "inputs": {name: _tensor(tensor) for name, tensor in signature.inputs.items()},
        "outputs": {name: _tensor(tensor) for name, tensor in signature.outputs.items()},
    }


def _tensor(tensor: TensorInfo) -> dict[str, object]:
    return {"dtype": tensor.dtype, "shape": tensor.shape}


def main(arguments: list[str]) -> None:
    """Answer the files in one file into another."""
    saved_model, requests, answers = map(Path, arguments)
    found = _answer(saved_model, list(read_records(requests)))
    with answers.open("wb") as file:
        np.savez(file, allow_pickle=False, **found)


if __name__ == "__main__":
    main(sys.argv[1:])
