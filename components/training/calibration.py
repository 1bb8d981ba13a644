"""What the eval split says of how sure a trained model may be: a temperature, or intervals.

Sources: Guo, Pleiss, Sun, Weinberger, "On calibration of modern neural networks" (2017) for the
temperature; Lei, G'Sell, Rinaldo, Tibshirani, Wasserman, "Distribution-free predictive inference
for regression" (2018) for intervals by the residuals of rows that were not trained on.
"""

import dataclasses
import logging
from typing import assert_never

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from millrace.components.artifacts import TrainedModel
from millrace.components.charts import style
from millrace.components.evaluating import classification_metrics, classification_tally
from millrace.components.features.series_spec import SeriesSpec
from millrace.components.models import build, certainty, keras_file, temperature
from millrace.components.models.certainty import LEVELS, Calibration, ForecastWidths, Widths
from millrace.components.training import dataset, decision, measures, summary
from millrace.components.training.plan import Split, TrainingPlan

logger = logging.getLogger("millrace.components.trainer")

LEAST_ROWS = 50  # of a temperature
LEAST_RESIDUALS = 20  # of an interval: of 19, the largest is the 95 % quantile
_LEAST_GAIN = 1.0  # nats in all: what a parameter that means nothing gains is half of it
_BIN = 100  # residuals of a bin of predictions, at least
_BINS = 8  # of them, at most
_PANEL_FLOOR = 0.01  # of the naive error, in panels, whose series differ in scale
_TOP_K = 5  # which of the figures, it does not matter

Floats = NDArray[np.float64]


def apply(
    plan: TrainingPlan, trained: TrainedModel, split: str, *, choose_threshold: bool = False
) -> Calibration:
    """Measure `trained` on the validation split of `plan`, and let it know what was found.

    A classifier's file gets the temperature; `calibration.json` is written, and a picture.

    Args:
        plan: by which it was trained.
        trained: its folder.
        split: the name of the validation split.
        choose_threshold: whether two classes are told apart where that suits the split best.
    """
    task, validation = plan.objective.task, plan.validation
    least = LEAST_ROWS if task == "classification" else LEAST_RESIDUALS
    if task == "language" or validation is None or validation.count < least:
        return certainty.NOTHING
    model = build.load(trained.keras_file, plan.spec)
    match task:
        case "classification":
            found = _classifier(model, plan, validation, split)
            if choose_threshold:
                found = _with_threshold(found, model, plan, validation)
            if found.temperature != 1.0:
                warm = temperature.warmed(model, found.temperature)
                keras_file.save_again(warm, trained.keras_file)
                summary.write(warm, trained.path / "model.json")
            _draw(found, trained)
        case "regression":
            residuals = _residuals(model, plan, validation)
            widths = of_predictions(*residuals)
            found = Calibration(split, validation.count, widths=widths)
        case "forecast":
            found = _forecaster(model, plan, plan.spec, validation, split)  # type: ignore[arg-type]
        case _:
            assert_never(task)
    found.write(trained.path)
    return found


def of_scores(truth: NDArray[np.int64], logits: Floats) -> float:
    """The temperature that makes the log loss of `logits` [rows, classes] least.

    1 where it gains less than a parameter that means nothing might (Akaike, 1974).
    """
    best, least = measures.best_temperature(truth, logits)
    gained = len(truth) * (measures.log_loss(truth, logits, 1.0) - least)
    return best if gained > _LEAST_GAIN else 1.0


def quantiles(residuals: Floats) -> list[float]:
    """Of absolute residuals [rows], the value that a new one is within, at each of `LEVELS`.

    The ceil((rows + 1) level)-th smallest: what holds for any number of rows.
    """
    ranked, count = np.sort(residuals), len(residuals)
    return [float(ranked[min(count, int(np.ceil((count + 1) * one))) - 1]) for one in LEVELS]


