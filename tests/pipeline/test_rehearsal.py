"""Own functions are called on a few rows first, and only their own errors end a run."""

import pytest
from etils.epath import Path

from millrace.components.analyze import analyze
from millrace.components.artifacts import Examples
from millrace.components.errors import DataError, ModelError, OptionError
from millrace.components.example_gen.image import image_example_gen
from millrace.components.features.image_spec import ImageOptions
from millrace.components.files.tfrecord import read_records, write_records
from millrace.components.trainer import trainer
from millrace.components.transform import transform
from millrace.pipeline import excerpt, rehearsal
from millrace.pipeline.dag import Dag, Source
from millrace.pipeline.rehearsal import Rehearsal
from tests.components import pictures

SOURCE = """
import tensorflow as tf

def darker(picture):
    return pictures // 2

def fails(error):
    raise error
"""


@pytest.fixture
def own(tmp_path, monkeypatch):
    (tmp_path / "mine_rehearsed.py").write_text(SOURCE)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.chdir(tmp_path)
    return "mine_rehearsed:darker"


def wired(folder, preprocess):
    dag = Dag("pictures")
    examples = dag.step(image_example_gen, source=Source(str(folder)))
    features = ImageOptions(preprocess=preprocess)
    analysis = dag.step(analyze, examples=examples, features=features)
    transformed = dag.step(transform, examples=examples, analysis=analysis)
    dag.step(trainer, examples=transformed, analysis=analysis)
    return dag


def test_nothing_is_rehearsed_without_own_code_or_where_its_step_is_left_out(own, tmp_path):
    every = {"analyze", "transform", "trainer"}
    assert Rehearsal.of(wired(tmp_path, ""), every).due({"image_example_gen"}) is None
    dag = wired(tmp_path, own)
    assert Rehearsal.of(dag, {"transform", "trainer"}).due({"image_example_gen"}) is None


def test_it_is_due_before_analyze_and_transform_once_there_are_examples_and_not_again(
    own, tmp_path
):
    dag = wired(tmp_path, own)
    rehearsal = Rehearsal.of(dag, {"analyze", "transform"})
    assert rehearsal.due(set()) is None
    assert rehearsal.due({"image_example_gen"}) is dag.steps["analyze"]
    assert rehearsal.due({"image_example_gen"}) is None
    assert rehearsal.due({"image_example_gen", "analyze"}) is dag.steps["transform"]
    assert rehearsal.due({"image_example_gen", "analyze"}) is None


def test_one_that_was_settled_is_due_no_more(own, tmp_path):
    rehearsal = Rehearsal.of(wired(tmp_path, own), {"analyze", "transform"})
    rehearsal.settle()
    assert rehearsal.due({"image_example_gen"}) is None


def test_the_trainer_is_rehearsed_for_an_epoch_without_callbacks_on_one_device(own, tmp_path):
    dag = wired(tmp_path, own)
    dag.configure({"trainer.strategy": "mirrored", "trainer.callbacks": "mine_rehearsed:own"})
    plan = Rehearsal.of(dag, set(dag.steps)).plan(Path("e"), Path("a"))
    (_, _, kept), (name, _, options) = plan.steps
    assert (name, options["epochs"], options["callbacks"]) == ("trainer", 1, ())
    assert "strategy" not in options
    assert kept["max_rejected"] == 1.0
    assert plan.own == ("mine_rehearsed:darker", "mine_rehearsed:own")


def test_a_few_rows_are_of_several_files_and_bring_what_lies_beside_them(tmp_path):
    whole = Examples(Path(tmp_path / "whole"))
    whole.split_path("train").mkdir(parents=True)
    for shard in range(16):
        rows = [b"%d %d" % (shard, row) for row in range(20)]
        write_records(whole.shard("train", shard, 16), rows)
    whole.write_summary({"train": 320}, notes={"a": 1})
    (whole.path / "source.json").write_text("{}")
    few = rehearsal.sample(whole, Path(tmp_path / "few"))
    (file,) = few.files("train")
    assert list(read_records(file)) == [b"%d %d" % (s, row) for s in range(8) for row in range(8)]
    assert (few.counts, few.summary["notes"]) == ({"train": 64}, {"a": 1})
    assert (few.path / "source.json").exists()


