"""A project of one's own as a user has it: init, test, run, edit, run again, predict."""

import json
import subprocess
import sys

import pytest

from tests.command import millrace


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    folder = tmp_path_factory.mktemp("own") / "flowers"
    done = millrace("init", folder)
    assert done.returncode == 0, done.stderr
    return folder


def _run(project, *arguments):
    settings = ("--set", "trainer.epochs=3", "--set", "evaluator.at_least.accuracy=0.6")
    done = millrace("run", "flowers.recipe:recipe", *settings, "--json", *arguments, cwd=project)
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    return {step["step"]: step["status"] for step in told["steps"]}, told


def _replace(file, old, new):
    text = file.read_text()
    assert text.count(old) == 1
    file.write_text(text.replace(old, new))


def test_init_says_what_to_do_next(tmp_path):
    told = millrace("init", tmp_path / "my birds").stdout
    assert "  millrace run my_birds.recipe:recipe\n" in told
    refused = millrace("init", tmp_path)
    assert refused.returncode == 2
    assert "expected a folder that is new or empty" in refused.stderr


def test_its_own_tests_pass(project):
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "no:cacheprovider"],
        cwd=project,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    assert "4 passed" in done.stdout


def test_its_recipe_is_listed_by_module_and_by_file(project):
    rows = json.loads(millrace("recipes", "flowers.recipe", "--json", cwd=project).stdout)
    assert [row["name"] for row in rows] == ["flowers.recipe:recipe"]
    shown = millrace("recipes", "flowers.recipe:recipe", cwd=project).stdout
    assert "trainer.model.function\tstr\tflowers.model:build" in shown


def test_it_runs_and_an_edit_reruns_what_it_touches_and_nothing_else(project):
    first, told = _run(project)
    assert set(first.values()) == {"ran"}
    assert told["blessed"] is True
    answer = json.loads(
        millrace("predict", "flowers", "--sample", "3", "--json", cwd=project).stdout
    )
    assert len(answer["predictions"]) == 3

    _replace(project / "flowers" / "model.py", "Conv2D(32, 3", "Conv2D(16, 3")
    second, _ = _run(project, "--to", "trainer")
    assert {step for step, status in second.items() if status == "ran"} == {"trainer"}

    _replace(project / "flowers" / "preprocessing.py", "255.0 /", "254.0 /")
    third, _ = _run(project, "--to", "transform")
    assert {step for step, status in third.items() if status == "ran"} == {"analyze", "transform"}
