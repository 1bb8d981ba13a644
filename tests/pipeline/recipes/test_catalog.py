"""What a person sets holds for each network that `auto` tries; what a row says does not."""

import dataclasses

import pytest
from etils.epath import Path

from millrace.pipeline.recipes import catalog
from millrace.pipeline.root import Root

TABULAR = catalog.RECIPES["tabular"]


@pytest.fixture
def wire(tmp_path):
    def run(recipe, settings=(), **options):
        file = tmp_path / "rows.csv"
        file.write_text("a,b\n1,2\n")
        root = Root(Path(tmp_path / "root"))
        return catalog.wire(recipe, root, data=str(file), settings=settings, **options)

    return run


@pytest.mark.parametrize(
    ("settings", "held"),
    [
        ([], ()),
        (["evaluator.max_rejected=0", "trainer.model.averaged=1"], ()),
        (["trainer.batch_size=32"], ("batch_size",)),  # the very value that the recipe has
        (
            ["trainer.schedule.warmup=2", "trainer.optimizer.kind=sgd"],
            ("optimizer", "schedule.warmup"),
        ),
        ({"trainer.epochs": 3}, ("epochs",)),
    ],
)
def test_what_is_set_by_a_person_is_held(wire, settings, held):
    assert wire("tabular", settings).steps["trainer"].options["model"].held == held


def test_a_network_that_is_named_needs_no_such_list(wire):
    dag = wire("tabular", ["trainer.model=dense", "trainer.batch_size=64"])
    assert dag.steps["trainer"].options["learning_rate"] == 0.003
    assert "held" not in dag.steps["trainer"].dumped_options()["model"]


def test_all_that_a_recipe_of_ones_own_says_is_held(wire):
    own = dataclasses.replace(TABULAR, settings=("trainer.model=auto", "trainer.batch_size=64"))
    assert wire(own).steps["trainer"].options["model"].held == ("batch_size",)


def test_a_step_that_borrows_the_trainers_options_knows_what_is_held(wire):
    dag = wire("tabular", ["trainer.batch_size=64"], extras=["tuner"])
    assert dag.steps["tuner"].options["base"]["model"]["held"] == ["batch_size"]