@pytest.mark.parametrize(
    ("error", "step", "analysis", "told"),
    [
        (NameError("x"), "analyze", "", True),
        (ValueError("x"), "analyze", "", True),
        (NameError("x"), "trainer", "", True),
        (ValueError("x"), "trainer", "", False),
        (ValueError("x"), "trainer", "a", True),
        (DataError("too few rows"), "trainer", "a", False),
        (ModelError("mine:f: expected one output."), "trainer", "", True),
        (OptionError("trainer.loss: expected another."), "trainer", "a", False),
    ],
    ids=str,
)
def test_only_what_all_rows_would_bring_about_is_told(own, error, step, analysis, told):
    import mine_rehearsed

    with pytest.raises(type(error)) as raised:
        mine_rehearsed.fails(error)
    plan = rehearsal.Plan("e", analysis, (), ("mine:f",))
    assert rehearsal._is_told(raised.value, step, plan) is told


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (NameError("name 'x' is not defined"), True),
        (UnboundLocalError("cannot access local variable 'x'"), False),
        (AttributeError("module 'tensorflow' has no attribute 'x'"), True),
        (AttributeError("'str' object has no attribute 'x'"), False),
        (TypeError("x"), False),
        (ModelError("mine:f: expected 3 outputs."), False),
    ],
    ids=repr,
)
def test_of_a_part_of_the_files_only_what_fails_on_any_data_is_told(own, error, told):
    import mine_rehearsed

    with pytest.raises(type(error)) as raised:
        mine_rehearsed.fails(error)
    plan = rehearsal.Plan("", "", (), ("mine:f",), "data")
    assert rehearsal._is_told(raised.value, "analyze", plan) is told


def test_it_is_early_where_a_step_that_runs_reads_the_files_and_once(own, tmp_path):
    dag = wired(tmp_path, own)
    ingest = dag.steps["image_example_gen"]
    early = Rehearsal.of(dag, set(dag.steps))
    assert early.early() == (ingest, ingest.inputs["source"])
    assert early.early() is None
    assert Rehearsal.of(dag, {"analyze", "transform"}).early() is None


@pytest.mark.parametrize(
    ("many", "ingest", "asked", "of"),
    [
        (excerpt.MANY, "ran", "analyze", "the first 64 rows"),
        (12, "skipped", "image_example_gen", "a few of the data"),
    ],
    ids=["few files", "many files"],
)
def test_an_error_in_own_preprocessing_is_said_before_the_first_long_step(
    own, toy, tmp_path, monkeypatch, many, ingest, asked, of
):
    data = tmp_path / "pictures"
    for number in range(12):
        file = data / f"class{number % 2}" / f"{number}.png"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(pictures.file(pictures.noise(8, 8, seed=number)))
    monkeypatch.setattr(excerpt, "MANY", many)
    result = toy.carry_out(wired(data, own))
    assert toy.statuses(result) == {
        "image_example_gen": ingest,
        "analyze": "skipped",
        "transform": "failed",
        "trainer": "skipped",
    }
    failed = result.steps[2]
    assert failed.error.startswith(
        "mine_rehearsed.py:5 in darker\n    return pictures // 2\n"
        "NameError: name 'pictures' is not defined\n"
    )
    assert failed.error.endswith(f"\nThat is of {of}: no long step was begun.")
    assert "Traceback" in toy.root.log(result.run, "transform").read_text()
    assert (asked, f"a few rows first: {own}") in toy.observer.lines
    assert list(failed.reasons) == ["its code was tried on a few rows"]