def of_predictions(predicted: Floats, truth: Floats) -> Widths:
    """Half widths by the size of the prediction, from arrays [rows], `LEAST_RESIDUALS` or more."""
    bins = max(1, min(_BINS, len(predicted) // _BIN))
    edges = np.unique(np.quantile(predicted, np.arange(1, bins) / bins).astype(np.float32))
    bin_of = np.searchsorted(edges, predicted.astype(np.float32), side="right")
    counts = np.bincount(bin_of, minlength=len(edges) + 1)
    if counts.min() < LEAST_RESIDUALS:  # most predictions are one number
        edges, bin_of = edges[:0], np.zeros(len(predicted), np.int64)
    off = np.abs(predicted - truth)
    half = tuple(tuple(quantiles(off[bin_of == each])) for each in range(len(edges) + 1))
    return Widths(tuple(edges.tolist()), half)


def of_forecasts(
    forecasts: Floats, truth: Floats, variation: Floats, floor: Floats
) -> ForecastWidths | None:
    """Shares by step and target; None where one of these has too few that are known.

    Args:
        forecasts: [rows, horizon, targets].
        truth: likewise, NaN where it is not known.
        variation: of each window's targets, [rows, targets].
        floor: of each target.
    """
    relative = np.abs(forecasts - truth) / (variation + floor)[:, None, :]
    if np.isfinite(relative).sum(axis=0).min() < LEAST_RESIDUALS:
        return None
    _, horizon, targets = relative.shape
    share = tuple(
        tuple(
            tuple(quantiles(column[np.isfinite(column)]))
            for column in relative[:, step].T[:targets]
        )
        for step in range(horizon)
    )
    return ForecastWidths(tuple(floor.tolist()), share)


def floor_of(spec: SeriesSpec) -> Floats:
    """What is added to a window's variation: the naive error; of panels, next to nothing."""
    errors = np.array(spec.naive_error, np.float64)
    share = _PANEL_FLOOR if spec.per_series else 1.0
    return share * np.where(errors > 0, errors, 1.0)


def variation_of(windows: NDArray[np.generic], targets: int) -> Floats:
    """The mean absolute change from row to row of each target, [rows, targets].

    Of what is known; 0 where no two neighbours are. The same as `exporting.series.variation`.
    """
    steps = np.abs(np.diff(windows[:, :, :targets].astype(np.float64), axis=1))
    known = np.isfinite(steps)
    total = np.where(known, steps, 0.0).sum(axis=1)
    found: Floats = total / np.maximum(known.sum(axis=1), 1)
    return found


def _classifier(
    model: keras.Model, plan: TrainingPlan, validation: Split, split: str
) -> Calibration:
    answers, truth = _answers(model, plan, validation), _truth(plan, validation).astype(np.int64)
    linear = model.layers[-1].activation is keras.activations.linear
    logits = _logits(answers, linear=linear)
    found = of_scores(truth, logits)
    before, bins_before = _measured(truth, logits, 1.0)
    after, bins_after = _measured(truth, logits, found)
    if not after["loss"] <= before["loss"]:  # the figures' loss is clipped
        found, after, bins_after = 1.0, before, bins_before
    logger.info(
        "calibrated on %d rows of %s: temperature %.3g, log loss %.4f (was %.4f), calibration "
        "error %.4f (was %.4f)",
        len(truth),
        split,
        found,
        after["loss"],
        before["loss"],
        after["expected_calibration_error"],
        before["expected_calibration_error"],
    )
    bins = {"before": bins_before, "after": bins_after}
    return Calibration(split, len(truth), found, before=before, after=after, reliability=bins)


def _with_threshold(
    found: Calibration, model: keras.Model, plan: TrainingPlan, validation: Split
) -> Calibration:
    """`found`, and from which probability on the second of two classes is the answer."""
    truth = _truth(plan, validation).astype(np.int64)
    linear = model.layers[-1].activation is keras.activations.linear
    logits = _logits(_answers(model, plan, validation), linear=linear) / found.temperature
    if logits.shape[1] != 2:
        return found
    second = 1 / (1 + np.exp(logits[:, 0] - logits[:, 1]))
    chosen = decision.threshold(truth, second)
    if chosen != certainty.EVEN:
        logger.info(
            "classes are uneven: %r is the answer from a probability of %.3f on, for %d of %d rows "
            "of %s (%d from 0.5 on); trainer.threshold=even leaves it at 0.5",
            getattr(plan.spec, "classes", ("", "the second class"))[1],
            *(chosen, np.count_nonzero(second >= chosen), len(truth), found.split),
            np.count_nonzero(second > certainty.EVEN),
        )
    return dataclasses.replace(found, threshold=chosen)


def _logits(answers: NDArray[np.generic], *, linear: bool) -> Floats:
    """Of every class, [rows, classes], up to a number that is the same for all of a row."""
    found = answers.astype(np.float64)
    if linear:
        return np.concatenate([np.zeros_like(found), found], 1) if found.shape[1] == 1 else found
    if found.shape[1] == 1:
        both = [np.maximum(1 - found, temperature.CLOSEST), np.maximum(found, temperature.LEAST)]
        return np.log(np.concatenate(both, axis=1))
    return np.log(np.maximum(found, temperature.LEAST))


def _measured(
    truth: NDArray[np.int64], logits: Floats, heat: float
) -> tuple[dict[str, float], list[list[float]]]:
    scaled = logits / heat
    powers = np.exp(scaled - scaled.max(axis=1, keepdims=True))
    scores = powers / powers.sum(axis=1, keepdims=True)
    counted = classification_tally.tally(truth, scores)
    figures = classification_metrics.figures(counted, top_k=_TOP_K)
    bins = classification_metrics.reliability(counted)
    kept = {name: figures[name] for name in ("loss", "expected_calibration_error")}
    return kept, np.stack(list(bins.values()), axis=1).tolist()


def _forecaster(
    model: keras.Model, plan: TrainingPlan, spec: SeriesSpec, validation: Split, split: str
) -> Calibration:
    forecasts, truth = _answers(model, plan, validation), _truth(plan, validation)
    window = spec.layout.inputs[0].name
    batches = _batches(plan, validation)
    windows = np.concatenate(
        [(each[window] if isinstance(each, dict) else each).numpy() for each, _ in batches]
    )
    variation = variation_of(windows, len(spec.targets))
    shape = len(forecasts), spec.horizon, len(spec.targets)
    widths = of_forecasts(
        forecasts.reshape(shape).astype(np.float64),
        truth.reshape(shape).astype(np.float64),
        variation,
        floor_of(spec),
    )
    if widths is None:
        logger.info("too few known values in %s for intervals around forecasts", split)
    return Calibration(split, validation.count, widths=widths)


def _residuals(model: keras.Model, plan: TrainingPlan, validation: Split) -> tuple[Floats, Floats]:
    predicted = _answers(model, plan, validation).astype(np.float64).reshape(-1)
    return predicted, _truth(plan, validation).astype(np.float64).reshape(-1)


def _answers(model: keras.Model, plan: TrainingPlan, validation: Split) -> NDArray[np.float32]:
    found: NDArray[np.float32] = model.predict(_batches(plan, validation), verbose=0)
    return found


def _batches(plan: TrainingPlan, validation: Split) -> tf.data.Dataset:
    layout, objective = plan.spec.layout, plan.objective
    return dataset.evaluation(validation.files, layout, objective, validation.count)


def _truth(plan: TrainingPlan, validation: Split) -> NDArray[np.generic]:
    batches = dataset.targets(validation.files, plan.spec.layout)
    return np.concatenate([batch.numpy() for batch in batches])


def _draw(found: Calibration, trained: TrainedModel) -> None:
    """Accuracy over confidence on the split, before and after."""
    title = "Is its confidence deserved?"
    figure, axes = style.panel(title, "confidence", "accuracy", (5, 5))
    axes.plot([0, 1], [0, 1], ":", color=style.TRUTH, label="perfectly calibrated")
    looks = (("before", style.ORANGE, "o--"), ("after", style.MODEL, "o-"))
    for name, colour, look in looks:
        bins = np.array([each for each in found.reliability[name] if each[0]])
        error = getattr(found, name)["expected_calibration_error"]
        label = f"{name} the temperature, error {error:.3f}"
        axes.plot(bins[:, 1], bins[:, 2], look, color=colour, label=label)
    axes.legend(loc="upper left")
    style.write(figure, trained.path / "calibration.png")
