"""What a candidate says of a training, and how a person would say it."""

import dataclasses

import pytest

from millrace.components.candidates.candidate import Candidate
from millrace.components.models.table_options import Resnet
from millrace.components.training.options import Descent, EarlyStopping, Optimizer
from millrace.components.training.schedule_options import Constant, Cosine
from tests.components.training.test_plan import plan


def test_settings_are_the_options_that_train_the_candidate_alone():
    candidate = Candidate("one", Resnet(blocks=3), epochs=7, schedule=Cosine(), patience=0)
    assert candidate.settings == (
        "trainer.model=resnet trainer.model.blocks=3 trainer.schedule=cosine trainer.epochs=7 "
        "trainer.early_stopping.patience=0"
    )


OWN = Optimizer("sgd", clipnorm=1.0)
TUNED = Candidate(
    "one",
    Resnet(),
    epochs=50,
    batch_size=16,
    learning_rate=0.002,
    optimizer=Optimizer("adamw", weight_decay=1.0),
    schedule=Cosine(warmup=0.5),
    patience=0,
)
SET = dataclasses.replace(
    plan(),
    epochs=200,
    batch_size=64,
    watching=dataclasses.replace(plan().watching, early_stopping=EarlyStopping(3, min_delta=0.5)),
    descent=Descent(OWN, 0.1, Constant(warmup=2.0)),
)


def told(found):
    stopping, descent = found.watching.early_stopping, found.descent
    return {
        "epochs": found.epochs,
        "batch_size": found.batch_size,
        "learning_rate": descent.learning_rate,
        "optimizer": descent.optimizer,
        "schedule": descent.schedule,
        "early_stopping.patience": stopping.patience,
    }


OF_CANDIDATE = {
    "epochs": 50,
    "batch_size": 16,
    "learning_rate": 0.002,
    "optimizer": Optimizer("adamw", weight_decay=1.0),
    "schedule": Cosine(warmup=0.5),
    "early_stopping.patience": 0,
}


def test_a_candidate_goes_before_what_a_recipe_says_and_leaves_the_rest():
    found = TUNED.applied(SET)
    assert told(found) == OF_CANDIDATE
    assert found.watching.early_stopping.min_delta == 0.5
    assert told(Candidate("bare", Resnet()).applied(SET)) == told(SET)


@pytest.mark.parametrize("way", sorted({*OF_CANDIDATE} - {"optimizer"}))
def test_what_a_person_set_goes_before_a_candidate_and_nothing_else_does(way):
    found = TUNED.yielding(SET, (way,)).applied(SET)
    assert told(found) == OF_CANDIDATE | {way: told(SET)[way]}


@pytest.mark.parametrize(
    ("optimizer", "rate"),
    [(OWN, 0.1), (Optimizer("SGD(learning_rate=0.1)"), 0.1), (Optimizer("adamw"), 0.002)],
)
def test_a_candidates_rate_is_for_its_own_optimizer(optimizer, rate):
    given = dataclasses.replace(SET, descent=Descent(optimizer, 0.1, Cosine(warmup=0.5)))
    found = TUNED.yielding(given, ("optimizer",)).applied(given)
    assert told(found) == OF_CANDIDATE | {"optimizer": optimizer, "learning_rate": rate}


@pytest.mark.parametrize(
    ("way", "option", "taken"),
    [
        ("optimizer.clipnorm", "optimizer", Optimizer("adamw", clipnorm=1.0, weight_decay=1.0)),
        ("schedule.warmup", "schedule", Cosine(warmup=2.0)),
        ("schedule.factor", "schedule", Constant(warmup=2.0)),  # a cosine has none
        ("early_stopping", "early_stopping.patience", 3),
    ],
)
def test_a_field_that_a_person_set_is_all_that_changes_within_an_option(way, option, taken):
    found = TUNED.yielding(SET, (way,)).applied(SET)
    assert told(found) == OF_CANDIDATE | {option: taken}


def test_what_a_person_set_is_left_out_of_the_settings():
    yielding = TUNED.yielding(SET, ("batch_size", "schedule", "epochs", "optimizer"))
    assert yielding.settings == ("trainer.model=resnet trainer.early_stopping.patience=0")
