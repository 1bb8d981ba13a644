"""Trees in a network answer as scikit-learn's, which grew them, do."""

import keras
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor

from millrace.components.models.table_layers import BoostedTrees
from millrace.components.training import trees

FEW = {"max_iter": 5, "max_leaf_nodes": 7, "min_samples_leaf": 2, "early_stopping": False}


def table(seed, numbers, categories, rows=120):
    """Numbers, ids whose columns share one range, and a code for each id."""
    random = np.random.default_rng(seed)
    values = random.normal(size=(rows, numbers)).astype(np.float32)
    values[:, : numbers // 2] = np.round(values[:, : numbers // 2])  # ties at thresholds
    ids = random.integers(0, 6, (rows, categories)) + 6 * np.arange(categories)
    codes = np.full(6 * categories, 5, np.int32)
    codes[np.arange(6 * categories) % 6 < 5] = np.tile(np.arange(5), categories)
    return values, ids.astype(np.int32), codes


def given_to(values, ids):
    parts = {"numeric": values, "categorical": ids}
    return {name: part for name, part in parts.items() if part.shape[1]}


def asked(grown, outputs, values, ids, codes):
    """What a layer with the trees of `grown` answers."""
    layer = BoostedTrees(outputs)
    layer.grow(trees.forest(grown, outputs, codes))
    return layer(given_to(values, ids)).numpy()


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 999), numbers=st.integers(0, 4), categories=st.integers(0, 3))
def test_a_regression_by_trees_is_that_of_scikit_learn(seed, numbers, categories):
    if not numbers + categories:
        numbers = 1
    values, ids, codes = table(seed, numbers, categories)
    target = 100 + np.random.default_rng(seed).normal(size=len(values)) + values.sum(1) + ids.sum(1)
    columns = trees._table(values, ids, codes)
    mask = np.arange(columns.shape[1]) < categories
    grown = HistGradientBoostingRegressor(categorical_features=mask, **FEW).fit(columns, target)
    answers = asked(grown, 1, values, ids, codes)
    np.testing.assert_allclose(answers[:, 0], grown.predict(columns), rtol=1e-6)


@pytest.mark.parametrize(("classes", "outputs"), [(2, 1), (2, 2), (4, 4)])
def test_classes_by_trees_are_those_of_scikit_learn(classes, outputs):
    values, ids, codes = table(classes, 3, 1)
    labels = np.random.default_rng(0).integers(0, classes, len(values))
    columns = trees._table(values, ids, codes)
    mask = np.arange(4) < 1
    grown = HistGradientBoostingClassifier(categorical_features=mask, **FEW).fit(columns, labels)
    answers = asked(grown, outputs, values, ids, codes)
    if outputs == 1:
        answers = np.concatenate([0 * answers, answers], axis=1)
    found = keras.ops.softmax(answers).numpy()
    np.testing.assert_allclose(found, grown.predict_proba(columns), atol=1e-6)


def test_a_class_that_no_row_has_is_all_but_ruled_out():
    values, ids, codes = table(0, 2, 0)
    labels = np.where(values[:, 0] > 0, 2, 0)
    grown = HistGradientBoostingClassifier(**FEW).fit(trees._table(values, ids, codes), labels)
    found = keras.ops.softmax(asked(grown, 3, values, ids, codes)).numpy()
    assert found[:, 1].max() < 1e-6
    assert found.argmax(axis=1).tolist() == labels.tolist()


def test_the_trees_come_back_from_a_file(tmp_path):
    values, ids, codes = table(1, 2, 2)
    columns = trees._table(values, ids, codes)
    settings = {"categorical_features": np.arange(4) < 2, **FEW}
    grown = HistGradientBoostingRegressor(**settings).fit(columns, values[:, 0] + ids[:, 1])
    inputs = {
        "numeric": keras.Input((2,), name="numeric"),
        "categorical": keras.Input((2,), dtype="int32", name="categorical"),
    }
    layer = BoostedTrees(1)
    model = keras.Model(inputs, layer(inputs))
    layer.grow(trees.forest(grown, 1, codes))
    answers = model.predict(given_to(values, ids), verbose=0)
    model.save(tmp_path / "trees.keras")
    loaded = keras.models.load_model(tmp_path / "trees.keras")
    assert loaded.predict(given_to(values, ids), verbose=0).tolist() == answers.tolist()
    np.testing.assert_allclose(answers[:, 0], grown.predict(columns), rtol=1e-5, atol=1e-6)


def test_a_threshold_parts_float32_numbers_as_it_does_in_float64():
    between = np.float64(0.1) + 1e-12  # above no float32 that 0.1 is not above
    rounded = trees._rounded_down(np.array([between, np.inf, -between]))
    assert rounded.dtype == np.float32
    numbers = np.float32([0.1, np.nextafter(np.float32(0.1), np.float32(0)), -0.1])
    for at, wide in zip(rounded, (between, np.inf, -between), strict=True):
        assert [bool(x > at) for x in numbers] == [bool(float(x) > wide) for x in numbers]
