"""From record files to `FeatureStats.pb`, over Beam."""

import gzip
import struct
import subprocess
import sys

import pytest
from etils.epath import Path

from millrace.components.artifacts import Examples
from millrace.components.beam.options import BeamOptions
from millrace.components.errors import DataError
from millrace.components.files.tfrecord import write_records
from millrace.components.statistics.reading import name_of, read, text_counts
from millrace.components.statistics_gen import statistics_gen
from millrace.serving.example import encode


@pytest.fixture
def generate(tmp_path):
    """Write each split's shards and describe them."""

    def run(name="run", /, **shards):
        examples = Examples(Path(tmp_path) / name / "examples")
        for split, lists in shards.items():
            examples.split_path(split).mkdir(parents=True)
            for index, records in enumerate(lists):
                file = examples.shard(split, index, len(lists))
                write_records(file, map(encode, records))
        out = Path(tmp_path) / name / "out"
        out.mkdir()
        return statistics_gen(examples, out, run_on=BeamOptions())

    return run


def image(number):
    return {
        "image/class/label": number % 3,
        "image/class/text": f"class {number % 3}",
        "image/encoded": b"\x89PNG" + struct.pack("<I", number),
        "image/width": 28,
        **({"weight": number / 7} if number % 2 else {}),
    }


def test_every_split_is_described(generate):
    statistics = generate(train=[[image(n) for n in range(8)]], eval=[[image(1)]])
    assert statistics.splits == ["train", "eval"]
    train = read(statistics, "train")
    assert (train.name, train.num_examples) == ("train", 8)
    features = {name_of(feature): feature for feature in train.features}
    assert text_counts(features["image/class/text"]) == {"class 0": 3, "class 1": 3, "class 2": 2}
    assert features["image/encoded"].bytes_stats.unique == 8
    assert features["weight"].num_stats.common_stats.num_missing == 4
    assert read(statistics, "eval").num_examples == 1


def test_the_cut_into_shards_changes_no_byte(generate):
    records = [image(n) for n in range(30)]
    one = generate("one", train=[records])
    five = generate("five", train=[records[start::5] for start in range(5)])
    assert one.file("train").read_bytes() == five.file("train").read_bytes()


def test_an_empty_split_and_an_empty_shard_are_described_as_such(generate):
    statistics = generate(train=[[image(0)], []], eval=[[]], test=[])
    assert [read(statistics, split).num_examples for split in statistics.splits] == [1, 0, 0]


def test_a_broken_file_is_named(generate, tmp_path):
    file = Path(tmp_path) / "broken"
    file.write_bytes(gzip.compress(b"no records at all"))
    examples = Examples(Path(tmp_path) / "examples")
    examples.split_path("train").mkdir(parents=True)
    file.rename(examples.shard("train", 0, 1))
    with pytest.raises(DataError, match=r"00000-of-00001\.gz, record 0: expected a TFRecord"):
        statistics_gen(examples, Path(tmp_path), run_on=BeamOptions())


def test_two_kinds_of_a_feature_in_two_shards_are_refused(generate):
    with pytest.raises(DataError, match="Feature 'a': expected values of one kind"):
        generate(train=[[{"a": 1}], [{"a": "text"}]])


def test_no_tensorflow_is_imported():
    code = (
        "import sys, millrace.components.statistics.proto, millrace.components.schema.infer, "
        "millrace.components.validation.split; "
        "assert 'tensorflow' not in sys.modules"
    )
    subprocess.run([sys.executable, "-W", "ignore", "-c", code], check=True)


def test_the_step_itself_imports_neither_beam_nor_the_sketches():
    code = (
        "import sys, millrace.components.statistics_gen, millrace.components.schema_gen, "
        "millrace.components.example_validator; "
        "assert not {'apache_beam', 'datasketches', 'tensorflow_metadata'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
