"""The weights of a linear forecaster: ridge regression in closed form.

The ridge draws the weights towards a simple forecast, such as exponential smoothing, rather than
towards 0: what the train split has too few rows to tell stays as that forecast has it.

How strong it is, is settled by the validation split and by the train split's windows, each forecast
by the weights that all the others give. Those answers cost nothing here (Allen's PRESS, 1974), and
a validation split of a few rows alone would choose by chance. That a window's neighbours share most
of its rows does no harm (Bergmeir, Hyndman, Koo, "A note on the validity of cross-validation for
evaluating autoregressive time series prediction", 2018).
"""

import dataclasses
import logging
from collections.abc import Callable, Iterator, Sequence

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from millrace.components.features import baselines
from millrace.components.features.series_spec import SeriesSpec
from millrace.components.models.networks import SCORES
from millrace.components.models.series import FROM_OWN_UNITS, OWN_UNITS
from millrace.components.models.series_options import Linear
from millrace.components.training import dataset, smoothing
from millrace.components.training.plan import Split, TrainingPlan
from millrace.components.training.solving import LeftOut

logger = logging.getLogger("millrace.components.trainer")

Floats = NDArray[np.float64]

STRENGTHS = tuple(10.0 ** (power / 2) for power in range(-10, 7))
"""Of the ridge, times the number of windows and the mean square of a feature."""

_KEPT = 8192  # windows of a split, evenly spread, that have a say in how strong it is
_KEPT_NUMBERS = 200_000  # that are forecast in them, at most
_LEAST_LEFT = 0.05  # of a window's own error: nearer to 0 it says nothing of the others'
_BEYOND_CHANCE = 3.0  # deviations of how many of such windows lie above, if half of all do
_ROUNDING = 1e-12  # of the largest eigenvalue


@dataclasses.dataclass(frozen=True)
class Rows:
    """Windows in memory.

    Attributes:
        features: float64 [rows, features].
        units: float32 [rows, 2, targets], as `OwnUnits` gives them.
        truth: float32 [rows, horizon, targets], in the data's units; NaN where not known.
        wanted: float64 [rows, horizon * targets], the truth in the network's units.
    """

    features: Floats
    units: NDArray[np.float32]
    truth: NDArray[np.float32]
    wanted: Floats


@dataclasses.dataclass
class Sums:
    """Sums over windows, for each of the outputs over those that know it.

    Attributes:
        count: [outputs].
        features: [outputs, features].
        wanted: [outputs].
        products: of features with one another, [features, features], over all windows.
        lacking: of features with one another, by output, over the windows that do not know it.
        crossed: of features with what is wanted, [features, outputs].
    """

    count: Floats
    features: Floats
    wanted: Floats
    products: Floats
    crossed: Floats
    lacking: dict[int, Floats] = dataclasses.field(default_factory=dict)

    @classmethod
    def nothing(cls, features: int, outputs: int) -> "Sums":
        """Of no windows."""
        return cls(
            np.zeros(outputs),
            np.zeros((outputs, features)),
            np.zeros(outputs),
            np.zeros((features, features)),
            np.zeros((features, outputs)),
        )

    def add(self, rows: Rows) -> None:
        """Those of further windows."""
        known = np.isfinite(rows.wanted)
        wanted = np.where(known, rows.wanted, 0.0)
        self.count += known.sum(axis=0)
        self.features += known.T.astype(np.float64) @ rows.features
        self.wanted += wanted.sum(axis=0)
        self.products += rows.features.T @ rows.features
        self.crossed += rows.features.T @ wanted
        for output in np.flatnonzero(~known.all(axis=0)).tolist():
            lacking = rows.features[~known[:, output]]
            before = self.lacking.get(output, 0.0)
            self.lacking[output] = before + lacking.T @ lacking

    def drawn(self, prior: Floats) -> "Sums":
        """The same with what is wanted less what weights [features, outputs] say."""
        crossed = self.crossed - self.products @ prior
        for output, products in self.lacking.items():
            crossed[:, output] += products @ prior[:, output]
        wanted = self.wanted - np.einsum("kf,fk->k", self.features, prior)
        return dataclasses.replace(self, wanted=wanted, crossed=crossed)

    def turned(self, turn: Floats) -> "Sums":
        """The same of features times `turn` [features, features]."""
        return dataclasses.replace(
            self,
            features=self.features @ turn,
            products=turn.T @ self.products @ turn,
            crossed=turn.T @ self.crossed,
            lacking={output: turn.T @ each @ turn for output, each in self.lacking.items()},
        )


