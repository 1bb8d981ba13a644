"""The notebooks in `examples/`: as they are committed, and what each shows when it is executed."""

import ast
import re
from pathlib import Path

import nbformat
import pytest
from jupyter_client import KernelManager
from nbclient import NotebookClient

FOLDER = Path(__file__).parents[1] / "examples"
KINDS = ("image", "language", "series", "table", "text")


def _read(kind):
    return nbformat.read(FOLDER / f"{kind}.ipynb", as_version=4)


def test_there_is_one_for_each_kind_of_data():
    assert sorted(file.stem for file in FOLDER.iterdir()) == list(KINDS)


@pytest.mark.parametrize("kind", KINDS)
def test_it_is_committed_without_outputs_and_its_cells_have_names(kind):
    """So that a change of a notebook reads like one of a program."""
    notebook = _read(kind)
    nbformat.validate(notebook)
    assert (notebook.nbformat, notebook.nbformat_minor) == (4, 5)
    assert set(notebook.metadata) == {"kernelspec", "language_info"}
    assert notebook.metadata.language_info == {"name": "python"}
    for cell in notebook.cells:
        assert re.fullmatch(r"[a-z]+(-[a-z]+)*", cell.id)
        assert cell.metadata == {}
        if cell.cell_type == "code":
            assert (cell.outputs, cell.execution_count) == ([], None)


@pytest.fixture(scope="module")
def kernel(tmp_path_factory):
    """One kernel for all notebooks, which saves four imports of TensorFlow, in an empty folder."""
    folder = tmp_path_factory.mktemp("reader")
    manager = KernelManager(kernel_name="python3", transport="ipc", ip=str(folder / "kernel"))
    with pytest.MonkeyPatch.context() as patch:
        for name in ("IPYTHONDIR", "JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "MILLRACE_ROOT"):
            patch.setenv(name, str(folder / name.lower()))
        manager.start_kernel(cwd=str(folder))
    yield manager
    manager.shutdown_kernel(now=True)


@pytest.fixture
def shown(kernel):
    """Executes a notebook; returns the last output of each cell by the cell's name."""

    def execute(kind):
        notebook = _read(kind)
        notebook.cells.insert(0, nbformat.v4.new_code_cell("%reset -f", id="reset"))
        executor = NotebookClient(notebook, timeout=250, km=kernel)
        try:
            executor.execute()
        finally:
            executor.kc.stop_channels()
        return {cell.id: cell.outputs[-1] for cell in notebook.cells if cell.get("outputs")}

    return execute


def _value(output):
    return ast.literal_eval(output["data"]["text/plain"])


def _page(output):
    return output["data"]["text/html"]


def test_images(shown):
    cells = shown("image")
    blessed, accuracy = _value(cells["figures"])
    assert blessed
    assert accuracy == pytest.approx(0.92, abs=0.03)
    assert _value(cells["again"]) == {
        "digits_images": "cached",
        "image_example_gen": "cached",
        "analyze": "cached",
        "transform": "cached",
        "trainer": "ran",
    }
    assert _page(cells["data"]).count("<img") >= 3
    assert "1434" in _page(cells["statistics"]).replace(",", "")
    assert _page(cells["ask"]).count("<tr") == 6  # a heading and five answers


def test_texts(shown):
    cells = shown("text")
    assert _value(cells["verdicts"]) == ["good", "bad"]


def test_language(shown):
    cells = shown("language")
    figures = _value(cells["figures"])
    assert figures["perplexity"] < 3 < 20 < figures["unigram_perplexity"]
    (line, other) = _value(cells["lines"])
    assert re.fullmatch(r"the river \w+ \w+ .+", line)
    assert re.fullmatch(r"my heart \w+ \w+ .+", other)


def test_series(shown):
    cells = shown("series")
    figures = _value(cells["figures"])
    assert list(figures) == [
        "mae",
        "constant_mae",
        "naive_mae",
        "seasonal_naive_mae",
        "moving_average_mae",
    ]
    assert figures["mae"] < 0.1 < figures["seasonal_naive_mae"] == 1.4
    assert _value(cells["forecast"]) == ("2022-05-19", pytest.approx(213.02, abs=0.2))


def test_tables(shown):
    cells = shown("table")
    assert _value(cells["prices"]) == pytest.approx([220, 280], abs=3)
    assert _value(cells["own"]) == {
        "csv_example_gen": "ran",
        "statistics_gen": "cached",
        "schema_gen": "cached",
    }
