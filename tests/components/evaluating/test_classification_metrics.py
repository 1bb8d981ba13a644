"""Exact values against scikit-learn and Keras."""

import numpy as np
import pytest
import sklearn.metrics
from hypothesis import given
from hypothesis import strategies as st

from millrace.components.evaluating import classification_metrics
from millrace.components.evaluating.classification_metrics import figures
from millrace.components.evaluating.classification_tally import Scores, cross_entropy, tally
from tests.components.answers import answers


def test_loss_is_keras_loss_even_where_a_score_is_zero_or_one():
    import keras

    truth, scores = answers(200, 4)
    scores[:3] = [[1, 0, 0, 0], [0, 1, 0, 0], [0, 0, 0, 1]]
    truth[:3] = [0, 0, 2]
    expected = keras.losses.sparse_categorical_crossentropy(truth, scores).numpy()
    np.testing.assert_allclose(cross_entropy(truth, scores), expected, rtol=1e-5, atol=1e-6)
    found = figures(tally(truth, scores), top_k=2)["loss"]
    assert found == pytest.approx(float(expected.mean()), rel=1e-5)


def test_loss_of_scores_that_do_not_sum_to_one_is_keras_loss():
    import keras

    scores = np.array([[0.5, 0.2, 0.9], [0.1, 0.1, 0.1]], np.float32)
    truth = np.array([0, 2])
    expected = keras.losses.sparse_categorical_crossentropy(truth, scores).numpy()
    np.testing.assert_allclose(cross_entropy(truth, scores), expected, rtol=1e-6)


def test_top_k_accuracy_is_keras_own_ties_included():
    import keras

    truth, scores = answers(300, 6)
    scores[:100] = np.round(scores[:100], 1)
    for k in (1, 2, 5):
        expected = keras.metrics.sparse_top_k_categorical_accuracy(truth, scores, k=k)
        found = figures(tally(truth, scores), top_k=k)[f"top_{k}_accuracy"]
        assert found == pytest.approx(float(expected.numpy().mean()), rel=1e-6)


def test_accuracy_confusion_and_macro_figures_are_scikit_learns():
    truth, scores = answers(500, 5)
    answer = scores.argmax(axis=1)
    counted = tally(truth, scores)
    found = figures(counted, top_k=2)
    precision, recall, f1, _ = sklearn.metrics.precision_recall_fscore_support(
        truth, answer, average="macro"
    )
    assert found["accuracy"] == sklearn.metrics.accuracy_score(truth, answer)
    assert found["precision"] == pytest.approx(precision, rel=1e-12)
    assert found["recall"] == pytest.approx(recall, rel=1e-12)
    assert found["macro_f1"] == pytest.approx(f1, rel=1e-12)
    expected = sklearn.metrics.confusion_matrix(truth, answer)
    np.testing.assert_array_equal(counted.matrix, expected)
    assert "auc" not in found
    assert "f1_score" not in found


def test_classes_seen_in_neither_truth_nor_answers_leave_the_macro_mean_alone():
    truth = np.array([0, 0, 1, 1])
    scores = np.array([[0.9, 0.1, 0], [0.2, 0.8, 0], [0.3, 0.7, 0], [0.1, 0.9, 0]], np.float32)
    found = figures(tally(truth, scores), top_k=5)
    assert found["recall"] == 0.75
    assert found["precision"] == pytest.approx((1 + 2 / 3) / 2)
    assert found["macro_f1"] == pytest.approx((2 / 3 + 4 / 5) / 2)
    assert "top_5_accuracy" not in found


def test_balanced_accuracy_is_scikit_learns_and_leaves_out_classes_that_are_only_answered():
    truth, scores = answers(300, 4)
    truth[truth == 3] = 0
    found = figures(tally(truth, scores), top_k=2)
    expected = sklearn.metrics.recall_score(
        truth, scores.argmax(axis=1), average="macro", labels=[0, 1, 2]
    )
    assert found["balanced_accuracy"] == pytest.approx(expected, rel=1e-12)
    assert found["balanced_accuracy"] > found["recall"]