class Path:
    """The weights of one output for any strength, from one decomposition.

    Attributes:
        is_whole: whether all windows know the output.
        scale: what a strength of 1 adds to the diagonal.
    """

    def __init__(self, sums: Sums, output: int, shared: "Path | None") -> None:
        count = max(sums.count[output], 1.0)
        self.is_whole = output not in sums.lacking
        self._count = count
        self._mean = sums.features[output] / count
        self._wanted = sums.wanted[output] / count
        if shared is None:
            products = sums.products - sums.lacking.get(output, 0.0)
            centred = products - count * np.outer(self._mean, self._mean)
            values, self._vectors = np.linalg.eigh(centred)
            self._values = np.maximum(values, 0.0)
            self.scale = float(self._values.mean()) or 1.0
        else:
            self._values, self._vectors = shared._values, shared._vectors
            self.scale = shared.scale
        crossed = sums.crossed[:, output] - count * self._mean * self._wanted
        self._crossed = self._vectors.T @ crossed

    def _along(self, strength: float) -> Floats:
        return self._values + strength * self.scale + _ROUNDING * (self._values.max() or 1.0)

    def weights(self, strength: float) -> tuple[Floats, float]:
        """Weights [features] and the number that is added."""
        found = self._vectors @ (self._crossed / self._along(strength))
        return found, float(self._wanted - self._mean @ found)

    def answers(
        self, features: Floats, strengths: Sequence[float]
    ) -> Iterator[tuple[Floats, Floats]]:
        """By strength, the answers [rows] for features [rows, features], and how much of each
        answer is the row's own truth, if it is one of those summed, [rows].
        """
        along = (features - self._mean) @ self._vectors
        squares = np.square(along)
        for strength in strengths:
            values = self._along(strength)
            found = along @ (self._crossed / values) + self._wanted
            yield found, 1.0 / self._count + squares @ (1.0 / values)


def solve(model: keras.Model, plan: TrainingPlan, options: Linear, spec: SeriesSpec) -> LeftOut:
    """Give `model`, a linear forecaster, its weights.

    Returns what it answers on windows of the train split by the weights that all the others give.
    """
    sums, train = _read(model, plan, plan.train, summed=True)
    judges = [train]
    if plan.validation:
        judges.append(_read(model, plan, plan.validation, summed=False)[1])
    measure = _measure(model, plan, spec)
    prior, said = _prior(options, spec, judges, measure)
    turn = _turn(options, spec, len(prior))
    tried = (options.strength,) if options.strength else STRENGTHS
    found = _solved(sums.drawn(prior).turned(turn), prior, turn, judges, measure, tried)
    if plan.objective.loss == "mean_absolute_error":
        off = medians(train.wanted - found.left_out)
        found.left_out[:] += off
        found.bias[:] += off
    layer = model.get_layer(SCORES)
    layer.kernel.assign(found.kernel)
    layer.bias.assign(found.bias)
    logger.info(
        "computed from %d windows: drawn towards %s with strength %s",
        *(plan.train.count, said, ", ".join(f"{each:.2g}" for each in found.strengths)),
    )
    outward = model.get_layer(FROM_OWN_UNITS)
    answers = np.asarray(outward([found.left_out.reshape(train.truth.shape), train.units]))
    return LeftOut(answers, train.truth)


