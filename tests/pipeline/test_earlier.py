"""Roots of earlier versions: what they hold is read, compared with, and made again once."""

from sqlalchemy import select

from millrace.pipeline.records import ExecutionRecord
from millrace.pipeline.root import Root
from millrace.pipeline.runs import open_run
from tests.pipeline import toys

RENAMED = "millrace's modules have other names now (millrace.…), so that every step runs once"


def _give_former_names(store):
    """Keys as they were while millrace's packages were `components`, `pipeline` and `serving`."""
    with store.session() as session:
        for execution in session.scalars(select(ExecutionRecord)):
            parts = execution.ingredients
            code = {
                name.removeprefix("millrace.") if name.startswith("millrace.") else name: digest
                for name, digest in parts["code"].items()
                if name != "millrace"
            }
            execution.ingredients = {**parts, "code": code}
            execution.key = f"former {execution.key}"


def test_a_root_from_before_the_packages_were_renamed_runs_once_more_and_keeps_its_baselines(toy):
    first = toy.run()
    _give_former_names(toy.store)
    again = toy.run('train.weights={"a": 1}')
    assert set(toy.statuses(again).values()) == {"ran"}
    assert toy.observer.reasons["read"] == [RENAMED]
    assert toy.observer.reasons["train"] == [RENAMED, "option weights.a changed from None to 1.0"]
    with toy.store.session() as session:
        judged = toy.store.last_execution(session, "toy", "judge")
        assert judged.inputs["baseline"].uri == str(first.artifacts["train"].path)
    assert set(toy.statuses(toy.run('train.weights={"a": 1}')).values()) == {"cached"}


def test_runs_of_such_a_root_can_be_opened(toy):
    first = toy.run()
    _give_former_names(toy.store)
    run = open_run(first.run[:-3], toy.root.path)
    assert (run.id, run.blessed, run.metrics) == (first.run, True, {"accuracy": 0.5})


def test_what_lies_under_another_root_of_the_same_store_is_neither_reused_nor_compared_with(
    toy, tmp_path
):
    toy.run()
    (toy.data / "a.txt").write_text("other")
    toy.run("train.epochs=2")
    toy.root = Root(tmp_path / "second")
    result = toy.run("train.epochs=2")
    assert set(toy.statuses(result).values()) == {"ran"}
    assert (result.artifacts["judge"].path / "baseline").read_text() == "none"
    toy.run("train.epochs=2")
    assert toys.CALLS == []


def test_an_output_of_another_root_is_not_even_looked_at(toy, monkeypatch):
    toy.run()
    with toy.store.engine.begin() as connection:
        moved = "UPDATE artifact SET uri = 's3://no-bucket/x/' || id WHERE type != 'RawFiles'"
        connection.exec_driver_sql(moved)
    assert set(toy.statuses(toy.run()).values()) == {"ran"}
