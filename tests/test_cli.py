"""The command's own promises: JSON, exit codes, and one line for each wrong use."""

import json
import os
import re
import socket
from importlib import metadata
from pathlib import Path

import pytest
from PIL import Image

from tests.command import millrace


@pytest.fixture
def two_classes(tmp_path):
    """A folder of two classes with three tiny images each."""
    for number, name in enumerate(("ant", "bee")):
        folder = tmp_path / "insects" / name
        folder.mkdir(parents=True)
        for index in range(3):
            Image.new("L", (8, 8), 40 * index + number).save(folder / f"{index}.png")
    return tmp_path / "insects"


def _refused(done, code=2):
    """The one or two lines of a refusal."""
    assert done.returncode == code, done.stderr
    assert "Traceback" not in done.stdout + done.stderr
    return done.stderr.strip().removeprefix("millrace: ")


RECIPES = [
    "digits",
    "fashion-mnist-dense",
    "fashion-mnist-cnn",
    "mnist",
    "horses-or-humans",
    "horses-or-humans-compact",
    "cats-vs-dogs",
    "cats-vs-dogs-augmented",
    "cats-vs-dogs-transfer",
    "rock-paper-scissors",
    "sign-language",
    "cifar-small-cnn",
    "image-classifier",
    "reviews",
    "imdb",
    "imdb-subwords",
    "imdb-bilstm",
    "imdb-conv1d",
    "sarcasm",
    "bbc-news",
    "sms-spam",
    "text-classifier",
    "irish-lyrics",
    "shakespeare-chars",
    "text-generator",
    "synthetic-series",
    "co2",
    "sunspots",
    "daily-temperatures",
    "airline",
    "bike-sharing",
    "ett",
    "forecaster",
    "line-fit",
    "house-prices",
    "penguins",
    "bike-demand",
    "tabular",
    "convolutions",
]


def test_recipes_as_json_have_name_kind_data_and_summary():
    rows = json.loads(millrace("recipes", "--json").stdout)
    assert [row["name"] for row in rows] == RECIPES
    assert all(set(row) == {"name", "kind", "data", "summary"} for row in rows)


def test_one_recipe_lists_its_options_with_types_and_values():
    lines = millrace("recipes", "mnist").stdout.splitlines()
    meant = "passes over the train split, at most."
    assert f"trainer.epochs\tint from 1\t10\t{meant}" in lines
    assert any(line.startswith("tfds_example_gen.dataset\tstr\tmnist\t") for line in lines)


def test_one_recipe_lists_its_options_as_json():
    rows = json.loads(millrace("recipes", "mnist", "--json").stdout)
    assert {
        "option": "trainer.optimizer.nesterov",
        "type": "bool",
        "value": "False",
        "meaning": "of sgd.",
    } in rows


@pytest.mark.parametrize("name", RECIPES)
def test_every_option_of_a_recipe_says_what_it_means(name):
    rows = json.loads(millrace("recipes", name, "--json").stdout)
    assert [row["option"] for row in rows if not row["meaning"]] == []


def test_the_version_is_that_of_the_distribution():
    assert millrace("--version").stdout == f"millrace {metadata.version('tf-millrace')}\n"


@pytest.mark.parametrize("arguments", [(), ("run",), ("rollback",)], ids=["all", "run", "rollback"])
def test_a_short_flag_shows_the_help(arguments):
    assert millrace(*arguments, "-h").stdout == millrace(*arguments, "--help").stdout


def test_help_names_every_command():
    shown = millrace("--help").stdout
    for name in [
        "recipes",
        "run",
        "runs",
        "show",
        "explain",
        "lineage",
        "serve",
        "predict",
        "infer",
        "init",
        "rollback",
        "doctor",
    ]:
        assert re.search(rf"\b{name}\b", shown)


def test_an_unknown_recipe_offers_the_nearest():
    text = _refused(millrace("run", "digit"))
    assert text == "Recipe 'digit': unknown. Did you mean `digits`?"


def test_an_unknown_extra_step_offers_the_nearest():
    text = _refused(millrace("run", "digits", "--with", "tunr"))
    assert text == "--with tunr: no such step. Did you mean `tuner`?"


