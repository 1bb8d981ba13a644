"""What a candidate says of a training, and how a person would say it."""

from millrace.components.candidates.candidate import Candidate
from millrace.components.models.table_options import Resnet
from millrace.components.training.schedule_options import Cosine


def test_settings_are_the_options_that_train_the_candidate_alone():
    candidate = Candidate("one", Resnet(blocks=3), epochs=7, schedule=Cosine(), patience=0)
    assert candidate.settings == (
        "trainer.model=resnet trainer.model.blocks=3 trainer.schedule=cosine trainer.epochs=7 "
        "trainer.early_stopping.patience=0"
    )
