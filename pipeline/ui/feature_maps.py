"""What the layers of an image model make of one picture, drawn in a process of its own.

TensorFlow and the model, which may hold own layers, stay out of the process of the pages.

`python -m millrace.pipeline.ui.feature_maps FOLDER` is that process. It carries out the step
`feature_maps` on the one picture in the folder.
"""

import base64
import dataclasses
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import threading
from typing import Any

from etils.epath import Path

from millrace.components.artifacts import Analysis, Examples, TrainedModel
from millrace.components.errors import DataError
from millrace.components.feature_maps import feature_maps
from millrace.components.features import spec as specs
from millrace.components.features.image_spec import ImageSpec
from millrace.components.files.tfrecord import write_records
from millrace.pipeline.errors import PipelineError, UsageError, describe_failure
from millrace.serving import lifeline
from millrace.serving.errors import MillraceError
from millrace.serving.example import encode

PATIENCE = 120.0  # seconds to import TensorFlow, load the model and draw
_SPLIT = "asked"
_ONE_BY_ONE = threading.Lock()  # a model and TensorFlow take memory


@dataclasses.dataclass(frozen=True, kw_only=True)
class Wanted:
    """What is to be drawn.

    Attributes:
        model: the folder of a TrainedModel.
        analysis: the folder of the Analysis that it was trained by.
        picture: a file's content, or pixels as a transformed record holds them.
        is_file: which of these it is.
        name: of the picture, in errors.
        own: the folder from which a person's own code is imported, if there is one.
    """

    model: str
    analysis: str
    picture: bytes
    is_file: bool
    name: str
    own: str = ""


def drawn(wanted: Wanted, patience: float = PATIENCE) -> list[dict[str, str]]:
    """The pictures that the step makes: `name`, `caption` and `data`, an address of itself.

    Raises:
        UsageError: the picture is none, or the model takes none.
        PipelineError: the model cannot be loaded, or it takes longer than `patience` seconds.
    """
    with _ONE_BY_ONE, tempfile.TemporaryDirectory(prefix="millrace_maps_") as name:
        folder = pathlib.Path(name)
        _put(wanted, folder)
        paths = os.pathsep.join(filter(None, (wanted.own, *sys.path)))
        command = lifeline.module("millrace.pipeline.ui.feature_maps", name)
        try:
            done = lifeline.run(command, timeout=patience, PYTHONPATH=paths)
        except subprocess.TimeoutExpired:
            raise PipelineError(
                f"Feature maps of {wanted.name}: expected them within {patience:g} s. Received: "
                "none yet. Draw fewer by `--with feature_maps` in a run."
            ) from None
        if not (folder / "outcome.json").exists():
            last = done.stderr.strip().rpartition("\n")[2] or f"status {done.returncode}"
            raise PipelineError(
                f"Feature maps of {wanted.name}: expected them from a process of its own. "
                f"Received: {last}. Try again."
            )
        outcome = json.loads((folder / "outcome.json").read_text())
        if outcome["refused"]:
            raise UsageError(outcome["refused"])
        if outcome["failed"]:
            raise PipelineError(outcome["failed"])
        return [
            {"name": file, "caption": told, "data": _data((folder / "maps" / file).read_bytes())}
            for file, told in sorted(outcome["captions"].items())
        ]


def _put(wanted: Wanted, folder: pathlib.Path) -> None:
    plan = {name: value for name, value in vars(wanted).items() if name != "picture"}
    (folder / "plan.json").write_text(json.dumps(plan))
    (folder / "picture").write_bytes(wanted.picture)


def _data(content: bytes) -> str:
    return f"data:image/png;base64,{base64.b64encode(content).decode()}"


def main() -> None:
    """Draw what the folder that the command names asks for, and leave the outcome there."""
    folder = Path(sys.argv[1])
    outcome: dict[str, Any] = {"captions": {}, "refused": "", "failed": ""}
    try:
        outcome["captions"] = _draw(folder)
    except MillraceError as error:
        outcome["refused"] = str(error)
    except Exception as error:  # maybe of a person's own layer
        outcome["failed"] = describe_failure(error)
    (folder / "outcome.json").write_text(json.dumps(outcome))


def _draw(folder: Path) -> dict[str, str]:
    plan = json.loads((folder / "plan.json").read_text())
    picture = (folder / "picture").read_bytes()
    analysis = Analysis(Path(plan["analysis"]))
    spec = specs.read(analysis.file)
    if plan["is_file"] and isinstance(spec, ImageSpec):
        picture = _pixels(picture, spec, plan["name"])
    examples, out = Examples(folder / "examples"), folder / "maps"
    examples.split_path(_SPLIT).mkdir(parents=True)
    column = spec.layout.inputs[0].name
    write_records(examples.shard(_SPLIT, 0, 1), [encode({column: picture})])
    examples.write_summary({_SPLIT: 1})
    out.mkdir()
    model = TrainedModel(Path(plan["model"]))
    return dict(feature_maps(model, examples, analysis, out, split=_SPLIT).captions)


def _pixels(content: bytes, spec: ImageSpec, name: str) -> bytes:
    """A picture's file as the model takes it, by the ops that it is served with."""
    from millrace.components.features import image_rows  # TensorFlow

    (found,) = image_rows.pixels([content], spec)
    if isinstance(found, str):
        raise DataError(
            f"{name}: expected a picture that the model can be given. Received: {found}. "
            "Choose another file."
        )
    return found.tobytes()


if __name__ == "__main__":
    main()
