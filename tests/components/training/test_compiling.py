"""Losses, metrics and optimizers that Keras gets."""

import dataclasses

import keras
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from millrace.components.errors import OptionError
from millrace.components.features.image_spec import ImageSpec
from millrace.components.models.image import build
from millrace.components.models.image_options import Augment, Cnn
from millrace.components.models.networks import RESCALED, SCORES
from millrace.components.training.compiling import compile_model, layers_in, metrics, steps_at_once
from millrace.components.training.objective import AUTO, Loss, Objective, settle
from millrace.components.training.options import Descent, Optimizer
from millrace.components.training.schedule_options import Exponential

SGD = Optimizer("sgd")


def compiled(objective, descent=None, top_k=0):
    inputs = keras.Input((objective.units,))
    model = keras.Model(inputs, keras.layers.Activation(objective.activation)(inputs))
    compile_model(model, objective, descent or Descent(), top_k, steps=1, epochs=1)
    return model


@pytest.mark.parametrize("output", ["probabilities", "logits"])
@pytest.mark.parametrize("loss", ["sparse_categorical_crossentropy", "categorical_crossentropy"])
def test_loss_and_metrics_of_many_classes_are_the_same_however_written(loss, output):
    objective = settle(4, Loss(loss), output)
    logits = np.log(np.array([[0.1, 0.2, 0.3, 0.4], [0.7, 0.1, 0.1, 0.1]], np.float32))
    labels = np.array([2, 0])
    targets = np.eye(4, dtype=np.float32)[labels] if objective.is_one_hot else labels
    found = compiled(objective, top_k=2).evaluate(logits, targets, verbose=0, return_dict=True)
    expected = {"loss": -np.log([0.3, 0.7]).mean(), "accuracy": 0.5, "top_2_accuracy": 1.0}
    assert found == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("output", ["probabilities", "logits"])
def test_loss_and_accuracy_of_two_classes_know_logits(output):
    objective = settle(2, AUTO, output)
    odds = np.array([[0.4], [0.9]], np.float32)
    logits = np.log(odds / (1 - odds))
    targets = np.array([[0.0], [0.0]])
    found = compiled(objective).evaluate(logits, targets, verbose=0, return_dict=True)
    assert found == pytest.approx({"loss": -np.log([0.6, 0.1]).mean(), "accuracy": 0.5}, rel=1e-5)


def test_label_smoothing_reaches_the_loss():
    objective = settle(2, Loss("categorical_crossentropy", 0.2), "probabilities")
    logits = np.log(np.array([[0.5, 0.5]], np.float32))
    found = compiled(objective).evaluate(logits, np.array([[1.0, 0.0]]), verbose=0)
    assert found[0] == pytest.approx(-np.log(0.5), rel=1e-5)
    assert compiled(objective).loss.label_smoothing == 0.2


LOSSES = {
    "mean_absolute_error": np.abs,
    "mean_squared_error": np.square,
    "huber": lambda error: np.where(np.abs(error) <= 1, error**2 / 2, np.abs(error) - 0.5),
}


def forecaster(loss="mean_absolute_error"):
    """A network of 3 rows of 2 targets, whose forecast is its input plus what it learns."""
    inputs = keras.Input((3, 2))
    model = keras.Model(inputs, keras.layers.Add()([inputs, Shift()(inputs)]))
    objective = Objective(loss, 6, 0, logits=False, task="forecast")
    compile_model(model, objective, Descent(SGD, 1.0), 0, steps=1, epochs=1)
    return model


class Shift(keras.layers.Layer):
    def build(self, shape):
        self.shift = self.add_weight(shape=shape[1:], initializer="zeros")

    def call(self, inputs):
        return keras.ops.broadcast_to(self.shift, keras.ops.shape(inputs))


