"""Sets of TensorFlow Datasets: made ones for each case, a real one for the way from files."""

import numpy as np
import pytest
import tensorflow_datasets as tfds

from millrace.components.beam.options import BeamOptions
from millrace.components.errors import DataError, OptionError
from millrace.components.example_gen.tensorflow_datasets import sets
from millrace.components.example_gen.tfds import choose_features, tfds_example_gen
from tests.components.example_gen.conftest import records_of


class _Made(tfds.core.GeneratorBasedBuilder):
    """A made set of 3 + 2 rows."""

    VERSION = tfds.core.Version("1.0.0")
    FEATURES: tfds.features.FeaturesDict
    skip_registration = True

    def _info(self):
        return self.dataset_info_from_configs(features=self.FEATURES)

    def _split_generators(self, dl_manager):
        return {"train": self._generate_examples(3), "validation": self._generate_examples(2)}

    def _generate_examples(self, count):
        for number in range(count):
            yield number, self.row(number)


class MadeImages(_Made):
    """Images with a class, a mask and a number."""

    FEATURES = tfds.features.FeaturesDict(
        {
            "image": tfds.features.Image(shape=(None, None, 3)),
            "mask": tfds.features.Image(shape=(None, None, 1)),
            "label": tfds.features.ClassLabel(names=["zebra", "ant"]),
            "weight": np.float32,
        }
    )

    def row(self, number):
        return {
            "image": np.full((4, 5 + number, 3), number, np.uint8),
            "mask": np.zeros((4, 5, 1), np.uint8),
            "label": number % 2,
            "weight": number / 2,
        }


class MadeUnlabelled(_Made):
    """Images of which some have no class."""

    FEATURES = tfds.features.FeaturesDict(
        {
            "image": tfds.features.Image(shape=(2, 2, 1)),
            "label": tfds.features.ClassLabel(num_classes=2),
        }
    )

    def row(self, number):
        return {"image": np.zeros((2, 2, 1), np.uint8), "label": -1 if number == 1 else 0}


class MadeFloats(_Made):
    """Images of floats."""

    FEATURES = tfds.features.FeaturesDict(
        {
            "image": tfds.features.Image(shape=(2, 2, 1), dtype=np.float32),
            "label": tfds.features.ClassLabel(num_classes=2),
        }
    )


class MadeTexts(_Made):
    """Texts with a class, and some without."""

    FEATURES = tfds.features.FeaturesDict(
        {
            "text": tfds.features.Text(),
            "label": tfds.features.ClassLabel(names=["neg", "pos"]),
        }
    )

    def row(self, number):
        return {"text": f"caf\u00e9 number {number}", "label": number - 1 if number < 3 else -1}

    def _split_generators(self, dl_manager):
        return {"train": self._generate_examples(3), "unsupervised": self._generate_examples(1)}


class MadeRows(_Made):
    """No images at all."""

    FEATURES = tfds.features.FeaturesDict({"x": np.float32, "y": np.int64})


@pytest.fixture
def ingest(out, data_dir):
    def run(dataset, **options):
        options = {"data_dir": data_dir, **options}
        return tfds_example_gen(out, run_on=BeamOptions(), dataset=dataset, **options)

    return run


def test_splits_labels_and_encoded_bytes_are_the_sets_own(ingest):
    examples = ingest("made_images", image="image")
    assert examples.counts == {"train": 3, "eval": 2}
    records = {int(record["weight"][0] * 2): record for record in records_of(examples)["train"]}
    assert sorted(records) == [0, 1, 2]
    one = records[1]
    assert set(one) == {
        *(f"image/{name}" for name in ("encoded", "format", "height", "width", "channels")),
        *("image/filename", "image/class/label", "image/class/text", "weight"),
    }
    assert one["image/class/text"] == [b"ant"]
    numbers = [f"image/{name}" for name in ("height", "width", "channels", "class/label")]
    assert [int(one[name][0]) for name in numbers] == [4, 6, 3, 1]
    assert one["image/filename"][0].startswith(b"made_images-train.tfrecord-00000-of-00001#")
    assert one["image/encoded"][0].startswith(b"\x89PNG")


