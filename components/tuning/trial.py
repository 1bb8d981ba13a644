"""One trial in a process of its own: TensorFlow's memory goes with it, and trials run at once.

`python -m millrace.components.tuning.trial FOLDER` reads `trial.json` in FOLDER, trains as it says
into `out`, and writes why to `error.txt` if it cannot. It ends with the process that started it.
"""

import csv
import dataclasses
import io
import json
import logging
import os
import subprocess
import sys
from collections.abc import Mapping
from typing import Any

from etils.epath import Path
from pydantic import JsonValue

from millrace.components.artifacts import Analysis, Examples
from millrace.components.errors import ComponentError
from millrace.components.options.component_spec import ComponentSpec
from millrace.components.tuning.hyperparameters import settled
from millrace.components.user_code import references
from millrace.serving import lifeline

_FORMAT = "%(asctime)s %(levelname)s %(name)s: %(message)s"
_TAIL = 400  # characters of a log that stand for a reason


@dataclasses.dataclass(frozen=True)
class TrialTask:
    """What a trial trains.

    Attributes:
        train: `package.module:function`, a component from Examples and Analysis to a model.
        examples, analysis: folders of its inputs.
        base: its options as plain JSON.
        settings: text by option, laid over them.
    """

    train: str
    examples: str
    analysis: str
    base: Mapping[str, JsonValue]
    settings: Mapping[str, str]


def start(task: TrialTask, folder: Path, environment: Mapping[str, str]) -> subprocess.Popen[bytes]:
    """Begin, or go on with, the trial in `folder`; what it prints goes to `log.txt` there."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "out").rmtree(missing_ok=True)
    (folder / "error.txt").unlink(missing_ok=True)
    (folder / "trial.json").write_text(json.dumps(dataclasses.asdict(task)))
    with (folder / "log.txt").open("ab") as log:
        command = lifeline.module("millrace.components.tuning.trial", str(folder))
        path = os.pathsep.join(filter(None, sys.path))
        return lifeline.start(command, log, PYTHONPATH=path, **environment)


def history(folder: Path) -> list[dict[str, float]]:
    """The whole rows of the trial's history so far, one per epoch, by Keras's names."""
    file = folder / "out" / "history.csv"
    if not file.exists():
        return []
    text = file.read_text()
    whole = text[: text.rfind("\n") + 1]  # the last row may be half written
    rows = csv.DictReader(io.StringIO(whole))
    return [{name: float(value) for name, value in row.items()} for row in rows]


def reason(folder: Path, code: int) -> str:
    """Why the trial, which ended with exit `code`, failed: its error, else the end of its log."""
    if (folder / "error.txt").exists():
        return (folder / "error.txt").read_text()
    said = (folder / "log.txt").read_text()[-_TAIL:].strip()
    return f"ended with exit code {code} and said {said or 'nothing'}"


def train(task: TrialTask, folder: Path) -> None:
    """Train what `task` says into `folder`, from where an earlier process left it.

    Raises:
        ComponentError: whatever the component refuses.
    """
    component = references.load(task.train, "tuner.train")
    options = settled(component, task.base, task.settings, "tuner.search")
    out, resume = folder / "out", folder / "resume"
    for each in (out, resume):
        each.mkdir(parents=True, exist_ok=True)
    given: dict[str, Any] = {
        "examples": Examples(Path(task.examples)),
        "analysis": Analysis(Path(task.analysis)),
        "out": out,
        "resume": resume,
    }
    spec = ComponentSpec.of(component)  # a trial has none to give of most inputs
    component(**{name: given.get(name) for name in (*spec.inputs, *spec.given)}, **options)


def _main(folder: Path) -> int:
    logging.basicConfig(level=logging.INFO, format=_FORMAT)
    task = TrialTask(**json.loads((folder / "trial.json").read_text()))
    try:
        train(task, folder)
    except ComponentError as error:
        (folder / "error.txt").write_text(str(error))
        logging.getLogger(__name__).error("the trial ended with", exc_info=True)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(_main(Path(sys.argv[1])))