def _read(
    model: keras.Model, plan: TrainingPlan, split: Split, *, summed: bool
) -> tuple[Sums, Rows]:
    """The sums of a split's windows, and some of these."""
    layer = model.get_layer(SCORES)
    parts = keras.Model(model.input, [layer.input, model.get_layer(OWN_UNITS).output])
    inverse = model.get_layer(FROM_OWN_UNITS).inverse
    ask = tf.function(lambda inputs, truth: _asked(parts, inverse, inputs, truth))
    every = -(-split.count // min(_KEPT, max(1, _KEPT_NUMBERS // layer.units)))
    sums = Sums.nothing(layer.input.shape[-1], layer.units)
    kept: list[Rows] = []
    place = 0
    batches = dataset.evaluation(split.files, plan.spec.layout, plan.objective, split.count)
    for inputs, truth in batches:
        features, units, wanted = (each.numpy() for each in ask(inputs, truth))
        flat = wanted.reshape(len(wanted), -1).astype(np.float64)
        rows = Rows(features.astype(np.float64), units, truth.numpy(), flat)
        if summed:
            sums.add(rows)
        taken = np.flatnonzero((place + np.arange(len(flat))) % every == 0)
        kept.append(Rows(*(part[taken] for part in vars(rows).values())))
        place += len(flat)
    joined = zip(*(vars(rows).values() for rows in kept), strict=True)
    return sums, Rows(*(np.concatenate(parts) for parts in joined))


def _asked(
    parts: keras.Model, inverse: Callable[..., tf.Tensor], inputs: tf.Tensor, truth: tf.Tensor
) -> tuple[tf.Tensor, ...]:
    features, units = parts(inputs, training=False)
    return features, units, inverse(truth, units)


Measure = Callable[[Rows, Floats, int], float]
"""The sum of errors of answers [rows, horizon] in the network's units, for a target."""


def _measure(model: keras.Model, plan: TrainingPlan, spec: SeriesSpec) -> Measure:
    layer, squared = model.get_layer(FROM_OWN_UNITS), plan.objective.loss == "mean_squared_error"
    targets = len(spec.targets)

    def measure(rows: Rows, answers: Floats, target: int) -> float:
        given = np.repeat(answers[:, :, None], targets, axis=2).astype(np.float32)
        off = np.asarray(layer([given, rows.units]))[..., target] - rows.truth[..., target]
        known = np.isfinite(rows.truth[..., target])
        error = np.square(off[known]) if squared else np.abs(off[known])
        found = float(error.sum(dtype=np.float64))
        return found if np.isfinite(found) else float("inf")

    return measure


def _prior(
    options: Linear, spec: SeriesSpec, judges: list[Rows], measure: Measure
) -> tuple[Floats, str]:
    """The weights [features, horizon * targets] that the ridge draws towards, and their name."""
    rows, horizon, targets = options.rows or spec.lookback, spec.horizon, len(spec.targets)
    features = judges[0].features.shape[1]
    found = np.zeros((features, horizon, targets))
    used = rows - 1 if options.own_level else rows
    if options.towards == "last":
        return found.reshape(features, -1), "the last value" if options.own_level else "the mean"
    if options.towards == "season":
        each = baselines.seasonal_naive(rows, horizon, spec.season).T[:used]
        for target in range(targets):
            found[target : used * targets : targets, :, target] = each
        return found.reshape(features, -1), "the value a season before"
    tried = [
        (one, smoothing.weights(one, rows, horizon, spec.season).T[:used])
        for one in smoothing.choices(rows, spec.season)
    ]
    names = []
    for target in range(targets):
        own = slice(target, used * targets, targets)
        errors = [
            sum(measure(judge, judge.features[:, own] @ each, target) for judge in judges)
            for _, each in tried
        ]
        best = int(np.argmin(errors))
        found[own, :, target] = tried[best][1]
        names.append(str(tried[best][0]))
    return found.reshape(features, -1), "; ".join(names)


def _turn(options: Linear, spec: SeriesSpec, features: int) -> Floats:
    """What features are multiplied by before they meet the ridge, [features, features].

    A row's feature counts less the farther the row is from the last one, and from those whole
    seasons before what is forecast: its weight is dearer by the distance. Drawn towards a
    smoothing, values become changes from row to row, so that what costs is what the weights of all
    rows before add up to.
    """
    targets, rows = len(spec.targets), options.rows or spec.lookback
    used = rows - 1 if options.own_level else rows
    near = np.diag(1.0 / np.sqrt(distances(used, spec.season, spec.horizon)))
    if options.towards == "smoothing":
        changes = np.eye(used, k=-1) - np.eye(used)
        if not options.own_level:
            changes[-1, -1] = 1.0  # the last value stays
        near = changes @ near
    found = np.eye(features)
    found[: used * targets, : used * targets] = np.kron(near, np.eye(targets))
    return found


def distances(rows: int, season: int, horizon: int) -> Floats:
    """Of each row from 1 on, to the window's end or to the rows seasons before those forecast."""
    back = np.arange(rows, 0, -1.0)
    if season == 1:
        return back
    after, before = np.ceil(back / season) * season, np.floor(back / season) * season
    apart = np.maximum(after - (horizon - 1) - back, 0.0)
    apart = np.where(before > 0, np.minimum(apart, back - before), apart)
    return np.minimum(back, 1.0 + apart)


@dataclasses.dataclass(frozen=True)
class _Found:
    """Attributes:
    kernel, bias: [features, outputs] and [outputs].
    strengths: for each target.
    left_out: answers to the train split's windows by the others, [rows, outputs].
    """

    kernel: Floats
    bias: Floats
    strengths: list[float]
    left_out: Floats


def _solved(
    sums: Sums,
    prior: Floats,
    turn: Floats,
    judges: list[Rows],
    measure: Measure,
    tried: Sequence[float],
) -> _Found:
    targets = judges[0].truth.shape[2]
    paths: list[Path] = []
    for output in range(len(sums.count)):
        whole = () if output in sums.lacking else (path for path in paths if path.is_whole)
        paths.append(Path(sums, output, next(iter(whole), None)))
    turned = [judge.features @ turn for judge in judges]
    drawn = [judge.features @ prior for judge in judges]
    train = judges[0]
    found = _Found(prior.copy(), np.zeros(len(paths)), [], np.empty_like(train.wanted))
    for target in range(targets):
        own = list(range(target, len(paths), targets))
        left_out = [
            _left_out(answers, shares, train.wanted[:, own] - drawn[0][:, own])
            for answers, shares in _by_strength([paths[one] for one in own], turned[0], tried)
        ]
        by_judge = [left_out]
        for features in turned[1:]:
            rest = _by_strength([paths[one] for one in own], features, tried)
            by_judge.append([answers for answers, _ in rest])
        errors = [
            sum(
                measure(judge, answers[place] + base[:, own], target)
                for judge, base, answers in zip(judges, drawn, by_judge, strict=True)
            )
            for place in range(len(tried))
        ]
        best = int(np.argmin(errors))
        found.strengths.append(tried[best])
        found.left_out[:, own] = left_out[best] + drawn[0][:, own]
        for output in own:
            weights, found.bias[output] = paths[output].weights(tried[best])
            found.kernel[:, output] += turn @ weights
    return found


def medians(errors: Floats) -> Floats:
    """The median of each column of `errors` [rows, outputs], NaN where not known; else 0.

    It is what is to be added to least squares' answers, which are means, where absolute errors
    count: of a skewed series, such as one that is mostly 0, it lies off. 0 where that is not beyond
    chance.
    """
    found = np.zeros(errors.shape[1])
    for output, column in enumerate(errors.T):
        known = column[np.isfinite(column)]
        above, below = (known > 0).sum(), (known < 0).sum()
        if abs(above - below) > _BEYOND_CHANCE * np.sqrt(len(known)):
            found[output] = np.median(known)
    return found


def _by_strength(
    paths: Sequence[Path], features: Floats, tried: Sequence[float]
) -> Iterator[tuple[Floats, Floats]]:
    """By strength, what `Path.answers` says of each of some outputs, both [rows, outputs]."""
    for found in zip(*(path.answers(features, tried) for path in paths), strict=True):
        answers, shares = zip(*found, strict=True)
        yield np.stack(answers, axis=1), np.stack(shares, axis=1)


def _left_out(answers: Floats, shares: Floats, wanted: Floats) -> Floats:
    """The answer to each row by weights of all the others; as it is where nothing is `wanted`."""
    left = np.maximum(1.0 - shares, _LEAST_LEFT)
    return np.where(np.isfinite(wanted), wanted - (wanted - answers) / left, answers)
