"""A sweep over rates: what it writes, what it takes, and the trainer that takes it."""

import csv
import json

import pytest
from PIL import Image

from millrace.components.artifacts import LearningRate
from millrace.components.errors import DataError, ModelError, OptionError
from millrace.components.models.image_options import Cnn
from millrace.components.models.layer_options import Dense
from millrace.components.rate_finder import rate_finder
from millrace.components.trainer import trainer
from millrace.components.training.options import Optimizer
from millrace.components.training.schedule_options import ReduceOnPlateau
from tests.components import transformed

SGD = Optimizer("sgd")


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return transformed.write(tmp_path_factory.mktemp("data"), wrong=4)


@pytest.fixture(scope="module")
def swept(data, tmp_path_factory):
    out = tmp_path_factory.mktemp("swept")
    options = {"model": Dense(units=()), "batch_size": 8, "start": 1e-6, "end": 100.0}
    return rate_finder(*data, out, optimizer=SGD, per_decade=8, **options)


def rows(found):
    with (found.path / "sweep.csv").open() as file:
        return [{name: float(value) for name, value in row.items()} for row in csv.DictReader(file)]


def test_the_rate_taken_is_a_decade_below_the_lowest_smoothed_loss(swept):
    best = min(rows(swept), key=lambda row: row["smoothed"])
    assert swept.rate == pytest.approx(best["rate"] / 10)
    assert 1e-4 < swept.rate < 1
    assert swept.properties() == {"rate": swept.rate}


def test_the_sweep_climbs_by_its_step_and_ends_where_the_loss_comes_apart(swept):
    tried = [row["rate"] for row in rows(swept)]
    assert tried[0] == pytest.approx(1e-6)
    assert tried[8] == pytest.approx(1e-5)
    said = json.loads((swept.path / "rate.json").read_text())
    assert said["diverged"] or len(tried) == 65
    assert said["points"] == len(tried)


def test_it_is_drawn(swept):
    with Image.open(swept.path / "sweep.png") as image:
        assert (image.format, image.size) == ("PNG", (700, 500))


def test_the_trainer_takes_the_rate_unless_it_is_given_one(data, tmp_path):
    (tmp_path / "rate").mkdir()
    (tmp_path / "rate" / "rate.json").write_text('{"rate": 0.125}')
    found = LearningRate(tmp_path / "rate")

    def first_rate(name, **options):
        out, resume = tmp_path / name, tmp_path / f"{name}.resume"
        out.mkdir()
        resume.mkdir()
        settings = {"model": Dense(units=()), "epochs": 1, "batch_size": 24, **options}
        trained = trainer(*data, None, out, resume, rate=found, tensorboard=False, **settings)
        with trained.history_file.open() as file:
            return float(next(csv.DictReader(file))["learning_rate"])

    watched = {"schedule": ReduceOnPlateau(patience=3)}
    assert first_rate("found", **watched) == 0.125
    assert first_rate("given", learning_rate=0.5, **watched) == 0.5


def test_each_rate_can_be_tried_on_all_batches(data, tmp_path):
    options = {"model": Dense(units=()), "batch_size": 16, "each": "epoch", "per_decade": 4}
    found = rate_finder(*data, tmp_path, optimizer=SGD, start=1e-4, end=0.1, **options)
    assert [row["rate"] for row in rows(found)][::4] == pytest.approx([1e-4, 1e-3, 1e-2, 1e-1])


def test_what_cannot_be_swept_is_refused(data, tmp_path):
    with pytest.raises(OptionError, match=r"rate_finder\.end: expected a rate above"):
        rate_finder(*data, tmp_path, start=1.0, end=0.1)
    with pytest.raises(OptionError, match="expected maps of at least 3 x 3"):
        rate_finder(*data, tmp_path, model=Cnn(filters=(4, 4)))
    empty = transformed.write(tmp_path / "empty", train=0)
    with pytest.raises(DataError, match="expected examples in the train split"):
        rate_finder(*empty, tmp_path)


def test_a_loss_that_never_falls_is_refused_with_what_to_do(data, tmp_path):
    with pytest.raises(ModelError, match=r"Received: \d+ losses, the lowest at the first rate\."):
        rate_finder(*data, tmp_path, model=Dense(units=()), start=500.0, end=5e6, optimizer=SGD)
    assert (tmp_path / "sweep.png").exists()
