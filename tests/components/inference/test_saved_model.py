"""Rows asked in batches: what a model refuses stands alone, and the others are answered."""

import threading
from types import SimpleNamespace

import numpy as np
import pytest
from etils.epath import Path
from hypothesis import given
from hypothesis import strategies as st

from millrace.components.artifacts import Rejected
from millrace.components.errors import ModelError
from millrace.components.inference.saved_model import (
    Models,
    ahead,
    answer,
    batched,
    class_names,
    predictor,
)
from millrace.serving.errors import InvalidArgumentError, ResourceExhaustedError
from tests.components import classifiers
from tests.components.asked import Asked, features_of, rows_of


def pictures(values):
    return rows_of(
        [
            Asked(f"{number}.png", "", {"image/encoded": [value]})
            for number, value in enumerate(values)
        ]
    )


def values_of(rows):
    return [features["image/encoded"][0] for features in features_of(rows)]


class Doubler:
    """Answers a row of digits by twice their number; refuses a batch with `x` in it."""

    def __init__(self):
        self.calls = 0

    def __call__(self, rows):
        self.calls += 1
        values = values_of(rows)
        if b"x" in values:
            raise InvalidArgumentError("not a number\n\t [[{{node Decode}}]]")
        return {"twice": np.array([2.0 * float(value) for value in values])}


@given(st.lists(st.sampled_from([b"1", b"2", b"3", b"x"]), max_size=40), st.integers(1, 50))
def test_refused_rows_stand_alone_and_all_others_are_answered_in_order(values, size):
    answers = answer(Doubler(), pictures(values), size)
    good = [number for number, value in enumerate(values) if value != b"x"]
    assert answers.rows.sources.tolist() == [f"{number}.png" for number in good]
    twice = answers.outputs["twice"].tolist() if good else []
    assert twice == [2 * int(values[number]) for number in good]
    assert values_of(answers.rows) == [values[number] for number in good]
    bad = [f"{number}.png" for number, value in enumerate(values) if value == b"x"]
    assert [item.source for item in answers.rejected] == bad
    assert all(item.reason == "not a number" for item in answers.rejected)


def test_one_bad_row_of_many_costs_few_calls():
    model = Doubler()
    answer(model, pictures([b"1"] * 100 + [b"x"] + [b"1"] * 155), 256)
    assert model.calls <= 1 + 2 * 8  # 256 = 2^8


def test_an_error_that_is_not_the_rows_fault_is_not_blamed_on_them():
    def exhausted(values):
        raise ResourceExhaustedError("out of memory")

    with pytest.raises(ResourceExhaustedError, match="out of memory"):
        answer(exhausted, pictures([b"1", b"2"]), 8)


def test_answers_that_are_not_finite_are_set_aside():
    def model(values):
        scores = np.array([[0.5, 0.5], [np.nan, 0.5], [0.1, np.inf]])
        return {"scores": scores, "class": np.array([b"a", b"b", b"c"], object)}

    answers = answer(model, pictures([b"1", b"2", b"3"]), 8)
    assert answers.rows.sources.tolist() == ["0.png"]
    assert answers.outputs["class"].tolist() == [b"a"]
    assert [item.reason for item in answers.rejected] == ["the model's answer is not finite"] * 2


@given(st.lists(st.integers(), max_size=30), st.integers(1, 10))
def test_batches_hold_all_items_in_order(items, size):
    batches = list(batched(items, size))
    assert [item for batch in batches for item in batch] == items
    assert all(len(batch) == size for batch in batches[:-1])
    assert all(batches)


@given(st.lists(st.integers(), max_size=20))
def test_work_done_ahead_comes_out_in_order(items):
    assert list(ahead(lambda item: item * 2, items)) == [item * 2 for item in items]


def test_the_next_work_is_begun_before_the_result_at_hand_is_used():
    used = threading.Event()
    results = ahead(lambda item: item == 0 or used.wait(20), range(2))
    assert next(results)
    used.set()
    assert next(results)


def test_no_more_than_one_item_is_taken_ahead():
    items = iter(range(5))
    next(ahead(lambda item: item, items))
    assert next(items) == 2


def test_an_error_of_work_done_ahead_is_raised():
    with pytest.raises(ZeroDivisionError):
        list(ahead(lambda item: 1 // item, [2, 1, 0]))


def test_a_row_that_does_not_fit_the_model_is_set_aside_with_the_reason(grey_model):
    (model,) = Models(grey_model.saved_model).load()
    asked = [
        Asked("one.png", "", {"image/encoded": [classifiers.png(40)]}),
        Asked("two.png", "", {"image/encoded": [b"a", b"b"]}),
    ]
    answers = answer(predictor(model), rows_of(asked), 8)
    assert answers.outputs["class"].tolist() == [b"dark"]
    assert answers.rejected == [
        Rejected(
            "two.png",
            "Feature 'image/encoded': expected one text for the model's input 'image_bytes'. "
            "Received: 2 texts. Give the records that the model was made for.",
        )
    ]


def test_a_real_model_answers_and_refuses_what_is_no_image(grey_model):
    models = Models(grey_model.saved_model)
    (model,) = models.load()
    assert models.load()[0] is model
    values = [classifiers.png(40), b"no image", classifiers.png(200)]
    answers = answer(predictor(model), pictures(values), 8)
    assert answers.outputs["class"].tolist() == [b"dark", b"bright"]
    np.testing.assert_allclose(
        answers.outputs["scores"], classifiers.expected_scores([40, 200]), atol=1e-6
    )
    (rejected,) = answers.rejected
    assert rejected.source == "1.png"
    assert rejected.reason.startswith("Unknown image file format. One of JPEG")
    assert "\n" not in rejected.reason
    assert class_names(answers.outputs) == classifiers.CLASSES


def test_a_model_without_the_signature_is_refused():
    with pytest.raises(
        ModelError,
        match=r"'serving_default': expected one that it has\. "
        r"Received a model with none\. Export",
    ):
        predictor(SimpleNamespace(signatures={}))


def test_outputs_of_another_kind_of_model_are_refused():
    with pytest.raises(
        ModelError,
        match=r"expected outputs `classes` and `scores`.*"
        r"Received: {'forecast': \[2, 3\]}",
    ):
        class_names({"forecast": np.zeros((2, 3))})


def test_classes_in_another_order_per_row_are_refused():
    classes = np.array([[b"a", b"b"], [b"b", b"a"]], object)
    with pytest.raises(ModelError, match="expected the same order in every row"):
        class_names({"classes": classes, "scores": np.zeros((2, 2))})


def test_a_models_folders_are_loaded_by_name(tmp_path):
    from millrace.serving.errors import ModelLoadError

    with pytest.raises(ModelLoadError, match="expected a SavedModel"):
        Models(Path(tmp_path)).load()
