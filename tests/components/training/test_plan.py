"""What of a plan is refused before Keras starts."""

import dataclasses

import pytest

from millrace.components.errors import OptionError
from millrace.components.features.image_spec import ImageSpec
from millrace.components.models.image_options import Augment
from millrace.components.models.layer_options import Dense
from millrace.components.training.objective import AUTO, Objective, settle
from millrace.components.training.options import (
    ADAM,
    Descent,
    EarlyStopping,
    Optimizer,
    Watching,
)
from millrace.components.training.plan import Split, TrainingPlan, metric_names

WATCHING = Watching({}, "loss", EarlyStopping(), "last", tensorboard=False)


def plan(stop_at=None, monitor="loss", top_k=0, validation=None, count=10, optimizer=ADAM):
    watching = dataclasses.replace(WATCHING, stop_at=stop_at or {}, monitor=monitor)
    return TrainingPlan(
        spec=ImageSpec(("a", "b", "c"), 2, 2, 1),
        model=Dense(),
        augment=Augment(),
        objective=settle(3, AUTO, "probabilities"),
        descent=Descent(optimizer),
        watching=watching,
        train=Split((), count),
        validation=validation,
        warm_start=None,
        epochs=1,
        batch_size=4,
        seed=1,
        deterministic=False,
        buffer=None,
        balanced=False,
        top_k=top_k,
    )


def test_the_last_batch_of_an_epoch_may_be_smaller():
    assert [plan(count=count).steps for count in (1, 4, 5)] == [1, 1, 2]


def test_metrics_of_validation_are_known_only_with_validation():
    classes = settle(3, AUTO, "probabilities")
    assert metric_names(classes, 0, validated=False) == ["loss", "accuracy"]
    assert metric_names(classes, 2, validated=True)[2:] == [
        "top_2_accuracy",
        "val_loss",
        "val_accuracy",
        "val_top_2_accuracy",
    ]
    numbers = Objective("huber", 1, 0, logits=False, task="regression")
    assert metric_names(numbers, 0, validated=False) == ["loss", "mae", "mse"]
    plan(stop_at={"val_accuracy": 0.9}, validation=Split((), 3))


def test_a_metric_that_will_not_be_there_is_refused():
    with pytest.raises(OptionError) as caught:
        plan(stop_at={"val_accuracy": 0.9})
    assert str(caught.value) == (
        "trainer.stop_at: expected metrics among loss, accuracy. Received: 'val_accuracy'. "
        "Metrics in val_ need a split named by trainer.validation."
    )
    with pytest.raises(OptionError, match=r"trainer\.monitor: .*Received: 'top_2_accuracy'"):
        plan(monitor="top_2_accuracy")


def test_a_top_k_that_covers_every_class_is_refused():
    with pytest.raises(OptionError, match=r"less than the 3 classes\. Received: 3\."):
        plan(top_k=3)


def test_any_difference_makes_another_text():
    assert plan().text == plan().text
    assert plan().text != plan(top_k=1).text


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"kind": "adam", "momentum": 0.9}, r"optimizer\.momentum: expected 0 with adam"),
        ({"kind": "sgd", "nesterov": True}, "nesterov: expected sgd with momentum above 0"),
        (
            {"kind": "rmsprop", "momentum": 0.9, "nesterov": True},
            "Received: rmsprop, momentum 0.9",
        ),
    ],
)
def test_settings_of_another_optimizer_are_refused(settings, message):
    with pytest.raises(OptionError, match=message):
        plan(optimizer=Optimizer(**settings))


def test_pictures_in_batches_of_one_cannot_be_mixed():
    with pytest.raises(OptionError, match=r"batch_size: expected 2 or more with .* Received: 1\."):
        dataclasses.replace(plan(), augment=Augment(cutmix=1.0), batch_size=1)


def test_metrics_of_ones_own_are_known_by_their_names():
    classes = settle(3, AUTO, "probabilities")
    names = metric_names(classes, 0, ["AUC", "mine:within(name='near')"], validated=False)
    assert names == ["loss", "accuracy", "auc", "near"]
    with pytest.raises(OptionError, match=r"trainer.metrics: expected each name once.*accuracy"):
        dataclasses.replace(plan(), metrics=("Accuracy",))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"callbacks": ("mine:Stop",)}, "trainer.callbacks: .* with trainer.strategy=mirrored"),
        ({"descent": Descent(Optimizer("SGD(clipnorm=1)"))}, "trainer.optimizer: .*clipping"),
    ],
    ids=["callbacks", "clipping"],
)
def test_pieces_that_replicas_cannot_have_are_refused(changes, message):
    with pytest.raises(OptionError, match=message):
        dataclasses.replace(plan(), strategy="mirrored", **changes)