@settings(max_examples=20, deadline=None)
@given(
    st.lists(st.none() | st.floats(-4, 4, width=16), min_size=24, max_size=24),
    st.sampled_from(sorted(LOSSES)),
)
def test_figures_of_forecasts_are_those_of_the_known_targets_alone(cells, loss):
    errors = np.array([np.nan if cell is None else cell for cell in cells])
    known = errors[~np.isnan(errors)]
    if not len(known):
        return
    forecast = np.full((4, 3, 2), 7.0, np.float32)
    truth = forecast - errors.reshape(4, 3, 2).astype(np.float32)
    found = forecaster(loss).evaluate(forecast, truth, verbose=0, return_dict=True, batch_size=4)
    expected = {"mae": np.abs(known).mean(), "mse": np.square(known).mean()}
    assert found == pytest.approx(expected | {"loss": LOSSES[loss](known).mean()}, rel=1e-5)


def test_an_unknown_target_teaches_nothing():
    model = forecaster()
    truth = np.full((2, 3, 2), 9.0, np.float32)
    truth[0, 1, 0] = truth[1, 1, 0] = truth[1, 2, 1] = np.nan
    model.fit(np.zeros((2, 3, 2), np.float32), truth, verbose=0, batch_size=2)
    # of 9 known targets each pulls with a ninth; two windows agree but where one is unknown
    expected = np.array([[2, 2], [0, 2], [2, 1]]) / 9
    np.testing.assert_allclose(model.layers[1].shift, expected, rtol=1e-6)


def test_every_optimizer_takes_its_settings_or_keeps_kerass():
    objective = settle(3, AUTO, "probabilities")
    plain = compiled(objective, Descent(Optimizer("rmsprop"))).optimizer
    assert type(plain) is keras.optimizers.RMSprop
    assert float(plain.learning_rate) == pytest.approx(0.001)
    descent = Descent(Optimizer("sgd", momentum=0.9, nesterov=True, clipnorm=2.0), 0.5)
    sgd = compiled(objective, descent).optimizer
    assert type(sgd) is keras.optimizers.SGD
    assert (float(sgd.learning_rate), sgd.clipnorm) == (0.5, 2.0)
    assert (sgd.momentum, sgd.nesterov) == (0.9, True)


@given(st.integers(1, 10_000))
def test_steps_run_at_once_end_where_the_epoch_ends(steps):
    found = steps_at_once(steps)
    assert steps % found == 0
    assert not [more for more in range(found + 1, 17) if steps % more == 0]


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({"clipvalue": 0.5}, {"clipvalue": 0.5, "clipnorm": None}),
        ({"global_clipnorm": 3.0}, {"global_clipnorm": 3.0}),
        ({"kind": "adamw", "weight_decay": 0.1}, {"weight_decay": 0.1}),
        ({"kind": "adamw"}, {"weight_decay": 0.004}),
        ({"kind": "sgd", "weight_decay": 0.2}, {"weight_decay": 0.2}),
    ],
)
def test_clipping_and_decay_reach_the_optimizer(settings, expected):
    objective = settle(3, AUTO, "probabilities")
    optimizer = compiled(objective, Descent(Optimizer(**settings))).optimizer
    assert {name: getattr(optimizer, name) for name in expected} == expected


def test_two_ways_of_clipping_are_refused():
    with pytest.raises(OptionError) as caught:
        Optimizer(clipnorm=1.0, clipvalue=0.5).check()
    assert str(caught.value) == (
        "trainer.optimizer: expected one of clipnorm, clipvalue. Received: 1.0, 0.5. Keep one."
    )


def test_a_schedule_starts_from_the_optimizers_own_rate_where_none_is_given():
    objective = settle(3, AUTO, "probabilities")
    optimizer = compiled(objective, Descent(SGD, schedule=Exponential(0.5))).optimizer
    assert float(optimizer.learning_rate) == pytest.approx(0.01)
    optimizer.iterations.assign(1)
    assert float(optimizer.learning_rate) == pytest.approx(0.005)


