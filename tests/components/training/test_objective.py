"""Which loss and last layer a number of classes gets."""

import pytest

from millrace.components.errors import OptionError
from millrace.components.features.image_spec import ImageSpec
from millrace.components.training.objective import AUTO, Loss, Objective, of, settle


def test_two_classes_get_one_sigmoid_unit():
    found = settle(2, AUTO, "probabilities")
    assert found == Objective("binary_crossentropy", 1, 2, logits=False)
    assert (found.is_binary, found.is_one_hot, found.activation) == (True, False, "sigmoid")


def test_more_classes_get_a_softmax_and_integer_labels():
    found = settle(10, AUTO, "probabilities")
    assert found == Objective("sparse_categorical_crossentropy", 10, 10, logits=False)
    assert (found.is_binary, found.is_one_hot, found.activation) == (False, False, "softmax")


def test_label_smoothing_of_more_classes_needs_one_hot_labels():
    found = settle(10, Loss(label_smoothing=0.1), "probabilities")
    assert found == Objective("categorical_crossentropy", 10, 10, logits=False, label_smoothing=0.1)
    assert found.is_one_hot
    assert settle(2, Loss(label_smoothing=0.1), "probabilities").loss == "binary_crossentropy"


def test_logits_leave_the_last_layer_linear():
    assert settle(10, AUTO, "logits").activation == "linear"
    assert settle(2, AUTO, "logits").activation == "linear"


def test_a_named_loss_overrules_the_number_of_classes():
    found = settle(2, Loss("sparse_categorical_crossentropy"), "probabilities")
    assert (found.units, found.activation) == (2, "softmax")


def test_a_loss_that_does_not_fit_is_refused():
    with pytest.raises(OptionError, match=r"expected 2 classes\. Received: 3\. Leave trainer.loss"):
        settle(3, Loss("binary_crossentropy"), "logits")
    with pytest.raises(OptionError, match=r"label_smoothing: expected 0 with .*Received: 0\.1"):
        settle(3, Loss("sparse_categorical_crossentropy", 0.1), "logits")


def test_a_loss_for_numbers_does_not_fit_classes():
    spec = ImageSpec(("a", "b"), 2, 2, 1)
    with pytest.raises(OptionError) as caught:
        of(spec, Loss("huber"), "probabilities")
    assert str(caught.value) == (
        "trainer.loss: expected a loss for a classification: binary_crossentropy, "
        "sparse_categorical_crossentropy, categorical_crossentropy. Received: huber. "
        "Choose one of these, or leave it at auto."
    )


@pytest.mark.parametrize(
    ("classes", "loss", "expected"),
    [
        ("ab", Loss("mine:focal"), ("binary_crossentropy", 1)),
        ("abc", Loss("mine:focal"), ("sparse_categorical_crossentropy", 3)),
        ("abc", Loss("mine:focal", labels="one_hot"), ("categorical_crossentropy", 3)),
        ("abc", Loss("CategoricalFocalCrossentropy"), ("categorical_crossentropy", 3)),
        ("ab", Loss("CategoricalHinge"), ("categorical_crossentropy", 2)),
    ],
)
def test_another_loss_gets_labels_as_it_takes_them(classes, loss, expected):
    found = of(ImageSpec(tuple(classes), 2, 2, 1), loss, "probabilities")
    assert (found.loss, found.units, found.piece) == (*expected, loss.kind)


@pytest.mark.parametrize(
    ("classes", "loss", "expected"),
    [
        ("ab", AUTO, "binary_crossentropy"),
        ("abc", AUTO, "categorical_crossentropy"),
        ("abc", Loss(label_smoothing=0.1), "categorical_crossentropy"),
        ("ab", Loss("mine:focal"), "binary_crossentropy"),
        ("abc", Loss("mine:focal", labels="one_hot"), "categorical_crossentropy"),
    ],
)
def test_pictures_that_are_mixed_have_labels_that_can_be_shares(classes, loss, expected):
    found = of(ImageSpec(tuple(classes), 2, 2, 1), loss, "probabilities", mixed=True)
    assert (found.loss, found.mixed, found.label_smoothing) == (
        expected,
        True,
        loss.label_smoothing,
    )


@pytest.mark.parametrize(
    ("loss", "fix"),
    [
        (Loss("sparse_categorical_crossentropy"), "trainer.loss=auto"),
        (Loss("mine:focal"), "trainer.loss.labels=one_hot"),
    ],
)
def test_a_loss_of_indices_is_refused_where_pictures_are_mixed(loss, fix):
    with pytest.raises(OptionError) as caught:
        of(ImageSpec(("a", "b", "c"), 2, 2, 1), loss, "probabilities", mixed=True)
    assert str(caught.value) == (
        "trainer.loss: expected one that takes shares of classes, with trainer.augment.mixup or "
        f"cutmix. Received: {loss.kind}, which gets indices. Set {fix}, or leave these out."
    )


@pytest.mark.parametrize(
    ("loss", "message"),
    [
        (Loss("mine:focal", 0.1), "label_smoothing: expected 0 with mine:focal"),
        (Loss(labels="one_hot"), "labels: expected auto with auto"),
    ],
)
def test_settings_that_a_loss_does_not_take_are_refused(loss, message):
    with pytest.raises(OptionError, match=message):
        of(ImageSpec(("a", "b"), 2, 2, 1), loss, "probabilities")
