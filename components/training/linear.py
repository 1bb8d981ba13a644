"""The weights of a linear network for tables: ridge regression in closed form, or logistic.

How strong the ridge is, is settled by the validation split. A regression asks the rows of train
too, each of which is answered by the weights that all the others give, for that costs nothing here
(Allen's PRESS, 1974), and a validation split of a few rows would choose by chance.
"""

import logging
from typing import cast

import keras
import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from millrace.components.features.table_spec import TableSpec
from millrace.components.models.networks import SCORES
from millrace.components.training import table_columns
from millrace.components.training.plan import TrainingPlan
from millrace.components.training.table_columns import Columns

logger = logging.getLogger("millrace.components.trainer")

Floats = NDArray[np.float64]

_RIDGES = tuple(10.0 ** (power / 2) for power in range(-12, 5))  # times the number of rows
_MIDDLE = 1e-3  # where there is nothing to choose it by
_INVERSES = (0.003, 0.03, 0.3, 3.0, 30.0)  # of the logistic penalty, scikit-learn's `C`
_USUAL = 1.0
_ABSENT = -16.0  # the logit of a class without a row
_LEAST_LEFT = 1e-6  # of a row's own error: nearer to 0 it says nothing of the others'


def solve(model: keras.Model, plan: TrainingPlan) -> None:
    """Give `model`, one layer over numbers and one-hot categories, its weights.

    In one thread, so that sums come out alike whatever the number of processors.
    """
    from threadpoolctl import threadpool_limits  # of scikit-learn

    spec = cast(TableSpec, plan.spec)
    train = table_columns.read(plan, plan.train)
    held = table_columns.read(plan, plan.validation) if plan.validation else None
    layer = model.get_layer(SCORES)
    with threadpool_limits(1):
        if plan.objective.classes:
            kernel, bias, said = _logistic(train, held, spec, plan, layer.units)
        else:
            kernel, bias, said = _ridge(train, held, spec)
    layer.kernel.assign(kernel)
    layer.bias.assign(bias)
    logger.info("computed from %d rows, %s", plan.train.count, said)


def features(columns: Columns, spec: TableSpec) -> sparse.csr_matrix:
    """Numbers, then a 1 for each category, float64 [rows, features]."""
    rows, inputs = columns.ids.shape
    starts = np.arange(rows + 1) * inputs
    ones = np.ones(columns.ids.size)
    shape = (rows, sum(spec.sizes))
    categories = sparse.csr_matrix((ones, columns.ids.ravel(), starts), shape)
    numbers = sparse.csr_matrix(columns.numbers.astype(np.float64))
    return sparse.csr_matrix(sparse.hstack([numbers, categories]))


def _ridge(train: Columns, held: Columns | None, spec: TableSpec) -> tuple[Floats, Floats, str]:
    wanted = table_columns.in_unit(train.labels, spec)
    rows = features(train, spec).toarray()
    mean, level = rows.mean(axis=0), wanted.mean()
    centred = rows - mean
    values, vectors = np.linalg.eigh(centred.T @ centred)
    values = np.maximum(values, 0.0)
    along = centred @ vectors
    crossed = along.T @ (wanted - level)
    errors = []
    for ridge in _RIDGES:
        shrunk = values + ridge * len(rows)
        left = 1 - 1 / len(rows) - np.square(along) @ (1 / shrunk)
        off = wanted - level - along @ (crossed / shrunk)
        squares = np.sum(np.square(off / np.maximum(left, _LEAST_LEFT)))
        if held is not None:
            answers = (features(held, spec) - mean) @ vectors @ (crossed / shrunk) + level
            truth = table_columns.in_unit(held.labels, spec)
            squares += np.sum(np.square(np.asarray(answers).ravel() - truth))
        errors.append(squares)
    best = _RIDGES[int(np.argmin(errors))]
    kernel = vectors @ (crossed / (values + best * len(rows)))
    return kernel[:, None], np.array([level - mean @ kernel]), f"ridge {best:.2g} a row"


def _logistic(
    train: Columns, held: Columns | None, spec: TableSpec, plan: TrainingPlan, units: int
) -> tuple[Floats, Floats, str]:
    from sklearn.linear_model import LogisticRegression
    from sklearn.metrics import log_loss

    rows = features(train, spec)
    known = None if held is None else np.isin(held.labels, train.labels)
    tried = (_USUAL,) if held is None or known is None or not known.any() else _INVERSES
    weight = "balanced" if plan.balanced else None
    models = [
        LogisticRegression(C=inverse, max_iter=1000, class_weight=weight).fit(rows, train.labels)
        for inverse in tried
    ]
    losses = [0.0]
    if held is not None and len(tried) > 1:
        asked, truth = features(held, spec)[known], held.labels[known]
        losses = [
            log_loss(truth, each.predict_proba(asked), labels=each.classes_) for each in models
        ]
    found = models[int(np.argmin(losses))]
    kernel = np.zeros((rows.shape[1], units))
    bias = np.full(units, _ABSENT)
    present = [0] if units == 1 else found.classes_.tolist()
    bias[present] = 0.0
    places = present[-len(found.coef_) :]  # of two classes only the second has weights
    kernel[:, places], bias[places] = found.coef_.T, found.intercept_
    return kernel, bias, f"C {found.C:g}"
