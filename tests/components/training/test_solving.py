"""Networks for tables that are computed, or look at train first, from records to answers."""

import dataclasses

import numpy as np
import pytest

from millrace.components.artifacts import Analysis, Examples
from millrace.components.features import spec as specs
from millrace.components.features.table_spec import Category, Number, RawColumn, TableSpec
from millrace.components.files.tfrecord import write_records
from millrace.components.models import build
from millrace.components.models.table_options import Resnet, TableLinear, Trees
from millrace.components.trainer import trainer
from millrace.serving.example import encode

SPEC = TableSpec(
    "y",
    "regression",
    (RawColumn("a", "float32"), RawColumn("c", "bytes")),
    numbers=(Number("a", 0.0, 1.0, 0.0),),
    discrete=(Category("c", ("x", "y")),),
    target_mean=1000.0,
    target_deviation=10.0,
    target_low=0.0,
)


def table(seed, rows, answer):
    random = np.random.default_rng(seed)
    numbers = random.normal(size=(rows, 1)).astype(np.float32)
    ids = random.integers(2, 4, (rows, 1))
    return numbers, ids, answer(numbers[:, 0], ids[:, 0] - 2)


@pytest.fixture
def train(tmp_path):
    """Train on rows of a number and a category, and give the network and the test's rows."""

    def run(answer, model, spec=SPEC, **options):
        examples, analysis = Examples(tmp_path / "examples"), Analysis(tmp_path / "analysis")
        for folder in ("analysis", "out", "resume"):
            (tmp_path / folder).mkdir()
        specs.write(spec, analysis.file)
        counts = {"train": 200, "eval": 100}
        for seed, (split, count) in enumerate(counts.items()):
            examples.split_path(split).mkdir(parents=True)
            records = [
                encode({"numeric": numbers, "categorical": ids, "label": np.array([label])})
                for numbers, ids, label in zip(*table(seed, count, answer), strict=True)
            ]
            write_records(examples.shard(split, 0, 1), records)
        examples.write_summary(counts)
        out, resume = tmp_path / "out", tmp_path / "resume"
        trained = trainer(examples, analysis, None, out, resume, model=model, **options)
        numbers, ids, truth = table(9, 50, answer)
        loaded = build.load(trained.keras_file, spec)
        rows = {"numeric": numbers, "categorical": ids.astype(np.int32)}
        return loaded, loaded.predict(rows, verbose=0), truth

    return run


def steps(number, category):
    return np.float32(1000 + 10 * (number > 0) + 5 * category)


def line(number, category):
    return np.float32(1000 + 10 * number + 5 * category)


@pytest.mark.parametrize("link", ["identity", "log"])
def test_trees_find_steps_and_answer_in_the_units_of_the_label(train, link):
    _, answers, truth = train(steps, Trees(learning_rate=0.3, link=link))
    assert np.abs(answers[:, 0] - truth).mean() < 0.5


def test_a_line_and_a_category_are_met_by_computed_weights(train):
    _, answers, truth = train(line, TableLinear())
    assert np.abs(answers[:, 0] - truth).max() < 0.05


@pytest.mark.parametrize("model", [Trees(learning_rate=0.3), TableLinear()])
def test_two_classes_are_told_apart_by_what_is_computed(train, model):
    def sign(number, category):
        return (number > 0).astype(np.int64)

    classes = dataclasses.replace(
        SPEC, problem="classification", classes=("no", "yes"), target_deviation=0.0
    )
    _, answers, truth = train(sign, model, classes)
    assert np.mean((answers[:, 0] > 0.5) == truth) > 0.95


def test_a_residual_network_has_the_quantiles_of_the_train_split(train):
    model, _, _ = train(line, Resnet(units=8, blocks=1, bins=4), epochs=1)
    edges = model.get_layer("pieces").non_trainable_weights[0].numpy()
    numbers, _, _ = table(0, 200, line)
    np.testing.assert_allclose(edges[0], np.quantile(numbers, [0, 0.25, 0.5, 0.75, 1]), rtol=1e-6)
