"""The rows for tables: what `--data` may be, and how it is ingested."""

import pytest
from etils.epath import Path

from millrace.pipeline.errors import UsageError
from millrace.pipeline.recipes.catalog import find


def ingest(recipe, data=None):
    dag = find(recipe).wire(recipe, data, Path("serving"))
    step = next(each for each in dag.steps.values() if each.name.endswith("example_gen"))
    return step.name, step.options


@pytest.mark.parametrize(
    ("recipe", "table"), [("line-fit", "line_fit"), ("house-prices", "house_prices")]
)
def test_a_tiny_table_inside_is_trained_on_whole(recipe, table):
    dag = find(recipe).wire(recipe, None, Path("serving"))
    assert next(iter(dag.steps)) == table
    name, options = ingest(recipe)
    assert (name, options["splits"]) == ("csv_example_gen", {"train": 1.0})


def test_the_evaluator_gets_the_statistics_by_which_it_warns_of_a_split_unlike_the_others():
    dag = find("tabular").wire("tabular", "prices.csv", Path("serving"))
    assert dag.find("evaluator").inputs["statistics"] is dag.find("statistics_gen")


def test_penguins_come_from_tfds_or_from_what_data_holds(tmp_path):
    assert ingest("penguins")[1]["dataset"] == "penguins/processed"
    assert ingest("penguins", "tfds:penguins/simple")[1]["dataset"] == "penguins/simple"
    assert ingest("penguins", str(tmp_path))[0] == "csv_example_gen"
    (tmp_path / "downloads").mkdir()
    name, options = ingest("penguins", str(tmp_path))
    assert (name, options["data_dir"]) == ("tfds_table_example_gen", str(tmp_path))


def test_anybodys_table_is_a_file_a_folder_or_a_name():
    assert ingest("tabular", "prices.csv")[0] == "csv_example_gen"
    assert ingest("tabular", "prices.csv")[1]["eval_from_train"] == 0.1
    assert ingest("tabular", "tfds:titanic")[1]["dataset"] == "titanic"


@pytest.mark.parametrize("recipe", ["tabular", "bike-demand"])
def test_a_recipe_without_its_table_says_what_it_may_be(recipe):
    message = rf"^Recipe {recipe}: expected --data FILE, a CSV .* Received: no --data\.$"
    with pytest.raises(UsageError, match=message):
        ingest(recipe)


def test_anybodys_table_leaves_patience_to_each_network_and_chooses_a_threshold():
    options = (
        find("tabular").wire("tabular", "prices.csv", Path("serving")).steps["trainer"].options
    )
    assert options["threshold"] == "auto"
    assert options["early_stopping"].patience is None
