"""The pages are true to the code: the files that they name exist and hold what they say."""

import ast
import dataclasses
import re
import subprocess
import sys
from pathlib import Path

import pytest
import typer

from millrace.components.example_gen.csv.dialect import CsvFormat
from millrace.pipeline.cli import main  # noqa: F401  # registers every command
from millrace.pipeline.cli.app import app
from tests import pages

PROJECT = Path(__file__).parents[1]
GENERATED = PROJECT / "docs/reference"
PAGES = [*PROJECT.glob("docs/**/*.md"), *PROJECT.glob("*/README.md"), *PROJECT.glob("*.md")]
PAGES = sorted(
    {page for page in PAGES if page.name != "CHANGELOG.md"}  # which names former files
    - {*GENERATED.glob("*.md")}
)
ARCHITECTURE = (PROJECT / "docs/architecture.md").read_text()
FLOORS = ("", "components", "pipeline", "serving")  # a page may leave out the floor


def _rows(heading):
    section = ARCHITECTURE.split(f" {heading}\n", 1)[1].split("\n#", 1)[0]
    lines = [line for line in section.splitlines() if line.startswith("| ")]
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines]


ROOMS = _rows("The rooms of components")


@pytest.mark.parametrize(
    "page",
    [
        page for page in PAGES if page.parent.name not in ("tutorials", "how-to")
    ],  # of a reader's own
    ids=lambda page: page.relative_to(PROJECT).as_posix(),
)
def test_every_module_that_a_page_names_exists(page):
    named = re.findall(r"`(?!tensorflow_)([\w./]+\.py)`", page.read_text())
    missing = [
        name for name in named if not any((PROJECT / floor / name).exists() for floor in FLOORS)
    ]
    assert missing == []


@pytest.mark.parametrize(
    "page",
    [*PAGES, PROJECT / "CHANGELOG.md"],
    ids=lambda page: page.relative_to(PROJECT).as_posix(),
)
def test_no_page_has_the_marks_of_a_merge(page):
    assert re.findall(r"^(?:<{7}|>{7}|={7}$).*", page.read_text(), re.MULTILINE) == []


@pytest.mark.parametrize("row", _rows("Where is …")[1:], ids=lambda row: row[0])
def test_the_function_that_the_table_of_places_names_is_there(row):
    _, file, function = (cell.strip("`") for cell in row)
    kinds = (ast.FunctionDef, ast.ClassDef)
    tree = ast.parse((PROJECT / file).read_text())
    assert function in {node.name for node in ast.walk(tree) if isinstance(node, kinds)}


def test_every_step_at_the_root_of_components_has_a_row():
    steps = {path.stem for path in PROJECT.glob("components/*.py")}
    named = {name for row in ROOMS for name in re.findall(r"`(\w+)`", row[0])}
    assert steps - {"__init__", "artifacts", "errors"} - named == set()


def test_every_room_of_components_is_named_and_is_there():
    rooms = {path.parent.name for path in PROJECT.glob("components/*/__init__.py")}
    named = {name for row in ROOMS for name in re.findall(r"`(\w+)/`", f"{row[0]} {row[-1]}")}
    assert named == rooms


def test_the_section_on_how_files_are_written_names_every_option_and_no_other():
    section = (PROJECT / "docs/data.md").read_text().split("## How files are written\n")[1]
    named = re.findall(r"`csv\.(\w+)", section.split("\n## ")[0])
    assert {*named} == {field.name for field in dataclasses.fields(CsvFormat)}


@pytest.mark.parametrize(
    "page",
    [page for page in PAGES if "$ millrace " in page.read_text()],
    ids=lambda page: page.relative_to(PROJECT).as_posix(),
)
def test_every_command_that_a_page_shows_is_understood(page):
    command = typer.main.get_command(app)
    for program, *words in pages.commands(page.read_text()):
        if program == "millrace":
            context = command.make_context("millrace", [*words], resilient_parsing=True)
            name, chosen, rest = command.resolve_command(context, words)
            chosen.make_context(name, rest, parent=context)  # raises where it is not


def test_the_site_builds_without_a_warning(tmp_path):
    sphinx = [
        sys.executable,
        "-m",
        "sphinx",
        "-q",
        "-W",
        "--keep-going",
        "-d",
        str(tmp_path / "trees"),
    ]
    done = subprocess.run(
        [*sphinx, str(PROJECT / "docs"), str(tmp_path / "site")],
        check=False,
        capture_output=True,
        text=True,
    )
    assert (done.returncode, done.stderr) == (0, "")
    recipes = (tmp_path / "site/reference/recipes.html").read_text()
    assert "csv_example_gen.csv.delimiter" in recipes
    assert (tmp_path / "site/tutorials/images.html").is_file()
