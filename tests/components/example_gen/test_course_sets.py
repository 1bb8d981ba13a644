"""The course's sets of TensorFlow Datasets, with their own features, filled with made pictures."""

import numpy as np
import pytest
import tensorflow_datasets as tfds

from millrace.components.beam.options import BeamOptions
from millrace.components.example_gen.tfds import tfds_example_gen
from tests.components.example_gen.conftest import records_of

SETS = {
    "horses_or_humans": ("horses", "humans"),
    "cats_vs_dogs": ("cat", "dog"),
    "rock_paper_scissors": ("rock", "paper", "scissors"),
    "cifar10": ("0", "1", "2", "3", "4"),  # its names come with its files
}


def made(feature, number):
    """A value that fits `feature`."""
    match feature:
        case tfds.features.Image():
            shape = [side or 8 for side in feature.shape]
            return np.full(shape, 10 * number, np.uint8)
        case tfds.features.ClassLabel():
            return number % feature.num_classes
        case _:
            return f"{number}.png"


@pytest.fixture
def fill(tmp_path, monkeypatch):
    """Lets the builder of a set make six examples instead of downloading its files."""

    def patched(name):
        builder = type(tfds.builder(name, data_dir=tmp_path))

        def examples(self, *_, **__):
            for number in range(6):
                features = self.info.features
                yield number, {key: made(features[key], number) for key in features}

        monkeypatch.setattr(builder, "_generate_examples", examples)
        monkeypatch.setattr(
            builder, "_split_generators", lambda self, *_, **__: {"train": examples(self)}
        )
        return tmp_path

    return patched


@pytest.mark.parametrize("name", SETS)
def test_a_set_is_taken_by_its_name_with_its_own_classes(name, fill, out):
    data_dir = fill(name)
    examples = tfds_example_gen(
        out, run_on=BeamOptions(), dataset=name, data_dir=str(data_dir), eval_from_train=0.0
    )
    rows = records_of(examples)["train"]
    assert len(rows) == 6
    by_label = {
        int(row["image/class/label"][0]): row["image/class/text"][0].decode() for row in rows
    }
    assert tuple(by_label[label] for label in range(len(SETS[name]))) == SETS[name]
    assert {int(row["image/channels"][0]) for row in rows} == {3}
