"""The weights of the network `patches`: typical ones found, its logistic regression solved."""

import functools
import logging
from collections.abc import Iterator

import keras
import numpy as np
import tensorflow as tf
from scipy import sparse

from millrace.components.models.image_options import Patches
from millrace.components.models.networks import SCORES
from millrace.components.models.picture_features import (
    PictureFeatures,
    normalised,
    small_patches,
)
from millrace.components.training import dataset, logistic
from millrace.components.training.plan import Split, TrainingPlan

logger = logging.getLogger("millrace.components.trainer")

FEATURES = "features"  # the layer's name
_STRENGTHS = (0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0)
_WITHOUT_VALIDATION = 0.01
_LIMIT = 1e-4  # of the gradient, at which the regression ends
_SAMPLE = 50_000  # patches, from which the typical ones are found
_WHITENED = 0.1  # added to each variance, so that noise is not enlarged (Coates et al., 2011)


def solve(model: keras.Model, plan: TrainingPlan, options: Patches) -> None:
    """Give `model` its weights by the train split, its penalty by the validation split."""
    layer: PictureFeatures = model.get_layer(FEATURES)
    layer.know(*_typical(plan, options.typical))
    layer.standardise(np.zeros(layer.size), np.ones(layer.size))
    features, labels = _described(layer, plan, plan.train, options.most)
    centre, deviation = features.mean(0), features.std(0)
    scale = np.where(deviation > 1e-6, 1 / np.maximum(deviation, 1e-6), 0)
    layer.standardise(centre, scale)
    known = sparse.csr_matrix((features - centre) * scale)
    weights = logistic.balanced(labels, plan.objective.classes) if plan.balanced else None
    fit = functools.partial(logistic.fit, known, labels, weights=weights, limit=_LIMIT)
    found = logistic.nothing(layer.size, plan.objective.units)
    if plan.validation is None:
        found = fit(found, _WITHOUT_VALIDATION)
    else:
        asked = _described(layer, plan, plan.validation, options.most)
        found = logistic.best(fit, found, *asked, _STRENGTHS)
    head = model.get_layer(SCORES)
    head.kernel.assign(found.kernel)
    head.bias.assign(found.bias)


def _typical(plan: TrainingPlan, count: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The mean of normalised patches, what whitens them, and `count` typical ones as columns."""
    from sklearn.cluster import MiniBatchKMeans

    random = np.random.default_rng(plan.seed)
    each = max(1, -(-_SAMPLE // plan.train.count))
    parts, left = [], _SAMPLE
    for pictures, _ in _batches(plan, plan.train):
        found = small_patches(tf.cast(pictures, tf.float32))
        found = tf.reshape(found, [len(pictures), -1, found.shape[-1]])
        chosen = random.integers(0, found.shape[1], (len(pictures), each))
        parts.append(normalised(tf.gather(found, chosen, batch_dims=1)).numpy())
        left -= len(pictures) * each
        if left <= 0:
            break
    patches = np.concatenate([part.reshape(-1, part.shape[-1]) for part in parts])
    mean = patches.mean(0)
    variances, axes = np.linalg.eigh(np.cov(patches - mean, rowvar=False))
    whitening = axes @ np.diag(1 / np.sqrt(variances + _WHITENED)) @ axes.T
    means = MiniBatchKMeans(
        count, random_state=plan.seed, batch_size=4096, n_init=1, max_iter=20
    ).fit((patches - mean) @ whitening)
    return mean, whitening, means.cluster_centers_.T


def _described(
    layer: PictureFeatures, plan: TrainingPlan, split: Split, most: int
) -> tuple[np.ndarray, np.ndarray]:
    """The features of up to `most` pictures, float32 [pictures, features], and their labels."""
    describe = tf.function(layer, reduce_retracing=True)
    features: list[np.ndarray] = []
    labels: list[np.ndarray] = []
    for pictures, label in _batches(plan, split):
        features.append(describe(pictures).numpy())
        labels.append(label)
        if sum(map(len, labels)) >= most:
            break
    return np.concatenate(features), np.concatenate(labels)


def _batches(plan: TrainingPlan, split: Split) -> Iterator[tuple[tf.Tensor, np.ndarray]]:
    layout = plan.spec.layout
    fed = dataset.evaluation(split.files, layout, plan.objective, split.count)
    for (pictures, _), labels in zip(fed, dataset.targets(split.files, layout), strict=True):
        yield pictures, labels.numpy().reshape(-1).astype(np.int64)
