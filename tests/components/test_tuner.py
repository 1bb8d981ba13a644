"""A search over real processes: what it writes, how it fails, and how it goes on after a kill."""

import csv
import json
import logging
import math
import os
import signal
import subprocess
import sys
import textwrap
import time

import pytest
from etils.epath import Path

from millrace.components.artifacts import Analysis, Examples, Hyperparameters
from millrace.components.errors import ModelError, OptionError
from millrace.components.tuner import tuner

TOY = "tests.components.tuning.toy:toy"
SEARCH = {"rate": "log 1e-3..1e-1", "model.width": "choice 1|2"}


@pytest.fixture
def search(tmp_path):
    def run(name="out", **options):
        out, resume = Path(tmp_path / name), Path(tmp_path / f"{name}.resume")
        out.mkdir()
        resume.mkdir(exist_ok=True)
        settings = {"train": TOY, "search": SEARCH, "trials": 3, **options}
        inputs = (Examples(tmp_path), Analysis(tmp_path))
        return tuner(*inputs, out, resume, **settings), resume

    return run


def _table(found):
    with (found.path / "trials.csv").open() as file:
        return list(csv.DictReader(file))


def test_the_best_trial_is_written_as_settings_of_the_trainer(search, caplog):
    with caplog.at_level(logging.INFO):
        found, _ = search(base={"epochs": 2, "rate": 0.5}, fixed={"epochs": "4"})
    rows = _table(found)
    assert [row["trial"] for row in rows] == ["1", "2", "3"]
    assert {row["epoch"] for row in rows} == {"4"}
    losses = [(float(row["rate"]) - 0.03) ** 2 + 0.25 for row in rows]
    assert [float(row["value"]) for row in rows] == pytest.approx(losses)
    winner = rows[losses.index(min(losses))]
    assert found.settings == {"rate": winner["rate"], "model.width": winner["model.width"]}
    assert found.best["complete"] == 3
    assert found.properties() == {"val_loss": min(losses), "trial": int(winner["trial"])}
    assert (found.path / "trials.png").read_bytes().startswith(b"\x89PNG")
    assert caplog.messages[0].startswith("trial 1 of 3: rate=")
    assert caplog.messages[-1].startswith(f"best: trial {winner['trial']}, val_loss 0.25")


def test_a_trial_that_fails_is_kept_with_its_reason_and_the_others_go_on(search):
    space = {"model.width": "choice 1|13|99"}
    found, _ = search(search=space, trials=8, sampler="random", parallel=2, seed=3)
    errors = {row["model.width"]: row["error"] for row in _table(found)}
    assert errors["1"] == ""
    assert errors["13"] == "toy.model.width: expected luck. Received: 13. Take another."
    assert errors["99"] == "ended with exit code 9 and said nothing"
    assert found.settings == {"model.width": "1"}
    states = [row["state"] for row in _table(found)]
    assert [found.best[state] for state in ("complete", "pruned", "failed")] == [
        states.count("complete"), 0, states.count("failed"),
    ]  # fmt: skip
    assert sorted(file.name for file in (found.path / "logs").iterdir())[0].startswith("trial-")


def test_a_search_of_which_no_trial_ends_well_says_why(search):
    with pytest.raises(ModelError) as caught:
        search(base={"fail": True}, trials=1)
    assert str(caught.value) == (
        "tuner: expected a trial that comes to an end. Received: 1 that did not: "
        "toy.model.width: expected luck. Received: 13. Take another.. Narrow tuner.search, or "
        "give the trials more time."
    )


def test_a_trial_that_takes_too_long_is_given_up(search):
    with pytest.raises(ModelError, match=r"gave up after 0\.5 s"):
        search(base={"pause": 60.0}, trials=1, trial_seconds=0.5)


def test_no_trial_begins_once_the_time_is_over(search):
    found, _ = search(trials=1000, seconds=5.0)
    assert 1 <= found.best["complete"] < 1000


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"search": {}}, "tuner.search: expected a range for one option or more."),
        ({"search": {"rate": "1"}}, "tuner.search.rate: expected a range such as"),
        ({"search": {"rates": "log 1..2"}}, "tuner.search: expected options of toy."),
        (
            {"search": {"rate": "uniform -1..1"}},
            "Option tuner.search.rate: expected float",
        ),
        ({"search": {"epochs": "uniform 0..1"}}, "Option tuner.search.epochs: expected int."),
        ({"fixed": {"epoch": "1"}}, "tuner.fixed: expected options of toy. Received: 'epoch'."),
        ({"train": "nowhere:f"}, "tuner.train: expected a module that Python can find."),
    ],
)
def test_what_would_make_every_trial_fail_is_refused_at_once(search, options, said):
    with pytest.raises(OptionError) as caught:
        search(**options)
    assert str(caught.value).startswith(said)


def test_an_objective_that_is_no_figure_of_an_epoch_is_refused(search):
    with pytest.raises(OptionError) as caught:
        search(objective="val_acuracy")
    assert str(caught.value) == (
        "tuner.objective: expected a figure of each epoch: loss, val_loss. Received: "
        "'val_acuracy'. Set tuner.objective to one of these; those in val_ need an eval split."
    )


RUN = """
import sys
from etils.epath import Path
from millrace.components.artifacts import Analysis, Examples
from millrace.components.tuner import tuner
folder = Path(sys.argv[1])
tuner(Examples(folder), Analysis(folder), folder / "out", folder / "resume",
      train="tests.components.tuning.toy:toy", search={"rate": "log 1e-3..1e-1"}, trials=4,
      base={"pause": 0.3})
"""


def _start(folder):
    return subprocess.Popen([sys.executable, "-c", textwrap.dedent(RUN), folder])


def _alive(folder):
    """Whether a process of a trial below `folder` is still there."""
    found = subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True, check=True)
    return any(
        f"millrace.components.tuning.trial {folder}" in line for line in found.stdout.splitlines()
    )


def test_a_killed_search_goes_on_with_its_trials_and_ends_as_an_unbroken_one(tmp_path):
    for name in ("whole", "broken"):
        for part in ("out", "resume"):
            (tmp_path / name / part).mkdir(parents=True)
    assert _start(tmp_path / "whole").wait(timeout=120) == 0
    broken = tmp_path / "broken"
    process = _start(broken)
    second = broken / "resume" / "trial-0001" / "out" / "history.csv"
    while not second.exists():
        time.sleep(0.02)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    deadline = time.monotonic() + 20
    while _alive(broken / "resume"):
        assert time.monotonic() < deadline, "the trial outlived the search"
        time.sleep(0.1)
    first = (broken / "resume" / "trial-0000" / "out" / "history.csv").stat().st_mtime_ns
    assert _start(broken).wait(timeout=120) == 0
    assert (broken / "resume" / "trial-0000" / "out" / "history.csv").stat().st_mtime_ns == first
    tables = [_table(Hyperparameters(tmp_path / name / "out")) for name in ("whole", "broken")]
    for row in [*tables[0], *tables[1]]:
        assert math.isfinite(float(row.pop("seconds")))
    assert tables[0] == tables[1]
    assert len(tables[0]) == 4
    best = [(tmp_path / name / "out" / "best.json").read_text() for name in ("whole", "broken")]
    assert json.loads(best[0]) == json.loads(best[1])
