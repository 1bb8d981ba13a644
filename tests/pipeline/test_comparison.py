"""Two runs compared, step by step and figure by figure."""

from millrace.pipeline import comparison
from millrace.pipeline.comparison import Figure
from millrace.pipeline.run_request import Selection


def compared(toy, first, second):
    with toy.store.session() as session:
        return list(
            comparison.differences(*(toy.store.find_run(session, run) for run in (first, second)))
        )


def test_the_options_that_differ_are_named_and_what_follows_from_them(toy):
    first, second = toy.run().run, toy.run("train.epochs=2").run
    found = compared(toy, first, second)
    assert found[0] == ("train", "option epochs changed from 1 to 2")
    assert {step for step, _ in found} == {"train", "judge"}


def test_a_run_from_the_cache_differs_in_nothing(toy):
    assert compared(toy, toy.run().run, toy.run().run) == []


def test_a_step_of_one_run_alone_is_told(toy):
    first, second = toy.run().run, toy.run(selection=Selection(last=("count",))).run
    assert ("train", f"only in {first}") in compared(toy, first, second)
    assert ("train", f"only in {first}") in compared(toy, second, first)


def test_figures_are_paired_by_name():
    found = comparison.figures({"accuracy": 0.5, "loss": 1.0}, {"accuracy": 0.75, "auc": 0.9})
    assert found == [
        Figure("accuracy", 0.5, 0.75),
        Figure("loss", 1.0, None),
        Figure("auc", None, 0.9),
    ]
    assert [each.change for each in found] == [0.25, None, None]