@given(st.lists(st.integers(1, 400), min_size=2, max_size=12), st.data())
def test_recalls_that_add_up_to_1_give_one_over_classes_to_the_last_bit(sizes, data):
    """All rows are answered by one class; or as many of each class by each."""
    classes = len(sizes)
    truth = np.repeat(np.arange(classes), sizes)
    answer = data.draw(st.integers(0, classes - 1))
    scores = np.eye(classes, dtype=np.float32)[np.full(len(truth), answer)]
    assert figures(tally(truth, scores), top_k=1)["balanced_accuracy"] == 1 / classes
    truth, answer = (grid.ravel() for grid in np.mgrid[:classes, :classes])
    scores = np.eye(classes, dtype=np.float32)[answer]
    assert figures(tally(truth, scores), top_k=1)["balanced_accuracy"] == 1 / classes


def test_two_classes_have_scikit_learns_exact_areas_ties_included():
    truth, scores = answers(400, 2, sharpness=0.8)
    scores[:200] = np.round(scores[:200], 1)
    found = figures(tally(truth, scores), top_k=1)
    answer = scores.argmax(axis=1)
    assert found["auc"] == pytest.approx(sklearn.metrics.roc_auc_score(truth, scores[:, 1]))
    assert found["auc_precision_recall"] == pytest.approx(
        sklearn.metrics.average_precision_score(truth, scores[:, 1])
    )
    assert found["precision"] == pytest.approx(sklearn.metrics.precision_score(truth, answer))
    assert found["recall"] == pytest.approx(sklearn.metrics.recall_score(truth, answer))
    assert found["f1_score"] == pytest.approx(sklearn.metrics.f1_score(truth, answer))
    assert found["macro_f1"] == pytest.approx(
        sklearn.metrics.f1_score(truth, answer, average="macro")
    )


def test_two_class_figures_agree_with_keras_own_metrics():
    import keras

    truth, scores = answers(500, 2, sharpness=1.0)
    found = figures(tally(truth, scores), top_k=1)
    for name, metric, tolerance in (
        ("precision", keras.metrics.Precision(), 1e-6),
        ("recall", keras.metrics.Recall(), 1e-6),
        ("auc", keras.metrics.AUC(num_thresholds=5000), 1e-4),
    ):
        metric.update_state(truth, scores[:, 1])
        assert found[name] == pytest.approx(float(metric.result()), abs=tolerance), name


def test_rounding_many_scores_moves_the_area_by_less_than_one_in_ten_thousand():
    truth, scores = answers(20_000, 2, sharpness=0.5)
    exact = Scores.of(truth == 1, scores[:, 1])
    rounded = Scores(exact.counts, limit=100).bounded()
    assert rounded.rounded
    assert len(rounded.counts.keys) < len(exact.counts.keys)
    areas = [
        np.trapezoid(*reversed(classification_metrics.roc_curve(each))) for each in (exact, rounded)
    ]
    assert areas[0] == pytest.approx(sklearn.metrics.roc_auc_score(truth, scores[:, 1]))
    assert areas[1] == pytest.approx(areas[0], abs=1e-4)


def test_calibration_error_is_the_mean_gap_of_the_bins():
    # Four rows of confidence 0.8, three of them right; two of 0.6, none right.
    scores = np.array([[0.8, 0.2]] * 4 + [[0.6, 0.4]] * 2, np.float32)
    counted = tally(np.array([0, 0, 0, 1, 1, 1]), scores)
    found = figures(counted, top_k=5)["expected_calibration_error"]
    assert found == pytest.approx((4 * abs(0.75 - 0.8) + 2 * 0.6) / 6, rel=1e-6)
    bins = classification_metrics.reliability(counted)
    assert bins["count"].nonzero()[0].tolist() == [9, 12]
    assert bins["accuracy"][12] == 0.75
    assert bins["confidence"][12] == pytest.approx(0.8, rel=1e-6)


def test_rows_of_one_class_have_only_the_figures_that_mean_something():
    _, scores = answers(20, 2)
    found = figures(tally(np.ones(20, np.int64), scores), top_k=1)
    assert set(found) == {
        "accuracy",
        "loss",
        "expected_calibration_error",
        "top_1_accuracy",
    }


def test_every_figure_has_a_name_that_a_threshold_may_use():
    found = set()
    for classes in (2, 3):
        found |= set(figures(tally(*answers(50, classes)), top_k=1))
    assert found == set(classification_metrics.names(top_k=1))