@pytest.mark.parametrize(
    ("precision", "computed"), [("mixed_float16", "float16"), ("mixed_bfloat16", "bfloat16")]
)
def test_layers_compute_in_the_precision_asked_for_and_keep_their_weights_whole(
    precision, computed
):
    spec = ImageSpec(("a", "b", "c"), 8, 8, 1)
    with layers_in(precision):
        model = build(
            Cnn((2,), dense=(4,)), Augment(zoom=0.1), spec, units=3, activation="softmax"
        ).training
    assert keras.config.dtype_policy().name == "float32"
    assert model.get_layer("block1_conv1").compute_dtype == computed
    assert model.get_layer("block1_conv1").kernel.dtype == "float32"
    assert model.get_layer("scores").compute_dtype == "float32"
    objective = settle(3, AUTO, "probabilities")
    compile_model(model, objective, Descent(), 0, steps=1, epochs=1)
    is_scaled = isinstance(model.optimizer, keras.optimizers.LossScaleOptimizer)
    assert is_scaled == (precision == "mixed_float16")
    found = model.fit(np.zeros((2, 8, 8, 1), np.uint8), np.array([0, 1]), verbose=0)
    assert np.isfinite(found.history["loss"][0])


@pytest.mark.parametrize(
    ("classes", "truths", "answers"),
    [
        (3, [[0.6, 0, 0.4], [0.3, 0.7, 0]], [[0.6, 0.2, 0.2]] * 2),
        (2, [[0.6], [0.7]], [[0.9], [0.1]]),
    ],
    ids=["three classes", "two"],
)
def test_of_a_label_that_is_shares_a_metric_gets_the_class_with_more(classes, truths, answers):
    kind = "categorical_crossentropy" if classes > 2 else "auto"
    objective = dataclasses.replace(settle(classes, Loss(kind), "probabilities"), mixed=True)
    found = metrics(objective, 0, ["AUC", "Precision"])
    for metric in found:
        metric.update_state(np.float32(truths), np.float32(answers))
    figures = {metric.name: float(metric.result()) for metric in found}
    assert figures["accuracy"] == 0.5
    assert figures["precision"] == (1.0 if classes == 2 else 0.5)


def test_a_network_that_learns_a_logarithm_does_so_by_the_poisson_deviance():
    objective = Objective("mean_squared_error", 1, 0, logits=False, task="regression")
    inputs = keras.Input((1,))
    last = keras.layers.Activation("exponential", name=SCORES)
    scaled = keras.layers.Rescaling(10.0, name=RESCALED)
    model = keras.Model(inputs, scaled(last(inputs)))
    compile_model(model, objective, Descent(), 0, steps=1, epochs=1)
    rows, truth = np.float32([[0.0], [np.log(2)]]), np.float32([[10.0], [40.0]])
    found = model.evaluate(rows, truth, verbose=0, return_dict=True)
    # Of 1 and 2 for 1 and 4: answers less truths times logarithms of answers.
    assert found["loss"] == pytest.approx((1 + 2 - 4 * np.log(2)) / 2, rel=1e-5)
    assert found["mse"] == pytest.approx(200)


def test_a_loss_of_numbers_is_in_the_unit_of_the_layer_that_brings_answers_to_labels():
    inputs = keras.Input((1,))
    answer = keras.layers.Rescaling(4.0, 100.0, name=RESCALED)(inputs)
    model = keras.Model(inputs, answer)
    objective = Objective("mean_squared_error", 1, 0, logits=False, task="regression")
    compile_model(model, objective, Descent(), 0, steps=1, epochs=1)
    found = model.evaluate(np.float32([[0], [1]]), np.float32([[104], [112]]), verbose=0)
    assert found == pytest.approx([(1 + 4) / 2, (4 + 8) / 2, (16 + 64) / 2])  # loss, mae, mse


OWN = "tests.components.own_pieces"
ERRORS = np.array([[3.0], [1.0], [2.0]], np.float32)


def of_numbers(loss, task="regression", others=()):
    """A network that answers its input."""
    inputs = keras.Input((1,))
    model = keras.Model(inputs, keras.layers.Activation("linear")(inputs))
    objective = Objective("mean_squared_error", 1, 0, logits=False, task=task, piece=loss)
    compile_model(model, objective, Descent(), 0, steps=1, epochs=1, others=others)
    return model


@pytest.mark.parametrize(
    ("loss", "expected"),
    [
        (f"{OWN}:doubled", 4.0),
        (f"{OWN}:doubled(by=3)", 6.0),
        (f"{OWN}:doubling(5)", 10.0),
        (f"{OWN}:Doubled(by=0.5)", 1.0),
        ("Huber(delta=1)", 1.5),
    ],
    ids=["function", "with arguments", "made", "class", "of Keras"],
)
def test_a_loss_is_one_of_keras_or_a_persons_own(loss, expected):
    assert of_numbers(loss).evaluate(ERRORS, np.zeros((3, 1)), verbose=0)[0] == expected


