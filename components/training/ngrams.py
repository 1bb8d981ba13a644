"""The weights of `ngrams` and `letters`: their runs counted, the logistic regression solved."""

import functools
import itertools
import logging
from collections.abc import Iterator

import keras
import numpy as np
import tensorflow as tf
from scipy import sparse

from millrace.components.features import record
from millrace.components.models.networks import SCORES
from millrace.components.models.ngram_layer import ScoresOfNgrams
from millrace.components.models.text_options import Letters, Ngrams
from millrace.components.training import dataset, logistic
from millrace.components.training.plan import Split, TrainingPlan

logger = logging.getLogger("millrace.components.trainer")

_STRENGTHS = (1.0, 3.0, 10.0, 30.0, 100.0)
_WITHOUT_VALIDATION = 10.0
_PENDING = 1 << 23  # keys that are counted at once


def solve(model: keras.Model, plan: TrainingPlan, options: Ngrams | Letters) -> None:
    """Give `model` its weights by the train split, its penalty by the validation split."""
    layer: ScoresOfNgrams = model.get_layer(SCORES)
    keys, idf = _known(layer, options, plan)
    layer.know(keys, idf)
    features, labels = _features(layer, plan, plan.train, len(idf))
    logger.info(
        "%d tokens and %d runs of up to %d, %d of them in a text on average",
        *(np.count_nonzero(idf[: layer.size]), len(keys), options.longest),
        round(features.nnz / len(labels)),
    )
    weights = logistic.balanced(labels, plan.objective.classes) if plan.balanced else None
    by_ratios = isinstance(options, Ngrams) and options.log_ratios
    scale = logistic.log_ratios(features, labels, layer.units) if by_ratios else None
    factors = logistic.factored(features, layer.units, scale)
    fit = functools.partial(
        logistic.fit, features, labels, weights=weights, scale=scale, factors=factors
    )
    found = logistic.nothing(len(idf), layer.units)
    if options.strength or plan.validation is None:
        found = fit(found, options.strength or _WITHOUT_VALIDATION)
    else:
        asked = _features(layer, plan, plan.validation, len(idf))
        found = logistic.best(fit, found, *asked, _STRENGTHS)
    layer.assign(found.kernel, found.bias)


def _known(
    layer: ScoresOfNgrams, options: Ngrams | Letters, plan: TrainingPlan
) -> tuple[np.ndarray, np.ndarray]:
    """The keys of the runs that count, ascending, and the idf of every feature."""
    tokens = np.zeros(layer.size, np.int64)
    counted = np.empty(0, np.int64), np.empty(0, np.int64)
    pending: list[np.ndarray] = []
    for batch, _ in _batches(plan, plan.train):
        tokens += np.bincount(_distinct(batch), minlength=layer.size)
        pending += [_distinct(keys) for keys in layer.runs(batch)]
        if sum(map(len, pending)) > _PENDING:
            counted, pending = _added(counted, pending), []
    keys, counts = _added(counted, pending)
    is_known = (counts >= options.minimum_texts) & (keys > 0)
    keys, counts = keys[is_known], counts[is_known]
    kept = np.sort(np.lexsort((keys, -counts))[: layer.most])
    tokens[0] = 0
    if isinstance(options, Letters):
        tokens[:] = 0  # a single letter tells nothing
    frequencies = np.concatenate([tokens, counts[kept]])
    idf = np.log((1 + plan.train.count) / (1 + frequencies)) + 1
    return keys[kept], np.where(frequencies > 0, idf, 0)


def _distinct(ids: tf.Tensor) -> np.ndarray:
    """The distinct numbers of each row, one row after another."""
    ordered = np.sort(ids.numpy(), axis=1)
    is_first = np.ones(ordered.shape, bool)
    is_first[:, 1:] = ordered[:, 1:] != ordered[:, :-1]
    return np.asarray(ordered[is_first])


def _added(
    counted: tuple[np.ndarray, np.ndarray], pending: list[np.ndarray]
) -> tuple[np.ndarray, np.ndarray]:
    """Distinct keys and their counts, those of `pending` added."""
    if not pending:
        return counted
    keys, counts = np.unique(np.concatenate(pending), return_counts=True)
    both, places = np.unique(np.concatenate([counted[0], keys]), return_inverse=True)
    total = np.bincount(places, np.concatenate([counted[1], counts]), minlength=len(both))
    return both, total.astype(np.int64)


def _features(
    layer: ScoresOfNgrams, plan: TrainingPlan, split: Split, known: int
) -> tuple[sparse.csr_matrix, np.ndarray]:
    """The features that the layer sees, [rows, known], and the labels, int [rows]."""
    values, columns, lengths, labels = [], [], [], []
    for tokens, label in _batches(plan, split):
        found = layer.features(tokens)
        values.append(found.values.numpy().astype(np.float64))
        columns.append(found.indices[:, 1].numpy().astype(np.int32))
        lengths.append(np.bincount(found.indices[:, 0].numpy(), minlength=len(label)))
        labels.append(label)
    ends = np.concatenate([[0], np.cumsum(np.concatenate(lengths))])
    parts = (np.concatenate(values), np.concatenate(columns), ends)
    return sparse.csr_matrix(parts, shape=(len(ends) - 1, known)), np.concatenate(labels)


def _batches(plan: TrainingPlan, split: Split) -> Iterator[tuple[tf.Tensor, np.ndarray]]:
    layout = plan.spec.layout
    fed = dataset.evaluation(split.files, layout, plan.objective, split.count)
    targets = dataset.targets(split.files, layout)
    name = record.LETTERS if isinstance(plan.model, Letters) else record.TOKENS
    for (inputs, _), labels in itertools.zip_longest(fed, targets):
        yield (
            inputs[name] if isinstance(inputs, dict) else inputs,
            labels.numpy().reshape(-1).astype(np.int64),
        )
