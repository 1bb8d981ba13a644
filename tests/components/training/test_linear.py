"""Computed weights are scikit-learn's for the strength that was chosen."""

from types import SimpleNamespace

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression, Ridge

from millrace.components.features.table_spec import Category, Number, RawColumn, TableSpec
from millrace.components.training import linear
from millrace.components.training.table_columns import Columns

NUMBERS = tuple(Number(name, 0.0, 1.0, 0.0) for name in "ab")
REGRESSION = TableSpec(
    "y",
    "regression",
    (RawColumn("a", "float32"),),
    numbers=NUMBERS,
    discrete=(Category("c", ("x", "y")),),
    target_mean=50.0,
    target_deviation=4.0,
)


def columns(seed, rows=80, label=lambda numbers, ids, noise: 50 + 4 * noise):
    random = np.random.default_rng(seed)
    numbers = random.normal(size=(rows, 2)).astype(np.float32)
    ids = random.integers(2, 4, (rows, 1)).astype(np.int32)
    return Columns(numbers, ids, label(numbers, ids, random.normal(size=rows)))


def line(numbers, ids, noise):
    return (50 + 8 * numbers[:, 0] - 4 * numbers[:, 1] + 2 * ids[:, 0] + noise).astype(np.float32)


@pytest.mark.parametrize("noise", [0.0, 30.0])
def test_a_ridge_is_that_of_scikit_learn(noise):
    train, held = (
        columns(seed, label=lambda *given: line(*given[:2], noise * given[2])) for seed in (0, 1)
    )
    kernel, bias, said = linear._ridge(train, held, REGRESSION)
    strength = next(each for each in linear._RIDGES if f"{each:.2g}" in said)
    rows = linear.features(train, REGRESSION).toarray()
    known = Ridge(strength * len(rows), tol=1e-10).fit(rows, (train.labels - 50.0) / 4.0)
    np.testing.assert_allclose(kernel[:, 0], known.coef_, atol=1e-5)
    np.testing.assert_allclose(bias, known.intercept_, atol=1e-5)
    assert (strength > 1e-4) == (noise > 0)


def test_without_validation_rows_of_train_say_how_strong_the_ridge_is():
    kernel, _, _ = linear._ridge(columns(0, label=line), None, REGRESSION)
    assert kernel[:2, 0] == pytest.approx([2, -1], abs=0.1)


@pytest.mark.parametrize(("classes", "units"), [(2, 1), (2, 2), (3, 3)])
def test_classes_are_those_of_scikit_learn(classes, units):
    def label(numbers, ids, noise):
        return np.digitize(numbers[:, 0] + 0.3 * noise, [0.0, 0.8][: classes - 1])

    spec = TableSpec("y", "classification", (), classes=tuple("pqr"[:classes]), numbers=NUMBERS)
    train, held = (
        Columns(each.numbers, each.ids[:, :0], each.labels)
        for each in (columns(0, label=label), columns(1, label=label))
    )
    plan = SimpleNamespace(balanced=False)
    kernel, bias, said = linear._logistic(train, held, spec, plan, units)
    known = LogisticRegression(C=float(said.removeprefix("C ")), max_iter=1000)
    known.fit(train.numbers, train.labels)
    sums = held.numbers @ kernel + bias
    if units == 1:
        sums = np.concatenate([0 * sums, sums], axis=1)
    chances = np.exp(sums) / np.exp(sums).sum(axis=1, keepdims=True)
    np.testing.assert_allclose(chances, known.predict_proba(held.numbers), atol=1e-5)
