"""What a figure could be were other rows drawn: intervals of 95 %, from what was counted.

Shares are exact enough by Wilson's formula. Other figures are drawn again: cells of a confusion
matrix and groups of equal scores as a whole, so that a million rows cost no more than a thousand;
rows where few are kept; blocks of neighbouring times for forecasts, whose windows overlap and whose
errors resemble those of the times beside them. Draws are seeded: equal counts give equal intervals.

Sources: Wilson (1927); Rubin, "The Bayesian bootstrap" (1981); Politis and Romano, "A circular
block-resampling procedure for stationary data" (1992).
"""

import math
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from millrace.components.evaluating.classification_tally import (
    SQUARE_UNIT,
    UNIT,
    Scores,
    Tally,
)
from millrace.components.evaluating.language_metrics import UNIT as NAT
from millrace.components.evaluating.language_metrics import TextSums
from millrace.components.evaluating.significance import CONFIDENCE

Floats = NDArray[np.float64]
Interval = tuple[float, float]
Intervals = dict[str, Interval]

_DRAWS = 400
_SEED = 0
_MOST_CELLS = 2_000_000  # drawn, in all
_GROUPS = 200  # of scores
_LEAST_TIMES = 5
_TAIL = (1 - CONFIDENCE) / 2
_NORMAL = 1.959963984540054  # the quantile of 97.5 %


def wilson(hits: int, count: int) -> Interval:
    """Of a share of `count` rows, one or more."""
    share, square = hits / count, _NORMAL**2
    middle = (share + square / (2 * count)) / (1 + square / count)
    reach = _NORMAL * math.sqrt(share * (1 - share) / count + square / (4 * count**2))
    reach /= 1 + square / count
    return max(0.0, middle - reach), min(1.0, middle + reach)


def of_classification(counted: Tally, metrics: Mapping[str, float], top_k: int) -> Intervals:
    """Of a classifier's figures.

    Args:
        counted: the rows.
        metrics: `classification_metrics.figures` of them.
        top_k: of `top_<k>_accuracy`.
    """
    count = counted.count
    found = {
        "accuracy": wilson(round(metrics["accuracy"] * count), count),
        "expected_calibration_error": _of_calibration_error(counted, metrics),
    }
    if (name := f"top_{top_k}_accuracy") in metrics:
        found[name] = wilson(round(metrics[name] * count), count)
    if count > 1:
        mean = counted.loss / UNIT / count
        spread = max(0.0, counted.loss_squares / SQUARE_UNIT**2 / count - mean**2)
        reach = _student(count) * math.sqrt(spread / (count - 1))
        found["loss"] = max(0.0, mean - reach), mean + reach
    if "balanced_accuracy" in metrics:
        found |= _of_confusion(counted, metrics)
    if "auc" in metrics and counted.scores is not None:
        found |= _of_scores(counted.scores, metrics)
    return {name: found[name] for name in metrics if name in found}


def of_regression(
    truth: Floats, prediction: Floats, count: int, metrics: Mapping[str, float], constant: float
) -> Intervals:
    """Of a regressor's figures, and of `gain`: 1 less its squared error over the constant's.

    Args:
        truth: of rows drawn by lot, [rows].
        prediction: likewise.
        count: of how many they were drawn; of more than are here the intervals are narrower.
        metrics: of all of them.
        constant: the prediction that knows nothing.
    """
    rows = len(truth)
    if rows < 2:
        return {}
    off = np.abs(prediction - truth)
    columns = np.stack([off, off**2, truth, truth**2, (truth - constant) ** 2], axis=1)
    weights = np.random.default_rng(_SEED).standard_exponential((_DRAWS, rows))
    drawn = weights @ columns / weights.sum(axis=1, keepdims=True)
    absolute, square, mean, mean_square, of_constant = drawn.T
    variance = mean_square - mean**2
    figures = {"mae": absolute, "mse": square, "rmse": np.sqrt(square)}
    with np.errstate(divide="ignore", invalid="ignore"):
        figures |= {"r2": 1 - square / variance, "gain": 1 - square / of_constant}
    own = {**metrics, "gain": float(1 - (off**2).sum() / max(columns[:, 4].sum(), 1e-300))}
    shrunk = math.sqrt(rows / count)
    found = {
        name: _around(own[name], each, rows, shrunk)
        for name, each in figures.items()
        if name in own and np.isfinite(each).all()
    }
    return _limited(found)


