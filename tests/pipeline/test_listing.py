"""A page of the runs of a root, by the database."""

import datetime

import pytest

from millrace.pipeline import listing
from millrace.pipeline.listing import Wanted
from millrace.pipeline.records import ArtifactRecord, EventRecord, ExecutionRecord, RunRecord

START = datetime.datetime(2026, 1, 1)


@pytest.fixture
def add(toy):
    """Records a run that took some seconds and came to `figures`."""

    def add(run, *, recipe="a", seconds=1, status="done", hour=0, data=None, **figures):
        began = START + datetime.timedelta(hours=hour)
        ended = began + datetime.timedelta(seconds=seconds)
        arguments = {"command": f"millrace run {recipe}", "data": data}
        columns = {"id": run, "recipe": recipe, "pipeline": recipe, "root": toy.root.name}
        with toy.store.session() as session:
            session.add(
                RunRecord(**columns, arguments=arguments, status=status, started=began, ended=ended)
            )
            execution = ExecutionRecord(
                run_id=run,
                step="evaluator",
                component="x:y",
                key="",
                ingredients={},
                reasons=[],
                status="ran",
                started=began,
                ended=ended,
            )
            session.add(execution)
            session.flush()
            if figures:
                artifact = ArtifactRecord(
                    type="Evaluation",
                    uri=f"/gone/{run}",
                    digest=run,
                    properties=figures,
                    created=ended,
                )
                session.add(artifact)
                session.flush()
                session.add(
                    EventRecord(
                        execution_id=execution.id,
                        role="output",
                        name="output",
                        artifact_id=artifact.id,
                    )
                )

    return add


@pytest.fixture
def page(toy):
    """The ids of the runs that are wanted."""

    def page(start=0, most=10, **wanted):
        with toy.store.session() as session:
            _, found = listing.page(
                toy.store, session, toy.root, Wanted(**wanted), start=start, most=most
            )
        return [each.run.id for each in found]

    return page


def test_the_newest_come_first_whatever_the_clock_did(add, page):
    add("one", hour=5)
    add("two", hour=3)
    assert page() == ["two", "one"]
    assert page(descending=False) == ["one", "two"]


def test_a_run_that_began_no_step_stands_by_its_time_and_one_at_work_first(toy, add, page):
    for run, hour, status in (("early", 1, "killed"), ("now", 0, "running")):
        began = START + datetime.timedelta(hours=hour)
        columns = {"recipe": "a", "pipeline": "a", "root": toy.root.name, "arguments": {}}
        toy.store.begin_run(RunRecord(id=run, status=status, started=began, **columns))
    add("one", hour=0)
    add("two", hour=2)
    assert page() == ["now", "two", "early", "one"]


def test_a_page_starts_where_it_is_said_and_the_count_is_of_all(toy, add, page):
    for run in "abcde":
        add(run)
    assert page(start=1, most=2) == ["d", "c"]
    with toy.store.session() as session:
        count, _ = listing.page(toy.store, session, toy.root, Wanted(), start=0, most=1)
    assert count == 5


def test_what_is_searched_may_stand_in_any_text_and_signs_of_sql_mean_nothing(toy, add, page):
    add("one", data="/d/100%_sure.csv")
    add("two", recipe="digits")
    toy.store.tag("two", ["keep"], note="the one for Tuesday")
    assert page(text="100%_") == ["one"]
    assert page(text="_") == ["one"]
    assert page(text="run DIGITS") == ["two"]
    assert page(text="tuesday") == page(text="kee") == ["two"]


def test_runs_are_filtered_by_what_they_are_and_came_to(toy, add, page):
    add("good", blessed=True, accuracy=0.9)
    add("bad", blessed=False, accuracy=0.1)
    add("failed", recipe="b", status="failed")
    toy.store.tag("bad", ["look"])
    assert page(verdict="blessed") == ["good"]
    assert page(verdict="not blessed") == ["bad"]
    assert page(verdict="none") == page(status="failed") == page(recipe="b") == ["failed"]
    assert page(model="a", tag="look") == ["bad"]


def test_a_run_that_no_process_is_at_work_on_counts_as_killed(add, page):
    add("dead", status="running")
    assert page(status="killed") == ["dead"]
    assert page(status="running") == []


def test_a_run_that_a_process_is_at_work_on_is_running(toy, add, page):
    add("alive", status="running")
    add("dead", status="running")
    with toy.root.running("alive"):
        assert page(status="running") == ["alive"]
        assert page(status="killed") == ["dead"]


@pytest.mark.parametrize(
    ("sort", "ordered"),
    [
        ("recipe", ["b", "a", "c"]),
        ("seconds", ["c", "a", "b"]),
        ("figure", ["a", "b", "c"]),
        ("verdict", ["b", "a", "c"]),
        ("data", ["c", "b", "a"]),
    ],
)
def test_runs_are_sorted_and_those_without_a_value_come_last(add, page, sort, ordered):
    add("a", recipe="y", seconds=2, blessed=True, accuracy=0.25)
    add("b", recipe="x", seconds=30, data="/b", blessed=False, mae=10.0)
    add("c", recipe="z", seconds=1, data="/a")
    assert page(sort=sort, descending=False) == ordered


def test_the_figure_is_that_of_the_last_evaluation(toy, add):
    toy.run()
    toy.run("judge.bless=no", "train.epochs=2")
    with toy.store.session() as session:
        _, found = listing.page(toy.store, session, toy.root, Wanted(), start=0, most=2)
    assert [each.blessed for each in found] == [False, True]
    assert found[0].figure == ("accuracy", 0.5)
    assert found[0].status == "done"


def test_what_can_be_chosen_is_listed_once_and_in_order(toy, add):
    add("one", recipe="b")
    add("two", recipe="a")
    add("three", recipe="b")
    toy.store.tag("one", ["x"])
    toy.store.tag("two", ["x", "w"])
    with toy.store.session() as session:
        assert listing.choices(toy.store, session, RunRecord.recipe) == ["a", "b"]
        assert listing.known_tags(toy.store, session) == ["w", "x"]


def test_nobody_knows_how_long_a_run_took_that_was_not_seen_to_end(toy):
    run = RunRecord(started=START)
    assert listing.seconds(run, "killed") is None
    assert listing.seconds(run, "running") > 0
    run.ended = START - datetime.timedelta(hours=1)
    assert listing.seconds(run, "done") == 0
