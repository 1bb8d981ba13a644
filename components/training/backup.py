"""Training state after each epoch, whole or not there, so that a killed training goes on.

Not Keras's BackupAndRestore: it writes the weights in place and the epoch after them, so that
a kill in between trains an epoch twice; and its weights file leaves out the state of dropout
and augmentation layers, and the patience of other callbacks, so that a resumed training ends
elsewhere than an unbroken one. Here `epoch-<n>.npz` holds every variable of model and
optimizer; `state.json`, renamed into place, names it and so commits it.
"""

import dataclasses
import json
import logging
import zipfile
from collections.abc import Mapping
from typing import Any

import keras
import numpy as np
from etils.epath import Path

from millrace.components.files.folders import sync
from millrace.components.training.callbacks import HistoryFile, Row, best_epoch

logger = logging.getLogger(__name__)

_PATIENCE = ("best", "wait", "cooldown_counter", "best_epoch", "stopped_epoch")


@dataclasses.dataclass(frozen=True)
class State:
    """Where training stands.

    Attributes:
        plan: what is being trained, in words; a state of another plan is of no use.
        epochs: how many are done.
        stopped: whether a callback ended training after them.
        rows: the history.
        patience: attributes of the callbacks that wait for improvement, by their names.
    """

    plan: str
    epochs: int = 0
    stopped: bool = False
    rows: list[Row] = dataclasses.field(default_factory=list)
    patience: dict[str, dict[str, float | None]] = dataclasses.field(default_factory=dict)


class Backup(keras.callbacks.Callback):
    """Save the state after each epoch; must come last among the callbacks.

    The variables of the last epoch stay on disk, and those of the best one by the metric
    `best_by`, if one is named.
    """

    def __init__(
        self,
        folder: Path,
        state: State,
        history: HistoryFile,
        patient: Mapping[str, keras.callbacks.Callback],
        best_by: str | None,
    ) -> None:
        super().__init__()
        self._folder, self._state = folder, state
        self._history, self._patient, self._best_by = history, patient, best_by

    def on_train_begin(self, logs: Mapping[str, float] | None = None) -> None:
        """Give the other callbacks, which have just reset themselves, their patience back."""
        for name, attributes in self._state.patience.items():
            for attribute, value in attributes.items():
                setattr(self._patient[name], attribute, value)

    def on_epoch_end(self, epoch: int, logs: Mapping[str, float] | None = None) -> None:
        """Save the variables, then the state that names them."""
        self._state = State(
            plan=self._state.plan,
            epochs=epoch + 1,
            stopped=bool(self.model.stop_training),
            rows=self._history.rows,
            patience={name: _patience(callback) for name, callback in self._patient.items()},
        )
        _save_variables(self.model, _variables_file(self._folder, epoch + 1))
        _commit(self._folder, self._state)
        kept = {epoch + 1}
        if self._best_by is not None:
            kept.add(best_epoch(self._history.rows, self._best_by))
        names = {_variables_file(self._folder, number).name for number in kept}
        for file in self._folder.glob("epoch-*.npz"):
            if file.name not in names:
                file.unlink()


def load(folder: Path, plan: str, best_by: str | None = None) -> State:
    """The state in `folder`, or that of the beginning if it holds none of this plan, or is damaged.

    With `best_by`, a metric, the variables of the best epoch must be there too.
    """
    file = folder / "state.json"
    if not file.exists():
        return State(plan)
    try:
        state = State(**json.loads(file.read_text()))
        if state.plan != plan:
            return State(plan)
        for epoch in {state.epochs, best_epoch(state.rows, best_by) if best_by else state.epochs}:
            file = _variables_file(folder, epoch)
            _check_whole(file)
    except (OSError, EOFError, LookupError, ValueError, TypeError, zipfile.BadZipFile) as error:
        logger.warning("%s is damaged (%s): training starts from the beginning", file, error)
        return State(plan)
    return state


def restore(model: keras.Model, folder: Path, epochs: int) -> None:
    """Give `model`, compiled, the variables that it had after `epochs` epochs, which are there."""
    model.optimizer.build(model.trainable_variables)
    with _variables_file(folder, epochs).open("rb") as file, np.load(file) as arrays:
        for index, variable in enumerate(_variables(model)):
            variable.assign(arrays[str(index)])


def _check_whole(variables: Path) -> None:
    """Read the file by its checksums."""
    with variables.open("rb") as file, zipfile.ZipFile(file) as archive:
        if (member := archive.testzip()) is not None:
            raise ValueError(f"{member} has other content")


def _save_variables(model: keras.Model, path: Path) -> None:
    arrays = {str(index): each.numpy() for index, each in enumerate(_variables(model))}
    with path.open("wb") as file:
        np.savez(file, allow_pickle=False, **arrays)
    sync(path)


def _variables(model: keras.Model) -> list[keras.Variable]:
    """Weights, moving averages and random states of `model`, then its optimizer's variables."""
    return [*model.variables, *model.optimizer.variables]


def _commit(folder: Path, state: State) -> None:
    draft = folder / "state.json.draft"
    draft.write_text(json.dumps(dataclasses.asdict(state)))
    sync(draft)
    draft.replace(folder / "state.json")
    sync(folder)


def _variables_file(folder: Path, epochs: int) -> Path:
    return folder / f"epoch-{epochs:06d}.npz"


def _patience(callback: keras.callbacks.Callback) -> dict[str, Any]:
    names = (*_PATIENCE, *getattr(callback, "resumed", ()))  # the latter of a person's own
    found = {name: getattr(callback, name) for name in names if hasattr(callback, name)}
    return {name: None if value is None else float(value) for name, value in found.items()}
