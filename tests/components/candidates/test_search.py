"""The best of a few networks, or their average, taken up again where it was broken off."""

import csv
import itertools
import logging

import keras
import numpy as np
import pytest

from millrace.components.candidates import kinds, search
from millrace.components.candidates.candidate import Candidate
from millrace.components.errors import ModelError, OptionError
from millrace.components.features import spec as specs
from millrace.components.models import build
from millrace.components.models.auto_options import Auto
from millrace.components.models.image_options import Cnn
from millrace.components.models.layer_options import Dense
from millrace.components.trainer import trainer
from millrace.components.training import fitting
from millrace.components.training.options import FineTune
from tests.components import transformed

TRIED = (
    Candidate("blind", Dense(units=()), epochs=1, learning_rate=1e-7),
    Candidate("dense", Dense(units=(8,)), epochs=6, learning_rate=0.02),
    Candidate("wide", Dense(units=(16,)), epochs=6, learning_rate=0.02),
)


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return transformed.write(tmp_path_factory.mktemp("data"), train=60, evaluated=30, wrong=7)


@pytest.fixture
def train(tmp_path, data, monkeypatch):
    """Train by `auto` among `tried`, in folders that stay from call to call."""
    numbers = itertools.count()

    def run(tried=TRIED, resume="resume", **options):
        monkeypatch.setattr(kinds, "of", lambda spec, rows, most=None: tried[:most])
        out = tmp_path / f"out{next(numbers)}"
        out.mkdir()
        (tmp_path / resume).mkdir(exist_ok=True)
        settings = {"model": Auto(), "epochs": 20, "batch_size": 8, **options}
        return trainer(*data, None, out, tmp_path / resume, **settings)

    return run


def rows(trained):
    with (trained.path / "candidates.csv").open() as text:
        return list(csv.DictReader(text))


def weights(trained, data):
    return build.load(trained.keras_file, specs.read(data[1].file)).get_weights()


def test_every_candidate_is_listed_with_what_trains_it_alone(train):
    found = rows(train())
    assert [row["name"] for row in found] == ["blind", "dense", "wide"]
    assert found[1]["settings"] == (
        "trainer.model=dense trainer.model.units=8 trainer.epochs=6 trainer.learning_rate=0.02"
    )
    assert [row["epochs"] for row in found] == ["1", "6", "6"]
    assert float(found[0]["score"]) > float(found[1]["score"])
    assert sum(float(row["share"]) for row in found) == pytest.approx(1)


def test_the_best_alone_is_the_network_that_was_trained(train, data):
    trained = train(model=Auto(averaged=1))
    [chosen] = [row for row in rows(trained) if row["share"] == "1"]
    least = min(rows(trained), key=lambda row: float(row["score"]))
    assert chosen == least
    model = build.load(trained.keras_file, specs.read(data[1].file))
    assert model.name == "dense"
    assert len(trained.history_file.read_text().splitlines()) == 7


def test_an_average_answers_what_its_members_do_on_average(train, data, tmp_path, monkeypatch):
    monkeypatch.setattr(
        search.selection, "weights", lambda answers, measure, most: {1: 0.75, 2: 0.25}
    )
    monkeypatch.setattr(search.selection, "evened", lambda shares, *rest: shares)
    trained = train()
    spec = specs.read(data[1].file)
    pictures = np.stack([pixels for pixels, _ in transformed.pictures(5, 3, (6, 6, 1), 3)])
    together, one, two = (
        build.load(file, spec).predict(pictures, verbose=0)
        for file in (
            trained.keras_file,
            *(
                tmp_path / "resume" / str(place) / "model" / "Format-Keras" / "model.keras"
                for place in (2, 3)
            ),
        )
    )
    np.testing.assert_allclose(together, 0.75 * one + 0.25 * two, atol=1e-6)
    model = build.load(trained.keras_file, spec)
    assert model.layers[-1].activation is keras.activations.softmax


def test_few_rows_of_validation_let_the_nearly_best_answer_too(train):
    shares = {row["name"]: float(row["share"]) for row in rows(train())}
    assert shares["dense"] > 0.3
    assert shares["wide"] > 0.3


def test_a_search_that_was_broken_off_ends_with_the_same_weights(train, data, monkeypatch):
    whole = train(resume="whole")
    trained, real = [], fitting.train

    def counted(plan, out, resume):
        if len(trained) == 2:
            raise KeyboardInterrupt
        trained.append(plan.model)
        return real(plan, out, resume)

    monkeypatch.setattr(fitting, "train", counted)
    with pytest.raises(KeyboardInterrupt):
        train(resume="broken")
    monkeypatch.setattr(
        fitting, "train", lambda *args: trained.append(args[0].model) or real(*args)
    )
    again = train(resume="broken")
    assert trained == [each.model for each in TRIED]  # none of them twice
    assert rows(again) == rows(whole)
    for found, expected in zip(weights(again, data), weights(whole, data), strict=True):
        np.testing.assert_array_equal(found, expected)


def test_a_candidate_that_cannot_be_trained_is_listed_with_the_reason(train):
    large = Candidate("large", Cnn(kernel_size=9))
    found = rows(train((large, TRIED[1])))
    assert "trainer.model" in found[0]["error"]
    assert (found[0]["score"], found[1]["share"]) == ("", "1")


def test_where_none_can_be_trained_the_reasons_are_said(train):
    large = Candidate("large", Cnn(kernel_size=9))
    with pytest.raises(ModelError, match=r"auto: expected a candidate.*Received: 2 that cannot"):
        train((large, large))


def test_without_a_validation_split_the_first_network_is_taken_and_said(train, caplog):
    caplog.set_level(logging.INFO)
    trained = train(validation="none", monitor="loss")
    assert not (trained.path / "candidates.csv").exists()
    assert "no validation split to choose by" in caplog.text


def test_no_more_epochs_than_the_options_allow_and_as_many_as_a_person_set(train, caplog):
    caplog.set_level(logging.INFO)
    assert [row["epochs"] for row in rows(train(epochs=2))] == ["1", "2", "2"]
    assert "as you set them" not in caplog.text
    held = train(TRIED[:2], "held", epochs=3, model=Auto(held=("epochs", "learning_rate")))
    assert [row["epochs"] for row in rows(held)] == ["3", "3"]
    assert rows(held)[1]["settings"] == "trainer.model=dense trainer.model.units=8"
    assert "as you set them, for every network: epochs, learning_rate" in caplog.text


@pytest.mark.parametrize(
    ("options", "named"),
    [({"strategy": "multi_worker"}, "strategy"), ({"fine_tune": FineTune(1)}, "fine_tune.epochs")],
    ids=["several machines", "fine-tuning"],
)
def test_what_needs_one_network_is_refused(train, options, named):
    with pytest.raises(OptionError, match=rf"trainer\.{named}: expected none with trainer\.model="):
        train(**options)
