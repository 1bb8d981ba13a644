"""Tables of TensorFlow Datasets: a made one for each case, a real one for the way from files."""

import numpy as np
import pytest
import tensorflow_datasets as tfds

from millrace.components.beam.options import BeamOptions
from millrace.components.errors import DataError, OptionError
from millrace.components.example_gen.tables_tfds import tfds_table_example_gen
from tests.components.example_gen.conftest import records_of


class MadeTable(tfds.core.GeneratorBasedBuilder):
    """Forty rows of all kinds of columns, and a picture."""

    VERSION = tfds.core.Version("1.0.0")
    BUILDER_CONFIGS = tuple(tfds.core.BuilderConfig(name=name) for name in ("one", "two"))
    skip_registration = True

    def _info(self):
        features = {
            "kind": tfds.features.ClassLabel(names=["zebra", "ant"]),
            "sizes": tfds.features.Tensor(shape=(2,), dtype=np.float32),
            "name": tfds.features.Text(),
            "legs": np.int64,
            "picture": tfds.features.Image(shape=(1, 1, 1)),
            "any": tfds.features.Tensor(shape=(None,), dtype=np.float32),
        }
        return self.dataset_info_from_configs(
            features=tfds.features.FeaturesDict(features), supervised_keys=("sizes", "kind")
        )

    def _split_generators(self, dl_manager):
        if self.builder_config.name == "one":
            return {"train": self._generate_examples(40)}
        return {"train": self._generate_examples(30), "test": self._generate_examples(10)}

    def _generate_examples(self, count):
        for number in range(count):
            yield (
                number,
                {
                    "kind": -1 if number == 7 else number % 2,
                    "sizes": np.float32([number, number / 2]),
                    "name": f"row {number}",
                    "legs": 4,
                    "picture": np.zeros((1, 1, 1), np.uint8),
                    "any": np.zeros(number, np.float32),
                },
            )


class MadePictures(tfds.core.GeneratorBasedBuilder):
    """Nothing but pictures."""

    VERSION = tfds.core.Version("1.0.0")
    skip_registration = True

    def _info(self):
        features = {"picture": tfds.features.Image(shape=(1, 1, 1))}
        return self.dataset_info_from_configs(features=tfds.features.FeaturesDict(features))

    def _split_generators(self, dl_manager):
        return {}

    def _generate_examples(self):
        yield from ()


@pytest.fixture
def ingest(out, data_dir):
    def run(dataset, **options):
        options = {"data_dir": data_dir, **options}
        return tfds_table_example_gen(out, run_on=BeamOptions(), dataset=dataset, **options)

    return run


def test_features_become_columns_and_the_only_split_is_divided_by_content(ingest):
    examples = ingest("made_table/one")
    assert set(examples.counts) == {"train", "eval", "test"}
    assert sum(examples.counts.values()) == 39
    rows = [row for split in examples.splits for row in records_of(examples)[split]]
    by_number = {int(row["sizes_0"][0]): row for row in rows}
    assert by_number[3] == {
        "kind": [b"ant"],
        "legs": np.array([4]),
        "name": [b"row 3"],
        "sizes_0": np.float32([3]),
        "sizes_1": np.float32([1.5]),
    }
    assert 7 not in by_number
    notes = examples.summary["notes"]
    assert (notes["found"], notes["unlabelled"]) == (40, 1)
    assert examples.summary["notes"]["label"] == "kind"


def test_splits_of_the_set_are_kept_and_eval_is_held_out_of_train(ingest):
    examples = ingest("made_table/two", eval_from_train=0.4, label="legs")
    assert set(examples.counts) == {"train", "eval", "test"}
    assert examples.counts["test"] == 10
    assert sum(examples.counts.values()) == 40


def test_a_set_without_columns_is_refused(ingest):
    with pytest.raises(
        DataError,
        match=r"made_pictures/1\.0\.0: expected features that are numbers, .* Received: picture\.",
    ):
        ingest("made_pictures")


def test_an_unknown_set_is_answered_with_the_nearest_name(ingest):
    with pytest.raises(
        OptionError,
        match=r"^tfds_table_example_gen, option dataset: .*'pinguins' .*Did you mean 'penguins'\?$",
    ):
        ingest("pinguins")


def test_real_penguins_are_prepared_from_files_at_hand(shared_data, out, tmp_path):
    source = shared_data / "penguins" / "penguins_processed.csv"
    manual = tmp_path / "manual"
    manual.mkdir()
    (manual / source.name).write_bytes(source.read_bytes())
    examples = tfds_table_example_gen(
        out,
        run_on=BeamOptions(),
        dataset="penguins/processed",
        data_dir=str(tmp_path),
        manual_dir=str(manual),
    )
    assert sum(examples.counts.values()) == 334
    rows = [row for split in examples.splits for row in records_of(examples)[split]]
    species = {bytes(row["species"][0]) for row in rows}
    assert species == {b"0", b"1", b"2"}
    assert set(rows[0]) == {"species", "features_0", "features_1", "features_2", "features_3"}
