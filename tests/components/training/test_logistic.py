"""Logistic regression comes to scikit-learn's weights."""

import numpy as np
import pytest
from scipy import sparse
from sklearn.linear_model import LogisticRegression

from millrace.components.training import logistic
from millrace.components.training.fitting import class_weights


def problem(classes):
    """Sparse features, and labels that follow from some of them, one class rarer than the rest."""
    random = np.random.default_rng(classes)
    dense = random.random((150, 40)) * (random.random((150, 40)) < 0.2)
    noisy = dense[:, :classes] + 0.3 * random.random((150, classes))
    noisy[:, 0] -= 0.3
    return sparse.csr_matrix(dense), noisy.argmax(axis=1)


@pytest.mark.parametrize("strength", [0.5, 20.0])
@pytest.mark.parametrize(("classes", "units"), [(2, 1), (4, 4)])
def test_the_weights_are_those_of_scikit_learn(classes, units, strength):
    features, labels = problem(classes)
    start = logistic.nothing(40, units)
    found = logistic.fit(features, labels, start, strength, limit=1e-10)
    expected = LogisticRegression(C=strength, tol=1e-10, max_iter=5000).fit(features, labels)
    np.testing.assert_allclose(found.kernel.T, expected.coef_, atol=1e-5)
    np.testing.assert_allclose(found.bias, expected.intercept_, atol=1e-5)
    answers = expected.predict_proba(features)
    np.testing.assert_allclose(found.probabilities(features), answers, atol=1e-5)


def test_balanced_rows_weigh_as_in_scikit_learn():
    features, labels = problem(2)
    weights = logistic.balanced(labels, 2)
    by_class = class_weights(np.bincount(labels).tolist())
    assert weights.tolist() == [by_class[label] for label in labels.tolist()]
    start = logistic.nothing(40, 1)
    found = logistic.fit(features, labels, start, 3.0, weights, limit=1e-10)
    given = {"C": 3.0, "class_weight": "balanced", "tol": 1e-10, "max_iter": 5000}
    expected = LogisticRegression(**given).fit(features, labels)
    np.testing.assert_allclose(found.kernel.T, expected.coef_, atol=1e-5)


@pytest.mark.parametrize(("classes", "units"), [(2, 1), (3, 3)])
def test_the_penalty_is_on_a_weight_divided_by_its_scale(classes, units):
    features, labels = problem(classes)
    scale = np.linspace(0, 2, 40)[:, None] * np.ones(units)
    start = logistic.fit(features, labels, logistic.nothing(40, units), 1.0)
    found = logistic.fit(features, labels, start, 5.0, scale=scale, limit=1e-10)
    scaled = features.multiply(scale[:, 0]).tocsr()
    expected = LogisticRegression(C=5.0, tol=1e-10, max_iter=5000).fit(scaled, labels)
    np.testing.assert_allclose(found.kernel.T, expected.coef_ * scale[:, 0], atol=1e-5)


@pytest.mark.parametrize("is_scaled", [False, True])
@pytest.mark.parametrize(("classes", "units"), [(2, 1), (4, 4)])
def test_by_the_products_of_fewer_rows_the_weights_are_the_same(classes, units, is_scaled):
    features, labels = problem(classes)
    rows = [*range(25), *range(5)]  # some of them twice
    features, labels = features[rows], labels[rows]
    scale = logistic.log_ratios(features, labels, units) if is_scaled else None
    factors = logistic.factored(features, units, scale)
    assert len(factors) == (units if is_scaled else 1)
    plain, by_rows = logistic.nothing(40, units), logistic.nothing(40, units)
    for strength in (1.0, 30.0):  # the second begins at the first
        given = {"strength": strength, "scale": scale, "limit": 1e-10}
        plain = logistic.fit(features, labels, plain, **given)
        by_rows = logistic.fit(features, labels, by_rows, factors=factors, **given)
        np.testing.assert_allclose(by_rows.kernel, plain.kernel, atol=1e-5)
        np.testing.assert_allclose(by_rows.bias, plain.bias, atol=1e-5)


def test_rows_are_multiplied_only_where_they_are_fewer_than_features(monkeypatch):
    features, _ = problem(2)
    assert logistic.factored(features, 1) == []
    (factor,) = logistic.factored(features[:30], 1)
    products = (features[:30] @ features[:30].T).toarray()
    np.testing.assert_allclose(factor @ factor.T, products, atol=1e-8)
    monkeypatch.setattr(logistic, "_IN_MEMORY", 30**2 - 1)
    assert logistic.factored(features[:30], 1) == []


def test_the_log_ratio_is_of_a_feature_s_share_in_each_class():
    features = sparse.csr_matrix([[1.0, 0.5, 0], [2.0, 0, 0], [0, 0, 3.0]])
    labels = np.array([1, 1, 0])
    # Class 1 has 2, 1 and 0 of them, class 0 0, 0 and 1; each once more than that.
    expected = [[np.log(3 / 6 / (1 / 4))], [np.log(2 / 6 / (1 / 4))], [np.log(2 / 4 / (1 / 6))]]
    np.testing.assert_allclose(logistic.log_ratios(features, labels, 1), expected)
    both = logistic.log_ratios(features, labels, 2)
    np.testing.assert_allclose(both, np.repeat(expected, 2, axis=1))


def test_the_strength_is_taken_after_which_other_rows_gain_no_more():
    tried = []

    def fit(start, strength):
        tried.append(strength)
        return logistic.Solution(np.array([[1.0]]), np.array([offsets[strength]]))

    features, labels = np.array([[-2.0], [-1.0], [1.0], [2.0]]), np.array([0, 1, 0, 1])
    offsets = {1.0: 3.0, 3.0: 0.0, 10.0: 5.0, 30.0: 0.0}  # by which answers are shifted
    found = logistic.best(fit, logistic.nothing(1, 1), features, labels, tuple(offsets))
    assert found.bias == [0.0]
    assert tried == [1.0, 3.0, 10.0]
