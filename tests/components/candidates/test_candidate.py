"""What a candidate says of a training, and how a person would say it."""

import dataclasses

import pytest

from millrace.components.candidates.candidate import Candidate
from millrace.components.models.table_options import Resnet
from millrace.components.training.options import EarlyStopping
from millrace.components.training.schedule_options import Cosine
from tests.components.training.test_plan import plan


def test_settings_are_the_options_that_train_the_candidate_alone():
    candidate = Candidate("one", Resnet(blocks=3), epochs=7, schedule=Cosine(), patience=0)
    assert candidate.settings == (
        "trainer.model=resnet trainer.model.blocks=3 trainer.schedule=cosine trainer.epochs=7 "
        "trainer.early_stopping.patience=0"
    )


@pytest.mark.parametrize(
    ("own", "of_candidate", "taken"),
    [(None, 0, 0), (None, 4, 4), (3, 0, 3), (0, 4, 0), (None, None, None)],
)
def test_patience_that_a_person_names_holds_for_every_candidate(own, of_candidate, taken):
    given = plan()
    stopping = EarlyStopping(own, min_delta=0.5)
    watching = dataclasses.replace(given.watching, early_stopping=stopping)
    found = Candidate("one", Resnet(), patience=of_candidate).applied(
        dataclasses.replace(given, watching=watching)
    )
    assert found.watching.early_stopping == EarlyStopping(taken, min_delta=0.5)
