"""The files of a new project, and where none is written; tests/test_end_to_end_init.py uses one."""

import ast
import importlib.resources

import pytest

from millrace.pipeline.errors import UsageError
from millrace.pipeline.project.writing import package_name, write


def test_a_project_is_a_package_its_tests_and_how_to_use_them(tmp_path):
    folder = tmp_path / "My flowers"
    assert write(folder) == "my_flowers"
    files = {str(file.relative_to(folder)) for file in folder.rglob("*") if file.is_file()}
    assert files == {
        ".gitignore",
        "README.md",
        "pyproject.toml",
        "my_flowers/__init__.py",
        "my_flowers/model.py",
        "my_flowers/preprocessing.py",
        "my_flowers/recipe.py",
        "tests/test_my_flowers.py",
    }
    for file in folder.rglob("*.py"):
        assert "$" not in file.read_text()
        ast.parse(file.read_text())
    assert (
        "trainer.model.function=my_flowers.model:build"
        in (folder / "my_flowers" / "recipe.py").read_text()
    )


def test_every_template_is_written(tmp_path):
    write(tmp_path / "flowers")
    templates = importlib.resources.files("millrace.pipeline.project") / "template"
    written = [file for file in (tmp_path / "flowers").rglob("*") if file.is_file()]
    assert len(list(templates.iterdir())) == len(written)


def test_an_empty_folder_is_taken_and_one_that_holds_something_is_not(tmp_path):
    folder = tmp_path / "flowers"
    folder.mkdir()
    write(folder)
    with pytest.raises(UsageError) as caught:
        write(folder)
    assert str(caught.value) == (
        f"{folder}: expected a folder that is new or empty. Received: one that holds .gitignore, "
        "README.md, flowers, …. Name another."
    )


def test_a_file_is_no_folder_to_write_to(tmp_path):
    (tmp_path / "flowers").write_text("")
    with pytest.raises(UsageError, match=r"a folder to write to\. Received: File exists"):
        write(tmp_path / "flowers")


@pytest.mark.parametrize(
    ("folder", "name"), [("Flowers", "flowers"), ("my-flowers 2", "my_flowers_2"), ("_x_", "x")]
)
def test_a_folder_names_the_package(folder, name):
    assert package_name(folder) == name


@pytest.mark.parametrize(
    ("folder", "received"),
    [
        ("2flowers", "'2flowers'"),
        ("json", "'json', which is taken"),
        ("Millrace", "'millrace', which is taken"),
    ],
)
def test_a_name_that_no_package_can_bear_is_refused(folder, received):
    with pytest.raises(UsageError) as caught:
        package_name(folder)
    assert f"{folder}: expected a folder whose name can be a Python" in str(caught.value)
    assert f"Received: {received}" in str(caught.value)