def test_a_set_of_texts_gives_text_records_with_its_own_labels(ingest):
    examples = ingest("made_texts", only=("train",), max_rejected=0.5)
    assert examples.counts == {"train": 2}
    assert [item.reason for item in examples.rejected()] == ["no label ('label') of a known class"]
    one = min(records_of(examples)["train"], key=lambda record: record["text"])
    assert one["text"] == ["caf\u00e9 number 1".encode()]
    assert one["text/class/text"] == [b"neg"]
    assert one["text/class/label"].tolist() == [0]
    assert one["text/filename"][0].startswith(b"made_texts-train.tfrecord-00000-of-00001, record")


def test_imdb_reviews_are_found_to_be_texts():
    builder = sets.find("step", "imdb_reviews", None)
    assert choose_features(builder, "", "", "") == ("text", "label", True)


def test_a_set_once_prepared_needs_no_download(ingest, out, monkeypatch):
    ingest("made_images", image="image")
    out.rmtree()
    out.mkdir()
    monkeypatch.delattr(tfds.core.DatasetBuilder, "download_and_prepare")
    assert ingest("made_images", image="image", download=False).counts == {"train": 3, "eval": 2}


def test_chosen_splits_alone_can_be_taken_and_eval_held_out(ingest):
    examples = ingest("made_images", image="image", only=("train",), eval_from_train=0.5)
    assert set(examples.counts) == {"train", "eval"}
    assert sum(examples.counts.values()) == 3


def test_of_several_images_one_must_be_named(ingest):
    message = r"option image: expected one of image, mask, the features of made_images/1\.0\.0"
    for wanted in ("", "pic"):
        with pytest.raises(OptionError, match=message):
            ingest("made_images", image=wanted)


def test_rows_without_a_label_are_set_aside(ingest):
    message = r"Received: 2 of 5 (?s:.*), record 1: no label \('label'\) of a known class"
    with pytest.raises(DataError, match=message):
        ingest("made_unlabelled")


def test_an_unknown_split_is_refused(ingest):
    with pytest.raises(
        OptionError,
        match=r"option only: expected splits of made_images/1\.0\.0: train, validation\. "
        r"Received: test\. Correct the name\.",
    ):
        ingest("made_images", image="image", only=("test",))


@pytest.mark.parametrize(
    ("dataset", "message"),
    [
        ("made_floats", r"expected images of 8 or 16 bits\. Received: 'image' of float32"),
        (
            "made_rows",
            r"made_rows/1\.0\.0: expected a classification set, with an Image or a Text, and a "
            r"ClassLabel\. Received: no Image among x, y\. Choose another set\.",
        ),
    ],
)
def test_a_set_of_another_kind_is_refused_before_it_is_prepared(ingest, dataset, message):
    with pytest.raises(DataError, match=message):
        ingest(dataset)


def test_an_unknown_set_is_answered_with_the_nearest_name(ingest):
    with pytest.raises(
        OptionError,
        match=r"option dataset: .*Received: 'fashin_mnist' .*Did you mean 'fashion_mnist'\?$",
    ):
        ingest("fashin_mnist")


def test_a_set_that_is_not_there_is_answered_with_what_to_do(ingest, monkeypatch):
    with pytest.raises(DataError, match=r"Received: the option download is off\. Run once with"):
        ingest("mnist", download=False)

    def unreachable(*_, **__):
        raise ConnectionError("Name or service not known\nand more")

    monkeypatch.setattr(tfds.core.DatasetBuilder, "download_and_prepare", unreachable)
    with pytest.raises(DataError) as caught:
        ingest("mnist")
    text = str(caught.value)
    assert "Received: ConnectionError: Name or service not known. Run once" in text
    assert "/t10k-labels-idx1-ubyte.gz" in text


def test_files_other_than_tfrecords_are_refused(ingest, tmp_path):
    builder = tfds.builder("made_unlabelled", data_dir=str(tmp_path), file_format="array_record")
    builder.info.set_file_format("array_record", override=True)
    from millrace.components.example_gen.tensorflow_datasets.sets import list_splits

    with pytest.raises(DataError, match=r"expected TFRecord files\. Received: array_record\."):
        list_splits("tfds_example_gen", builder, ())


def test_a_real_set_is_prepared_from_files_at_hand(shared_data, out, tmp_path):
    examples = tfds_example_gen(
        out,
        run_on=BeamOptions(),
        dataset="cmaterdb/telugu",
        data_dir=str(tmp_path),
        manual_dir=str(shared_data / "cmaterdb" / "telugu-numerals"),
    )
    assert examples.counts == {"train": 2500, "test": 500}
    labels = [int(record["image/class/label"][0]) for record in records_of(examples)["test"]]
    assert np.bincount(labels).tolist() == [50] * 10
