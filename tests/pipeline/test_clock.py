"""What time does to a root: a year of daily runs, and clocks that are set back or far ahead."""

import datetime
import pathlib
import types

import pytest

from millrace.pipeline import runner as runners
from millrace.pipeline import store as stores
from millrace.pipeline.dag import Dag, Source
from millrace.pipeline.records import RunRecord
from tests.pipeline import toys

START = datetime.datetime(2026, 1, 1, 6, 0)


@pytest.fixture
def clock(monkeypatch):
    """The time as the engine sees it, a minute later each time it looks; a test sets `.time`."""
    clock = types.SimpleNamespace(time=START)

    def now():
        clock.time += datetime.timedelta(minutes=1)
        return clock.time

    class Frozen(datetime.datetime):
        @classmethod
        def now(cls, tz=None):
            return clock.time.replace(tzinfo=tz)

    monkeypatch.setattr(stores, "now", now)
    monkeypatch.setattr(runners, "now", now)
    fake = types.SimpleNamespace(datetime=Frozen, UTC=datetime.UTC)
    monkeypatch.setattr("millrace.pipeline.root.datetime", fake)
    return clock


def short(toy, *settings):
    """A pipeline of two steps, the second with a checkpoint."""
    dag = Dag("short")
    examples = dag.step(toys.read, source=Source(str(toy.data)))
    dag.step(toys.train, examples=examples)
    dag.configure(settings)
    return toy.carry_out(dag, "short")


def at_hand(toy, folder):
    return sorted(entry.name for entry in pathlib.Path(toy.root.path / folder).glob("*"))


def listed(toy):
    with toy.store.session() as session:
        return [run.id for run in toy.store.runs(session)]


def test_a_year_of_daily_runs_leaves_a_root_that_works(toy, clock):
    """Every ninth run fails for another reason; nobody comes back to what these leave."""
    ran, most = [], 0
    for day in range(365):
        clock.time = START + datetime.timedelta(days=day)
        failing = day % 9 == 8
        settings = (f"train.limit={day}", "train.fail=bug") if failing else (f"train.epochs={day}",)
        result = short(toy, *settings)
        assert result.status == ("failed" if failing else "done")
        ran.append(result.run)
        most = max(most, len(at_hand(toy, "resume")))
        assert at_hand(toy, "staging") == []
    assert most == 2  # one checkpoint and its lock
    assert listed(toy) == ran[::-1]
    assert ran == sorted(ran)


@pytest.mark.parametrize("days", [-400, 4000])
def test_after_a_clock_jumps_the_last_run_is_still_the_newest(toy, clock, days):
    first = toy.run("train.epochs=1")
    clock.time += datetime.timedelta(days=days)
    (toy.data / "a.txt").write_text("other")
    second = toy.run("train.epochs=2")
    clock.time -= datetime.timedelta(days=days)
    (toy.data / "a.txt").write_text("third")
    third = toy.run("train.epochs=3")
    assert listed(toy) == [third.run, second.run, first.run]
    with toy.store.session() as session:
        assert toy.store.find_run(session, "latest").id == third.run
    judged = toys.Path(third.artifacts["judge"].path) / "baseline"
    assert judged.read_text().startswith("other 2 ")  # the newest other model, whatever its time
    assert set(toy.statuses(toy.run("train.epochs=3")).values()) == {"cached"}


def test_a_run_that_began_no_step_stands_by_its_time_unless_it_is_at_work(toy, clock):
    made = [toy.run().run for _ in range(2)]

    def begin(name, status, started):
        record = RunRecord(
            id=name, recipe="r", pipeline="p", root="r", arguments={}, status=status,
            started=started, ended=None,
        )  # fmt: skip
        toy.store.begin_run(record)

    begin("before", "killed", START - datetime.timedelta(days=1))
    begin("after", "killed", START + datetime.timedelta(days=1))
    begin("at work", "running", START - datetime.timedelta(days=9))
    assert listed(toy) == ["at work", "after", made[1], made[0], "before"]


@pytest.mark.parametrize("days", [-4000, 4000])
def test_a_clock_that_jumps_costs_no_checkpoint_and_no_work_in_hand(toy, clock, days):
    assert short(toy, "train.fail=bug").status == "failed"
    left = at_hand(toy, "resume")
    assert len(left) == 2
    with toy.root.running("alive"):
        (toy.root.staging("alive") / "step").mkdir(parents=True)
        for _ in range(2):
            clock.time += datetime.timedelta(days=days)
            toy.run()
        assert at_hand(toy, "staging") == ["alive"]
    assert at_hand(toy, "resume") == left


def test_a_step_during_which_the_clock_was_set_back_took_no_negative_time(toy, clock, monkeypatch):
    def back(*, now=stores.now):
        clock.time -= datetime.timedelta(hours=1)
        return now()

    monkeypatch.setattr(stores, "now", back)
    assert {step.seconds for step in toy.run().steps} == {0.0}
