"""A rare class gets a threshold of its own on the eval split, and the trained model keeps it."""

import numpy as np
import pytest

from millrace.components.artifacts import Analysis, Examples
from millrace.components.features import spec
from millrace.components.features.text_spec import TextSpec
from millrace.components.files.tfrecord import write_records
from millrace.components.models import certainty
from millrace.components.models.text_options import Ngrams
from millrace.components.trainer import trainer
from millrace.serving.example import encode

WORDS = ("a", "b", "c", "d", "rare")


def rows(count, seed):
    """`rare` makes the second class likelier, never likely; without it, it is one text in ten."""
    random = np.random.default_rng(seed)
    for number in range(count):
        is_marked = number % 2 == 0
        yield (
            [6 if is_marked else 2 + number % 4],
            int(random.random() < (0.4 if is_marked else 0.1)),
        )


@pytest.fixture
def train(tmp_path):
    examples, analysis = Examples(tmp_path / "examples"), Analysis(tmp_path / "analysis")
    analysis.path.mkdir(parents=True)
    spec.write(TextSpec(("no", "yes"), WORDS, 1), analysis.file)
    counts = {"train": 400, "eval": 400}
    for seed, (split, count) in enumerate(counts.items()):
        examples.split_path(split).mkdir(parents=True)
        records = [encode({"tokens": ids, "label": label}) for ids, label in rows(count, seed)]
        write_records(examples.shard(split, 0, 1), records)
    data = examples.write_summary(counts), analysis

    def run(name, **options):
        out, resume = tmp_path / name, tmp_path / f"{name}.resume"
        out.mkdir()
        resume.mkdir()
        return trainer(*data, None, out, resume, model=Ngrams(longest=1), epochs=1, **options)

    return run


def test_a_class_that_is_never_likely_is_named_where_it_is_likelier(train, caplog):
    caplog.set_level("INFO")
    found = certainty.read(train("auto", threshold="auto").path)
    assert 0.2 < found.threshold < 0.38
    assert "'yes' is the answer from a probability of 0.3" in caplog.text
    assert "for 200 of 400 rows of eval (0 from 0.5 on)" in caplog.text


def test_one_half_it_stays_unless_it_is_asked_for_and_where_classes_weigh_the_same(train):
    assert certainty.read(train("even").path).threshold == 0.5
    weighed = train("balanced", threshold="auto", class_weight="balanced")
    assert certainty.read(weighed.path).threshold == 0.5