def of_forecasts(
    columns: Mapping[str, Floats],
    counts: Mapping[str, Floats],
    times: NDArray[np.int64],
    overlap: int,
    metrics: Mapping[str, float],
) -> Intervals:
    """Of means over forecasts, by the name of each; none where there are few times.

    Args:
        columns: of each window, the sum of a figure over its targets, [windows].
        counts: likewise, of how many targets each is.
        times: of each window; windows of one time are of several series, and are drawn together.
        overlap: how many windows of one series in a row share a step.
        metrics: the figures.
    """
    distinct, where = np.unique(times, return_inverse=True)
    size = len(distinct)
    block = max(2 * overlap - 1, math.ceil(size ** (1 / 3)))
    if size < max(_LEAST_TIMES, block + 1):
        return {}
    blocks = math.ceil(size / block)
    starts = np.random.default_rng(_SEED).integers(0, size, (_DRAWS, blocks))

    def drawn(values: Floats) -> Floats:
        by_time = np.bincount(where, values, size)
        sums = np.concatenate([[0.0], np.cumsum(np.concatenate([by_time, by_time[:block]]))])
        found: Floats = (sums[starts + block] - sums[starts]).sum(axis=1)
        return found

    found = {}
    for name in columns:
        total = drawn(counts[name])
        if name in metrics and (total > 0).all():
            found[name] = _around(metrics[name], drawn(columns[name]) / total, size / block)
    return _limited(found)


def of_language(sums: TextSums, metrics: Mapping[str, float]) -> Intervals:
    """Of a generator's figures; texts are what is drawn, not their tokens. None for one text."""
    if sums.rows < 2:
        return {}
    loss, accuracy = metrics["loss"], metrics["accuracy"]
    squares = sums.loss_squares / NAT**2, sums.loss_tokens / NAT
    reach = _of_ratio(loss, *squares, sums)
    low, high = max(0.0, loss - reach), loss + reach
    within = _of_ratio(accuracy, sums.correct_squares, sums.correct_tokens, sums)
    per = metrics["bits_per_character"] / loss if loss else 0.0
    return {
        "loss": (low, high),
        "perplexity": (math.exp(min(low, 700.0)), math.exp(min(high, 700.0))),
        "accuracy": (max(0.0, accuracy - within), min(1.0, accuracy + within)),
        "bits_per_character": (low * per, high * per),
    }


def _of_ratio(ratio: float, squares: float, products: float, sums: TextSums) -> float:
    """How far a ratio of sums over texts reaches, by its linearisation.

    Args:
        ratio: the sum of x over that of tokens.
        squares: the sum of x * x.
        products: the sum of x * tokens.
        sums: of the texts.
    """
    off = squares - 2 * ratio * products + ratio**2 * sums.token_squares
    spread = max(0.0, off) * sums.rows / (sums.rows - 1)
    return _student(sums.rows) * math.sqrt(spread) / sums.tokens


