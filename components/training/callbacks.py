"""What happens at the end of an epoch: targets, patience, the history file, progress."""

import csv
import io
import logging
import time
from collections.abc import Mapping, Sequence
from typing import Any

import keras
from etils.epath import Path

from millrace.components.progress import notices
from millrace.components.training.options import Watching
from millrace.components.training.schedule_options import ReduceOnPlateau, Schedule
from millrace.components.user_code import pieces

logger = logging.getLogger("millrace.components.trainer")

Row = dict[str, float]  # `epoch` from 1, then Keras's names

PLACE = "trainer.callbacks"
_ERRORS = ("loss", "error", "mae", "mse", "mape", "msle", "entropy", "divergence", "perplexity")
_SAY_EVERY = 2.0  # seconds
_LONG = 2.0  # seconds to go of which it is worth telling
_FEW = 50  # epochs, of which each is said


class StopAt(keras.callbacks.Callback):
    """Stop once every metric has reached its target: an error from above, others from below."""

    def __init__(self, targets: Mapping[str, float]) -> None:
        super().__init__()
        self._targets = targets

    def on_epoch_end(self, epoch: int, logs: Mapping[str, float] | None = None) -> None:
        """Compare the epoch's metrics with the targets."""
        logs = logs or {}
        if all(reached(name, logs[name], target) for name, target in self._targets.items()):
            found = ", ".join(f"{name} {logs[name]:.4f}" for name in self._targets)
            logger.info("stopping at epoch %d: target reached (%s)", epoch + 1, found)
            self.model.stop_training = True


class HistoryFile(keras.callbacks.Callback):
    """Keep the epochs' metrics, and write them to a CSV file after each.

    Not Keras's CSVLogger: that counts epochs from 0, and loses rows where a killed training
    is resumed into another folder.

    Attributes:
        rows: one per epoch, those before a resumption included.
    """

    def __init__(self, file: Path, rows: Sequence[Row] = ()) -> None:
        super().__init__()
        self._file = file
        self.rows = list(rows)

    def on_train_begin(self, logs: Mapping[str, float] | None = None) -> None:
        """Write the rows from before a resumption."""
        self._write()

    def on_epoch_end(self, epoch: int, logs: Mapping[str, float] | None = None) -> None:
        """Add the epoch's metrics."""
        metrics = {name: float(value) for name, value in (logs or {}).items()}
        self.rows.append({"epoch": epoch + 1, **metrics})
        self._write()

    def _write(self) -> None:
        if not self.rows:
            return
        text = io.StringIO(newline="")
        writer = csv.DictWriter(text, list(self.rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(self.rows)
        self._file.write_text(text.getvalue())


class Progress(keras.callbacks.Callback):
    """Say how training gets on: by epoch, and every few seconds within one.

    Of many epochs that are over in a blink a line a second is said, and the last.
    """

    async_safe = True  # only counts and logs, so that a step need not wait for it

    def __init__(self, epochs: int, steps: int, examples: int) -> None:
        super().__init__()
        self._epochs, self._steps, self._examples = epochs, steps, examples
        self._start = self._said = self._logged = 0.0
        self._unlogged = ""
        self._epoch = self._later = 0

    def on_epoch_begin(self, epoch: int, logs: Mapping[str, float] | None = None) -> None:
        """Start the clock."""
        self._start = self._said = time.monotonic()
        self._epoch, self._later = epoch, self._epochs - epoch - 1

    def on_train_batch_end(self, batch: int, logs: Mapping[str, float] | None = None) -> None:
        """Say how far the epoch is, if it has been a while."""
        now = time.monotonic()
        if now - self._said > _SAY_EVERY:
            self._said = now
            done = (batch + 1) / self._steps
            left = (now - self._start) * (1 - done) / done
            figures = f", {_said(logs)}" if logs else ""
            logger.info(
                "epoch %d/%d: %.0f %% of it, %s%s",
                self._epoch + 1,
                self._epochs,
                100 * done,
                notices.to_go(left + (now - self._start + left) * self._later),
                figures,
                extra=notices.OF_PASSING,
            )

    def on_epoch_end(self, epoch: int, logs: Mapping[str, float] | None = None) -> None:
        """Say what the epoch came to."""
        now = time.monotonic()
        seconds = now - self._start
        speed = self._examples / max(seconds, 1e-9)
        left = seconds * self._later
        to_go = f", {notices.to_go(left)}" if left >= _LONG else ""
        line = (
            f"epoch {epoch + 1}/{self._epochs}: {_said(logs)} "
            f"({seconds:.1f} s, {speed:.0f} examples/s{to_go})"
        )
        if self._epochs > _FEW and now - self._logged < 1:
            self._unlogged = line
            return
        logger.info("%s", line)
        self._logged, self._unlogged = now, ""

    def on_train_end(self, logs: Mapping[str, float] | None = None) -> None:
        """Say what the last epoch came to, if that was not said."""
        if self._unlogged:
            logger.info("%s", self._unlogged)


def own(texts: Sequence[str]) -> dict[str, keras.callbacks.Callback]:
    """The callbacks that `texts` name, of Keras or a person's own, see `user_code.calls`.

    Raises:
        OptionError: one cannot be found, imported or made.
    """
    library = keras.callbacks
    return {text: pieces.made(text, library, library.Callback, PLACE) for text in texts}


def is_error(name: str) -> bool:
    """Whether less of metric `name` is better: of a loss, an error, an entropy."""
    return name.endswith(_ERRORS)


def reached(name: str, value: float, target: float) -> bool:
    """Whether metric `name` is as good as `target`: at most, for an error, else at least."""
    return value <= target if is_error(name) else value >= target


def best_epoch(rows: Sequence[Row], monitor: str) -> int:
    """The epoch, from 1, whose `monitor` is best: the lowest error, else the highest.

    Of several, as an accuracy on few rows has them, the one of the lowest loss; then the first.
    """
    sign = -1 if is_error(monitor) else 1
    loss = "val_loss" if monitor.startswith("val_") else "loss"

    def merit(row: Row) -> tuple[float, float, float]:
        return sign * row[monitor], -row.get(loss, 0.0), -row["epoch"]

    return int(max(rows, key=merit)["epoch"])


def patient(watching: Watching, schedule: Schedule) -> dict[str, keras.callbacks.Callback]:
    """Keras's callbacks that wait for `monitor` to improve, by what requests them."""
    mode = "min" if is_error(watching.monitor) else "max"
    common: dict[str, Any] = {"monitor": watching.monitor, "mode": mode}
    stopping = watching.early_stopping
    found: dict[str, keras.callbacks.Callback] = {}
    if isinstance(schedule, ReduceOnPlateau):
        found["reduce_on_plateau"] = keras.callbacks.ReduceLROnPlateau(
            patience=schedule.patience,
            factor=schedule.factor,
            cooldown=schedule.cooldown,
            min_lr=schedule.min_learning_rate,
            **common,
        )
    if stopping.patience:
        found["early_stopping"] = keras.callbacks.EarlyStopping(
            patience=stopping.patience, min_delta=stopping.min_delta, **common
        )
    return found


def _said(logs: Mapping[str, float] | None) -> str:
    return ", ".join(f"{name} {value:.4g}" for name, value in (logs or {}).items())
