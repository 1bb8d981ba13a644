"""docs/serving.md against the server and the tests: every row has a test, every flag a row."""

import ast
import dataclasses
import re
from pathlib import Path

import pytest

from millrace.serving import flags

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs/serving.md").read_text()
TEST = re.compile(r"`(tests/[\w/]+\.py)::(test_\w+)`")


def rows(heading):
    """The cells of each row of the table under `heading`."""
    section = re.split(r"^#+ ", PAGE.split(f" {heading}\n", 1)[1], maxsplit=1, flags=re.MULTILINE)[
        0
    ]
    lines = [line for line in section.splitlines() if line.startswith("| ")]
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines[1:]]


HEADINGS = ("gRPC", "REST", "Lifecycle and files", "Beyond the contract")
CONTRACT = [row for heading in HEADINGS for row in rows(heading)]
CASES = rows("TensorFlow Serving's own integration test")


def defined(file):
    tree = ast.parse((ROOT / file).read_text())
    return {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}


def test_no_table_of_the_page_is_empty():
    assert [len(rows(heading)) for heading in HEADINGS] == [32, 19, 24, 26]
    assert len(CASES) == 20


@pytest.mark.parametrize("row", CONTRACT + CASES, ids=lambda row: row[0][:60])
def test_every_row_names_tests_that_exist(row):
    behaviour, held = row
    found = TEST.findall(held)
    assert behaviour
    assert found
    assert TEST.sub("", held).strip() == ""
    for file, name in found:
        assert name in defined(file), f"{file}::{name}"


def shown(field):
    if field.name in ("grpc_max_threads", "rest_api_num_threads"):
        return "4 for each CPU"
    if field.name == "num_tflite_pools":
        return "one for each CPU"
    value = str(field.default).lower() if isinstance(field.default, bool) else field.default
    return f"`{value}`" if value != "" else ""


def test_every_flag_has_a_row_with_its_default_and_the_words_of_help():
    assert rows("Flags") == [
        [f"`--{field.name}`", shown(field), flags._HELP[field.name]]
        for field in dataclasses.fields(flags.Options)
    ]


def test_every_flag_that_is_refused_is_named():
    named = PAGE.split("unless their value changes nothing:", 1)[1].split("\n\n", 1)[0]
    assert re.findall(r"`--(\w+)`", named) == list(flags._UNSUPPORTED)