def _of_confusion(counted: Tally, metrics: Mapping[str, float]) -> Intervals:
    """Of what follows from the confusion matrix, its cells drawn again.

    Half a row is added where a class has no hit or no miss: what was not seen in these rows may be
    in others.
    """
    truth, answer, count = counted.pairs
    size = counted.classes
    cells = {(t, a): float(n) for t, a, n in zip(truth, answer, count, strict=True)}
    for each in np.unique(truth).tolist():
        cells.setdefault((each, each), 0.5)
        if not (truth[answer != truth] == each).any():
            cells[each, (each + 1) % size] = 0.5
    truths, answers = np.array(list(cells)).T
    draws = max(50, min(_DRAWS, _MOST_CELLS // len(cells)))
    shape = np.array(list(cells.values()))
    drawn = np.random.default_rng(_SEED).standard_gamma(shape, (draws, len(shape)))
    # Classes that occur alone, numbered anew: of a thousand, a few may be all there are.
    known, places = np.unique(np.concatenate([truths, answers]), return_inverse=True)
    rows, columns = places[: len(truths)], places[len(truths) :]
    hits, of_truth, of_answer = (
        _by_place(drawn[:, chosen], place[chosen], len(known))
        for place, chosen in (
            (rows, truths == answers),
            (rows, slice(None)),
            (columns, slice(None)),
        )
    )
    recall, precision = _over(hits, of_truth), _over(hits, of_answer)
    f1 = _over(2 * hits, of_truth + of_answer)
    was_truth = np.isin(known, truth)
    was_seen = was_truth | np.isin(known, answer)
    figures = {
        "balanced_accuracy": recall[:, was_truth].mean(axis=1),
        "macro_f1": f1[:, was_seen].mean(axis=1),
        "precision": precision[:, was_seen].mean(axis=1),
        "recall": recall[:, was_seen].mean(axis=1),
    }
    if "f1_score" in metrics:  # of the second of two classes
        second = np.flatnonzero(known == 1)
        pairs = (("precision", precision), ("recall", recall), ("f1_score", f1))
        figures |= {name: each[:, second].sum(axis=1) for name, each in pairs}
    return {name: _quantiles(metrics[name], each) for name, each in figures.items()}


def _of_calibration_error(counted: Tally, metrics: Mapping[str, float]) -> Interval:
    """Of the calibration error, whose bins are drawn again; what draws add on average, left out."""
    keys, counts = counted.bins.keys, counted.bins.counts
    bins, right = np.divmod(keys, 2)
    confidence = np.array(counted.confidence, np.float64) / UNIT
    totals = np.bincount(bins, counts, len(confidence))
    mean = confidence / np.maximum(totals, 1)
    drawn = np.random.default_rng(_SEED).standard_gamma(counts, (_DRAWS, len(keys)))
    gaps = _by_place(drawn * (right - mean[bins]), bins, len(confidence))
    errors = np.abs(gaps).sum(axis=1) / drawn.sum(axis=1)
    figure = metrics["expected_calibration_error"]
    low, high = _quantiles(figure, errors - errors.mean() + figure)
    return max(0.0, low), min(1.0, high)


def _of_scores(scores: Scores, metrics: Mapping[str, float]) -> Intervals:
    """Of the areas below the curves, groups of neighbouring scores drawn again."""
    _, positive, negative = scores.by_score()
    total = np.cumsum(positive + negative)
    group = np.minimum((total - 1) * _GROUPS // total[-1], _GROUPS - 1)
    ups, downs = (np.bincount(group, side, _GROUPS) for side in (positive, negative))
    random = np.random.default_rng(_SEED)
    drawn = (random.standard_gamma(side, (_DRAWS, _GROUPS)) for side in (ups, downs))
    own, areas = _areas(ups[None].astype(float), downs[None].astype(float)), _areas(*drawn)
    # Where a figure is perfect, every draw of the rows is: as many hits as the rarer class has.
    least = _TAIL ** (1 / max(1, min(positive.sum(), negative.sum())))
    found = {}
    for name, each in areas.items():
        figure = metrics[name]
        low, high = _quantiles(figure, each - own[name][0] + figure)
        found[name] = max(0.0, min(low, least) if figure == 1 else low), min(1.0, high)
    return found


def _areas(positive: Floats, negative: Floats) -> dict[str, Floats]:
    """`auc` and `auc_precision_recall` of groups from the highest score down, [draws, groups]."""
    hits, misses = np.cumsum(positive, axis=1), np.cumsum(negative, axis=1)
    before = hits - positive
    auc = (negative * (before + positive / 2)).sum(axis=1) / (hits[:, -1] * misses[:, -1])
    precision = _over(hits, hits + misses)
    return {
        "auc": auc,
        "auc_precision_recall": (positive * precision).sum(axis=1) / hits[:, -1],
    }


def _around(figure: float, drawn: Floats, effective: float, shrunk: float = 1.0) -> Interval:
    """By the spread of what was drawn, and Student's t of so many independent parts."""
    wider = math.sqrt(effective / (effective - 1))
    reach = _student(effective) * float(drawn.std()) * wider * shrunk
    return figure - reach, figure + reach


def _student(count: float) -> float:
    from scipy import stats

    return float(stats.t.ppf(1 - _TAIL, max(1.0, count - 1)))


def _quantiles(figure: float, drawn: Floats) -> Interval:
    low, high = np.quantile(drawn, [_TAIL, 1 - _TAIL])
    return min(float(low), figure), max(float(high), figure)


def _limited(found: Intervals) -> Intervals:
    """Errors are not below 0; `r2` and `gain` not above 1."""
    return {
        name: (low, min(high, 1.0)) if name in ("r2", "gain") else (max(low, 0.0), high)
        for name, (low, high) in found.items()
    }


def _by_place(values: Floats, places: NDArray[np.int64], size: int) -> Floats:
    """The sums of columns that have one place, [draws, size]."""
    found = np.zeros((len(values), size))
    order = np.argsort(places, kind="stable")
    kept, first = np.unique(places[order], return_index=True)
    if len(kept):
        found[:, kept] = np.add.reduceat(values[:, order], first, axis=1)
    return found


def _over(part: Floats, whole: Floats) -> Floats:
    """`part / whole`, 0 for 0 / 0."""
    return np.divide(part, whole, out=np.zeros_like(part), where=whole > 0)
