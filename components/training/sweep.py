"""A training whose rate climbs from point to point, and what its losses say."""

import csv
import dataclasses
import io
import json
import logging
from collections.abc import Mapping

import keras
import numpy as np
from etils.epath import Path

from millrace.components.artifacts import LearningRate
from millrace.components.charts import style
from millrace.components.errors import ModelError
from millrace.components.training import dataset, rates
from millrace.components.training.compiling import compile_model
from millrace.components.training.fitting import networks_of
from millrace.components.training.mixing import Mixing
from millrace.components.training.plan import TrainingPlan
from millrace.components.training.rates import Pick

logger = logging.getLogger("millrace.components.rate_finder")


@dataclasses.dataclass(frozen=True)
class Sweep:
    """Which rates are tried, and how long each.

    Attributes:
        start: the first rate.
        points: how many rates.
        per_decade: of them per tenfold rise.
        steps: batches at each.
    """

    start: float
    points: int
    per_decade: int
    steps: int


def find(plan: TrainingPlan, sweep: Sweep, out: Path) -> LearningRate:
    """Train as `plan` says at each rate of `sweep`; write what is found to `out`.

    Raises:
        ModelError: the network has nothing to learn, or its loss never fell.
    """
    keras.utils.set_random_seed(plan.seed)
    model = networks_of(plan).training
    if not model.trainable_variables:
        raise ModelError(
            f"rate_finder.model: expected a network with weights to be trained. Received: "
            f"{plan.model.kind}, which has none. Leave rate_finder out."
        )
    compile_model(
        model, plan.objective, plan.descent, plan.top_k, steps=sweep.steps, epochs=sweep.points
    )
    climb = Climb(sweep)
    mixing = Mixing(plan.augment) if plan.augment.mixes else None
    model.fit(
        dataset.of_plan(plan, 0, mixing=mixing),
        epochs=sweep.points,
        steps_per_epoch=sweep.steps,
        callbacks=[climb],
        shuffle=False,
        verbose=0,
    )
    return _written(climb, sweep, out)


class Climb(keras.callbacks.Callback):
    """Raise the rate from point to point, an epoch to Keras, until the loss comes apart.

    Attributes:
        losses: the mean loss at each point.
        diverged: whether it came apart.
    """

    def __init__(self, sweep: Sweep) -> None:
        super().__init__()
        self._sweep = sweep
        self.losses: list[float] = []
        self.diverged = False

    def on_epoch_begin(self, epoch: int, logs: Mapping[str, float] | None = None) -> None:
        """Set the rate of this point."""
        rate = rates.rate_at(epoch, self._sweep.start, self._sweep.per_decade)
        self.model.optimizer.learning_rate.assign(rate)

    def on_epoch_end(self, epoch: int, logs: Mapping[str, float] | None = None) -> None:
        """Keep the loss; stop where it is of no use any more."""
        loss = float((logs or {})["loss"])
        if rates.has_diverged(loss, min(self.losses, default=loss)):
            self.diverged = True
            self.model.stop_training = True
        else:
            self.losses.append(loss)


def _written(climb: Climb, sweep: Sweep, out: Path) -> LearningRate:
    losses = np.array(climb.losses)
    tried = np.array(
        [rates.rate_at(point, sweep.start, sweep.per_decade) for point in range(len(losses))]
    )
    smoothed = rates.smooth(losses, sweep.per_decade // 4)
    picked = rates.pick(tried, smoothed) if len(losses) else None
    _write_csv(tried, losses, smoothed, out / "sweep.csv")
    _draw(tried, losses, smoothed, picked, out / "sweep.png")
    if picked is None:
        raise ModelError(
            f"rate_finder: expected a loss that falls somewhere above a rate of {sweep.start:g}. "
            f"Received: {len(losses)} losses, the lowest at the first rate. Lower "
            "rate_finder.start, or look for what is wrong with the data or the network."
        )
    if picked.still_falling and not climb.diverged:
        logger.warning(
            "the loss was still falling at the last rate, %.3g: raise rate_finder.end",
            picked.lowest_at,
        )
    logger.info(
        "loss lowest at a rate of %.3g: taking %.3g, a decade before", picked.lowest_at, picked.rate
    )
    found = {**dataclasses.asdict(picked), "points": len(losses), "diverged": climb.diverged}
    (out / "rate.json").write_text(json.dumps(found, indent=1))
    return LearningRate(out)


def _write_csv(tried: np.ndarray, losses: np.ndarray, smoothed: np.ndarray, file: Path) -> None:
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(("rate", "loss", "smoothed"))
    writer.writerows(zip(tried.tolist(), losses.tolist(), smoothed.tolist(), strict=True))
    file.write_text(text.getvalue())


def _draw(
    tried: np.ndarray, losses: np.ndarray, smoothed: np.ndarray, picked: Pick | None, file: Path
) -> None:
    """Loss against rate on a log axis, and the pick."""
    size = (7, 5)
    figure, axes = style.panel("Loss against learning rate", "learning rate", "loss", size)
    axes.set_xscale("log")
    axes.plot(tried, losses, color=style.PAPER, label="loss")
    axes.plot(tried, smoothed, color=style.MODEL, linewidth=2, label="smoothed")
    if picked:
        axes.axvline(picked.lowest_at, linestyle=":", color=style.TRUTH, label="lowest")
        label = f"taken, a decade before: {picked.rate:.3g}"
        axes.axvline(picked.rate, color=style.VERMILION, label=label)
    axes.legend()
    style.write(figure, file)
