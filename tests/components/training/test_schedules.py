"""Learning rates step by step, exact; warm-up before all of them."""

import keras
import numpy as np
import pytest

from millrace.components.errors import OptionError
from millrace.components.models.layer_options import Dense
from millrace.components.trainer import trainer
from millrace.components.training import backup
from millrace.components.training.options import Optimizer
from millrace.components.training.schedule_options import (
    Constant,
    Cosine,
    Exponential,
    Own,
    Piecewise,
    ReduceOnPlateau,
)
from millrace.components.training.schedules import learning_rate
from tests.components import transformed


def rates(schedule, steps=range(8), rate=0.1, per_epoch=2, epochs=4):
    found = learning_rate(schedule, rate, per_epoch, epochs)
    return [found if isinstance(found, float) else float(found(step)) for step in steps]


def test_a_constant_rate_is_a_plain_number_that_other_callbacks_may_change():
    assert learning_rate(Constant(), 0.1, 2, 4) == 0.1


def test_a_rate_that_waits_for_a_plateau_is_a_plain_number_too():
    assert learning_rate(ReduceOnPlateau(patience=2), 0.1, 2, 4) == 0.1


def test_an_exponential_rate_shrinks_by_its_factor_in_its_epochs():
    assert rates(Exponential(factor=0.25), [0, 1, 2, 4]) == pytest.approx(
        [0.1, 0.05, 0.025, 0.00625]
    )
    stairs = Exponential(factor=0.5, every=2, staircase=True)
    assert rates(stairs, [0, 3, 4, 7]) == pytest.approx([0.1, 0.1, 0.05, 0.05])


def test_a_cosine_ends_at_its_floor_after_the_last_epoch():
    assert rates(Cosine(floor=0.2), [0, 4, 8]) == pytest.approx([0.1, 0.06, 0.02])


def test_a_piecewise_rate_changes_with_the_first_step_of_an_epoch():
    schedule = Piecewise(after=(1, 3), factors=(0.5, 0.1))
    assert rates(schedule) == pytest.approx([0.1, 0.1, *[0.05] * 4, 0.01, 0.01])


@pytest.mark.parametrize(
    ("schedule", "expected"),
    [
        (Constant(warmup=2), [0.025, 0.05, 0.075, 0.1, 0.1, 0.1, 0.1, 0.1]),
        (Exponential(0.25, warmup=1), [0.05, 0.1, 0.1, 0.05, 0.025]),
        (Cosine(warmup=2), [0.025, 0.05, 0.075, 0.1, 0.1, 0.0853553, 0.05]),
        (Piecewise((1,), (0.5,), warmup=1), [0.05, 0.1, 0.1, 0.1, 0.05]),
    ],
)
def test_warmup_climbs_to_the_rate_and_then_the_schedule_begins(schedule, expected):
    assert rates(schedule, range(len(expected))) == pytest.approx(expected)


def test_an_optimizer_takes_a_schedule_and_counts_its_steps():
    optimizer = keras.optimizers.SGD(learning_rate(Constant(warmup=1), 0.1, 2, 4))
    variable = keras.Variable([1.0])
    optimizer.build([variable])
    for _ in range(3):
        optimizer.apply([keras.ops.ones(1)])
    assert float(variable[0]) == pytest.approx(1 - 0.05 - 0.1 - 0.1)


def test_epochs_out_of_order_and_factors_without_one_are_refused():
    with pytest.raises(OptionError, match=r"schedule\.after: expected epochs in ascending order\."):
        Piecewise(after=(3, 1))
    with pytest.raises(OptionError) as caught:
        learning_rate(Piecewise(after=(1, 2), factors=(0.1,)), 0.1, 2, 4)
    assert str(caught.value) == (
        "trainer.schedule: expected as many of after as of factors, one or more. Received: 2 and "
        "1. For example `--set trainer.schedule.after=10,15 "
        "--set trainer.schedule.factors=0.1,0.01`."
    )


@pytest.fixture
def train(tmp_path):
    data = transformed.write(tmp_path / "data")

    def run(name, **options):
        out, resume = tmp_path / name, tmp_path / f"{name}.resume"
        out.mkdir()
        resume.mkdir(exist_ok=True)
        settings = {"model": Dense(units=(4,)), "epochs": 4, "batch_size": 8, **options}
        return trainer(*data, None, out, resume, **settings)

    return run


def weights(trained):
    return keras.models.load_model(trained.keras_file, compile=False).get_weights()


def test_a_killed_training_goes_on_at_the_rate_where_it_was(train, tmp_path, monkeypatch):
    options = {
        "schedule": Cosine(floor=0.1, warmup=1.5),
        "optimizer": Optimizer("adamw", weight_decay=0.01, global_clipnorm=1.0),
        "learning_rate": 0.05,
    }
    whole = train("whole", **options)
    commit = backup._commit

    def kill(folder, state):
        if state.epochs == 3:
            raise KeyboardInterrupt
        commit(folder, state)

    monkeypatch.setattr(backup, "_commit", kill)
    with pytest.raises(KeyboardInterrupt):
        train("broken", **options)
    monkeypatch.setattr(backup, "_commit", commit)
    (tmp_path / "broken").rename(tmp_path / "remains")
    for one, two in zip(weights(train("broken", **options)), weights(whole), strict=True):
        np.testing.assert_array_equal(one, two)
    constant = train("constant", **{**options, "schedule": Constant()})
    assert not np.array_equal(weights(constant)[0], weights(whole)[0])


OWN_PIECES = "tests.components.own_pieces"


@pytest.mark.parametrize(
    ("schedule", "expected"),
    [
        ("tenths", [1, 1, 0.1, 0.1, 0.01, 0.01, 0.001, 0.001]),
        ("halved", [0.05, 0.05, 0.025, 0.025, 0.0125, 0.0125, 0.00625, 0.00625]),
        ("halved(by=1)", [0.1] * 8),
        ("falling", list(np.linspace(0.1, 0.0001, 9)[:8])),
    ],
)
def test_a_schedule_of_ones_own_gives_the_rate_of_each_step(schedule, expected):
    assert rates(Own(f"{OWN_PIECES}:{schedule}")) == pytest.approx(expected)


def test_a_schedule_of_keras_is_made_with_its_arguments_and_the_first_rate():
    assert rates(Own("InverseTimeDecay(decay_steps=2, decay_rate=1)"), [0, 2]) == pytest.approx(
        [0.1, 0.05]
    )


def test_warmup_comes_before_a_schedule_of_ones_own():
    found = rates(Own(f"{OWN_PIECES}:tenths", warmup=1), [0, 1, 2, 4])
    assert found == pytest.approx([0.05, 0.1, 1, 0.1])


def test_what_gives_no_rate_is_refused():
    with pytest.raises(OptionError, match=r"trainer.schedule.*LearningRateSchedule, or a class"):
        rates(Own(f"{OWN_PIECES}:number"))
