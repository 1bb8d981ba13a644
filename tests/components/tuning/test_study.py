"""A study proposes the same for the same seed, killed or not, and keeps what it was told."""

import contextlib
import math

import pytest
from etils.epath import Path

from millrace.components.tuning.space import parse
from millrace.components.tuning.study import Study, TrialOutcome, best

SPACE = {
    "rate": parse("log 1e-4..1e-1", "p"),
    "batch": parse("int 16..64 step 16", "p"),
    "units": parse("choice 64|64,64", "p"),
}


@pytest.fixture
def study_in():
    """Studies in a folder, closed with the test."""
    with contextlib.ExitStack() as opened:

        def run(folder, *, seed=1, sampler="tpe", prune="none"):
            study = Study(Path(folder), SPACE, "minimize", seed, sampler, prune)
            return opened.enter_context(study)

        yield run


def _value(settings):
    return (math.log10(float(settings["rate"])) + 2) ** 2 + float(settings["batch"]) / 100


def _try(study, count):
    for _ in range(count):
        asked = study.ask()
        value = _value(asked.settings)
        study.tell(
            TrialOutcome(asked.number, "complete", asked.settings, value, epoch=2, seconds=0.5)
        )
    return [one.settings for one in study.outcomes()]


@pytest.mark.parametrize("sampler", ["tpe", "random"])
def test_a_search_in_two_processes_tries_what_one_in_one_tries(tmp_path, sampler, study_in):
    (tmp_path / "whole").mkdir()
    (tmp_path / "halves").mkdir()
    whole = _try(study_in(tmp_path / "whole", sampler=sampler), 12)
    first = _try(study_in(tmp_path / "halves", sampler=sampler), 5)
    halves = _try(study_in(tmp_path / "halves", sampler=sampler), 7)
    assert first == whole[:5]
    assert halves == whole
    assert len({tuple(one.items()) for one in whole}) == 12


def test_another_seed_tries_something_else(tmp_path, study_in):
    (tmp_path / "other").mkdir()
    assert _try(study_in(tmp_path), 2) != _try(study_in(tmp_path / "other", seed=2), 2)


def test_proposals_are_texts_within_their_ranges(tmp_path, study_in):
    for settings in _try(study_in(tmp_path, sampler="random"), 8):
        assert 1e-4 <= float(settings["rate"]) <= 0.1
        assert settings["batch"] in ("16", "32", "48", "64")
        assert settings["units"] in ("64", "64,64")


def test_a_trial_that_was_killed_is_taken_up_with_its_own_settings(tmp_path, study_in):
    study = study_in(tmp_path)
    _try(study, 2)
    killed = study.ask()
    again = study_in(tmp_path)
    assert again.unfinished() == [killed]
    assert again.ask().number == 3


def test_what_came_of_a_trial_reads_back(tmp_path, study_in):
    study = study_in(tmp_path)
    asked = [study.ask() for _ in range(3)]
    told = [
        TrialOutcome(0, "complete", asked[0].settings, 0.25, epoch=3, seconds=1.5),
        TrialOutcome(1, "failed", asked[1].settings, seconds=0.5, error="too large"),
        TrialOutcome(2, "pruned", asked[2].settings, 0.75, epoch=1, seconds=0.25),
    ]
    study.report(2, 1, 0.75)
    for one in told:
        study.tell(one)
    found = study_in(tmp_path).outcomes()
    assert [found[0], found[2]] == [told[0], told[2]]
    assert math.isnan(found[1].value)
    assert (found[1].state, found[1].error, found[1].seconds) == ("failed", "too large", 0.5)


def test_a_trial_behind_the_median_is_hopeless(tmp_path, study_in):
    study = study_in(tmp_path, prune="median")
    for _ in range(5):
        asked = study.ask()
        assert not study.report(asked.number, 1, 1.0)
        study.tell(TrialOutcome(asked.number, "complete", asked.settings, 1.0))
    assert study.report(study.ask().number, 1, 2.0)
    assert not study.report(study.ask().number, 1, 0.5)


def test_the_best_is_the_first_of_the_best_complete_trials():
    outcomes = [
        TrialOutcome(0, "pruned", {}, 0.0),
        TrialOutcome(1, "complete", {}, 0.5),
        TrialOutcome(2, "complete", {}, 0.5),
        TrialOutcome(3, "complete", {}, 0.75),
        TrialOutcome(4, "failed", {}),
    ]
    assert best(outcomes, "minimize").number == 1
    assert best(outcomes, "maximize").number == 3
    assert best(outcomes[:1], "minimize") is None