def test_an_unknown_option_offers_the_nearest():
    text = _refused(millrace("run", "digits", "--set", "trainer.epoch=3"))
    assert (
        text
        == "--set trainer.epoch: step trainer has no option `epoch`. Did you mean `trainer.epochs`?"
    )


def test_a_flag_that_beam_does_not_know_offers_the_nearest(tmp_path):
    done = millrace("run", "line-fit", "--root", tmp_path, "--", "--runer=FlinkRunner")
    assert _refused(done) == "Beam flags: --runer: unknown. Did you mean `--runner`?"
    assert not (tmp_path / "runs").exists()


def test_an_option_of_the_wrong_type_is_named_with_what_fits():
    text = _refused(millrace("run", "digits", "--set", "trainer.epochs=many"))
    assert text.startswith("Option trainer.epochs: expected int from 1. Received: 'many'")


def test_an_unknown_step_is_named(tmp_path):
    text = _refused(millrace("run", "digits", "--only", "train", "--root", tmp_path))
    assert text == "Pipeline digits: no step `train`. Did you mean `trainer`?"


def test_a_recipe_that_needs_data_says_so():
    text = _refused(millrace("run", "image-classifier"))
    assert "expected --data DIR" in text


def test_a_missing_folder_is_named(tmp_path):
    text = _refused(
        millrace("run", "image-classifier", "--data", "nowhere", "--root", tmp_path / "root")
    )
    assert text.startswith("nowhere: expected a file or a folder.")


def _failed_step(tmp_path, data, *more):
    """The error of a run that fails in its first step."""
    done = millrace(
        "run", "image-classifier", "--data", data, "--root", tmp_path / "root", "--json", *more
    )
    _refused(done, code=1)
    told = json.loads(done.stdout)
    assert told["status"] == "failed"
    assert [step["status"] for step in told["steps"]][1:] == ["skipped"] * (len(told["steps"]) - 1)
    return told["steps"][0]["error"]


def test_an_empty_folder_stops_the_first_step(tmp_path):
    (tmp_path / "empty").mkdir()
    assert "expected" in _failed_step(tmp_path, tmp_path / "empty")


def test_a_single_class_stops_the_first_step(tmp_path, two_classes):
    for file in (two_classes / "bee").iterdir():
        file.unlink()
    (two_classes / "bee").rmdir()
    assert "ant" in _failed_step(tmp_path, two_classes)


def test_too_many_bad_files_stop_the_run_and_are_listed(tmp_path, two_classes):
    (two_classes / "ant" / "bad.png").write_bytes(b"not an image")
    error = _failed_step(tmp_path, two_classes)
    assert "bad.png" in error
    assert "max_rejected" in error


def test_a_failed_run_prints_its_log_and_the_command_that_resumes_it(tmp_path):
    (tmp_path / "empty").mkdir()
    done = millrace("run", "image-classifier", "--data", "empty", "--root", "root", cwd=tmp_path)
    assert done.returncode == 1
    assert "resume  " not in done.stdout
    log = re.search(r"log     (\S+)", done.stdout).group(1)
    assert log.endswith("image_example_gen.log")


def test_a_root_that_nobody_wrote_says_how_to_name_another(tmp_path):
    text = _refused(millrace("runs", "--root", tmp_path / "none"))
    assert "expected a folder that `millrace run` has written" in text


def test_a_root_that_cannot_be_made_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    text = _refused(millrace("run", "digits", "--root", tmp_path / "file" / "root"))
    assert text.startswith(f"Root {tmp_path}/file/root: expected a folder to write to.")


def test_a_model_that_was_not_pushed_is_named(tmp_path):
    image = tmp_path / "a.png"
    Image.new("L", (8, 8)).save(image)
    text = _refused(millrace("predict", "ghost", "--image", image, "--root", tmp_path / "root"))
    assert text == "Model 'ghost': not among the pushed ones. There are: none."


def test_a_sample_of_nothing_is_refused(tmp_path):
    done = millrace("predict", "m", "--sample", 0, "--root", tmp_path)
    assert "greater than or equal to 1" in _refused(done)