def test_a_loss_of_ones_own_sees_no_target_that_is_not_known():
    truth = np.array([[0.0], [np.nan], [0.0]], np.float32)
    found = of_numbers(f"{OWN}:doubled", "forecast", ("RootMeanSquaredError",))
    figures = found.evaluate(ERRORS, truth, verbose=0, return_dict=True)
    assert figures["loss"] == pytest.approx(2 * (3 + 0 + 2) / 3)
    assert figures["root_mean_squared_error"] == pytest.approx(np.sqrt(13 / 3))


def test_a_loss_of_ones_own_and_metrics_do_not_count_padding():
    objective = settle(4, AUTO, "probabilities")
    objective = dataclasses.replace(
        objective, task="language", piece="SparseCategoricalCrossentropy"
    )
    inputs = keras.Input((2, 4))
    model = keras.Model(inputs, keras.layers.Activation("softmax")(inputs))
    others = ("SparseTopKCategoricalAccuracy(2)",)
    compile_model(model, objective, Descent(), 0, steps=1, epochs=1, others=others)
    logits = np.log(np.array([[[0.1, 0.2, 0.3, 0.4], [0.7, 0.1, 0.1, 0.1]]], np.float32))
    found = model.evaluate(logits, np.array([[2, 0]]), verbose=0, return_dict=True)
    assert found["loss"] == pytest.approx(-np.log(0.3), rel=1e-5)
    assert found["sparse_top_k_categorical_accuracy"] == 1.0


def test_metrics_have_their_arguments_and_stand_beside_those_of_the_task():
    others = (
        "MeanAbsoluteError(name='again')",
        f"{OWN}:Largest",
        f"{OWN}:doubled(by=4)",
        f"{OWN}:doubling(5)",
    )
    found = of_numbers("MeanSquaredError", others=others)
    figures = found.evaluate(ERRORS, np.zeros((3, 1)), verbose=0, return_dict=True)
    expected = {"again": 2.0, "largest": 3.0, "doubled": 8.0, "doubling": 10.0, "mae": 2.0}
    assert figures == pytest.approx(expected | {"loss": 14 / 3, "mse": 14 / 3})


def test_a_metric_that_is_no_number_is_refused():
    objective = settle(3, Loss("categorical_crossentropy"), "probabilities")
    model = keras.Model(inputs := keras.Input((3,)), keras.layers.Activation("softmax")(inputs))
    compile_model(model, objective, Descent(), 0, steps=1, epochs=1, others=("F1Score",))
    with pytest.raises(OptionError, match=r"trainer.metrics, f1_score: expected one number"):
        model.evaluate(np.eye(3), np.eye(3), verbose=0)


@pytest.mark.parametrize(
    ("optimizer", "rate", "expected"),
    [
        (Optimizer("Lion(beta_1=0.5)"), None, (keras.optimizers.Lion, 0.001)),
        (Optimizer("SGD(learning_rate=0.25)"), None, (keras.optimizers.SGD, 0.25)),
        (Optimizer(f"{OWN}:slow"), None, (keras.optimizers.SGD, 0.5)),
        (Optimizer(f"{OWN}:slow(0.75)"), 0.1, (keras.optimizers.SGD, 0.1)),
    ],
    ids=["of Keras", "with its rate", "made", "rate of the options"],
)
def test_an_optimizer_is_another_of_keras_or_a_persons_own(optimizer, rate, expected):
    objective = settle(3, AUTO, "probabilities")
    found = compiled(objective, Descent(optimizer, rate)).optimizer
    assert (type(found), float(found.learning_rate)) == (expected[0], pytest.approx(expected[1]))


def test_an_optimizer_of_ones_own_that_loses_a_setting_is_refused():
    descent = Descent(Optimizer(f"{OWN}:slow", clipnorm=1.0))
    with pytest.raises(OptionError, match=r"optimizer.clipnorm: expected an optimizer that"):
        compiled(settle(3, AUTO, "probabilities"), descent)
