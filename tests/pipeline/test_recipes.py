"""Rows of the table become DAGs; what `--data` holds decides how it is ingested."""

import dataclasses

import pytest
from etils.epath import Path

from millrace.pipeline.errors import UsageError
from millrace.pipeline.pushed import Training
from millrace.pipeline.recipes.catalog import RECIPES, find
from millrace.pipeline.recipes.extras import EXTRAS
from millrace.pipeline.recipes.wiring import serving_skew


def _ingest(recipe, data):
    dag = find(recipe).wire(recipe, data, Path("serving"))
    first = next(step for step in dag.steps.values() if step.name.endswith("example_gen"))
    return first.name, first.options


@pytest.fixture
def folder(tmp_path):
    def make(*files):
        for file in files:
            (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / file).touch()
        return str(tmp_path)

    return make


def test_class_folders_are_ingested_as_images_with_an_eval_split(folder):
    name, options = _ingest("image-classifier", folder("ant/1.png", "bee/1.png"))
    assert name == "image_example_gen"
    assert options["eval_from_train"] == 0.1


@pytest.mark.parametrize("file", ["train.tfrecord", "Split-train/data_tfrecord-00000-of-00001.gz"])
def test_records_are_imported(folder, file):
    assert _ingest("image-classifier", folder(file))[0] == "import_example_gen"


def test_a_name_is_taken_from_tensorflow_datasets():
    name, options = _ingest("image-classifier", "tfds:cmaterdb")
    assert (name, options["dataset"]) == ("tfds_example_gen", "cmaterdb")


def test_a_course_set_comes_from_tfds_or_from_what_data_holds(folder):
    assert _ingest("mnist", None)[1]["dataset"] == "mnist"
    assert _ingest("mnist", folder("t10k-images-idx3-ubyte.gz"))[1]["manual_dir"]
    assert _ingest("mnist", folder("downloads/x"))[1]["data_dir"]


def test_a_course_set_can_be_replaced_by_class_folders(folder):
    assert _ingest("mnist", folder("zero/1.png", "one/1.png"))[0] == "image_example_gen"


def test_a_recipe_without_its_data_says_what_it_may_be():
    with pytest.raises(UsageError, match="expected --data DIR"):
        _ingest("image-classifier", None)


@pytest.mark.parametrize("name", [name for name in RECIPES if name != "convolutions"])
def test_every_row_that_trains_wires_a_whole_pipeline_whose_options_are_complete(name):
    dag = find(name).wire("my-model", "tfds:x", Path("root/serving"))
    dag.check_complete()
    assert list(dag.steps)[-1] == "pusher"
    assert dag.find("pusher").options["model_name"] == "my-model"
    assert dag.find("pusher").options["serving_root"] == "root/serving"


@pytest.mark.parametrize(("name", "fixed"), [("digits", True), ("tabular", True), ("co2", False)])
def test_only_the_records_of_series_may_have_any_length_and_gaps(name, fixed):
    dag = find(name).wire(name, "data.csv", Path("serving"))
    options = dag.find("schema_gen").options
    assert (options["infer_feature_shape"], options["disallow_nan"]) == (fixed, fixed)


def test_a_forecaster_may_be_asked_about_gaps_that_its_training_windows_lack():
    training = Training(Path("model"), Path("examples"), None, None)
    dag = serving_skew("co2", training, "log")
    assert dag.find("training_schema").options["disallow_nan"] is False


def test_extra_steps_come_before_and_after_the_trainer():
    row = dataclasses.replace(find("digits"), extras=tuple(EXTRAS))
    dag = row.wire("d", None, Path("serving"))
    dag.configure(["trainer.batch_size=7", "trainer.model.filters=3"])
    names = list(dag.steps)
    assert [names.index(name) - names.index("trainer") for name in EXTRAS] == [-2, -1, 1, 2]
    assert dag.find("rate_finder").options["batch_size"] == 7
    assert dag.find("rate_finder").options["model"].filters == (3,)
    assert dag.find("tuner").options["base"]["batch_size"] == 7
    assert dag.find("trainer").inputs["rate"] is dag.find("rate_finder")
    assert dag.find("trainer").inputs["hyperparameters"] is dag.find("tuner")


def test_a_curated_schema_takes_the_place_of_the_inferred_one():
    dag = find("digits").wire("d", None, Path("serving"), schema="schema.pbtxt")
    assert "import_schema" in dag.steps
    assert "schema_gen" not in dag.steps