def test_an_unreadable_image_is_named(tmp_path):
    text = _refused(millrace("predict", "m", "--image", tmp_path / "no.png"))
    assert "expected an image file. Received: No such file or directory" in text


def test_a_server_that_is_not_there_is_named(tmp_path):
    image = tmp_path / "a.png"
    Image.new("L", (8, 8)).save(image)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        target = f"127.0.0.1:{free.getsockname()[1]}"
    asked = ("predict", "m", "--image", image, "--target", target)
    assert f"{target}: expected a model server." in _refused(millrace(*asked), code=1)
    late = _refused(millrace(*asked, "--wait", "0.2"), code=1)
    assert f"{target}: expected model m to be available within 0.2 s. Received: no answer." in late


def test_the_root_can_come_from_the_environment(tmp_path):
    text = _refused(millrace("runs", MILLRACE_ROOT=str(tmp_path / "elsewhere")))
    assert str(tmp_path / "elsewhere") in text


def test_doctor_finds_this_environment_good(tmp_path):
    done = millrace("doctor", "--json", "--root", tmp_path)
    assert done.returncode == 0
    rows = {row["what"]: row for row in json.loads(done.stdout)}
    assert rows["tensorflow"]["state"] == "good"
    assert rows["root"]["found"] == str(tmp_path)


def test_a_remote_root_without_a_shared_store_is_refused_and_nothing_is_written(tmp_path):
    pytest.importorskip("s3fs", reason="the extra `s3` is not installed")
    told = (
        "Root s3://bucket/x: expected MILLRACE_STORE to name a PostgreSQL database, since an "
        "object store cannot hold the record of runs. Received: none. Set it to "
        "postgresql://USER@HOST/DATABASE, and `pip install 'tf-millrace[postgresql]'`."
    )
    given = {"MILLRACE_ROOT": "s3://bucket/x", "MILLRACE_SCRATCH": str(tmp_path / "scratch")}
    assert _refused(millrace("run", "digits", "--root", "s3://bucket/x", cwd=tmp_path)) == told
    assert _refused(millrace("runs", cwd=tmp_path, **given)) == told
    assert list(tmp_path.iterdir()) == []


def test_odd_entries_of_a_folder_neither_hang_a_run_nor_break_it(tmp_path, two_classes):
    os.mkfifo(two_classes / "ant" / "pipe.png")
    (two_classes / "ant" / ".#lock").symlink_to("nowhere")
    (two_classes / "caf\udce9").mkdir()
    (two_classes / "caf\udce9" / "1.png").write_bytes(b"")
    step = ("--to", "image_example_gen", "--root", tmp_path / "root")
    command = ("run", "image-classifier", "--data", two_classes, *step)
    done = millrace(*command, "--set", "image_example_gen.max_rejected=0.5")
    assert done.returncode == 0
    assert "2 rejected, 1 ignored" in done.stdout
    assert r"rejected caf\xe9/1.png: its name is not UTF-8: rename it" in done.stdout
    assert "rejected ant/pipe.png: a pipe, not a file" in done.stdout


OWN_COMPONENTS = """
from etils.epath import Path
from millrace.components.artifacts import RawFiles
from millrace.pipeline.dag import Dag

def write(out: Path) -> RawFiles:
    (out / "line.txt").write_text("mine")
    return RawFiles(out)

def recipe(dag: Dag, data: str | None, serving_root: Path) -> None:
    dag.step(write)
"""


def test_a_persons_own_components_folder_is_theirs(tmp_path):
    """And no folder named as one of the project's others is imported in place of that."""
    for name in ("pipeline", "components", "serving"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "__init__.py").write_text(
            "" if name == "components" else "raise SystemExit('taken for millrace')"
        )
    (tmp_path / "components" / "mine.py").write_text(OWN_COMPONENTS)
    done = millrace("run", "components.mine:recipe", "--json", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    (step,) = json.loads(done.stdout)["steps"]
    assert Path(step["output"], "line.txt").read_text() == "mine"
